/* The user authentication service (RFC 4252, RFC 4256), server side. Fed with messages that the
 * gate has let through, asks by events, knows nothing of channels.
 *
 * Order of one request: parse it to its end; a new user name flushes all state and asks
 * AUTH_BEGIN; AUTH_METHODS tells whether the method may be tried; then the method's own question;
 * a failure asks AUTH_METHODS once more for the list. A newer request abandons an open question. */
#ifndef SPA_AUTH_H
#define SPA_AUTH_H

#include "auth/trust.h"
#include "key/authorized.h"
#include "transport/transport.h"

typedef struct spa_auth spa_auth;

/* `trust` lives longer, and may change. */
int spa_new(spa_auth **out, spt_transport *transport, const spa_trust *trust);
void spa_free(spa_auth *a); /* NULL is fine; secrets are wiped */

/* USERAUTH_REQUEST (50) and USERAUTH_INFO_RESPONSE (61; only method-specific numbers 60-79 that
 * the running method expects are good). `r` stands behind the message number. 0, or the negative
 * result of spt_fail. Unexpected 60-79: spt_fail with a protocol error. */
int spa_message(spa_auth *a, uint8_t message, spb_reader *r);
/* True: `event` is filled. What it lends stays until the next call of this or of spa_message; the
 * secrets in it are wiped then, at the latest. Call it after every answer. */
bool spa_next_event(spa_auth *a, sp_event *event);
/* Answers; see sp_engine_answer_auth and sp_engine_answer_methods for results. */
int spa_answer(spa_auth *a, uint64_t question, const sp_auth_reply *reply);
int spa_answer_methods(spa_auth *a, uint64_t question, unsigned methods);
int spa_send_banner(spa_auth *a, const char *text, const char *language);

/* What a list says of a key, or of a certificate for it; as spk_authorized_find. Thread: any. */
int spa_look_up(const sp_authorized_keys *list, const sp_key *key, const sp_cert *cert,
                const spk_peer *who, spk_permissions **permitted, const char **reason);
/* What options in the form of an authorized_keys line permit. 0; SP_EFORMAT: not understood;
 * SP_EAUTH: from= or expiry-time= does not hold; SP_ENOMEM. Thread: any. */
int spa_options_permit(const spb_env *env, const char *options, const spk_peer *who,
                       spk_permissions **permitted, const char **reason);

/* Failures go out on a schedule that does not tell why they failed. UINT64_MAX: nothing waits.
 * While one waits, better feed no message: a request is parked behind it, but a second one would
 * abandon the first. */
uint64_t spa_deadline(const spa_auth *a);
int spa_tick(spa_auth *a); /* 0 or the result of spt_fail */

/* True once SUCCESS was sent. From then on spa_message ignores requests silently. */
bool spa_succeeded(const spa_auth *a);
/* After success: may channels be served (AUTH_COMPLETED was answered with accept)? */
bool spa_completed(const spa_auth *a);
/* What the user may do, by all proofs together: after success; NULL, which permits nothing, before.
 * Lent. */
const spk_permissions *spa_permissions(const spa_auth *a);
/* Is the environment of these permissions to be obeyed? */
bool spa_environment_obeyed(const spa_auth *a);
/* The authorized keys of the user name being tried (NULL: none), instead of the trust's. */
void spa_set_authorized(spa_auth *a, const sp_authorized_keys *list);
/* Of the enabled signature algorithms, those that the user name being tried may use (names with
 * commas between; NULL: all of them). SP_ENOMEM. */
int spa_set_algorithms(spa_auth *a, const char *list);
/* The methods that the current user has partially succeeded with, proof included. */
unsigned spa_methods_done(const spa_auth *a);
const char *spa_username(const spa_auth *a); /* prepared; NULL before the first request */

#endif
