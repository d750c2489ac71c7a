/* Channels that we open (RFC 4254 5.1): what is sent, the client's two answers, what it may not
 * say, limits, taking back, and the end. */
#include "connection_helpers.h"

static const sp_open_request tcpip = {SP_OPEN_REQUEST_INIT,     .type = "forwarded-tcpip",
                                      .dest_host = "",          .dest_port = 8080,
                                      .orig_host = "192.0.2.1", .orig_port = 4711};

static uint32_t open_own(world *w)
{
    uint32_t channel = UINT32_MAX;
    assert_int_equal(spn_open_channel(w->c, &tcpip, NULL, &channel), 0);
    const spn_channel *ch = spn_find(w->c, channel);
    expect_sent(w, 90, "suuususu", "forwarded-tcpip", channel, ch->window.credit, ch->window.packet,
                "", 8080u, "192.0.2.1", 4711u);
    return channel;
}

static void test_confirmed(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_own(&w);
    expect_no_event(&w);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ESTATE);
    assert_int_equal(spn_write_eof(w.c, ch), SP_ESTATE);
    assert_int_equal(spn_pause_reading(w.c, ch), SP_ESTATE);
    assert_int_equal(spn_exit(w.c, ch, 0), SP_ESTATE);
    /* Data right behind the confirmation comes behind the event. */
    assert_int_equal(give(&w, 91, "uuuu", ch, 77u, 5u, 100u), 0);
    assert_int_equal(give(&w, 94, "us", ch, "early"), 0);
    expect_event(&w, SP_EVENT_OPENED, ch);
    expect_data(expect_event(&w, SP_EVENT_DATA, ch), SP_DATA_NORMAL, "early", 5);
    assert_int_equal(spn_write(w.c, ch, 0, "hello!", 6), 6);
    expect_sent(&w, 94, "us", 77u, "hello");
    assert_int_equal(give(&w, 93, "uu", ch, 100u), 0);
    expect_sent(&w, 94, "us", 77u, "!");
    assert_int_equal(give(&w, 98, "usb", ch, "shell", 1), 0);
    expect_sent(&w, 100, "u", 77u);
    assert_int_equal(give(&w, 96, "u", ch), 0);
    expect_event(&w, SP_EVENT_EOF, ch);
    assert_int_equal(spn_close_channel(w.c, ch), 0);
    expect_sent(&w, 96, "u", 77u);
    expect_sent(&w, 97, "u", 77u);
    assert_int_equal(give(&w, 97, "u", ch), 0);
    expect_event(&w, SP_EVENT_CHANNEL_CLOSED, ch);
    expect_no_event(&w);
    assert_int_equal(spn_channel_count(w.c), 0);
    assert_int_equal(w.c->windows, 0);
    end_world(&w);
}

static void test_refused(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_own(&w);
    assert_int_equal(give(&w, 92, "uuss", ch, 2u, "no\x1b[0m way", ""), 0);
    assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
    assert_int_equal(spn_close_channel(w.c, ch), SP_ECLOSED);
    sp_event *e = expect_event(&w, SP_EVENT_OPEN_FAILED, ch);
    assert_int_equal(e->u.open_failed.code, 2);
    assert_string_equal(e->u.open_failed.text, "no?[0m way");
    assert_int_equal(spn_channel_count(w.c), 0);
    assert_int_equal(w.c->windows, 0);
    expect_no_event(&w);
    /* A very long text is cut; the number is free again. */
    static char text[5000];
    memset(text, 'x', sizeof text);
    assert_int_equal(open_own(&w), ch);
    assert_int_equal(give(&w, 92, "uuds", ch, 9999u, text, sizeof text, ""), 0);
    e = expect_event(&w, SP_EVENT_OPEN_FAILED, ch);
    assert_int_equal(e->u.open_failed.code, 9999);
    assert_int_equal(strlen(e->u.open_failed.text), 255);
    end_world(&w);
}

