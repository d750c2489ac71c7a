/* cert_server: a server for the tests of certificates, authorized keys and key options. Nobody gets
 * in but by a key. Each line of the log and what happens is told as JSON on standard output.
 *
 *     cert_server [--NAME VALUE]...
 *
 * host-key FILE. authorized FILE, revoked FILE: for all connections; user-authorized FILE (for
 * every name but "nokeys"), user-revoked FILE: given by begin_auth. user-later yes: from another
 * thread; keep: too late, when the client tries the next name. ca FILE: validate_ca_key is there
 * and knows this CA; ca-mode says how it answers: accept (the default), refuse, later,
 * later-refuse, keep (until the client is gone), release, twice, list (by sp_auth_look_up in
 * ca-list FILE). principals A:B: what it accepts with. key FILE: validate_public_key knows this
 * key; second FILE: and then wants this one besides; password TEXT: or then wants this one. options
 * TEXT: what all of them accept with. no-environment yes. forward yes: the four handlers of
 * forwardings are there, and forward. signatures LIST, ca-signatures LIST, wall
 * SECONDS.
 */
#include <sallyport.h>
#include <signal.h>
#include <stdlib.h>

#include "json_events.h"

typedef struct settings {
    const char *host_key;
    const char *authorized;
    const char *revoked;
    const char *user_authorized;
    const char *user_revoked;
    const char *user_later;
    const char *ca;
    const char *ca_mode;
    const char *ca_list;
    const char *principals;
    const char *key;
    const char *second;
    const char *password;
    const char *options;
    const char *no_environment;
    const char *forward;
    const char *signatures;
    const char *ca_signatures;
    const char *wall;
} settings;

static settings s;
static sp_server *running;
static sp_authorized_keys *user_keys;
static sp_authorized_keys *ca_list;
static sp_revoked_keys *user_revoked;
static sp_key *known_ca;
static sp_key *known_key;
static sp_key *second_key;
static sp_auth *kept;
static sp_auth *kept_begin;

static void say(const char *name, const char *what, const char *value)
{
    event e;
    event_begin(&e, name);
    event_text(&e, what, value);
    event_end(&e);
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void on_log(void *ctx, sp_log_level level, const char *line)
{
    event e;
    (void)ctx;
    event_begin(&e, "log");
    event_number(&e, "level", level);
    event_text(&e, "text", line);
    event_end(&e);
}

static int64_t wall_clock(void *ctx)
{
    (void)ctx;
    return strtoll(s.wall, NULL, 10);
}

/* ---- files ---- */

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);
    if (file == NULL || text == NULL)
        die(path, "can't be read");
    *length = fread(text, 1, (1 << 20) - 1, file);
    text[*length] = '\0';
    (void)fclose(file);
    return text;
}

static void report(void *ctx, unsigned line, const char *reason)
{
    event e;
    event_begin(&e, "line");
    event_text(&e, "file", ctx);
    event_number(&e, "line", line);
    event_text(&e, "reason", reason);
    event_end(&e);
}

static sp_authorized_keys *load_authorized(const char *path)
{
    sp_authorized_keys *list = NULL;
    size_t length;
    char *text = read_file(path, &length);
    if (sp_authorized_keys_parse(&list, text, length, report, (void *)(uintptr_t)path) != 0)
        die(path, "not a list of authorized keys");
    free(text);
    return list;
}

static sp_revoked_keys *load_revoked(const char *path)
{
    sp_revoked_keys *list = NULL;
    size_t length;
    char *text = read_file(path, &length);
    if (sp_revoked_keys_parse(&list, text, length) != 0)
        die(path, "not a list of revoked keys");
    free(text);
    return list;
}

static sp_key *load_public(const char *path)
{
    sp_key *key = NULL;
    size_t length;
    char *text = read_file(path, &length);
    text[strcspn(text, "\n")] = '\0';
    if (sp_key_parse_public(&key, text) != 0)
        die(path, "not a public key");
    free(text);
    return key;
}

