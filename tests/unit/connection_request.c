/* Channel requests: parsing, turns, replies in order, a session's rules (RFC 4254 5.4, 6, 8). */
#include "connection_helpers.h"

static sp_event *expect_request(world *w, uint32_t ch, sp_request_type type, const char *text)
{
    sp_event *e = expect_event(w, SP_EVENT_REQUEST, ch);
    assert_int_equal(e->u.request.type, type);
    if (text != NULL)
        assert_string_equal(e->u.request.text, text);
    return e;
}

static void answer(world *w, uint32_t ch, bool accepted)
{
    assert_int_equal(spn_answer_request(w->c, w->event.question, accepted), 0);
    expect_sent(w, accepted ? 99 : 100, "u", ch + 100);
}

static void test_each_request(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    const uint8_t modes[] = {53, 0, 0, 0, 1, 128, 0, 0, 0x96, 0, 0};
    give(&w, 98, "usbsuuuud", ch, "pty-req", 1, "xterm", 80u, 24u, 640u, 480u, modes, sizeof modes);
    sp_event *e = expect_request(&w, ch, SP_REQUEST_PTY, "xterm");
    assert_true(e->u.request.want_reply);
    assert_int_equal(e->u.request.size.columns, 80);
    assert_int_equal(e->u.request.size.rows, 24);
    assert_int_equal(e->u.request.size.width, 640);
    assert_int_equal(e->u.request.size.height, 480);
    assert_int_equal(e->u.request.modes.count, 1);
    assert_int_equal(e->u.request.modes.modes[0].opcode, 53);
    assert_int_equal(e->u.request.modes.modes[0].value, 1);
    assert_int_equal(e->u.request.modes.input_speed, 0x9600);
    answer(&w, ch, true);
    give(&w, 98, "usbss", ch, "env", 1, "LANG", "C.UTF-8");
    e = expect_request(&w, ch, SP_REQUEST_ENV, "LANG");
    assert_string_equal(e->u.request.value, "C.UTF-8");
    answer(&w, ch, false);
    give(&w, 98, "usbs", ch, "subsystem", 1, "sftp");
    expect_request(&w, ch, SP_REQUEST_SUBSYSTEM, "sftp");
    answer(&w, ch, false);
    give(&w, 98, "usbs", ch, "exec", 0, "");
    e = expect_request(&w, ch, SP_REQUEST_EXEC, "");
    assert_false(e->u.request.want_reply);
    assert_int_equal(spn_answer_request(w.c, e->question, true), 0);
    expect_nothing_sent(&w);
    expect_event(&w, SP_EVENT_STARTED, ch);
    give(&w, 98, "usbuuuu", ch, "window-change", 0, 132u, 50u, 0u, 0u);
    e = expect_request(&w, ch, SP_REQUEST_WINDOW_CHANGE, NULL);
    assert_int_equal(e->question, 0);
    assert_int_equal(e->u.request.size.columns, 132);
    give(&w, 98, "usbs", ch, "signal", 1, "INT");
    assert_int_equal(expect_request(&w, ch, SP_REQUEST_SIGNAL, "INT")->question, 0);
    expect_sent(&w, 99, "u", ch + 100);
    give(&w, 98, "usbu", ch, "break", 1, 500u);
    e = expect_request(&w, ch, SP_REQUEST_BREAK, NULL);
    assert_int_equal(e->u.request.milliseconds, 500);
    answer(&w, ch, true);
    expect_no_event(&w);
    expect_nothing_sent(&w);
    end_world(&w);
}

