/* Receiving channel data and EOF (RFC 4254 5.2, 5.3). Data goes to the application as a pointer
 * into the packet whenever that is possible; otherwise (reading is paused, or the session has not
 * been started) it is copied and delivered later. The window bounds what can be held. */
#include "connection/connection_internal.h"

bool spn_may_deliver(const spn_channel *ch)
{
    bool paused = ch->paused && !(ch->deliver_all && ch->state == SPN_CLOSED);
    return ch->start == SPN_RUNNING && !paused &&
           (ch->state == SPN_OPEN || ch->state == SPN_CLOSED);
}

void spn_drop_received(spn_channel *ch)
{
    spn_fifo_clear(&ch->received, ch->c);
    if (ch->input == SPN_INPUT_EOF_DUE)
        ch->input = SPN_INPUT_EOF_TOLD;
}

static void data_event(const spn_channel *ch, sp_event *event, uint32_t type, spb_span bytes)
{
    *event = (sp_event){.type = SP_EVENT_DATA, .channel = ch->number};
    event->u.data.type = type;
    event->u.data.bytes = bytes.data;
    event->u.data.length = bytes.length;
}

int spn_on_data(spn_channel *ch, spb_reader *r, bool extended, sp_event *event)
{
    spn_connection *c = ch->c;
    uint32_t type = extended ? spr_u32(r) : SP_DATA_NORMAL;
    spb_span bytes = spr_string(r);
    if (!spr_done(r))
        return spn_bad(c, "Malformed channel data");
    if (ch->input != SPN_INPUT_FLOWS)
        return spn_bad(c, "Channel data after EOF");
    int result = spn_window_take(ch, bytes.length);
    if (result != 0 || bytes.length == 0)
        return result;
    if (ch->state != SPN_OPEN)
        return spn_window_consumed(ch); /* nobody wants it any more */

    /* What the ready list has for this channel came before. */
    if (spn_may_deliver(ch) && !spb_list_linked(&ch->ready) && ch->received.length == 0) {
        result = spn_window_consumed(ch);
        if (result != 0)
            return result;
        data_event(ch, event, type, bytes);
        return 1;
    }
    if (!spn_fifo_put(&ch->received, c, type, bytes.data, bytes.length))
        return spn_no_memory(c);
    ch->window.behind |= ch->paused;
    spn_ready(ch);
    return 0;
}

int spn_deliver_held(spn_channel *ch, sp_event *event)
{
    uint32_t type;
    spb_span piece;
    if (!spn_may_deliver(ch) || !spn_fifo_peek(&ch->received, &type, &piece))
        return 0;
    data_event(ch, event, type, piece);
    spn_chunk *empty = spn_fifo_drop(&ch->received, piece.length);
    if (empty != NULL)
        spn_trash(ch->c, empty);   /* the event points into it */
    (void)spn_window_consumed(ch); /* a failure is recorded with the transport */
    return 1;
}

int spn_on_eof(spn_channel *ch, spb_reader *r)
{
    if (!spr_done(r))
        return spn_bad(ch->c, "Malformed EOF");
    if (ch->input != SPN_INPUT_FLOWS)
        return spn_bad(ch->c, "A second EOF on a channel");
    if (ch->state != SPN_OPEN) {
        ch->input = SPN_INPUT_EOF_TOLD;
        return 0;
    }
    ch->input = SPN_INPUT_EOF_DUE;
    spn_ready(ch);
    return 0;
}

int spn_pause_reading(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    /* After the peer's CLOSE, pausing gives up what is left to deliver. */
    if (result != 0 && (result != SP_ECLOSED || ch->state != SPN_CLOSED))
        return result;
    ch->paused = true;
    return 0;
}

int spn_deliver_all(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result == 0)
        ch->deliver_all = true;
    return result;
}

int spn_resume_reading(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result != 0)
        return result;
    if (!ch->paused)
        return 0;
    ch->paused = false;
    spn_window_resumed(ch, ch->received.length);
    spn_ready(ch);
    return 0;
}
