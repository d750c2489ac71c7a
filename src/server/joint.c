/* Protocol servers on channels: see joint.h. */
#include "server/joint.h"

struct sps_joint {
    sps_taker taker;
    const sps_core *calls;
    void *core;
    sp_server *server;
    sp_channel *channel; /* referenced */
    bool held;           /* the channel's reading is paused */
    bool ended;          /* so we have told the server */
    bool exited;         /* the exit status was given */
    bool lost;
};

/* ---- the end ---- */

static void session_ended(sps_joint *j)
{
    j->ended = true;
    sps_taker_ended(j->server, &j->taker);
    j->calls->closed(j->core, j->channel);
}

static void free_if_done(sps_joint *j)
{
    sp_channel *channel = j->channel;
    if (!j->ended || !j->lost)
        return;
    j->calls->free(j->core);
    spb_free(spl_queue_env(channel->queue), j);
    sp_channel_unref(channel);
}

/* ---- moving ---- */

/* Writes until the channel takes no more or there is none. */
static void write_output(sps_joint *j)
{
    spb_span out;
    while (!j->lost && (out = j->calls->output(j->core)).length != 0) {
        ptrdiff_t n = sps_channel_write_now(j->channel, out.data, out.length);
        if (n < 0)
            j->calls->lost(j->core); /* the channel is closing; its end is told yet */
        else if (n > 0)
            j->calls->consumed(j->core, (size_t)n);
        if (n < (ptrdiff_t)out.length)
            return;
        j->calls->run(j->core); /* there is room for what was held */
    }
}

static void hold(sps_joint *j, bool on)
{
    if (j->held == on || j->lost)
        return;
    j->held = on;
    (void)(on ? sp_channel_pause_reading : sp_channel_resume_reading)(j->channel);
}

/* May free the joint. */
static void move(sps_joint *j)
{
    j->calls->run(j->core);
    write_output(j);
    if (!j->ended && j->calls->ended(j->core))
        session_ended(j);
    if (j->ended && !j->exited && !j->lost && j->calls->output(j->core).length == 0) {
        j->exited = true;
        (void)sp_channel_exit(j->channel, j->calls->status(j->core));
    }
    hold(j, !j->exited && !j->calls->over(j->core) && !j->calls->wants_input(j->core));
    free_if_done(j);
}

static void move_later(sps_joint *j)
{
    if (j->channel->conn != NULL)
        sps_taker_gather(j->channel->conn, &j->taker);
    else
        move(j);
}

void sps_joint_moved(void *joint)
{
    sps_joint *j = joint;
    if (j->lost)
        move(j);
    else
        move_later(j);
}

/* ---- the channel ---- */

static sps_joint *of(sps_taker *taker)
{
    return SPB_CONTAINER(taker, sps_joint, taker);
}

static void on_data(sps_taker *taker, const uint8_t *bytes, size_t length, uint32_t type)
{
    sps_joint *j = of(taker);
    if (type != SP_DATA_NORMAL)
        return;
    j->calls->receive(j->core, bytes, length);
    if (j->calls->wants_input(j->core))
        move_later(j);
    else
        move(j);
}

static void on_eof(sps_taker *taker)
{
    of(taker)->calls->end_of_input(of(taker)->core);
    move(of(taker));
}

static void on_move(sps_taker *taker)
{
    move(of(taker));
}

static void on_lost(sps_taker *taker)
{
    sps_joint *j = of(taker);
    j->lost = true;
    j->calls->lost(j->core);
    move(j);
}

/* ---- made ---- */

int sps_joint_new(sps_joint **out, sp_channel *channel, const sps_core *calls, void *core)
{
    const spb_env *env = spl_queue_env(channel->queue);
    sps_joint *j = spb_calloc(env, 1, sizeof *j);
    if (j == NULL)
        return SP_ENOMEM;
    j->taker.data = on_data;
    j->taker.eof = on_eof;
    j->taker.resume = on_move;
    j->taker.gathered = on_move;
    j->taker.lost = on_lost;
    int result = sps_channel_take(channel, &j->taker);
    if (result != 0) {
        spb_free(env, j);
        return result;
    }
    j->calls = calls;
    j->core = core;
    j->server = channel->conn->server;
    j->channel = sp_channel_ref(channel);
    *out = j;
    return 0;
}

void sps_joint_start(sps_joint *joint)
{
    move(joint);
}
