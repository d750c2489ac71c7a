/* session.c: the session handler table, and the question that opens one. */
#include "contract.h"

#include <stdlib.h>

static void log_channel(const session *s, const char *name, const char *key, const char *text)
{
    event e;
    if (s->app->quiet)
        return;
    event_begin(&e, name);
    event_number(&e, "conn", (int64_t)s->client->id);
    event_text(&e, key, text);
    event_end(&e);
}

static session *session_of(const sp_channel *channel)
{
    return sp_channel_data(channel);
}

static void on_channel_made(sp_channel *channel)
{
    session_of(channel)->channel = channel;
    session_of(channel)->client = sp_conn_data(sp_channel_conn(channel));
    log_channel(session_of(channel), "channel_made", "text", NULL);
}

static void on_channel_lost(sp_channel *channel, const sp_conn_error *error)
{
    session *s = session_of(channel);
    event e;
    if (!s->app->quiet) {
        event_begin(&e, "channel_lost");
        event_number(&e, "conn", (int64_t)s->client->id);
        event_text(&e, "command", s->command);
        event_text(&e, "error", error == NULL ? NULL : result_name(error->error));
        event_number(&e, "received", (int64_t)s->received);
        event_end(&e);
    }
    finish_held(s->app, NULL, channel);
    for (session **at = &s->app->late; *at != NULL; at = &(*at)->next_late)
        if (*at == s) {
            *at = s->next_late;
            break;
        }
    sp_timer_stop(s->timer);
    free(s->pending);
    sha256_free(&s->hash);
    free(s);
}

static sp_answer ask_request(sp_channel *channel, sp_request *request, const char *handler,
                             const char *word, const char *text)
{
    session *s = session_of(channel);
    const char *username = sp_conn_username(sp_channel_conn(channel));
    question *q = new_question(s->client, ASK_REQUEST, handler);
    q->request = request;
    q->channel = channel;
    if (!find_word(username, word, q->what, q->when) || strcmp(q->what, "check") == 0)
        strcpy(q->what, "accept");
    log_question(q, username, text);
    return settle(q);
}

static sp_answer on_pty(sp_channel *channel, sp_request *request, const char *term,
                        const sp_term_size *size, const sp_term_modes *modes)
{
    (void)size;
    (void)modes;
    return ask_request(channel, request, "pty_requested", "pty", term);
}

static sp_answer on_env(sp_channel *channel, sp_request *request, const char *name,
                        const char *value)
{
    (void)value;
    return ask_request(channel, request, "env_requested", "env", name);
}

static sp_answer on_shell(sp_channel *channel, sp_request *request)
{
    return ask_request(channel, request, "shell_requested", "shell", NULL);
}

static sp_answer on_exec(sp_channel *channel, sp_request *request, const char *command)
{
    return ask_request(channel, request, "exec_requested", "exec", command);
}

static sp_answer on_subsystem(sp_channel *channel, sp_request *request, const char *name)
{
    return ask_request(channel, request, "subsystem_requested", "sub", name);
}

static void on_started(sp_channel *channel)
{
    session *s = session_of(channel);
    const char *command = sp_channel_get_command(channel);
    const char *subsystem = sp_channel_get_subsystem(channel);
    log_channel(s, "started", "command", command != NULL ? command : subsystem);
    start_command(s, command != NULL ? command : subsystem != NULL ? subsystem : "echo");
}

static void on_size(sp_channel *channel, const sp_term_size *size)
{
    session *s = session_of(channel);
    char text[64];
    snprintf(text, sizeof text, "%ux%u", size->columns, size->rows);
    log_channel(s, "size", "text", text);
    if (s->run == RUN_TELL)
        sp_channel_printf(channel, "size %s\n", text);
}

static void on_signal(sp_channel *channel, const char *name)
{
    session *s = session_of(channel);
    log_channel(s, "signal", "text", name);
    if (s->run != RUN_TELL && s->run != RUN_HOLD)
        return;
    sp_channel_printf(channel, "signal %s\n", name);
    if (strcmp(name, "TERM") == 0) {
        s->ended = true;
        sp_channel_exit_with_signal(channel, "TERM", false, NULL, NULL);
    }
}

