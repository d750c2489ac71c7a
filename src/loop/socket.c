/* Sockets: listening, accepting, and addresses in a small form of their own. */
#include "loop/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
} any_address;

/* ---- addresses ---- */

static bool parse_address(const char *text, uint16_t port, any_address *out, socklen_t *length)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *length = sizeof out->v4;
        return true;
    }
    char host[SPL_HOST_SIZE];
    const char *scope = strchr(text, '%');
    size_t host_length = scope != NULL ? (size_t)(scope - text) : strlen(text);
    if (host_length >= sizeof host)
        return false;
    memcpy(host, text, host_length);
    host[host_length] = '\0';
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) != 1)
        return false;
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    if (scope != NULL) {
        out->v6.sin6_scope_id = if_nametoindex(scope + 1);
        if (out->v6.sin6_scope_id == 0)
            return false;
    }
    *length = sizeof out->v6;
    return true;
}

static void small_address(const any_address *from, spl_address *to)
{
    static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memset(to, 0, sizeof *to);
    if (from->any.sa_family == AF_INET) {
        to->kind = 4;
        to->port = ntohs(from->v4.sin_port);
        memcpy(to->bytes, &from->v4.sin_addr, 4);
    } else if (from->any.sa_family == AF_INET6) {
        const uint8_t *bytes = from->v6.sin6_addr.s6_addr;
        to->port = ntohs(from->v6.sin6_port);
        if (memcmp(bytes, v4_mapped, sizeof v4_mapped) == 0) {
            to->kind = 4;
            memcpy(to->bytes, bytes + 12, 4);
        } else {
            to->kind = 6;
            to->scope = from->v6.sin6_scope_id;
            memcpy(to->bytes, bytes, 16);
        }
    }
}

void spl_socket_address(const struct sockaddr *from, size_t length, spl_address *address)
{
    any_address any = {0};
    if (length <= sizeof any)
        memcpy(&any, from, length);
    small_address(&any, address);
}

bool spl_address_is(const char *text)
{
    any_address any;
    socklen_t length;
    return parse_address(text, 0, &any, &length);
}

void spl_peer_address(int fd, spl_address *address)
{
    any_address any = {0};
    socklen_t length = sizeof any;
    if (getpeername(fd, &any.any, &length) != 0)
        any.any.sa_family = AF_UNSPEC;
    small_address(&any, address);
}

void spl_local_address(int fd, spl_address *address)
{
    any_address any = {0};
    socklen_t length = sizeof any;
    if (getsockname(fd, &any.any, &length) != 0)
        any.any.sa_family = AF_UNSPEC;
    small_address(&any, address);
}

bool spl_address_host(const spl_address *address, char *host, size_t size)
{
    if (size > 0)
        host[0] = '\0';
    if (address->kind != 4 && address->kind != 6)
        return false;
    int family = address->kind == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, address->bytes, host, (socklen_t)size) == NULL)
        return false;
    if (address->scope != 0) {
        char name[IF_NAMESIZE];
        size_t used = strlen(host);
        if (if_indextoname(address->scope, name) != NULL && used + 2 + strlen(name) <= size)
            snprintf(host + used, size - used, "%%%s", name);
    }
    return true;
}

bool spl_address_text(const spl_address *address, char *out, size_t size)
{
    char host[SPL_HOST_SIZE];
    if (!spl_address_host(address, host, sizeof host))
        return false;
    const char *format = address->kind == 6 ? "[%s]:%u" : "%s:%u";
    int length = snprintf(out, size, format, host, (unsigned)address->port);
    return length > 0 && (size_t)length < size;
}

/* ---- listening ---- */

static int listen_on(const any_address *any, socklen_t length, bool both, unsigned backlog,
                     int *out)
{
    int fd = socket(any->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return spl_error(errno);
    int on = 1;
    int v6_only = both ? 0 : 1;
    int result = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (any->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) != 0) ||
        bind(fd, &any->any, length) != 0 || listen(fd, (int)backlog) != 0)
        result = spl_error(errno);
    if (result != 0)
        close(fd);
    else
        *out = fd;
    return result;
}

int spl_listen(const char *address, uint16_t port, unsigned backlog, int *fd)
{
    any_address any;
    socklen_t length = 0;
    if (address != NULL && address[0] != '\0') {
        if (!parse_address(address, port, &any, &length))
            return SP_EINVAL;
        return listen_on(&any, length, false, backlog, fd);
    }
    if (parse_address("::", port, &any, &length)) {
        int result = listen_on(&any, length, true, backlog, fd);
        if (result != SP_EINVAL)
            return result;
    }
    /* A system without IPv6. */
    if (!parse_address("0.0.0.0", port, &any, &length))
        return SP_EINVAL;
    return listen_on(&any, length, false, backlog, fd);
}

int spl_accept(int listener, int *out)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            *out = fd;
            return 0;
        }
        switch (errno) {
        /* The connection in question died before it was accepted; accept(2) names these. */
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case EPERM:
            continue;
        default:
            return spl_error(errno);
        }
    }
}

int spl_socket_prepare(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return spl_error(errno);
    if (type != SOCK_STREAM)
        return SP_EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return spl_error(errno);
    return 0;
}

void spl_socket_no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on UNIX sockets */
}

void spl_socket_end_output(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}
