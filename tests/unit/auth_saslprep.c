/* SASLprep (RFC 4013): the RFC's examples, what is prohibited, what must never pass. Linked with
 * the library's own build of it, so that builds with and without libidn are both tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "auth/auth_internal.h"
#include <string.h>

typedef struct row {
    const char *in;
    const char *out; /* NULL: refused */
} row;

static int prepare(const char *in, size_t length, char *out, size_t size)
{
    spb_env env;
    spb_buffer b;

    spb_env_init(&env, NULL);
    spb_buffer_init(&b, &env, SPA_STORE_MAX);
    b.secret = true;
    int result = spa_saslprep((spb_span){(const uint8_t *)in, length}, &b);
    if (result == 0) {
        assert_true(b.length > 0 && b.length <= size);
        assert_int_equal(b.data[b.length - 1], 0);
        memcpy(out, b.data, b.length);
        assert_int_equal(strlen(out) + 1, b.length);
    } else {
        assert_int_equal(b.length, 0);
    }
    spb_buffer_free(&b);
    return result;
}

static void check(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[256];
        int result = prepare(rows[i].in, strlen(rows[i].in), out, sizeof out);
        if (rows[i].out == NULL) {
            assert_int_equal(result, SP_EFORMAT);
        } else {
            assert_int_equal(result, 0);
            assert_string_equal(out, rows[i].out);
        }
    }
}

static void ascii_passes_unchanged(void **state)
{
    static const row rows[] = {
        {"user", "user"}, /* RFC 4013 3, example 2 */
        {"USER", "USER"}, /* example 3: case is kept */
        {"", ""},         {" a b ", " a b "}, {"~!@#$%^&*()", "~!@#$%^&*()"},
        {"\a", NULL}, /* example 6: prohibited */
        {"a\tb", NULL},   {"a\x7f", NULL},    {"a\nb", NULL},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void nul_is_refused(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(prepare("root\0x", 6, out, sizeof out), SP_EFORMAT);
    assert_int_equal(prepare("\0", 1, out, sizeof out), SP_EFORMAT);
    assert_int_equal(prepare("\xc3\xa4\0x", 4, out, sizeof out), SP_EFORMAT);
}

static void bad_utf8_is_refused(void **state)
{
    static const row rows[] = {
        {"\xff", NULL},     {"\xc3", NULL},         {"a\x80", NULL},
        {"\xc0\xaf", NULL}, {"\xed\xa0\x80", NULL}, {"\xf4\x90\x80\x80", NULL},
        {"\xe2\x82", NULL},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void wide_text_is_prepared(void **state)
{
    static const row rows[] = {
        {"I\xc2\xadX", "IX"},   /* example 1: soft hyphen maps to nothing */
        {"\xc2\xaa", "a"},      /* example 4: NFKC */
        {"\xe2\x85\xa8", "IX"}, /* example 5: NFKC */
        {"\xd8\xa7"
         "1",
         NULL}, /* example 7: bidirectional check */
        {"a\xc2\xa0"
         "b",
         "a b"},                   /* no-break space */
        {"u\xcc\x88", "\xc3\xbc"}, /* composed */
        {"\xc3\xbc", "\xc3\xbc"},
        {"\xc2\xad", NULL},                       /* nothing is left */
        {"\xc2\x85", NULL},                       /* C.2.2 */
        {"\xee\x80\x80", NULL},                   /* C.3 private use */
        {"\xef\xbf\xbd", NULL},                   /* C.6 */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, /* younger than Unicode 3.2: kept */
    };
    char out[256];

    (void)state;
    if (prepare("\xc3\xbc", 2, out, sizeof out) == SP_EFORMAT)
        skip(); /* a build without libidn refuses them all */
    check(rows, sizeof rows / sizeof rows[0]);
}

static void growth_has_room(void **state)
{
    static char in[3 * 100];
    static char out[40 * 100];

    (void)state;
    for (size_t i = 0; i < 100; i++)
        memcpy(in + 3 * i, "\xef\xb7\xba", 3); /* U+FDFA: 18 characters */
    int result = prepare(in, sizeof in, out, sizeof out);
    if (result == SP_EFORMAT)
        skip();
    assert_int_equal(result, 0);
    assert_int_equal(strlen(out), 33 * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_passes_unchanged), cmocka_unit_test(nul_is_refused),
        cmocka_unit_test(bad_utf8_is_refused),    cmocka_unit_test(wide_text_is_prepared),
        cmocka_unit_test(growth_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
