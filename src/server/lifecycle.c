/* A server's life after it was made: running, posts from other threads, and the three ways to end.
 * Ending is always decided in a task at the end of a turn, never within a handler; with several
 * loop threads, as group.h says. */
#include "server/server.h"

#include <stdio.h>

/* ---- the end ---- */

static void stop_conn(sp_conn *conn, void *data)
{
    (void)data;
    if (sps_conn_engine(conn) != NULL &&
        sp_conn_disconnect(conn, SP_DISCONNECT_BY_APPLICATION, "the server is stopping") != 0)
        sp_conn_abort(conn);
}

static void disconnect_all(sp_server *server)
{
    sp_server_each_conn(server, stop_conn, NULL);
}

/* Nothing is left here. The last one tells the others. */
static void count_out(sp_server *server)
{
    sps_group *group = server->group;
    if (server->idle)
        return;
    server->idle = true;
    if (atomic_fetch_sub(&group->busy, 1) == 1)
        sps_group_wake(group, server);
}

static void part_closed(sp_server *part)
{
    atomic_fetch_sub(&part->group->parts_open, 1);
    spl_queue_wake(sp_server_main(part)->queue);
}

static void close_now(sp_server *server)
{
    server->state = SPS_CLOSED;
    sps_timers_stop(server, false);
    spl_timer_close(server->drain_timer);
    server->drain_timer = NULL;
    sps_rests_end(server);
    if (!sps_is_part(server))
        spb_log(&server->env, SP_LOG_INFO, "the server is closed");
    if (server->own_loop)
        spl_loop_stop(server->loop);
    else
        spl_loop_let_go(server->loop);
    sps_waiters_call(&server->env, &server->waiters);
    if (sps_is_part(server))
        part_closed(server);
}

static void look(spl_task *task)
{
    sp_server *server = SPB_CONTAINER(task, sp_server, task);
    sps_group *group = server->group;
    if (server->state != SPS_CLOSING)
        return;
    sps_listeners_close(server);
    if (!spb_list_empty(&server->conns) || !spb_list_empty(&server->directs) ||
        !spb_list_empty(&server->takers))
        return;
    count_out(server);
    if (atomic_load(&group->busy) == 0 &&
        (sps_is_part(server) || atomic_load(&group->parts_open) == 0))
        close_now(server);
}

void sps_server_look(sp_server *server)
{
    server->task.run = look;
    spl_task_schedule(server->loop, &server->task);
}

void sps_taker_ended(sp_server *server, sps_taker *taker)
{
    spb_list_remove(&taker->link);
    sps_server_look(server);
}

void sps_takers_end(sp_server *server)
{
    while (!spb_list_empty(&server->takers))
        spl_loop_turn(server->loop);
}

static void drained(void *data)
{
    sp_server_stop(data);
}

static void start_drain_timer(sp_server *server, uint32_t timeout_ms)
{
    if (server->drain_timer == NULL &&
        spl_timer_new(&server->drain_timer, server->loop, drained, server) != 0) {
        spb_log(&server->env, SP_LOG_ERROR, "out of memory: connections may stay");
        return;
    }
    spl_timer_start(server->drain_timer, timeout_ms, 0);
}

/* Who stops sets `closing` first: no connection begins after these have been disconnected. */
void sps_server_woken(void *data)
{
    sp_server *server = data;
    sps_group *group = server->group;
    if (atomic_load(&server->quit))
        spl_loop_stop(server->loop);
    if (server->state == SPS_CLOSED)
        return;
    bool stop = atomic_exchange(&server->stop_asked, false);
    if (server->state == SPS_RUNNING && atomic_load(&group->closing))
        server->state = SPS_CLOSING;
    if (server->state != SPS_CLOSING)
        return;
    uint32_t drain_ms = sps_is_part(server) ? 0 : atomic_exchange(&group->drain_ms, 0);
    if (drain_ms != 0)
        start_drain_timer(server, drain_ms);
    if (stop)
        disconnect_all(server);
    sps_server_look(server);
}

void sp_server_close(sp_server *server)
{
    atomic_store(&server->group->closing, true);
    sps_group_wake(server->group, NULL);
}

void sp_server_drain(sp_server *server, uint32_t timeout_ms)
{
    if (timeout_ms != 0)
        atomic_store(&server->group->drain_ms, timeout_ms);
    sp_server_close(server);
}

void sp_server_stop(sp_server *server)
{
    const sps_group *group = server->group;
    atomic_store(&server->group->closing, true);
    for (unsigned i = 0; i < group->count; i++)
        atomic_store(&group->servers[i]->stop_asked, true);
    sps_group_wake(group, NULL);
}

