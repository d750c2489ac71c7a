/* The SFTP server on its channel. */
#include "server/joint.h"
#include "sftp/server.h"

/* ---- what the joint asks ---- */

static void core_receive(void *core, const uint8_t *bytes, size_t length)
{
    spf_take(core, bytes, length);
}

static void core_end_of_input(void *core)
{
    spf_end_of_input(core);
}

static bool core_over(const void *core)
{
    return ((const spf_server *)core)->over;
}

static bool core_wants_input(const void *core)
{
    return spf_wants_input(core);
}

static void core_run(void *core)
{
    spf_run(core);
}

static spb_span core_output(const void *core)
{
    return spf_output(core);
}

static void core_consumed(void *core, size_t length)
{
    spf_consumed(core, length);
}

static void core_lost(void *core)
{
    spf_lost(core);
}

static bool core_ended(const void *core)
{
    return spf_ended(core);
}

static uint32_t core_status(const void *core)
{
    return ((const spf_server *)core)->status;
}

static void core_closed(void *core, sp_channel *channel)
{
    const spf_server *server = core;
    if (server->options.closed != NULL)
        server->options.closed(channel, server->status, server->options.data);
}

static void core_free(void *core)
{
    spf_server_free(core);
}

static const sps_core calls = {
    .receive = core_receive,
    .end_of_input = core_end_of_input,
    .over = core_over,
    .wants_input = core_wants_input,
    .run = core_run,
    .output = core_output,
    .consumed = core_consumed,
    .lost = core_lost,
    .ended = core_ended,
    .status = core_status,
    .closed = core_closed,
    .free = core_free,
};

/* ---- <sallyport/sftp.h> ---- */

int sp_channel_serve_sftp(sp_channel *channel, sp_fs *fs, const sp_sftp_options *options)
{
    sp_conn *conn = channel->conn;
    spf_server *server;
    sps_joint *joint;
    if (sps_channel_engine(channel) == NULL)
        return SP_ECONN;
    const char *username = sp_conn_username(conn);
    int result = spf_server_new(&server, fs, conn->server->loop, conn,
                                username != NULL ? username : "", options, sps_joint_moved, NULL);
    if (result != 0)
        return result;
    result = sps_joint_new(&joint, channel, &calls, server);
    if (result != 0) {
        spf_server_free(server);
        return result;
    }
    server->owner = joint;
    server->pool = conn->server->pool;
    server->channel = channel;
    server->draft_links = spf_has_draft_links(sp_conn_client_version(conn));
    sps_joint_start(joint);
    return 0;
}
