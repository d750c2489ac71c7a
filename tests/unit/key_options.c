/* The options of authorized_keys, one by one, and permissions. */
#include "key/key_options.h"

#include "support/key_lines.h"

#include <time.h>

/* The permissions of the one line with these options, or NULL and `reported`. */
static spk_permissions *with(const char *options)
{
    spk_permissions *p = NULL;
    const char *reason;
    const spk_peer who = from_home();
    sp_authorized_keys *list = list_of("%s %s", options, user_line);

    if (report_count == 0) {
        assert_int_equal(sp_authorized_keys_count(list), 1);
        assert_int_equal(spk_authorized_find(list, user, &who, &p, &reason), 0);
        assert_string_equal(reason, "");
    } else {
        assert_int_equal(sp_authorized_keys_count(list), 0);
        assert_int_equal(spk_authorized_find(list, user, &who, &p, &reason), SP_ENOENT);
        assert_string_equal(reason, "key is not listed");
    }
    sp_authorized_keys_free(list);
    return p;
}

/* ---- words ---- */

static void words(void **unused)
{
    (void)unused;
    /* pty, port, agent, x11, rc, no touch, no verification */
    static const struct {
        const char *options, *may;
    } cases[] = {
        {"no-pty", ".pax r.v"},
        {"no-port-forwarding", "t.ax r.v"},
        {"no-agent-forwarding", "tp.x r.v"},
        {"no-X11-forwarding", "tpa. r.v"},
        {"no-user-rc", "tpax ..v"},
        {"no-touch-required", "tpax rnv"},
        {"touch-required", "tpax r.v"},
        {"verify-required", "tpax r.."},
        {"verify-required,no-verify-required", "tpax r.v"},
        {"restrict", ".... ..v"},
        {"RESTRICT", ".... ..v"},
        {"restrict,pty", "t... ..v"},
        {"restrict,Port-Forwarding", ".p.. ..v"},
        {"restrict,agent-forwarding", "..a. ..v"},
        {"restrict,x11-forwarding", "...x ..v"},
        {"restrict,X11-Forwarding,user-rc", "...x r.v"},
        {"pty,restrict", ".... ..v"}, /* in order */
        {"no-pty,pty", "tpax r.v"},
        {"pty,no-pty,no-pty", ".pax r.v"},
        {"no-pty,no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-user-rc", ".... ..v"},
        {"command=\"ls\"", "tpax r.v"},
        {"no-pty,", ".pax r.v"}, /* sshd takes stray commas */
        {",no-pty", ".pax r.v"},
        {"no-user-rc,,no-pty", ".pax ..v"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_permissions *p = with(cases[i].options);
        const struct {
            spk_permit what;
            char letter;
        } all[] = {{SPK_PERMIT_PTY, 't'},
                   {SPK_PERMIT_PORT_FORWARDING, 'p'},
                   {SPK_PERMIT_AGENT_FORWARDING, 'a'},
                   {SPK_PERMIT_X11_FORWARDING, 'x'},
                   {SPK_PERMIT_USER_RC, 'r'},
                   {SPK_PERMIT_NO_TOUCH, 'n'},
                   {SPK_PERMIT_NO_VERIFY, 'v'}};
        assert_non_null(p);
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            bool wanted = strchr(cases[i].may, all[k].letter) != NULL;
            if (spk_may(p, all[k].what) != wanted)
                fail_msg("%s: %c", cases[i].options, all[k].letter);
        }
        spk_permissions_unref(p);
    }
}

