/* What a server's loop threads share: who gets a new connection, and the threads themselves. */
#include "server/server.h"

#include <unistd.h>

/* ---- counting ---- */

bool sps_total_take(sps_total *total, uint64_t more, uint64_t max)
{
    uint_fast64_t now = atomic_load_explicit(total, memory_order_relaxed);
    do
        if (more > max || now > max - more)
            return false;
    while (!atomic_compare_exchange_weak_explicit(total, &now, now + more, memory_order_relaxed,
                                                  memory_order_relaxed));
    return true;
}

void sps_total_give(sps_total *total, uint64_t less)
{
    (void)atomic_fetch_sub_explicit(total, less, memory_order_relaxed);
}

static uint64_t counted(const sps_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void sp_server_get_statistics(const sp_server *server, sp_server_statistics *out)
{
    const sps_group *group = server->group;
    *out = (sp_server_statistics){
        .connections = sps_total_now(&group->connections),
        .unauthenticated = sps_total_now(&group->unauthenticated),
        .fibers = sps_total_now(&group->fibers),
    };
    for (unsigned i = 0; i < group->count; i++) {
        const sps_counters *c = &group->servers[i]->counters;
        out->accepted += counted(&c->accepted);
        out->refused += counted(&c->refused);
        out->logins += counted(&c->logins);
        out->auth_failures += counted(&c->auth_failures);
        out->channels += counted(&c->channels);
        out->bytes_received += counted(&c->bytes_received);
        out->bytes_sent += counted(&c->bytes_sent);
    }
}

/* ---- the group ---- */

sps_group *sps_group_new(const spb_env *env, unsigned count)
{
    sps_group *group = spb_calloc(env, 1, sizeof *group + count * sizeof group->servers[0]);
    if (group == NULL)
        return NULL;
    group->count = count;
    atomic_init(&group->closing, false);
    atomic_init(&group->drain_ms, 0);
    atomic_init(&group->busy, count);
    atomic_init(&group->parts_open, count - 1);
    return group;
}

void sps_group_wake(const sps_group *group, const sp_server *but)
{
    for (unsigned i = 0; i < group->count; i++)
        if (group->servers[i] != but)
            spl_queue_wake(group->servers[i]->queue);
}

sp_server *sp_server_main(sp_server *server)
{
    return server->group->servers[0];
}

bool sps_server_takes(const sp_server *server)
{
    return server->state == SPS_RUNNING && !atomic_load(&server->group->closing);
}

/* ---- places ---- */

bool sps_place_take(sp_server *server)
{
    sps_group *group = server->group;
    if (!sps_total_take(&group->connections, 1, server->max_connections))
        return false;
    if (sps_total_take(&group->unauthenticated, 1, server->max_unauthenticated))
        return true;
    sps_total_give(&group->connections, 1);
    return false;
}

void sps_place_authenticated(sp_server *server)
{
    sps_total_give(&server->group->unauthenticated, 1);
}

void sps_place_leave(sp_server *server)
{
    sps_total_give(&server->assigned, 1);
    sps_total_give(&server->group->connections, 1);
}

/* One with the fewest connections; of several, each in its turn. */
static sp_server *choose(sp_server *server)
{
    const sps_group *group = server->group;
    sp_server *best = server;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < group->count; i++) {
        sp_server *candidate = group->servers[(server->next + i) % group->count];
        uint64_t load = sps_total_now(&candidate->assigned);
        if (load >= least || !atomic_load_explicit(&candidate->serving, memory_order_relaxed))
            continue;
        best = candidate;
        least = load;
    }
    server->next = best->index + 1;
    return best;
}

/* In the thread of `server`, which has it among its assigned ones. */
static int begin(sp_server *server, int fd)
{
    int result = SP_ECLOSED;
    if (sps_server_takes(server))
        result = sps_conn_start(server, fd);
    else
        close(fd);
    if (result == 0)
        return 0;
    sps_place_authenticated(server);
    sps_place_leave(server);
    return result;
}

typedef struct handed_over {
    spl_post post;
    sp_server *server;
    int fd;
} handed_over;

