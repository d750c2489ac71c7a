/* Global requests that are questions (RFC 4254 4, 7.1; OpenSSH PROTOCOL 2.4): parsing, the order of
 * replies, limits, and the end. */
#include "connection_helpers.h"

static void ask_forward(world *w, uint32_t port)
{
    assert_int_equal(give(w, 80, "sbsu", "tcpip-forward", 1, "localhost", port), 0);
}

static uint64_t asked(world *w, sp_global_type type)
{
    sp_event *e = expect_event(w, SP_EVENT_GLOBAL_REQUEST, 0);
    assert_int_equal(e->u.global.type, type);
    assert_int_equal(e->question >> 56, 2);
    return e->question;
}

static int answer(world *w, uint64_t question, bool accepted, uint16_t port)
{
    const sp_global_reply reply = {.accepted = accepted, .port = port};
    return spn_answer_global(w->c, question, &reply);
}

static void test_forward(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    assert_int_equal(give(&w, 80, "sbsu", "tcpip-forward", 1, "", 65535u), 0);
    uint64_t question = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    assert_string_equal(w.event.u.global.host, "");
    assert_int_equal(w.event.u.global.port, 65535);
    assert_null(w.event.u.global.path);
    assert_true(w.event.u.global.want_reply);
    expect_nothing_sent(&w);
    expect_no_event(&w);
    /* Only its own form answers it, and it answers nothing else. */
    assert_int_equal(spn_accept_open(w.c, question, NULL), SP_EINVAL);
    assert_int_equal(spn_answer_request(w.c, question, true), SP_EINVAL);
    assert_int_equal(answer(&w, question + (1u << 20), true, 0), SP_ECONN);
    assert_int_equal(answer(&w, question, true, 0), 0);
    expect_sent(&w, 81, "");
    assert_int_equal(answer(&w, question, true, 0), SP_ECONN);
    uint32_t ch = open_session(&w, 100, 100);
    assert_int_equal(give(&w, 98, "usb", ch, "shell", 1), 0);
    assert_int_equal(answer(&w, expect_event(&w, SP_EVENT_REQUEST, ch)->question, true, 0),
                     SP_EINVAL);
    end_world(&w);
}

static void test_any_port(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    ask_forward(&w, 0);
    uint64_t question = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    assert_int_equal(answer(&w, question, true, 0), SP_EINVAL);
    assert_int_equal(answer(&w, question, true, 40000), 0);
    expect_sent(&w, 81, "u", 40000u);
    ask_forward(&w, 0);
    assert_int_equal(answer(&w, asked(&w, SP_GLOBAL_TCPIP_FORWARD), false, 0), 0);
    expect_sent(&w, 82, "");
    ask_forward(&w, 0);
    assert_int_equal(spn_answer_global(w.c, asked(&w, SP_GLOBAL_TCPIP_FORWARD), NULL), 0);
    expect_sent(&w, 82, "");
    /* The port of a request that named one is not repeated. */
    ask_forward(&w, 22);
    assert_int_equal(answer(&w, asked(&w, SP_GLOBAL_TCPIP_FORWARD), true, 22), 0);
    expect_sent(&w, 81, "");
    end_world(&w);
}

static void test_no_reply_wanted(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 80, "sbsu", "tcpip-forward", 0, "h", 0u);
    uint64_t question = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    assert_false(w.event.u.global.want_reply);
    give(&w, 80, "sb", "keepalive@openssh.com", 0);
    give(&w, 80, "sb", "keepalive@openssh.com", 1);
    expect_nothing_sent(&w);
    assert_int_equal(answer(&w, question, true, 1234), 0);
    expect_sent(&w, 82, "");
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_paths(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    give(&w, 80, "sbs", "streamlocal-forward@openssh.com", 1, "/run/x");
    uint64_t question = asked(&w, SP_GLOBAL_STREAMLOCAL_FORWARD);
    assert_string_equal(w.event.u.global.path, "/run/x");
    assert_null(w.event.u.global.host);
    assert_int_equal(answer(&w, question, true, 0), 0);
    expect_sent(&w, 81, "");
    give(&w, 80, "sbs", "cancel-streamlocal-forward@openssh.com", 1, "/run/x");
    assert_int_equal(answer(&w, asked(&w, SP_GLOBAL_CANCEL_STREAMLOCAL_FORWARD), false, 0), 0);
    expect_sent(&w, 82, "");
    end_world(&w);
}

/* Answers in any order; replies in the order asked, also of those that nobody is asked about. */
static void test_replies_keep_the_order(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint64_t q[3];
    ask_forward(&w, 1);
    ask_forward(&w, 0);
    give(&w, 80, "sb", "no-more-sessions@openssh.com", 1);
    ask_forward(&w, 3);
    give(&w, 80, "sb", "keepalive@openssh.com", 1);
    for (int i = 0; i < 3; i++)
        q[i] = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    expect_no_event(&w);
    assert_true(w.c->no_more_sessions); /* at once, though its reply waits */
    assert_int_equal(answer(&w, q[2], true, 0), 0);
    assert_int_equal(answer(&w, q[2], true, 0), SP_EALREADY);
    assert_int_equal(answer(&w, q[1], true, 7), 0);
    expect_nothing_sent(&w);
    assert_int_equal(answer(&w, q[0], false, 0), 0);
    expect_sent(&w, 82, "");
    expect_sent(&w, 81, "u", 7u);
    expect_sent(&w, 81, "");
    expect_sent(&w, 81, "");
    expect_sent(&w, 82, "");
    expect_nothing_sent(&w);
    assert_int_equal(w.c->global_count, 0);
    assert_int_equal(w.c->global_bytes, 0);
    end_world(&w);
}

