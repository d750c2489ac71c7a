/* login.c: the handlers of a connection and of its authentication. */
#include "login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "log.h"
#include "startups.h"

void login_unref(login *l)
{
    if (--l->references > 0)
        return;
    list_clear(&l->environment);
    options_unref(l->options);
    free(l);
}

/* ---- the connection -------------------------------------------------------------------------- */

/* A UNIX socket has no addresses: then what sshd writes stands for them. */
static void note_addresses(const sp_conn *conn, login *l)
{
    l->has_address = sp_conn_peer_address(conn, l->peer, sizeof l->peer, &l->peer_port);
    if (!l->has_address) {
        (void)snprintf(l->peer, sizeof l->peer, "UNKNOWN");
        l->peer_port = UINT16_MAX;
    }
    if (!sp_conn_local_address(conn, l->local, sizeof l->local, &l->local_port)) {
        (void)snprintf(l->local, sizeof l->local, "UNKNOWN");
        l->local_port = UINT16_MAX;
    }
}

static void connection_made(sp_conn *conn)
{
    const program *p = sp_server_data(sp_conn_server(conn));
    login *l = calloc(1, sizeof *l);

    if (p->one_connection)
        sp_server_drain(p->server, 0);
    if (l == NULL) {
        log_error("Out of memory: a connection is dropped");
        sp_conn_abort(conn);
        return;
    }
    l->program = p;
    l->references = 1;
    l->options = options_ref(config_own(p->config));
    note_addresses(conn, l);
    if (startups_exceeded(conn, l)) {
        login_unref(l);
        sp_conn_abort(conn);
        return;
    }
    sp_conn_set_data(conn, l);
    log_verbose("Connection from %s port %u on %s port %u", l->peer, (unsigned)l->peer_port,
                l->local, (unsigned)l->local_port);
}

static void connection_lost(sp_conn *conn, const sp_conn_error *error)
{
    login *l = sp_conn_data(conn);
    const char *user = sp_conn_username(conn);
    const char *who = "";

    if (l == NULL)
        return;
    if (l->authenticated)
        who = "user ";
    else if (user != NULL)
        who = l->known ? "authenticating user " : "invalid user ";
    log_info("%s %s%s%s%s port %u%s%s%s",
             error == NULL || error->from_peer ? "Disconnected from" : "Connection closed by", who,
             user != NULL ? user : "", user != NULL ? " " : "", l->peer, (unsigned)l->peer_port,
             l->authenticated ? "" : " [preauth]", error != NULL ? ": " : "",
             error == NULL            ? ""
             : error->message != NULL ? error->message
                                      : sp_strerror(error->error));
    sp_conn_set_data(conn, NULL);
    login_unref(l);
}

/* ---- authentication -------------------------------------------------------------------------- */

/* Zero is "as it is" to the library, and "none" to sshd's words. */
static void set_limits(sp_conn *conn, const options *o)
{
    const sp_limits limits = {
        .size = sizeof limits,
        .max_auth_attempts = o->max_auth_tries != 0 ? o->max_auth_tries : 1,
        .keepalive_interval_ms =
            o->client_alive_seconds != 0 ? o->client_alive_seconds * 1000 : UINT32_MAX,
        .keepalive_count = o->client_alive_count != 0 ? o->client_alive_count : UINT32_MAX,
        .rekey_bytes = o->rekey_bytes != 0 ? o->rekey_bytes : REKEY_BYTES_DEFAULT,
        .rekey_seconds = o->rekey_seconds == NOT_GIVEN ? REKEY_SECONDS_DEFAULT
                         : o->rekey_seconds == 0       ? UINT32_MAX
                                                       : o->rekey_seconds,
    };
    (void)sp_conn_set_limits(conn, &limits); /* SP_ECONN: it is gone */
}

/* Match blocks may concern the user. False: no settings hold. */
static bool choose_settings(sp_conn *conn, login *l, const char *username)
{
    const account *a = l->program->account;
    const match_facts facts = {.user = username,
                               .groups = strcmp(username, a->name) == 0 ? &a->groups : NULL,
                               .host = l->peer,
                               .address = l->has_address ? l->peer : NULL,
                               .local_address = l->has_address ? l->local : NULL,
                               .local_port = l->has_address ? l->local_port : 0};
    options *chosen = config_settings(l->program->config, &facts);

    if (chosen == NULL)
        return false;
    options_unref(l->options);
    l->options = chosen;
    set_limits(conn, chosen);
    /* The server takes what any block accepts; of that, this user has these. */
    return sp_conn_set_signature_algorithms(conn, chosen->key_algorithms) == 0;
}

