/* commands.c: what a session can be told to run. */
#include "contract.h"

#include <stdlib.h>

static void print_environment(session *s, const char *rest)
{
    (void)rest;
    const char *name;
    const char *value;
    for (size_t i = 0; sp_channel_environment_at(s->channel, i, &name, &value); i++)
        sp_channel_printf(s->channel, "%s=%s\n", name, value);
    end_session(s, 0);
}

static void write_terminal(const session *s)
{
    sp_term_size size;
    const char *term = sp_channel_get_terminal_type(s->channel);
    const sp_term_modes *modes = sp_channel_get_terminal_modes(s->channel);
    if (term == NULL || !sp_channel_get_terminal_size(s->channel, &size)) {
        sp_channel_puts(s->channel, "no terminal\n");
        return;
    }
    sp_channel_printf(s->channel, "%s %u %u %u %u\n", term, size.columns, size.rows, size.width,
                      size.height);
    if (modes == NULL)
        return;
    sp_channel_printf(s->channel, "speed %u %u\n", modes->input_speed, modes->output_speed);
    for (size_t i = 0; i < modes->count; i++) {
        uint32_t value;
        if (sp_channel_get_terminal_mode(s->channel, modes->modes[i].opcode, &value))
            sp_channel_printf(s->channel, "mode %u %u\n", modes->modes[i].opcode, value);
    }
}

static void print_terminal(session *s, const char *rest)
{
    (void)rest;
    write_terminal(s);
    end_session(s, 0);
}

static void print_info(session *s, const char *rest)
{
    (void)rest;
    static const char *const names[] = {"username",
                                        "client_version",
                                        "server_version",
                                        "send_cipher",
                                        "recv_cipher",
                                        "send_mac",
                                        "recv_mac",
                                        "send_compression",
                                        "recv_compression",
                                        "kex",
                                        "server_host_key_alg",
                                        "peername",
                                        "sockname",
                                        "nonsense"};
    sp_conn *conn = sp_channel_conn(s->channel);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = sp_conn_get_extra_info(conn, names[i]);
        sp_channel_printf(s->channel, "%s=%s\n", names[i], value == NULL ? "(null)" : value);
    }
    end_session(s, 0);
}

/* ---- one function for each kind; `rest` is the text behind the command's name ---- */

static void stay(session *s, const char *rest)
{
    (void)s;
    (void)rest;
}

static void slow_sink(session *s, const char *rest)
{
    (void)rest;
    s->slow = true;
}

static void late_sink(session *s, const char *rest)
{
    (void)rest;
    s->reading_paused = true;
    s->next_late = s->app->late;
    s->app->late = s;
    sp_channel_pause_reading(s->channel);
}

static void make_bytes(session *s, const char *rest)
{
    (void)rest;
    source_pump(s);
}

static void make_on_stderr(session *s, const char *rest)
{
    (void)rest;
    s->to_stderr = true;
    source_pump(s);
}

static void make_on_both(session *s, const char *rest)
{
    (void)rest;
    s->both = true;
    source_pump(s);
}

static void hold(session *s, const char *rest)
{
    (void)rest;
    sp_channel_puts(s->channel, "holding\n");
}

static void tell(session *s, const char *rest)
{
    (void)rest;
    sp_channel_puts(s->channel, "telling\n");
}

static void exit_with(session *s, const char *rest)
{
    end_session(s, (uint32_t)strtoull(rest, NULL, 10));
}

static void end_by_signal(session *s, const char *rest)
{
    s->ended = true;
    sp_channel_exit_with_signal(s->channel, rest, strcmp(rest, "SEGV") == 0, "as you wished", "en");
}

static void use_stderr(session *s, const char *rest)
{
    (void)rest;
    sp_channel_puts(s->channel, "to stdout\n");
    sp_channel_write_stderr(s->channel, "to stderr\n", 10);
    end_session(s, 3);
}

static void print_text(session *s, const char *rest)
{
    sp_channel_printf(s->channel, "%s\n", rest);
    end_session(s, 0);
}

/* Half-close from our side; then a sink. */
static void half_close(session *s, const char *rest)
{
    (void)rest;
    sp_channel_puts(s->channel, "before eof\n");
    sp_channel_write_eof(s->channel);
}

static void send_eow(session *s, const char *rest)
{
    (void)rest;
    sp_channel_send_eow(s->channel);
    sp_channel_puts(s->channel, "sent eow\n");
    end_session(s, 0);
}

static void set_xon(session *s, const char *rest)
{
    (void)rest;
    sp_channel_set_xon_xoff(s->channel, true);
    end_session(s, 0);
}

static void close_channel(session *s, const char *rest)
{
    (void)rest;
    s->ended = true;
    sp_channel_close(s->channel);
}

static void abort_channel(session *s, const char *rest)
{
    (void)rest;
    s->ended = true;
    sp_channel_abort(s->channel);
}

static void abort_connection(session *s, const char *rest)
{
    (void)rest;
    sp_conn_abort(sp_channel_conn(s->channel));
}

static void close_connection(session *s, const char *rest)
{
    (void)rest;
    sp_conn_close(sp_channel_conn(s->channel));
}

