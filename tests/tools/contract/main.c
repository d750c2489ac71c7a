/* main.c: options, start and end of contract_server. */
#include "contract.h"

#include <stdlib.h>
#include <unistd.h>

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "[%d] %s\n", (int)level, line);
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "contract_server: %s: %s\n", what, why);
    exit(2);
}

static sp_authorized_keys *load_authorized(const char *path)
{
    static char text[1 << 16];
    sp_authorized_keys *list = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path, "cannot be read");
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    if (sp_authorized_keys_parse(&list, text, length, NULL, NULL) < 0)
        fail(path, "cannot be parsed");
    return list;
}

/* What the command line sets. */
typedef struct setup {
    app *app;
    sp_server_options options;
    const char *address;
    uint16_t port;
    bool control;
    sp_key *keys[8];
    size_t key_count;
    char absent[1024];
} setup;

/* Options whose value is stored as it is. */
static bool take_simple(setup *s, const char *flag, const char *value)
{
    sp_protocol_options *p = &s->options.protocol;
    const struct {
        const char *name;
        const char **text;
        uint32_t *word;
    } simple[] = {
        {"--address", &s->address, NULL},
        {"--version", &p->version, NULL},
        {"--preset", &p->preset, NULL},
        {"--kex", &p->kex_algorithms, NULL},
        {"--host-key-algorithms", &p->host_key_algorithms, NULL},
        {"--ciphers", &p->ciphers, NULL},
        {"--macs", &p->macs, NULL},
        {"--compressions", &p->compressions, NULL},
        {"--signatures", &p->signature_algorithms, NULL},
        {"--banner", &s->app->banner, NULL},
        {"--login-timeout", NULL, &p->login_timeout_ms},
        {"--keepalive", NULL, &p->keepalive_interval_ms},
        {"--keepalive-count", NULL, &p->keepalive_count},
        {"--rekey-seconds", NULL, &p->rekey_seconds},
        {"--window", NULL, &p->window_size},
        {"--window-max", NULL, &p->window_max},
        {"--packet", NULL, &p->packet_size},
        {"--max-attempts", NULL, &p->max_auth_attempts},
        {"--max-channels", NULL, &p->max_channels},
        {"--max-sessions", NULL, &p->max_sessions},
        {"--max-connections", NULL, &s->options.max_connections},
        {"--max-unauthenticated", NULL, &s->options.max_unauthenticated},
    };
    for (size_t k = 0; k < sizeof simple / sizeof simple[0]; k++) {
        if (strcmp(flag, simple[k].name) != 0)
            continue;
        if (simple[k].text != NULL)
            *simple[k].text = value;
        else
            *simple[k].word = (uint32_t)strtoull(value, NULL, 10);
        return true;
    }
    return false;
}

static void load_host_key(setup *s, const char *path)
{
    if (s->key_count == sizeof s->keys / sizeof s->keys[0])
        fail(path, "one host key too many");
    int result = sp_key_load_private(&s->keys[s->key_count], path, NULL);
    if (result < 0)
        fail(path, sp_strerror(result));
    s->key_count++;
}

/* Options with a value that needs work. */
static bool take_value(setup *s, const char *flag, const char *value)
{
    sp_protocol_options *p = &s->options.protocol;
    unsigned long long number = strtoull(value, NULL, 10);

    if (strcmp(flag, "--port") == 0) {
        s->port = (uint16_t)number;
    } else if (strcmp(flag, "--rekey-bytes") == 0) {
        p->rekey_bytes = number;
    } else if (strcmp(flag, "--window-budget") == 0) {
        p->window_budget = (size_t)number;
    } else if (strcmp(flag, "--write-high") == 0) {
        p->write_buffer_high = (size_t)number;
    } else if (strcmp(flag, "--log") == 0) {
        p->log_level = (sp_log_level)number;
    } else if (strcmp(flag, "--absent") == 0) {
        snprintf(s->absent, sizeof s->absent, ",%s,", value);
        s->app->absent = s->absent;
    } else if (strcmp(flag, "--authorized") == 0) {
        sp_authorized_keys_free(s->app->authorized);
        s->app->authorized = load_authorized(value);
    } else if (strcmp(flag, "--host-key") == 0) {
        load_host_key(s, value);
    } else {
        return false;
    }
    return true;
}

