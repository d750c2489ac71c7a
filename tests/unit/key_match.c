/* Patterns, networks and the lists of "from" and source-address, yes and no. */
#include "key/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void patterns(void **unused)
{
    (void)unused;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "x", true},
        {"?", "", false},
        {"?", "x", true},
        {"??", "x", false},
        {"a*c", "abbbc", true},
        {"a*c", "ac", true},
        {"a*c", "acb", false},
        {"*.example.com", "www.example.com", true},
        {"*.example.com", "example.com", false},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"Host", "host", false}, /* case counts here */
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"*a", "aaaa", true},
        {"!x", "!x", true}, /* no list: ! is a character */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (spk_match_pattern(cases[i].pattern, cases[i].text) != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
    }
    /* The worst case of backtracking ends soon. */
    char pattern[2001], text[2001];
    for (size_t i = 0; i < 2000; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(text, 'a', 2000);
    pattern[2000] = text[2000] = '\0';
    text[1999] = 'b';
    assert_false(spk_match_pattern(pattern, text));
}

static void names(void **unused)
{
    (void)unused;
    static const struct {
        const char *list, *text;
        spk_match result;
    } cases[] = {
        {"a,b,c", "b", SPK_MATCH_YES},
        {"a,b,c", "d", SPK_MATCH_NO},
        {"*.EXAMPLE.com", "www.example.COM", SPK_MATCH_YES},
        {"*,!bad", "bad", SPK_MATCH_DENIED},
        {"!bad,*", "bad", SPK_MATCH_DENIED},
        {"!bad", "good", SPK_MATCH_NO},
        {"!bad,*", "good", SPK_MATCH_YES},
        {"", "x", SPK_MATCH_NO},
        {"!", "x", SPK_MATCH_NO},
        {",,x", "x", SPK_MATCH_YES},
        {" x", "x", SPK_MATCH_NO}, /* blanks are no separators */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(spk_match_names(cases[i].list, cases[i].text), cases[i].result);
}

static void addresses(void **unused)
{
    (void)unused;
    static const struct {
        const char *list, *address;
        spk_match result;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", SPK_MATCH_YES},
        {"192.0.2.1", "192.0.2.2", SPK_MATCH_NO},
        {"192.0.2.0/24", "192.0.2.255", SPK_MATCH_YES},
        {"192.0.2.0/24", "192.0.3.0", SPK_MATCH_NO},
        {"192.0.2.128/25", "192.0.2.127", SPK_MATCH_NO},
        {"192.0.2.128/25", "192.0.2.128", SPK_MATCH_YES},
        {"192.0.2.4/31", "192.0.2.5", SPK_MATCH_YES},
        {"192.0.2.4/31", "192.0.2.6", SPK_MATCH_NO},
        {"192.0.2.4/32", "192.0.2.4", SPK_MATCH_YES},
        {"0.0.0.0/0", "203.0.113.9", SPK_MATCH_YES},
        {"0.0.0.0/0", "2001:db8::1", SPK_MATCH_NO},
        {"::/0", "2001:db8::1", SPK_MATCH_YES},
        {"::/0", "192.0.2.1", SPK_MATCH_NO},
        {"2001:db8::/32", "2001:db8:ffff::1", SPK_MATCH_YES},
        {"2001:db8::/32", "2001:db9::1", SPK_MATCH_NO},
        {"2001:db8::/33", "2001:db8:8000::1", SPK_MATCH_NO},
        {"2001:DB8::1", "2001:db8:0:0::1", SPK_MATCH_YES}, /* written otherwise, the same */
        {"192.0.2.*", "192.0.2.77", SPK_MATCH_YES},
        {"192.0.2.?", "192.0.2.77", SPK_MATCH_NO},
        {"*", "192.0.2.77", SPK_MATCH_YES},
        {"*,!192.0.2.0/24", "192.0.2.77", SPK_MATCH_DENIED},
        {"!192.0.2.0/24,*", "192.0.2.77", SPK_MATCH_DENIED},
        {"!192.0.2.0/24,*", "192.0.3.77", SPK_MATCH_YES},
        {"!192.0.2.0/24", "192.0.3.77", SPK_MATCH_NO},
        {"fe80::/10", "fe80::1%eth0", SPK_MATCH_YES},
        {"192.0.2.0/24", "::ffff:192.0.2.9", SPK_MATCH_YES}, /* an IPv4 client on an IPv6 socket */
        {"192.0.2.*", "::ffff:192.0.2.9", SPK_MATCH_YES},
        {"::ffff:0:0/96", "::ffff:192.0.2.9", SPK_MATCH_NO},
        {"/run/sock", "/run/sock", SPK_MATCH_YES}, /* no address: patterns only */
        {"0.0.0.0/0", "UNKNOWN", SPK_MATCH_NO},
        {"host.example.com,10.0.0.0/8", "10.1.2.3", SPK_MATCH_YES},
        /* Malformed, wherever it stands. */
        {"192.0.2.1/24", "192.0.2.1", SPK_MATCH_BAD},
        {"192.0.2.0/33", "192.0.2.1", SPK_MATCH_BAD},
        {"2001:db8::1/64", "2001:db8::1", SPK_MATCH_BAD},
        {"2001:db8::/129", "2001:db8::1", SPK_MATCH_BAD},
        {"192.0.2.0/", "192.0.2.1", SPK_MATCH_BAD},
        {"192.0.2.0/x", "192.0.2.1", SPK_MATCH_BAD},
        {"192.0.2.0/+8", "192.0.2.1", SPK_MATCH_BAD},
        {"192.0.2.0/0024", "192.0.2.1", SPK_MATCH_BAD},
        {"192.0.2.1,10.0.0.1/8", "192.0.2.1", SPK_MATCH_BAD},
        {"!192.0.2.1,10.0.0.1/8", "192.0.2.1", SPK_MATCH_BAD},
        {"", "192.0.2.1", SPK_MATCH_BAD},
        {"*,", "192.0.2.1", SPK_MATCH_BAD},
        {"*,,*", "192.0.2.1", SPK_MATCH_BAD},
        {"!", "192.0.2.1", SPK_MATCH_BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spk_match got = spk_match_addresses(cases[i].list, cases[i].address);
        if (got != cases[i].result)
            fail_msg("%s on %s: %d", cases[i].list, cases[i].address, got);
        assert_int_equal(spk_match_peer_valid(cases[i].list), cases[i].result != SPK_MATCH_BAD);
    }
}

static void peers(void **unused)
{
    (void)unused;
    static const struct {
        const char *list, *address, *host;
        bool good;
    } cases[] = {
        {"10.0.0.0/8", "10.1.1.1", NULL, true},
        {"10.0.0.0/8", "11.1.1.1", NULL, false},
        {"*.example.com", "10.1.1.1", "a.example.com", true},
        {"*.example.com", "10.1.1.1", NULL, false},
        {"*.example.com", "10.1.1.1", "a.example.org", false},
        {"!a.example.com,*.example.com", "10.1.1.1", "a.example.com", false},
        {"!a.example.com,*", "10.1.1.1", "a.example.com", false}, /* though the address fits */
        {"!a.example.com,*", "10.1.1.1", "b.example.com", true},
        {"!10.1.1.1,*.example.com", "10.1.1.1", "a.example.com", false},
        {"*", "10.1.1.1", NULL, true},
        {"*", NULL, "a.example.com", false},
        {"*,10.0.0.1/8", "10.0.0.1", "a.example.com", false},
        {"", "10.0.0.1", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (spk_match_peer(cases[i].list, cases[i].address, cases[i].host) != cases[i].good)
            fail_msg("%s", cases[i].list);
    }
}

static void networks(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"",           "*",          "10.0.0.*",     "!10.0.0.0/8",
                                      "10.0.0.1/8", "10.0.0",     "example.com",  "10.0.0.0/8,",
                                      " 10.0.0.1",  "10.0.0.1,!", "10.0.0.0/8/8", "::1%lo"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(spk_match_networks_valid(bad[i]));
        assert_false(spk_match_networks(bad[i], "10.0.0.1"));
    }
    assert_true(spk_match_networks_valid("10.0.0.1,::1,192.0.2.0/24"));
    assert_true(spk_match_networks("10.0.0.1,::1,192.0.2.0/24", "192.0.2.3"));
    assert_true(spk_match_networks("10.0.0.1,::1,192.0.2.0/24", "::1"));
    assert_true(spk_match_networks("10.0.0.1", "::ffff:10.0.0.1"));
    assert_false(spk_match_networks("10.0.0.1,::1,192.0.2.0/24", "192.0.3.3"));
    assert_false(spk_match_networks("0.0.0.0/0,::/0", NULL));
    assert_false(spk_match_networks("0.0.0.0/0,::/0", "somewhere"));
    assert_false(spk_match_networks("0.0.0.0/0,10.0.0.1/8", "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns), cmocka_unit_test(names),    cmocka_unit_test(addresses),
        cmocka_unit_test(peers),    cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
