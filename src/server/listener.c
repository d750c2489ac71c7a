/* What a client has had us listen on: each listener is on its connection's list from the answer to
 * its end, which is the client's cancellation, sp_listener_close or the end of the connection. */
#include "server/listener.h"

#include <string.h>

static const spb_env *env_of(const sp_listener *listener)
{
    return spl_queue_env(listener->queue);
}

static void listener_free(sp_listener *listener)
{
    spl_queue *queue = listener->queue;
    spb_free(env_of(listener), listener->host);
    spb_free(env_of(listener), listener->path);
    spb_free(spl_queue_env(queue), listener);
    spl_queue_unref(queue);
}

sp_listener *sps_listener_new(spl_queue *queue, const char *host, uint16_t port, const char *path,
                              const sp_listener_handlers *handlers, void *data)
{
    const spb_env *env = spl_queue_env(queue);
    sp_listener *listener = spb_calloc(env, 1, sizeof *listener);
    if (listener == NULL)
        return NULL;
    listener->queue = spl_queue_ref(queue);
    listener->refs = 1;
    listener->port = port;
    listener->data = data;
    spb_list_init(&listener->waiters);
    if (host != NULL)
        listener->host = spb_strdup(env, host);
    else
        listener->path = spb_strdup(env, path);
    bool ok = listener->host != NULL || listener->path != NULL;
    if (ok && handlers != NULL)
        ok = sps_copy_sized(&listener->handlers, sizeof listener->handlers, handlers);
    if (ok)
        return listener;
    listener_free(listener);
    return NULL;
}

sp_listener *sps_listener_find(const sp_conn *conn, const char *host, uint16_t port,
                               const char *path)
{
    for (spb_link *at = conn->listeners.next; at != &conn->listeners; at = at->next) {
        sp_listener *listener = SPB_CONTAINER(at, sp_listener, link);
        if (host != NULL && listener->host != NULL && listener->port == port &&
            strcmp(listener->host, host) == 0)
            return listener;
        if (path != NULL && listener->path != NULL && strcmp(listener->path, path) == 0)
            return listener;
    }
    return NULL;
}

static void tell_closed(sp_listener *listener)
{
    listener->closed = true;
    if (listener->handlers.closed != NULL)
        listener->handlers.closed(listener, listener->data);
    listener->conn = NULL;
    sps_waiters_call(env_of(listener), &listener->waiters);
    sp_listener_unref(listener);
}

void sps_listener_missed(sp_listener *listener)
{
    if (listener != NULL)
        tell_closed(listener);
}

static int answer(sp_listener *listener, bool accepted)
{
    const sp_global_reply reply = {.accepted = accepted, .port = listener->port};
    uint64_t question = listener->question;
    sp_engine *engine = sps_conn_engine(listener->conn);
    listener->question = 0;
    if (engine == NULL || question == 0)
        return SP_ECONN;
    int result = sp_engine_answer_global(engine, question, &reply);
    sps_conn_touch(listener->conn);
    return result;
}

static void log_result(const sp_listener *listener, int result, const char *reason)
{
    char place[256];
    const char *name = listener->path != NULL ? listener->path : listener->host;
    spb_printable(place, sizeof place, name, strlen(name));
    const spb_env *env = env_of(listener);
    unsigned long long id = (unsigned long long)listener->conn->id;
    if (result == 0)
        spb_log(env, SP_LOG_VERBOSE, "connection %llu: listening on \"%s\", port %u", id, place,
                (unsigned)listener->port);
    else
        spb_log(env, SP_LOG_INFO, "connection %llu: not listening on \"%s\", port %u: %s", id,
                place, (unsigned)listener->port, reason != NULL ? reason : sp_strerror(result));
}

void sps_listener_begun(sp_listener *listener, int result, const char *reason)
{
    log_result(listener, result, reason);
    if (result == 0)
        result = answer(listener, true);
    if (result != 0)
        sp_listener_close(listener); /* refuses, if there is anybody to refuse */
    else if (listener->handlers.listening != NULL)
        listener->handlers.listening(listener, listener->data);
}

/* The same place twice could not be told apart when it is canceled. */
static int may_begin(const sp_conn *conn, const sp_listener *listener)
{
    if (conn->listener_count >= conn->server->max_listeners)
        return SP_ELIMIT;
    if ((listener->path != NULL || listener->port != 0) &&
        sps_listener_find(conn, listener->host, listener->port, listener->path) != NULL)
        return SP_EADDRINUSE;
    return 0;
}

void sps_listener_begin(sp_conn *conn, sp_listener *listener, uint64_t question)
{
    int result = may_begin(conn, listener);
    listener->conn = conn;
    listener->question = question;
    spb_list_append(&conn->listeners, &listener->link);
    conn->listener_count++;
    if (result == 0 && !listener->own)
        result = sps_accept_start(listener);
    if (result <= 0)
        sps_listener_begun(listener, result, NULL);
}

void sps_listeners_lost(sp_conn *conn)
{
    while (!spb_list_empty(&conn->listeners))
        sp_listener_close(SPB_CONTAINER(conn->listeners.next, sp_listener, link));
}

/* ---- <sallyport/listen.h> ---- */

void sp_listener_close(sp_listener *listener)
{
    if (listener->closed || listener->conn == NULL)
        return;
    listener->closed = true;
    spb_list_remove(&listener->link);
    listener->conn->listener_count--;
    sps_accept_end(listener);
    if (listener->question != 0)
        (void)answer(listener, false);
    tell_closed(listener);
}

int sp_listener_wait_closed(sp_listener *listener, void (*closed)(void *data), void *data)
{
    if (listener->closed && listener->conn == NULL) {
        closed(data);
        return 0;
    }
    return sps_wait(env_of(listener), &listener->waiters, closed, data);
}

uint16_t sp_listener_get_port(const sp_listener *listener)
{
    return listener->port;
}

const char *sp_listener_host(const sp_listener *listener)
{
    return listener->host;
}

const char *sp_listener_path(const sp_listener *listener)
{
    return listener->path;
}

struct sp_conn *sp_listener_conn(const sp_listener *listener)
{
    return listener->conn;
}

sp_listener *sp_listener_ref(sp_listener *listener)
{
    listener->refs++;
    return listener;
}

void sp_listener_unref(sp_listener *listener)
{
    if (listener != NULL && --listener->refs == 0)
        listener_free(listener);
}

void sp_conn_each_listener(struct sp_conn *conn, void (*visit)(sp_listener *listener, void *data),
                           void *data)
{
    for (spb_link *at = conn->listeners.next; at != &conn->listeners; at = at->next)
        visit(SPB_CONTAINER(at, sp_listener, link), data);
}
