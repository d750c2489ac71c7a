/* Opening a channel (RFC 4254 5.1): the table of channel types that the client may open, the limits
 * that refuse an open before anyone is asked, and the application's answer. Until the confirmation
 * is sent, the peer does not know our number, so nothing can be said about the channel. */
#include "connection/connection_internal.h"

#include <string.h>

/* RFC 4254 7.2 */
static void parse_tcpip(spb_reader *r, spn_target *target)
{
    target->dest = spr_string(r);
    target->dest_port = spr_u32(r);
    target->orig = spr_string(r);
    target->orig_port = spr_u32(r);
}

/* OpenSSH PROTOCOL 2.4: two reserved fields follow. */
static void parse_streamlocal(spb_reader *r, spn_target *target)
{
    target->dest = spr_string(r);
    (void)spr_string(r);
    (void)spr_u32(r);
}

static const spn_channel_type channel_types[] = {
    {"session", "Session refused", true, SPN_SETUP, spn_session_requests, false, NULL, NULL},
    {"direct-tcpip", "Connection refused", false, SPN_START_DUE, spn_no_requests, false,
     parse_tcpip, NULL},
    {"direct-streamlocal@openssh.com", "Connection refused", false, SPN_START_DUE, spn_no_requests,
     true, parse_streamlocal, NULL},
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

bool spn_is_text(spb_span text)
{
    return text.length <= SPN_TARGET_MAX &&
           (text.length == 0 || memchr(text.data, '\0', text.length) == NULL);
}

/* Could there be such a place? Port 0 is none; that of the originator tells nothing. */
static bool is_place(const spn_channel_type *type, const spn_target *target)
{
    if (type->parse == NULL)
        return true;
    return spn_is_text(target->dest) && target->dest.length > 0 && spn_is_text(target->orig) &&
           (type->path || (target->dest_port > 0 && target->dest_port <= UINT16_MAX &&
                           target->orig_port <= UINT16_MAX));
}

static bool keep_place(spn_channel *ch, const spn_target *target)
{
    if (ch->type->parse == NULL)
        return true;
    spn_place *place =
        spb_calloc(ch->c->env, 1, sizeof *place + target->dest.length + target->orig.length + 2);
    if (place == NULL)
        return false;
    char *at = place->text;
    place->dest = spn_put_text(&at, target->dest);
    place->orig = spn_put_text(&at, target->orig);
    place->dest_port = (uint16_t)target->dest_port;
    place->orig_port = (uint16_t)target->orig_port;
    ch->place = place;
    return true;
}

void spn_forget_place(spn_channel *ch)
{
    if (ch->place != NULL)
        spn_trash(ch->c, ch->place); /* the event points into it */
    ch->place = NULL;
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

    spn_target target = {0};
    if (type->parse != NULL)
        type->parse(r, &target);
    if (!spr_done(r))
        return spn_bad(c, "Malformed open of a %s channel", type->name);
    if (!is_place(type, &target))
        return send_refusal(c, peer_number, SP_OPEN_CONNECT_FAILED, "No such destination");
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
    if (!keep_place(ch, &target)) {
        spn_channel_remove(ch);
        return spn_no_memory(c);
    }
    if (!spn_place_permitted(ch)) {
        spb_log(c->env, SP_LOG_INFO, "open of a %s channel refused: not permitted by the key",
                type->name);
        spn_channel_remove(ch);
        return send_refusal(c, peer_number, SP_OPEN_ADMINISTRATIVELY_PROHIBITED, "Not permitted");
    }
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

int spn_read_options(const sp_channel_options *given, sp_channel_options *o)
{
    *o = (sp_channel_options){SP_CHANNEL_OPTIONS_INIT};
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

void spn_set_sizes(spn_channel *ch, const sp_channel_options *o)
{
    const sp_protocol_options *config = ch->c->options;
    uint32_t size = o->window_size ? o->window_size : spn_window_share(ch);
    uint32_t max = o->window_max ? o->window_max : config->window_max;
    spn_window_open(ch, size, max, o->packet_size ? o->packet_size : config->packet_size);
    set_write_marks(ch, o);
}

int spn_accept_open(spn_connection *c, uint64_t question, const sp_channel_options *options)
{
    spn_channel *ch;
    sp_channel_options o;
    int result = spn_question_find(c, question, &ch);
    if (result != 0)
        return result;
    if (ch->state != SPN_OPENING || spn_read_options(options, &o) != 0)
        return SP_EINVAL;
    spn_set_sizes(ch, &o);
    spn_question_answered(ch);
    ch->state = SPN_OPEN;
    spn_forget_place(ch);
    if (ch->start == SPN_START_DUE)
        spn_ready(ch);

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
