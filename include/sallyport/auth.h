/* sallyport/auth.h: questions about who may log in, and their answers (RFC 4252, RFC 4256).
 *
 * A handler gets an `sp_auth *`. It returns SP_ACCEPT or SP_REJECT; or it answers by one of the
 * calls below and returns SP_ANSWERED (see sp_answered); or it returns SP_LATER and keeps the
 * question, to answer it from any thread, whenever it likes, and then to release it. Exactly one
 * release for each SP_LATER; released unanswered is refused.
 *
 * Results of the answering calls: 0; SP_EALREADY (answered before, nothing changes); SP_ECONN (the
 * client is gone or gave this attempt up); SP_EINVAL (not a form of this question: it stays open);
 * SP_ENOMEM. Thread of all calls here: any, unless said otherwise. */
#ifndef SALLYPORT_AUTH_H
#define SALLYPORT_AUTH_H

#include <sallyport/protocol.h>
#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_auth sp_auth;
struct sp_conn;

/* Accept or refuse. */
SP_API int sp_auth_answer(sp_auth *auth, bool accepted);
/* Right, but not enough: the client must go on with another method (RFC 4252 5.1). */
SP_API int sp_auth_partial(sp_auth *auth);
/* For validate_password and change_password: the client must choose a new password (4252 8). Where
 * the password came by keyboard-interactive "as password" this refuses. */
SP_API int sp_auth_change_required(sp_auth *auth, const char *prompt, const char *language);
/* For get_kbdint_challenge and validate_kbdint_response: (another) challenge. It is copied. */
SP_API int sp_auth_challenge(sp_auth *auth, const sp_challenge *challenge);
/* Ends the handler's hold on a question that it kept with SP_LATER. */
SP_API void sp_auth_release(sp_auth *auth);

/* What is asked about: valid until the release, from any thread; NULL where it does not apply. */
SP_API const char *sp_auth_username(const sp_auth *auth);
SP_API const char *sp_auth_password(const sp_auth *auth); /* the old one in change_password */
SP_API const char *sp_auth_new_password(const sp_auth *auth);
SP_API const sp_key *sp_auth_key(const sp_auth *auth);
SP_API bool sp_auth_key_signed(const sp_auth *auth); /* false: the client only asks about the key */
SP_API size_t sp_auth_response_count(const sp_auth *auth);
SP_API const char *sp_auth_response(const sp_auth *auth, size_t index); /* NULL past the end */
/* The connection, or NULL when it is gone. Thread: the connection's. */
SP_API struct sp_conn *sp_auth_conn(const sp_auth *auth);

/* Runs `work` on the thread pool and answers with what it returns: SP_ACCEPT, SP_REJECT, or
 * SP_ANSWERED after it has answered by a call. Releases the question. For handlers:
 * `return sp_auth_work(auth, check, data);`. `work` may use only what says "Thread: any". */
SP_API sp_answer sp_auth_work(sp_auth *auth, sp_answer (*work)(sp_auth *auth, void *data),
                              void *data);

#ifdef __cplusplus
}
#endif
#endif
