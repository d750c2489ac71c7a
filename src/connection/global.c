/* Global requests (RFC 4254 4): the table of those that the client may send, and our keepalives.
 *
 * Some are answered at once, others are questions. Replies have no number: they keep the order of
 * the requests, so whatever comes behind an open question waits in the queue with its reply. To add
 * a request, write the function that reads it and give it a row in the table. */
#include "connection/connection_internal.h"

#include <string.h>

typedef enum outcome {
    MALFORMED,
    REFUSED,
    GRANTED,
    QUESTION, /* the application is asked */
} outcome;

/* What the request says; spans into the message. */
typedef struct fields {
    spb_span text; /* a host or a path */
    uint32_t port;
    spb_span bytes;
} fields;

typedef struct global_type {
    const char *name;
    sp_global_type event;
    bool in_turn;    /* asked when all before it is answered; what is behind it waits */
    bool tells_port; /* the reply carries the port, if it was asked for as 0 */
    bool path;       /* the text is a path, not a host */
    bool proves;     /* asks for a signature by each key listed in the bytes, one after the other */
    outcome (*read)(spn_connection *c, spb_reader *r, fields *f);
} global_type;

typedef enum global_state {
    DUE, /* to be asked */
    ASKED,
    ANSWERED,
} global_state;

typedef struct global {
    spn_node node;
    spb_link link;
    const global_type *type; /* NULL: it only waits for its reply */
    global_state state;
    bool want_reply;
    bool granted;
    uint16_t port;
    uint64_t question;
    size_t size; /* as it is counted */
    const char *text;
    const uint8_t *bytes;
    size_t length;
    uint8_t *reply;
    size_t reply_length;
    spn_proof proof;
    /* text, bytes and the proof's data follow */
} global;

/* ---- the requests ---- */

/* OpenSSH PROTOCOL 2.2: the client promises to open no more sessions. */
static outcome no_more_sessions(spn_connection *c, spb_reader *r, fields *f)
{
    (void)f;
    if (!spr_done(r))
        return MALFORMED;
    c->no_more_sessions = true;
    return GRANTED;
}

/* Any reply keeps the connection alive; sshd's is a failure. */
static outcome keepalive(spn_connection *c, spb_reader *r, fields *f)
{
    (void)c;
    (void)r;
    (void)f;
    return REFUSED;
}

/* RFC 4254 7.1. An empty address means all; port 0, any. */
static outcome read_address(spn_connection *c, spb_reader *r, fields *f)
{
    (void)c;
    f->text = spr_string(r);
    f->port = spr_u32(r);
    if (!spr_done(r))
        return MALFORMED;
    return spn_is_text(f->text) && f->port <= UINT16_MAX ? QUESTION : REFUSED;
}

/* OpenSSH PROTOCOL 2.4 */
static outcome read_path(spn_connection *c, spb_reader *r, fields *f)
{
    (void)c;
    f->text = spr_string(r);
    if (!spr_done(r))
        return MALFORMED;
    return spn_is_text(f->text) && f->text.length > 0 ? QUESTION : REFUSED;
}

/* OpenSSH PROTOCOL 2.5 */
static outcome read_proof(spn_connection *c, spb_reader *r, fields *f)
{
    switch (spn_proof_read(c, r, &f->bytes)) {
    case SPN_PROOF_LISTED:
        return QUESTION;
    case SPN_PROOF_REFUSED:
        return REFUSED;
    case SPN_PROOF_MALFORMED:
        break;
    }
    return MALFORMED;
}

static const global_type types[] = {
    {.name = "no-more-sessions@openssh.com", .read = no_more_sessions},
    {.name = "keepalive@openssh.com", .read = keepalive},
    {.name = "tcpip-forward",
     .event = SP_GLOBAL_TCPIP_FORWARD,
     .tells_port = true,
     .read = read_address},
    {.name = "cancel-tcpip-forward",
     .event = SP_GLOBAL_CANCEL_TCPIP_FORWARD,
     .in_turn = true,
     .read = read_address},
    {.name = "streamlocal-forward@openssh.com",
     .event = SP_GLOBAL_STREAMLOCAL_FORWARD,
     .path = true,
     .read = read_path},
    {.name = "cancel-streamlocal-forward@openssh.com",
     .event = SP_GLOBAL_CANCEL_STREAMLOCAL_FORWARD,
     .in_turn = true,
     .path = true,
     .read = read_path},
    {.name = "hostkeys-prove-00@openssh.com", .proves = true, .read = read_proof},
};

static const global_type *find_type(spb_span name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (spb_span_is(name, types[i].name))
            return &types[i];
    return NULL;
}

/* ---- the queue ---- */

static global *first(const spn_connection *c)
{
    return spb_list_empty(&c->globals) ? NULL : SPB_CONTAINER(c->globals.next, global, link);
}

