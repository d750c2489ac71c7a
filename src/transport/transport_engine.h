/* The transport as the engine drives it: bytes, packets, time, events. The rooms between (auth,
 * connection) use transport/transport.h only. */
#ifndef SPT_TRANSPORT_ENGINE_H
#define SPT_TRANSPORT_ENGINE_H

#include "transport/transport.h"

/* Where the transport stands, for the gate table. */
typedef enum spt_phase {
    SPT_PHASE_VERSION,        /* no packet yet */
    SPT_PHASE_FIRST_KEXINIT,  /* first exchange: KEXINIT must come */
    SPT_PHASE_FIRST_KEX_INIT, /* first exchange: the method's own message must come */
    SPT_PHASE_FIRST_GEX_REQUEST,
    SPT_PHASE_FIRST_GEX_INIT,
    SPT_PHASE_FIRST_NEWKEYS,  /* first exchange: NEWKEYS must come */
    SPT_PHASE_REKEY_KEX_INIT, /* a later exchange, the peer's KEXINIT has come */
    SPT_PHASE_REKEY_GEX_REQUEST,
    SPT_PHASE_REKEY_GEX_INIT,
    SPT_PHASE_REKEY_NEWKEYS,
    SPT_PHASE_OPEN, /* keys are in use; also while only our own KEXINIT was sent */
    SPT_PHASE_CLOSED,
} spt_phase;

int spt_new(spt_transport **out, sp_config *config, sp_pool *pool, uint64_t now_ms);
void spt_free(spt_transport *t);
spt_phase spt_get_phase(const spt_transport *t);
bool spt_strict(const spt_transport *t);
/* A wrongly guessed packet (RFC 4253 7) is dropped next, if it is one of the exchange's own. */
bool spt_skips_guess(const spt_transport *t);
void spt_guess_skipped(spt_transport *t);
/* The next message is the first one under the first keys: EXT_INFO may come (RFC 8308 2.4). */
bool spt_ext_info_due(const spt_transport *t);

/* ---- bytes ---- */
bool spt_wants_input(const spt_transport *t);
int spt_input_buffer(spt_transport *t, uint8_t **space, size_t *room);
int spt_received(spt_transport *t, size_t length);
/* 1: one packet's message number and the rest of its payload; 0: more bytes are needed or input
 * waits; negative: failed. The payload is valid until the next call. */
int spt_next_packet(spt_transport *t, uint8_t *message, spb_reader *payload);
/* Nothing more can be done with the bytes that are there: large buffers go back. */
void spt_input_idle(spt_transport *t);
int spt_output(const spt_transport *t, struct iovec *vector, int count);
size_t spt_output_length(const spt_transport *t);
void spt_consumed(spt_transport *t, size_t length);

/* ---- messages that the gate let through ---- */
int spt_message(spt_transport *t, uint8_t message, spb_reader *r, sp_event *event);
int spt_send_unimplemented(spt_transport *t);
bool spt_next_event(spt_transport *t, sp_event *event);
int spt_answer_sign(spt_transport *t, uint64_t question, const uint8_t *signature, size_t length);
int spt_answer_computation(spt_transport *t, uint64_t question);
/* The service that was requested last is granted: true once user authentication may begin. */
bool spt_service_granted(const spt_transport *t);
/* True once after keys came into use or the output fell: held-back data may flow. */
bool spt_take_writable(spt_transport *t);

/* ---- time, end ---- */
void spt_set_now(spt_transport *t, uint64_t now_ms);
uint64_t spt_deadline(const spt_transport *t);
int spt_check_rekey(spt_transport *t);               /* after the clock or a packet moved */
uint64_t spt_rekey_deadline(const spt_transport *t); /* by time; UINT64_MAX: never */
int spt_rekey(spt_transport *t);
int spt_send_debug(spt_transport *t, const char *text, const char *language, bool always_display);
int spt_send_ignore(spt_transport *t, size_t length);
uint64_t spt_last_received(const spt_transport *t);
void spt_peer_disconnected(spt_transport *t, uint32_t code, spb_span text);
const sp_conn_error *spt_error(const spt_transport *t); /* NULL: none */
int spt_algorithms(const spt_transport *t, sp_algorithms *out);

#endif