static void test_agent(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    const char *name = "auth-agent-req@openssh.com";
    give(&w, 98, "usb", ch, name, 1);
    expect_request(&w, ch, SP_REQUEST_AGENT, NULL);
    answer(&w, ch, false);
    give(&w, 98, "usb", ch, name, 0); /* as OpenSSH sends it */
    assert_false(expect_request(&w, ch, SP_REQUEST_AGENT, NULL)->u.request.want_reply);
    assert_int_equal(spn_answer_request(w.c, w.event.question, true), 0);
    expect_nothing_sent(&w);
    give(&w, 98, "usb", ch, name, 1); /* once is enough */
    expect_sent(&w, 100, "u", ch + 100);
    uint32_t other = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", other, "shell", 0);
    expect_request(&w, other, SP_REQUEST_SHELL, NULL);
    assert_int_equal(spn_answer_request(w.c, w.event.question, true), 0);
    expect_event(&w, SP_EVENT_STARTED, other);
    give(&w, 98, "usb", other, name, 1); /* too late */
    expect_sent(&w, 100, "u", other + 100);
    expect_no_event(&w);
    end_world(&w);
}

static void give_x11(world *w, uint32_t ch, const char *protocol, const char *cookie,
                     uint32_t screen)
{
    give(w, 98, "usbbssu", ch, "x11-req", 1, 0, protocol, cookie, screen);
}

static void test_x11(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usbbssu", ch, "x11-req", 1, 1, "MIT-MAGIC-COOKIE-1", "00fFaB", 3u);
    sp_event *e = expect_request(&w, ch, SP_REQUEST_X11, "MIT-MAGIC-COOKIE-1");
    assert_string_equal(e->u.request.value, "00fFaB");
    assert_int_equal(e->u.request.screen, 3);
    assert_true(e->u.request.single_connection);
    answer(&w, ch, false);
    give_x11(&w, ch, "X", "00", 255);
    e = expect_request(&w, ch, SP_REQUEST_X11, "X");
    assert_false(e->u.request.single_connection);
    answer(&w, ch, true);
    give_x11(&w, ch, "X", "00", 0); /* once is enough */
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    end_world(&w);
}