static void drop(spn_connection *c, global *g)
{
    spb_list_remove(&g->link);
    spb_free(c->env, g->reply);
    c->global_count--;
    c->globals_due -= g->state == DUE;
    c->global_bytes -= g->size;
    spn_trash(c, g); /* an event may point into it */
}

void spn_globals_drop(spn_connection *c)
{
    for (global *g = first(c); g != NULL; g = first(c))
        drop(c, g);
}

static int send_reply(spn_connection *c, bool granted, const uint8_t *bytes, size_t length)
{
    spb_buffer *b =
        spt_begin(c->transport, granted ? SSH_MSG_REQUEST_SUCCESS : SSH_MSG_REQUEST_FAILURE);
    if (granted && length > 0)
        spw_bytes(b, bytes, length);
    return spt_end(c->transport);
}

/* Sends the replies at the front that are known. */
static int go_on(spn_connection *c)
{
    int result = 0;
    for (global *g = first(c); result == 0 && g != NULL && g->state == ANSWERED; g = first(c)) {
        if (g->want_reply)
            result = send_reply(c, g->granted, g->reply, g->reply_length);
        drop(c, g);
    }
    return result;
}

static int enqueue(spn_connection *c, const global_type *type, outcome result, bool want_reply,
                   const fields *f)
{
    bool question = result == QUESTION;
    size_t more = question ? f->text.length + 1 + f->bytes.length : 0;
    if (question && type->proves)
        more += spn_proof_room(c);
    size_t size = sizeof(global) + more;
    if (c->global_count >= SPN_GLOBALS_MAX || size > SPN_GLOBAL_BYTES_MAX - c->global_bytes)
        return spt_fail(c->transport, SP_ELIMIT, SP_DISCONNECT_PROTOCOL_ERROR,
                        "Too many global requests are waiting");
    global *g = spb_calloc(c->env, 1, size);
    if (g == NULL)
        return spn_no_memory(c);
    g->state = question ? DUE : ANSWERED;
    g->granted = result == GRANTED;
    g->want_reply = want_reply;
    g->size = size;
    if (question) {
        char *at = (char *)(g + 1);
        g->type = type;
        g->port = (uint16_t)f->port;
        g->text = spn_put_text(&at, f->text);
        if (f->bytes.length > 0)
            g->bytes = memcpy(at, f->bytes.data, f->bytes.length);
        g->length = f->bytes.length;
        g->proof.left = (spb_span){g->bytes, g->length};
        g->proof.data = (uint8_t *)at + g->length; /* only for what proves */
    }
    spb_list_append(&c->globals, &g->link);
    c->global_count++;
    c->globals_due += question;
    c->global_bytes += size;
    return 0;
}

/* Listening for the client, if its keys let it: nobody is asked otherwise. Taking it back is always
 * allowed. */
static bool listen_permitted(const spn_connection *c, const global_type *type, const fields *f)
{
    char text[SPN_TARGET_MAX + 1]; /* spn_is_text has looked */

    if (type->event != SP_GLOBAL_TCPIP_FORWARD && type->event != SP_GLOBAL_STREAMLOCAL_FORWARD)
        return true;
    if (f->text.length > SPN_TARGET_MAX)
        return false;
    if (f->text.length > 0)
        memcpy(text, f->text.data, f->text.length);
    text[f->text.length] = '\0';
    bool permitted = type->path ? spn_may_listen_path(c, text) : spn_may_listen(c, text, f->port);
    if (!permitted)
        spb_log(c->env, SP_LOG_INFO, "%s refused: not permitted by the key", type->name);
    return permitted;
}

int spn_on_global_request(spn_connection *c, spb_reader *r)
{
    spb_span name = spr_string(r);
    bool want_reply = spr_bool(r);
    if (!spr_ok(r))
        return spn_bad(c, "Malformed global request");
    const global_type *type = find_type(name);
    fields f = {0};
    outcome result = type == NULL ? REFUSED : type->read(c, r, &f);
    if (result == MALFORMED)
        return spn_bad(c, "Malformed global request");
    if (result == QUESTION && !listen_permitted(c, type, &f))
        result = REFUSED;
    if (result == QUESTION || (want_reply && first(c) != NULL))
        return enqueue(c, type, result, want_reply, &f);
    return want_reply ? send_reply(c, result == GRANTED, NULL, 0) : 0;
}

/* ---- asking ---- */

static global *next_due(spn_connection *c)
{
    if (c->globals_due == 0)
        return NULL;
    for (spb_link *at = c->globals.next; at != &c->globals; at = at->next) {
        global *g = SPB_CONTAINER(at, global, link);
        bool in_turn = g->type != NULL && g->type->in_turn;
        if (g->state == DUE)
            return !in_turn || at == c->globals.next ? g : NULL;
        if (in_turn && g->state == ASKED)
            return NULL;
    }
    return NULL;
}

