/* Lines of the scp protocol: read strictly, written cleanly. */
#include "scp/line.h"

#include <sallyport/fs.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static spp_line line;

static const char *parse(const char *text, size_t length)
{
    return spp_line_parse(&line, (spb_span){(const uint8_t *)text, length});
}

static void good(const char *text)
{
    assert_null(parse(text, strlen(text)));
}

static void good_lines(void **state)
{
    (void)state;
    good("C0644 12 a b");
    assert_true(line.record == SPP_FILE && line.mode == 0644 && line.size == 12);
    assert_true(spb_span_is(line.name, "a b"));
    good("C7777 9223372036854775807 \xc3\xa4");
    assert_true(line.mode == 07777 && line.size == (uint64_t)INT64_MAX);
    good("C0000 0 ...");
    good("C0644 007 f");
    assert_int_equal(line.size, 7);
    good("C0644 1  f"); /* a name that begins with a blank */
    assert_true(spb_span_is(line.name, " f"));
    good("D0755 0 d");
    assert_true(line.record == SPP_DIRECTORY && spb_span_is(line.name, "d"));
    good("E");
    assert_int_equal(line.record, SPP_END);
    good("T1 999999 4294967295 0");
    assert_true(line.record == SPP_TIMES && line.mtime == 1 && line.atime == SPP_TIME_MAX);
}

static void bad_lines(void **state)
{
    static const char *const cases[] = {
        "",
        "X",
        "c0644 1 f",
        " C0644 1 f",
        "C",
        "C0644",
        "C0644 ",
        "C0644 1",
        "C0644 1 ",
        "C0644 1 .",
        "C0644 1 ..",
        "C0644 1 /f",
        "C0644 1 ../f",
        "C0644 1 f/",
        "C0644 1 a/b",
        "C0644 1 a\tb",
        "C0644 1 a\rb",
        "C0644 1 a\x1b[0m",
        "C0644 1 a\x7f",
        "C644 1 f",
        "C00644 1 f",
        "C0648 1 f",
        "C-644 1 f",
        "C0x44 1 f",
        "C0644  1 f",
        "C0644\t1 f",
        "C0644 -1 f",
        "C0644 +1 f",
        "C0644 0x1 f",
        "C0644 1.0 f",
        "C0644 1\tf",
        "C0644 9223372036854775808 f",
        "C0644 18446744073709551617 f",
        "C0644 99999999999999999999999999 f",
        "D0755 0 ",
        "D0755 d",
        "D0755 0 ..",
        "D0755 0 a/b",
        "E0",
        "E ",
        "EE",
        "T",
        "T1",
        "T1 0",
        "T1 0 1",
        "T1 0 1 ",
        "T1 0 1 0 ",
        "T1 0 1 0 0",
        "T1  0 1 0",
        "T-1 0 1 0",
        "T1 -1 1 0",
        "T1 1000000 1 0",
        "T1 0 1 1000000",
        "T4294967296 0 1 0",
        "T1 0 4294967296 0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_non_null(parse(cases[i], strlen(cases[i])));
    assert_non_null(parse("C0644 1 a\0b", 11));
    assert_non_null(parse("C0644 1 a\nb", 11));
    assert_non_null(parse("\0", 1));
}

static void long_names(void **state)
{
    char text[SP_FS_NAME_MAX + 20];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "C0644 1 ", 8);
    assert_null(parse(text, 8 + SP_FS_NAME_MAX));
    assert_string_equal(parse(text, 8 + SP_FS_NAME_MAX + 1), "unexpected filename");
}

static void names_that_go(void **state)
{
    (void)state;
    assert_true(spp_name_can_go("a\tb"));
    assert_true(spp_name_can_go("..."));
    assert_false(spp_name_can_go(""));
    assert_false(spp_name_can_go("."));
    assert_false(spp_name_can_go(".."));
    assert_false(spp_name_can_go("a/b"));
    assert_false(spp_name_can_go("a\nb"));
}

static void writing(void **state)
{
    static const char expected[] = "C0644 12 f\nD0755 0 d\nT5 0 4294967295 0\nT0 0 0 0\n"
                                   "\1scp: a?b: No?way\n\2scp: bad\n";
    spb_env env;
    spb_buffer out;
    (void)state;
    spb_env_init(&env, NULL);
    spb_buffer_init(&out, &env, 1024);
    spp_put_record(&out, SPP_FILE, 0100644, 12, "f");
    spp_put_record(&out, SPP_DIRECTORY, 0755, 0, "d");
    spp_put_times(&out, 5, INT64_MAX);
    spp_put_times(&out, -1, INT64_MIN);
    spp_put_message(&out, 1, "a\nb", "No\x1bway");
    spp_put_message(&out, 2, NULL, "bad");
    assert_true(spw_ok(&out));
    assert_int_equal(out.length, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.length);
    spb_buffer_free(&out);
}

static void long_messages(void **state)
{
    static char text[5000];
    spb_env env;
    spb_buffer out;
    (void)state;
    spb_env_init(&env, NULL);
    spb_buffer_init(&out, &env, 4096);
    memset(text, 'x', sizeof text - 1);
    spp_put_message(&out, 1, text, text);
    assert_true(spw_ok(&out) && out.length < 2048);
    assert_int_equal(out.data[out.length - 1], '\n');
    spb_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines),
        cmocka_unit_test(long_names), cmocka_unit_test(names_that_go),
        cmocka_unit_test(writing),    cmocka_unit_test(long_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
