/* Writing without anything being kept (spn_write_now): what is taken, and whose turn it is. */
#include "connection_helpers.h"

static uint8_t bytes[20000];

static void test_nothing_is_kept(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 3, 1000);
    assert_int_equal(spn_write_now(w.c, ch, 0, "hello", 5), 3);
    expect_sent(&w, 94, "us", ch + 100, "hel");
    assert_int_equal(spn_write_buffered(w.c, ch), 0);
    assert_int_equal(spn_write_now(w.c, ch, 0, "lo", 2), 0);
    expect_no_event(&w); /* it knows that it has to wait */
    give(&w, 93, "uu", ch, 100u);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    assert_int_equal(spn_write_now(w.c, ch, 0, "lo", 2), 2);
    expect_sent(&w, 94, "us", ch + 100, "lo");
    assert_int_equal(spn_write_now(w.c, ch, 0, bytes, 98), 98);
    expect_sent(&w, 94, "ud", ch + 100, bytes, (size_t)98);
    expect_no_event(&w);
    assert_int_equal(spn_write_now(w.c, 77, 0, "x", 1), SP_ECONN);
    end_world(&w);
}

/* What was written before, and held, goes first. */
static void test_behind_what_is_held(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write(w.c, ch, 1, "error", 5), 5);
    assert_int_equal(spn_write_now(w.c, ch, 0, "out", 3), 0);
    give(&w, 93, "uu", ch, 2u);
    expect_sent(&w, 95, "uus", ch + 100, 1u, "er");
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch); /* too early: for a writer of the other kind */
    assert_int_equal(spn_write_now(w.c, ch, 0, "out", 3), 0);
    give(&w, 93, "uu", ch, 100u);
    expect_sent(&w, 95, "uus", ch + 100, 1u, "ror");
    expect_nothing_sent(&w);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    assert_int_equal(spn_write_now(w.c, ch, 0, "out", 3), 3);
    expect_sent(&w, 94, "us", ch + 100, "out");
    end_world(&w);
}

/* The write buffer was full, and the application told so, before nothing was kept any more. */
static void test_with_events_due(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write(w.c, ch, 0, bytes, sizeof bytes), 10000);
    give(&w, 93, "uu", ch, 10000u);
    assert_int_equal(spn_write_now(w.c, ch, 0, "x", 1), 0); /* before PAUSE and RESUME are taken */
    expect_event(&w, SP_EVENT_PAUSE_WRITING, ch);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 1u);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    assert_int_equal(spn_write_now(w.c, ch, 0, "x", 1), 1);
    expect_no_event(&w);
    end_world(&w);
}

/* During a key exchange nothing is taken; it goes on afterwards. */
static void test_key_exchange(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    w.t.can_send = false;
    assert_int_equal(spn_write_now(w.c, ch, 0, "abc", 3), 0);
    spn_flush(w.c);
    expect_no_event(&w);
    w.t.can_send = true;
    spn_flush(w.c);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    assert_int_equal(spn_write_now(w.c, ch, 0, "abc", 3), 3);
    end_world(&w);
}

/* A writer of this kind and one whose bytes are held: packet by packet, however small the output.
 */
static void test_turns(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t held = open_shell(&w, 100000, 1000);
    uint32_t now = open_shell(&w, 100000, 1000);
    w.t.can_send = false;
    assert_int_equal(spn_write(w.c, held, 0, bytes, 10000), 10000);
    expect_event(&w, SP_EVENT_PAUSE_WRITING, held);
    assert_int_equal(spn_write_now(w.c, now, 0, bytes, 10000), 0);
    w.t.can_send = true;
    for (int i = 0; i < 3; i++) {
        spn_flush(w.c);
        expect_sent(&w, 94, "ud", held + 100, bytes, (size_t)1000);
        expect_nothing_sent(&w); /* until the other has had its turn */
        assert_true(spn_turn_given(w.c));
        expect_event(&w, SP_EVENT_RESUME_WRITING, now);
        assert_int_equal(spn_write_now(w.c, now, 0, bytes, 10000), 1000);
        expect_sent(&w, 94, "ud", now + 100, bytes, (size_t)1000);
    }
    /* It has nothing more: the turn goes on. */
    spn_flush(w.c);
    expect_sent(&w, 94, "ud", held + 100, bytes, (size_t)1000);
    expect_event(&w, SP_EVENT_RESUME_WRITING, now);
    spn_flush(w.c);
    assert_false(spn_turn_given(w.c));
    for (int i = 4; i < 10; i++)
        expect_sent(&w, 94, "ud", held + 100, bytes, (size_t)1000);
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_eow_and_close(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write_now(w.c, ch, 0, "x", 1), 0);
    assert_int_equal(give(&w, 98, "usb", ch, "eow@openssh.com", 0), 0);
    expect_event(&w, SP_EVENT_RESUME_WRITING, ch);
    assert_int_equal(spn_write_now(w.c, ch, 0, "x", 1), SP_ECLOSED);
    uint32_t other = open_shell(&w, 0, 1000);
    assert_int_equal(spn_write_now(w.c, other, 0, "x", 1), 0);
    spn_exit(w.c, other, 0);
    expect_sent(&w, 98, "usbu", other + 100, "exit-status", 0, 0u);
    expect_sent(&w, 96, "u", other + 100);
    expect_sent(&w, 97, "u", other + 100);
    assert_int_equal(spn_write_now(w.c, other, 0, "x", 1), SP_ECLOSED);
    give(&w, 93, "uu", other, 10u);
    expect_nothing_sent(&w);
    expect_no_event(&w);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_kept), cmocka_unit_test(test_behind_what_is_held),
        cmocka_unit_test(test_with_events_due), cmocka_unit_test(test_key_exchange),
        cmocka_unit_test(test_turns),           cmocka_unit_test(test_eow_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
