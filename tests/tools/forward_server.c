/* forward_server: answers connection_requested and unix_connection_requested in each way that there
 * is, by the name of the destination. Everyone may log in. Other destinations are forwarded.
 *
 *     forward_server PORT [--no-handlers]
 *
 * FORWARD_PATH in the environment: where "path.test" leads. */
#include "../../examples/example.h"

static sp_open *kept; /* the question about "never.test" */

static void say(const char *what, int result)
{
    (void)printf("%s %d\n", what, result);
    (void)fflush(stdout);
}

/* ---- an echo with back-pressure ---- */

static void echo_made(sp_channel *channel)
{
    (void)channel;
    say("made", 0);
}

static void echo_lost(sp_channel *channel, const sp_conn_error *error)
{
    (void)channel;
    say("lost", error == NULL ? 0 : error->error);
}

static void echo_started(sp_channel *channel)
{
    sp_channel_puts(channel, "hello\n");
}

static void echo_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    (void)type;
    if (sp_channel_write(channel, bytes, length) != (ptrdiff_t)length)
        sp_channel_abort(channel); /* the tests do not send that much unread */
}

static void echo_pause(sp_channel *channel)
{
    sp_channel_pause_reading(channel);
}

static void echo_resume(sp_channel *channel)
{
    sp_channel_resume_reading(channel);
}

static const sp_stream_handlers echo = {
    SP_STREAM_HANDLERS_INIT,         .connection_made = echo_made, .connection_lost = echo_lost,
    .session_started = echo_started, .data_received = echo_data,   .pause_writing = echo_pause,
    .resume_writing = echo_resume,
};

/* ---- later, on the thread pool ---- */

static sp_answer later_accept(sp_open *open, void *data)
{
    (void)data;
    return sp_answered(sp_open_stream(open, &echo, NULL, NULL));
}

static sp_answer later_refuse(sp_open *open, void *data)
{
    (void)open;
    (void)data;
    return SP_REJECT;
}

static sp_answer later_why(sp_open *open, void *data)
{
    (void)data;
    return sp_answered(sp_open_refuse(open, SP_OPEN_RESOURCE_SHORTAGE, "Not today"));
}

static sp_answer later_forward(sp_open *open, void *data)
{
    (void)data;
    if (sp_open_dest_path(open) != NULL)
        return sp_answered(sp_open_forward_to_path(open, getenv("FORWARD_PATH")));
    return sp_answered(sp_open_forward_to(open, "127.0.0.1", sp_open_dest_port(open)));
}

/* ---- each way of answering ---- */

static sp_answer answer_twice(sp_open *open)
{
    int first = sp_open_stream(open, &echo, NULL, NULL);
    say("second", sp_open_forward(open));
    return sp_answered(first);
}

static sp_answer answer_wrongly(sp_open *open)
{
    static const sp_session_handlers session = {SP_SESSION_HANDLERS_INIT};
    say("session", sp_open_session(open, &session, NULL, NULL));
    return SP_REJECT;
}

static sp_answer answer(sp_open *open, const char *name)
{
    static const sp_channel_options small = {
        .size = sizeof small, .window_size = 4096, .window_max = 4096, .packet_size = 1024};

    if (strcmp(name, "echo.test") == 0)
        return sp_answered(sp_open_stream(open, &echo, NULL, NULL));
    if (strcmp(name, "options.test") == 0)
        return sp_answered(sp_open_stream(open, &echo, NULL, &small));
    if (strcmp(name, "refuse.test") == 0)
        return SP_REJECT;
    if (strcmp(name, "why.test") == 0)
        return sp_answered(sp_open_refuse(open, SP_OPEN_RESOURCE_SHORTAGE, "Not today"));
    if (strcmp(name, "elsewhere.test") == 0)
        return later_forward(open, NULL);
    if (strcmp(name, "path.test") == 0)
        return sp_answered(sp_open_forward_to_path(open, getenv("FORWARD_PATH")));
    if (strcmp(name, "later.test") == 0)
        return sp_work(open, later_accept, NULL);
    if (strcmp(name, "later-refuse.test") == 0)
        return sp_work(open, later_refuse, NULL);
    if (strcmp(name, "later-why.test") == 0)
        return sp_work(open, later_why, NULL);
    if (strcmp(name, "later-forward.test") == 0)
        return sp_work(open, later_forward, NULL);
    if (strcmp(name, "twice.test") == 0)
        return answer_twice(open);
    if (strcmp(name, "wrong.test") == 0)
        return answer_wrongly(open);
    if (strcmp(name, "never.test") == 0) {
        kept = open;
        say("asked", 0);
        return SP_LATER;
    }
    return SP_ACCEPT;
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    (void)conn;
    (void)printf("open %s %u %s %u\n", dest_host, (unsigned)dest_port, orig_host,
                 (unsigned)orig_port);
    (void)fflush(stdout);
    return answer(open, dest_host);
}

static sp_answer unix_connection_requested(sp_conn *conn, sp_open *open, const char *dest_path)
{
    (void)conn;
    (void)printf("open %s\n", dest_path);
    (void)fflush(stdout);
    return answer(open, dest_path);
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    say("stream", sp_open_stream(open, &echo, NULL, NULL));
    say("forward", sp_open_forward(open));
    return example_session(conn, open);
}

static void conn_lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)conn;
    (void)error;
    if (kept != NULL) {
        say("late", sp_open_forward(kept));
        sp_open_release(kept);
        kept = NULL;
    }
    say("gone", 0);
}

int main(int argc, char **argv)
{
    sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .connection_lost = conn_lost,
        .session_requested = session_requested,
    };
    bool all = argc <= 2 || strcmp(argv[2], "--no-handlers") != 0;
    example e = example_arguments(2, argv);
    example_preset = "compatible"; /* old clients, too */

    if (all) {
        handlers.connection_requested = connection_requested;
        handlers.unix_connection_requested = unix_connection_requested;
    }
    return example_run(&e, &handlers, NULL);
}
