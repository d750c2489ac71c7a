/* listen.c: resolves and binds the addresses before the server's loop exists, so that every reason
 * for failure can be told in the system's own words and before the program detaches. */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define BACKLOG 128

/* Accepted sockets inherit SO_KEEPALIVE from the listening one. */
static int bind_socket(const struct addrinfo *address, const options *o)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (o->tcp_keepalive && setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0) ||
        (address->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void note_bound(listener *item)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char port[NI_MAXSERV];

    if (getsockname(item->fd, (struct sockaddr *)&bound, &length) == 0 &&
        getnameinfo((struct sockaddr *)&bound, length, item->host, sizeof item->host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        item->port = (uint16_t)strtoul(port, NULL, 10);
}

static void open_one(listeners *l, const options *o, const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_family = o->family,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];

    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int error = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, service, &hints, &found);
    if (error != 0) {
        log_error("Address %s: %s", host,
                  error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = found; at != NULL && l->count < SOCKETS_MAX;
         at = at->ai_next) {
        listener *item = &l->items[l->count];
        memset(item, 0, sizeof *item);
        item->fd = bind_socket(at, o);
        if (item->fd < 0) {
            log_error("Bind to port %u on %s failed: %s", (unsigned)port, host, strerror(errno));
            continue;
        }
        note_bound(item);
        l->count++;
    }
    freeaddrinfo(found);
}

int listeners_open(listeners *l, const options *o)
{
    l->count = 0;
    for (size_t i = 0; i < o->listen_count; i++) {
        const listen_address *address = &o->listen[i];
        if (!address->any_port)
            open_one(l, o, address->host, address->port);
        for (size_t p = 0; address->any_port && p < o->port_count; p++)
            open_one(l, o, address->host, o->ports[p]);
    }
    for (size_t p = 0; o->listen_count == 0 && p < o->port_count; p++)
        open_one(l, o, o->family == AF_INET6 ? "::1" : "127.0.0.1", o->ports[p]);
    if (l->count == 0)
        log_error("No address could be bound");
    return l->count > 0 ? 0 : -1;
}

void listeners_close(listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].fd >= 0)
            close(l->items[i].fd);
    l->count = 0;
}
