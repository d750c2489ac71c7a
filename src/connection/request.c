/* Channel requests from the client (RFC 4254 5.4). Each is parsed to its end when it comes, waits
 * for its turn and is then asked, told or refused. Replies keep the order of the requests, however
 * late an answer is: while one is asked, those behind it wait, and only so many may. */
#include "connection/connection_internal.h"

#include <string.h>

static const spn_request_type *find_type(const spn_channel *ch, spb_span name)
{
    for (const spn_request_type *type = ch->type->requests; type->name != NULL; type++)
        if (spb_span_is(name, type->name))
            return type;
    return NULL;
}

static int reply(spn_channel *ch, bool want_reply, bool success)
{
    if (!want_reply)
        return 0;
    return spn_simple(ch, success ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE);
}

static spn_request *first(const spn_channel *ch)
{
    return ch->first_request;
}

static void pop(spn_channel *ch)
{
    spn_request *request = first(ch);
    ch->first_request = (spn_request *)(void *)request->node.next;
    if (ch->first_request == NULL)
        ch->last_request = NULL;
    ch->request_count--;
    ch->request_bytes -= request->bytes;
    spn_trash(ch->c, request); /* an event may point into it */
}

void spn_requests_drop(spn_channel *ch)
{
    while (first(ch) != NULL)
        pop(ch);
}

const char *spn_put_text(char **at, spb_span text)
{
    char *copy = *at;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    *at += text.length + 1;
    return copy;
}

/* Puts a request at the end of the queue; `type` NULL: it only waits for its refusal. */
static int enqueue(spn_channel *ch, const spn_request_type *type, bool want_reply,
                   const spn_request_fields *f)
{
    size_t modes = type == NULL ? 0 : f->mode_count * sizeof(sp_term_mode);
    size_t texts = type == NULL ? 0 : f->text.length + f->value.length + 2;
    size_t bytes = sizeof(spn_request) + modes + texts;
    if (ch->request_count >= SPN_REQUESTS_MAX || bytes > SPN_REQUEST_BYTES_MAX ||
        ch->request_bytes > SPN_REQUEST_BYTES_MAX - bytes)
        return spt_fail(ch->c->transport, SP_ELIMIT, SP_DISCONNECT_PROTOCOL_ERROR,
                        "Too many channel requests are waiting");
    spn_request *request = spb_calloc(ch->c->env, 1, bytes);
    if (request == NULL)
        return spn_no_memory(ch->c);
    request->type = type;
    request->want_reply = want_reply;
    request->bytes = bytes;
    request->node.secret = type != NULL && f->secret ? (uint32_t)bytes : 0;
    if (type != NULL) {
        sp_term_mode *mode = (sp_term_mode *)(void *)(request + 1);
        char *at = (char *)request + sizeof *request + modes;
        if (modes > 0)
            memcpy(mode, f->modes, modes);
        request->text = spn_put_text(&at, f->text);
        request->value = spn_put_text(&at, f->value);
        request->size = f->size;
        request->milliseconds = f->milliseconds;
        request->screen = f->screen;
        request->single_connection = f->single_connection;
        request->modes = (sp_term_modes){mode, f->mode_count, f->input_speed, f->output_speed};
    }
    if (ch->last_request == NULL)
        ch->first_request = request;
    else
        ch->last_request->node.next = &request->node;
    ch->last_request = request;
    ch->request_count++;
    ch->request_bytes += bytes;
    return 0;
}

int spn_on_request(spn_channel *ch, spb_reader *r)
{
    spn_connection *c = ch->c;
    spb_span name = spr_string(r);
    bool want_reply = spr_bool(r);
    if (!spr_ok(r))
        return spn_bad(c, "Malformed channel request");
    const spn_request_type *type = find_type(ch, name);
    spn_request_fields fields;
    memset(&fields, 0, sizeof fields);
    if (type != NULL) {
        if (type->parse != NULL)
            type->parse(r, &fields);
        if (!spr_done(r))
            return spn_bad(c, "Malformed %s request", type->name);
    }
    if (ch->state == SPN_CLOSE_SENT)
        return 0;
    int result = type != NULL && type->act != NULL ? type->act(ch) : 0;
    if (result != 0 || ch->state == SPN_CLOSE_SENT)
        return result;
    if (fields.impossible || ch->state != SPN_OPEN)
        type = NULL;
    if (!want_reply && (type == NULL || type->event == 0))
        return 0; /* nothing that anybody would see */
    result = enqueue(ch, type, want_reply, &fields);
    return result != 0 ? result : spn_requests_go_on(ch);
}

static bool may_ask(const spn_channel *ch, const spn_request *request)
{
    const spn_request_type *type = request->type;
    if (ch->state != SPN_OPEN || type == NULL || type->event == 0)
        return false;
    return type->allowed == NULL || type->allowed(ch, request);
}

/* Replies to those at the front that nobody needs to be asked about. */
int spn_requests_go_on(spn_channel *ch)
{
    int result = 0;
    while (result == 0 && first(ch) != NULL && ch->question == 0) {
        const spn_request *request = first(ch);
        if (may_ask(ch, request)) {
            spn_ready(ch);
            break;
        }
        bool granted = request->type != NULL && request->type->act != NULL;
        result = reply(ch, request->want_reply, granted);
        pop(ch);
    }
    return result;
}

/* A forced command takes the place of whatever was to be started. */
static void force_command(const spn_channel *ch, sp_event *event)
{
    const char *command = spn_forced_command(ch->c);
    sp_request_type type = event->u.request.type;

    if (command == NULL ||
        (type != SP_REQUEST_SHELL && type != SP_REQUEST_EXEC && type != SP_REQUEST_SUBSYSTEM))
        return;
    event->u.request.original_type = type;
    event->u.request.original = type == SP_REQUEST_SHELL ? NULL : event->u.request.text;
    event->u.request.type = SP_REQUEST_EXEC;
    event->u.request.text = command;
}

bool spn_request_event(spn_channel *ch, sp_event *event)
{
    const spn_request *request = first(ch);
    if (request == NULL || ch->question != 0)
        return false;
    if (!may_ask(ch, request))
        return false; /* a reply before it failed, and so did the connection */
    event->type = SP_EVENT_REQUEST;
    event->channel = ch->number;
    event->u.request.type = request->type->event;
    event->u.request.want_reply = request->want_reply;
    event->u.request.text = request->text;
    event->u.request.value = request->value;
    event->u.request.size = request->size;
    event->u.request.modes = request->modes;
    event->u.request.milliseconds = request->milliseconds;
    event->u.request.screen = request->screen;
    event->u.request.single_connection = request->single_connection;
    force_command(ch, event);
    if (!request->type->tells) {
        event->question = spn_question_new(ch);
        return true;
    }
    bool want_reply = request->want_reply;
    pop(ch);
    if (reply(ch, want_reply, true) == 0)
        (void)spn_requests_go_on(ch); /* a failure is recorded with the transport */
    return true;
}

int spn_answer_request(spn_connection *c, uint64_t question, bool accepted)
{
    spn_channel *ch;
    int result = spn_question_find(c, question, &ch);
    if (result != 0)
        return result;
    if (ch->state == SPN_OPENING)
        return SP_EINVAL;
    const spn_request *request = first(ch);
    spn_question_answered(ch);
    result = reply(ch, request->want_reply, accepted);
    if (request->type->answered != NULL)
        request->type->answered(ch, request, accepted);
    pop(ch);
    return result != 0 ? result : spn_requests_go_on(ch);
}