static void unknown_is_no(void **unused)
{
    (void)unused;
    spk_permissions *all = spk_permissions_all();

    for (int what = -2; what < 40; what++) {
        bool known = what > SPK_PERMIT_NONE && what < SPK_PERMIT_COUNT;
        assert_int_equal(spk_may(all, (spk_permit)what), known && what != SPK_PERMIT_NO_TOUCH);
        assert_false(spk_may(NULL, (spk_permit)what));
    }
    assert_true(spk_may_open(all, "anywhere", 1));
    assert_true(spk_may_listen(all, "", 0));
    assert_true(spk_may_open_path(all, "/x"));
    assert_true(spk_may_listen_path(all, "/x"));
    assert_false(spk_may_open(all, NULL, 1));
    assert_false(spk_may_listen(all, NULL, 1));
    assert_false(spk_may_open(all, "anywhere", 65536));
    assert_false(spk_may_open(NULL, "anywhere", 1));
    assert_false(spk_may_listen(NULL, "anywhere", 1));
    assert_false(spk_may_open_path(NULL, "/x"));
    assert_false(spk_may_listen_path(NULL, "/x"));
    assert_null(spk_forced_command(NULL));
    assert_null(spk_environment(NULL, 0));
    assert_null(spk_option(NULL, "pty", 0));
    assert_null(spk_permissions_cert(NULL));
    assert_ptr_equal(spk_permissions_ref(all), all);
    for (int i = 0; i < 5; i++)
        spk_permissions_unref(all); /* it is never freed */
    assert_true(spk_may(all, SPK_PERMIT_PTY));
}

/* ---- refusals ---- */

