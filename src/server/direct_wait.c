/* Direct style: sleeping, waiting for what happens, blocking work, and child processes. */
#include "server/direct.h"

#include <string.h>
#include <sys/wait.h>

/* ---- time ---- */

static void timer_fired(void *data)
{
    sp_process *p = data;
    p->fired = true;
    sps_direct_wake(p, SPS_FOR_TIME);
}

static int start_timer(sp_process *p, uint32_t milliseconds)
{
    p->fired = false;
    if (p->timer == NULL) {
        int result = spl_timer_new(&p->timer, p->server->loop, timer_fired, p);
        if (result != 0)
            return result;
    }
    spl_timer_start(p->timer, milliseconds, 0);
    return 0;
}

void sps_direct_give_way(sp_process *p)
{
    spl_task_schedule(p->server->loop, &p->task);
    sps_direct_wait(p, SPS_FOR_TIME);
}

int sp_sleep(sp_process *p, uint32_t milliseconds)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    if (p->lost)
        return SP_ECONN;
    if (milliseconds == 0) {
        sps_direct_give_way(p);
        return p->lost ? SP_ECONN : 0;
    }
    int result = start_timer(p, milliseconds);
    if (result != 0)
        return result;
    while (!p->fired && !p->lost)
        sps_direct_wait(p, SPS_FOR_TIME);
    spl_timer_stop(p->timer);
    return p->lost ? SP_ECONN : 0;
}

/* ---- what happens ---- */

static void next_signal(sp_process *p)
{
    memcpy(p->signal_told, p->signals[0], sizeof p->signal_told);
    p->signal_count--;
    memmove(p->signals[0], p->signals[1], p->signal_count * sizeof p->signals[0]);
}

unsigned sps_direct_happened(sp_process *p, unsigned kinds)
{
    static const unsigned others[] = {SP_WAIT_RESIZE, SP_WAIT_BREAK, SP_WAIT_WAKE};
    if ((kinds & SP_WAIT_SIGNAL) != 0 && p->signal_count > 0) {
        next_signal(p);
        return SP_WAIT_SIGNAL;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if ((kinds & p->happened & others[i]) != 0) {
            p->happened &= ~others[i];
            return others[i];
        }
    }
    return 0;
}

static bool has_input(const sp_process *p)
{
    return (!p->lost || p->lost_in_order) && (p->eof || sps_direct_available(p) > 0);
}

/* The kind that has happened, 0, or SP_ECONN. */
static int look(sp_process *p, unsigned kinds)
{
    unsigned kind = p->lost ? 0 : sps_direct_happened(p, kinds);
    if (kind != 0)
        return (int)kind;
    if ((kinds & SP_WAIT_INPUT) != 0 && has_input(p))
        return (int)SP_WAIT_INPUT;
    return p->lost ? SP_ECONN : 0;
}

int sp_wait(sp_process *p, unsigned kinds, uint32_t timeout_ms)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    p->wanted |= kinds;
    int result = look(p, kinds);
    if (result != 0)
        return result;
    p->fired = false;
    if (timeout_ms == 0) {
        sps_direct_give_way(p);
        return look(p, kinds);
    }
    if (timeout_ms != SP_FOREVER) {
        result = start_timer(p, timeout_ms);
        if (result != 0)
            return result;
    }
    while (result == 0 && !p->fired) {
        sps_direct_wait(p, SPS_FOR_TIME | SPS_FOR_EVENT | SPS_FOR_INPUT);
        result = look(p, kinds);
    }
    if (timeout_ms != SP_FOREVER)
        spl_timer_stop(p->timer);
    return result;
}

void sp_process_events(sp_process *p, unsigned kinds)
{
    p->events = kinds & ~SP_WAIT_INPUT;
    p->wanted |= kinds;
}

const char *sp_process_signal(const sp_process *p)
{
    return p->signal_told[0] == '\0' ? NULL : p->signal_told;
}

uint32_t sp_process_break_length(const sp_process *p)
{
    return p->break_length;
}

void sp_process_wake(sp_process *p)
{
    p->happened |= SP_WAIT_WAKE;
    sps_direct_wake(p, SPS_FOR_EVENT);
}

/* ---- blocking work ---- */

typedef struct direct_work {
    sp_process *p;
    void (*work)(void *data);
    void *data;
    bool done;
} direct_work;

static void work_run(void *data)
{
    const direct_work *w = data;
    w->work(w->data);
}

static void work_done(void *data)
{
    direct_work *w = data;
    w->done = true;
    sps_direct_wake(w->p, SPS_FOR_WORK);
}

int sp_run(sp_process *p, void (*work)(void *data), void *data)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    if (p->lost)
        return SP_ECONN;
    direct_work w = {.p = p, .work = work, .data = data};
    int result = spl_work(p->server->loop, work_run, work_done, &w);
    if (result != 0)
        return result;
    while (!w.done)
        sps_direct_wait(p, SPS_FOR_WORK);
    return p->lost ? SP_ECONN : 0;
}

/* ---- child processes ---- */

static void child_ended(sp_channel *channel, int status, void *data)
{
    sp_process *p = data;
    (void)channel;
    p->child = NULL;
    p->child_status = status;
    sps_direct_wake(p, SPS_FOR_CHILD);
}

/* The child gets what was read ahead, and learns what the client has ended. */
static void hand_over(sp_process *p)
{
    bool ended = p->eof;
    if (p->held) {
        p->held = false;
        (void)sp_channel_resume_reading(p->channel);
    }
    size_t length = sps_direct_available(p);
    if (length > 0)
        sps_process_data(p->child, sps_direct_bytes(p), length);
    spb_buffer_free(&p->input);
    p->taken = 0;
    if (ended)
        sps_process_eof(p->child);
}

int sp_spawn(sp_process *p, const sp_spawn_options *given)
{
    sp_spawn_options options;
    memset(&options, 0, sizeof options);
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    if (p->lost)
        return SP_ECONN;
    if (given == NULL || !sps_copy_sized(&options, sizeof options, given) || p->stream)
        return SP_EINVAL;
    options.exited = child_ended;
    options.data = p;
    int result = sps_direct_terminal_flush(p);
    if (result != 0)
        return result;
    result = sps_channel_spawn(p->channel, &options, &p->child);
    if (result != 0)
        return result;
    hand_over(p);
    while (p->child != NULL && !p->lost)
        sps_direct_wait(p, SPS_FOR_CHILD);
    if (p->lost)
        return SP_ECONN;
    int status = p->child_status;
    if (status != -1 && WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
