/* The receive window (RFC 4254 5.2): how much the client may send, and when it may send more.
 *
 * Credit that was used is granted again when half of the window has gone to the application. The
 * window doubles when the client uses its credit to the end and has to wait for more while the
 * application keeps up, as long as it is less than what can come in two round trips at the pace
 * seen, and halves when the application lets half a window lie. The bound matters where the way is
 * short and the server, not the window, is what limits: more would only be stored on the way, and
 * OpenSSH's client keeps a buffer as large as our window, which costs it dearly.
 *
 * Every channel is charged for the most that the peer might make us hold: the sum stays within the
 * connection's budget, so many channels get small windows instead of much memory. */
#include "connection/connection_internal.h"

#define ROUND_TRIP_MAX 60000 /* ms */

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

uint32_t spn_window_share(const spn_channel *ch)
{
    const sp_protocol_options *o = ch->c->options;
    uint64_t left = budget_left(ch->c) + ch->window.charged;
    uint64_t share = left / 64;
    if (share < 2 * (uint64_t)o->packet_size)
        share = 2 * (uint64_t)o->packet_size;
    return share < o->window_size ? (uint32_t)share : o->window_size;
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

/* One adjust at a time is timed, until a byte comes that it allowed: no round trip takes longer. If
 * there was a silence before that byte, the client had come to its credit's end and waited. */
static void time_round_trip(spn_channel *ch, size_t length)
{
    spn_window *w = &ch->window;
    uint64_t now = spt_now(ch->c->transport);
    if (!w->timing)
        return;
    if (length <= w->timed_left) {
        w->timed_left -= (uint32_t)length;
        w->timed_edge = now;
        return;
    }
    uint64_t silence = w->timed_left == 0 ? now - w->timed_edge : 0;
    uint64_t took = now - w->timed_from;
    if (took == 0)
        took = 1;
    if (took > ROUND_TRIP_MAX)
        took = ROUND_TRIP_MAX;
    if (w->round_trip == 0 || took < w->round_trip)
        w->round_trip = took;
    w->timing = false;
    w->limited = silence * 8 >= took;
}

int spn_window_take(spn_channel *ch, size_t length)
{
    spn_window *w = &ch->window;
    if (length > w->packet)
        return spn_bad(ch->c, "Channel data above the maximum packet size");
    if (length > w->credit)
        return spn_bad(ch->c, "Channel data beyond the window");
    w->credit -= (uint32_t)length;
    time_round_trip(ch, length);
    return 0;
}

/* Would more than this window come in two round trips, at the pace since the last adjust? */
static bool too_small(const spn_channel *ch)
{
    const spn_window *w = &ch->window;
    uint64_t used = w->target > w->credit ? w->target - w->credit : 0;
    uint64_t elapsed = spt_now(ch->c->transport) - w->adjusted_at;
    if (elapsed == 0)
        elapsed = 1;
    return 2 * used * w->round_trip >= w->target * elapsed;
}

static void grow(spn_channel *ch)
{
    spn_window *w = &ch->window;
    if (w->limited && !w->behind && ch->received.length == 0 && w->target < w->max &&
        too_small(ch)) {
        uint64_t more = w->target;
        uint64_t left = budget_left(ch->c);
        uint64_t kept = ch->c->options->window_budget / 8; /* for channels opened later */
        left = left > kept ? left - kept : 0;
        if (more > w->max - w->target)
            more = w->max - w->target;
        if (more > left)
            more = left;
        w->target += (uint32_t)more;
        w->limited = false;
    }
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
    w->adjusted_at = spt_now(ch->c->transport);
    if (!w->timing) {
        w->timing = true;
        w->timed_from = w->timed_edge = w->adjusted_at;
        w->timed_left = w->credit;
    }
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
