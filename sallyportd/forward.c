/* forward.c: what AllowTcpForwarding, AllowStreamLocalForwarding, DisableForwarding and PermitOpen
 * let through. Connections are made by the library, as the user that this server runs as. */
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

    if (l == NULL || l->options->disable_forwarding ||
        (l->options->streamlocal_forwarding & FORWARD_LOCAL) == 0) {
        log_info("Received request to connect to path %.255s, but the request was denied.",
                 dest_path);
        return refuse(open);
    }
    log_verbose("Connecting to path %.255s, asked for by %s port %u", dest_path, l->peer,
                (unsigned)l->peer_port);
    return SP_ACCEPT;
}

void forward_handlers(sp_server_handlers *handlers)
{
    handlers->connection_requested = connection_requested;
    handlers->unix_connection_requested = unix_connection_requested;
}
