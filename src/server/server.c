/* Making and freeing a server, its statistics, and what all files here share. */
#include "server/server.h"

#include <stdio.h>
#include <string.h>

#define BACKLOG 128u
#define CONNECTIONS_MAX 10000u
#define UNAUTHENTICATED_MAX 1000u
#define LISTENERS_MAX 64u
#define DISPLAY_OFFSET 10u
#define DISPLAYS_MAX 1000u
#define X11_SETUP_MS 10000u
#define FIBERS_MAX 10000u
#define STACKS_KEPT 64u

bool sps_copy_sized(void *to, size_t to_size, const void *from)
{
    size_t size;
    memcpy(&size, from, sizeof size); /* the first member of every such struct */
    if (size < sizeof size)
        return false;
    if (size > to_size)
        size = to_size;
    memcpy(to, from, size);
    memcpy(to, &to_size, sizeof to_size);
    return true;
}

static int fail(char *reason, size_t size, int error, const char *text)
{
    if (reason != NULL && size > 0)
        snprintf(reason, size, "%s", text != NULL ? text : sp_strerror(error));
    return error;
}

/* Its own loop and what goes with it. */
static int equip(sp_server *server, const sp_server_options *options, char *reason,
                 size_t reason_size)
{
    int result = spl_fiber_pool_new(&server->fiber_pool, &server->env, options->direct_stack_size,
                                    STACKS_KEPT);
    if (result == SP_EINVAL)
        return fail(reason, reason_size, result, "direct_stack_size is out of range");
    if (result == 0)
        result = sp_pool_new(&server->pool, server->config);
    if (result == 0)
        result = spl_loop_new(&server->loop, &server->env, options->loop);
    if (result != 0)
        return fail(reason, reason_size, result, NULL);
    server->queue = spl_queue_ref(spl_loop_queue(server->loop));
    spl_loop_on_wake(server->loop, sps_server_woken, server);
    return 0;
}

static void free_loop(sp_server *server)
{
    spl_loop_free(server->loop);
    server->loop = NULL;
}

static void free_one(sp_server *server)
{
    if (server->queue != NULL)
        spl_queue_unref(server->queue);
    spl_fiber_pool_free(server->fiber_pool);
    if (server->pool != NULL)
        sp_pool_free(server->pool);
    if (server->config != NULL)
        sp_config_unref(server->config);
    sp_authorized_keys_free(server->authorized);
    sp_revoked_keys_unref(server->revoked);
    spb_env env = server->env;
    spb_free(&env, server->lending.directory);
    spb_free(&env, server);
}

static int read_lending(sp_server *server, const sp_server_options *options, char *reason,
                        size_t reason_size)
{
    sps_lending *l = &server->lending;
    const char *directory =
        options->lending_directory != NULL ? options->lending_directory : "/tmp";
    l->directory = spb_strdup(&server->env, directory);
    l->x11_display_offset =
        options->x11_display_offset != 0 ? options->x11_display_offset : DISPLAY_OFFSET;
    l->x11_max_displays = options->x11_max_displays != 0 ? options->x11_max_displays : DISPLAYS_MAX;
    l->x11_setup_timeout_ms =
        options->x11_setup_timeout_ms != 0 ? options->x11_setup_timeout_ms : X11_SETUP_MS;
    l->x11_all_addresses = options->x11_all_addresses;
    return l->directory == NULL ? fail(reason, reason_size, SP_ENOMEM, NULL) : 0;
}

static void init_lists(sp_server *server)
{
    spb_list_init(&server->listeners);
    spb_list_init(&server->conns);
    spb_list_init(&server->timers);
    spb_list_init(&server->processes);
    spb_list_init(&server->relays);
    spb_list_init(&server->waiters);
    spb_list_init(&server->directs);
    spb_list_init(&server->takers);
}

static void read_limits(sp_server *server, const sp_server_options *options)
{
    server->no_delay = !options->tcp_no_delay_off;
    server->log_limits = true;
    server->backlog = options->backlog != 0 ? options->backlog : BACKLOG;
    server->max_connections =
        options->max_connections != 0 ? options->max_connections : CONNECTIONS_MAX;
    server->max_unauthenticated =
        options->max_unauthenticated != 0 ? options->max_unauthenticated : UNAUTHENTICATED_MAX;
    server->max_listeners = options->max_listeners != 0 ? options->max_listeners : LISTENERS_MAX;
    server->listening =
        (sp_listen_options){SP_LISTEN_OPTIONS_INIT, options->gateway_ports,
                            options->stream_local_bind_mask, options->stream_local_bind_unlink};
    server->max_fibers = options->max_fibers != 0 ? options->max_fibers : FIBERS_MAX;
}

/* The next of the group's servers. What fails is on the group's list all the same. */
static int add_server(sps_group *group, unsigned index, const sp_server_options *options,
                      const spb_env *env, sp_config *config, char *reason, size_t reason_size)
{
    sp_server *server = spb_calloc(env, 1, sizeof *server);
    if (server == NULL)
        return fail(reason, reason_size, SP_ENOMEM, NULL);
    group->servers[index] = server;
    server->env = *env;
    server->group = group;
    server->index = index;
    server->own_loop = options->loop == NULL;
    server->config = sp_config_ref(config);
    init_lists(server);
    read_limits(server, options);
    if (options->authorized_client_keys != NULL)
        server->authorized = sp_authorized_keys_ref(options->authorized_client_keys);
    if (options->revoked_keys != NULL)
        server->revoked = sp_revoked_keys_ref(options->revoked_keys);
    atomic_init(&server->stop_asked, false);
    atomic_init(&server->quit, false);
    atomic_init(&server->serving, index == 0);
    int result = read_lending(server, options, reason, reason_size);
    return result == 0 ? equip(server, options, reason, reason_size) : result;
}

