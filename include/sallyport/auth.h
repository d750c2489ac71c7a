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

/* ---- what a proof permits ----
 * Plain acceptance of a key, a password or a response permits everything. These permit less, as a
 * line of an authorized_keys file does (sshd(8)), and what was accepted that way is enforced by the
 * library. Where a login takes several proofs (sp_auth_partial), it may do what all of them permit.
 * A certificate permits what it says itself, at most. */
typedef struct sp_auth_grant {
    size_t size;
    /* As before the key in authorized_keys: "restrict,command=\"x\"". from= and expiry-time= are
     * checked. Not in it: cert-authority, principals. NULL: no restriction.
     * For a security key (sp_key_is_security_key): its signature needs the touch unless
     * "no-touch-required" is here (a certificate, or a line of `authorized_keys`, must waive it as
     * well), and the user's PIN or biometry if "verify-required" is. */
    const char *options;
    /* validate_ca_key: one of these must be among the certificate's principals, byte for byte.
     * NULL: the user's name. Not together with `authorized_keys`, whose lines have their own. */
    const char *const *principals;
    size_t principal_count;
    /* validate_public_key, validate_ca_key: what this list says of the key or certificate, with the
     * options there. It may have no line that fits: then this refuses. With `options`: both hold.
     */
    const sp_authorized_keys *authorized_keys;
    bool partial;        /* right, but not enough, as in sp_auth_partial */
    bool no_environment; /* environment= is not obeyed; sp_conn_get_key_option still tells it */
} sp_auth_grant;
#define SP_AUTH_GRANT_INIT .size = sizeof(sp_auth_grant)

/* For begin_auth and all handlers that judge a proof. The grant is copied. SP_EINVAL: it has what
 * the question does not take; SP_EFORMAT: options that are not understood. The question stays open.
 */
SP_API int sp_auth_accept(sp_auth *auth, const sp_auth_grant *grant);
/* In short: with options; and for validate_ca_key, with names (none: nobody). */
SP_API int sp_auth_accept_with_options(sp_auth *auth, const char *options);
SP_API int sp_auth_accept_principals(sp_auth *auth, const char *const *names, size_t count);
/* What does this list say of the key or certificate in question? 0: it may log in; SP_ENOENT: there
 * is no line for it; SP_EAUTH: there is, but from=, expiry-time= or the principals do not hold, or
 * the certificate is not good; SP_EINVAL: not a question about a key; SP_ENOMEM. `*reason`, if not
 * NULL, gets a text for the log, valid until the release. It does not answer: that is done with
 * `authorized_keys` in a grant. */
SP_API int sp_auth_look_up(const sp_auth *auth, const sp_authorized_keys *list,
                           const char **reason);
/* For begin_auth: the keys that may log in as this user, as sp_conn_set_authorized_keys; taken with
 * the answer, so that a list which comes late is never used for the next user's name. Referenced;
 * NULL: none. Before the answer, and not while another thread gives it. Errors: SP_EINVAL (another
 * question), SP_EALREADY (it is answered), SP_ECONN. */
SP_API int sp_auth_set_authorized_keys(sp_auth *auth, const sp_authorized_keys *list);

/* Ends the handler's hold on a question that it kept with SP_LATER. */
SP_API void sp_auth_release(sp_auth *auth);

/* What is asked about: valid until the release, from any thread; NULL where it does not apply. */
SP_API const char *sp_auth_username(const sp_auth *auth);
SP_API const char *sp_auth_password(const sp_auth *auth); /* the old one in change_password */
SP_API const char *sp_auth_new_password(const sp_auth *auth);
SP_API const sp_key *sp_auth_key(const sp_auth *auth); /* the certified key in validate_ca_key */
SP_API const sp_key *sp_auth_ca_key(const sp_auth *auth);
/* validate_ca_key: well-formed, its CA's signature, dates and options are good; its principals were
 * not compared yet. */
SP_API const sp_cert *sp_auth_cert(const sp_auth *auth);
/* The algorithm that the client proves its key with, as it names it: "rsa-sha2-512", or with a
 * certificate "rsa-sha2-512-cert-v01@openssh.com" (RFC 8332 3). */
SP_API const char *sp_auth_algorithm(const sp_auth *auth);
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
