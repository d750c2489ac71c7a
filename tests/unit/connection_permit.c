/* What the login may do, enforced where the client asks for it: before anyone is asked, by the
 * permissions alone (sshd(8) AUTHORIZED_KEYS; RFC 4254 5.1, 6.2, 7.2). */
#include "connection_helpers.h"

#include "key/authorized.h"

/* What a line with these options permits. */
static void permit(world *w, const char *options, bool environment)
{
    sp_key *key;
    char line[256], text[1024];
    sp_authorized_keys *list;
    spk_permissions *p;
    const char *reason;
    const spk_peer who = {.user = "alice", .address = "192.0.2.1"};

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    (void)sp_key_format_public(key, NULL, line, sizeof line);
    (void)snprintf(text, sizeof text, "%s %s", options, line);
    assert_int_equal(sp_authorized_keys_parse(&list, text, strlen(text), NULL, NULL), 0);
    assert_int_equal(spk_authorized_find(list, key, &who, &p, &reason), 0);
    spn_permit(w->c, p, environment);
    spk_permissions_unref(p);
    sp_authorized_keys_free(list);
    sp_key_unref(key);
}

static void begin_with(world *w, const char *options)
{
    setup_world(w);
    permit(w, options, true);
}

static void ask_pty(world *w, uint32_t ch)
{
    give(w, 98, "usbsuuuus", ch, "pty-req", 1, "xterm", 80u, 24u, 0u, 0u, "");
}

static void ask_tcpip(world *w, const char *host, uint32_t port)
{
    give(w, 90, "suuususu", "direct-tcpip", 7u, 1000u, 1000u, host, port, "127.0.0.1", 1u);
}

static void ask_path(world *w, const char *path)
{
    give(w, 90, "suuussu", "direct-streamlocal@openssh.com", 7u, 1000u, 1000u, path, "", 0u);
}

static void expect_prohibited(world *w)
{
    expect_no_event(w);
    expect_sent(w, SSH_MSG_CHANNEL_OPEN_FAILURE, "uuss", 7u, 1u, "Not permitted", "");
    assert_int_equal(spn_channel_count(w->c), 0);
}

static void expect_asked(world *w)
{
    sp_event *e = expect_event(w, SP_EVENT_OPEN, 0);
    assert_int_equal(spn_refuse_open(w->c, e->question, 0, NULL), 0);
    expect_sent(w, SSH_MSG_CHANNEL_OPEN_FAILURE, "uuss", 7u, 2u, "Connection refused", "");
}

static void test_nothing_before(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    spn_permit(w.c, NULL, true);
    uint32_t ch = open_session(&w, 1000, 1000);
    ask_pty(&w, ch);
    expect_no_event(&w);
    expect_sent(&w, 100, "u", ch + 100);
    for (int what = SPK_PERMIT_NONE; what < SPK_PERMIT_COUNT + 1; what++)
        assert_false(spn_may(w.c, (spk_permit)what));
    assert_false(spn_may_listen(w.c, "localhost", 80));
    assert_false(spn_may_listen_path(w.c, "/tmp/x"));
    assert_null(spn_forced_command(w.c));
    end_world(&w);
}

static void test_nothing_before_opens(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    spn_permit(w.c, NULL, true);
    ask_tcpip(&w, "localhost", 80);
    expect_prohibited(&w);
    ask_path(&w, "/tmp/x");
    expect_prohibited(&w);
    end_world(&w);
}

static void test_pty(void **state)
{
    (void)state;
    world w;
    begin_with(&w, "no-pty");
    uint32_t ch = open_session(&w, 1000, 1000);
    ask_pty(&w, ch);
    expect_no_event(&w);
    expect_sent(&w, 100, "u", ch + 100);
    give(&w, 98, "usb", ch, "shell", 1); /* the rest goes on */
    expect_event(&w, SP_EVENT_REQUEST, ch);
    end_world(&w);
}

static void test_forwarding(void **state)
{
    (void)state;
    world w;
    begin_with(&w, "permitopen=\"host:80\",permitopen=\"*:22\"");
    ask_tcpip(&w, "host", 80);
    expect_asked(&w);
    ask_tcpip(&w, "other", 22);
    expect_asked(&w);
    ask_tcpip(&w, "host", 81);
    expect_prohibited(&w);
    ask_tcpip(&w, "host.", 80);
    expect_prohibited(&w);
    ask_path(&w, "/tmp/x");
    expect_prohibited(&w);
    permit(&w, "no-port-forwarding", true);
    ask_tcpip(&w, "host", 80);
    expect_prohibited(&w);
    permit(&w, "restrict,port-forwarding", true);
    ask_path(&w, "/tmp/x");
    expect_asked(&w);
    assert_true(spn_may_listen(w.c, "localhost", 0));
    assert_true(spn_may(w.c, SPK_PERMIT_PORT_FORWARDING));
    assert_false(spn_may(w.c, SPK_PERMIT_AGENT_FORWARDING));
    end_world(&w);
}

