/* The first message of an X11 client, its refusal, and the authority file. */
#include "server/x11_setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t cookie[SPS_X11_COOKIE] = {1, 2,  3,  4,  5,  6,  7,  8,
                                               9, 10, 11, 12, 13, 14, 15, 16};
static spb_env env;

/* A setup message as a client of either byte order makes it. */
static size_t message(uint8_t *out, char order, const char *name, const void *data, size_t length)
{
    size_t name_length = strlen(name);
    const size_t numbers[5] = {11, 0, name_length, length, 0};
    memset(out, 0, SPS_X11_SETUP_MAX);
    out[0] = (uint8_t)order;
    for (size_t i = 0; i < 5; i++) {
        out[2 + 2 * i + (order == 'B')] = (uint8_t)numbers[i];
        out[2 + 2 * i + (order == 'l')] = (uint8_t)(numbers[i] >> 8);
    }
    size_t at = SPS_X11_HEADER;
    memcpy(out + at, name, name_length);
    at += (name_length + 3) / 4 * 4;
    if (length > 0)
        memcpy(out + at, data, length);
    return at + (length + 3) / 4 * 4;
}

static sps_x11_verdict judge(const uint8_t *bytes, size_t length)
{
    size_t need = 0;
    return sps_x11_check(bytes, length, cookie, &need);
}

static void test_good(void **state)
{
    (void)state;
    const char orders[2] = {'l', 'B'};
    for (size_t i = 0; i < 2; i++) {
        uint8_t bytes[SPS_X11_SETUP_MAX];
        size_t whole = message(bytes, orders[i], SPS_X11_PROTOCOL, cookie, sizeof cookie);
        assert_int_equal(whole, 12 + 20 + 16);
        for (size_t n = 0; n < whole; n++) {
            size_t need = 0;
            assert_int_equal(sps_x11_check(bytes, n, cookie, &need), SPS_X11_MORE);
            assert_int_equal(need, n < SPS_X11_HEADER ? SPS_X11_HEADER : whole);
        }
        assert_int_equal(judge(bytes, whole), SPS_X11_GOOD);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    uint8_t bytes[SPS_X11_SETUP_MAX];
    uint8_t other[SPS_X11_COOKIE + 1];
    const char orders[2] = {'l', 'B'};
    for (size_t i = 0; i < 2; i++) {
        char order = orders[i];
        for (size_t at = 0; at < sizeof cookie; at++) {
            memcpy(other, cookie, sizeof cookie);
            other[at] ^= 0x80;
            size_t n = message(bytes, order, SPS_X11_PROTOCOL, other, sizeof cookie);
            assert_int_equal(judge(bytes, n), SPS_X11_WRONG);
        }
        memcpy(other, cookie, sizeof cookie);
        other[16] = 0;
        assert_int_equal(judge(bytes, message(bytes, order, SPS_X11_PROTOCOL, other, 17)),
                         SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, SPS_X11_PROTOCOL, cookie, 15)),
                         SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, SPS_X11_PROTOCOL, cookie, 0)),
                         SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, "", cookie, 0)), SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, "", cookie, 16)), SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, "MIT-MAGIC-COOKIE-2", cookie, 16)),
                         SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, "MIT-MAGIC-COOKIE", cookie, 16)),
                         SPS_X11_WRONG);
        assert_int_equal(judge(bytes, message(bytes, order, "mit-magic-cookie-1", cookie, 16)),
                         SPS_X11_WRONG);
        /* another version of the protocol */
        size_t n = message(bytes, order, SPS_X11_PROTOCOL, cookie, 16);
        bytes[order == 'l' ? 2 : 3] = 10;
        assert_int_equal(judge(bytes, n), SPS_X11_WRONG);
    }
}

/* Announced sizes are believed up to a bound, and judged before anything is waited for. */
static void test_too_long(void **state)
{
    (void)state;
    uint8_t bytes[SPS_X11_SETUP_MAX];
    for (unsigned value = 0; value <= UINT16_MAX; value++) {
        for (size_t field = 6; field <= 8; field += 2) {
            size_t need = 0;
            message(bytes, 'l', "", cookie, 0);
            bytes[field] = (uint8_t)value;
            bytes[field + 1] = (uint8_t)(value >> 8);
            sps_x11_verdict v = sps_x11_check(bytes, SPS_X11_HEADER, cookie, &need);
            size_t whole = SPS_X11_HEADER + (value + 3u) / 4 * 4;
            assert_int_equal(v, value == 0 || whole > SPS_X11_SETUP_MAX ? SPS_X11_WRONG
                                                                        : SPS_X11_MORE);
            assert_int_equal(need, whole);
        }
    }
}

