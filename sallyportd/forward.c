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

/* Every byte of these texts is the client's. */
static const char *clean(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < size; n++)
        out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out[n] = '\0';
    return out;
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    const login *l = sp_conn_data(conn);
    char dest[256];
    char orig[256];

    (void)clean(dest, sizeof dest, dest_host);
    (void)clean(orig, sizeof orig, orig_host);
    if (l == NULL || l->program->options->disable_forwarding ||
        (l->program->options->tcp_forwarding & FORWARD_LOCAL) == 0 ||
        !permit_allows(&l->program->options->permit_open, dest_host, dest_port)) {
        log_info("Received request from %s port %u to connect to host %s port %u, but the request "
                 "was denied.",
                 orig, (unsigned)orig_port, dest, (unsigned)dest_port);
        return refuse(open);
    }
    log_verbose("Connecting to host %s port %u for %s port %u, asked for by %s port %u", dest,
                (unsigned)dest_port, orig, (unsigned)orig_port, l->peer, (unsigned)l->peer_port);
    return SP_ACCEPT;
}

static sp_answer unix_connection_requested(sp_conn *conn, sp_open *open, const char *dest_path)
{
    const login *l = sp_conn_data(conn);
    char dest[256];

    (void)clean(dest, sizeof dest, dest_path);
    if (l == NULL || l->program->options->disable_forwarding ||
        (l->program->options->streamlocal_forwarding & FORWARD_LOCAL) == 0) {
        log_info("Received request to connect to path %s, but the request was denied.", dest);
        return refuse(open);
    }
    log_verbose("Connecting to path %s, asked for by %s port %u", dest, l->peer,
                (unsigned)l->peer_port);
    return SP_ACCEPT;
}

void forward_handlers(sp_server_handlers *handlers)
{
    handlers->connection_requested = connection_requested;
    handlers->unix_connection_requested = unix_connection_requested;
}
