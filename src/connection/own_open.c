/* Channels that we open (RFC 4254 5.1): for connections to what the client had us listen on, for
 * X11 and for the agent. The client answers with a confirmation or a failure, once; until then it
 * can say nothing else about the channel. The open itself waits, like data, while keys are
 * exchanged or the output is full: so a thousand of them cannot overflow what may be held. */
#include "connection/connection_internal.h"

#include <string.h>

#define OPEN_MAX (4 * (size_t)SPN_TARGET_MAX)

/* ---- the kinds ---- */

/* RFC 4254 7.2 */
static void put_tcpip(spb_buffer *b, const sp_open_request *what)
{
    spw_cstring(b, what->dest_host);
    spw_u32(b, what->dest_port);
    spw_cstring(b, what->orig_host);
    spw_u32(b, what->orig_port);
}

/* OpenSSH PROTOCOL 2.4: a reserved string follows. */
static void put_streamlocal(spb_buffer *b, const sp_open_request *what)
{
    spw_cstring(b, what->dest_path);
    spw_cstring(b, "");
}

/* RFC 4254 6.3.2 */
static void put_x11(spb_buffer *b, const sp_open_request *what)
{
    spw_cstring(b, what->orig_host);
    spw_u32(b, what->orig_port);
}

/* OpenSSH PROTOCOL.agent */
static void put_nothing(spb_buffer *b, const sp_open_request *what)
{
    (void)b;
    (void)what;
}

static const spn_channel_type own_types[] = {
    {"forwarded-tcpip", "", false, SPN_START_DUE, spn_no_requests, false, NULL, put_tcpip},
    {"forwarded-streamlocal@openssh.com", "", false, SPN_START_DUE, spn_no_requests, false, NULL,
     put_streamlocal},
    {"x11", "", false, SPN_START_DUE, spn_no_requests, false, NULL, put_x11},
    {"auth-agent@openssh.com", "", false, SPN_START_DUE, spn_no_requests, false, NULL, put_nothing},
};

static const spn_channel_type *find_type(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof own_types / sizeof own_types[0]; i++)
        if (strcmp(name, own_types[i].name) == 0)
            return &own_types[i];
    return NULL;
}

/* ---- asking ---- */

static bool fits(const char *text)
{
    return text == NULL || strlen(text) <= SPN_TARGET_MAX;
}

static int read_request(const sp_open_request *given, sp_open_request *what)
{
    memset(what, 0, sizeof *what);
    if (given == NULL || given->size < sizeof given->size)
        return SP_EINVAL;
    memcpy(what, given, given->size < sizeof *what ? given->size : sizeof *what);
    return fits(what->dest_host) && fits(what->orig_host) && fits(what->dest_path) ? 0 : SP_EINVAL;
}

static int keep_body(spn_channel *ch, const sp_open_request *what)
{
    spb_buffer b;
    spb_buffer_init(&b, ch->c->env, OPEN_MAX);
    spw_cstring(&b, ch->type->name);
    spw_u32(&b, ch->number);
    spw_u32(&b, ch->window.credit);
    spw_u32(&b, ch->window.packet);
    ch->type->put(&b, what);
    if (!spw_ok(&b)) {
        spb_buffer_free(&b);
        return SP_ENOMEM;
    }
    ch->open_body = b.data;
    ch->open_length = b.length;
    return 0;
}

int spn_send_open(spn_channel *ch)
{
    spb_buffer *b = spt_begin(ch->c->transport, SSH_MSG_CHANNEL_OPEN);
    spw_bytes(b, ch->open_body, ch->open_length);
    spn_forget_open(ch);
    return spt_end(ch->c->transport);
}

void spn_forget_open(spn_channel *ch)
{
    spb_free(ch->c->env, ch->open_body);
    ch->open_body = NULL;
    ch->open_length = 0;
}

int spn_open_channel(spn_connection *c, const sp_open_request *given,
                     const sp_channel_options *options, uint32_t *channel)
{
    sp_open_request what;
    sp_channel_options o;
    if (read_request(given, &what) != 0 || spn_read_options(options, &o) != 0)
        return SP_EINVAL;
    const spn_channel_type *type = find_type(what.type);
    if (type == NULL)
        return SP_EINVAL;
    if (c->lost || spt_failed(c->transport))
        return SP_ECONN;
    if (!c->released)
        return SP_ESTATE;
    if (c->count >= c->options->max_channels || c->count >= SPN_CHANNELS_MAX)
        return SP_ELIMIT;
    spn_channel *ch = spn_channel_add(c, type);
    if (ch == NULL)
        return SP_ENOMEM;
    ch->state = SPN_ASKED;
    int result = spn_window_reserve(ch) ? 0 : SP_ELIMIT;
    if (result == 0) {
        spn_set_sizes(ch, &o);
        result = keep_body(ch, &what);
    }
    if (result != 0) {
        spn_channel_remove(ch);
        return result;
    }
    *channel = ch->number;
    spn_sending(ch);
    (void)spn_flush(c); /* a failure is recorded with the transport: CHANNEL_CLOSED tells */
    return 0;
}

/* The client may know of it already; then its answer comes first. */
int spn_take_back(spn_channel *ch)
{
    ch->unwanted = true;
    if (ch->open_body == NULL)
        return 0;
    spn_silence(ch);
    ch->state = SPN_CLOSED;
    ch->start = SPN_RUNNING;
    spn_ready(ch);
    return 0;
}

/* ---- the client's answer ---- */

int spn_on_confirmation(spn_channel *ch, spb_reader *r)
{
    uint32_t peer_number = spr_u32(r);
    uint32_t window = spr_u32(r);
    uint32_t packet = spr_u32(r);
    if (!spr_done(r))
        return spn_bad(ch->c, "Malformed confirmation of a channel");
    if (packet < SPN_PEER_PACKET_MIN)
        return spn_bad(ch->c, "Maximum packet size too small");
    ch->peer_number = peer_number;
    ch->peer_window = window;
    ch->peer_packet = packet < SPN_SEND_MAX ? packet : SPN_SEND_MAX;
    ch->state = SPN_OPEN;
    if (!ch->unwanted) {
        spn_ready(ch);
        return 0;
    }
    ch->start = SPN_RUNNING;
    return spn_send_close(ch);
}

int spn_on_failure(spn_channel *ch, spb_reader *r)
{
    uint32_t code = spr_u32(r);
    spb_span text = spr_string(r);
    (void)spr_string(r); /* language */
    if (!spr_done(r))
        return spn_bad(ch->c, "Malformed refusal of a channel");
    spn_failure *failure = spb_calloc(ch->c->env, 1, sizeof *failure);
    if (failure == NULL)
        return spn_no_memory(ch->c);
    failure->code = code;
    spb_printable(failure->text, sizeof failure->text, text.data, text.length);
    ch->failure = failure;
    ch->state = SPN_REFUSED;
    spn_ready(ch);
    return 0;
}

bool spn_refused_event(spn_channel *ch, sp_event *event)
{
    event->type = SP_EVENT_OPEN_FAILED;
    event->channel = ch->number;
    event->u.open_failed.code = ch->failure->code;
    event->u.open_failed.text = ch->failure->text;
    spn_trash(ch->c, ch->failure); /* the event points into it */
    ch->failure = NULL;
    spn_channel_remove(ch);
    return true;
}