/* ---- what a login was given ---- */

static void tell_option(event *e, sp_conn *conn, const char *name)
{
    char label[64];
    const char *value;
    for (size_t i = 0; (value = sp_conn_get_key_option(conn, name, i)) != NULL; i++) {
        (void)snprintf(label, sizeof label, "key:%s:%zu", name, i);
        event_text(e, label, value);
    }
    (void)snprintf(label, sizeof label, "certificate:%s", name);
    value = sp_conn_get_certificate_option(conn, name);
    if (value != NULL)
        event_text(e, label, value);
}

static void tell_login(sp_conn *conn, const char *name)
{
    static const char *const options[] = {"command",      "environment",   "permitopen",
                                          "permitlisten", "from",          "principals",
                                          "expiry-time",  "force-command", "source-address"};
    static const char *const permissions[] = {"pty", "port-forwarding", "agent-forwarding",
                                              "X11-forwarding", "user-rc"};
    char label[64];
    event e;
    event_begin(&e, name);
    event_text(&e, "username", sp_conn_username(conn));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        tell_option(&e, conn, options[i]);
    for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
        (void)snprintf(label, sizeof label, "key:%s", permissions[i]);
        event_bool(&e, label, sp_conn_check_key_permission(conn, permissions[i]));
        (void)snprintf(label, sizeof label, "certificate:%s", permissions[i]);
        event_bool(&e, label, sp_conn_check_certificate_permission(conn, permissions[i]));
    }
    const sp_cert *certificate = sp_conn_certificate(conn);
    if (certificate != NULL) {
        event_text(&e, "key_id", sp_cert_key_id(certificate));
        event_number(&e, "serial", (int64_t)sp_cert_serial(certificate));
    }
    event_end(&e);
}

/* ---- the handlers ---- */

static sp_answer begin_later(sp_auth *auth, void *data)
{
    (void)data;
    say("keys", "result", sp_strerror(sp_auth_set_authorized_keys(auth, user_keys)));
    return SP_REJECT;
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    if (user_revoked != NULL)
        (void)sp_conn_set_revoked_keys(conn, user_revoked);
    if (kept_begin != NULL) { /* the client has gone on to this name */
        int result = sp_auth_set_authorized_keys(kept_begin, user_keys);
        say("keys", "result", sp_strerror(result));
        say("begin", "result", sp_strerror(sp_auth_answer(kept_begin, false)));
        sp_auth_release(kept_begin);
        kept_begin = NULL;
    }
    if (user_keys == NULL || strcmp(username, "nokeys") == 0)
        return SP_REJECT;
    if (s.user_later != NULL && strcmp(s.user_later, "keep") == 0) {
        kept_begin = auth;
        return SP_LATER;
    }
    if (s.user_later != NULL)
        return sp_work(auth, begin_later, NULL);
    (void)sp_conn_set_authorized_keys(conn, user_keys);
    return SP_REJECT;
}

static bool public_key_auth_supported(sp_conn *conn)
{
    (void)conn;
    return known_ca != NULL || ca_list != NULL || known_key != NULL;
}

static bool password_auth_supported(sp_conn *conn)
{
    return s.password != NULL && (sp_conn_methods_done(conn) & SP_METHOD_PUBLIC_KEY) != 0;
}

static sp_answer grant(sp_auth *auth, bool partial)
{
    const char *names[16];
    char text[256];
    sp_auth_grant given = {SP_AUTH_GRANT_INIT};

    given.options = s.options;
    given.partial = partial;
    given.no_environment = s.no_environment != NULL;
    if (s.principals != NULL && sp_auth_ca_key(auth) != NULL) {
        (void)snprintf(text, sizeof text, "%s", s.principals);
        for (char *at = text; *at != '\0' && given.principal_count < 16; at += strcspn(at, ":")) {
            at += *at == ':';
            names[given.principal_count++] = at;
        }
        for (char *at = text; *at != '\0'; at++)
            if (*at == ':')
                *at = '\0';
        given.principals = names;
    }
    return sp_answered(sp_auth_accept(auth, &given));
}

