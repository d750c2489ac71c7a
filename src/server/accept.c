/* The library listens for a client: which addresses (as sshd's GatewayPorts has it), and a channel
 * with a relay for each connection that comes. The socket of a connection is not read before the
 * client has confirmed the channel. When the connection's channels are used up, one connection is
 * held, the others wait in the backlog, and both go on when there is room again. */
#include "server/listener.h"

#include <string.h>
#include <unistd.h>

#define MASK_DEFAULT 0177u
#define PORT_ATTEMPTS 16 /* to find a port that is free for both kinds of addresses */

/* ---- connections ---- */

static void describe(const sp_listener *listener, int fd, char *host, size_t size,
                     sp_open_request *what)
{
    *what = (sp_open_request){SP_OPEN_REQUEST_INIT};
    if (listener->path != NULL) {
        what->type = "forwarded-streamlocal@openssh.com";
        what->dest_path = listener->path;
        return;
    }
    spl_address peer;
    spl_peer_address(fd, &peer);
    what->type = "forwarded-tcpip";
    what->dest_host = listener->host;
    what->dest_port = listener->port;
    what->orig_port = peer.port;
    if (spl_address_host(&peer, host, size))
        what->orig_host = host;
}

static const sp_conn_error no_memory = {.error = SP_ENOMEM, .message = "out of memory"};

/* Owns the descriptor, but for SP_ELIMIT. */
static int serve(const sp_listener *listener, int fd)
{
    sp_conn *conn = listener->conn;
    sp_open_request what;
    char host[SPL_HOST_SIZE];
    uint32_t number;
    describe(listener, fd, host, sizeof host, &what);
    sp_engine *engine = sps_conn_engine(conn);
    int result = engine == NULL ? SP_ECONN : sp_engine_open_channel(engine, &what, NULL, &number);
    if (result != 0) {
        if (result != SP_ELIMIT)
            (void)close(fd);
        return result;
    }
    spl_socket_no_delay(fd);
    sps_conn_touch(conn);
    sp_channel *channel = sps_relay_new(conn->server, fd);
    if (channel == NULL)
        (void)sp_engine_abort_channel(engine, number);
    else if (sps_own_attach(conn, number, channel) != 0)
        sps_channel_lost(channel, &no_memory);
    return 0;
}

/* True: it went on. */
static bool serve_or_hold(sps_accept_socket *s, int fd)
{
    if (serve(s->listener, fd) != SP_ELIMIT)
        return true;
    s->held = fd;
    s->listener->conn->accept_waits = true;
    spl_acceptor_pause(s->acceptor);
    return false;
}

static bool accepted(void *data, int fd)
{
    return serve_or_hold(data, fd);
}

static void failed(void *data, int error)
{
    const sps_accept_socket *s = data;
    sp_server *server = s->listener->conn->server;
    if (server->log_limits)
        spb_log(&server->env, SP_LOG_ERROR,
                "accepting connections for a client: %s; will try again", sp_strerror(error));
    server->log_limits = false;
}

static const spl_acceptor_calls calls = {.accepted = accepted, .failed = failed};

static bool resume(sp_listener *listener)
{
    for (size_t i = 0; i < listener->socket_count; i++) {
        sps_accept_socket *s = &listener->sockets[i];
        int fd = s->held;
        if (fd < 0)
            continue;
        s->held = -1;
        if (!serve_or_hold(s, fd))
            return false;
        spl_acceptor_resume(s->acceptor);
    }
    return true;
}

void sps_listeners_resume(sp_conn *conn)
{
    conn->accept_waits = false;
    for (spb_link *at = conn->listeners.next; at != &conn->listeners; at = at->next) {
        if (!resume(SPB_CONTAINER(at, sp_listener, link))) {
            conn->accept_waits = true;
            return;
        }
    }
}

/* ---- sockets ---- */

/* Owns the descriptor, also on failure. */
static int add_socket(sp_listener *listener, int fd)
{
    sps_accept_socket *s = &listener->sockets[listener->socket_count];
    s->listener = listener;
    s->held = -1;
    int result = spl_acceptor_new(&s->acceptor, listener->conn->server->loop, fd, &calls, s);
    if (result != 0)
        (void)close(fd);
    else
        listener->socket_count++;
    return result;
}

