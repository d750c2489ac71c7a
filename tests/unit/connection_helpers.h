/* What the cmocka tests of src/connection share: expectations about messages and events. */
#ifndef CONNECTION_HELPERS_H
#define CONNECTION_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connection_standin.h"

static inline void begin(world *w)
{
    assert_int_equal(spn_new(&w->c, &w->t), 0);
    permit_all(w);
    spn_release(w->c);
}

static inline void setup_world(world *w)
{
    live_blocks = live_bytes = 0;
    fail_after = -1;
    world_init(w);
    begin(w);
}

static inline void end_world(world *w)
{
    world_end(w);
    assert_int_equal(live_blocks, 0);
}

/* The next message that was sent has these fields and no more. */
static inline void expect_sent(world *w, uint8_t message, const char *fields, ...)
{
    spb_buffer b;
    va_list ap;
    spb_buffer_init(&b, &w->t.config.env, 1 << 20);
    spw_u8(&b, message);
    va_start(ap, fields);
    put_fields(&b, fields, ap);
    va_end(ap);
    sent *m = w->t.first;
    assert_non_null(m);
    assert_int_equal(m->bytes[0], message);
    assert_int_equal(m->length, b.length);
    assert_memory_equal(m->bytes, b.data, b.length);
    w->t.first = m->next;
    if (m->next == NULL)
        w->t.last = NULL;
    free(m);
    spb_buffer_free(&b);
}

static inline void expect_nothing_sent(const world *w)
{
    assert_null(w->t.first);
}

static inline sp_event *expect_event(world *w, sp_event_type type, uint32_t channel)
{
    assert_true(spn_next_event(w->c, &w->event));
    assert_int_equal(w->event.type, type);
    assert_int_equal(w->event.channel, channel);
    return &w->event;
}

static inline void expect_no_event(world *w)
{
    sp_event event;
    assert_false(spn_next_event(w->c, &event));
}

static inline void expect_data(const sp_event *e, uint32_t type, const void *bytes, size_t length)
{
    assert_int_equal(e->type, SP_EVENT_DATA);
    assert_int_equal(e->u.data.type, type);
    assert_int_equal(e->u.data.length, length);
    assert_memory_equal(e->u.data.bytes, bytes, length);
}

static inline void expect_failed(const world *w, int error)
{
    assert_true(w->t.failed);
    assert_int_equal(w->t.error, error);
}

/* A session that the application has accepted. The peer's number is ours + 100. */
static inline uint32_t open_session(world *w, uint32_t window, uint32_t packet)
{
    uint32_t expected = 0;
    while (spn_find(w->c, expected) != NULL)
        expected++;
    assert_int_equal(
        give(w, SSH_MSG_CHANNEL_OPEN, "suuu", "session", expected + 100, window, packet), 0);
    sp_event *e = expect_event(w, SP_EVENT_OPEN, expected);
    assert_string_equal(e->u.open.type, "session");
    assert_int_equal(spn_accept_open(w->c, e->question, NULL), 0);
    const spn_channel *ch = spn_find(w->c, expected);
    expect_sent(w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, "uuuu", expected + 100, expected,
                ch->window.credit, ch->window.packet);
    return expected;
}

/* And its shell. */
static inline uint32_t open_shell(world *w, uint32_t window, uint32_t packet)
{
    uint32_t ch = open_session(w, window, packet);
    assert_int_equal(give(w, SSH_MSG_CHANNEL_REQUEST, "usb", ch, "shell", 1), 0);
    sp_event *e = expect_event(w, SP_EVENT_REQUEST, ch);
    assert_int_equal(e->u.request.type, SP_REQUEST_SHELL);
    assert_int_equal(spn_answer_request(w->c, e->question, true), 0);
    expect_sent(w, SSH_MSG_CHANNEL_SUCCESS, "u", ch + 100);
    expect_event(w, SP_EVENT_STARTED, ch);
    expect_no_event(w);
    return ch;
}

#endif