/* Well formed, but nothing that an X server could be asked for. */
static void test_x11_impossible(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    char name[66], cookie[1027];
    memset(name, 'N', sizeof name);
    memset(cookie, 'c', sizeof cookie);
    name[65] = '\0';
    cookie[1026] = '\0';
    const struct {
        const char *protocol;
        const char *cookie;
        uint32_t screen;
    } cases[] = {
        {"", "00", 0},           {"MIT COOKIE", "00", 0}, {"A;B", "00", 0},
        {"A\nB", "00", 0},       {name, "00", 0},         {"A", "", 0},
        {"A", "000", 0},         {"A", "0g", 0},          {"A", "0x00", 0},
        {"A", "00 0", 0},        {"A", cookie, 0},        {"A", "00", 256},
        {"A", "00", UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        give_x11(&w, ch, cases[i].protocol, cases[i].cookie, cases[i].screen);
        expect_sent(&w, 100, "u", ch + 100);
        expect_no_event(&w);
    }
    name[64] = '\0';
    cookie[1024] = '\0';
    give_x11(&w, ch, name, cookie, 0);
    expect_request(&w, ch, SP_REQUEST_X11, name);
    answer(&w, ch, true);
    end_world(&w);
}

static void test_unknown(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    const char *names[] = {"x11-req@example.com", "auth-agent-req", "keepalive@openssh.com",
                           "exit-status", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(give(&w, 98, "usbs", ch, names[i], 1, "whatever"), 0);
        expect_sent(&w, 100, "u", ch + 100);
        assert_int_equal(give(&w, 98, "usb", ch, names[i], 0), 0);
    }
    expect_nothing_sent(&w);
    expect_no_event(&w);
    end_world(&w);
}

static void test_one_start(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    /* Both wait: whether the second may be asked depends on the first. */
    give(&w, 98, "usbs", ch, "exec", 1, "one");
    give(&w, 98, "usbs", ch, "exec", 1, "two");
    give(&w, 98, "usb", ch, "shell", 1);
    expect_request(&w, ch, SP_REQUEST_EXEC, "one");
    expect_no_event(&w);
    answer(&w, ch, false);
    expect_request(&w, ch, SP_REQUEST_EXEC, "two");
    answer(&w, ch, true);
    expect_sent(&w, 100, "u", ch + 100); /* the shell */
    expect_event(&w, SP_EVENT_STARTED, ch);
    give(&w, 98, "usbs", ch, "subsystem", 1, "sftp");
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbss", ch, "env", 1, "A", "B");
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbsuuuus", ch, "pty-req", 1, "vt100", 1u, 1u, 1u, 1u, "");
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    end_world(&w);
}

static void test_second_pty(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    for (int i = 0; i < 3; i++)
        give(&w, 98, "usbsuuuus", ch, "pty-req", 1, "vt100", 1u, 1u, 1u, 1u, "");
    expect_request(&w, ch, SP_REQUEST_PTY, "vt100");
    answer(&w, ch, false);
    expect_request(&w, ch, SP_REQUEST_PTY, "vt100");
    answer(&w, ch, true);
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    end_world(&w);
}

/* Unknown ones, refused ones and told ones all keep their place. */
static void test_replies_in_order(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usbss", ch, "env", 1, "A", "1");
    give(&w, 98, "usb", ch, "nonsense", 1);
    give(&w, 98, "usb", ch, "nonsense", 0);
    give(&w, 98, "usb", ch, "eow@openssh.com", 1);
    give(&w, 98, "usbuuuu", ch, "window-change", 1, 1u, 2u, 3u, 4u);
    give(&w, 98, "usbs", ch, "signal", 1, "INT"); /* nothing runs: refused */
    give(&w, 98, "usbss", ch, "env", 0, "B", "2");
    give(&w, 98, "usb", ch, "shell", 1);
    expect_nothing_sent(&w);
    expect_request(&w, ch, SP_REQUEST_ENV, "A");
    expect_no_event(&w);
    uint64_t question = w.event.question;
    answer(&w, ch, true);
    expect_sent(&w, 100, "u", ch + 100);
    expect_sent(&w, 99, "u", ch + 100);
    expect_nothing_sent(&w);
    assert_int_equal(spn_answer_request(w.c, question, true), SP_EALREADY);
    assert_int_equal(spn_accept_open(w.c, question, NULL), SP_EALREADY);
    expect_request(&w, ch, SP_REQUEST_WINDOW_CHANGE, NULL);
    expect_sent(&w, 99, "u", ch + 100);
    expect_sent(&w, 100, "u", ch + 100);
    expect_nothing_sent(&w);
    expect_request(&w, ch, SP_REQUEST_ENV, "B");
    assert_int_equal(spn_accept_open(w.c, w.event.question, NULL), SP_EINVAL);
    assert_int_equal(spn_answer_request(w.c, w.event.question, false), 0);
    expect_request(&w, ch, SP_REQUEST_SHELL, NULL);
    answer(&w, ch, true);
    expect_event(&w, SP_EVENT_STARTED, ch);
    expect_nothing_sent(&w);
    end_world(&w);
}

/* Two channels wait for themselves only. */
static void test_channels_do_not_wait_for_each_other(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t a = open_session(&w, 1000, 1000);
    uint32_t b = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", a, "shell", 1);
    uint64_t first = expect_request(&w, a, SP_REQUEST_SHELL, NULL)->question;
    give(&w, 98, "usb", b, "shell", 1);
    expect_request(&w, b, SP_REQUEST_SHELL, NULL);
    answer(&w, b, true);
    expect_event(&w, SP_EVENT_STARTED, b);
    assert_int_equal(spn_answer_request(w.c, first, false), 0);
    expect_sent(&w, 100, "u", a + 100);
    end_world(&w);
}

static void test_nul_inside(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    const char bad[] = {'a', 0, 'b'};
    give(&w, 98, "usbd", ch, "exec", 1, bad, sizeof bad);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbd", ch, "subsystem", 1, bad, sizeof bad);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbds", ch, "env", 1, bad, sizeof bad, "x");
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbsd", ch, "env", 1, "x", bad, sizeof bad);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbd", ch, "signal", 1, bad, sizeof bad);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usbduuuus", ch, "pty-req", 1, bad, sizeof bad, 1u, 1u, 1u, 1u, "");
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    end_world(&w);
}

