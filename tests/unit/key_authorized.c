/* authorized_keys as a text: which lines count, which are left out and why. Options and who is
 * found: key_options.c. */
#include "base/wire.h"

#include <sallyport/key.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static sp_key *keys[3]; /* ed25519, ecdsa, rsa */
static char lines[3][1024];

typedef struct reports {
    unsigned count;
    unsigned line;
    char reason[128];
} reports;

static void note(void *ctx, unsigned line, const char *reason)
{
    reports *r = ctx;
    r->count++;
    r->line = line;
    (void)snprintf(r->reason, sizeof r->reason, "%s", reason);
}

static void takes_plain_lines(void **unused)
{
    (void)unused;
    char text[8192];
    reports r = {0};
    sp_authorized_keys *list;
    int length =
        snprintf(text, sizeof text, "# a comment\n\n   \t\n%s\r\n\t %s with words\n  # x\n%s",
                 lines[0], lines[1], lines[2]);
    assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, note, &r), 0);
    assert_int_equal(sp_authorized_keys_count(list), 3);
    assert_int_equal(r.count, 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(sp_authorized_keys_contains(list, keys[i]));
    sp_key *stranger;
    assert_int_equal(sp_key_generate(&stranger, SP_KEY_ED25519, 0), 0);
    assert_false(sp_authorized_keys_contains(list, stranger));
    sp_key_unref(stranger);
    sp_authorized_keys_free(list);

    assert_int_equal(sp_authorized_keys_parse(&list, "", 0, NULL, NULL), 0);
    assert_int_equal(sp_authorized_keys_count(list), 0);
    assert_false(sp_authorized_keys_contains(list, keys[0]));
    sp_authorized_keys_free(list);
    sp_authorized_keys_free(NULL);
}

static void skips_and_says_why(void **unused)
{
    (void)unused;
    static const struct {
        const char *before, *after, *reason; /* around the key's line */
    } cases[] = {
        {"no-such-thing ", "", "unknown option \"no-such-thing\""},
        {"command=\"say \\\"ssh-ed25519 x\\\" \",no-ptty ", "", "unknown option \"no-ptty\""},
        {"frobnicate\t", "", "unknown option \"frobnicate\""},
        {"from=\"1.2.3.4\",x=\"# not a comment\" ", "", "unknown option \"x\""},
        {"command=\"open ", "", "unbalanced quotes in options"},
        {"nonsense and ", "", "unknown key type"},
        {"no-pty ssh-ed25519-cert-v01@openssh.com ", "", "unknown key type"},
        {"ssh-dss AAAA ", "", "unknown key type"},
        {"ssh-xmss@openssh.com AAAA ", "", "unknown key type"},
        {"\xef\xbb\xbf", "", "unknown key type"},
        {"ssh-ed25519 ????", " ", "bad base64"},
        {"ssh-rsa ", "", "bad base64"},
        {"ssh-ed25519 AAAA", " ", "malformed key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[4096];
        reports r = {0};
        sp_authorized_keys *list;
        int length = snprintf(text, sizeof text, "%s\n%s%s%s\n%s\n", lines[1], cases[i].before,
                              cases[i].after, lines[0], lines[2]);
        assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, note, &r), 0);
        assert_int_equal(r.count, 1);
        assert_int_equal(r.line, 2);
        assert_string_equal(r.reason, cases[i].reason);
        assert_int_equal(sp_authorized_keys_count(list), 2); /* the lines around it count */
        assert_false(sp_authorized_keys_contains(list, keys[0]));
        assert_true(sp_authorized_keys_contains(list, keys[1]));
        assert_true(sp_authorized_keys_contains(list, keys[2]));
        sp_authorized_keys_free(list);
    }
}

static void odd_bytes_and_long_lines(void **unused)
{
    (void)unused;
    sp_authorized_keys *list;
    reports r = {0};
    /* A NUL must not end what is looked at. */
    char text[4096];
    int length = snprintf(text, sizeof text, "%s %c x\n%s", lines[0], '\0', lines[1]);
    assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, note, &r), 0);
    assert_string_equal(r.reason, "line has a NUL byte");
    assert_int_equal(sp_authorized_keys_count(list), 1);
    sp_authorized_keys_free(list);

    for (size_t size = 8192; size <= 65536; size *= 8) {
        char *big = malloc(size + sizeof lines[0] + 2);
        r = (reports){0};
        int start = sprintf(big, "%s ", lines[0]);
        memset(big + start, 'c', size);
        assert_int_equal(sp_authorized_keys_parse(&list, big, (size_t)start + size, note, &r), 0);
        if (size == 8192)
            assert_int_equal(sp_authorized_keys_count(list), 1);
        else
            assert_string_equal(r.reason, "line is too long");
        sp_authorized_keys_free(list);
        free(big);
    }
    /* Many keys, and one twice. */
    char *many = malloc(200 * sizeof lines[0]);
    size_t at = 0;
    for (size_t i = 0; i < 150; i++)
        at += (size_t)sprintf(many + at, "%s\n", lines[i % 3]);
    assert_int_equal(sp_authorized_keys_parse(&list, many, at, NULL, NULL), 0);
    assert_int_equal(sp_authorized_keys_count(list), 150);
    assert_true(sp_authorized_keys_contains(list, keys[2]));
    sp_authorized_keys_free(list);
    free(many);
}

/* No text crashes it or lets in what was not there. */
static void noise(void **unused)
{
    (void)unused;
    unsigned seed = 1;
    char text[600];
    for (unsigned round = 0; round < 3000; round++) {
        int length = snprintf(text, sizeof text, "%s", lines[0]);
        for (unsigned change = 0; change < 4; change++) {
            seed = seed * 1103515245u + 12345u;
            text[(seed >> 8) % (unsigned)length] = (char)(seed >> 20);
        }
        sp_authorized_keys *list;
        assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, NULL, NULL), 0);
        assert_false(sp_authorized_keys_contains(list, keys[1]));
        sp_authorized_keys_free(list);
    }
}

static int set_up(void **unused)
{
    (void)unused;
    static const sp_key_type types[3] = {SP_KEY_ED25519, SP_KEY_ECDSA_P256, SP_KEY_RSA};
    for (size_t i = 0; i < 3; i++) {
        if (sp_key_generate(&keys[i], types[i], types[i] == SP_KEY_RSA ? 2048 : 0) != 0)
            return -1;
        (void)sp_key_format_public(keys[i], "user@host", lines[i], sizeof lines[i]);
    }
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 3; i++)
        sp_key_unref(keys[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_plain_lines),
        cmocka_unit_test(skips_and_says_why),
        cmocka_unit_test(odd_bytes_and_long_lines),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