static sp_answer validate_public_key(sp_conn *conn, sp_auth *auth, const char *username,
                                     const sp_key *key)
{
    bool first = sp_conn_methods_done(conn) == 0;

    say("question", "public_key", username);
    if (known_key != NULL && first && sp_key_equal(key, known_key))
        return grant(auth, second_key != NULL || s.password != NULL);
    if (second_key != NULL && !first && sp_key_equal(key, second_key))
        return SP_ACCEPT;
    return SP_REJECT;
}

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password)
{
    (void)conn;
    (void)auth;
    (void)username;
    return s.password != NULL && strcmp(password, s.password) == 0 ? SP_ACCEPT : SP_REJECT;
}

static sp_answer ca_later(sp_auth *auth, void *data)
{
    (void)data;
    return sp_key_equal(sp_auth_ca_key(auth), known_ca) ? grant(auth, false) : SP_REJECT;
}

static sp_answer ca_later_refuse(sp_auth *auth, void *data)
{
    (void)auth;
    (void)data;
    return SP_REJECT;
}

static sp_answer ca_twice(sp_auth *auth)
{
    say("first", "result", sp_strerror(sp_auth_answer(auth, true)));
    say("second", "result", sp_strerror(sp_auth_answer(auth, false)));
    return SP_ANSWERED;
}

static sp_answer ca_by_list(sp_auth *auth)
{
    static const char *const names[] = {"dev"};
    const char *reason;
    sp_auth_grant given = {SP_AUTH_GRANT_INIT};
    int result = sp_auth_look_up(auth, ca_list, &reason);

    say("look_up", "result", sp_strerror(result));
    given.authorized_keys = ca_list; /* refuses by itself where it has nothing */
    given.principals = names;        /* not with a list */
    given.principal_count = 1;
    say("both", "result", sp_strerror(sp_auth_accept(auth, &given)));
    given.principals = NULL;
    return sp_answered(sp_auth_accept(auth, &given));
}

static sp_answer validate_ca_key(sp_conn *conn, sp_auth *auth, const char *username,
                                 const sp_key *ca_key)
{
    const char *mode = s.ca_mode != NULL ? s.ca_mode : "accept";
    event e;

    (void)conn;
    event_begin(&e, "question");
    event_text(&e, "ca_key", username);
    event_text(&e, "key_id", sp_cert_key_id(sp_auth_cert(auth)));
    event_bool(&e, "signed", sp_auth_key_signed(auth));
    event_bool(&e, "known", known_ca != NULL && sp_key_equal(ca_key, known_ca));
    event_end(&e);
    if (strcmp(mode, "list") == 0)
        return ca_by_list(auth);
    if (strcmp(mode, "refuse") == 0 || !sp_key_equal(ca_key, known_ca))
        return SP_REJECT;
    if (strcmp(mode, "later") == 0)
        return sp_work(auth, ca_later, NULL);
    if (strcmp(mode, "later-refuse") == 0)
        return sp_work(auth, ca_later_refuse, NULL);
    if (strcmp(mode, "twice") == 0)
        return ca_twice(auth);
    if (strcmp(mode, "release") == 0) {
        sp_auth_release(auth);
        return SP_LATER;
    }
    if (strcmp(mode, "keep") == 0) {
        kept = auth;
        return SP_LATER;
    }
    return grant(auth, false);
}

static sp_answer auth_completed(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)auth;
    (void)username;
    tell_login(conn, "login");
    return SP_ACCEPT;
}

static void connection_lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)error;
    if (kept != NULL) {
        say("late", "result", sp_strerror(sp_auth_accept_with_options(kept, "restrict")));
        sp_auth_release(kept);
        kept = NULL;
    }
    say("lost", "username", sp_conn_username(conn));
}

