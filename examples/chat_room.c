/* A chat room: everyone who connects is in it, under the name that they log in with (no password):
 *     ssh -p PORT ann@127.0.0.1        ssh -p PORT bob@127.0.0.1
 * On a terminal, keys come as they are struck, and the server echoes and edits; without one (ssh
 * -T) lines come whole. Ctrl-C or Ctrl-D leaves. One loop, one thread: the room needs no lock. */
#include "example.h"

static struct member {
    sp_channel *channel; /* NULL: a free seat */
    const char *wipe;    /* clears the line on a terminal */
    char line[200];      /* what is being typed */
    size_t length;
} room[64];

/* Over the line being typed, which is shown again. Whoever reads too slowly misses what is said. */
static void say(const sp_channel *who, const char *how, const char *what)
{
    const char *name = sp_conn_username(sp_channel_conn(who));
    for (struct member *m = room; m < room + 64; m++)
        if (m->channel != NULL)
            sp_channel_printf(m->channel, "%s%s%s%s\r\n%s", m->wipe, name, how, what,
                              m->channel != who ? m->line : "");
}

static void session_started(sp_channel *channel)
{
    bool terminal = sp_channel_get_terminal_type(channel) != NULL;
    struct member *m = room;
    while (m < room + 63 && m->channel != NULL)
        m++;
    if (m->channel != NULL) {
        sp_channel_exit(channel, 1); /* no seat left */
        return;
    }
    *m = (struct member){.channel = channel, .wipe = terminal ? "\r\033[K" : ""};
    sp_channel_set_data(channel, m);
    say(channel, " came in", "");
}

static void data_received(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    struct member *m = sp_channel_data(channel);
    for (const char *c = bytes; m != NULL && type == SP_DATA_NORMAL && length > 0; c++, length--) {
        const char *echo = "";
        if (*c >= ' ' && *c < 127 && m->length + 1 < sizeof m->line) {
            m->line[m->length++] = *c; /* no control characters: they would reach the others */
            echo = &m->line[m->length - 1];
        } else if ((*c == 8 || *c == 127) && m->length > 0) { /* backspace */
            m->line[--m->length] = '\0';
            echo = "\b \b";
        } else if ((*c == '\r' || *c == '\n') && m->length > 0) {
            say(channel, ": ", m->line);
            memset(m->line, 0, sizeof m->line);
            m->length = 0;
        } else if (*c == 3 || *c == 4) { /* Ctrl-C, Ctrl-D */
            sp_channel_exit(channel, 0);
        }
        if (*m->wipe != '\0')
            sp_channel_puts(channel, echo);
    }
}

static void connection_lost(sp_channel *channel, const sp_conn_error *error)
{
    struct member *m = sp_channel_data(channel);
    (void)error;
    if (m != NULL)
        m->channel = NULL;
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,           .shell_requested = example_shell,
        .session_started = session_started, .data_received = data_received,
        .connection_lost = connection_lost,
    };
    return example_room(argc, argv, &session);
}