static void bad_lines(void **unused)
{
    (void)unused;
    static const struct {
        const char *options, *reason;
    } cases[] = {
        {"no-ptty", "unknown option \"no-ptty\""},
        {"no-pt", "unknown option \"no-pt\""},
        {"no-restrict", "unknown option \"no-restrict\""},
        {"no-cert-authority", "unknown option \"no-cert-authority\""},
        {"pty,frobnicate", "unknown option \"frobnicate\""},
        {"frobnicate=\"a,pty\"", "unknown option \"frobnicate\""},
        {"principals=\"a\"", "option \"principals\" without \"cert-authority\""},
        {",,frobnicate", "unknown option \"frobnicate\""},
        {"pty,=", "unknown option \"\""},
        {"\"pty\"", "unknown option \"\""},
        {"zos-key-ring-label=\"x\"", "unknown option \"zos-key-ring-label\""},
        {"evil\033[1m", "unknown option \"evil?[1m\""},
        {"an-option-whose-name-is-longer-than-any-that-there-could-be",
         "unknown option \"an-option-whose-name-is-longer-than-any\""},
        {"pty=\"yes\"", "no comma behind option \"pty\""},
        {"command", "option \"command\" needs a value"},
        {"command,no-pty", "option \"command\" needs a value"},
        {"command=ls", "the value of option \"command\" is not quoted"},
        {"command=", "option \"command\" needs a value"},
        {"command=x", "the value of option \"command\" is not quoted"},
        {"command=\"ls\"no-pty", "no comma behind option \"command\""},
        {"command=\"ls\"\"x\"", "no comma behind option \"command\""},
        {"command=\"ls\",command=\"ls\"", "option \"command\" is given twice"},
        {"command=\"ls\",COMMAND=\"rm\"", "option \"command\" is given twice"},
        {"command=\"ls\\\"", "unbalanced quotes in options"},
        {"command=\"ls", "unbalanced quotes in options"},
        {"from=\"*\",from=\"*\"", "option \"from\" is given twice"},
        {"from=\"\"", "malformed option \"from\""},
        {"from=\"192.0.2.1/24\"", "malformed option \"from\""},
        {"from=\"192.0.2.7,10.0.0.0/99\"", "malformed option \"from\""},
        {"principals=\"a\",principals=\"b\"", "option \"principals\" is given twice"},
        {"principals=\"\",principals=\"b\"", "option \"principals\" is given twice"},
        {"environment=\"A\"", "malformed option \"environment\""},
        {"environment=\"=x\"", "malformed option \"environment\""},
        {"environment=\"A B=x\"", "malformed option \"environment\""},
        {"environment=\"A-B=x\"", "malformed option \"environment\""},
        {"environment=\"\"", "malformed option \"environment\""},
        {"expiry-time=\"\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"2030\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"20301301\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"20300230\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"203001012500\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"2030010112\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"20300101X\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"20300101ZZ\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"+0300101\"", "malformed option \"expiry-time\""},
        {"expiry-time=\"19691231Z\"", "malformed option \"expiry-time\""},
        {"permitopen=\"\"", "malformed option \"permitopen\""},
        {"permitopen=\"host\"", "malformed option \"permitopen\""},
        {"permitopen=\"80\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:0\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:65536\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:4294967376\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:80x\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:-1\"", "malformed option \"permitopen\""},
        {"permitopen=\"host:**\"", "malformed option \"permitopen\""},
        {"permitopen=\"::1:80\"", "malformed option \"permitopen\""},
        {"permitopen=\"[::1]\"", "malformed option \"permitopen\""},
        {"permitopen=\"[::1:80\"", "malformed option \"permitopen\""},
        {"permitopen=\"[::1]80\"", "malformed option \"permitopen\""},
        {"permitopen=\"a:1,b:2\"", "malformed option \"permitopen\""},
        {"permitlisten=\"\"", "malformed option \"permitlisten\""},
        {"permitlisten=\"localhost\"", "malformed option \"permitlisten\""},
        {"permitlisten=\"0\"", "malformed option \"permitlisten\""},
        {"permitlisten=\"[::1]\"", "malformed option \"permitlisten\""},
        {"tunnel=\"\"", "malformed option \"tunnel\""},
        {"tunnel=\"x\"", "malformed option \"tunnel\""},
        {"tunnel=\"2147483647\"", "malformed option \"tunnel\""},
        {"no-pty, no-user-rc", "unknown key type"},
        {"no-pty no-user-rc", "unknown key type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_permissions *p = with(cases[i].options);
        if (p != NULL || strcmp(reported, cases[i].reason) != 0)
            fail_msg("%s: %s", cases[i].options, reported);
    }
    /* Straight to the parser: a NUL ends nothing. */
    spk_key_options o;
    char reason[SPK_OPTION_REASON_SIZE];
    assert_int_equal(spk_key_options_parse(&o, (spb_span){(const uint8_t *)"pty\0x", 5}, reason),
                     SP_EFORMAT);
    assert_int_equal(
        spk_key_options_parse(&o, (spb_span){(const uint8_t *)"command=\"a\0b\"", 13}, reason),
        SP_EFORMAT);
    assert_int_equal(spk_key_options_parse(&o, cert_span(""), reason), 0);
    spk_key_options_free(&o);
    assert_int_equal(spk_key_options_parse(&o, cert_span("command=\"a"), reason), SP_EFORMAT);
    assert_string_equal(reason, "a quote is not closed");
}

/* ---- values ---- */

static void commands(void **unused)
{
    (void)unused;
    static const struct {
        const char *options, *command;
    } cases[] = {
        {"command=\"ls -l\"", "ls -l"},
        {"command=\"\"", ""},
        {"command=\"say \\\"hi\\\"\"", "say \"hi\""},
        {"command=\"a\\b\\\\c\"", "a\\b\\\\c"}, /* other backslashes stand for themselves */
        {"command=\"a,b no-pty # x\"", "a,b no-pty # x"},
        {"Command=\"ssh-ed25519 AAAA\"", "ssh-ed25519 AAAA"},
        {"no-pty,command=\"x\",no-user-rc", "x"},
        {"no-pty", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_permissions *p = with(cases[i].options);
        assert_non_null(p);
        if (cases[i].command == NULL)
            assert_null(spk_forced_command(p));
        else
            assert_string_equal(spk_forced_command(p), cases[i].command);
        spk_permissions_unref(p);
    }
}

static void environment(void **unused)
{
    (void)unused;
    spk_permissions *p = with("environment=\"A=1\",environment=\"_b9=x=y \\\" z\","
                              "environment=\"A=2\",environment=\"C=\"");
    assert_string_equal(spk_environment(p, 0), "A=1"); /* the first counts */
    assert_string_equal(spk_environment(p, 1), "_b9=x=y \" z");
    assert_string_equal(spk_environment(p, 2), "C=");
    assert_null(spk_environment(p, 3));
    assert_string_equal(spk_option(p, "environment", 2), "A=2"); /* but all can be asked for */
    spk_permissions_unref(p);
}

static void raw_options(void **unused)
{
    (void)unused;
    spk_permissions *p = with("No-PTY,permitopen=\"a:1\",permitopen=\"b:*\",command=\"x\"");
    assert_string_equal(spk_option(p, "no-pty", 0), "");
    assert_string_equal(spk_option(p, "NO-pty", 0), "");
    assert_null(spk_option(p, "no-pty", 1));
    assert_string_equal(spk_option(p, "permitopen", 0), "a:1");
    assert_string_equal(spk_option(p, "permitopen", 1), "b:*");
    assert_null(spk_option(p, "permitopen", 2));
    assert_string_equal(spk_option(p, "command", 0), "x");
    assert_null(spk_option(p, "pty", 0));
    assert_null(spk_option(p, "", 0));
    assert_null(spk_permissions_cert(p));
    spk_permissions_unref(p);
    p = with("tunnel=\"7\"");
    assert_string_equal(spk_option(p, "tunnel", 0), "7");
    spk_permissions_unref(p);
    p = with("tunnel=\"any\"");
    assert_string_equal(spk_option(p, "tunnel", 0), "any");
    spk_permissions_unref(p);
}

static void places(void **unused)
{
    (void)unused;
    static const struct {
        const char *options;
        bool listen;
        const char *host;
        uint32_t port;
        bool good;
    } cases[] = {
        {"permitopen=\"a.example:80\"", false, "a.example", 80, true},
        {"permitopen=\"a.example:80\"", false, "a.example", 81, false},
        {"permitopen=\"a.example:80\"", false, "b.example", 80, false},
        {"permitopen=\"a.example:80\"", false, "A.example", 80, false}, /* literally */
        {"permitopen=\"*.example:80\"", false, "a.example", 80, false}, /* no pattern */
        {"permitopen=\"*:80\"", false, "a.example", 80, true},
        {"permitopen=\"*:80\"", false, "a.example", 81, false},
        {"permitopen=\"a.example:*\"", false, "a.example", 65535, true},
        {"permitopen=\"a.example:*\"", false, "b.example", 1, false},
        {"permitopen=\"[::1]:22\"", false, "::1", 22, true},
        {"permitopen=\"[::1]:22\"", false, "[::1]", 22, false},
        {"permitopen=\"[192.0.2.1]:22\"", false, "192.0.2.1", 22, true},
        {"permitopen=\"a:1\",permitopen=\"b:2\"", false, "b", 2, true},
        {"permitopen=\"a:1\",permitopen=\"b:2\"", false, "a", 2, false},
        {"permitopen=\"a:1\",no-port-forwarding", false, "a", 1, false},
        {"restrict,permitopen=\"a:1\"", false, "a", 1, false},
        {"restrict,port-forwarding,permitopen=\"a:1\"", false, "a", 1, true},
        {"permitopen=\"a:1\"", true, "", 8080, true}, /* each list for its own direction */
        {"permitlisten=\"8080\"", false, "a", 1, true},
        {"permitlisten=\"8080\"", true, "localhost", 8080, true},
        {"permitlisten=\"8080\"", true, "", 8080, true},
        {"permitlisten=\"8080\"", true, "localhost", 8081, false},
        {"permitlisten=\"8080\"", true, "localhost", 0, false},
        {"permitlisten=\"*\"", true, "localhost", 0, true},
        {"permitlisten=\"localhost:8080\"", true, "localhost", 8080, true},
        {"permitlisten=\"localhost:8080\"", true, "127.0.0.1", 8080, false}, /* as sshd(8) says */
        {"permitlisten=\"localhost:8080\"", true, "", 8080, false},
        {"permitlisten=\"local*:8080\"", true, "localhost", 8080, true}, /* a pattern */
        {"permitlisten=\"127.0.0.?:*\"", true, "127.0.0.1", 99, true},
        {"permitlisten=\"[::1]:22000\"", true, "::1", 22000, true},
        {"permitlisten=\":8080\"", true, "", 8080, true},
        {"permitlisten=\":8080\"", true, "localhost", 8080, false},
        {"permitlisten=\"a:1\",permitlisten=\"b:2\"", true, "b", 2, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_permissions *p = with(cases[i].options);
        assert_non_null(p);
        bool got = cases[i].listen ? spk_may_listen(p, cases[i].host, cases[i].port)
                                   : spk_may_open(p, cases[i].host, cases[i].port);
        if (got != cases[i].good)
            fail_msg("%s: %s %u", cases[i].options, cases[i].host, cases[i].port);
        spk_permissions_unref(p);
    }
}

static void paths(void **unused)
{
    (void)unused;
    static const struct {
        const char *options;
        bool open, listen;
    } cases[] = {
        {"pty", true, true},
        {"no-port-forwarding", false, false},
        {"permitopen=\"*:80\"", false, true},
        {"permitopen=\"/x:*\"", false, true},
        {"permitopen=\"*:*\"", true, true},
        {"permitlisten=\"8080\"", true, false},
        {"permitlisten=\"*:*\"", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_permissions *p = with(cases[i].options);
        assert_non_null(p);
        assert_int_equal(spk_may_open_path(p, "/x"), cases[i].open);
        assert_int_equal(spk_may_listen_path(p, "/x"), cases[i].listen);
        assert_false(spk_may_open_path(p, NULL));
        spk_permissions_unref(p);
    }
}

static void expiry_times(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"19700101Z", 0},
        {"19700102Z", 86400},
        {"20000301Z", 951868800},
        {"20240229Z", 1709164800},
        {"20380119031408Z", 2147483648},
        {"203801190314Z", 2147483640},
        {"20380119031408z", 2147483648},
        {"99991231235959Z", 253402300799},
    };
    uint64_t seconds;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(spk_expiry_time(cases[i].text, &seconds));
        assert_true(seconds == cases[i].seconds);
    }
    /* Local time: Tokyo has no summer time; New York has. */
    (void)setenv("TZ", "JST-9", 1);
    tzset();
    assert_true(spk_expiry_time("20300101120000", &seconds));
    assert_true(seconds == 1893466800);
    (void)setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
    tzset();
    assert_true(spk_expiry_time("203007011200", &seconds));
    assert_true(seconds == 1909152000); /* 16:00 UTC */
    (void)setenv("TZ", "UTC", 1);
    tzset();
    assert_false(spk_expiry_time("20230229Z", &seconds));
    assert_false(spk_expiry_time("20300100Z", &seconds));
    assert_false(spk_expiry_time("20300001Z", &seconds));
    assert_false(spk_expiry_time("203001011260Z", &seconds));
    assert_false(spk_expiry_time("20300101125960Z", &seconds));
    assert_false(spk_expiry_time("Z", &seconds));
}

/* ---- both of two ---- */

static int intersect(const char *a, const char *b, spk_permissions **out, const char **reason)
{
    spk_permissions *p = with(a), *q = with(b);
    assert_non_null(p);
    assert_non_null(q);
    int result = spk_permissions_intersect(out, p, q, reason);
    spk_permissions_unref(p);
    spk_permissions_unref(q);
    return result;
}

static void intersections(void **unused)
{
    (void)unused;
    spk_permissions *p, *q;
    const char *reason;

    assert_int_equal(intersect("no-pty", "no-user-rc", &p, &reason), 0);
    assert_false(spk_may(p, SPK_PERMIT_PTY));
    assert_false(spk_may(p, SPK_PERMIT_USER_RC));
    assert_true(spk_may(p, SPK_PERMIT_X11_FORWARDING));
    assert_string_equal(spk_option(p, "no-pty", 0), "");
    assert_string_equal(spk_option(p, "no-user-rc", 0), "");
    spk_permissions_unref(p);

    /* Touch is waived only if both waive it. */
    assert_int_equal(intersect("no-touch-required", "pty", &p, &reason), 0);
    assert_false(spk_may(p, SPK_PERMIT_NO_TOUCH));
    spk_permissions_unref(p);
    assert_int_equal(intersect("no-touch-required", "no-touch-required", &p, &reason), 0);
    assert_true(spk_may(p, SPK_PERMIT_NO_TOUCH));
    spk_permissions_unref(p);
    assert_int_equal(intersect("verify-required", "pty", &p, &reason), 0);
    assert_false(spk_may(p, SPK_PERMIT_NO_VERIFY));
    spk_permissions_unref(p);

    /* Lists: each must allow. */
    assert_int_equal(intersect("permitopen=\"a:1\",permitopen=\"*:2\",permitlisten=\"5\"",
                               "permitopen=\"b:*\",permitopen=\"a:*\"", &p, &reason),
                     0);
    assert_true(spk_may_open(p, "a", 1));
    assert_true(spk_may_open(p, "a", 2));
    assert_true(spk_may_open(p, "b", 2));
    assert_false(spk_may_open(p, "b", 1));
    assert_false(spk_may_open(p, "c", 2));
    assert_true(spk_may_listen(p, "", 5));
    assert_false(spk_may_listen(p, "", 6));
    /* And a third. */
    q = with("permitopen=\"b:*\",permitlisten=\"6\",no-pty");
    spk_permissions *three;
    assert_int_equal(spk_permissions_intersect(&three, p, q, &reason), 0);
    assert_false(spk_may_open(three, "a", 1));
    assert_true(spk_may_open(three, "b", 2));
    assert_false(spk_may_listen(three, "", 5));
    assert_false(spk_may_listen(three, "", 6));
    assert_false(spk_may(three, SPK_PERMIT_PTY));
    spk_permissions_unref(three);
    spk_permissions_unref(p);
    assert_int_equal(spk_permissions_intersect(&p, q, spk_permissions_all(), &reason), 0);
    assert_true(spk_may_open(p, "b", 2));
    assert_false(spk_may_open(p, "a", 2));
    spk_permissions_unref(p);
    spk_permissions_unref(q);

    /* Commands. */
    assert_int_equal(intersect("command=\"x\"", "pty", &p, &reason), 0);
    assert_string_equal(spk_forced_command(p), "x");
    spk_permissions_unref(p);
    assert_int_equal(intersect("pty", "command=\"x\"", &p, &reason), 0);
    assert_string_equal(spk_forced_command(p), "x");
    spk_permissions_unref(p);
    assert_int_equal(intersect("command=\"x\"", "command=\"x\"", &p, &reason), 0);
    assert_string_equal(spk_forced_command(p), "x");
    spk_permissions_unref(p);
    assert_int_equal(intersect("command=\"x\"", "command=\"x \"", &p, &reason), SP_EAUTH);
    assert_null(p);
    assert_string_equal(reason, "forced commands differ");
    assert_int_equal(intersect("command=\"\"", "command=\"x\"", &p, &reason), SP_EAUTH);

    /* Environment. */
    assert_int_equal(
        intersect("environment=\"A=1\"", "environment=\"A=2\",environment=\"B=3\"", &p, &reason),
        0);
    assert_string_equal(spk_environment(p, 0), "A=1");
    assert_string_equal(spk_environment(p, 1), "B=3");
    assert_null(spk_environment(p, 2));
    spk_permissions_unref(p);

    assert_int_equal(spk_permissions_intersect(&p, NULL, spk_permissions_all(), &reason), SP_EAUTH);
    assert_null(p);
    assert_int_equal(spk_permissions_intersect(&p, spk_permissions_all(), NULL, &reason), SP_EAUTH);
    assert_string_equal(reason, "nothing is permitted");
}

/* No text crashes it or gives a key more than a plain line would. */
static void noise(void **unused)
{
    (void)unused;
    unsigned seed = 7;
    const spk_peer who = from_home();
    char text[600];

    for (unsigned round = 0; round < 5000; round++) {
        int length = snprintf(text, sizeof text,
                              "restrict,command=\"a \\\" b\",from=\"192.0.2.0/24,!10.*\","
                              "permitopen=\"[::1]:80\",expiry-time=\"20300101Z\" %s",
                              user_line);
        for (unsigned change = 0; change < 3; change++) {
            seed = seed * 1103515245u + 12345u;
            text[(seed >> 8) % 110u] = (char)(seed >> 20);
        }
        sp_authorized_keys *list;
        spk_permissions *p;
        const char *reason;
        assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, NULL, NULL), 0);
        if (spk_authorized_find(list, user, &who, &p, &reason) == 0)
            assert_false(spk_may(p, SPK_PERMIT_NO_TOUCH));
        assert_false(sp_authorized_keys_contains(list, ca));
        spk_permissions_unref(p);
        sp_authorized_keys_free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),        cmocka_unit_test(unknown_is_no),
        cmocka_unit_test(bad_lines),    cmocka_unit_test(commands),
        cmocka_unit_test(environment),  cmocka_unit_test(raw_options),
        cmocka_unit_test(places),       cmocka_unit_test(paths),
        cmocka_unit_test(expiry_times), cmocka_unit_test(intersections),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
