/* forward.c: what AllowTcpForwarding, AllowStreamLocalForwarding, DisableForwarding, PermitOpen and
 * PermitListen let through. The library connects and listens, as the user that this server runs as,
 * and sees to what a key's own options forbid. */
#include "forward.h"

#include <string.h>

#include "log.h"
#include "login.h"
#include "permit.h"

static sp_answer refuse(sp_open *open)
{
    /* sshd's code and text for the case. */
    return sp_answered(sp_open_refuse(open, SP_OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed"));
}

/* Sockets of the file system would be outside a ChrootDirectory, which this process is not in. */
static bool sockets_allowed(const login *l, forward_choice direction)
{
    const options *o = l->options;

    return !o->disable_forwarding && o->chroot_directory == NULL &&
           (o->streamlocal_forwarding & (int)direction) != 0;
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    const login *l = sp_conn_data(conn);

    if (l == NULL || l->options->disable_forwarding ||
        (l->options->tcp_forwarding & FORWARD_LOCAL) == 0 ||
        !permit_allows(&l->options->permit_open, dest_host, dest_port)) {
        log_info("Received request from %.255s port %u to connect to host %.255s port %u, but the "
                 "request was denied.",
                 orig_host, (unsigned)orig_port, dest_host, (unsigned)dest_port);
        return refuse(open);
    }
    log_verbose("Connecting to host %.255s port %u for %.255s port %u, asked for by %s port %u",
                dest_host, (unsigned)dest_port, orig_host, (unsigned)orig_port, l->peer,
                (unsigned)l->peer_port);
    return SP_ACCEPT;
}

static sp_answer unix_connection_requested(sp_conn *conn, sp_open *open, const char *dest_path)
{
    const login *l = sp_conn_data(conn);

    if (l == NULL || !sockets_allowed(l, FORWARD_LOCAL)) {
        log_info("Received request to connect to path %.255s, but the request was denied.",
                 dest_path);
        return refuse(open);
    }
    log_verbose("Connecting to path %.255s, asked for by %s port %u", dest_path, l->peer,
                (unsigned)l->peer_port);
    return SP_ACCEPT;
}

/* ---- listening for the client ---------------------------------------------------------------- */

static sp_answer listen_for(sp_listen *listen, const options *o)
{
    const sp_listen_options how = {
        SP_LISTEN_OPTIONS_INIT,
        .gateway_ports = (sp_gateway)o->gateway_ports,
        .stream_local_bind_mask = o->bind_mask != 0 ? o->bind_mask : SP_BIND_MASK_NONE,
        .stream_local_bind_unlink = o->bind_unlink != 0,
    };

    return sp_answered(sp_listen_forward(listen, &how, NULL, NULL));
}

static sp_answer server_requested(sp_conn *conn, sp_listen *listen, const char *listen_host,
                                  uint16_t listen_port)
{
    const login *l = sp_conn_data(conn);

    if (l == NULL || l->options->disable_forwarding ||
        (l->options->tcp_forwarding & FORWARD_REMOTE) == 0 ||
        !permit_allows_listening(&l->options->permit_listen, listen_host, listen_port)) {
        log_info("Received request to remote forward to host %.255s port %u, but the request was "
                 "denied.",
                 listen_host, (unsigned)listen_port);
        return SP_REJECT;
    }
    return listen_for(listen, l->options);
}

static sp_answer unix_server_requested(sp_conn *conn, sp_listen *listen, const char *listen_path)
{
    const login *l = sp_conn_data(conn);

    if (l == NULL || !sockets_allowed(l, FORWARD_REMOTE)) {
        log_info("Received request to remote forward to path %.255s, but the request was denied.",
                 listen_path);
        return SP_REJECT;
    }
    return listen_for(listen, l->options);
}

void forward_handlers(sp_server_handlers *handlers)
{
    handlers->connection_requested = connection_requested;
    handlers->unix_connection_requested = unix_connection_requested;
    handlers->server_requested = server_requested;
    handlers->unix_server_requested = unix_server_requested;
}
