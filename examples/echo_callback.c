/* Repeats each line that it is told, with a handler for each thing that happens (ssh -T -p PORT
 * anyone@127.0.0.1). echo_direct.c is the same program in direct style. */
#include "example.h"

typedef struct echo {
    char line[257]; /* with a CR that does not count */
    size_t length;  /* goes on when the line is too long */
} echo;

static void session_started(sp_channel *channel)
{
    sp_channel_set_data(channel, calloc(1, sizeof(echo)));
    if (sp_channel_data(channel) == NULL)
        sp_channel_abort(channel);
    sp_channel_puts(channel, "Say something; \"bye\" ends.\n");
}

static void say(sp_channel *channel, const echo *e, const char *text)
{
    char answer[300];
    int length = snprintf(answer, sizeof answer, "%s%.*s\n", text, (int)e->length, e->line);

    if (sp_channel_write(channel, answer, (size_t)length) < length)
        sp_channel_abort(channel); /* it reads too slowly, or has said bye */
}

static void end_line(sp_channel *channel, echo *e)
{
    if (e->length > 0 && e->length <= sizeof e->line && e->line[e->length - 1] == '\r')
        e->length--;
    if (e->length >= sizeof e->line - 1)
        say(channel, &(echo){.length = 0}, "That was too much.");
    else if (e->length == 3 && memcmp(e->line, "bye", 3) == 0)
        sp_channel_exit(channel, 0);
    else
        say(channel, e, "You said: ");
    e->length = 0;
}

static void data_received(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    echo *e = sp_channel_data(channel);

    if (type != SP_DATA_NORMAL)
        return;
    for (const char *c = bytes; length > 0 && !sp_channel_is_closing(channel); c++, length--) {
        if (*c == '\n')
            end_line(channel, e);
        else if (e->length++ < sizeof e->line)
            e->line[e->length - 1] = *c;
    }
}

static bool eof_received(sp_channel *channel)
{
    echo *e = sp_channel_data(channel);

    if (e->length > 0)
        end_line(channel, e);
    sp_channel_exit(channel, 1); /* no effect after an exit */
    return true;
}

static void connection_lost(sp_channel *channel, const sp_conn_error *error)
{
    (void)error;
    free(sp_channel_data(channel));
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,           .shell_requested = example_shell,
        .exec_requested = example_exec,     .session_started = session_started,
        .data_received = data_received,     .eof_received = eof_received,
        .connection_lost = connection_lost,
    };
    return example_room(argc, argv, &session);
}
