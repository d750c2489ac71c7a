/* The end of a channel (RFC 4254 5.3). Each side sends CLOSE once; after ours nothing more is said
 * about the channel, and when both are out its number is free again. An open question is canceled
 * as soon as its answer could not be sent any more. */
#include "connection/connection_internal.h"

void spn_silence(spn_channel *ch)
{
    ch->adjust_due = false;
    spn_forget_open(ch);
    spn_drop_held(ch);
    spn_requests_drop(ch);
    if (ch->question != 0) {
        ch->canceled = ch->question;
        ch->question = 0;
        spn_ready(ch);
    }
    ch->note = SPN_NOTE_NONE;
    if (ch->state == SPN_OPEN && !ch->c->lost)
        return; /* the peer closes: what it sent before is still delivered */
    spn_drop_received(ch);
    if (ch->start == SPN_START_DUE)
        ch->start = SPN_RUNNING;
}

/* From here on the application hears no more data and no more requests. */
static void begin_closing(spn_channel *ch)
{
    ch->state = SPN_CLOSING;
    ch->note = SPN_NOTE_NONE;
    spn_drop_received(ch);
}

int spn_send_close(spn_channel *ch)
{
    ch->state = SPN_CLOSE_SENT;
    spn_silence(ch);
    return spn_simple(ch, SSH_MSG_CHANNEL_CLOSE);
}

int spn_on_close(spn_channel *ch, spb_reader *r)
{
    if (!spr_done(r))
        return spn_bad(ch->c, "Malformed close");
    bool answer = ch->state != SPN_CLOSE_SENT;
    spn_silence(ch);
    ch->state = SPN_CLOSED;
    spn_ready(ch);
    return answer ? spn_simple(ch, SSH_MSG_CHANNEL_CLOSE) : 0;
}

int spn_close_channel(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result == SP_ESTATE && ch->state == SPN_ASKED)
        return spn_take_back(ch);
    if (result != 0)
        return result;
    begin_closing(ch);
    result = spn_requests_go_on(ch);
    if (result == 0)
        result = spn_drained(ch);
    return result != 0 ? result : spn_window_consumed(ch);
}

int spn_abort_channel(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result == SP_ESTATE && ch->state == SPN_ASKED)
        return spn_take_back(ch);
    if (result != 0 && (result != SP_ECLOSED || ch->state != SPN_CLOSING))
        return result;
    return spn_send_close(ch);
}
