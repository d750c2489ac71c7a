/* Listeners, and what may come in: the limits on connections are kept here. */
#include "server/server.h"

#include <stdio.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define RETRY_MS 100u

typedef struct listener {
    spb_link link;
    sp_server *server;
    spl_watch *watch;
    spl_timer *retry; /* runs while descriptors or memory are short */
    spl_address address;
} listener;

static bool full(const sp_server *server)
{
    return server->statistics.connections >= server->max_connections ||
           server->statistics.unauthenticated >= server->max_unauthenticated;
}

void sps_server_accept(sp_server *server, int fd)
{
    if (server->state != SPS_RUNNING || full(server)) {
        close(fd);
        server->statistics.refused++;
        if (server->log_limits)
            spb_log(&server->env, SP_LOG_ERROR,
                    "too many connections (%llu, %llu not logged in): "
                    "new ones are closed",
                    (unsigned long long)server->statistics.connections,
                    (unsigned long long)server->statistics.unauthenticated);
        server->log_limits = false;
        return;
    }
    server->log_limits = true;
    int result = sps_conn_start(server, fd);
    if (result != 0) {
        server->statistics.refused++;
        spb_log(&server->env, SP_LOG_ERROR, "a new connection could not be served: %s",
                sp_strerror(result));
    }
}

static void retry(void *data)
{
    listener *l = data;
    (void)spl_watch_set(l->watch, SPL_READABLE);
}

static void incoming(void *data, unsigned events)
{
    (void)events;
    listener *l = data;
    sp_server *server = l->server;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = -1;
        int result = spl_accept(spl_watch_fd(l->watch), &fd);
        if (result == SP_EAGAIN)
            return;
        if (result != 0) {
            /* Most likely descriptors are used up. The waiting connection stays in the backlog;
             * asking again at once would only spin. */
            if (server->log_limits)
                spb_log(&server->env, SP_LOG_ERROR, "accepting connections: %s; will try again",
                        sp_strerror(result));
            server->log_limits = false;
            (void)spl_watch_set(l->watch, 0);
            spl_timer_start(l->retry, RETRY_MS, 0);
            return;
        }
        sps_server_accept(server, fd);
        if (server->state != SPS_RUNNING)
            return; /* a handler has closed the server; the listener goes at this turn's end */
    }
}

/* Owns the descriptor, also on failure. */
static int add_listener(sp_server *server, int fd)
{
    listener *l = spb_calloc(&server->env, 1, sizeof *l);
    int result = l == NULL ? SP_ENOMEM : spl_timer_new(&l->retry, server->loop, retry, l);
    if (result == 0)
        result = spl_watch_new(&l->watch, server->loop, fd, incoming, l);
    if (result == 0)
        result = spl_watch_set(l->watch, SPL_READABLE);
    if (result == 0) {
        l->server = server;
        spl_local_address(fd, &l->address);
        spb_list_append(&server->listeners, &l->link);
        return 0;
    }
    if (l != NULL && l->watch != NULL)
        spl_watch_close(l->watch);
    else
        close(fd);
    if (l != NULL)
        spl_timer_close(l->retry);
    spb_free(&server->env, l);
    return result;
}

static void announce(const sp_server *server)
{
    const listener *l = SPB_CONTAINER(server->listeners.prev, listener, link);
    char text[SPL_HOST_SIZE + 8];
    if (spl_address_text(&l->address, text, sizeof text))
        spb_log(&server->env, SP_LOG_INFO, "listening on %s", text);
}

int sp_server_listen(sp_server *server, const char *address, uint16_t port)
{
    if (server->state != SPS_RUNNING)
        return SP_ECLOSED;
    int fd = -1;
    int result = spl_listen(address, port, server->backlog, &fd);
    if (result != 0)
        return result;
    result = add_listener(server, fd);
    if (result == 0)
        announce(server);
    return result;
}

int sp_server_listen_fd(sp_server *server, int fd)
{
    int result = server->state != SPS_RUNNING ? SP_ECLOSED : spl_socket_prepare(fd);
    if (result != 0) {
        close(fd);
        return result;
    }
    result = add_listener(server, fd);
    if (result == 0)
        announce(server);
    return result;
}

int sp_server_serve_fd(sp_server *server, int fd)
{
    int result = server->state != SPS_RUNNING ? SP_ECLOSED
                 : full(server)               ? SP_ELIMIT
                                              : spl_socket_prepare(fd);
    if (result != 0) {
        close(fd);
        return result;
    }
    return sps_conn_start(server, fd);
}

void sps_listeners_close(sp_server *server)
{
    while (!spb_list_empty(&server->listeners)) {
        listener *l = SPB_CONTAINER(server->listeners.next, listener, link);
        spb_list_remove(&l->link);
        spl_watch_close(l->watch);
        spl_timer_close(l->retry);
        spb_free(&server->env, l);
    }
}

static const listener *listener_at(const sp_server *server, size_t index)
{
    for (const spb_link *at = server->listeners.next; at != &server->listeners; at = at->next)
        if (index-- == 0)
            return SPB_CONTAINER(at, const listener, link);
    return NULL;
}

uint16_t sp_server_port(const sp_server *server, size_t index)
{
    const listener *l = listener_at(server, index);
    return l == NULL ? 0 : l->address.port;
}

bool sp_server_address(const sp_server *server, size_t index, char *out, size_t size)
{
    const listener *l = listener_at(server, index);
    return l != NULL && spl_address_text(&l->address, out, size);
}
