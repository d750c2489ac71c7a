/* The end of channels: EOF, exit, close and abort from both sides in every order, and the loss of
 * the connection (RFC 4254 5.3, 6.10). */
#include "connection_helpers.h"

static void expect_closed(world *w, uint32_t ch)
{
    assert_null(expect_event(w, SP_EVENT_CHANNEL_CLOSED, ch)->u.closed.error);
    expect_no_event(w);
    expect_nothing_sent(w);
    assert_null(spn_find(w->c, ch));
    assert_int_equal(spn_close_channel(w->c, ch), SP_ECONN);
}

static void test_exit(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 2, 1000);
    spn_write(w.c, ch, 0, "data", 4);
    expect_sent(&w, 94, "us", ch + 100, "da");
    assert_int_equal(spn_exit(w.c, ch, 42), 0);
    assert_int_equal(spn_exit(w.c, ch, 42), SP_ECLOSED);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
    assert_int_equal(spn_write_eof(w.c, ch), SP_ECLOSED);
    assert_int_equal(spn_close_channel(w.c, ch), SP_ECLOSED);
    expect_nothing_sent(&w);
    give(&w, 93, "uu", ch, 2u);
    expect_sent(&w, 94, "us", ch + 100, "ta");
    expect_sent(&w, 98, "usbu", ch + 100, "exit-status", 0, 42u);
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    expect_no_event(&w);
    assert_int_equal(spn_abort_channel(w.c, ch), SP_ECLOSED);
    /* What was under way is ignored. */
    give(&w, 94, "us", ch, "late");
    give(&w, 98, "usb", ch, "shell", 1);
    give(&w, 93, "uu", ch, 2u);
    give(&w, 96, "u", ch);
    expect_no_event(&w);
    expect_nothing_sent(&w);
    give(&w, 97, "u", ch);
    expect_closed(&w, ch);
    end_world(&w);
}

static void test_exit_signal(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    assert_int_equal(spn_exit_with_signal(w.c, ch, NULL, false, NULL, NULL), SP_EINVAL);
    assert_int_equal(spn_exit_with_signal(w.c, ch, "SEGV", true, "ouch", NULL), 0);
    expect_sent(&w, 98, "usbsbss", ch + 100, "exit-signal", 0, "SEGV", 1, "ouch", "");
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    end_world(&w);
}

static void test_half_close(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    assert_int_equal(spn_write_eof(w.c, ch), 0);
    expect_sent(&w, 96, "u", ch + 100);
    assert_int_equal(spn_write_eof(w.c, ch), SP_EALREADY);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
    assert_int_equal(give(&w, 94, "us", ch, "more"), 1);
    give(&w, 96, "u", ch);
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_no_event(&w);
    /* Requests still work, and an exit follows our EOF. */
    assert_int_equal(spn_exit(w.c, ch, 0), 0);
    expect_sent(&w, 98, "usbu", ch + 100, "exit-status", 0, 0u);
    expect_sent(&w, 97, "u", ch + 100);
    give(&w, 97, "u", ch);
    expect_closed(&w, ch);
    end_world(&w);
}

static void test_eof_behind_data(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "data", 4);
    spn_write_eof(w.c, ch);
    expect_nothing_sent(&w);
    give(&w, 93, "uu", ch, 4u);
    expect_sent(&w, 94, "us", ch + 100, "data");
    expect_sent(&w, 96, "u", ch + 100);
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_peer_closes(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "data", 4);
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
    assert_int_equal(spn_exit(w.c, ch, 1), SP_ECLOSED);
    assert_int_equal(spn_abort_channel(w.c, ch), SP_ECLOSED);
    expect_closed(&w, ch);
    end_world(&w);
}

static void test_nothing_after_peers_close(void **state)
{
    (void)state;
    for (uint8_t message = 93; message <= 98; message++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_shell(&w, 1000, 1000);
        give(&w, 97, "u", ch);
        assert_int_equal(give(&w, message, "us", ch, "x"), SP_EPROTO);
        end_world(&w);
    }
}

static void test_abort(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "data", 4);
    assert_int_equal(spn_abort_channel(w.c, ch), 0);
    expect_sent(&w, 97, "u", ch + 100);
    assert_int_equal(spn_abort_channel(w.c, ch), SP_ECLOSED);
    give(&w, 97, "u", ch);
    expect_closed(&w, ch);
    /* Also out of a close that waits for the client. */
    ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "data", 4);
    spn_exit(w.c, ch, 1);
    assert_int_equal(spn_abort_channel(w.c, ch), 0);
    expect_sent(&w, 97, "u", ch + 100);
    give(&w, 97, "u", ch);
    expect_closed(&w, ch);
    end_world(&w);
}

