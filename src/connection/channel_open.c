/* Opening a channel (RFC 4254 5.1): the table of channel types that the client may open, the limits
 * that refuse an open before anyone is asked, and the application's answer. Until the confirmation
 * is sent, the peer does not know our number, so nothing can be said about the channel. */
#include "connection/connection_internal.h"

#include <string.h>

static void parse_session(spn_channel *ch, spb_reader *r)
{
    (void)ch;
    if (spr_left(r) != 0)
        r->failed = true;
}

static const spn_channel_type channel_types[] = {
    {"session", "Session refused", true, SPN_SETUP, spn_session_requests, parse_session},
};

static const spn_channel_type *find_type(spb_span name)
{
    for (size_t i = 0; i < sizeof channel_types / sizeof channel_types[0]; i++)
        if (spb_span_is(name, channel_types[i].name))
            return &channel_types[i];
    return NULL;
}

static int send_refusal(spn_connection *c, uint32_t peer_number, uint32_t code, const char *text)
{
    spb_buffer *b = spt_begin(c->transport, SSH_MSG_CHANNEL_OPEN_FAILURE);
    spw_u32(b, peer_number);
    spw_u32(b, code);
    spw_cstring(b, text);
    spw_cstring(b, "");
    return spt_end(c->transport);
}

int spn_on_open(spn_connection *c, spb_reader *r)
{
    spb_span name = spr_string(r);
    uint32_t peer_number = spr_u32(r);
    uint32_t window = spr_u32(r);
    uint32_t packet = spr_u32(r);
    if (!spr_ok(r))
        return spn_bad(c, "Malformed channel open");
    const spn_channel_type *type = find_type(name);
    if (type == NULL)
        return send_refusal(c, peer_number, SP_OPEN_UNKNOWN_CHANNEL_TYPE, "Unknown channel type");

    spn_channel draft = {.c = c, .type = type};
    type->parse(&draft, r);
    if (!spr_done(r))
        return spn_bad(c, "Malformed open of a %s channel", type->name);
    if (type->session && c->no_more_sessions)
        return send_refusal(c, peer_number, SP_OPEN_ADMINISTRATIVELY_PROHIBITED,
                            "No more sessions");
    if (packet < SPN_PEER_PACKET_MIN)
        return send_refusal(c, peer_number, SP_OPEN_RESOURCE_SHORTAGE,
                            "Maximum packet size too small");
    if (c->count >= c->options->max_channels || c->count >= SPN_CHANNELS_MAX)
        return send_refusal(c, peer_number, SP_OPEN_RESOURCE_SHORTAGE, "Too many channels");
    if (type->session && c->sessions >= c->options->max_sessions)
        return send_refusal(c, peer_number, SP_OPEN_RESOURCE_SHORTAGE, "Too many sessions");

    spn_channel *ch = spn_channel_add(c, type);
    if (ch == NULL)
        return spn_no_memory(c);
    if (!spn_window_reserve(ch)) {
        spn_channel_remove(ch);
        return send_refusal(c, peer_number, SP_OPEN_RESOURCE_SHORTAGE, "Too many open windows");
    }
    ch->state = SPN_OPENING;
    ch->peer_number = peer_number;
    ch->peer_window = window;
    ch->peer_packet = packet < SPN_SEND_MAX ? packet : SPN_SEND_MAX;
    spn_ready(ch);
    return 0;
}

/* A copy of what the caller's version of the struct has; the rest is zero. */
static int read_options(const sp_channel_options *given, sp_channel_options *o)
{
    *o = (sp_channel_options)SP_CHANNEL_OPTIONS_INIT;
    if (given == NULL)
        return 0;
    if (given->size < sizeof given->size)
        return SP_EINVAL;
    memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    return o->packet_size > SPN_PACKET_MAX ? SP_EINVAL : 0;
}

static void set_write_marks(spn_channel *ch, const sp_channel_options *o)
{
    const sp_protocol_options *config = ch->c->options;
    ch->write_high = o->write_buffer_high ? o->write_buffer_high : config->write_buffer_high;
    ch->write_low = o->write_buffer_low    ? o->write_buffer_low
                    : o->write_buffer_high ? o->write_buffer_high / 4
                                           : config->write_buffer_low;
    if (ch->write_low >= ch->write_high)
        ch->write_low = ch->write_high - 1;
}

int spn_accept_open(spn_connection *c, uint64_t question, const sp_channel_options *options)
{
    spn_channel *ch;
    sp_channel_options o;
    int result = spn_question_find(c, question, &ch);
    if (result != 0)
        return result;
    if (ch->state != SPN_OPENING || read_options(options, &o) != 0)
        return SP_EINVAL;
    const sp_protocol_options *config = c->options;
    uint32_t size = o.window_size ? o.window_size : config->window_size;
    uint32_t max = o.window_max ? o.window_max : config->window_max;
    spn_window_open(ch, size, max, o.packet_size ? o.packet_size : config->packet_size);
    set_write_marks(ch, &o);
    spn_question_answered(ch);
    ch->state = SPN_OPEN;

    spb_buffer *b = spt_begin(c->transport, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
    spw_u32(b, ch->peer_number);
    spw_u32(b, ch->number);
    spw_u32(b, ch->window.credit);
    spw_u32(b, ch->window.packet);
    return spt_end(c->transport);
}

int spn_refuse_open(spn_connection *c, uint64_t question, uint32_t code, const char *text)
{
    spn_channel *ch;
    int result = spn_question_find(c, question, &ch);
    if (result != 0)
        return result;
    if (ch->state != SPN_OPENING)
        return SP_EINVAL;
    uint32_t peer_number = ch->peer_number;
    const char *default_text = ch->type->refusal;
    spn_channel_remove(ch);
    return send_refusal(c, peer_number, code ? code : SP_OPEN_CONNECT_FAILED,
                        text ? text : default_text);
}