static void arrived(spl_post *post)
{
    handed_over *handed = SPB_CONTAINER(post, handed_over, post);
    sp_server *server = handed->server;
    int fd = handed->fd;
    spb_free(&server->env, handed);
    int result = begin(server, fd);
    if (result == 0)
        return;
    sps_count(&server->counters.refused, 1);
    if (result != SP_ECLOSED)
        spb_log(&server->env, SP_LOG_ERROR, "a new connection could not be served: %s",
                sp_strerror(result));
}

static bool hand_over(sp_server *to, int fd)
{
    handed_over *handed = spb_calloc(&to->env, 1, sizeof *handed);
    if (handed == NULL)
        return false;
    handed->post.run = arrived;
    handed->server = to;
    handed->fd = fd;
    if (spl_queue_post(to->queue, &handed->post) == 0)
        return true;
    spb_free(&to->env, handed);
    return false;
}

int sps_place_fill(sp_server *server, int fd)
{
    sp_server *to = choose(server);
    (void)atomic_fetch_add_explicit(&to->assigned, 1, memory_order_relaxed);
    if (to == server)
        return begin(server, fd);
    if (hand_over(to, fd))
        return 0;
    sps_total_give(&to->assigned, 1);
    (void)atomic_fetch_add_explicit(&server->assigned, 1, memory_order_relaxed);
    return begin(server, fd);
}

/* ---- threads ---- */

static void run_part(void *data)
{
    sp_server *part = data;
    int result = 0;
    while (result == 0 && part->state != SPS_CLOSED && !atomic_load(&part->quit))
        result = spl_loop_run(part->loop);
    if (result != 0)
        spb_log(&part->env, SP_LOG_ERROR, "a loop thread ended: %s", sp_strerror(result));
    sps_server_abort(part);
}

int sps_parts_start(sp_server *server)
{
    sps_group *group = server->group;
    int result = 0;
    for (unsigned i = 1; i < group->count && result == 0; i++) {
        sp_server *part = group->servers[i];
        result = spl_thread_start(&part->thread, &part->env, run_part, part);
    }
    if (result != 0) {
        spb_log(&server->env, SP_LOG_ERROR, "starting loop threads: %s", sp_strerror(result));
        sps_parts_end(server);
        return result;
    }
    for (unsigned i = 1; i < group->count; i++)
        atomic_store_explicit(&group->servers[i]->serving, true, memory_order_relaxed);
    return 0;
}

void sps_parts_end(sp_server *server)
{
    const sps_group *group = server->group;
    for (unsigned i = 1; i < group->count; i++) {
        sp_server *part = group->servers[i];
        atomic_store(&part->quit, true);
        if (part->thread != NULL)
            spl_queue_wake(part->queue);
    }
    for (unsigned i = 1; i < group->count; i++) {
        spl_thread_join(group->servers[i]->thread);
        group->servers[i]->thread = NULL;
    }
}

/* ---- a call in every thread ---- */

typedef struct call_everywhere {
    spl_post post;
    sp_server *server;
    void (*function)(sp_server *server, void *data);
    void *data;
} call_everywhere;

static void call(spl_post *post)
{
    call_everywhere *c = SPB_CONTAINER(post, call_everywhere, post);
    sp_server *server = c->server;
    void (*function)(sp_server * server, void *data) = c->function;
    void *data = c->data;
    spb_free(&server->env, c);
    function(server, data);
}

int sp_server_post_all(sp_server *server, void (*function)(sp_server *server, void *data),
                       void *data)
{
    const sps_group *group = server->group;
    call_everywhere *calls[SPS_LOOP_THREADS_MAX];
    unsigned made = 0;
    for (; made < group->count; made++) {
        calls[made] = spb_calloc(&server->env, 1, sizeof *calls[made]);
        if (calls[made] == NULL)
            break;
        calls[made]->post.run = call;
        calls[made]->server = group->servers[made];
        calls[made]->function = function;
        calls[made]->data = data;
    }
    int result = made == group->count ? 0 : SP_ENOMEM;
    for (unsigned i = 0; i < made; i++) {
        if (result == 0)
            result = spl_queue_post(group->servers[i]->queue, &calls[i]->post);
        if (result != 0)
            spb_free(&server->env, calls[i]);
    }
    return result;
}
