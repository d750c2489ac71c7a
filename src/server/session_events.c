/* A session's events become calls of its handlers, or go to the child process that is joined to the
 * channel. Where a handler is absent, the default of <sallyport/session.h> holds. */
#include "server/request_question.h"

static sp_answer ask(sp_channel *channel, sp_request *request, const sp_event *event)
{
    const sp_session_handlers *h = &channel->handlers;
    switch (request->type) {
    case SP_REQUEST_PTY:
        return h->pty_requested == NULL ? SP_ACCEPT
                                        : h->pty_requested(channel, request, request->text,
                                                           &request->size, &request->modes);
    case SP_REQUEST_ENV:
        return h->env_requested == NULL
                   ? SP_ACCEPT
                   : h->env_requested(channel, request, request->text, request->value);
    case SP_REQUEST_SHELL:
        return h->shell_requested == NULL ? SP_REJECT : h->shell_requested(channel, request);
    case SP_REQUEST_EXEC:
        return h->exec_requested == NULL ? SP_REJECT
                                         : h->exec_requested(channel, request, request->text);
    case SP_REQUEST_SUBSYSTEM:
        return h->subsystem_requested == NULL
                   ? SP_REJECT
                   : h->subsystem_requested(channel, request, request->text);
    case SP_REQUEST_BREAK:
        if (channel->spawned)
            return sps_process_break(channel->process) ? SP_ACCEPT : SP_REJECT;
        return h->break_received == NULL
                   ? SP_REJECT
                   : h->break_received(channel, request, event->u.request.milliseconds);
    case SP_REQUEST_AGENT:
        return h->agent_requested == NULL ? SP_REJECT : h->agent_requested(channel, request);
    case SP_REQUEST_X11:
        return h->x11_requested == NULL ? SP_REJECT : h->x11_requested(channel, request);
    case SP_REQUEST_WINDOW_CHANGE:
    case SP_REQUEST_SIGNAL:
        break;
    }
    return SP_REJECT;
}

/* These two are told, not asked; a client that wants a reply all the same gets one. */
static bool tell(sp_channel *channel, const sp_event *event)
{
    if (event->u.request.type == SP_REQUEST_WINDOW_CHANGE) {
        if (channel->terminal != NULL)
            channel->size = event->u.request.size;
        if (channel->spawned)
            sps_process_resize(channel->process, &event->u.request.size);
        else if (channel->handlers.terminal_size_changed != NULL)
            channel->handlers.terminal_size_changed(channel, &event->u.request.size);
        return true;
    }
    if (event->u.request.type == SP_REQUEST_SIGNAL) {
        if (channel->spawned)
            sps_process_signal(channel->process, event->u.request.text);
        else if (channel->handlers.signal_received != NULL)
            channel->handlers.signal_received(channel, event->u.request.text);
        return true;
    }
    return false;
}

static void request_event(sp_channel *channel, const sp_event *event)
{
    sp_conn *conn = channel->conn;
    if (tell(channel, event)) {
        if (event->question != 0)
            (void)sp_engine_answer_request(conn->engine, event->question, true);
        return;
    }
    bool starts = event->u.request.type == SP_REQUEST_SHELL ||
                  event->u.request.type == SP_REQUEST_EXEC ||
                  event->u.request.type == SP_REQUEST_SUBSYSTEM;
    bool noted = !starts || sps_channel_set_original(channel, event);
    sp_request *request = noted ? sps_request_new(conn, event) : NULL;
    if (request == NULL) {
        (void)sp_engine_answer_request(conn->engine, event->question, false);
        return;
    }
    sps_question_returned(&request->q, ask(channel, request, event));
}

static void data_event(sp_channel *channel, const sp_event *event)
{
    if (channel->spawned) {
        if (event->u.data.type == SP_DATA_NORMAL)
            sps_process_data(channel->process, event->u.data.bytes, event->u.data.length);
    } else if (channel->taker != NULL) {
        channel->taker->data(channel->taker, event->u.data.bytes, event->u.data.length,
                             event->u.data.type);
    } else if (channel->handlers.data_received != NULL) {
        channel->handlers.data_received(channel, event->u.data.bytes, event->u.data.length,
                                        event->u.data.type);
    }
}

static void eof_event(sp_channel *channel)
{
    if (channel->spawned)
        sps_process_eof(channel->process);
    else if (channel->taker != NULL)
        channel->taker->eof(channel->taker);
    else if (channel->handlers.eof_received == NULL || !channel->handlers.eof_received(channel))
        (void)sp_channel_close(channel);
}

static void pause_event(sp_channel *channel, bool pause)
{
    if (channel->spawned)
        (pause ? sps_process_pause : sps_process_resume)(channel->process);
    else if (channel->taker != NULL && !pause)
        channel->taker->resume(channel->taker);
    else if (channel->taker != NULL)
        return; /* it has seen so when it wrote */
    else if (pause && channel->handlers.pause_writing != NULL)
        channel->handlers.pause_writing(channel);
    else if (!pause && channel->handlers.resume_writing != NULL)
        channel->handlers.resume_writing(channel);
}

void sps_channel_event(sp_conn *conn, const sp_event *event)
{
    sp_channel *channel = sps_channel_find(conn, event->channel);
    if (channel == NULL) {
        if (event->type == SP_EVENT_REQUEST && event->question != 0)
            (void)sp_engine_answer_request(conn->engine, event->question, false);
        return;
    }
    switch (event->type) {
    case SP_EVENT_REQUEST:
        request_event(channel, event);
        break;
    case SP_EVENT_STARTED:
        channel->started = true;
        if (channel->handlers.session_started != NULL)
            channel->handlers.session_started(channel);
        break;
    case SP_EVENT_OPENED:
        sps_opened_event(channel);
        break;
    case SP_EVENT_OPEN_FAILED:
        sps_open_failed_event(channel, event);
        break;
    case SP_EVENT_DATA:
        data_event(channel, event);
        break;
    case SP_EVENT_EOF:
        eof_event(channel);
        break;
    case SP_EVENT_PAUSE_WRITING:
        pause_event(channel, true);
        break;
    case SP_EVENT_RESUME_WRITING:
        pause_event(channel, false);
        break;
    case SP_EVENT_CHANNEL_CLOSED:
        sps_channel_lost(channel, event->u.closed.error);
        break;
    default:
        break;
    }
}
