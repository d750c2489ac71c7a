/* Channel opens: the question that session_requested and its like get, and its answers. A channel
 * object is made where the answer is given, so that applying the answer cannot run out of memory
 * for it. */
#include "server/question.h"

#include <string.h>

struct sp_open {
    sps_question q;
    sps_destination dest; /* what the client asked for; the texts stand behind the struct */
    const char *orig_host;
    uint16_t orig_port;
    /* The answer: */
    sp_channel *channel; /* NULL: refused, or forwarded */
    sp_channel_options options;
    bool has_options;
    bool forward;
    sps_destination to; /* points into `to_text`, or is `dest` */
    char *to_text;
    uint32_t code;
    char *text;
};

bool sps_open_leads_somewhere(const sp_open *open)
{
    return open->dest.host != NULL || open->dest.path != NULL;
}

spl_queue *sps_open_queue(const sp_open *open)
{
    return open->q.queue;
}

/* Bare acceptance forwards; a session has nothing to forward to, and is refused. */
static void open_plain(sps_question *question, bool accepted)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    open->forward = accepted && sps_open_leads_somewhere(open);
    open->to = open->dest;
}

/* The client left before it could have its channel: the application still gets its data back. */
static void channel_missed(sp_channel *channel)
{
    static const sp_conn_error gone = {.error = SP_ECONN,
                                       .message = "the client left before its channel began"};
    if (channel != NULL)
        sps_channel_lost(channel, &gone);
}

static void open_missed(sps_question *question)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_channel *channel = open->channel;
    open->channel = NULL;
    channel_missed(channel);
}

void sps_open_serve(sp_conn *conn, uint64_t question, uint32_t number, sp_channel *channel,
                    const sp_channel_options *options)
{
    if (sps_channel_attach(channel, conn, number) != 0) {
        (void)sp_engine_refuse_open(conn->engine, question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        channel_missed(channel);
        return;
    }
    int result = sp_engine_accept_open(conn->engine, question, options);
    if (result != 0) {
        conn->channels[number] = NULL;
        channel->conn = NULL;
        if (result == SP_EINVAL)
            (void)sp_engine_refuse_open(conn->engine, question, 0, NULL);
        channel_missed(channel);
        return;
    }
    conn->server->statistics.channels++;
    if (channel->handlers.connection_made != NULL)
        channel->handlers.connection_made(channel);
}

static void open_apply(sps_question *question)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_conn *conn = question->conn;
    sp_engine *engine = sps_conn_engine(conn);
    sp_channel *channel = open->channel;
    open->channel = NULL; /* the connection's now */
    if (engine == NULL) {
        channel_missed(channel);
    } else if (channel != NULL && !sps_open_leads_somewhere(open) &&
               !sps_channel_set_key_environment(channel, engine)) {
        (void)sp_engine_refuse_open(engine, question->number, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        channel_missed(channel);
    } else if (channel != NULL)
        sps_open_serve(conn, question->number, question->channel, channel,
                       open->has_options ? &open->options : NULL);
    else if (open->forward)
        sps_forward(conn, question->number, question->channel, &open->to);
    else
        (void)sp_engine_refuse_open(engine, question->number, open->code, open->text);
}

static void open_clear(sps_question *question)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_channel_unref(open->channel);
    spb_free(spl_queue_env(question->queue), open->text);
    spb_free(spl_queue_env(question->queue), open->to_text);
}

static const sps_question_kind open_kind = {
    .plain = open_plain,
    .apply = open_apply,
    .missed = open_missed,
    .clear = open_clear,
};

static sp_open *open_new(sp_conn *conn, const sp_event *event)
{
    size_t size = sizeof(sp_open) + sps_text_size(event->u.open.dest_host) +
                  sps_text_size(event->u.open.orig_host) + sps_text_size(event->u.open.dest_path);
    sp_open *open = sps_question_new(conn, event, &open_kind, size);
    if (open == NULL)
        return NULL;
    char *at = (char *)(open + 1);
    open->dest.host = sps_text_put(&at, event->u.open.dest_host);
    open->orig_host = sps_text_put(&at, event->u.open.orig_host);
    open->dest.path = sps_text_put(&at, event->u.open.dest_path);
    open->dest.port = event->u.open.dest_port;
    open->orig_port = event->u.open.orig_port;
    return open;
}

static bool has_handler(const sp_server_handlers *handlers, const sp_event *event)
{
    if (event->u.open.dest_host != NULL)
        return handlers->connection_requested != NULL;
    if (event->u.open.dest_path != NULL)
        return handlers->unix_connection_requested != NULL;
    return handlers->session_requested != NULL;
}

static sp_answer ask(sp_conn *conn, sp_open *open)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (open->dest.host != NULL)
        return handlers->connection_requested(conn, open, open->dest.host, open->dest.port,
                                              open->orig_host, open->orig_port);
    if (open->dest.path != NULL)
        return handlers->unix_connection_requested(conn, open, open->dest.path);
    return handlers->session_requested(conn, open);
}

