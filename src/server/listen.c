/* Listeners, and what may come in: the limits on connections are kept here. */
#include "loop/accept.h"
#include "server/server.h"

#include <stdio.h>
#include <unistd.h>

typedef struct listener {
    spb_link link;
    sp_server *server;
    spl_acceptor *acceptor;
    spl_address address;
} listener;

void sps_server_accept(sp_server *server, int fd)
{
    if (!sps_server_takes(server)) {
        close(fd);
        return;
    }
    if (!sps_place_take(server)) {
        close(fd);
        sps_count(&server->counters.refused, 1);
        if (server->log_limits)
            spb_log(&server->env, SP_LOG_ERROR,
                    "too many connections (%llu, %llu not logged in): "
                    "new ones are closed",
                    (unsigned long long)sps_total_now(&server->group->connections),
                    (unsigned long long)sps_total_now(&server->group->unauthenticated));
        server->log_limits = false;
        return;
    }
    server->log_limits = true;
    int result = sps_place_fill(server, fd);
    if (result != 0) {
        sps_count(&server->counters.refused, 1);
        spb_log(&server->env, SP_LOG_ERROR, "a new connection could not be served: %s",
                sp_strerror(result));
    }
}

static bool accepted(void *data, int fd)
{
    listener *l = data;
    sp_server *server = l->server;
    sps_server_accept(server, fd);
    /* A handler may have closed the server; the listener goes at this turn's end. */
    return sps_server_takes(server);
}

static void failed(void *data, int error)
{
    listener *l = data;
    sp_server *server = l->server;
    if (server->log_limits)
        spb_log(&server->env, SP_LOG_ERROR, "accepting connections: %s; will try again",
                sp_strerror(error));
    server->log_limits = false;
}

static const spl_acceptor_calls calls = {.accepted = accepted, .failed = failed};

/* Owns the descriptor, also on failure. */
static int add_listener(sp_server *server, int fd)
{
    listener *l = spb_calloc(&server->env, 1, sizeof *l);
    int result =
        l == NULL ? SP_ENOMEM : spl_acceptor_new(&l->acceptor, server->loop, fd, &calls, l);
    if (result != 0) {
        close(fd);
        spb_free(&server->env, l);
        return result;
    }
    l->server = server;
    spl_local_address(fd, &l->address);
    spb_list_append(&server->listeners, &l->link);
    return 0;
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
    if (!sps_server_takes(server))
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
    int result = sps_server_takes(server) ? spl_socket_prepare(fd) : SP_ECLOSED;
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
    int result = sps_server_takes(server) ? spl_socket_prepare(fd) : SP_ECLOSED;
    if (result == 0 && !sps_place_take(server))
        result = SP_ELIMIT;
    if (result != 0) {
        close(fd);
        return result;
    }
    return sps_place_fill(server, fd);
}

void sps_listeners_close(sp_server *server)
{
    while (!spb_list_empty(&server->listeners)) {
        listener *l = SPB_CONTAINER(server->listeners.next, listener, link);
        spb_list_remove(&l->link);
        spl_acceptor_close(l->acceptor);
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
