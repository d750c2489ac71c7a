/* The far end of scp joined to its channel: input with back-pressure, output as the channel takes
 * it, the exit status, and the end of both. */
#include "scp/server.h"
#include "server/server.h"

typedef struct joined {
    sps_taker taker;
    spp_server *core;
    sp_server *server;
    sp_channel *channel; /* referenced */
    bool held;           /* the channel's reading is paused */
    bool ended;          /* so we have told the server */
    bool exited;         /* the exit status was given */
    bool lost;
} joined;

/* The session has ended, and nothing of it is left but perhaps some output. */
static void session_ended(joined *j)
{
    spp_server *core = j->core;
    j->ended = true;
    sps_taker_ended(j->server, &j->taker);
    if (core->options.closed != NULL)
        core->options.closed(j->channel, spp_exit_status(core), core->options.data);
}

static void free_if_done(joined *j)
{
    sp_channel *channel = j->channel;
    if (!j->ended || !j->lost)
        return;
    spp_server_free(j->core);
    spb_free(spl_queue_env(channel->queue), j);
    sp_channel_unref(channel);
}

/* Writes until the channel is full or there is no more. */
static void write_output(joined *j)
{
    spb_span out;
    while (!j->lost && !j->core->lost && (out = spp_output(j->core)).length != 0) {
        ptrdiff_t n = sp_channel_write(j->channel, out.data, out.length);
        if (n < 0) {
            spp_lost(j->core); /* the channel is closing; its end is told yet */
            return;
        }
        spp_consumed(j->core, (size_t)n);
        if ((size_t)n < out.length)
            return;
        spp_run(j->core); /* there is room for what was held */
    }
}

static void hold(joined *j, bool on)
{
    if (j->held == on || j->lost)
        return;
    j->held = on;
    (void)(on ? sp_channel_pause_reading : sp_channel_resume_reading)(j->channel);
}

static void move(joined *j)
{
    spp_run(j->core);
    write_output(j);
    if (!j->ended && j->core->ended)
        session_ended(j);
    if (j->ended && !j->exited && !j->lost && spp_output(j->core).length == 0) {
        j->exited = true;
        (void)sp_channel_exit(j->channel, spp_exit_status(j->core));
    }
    hold(j, !j->core->over && !spp_wants_input(j->core));
    free_if_done(j);
}

/* A late answer, from the loop. */
static void on_moved(void *owner)
{
    move(owner);
}

/* ---- the channel ---- */

static joined *of(sps_taker *taker)
{
    return SPB_CONTAINER(taker, joined, taker);
}

static void on_data(sps_taker *taker, const uint8_t *bytes, size_t length, uint32_t type)
{
    if (type != SP_DATA_NORMAL)
        return;
    spp_receive(of(taker)->core, bytes, length);
    move(of(taker));
}

static void on_eof(sps_taker *taker)
{
    spp_end_of_input(of(taker)->core);
    move(of(taker));
}

static void on_resume(sps_taker *taker)
{
    move(of(taker));
}

static void on_lost(sps_taker *taker)
{
    joined *j = of(taker);
    j->lost = true;
    spp_lost(j->core);
    move(j);
}

/* ---- <sallyport/scp.h> ---- */

bool sp_scp_command(const char *command)
{
    return command != NULL && spp_is_command(command);
}

int sp_channel_serve_scp(sp_channel *channel, sp_fs *fs, const sp_scp_options *options)
{
    sp_conn *conn = channel->conn;
    if (sps_channel_engine(channel) == NULL)
        return SP_ECONN;
    const spb_env *env = spl_queue_env(channel->queue);
    joined *j = spb_calloc(env, 1, sizeof *j);
    if (j == NULL)
        return SP_ENOMEM;
    const char *username = sp_conn_username(conn);
    int result =
        spp_server_new(&j->core, fs, conn->server->loop, conn, username != NULL ? username : "",
                       channel->command, options, on_moved, j);
    if (result == 0) {
        j->taker.data = on_data;
        j->taker.eof = on_eof;
        j->taker.resume = on_resume;
        j->taker.lost = on_lost;
        result = sps_channel_take(channel, &j->taker);
        if (result != 0)
            spp_server_free(j->core);
    }
    if (result != 0) {
        spb_free(env, j);
        return result;
    }
    j->server = conn->server;
    j->channel = sp_channel_ref(channel);
    j->core->channel = channel;
    move(j);
    return 0;
}