static void asks(spn_connection *c, global *g, sp_event *event)
{
    c->questions = (c->questions + 1) & SPN_QUESTION_COUNT_MASK;
    g->question = SPN_QUESTION_ROOM | (c->questions << SPN_SLOT_BITS) | SPN_SLOT_MASK;
    g->state = ASKED;
    c->globals_due--;
    event->question = g->question;
    if (g->type->proves) {
        spn_proof_ask(c, &g->proof, event);
        return;
    }
    event->type = SP_EVENT_GLOBAL_REQUEST;
    event->u.global.type = g->type->event;
    event->u.global.want_reply = g->want_reply;
    event->u.global.port = g->port;
    event->u.global.bytes = g->bytes;
    event->u.global.length = g->length;
    if (g->type->path)
        event->u.global.path = g->text;
    else
        event->u.global.host = g->text;
}

bool spn_global_event(spn_connection *c, sp_event *event)
{
    global *g = c->lost ? first(c) : c->released ? next_due(c) : NULL;
    if (g == NULL)
        return false;
    *event = (sp_event){.type = SP_EVENT_NONE};
    if (!c->lost) {
        asks(c, g, event);
        return true;
    }
    event->type = SP_EVENT_CANCELED;
    event->question = g->question;
    drop(c, g);
    return true;
}

void spn_globals_lost(spn_connection *c)
{
    for (spb_link *at = c->globals.next; at != &c->globals;) {
        global *g = SPB_CONTAINER(at, global, link);
        at = at->next;
        if (g->state != ASKED)
            drop(c, g);
    }
}

/* ---- the answer ---- */

static int find_question(const spn_connection *c, uint64_t question, global **found)
{
    if ((question & SPN_SLOT_MASK) != SPN_SLOT_MASK)
        return SP_EINVAL; /* a channel's */
    if (c->lost || spt_failed(c->transport))
        return SP_ECONN;
    for (spb_link *at = c->globals.next; at != &c->globals; at = at->next) {
        global *g = SPB_CONTAINER(at, global, link);
        if (g->question == question) {
            *found = g;
            return g->state == ASKED ? 0 : SP_EALREADY;
        }
    }
    return SP_ECONN;
}

static bool keep_reply(spn_connection *c, global *g, const sp_global_reply *reply)
{
    uint8_t port[4];
    const void *bytes = reply->bytes;
    size_t length = reply->length;
    if (g->type->tells_port && g->port == 0) {
        spb_put_u32(port, reply->port);
        bytes = port;
        length = sizeof port;
    }
    if (!g->want_reply || length == 0)
        return true;
    g->reply = spb_memdup(c->env, bytes, length);
    g->reply_length = length;
    return g->reply != NULL;
}

int spn_answer_global(spn_connection *c, uint64_t question, const sp_global_reply *reply)
{
    global *g;
    bool granted = reply != NULL && reply->accepted;
    int result = find_question(c, question, &g);
    if (result != 0)
        return result;
    if (g->type->proves)
        return SP_EINVAL;
    if (granted && g->type->tells_port && g->port == 0 && reply->port == 0)
        return SP_EINVAL;
    if (granted && !keep_reply(c, g, reply))
        return spn_no_memory(c);
    g->granted = granted;
    g->state = ANSWERED;
    return go_on(c);
}

/* Puts a signature behind those that are there. */
static bool add_signature(spn_connection *c, global *g, const uint8_t *signature, size_t length)
{
    uint8_t *reply = spb_realloc(c->env, g->reply, g->reply_length + 4 + length);
    if (reply == NULL)
        return false;
    spb_put_u32(reply + g->reply_length, (uint32_t)length);
    memcpy(reply + g->reply_length + 4, signature, length);
    g->reply = reply;
    g->reply_length += 4 + length;
    return true;
}

int spn_answer_sign(spn_connection *c, uint64_t question, const uint8_t *signature, size_t length)
{
    global *g;
    int result = find_question(c, question, &g);
    if (result != 0)
        return result;
    if (!g->type->proves)
        return SP_EINVAL;
    bool good = spn_proof_good(c, &g->proof, signature, length);
    if (good && !add_signature(c, g, signature, length))
        return spn_no_memory(c);
    if (good && g->proof.left.length > 0) {
        g->state = DUE;
        c->globals_due++;
        return 0;
    }
    g->granted = good;
    g->state = ANSWERED;
    return go_on(c);
}

/* ---- ours ---- */

int spn_on_global_reply(spn_connection *c)
{
    if (c->keepalives == 0)
        return spn_bad(c, "A reply to no global request");
    c->keepalives--;
    return 0;
}

int spn_send_keepalive(spn_connection *c)
{
    if (c->lost || spt_failed(c->transport))
        return SP_ECONN;
    spb_buffer *b = spt_begin(c->transport, SSH_MSG_GLOBAL_REQUEST);
    spw_cstring(b, "keepalive@openssh.com");
    spw_bool(b, true);
    c->keepalives++;
    return spt_end(c->transport);
}

unsigned spn_keepalives_open(const spn_connection *c)
{
    return c->keepalives;
}
