/* Channel opens: the question session_requested gets, and its answers. A session's channel object
 * is made where the answer is given, so that applying the answer cannot run out of memory for it.
 */
#include "server/question.h"

#include <string.h>

struct sp_open {
    sps_question q;
    const char *type; /* behind the struct */
    /* The answer: */
    sp_channel *channel; /* NULL: refused */
    sp_channel_options options;
    bool has_options;
    uint32_t code;
    char *text;
};

static void open_plain(sps_question *question, bool accepted)
{
    (void)question;
    (void)accepted; /* bare acceptance serves nothing: refused */
}

/* The client left before it could have its session: the application still gets its data back. */
static void open_missed(sps_question *question)
{
    static const sp_conn_error gone = {.error = SP_ECONN,
                                       .message = "the client left before its session began"};
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_channel *channel = open->channel;
    open->channel = NULL;
    if (channel != NULL)
        sps_channel_lost(channel, &gone);
}

static void open_apply(sps_question *question)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_conn *conn = question->conn;
    sp_engine *engine = sps_conn_engine(conn);
    if (engine == NULL) {
        open_missed(question);
        return;
    }
    sp_channel *channel = open->channel;
    if (channel == NULL) {
        (void)sp_engine_refuse_open(engine, question->number, open->code, open->text);
        return;
    }
    if (sps_channel_attach(channel, conn, question->channel) != 0) {
        (void)sp_engine_refuse_open(engine, question->number, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        open_missed(question);
        return;
    }
    int result =
        sp_engine_accept_open(engine, question->number, open->has_options ? &open->options : NULL);
    if (result != 0) {
        conn->channels[question->channel] = NULL;
        channel->conn = NULL;
        if (result == SP_EINVAL)
            (void)sp_engine_refuse_open(engine, question->number, 0, NULL);
        open_missed(question);
        return;
    }
    open->channel = NULL; /* the connection's now */
    conn->server->statistics.channels++;
    if (channel->handlers.connection_made != NULL)
        channel->handlers.connection_made(channel);
}

static void open_clear(sps_question *question)
{
    sp_open *open = SPB_CONTAINER(question, sp_open, q);
    sp_channel_unref(open->channel);
    spb_free(spl_queue_env(question->queue), open->text);
}

static const sps_question_kind open_kind = {
    .plain = open_plain,
    .apply = open_apply,
    .missed = open_missed,
    .clear = open_clear,
};

void sps_open_event(sp_conn *conn, const sp_event *event)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (handlers->session_requested == NULL || strcmp(event->u.open.type, "session") != 0) {
        (void)sp_engine_refuse_open(conn->engine, event->question, 0, NULL);
        return;
    }
    size_t size = sizeof(sp_open) + sps_text_size(event->u.open.type);
    sp_open *open = sps_question_new(conn, event, &open_kind, size);
    if (open == NULL) {
        (void)sp_engine_refuse_open(conn->engine, event->question, SP_OPEN_RESOURCE_SHORTAGE, NULL);
        return;
    }
    char *at = (char *)(open + 1);
    open->type = sps_text_put(&at, event->u.open.type);
    sps_question_returned(&open->q, handlers->session_requested(conn, open));
}

/* ---- <sallyport/session.h> ---- */

int sp_open_session(sp_open *open, const sp_session_handlers *handlers, void *data,
                    const sp_channel_options *options)
{
    if (handlers == NULL || handlers->size == 0 || (options != NULL && options->size == 0))
        return SP_EINVAL;
    sp_channel *channel = sps_channel_new(open->q.queue, handlers, data);
    if (channel == NULL)
        return SP_ENOMEM;
    int result = sps_question_claim(&open->q);
    if (result != 0) {
        sp_channel_unref(channel);
        return result;
    }
    open->channel = channel;
    if (options != NULL)
        open->has_options = sps_copy_sized(&open->options, sizeof open->options, options);
    return sps_question_publish(&open->q);
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
