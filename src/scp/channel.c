/* The far end of scp on its channel. */
#include "scp/server.h"
#include "server/joint.h"

/* ---- what the joint asks ---- */

static void core_receive(void *core, const uint8_t *bytes, size_t length)
{
    spp_receive(core, bytes, length);
}

static void core_end_of_input(void *core)
{
    spp_end_of_input(core);
}

static bool core_over(const void *core)
{
    return ((const spp_server *)core)->over;
}

static bool core_wants_input(const void *core)
{
    return spp_wants_input(core);
}

static void core_run(void *core)
{
    spp_run(core);
}

static spb_span core_output(const void *core)
{
    return ((const spp_server *)core)->lost ? (spb_span){NULL, 0} : spp_output(core);
}

static void core_consumed(void *core, size_t length)
{
    spp_consumed(core, length);
}

static void core_lost(void *core)
{
    spp_lost(core);
}

static bool core_ended(const void *core)
{
    return ((const spp_server *)core)->ended;
}

static uint32_t core_status(const void *core)
{
    return spp_exit_status(core);
}

static void core_closed(void *core, sp_channel *channel)
{
    const spp_server *server = core;
    if (server->options.closed != NULL)
        server->options.closed(channel, spp_exit_status(server), server->options.data);
}

static void core_free(void *core)
{
    spp_server_free(core);
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

/* ---- <sallyport/scp.h> ---- */

bool sp_scp_command(const char *command)
{
    return command != NULL && spp_is_command(command);
}

int sp_channel_serve_scp(sp_channel *channel, sp_fs *fs, const sp_scp_options *options)
{
    sp_conn *conn = channel->conn;
    spp_server *server;
    sps_joint *joint;
    if (sps_channel_engine(channel) == NULL)
        return SP_ECONN;
    const char *username = sp_conn_username(conn);
    int result =
        spp_server_new(&server, fs, conn->server->loop, conn, username != NULL ? username : "",
                       channel->command, options, sps_joint_moved, NULL);
    if (result != 0)
        return result;
    result = sps_joint_new(&joint, channel, &calls, server);
    if (result != 0) {
        spp_server_free(server);
        return result;
    }
    server->owner = joint;
    server->channel = channel;
    sps_joint_start(joint);
    return 0;
}