void sps_open_event(sp_conn *conn, const sp_event *event)
{
    if (!has_handler(&conn->server->handlers, event)) {
        (void)sp_engine_refuse_open(conn->engine, event->question, 0, NULL);
        return;
    }
    sp_open *open = open_new(conn, event);
    if (open == NULL) {
        (void)sp_engine_refuse_open(conn->engine, event->question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        return;
    }
    sps_question_returned(&open->q, ask(conn, open));
}

/* ---- <sallyport/session.h>, <sallyport/stream.h> ---- */

int sps_open_answer(sp_open *open, sp_channel *channel, const sp_channel_options *options)
{
    int result = options != NULL && options->size == 0 ? SP_EINVAL : sps_question_claim(&open->q);
    if (result != 0) {
        sp_channel_unref(channel);
        return result;
    }
    open->channel = channel;
    if (options != NULL)
        open->has_options = sps_copy_sized(&open->options, sizeof open->options, options);
    return sps_question_publish(&open->q);
}

static int answer_channel(sp_open *open, const sp_session_handlers *handlers, void *data,
                          const sp_channel_options *options)
{
    sp_channel *channel = sps_channel_new(open->q.queue, handlers, data);
    return channel == NULL ? SP_ENOMEM : sps_open_answer(open, channel, options);
}

int sp_open_session(sp_open *open, const sp_session_handlers *handlers, void *data,
                    const sp_channel_options *options)
{
    if (handlers == NULL || handlers->size == 0 || sps_open_leads_somewhere(open))
        return SP_EINVAL;
    return answer_channel(open, handlers, data, options);
}

bool sps_stream_handlers(const sp_stream_handlers *given, sp_session_handlers *handlers)
{
    sp_stream_handlers h = {0};
    if (given == NULL || !sps_copy_sized(&h, sizeof h, given))
        return false;
    *handlers = (sp_session_handlers){SP_SESSION_HANDLERS_INIT,
                                      .connection_made = h.connection_made,
                                      .connection_lost = h.connection_lost,
                                      .session_started = h.session_started,
                                      .data_received = h.data_received,
                                      .eof_received = h.eof_received,
                                      .pause_writing = h.pause_writing,
                                      .resume_writing = h.resume_writing};
    return true;
}

int sp_open_stream(sp_open *open, const sp_stream_handlers *given, void *data,
                   const sp_channel_options *options)
{
    sp_session_handlers handlers;
    if (!sps_open_leads_somewhere(open) || !sps_stream_handlers(given, &handlers))
        return SP_EINVAL;
    return answer_channel(open, &handlers, data, options);
}

/* `text`: what `to` points into, if it is not what the client asked for. */
static int answer_forward(sp_open *open, const sps_destination *to, char *text)
{
    int result = sps_open_leads_somewhere(open) ? sps_question_claim(&open->q) : SP_EINVAL;
    if (result != 0) {
        spb_free(spl_queue_env(open->q.queue), text);
        return result;
    }
    open->forward = true;
    open->to = *to;
    open->to_text = text;
    return sps_question_publish(&open->q);
}

int sp_open_forward(sp_open *open)
{
    return answer_forward(open, &open->dest, NULL);
}

int sp_open_forward_to(sp_open *open, const char *host, uint16_t port)
{
    char *copy = host == NULL ? NULL : spb_strdup(spl_queue_env(open->q.queue), host);
    if (copy == NULL)
        return host == NULL ? SP_EINVAL : SP_ENOMEM;
    const sps_destination to = {.host = copy, .port = port};
    return answer_forward(open, &to, copy);
}

int sp_open_forward_to_path(sp_open *open, const char *path)
{
    char *copy = path == NULL ? NULL : spb_strdup(spl_queue_env(open->q.queue), path);
    if (copy == NULL)
        return path == NULL ? SP_EINVAL : SP_ENOMEM;
    const sps_destination to = {.path = copy};
    return answer_forward(open, &to, copy);
}

const char *sp_open_dest_host(const sp_open *open)
{
    return open->dest.host;
}

uint16_t sp_open_dest_port(const sp_open *open)
{
    return open->dest.port;
}

const char *sp_open_orig_host(const sp_open *open)
{
    return open->orig_host;
}

uint16_t sp_open_orig_port(const sp_open *open)
{
    return open->orig_port;
}

const char *sp_open_dest_path(const sp_open *open)
{
    return open->dest.path;
}

int sp_open_refuse(sp_open *open, uint32_t code, const char *text)
{
    char *copy = NULL;
    if (text != NULL) {
        copy = spb_strdup(spl_queue_env(open->q.queue), text);
        if (copy == NULL)
            return SP_ENOMEM;
    }
    int result = sps_question_claim(&open->q);
    if (result != 0) {
        spb_free(spl_queue_env(open->q.queue), copy);
        return result;
    }
    open->code = code;
    open->text = copy;
    return sps_question_publish(&open->q);
}

void sp_open_release(sp_open *open)
{
    if (open != NULL)
        sps_question_release(&open->q);
}

struct sp_conn *sp_open_conn(const sp_open *open)
{
    return open->q.conn;
}

typedef struct open_work {
    sp_answer (*work)(sp_open *open, void *data);
    void *data;
} open_work;

static sp_answer call_work(void *work, sps_question *question)
{
    const open_work *item = work;
    return item->work(SPB_CONTAINER(question, sp_open, q), item->data);
}

sp_answer sp_open_work(sp_open *open, sp_answer (*work)(sp_open *open, void *data), void *data)
{
    const open_work item = {work, data};
    return sps_question_work(&open->q, call_work, &item, sizeof item);
}
