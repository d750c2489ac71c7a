/* The wire reader and writer: every type, every truncation, every limit (RFC 4251 5). */
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;

static void writes_what_it_reads(void **unused)
{
    (void)unused;
    spb_buffer b;
    spb_buffer_init(&b, &env, 4096);
    spw_u8(&b, 0xab);
    spw_bool(&b, true);
    spw_u32(&b, 0x01020304);
    spw_u64(&b, 0x1122334455667788u);
    spw_cstring(&b, "hello");
    spw_cstring(&b, NULL);
    spw_mpint(&b, "\x00\x00\x80\x01", 4);
    spw_mpint(&b, "\x00", 1);
    size_t mark = spw_string_begin(&b);
    spw_bytes(&b, "abc", 3);
    spw_string_end(&b, mark);
    assert_true(spw_ok(&b));

    spb_reader r;
    spr_init(&r, b.data, b.length);
    assert_int_equal(spr_u8(&r), 0xab);
    assert_true(spr_bool(&r));
    assert_int_equal(spr_u32(&r), 0x01020304);
    assert_true(spr_u64(&r) == 0x1122334455667788u);
    assert_true(spb_span_is(spr_string(&r), "hello"));
    assert_int_equal(spr_string(&r).length, 0);
    spb_span m = spr_mpint(&r);
    assert_int_equal(m.length, 2);
    assert_memory_equal(m.data, "\x80\x01", 2);
    assert_int_equal(spr_mpint(&r).length, 0);
    assert_true(spb_span_is(spr_string(&r), "abc"));
    assert_true(spr_done(&r));

    /* Cut anywhere, it fails, and stays failed. */
    for (size_t cut = 0; cut < b.length; cut++) {
        spr_init(&r, b.data, cut);
        spr_u8(&r);
        spr_bool(&r);
        spr_u32(&r);
        spr_u64(&r);
        spr_string(&r);
        spr_string(&r);
        spr_mpint(&r);
        spr_mpint(&r);
        spr_string(&r);
        assert_false(spr_ok(&r));
        assert_int_equal(spr_u8(&r), 0);
        assert_int_equal(spr_string(&r).length, 0);
    }
    spb_buffer_free(&b);
}

static void refuses_bad_mpints(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        size_t length;
        bool good;
    } cases[] = {
        {"\0\0\0\0", 4, true}, /* zero */
        {"\0\0\0\1\x7f", 5, true},      {"\0\0\0\2\0\x80", 6, true},
        {"\0\0\0\1\x80", 5, false},     /* negative */
        {"\0\0\0\1\0", 5, false},       /* zero is empty */
        {"\0\0\0\2\0\x7f", 6, false},   /* not minimal */
        {"\0\0\0\3\0\0\x80", 7, false}, /* not minimal */
        {"\0\0\0\5\1\2", 6, false},     /* cut */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spb_reader r;
        spr_init(&r, cases[i].bytes, cases[i].length);
        spr_mpint(&r);
        assert_int_equal(spr_done(&r), cases[i].good);
    }
}

static void bounds_strings_and_buffers(void **unused)
{
    (void)unused;
    spb_reader r;
    spr_init(&r, "\0\0\0\5hello", 9);
    spr_string_max(&r, 4);
    assert_false(spr_ok(&r));
    spr_init(&r, "\xff\xff\xff\xffx", 5);
    spr_string(&r);
    assert_false(spr_ok(&r));

    spb_buffer b;
    spb_buffer_init(&b, &env, 10);
    spw_bytes(&b, "0123456789", 10);
    assert_true(spw_ok(&b));
    spw_u8(&b, 1);
    assert_false(spw_ok(&b));
    assert_int_equal(b.length, 10);
    spb_buffer_free(&b);
    assert_true(spw_ok(&b));
}

static void consumes_from_the_front(void **unused)
{
    (void)unused;
    spb_buffer b;
    spb_buffer_init(&b, &env, 100);
    b.secret = true;
    spw_bytes(&b, "abcdef", 6);
    spb_buffer_consume(&b, 2);
    assert_int_equal(b.length, 4);
    assert_memory_equal(b.data, "cdef", 4);
    assert_memory_equal(b.data + 4, "\0\0", 2); /* wiped */
    spb_buffer_consume(&b, 99);
    assert_int_equal(b.length, 0);
    spb_buffer_free(&b);
}

static void steps_through_name_lists(void **unused)
{
    (void)unused;
    const char *text = "a,bc,,d";
    spb_span rest = {(const uint8_t *)text, strlen(text)};
    spb_span name;
    assert_true(spb_name_next(&rest, &name) && spb_span_is(name, "a"));
    assert_true(spb_name_next(&rest, &name) && spb_span_is(name, "bc"));
    assert_true(spb_name_next(&rest, &name) && spb_span_is(name, "d"));
    assert_false(spb_name_next(&rest, &name));
    spb_span list = {(const uint8_t *)text, strlen(text)};
    assert_true(spb_name_in(list, "bc"));
    assert_false(spb_name_in(list, "b"));
    assert_false(spb_name_in(list, "bcd"));
}

static void refuses_nul_in_strings(void **unused)
{
    (void)unused;
    spb_span s = {(const uint8_t *)"a\0b", 3};
    assert_null(spb_span_string(&env, s));
    s.length = 1;
    char *copy = spb_span_string(&env, s);
    assert_string_equal(copy, "a");
    spb_free(&env, copy);
}

static void checks_utf8(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        bool good;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc3", false},
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x80\xaf", false},     /* overlong */
        {"\xf0\x80\x80\xaf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(spb_utf8_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].good);
}

static void cleans_for_the_log(void **unused)
{
    (void)unused;
    char out[6];
    spb_printable(out, sizeof out,
                  "a\n\x1b[\xc3"
                  "bcd",
                  8);
    assert_string_equal(out, "a??[?");
}

static void compares_secrets(void **unused)
{
    (void)unused;
    assert_true(spb_equal_secret("abc", "abc", 3));
    assert_false(spb_equal_secret("abc", "abd", 3));
    assert_true(spb_equal_secret("x", "y", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(refuses_bad_mpints),
        cmocka_unit_test(bounds_strings_and_buffers),
        cmocka_unit_test(consumes_from_the_front),
        cmocka_unit_test(steps_through_name_lists),
        cmocka_unit_test(refuses_nul_in_strings),
        cmocka_unit_test(checks_utf8),
        cmocka_unit_test(cleans_for_the_log),
        cmocka_unit_test(compares_secrets),
    };
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests_name("base_wire", tests, NULL, NULL);
}
