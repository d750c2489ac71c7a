/* Agent forwarding (draft-ietf-sshm-ssh-agent 5, OpenSSH's names): a UNIX socket for one session,
 * each connection to which becomes a channel to the client's agent. */
#include "server/lent.h"

#include "loop/accept.h"
#include "loop/private.h"
#include "loop/socket.h"

#include <string.h>
#include <unistd.h>

#define AGENT_CHANNEL "auth-agent@openssh.com"
#define BACKLOG 128u

struct sps_agent {
    sp_channel *channel;
    spl_acceptor *acceptor;
    spl_file_id file;
    char *path;
};

static bool accepted(void *data, int fd)
{
    sps_agent *agent = data;
    sp_conn *conn = agent->channel->conn;
    if (!spl_peer_is_own(fd)) {
        spb_log(sps_conn_env(conn), SP_LOG_ERROR,
                "connection %llu: a stranger at the agent socket was turned away",
                (unsigned long long)conn->id);
        (void)close(fd);
        return true;
    }
    const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = AGENT_CHANNEL};
    sps_lent_relay(conn, &what, fd, NULL);
    return true;
}

static void accept_failed(void *data, int error)
{
    const sps_agent *agent = data;
    sps_lent_accept_failed(agent->channel, "the agent socket", error);
}

static const spl_acceptor_calls calls = {accepted, accept_failed};

static int start(sps_agent *agent)
{
    int fd = -1;
    int result = spl_listen_unix(agent->path, 0600, false, BACKLOG, &fd, &agent->file);
    if (result != 0)
        return result;
    result =
        spl_acceptor_new(&agent->acceptor, agent->channel->conn->server->loop, fd, &calls, agent);
    if (result != 0) {
        (void)close(fd);
        spl_unlisten_unix(agent->path, &agent->file);
    }
    return result;
}

bool sps_agent_make(sp_channel *channel)
{
    const spb_env *env = sps_conn_env(channel->conn);
    sps_agent *agent = spb_calloc(env, 1, sizeof *agent);
    if (agent == NULL)
        return false;
    agent->channel = channel;
    agent->path = sps_lent_path(channel, "agent");
    int result = agent->path == NULL ? SP_EIO : start(agent);
    if (result != 0) {
        sps_lent_log(channel, "the agent socket", result);
        spb_free(env, agent->path);
        spb_free(env, agent);
        return false;
    }
    channel->agent = agent;
    channel->conn->agent_granted = true;
    return true;
}

void sps_agent_close(sps_agent *agent)
{
    if (agent == NULL)
        return;
    const spb_env *env = spl_queue_env(agent->channel->queue);
    spl_acceptor_close(agent->acceptor);
    spl_unlisten_unix(agent->path, &agent->file);
    spb_free(env, agent->path);
    spb_free(env, agent);
}

/* ---- <sallyport/agent.h> ---- */

const char *sp_channel_get_agent_path(const sp_channel *channel)
{
    return channel->agent == NULL ? NULL : channel->agent->path;
}

int sp_conn_create_agent_connection(struct sp_conn *conn, const sp_stream_handlers *handlers,
                                    void *data, const sp_channel_options *options,
                                    sp_channel **channel)
{
    const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = AGENT_CHANNEL};
    return conn->agent_granted ? sps_create(conn, handlers, data, options, &what, channel)
                               : SP_EACCES;
}