static void test_broken(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t bytes[SPS_X11_SETUP_MAX];
        size_t n = message(bytes, 'l', SPS_X11_PROTOCOL, cookie, 16);
        bytes[0] = (uint8_t)byte;
        if (byte == 'l' || byte == 'B') {
            assert_int_equal(judge(bytes, 1), SPS_X11_MORE);
        } else {
            assert_int_equal(judge(bytes, 1), SPS_X11_BROKEN);
            assert_int_equal(judge(bytes, n), SPS_X11_BROKEN);
        }
    }
}

static void expect(spb_buffer *b, const void *bytes, size_t length)
{
    assert_true(spw_ok(b));
    assert_int_equal(b->length, length);
    assert_memory_equal(b->data, bytes, length);
    spb_buffer_free(b);
}

static void test_replace(void **state)
{
    (void)state;
    uint8_t bytes[SPS_X11_SETUP_MAX];
    const spb_span name = {(const uint8_t *)"ABCDE", 5};
    const spb_span data = {(const uint8_t *)"\xff\x01\x02", 3};
    spb_buffer b;
    spb_buffer_init(&b, &env, 1024);
    (void)message(bytes, 'l', SPS_X11_PROTOCOL, cookie, 16);
    sps_x11_replace(bytes, name, data, &b);
    expect(&b, "l\0\13\0\0\0\5\0\3\0\0\0ABCDE\0\0\0\xff\1\2\0", 24);
    (void)message(bytes, 'B', SPS_X11_PROTOCOL, cookie, 16);
    sps_x11_replace(bytes, name, data, &b);
    expect(&b, "B\0\0\13\0\0\0\5\0\3\0\0ABCDE\0\0\0\xff\1\2\0", 24);
    /* What was made is taken by a check that knows the cookie. */
    uint8_t other[16] = {42};
    size_t need = 0;
    sps_x11_replace(bytes, (spb_span){(const uint8_t *)SPS_X11_PROTOCOL, 18}, (spb_span){other, 16},
                    &b);
    assert_int_equal(sps_x11_check(b.data, b.length, other, &need), SPS_X11_GOOD);
    assert_int_equal(need, b.length);
    spb_buffer_free(&b);
}

static void test_refuse(void **state)
{
    (void)state;
    spb_buffer b;
    spb_buffer_init(&b, &env, 1024);
    sps_x11_refuse('l', "never", &b);
    expect(&b, "\0\5\13\0\0\0\2\0never\0\0\0", 16);
    sps_x11_refuse('B', "no", &b);
    expect(&b, "\0\2\0\13\0\0\0\1no\0\0", 12);
    sps_x11_refuse('B', "", &b);
    expect(&b, "\0\0\0\13\0\0\0\0", 8);
    char longer[301];
    memset(longer, 'x', 300);
    longer[300] = '\0';
    sps_x11_refuse('B', longer, &b);
    assert_int_equal(b.length, 8 + 256);
    assert_int_equal(b.data[1], 255);
    spb_buffer_free(&b);
}

static void test_authority(void **state)
{
    (void)state;
    spb_buffer b;
    spb_buffer_init(&b, &env, 1024);
    sps_x11_authority("host", 10, cookie, &b);
    uint8_t wanted[256];
    size_t n = 0;
    const char *heads[2] = {"\1\0\0\4host\0\2"
                            "10\0\22MIT-MAGIC-COOKIE-1\0\20",
                            "\xff\xff\0\0\0\2"
                            "10\0\22MIT-MAGIC-COOKIE-1\0\20"};
    const size_t lengths[2] = {2 + 6 + 4 + 20 + 2, 2 + 2 + 4 + 20 + 2};
    for (size_t i = 0; i < 2; i++) {
        memcpy(wanted + n, heads[i], lengths[i]);
        n += lengths[i];
        memcpy(wanted + n, cookie, sizeof cookie);
        n += sizeof cookie;
    }
    expect(&b, wanted, n);
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_too_long),  cmocka_unit_test(test_broken),
        cmocka_unit_test(test_replace),   cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
