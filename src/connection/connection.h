/* The connection protocol (RFC 4254), server side: global requests, channels and their windows,
 * sessions. Exists only after authentication. Asks by events, like the room below it. */
#ifndef SPN_CONNECTION_H
#define SPN_CONNECTION_H

#include "key/permissions.h"
#include "transport/transport.h"

typedef struct spn_connection spn_connection;

int spn_new(spn_connection **out, spt_transport *transport);
void spn_free(spn_connection *c);

/* What the login may do (referenced), and whether its keys' environment= is obeyed. Until this was
 * called nothing is permitted. */
void spn_permit(spn_connection *c, const spk_permissions *permissions, bool environment);

/* Channels are not served (no OPEN event) until this was called once. */
void spn_release(spn_connection *c);

/* Messages 80-82 and 90-100. A DATA event may be returned at once in `event` with a pointer into
 * the packet: returns 1 then, 0 for none, negative after spt_fail. `r` stands behind the number;
 * the packet stays valid until the next call of this function. */
int spn_message(spn_connection *c, uint8_t message, spb_reader *r, sp_event *event);
/* True: `event` is filled. Pointers in it live until the next spn_ call that takes an event. */
bool spn_next_event(spn_connection *c, sp_event *event);
/* The output has room again or keys are new: buffered channel data and window adjusts go on, round
 * robin. To be called each time spt_can_send_data has turned true. */
int spn_flush(spn_connection *c);
/* It stopped early, so that a writer that waited can take its turn. */
bool spn_turn_given(const spn_connection *c);
/* The connection is over: every channel gives its CHANNEL_CLOSED event (with `error`, which may be
 * NULL and has to live until they are taken), every open question its CANCELED; nothing is sent any
 * more. A channel that the client was still opening gives no CHANNEL_CLOSED, only its CANCELED. */
void spn_connection_lost(spn_connection *c, const sp_conn_error *error);

/* Tells the client of all host keys (hostkeys-00@openssh.com), if the options and the client allow.
 */
int spn_announce_host_keys(spn_connection *c);

/* keepalive@openssh.com: sends one global request that wants a reply. */
int spn_send_keepalive(spn_connection *c);
/* How many of them were not answered yet. */
unsigned spn_keepalives_open(const spn_connection *c);

/* As the sp_engine_ functions of these names. */
int spn_accept_open(spn_connection *c, uint64_t question, const sp_channel_options *options);
int spn_refuse_open(spn_connection *c, uint64_t question, uint32_t code, const char *text);
int spn_answer_request(spn_connection *c, uint64_t question, bool accepted);
/* Proofs of host keys; `signature` NULL: it could not be made. */
int spn_answer_sign(spn_connection *c, uint64_t question, const uint8_t *signature, size_t length);
int spn_answer_global(spn_connection *c, uint64_t question, const sp_global_reply *reply);
int spn_open_channel(spn_connection *c, const sp_open_request *what,
                     const sp_channel_options *options, uint32_t *channel);
/* SP_ECLOSED for normal data after the client's eow@openssh.com: like a pipe without a reader. */
ptrdiff_t spn_write(spn_connection *c, uint32_t channel, uint32_t type, const void *bytes,
                    size_t length);
/* Holds nothing: takes what can go out now. */
ptrdiff_t spn_write_now(spn_connection *c, uint32_t channel, uint32_t type, const void *bytes,
                        size_t length);
int spn_write_eof(spn_connection *c, uint32_t channel);
size_t spn_write_buffered(const spn_connection *c, uint32_t channel);
/* A paused channel holds data and EOF. At the client's CLOSE what is held is dropped, or delivered
 * if that was asked for. */
int spn_pause_reading(spn_connection *c, uint32_t channel);
int spn_resume_reading(spn_connection *c, uint32_t channel);
int spn_deliver_all(spn_connection *c, uint32_t channel);
int spn_exit(spn_connection *c, uint32_t channel, uint32_t status);
int spn_exit_with_signal(spn_connection *c, uint32_t channel, const char *name, bool core_dumped,
                         const char *message, const char *language);
int spn_set_xon_xoff(spn_connection *c, uint32_t channel, bool client_can_do);
int spn_send_eow(spn_connection *c, uint32_t channel);
int spn_close_channel(spn_connection *c, uint32_t channel);
int spn_abort_channel(spn_connection *c, uint32_t channel);
size_t spn_channel_count(const spn_connection *c);

#endif