/* SP_REJECT means here that authentication is required. */
static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    login *l = sp_conn_data(conn);

    if (l == NULL)
        return SP_REJECT;
    memset(l->positions, 0, sizeof l->positions);
    l->turn++;
    l->key_counted = false;
    l->method = METHOD_NONE;
    l->known = choose_settings(conn, l, username) && access_allowed(l, username);
    return begin_start(conn, auth, l);
}

static bool public_key_auth_supported(sp_conn *conn)
{
    login *l = sp_conn_data(conn);
    return l != NULL && attempt_possible(conn, l, METHOD_PUBLIC_KEY);
}

static bool password_auth_supported(sp_conn *conn)
{
    login *l = sp_conn_data(conn);
    return l != NULL && attempt_possible(conn, l, METHOD_PASSWORD);
}

/* Not "as password": AuthenticationMethods tells the two apart. */
static sp_kbdint_support kbdint_auth_supported(sp_conn *conn)
{
    login *l = sp_conn_data(conn);
    return l != NULL && attempt_possible(conn, l, METHOD_KBDINT) ? SP_KBDINT_YES : SP_KBDINT_NO;
}

static sp_answer validate_public_key(sp_conn *conn, sp_auth *auth, const char *username,
                                     const sp_key *key)
{
    (void)username;
    (void)key;
    return attempt_start(conn, auth, METHOD_PUBLIC_KEY);
}

static sp_answer validate_ca_key(sp_conn *conn, sp_auth *auth, const char *username,
                                 const sp_key *ca_key)
{
    (void)username;
    (void)ca_key;
    return attempt_start(conn, auth, METHOD_PUBLIC_KEY);
}

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password)
{
    (void)username;
    (void)password;
    return attempt_start(conn, auth, METHOD_PASSWORD);
}

static sp_answer get_kbdint_challenge(sp_conn *conn, sp_auth *auth, const char *username,
                                      const char *language, const char *submethods)
{
    static const sp_prompt prompt = {"Password: ", false};
    static const sp_challenge challenge = {.prompts = &prompt, .prompt_count = 1};

    (void)conn;
    (void)username;
    (void)language;
    (void)submethods;
    return sp_answered(sp_auth_challenge(auth, &challenge));
}

static sp_answer validate_kbdint_response(sp_conn *conn, sp_auth *auth, const char *username,
                                          const char *const *responses, size_t count)
{
    (void)username;
    (void)responses;
    (void)count;
    return attempt_start(conn, auth, METHOD_KBDINT);
}

static bool command_forced(const sp_conn *conn, const options *o)
{
    return o->force_command != NULL || sp_conn_get_key_option(conn, "command", 0) != NULL ||
           sp_conn_get_certificate_option(conn, "force-command") != NULL;
}

/* What can only be told when it is known what the keys permit. */
static bool completed(sp_conn *conn, const login *l, const char *username)
{
    const options *o = l->options;

    /* Nothing gets here that did not pass attempt.c; and if it did, this is the last door. */
    if (!l->known || l->method == METHOD_NONE)
        return false;
    if (l->program->account->uid == 0 && o->permit_root_login == ROOT_FORCED_COMMANDS_ONLY &&
        !command_forced(conn, o)) {
        log_info("ROOT LOGIN REFUSED FROM %s port %u for %s: no command is forced", l->peer,
                 (unsigned)l->peer_port, username);
        return false;
    }
    return true;
}

static sp_answer auth_completed(sp_conn *conn, sp_auth *auth, const char *username)
{
    login *l = sp_conn_data(conn);

    if (l == NULL || !completed(conn, l, username))
        return SP_REJECT;
    l->authenticated = true;
    log_info("Accepted %s for %s from %s port %u ssh2%s%s", method_name(l->method), username,
             l->peer, (unsigned)l->peer_port, l->proof[0] != '\0' ? ": " : "", l->proof);
    return environment_start(conn, auth, l);
}

void login_handlers(sp_server_handlers *handlers)
{
    handlers->connection_made = connection_made;
    handlers->connection_lost = connection_lost;
    handlers->begin_auth = begin_auth;
    handlers->public_key_auth_supported = public_key_auth_supported;
    handlers->password_auth_supported = password_auth_supported;
    handlers->kbdint_auth_supported = kbdint_auth_supported;
    handlers->validate_public_key = validate_public_key;
    handlers->validate_ca_key = validate_ca_key;
    handlers->validate_password = validate_password;
    handlers->get_kbdint_challenge = get_kbdint_challenge;
    handlers->validate_kbdint_response = validate_kbdint_response;
    handlers->auth_completed = auth_completed;
}
