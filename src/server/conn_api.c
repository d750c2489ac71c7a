/* The calls of <sallyport/server.h> on a connection. */
#include "server/server.h"

#include <stdio.h>
#include <string.h>

void *sp_conn_data(const sp_conn *conn)
{
    return conn->data;
}

void sp_conn_set_data(sp_conn *conn, void *data)
{
    conn->data = data;
}

sp_server *sp_conn_server(const sp_conn *conn)
{
    return conn->server;
}

sp_conn *sp_conn_ref(sp_conn *conn)
{
    conn->refs++;
    return conn;
}

void sp_conn_unref(sp_conn *conn)
{
    if (conn == NULL || --conn->refs > 0)
        return;
    spl_queue *queue = conn->queue;
    spb_free(spl_queue_env(queue), conn);
    spl_queue_unref(queue);
}

uint64_t sp_conn_id(const sp_conn *conn)
{
    return conn->id;
}

/* ---- what is known: also in connection_lost, while the engine is still there ---- */

const char *sp_conn_username(const sp_conn *conn)
{
    return conn->engine == NULL ? NULL : sp_engine_username(conn->engine);
}

bool sp_conn_authenticated(const sp_conn *conn)
{
    return conn->engine != NULL && sp_engine_authenticated(conn->engine);
}

unsigned sp_conn_methods_done(const sp_conn *conn)
{
    return conn->engine == NULL ? 0 : sp_engine_methods_done(conn->engine);
}

static bool address_of(const spl_address *address, char *host, size_t size, uint16_t *port)
{
    if (port != NULL)
        *port = address->port;
    return spl_address_host(address, host, size);
}

bool sp_conn_peer_address(const sp_conn *conn, char *host, size_t size, uint16_t *port)
{
    return address_of(&conn->peer, host, size, port);
}

bool sp_conn_local_address(const sp_conn *conn, char *host, size_t size, uint16_t *port)
{
    return address_of(&conn->local, host, size, port);
}

const char *sp_conn_client_version(const sp_conn *conn)
{
    return conn->engine == NULL ? NULL : sp_engine_peer_version(conn->engine);
}

const char *sp_conn_server_version(const sp_conn *conn)
{
    return conn->engine == NULL ? NULL : sp_engine_version(conn->engine);
}

int sp_conn_algorithms(const sp_conn *conn, sp_algorithms *out)
{
    return conn->engine == NULL ? SP_ECONN : sp_engine_algorithms(conn->engine, out);
}

static const char *address_info(sp_conn *conn, const spl_address *address)
{
    sp_server *server = conn->server;
    if (server == NULL || !spl_address_text(address, server->extra_info, sizeof server->extra_info))
        return NULL;
    return server->extra_info;
}

const char *sp_conn_get_extra_info(sp_conn *conn, const char *name)
{
    if (strcmp(name, "username") == 0)
        return sp_conn_username(conn);
    if (strcmp(name, "client_version") == 0)
        return sp_conn_client_version(conn);
    if (strcmp(name, "server_version") == 0)
        return sp_conn_server_version(conn);
    if (strcmp(name, "peername") == 0)
        return address_info(conn, &conn->peer);
    if (strcmp(name, "sockname") == 0)
        return address_info(conn, &conn->local);
    sp_algorithms used;
    if (sp_conn_algorithms(conn, &used) != 0)
        return NULL;
    const struct {
        const char *name;
        const char *value;
    } table[] = {
        {"kex", used.kex},
        {"server_host_key_alg", used.host_key},
        {"send_cipher", used.cipher_out},
        {"recv_cipher", used.cipher_in},
        {"send_mac", used.mac_out},
        {"recv_mac", used.mac_in},
        {"send_compression", used.compression_out},
        {"recv_compression", used.compression_in},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].value;
    return NULL;
}

/* ---- keys and certificates ---- */

int sp_conn_set_authorized_keys(sp_conn *conn, const sp_authorized_keys *list)
{
    sp_engine *engine = sps_conn_engine(conn);
    if (engine == NULL)
        return SP_ECONN;
    sp_engine_set_authorized_keys(engine, list);
    return 0;
}

