/* Opening channels: limits, refusals, answers, numbers (RFC 4254 5.1), and global requests (4). */
#include "connection_helpers.h"

static void test_accept(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    assert_int_equal(give(&w, 90, "suuu", "session", 7u, 1000u, 2000u), 0);
    sp_event *e = expect_event(&w, SP_EVENT_OPEN, 0);
    uint64_t question = e->question;
    assert_int_equal(question >> 56, 2);
    expect_no_event(&w);
    expect_nothing_sent(&w);
    assert_int_equal(spn_write(w.c, 0, 0, "x", 1), SP_ESTATE);
    assert_int_equal(spn_accept_open(w.c, question + ((uint64_t)1 << 30), NULL), SP_ECONN);
    assert_int_equal(spn_answer_request(w.c, question, true), SP_EINVAL);
    sp_channel_options o = {SP_CHANNEL_OPTIONS_INIT};
    o.packet_size = 65537;
    assert_int_equal(spn_accept_open(w.c, question, &o), SP_EINVAL);
    o = (sp_channel_options){.size = sizeof o, .window_size = 5000, .packet_size = 65536};
    assert_int_equal(spn_accept_open(w.c, question, &o), 0);
    expect_sent(&w, 91, "uuuu", 7u, 0u, 5000u, 65536u);
    assert_int_equal(spn_accept_open(w.c, question, NULL), SP_EALREADY);
    assert_int_equal(spn_refuse_open(w.c, question, 0, NULL), SP_EALREADY);
    end_world(&w);
}

static void test_refuse(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 90, "suuu", "session", 7u, 1000u, 2000u);
    uint64_t question = expect_event(&w, SP_EVENT_OPEN, 0)->question;
    assert_int_equal(spn_refuse_open(w.c, question, 0, NULL), 0);
    expect_sent(&w, 92, "uuss", 7u, 2u, "Session refused", "");
    assert_int_equal(spn_refuse_open(w.c, question, 0, NULL), SP_ECONN);
    assert_int_equal(spn_accept_open(w.c, question, NULL), SP_ECONN);
    give(&w, 90, "suuu", "session", 8u, 1000u, 2000u);
    uint64_t second = expect_event(&w, SP_EVENT_OPEN, 0)->question;
    assert_true(second != question);
    assert_int_equal(spn_refuse_open(w.c, second, 1, "no"), 0);
    expect_sent(&w, 92, "uuss", 8u, 1u, "no", "");
    expect_no_event(&w);
    assert_int_equal(spn_channel_count(w.c), 0);
    end_world(&w);
}