static void test_queue_bound(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    for (unsigned i = 0; i < SPN_REQUESTS_MAX; i++)
        assert_int_equal(give(&w, 98, "usbss", ch, "env", 1, "A", "1"), 0);
    assert_int_equal(give(&w, 98, "usbss", ch, "env", 1, "A", "1"), SP_ELIMIT);
    expect_failed(&w, SP_ELIMIT);
    end_world(&w);

    setup_world(&w);
    ch = open_session(&w, 1000, 1000);
    static char big[30000];
    int result = 0;
    for (unsigned i = 0; i < 9 && result == 0; i++)
        result = give(&w, 98, "usbd", ch, "exec", 1, memset(big, 'x', sizeof big), sizeof big);
    assert_int_equal(result, SP_ELIMIT);
    assert_true(live_bytes < 2 * SPN_REQUEST_BYTES_MAX);
    end_world(&w);
}

static void test_env_limits(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_session(&w, 1000, 1000);
    for (unsigned i = 0; i < SPN_ENV_MAX; i++) {
        give(&w, 98, "usbss", ch, "env", 1, "A", "1");
        expect_request(&w, ch, SP_REQUEST_ENV, "A");
        answer(&w, ch, true);
    }
    give(&w, 98, "usbss", ch, "env", 1, "A", "1");
    expect_sent(&w, 100, "u", ch + 100);
    expect_no_event(&w);
    ch = open_session(&w, 1000, 1000);
    static char big[30000];
    memset(big, 'x', sizeof big);
    for (unsigned i = 0; i < 2; i++) {
        give(&w, 98, "usbsd", ch, "env", 1, "A", big, sizeof big);
        expect_request(&w, ch, SP_REQUEST_ENV, "A");
        answer(&w, ch, true);
    }
    give(&w, 98, "usbsd", ch, "env", 1, "A", big, sizeof big);
    expect_sent(&w, 100, "u", ch + 100);
    end_world(&w);
}

