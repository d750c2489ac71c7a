/* Timers and the thread pool. */
#include "loop/loop_uv.h"

/* ---- timers ---- */

struct spl_timer {
    uv_timer_t timer;
    spl_loop *loop;
    void (*fired)(void *data);
    void *data;
};

static void timer_fired(uv_timer_t *handle)
{
    spl_timer *timer = handle->data;
    timer->fired(timer->data);
}

int spl_timer_new(spl_timer **out, spl_loop *loop, void (*fired)(void *data), void *data)
{
    spl_timer *timer = spb_calloc(&loop->env, 1, sizeof *timer);
    if (timer == NULL)
        return SP_ENOMEM;
    uv_timer_init(loop->uv, &timer->timer);
    timer->timer.data = timer;
    timer->loop = loop;
    timer->fired = fired;
    timer->data = data;
    loop->busy++;
    *out = timer;
    return 0;
}

void spl_timer_start(spl_timer *timer, uint64_t delay_ms, uint64_t repeat_ms)
{
    /* The loop's time may be old here: before it runs, or behind a slow callback. */
    uv_update_time(timer->loop->uv);
    uv_timer_start(&timer->timer, timer_fired, delay_ms, repeat_ms);
}

void spl_timer_stop(spl_timer *timer)
{
    uv_timer_stop(&timer->timer);
}

static void timer_closed(uv_handle_t *handle)
{
    spl_timer *timer = handle->data;
    spl_loop *loop = timer->loop;
    spb_free(&loop->env, timer);
    loop->busy--;
}

void spl_timer_close(spl_timer *timer)
{
    if (timer != NULL && !uv_is_closing((uv_handle_t *)&timer->timer))
        uv_close((uv_handle_t *)&timer->timer, timer_closed);
}

/* ---- work ---- */

typedef struct work_item {
    uv_work_t request;
    spl_loop *loop;
    void (*work)(void *data);
    void (*done)(void *data);
    void *data;
} work_item;

static void work_run(uv_work_t *request)
{
    work_item *item = request->data;
    item->work(item->data);
}

static void work_done(uv_work_t *request, int status)
{
    (void)status; /* work is never canceled: freeing a loop waits for it */
    work_item *item = request->data;
    spl_loop *loop = item->loop;
    if (item->done != NULL)
        item->done(item->data);
    spb_free(&loop->env, item);
    loop->busy--;
}

int spl_work(spl_loop *loop, void (*work)(void *data), void (*done)(void *data), void *data)
{
    work_item *item = spb_calloc(&loop->env, 1, sizeof *item);
    if (item == NULL)
        return SP_ENOMEM;
    item->request.data = item;
    item->loop = loop;
    item->work = work;
    item->done = done;
    item->data = data;
    int result = uv_queue_work(loop->uv, &item->request, work_run, work_done);
    if (result != 0) {
        spb_free(&loop->env, item);
        return spl_uv_error(result);
    }
    loop->busy++;
    return 0;
}
