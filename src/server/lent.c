/* The private directory of a session that the client lends something to, and what its programs get
 * to know of it. Everything goes with the channel. */
#include "server/lent.h"

#include "crypto/crypto.h"
#include "loop/private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
