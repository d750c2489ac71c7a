/* environment.c: what sshd gives a user's process: what the client set, over it the account's own
 * values, over these SetEnv, and last what describes the connection. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include "patterns.h"

#define PATH_OF_USERS "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define PATH_OF_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool environment_accepts(const options *o, const char *name)
{
    if (*name == '\0' || strchr(name, '=') != NULL)
        return false;
    for (size_t i = 0; i < o->accept_env.count; i++)
        if (pattern_matches(o->accept_env.items[i], name))
            return true;
    return false;
}

/* Sets or replaces; a name comes once. Takes over `line`, "NAME=value" or NULL. */
static int put_line(string_list *list, char *line)
{
    if (line == NULL)
        return -1;
    size_t length = strcspn(line, "=") + 1;
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], line, length) == 0) {
            free(list->items[i]);
            list->items[i] = line;
            return 0;
        }
    }
    int result = list_add(list, line);
    free(line);
    return result;
}

static int put(string_list *list, const char *name, const char *value)
{
    return put_line(list, text_format("%s=%s", name, value));
}

static int put_clients(string_list *list, const sp_channel *channel)
{
    const char *name;
    const char *value;
    int result = 0;

    for (size_t i = 0; result == 0 && sp_channel_environment_at(channel, i, &name, &value); i++)
        result = put(list, name, value);
    return result;
}

static int put_account(string_list *list, const account *a)
{
    const char *zone = getenv("TZ");
    int bad = put(list, "USER", a->name);

    bad |= put(list, "LOGNAME", a->name);
    bad |= put(list, "HOME", a->home);
    bad |= put(list, "PATH", a->uid == 0 ? PATH_OF_ROOT : PATH_OF_USERS);
    bad |= put_line(list, text_format("MAIL=/var/mail/%s", a->name));
    bad |= put(list, "SHELL", a->shell);
    if (zone != NULL)
        bad |= put(list, "TZ", zone);
    return bad;
}

int environment_make(string_list *list, const login *l, const sp_channel *channel,
                     const char *original)
{
    const options *o = l->options;
    const char *terminal = sp_channel_get_terminal_type(channel);
    int bad = put_clients(list, channel);

    bad |= put_account(list, l->program->account);
    for (size_t i = 0; i < o->set_env.count; i++)
        bad |= put_line(list, text_copy(o->set_env.items[i]));
    bad |= put_line(list, text_format("SSH_CLIENT=%s %u %u", l->peer, (unsigned)l->peer_port,
                                      (unsigned)l->local_port));
    bad |= put_line(list, text_format("SSH_CONNECTION=%s %u %s %u", l->peer, (unsigned)l->peer_port,
                                      l->local, (unsigned)l->local_port));
    if (terminal != NULL && *terminal != '\0')
        bad |= put(list, "TERM", terminal);
    if (original != NULL)
        bad |= put(list, "SSH_ORIGINAL_COMMAND", original);
    return bad == 0 ? 0 : -1;
}
