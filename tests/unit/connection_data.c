/* Receiving data and EOF, and the receive window (RFC 4254 5.2, 5.3). */
#include "connection_helpers.h"

static uint8_t bytes[65536];

static void fill(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static int data(world *w, uint32_t ch, size_t length)
{
    return give(w, 94, "ud", ch, bytes, length);
}

/* The same from far away: what an adjust allows comes 100 ms after it, the rest at once. */
typedef struct far_way {
    uint64_t credit; /* what the client knows of */
    struct {
        uint64_t at, more;
    } adjusts[64];
    size_t first, last;
} far_way;

static int far_data(world *w, far_way *way, uint32_t ch, size_t length)
{
    if (way->credit < length && way->first == way->last)
        way->credit = spn_find(w->c, ch)->window.credit; /* the beginning */
    while (way->credit < length) {
        if (w->t.now < way->adjusts[way->first % 64].at)
            w->t.now = way->adjusts[way->first % 64].at;
        way->credit += way->adjusts[way->first++ % 64].more;
    }
    way->credit -= length;
    uint32_t before = spn_find(w->c, ch)->window.credit - (uint32_t)length;
    int result = data(w, ch, length);
    uint32_t after = spn_find(w->c, ch)->window.credit;
    if (after > before) {
        way->adjusts[way->last % 64].at = w->t.now + 100;
        way->adjusts[way->last++ % 64].more = after - before;
    }
    return result;
}

/* Data of a running session is delivered from the packet itself, without memory. */
static void test_direct(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    size_t blocks = live_blocks;
    assert_int_equal(data(&w, ch, 300), 1);
    expect_data(&w.event, 0, bytes, 300);
    assert_ptr_equal(w.event.u.data.bytes, w.packet + 8);
    assert_int_equal(give(&w, 95, "uud", ch, 1u, bytes, (size_t)20), 1);
    expect_data(&w.event, 1, bytes, 20);
    assert_int_equal(give(&w, 95, "uud", ch, 77u, bytes, (size_t)20), 1);
    expect_data(&w.event, 77, bytes, 20);
    assert_int_equal(data(&w, ch, 0), 0);
    assert_true(live_blocks <= blocks);
    assert_int_equal(give(&w, 96, "u", ch), 0);
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_no_event(&w);
    assert_int_equal(data(&w, ch, 1), SP_EPROTO);
    end_world(&w);
}

static void test_second_eof(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    assert_int_equal(give(&w, 96, "u", ch), 0);
    assert_int_equal(give(&w, 96, "u", ch), SP_EPROTO);
    end_world(&w);
}

/* Data and EOF that come before the start wait for it, in order, in big pieces. */
static void test_before_start(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    assert_int_equal(give(&w, 98, "usbs", ch, "exec", 1, "cat"), 0);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(give(&w, 94, "ud", ch, bytes + i * 10, (size_t)10), 0);
    assert_int_equal(give(&w, 95, "uud", ch, 1u, bytes, (size_t)3), 0);
    assert_int_equal(give(&w, 94, "ud", ch, bytes, (size_t)5), 0);
    assert_int_equal(give(&w, 96, "u", ch), 0);
    sp_event *e = expect_event(&w, SP_EVENT_REQUEST, ch);
    assert_string_equal(e->u.request.text, "cat");
    uint64_t question = e->question;
    expect_no_event(&w);
    assert_int_equal(spn_answer_request(w.c, question, true), 0);
    expect_sent(&w, 99, "u", ch + 100);
    expect_event(&w, SP_EVENT_STARTED, ch);
    size_t got = 0, pieces = 0;
    for (; got < 1000; pieces++) {
        e = expect_event(&w, SP_EVENT_DATA, ch);
        expect_data(e, 0, bytes + got, e->u.data.length);
        got += e->u.data.length;
    }
    assert_true(pieces <= 2);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 1, bytes, 3);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 0, bytes, 5);
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_no_event(&w);
    end_world(&w);
}