/* ---- sessions ---- */

static const char *const kinds[] = {
    [SP_REQUEST_SHELL] = "shell", [SP_REQUEST_EXEC] = "exec", [SP_REQUEST_SUBSYSTEM] = "subsystem"};

static sp_answer started(sp_channel *channel, sp_request *request)
{
    sp_request_type original = sp_channel_get_original_request(channel);
    event e;

    event_begin(&e, "start");
    event_text(&e, "command", sp_request_text(request));
    event_text(&e, "asked", original != 0 ? kinds[original] : NULL);
    event_text(&e, "original", sp_channel_get_original_command(channel));
    event_bool(&e, "pty", sp_channel_get_terminal_type(channel) != NULL);
    event_end(&e);
    return SP_ACCEPT;
}

static sp_answer named(sp_channel *channel, sp_request *request, const char *text)
{
    (void)text;
    return started(channel, request);
}

static void run(sp_channel *channel)
{
    const char *command = sp_channel_get_command(channel);
    const char *const arguments[] = {"sh", command != NULL ? "-c" : NULL, command, NULL};
    const char *environment[64] = {"PATH=/usr/bin:/bin"};
    static char lines[64][512];
    const char *name;
    const char *value;
    sp_spawn_options spawn = {SP_SPAWN_OPTIONS_INIT};

    for (size_t i = 0; i < 60 && sp_channel_environment_at(channel, i, &name, &value); i++) {
        (void)snprintf(lines[i], sizeof lines[i], "%s=%s", name, value);
        environment[i + 1] = lines[i];
    }
    spawn.program = "/bin/sh";
    spawn.arguments = arguments;
    spawn.environment = environment;
    if (sp_channel_spawn(channel, &spawn) != 0)
        (void)sp_channel_exit(channel, 126);
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,     .shell_requested = started, .exec_requested = named,
        .subsystem_requested = named, .session_started = run,
    };

    (void)conn;
    return sp_answered(sp_open_session(open, &session, NULL, NULL));
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    (void)conn;
    (void)open;
    (void)dest_port;
    (void)orig_host;
    (void)orig_port;
    say("connection", "host", dest_host);
    return SP_ACCEPT;
}

static sp_answer unix_connection_requested(sp_conn *conn, sp_open *open, const char *dest_path)
{
    (void)conn;
    (void)open;
    say("connection", "path", dest_path);
    return SP_ACCEPT;
}

static sp_answer server_requested(sp_conn *conn, sp_listen *listen, const char *listen_host,
                                  uint16_t listen_port)
{
    (void)conn;
    (void)listen;
    (void)listen_port;
    say("listen", "host", listen_host);
    return SP_ACCEPT;
}

static sp_answer unix_server_requested(sp_conn *conn, sp_listen *listen, const char *listen_path)
{
    (void)conn;
    (void)listen;
    say("listen", "path", listen_path);
    return SP_ACCEPT;
}

/* ---- the program ---- */

static void arguments(int argc, char **argv)
{
    const struct {
        const char *name;
        const char **value;
    } table[] = {
        {"--host-key", &s.host_key},
        {"--authorized", &s.authorized},
        {"--revoked", &s.revoked},
        {"--user-authorized", &s.user_authorized},
        {"--user-revoked", &s.user_revoked},
        {"--user-later", &s.user_later},
        {"--ca", &s.ca},
        {"--ca-mode", &s.ca_mode},
        {"--ca-list", &s.ca_list},
        {"--principals", &s.principals},
        {"--key", &s.key},
        {"--second", &s.second},
        {"--password", &s.password},
        {"--options", &s.options},
        {"--no-environment", &s.no_environment},
        {"--forward", &s.forward},
        {"--signatures", &s.signatures},
        {"--ca-signatures", &s.ca_signatures},
        {"--wall", &s.wall},
    };

    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < sizeof table / sizeof table[0] && strcmp(table[at].name, argv[i]) != 0)
            at++;
        if (at == sizeof table / sizeof table[0] || i + 1 == argc)
            die(argv[i], "not an option, or without a value");
        *table[at].value = argv[i + 1];
    }
}