int sp_server_run(sp_server *server)
{
    if (!server->own_loop || sps_is_part(server))
        return SP_EINVAL;
    int result = server->state == SPS_CLOSED ? 0 : sps_parts_start(server);
    while (result == 0 && server->state != SPS_CLOSED)
        result = spl_loop_run(server->loop);
    sps_parts_end(server);
    return result;
}

/* Also for a part whose thread ends before its time: the others must not wait for it. */
void sps_server_abort(sp_server *server)
{
    atomic_store_explicit(&server->serving, false, memory_order_relaxed);
    if (server->state == SPS_RUNNING)
        server->state = SPS_CLOSING;
    sps_listeners_close(server);
    while (!spb_list_empty(&server->conns))
        sps_conn_drop(SPB_CONTAINER(server->conns.next, sp_conn, link));
    sps_directs_end(server);
    sps_takers_end(server);
    spl_task_cancel(&server->task);
    bool was_closed = server->state == SPS_CLOSED; /* perhaps in a turn just now */
    server->state = SPS_CLOSED;
    count_out(server);
    if (!was_closed && sps_is_part(server))
        part_closed(server);
}

int sp_server_wait_closed(sp_server *server, void (*closed)(void *data), void *data)
{
    if (server->state == SPS_CLOSED) {
        closed(data);
        return 0;
    }
    return sps_wait(&server->env, &server->waiters, closed, data);
}

/* ---- posts and work ---- */

typedef struct posted_call {
    spl_post post;
    spl_queue *queue;
    void (*function)(void *data);
    void *data;
} posted_call;

static void call_posted(spl_post *post)
{
    posted_call *call = SPB_CONTAINER(post, posted_call, post);
    spl_queue *queue = call->queue;
    void (*function)(void *data) = call->function;
    void *data = call->data;
    spb_free(spl_queue_env(queue), call);
    spl_queue_unref(queue);
    function(data);
}

int sp_server_post(sp_server *server, void (*function)(void *data), void *data)
{
    posted_call *call = spb_calloc(&server->env, 1, sizeof *call);
    if (call == NULL)
        return SP_ENOMEM;
    call->post.run = call_posted;
    call->queue = spl_queue_ref(server->queue);
    call->function = function;
    call->data = data;
    int result = spl_queue_post(server->queue, &call->post);
    if (result != 0) {
        spl_queue_unref(call->queue);
        spb_free(&server->env, call);
    }
    return result;
}

int sp_server_work(sp_server *server, void (*work)(void *data), void (*done)(void *data),
                   void *data)
{
    if (server->state == SPS_CLOSED)
        return SP_ECLOSED;
    return spl_work(server->loop, work, done, data);
}

/* ---- timers ---- */

struct sp_timer {
    spb_link link;
    sp_server *server;
    spl_timer *timer; /* NULL: stopped with the server */
    void (*function)(void *data);
    void *data;
};

static void timer_fired(void *data)
{
    sp_timer *timer = data;
    timer->function(timer->data);
}

sp_timer *sp_timer_start(sp_server *server, uint32_t delay_ms, uint32_t repeat_ms,
                         void (*function)(void *data), void *data)
{
    sp_timer *timer = spb_calloc(&server->env, 1, sizeof *timer);
    if (timer == NULL)
        return NULL;
    timer->server = server;
    timer->function = function;
    timer->data = data;
    if (server->state != SPS_CLOSED) {
        if (spl_timer_new(&timer->timer, server->loop, timer_fired, timer) != 0) {
            spb_free(&server->env, timer);
            return NULL;
        }
        spl_timer_start(timer->timer, delay_ms, repeat_ms);
    }
    spb_list_append(&server->timers, &timer->link);
    return timer;
}

void sp_timer_stop(sp_timer *timer)
{
    if (timer == NULL)
        return;
    spb_list_remove(&timer->link);
    spl_timer_close(timer->timer);
    spb_free(&timer->server->env, timer);
}

/* With `release` the objects go too: the server is being freed. */
void sps_timers_stop(sp_server *server, bool release)
{
    for (spb_link *at = server->timers.next; at != &server->timers; at = at->next) {
        sp_timer *timer = SPB_CONTAINER(at, sp_timer, link);
        spl_timer_close(timer->timer);
        timer->timer = NULL;
    }
    while (release && !spb_list_empty(&server->timers))
        sp_timer_stop(SPB_CONTAINER(server->timers.next, sp_timer, link));
}