static void test_refused_start_holds(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usbs", ch, "exec", 1, "no");
    data(&w, ch, 10);
    spn_answer_request(w.c, expect_event(&w, SP_EVENT_REQUEST, ch)->question, false);
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    give(&w, 98, "usb", ch, "shell", 1);
    spn_answer_request(w.c, expect_event(&w, SP_EVENT_REQUEST, ch)->question, true);
    expect_event(&w, SP_EVENT_STARTED, ch);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 0, bytes, 10);
    end_world(&w);
}

static void test_pause(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    size_t blocks = live_blocks;
    assert_int_equal(spn_pause_reading(w.c, ch), 0);
    assert_int_equal(data(&w, ch, 12000), 0);
    assert_int_equal(data(&w, ch, 12000), 0);
    assert_int_equal(give(&w, 96, "u", ch), 0);
    expect_no_event(&w);
    expect_nothing_sent(&w); /* nothing was consumed */
    assert_int_equal(spn_resume_reading(w.c, ch), 0);
    sp_event *e = expect_event(&w, SP_EVENT_DATA, ch);
    assert_int_equal(spn_pause_reading(w.c, ch), 0);
    size_t got = e->u.data.length;
    expect_data(e, 0, bytes, got);
    expect_no_event(&w);
    assert_int_equal(spn_resume_reading(w.c, ch), 0);
    while (got < 24000) {
        e = expect_event(&w, SP_EVENT_DATA, ch);
        for (size_t i = 0; i < e->u.data.length; i++)
            assert_int_equal(e->u.data.bytes[i], bytes[(got + i) % 12000]);
        got += e->u.data.length;
    }
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_no_event(&w);
    assert_int_equal(live_blocks, blocks);
    end_world(&w);
}

/* What an event points to stays, whatever the application does before the next one. */
static void test_event_memory_stays(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    spn_pause_reading(w.c, ch);
    data(&w, ch, 5000);
    give(&w, 95, "uud", ch, 1u, bytes, (size_t)100);
    spn_resume_reading(w.c, ch);
    sp_event *e = expect_event(&w, SP_EVENT_DATA, ch);
    assert_int_equal(spn_abort_channel(w.c, ch), 0);
    expect_data(e, 0, bytes, e->u.data.length);
    end_world(&w);
}