static void test_kinds(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch;
    sp_channel_options o = {.size = sizeof o, .window_size = 5000, .packet_size = 1000};
    sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = "forwarded-streamlocal@openssh.com",
                            .dest_path = "/run/x"};
    assert_int_equal(spn_open_channel(w.c, &what, &o, &ch), 0);
    expect_sent(&w, 90, "suuuss", "forwarded-streamlocal@openssh.com", 0u, 5000u, 1000u, "/run/x",
                "");
    what = (sp_open_request){SP_OPEN_REQUEST_INIT, .type = "x11", .orig_host = "::1",
                             .orig_port = 6000};
    assert_int_equal(spn_open_channel(w.c, &what, &o, &ch), 0);
    expect_sent(&w, 90, "suuusu", "x11", 1u, 5000u, 1000u, "::1", 6000u);
    what = (sp_open_request){SP_OPEN_REQUEST_INIT, .type = "auth-agent@openssh.com"};
    assert_int_equal(spn_open_channel(w.c, &what, &o, &ch), 0);
    expect_sent(&w, 90, "suuu", "auth-agent@openssh.com", 2u, 5000u, 1000u);
    end_world(&w);
}

static void test_bad_calls(void **state)
{
    (void)state;
    static char text[SPN_TARGET_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    world w;
    setup_world(&w);
    uint32_t ch = 5;
    sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = "session"};
    sp_channel_options o = {.size = sizeof o, .packet_size = 65537};
    assert_int_equal(spn_open_channel(w.c, NULL, NULL, &ch), SP_EINVAL);
    assert_int_equal(spn_open_channel(w.c, &what, NULL, &ch), SP_EINVAL);
    what.type = NULL;
    assert_int_equal(spn_open_channel(w.c, &what, NULL, &ch), SP_EINVAL);
    what.type = "direct-tcpip";
    assert_int_equal(spn_open_channel(w.c, &what, NULL, &ch), SP_EINVAL);
    what.type = "x11";
    assert_int_equal(spn_open_channel(w.c, &what, &o, &ch), SP_EINVAL);
    what.orig_host = text;
    assert_int_equal(spn_open_channel(w.c, &what, NULL, &ch), SP_EINVAL);
    what = (sp_open_request){.type = "x11"};
    assert_int_equal(spn_open_channel(w.c, &what, NULL, &ch), SP_EINVAL);
    w.c->released = false;
    assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch), SP_ESTATE);
    spn_connection_lost(w.c, NULL);
    assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch), SP_ECONN);
    expect_nothing_sent(&w);
    assert_int_equal(ch, 5);
    end_world(&w);
}

static void test_limits(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch;
    for (int i = 0; i < 16; i++)
        open_own(&w);
    assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch), SP_ELIMIT);
    give(&w, 90, "suuu", "session", 4u, 1000u, 1000u);
    expect_sent(&w, 92, "uuss", 4u, 4u, "Too many channels", "");
    give(&w, 92, "uuss", 3u, 1u, "", "");
    expect_event(&w, SP_EVENT_OPEN_FAILED, 3);
    open_own(&w);
    end_world(&w);

    setup_world(&w);
    w.t.config.options.window_budget = 3 * 65536;
    for (int i = 0; i < 3; i++)
        open_own(&w);
    assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch), SP_ELIMIT);
    assert_int_equal(spn_channel_count(w.c), 3);
    end_world(&w);
}

/* While keys are exchanged, and while the output is full, nothing is sent. */
static void test_waits_for_the_output(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch[3];
    w.t.can_send = false;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch[i]), 0);
    expect_nothing_sent(&w);
    /* Taken back before the client has heard of it. */
    assert_int_equal(spn_close_channel(w.c, ch[1]), 0);
    assert_int_equal(spn_close_channel(w.c, ch[1]), SP_ECLOSED);
    expect_event(&w, SP_EVENT_CHANNEL_CLOSED, ch[1]);
    w.t.can_send = true;
    assert_int_equal(spn_flush(w.c), 0);
    expect_sent(&w, 90, "suuususu", "forwarded-tcpip", ch[0], 65536u, 32768u, "", 8080u,
                "192.0.2.1", 4711u);
    assert_int_equal(w.t.first->bytes[0], 90);
    world_forget_sent(&w);
    expect_no_event(&w);
    /* An answer to what was not sent yet is none. */
    w.t.can_send = false;
    assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch[1]), 0);
    assert_int_equal(give(&w, 91, "uuuu", ch[1], 1u, 1u, 100u), SP_EPROTO);
    end_world(&w);
}

