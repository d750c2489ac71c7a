/* What the client asked for on a session and was granted: terminal, environment, command. Bounded,
 * because the client decides how much it sends. */
#include "server/server.h"

#include <string.h>

#define ENVIRONMENT_COUNT_MAX 256u
#define ENVIRONMENT_SIZE_MAX ((size_t)64 * 1024)

static const spb_env *env_of(const sp_channel *channel)
{
    return spl_queue_env(channel->queue);
}

bool sps_channel_set_text(sp_channel *channel, char **member, const char *text)
{
    char *copy = spb_strdup(env_of(channel), text);
    if (copy == NULL)
        return false;
    spb_free(env_of(channel), *member);
    *member = copy;
    return true;
}

bool sps_channel_set_terminal(sp_channel *channel, const char *term, const sp_term_size *size,
                              const sp_term_modes *modes)
{
    const spb_env *env = env_of(channel);
    sp_term_mode *copy = spb_memdup(env, modes->modes, modes->count * sizeof *copy);
    if (copy == NULL || !sps_channel_set_text(channel, &channel->terminal, term)) {
        spb_free(env, copy);
        return false;
    }
    spb_free(env, (void *)(uintptr_t)channel->modes.modes);
    channel->modes = *modes;
    channel->modes.modes = copy;
    channel->size = *size;
    return true;
}

static sps_variable *find_variable(const sp_channel *channel, const char *name)
{
    for (size_t i = 0; i < channel->environment_count; i++)
        if (strcmp(channel->environment[i].name, name) == 0)
            return &channel->environment[i];
    return NULL;
}

/* A variable that is set again takes its new value. */
bool sps_channel_set_variable(sp_channel *channel, const char *name, const char *value)
{
    const spb_env *env = env_of(channel);
    sps_variable *known = find_variable(channel, name);
    size_t size = channel->environment_size + strlen(value) + 1;
    if (known != NULL)
        size -= strlen(known->value) + 1;
    else
        size += strlen(name) + 1;
    if (size > ENVIRONMENT_SIZE_MAX)
        return false;
    if (known == NULL) {
        size_t count = channel->environment_count;
        if (count >= ENVIRONMENT_COUNT_MAX)
            return false;
        if (count % 8 == 0) {
            sps_variable *more = spb_realloc(env, channel->environment, (count + 8) * sizeof *more);
            if (more == NULL)
                return false;
            channel->environment = more;
        }
        char *name_copy = spb_strdup(env, name);
        char *value_copy = spb_strdup(env, value);
        if (name_copy == NULL || value_copy == NULL) {
            spb_free(env, name_copy);
            spb_free(env, value_copy);
            return false;
        }
        channel->environment[channel->environment_count++] = (sps_variable){name_copy, value_copy};
    } else if (!sps_channel_set_text(channel, &known->value, value)) {
        return false;
    }
    channel->environment_size = size;
    return true;
}

bool sps_channel_set_key_environment(sp_channel *channel, const sp_engine *engine)
{
    const char *entry;

    for (size_t i = 0; (entry = sp_engine_environment_at(engine, i)) != NULL; i++) {
        const char *value = strchr(entry, '=');
        if (value == NULL)
            continue;
        char *name = spb_strndup(env_of(channel), entry, (size_t)(value - entry));
        bool set = name != NULL && sps_channel_set_variable(channel, name, value + 1);
        spb_free(env_of(channel), name);
        if (!set)
            return false;
    }
    return true;
}

bool sps_channel_set_original(sp_channel *channel, const sp_event *event)
{
    const char *text = event->u.request.original;

    channel->original_type = event->u.request.original_type;
    spb_free(env_of(channel), channel->original);
    channel->original = NULL;
    return text == NULL || sps_channel_set_text(channel, &channel->original, text);
}

void sps_channel_free_state(sp_channel *channel)
{
    const spb_env *env = env_of(channel);
    for (size_t i = 0; i < channel->environment_count; i++) {
        spb_free(env, channel->environment[i].name);
        spb_free(env, channel->environment[i].value);
    }
    spb_free(env, channel->environment);
    spb_free(env, channel->command);
    spb_free(env, channel->subsystem);
    spb_free(env, channel->terminal);
    spb_free(env, channel->original);
    spb_free(env, (void *)(uintptr_t)channel->modes.modes);
}

/* ---- getters ---- */

const char *sp_channel_get_environment(const sp_channel *channel, const char *name)
{
    const sps_variable *variable = find_variable(channel, name);
    return variable == NULL ? NULL : variable->value;
}

bool sp_channel_environment_at(const sp_channel *channel, size_t index, const char **name,
                               const char **value)
{
    if (index >= channel->environment_count)
        return false;
    *name = channel->environment[index].name;
    *value = channel->environment[index].value;
    return true;
}

const char *sp_channel_get_command(const sp_channel *channel)
{
    return channel->command;
}

const char *sp_channel_get_subsystem(const sp_channel *channel)
{
    return channel->subsystem;
}

sp_request_type sp_channel_get_original_request(const sp_channel *channel)
{
    return channel->original_type;
}

const char *sp_channel_get_original_command(const sp_channel *channel)
{
    return channel->original;
}

const char *sp_channel_get_terminal_type(const sp_channel *channel)
{
    return channel->terminal;
}

bool sp_channel_get_terminal_size(const sp_channel *channel, sp_term_size *size)
{
    if (channel->terminal == NULL)
        return false;
    *size = channel->size;
    return true;
}

bool sp_channel_get_terminal_mode(const sp_channel *channel, uint8_t opcode, uint32_t *value)
{
    if (channel->terminal == NULL)
        return false;
    for (size_t i = 0; i < channel->modes.count; i++) {
        if (channel->modes.modes[i].opcode == opcode) {
            *value = channel->modes.modes[i].value;
            return true;
        }
    }
    return false;
}

const sp_term_modes *sp_channel_get_terminal_modes(const sp_channel *channel)
{
    return channel->terminal == NULL ? NULL : &channel->modes;
}