/* Loops first, the main server's last: what runs at their end may still post, and finds a closed
 * queue where the loop is gone. */
static void free_group(sps_group *group, const spb_env *env)
{
    for (unsigned i = group->count; i-- > 0;)
        if (group->servers[i] != NULL)
            free_loop(group->servers[i]);
    for (unsigned i = group->count; i-- > 0;)
        if (group->servers[i] != NULL)
            free_one(group->servers[i]);
    spb_free(env, group);
}

static int make_group(sps_group **out, const sp_server_options *options, const spb_env *env,
                      char *reason, size_t reason_size)
{
    unsigned count = options->loop_threads != 0 ? options->loop_threads : 1;
    const char *directory = options->lending_directory;
    if (directory != NULL && (directory[0] != '/' || strlen(directory) > SPS_LENDING_DIRECTORY_MAX))
        return fail(reason, reason_size, SP_EINVAL,
                    "the lending directory needs an absolute path, and a short one");
    if (count > SPS_LOOP_THREADS_MAX)
        return fail(reason, reason_size, SP_EINVAL, "too many loop threads");
    if (count > 1 && options->loop != NULL)
        return fail(reason, reason_size, SP_EINVAL,
                    "several loop threads need loops of the server's own");
    sp_config *config = NULL;
    int result = sp_config_new(&config, &options->protocol, reason, reason_size);
    if (result != 0)
        return result;
    sps_group *group = sps_group_new(env, count);
    if (group == NULL)
        result = fail(reason, reason_size, SP_ENOMEM, NULL);
    for (unsigned i = 0; i < count && result == 0; i++)
        result = add_server(group, i, options, env, config, reason, reason_size);
    sp_config_unref(config);
    if (result == 0)
        *out = group;
    else if (group != NULL)
        free_group(group, env);
    return result;
}

int sp_server_new(sp_server **out, const sp_server_options *options,
                  const sp_server_handlers *handlers, void *data, char *reason, size_t reason_size)
{
    *out = NULL;
    sp_server_options copy;
    memset(&copy, 0, sizeof copy);
    if (options == NULL || handlers == NULL || handlers->size == 0 ||
        !sps_copy_sized(&copy, sizeof copy, options))
        return fail(reason, reason_size, SP_EINVAL, "options and handlers need their initialisers");
    copy.protocol.compute_elsewhere = true;
    spb_env env;
    spb_env_init(&env, &copy.protocol.allocator);
    env.log = copy.protocol.log;
    env.log_ctx = copy.protocol.log_ctx;
    env.log_level = copy.protocol.log_level;
    sps_group *group = NULL;
    int result = make_group(&group, &copy, &env, reason, reason_size);
    if (result != 0)
        return result;
    for (unsigned i = 0; i < group->count; i++) {
        group->servers[i]->data = data;
        (void)sps_copy_sized(&group->servers[i]->handlers, sizeof *handlers, handlers);
    }
    *out = group->servers[0];
    return 0;
}

static void end_one(sp_server *server)
{
    sps_server_abort(server);
    sps_processes_forget(server);
    sps_relays_forget(server);
    sps_timers_stop(server, true);
    spl_timer_close(server->drain_timer);
    sps_waiters_call(&server->env, &server->waiters);
    spl_task_cancel(&server->task);
}

void sp_server_free(sp_server *server)
{
    if (server == NULL || sps_is_part(server))
        return;
    sps_parts_end(server);
    sps_group *group = server->group;
    spb_env env = server->env;
    atomic_store(&group->closing, true);
    for (unsigned i = group->count; i-- > 0;)
        end_one(group->servers[i]);
    free_group(group, &env);
}

void *sp_server_data(const sp_server *server)
{
    return server->data;
}

/* Visiting may close the connection at hand, so the next one is held meanwhile. */
void sp_server_each_conn(sp_server *server, void (*visit)(sp_conn *conn, void *data), void *data)
{
    spb_link *at = server->conns.next;
    while (at != &server->conns) {
        sp_conn *conn = SPB_CONTAINER(at, sp_conn, link);
        sp_conn *next = at->next == &server->conns ? NULL : SPB_CONTAINER(at->next, sp_conn, link);
        if (next != NULL)
            sp_conn_ref(next);
        visit(conn, data);
        at = next == NULL || !spb_list_linked(&next->link) ? &server->conns : &next->link;
        if (next != NULL)
            sp_conn_unref(next);
    }
}

/* ---- waiting for an end ---- */

int sps_wait(const spb_env *env, spb_link *waiters, void (*closed)(void *data), void *data)
{
    sps_waiter *waiter = spb_calloc(env, 1, sizeof *waiter);
    if (waiter == NULL)
        return SP_ENOMEM;
    waiter->closed = closed;
    waiter->data = data;
    spb_list_append(waiters, &waiter->link);
    return 0;
}

void sps_waiters_call(const spb_env *env, spb_link *waiters)
{
    while (!spb_list_empty(waiters)) {
        sps_waiter *waiter = SPB_CONTAINER(waiters->next, sps_waiter, link);
        spb_list_remove(&waiter->link);
        void (*closed)(void *data) = waiter->closed;
        void *data = waiter->data;
        spb_free(env, waiter);
        closed(data);
    }
}
