/* session_server: sessions that the client lends its agent and its X server. Events are lines of
 * JSON; everyone may log in, and the user's name says how the two requests are answered:
 *
 *     accept, refuse, absent (no handlers), later, later-refuse, twice, never (kept, answered when
 *     the connection is lost), keys (accept, and the login needs one of the authorized keys)
 *
 *     session_server [--directory DIR] [--offset N] [--displays N] [--setup-ms N] [--everywhere]
 *                    [--channels N] [--authorized FILE]
 *
 * Commands: "hold" does nothing until the client leaves, "agent" asks the client's agent for its
 * keys without any process, anything else is a command of /bin/sh. */
#include "../../examples/example.h"
#include "json_events.h"

static sp_request *kept;

static void say(const char *name, int result)
{
    event e;
    event_begin(&e, name);
    event_number(&e, "result", result);
    event_end(&e);
}

/* ---- the two questions ---- */

static sp_answer later_accept(sp_request *request, void *data)
{
    (void)request;
    (void)data;
    return SP_ACCEPT;
}

static sp_answer later_refuse(sp_request *request, void *data)
{
    (void)request;
    (void)data;
    return SP_REJECT;
}

static sp_answer answer(sp_channel *channel, sp_request *request)
{
    const char *way = sp_conn_username(sp_channel_conn(channel));
    if (strcmp(way, "accept") == 0 || strcmp(way, "keys") == 0)
        return SP_ACCEPT;
    if (strcmp(way, "later") == 0)
        return sp_work(request, later_accept, NULL);
    if (strcmp(way, "later-refuse") == 0)
        return sp_work(request, later_refuse, NULL);
    if (strcmp(way, "twice") == 0) {
        int first = sp_request_answer(request, true);
        say("second", sp_request_answer(request, false));
        return sp_answered(first);
    }
    if (strcmp(way, "never") == 0) {
        kept = request;
        say("asked", 0);
        return SP_LATER;
    }
    return SP_REJECT;
}

static sp_answer agent_requested(sp_channel *channel, sp_request *request)
{
    uint32_t screen = 0;
    bool single = false;
    event e;
    event_begin(&e, "agent-request");
    event_bool(&e, "x11", sp_request_x11(request, &screen, &single));
    event_end(&e);
    return answer(channel, request);
}

static sp_answer x11_requested(sp_channel *channel, sp_request *request)
{
    uint32_t screen = 0;
    bool single = false;
    event e;
    event_begin(&e, "x11-request");
    event_bool(&e, "x11", sp_request_x11(request, &screen, &single));
    event_text(&e, "protocol", sp_request_text(request));
    event_text(&e, "cookie", sp_request_value(request));
    event_number(&e, "screen", screen);
    event_bool(&e, "single", single);
    event_end(&e);
    return answer(channel, request);
}

/* ---- the application's own agent connection ---- */

static void agent_started(sp_channel *agent)
{
    static const char list_keys[5] = {0, 0, 0, 1, 11};
    sp_channel_write(agent, list_keys, sizeof list_keys);
}

static void agent_data(sp_channel *agent, const void *bytes, size_t length, uint32_t type)
{
    (void)type;
    sp_channel *session = sp_channel_data(agent);
    const unsigned char *b = bytes;
    /* message 12 and the number of keys; what follows does not matter here */
    if (length >= 9 && b[4] == 12)
        sp_channel_printf(session, "%u keys\n", (unsigned)b[8]);
    sp_channel_close(agent);
}

static void agent_lost(sp_channel *agent, const sp_conn_error *error)
{
    sp_channel *session = sp_channel_data(agent);
    event e;
    event_begin(&e, "agent-lost");
    event_number(&e, "error", error == NULL ? 0 : error->error);
    event_number(&e, "code", error == NULL ? 0 : error->code);
    event_end(&e);
    sp_channel_exit(session, error == NULL ? 0 : 3);
    sp_channel_unref(session);
}

static void use_agent(sp_channel *session)
{
    static const sp_stream_handlers handlers = {
        SP_STREAM_HANDLERS_INIT, .session_started = agent_started, .data_received = agent_data,
        .connection_lost = agent_lost};
    sp_channel *agent = NULL;
    int result =
        sp_conn_create_agent_connection(sp_channel_conn(session), &handlers, session, NULL, &agent);
    say("agent-connection", result);
    if (result != 0)
        sp_channel_exit(session, 2);
    else
        sp_channel_ref(session);
}

/* ---- sessions ---- */

static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    (void)command;
    return SP_ACCEPT;
}