static void test_refused_without_asking(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 90, "suuus", "x11", 3u, 1000u, 2000u, "more");
    expect_sent(&w, 92, "uuss", 3u, 3u, "Unknown channel type", "");
    give(&w, 90, "suuu", "session", 4u, 1000u, 0u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Maximum packet size too small", "");
    give(&w, 90, "suuu", "session", 4u, 1000u, 31u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Maximum packet size too small", "");
    expect_no_event(&w);
    open_session(&w, 0, 32);
    assert_int_equal(give(&w, 90, "suuub", "session", 4u, 1000u, 100u, 0), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    end_world(&w);
}

/* RFC 4254 7.2, OpenSSH PROTOCOL 2.4 */
static void test_direct(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    assert_int_equal(
        give(&w, 90, "suuususu", "direct-tcpip", 7u, 1000u, 2000u, "host", 80u, "orig", 4711u), 0);
    sp_event *e = &w.event;
    assert_true(spn_next_event(w.c, e));
    assert_int_equal(e->type, SP_EVENT_OPEN);
    assert_string_equal(e->u.open.type, "direct-tcpip");
    assert_string_equal(e->u.open.dest_host, "host");
    assert_string_equal(e->u.open.orig_host, "orig");
    assert_int_equal(e->u.open.dest_port, 80);
    assert_int_equal(e->u.open.orig_port, 4711);
    assert_null(e->u.open.dest_path);
    assert_int_equal(spn_accept_open(w.c, e->question, NULL), 0);
    assert_string_equal(e->u.open.dest_host, "host"); /* until the next event */
    expect_sent(&w, 91, "uuuu", 7u, 0u, 65536u, 32768u);
    /* It is open for data at once, and no session. */
    assert_int_equal(give(&w, 94, "us", 0u, "early"), 0);
    expect_event(&w, SP_EVENT_STARTED, 0);
    e = expect_event(&w, SP_EVENT_DATA, 0);
    expect_data(e, SP_DATA_NORMAL, "early", 5);
    assert_int_equal(w.c->sessions, 0);
    assert_int_equal(give(&w, 98, "usb", 0u, "shell", 1), 0);
    expect_sent(&w, 100, "u", 7u);

    give(&w, 90, "suuussu", "direct-streamlocal@openssh.com", 8u, 1000u, 2000u, "/a/b", "", 0u);
    assert_true(spn_next_event(w.c, e = &w.event));
    assert_string_equal(e->u.open.dest_path, "/a/b");
    assert_null(e->u.open.dest_host);
    assert_int_equal(spn_refuse_open(w.c, e->question, 0, NULL), 0);
    expect_sent(&w, 92, "uuss", 8u, 2u, "Connection refused", "");
    end_world(&w);
}

static void test_direct_to_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *dest;
        uint32_t port;
        uint32_t orig_port;
    } bad[] = {{"", 80, 1}, {"h", 0, 1}, {"h", 65536, 1}, {"h", 80, 65536}};
    world w;
    setup_world(&w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        give(&w, 90, "suuususu", "direct-tcpip", 3u, 1000u, 2000u, bad[i].dest, bad[i].port, "o",
             bad[i].orig_port);
        expect_sent(&w, 92, "uuss", 3u, 2u, "No such destination", "");
    }
    give(&w, 90, "suuudusu", "direct-tcpip", 3u, 1000u, 2000u, "a\0b", (size_t)3, 80u, "o", 1u);
    expect_sent(&w, 92, "uuss", 3u, 2u, "No such destination", "");
    expect_no_event(&w);
    assert_int_equal(give(&w, 90, "suuusus", "direct-tcpip", 3u, 1000u, 2000u, "h", 80u, "o"),
                     SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    end_world(&w);
}

static void test_limits(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (int i = 0; i < 8; i++)
        open_session(&w, 1000, 1000);
    give(&w, 90, "suuu", "session", 4u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Too many sessions", "");
    w.t.config.options.max_sessions = 100;
    for (int i = 8; i < 16; i++)
        open_session(&w, 1000, 1000);
    give(&w, 90, "suuu", "session", 4u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Too many channels", "");
    end_world(&w);
}

static void test_no_more_sessions(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    assert_int_equal(give(&w, 80, "sb", "no-more-sessions@openssh.com", 1), 0);
    expect_sent(&w, 81, "");
    give(&w, 90, "suuu", "session", 4u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 4u, 1u, "No more sessions", "");
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), 1);
    assert_int_equal(give(&w, 80, "sbb", "no-more-sessions@openssh.com", 0, 0), SP_EPROTO);
    end_world(&w);
}

static void test_global_requests(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 80, "sb", "keepalive@openssh.com", 1);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbsu", "no-such-request", 1, "localhost", 80u);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbsu", "no-such-request", 0, "localhost", 80u);
    give(&w, 80, "sb", "keepalive@openssh.com", 0);
    expect_nothing_sent(&w);
    assert_int_equal(spn_keepalives_open(w.c), 0);
    assert_int_equal(spn_send_keepalive(w.c), 0);
    assert_int_equal(spn_send_keepalive(w.c), 0);
    expect_sent(&w, 80, "sb", "keepalive@openssh.com", 1);
    expect_sent(&w, 80, "sb", "keepalive@openssh.com", 1);
    assert_int_equal(spn_keepalives_open(w.c), 2);
    assert_int_equal(give(&w, 82, ""), 0);
    assert_int_equal(give(&w, 81, ""), 0);
    assert_int_equal(spn_keepalives_open(w.c), 0);
    assert_int_equal(give(&w, 82, ""), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    end_world(&w);
}

static void test_waits_for_release(void **state)
{
    (void)state;
    world w;
    live_blocks = 0;
    world_init(&w);
    assert_int_equal(spn_new(&w.c, &w.t), 0);
    permit_all(&w);
    give(&w, 90, "suuu", "session", 7u, 1000u, 2000u);
    give(&w, 90, "suuu", "session", 8u, 1000u, 2000u);
    expect_no_event(&w);
    expect_nothing_sent(&w);
    spn_release(w.c);
    expect_event(&w, SP_EVENT_OPEN, 0);
    expect_event(&w, SP_EVENT_OPEN, 1);
    expect_no_event(&w);
    end_world(&w);
}