/* The client sends data, EOF and CLOSE in one go. */
static void test_data_before_close(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", ch, "shell", 0);
    spn_answer_request(w.c, expect_event(&w, SP_EVENT_REQUEST, ch)->question, true);
    give(&w, 94, "us", ch, "data"); /* STARTED was not taken yet */
    give(&w, 96, "u", ch);
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    expect_event(&w, SP_EVENT_STARTED, ch);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 0, "data", 4);
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_closed(&w, ch);
    end_world(&w);
}

static void test_paused_data_is_dropped_at_close(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    spn_pause_reading(w.c, ch);
    give(&w, 94, "us", ch, "data");
    give(&w, 96, "u", ch);
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    expect_closed(&w, ch);
    /* Pausing between the events that are left gives up the rest. */
    ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", ch, "shell", 0);
    spn_answer_request(w.c, expect_event(&w, SP_EVENT_REQUEST, ch)->question, true);
    give(&w, 94, "us", ch, "one");
    give(&w, 95, "uus", ch, 1u, "two");
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    expect_event(&w, SP_EVENT_STARTED, ch);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 0, "one", 3);
    assert_int_equal(spn_pause_reading(w.c, ch), 0);
    expect_closed(&w, ch);
    end_world(&w);
}

static void test_all_is_delivered_at_close_if_asked_for(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    assert_int_equal(spn_deliver_all(w.c, ch), 0);
    spn_pause_reading(w.c, ch);
    give(&w, 94, "us", ch, "one");
    give(&w, 95, "uus", ch, 1u, "two");
    expect_no_event(&w);
    give(&w, 96, "u", ch);
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 0, "one", 3);
    assert_int_equal(spn_pause_reading(w.c, ch), 0); /* changes nothing now */
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), 1, "two", 3);
    expect_event(&w, SP_EVENT_EOF, ch);
    expect_closed(&w, ch);
    assert_int_equal(spn_deliver_all(w.c, ch), SP_ECONN); /* there is no such channel */
    end_world(&w);
}

static void test_question_at_close(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", ch, "shell", 1);
    give(&w, 98, "usb", ch, "shell", 1);
    uint64_t question = expect_event(&w, SP_EVENT_REQUEST, ch)->question;
    give(&w, 94, "us", ch, "data");
    give(&w, 97, "u", ch);
    expect_sent(&w, 97, "u", ch + 100);
    assert_int_equal(spn_answer_request(w.c, question, true), SP_ECONN);
    assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, ch)->question, question);
    expect_closed(&w, ch);
    assert_int_equal(spn_answer_request(w.c, question, true), SP_ECONN);
    end_world(&w);
}

/* While held data goes out, an open question may still be answered; others are refused. */
static void test_question_while_closing(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 0, 1000);
    spn_write(w.c, ch, 0, "x", 1);
    give(&w, 98, "usbu", ch, "break", 1, 1u);
    give(&w, 98, "usbu", ch, "break", 1, 2u);
    uint64_t question = expect_event(&w, SP_EVENT_REQUEST, ch)->question;
    spn_close_channel(w.c, ch);
    give(&w, 98, "usbu", ch, "break", 1, 3u);
    expect_nothing_sent(&w);
    assert_int_equal(spn_answer_request(w.c, question, true), 0);
    expect_sent(&w, 99, "u", ch + 100);
    expect_sent(&w, 100, "u", ch + 100);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbu", ch, "break", 1, 4u);
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    give(&w, 93, "uu", ch, 1u);
    expect_sent(&w, 94, "us", ch + 100, "x");
    expect_sent(&w, 96, "u", ch + 100);
    expect_sent(&w, 97, "u", ch + 100);
    end_world(&w);
    /* Closing with nothing held cancels it at once. */
    setup_world(&w);
    ch = open_shell(&w, 0, 1000);
    give(&w, 98, "usbu", ch, "break", 1, 1u);
    question = expect_event(&w, SP_EVENT_REQUEST, ch)->question;
    spn_close_channel(w.c, ch);
    assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, ch)->question, question);
    expect_no_event(&w);
    end_world(&w);
}

