/* The private directory of a session that the client lends something to, and what its programs get
 * to know of it. Everything goes with the channel. */
#include "server/lent.h"

#include "crypto/crypto.h"
#include "loop/private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 3

static const sp_conn_error no_memory = {.error = SP_ENOMEM, .message = "out of memory"};

void sps_lent_log(const sp_channel *channel, const char *what, int error)
{
    spb_log(sps_conn_env(channel->conn), SP_LOG_ERROR, "connection %llu: %s: %s",
            (unsigned long long)channel->conn->id, what, sp_strerror(error));
}

void sps_lent_accept_failed(const sp_channel *channel, const char *what, int error)
{
    sp_server *server = channel->conn->server;
    if (server->log_limits)
        sps_lent_log(channel, what, error);
    server->log_limits = false;
}

static bool make_directory(sp_channel *channel)
{
    const spb_env *env = sps_conn_env(channel->conn);
    uint8_t unique[16];
    int result = SP_ECRYPTO;
    if (spc_random(env, unique, sizeof unique))
        result = spl_private_dir(env, channel->conn->server->lending.directory, unique,
                                 &channel->private_directory);
    if (result != 0)
        sps_lent_log(channel, "a private directory", result);
    return result == 0;
}

char *sps_lent_path(sp_channel *channel, const char *name)
{
    if (channel->private_directory == NULL && !make_directory(channel))
        return NULL;
    size_t size = strlen(channel->private_directory) + strlen(name) + 2;
    char *path = spb_alloc(sps_conn_env(channel->conn), size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", channel->private_directory, name);
    return path;
}

void sps_lent_close(sp_channel *channel)
{
    sps_agent_close(channel->agent);
    channel->agent = NULL;
    sps_display_close(channel->display);
    channel->display = NULL;
    if (channel->private_directory != NULL)
        spl_private_dir_remove(channel->private_directory);
    spb_free(spl_queue_env(channel->queue), channel->private_directory);
    channel->private_directory = NULL;
}

void sps_lent_relay(sp_conn *conn, const sp_open_request *what, int fd, const spb_buffer *first)
{
    sp_engine *engine = sps_conn_engine(conn);
    uint32_t number = 0;
    int result = engine == NULL ? SP_ECONN : sp_engine_open_channel(engine, what, NULL, &number);
    if (result != 0) {
        spb_log(sps_conn_env(conn), SP_LOG_INFO, "connection %llu: no channel for %s: %s",
                (unsigned long long)conn->id, what->type, sp_strerror(result));
        (void)close(fd);
        return;
    }
    sps_conn_touch(conn);
    sp_channel *channel = sps_relay_new(conn->server, fd);
    bool ready =
        channel != NULL && (first == NULL || sps_relay_first(channel, first->data, first->length));
    if (!ready)
        (void)sp_engine_abort_channel(engine, number);
    if (channel != NULL && (!ready || sps_own_attach(conn, number, channel) != 0))
        sps_channel_lost(channel, &no_memory);
}

/* ---- the environment of a child ---- */

static bool replaced(const char *entry, const char *const *names, const char *const *values)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        size_t length = strlen(names[i]);
        if (values[i] != NULL && strncmp(entry, names[i], length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

int sps_lent_environment(const sp_channel *channel, const char *const *given, const char ***out)
{
    static const char *const names[ENTRIES] = {"SSH_AUTH_SOCK", "DISPLAY", "XAUTHORITY"};
    const char *const values[ENTRIES] = {sp_channel_get_agent_path(channel),
                                         sp_channel_get_display(channel),
                                         sp_channel_get_xauthority(channel)};
    size_t count = 0;
    size_t texts = 0;
    while (given != NULL && given[count] != NULL)
        count++;
    for (size_t i = 0; i < ENTRIES; i++)
        if (values[i] != NULL)
            texts += strlen(names[i]) + strlen(values[i]) + 2;
    size_t array = (count + ENTRIES + 1) * sizeof(char *);
    const char **environment = spb_alloc(spl_queue_env(channel->queue), array + texts);
    if (environment == NULL)
        return SP_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!replaced(given[i], names, values))
            environment[n++] = given[i];
    char *text = (char *)environment + array;
    for (size_t i = 0; i < ENTRIES; i++) {
        if (values[i] == NULL)
            continue;
        size_t size = strlen(names[i]) + strlen(values[i]) + 2;
        snprintf(text, size, "%s=%s", names[i], values[i]);
        environment[n++] = text;
        text += size;
    }
    environment[n] = NULL;
    *out = environment;
    return 0;
}