static void test_taken_back(void **state)
{
    (void)state;
    for (int abort_it = 0; abort_it < 2; abort_it++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_own(&w);
        assert_int_equal(abort_it ? spn_abort_channel(w.c, ch) : spn_close_channel(w.c, ch), 0);
        assert_int_equal(spn_abort_channel(w.c, ch), SP_ECLOSED);
        assert_int_equal(spn_write(w.c, ch, 0, "x", 1), SP_ECLOSED);
        expect_no_event(&w);
        expect_nothing_sent(&w);
        assert_int_equal(give(&w, 91, "uuuu", ch, 9u, 1000u, 1000u), 0);
        expect_sent(&w, 97, "u", 9u);
        assert_int_equal(give(&w, 94, "us", ch, "data"), 0);
        expect_no_event(&w);
        assert_int_equal(give(&w, 97, "u", ch), 0);
        expect_event(&w, SP_EVENT_CHANNEL_CLOSED, ch);
        expect_no_event(&w);
        /* Or the client refuses it anyway. */
        ch = open_own(&w);
        assert_int_equal(spn_close_channel(w.c, ch), 0);
        assert_int_equal(give(&w, 92, "uuss", ch, 2u, "no", ""), 0);
        expect_event(&w, SP_EVENT_OPEN_FAILED, ch);
        assert_int_equal(spn_channel_count(w.c), 0);
        end_world(&w);
    }
}

/* Until its answer the client can say nothing about the channel, and it answers once. */
static void test_not_allowed(void **state)
{
    (void)state;
    for (uint8_t message = 93; message <= 100; message++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_own(&w);
        assert_int_equal(give(&w, message, "us", ch, "hello"), SP_EPROTO);
        end_world(&w);
    }
    for (int i = 0; i < 8; i++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_own(&w);
        int result = 0;
        if (i == 0) /* twice */
            result = give(&w, 91, "uuuu", ch, 1u, 1u, 100u),
            result = result != 0 ? 0 : give(&w, 91, "uuuu", ch, 1u, 1u, 100u);
        if (i == 1) /* both */
            result = give(&w, 92, "uuss", ch, 1u, "", ""),
            result = result != 0 ? 0 : give(&w, 91, "uuuu", ch, 1u, 1u, 100u);
        if (i == 2)
            result = give(&w, 91, "uuuu", ch, 1u, 1u, 31u);
        if (i == 3)
            result = give(&w, 91, "uuuu", ch + 1, 1u, 1u, 100u);
        if (i == 4)
            result = give(&w, 91, "uuuub", ch, 1u, 1u, 100u, 0);
        if (i == 5)
            result = give(&w, 91, "uuu", ch, 1u, 1u);
        if (i == 6)
            result = give(&w, 92, "uus", ch, 1u, "");
        if (i == 7)
            result = give(&w, 92, "uussb", ch, 1u, "", "", 0);
        assert_int_equal(result, SP_EPROTO);
        expect_failed(&w, SP_EPROTO);
        end_world(&w);
    }
    /* What only we open, the client does not. */
    world w;
    setup_world(&w);
    give(&w, 90, "suuususu", "forwarded-tcpip", 7u, 1000u, 2000u, "host", 80u, "orig", 4711u);
    expect_sent(&w, 92, "uuss", 7u, 3u, "Unknown channel type", "");
    end_world(&w);
}

/* At each stage: exactly one last event. */
static void test_the_connection_is_lost(void **state)
{
    (void)state;
    static const sp_conn_error error = {.error = SP_EIO};
    for (int stage = 0; stage < 6; stage++) {
        world w;
        setup_world(&w);
        uint32_t ch;
        w.t.can_send = stage != 0;
        assert_int_equal(spn_open_channel(w.c, &tcpip, NULL, &ch), 0);
        world_forget_sent(&w);
        if (stage == 2 || stage == 3)
            give(&w, 91, "uuuu", ch, 1u, 1u, 100u);
        if (stage == 3)
            expect_event(&w, SP_EVENT_OPENED, ch);
        if (stage == 4)
            give(&w, 92, "uuss", ch, 1u, "", "");
        if (stage == 5)
            spn_close_channel(w.c, ch);
        spn_connection_lost(w.c, &error);
        if (stage == 4)
            expect_event(&w, SP_EVENT_OPEN_FAILED, ch);
        else
            assert_ptr_equal(expect_event(&w, SP_EVENT_CHANNEL_CLOSED, ch)->u.closed.error, &error);
        expect_no_event(&w);
        expect_nothing_sent(&w);
        assert_int_equal(spn_channel_count(w.c), 0);
        end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_confirmed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_waits_for_the_output),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_not_allowed),
        cmocka_unit_test(test_the_connection_is_lost),
    };
    return cmocka_run_group_tests_name("connection_own_open", tests, NULL, NULL);
}