static void close_sockets(sp_listener *listener)
{
    for (size_t i = 0; i < listener->socket_count; i++) {
        sps_accept_socket *s = &listener->sockets[i];
        spl_acceptor_close(s->acceptor);
        if (s->held >= 0)
            (void)close(s->held);
    }
    listener->socket_count = 0;
}

/* All of the addresses, with one port. What the system has no addresses of does not count, but a
 * port that somebody else has does: his would get some of the connections. */
static int listen_once(sp_listener *listener, const char *const *addresses, size_t count)
{
    uint16_t port = listener->port;
    int result = SP_EINVAL;
    for (size_t i = 0; i < count; i++) {
        int fd = -1;
        int this = spl_listen(addresses[i], port, listener->conn->server->backlog, &fd);
        if (this == SP_EINVAL && count > 1)
            continue;
        if (this == 0 && port == 0) {
            spl_address local;
            spl_local_address(fd, &local);
            port = local.port;
        }
        result = this == 0 ? add_socket(listener, fd) : this;
        if (result != 0)
            break;
    }
    if (result == 0)
        listener->port = port;
    else
        close_sockets(listener);
    return result;
}

static int listen_tcp(sp_listener *listener, const char *const *addresses, size_t count)
{
    int attempts = listener->port == 0 ? PORT_ATTEMPTS : 1;
    int result = SP_EADDRINUSE;
    while (attempts-- > 0 && result == SP_EADDRINUSE)
        result = listen_once(listener, addresses, count);
    return result;
}

static int listen_path(sp_listener *listener)
{
    unsigned mask = listener->options.stream_local_bind_mask;
    int fd = -1;
    int result = spl_listen_unix(listener->path, 0777u & ~(mask != 0 ? mask : MASK_DEFAULT),
                                 listener->options.stream_local_bind_unlink,
                                 listener->conn->server->backlog, &fd, &listener->file);
    if (result != 0)
        return result;
    listener->has_file = true;
    return add_socket(listener, fd);
}

/* ---- which addresses ---- */

static void resolved(void *data, const spl_address *addresses, size_t count, const char *reason)
{
    sp_listener *listener = data;
    char texts[SPL_RESOLVED_MAX][SPL_HOST_SIZE];
    const char *pointers[SPL_RESOLVED_MAX];
    listener->resolve = NULL;
    for (size_t i = 0; i < count; i++) {
        (void)spl_address_host(&addresses[i], texts[i], sizeof texts[i]);
        pointers[i] = texts[i];
    }
    int result = count == 0 ? SP_ENOENT : listen_tcp(listener, pointers, count);
    sps_listener_begun(listener, result, reason);
}

static bool is(const sp_listener *listener, const char *host)
{
    return strcmp(listener->host, host) == 0;
}

static int start_tcp(sp_listener *listener)
{
    static const char *const all[] = {""};
    static const char *const local[] = {"127.0.0.1", "::1"};
    const char *const asked[] = {listener->host};
    sp_gateway gateway = listener->options.gateway_ports;
    bool chosen = gateway == SP_GATEWAY_CLIENT_SPECIFIED;
    if (gateway == SP_GATEWAY_YES || (chosen && (is(listener, "") || is(listener, "*"))))
        return listen_tcp(listener, all, 1);
    if (is(listener, local[0]) || is(listener, local[1]))
        return listen_tcp(listener, asked, 1);
    if (!chosen || is(listener, "localhost"))
        return listen_tcp(listener, local, 2);
    if (spl_address_is(listener->host))
        return listen_tcp(listener, asked, 1);
    int result = spl_resolve_host(&listener->resolve, listener->conn->server->loop, listener->host,
                                  resolved, listener);
    return result == 0 ? 1 : result;
}

int sps_accept_start(sp_listener *listener)
{
    return listener->path != NULL ? listen_path(listener) : start_tcp(listener);
}

void sps_accept_end(sp_listener *listener)
{
    spl_resolve_cancel(listener->resolve);
    listener->resolve = NULL;
    close_sockets(listener);
    if (listener->has_file)
        spl_unlisten_unix(listener->path, &listener->file);
    listener->has_file = false;
}
