/* listen_server: answers server_requested and unix_server_requested in each way that there is, by
 * the name of the host or path. Everyone may log in. Other places are forwarded.
 *
 *     listen_server [--no-handlers] [--plain] [--gateway no|yes|client] [--mask OCTAL] [--unlink]
 *                   [--max-channels N] [--max-listeners N] [--host-key FILE, first of all]
 *
 * Standard input takes commands: "count" says what is there, "close" closes all listeners. */
#include "../../examples/example.h"
#include "json_events.h"

#include <pthread.h>

static sp_listen *kept;    /* the question about "never.test" */
static sp_listen *held[8]; /* those about "hold.test" */
static size_t held_count;
static bool plain;

static void say(const char *what, int result)
{
    event e;
    event_begin(&e, what);
    event_number(&e, "result", result);
    event_end(&e);
}

/* ---- channels of our own to the client: an echo that speaks first ---- */

static void own_made(sp_channel *channel)
{
    (void)channel;
    say("made", 0);
}

static void own_started(sp_channel *channel)
{
    sp_channel_puts(channel, "hello\n");
}

static void own_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    (void)type;
    if (sp_channel_write(channel, bytes, length) != (ptrdiff_t)length)
        sp_channel_abort(channel); /* the tests do not send that much unread */
}

static void own_lost(sp_channel *channel, const sp_conn_error *error)
{
    event e;
    event_begin(&e, "lost");
    event_number(&e, "data", *(int *)sp_channel_data(channel));
    event_number(&e, "error", error == NULL ? 0 : error->error);
    event_number(&e, "code", error == NULL ? 0 : error->code);
    event_bool(&e, "from_peer", error != NULL && error->from_peer);
    event_text(&e, "message", error == NULL ? NULL : error->message);
    event_end(&e);
}

static const sp_stream_handlers own = {
    SP_STREAM_HANDLERS_INIT,        .connection_made = own_made, .connection_lost = own_lost,
    .session_started = own_started, .data_received = own_data,
};

/* ---- listeners ---- */

static int seven = 7;

static void place(event *e, sp_listener *listener)
{
    event_text(e, "host", sp_listener_host(listener));
    event_text(e, "path", sp_listener_path(listener));
    event_number(e, "port", sp_listener_get_port(listener));
}

static void told_waiter(void *data)
{
    (void)data;
    say("waited", 0);
}

static void listening(sp_listener *listener, void *data)
{
    event e;
    event_begin(&e, "listening");
    place(&e, listener);
    event_bool(&e, "data", data == &seven);
    event_end(&e);
    (void)sp_listener_wait_closed(listener, told_waiter, NULL);
}

static void closed(sp_listener *listener, void *data)
{
    event e;
    event_begin(&e, "closed");
    place(&e, listener);
    event_bool(&e, "data", data == &seven);
    event_end(&e);
}

static const sp_listener_handlers library = {
    SP_LISTENER_HANDLERS_INIT,
    .listening = listening,
    .closed = closed,
};

/* Somebody "connects" at once. */
static void own_listening(sp_listener *listener, void *data)
{
    sp_conn *conn = sp_listener_conn(listener);
    sp_channel *channel = NULL;
    int result;
    listening(listener, data);
    if (sp_listener_path(listener) != NULL)
        result = sp_conn_create_unix_connection(conn, &own, &seven, NULL,
                                                sp_listener_path(listener), &channel);
    else
        result =
            sp_conn_create_connection(conn, &own, &seven, NULL, sp_listener_host(listener),
                                      sp_listener_get_port(listener), "192.0.2.9", 99, &channel);
    say("create", result);
    if (result == 0) {
        say("early", (int)sp_channel_puts(channel, "too early"));
        if (sp_listener_host(listener) != NULL &&
            strcmp(sp_listener_host(listener), "back.test") == 0)
            say("back", sp_channel_close(channel));
    }
}

static const sp_listener_handlers ours = {
    SP_LISTENER_HANDLERS_INIT,
    .listening = own_listening,
    .closed = closed,
};

static const sp_listener_handlers quiet = {
    SP_LISTENER_HANDLERS_INIT,
    .closed = closed,
};

/* ---- later, on the thread pool ---- */