/* Every request at every length: only the whole one is taken, anything else ends the connection. */
static void test_truncations(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } requests[] = {
#define R(text) {text, sizeof text - 1}
        R("\0\0\0\7pty-req\1\0\0\0\2vt\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\6\65\0\0\0\1\0"),
        R("\0\0\0\3env\1\0\0\0\1A\0\0\0\1B"),
        R("\0\0\0\5shell\1"),
        R("\0\0\0\4exec\1\0\0\0\2ls"),
        R("\0\0\0\11subsystem\1\0\0\0\4sftp"),
        R("\0\0\0\15window-change\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"),
        R("\0\0\0\6signal\0\0\0\0\3INT"),
        R("\0\0\0\5break\1\0\0\0\1"),
        R("\0\0\0\17eow@openssh.com\0"),
        R("\0\0\0\32auth-agent-req@openssh.com\1"),
        R("\0\0\0\7x11-req\1\0\0\0\0\1X\0\0\0\2\60\60\0\0\0\1"),
#undef R
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        size_t whole = requests[i].length + 4;
        for (size_t n = 0; n <= whole + 1; n++) {
            uint8_t bytes[256] = {0};
            memcpy(bytes + 4, requests[i].bytes, requests[i].length);
            world w;
            setup_world(&w);
            open_session(&w, 1000, 1000);
            assert_int_equal(give_bytes(&w, 98, bytes, n), n == whole ? 0 : SP_EPROTO);
            assert_int_equal(w.t.failed, n != whole);
            if (n != whole)
                expect_no_event(&w);
            end_world(&w);
        }
    }
}

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *result; /* "opcode=value ..." */
        uint32_t in, out;
        bool impossible;
    } table[] = {
#define M(text, result, in, out, bad) {text, sizeof text - 1, result, in, out, bad}
        M("", "", 0, 0, false),
        M("\0", "", 0, 0, false),
        M("\1\0\0\0\3\0", "1=3 ", 0, 0, false),
        M("\1\0\0\0\3", "1=3 ", 0, 0, false), /* no end: taken */
        M("\1\0\0\0\3\2\0\0\1\0\0", "1=3 2=256 ", 0, 0, false),
        M("\1\0\0\0\3\2\0\0\0\1\1\0\0\0\7\0", "1=7 2=1 ", 0, 0, false),
        M("\200\0\0\0\1\201\0\0\0\2\0", "", 1, 2, false),
        M("\200\0\0\0\1\200\0\0\0\5\0", "", 5, 0, false),
        M("\0\1\0\0\0\3", "", 0, 0, false),                     /* after the end: ignored */
        M("\1\0\0\0\3\240\0\0\2\0\0\0\1", "1=3 ", 0, 0, false), /* 160: stop */
        M("\377\1\0\0\0\3", "", 0, 0, false),
        M("\237\377\377\377\377\0", "159=4294967295 ", 0, 0, false),
        M("\1\0\0\0", "", 0, 0, true),
        M("\1\0\0\0\3\2", "1=3 ", 0, 0, true),
#undef M
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        spn_request_fields f;
        memset(&f, 0, sizeof f);
        spn_decode_modes((spb_span){(const uint8_t *)table[i].bytes, table[i].length}, &f);
        char text[256] = "";
        for (size_t k = 0; k < f.mode_count; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%u=%u ", f.modes[k].opcode,
                     f.modes[k].value);
        assert_string_equal(text, table[i].result);
        assert_int_equal(f.input_speed, table[i].in);
        assert_int_equal(f.output_speed, table[i].out);
        assert_int_equal(f.impossible, table[i].impossible);
    }
    /* All opcodes, twice. */
    uint8_t all[2 * 159 * 5];
    for (size_t i = 0; i < 2 * 159; i++) {
        all[i * 5] = (uint8_t)(i % 159 + 1);
        spb_put_u32(all + i * 5 + 1, (uint32_t)i);
    }
    spn_request_fields f;
    memset(&f, 0, sizeof f);
    spn_decode_modes((spb_span){all, sizeof all}, &f);
    assert_int_equal(f.mode_count, 157);
    assert_int_equal(f.modes[0].value, 159);
    assert_false(f.impossible);
}

/* A question that is open does not hold up data. */
static void test_data_passes_a_question(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_shell(&w, 1000, 1000);
    give(&w, 98, "usbu", ch, "break", 1, 1u);
    uint64_t question = expect_request(&w, ch, SP_REQUEST_BREAK, NULL)->question;
    expect_no_event(&w);
    assert_int_equal(give(&w, 94, "us", ch, "data"), 1);
    expect_data(&w.event, 0, "data", 4);
    /* An event that is due stays in front of data that came later. */
    uint32_t other = open_shell(&w, 1000, 1000);
    give(&w, 98, "usbs", other, "signal", 0, "HUP");
    assert_int_equal(give(&w, 94, "us", other, "data"), 0);
    expect_request(&w, other, SP_REQUEST_SIGNAL, "HUP");
    expect_data(expect_event(&w, SP_EVENT_DATA, other), 0, "data", 4);
    assert_int_equal(spn_answer_request(w.c, question, true), 0);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_request),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_agent),
        cmocka_unit_test(test_x11),
        cmocka_unit_test(test_x11_impossible),
        cmocka_unit_test(test_one_start),
        cmocka_unit_test(test_second_pty),
        cmocka_unit_test(test_replies_in_order),
        cmocka_unit_test(test_channels_do_not_wait_for_each_other),
        cmocka_unit_test(test_nul_inside),
        cmocka_unit_test(test_queue_bound),
        cmocka_unit_test(test_env_limits),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_data_passes_a_question),
    };
    return cmocka_run_group_tests_name("connection_request", tests, NULL, NULL);
}