static void disconnect(session *s, const char *rest)
{
    sp_conn_disconnect(sp_channel_conn(s->channel), (uint32_t)strtoull(rest, NULL, 10),
                       "as you wished");
}

static void rekey(session *s, const char *rest)
{
    (void)rest;
    sp_channel_printf(s->channel, "rekey %s\n",
                      result_name(sp_conn_rekey(sp_channel_conn(s->channel))));
}

static void send_debug(session *s, const char *rest)
{
    sp_conn *conn = sp_channel_conn(s->channel);
    (void)rest;
    sp_channel_printf(s->channel, "debug %s\n",
                      result_name(sp_conn_send_debug(conn, "hello debug", "en", true)));
    end_session(s, 0);
}

static void send_banner(session *s, const char *rest)
{
    sp_conn *conn = sp_channel_conn(s->channel);
    (void)rest;
    sp_channel_printf(s->channel, "banner %s\n",
                      result_name(sp_conn_send_auth_banner(conn, "too late\n", "")));
    end_session(s, 0);
}

static void print_one_of_environment(session *s, const char *rest)
{
    const char *value = sp_channel_get_environment(s->channel, rest);
    sp_channel_printf(s->channel, "%s\n", value == NULL ? "(null)" : value);
    end_session(s, 0);
}

static void on_waited(void *data)
{
    uint64_t *conn = data;
    event e;
    event_begin(&e, "waited");
    event_number(&e, "conn", (int64_t)*conn);
    event_end(&e);
    free(conn);
}

/* Closes, and tells what the channel says of itself before and after, and when it is gone. */
static void close_and_tell(session *s, const char *rest)
{
    uint64_t *conn = malloc(sizeof *conn);
    event e;
    (void)rest;
    if (conn == NULL)
        abort();
    *conn = s->client->id;
    event_begin(&e, "closing");
    event_bool(&e, "before", sp_channel_is_closing(s->channel));
    if (sp_channel_wait_closed(s->channel, on_waited, conn) < 0)
        abort();
    s->ended = true;
    sp_channel_close(s->channel);
    event_bool(&e, "after", sp_channel_is_closing(s->channel));
    event_end(&e);
}

static void exit_twice(session *s, const char *rest)
{
    int first = sp_channel_exit(s->channel, 5);
    int second = sp_channel_exit(s->channel, 6);
    event e;
    (void)rest;
    s->ended = true;
    event_begin(&e, "exits");
    event_text(&e, "first", result_name(first));
    event_text(&e, "second", result_name(second));
    event_end(&e);
}

typedef struct command_entry {
    const char *word;
    session_run run;
    void (*start)(session *s, const char *rest);
} command_entry;

static const command_entry commands[] = {
    {"echo", RUN_ECHO, stay},
    {"sink", RUN_SINK, stay},
    {"count", RUN_COUNT, stay},
    {"slowsink", RUN_SINK, slow_sink}, /* pauses for 1 ms at each piece */
    {"latesink", RUN_SINK, late_sink}, /* reads nothing before "resume" on standard input */
    {"source", RUN_SOURCE, make_bytes},
    {"errsource", RUN_FLOOD, make_on_stderr},
    {"both", RUN_SOURCE, make_on_both},
    {"flood", RUN_FLOOD, make_bytes},
    {"hold", RUN_HOLD, hold},
    {"tell", RUN_TELL, tell},
    {"exit", RUN_NONE, exit_with},
    {"kill", RUN_NONE, end_by_signal},
    {"stderr", RUN_NONE, use_stderr},
    {"print", RUN_NONE, print_text},
    {"env", RUN_NONE, print_environment},
    {"getenv", RUN_NONE, print_one_of_environment},
    {"closing", RUN_NONE, close_and_tell},
    {"terminal", RUN_NONE, print_terminal},
    {"info", RUN_NONE, print_info},
    {"eof", RUN_SINK, half_close},
    {"eow", RUN_ECHO, send_eow},
    {"xon", RUN_NONE, set_xon},
    {"close", RUN_NONE, close_channel},
    {"abort", RUN_NONE, abort_channel},
    {"connabort", RUN_NONE, abort_connection},
    {"connclose", RUN_NONE, close_connection},
    {"disconnect", RUN_NONE, disconnect},
    {"rekey", RUN_ECHO, rekey},
    {"debug", RUN_NONE, send_debug},
    {"banner", RUN_NONE, send_banner},
    {"exittwice", RUN_NONE, exit_twice},
};

void start_command(session *s, const char *command)
{
    char word[128] = "";
    char rest[256] = "";

    sscanf(command, "%127s %255[^\n]", word, rest);
    snprintf(s->command, sizeof s->command, "%s", command);
    sha256_init(&s->hash);
    s->remaining = strtoull(rest, NULL, 10);
    s->random = 0x9e3779b97f4a7c15u + s->remaining;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) == 0) {
            s->run = commands[i].run;
            commands[i].start(s, rest);
            return;
        }
    }
    sp_channel_write_stderr(s->channel, "unknown command\n", 16);
    end_session(s, 127);
}
