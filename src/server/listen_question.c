/* Global requests about listening (RFC 4254 7.1, OpenSSH PROTOCOL 2.4): the question that
 * server_requested and unix_server_requested get, its answers, and cancellation. A listener object
 * is made where the answer is given, so that applying the answer cannot run out of memory for it.
 */
#include "server/listener.h"
#include "server/question.h"

#include <string.h>

struct sp_listen {
    sps_question q;
    const char *host; /* the texts stand behind the struct */
    const char *path;
    uint16_t port;
    sp_listen_options defaults;
    sp_listener *listener; /* the answer; NULL: refused */
};

static sp_listener *listener_for(const sp_listen *listen, const sp_listener_handlers *handlers,
                                 void *data)
{
    return sps_listener_new(listen->q.queue, listen->host, listen->port, listen->path, handlers,
                            data);
}

/* Bare acceptance forwards; without memory it is a refusal. */
static void listen_plain(sps_question *question, bool accepted)
{
    sp_listen *listen = SPB_CONTAINER(question, sp_listen, q);
    listen->listener = accepted ? listener_for(listen, NULL, NULL) : NULL;
    if (listen->listener != NULL)
        listen->listener->options = listen->defaults;
}

static sp_listener *take_listener(sp_listen *listen)
{
    sp_listener *listener = listen->listener;
    listen->listener = NULL;
    return listener;
}

static void listen_missed(sps_question *question)
{
    sps_listener_missed(take_listener(SPB_CONTAINER(question, sp_listen, q)));
}

static void listen_apply(sps_question *question)
{
    sp_conn *conn = question->conn;
    sp_engine *engine = sps_conn_engine(conn);
    sp_listener *listener = take_listener(SPB_CONTAINER(question, sp_listen, q));
    if (engine == NULL)
        sps_listener_missed(listener);
    else if (listener != NULL)
        sps_listener_begin(conn, listener, question->number);
    else
        (void)sp_engine_answer_global(engine, question->number, NULL);
}

static void listen_clear(sps_question *question)
{
    sp_listener_unref(SPB_CONTAINER(question, sp_listen, q)->listener);
}

static const sps_question_kind listen_kind = {
    .plain = listen_plain,
    .apply = listen_apply,
    .missed = listen_missed,
    .clear = listen_clear,
};

static sp_listen *listen_new(sp_conn *conn, const sp_event *event)
{
    size_t size = sizeof(sp_listen) + sps_text_size(event->u.global.host) +
                  sps_text_size(event->u.global.path);
    sp_listen *listen = sps_question_new(conn, event, &listen_kind, size);
    if (listen == NULL)
        return NULL;
    char *at = (char *)(listen + 1);
    listen->host = sps_text_put(&at, event->u.global.host);
    listen->path = sps_text_put(&at, event->u.global.path);
    listen->port = event->u.global.port;
    listen->defaults = conn->server->listening;
    return listen;
}

/* ---- what the client asks for ---- */

/* What the connection may not have is refused before anybody is asked. */
static bool may_listen(const sp_conn *conn, const sp_event *event)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (event->u.global.path != NULL ? handlers->unix_server_requested == NULL
                                     : handlers->server_requested == NULL)
        return false;
    return conn->listener_count < conn->server->max_listeners;
}

static sp_answer ask(sp_conn *conn, sp_listen *listen)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (listen->path != NULL)
        return handlers->unix_server_requested(conn, listen, listen->path);
    return handlers->server_requested(conn, listen, listen->host, listen->port);
}

static void listen_event(sp_conn *conn, const sp_event *event)
{
    sp_listen *listen = may_listen(conn, event) ? listen_new(conn, event) : NULL;
    if (listen == NULL) {
        (void)sp_engine_answer_global(conn->engine, event->question, NULL);
        return;
    }
    sps_question_returned(&listen->q, ask(conn, listen));
}

/* The engine asks when all requests before this one are answered, so the listener is there. */
static void cancel_event(sp_conn *conn, const sp_event *event)
{
    sp_listener *listener =
        sps_listener_find(conn, event->u.global.host, event->u.global.port, event->u.global.path);
    const sp_global_reply reply = {.accepted = listener != NULL};
    (void)sp_engine_answer_global(conn->engine, event->question, &reply);
    if (listener != NULL)
        sp_listener_close(listener);
}

void sps_global_event(sp_conn *conn, const sp_event *event)
{
    switch (event->u.global.type) {
    case SP_GLOBAL_TCPIP_FORWARD:
    case SP_GLOBAL_STREAMLOCAL_FORWARD:
        listen_event(conn, event);
        break;
    case SP_GLOBAL_CANCEL_TCPIP_FORWARD:
    case SP_GLOBAL_CANCEL_STREAMLOCAL_FORWARD:
        cancel_event(conn, event);
        break;
    }
}

/* ---- <sallyport/listen.h> ---- */

static int answer_listener(sp_listen *listen, sp_listener *listener)
{
    if (listener == NULL)
        return SP_ENOMEM;
    int result = sps_question_claim(&listen->q);
    if (result != 0) {
        sp_listener_unref(listener);
        return result;
    }
    listen->listener = listener;
    return sps_question_publish(&listen->q);
}

int sp_listen_forward(sp_listen *listen, const sp_listen_options *options,
                      const sp_listener_handlers *handlers, void *data)
{
    sp_listen_options o = listen->defaults;
    if ((options != NULL && !sps_copy_sized(&o, sizeof o, options)) ||
        (handlers != NULL && handlers->size == 0))
        return SP_EINVAL;
    sp_listener *listener = listener_for(listen, handlers, data);
    if (listener != NULL)
        listener->options = o;
    return answer_listener(listen, listener);
}

int sp_listen_own(sp_listen *listen, const sp_listener_handlers *handlers, void *data,
                  uint16_t port)
{
    if ((handlers != NULL && handlers->size == 0) ||
        (listen->host != NULL && listen->port == 0 && port == 0))
        return SP_EINVAL;
    sp_listener *listener = listener_for(listen, handlers, data);
    if (listener != NULL) {
        listener->own = true;
        if (listen->host != NULL && listen->port == 0)
            listener->port = port;
    }
    return answer_listener(listen, listener);
}

int sp_listen_refuse(sp_listen *listen)
{
    return sps_question_answer(&listen->q, false);
}

void sp_listen_release(sp_listen *listen)
{
    if (listen != NULL)
        sps_question_release(&listen->q);
}

const char *sp_listen_host(const sp_listen *listen)
{
    return listen->host;
}

uint16_t sp_listen_port(const sp_listen *listen)
{
    return listen->port;
}

const char *sp_listen_path(const sp_listen *listen)
{
    return listen->path;
}

struct sp_conn *sp_listen_conn(const sp_listen *listen)
{
    return listen->q.conn;
}

typedef struct listen_work {
    sp_answer (*work)(sp_listen *listen, void *data);
    void *data;
} listen_work;

static sp_answer call_work(void *work, sps_question *question)
{
    const listen_work *item = work;
    return item->work(SPB_CONTAINER(question, sp_listen, q), item->data);
}

sp_answer sp_listen_work(sp_listen *listen, sp_answer (*work)(sp_listen *listen, void *data),
                         void *data)
{
    const listen_work item = {work, data};
    return sps_question_work(&listen->q, call_work, &item, sizeof item);
}
