/* UMAC (RFC 4418): the test vectors of its appendix, however the message is cut; UMAC-128, of which
 * the appendix has the first 96 bits; and what is refused. */
#include "crypto/umac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LONGEST ((size_t)1 << 20)

static spb_env env;
static uint8_t *text;

static const uint8_t key[] = "abcdefghijklmnop";
#define NONCE UINT64_C(0x6263646566676869) /* "bcdefghi" */

/* The appendix: `repeats` times `unit`, and its tags of 64 and 96 bits. */
static const struct {
    const char *unit;
    size_t repeats;
    uint8_t tag64[8];
    uint8_t tag96[12];
} vectors[] = {
    {"",
     0,
     {0x6E, 0x15, 0x5F, 0xAD, 0x26, 0x90, 0x0B, 0xE1},
     {0x32, 0xFE, 0xDB, 0x10, 0x0C, 0x79, 0xAD, 0x58, 0xF0, 0x7F, 0xF7, 0x64}},
    {"a",
     3,
     {0x44, 0xB5, 0xCB, 0x54, 0x2F, 0x22, 0x01, 0x04},
     {0x18, 0x5E, 0x4F, 0xE9, 0x05, 0xCB, 0xA7, 0xBD, 0x85, 0xE4, 0xC2, 0xDC}},
    {"a",
     1 << 10,
     {0x26, 0xBF, 0x2F, 0x5D, 0x60, 0x11, 0x8B, 0xD9},
     {0x7A, 0x54, 0xAB, 0xE0, 0x4A, 0xF8, 0x2D, 0x60, 0xFB, 0x29, 0x8C, 0x3C}},
    {"a",
     1 << 15,
     {0x27, 0xF8, 0xEF, 0x64, 0x3B, 0x0D, 0x11, 0x8D},
     {0x7B, 0x13, 0x6B, 0xD9, 0x11, 0xE4, 0xB7, 0x34, 0x28, 0x6E, 0xF2, 0xBE}},
    {"a",
     1 << 20,
     {0xA4, 0x47, 0x7E, 0x87, 0xE9, 0xF5, 0x58, 0x53},
     {0xF8, 0xAC, 0xFA, 0x3A, 0xC3, 0x1C, 0xFE, 0xEA, 0x04, 0x7F, 0x7B, 0x11}},
    {"abc",
     1,
     {0xD4, 0xD7, 0xB9, 0xF6, 0xBD, 0x4F, 0xBF, 0xCF},
     {0x88, 0x3C, 0x3D, 0x4B, 0x97, 0xA6, 0x19, 0x76, 0xFF, 0xCF, 0x23, 0x23}},
    {"abc",
     500,
     {0xD4, 0xCF, 0x26, 0xDD, 0xEF, 0xD5, 0xC0, 0x1A},
     {0x88, 0x24, 0xA2, 0x60, 0xC5, 0x3C, 0x66, 0xA3, 0x6C, 0x92, 0x60, 0xA6}},
};

static size_t fill(size_t i)
{
    size_t unit = strlen(vectors[i].unit);
    for (size_t n = 0; n < unit * vectors[i].repeats; n++)
        text[n] = (uint8_t)vectors[i].unit[n % unit];
    return unit * vectors[i].repeats;
}

/* In pieces of so many bytes. */
static void tag_in_pieces(spc_umac *u, size_t length, size_t piece, uint8_t *tag)
{
    static spb_span spans[LONGEST / 100 + 2];
    size_t count = 0;

    for (size_t at = 0; at < length; at += piece)
        spans[count++] = (spb_span){text + at, length - at < piece ? length - at : piece};
    assert_true(spc_umac_tag(u, NONCE, spans, count, tag));
}

static void appendix(void **unused)
{
    (void)unused;
    static const size_t pieces[] = {LONGEST, 1024, 1023, 1025, 4096, 100, 333};
    spc_umac *u64, *u128;
    uint8_t tag[16];

    assert_true(spc_umac_new(&u64, &env, key, 8));
    assert_true(spc_umac_new(&u128, &env, key, 16));
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t length = fill(i);
        for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
            tag_in_pieces(u64, length, pieces[p], tag);
            assert_memory_equal(tag, vectors[i].tag64, 8);
            tag_in_pieces(u128, length, pieces[p], tag);
            assert_memory_equal(tag, vectors[i].tag96, 12);
        }
    }
    spc_umac_free(u64);
    spc_umac_free(u128);
}

/* One byte more or less, another byte, another nonce or key: another tag. Both halves of a pad are
 * used, and differ. */
static void differs(void **unused)
{
    (void)unused;
    spc_umac *u, *other;
    uint8_t tag[8], more[8];
    uint8_t wrong[SPC_UMAC_KEY];

    memcpy(wrong, key, sizeof wrong);
    wrong[15] ^= 1;
    memset(text, 'x', 5000);
    assert_true(spc_umac_new(&u, &env, key, 8));
    assert_true(spc_umac_new(&other, &env, wrong, 8));
    for (size_t length = 1; length < 5000; length += 37) {
        const spb_span whole = {text, length}, shorter = {text, length - 1};
        assert_true(spc_umac_tag(u, 7, &whole, 1, tag));
        assert_true(spc_umac_tag(u, 7, &shorter, 1, more));
        assert_memory_not_equal(tag, more, 8);
        assert_true(spc_umac_tag(u, 6, &whole, 1, more));
        assert_memory_not_equal(tag, more, 8);
        assert_true(spc_umac_tag(other, 7, &whole, 1, more));
        assert_memory_not_equal(tag, more, 8);
        text[length / 2] ^= 1;
        assert_true(spc_umac_tag(u, 7, &whole, 1, more));
        assert_memory_not_equal(tag, more, 8);
        text[length / 2] ^= 1;
        assert_true(spc_umac_tag(u, 7, &whole, 1, more));
        assert_memory_equal(tag, more, 8);
    }
    spc_umac_free(u);
    spc_umac_free(other);
}

static void refuses(void **unused)
{
    (void)unused;
    spc_umac *u;
    uint8_t tag[16];
    uint8_t byte = 0;

    assert_false(spc_umac_new(&u, &env, key, 4));
    assert_null(u);
    assert_false(spc_umac_new(&u, &env, key, 12));
    assert_false(spc_umac_new(&u, &env, key, 0));
    assert_true(spc_umac_new(&u, &env, key, 16));
    spb_span spans[17];
    for (size_t i = 0; i < 16; i++)
        spans[i] = (spb_span){text, LONGEST};
    spans[16] = (spb_span){&byte, 1};
    assert_true(spc_umac_tag(u, 0, spans, 16, tag));
    assert_false(spc_umac_tag(u, 0, spans, 17, tag)); /* above 16 MiB */
    assert_true(spc_umac_tag(u, 0, spans, 1, tag));   /* and it goes on working */
    spc_umac_free(u);
    spc_umac_free(NULL);
}

int main(void)
{
    spb_env_init(&env, NULL);
    text = calloc(1, LONGEST);
    assert_non_null(text);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix),
        cmocka_unit_test(differs),
        cmocka_unit_test(refuses),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(text);
    return failed;
}