static void test_beyond_window(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    assert_int_equal(data(&w, ch, 32768), 0);
    assert_int_equal(data(&w, ch, 32768), 0);
    assert_int_equal(data(&w, ch, 0), 0);
    assert_int_equal(data(&w, ch, 1), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    assert_int_equal(w.t.code, 2);
    end_world(&w);
}

static void test_beyond_packet(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    assert_int_equal(data(&w, ch, 32769), SP_EPROTO);
    end_world(&w);
}

static void test_adjust_at_half(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    assert_int_equal(data(&w, ch, 32767), 1);
    expect_nothing_sent(&w);
    assert_int_equal(data(&w, ch, 1), 1);
    expect_sent(&w, 93, "uu", ch + 100, 32768u);
    assert_int_equal(spn_find(w.c, ch)->window.credit, 65536);
    end_world(&w);
}

/* The peer's messages end where its credit ended, again and again: the window doubles up to its
 * maximum; with others open, up to the budget. */
static void test_growth(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    const spn_channel *c = spn_find(w.c, ch);
    far_way ways[7] = {{0}};
    for (int i = 0; i < 2000; i++)
        assert_int_equal(far_data(&w, &ways[6], ch, 32768), 1);
    assert_int_equal(c->window.target, 1024 * 1024);
    world_forget_sent(&w);
    uint32_t other[6];
    for (int i = 0; i < 6; i++)
        other[i] = open_shell(&w, 1000, 1000);
    world_forget_sent(&w);
    for (int round = 0; round < 2000; round++)
        for (int i = 0; i < 6; i++)
            assert_int_equal(far_data(&w, &ways[i], other[i], 32768), 1);
    uint64_t sum = c->window.target;
    for (int i = 0; i < 6; i++)
        sum += spn_find(w.c, other[i])->window.target;
    assert_int_equal(sum, 7 * 512 * 1024);
    assert_int_equal(w.c->windows, sum);
    /* An eighth is left for more channels. When that is used up there are none, until one is gone.
     */
    w.t.config.options.max_sessions = 100;
    w.t.config.options.max_channels = 100;
    world_forget_sent(&w);
    unsigned more = 0;
    while (w.c->windows + 65536 <= 4 * 1024 * 1024) {
        open_session(&w, 1000, 1000);
        more++;
    }
    assert_int_equal(more, 8);
    give(&w, 90, "suuu", "session", 4u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Too many open windows", "");
    expect_no_event(&w);
    give(&w, 97, "u", other[5]);
    expect_event(&w, SP_EVENT_CHANNEL_CLOSED, other[5]);
    world_forget_sent(&w);
    open_session(&w, 1000, 1000);
    end_world(&w);
}

/* The way is short: all that was granted comes at once, so the window is not what limits. */
static void test_no_growth_nearby(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    uint32_t target = spn_find(w.c, ch)->window.target;
    for (int i = 0; i < 2000; i++) {
        w.t.now++;
        assert_int_equal(data(&w, ch, 32768), 1);
    }
    assert_true(spn_find(w.c, ch)->window.target <= 4 * target);
    end_world(&w);
}

static void test_no_growth_unless_limited(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    for (int i = 0; i < 2000; i++) {
        w.t.now += 5; /* at its leisure: the adjusts come long before they are needed */
        assert_int_equal(data(&w, ch, 1001), 1);
    }
    assert_true(spn_find(w.c, ch)->window.target < 1024 * 1024);
    end_world(&w);
}

static void test_shrinks_when_slow(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    const spn_channel *c = spn_find(w.c, ch);
    for (int i = 0; i < 2000; i++)
        data(&w, ch, 32768);
    uint32_t top = c->window.target;
    for (int round = 0; round < 8; round++) {
        spn_pause_reading(w.c, ch);
        while (c->window.credit >= 32768)
            assert_int_equal(data(&w, ch, 32768), 0);
        expect_no_event(&w);
        spn_resume_reading(w.c, ch);
        while (spn_next_event(w.c, &w.event))
            assert_int_equal(w.event.type, SP_EVENT_DATA);
        assert_true(c->window.charged <= top);
        assert_true(c->window.credit <= c->window.target);
    }
    assert_int_equal(c->window.target, 65536);
    assert_int_equal(w.c->windows, 65536);
    end_world(&w);
}

static void test_small_budget(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    w.t.config.options.window_budget = 65536 + 65536 + 10;
    open_session(&w, 1000, 1000);
    give(&w, 90, "suuu", "session", 9u, 1000u, 1000u);
    /* Another open cannot take what this one waits for. */
    give(&w, 90, "suuu", "session", 10u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 10u, 4u, "Too many open windows", "");
    sp_channel_options o = {.size = sizeof o, .window_size = 200000, .packet_size = 65536};
    spn_accept_open(w.c, expect_event(&w, SP_EVENT_OPEN, 1)->question, &o);
    expect_sent(&w, 91, "uuuu", 9u, 1u, 65546u, 32773u);
    end_world(&w);
}

/* While the output takes nothing, one adjust stands for all that was consumed. */
static void test_adjust_waits(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    w.t.can_send = false;
    for (int i = 0; i < 6; i++)
        assert_int_equal(data(&w, ch, 10000), 1);
    expect_nothing_sent(&w);
    assert_int_equal(spn_flush(w.c), 0);
    expect_nothing_sent(&w);
    w.t.can_send = true;
    assert_int_equal(spn_flush(w.c), 0);
    expect_sent(&w, 93, "uu", ch + 100, 60000u);
    expect_nothing_sent(&w);
    end_world(&w);
}

/* A channel that we close takes data until the peer has heard of it, and drops it. */
static void test_data_while_closing(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "x", 1);
    assert_int_equal(spn_close_channel(w.c, ch), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(data(&w, ch, 32768), 0);
    expect_no_event(&w);
    world_forget_sent(&w);
    give(&w, 93, "uu", ch, 10u);
    expect_sent(&w, 94, "us", ch + 100, "x");
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    while (spn_find(w.c, ch)->window.credit >= 32768)
        assert_int_equal(data(&w, ch, 32768), 0);
    expect_nothing_sent(&w);
    assert_int_equal(data(&w, ch, 32768), SP_EPROTO);
    end_world(&w);
}

static void test_truncations(void **state)
{
    (void)state;
    const uint8_t ext[] = "\0\0\0\0\0\0\0\1\0\0\0\3abc";
    for (size_t n = 0; n <= sizeof ext; n++) {
        world w;
        setup_world(&w);
        open_session(&w, 1000, 1000);
        assert_int_equal(give_bytes(&w, 95, ext, n), n == sizeof ext - 1 ? 0 : SP_EPROTO);
        end_world(&w);
        setup_world(&w);
        open_session(&w, 1000, 1000);
        assert_int_equal(give_bytes(&w, 94, ext, n), n == 9 ? 0 : SP_EPROTO);
        end_world(&w);
        setup_world(&w);
        open_session(&w, 1000, 1000);
        assert_int_equal(give_bytes(&w, 93, ext, n), n == 8 ? 0 : SP_EPROTO);
        end_world(&w);
        for (uint8_t message = 96; message <= 97; message++) {
            setup_world(&w);
            open_session(&w, 1000, 1000);
            assert_int_equal(give_bytes(&w, message, ext, n), n == 4 ? 0 : SP_EPROTO);
            end_world(&w);
        }
    }
}

/* The queue of typed bytes against a plain copy. */
static void test_fifo(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    static uint8_t model[400000];
    static uint8_t types[400000];
    size_t head = 0, tail = 0;
    spn_fifo f = {0};
    unsigned seed = 1;
    for (int step = 0; step < 4000; step++) {
        seed = seed * 1103515245u + 12345u;
        size_t n = (seed >> 8) % ((seed >> 28) == 0 ? 40000 : 50);
        uint8_t type = (uint8_t)((seed >> 5) & 1);
        if ((seed >> 4) % 2 == 0 && tail + n <= sizeof model) {
            for (size_t i = 0; i < n; i++) {
                model[tail + i] = (uint8_t)(seed >> (i % 16));
                types[tail + i] = type;
            }
            assert_true(spn_fifo_put(&f, w.c, type, model + tail, n));
            tail += n;
        } else {
            uint32_t got;
            spb_span piece;
            if (!spn_fifo_peek(&f, &got, &piece))
                continue;
            n = n < piece.length && n > 0 ? n : piece.length;
            assert_memory_equal(piece.data, model + head, piece.length);
            for (size_t i = 0; i < piece.length; i++)
                assert_int_equal(types[head + i], got);
            spn_node_free(w.c, spn_fifo_drop(&f, n));
            head += n;
        }
        assert_int_equal(f.length, tail - head);
    }
    spn_fifo_clear(&f, w.c);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_second_eof),
        cmocka_unit_test(test_before_start),
        cmocka_unit_test(test_refused_start_holds),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_event_memory_stays),
        cmocka_unit_test(test_beyond_window),
        cmocka_unit_test(test_beyond_packet),
        cmocka_unit_test(test_adjust_at_half),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_no_growth_nearby),
        cmocka_unit_test(test_no_growth_unless_limited),
        cmocka_unit_test(test_shrinks_when_slow),
        cmocka_unit_test(test_small_budget),
        cmocka_unit_test(test_adjust_waits),
        cmocka_unit_test(test_data_while_closing),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_fifo),
    };
    fill();
    return cmocka_run_group_tests_name("connection_data", tests, NULL, NULL);
}