static void on_signal(int number)
{
    (void)number;
    sp_server_stop(running);
}

static void fill_options(sp_server_options *o, sp_key **host_key)
{
    int result = s.host_key != NULL ? sp_key_load_private(host_key, s.host_key, NULL)
                                    : sp_key_generate(host_key, SP_KEY_ED25519, 0);

    if (result != 0)
        die("host key", sp_strerror(result));
    o->protocol.host_keys = host_key;
    o->protocol.host_key_count = 1;
    o->protocol.signature_algorithms = s.signatures;
    o->protocol.ca_signature_algorithms = s.ca_signatures;
    o->protocol.wall_clock = s.wall != NULL ? wall_clock : NULL;
    o->protocol.log = on_log;
    o->protocol.log_level = SP_LOG_VERBOSE;
    o->authorized_client_keys = s.authorized != NULL ? load_authorized(s.authorized) : NULL;
    o->revoked_keys = s.revoked != NULL ? load_revoked(s.revoked) : NULL;
    user_keys = s.user_authorized != NULL ? load_authorized(s.user_authorized) : NULL;
    user_revoked = s.user_revoked != NULL ? load_revoked(s.user_revoked) : NULL;
    ca_list = s.ca_list != NULL ? load_authorized(s.ca_list) : NULL;
    known_ca = s.ca != NULL ? load_public(s.ca) : NULL;
    known_key = s.key != NULL ? load_public(s.key) : NULL;
    second_key = s.second != NULL ? load_public(s.second) : NULL;
}

static void serve(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    event e;

    (void)sigaction(SIGTERM, &action, NULL);
    int result = sp_server_listen(running, "127.0.0.1", 0);
    if (result != 0)
        die("listen", sp_strerror(result));
    event_begin(&e, "listening");
    event_number(&e, "port", sp_server_port(running, 0));
    event_end(&e);
    result = sp_server_run(running);
    sp_server_free(running);
    if (result != 0)
        die("server", sp_strerror(result));
}

int main(int argc, char **argv)
{
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.preset = "compatible"; /* old clients, too */
    sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_lost = connection_lost,
        .begin_auth = begin_auth,
        .public_key_auth_supported = public_key_auth_supported,
        .password_auth_supported = password_auth_supported,
        .validate_public_key = validate_public_key,
        .validate_password = validate_password,
        .auth_completed = auth_completed,
        .session_requested = session_requested,
    };
    sp_key *host_key = NULL;
    char reason[256];

    arguments(argc, argv);
    fill_options(&options, &host_key);
    if (s.ca != NULL || s.ca_list != NULL)
        handlers.validate_ca_key = validate_ca_key;
    if (s.forward != NULL) {
        handlers.connection_requested = connection_requested;
        handlers.unix_connection_requested = unix_connection_requested;
        handlers.server_requested = server_requested;
        handlers.unix_server_requested = unix_server_requested;
    }
    if (sp_server_new(&running, &options, &handlers, NULL, reason, sizeof reason) != 0)
        die("server", reason);
    sp_authorized_keys_free((sp_authorized_keys *)(uintptr_t)options.authorized_client_keys);
    sp_revoked_keys_unref((sp_revoked_keys *)(uintptr_t)options.revoked_keys);
    serve();
    sp_key_unref(host_key);
    sp_authorized_keys_free(user_keys);
    sp_authorized_keys_free(ca_list);
    sp_revoked_keys_unref(user_revoked);
    sp_key_unref(known_ca);
    sp_key_unref(known_key);
    sp_key_unref(second_key);
    return 0;
}
