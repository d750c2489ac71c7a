/* Sending data: the peer's window and packets, held data and its events, turns (RFC 4254 5.2). */
#include "connection_helpers.h"

static uint8_t bytes[200000];

static void test_direct(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 100000, 1000);
    assert_int_equal(spn_write(w.c, ch, 0, "hello", 5), 5);
    expect_sent(&w, 94, "us", ch + 100, "hello");
    assert_int_equal(spn_write(w.c, ch, 1, "oops", 4), 4);
    expect_sent(&w, 95, "uus", ch + 100, 1u, "oops");
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 2500), 2500);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)1000);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)1000);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)500);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 0), 0);
    expect_nothing_sent(&w);
    assert_int_equal(spn_write_buffered(w.c, ch), 0);
    expect_no_event(&w);
    assert_int_equal(spn_write(w.c, 77, 0, "x", 1), SP_ECONN);
    end_world(&w);
}

/* No packet of ours holds more than 32768 bytes, however much the peer would take. */
static void test_big_packets(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, UINT32_MAX, UINT32_MAX);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 70000), 70000);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)32768);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)32768);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)70000 - 65536);
    end_world(&w);
}

static void test_window_and_order(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 3, 1000);
    assert_int_equal(spn_write(w.c, ch, 0, "hello", 5), 5);
    expect_sent(&w, 94, "us", ch + 100, "hel");
    assert_int_equal(spn_write(w.c, ch, 1, "err", 3), 3);
    assert_int_equal(spn_write(w.c, ch, 1, "or", 2), 2);
    assert_int_equal(spn_write(w.c, ch, 0, "out", 3), 3);
    assert_int_equal(spn_write_buffered(w.c, ch), 10);
    expect_nothing_sent(&w);
    give(&w, 93, "uu", ch, 4u);
    expect_sent(&w, 94, "us", ch + 100, "lo");
    expect_sent(&w, 95, "uus", ch + 100, 1u, "er");
    expect_nothing_sent(&w);
    give(&w, 93, "uu", ch, 100u);
    expect_sent(&w, 95, "uus", ch + 100, 1u, "ror");
    expect_sent(&w, 94, "us", ch + 100, "out");
    assert_int_equal(spn_write(w.c, ch, 0, "now", 3), 3);
    expect_sent(&w, 94, "us", ch + 100, "now");
    end_world(&w);
}

static void test_window_overflow(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, UINT32_MAX - 5, 1000);
    assert_int_equal(give(&w, 93, "uu", ch, 5u), 0);
    assert_int_equal(give(&w, 93, "uu", ch, 0u), 0);
    assert_int_equal(give(&w, 93, "uu", ch, 1u), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    end_world(&w);
}

static void test_backpressure(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    size_t blocks = live_blocks;
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 9999), 9999);
    expect_no_event(&w);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 100), 1);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 100), 0);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, ch);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 7499u);
    assert_int_equal(spn_write_buffered(w.c, ch), 2501);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 1u);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 10000u);
    assert_int_equal(spn_write_buffered(w.c, ch), 0);
    assert_int_equal(w.t.bulk_bytes, 10000);
    assert_int_equal(live_blocks, blocks);
    end_world(&w);
}

/* A short write is always followed by RESUME, also when there is room before anyone looks. */
static void test_resume_is_never_lost(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 20000), 10000);
    give(&w, 93, "uu", ch, 10000u);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, ch);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    expect_no_event(&w);
    /* Full again before RESUME was taken. */
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 20000), 10000);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, ch);
    give(&w, 93, "uu", ch, 10000u);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 20000), 10000);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 10000u);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    expect_no_event(&w);
    end_world(&w);
}

static void test_marks_of_the_channel(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 90, "suuu", "session", 100u, 0u, 1000u);
    sp_channel_options o = {.size = sizeof o, .write_buffer_high = 100};
    spn_accept_open(w.c, expect_event(&w, SP_EVENT_OPEN, 0)->question, &o);
    assert_int_equal(spn_write(w.c, 0, 0, bytes, 101), 100);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, 0);
    give(&w, 93, "uu", 0u, 74u);
    expect_no_event(&w);
    give(&w, 93, "uu", 0u, 1u);
    expect_event(&w, SP_EVENT_RESUME_WRITING, 0);
    end_world(&w);
}

