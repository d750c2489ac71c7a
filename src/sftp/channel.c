/* The SFTP server joined to its channel: input with back-pressure, output as the channel takes it,
 * the exit status, and the end of both. */
#include "server/server.h"
#include "sftp/server.h"

typedef struct joined {
    sps_taker taker;
    spf_server *core;
    sp_server *server;
    sp_channel *channel; /* referenced */
    void (*closed)(sp_channel *channel, uint32_t status, void *data);
    void *data;
    bool held;   /* the channel's reading is paused */
    bool ended;  /* the session has ended */
    bool exited; /* the exit status was given */
    bool lost;
} joined;

/* ---- the end ---- */

/* The session has ended, and nothing of it is left but perhaps some output. */
static void session_ended(joined *j)
{
    j->ended = true;
    sps_taker_ended(j->server, &j->taker);
    if (j->closed != NULL)
        j->closed(j->channel, j->core->status, j->data);
}

static void free_if_done(joined *j)
{
    if (!j->ended || !j->lost)
        return;
    sp_channel *channel = j->channel;
    spf_server_free(j->core);
    spb_free(spl_queue_env(channel->queue), j);
    sp_channel_unref(channel);
}

/* ---- moving ---- */

/* Writes until the channel is full or there is no more. */
static void write_output(joined *j)
{
    spb_span out;
    while (!j->lost && (out = spf_output(j->core)).length != 0) {
        ptrdiff_t n = sp_channel_write(j->channel, out.data, out.length);
        if (n < 0)
            spf_lost(j->core); /* the channel is closing; its end is told yet */
        else if (n > 0)
            spf_consumed(j->core, (size_t)n);
        if (n < (ptrdiff_t)out.length)
            return;
        spf_run(j->core); /* there is room for what was held */
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
    spf_run(j->core);
    write_output(j);
    if (!j->ended && spf_ended(j->core))
        session_ended(j);
    if (j->ended && !j->exited && !j->lost && spf_output(j->core).length == 0) {
        j->exited = true;
        (void)sp_channel_exit(j->channel, j->core->status);
    }
    hold(j, !j->exited && !j->core->over && !spf_wants_input(j->core));
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
    spf_receive(of(taker)->core, bytes, length);
    move(of(taker));
}

static void on_eof(sps_taker *taker)
{
    spf_end_of_input(of(taker)->core);
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
    spf_lost(j->core);
    move(j);
}

/* ---- <sallyport/sftp.h> ---- */

int sp_channel_serve_sftp(sp_channel *channel, sp_fs *fs, const sp_sftp_options *options)
{
    sp_conn *conn = channel->conn;
    if (sps_channel_engine(channel) == NULL)
        return SP_ECONN;
    const spb_env *env = spl_queue_env(channel->queue);
    joined *j = spb_calloc(env, 1, sizeof *j);
    if (j == NULL)
        return SP_ENOMEM;
    const char *username = sp_conn_username(conn);
    int result = spf_server_new(&j->core, fs, conn->server->loop, conn,
                                username != NULL ? username : "", options, on_moved, j);
    if (result == 0) {
        j->taker.data = on_data;
        j->taker.eof = on_eof;
        j->taker.resume = on_resume;
        j->taker.lost = on_lost;
        result = sps_channel_take(channel, &j->taker);
        if (result != 0)
            spf_server_free(j->core);
    }
    if (result != 0) {
        spb_free(env, j);
        return result;
    }
    j->server = conn->server;
    j->channel = sp_channel_ref(channel);
    j->core->channel = channel;
    j->core->draft_links = spf_has_draft_links(sp_conn_client_version(conn));
    j->closed = j->core->options.closed;
    j->data = j->core->options.data;
    move(j);
    return 0;
}