static void session_started(sp_channel *channel)
{
    const char *command = sp_channel_get_command(channel);
    event e;
    event_begin(&e, "started");
    event_text(&e, "agent", sp_channel_get_agent_path(channel));
    event_text(&e, "display", sp_channel_get_display(channel));
    event_text(&e, "xauthority", sp_channel_get_xauthority(channel));
    event_end(&e);
    if (command != NULL && strcmp(command, "hold") == 0)
        return;
    if (command != NULL && strcmp(command, "agent") == 0) {
        use_agent(channel);
        return;
    }
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                       "DISPLAY=nowhere:0",
                                       "XAUTHORITY=/nowhere",
                                       "SSH_AUTH_SOCK=/nowhere",
                                       "LAST=1",
                                       NULL};
    const sp_spawn_options spawn = {.size = sizeof spawn,
                                    .program = "/bin/sh",
                                    .arguments = command == NULL ? NULL : arguments,
                                    .environment = environment};
    if (sp_channel_spawn(channel, &spawn) != 0)
        sp_channel_exit(channel, 126);
}

static bool session_eof(sp_channel *channel)
{
    (void)channel;
    return true;
}

static void session_lost(sp_channel *channel, const sp_conn_error *error)
{
    event e;
    (void)error;
    event_begin(&e, "session-lost");
    event_bool(&e, "lent",
               sp_channel_get_agent_path(channel) != NULL ||
                   sp_channel_get_display(channel) != NULL ||
                   sp_channel_get_xauthority(channel) != NULL);
    event_end(&e);
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,           .shell_requested = example_shell,
        .exec_requested = exec_requested,   .session_started = session_started,
        .connection_lost = session_lost,    .eof_received = session_eof,
        .agent_requested = agent_requested, .x11_requested = x11_requested,
    };
    if (strcmp(sp_conn_username(conn), "absent") == 0) {
        session.agent_requested = NULL;
        session.x11_requested = NULL;
    }
    return sp_answered(sp_open_session(open, &session, NULL, NULL));
}

static void conn_lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)conn;
    (void)error;
    if (kept != NULL) {
        say("late", sp_request_answer(kept, true));
        sp_request_release(kept);
        kept = NULL;
    }
    say("gone", 0);
}

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    event e;
    event_begin(&e, "log");
    event_text(&e, "line", line);
    event_end(&e);
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    (void)auth;
    return strcmp(username, "keys") == 0 ? SP_REJECT : SP_ACCEPT;
}

static sp_authorized_keys *authorized;

static bool read_authorized(const char *path)
{
    char text[8192];
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    return sp_authorized_keys_parse(&authorized, text, length, NULL, NULL) == 0;
}

static void read_option(sp_server_options *options, const char *name, const char *value)
{
    unsigned number = (unsigned)strtoul(value, NULL, 10);
    if (strcmp(name, "--directory") == 0)
        options->lending_directory = value;
    else if (strcmp(name, "--offset") == 0)
        options->x11_display_offset = number;
    else if (strcmp(name, "--displays") == 0)
        options->x11_max_displays = number;
    else if (strcmp(name, "--setup-ms") == 0)
        options->x11_setup_timeout_ms = number;
    else if (strcmp(name, "--authorized") == 0 && !read_authorized(value))
        exit(example_fail(value, "cannot be read"));
    else if (strcmp(name, "--channels") == 0)
        options->protocol.max_channels = number;
}

int main(int argc, char **argv)
{
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = begin_auth,
        .connection_lost = conn_lost,
        .session_requested = session_requested,
    };
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.preset = "compatible"; /* old clients, too */
    example e = example_arguments(1, argv);
    sp_server *server;
    char reason[256];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--everywhere") == 0)
            options.x11_all_addresses = true;
        else if (i + 1 < argc)
            read_option(&options, argv[i], argv[i + 1]);
    }
    options.authorized_client_keys = authorized;
    options.protocol.host_keys = &e.host_key;
    options.protocol.host_key_count = 1;
    options.protocol.log = log_line;
    options.protocol.log_level = SP_LOG_INFO;
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) != 0)
        return example_fail("server", reason);
    if (sp_server_listen(server, "127.0.0.1", 0) != 0)
        return example_fail("server", "cannot listen");
    example_stop_on_signals(server);
    event listening;
    event_begin(&listening, "listening");
    event_number(&listening, "port", sp_server_port(server, 0));
    event_end(&listening);
    int result = sp_server_run(server);
    sp_server_free(server);
    sp_authorized_keys_free(authorized);
    sp_key_unref(e.host_key);
    return result == 0 ? 0 : 1;
}