/* A cancellation sees what everything before it has led to. */
static void test_cancel_waits_its_turn(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    ask_forward(&w, 1);
    give(&w, 80, "sbsu", "cancel-tcpip-forward", 1, "localhost", 1u);
    ask_forward(&w, 1);
    uint64_t first = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    expect_no_event(&w);
    assert_int_equal(answer(&w, first, true, 0), 0);
    uint64_t cancel = asked(&w, SP_GLOBAL_CANCEL_TCPIP_FORWARD);
    assert_int_equal(w.event.u.global.port, 1);
    expect_no_event(&w);
    assert_int_equal(answer(&w, cancel, true, 0), 0);
    uint64_t again = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    assert_int_equal(answer(&w, again, false, 0), 0);
    expect_sent(&w, 81, "");
    expect_sent(&w, 81, "");
    expect_sent(&w, 82, "");
    end_world(&w);
}

static void test_impossible(void **state)
{
    (void)state;
    static char long_host[SPN_TARGET_MAX + 1];
    memset(long_host, 'h', sizeof long_host);
    world w;
    setup_world(&w);
    give(&w, 80, "sbsu", "tcpip-forward", 1, "h", 65536u);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbdu", "tcpip-forward", 1, "a\0b", (size_t)3, 80u);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbdu", "tcpip-forward", 1, long_host, sizeof long_host, 80u);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbsu", "cancel-tcpip-forward", 1, "h", 65536u);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbs", "streamlocal-forward@openssh.com", 1, "");
    expect_sent(&w, 82, "");
    give(&w, 80, "sbd", "streamlocal-forward@openssh.com", 1, "/a\0", (size_t)3);
    expect_sent(&w, 82, "");
    give(&w, 80, "sbd", "cancel-streamlocal-forward@openssh.com", 0, "/a\0", (size_t)3);
    expect_nothing_sent(&w);
    expect_no_event(&w);
    assert_int_equal(w.c->global_count, 0);
    end_world(&w);
}

static void malformed(const char *fields, ...)
{
    world w;
    spb_buffer b;
    va_list ap;
    setup_world(&w);
    spb_buffer_init(&b, &w.t.config.env, 10000);
    va_start(ap, fields);
    put_fields(&b, fields, ap);
    va_end(ap);
    for (size_t n = b.length - 1; n > 0; n--) { /* and every truncation */
        world v;
        setup_world(&v);
        assert_int_equal(give_bytes(&v, 80, b.data, n), SP_EPROTO);
        expect_no_event(&v);
        world_end(&v);
    }
    live_blocks = live_bytes = 0;
    spw_u8(&b, 0);
    assert_int_equal(give_bytes(&w, 80, b.data, b.length), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    expect_no_event(&w);
    spb_buffer_free(&b);
    world_end(&w);
}

static void test_malformed(void **state)
{
    (void)state;
    malformed("sbsu", "tcpip-forward", 1, "h", 80u);
    malformed("sbsu", "cancel-tcpip-forward", 1, "h", 80u);
    malformed("sbs", "streamlocal-forward@openssh.com", 1, "/x");
    malformed("sbs", "cancel-streamlocal-forward@openssh.com", 1, "/x");
}

static void test_limits(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (uint32_t i = 0; i < SPN_GLOBALS_MAX; i++)
        assert_int_equal(give(&w, 80, "sbsu", "tcpip-forward", 1, "h", i), 0);
    assert_int_equal(give(&w, 80, "sb", "keepalive@openssh.com", 0), 0);
    assert_int_equal(give(&w, 80, "sb", "keepalive@openssh.com", 1), SP_ELIMIT);
    expect_failed(&w, SP_ELIMIT);
    end_world(&w);

    static char path[SPN_TARGET_MAX];
    memset(path, 'p', sizeof path);
    setup_world(&w);
    int result = 0;
    unsigned count = 0;
    while (result == 0) {
        result = give(&w, 80, "sbd", "streamlocal-forward@openssh.com", 1, path, sizeof path);
        count++;
    }
    assert_int_equal(result, SP_ELIMIT);
    assert_true(count < SPN_GLOBALS_MAX);
    assert_true(w.c->global_bytes <= SPN_GLOBAL_BYTES_MAX);
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
    ask_forward(&w, 1);
    expect_no_event(&w);
    spn_release(w.c);
    asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    end_world(&w);
}

static void test_the_connection_is_lost(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    ask_forward(&w, 1);
    ask_forward(&w, 2);
    ask_forward(&w, 3);
    give(&w, 80, "sbsu", "cancel-tcpip-forward", 1, "localhost", 1u);
    uint64_t first = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    uint64_t second = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    uint64_t third = asked(&w, SP_GLOBAL_TCPIP_FORWARD);
    assert_int_equal(answer(&w, second, true, 0), 0);
    spn_connection_lost(w.c, NULL);
    assert_int_equal(answer(&w, first, true, 0), SP_ECONN);
    assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, 0)->question, first);
    assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, 0)->question, third);
    expect_no_event(&w);
    expect_nothing_sent(&w);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_any_port),
        cmocka_unit_test(test_no_reply_wanted),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_replies_keep_the_order),
        cmocka_unit_test(test_cancel_waits_its_turn),
        cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_waits_for_release),
        cmocka_unit_test(test_the_connection_is_lost),
    };
    return cmocka_run_group_tests_name("connection_global", tests, NULL, NULL);
}
