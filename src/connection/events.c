/* The events of channels, read off their states. For each channel the order is: what was canceled,
 * the open, the start (or the client's confirmation), writing, the next request, data, EOF and last
 * of all CHANNEL_CLOSED. */
#include "connection/connection_internal.h"

static bool channel_is(sp_event *event, sp_event_type type, const spn_channel *ch)
{
    event->type = type;
    event->channel = ch->number;
    return true;
}

static bool opening_event(spn_channel *ch, sp_event *event)
{
    if (!ch->c->released || ch->question != 0 || ch->c->lost)
        return false;
    event->question = spn_question_new(ch);
    event->u.open.type = ch->type->name;
    const spn_place *place = ch->place;
    if (place != NULL && ch->type->path) {
        event->u.open.dest_path = place->dest;
    } else if (place != NULL) {
        event->u.open.dest_host = place->dest;
        event->u.open.orig_host = place->orig;
        event->u.open.dest_port = place->dest_port;
        event->u.open.orig_port = place->orig_port;
    }
    return channel_is(event, SP_EVENT_OPEN, ch);
}

static bool note_event(spn_channel *ch, sp_event *event)
{
    switch (ch->note) {
    case SPN_NOTE_PAUSE_DUE:
        ch->note = SPN_NOTE_PAUSED;
        return channel_is(event, SP_EVENT_PAUSE_WRITING, ch);
    case SPN_NOTE_BOTH_DUE:
        ch->note = SPN_NOTE_RESUME_DUE;
        return channel_is(event, SP_EVENT_PAUSE_WRITING, ch);
    case SPN_NOTE_RESUME_DUE:
        ch->note = SPN_NOTE_NONE;
        return channel_is(event, SP_EVENT_RESUME_WRITING, ch);
    case SPN_NOTE_NONE:
    case SPN_NOTE_PAUSED:
        break;
    }
    return false;
}

static bool closed_event(spn_channel *ch, sp_event *event)
{
    event->u.closed.error = ch->error;
    channel_is(event, SP_EVENT_CHANNEL_CLOSED, ch);
    spn_channel_remove(ch);
    return true;
}

/* May remove the channel, with CHANNEL_CLOSED or when the last of an open that was lost is told. */
static bool channel_event(spn_channel *ch, sp_event *event)
{
    if (ch->canceled != 0) {
        event->question = ch->canceled;
        ch->canceled = 0;
        channel_is(event, SP_EVENT_CANCELED, ch);
        if (ch->state == SPN_OPENING)
            spn_channel_remove(ch);
        return true;
    }
    if (ch->state == SPN_OPENING)
        return opening_event(ch, event);
    if (ch->state == SPN_ASKED)
        return false;
    if (ch->state == SPN_REFUSED)
        return spn_refused_event(ch, event);
    if (ch->start == SPN_START_DUE) {
        ch->start = SPN_RUNNING;
        return channel_is(event, ch->type->put != NULL ? SP_EVENT_OPENED : SP_EVENT_STARTED, ch);
    }
    if (ch->state == SPN_OPEN && (note_event(ch, event) || spn_request_event(ch, event)))
        return true;
    if (ch->state == SPN_CLOSED && !spn_may_deliver(ch))
        spn_drop_received(ch);
    if (spn_deliver_held(ch, event))
        return channel_is(event, SP_EVENT_DATA, ch);
    if (spn_may_deliver(ch) && ch->input == SPN_INPUT_EOF_DUE) {
        ch->input = SPN_INPUT_EOF_TOLD;
        return channel_is(event, SP_EVENT_EOF, ch);
    }
    return ch->state == SPN_CLOSED && closed_event(ch, event);
}

bool spn_next_event(spn_connection *c, sp_event *event)
{
    spn_settle(c);
    if (spn_global_event(c, event))
        return true;
    while (!spb_list_empty(&c->ready)) {
        spn_channel *ch = SPB_CONTAINER(c->ready.next, spn_channel, ready);
        *event = (sp_event){.type = SP_EVENT_NONE};
        /* To the end of the list first, so that the channels take turns. */
        spb_list_remove(&ch->ready);
        spb_list_append(&c->ready, &ch->ready);
        if (channel_event(ch, event))
            return true;
        spb_list_remove(&ch->ready);
    }
    return false;
}