static sp_answer later_own(sp_listen *listen, void *data)
{
    (void)data;
    return sp_answered(sp_listen_own(listen, &ours, &seven, 4242));
}

static sp_answer later_refuse(sp_listen *listen, void *data)
{
    (void)data;
    return sp_answered(sp_listen_refuse(listen));
}

static sp_answer later_forward(sp_listen *listen, void *data)
{
    (void)data;
    return sp_answered(sp_listen_forward(listen, NULL, &library, &seven));
}

static sp_answer later_accept(sp_listen *listen, void *data)
{
    (void)listen;
    (void)data;
    return SP_ACCEPT;
}

/* ---- each way of answering ---- */

static sp_answer answer_twice(sp_listen *listen)
{
    int first = sp_listen_own(listen, &quiet, &seven, 4242);
    say("second", sp_listen_forward(listen, NULL, &library, &seven));
    return sp_answered(first);
}

static sp_answer hold(sp_listen *listen)
{
    if (held_count == sizeof held / sizeof held[0])
        return SP_REJECT;
    held[held_count++] = listen;
    say("held", (int)held_count);
    return SP_LATER;
}

/* The last one first. */
static sp_answer release_held(void)
{
    while (held_count > 0) {
        sp_listen *listen = held[--held_count];
        say("released", sp_listen_own(listen, &quiet, &seven, (uint16_t)(5000 + held_count)));
        sp_listen_release(listen);
    }
    return SP_REJECT;
}

static sp_answer never(sp_listen *listen)
{
    kept = listen;
    say("asked", 0);
    return SP_LATER;
}

static sp_answer answer_wrongly(sp_listen *listen)
{
    say("wrong", sp_listen_own(listen, &quiet, &seven, 0));
    return SP_REJECT;
}

static sp_answer answer(sp_listen *listen, const char *name)
{
    if (strcmp(name, "own.test") == 0 || strcmp(name, "back.test") == 0)
        return later_own(listen, NULL);
    if (strcmp(name, "refuse.test") == 0)
        return SP_REJECT;
    if (strcmp(name, "later-own.test") == 0)
        return sp_work(listen, later_own, NULL);
    if (strcmp(name, "later-refuse.test") == 0)
        return sp_work(listen, later_refuse, NULL);
    if (strcmp(name, "later-forward.test") == 0)
        return sp_work(listen, later_forward, NULL);
    if (strcmp(name, "later-accept.test") == 0)
        return sp_work(listen, later_accept, NULL);
    if (strcmp(name, "twice.test") == 0)
        return answer_twice(listen);
    if (strcmp(name, "wrong.test") == 0)
        return answer_wrongly(listen);
    if (strcmp(name, "never.test") == 0)
        return never(listen);
    if (strcmp(name, "hold.test") == 0)
        return hold(listen);
    if (strcmp(name, "release.test") == 0)
        return release_held();
    return plain ? SP_ACCEPT : later_forward(listen, NULL);
}

static sp_answer server_requested(sp_conn *conn, sp_listen *listen, const char *listen_host,
                                  uint16_t listen_port)
{
    event e;
    event_begin(&e, "server_requested");
    event_text(&e, "host", listen_host);
    event_number(&e, "port", listen_port);
    event_bool(&e, "same",
               strcmp(sp_listen_host(listen), listen_host) == 0 &&
                   sp_listen_port(listen) == listen_port && sp_listen_path(listen) == NULL &&
                   sp_listen_conn(listen) == conn);
    event_end(&e);
    return answer(listen, listen_host);
}

static sp_answer unix_server_requested(sp_conn *conn, sp_listen *listen, const char *listen_path)
{
    event e;
    event_begin(&e, "unix_server_requested");
    event_text(&e, "path", listen_path);
    event_bool(&e, "same",
               strcmp(sp_listen_path(listen), listen_path) == 0 && sp_listen_host(listen) == NULL &&
                   sp_listen_conn(listen) == conn);
    event_end(&e);
    return answer(listen, listen_path);
}

static void conn_lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)conn;
    if (kept != NULL) {
        say("late", sp_listen_own(kept, &quiet, &seven, 4242));
        sp_listen_release(kept);
        kept = NULL;
    }
    event e;
    event_begin(&e, "gone");
    event_text(&e, "message", error == NULL ? NULL : error->message);
    event_end(&e);
}

