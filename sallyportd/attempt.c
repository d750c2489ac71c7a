/* attempt.c: one attempt to log in. The files and hashes are looked at on the thread pool; what
 * that means is decided back on the loop's thread, where the connection's state may be touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorize.h"
#include "log.h"
#include "login.h"
#include "passwords.h"

/* A client may abandon an attempt and make the next one while the work still runs; so many at
 * most. */
#define ATTEMPTS_AT_ONCE 3

typedef struct attempt {
    login *login;
    options *options; /* counted: those of its user name */
    sp_auth *auth;
    login_method method;
    bool is_query; /* the client only asks whether a key would do */
    unsigned turn; /* as login's when it began, like the two below */
    bool known;
    bool keys_refused;
    bool right; /* what the work found */
    key_grant grant;
    char reason[256]; /* why a key is not right, for the log */
} attempt;

/* ---- AuthenticationMethods ------------------------------------------------------------------- */

static bool chain_usable(const options *o, const method_chain *chain)
{
    for (size_t i = 0; i < chain->length; i++)
        if (!options_method_enabled(o, (login_method)chain->methods[i]))
            return false;
    return true;
}

static bool chain_wants(const login *l, size_t index, login_method method)
{
    const method_chain *chain = &l->options->chains[index];

    return l->positions[index] < chain->length &&
           chain->methods[l->positions[index]] == (uint8_t)method &&
           chain_usable(l->options, chain);
}

/* Takes each list that wants the method one step on. True: one of them is at its end. */
static bool advance(login *l, login_method method)
{
    const options *o = l->options;
    bool complete = o->chain_count == 0;

    for (size_t i = 0; i < o->chain_count; i++)
        if (chain_wants(l, i, method) && ++l->positions[i] == o->chains[i].length)
            complete = true;
    return complete;
}

/* A key's step is taken when the library has checked its signature, after our answer. */
static void count_key(const sp_conn *conn, login *l)
{
    if (l->key_counted || (sp_conn_methods_done(conn) & SP_METHOD_PUBLIC_KEY) == 0)
        return;
    l->key_counted = true;
    (void)advance(l, METHOD_PUBLIC_KEY);
}

bool attempt_possible(sp_conn *conn, login *l, login_method method)
{
    const options *o = l->options;

    count_key(conn, l);

    if (!options_method_enabled(o, method))
        return false;
    for (size_t i = 0; i < o->chain_count; i++)
        if (chain_wants(l, i, method))
            return true;
    return o->chain_count == 0;
}

/* What was found right: an answer with what it permits. Variables for the session are left to
 * environment.c, because PermitUserEnvironment may be a list. */
static int accept_proof(const attempt *a, bool partial)
{
    const char *principal = a->grant.principal;
    sp_auth_grant grant = {SP_AUTH_GRANT_INIT};

    if (a->method != METHOD_PUBLIC_KEY)
        return partial ? sp_auth_partial(a->auth) : sp_auth_answer(a->auth, true);
    grant.authorized_keys = a->grant.lines;
    grant.options = a->grant.options;
    if (principal != NULL) {
        grant.principals = &principal;
        grant.principal_count = 1;
    }
    grant.partial = partial;
    grant.no_environment = true;
    return sp_auth_accept(a->auth, &grant);
}

/* Back to where we were when the answer came too late to count. A key's step is never kept here:
 * the library has yet to check the proof. */
static int answer_right(const attempt *a)
{
    login *l = a->login;
    uint8_t before[CHAINS_MAX];
    memcpy(before, l->positions, sizeof before);

    if (a->is_query)
        return accept_proof(a, false);
    bool complete = advance(l, a->method);
    if (a->method == METHOD_PUBLIC_KEY)
        memcpy(l->positions, before, sizeof before);
    int result = accept_proof(a, !complete);
    if (result != 0)
        memcpy(l->positions, before, sizeof before);
    else if (!complete && a->method != METHOD_PUBLIC_KEY)
        log_info("Partial %s for %s from %s port %u ssh2", method_name(a->method),
                 l->program->account->name, l->peer, (unsigned)l->peer_port);
    return result;
}

/* ---- work and answer ------------------------------------------------------------------------- */

