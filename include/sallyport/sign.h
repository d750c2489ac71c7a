/* sallyport/sign.h: host keys whose private part is elsewhere: an agent, a hardware module, another
 * machine.
 *
 * Such a key is made with sp_key_new_external and given to the server among its host keys. When it
 * has to sign, the server's handler `sign` is asked, by the rules of <sallyport/auth.h>: it answers
 * at once with `return sp_answered(sp_sign_answer(...));`, or returns SP_LATER and answers from any
 * thread. SP_ACCEPT alone signs nothing and is a refusal.
 *
 * The library checks each signature before it is sent; a wrong one is never sent and ends the
 * connection, as a refusal does. A first key exchange has the login time-out for everything, a
 * later one has two minutes for the signature. A refused signature of a proof (OpenSSH
 * PROTOCOL 2.5) only refuses the proof.
 *
 * Results of sp_sign_answer: 0; SP_EALREADY (answered before, nothing changes); SP_ECONN (the
 * client is gone); SP_EINVAL (empty, or longer than SP_SIGNATURE_MAX: the question stays open);
 * SP_ENOMEM. Thread of all calls here: any, unless said otherwise. */
#ifndef SALLYPORT_SIGN_H
#define SALLYPORT_SIGN_H

#include <sallyport/key.h>
#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_sign sp_sign;
struct sp_conn;

/* `signature` is a signature blob (RFC 4253 6.6: the algorithm's name, then the inner signature),
 * as sp_key_sign makes it and as agents answer. It is copied. */
SP_API int sp_sign_answer(sp_sign *sign, const void *signature, size_t length);
/* Ends the handler's hold on a question that it kept with SP_LATER. Unanswered: refused. */
SP_API void sp_sign_release(sp_sign *sign);

/* What is asked: valid until the release. */
SP_API const sp_key *sp_sign_key(const sp_sign *sign);
SP_API const char *sp_sign_algorithm(const sp_sign *sign); /* "ssh-ed25519", "rsa-sha2-512", ... */
SP_API const uint8_t *sp_sign_data(const sp_sign *sign, size_t *length);
/* The connection, or NULL when it is gone. Thread: the connection's. */
SP_API struct sp_conn *sp_sign_conn(const sp_sign *sign);

/* Runs `work` on the thread pool and answers with what it returns: SP_REJECT, or SP_ANSWERED after
 * it has answered. Releases the question. For handlers: `return sp_sign_work(sign, work, data);`.
 * `work` may use only what says "Thread: any". */
SP_API sp_answer sp_sign_work(sp_sign *sign, sp_answer (*work)(sp_sign *sign, void *data),
                              void *data);

/* ---- an ssh-agent that signs (draft-miller-ssh-agent 3.5, 3.6) --------------------------------
 */

/* The public keys that the agent at the UNIX socket `path` holds, at most SP_AGENT_KEYS_MAX, those
 * of unknown kinds left out. The array belongs to the caller: sp_agent_keys_free. For the start of
 * a program: blocks until the agent answers, for up to 10 seconds. Errors: SP_ENOENT, SP_EACCES,
 * SP_EIO (nobody listens there, or the agent went away), SP_ETIMEDOUT, SP_EPROTO, SP_ENOMEM. */
#define SP_AGENT_KEYS_MAX 1024
SP_API int sp_agent_keys(const char *path, sp_key ***keys, size_t *count);
SP_API void sp_agent_keys_free(sp_key **keys, size_t count); /* NULL is fine */

/* For the handler `sign`: `return sp_agent_sign(sign, path);` has the agent at `path` sign. It
 * never blocks: the answer comes later, or within a minute a refusal, which is logged. Thread: the
 * connection's. */
SP_API sp_answer sp_agent_sign(sp_sign *sign, const char *path);

#ifdef __cplusplus
}
#endif
#endif
