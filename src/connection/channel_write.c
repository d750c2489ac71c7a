/* Sending channel data (RFC 4254 5.2). What the peer's window and the output take at once is sealed
 * straight from the application's buffer; the rest is held, up to the channel's high mark, and goes
 * out when there is room: one packet per channel and turn, so that a big stream starves nobody.
 * A writer that keeps its bytes (spn_write_now) is told when its turn has come, and the others wait
 * until it has seen that. Types keep their order: one queue holds the normal stream and stderr. */
#include "connection/connection_internal.h"

#include <string.h>

static bool has_to_send(const spn_channel *ch)
{
    return ch->open_body != NULL || ch->adjust_due ||
           ((ch->held.length > 0 || ch->wants_room) && ch->peer_window > 0);
}

void spn_sending(spn_channel *ch)
{
    if (!has_to_send(ch))
        spb_list_remove(&ch->sending);
    else if (!spb_list_linked(&ch->sending))
        spb_list_append(&ch->c->sending, &ch->sending);
}

int spn_simple(spn_channel *ch, uint8_t message)
{
    spb_buffer *b = spt_begin(ch->c->transport, message);
    spw_u32(b, ch->peer_number);
    return spt_end(ch->c->transport);
}

/* One packet; returns how much of the data it took, or an error. */
static ptrdiff_t send_packet(spn_channel *ch, uint32_t type, const uint8_t *data, size_t length)
{
    uint8_t head[13];
    size_t size = 0;
    size_t room = ch->peer_window < ch->peer_packet ? ch->peer_window : ch->peer_packet;
    uint32_t n = (uint32_t)(length < room ? length : room);
    head[size++] = type == SP_DATA_NORMAL ? SSH_MSG_CHANNEL_DATA : SSH_MSG_CHANNEL_EXTENDED_DATA;
    spb_put_u32(head + size, ch->peer_number);
    size += 4;
    if (type != SP_DATA_NORMAL) {
        spb_put_u32(head + size, type);
        size += 4;
    }
    spb_put_u32(head + size, n);
    size += 4;
    int result = spt_send_data(ch->c->transport, head, size, data, n);
    if (result != 0)
        return result;
    ch->peer_window -= n;
    return (ptrdiff_t)n;
}

static void note_full(spn_channel *ch)
{
    switch (ch->note) {
    case SPN_NOTE_NONE:
    case SPN_NOTE_BOTH_DUE:
        ch->note = SPN_NOTE_PAUSE_DUE;
        break;
    case SPN_NOTE_RESUME_DUE:
        ch->note = SPN_NOTE_PAUSED; /* as it was last told */
        break;
    case SPN_NOTE_PAUSE_DUE:
    case SPN_NOTE_PAUSED:
        return;
    }
    spn_ready(ch);
}

/* Whoever had to stop knows it from the call; what is due is only the RESUME. */
static void note_short(spn_channel *ch)
{
    if (ch->note == SPN_NOTE_NONE || ch->note == SPN_NOTE_RESUME_DUE)
        ch->note = SPN_NOTE_PAUSED;
    else if (ch->note == SPN_NOTE_BOTH_DUE)
        ch->note = SPN_NOTE_PAUSE_DUE;
}

static void note_room(spn_channel *ch)
{
    if (ch->held.length > ch->write_low)
        return;
    if (ch->note == SPN_NOTE_PAUSED)
        ch->note = SPN_NOTE_RESUME_DUE;
    else if (ch->note == SPN_NOTE_PAUSE_DUE)
        ch->note = SPN_NOTE_BOTH_DUE;
    else
        return;
    spn_ready(ch);
}

static int find_writable(spn_connection *c, uint32_t channel, uint32_t type, spn_channel **ch)
{
    int result = spn_find_open(c, channel, ch);
    if (result == 0 &&
        ((*ch)->output != SPN_OUTPUT_FLOWS || ((*ch)->eow_received && type == SP_DATA_NORMAL)))
        result = SP_ECLOSED;
    return result;
}

/* Packets while they can go out, `most` bytes or a little more. How much of the data was sent. */
static ptrdiff_t send_some(spn_channel *ch, uint32_t type, const uint8_t *bytes, size_t length,
                           size_t most)
{
    size_t sent = 0;
    while (sent < length && sent < most && ch->held.length == 0 && ch->peer_window > 0 &&
           spt_can_send_data(ch->c->transport)) {
        ptrdiff_t n = send_packet(ch, type, bytes + sent, length - sent);
        if (n < 0)
            return n;
        sent += (size_t)n;
    }
    return (ptrdiff_t)sent;
}

ptrdiff_t spn_write_now(spn_connection *c, uint32_t channel, uint32_t type, const void *bytes,
                        size_t length)
{
    spn_channel *ch;
    int result = find_writable(c, channel, type, &ch);
    if (result != 0)
        return result;
    /* Others wait too: one packet, then it is their turn. */
    size_t most = spb_list_empty(&c->sending) ? SIZE_MAX : 1;
    ptrdiff_t sent = send_some(ch, type, bytes, length, most);
    if (sent < 0 || (size_t)sent == length)
        return sent;
    ch->wants_room = true;
    note_short(ch);
    spn_sending(ch);
    return sent;
}