int sp_conn_set_signature_algorithms(sp_conn *conn, const char *list)
{
    sp_engine *engine = sps_conn_engine(conn);
    return engine == NULL ? SP_ECONN : sp_engine_set_signature_algorithms(engine, list);
}

int sp_conn_set_revoked_keys(sp_conn *conn, const sp_revoked_keys *list)
{
    sp_engine *engine = sps_conn_engine(conn);
    if (engine == NULL)
        return SP_ECONN;
    sp_engine_set_revoked_keys(engine, conn->server->revoked, list);
    return 0;
}

const sp_cert *sp_conn_certificate(const sp_conn *conn)
{
    return conn->engine == NULL ? NULL : sp_engine_certificate(conn->engine);
}

const char *sp_conn_get_key_option(const sp_conn *conn, const char *name, size_t index)
{
    return conn->engine == NULL ? NULL : sp_engine_get_key_option(conn->engine, name, index);
}

bool sp_conn_check_key_permission(const sp_conn *conn, const char *name)
{
    return conn->engine != NULL && sp_engine_check_key_permission(conn->engine, name);
}

const char *sp_conn_get_certificate_option(const sp_conn *conn, const char *name)
{
    return conn->engine == NULL ? NULL : sp_engine_get_certificate_option(conn->engine, name);
}

bool sp_conn_check_certificate_permission(const sp_conn *conn, const char *name)
{
    return conn->engine != NULL && sp_engine_check_certificate_permission(conn->engine, name);
}

/* ---- what can be done ---- */

/* Also after a failure: out of memory, say, the connection is lost, and must see it. */
static int touched(sp_conn *conn, int result)
{
    sps_conn_touch(conn);
    return result;
}

int sp_conn_send_auth_banner(sp_conn *conn, const char *text, const char *language)
{
    sp_engine *engine = sps_conn_engine(conn);
    return engine == NULL ? SP_ECONN : touched(conn, sp_engine_send_banner(engine, text, language));
}

int sp_conn_send_debug(sp_conn *conn, const char *text, const char *language, bool always_display)
{
    sp_engine *engine = sps_conn_engine(conn);
    if (engine == NULL)
        return SP_ECONN;
    return touched(conn, sp_engine_send_debug(engine, text, language, always_display));
}

int sp_conn_rekey(sp_conn *conn)
{
    sp_engine *engine = sps_conn_engine(conn);
    return engine == NULL ? SP_ECONN : touched(conn, sp_engine_rekey(engine));
}

int sp_conn_set_limits(sp_conn *conn, const sp_limits *limits)
{
    sp_engine *engine = sps_conn_engine(conn);
    return engine == NULL ? SP_ECONN : touched(conn, sp_engine_set_limits(engine, limits));
}

int sp_conn_disconnect(sp_conn *conn, uint32_t code, const char *reason)
{
    sp_engine *engine = sps_conn_engine(conn);
    return engine == NULL ? SP_ECONN : touched(conn, sp_engine_disconnect(engine, code, reason));
}

int sp_conn_close(sp_conn *conn)
{
    return sp_conn_disconnect(conn, SP_DISCONNECT_BY_APPLICATION, "closed by the server");
}

void sp_conn_abort(sp_conn *conn)
{
    if (conn->state == SPS_CONN_GONE || conn->watch == NULL)
        return;
    spl_watch_close(conn->watch);
    conn->watch = NULL;
    conn->input_ended = true;
    sp_engine *engine = sps_conn_engine(conn);
    if (engine != NULL)
        sp_engine_input_ended(engine, SP_ECANCELED, "dropped by the application");
    sps_conn_touch(conn);
}

int sp_conn_wait_closed(sp_conn *conn, void (*closed)(void *data), void *data)
{
    if (conn->state != SPS_CONN_OPEN) {
        closed(data);
        return 0;
    }
    return sps_wait(sps_conn_env(conn), &conn->waiters, closed, data);
}