static sp_answer on_break(sp_channel *channel, sp_request *request, uint32_t milliseconds)
{
    char text[32];
    snprintf(text, sizeof text, "%u", milliseconds);
    sp_channel_printf(channel, "break %s\n", text);
    return ask_request(channel, request, "break_received", "brk", text);
}

static void on_slow_timer(void *data)
{
    session *s = data;
    s->reading_paused = false;
    sp_channel_resume_reading(s->channel);
}

static void on_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    session *s = session_of(channel);
    s->received += length;
    if (type != SP_DATA_NORMAL)
        return;
    switch (s->run) {
    case RUN_ECHO:
        echo_take(s, bytes, length);
        break;
    case RUN_SINK:
        sha256_update(&s->hash, bytes, length);
        if (s->slow && !s->reading_paused) {
            s->reading_paused = true;
            sp_channel_pause_reading(channel);
            sp_timer_stop(s->timer);
            s->timer = sp_timer_start(s->app->server, 1, 0, on_slow_timer, s);
        }
        break;
    default:
        break;
    }
}

static bool on_eof(sp_channel *channel)
{
    session *s = session_of(channel);
    s->at_eof = true;
    log_channel(s, "eof", "command", s->command);
    if (s->run == RUN_ECHO && s->pending_length == 0)
        end_session(s, 0);
    else if (s->run == RUN_SINK || s->run == RUN_COUNT)
        print_sink(s);
    return true;
}

static void on_pause(sp_channel *channel)
{
    log_channel(session_of(channel), "pause", "text", NULL);
}

static void on_resume(sp_channel *channel)
{
    session *s = session_of(channel);
    log_channel(s, "resume", "text", NULL);
    if (s->run == RUN_SOURCE || s->run == RUN_FLOOD)
        source_pump(s);
    else if (s->run == RUN_ECHO)
        echo_flush(s);
}

/* Thread: any. */
int open_now(app *a, sp_open *open, bool small)
{
    sp_session_handlers table = {
        SP_SESSION_HANDLERS_INIT,
        .connection_made = on_channel_made,
        .connection_lost = on_channel_lost,
        .pty_requested = is_absent(a, "pty_requested") ? NULL : on_pty,
        .env_requested = is_absent(a, "env_requested") ? NULL : on_env,
        .shell_requested = is_absent(a, "shell_requested") ? NULL : on_shell,
        .exec_requested = is_absent(a, "exec_requested") ? NULL : on_exec,
        .subsystem_requested = is_absent(a, "subsystem_requested") ? NULL : on_subsystem,
        .session_started = on_started,
        .terminal_size_changed = on_size,
        .signal_received = on_signal,
        .break_received = is_absent(a, "break_received") ? NULL : on_break,
        .data_received = on_data,
        .eof_received = is_absent(a, "eof_received") ? NULL : on_eof,
        .pause_writing = on_pause,
        .resume_writing = on_resume,
    };
    sp_channel_options options = {SP_CHANNEL_OPTIONS_INIT};
    options.window_size = 16384;
    options.window_max = 16384;
    options.packet_size = 4096;
    session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SP_ENOMEM;
    s->app = a;
    int result = sp_open_session(open, &table, s, small ? &options : NULL);
    if (result < 0)
        free(s);
    return result;
}

sp_answer on_session(sp_conn *conn, sp_open *open)
{
    client *c = sp_conn_data(conn);
    question *q = new_question(c, ASK_OPEN, "session_requested");
    q->open = open;
    if (!find_word(sp_conn_username(conn), "open", q->what, q->when) ||
        strcmp(q->what, "check") == 0)
        strcpy(q->what, "accept");
    if (strcmp(q->what, "plain") == 0) { /* accepted, and nothing to serve it: a refusal */
        free(q);
        return SP_ACCEPT;
    }
    log_question(q, sp_conn_username(conn), NULL);
    return settle(q);
}