/* All orders of our EOF, our close, the peer's EOF and the peer's CLOSE. */
static void close_in_order(const int *order, bool held)
{
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, held ? 0 : 1000, 1000);
    bool we_closed = false, peer_closed = false;
    int eofs = 0, closes = 0, eof_events = 0, closed_events = 0;
    spn_write(w.c, ch, 0, "x", 1);
    world_forget_sent(&w);
    for (int i = 0; i < 4; i++) {
        if (order[i] == 0) {
            (void)spn_write_eof(w.c, ch);
        } else if (order[i] == 1) {
            (void)spn_close_channel(w.c, ch);
            we_closed = true;
        } else if (order[i] == 2 && !peer_closed) {
            assert_int_equal(give(&w, 96, "u", ch), 0);
        } else if (order[i] == 3) {
            assert_int_equal(give(&w, 97, "u", ch), 0);
            peer_closed = true;
        }
        while (spn_next_event(w.c, &w.event)) {
            eof_events += w.event.type == SP_EVENT_EOF;
            closed_events += w.event.type == SP_EVENT_CHANNEL_CLOSED;
        }
        assert_true(eof_events <= 1);
        assert_int_equal(closed_events, peer_closed ? 1 : 0);
    }
    for (sent *m = w.t.first; m != NULL; m = m->next) {
        assert_int_equal(closes, 0); /* nothing after our CLOSE */
        eofs += m->bytes[0] == 96;
        closes += m->bytes[0] == 97;
    }
    assert_true(we_closed);
    assert_int_equal(closes, 1);
    assert_true(eofs <= 1);
    assert_int_equal(spn_channel_count(w.c), 0);
    end_world(&w);
}

static void test_all_orders(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        int order[4] = {code & 3, (code >> 2) & 3, (code >> 4) & 3, code >> 6};
        int seen = 0;
        for (int i = 0; i < 4; i++)
            seen |= 1 << order[i];
        if (seen != 15)
            continue;
        close_in_order(order, false);
        close_in_order(order, true);
    }
}

/* The number is not used again before CHANNEL_CLOSED was taken. */
static void test_number_is_kept(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    give(&w, 97, "u", ch);
    give(&w, 90, "suuu", "session", 5u, 1000u, 1000u);
    expect_event(&w, SP_EVENT_CHANNEL_CLOSED, ch);
    expect_event(&w, SP_EVENT_OPEN, ch + 1);
    end_world(&w);
}

static void test_connection_lost(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    sp_conn_error error = {.error = SP_EIO, .message = "gone"};
    uint32_t running = open_shell(&w, 0, 1000);
    uint32_t asked = open_session(&w, 1000, 1000);
    uint32_t closed = open_shell(&w, 1000, 1000);
    uint32_t closing = open_shell(&w, 0, 1000);
    give(&w, 98, "usb", asked, "shell", 1);
    uint64_t request = expect_event(&w, SP_EVENT_REQUEST, asked)->question;
    give(&w, 90, "suuu", "session", 5u, 1000u, 1000u);
    uint64_t open = expect_event(&w, SP_EVENT_OPEN, 4)->question;
    give(&w, 90, "suuu", "session", 6u, 1000u, 1000u); /* never asked */
    spn_write(w.c, running, 0, "x", 1);
    spn_write(w.c, closing, 0, "x", 1);
    spn_exit(w.c, closing, 1);
    spn_pause_reading(w.c, running);
    give(&w, 94, "us", running, "data");
    give(&w, 97, "u", closed);
    world_forget_sent(&w);
    spn_connection_lost(w.c, &error);
    spn_connection_lost(w.c, NULL);
    int canceled = 0, ended = 0;
    assert_int_equal(spn_answer_request(w.c, request, true), SP_ECONN);
    assert_int_equal(spn_accept_open(w.c, open, NULL), SP_ECONN);
    while (spn_next_event(w.c, &w.event)) {
        if (w.event.type == SP_EVENT_CANCELED) {
            canceled++;
            assert_true(w.event.question == request || w.event.question == open);
        } else {
            assert_int_equal(w.event.type, SP_EVENT_CHANNEL_CLOSED);
            ended++;
            if (w.event.channel == closed)
                assert_null(w.event.u.closed.error);
            else
                assert_ptr_equal(w.event.u.closed.error, &error);
        }
    }
    assert_int_equal(canceled, 2);
    assert_int_equal(ended, 4);
    assert_int_equal(spn_channel_count(w.c), 0);
    expect_nothing_sent(&w);
    assert_int_equal(spn_send_keepalive(w.c), SP_ECONN);
    assert_int_equal(give(&w, 90, "suuu", "session", 6u, 1000u, 1000u), SP_ECONN);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_exit_signal),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_eof_behind_data),
        cmocka_unit_test(test_peer_closes),
        cmocka_unit_test(test_nothing_after_peers_close),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_data_before_close),
        cmocka_unit_test(test_paused_data_is_dropped_at_close),
        cmocka_unit_test(test_all_is_delivered_at_close_if_asked_for),
        cmocka_unit_test(test_question_at_close),
        cmocka_unit_test(test_question_while_closing),
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_number_is_kept),
        cmocka_unit_test(test_connection_lost),
    };
    return cmocka_run_group_tests_name("connection_close", tests, NULL, NULL);
}