static void work(void *data)
{
    attempt *a = data;
    const program *p = a->login->program;

    switch (a->method) {
    case METHOD_PUBLIC_KEY:
        a->right = !a->keys_refused &&
                   authorize_key(p, a->options, a->auth, &a->grant, a->reason, sizeof a->reason);
        break;
    case METHOD_PASSWORD:
        a->right = password_check(p->account, a->options, sp_auth_password(a->auth));
        break;
    case METHOD_KBDINT:
        a->right = sp_auth_response_count(a->auth) == 1 &&
                   password_check(p->account, a->options, sp_auth_response(a->auth, 0));
        break;
    case METHOD_NONE:
        break;
    }
}

static void log_failure(const attempt *a)
{
    const login *l = a->login;
    const char *user = sp_auth_username(a->auth);
    bool proof = a->method == METHOD_PUBLIC_KEY && l->method == METHOD_PUBLIC_KEY;

    log_write(a->is_query && a->reason[0] == '\0' ? SP_LOG_VERBOSE : SP_LOG_INFO,
              "Failed %s for %s%s from %s port %u ssh2%s%s%s%s", method_name(a->method),
              a->known ? "" : "invalid user ", user != NULL ? user : "", l->peer,
              (unsigned)l->peer_port, proof ? ": " : "", proof ? l->proof : "",
              a->reason[0] != '\0' ? ": " : "", a->reason);
}

static void attempt_free(attempt *a)
{
    sp_auth_release(a->auth);
    key_grant_clear(&a->grant);
    options_unref(a->options);
    login_unref(a->login);
    free(a);
}

static void finish(void *data)
{
    attempt *a = data;
    const program *p = a->login->program;
    bool root_refused = a->method != METHOD_PUBLIC_KEY && p->account->uid == 0 &&
                        a->options->permit_root_login != ROOT_YES;

    /* An answer that is not taken leaves the question open: options of a line of principals that
     * are not understood. */
    bool right = a->right && a->known && a->turn == a->login->turn && !root_refused;
    bool taken = right && answer_right(a) != SP_EFORMAT;
    if (!taken && sp_auth_answer(a->auth, false) == 0)
        log_failure(a);
    attempt_free(a);
}

/* sshd's words: "ED25519 SHA256:...", "ED25519-CERT SHA256:... ID x (serial 1) CA RSA SHA256:..."
 */
static void describe_key(login *l, const sp_key *key, const sp_cert *cert)
{
    const sp_fingerprint_hash hash = (sp_fingerprint_hash)l->options->fingerprint_hash;
    const char *name = sp_key_short_name(key);
    char print[SP_FINGERPRINT_SIZE];

    (void)sp_key_fingerprint_by(key, hash, print);
    if (cert == NULL) {
        (void)snprintf(l->proof, sizeof l->proof, "%s %s", name, print);
        return;
    }
    char ca[SP_FINGERPRINT_SIZE];
    const sp_key *ca_key = sp_cert_ca_key(cert);
    (void)sp_key_fingerprint_by(ca_key, hash, ca);
    (void)snprintf(l->proof, sizeof l->proof, "%s-CERT %s ID %.256s (serial %llu) CA %s %s", name,
                   print, sp_cert_key_id(cert), (unsigned long long)sp_cert_serial(cert),
                   sp_key_short_name(ca_key), ca);
}

sp_answer attempt_start(sp_conn *conn, sp_auth *auth, login_method method)
{
    login *l = sp_conn_data(conn);
    if (l == NULL || l->references > ATTEMPTS_AT_ONCE || !attempt_possible(conn, l, method))
        return SP_REJECT;

    attempt *a = calloc(1, sizeof *a);
    if (a == NULL)
        return SP_REJECT;
    a->login = l;
    a->auth = auth;
    a->method = method;
    a->turn = l->turn;
    a->known = l->known;
    a->keys_refused = l->keys_refused;
    a->is_query = method == METHOD_PUBLIC_KEY && !sp_auth_key_signed(auth);
    l->method = method;
    l->proof[0] = '\0';
    if (method == METHOD_PUBLIC_KEY)
        describe_key(l, sp_auth_key(auth), sp_auth_cert(auth));
    a->options = options_ref(l->options);
    if (sp_server_work(sp_conn_server(conn), work, finish, a) != 0) {
        options_unref(a->options);
        free(a);
        return SP_REJECT;
    }
    l->references++;
    return SP_LATER;
}