static void expect_forced(world *w, uint32_t ch, sp_request_type original, const char *text)
{
    sp_event *e = expect_event(w, SP_EVENT_REQUEST, ch);
    assert_int_equal(e->u.request.type, SP_REQUEST_EXEC);
    assert_string_equal(e->u.request.text, "forced");
    assert_int_equal(e->u.request.original_type, original);
    if (text == NULL)
        assert_null(e->u.request.original);
    else
        assert_string_equal(e->u.request.original, text);
    assert_int_equal(spn_answer_request(w->c, e->question, false), 0);
    expect_sent(w, 100, "u", ch + 100);
}

static void test_forced_command(void **state)
{
    (void)state;
    world w;
    begin_with(&w, "command=\"forced\"");
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usb", ch, "shell", 1);
    expect_forced(&w, ch, SP_REQUEST_SHELL, NULL);
    give(&w, 98, "usbs", ch, "exec", 1, "mine");
    expect_forced(&w, ch, SP_REQUEST_EXEC, "mine");
    give(&w, 98, "usbs", ch, "subsystem", 1, "sftp");
    expect_forced(&w, ch, SP_REQUEST_SUBSYSTEM, "sftp");
    give(&w, 98, "usbss", ch, "env", 1, "A", "1");
    assert_int_equal(expect_event(&w, SP_EVENT_REQUEST, ch)->u.request.original_type, 0);
    end_world(&w);
}

static void test_variables(void **state)
{
    (void)state;
    world w;
    begin_with(&w, "environment=\"AB=1\"");
    uint32_t ch = open_session(&w, 1000, 1000);
    give(&w, 98, "usbss", ch, "env", 1, "AB", "2");
    expect_no_event(&w);
    expect_sent(&w, 100, "u", ch + 100);
    static const char *const others[] = {"A", "ABC", "ab", ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        give(&w, 98, "usbss", ch, "env", 1, others[i], "2");
        sp_event *e = expect_event(&w, SP_EVENT_REQUEST, ch);
        assert_int_equal(spn_answer_request(w.c, e->question, true), 0);
        expect_sent(&w, 99, "u", ch + 100);
    }
    permit(&w, "environment=\"AB=1\"", false); /* not obeyed, so it is the client's */
    give(&w, 98, "usbss", ch, "env", 1, "AB", "2");
    expect_event(&w, SP_EVENT_REQUEST, ch);
    end_world(&w);
}

static void test_listening(void **state)
{
    (void)state;
    world w;
    begin_with(&w, "permitlisten=\"8080\",permitlisten=\"127.0.0.1:*\"");
    static const struct {
        const char *host;
        uint32_t port;
        bool good;
    } cases[] = {
        {"localhost", 8080, true},  {"127.0.0.1", 0, true}, {"127.0.0.1", 22, true},
        {"localhost", 8081, false}, {"", 0, false},
    };
    const sp_global_reply no = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        give(&w, 80, "sbsu", "tcpip-forward", 1, cases[i].host, cases[i].port);
        if (cases[i].good) {
            sp_event *e = expect_event(&w, SP_EVENT_GLOBAL_REQUEST, 0);
            assert_int_equal(spn_answer_global(w.c, e->question, &no), 0);
        }
        expect_no_event(&w);
        expect_sent(&w, SSH_MSG_REQUEST_FAILURE, "");
    }
    give(&w, 80, "sbs", "streamlocal-forward@openssh.com", 1, "/tmp/x");
    expect_no_event(&w);
    expect_sent(&w, SSH_MSG_REQUEST_FAILURE, "");
    give(&w, 80, "sbsu", "cancel-tcpip-forward", 1, "localhost", 8081u); /* always */
    expect_event(&w, SP_EVENT_GLOBAL_REQUEST, 0);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before),
        cmocka_unit_test(test_nothing_before_opens),
        cmocka_unit_test(test_pty),
        cmocka_unit_test(test_forwarding),
        cmocka_unit_test(test_forced_command),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_listening),
    };
    return cmocka_run_group_tests_name("connection_permit", tests, NULL, NULL);
}
