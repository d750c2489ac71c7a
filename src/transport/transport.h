/* The transport protocol (RFC 4253): what the rooms above may call. They hand it plain messages and
 * get sealed packets into the output; while keys are being exchanged, messages above the transport
 * are held and go out after NEWKEYS, in order. */
#ifndef SPT_TRANSPORT_H
#define SPT_TRANSPORT_H

#include "base/wire.h"
#include "transport/config.h"
#include <sallyport/engine.h>

typedef struct spt_transport spt_transport;

/* ---- for every room above ---- */
/* The client's version line, NULL before it came. */
const char *spt_peer_version(const spt_transport *t);
/* The host key, or certificate, of the first exchange, as a blob. */
spb_span spt_first_host_key(const spt_transport *t);
/* A second EXT_INFO, during authentication, for clients that take one
 * (ext-info-in-auth@openssh.com): server-sig-algs with those that are in `list` as well. 0, or the
 * result of spt_fail. */
int spt_send_user_ext_info(spt_transport *t, const char *list);
/* How an RSA host key signs for this client outside of the exchange (OpenSSH PROTOCOL 2.5). */
const char *spt_rsa_signature(const spt_transport *t);
const sp_config *spt_config(const spt_transport *t);
/* The limits in force: the configuration's, or those set for this connection. Each member has its
 * value: keepalive_interval_ms 0 is none, rekey_seconds UINT32_MAX never. */
const sp_limits *spt_limits(const spt_transport *t);
int spt_set_limits(spt_transport *t, const sp_limits *limits); /* 0, or SP_EINVAL */
const spb_env *spt_env(const spt_transport *t);
spb_pool *spt_pool(const spt_transport *t);
uint64_t spt_now(const spt_transport *t);
spb_span spt_session_id(const spt_transport *t);

/* Starts a message; the writer stands behind its number. One at a time. */
spb_buffer *spt_begin(spt_transport *t, uint8_t message);
/* Ends it: sealed into the output, or held during a key exchange. Messages above 49 are held;
 * when too much is held, the connection fails. 0 or SP_E... (already recorded with spt_fail). */
int spt_end(spt_transport *t);

/* May bulk data be sent now? No key exchange is running and the output is below its mark. */
bool spt_can_send_data(const spt_transport *t);
/* One message from a head (with its number) and bulk data, sealed in one pass. Only after
 * spt_can_send_data. */
int spt_send_data(spt_transport *t, const uint8_t *head, size_t head_length, const uint8_t *data,
                  size_t length);

/* Ends the connection: records why, sends DISCONNECT with `code` (0: sends none). Returns `error`,
 * so that a handler can `return spt_fail(...)`. Only the first call counts. */
__attribute__((format(printf, 4, 5))) int spt_fail(spt_transport *t, int error, uint32_t code,
                                                   const char *format, ...);
bool spt_failed(const spt_transport *t);

/* User authentication succeeded: delayed compression starts behind the SUCCESS just sent. */
int spt_authenticated(spt_transport *t);

#endif
