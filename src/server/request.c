/* Channel requests: the question a session's handlers get, its answers, and what an accepted
 * request leaves on the channel. */
#include "server/lent.h"

/* What acceptance records. False: out of memory or over a limit, which refuses. */
static bool record(sp_channel *channel, const sp_request *request)
{
    switch (request->type) {
    case SP_REQUEST_PTY:
        return sps_channel_set_terminal(channel, request->text, &request->size, &request->modes);
    case SP_REQUEST_ENV:
        return sps_channel_set_variable(channel, request->text, request->value);
    case SP_REQUEST_EXEC:
        return sps_channel_set_text(channel, &channel->command, request->text);
    case SP_REQUEST_SUBSYSTEM:
        return sps_channel_set_text(channel, &channel->subsystem, request->text);
    case SP_REQUEST_AGENT:
        return channel->agent == NULL && sps_agent_make(channel);
    case SP_REQUEST_X11:
        return channel->display == NULL && sps_display_make(channel, request);
    case SP_REQUEST_SHELL:
    case SP_REQUEST_WINDOW_CHANGE:
    case SP_REQUEST_SIGNAL:
    case SP_REQUEST_BREAK:
        return true;
    }
    return false;
}

static void request_plain(sps_question *question, bool accepted)
{
    SPB_CONTAINER(question, sp_request, q)->accepted = accepted;
}

static void request_apply(sps_question *question)
{
    sp_request *request = SPB_CONTAINER(question, sp_request, q);
    sp_engine *engine = sps_conn_engine(question->conn);
    if (engine == NULL)
        return;
    sp_channel *channel = sps_channel_find(question->conn, question->channel);
    bool accepted = request->accepted && channel != NULL && record(channel, request);
    (void)sp_engine_answer_request(engine, question->number, accepted);
}

static const sps_question_kind request_kind = {
    .plain = request_plain,
    .apply = request_apply,
};

sp_request *sps_request_new(sp_conn *conn, const sp_event *event)
{
    const sp_term_modes *modes = &event->u.request.modes;
    bool pty = event->u.request.type == SP_REQUEST_PTY;
    size_t modes_size = pty ? modes->count * sizeof(sp_term_mode) : 0;
    size_t size = sizeof(sp_request) + modes_size + sps_text_size(event->u.request.text) +
                  sps_text_size(event->u.request.value);
    sp_request *request = sps_question_new(conn, event, &request_kind, size);
    if (request == NULL)
        return NULL;
    request->type = event->u.request.type;
    request->size = event->u.request.size;
    request->screen = event->u.request.screen;
    request->single_connection = event->u.request.single_connection;
    char *at = (char *)(request + 1);
    if (pty) {
        request->modes = *modes;
        request->modes.modes = (sp_term_mode *)(void *)at;
        if (modes_size != 0)
            memcpy(at, modes->modes, modes_size);
        at += modes_size;
    }
    request->text = sps_text_put(&at, event->u.request.text);
    request->value = sps_text_put(&at, event->u.request.value);
    return request;
}

/* ---- <sallyport/session.h> ---- */

int sp_request_answer(sp_request *request, bool accepted)
{
    return sps_question_answer(&request->q, accepted);
}

void sp_request_release(sp_request *request)
{
    if (request != NULL)
        sps_question_release(&request->q);
}

const char *sp_request_text(const sp_request *request)
{
    return request->text;
}

const char *sp_request_value(const sp_request *request)
{
    return request->value;
}

bool sp_request_x11(const sp_request *request, uint32_t *screen, bool *single_connection)
{
    if (request->type != SP_REQUEST_X11)
        return false;
    *screen = request->screen;
    *single_connection = request->single_connection;
    return true;
}

sp_channel *sp_request_channel(const sp_request *request)
{
    return request->q.conn == NULL ? NULL : sps_channel_find(request->q.conn, request->q.channel);
}

typedef struct request_work {
    sp_answer (*work)(sp_request *request, void *data);
    void *data;
} request_work;

static sp_answer call_work(void *work, sps_question *question)
{
    const request_work *item = work;
    return item->work(SPB_CONTAINER(question, sp_request, q), item->data);
}

sp_answer sp_request_work(sp_request *request, sp_answer (*work)(sp_request *request, void *data),
                          void *data)
{
    const request_work item = {work, data};
    return sps_question_work(&request->q, call_work, &item, sizeof item);
}
