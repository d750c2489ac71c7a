/* The receive window (RFC 4254 5.2): how much the client may send, and when it may send more.
 *
 * Credit that was used is granted again when half of the window has gone to the application. The
 * window doubles when the client uses its credit to the end while the application keeps up, and
 * halves when the application lets half a window lie. No clock is needed: whether the client ran
 * out is seen by a message that ends just where the credit before the last adjust ended.
 *
 * Every channel is charged for the most that the peer might make us hold: the sum stays within the
 * connection's budget, so many channels get small windows instead of much memory. */
#include "connection/connection_internal.h"

static uint64_t budget_left(const spn_connection *c)
{
    uint64_t budget = c->options->window_budget;
    return c->windows < budget ? budget - c->windows : 0;
}

static void charge(spn_channel *ch, uint64_t amount)
{
    ch->c->windows += amount - ch->window.charged;
    ch->window.charged = amount;
}

/* An unanswered open holds room for the smallest window, so that accepting it cannot fail. */
bool spn_window_reserve(spn_channel *ch)
{
    uint64_t least = 2 * (uint64_t)ch->c->options->packet_size;
    if (budget_left(ch->c) < least)
        return false;
    charge(ch, least);
    return true;
}

void spn_window_release(spn_channel *ch)
{
    charge(ch, 0);
}

void spn_window_open(spn_channel *ch, uint32_t size, uint32_t max, uint32_t packet)
{
    spn_window *w = &ch->window;
    charge(ch, 0);
    uint64_t left = budget_left(ch->c);
    if (size > left)
        size = (uint32_t)left;
    if (packet > size / 2 && left == size)
        packet = size / 2; /* the budget is short: two packets at least */
    w->credit = w->target = w->initial = size;
    w->max = max < size ? size : max;
    w->packet = packet;
    charge(ch, size);
}

int spn_window_take(spn_channel *ch, size_t length)
{
    spn_window *w = &ch->window;
    if (length > w->packet)
        return spn_bad(ch->c, "Channel data above the maximum packet size");
    if (length > w->credit)
        return spn_bad(ch->c, "Channel data beyond the window");
    w->credit -= (uint32_t)length;
    if (w->edge != 0 && w->edge == length)
        w->limited = true;
    w->edge = w->edge > length ? w->edge - (uint32_t)length : 0;
    return 0;
}

static void grow(spn_channel *ch)
{
    spn_window *w = &ch->window;
    if (w->credit < w->packet)
        w->limited = true;
    if (w->limited && !w->behind && ch->received.length == 0 && w->target < w->max) {
        uint64_t more = w->target;
        uint64_t left = budget_left(ch->c);
        if (more > w->max - w->target)
            more = w->max - w->target;
        if (more > left)
            more = left;
        w->target += (uint32_t)more;
    }
    w->limited = false;
    w->behind = false;
}

/* What the peer may send and what we hold of it. After a shrink it may be above the target. */
static uint64_t exposed(const spn_channel *ch)
{
    return (uint64_t)ch->window.credit + ch->received.length;
}

static void recharge(spn_channel *ch)
{
    uint64_t now = exposed(ch);
    charge(ch, now > ch->window.target ? now : ch->window.target);
}

int spn_window_consumed(spn_channel *ch)
{
    spn_window *w = &ch->window;
    uint64_t open = exposed(ch);
    if (w->charged > w->target)
        recharge(ch);
    if (ch->state != SPN_OPEN && ch->state != SPN_CLOSING)
        return 0;
    if (open >= w->target || w->target - open < (w->target + 1) / 2)
        return 0;
    if (!spt_can_send_data(ch->c->transport)) {
        /* One grant for all that is consumed until the output takes it. */
        ch->adjust_due = true;
        spn_sending(ch);
        return 0;
    }
    return spn_window_grant(ch);
}

int spn_window_grant(spn_channel *ch)
{
    spn_window *w = &ch->window;
    ch->adjust_due = false;
    grow(ch);
    uint64_t open = exposed(ch);
    recharge(ch);
    if (open >= w->target)
        return 0;
    uint32_t more = (uint32_t)(w->target - open);
    w->edge = w->credit;
    w->credit += more;
    spb_buffer *b = spt_begin(ch->c->transport, SSH_MSG_CHANNEL_WINDOW_ADJUST);
    spw_u32(b, ch->peer_number);
    spw_u32(b, more);
    return spt_end(ch->c->transport);
}

void spn_window_resumed(spn_channel *ch, size_t held)
{
    spn_window *w = &ch->window;
    if (held < w->target / 2 || w->target <= w->initial)
        return;
    w->target = w->target / 2 > w->initial ? w->target / 2 : w->initial;
    recharge(ch);
}