/* Until it is confirmed, a channel has no number for the peer. */
static void test_messages_before_the_answer(void **state)
{
    (void)state;
    for (uint8_t message = 91; message <= 100; message++) {
        world w;
        setup_world(&w);
        give(&w, 90, "suuu", "session", 7u, 1000u, 2000u);
        uint64_t question = expect_event(&w, SP_EVENT_OPEN, 0)->question;
        assert_int_equal(give(&w, message, "us", 0u, "hello"), SP_EPROTO);
        expect_failed(&w, SP_EPROTO);
        assert_int_equal(spn_accept_open(w.c, question, NULL), SP_ECONN);
        spn_connection_lost(w.c, NULL);
        assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, 0)->question, question);
        expect_no_event(&w);
        expect_nothing_sent(&w);
        assert_int_equal(spn_channel_count(w.c), 0);
        end_world(&w);
    }
}

static void test_unknown_and_unasked(void **state)
{
    (void)state;
    for (unsigned message = 0; message < 256; message++) {
        if (message >= 80 && message <= 90)
            continue;
        world w;
        setup_world(&w);
        open_session(&w, 1000, 1000);
        assert_int_equal(give(&w, (uint8_t)message, "u", 5u), SP_EPROTO);
        end_world(&w);
    }
    const uint8_t unasked[] = {91, 92, 99, 100};
    for (size_t i = 0; i < sizeof unasked; i++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_session(&w, 1000, 1000);
        assert_int_equal(give(&w, unasked[i], "uuuu", ch, 0u, 0u, 0u), SP_EPROTO);
        end_world(&w);
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    const uint8_t open[] = "\0\0\0\7session\0\0\0\1\0\0\1\0\0\0\1";
    for (size_t n = 0; n < sizeof open; n++) {
        world w;
        setup_world(&w);
        assert_int_equal(give_bytes(&w, 90, open, n), SP_EPROTO);
        expect_no_event(&w);
        end_world(&w);
    }
    const uint8_t global[] = "\0\0\0\34no-more-sessions@openssh.com";
    for (size_t n = 0; n < sizeof global - 1; n++) {
        world w;
        setup_world(&w);
        assert_int_equal(give_bytes(&w, 80, global, n), SP_EPROTO);
        end_world(&w);
    }
}

/* A million channels, refused and closed: the memory is that of one. */
static void test_flat_table(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    w.t.record = false;
    uint32_t kept = 0;
    give(&w, 90, "suuu", "session", 1u, 1000u, 1000u);
    assert_int_equal(spn_accept_open(w.c, expect_event(&w, SP_EVENT_OPEN, 0)->question, NULL), 0);
    give(&w, 90, "suuu", "session", 2u, 1000u, 1000u);
    expect_event(&w, SP_EVENT_OPEN, 1);
    assert_int_equal(spn_refuse_open(w.c, w.event.question, 0, NULL), 0);
    size_t blocks = live_blocks, bytes = live_bytes;
    for (int i = 0; i < 500000; i++) {
        give(&w, 90, "suuu", "session", 2u, 1000u, 1000u);
        expect_event(&w, SP_EVENT_OPEN, 1);
        assert_int_equal(spn_refuse_open(w.c, w.event.question, 0, NULL), 0);
        give(&w, 90, "suuu", "session", 2u, 1000u, 1000u);
        expect_event(&w, SP_EVENT_OPEN, 1);
        assert_int_equal(spn_accept_open(w.c, w.event.question, NULL), 0);
        give(&w, 97, "u", 1u);
        expect_event(&w, SP_EVENT_CHANNEL_CLOSED, 1);
    }
    spn_settle(w.c);
    assert_int_equal(live_blocks, blocks);
    assert_int_equal(live_bytes, bytes);
    assert_int_equal(spn_channel_count(w.c), 1);
    assert_non_null(spn_find(w.c, kept));
    end_world(&w);
}

static void test_smallest_number(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(open_session(&w, 1000, 1000), i);
    for (uint32_t i = 1; i < 4; i++) {
        give(&w, 97, "u", i);
        expect_sent(&w, 97, "u", i + 100);
        expect_event(&w, SP_EVENT_CHANNEL_CLOSED, i);
    }
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(open_session(&w, 1000, 1000), i);
    assert_int_equal(open_session(&w, 1000, 1000), 6);
    end_world(&w);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_true(sizeof(spn_connection) < 512);
    assert_true(sizeof(spn_channel) < 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_refused_without_asking),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_direct_to_nowhere),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_more_sessions),
        cmocka_unit_test(test_global_requests),
        cmocka_unit_test(test_waits_for_release),
        cmocka_unit_test(test_messages_before_the_answer),
        cmocka_unit_test(test_unknown_and_unasked),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_flat_table),
        cmocka_unit_test(test_smallest_number),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests_name("connection_open", tests, NULL, NULL);
}