/* During a key exchange nothing bulky is sent; afterwards all goes on in order. */
static void test_key_exchange(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 100000, 1000);
    w.t.can_send = false;
    assert_int_equal(spn_write(w.c, ch, 0, "abc", 3), 3);
    assert_int_equal(spn_write(w.c, ch, 0, "def", 3), 3);
    assert_int_equal(spn_exit(w.c, ch, 3), 0);
    assert_int_equal(spn_flush(w.c), 0);
    expect_nothing_sent(&w);
    w.t.can_send = true;
    assert_int_equal(spn_flush(w.c), 0);
    expect_sent(&w, 94, "us", ch + 100, "abcdef");
    expect_sent(&w, 98, "usbu", ch + 100, "exit-status", 0, 3u);
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    expect_nothing_sent(&w);
    end_world(&w);
}

/* A write that the output takes only in part goes on from the right byte. */
static void test_output_fills_up(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 100000, 1000);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 251);
    w.t.data_left = 2;
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 5000), 5000);
    assert_int_equal(spn_write_buffered(w.c, ch), 3000);
    w.t.data_left = 1;
    spn_flush(w.c);
    assert_int_equal(spn_write_buffered(w.c, ch), 2000);
    w.t.data_left = SIZE_MAX;
    spn_flush(w.c);
    size_t at = 0;
    while (at < 5000) {
        size_t n = w.t.first->length - 9;
        expect_sent(&w, 94, "ud", ch + 100, bytes + at, n);
        at += n;
    }
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_round_robin(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t a = open_shell(&w, 100000, 1000);
    uint32_t b = open_shell(&w, 100000, 1000);
    w.t.can_send = false;
    spn_write(w.c, a, 0, bytes, 10000);
    spn_write(w.c, b, 0, "small", 5);
    w.t.can_send = true;
    w.t.data_left = 2;
    spn_flush(w.c);
    expect_sent(&w, 94, "ud", a + 100, bytes, (size_t)1000);
    expect_sent(&w, 94, "us", b + 100, "small");
    expect_nothing_sent(&w);
    /* The turn goes on where it stopped. */
    w.t.can_send = false;
    spn_write(w.c, b, 0, bytes, 5000);
    w.t.can_send = true;
    for (int i = 0; i < 4; i++) {
        w.t.data_left = 1;
        spn_flush(w.c);
        const uint8_t *at = bytes + 1000 * (i / 2) + (i % 2 == 0 ? 1000 : 0);
        expect_sent(&w, 94, "ud", (i % 2 == 0 ? a : b) + 100, at, (size_t)1000);
    }
    end_world(&w);
}

/* The client reads no more: normal data goes, stderr stays, and a paused writer is woken. */
static void test_eow_received(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write(w.c, ch, 0, "out", 3), 3);
    assert_int_equal(spn_write(w.c, ch, 1, "err", 3), 3);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, 10000), 10000 - 6);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, ch);
    assert_int_equal(give(&w, 98, "usb", ch, "eow@openssh.com", 0), 0);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    expect_no_event(&w);
    assert_int_equal(spn_write_buffered(w.c, ch), 3);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
    assert_int_equal(spn_write(w.c, ch, 1, "or", 2), 2);
    expect_nothing_sent(&w);
    give(&w, 93, "uu", ch, 100u);
    expect_sent(&w, 95, "uus", ch + 100, 1u, "error");
    end_world(&w);
}

/* What is left to send was only what the client does not want: the exit goes out at once. */
static void test_eow_while_closing(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "out", 3);
    spn_exit(w.c, ch, 0);
    expect_nothing_sent(&w);
    assert_int_equal(give(&w, 98, "usb", ch, "eow@openssh.com", 1), 0);
    expect_sent(&w, 98, "usbu", ch + 100, "exit-status", 0, 0u);
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_requests_of_ours(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_set_xon_xoff(w.c, ch, true), 0);
    expect_sent(&w, 98, "usbb", ch + 100, "xon-xoff", 0, 1);
    assert_int_equal(spn_send_eow(w.c, ch), 0);
    expect_sent(&w, 98, "usb", ch + 100, "eow@openssh.com", 0);
    assert_int_equal(spn_send_eow(w.c, ch), SP_EALREADY);
    uint32_t other = open_shell(&w, 0, 1000);
    give(&w, 96, "u", other);
    assert_int_equal(spn_send_eow(w.c, other), 0);
    expect_nothing_sent(&w);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_big_packets),
        cmocka_unit_test(test_window_and_order),
        cmocka_unit_test(test_window_overflow),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_resume_is_never_lost),
        cmocka_unit_test(test_marks_of_the_channel),
        cmocka_unit_test(test_key_exchange),
        cmocka_unit_test(test_output_fills_up),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_eow_received),
        cmocka_unit_test(test_eow_while_closing),
        cmocka_unit_test(test_requests_of_ours),
    };
    return cmocka_run_group_tests_name("connection_write", tests, NULL, NULL);
}