ptrdiff_t spn_write(spn_connection *c, uint32_t channel, uint32_t type, const void *bytes,
                    size_t length)
{
    spn_channel *ch;
    int result = find_writable(c, channel, type, &ch);
    if (result != 0)
        return result;
    ptrdiff_t sent = send_some(ch, type, bytes, length, SIZE_MAX);
    if (sent < 0 || (size_t)sent == length)
        return sent;
    const uint8_t *at = (const uint8_t *)bytes + sent;
    size_t left = length - (size_t)sent;
    size_t room = ch->held.length < ch->write_high ? ch->write_high - ch->held.length : 0;
    size_t n = left < room ? left : room;
    if (!spn_fifo_put(&ch->held, c, type, at, n))
        return spn_no_memory(c);
    if (ch->held.length >= ch->write_high)
        note_full(ch);
    spn_sending(ch);
    return (ptrdiff_t)(length - left + n);
}

/* One packet of what is held. */
static int send_held(spn_channel *ch)
{
    uint32_t type;
    spb_span piece;
    if (ch->peer_window == 0 || !spn_fifo_peek(&ch->held, &type, &piece))
        return 0;
    ptrdiff_t n = send_packet(ch, type, piece.data, piece.length);
    if (n < 0)
        return (int)n;
    spn_node_free(ch->c, spn_fifo_drop(&ch->held, (size_t)n));
    note_room(ch);
    return spn_drained(ch);
}

/* The turn of a writer that waits, if its channel can send. */
static void give_turn(spn_channel *ch)
{
    if (!ch->wants_room || ch->held.length > 0 || ch->peer_window == 0)
        return;
    ch->wants_room = false;
    ch->c->turn_given = true;
    note_room(ch);
}

bool spn_turn_given(const spn_connection *c)
{
    return c->turn_given;
}

int spn_flush(spn_connection *c)
{
    int result = 0;
    c->turn_given = false;
    while (result == 0 && !c->turn_given && !spb_list_empty(&c->sending) &&
           spt_can_send_data(c->transport)) {
        spn_channel *ch = SPB_CONTAINER(c->sending.next, spn_channel, sending);
        spb_list_remove(&ch->sending);
        if (ch->open_body != NULL)
            result = spn_send_open(ch);
        if (result == 0 && ch->adjust_due)
            result = spn_window_grant(ch);
        if (result == 0)
            result = send_held(ch);
        if (result == 0)
            give_turn(ch);
        spn_sending(ch);
    }
    return result;
}

int spn_on_adjust(spn_channel *ch, spb_reader *r)
{
    uint32_t more = spr_u32(r);
    if (!spr_done(r))
        return spn_bad(ch->c, "Malformed window adjust");
    if (more > UINT32_MAX - ch->peer_window)
        return spn_bad(ch->c, "Window adjusted beyond 2^32 - 1");
    ch->peer_window += more;
    spn_sending(ch);
    return spn_flush(ch->c);
}

int spn_drained(spn_channel *ch)
{
    int result = 0;
    if (ch->held.length > 0)
        return 0;
    if (ch->state == SPN_CLOSING)
        result = spn_send_exit(ch);
    if (result == 0 && (ch->state == SPN_CLOSING || ch->output == SPN_OUTPUT_EOF_DUE) &&
        ch->output != SPN_OUTPUT_EOF_SENT) {
        ch->output = SPN_OUTPUT_EOF_SENT;
        result = spn_simple(ch, SSH_MSG_CHANNEL_EOF);
    }
    if (result == 0 && ch->state == SPN_CLOSING)
        result = spn_send_close(ch);
    return result;
}

void spn_drop_held(spn_channel *ch)
{
    spn_fifo_clear(&ch->held, ch->c);
    spn_sending(ch);
}

/* Held stderr data stays. The application hears of it by SP_ECLOSED from its next write; if it was
 * told to pause, RESUME lets it try. */
int spn_discard_normal(spn_channel *ch)
{
    spn_connection *c = ch->c;
    spn_fifo all = ch->held;
    uint32_t type;
    spb_span piece;
    bool kept = true;
    ch->eow_received = true;
    ch->held = (spn_fifo){0};
    while (spn_fifo_peek(&all, &type, &piece)) {
        if (type != SP_DATA_NORMAL)
            kept = kept && spn_fifo_put(&ch->held, c, type, piece.data, piece.length);
        spn_node_free(c, spn_fifo_drop(&all, piece.length));
    }
    if (!kept)
        return spn_no_memory(c);
    ch->wants_room = false;
    spn_sending(ch);
    note_room(ch);
    return spn_drained(ch);
}

size_t spn_write_buffered(const spn_connection *c, uint32_t channel)
{
    const spn_channel *ch = spn_find(c, channel);
    return ch == NULL ? 0 : ch->held.length;
}

int spn_write_eof(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result != 0)
        return result;
    if (ch->output != SPN_OUTPUT_FLOWS)
        return SP_EALREADY;
    ch->output = SPN_OUTPUT_EOF_DUE;
    return spn_drained(ch);
}
