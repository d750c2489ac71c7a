/* Forwarding: the library connects to where an open leads, then accepts it and relays (RFC
 * 4254 7.2). The client's open waits meanwhile; nothing of it can come before the confirmation. */
#include "loop/connect.h"
#include "server/server.h"

#include <unistd.h>

typedef struct forward {
    spb_link link;
    sp_conn *conn;
    uint64_t question;
    uint32_t number;
    spl_connect *connect;
} forward;

static void forward_free(forward *f)
{
    const spb_env *env = sps_conn_env(f->conn);
    spb_list_remove(&f->link);
    spb_free(env, f);
}

static void refuse(sp_conn *conn, uint64_t question, uint32_t code, const char *text)
{
    sp_engine *engine = sps_conn_engine(conn);
    if (engine != NULL)
        (void)sp_engine_refuse_open(engine, question, code, text);
    sps_conn_touch(conn);
}

static void connected(void *data, int fd, const char *reason)
{
    forward *f = data;
    sp_conn *conn = f->conn;
    uint64_t question = f->question;
    uint32_t number = f->number;
    if (fd >= 0)
        spl_socket_no_delay(fd); /* a UNIX socket does not mind */
    forward_free(f);
    if (fd < 0 || sps_conn_engine(conn) == NULL) {
        if (fd >= 0)
            (void)close(fd);
        refuse(conn, question, SP_OPEN_CONNECT_FAILED, reason);
        return;
    }
    sp_channel *channel = sps_relay_new(conn->server, fd);
    if (channel == NULL) {
        refuse(conn, question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        return;
    }
    sps_open_serve(conn, question, number, channel, NULL);
    sps_conn_touch(conn);
}

void sps_forward(sp_conn *conn, uint64_t question, uint32_t number, const sps_destination *to)
{
    spl_loop *loop = conn->server->loop;
    forward *f = spb_calloc(sps_conn_env(conn), 1, sizeof *f);
    if (f == NULL) {
        refuse(conn, question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        return;
    }
    f->conn = conn;
    f->question = question;
    f->number = number;
    spb_list_append(&conn->forwards, &f->link);
    int result = to->host != NULL
                     ? spl_connect_host(&f->connect, loop, to->host, to->port, connected, f)
                     : spl_connect_path(&f->connect, loop, to->path, connected, f);
    if (result != 0) {
        forward_free(f);
        refuse(conn, question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
    }
}

void sps_forwards_cancel(sp_conn *conn)
{
    while (!spb_list_empty(&conn->forwards)) {
        forward *f = SPB_CONTAINER(conn->forwards.next, forward, link);
        spl_connect_cancel(f->connect);
        forward_free(f);
    }
}