static void take_options(setup *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--quiet") == 0)
            s->app->quiet = true;
        else if (strcmp(argv[i], "--no-control") == 0)
            s->control = false;
        else if (take_simple(s, argv[i], value) || take_value(s, argv[i], value))
            i++;
        else
            fail(argv[i], "unknown option");
    }
    if (s->key_count == 0 && sp_key_generate(&s->keys[s->key_count++], SP_KEY_ED25519, 0) < 0)
        fail("host key", "cannot be made");
    s->options.protocol.host_keys = s->keys;
    s->options.protocol.host_key_count = s->key_count;
}

#define UNLESS_ABSENT(name, function) .name = is_absent(a, #name) ? NULL : (function)

static void start_server(setup *s)
{
    app *a = s->app;
    char reason[256] = "";
    event e;
    sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = on_made,
        .connection_lost = on_lost,
        UNLESS_ABSENT(debug_msg_received, on_debug),
        UNLESS_ABSENT(begin_auth, on_begin),
        UNLESS_ABSENT(public_key_auth_supported, on_pk_supported),
        UNLESS_ABSENT(password_auth_supported, on_pw_supported),
        UNLESS_ABSENT(kbdint_auth_supported, on_kbd_supported),
        UNLESS_ABSENT(validate_public_key, on_public_key),
        UNLESS_ABSENT(validate_password, on_password),
        UNLESS_ABSENT(change_password, on_change),
        UNLESS_ABSENT(get_kbdint_challenge, on_challenge),
        UNLESS_ABSENT(validate_kbdint_response, on_response),
        UNLESS_ABSENT(auth_completed, on_completed),
        UNLESS_ABSENT(session_requested, on_session),
    };
    int result = sp_server_new(&a->server, &s->options, &handlers, a, reason, sizeof reason);
    if (result < 0)
        fail("sp_server_new", reason[0] != '\0' ? reason : sp_strerror(result));
    result = sp_server_listen(a->server, s->address, s->port);
    if (result < 0)
        fail("listen", sp_strerror(result));
    event_begin(&e, "listening");
    event_number(&e, "port", sp_server_port(a->server, 0));
    event_number(&e, "pid", getpid());
    event_end(&e);
}

/* Answers of other threads that are under way. */
static void wait_for_threads(app *a)
{
    for (bool busy = true; busy;) {
        pthread_mutex_lock(&a->lock);
        busy = a->threads > 0;
        pthread_mutex_unlock(&a->lock);
        if (busy)
            usleep(1000);
    }
}

int main(int argc, char **argv)
{
    static app a;
    static setup s = {
        .app = &a, .options = {SP_SERVER_OPTIONS_INIT}, .address = "127.0.0.1", .control = true};
    pthread_t thread;
    event e;

    pthread_mutex_init(&a.lock, NULL);
    s.options.protocol.log = log_line;
    s.options.protocol.log_level = SP_LOG_ERROR;
    s.options.protocol.preset = "compatible"; /* all clients, old ones too; --preset says else */
    take_options(&s, argc, argv);
    start_server(&s);
    if (s.control && pthread_create(&thread, NULL, control_thread, &a) != 0)
        fail("thread", "cannot be started");
    int result = sp_server_run(a.server);
    finish_held(&a, NULL, NULL);
    event_begin(&e, "stopped");
    event_number(&e, "result", result);
    event_end(&e);
    wait_for_threads(&a);
    if (s.control) /* ends when the test closes our standard input */
        pthread_join(thread, NULL);
    sp_server_free(a.server);
    for (size_t i = 0; i < s.key_count; i++)
        sp_key_unref(s.keys[i]);
    sp_authorized_keys_free(a.authorized);
    pthread_mutex_destroy(&a.lock);
    return result < 0 ? 1 : 0;
}