/* ---- commands ---- */

static sp_server *server;

static void count_listener(sp_listener *listener, void *data)
{
    (void)listener;
    ++*(int *)data;
}

static void count_conn(sp_conn *conn, void *data)
{
    sp_conn_each_listener(conn, count_listener, data);
}

static void say_count(void *data)
{
    (void)data;
    sp_server_statistics s;
    int listeners = 0;
    sp_server_get_statistics(server, &s);
    sp_server_each_conn(server, count_conn, &listeners);
    event e;
    event_begin(&e, "count");
    event_number(&e, "connections", (int64_t)s.connections);
    event_number(&e, "channels", (int64_t)s.channels);
    event_number(&e, "listeners", listeners);
    event_end(&e);
}

static void take_listener(sp_listener *listener, void *data)
{
    *(sp_listener **)data = listener;
}

static void close_conn(sp_conn *conn, void *data)
{
    (void)data;
    for (;;) {
        sp_listener *listener = NULL;
        sp_conn_each_listener(conn, take_listener, &listener);
        if (listener == NULL)
            return;
        sp_listener_ref(listener);
        sp_listener_close(listener);
        sp_listener_close(listener);
        say("closed_conn", sp_listener_conn(listener) == NULL);
        sp_listener_unref(listener);
    }
}

static void close_all(void *data)
{
    (void)data;
    sp_server_each_conn(server, close_conn, NULL);
}

static void *read_commands(void *data)
{
    char line[64];
    (void)data;
    while (fgets(line, sizeof line, stdin) != NULL)
        if (sp_server_post(server, line[1] == 'l' ? close_all : say_count, NULL) != 0)
            break;
    return NULL;
}

static void options_of(int argc, char **argv, sp_server_options *o, sp_server_handlers *handlers)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--no-handlers") == 0) {
            handlers->server_requested = NULL;
            handlers->unix_server_requested = NULL;
        } else if (strcmp(argv[i], "--plain") == 0) {
            plain = true;
        } else if (strcmp(argv[i], "--unlink") == 0) {
            o->stream_local_bind_unlink = true;
        } else if (strcmp(argv[i], "--gateway") == 0) {
            o->gateway_ports = value[0] == 'y'   ? SP_GATEWAY_YES
                               : value[0] == 'c' ? SP_GATEWAY_CLIENT_SPECIFIED
                                                 : SP_GATEWAY_NO;
        } else if (strcmp(argv[i], "--mask") == 0) {
            unsigned mask = (unsigned)strtoul(value, NULL, 8);
            o->stream_local_bind_mask = mask != 0 ? mask : SP_BIND_MASK_NONE;
        } else if (strcmp(argv[i], "--max-channels") == 0) {
            o->protocol.max_channels = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--max-listeners") == 0) {
            o->max_listeners = (unsigned)strtoul(value, NULL, 10);
        }
    }
}

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.preset = "compatible"; /* old clients, too */
    sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .connection_lost = conn_lost,
        .session_requested = example_session,
        .server_requested = server_requested,
        .unix_server_requested = unix_server_requested,
    };
    bool has_key = argc > 2 && strcmp(argv[1], "--host-key") == 0;
    example e = example_arguments(has_key ? 3 : 1, argv);
    char reason[256];
    pthread_t commands;

    options_of(argc, argv, &options, &handlers);
    options.protocol.host_keys = &e.host_key;
    options.protocol.host_key_count = 1;
    options.protocol.log = log_line;
    options.protocol.log_level = SP_LOG_INFO;
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) != 0)
        return example_fail("server", reason);
    if (sp_server_listen(server, "127.0.0.1", 0) != 0)
        return 1;
    example_stop_on_signals(server);
    say("port", sp_server_port(server, 0));
    if (pthread_create(&commands, NULL, read_commands, NULL) != 0)
        return 1;
    int result = sp_server_run(server);
    (void)pthread_cancel(commands);
    (void)pthread_join(commands, NULL);
    sp_server_free(server);
    sp_key_unref(e.host_key);
    return result == 0 ? 0 : 1;
}
