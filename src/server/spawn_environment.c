/* The environment of a child: the caller's, what the client lends to the session, and the command
 * that a forced one stands for. */
#include "server/server.h"

#include <sallyport/agent.h>
#include <stdio.h>
#include <string.h>

#define ADDED_MAX 4

typedef struct added {
    const char *name;
    const char *value; /* NULL: nothing to add */
    bool default_only; /* an entry of the caller's stays */
} added;

static bool names(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* What of the list goes: an entry that gives way, or an addition that does. */
static bool replaced(const char *entry, added list[ADDED_MAX])
{
    for (size_t i = 0; i < ADDED_MAX; i++) {
        if (list[i].value == NULL || !names(entry, list[i].name))
            continue;
        if (!list[i].default_only)
            return true;
        list[i].value = NULL;
    }
    return false;
}

static size_t size_of(const added *one)
{
    return one->value == NULL ? 0 : strlen(one->name) + strlen(one->value) + 2;
}

const char **sps_spawn_environment(const sp_channel *channel, const char *const *given)
{
    added list[ADDED_MAX] = {
        {"SSH_AUTH_SOCK", sp_channel_get_agent_path(channel), false},
        {"DISPLAY", sp_channel_get_display(channel), false},
        {"XAUTHORITY", sp_channel_get_xauthority(channel), false},
        {"SSH_ORIGINAL_COMMAND", channel->original, true},
    };
    size_t count = 0;
    size_t texts = 0;
    while (given != NULL && given[count] != NULL)
        count++;
    for (size_t i = 0; i < ADDED_MAX; i++)
        texts += size_of(&list[i]);
    size_t array = (count + ADDED_MAX + 1) * sizeof(char *);
    const char **environment = spb_alloc(spl_queue_env(channel->queue), array + texts);
    if (environment == NULL)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!replaced(given[i], list))
            environment[n++] = given[i];
    char *text = (char *)environment + array;
    for (size_t i = 0; i < ADDED_MAX; i++) {
        size_t size = size_of(&list[i]);
        if (size == 0)
            continue;
        snprintf(text, size, "%s=%s", list[i].name, list[i].value);
        environment[n++] = text;
        text += size;
    }
    environment[n] = NULL;
    return environment;
}
