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

static int start_parts(sp_server *server, const sp_server_options *options, char *reason,
                       size_t reason_size)
{
    int result = sp_config_new(&server->config, &options->protocol, reason, reason_size);
    if (result != 0)
        return result;
    result = spl_fiber_pool_new(&server->fiber_pool, &server->env, options->direct_stack_size,
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

static void free_parts(sp_server *server)
{
    if (server->loop != NULL) {
        spl_loop_free(server->loop);
        spl_queue_unref(server->queue);
    }
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
    if (directory[0] != '/' || strlen(directory) > SPS_LENDING_DIRECTORY_MAX)
        return fail(reason, reason_size, SP_EINVAL,
                    "the lending directory needs an absolute path, and a short one");
    l->directory = spb_strdup(&server->env, directory);
    l->x11_display_offset =
        options->x11_display_offset != 0 ? options->x11_display_offset : DISPLAY_OFFSET;
    l->x11_max_displays = options->x11_max_displays != 0 ? options->x11_max_displays : DISPLAYS_MAX;
    l->x11_setup_timeout_ms =
        options->x11_setup_timeout_ms != 0 ? options->x11_setup_timeout_ms : X11_SETUP_MS;
    l->x11_all_addresses = options->x11_all_addresses;
    return l->directory == NULL ? fail(reason, reason_size, SP_ENOMEM, NULL) : 0;
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
    spb_env env;
    spb_env_init(&env, &copy.protocol.allocator);
    env.log = copy.protocol.log;
    env.log_ctx = copy.protocol.log_ctx;
    env.log_level = copy.protocol.log_level;
    sp_server *server = spb_calloc(&env, 1, sizeof *server);
    if (server == NULL)
        return fail(reason, reason_size, SP_ENOMEM, NULL);
    server->env = env;
    server->data = data;
    (void)sps_copy_sized(&server->handlers, sizeof server->handlers, handlers);
    server->own_loop = copy.loop == NULL;
    server->no_delay = !copy.tcp_no_delay_off;
    server->log_limits = true;
    server->backlog = copy.backlog != 0 ? copy.backlog : BACKLOG;
    server->max_connections = copy.max_connections != 0 ? copy.max_connections : CONNECTIONS_MAX;
    server->max_unauthenticated =
        copy.max_unauthenticated != 0 ? copy.max_unauthenticated : UNAUTHENTICATED_MAX;
    server->max_listeners = copy.max_listeners != 0 ? copy.max_listeners : LISTENERS_MAX;
    server->listening =
        (sp_listen_options){SP_LISTEN_OPTIONS_INIT, copy.gateway_ports, copy.stream_local_bind_mask,
                            copy.stream_local_bind_unlink};
    if (copy.authorized_client_keys != NULL)
        server->authorized = sp_authorized_keys_ref(copy.authorized_client_keys);
    if (copy.revoked_keys != NULL)
        server->revoked = sp_revoked_keys_ref(copy.revoked_keys);
    server->max_fibers = copy.max_fibers != 0 ? copy.max_fibers : FIBERS_MAX;
    atomic_init(&server->stop_asked, false);
    spb_list_init(&server->listeners);
    spb_list_init(&server->conns);
    spb_list_init(&server->timers);
    spb_list_init(&server->processes);
    spb_list_init(&server->relays);
    spb_list_init(&server->waiters);
    spb_list_init(&server->directs);
    spb_list_init(&server->takers);
    int result = read_lending(server, &copy, reason, reason_size);
    if (result == 0)
        result = start_parts(server, &copy, reason, reason_size);
    if (result != 0) {
        free_parts(server);
        return result;
    }
    *out = server;
    return 0;
}

void sp_server_free(sp_server *server)
{
    if (server == NULL)
        return;
    server->state = server->state == SPS_RUNNING ? SPS_CLOSING : server->state;
    sps_listeners_close(server);
    while (!spb_list_empty(&server->conns))
        sps_conn_drop(SPB_CONTAINER(server->conns.next, sp_conn, link));
    sps_directs_end(server);
    sps_takers_end(server);
    sps_processes_forget(server);
    sps_relays_forget(server);
    sps_timers_stop(server, true);
    spl_timer_close(server->drain_timer);
    server->state = SPS_CLOSED;
    sps_waiters_call(&server->env, &server->waiters);
    spl_task_cancel(&server->task);
    free_parts(server);
}

void *sp_server_data(const sp_server *server)
{
    return server->data;
}

void sp_server_get_statistics(const sp_server *server, sp_server_statistics *out)
{
    *out = server->statistics;
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
