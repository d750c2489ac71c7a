/* moduli(5): good and bad lines, the list, the choice of a prime (RFC 4419 3), out of memory. */
#include "transport/moduli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static spb_env env;
static long countdown = -1, live;

static void *counted_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (countdown == 0)
        return NULL;
    if (countdown > 0)
        countdown--;
    live += ptr == NULL ? 1 : 0;
    return realloc(ptr, size);
}

static void *counted_alloc(void *ctx, size_t size)
{
    return counted_realloc(ctx, NULL, size);
}

static void counted_free(void *ctx, void *ptr)
{
    (void)ctx;
    live -= ptr == NULL ? 0 : 1;
    free(ptr);
}

/* A line whose "prime" has these bits: it begins with 1, and its last digits are those of `end`. */
static const char *line(const char *before, unsigned bits, const char *generator, const char *end)
{
    static char text[8192];
    size_t digits = (bits + 3) / 4;
    int n = snprintf(text, sizeof text, "%s %s ", before, generator);

    memset(text + n, '0', digits);
    text[n] = "8124"[bits % 4];
    memcpy(text + n + digits - strspn(end, "0123456789ABCDEFab"), end, strlen(end) + 1);
    return text;
}

static int read_line(const char *text, spt_modulus *modulus)
{
    static uint8_t prime[SPC_DH_BITS_MAX / 8];
    uint8_t *exact = malloc(strlen(text) + 1);
    const char *why = NULL;

    assert_non_null(exact);
    memcpy(exact, text, strlen(text));
    int result = spt_moduli_line((spb_span){exact, strlen(text)}, prime, modulus, &why);
    if (result < 0)
        assert_non_null(why);
    free(exact);
    return result;
}

#define GOOD "20220714110357 2 6 100 2047"

static void good_lines(void **unused)
{
    (void)unused;
    spt_modulus m;

    assert_int_equal(read_line(line(GOOD, 2048, "2", "F"), &m), 1);
    assert_int_equal(m.bits, 2048);
    assert_int_equal(m.group.length, 256);
    assert_int_equal(m.group.generator, 2);
    assert_int_equal(m.group.prime[0], 0x80);
    assert_int_equal(m.group.prime[255], 0x0f);
    assert_int_equal(read_line(line("1 2 4 1 2048", 2048, "a", "ab"), &m), 1);
    assert_int_equal(m.group.generator, 10);
    assert_int_equal(m.group.prime[255], 0xab);
    for (unsigned bits = 2048; bits < 2060; bits++) { /* an odd number of digits as well */
        char before[64];
        snprintf(before, sizeof before, "\t1  2 4 1 %u", bits - 1);
        assert_int_equal(read_line(line(before, bits, "5", "7"), &m), 1);
        assert_int_equal(m.bits, bits);
        assert_int_equal(m.group.prime[m.group.length - 1] & 0xf, 7);
    }
    assert_int_equal(read_line(line("1 2 6 100 8191", 8192, "2", "F\r"), &m), 1);
    assert_int_equal(read_line("", &m), 0);
    assert_int_equal(read_line("  \t\r", &m), 0);
    assert_int_equal(read_line("# Time Type Tests Tries Size Generator Modulus", &m), 0);
}

static void bad_lines(void **unused)
{
    (void)unused;
    spt_modulus m;

    assert_int_equal(read_line("nonsense", &m), -1);
    assert_int_equal(read_line("1 2 6 100 2047 2", &m), -1);           /* no modulus */
    assert_int_equal(read_line(line(GOOD, 2048, "2", "F x"), &m), -1); /* eight fields */
    assert_int_equal(read_line(line("1 4 6 100 2047", 2048, "2", "F"), &m),
                     -1); /* Sophie Germain */
    assert_int_equal(read_line(line("1 2 7 100 2047", 2048, "2", "F"), &m), -1); /* composite */
    assert_int_equal(read_line(line("1 2 0 100 2047", 2048, "2", "F"), &m), -1); /* untested */
    assert_int_equal(read_line(line("1 2 6 0 2047", 2048, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 2046", 2048, "2", "F"), &m), -1); /* size */
    assert_int_equal(read_line(line("1 2 6 100 2049", 2048, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 x", 2048, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 -1", 2048, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 99999999999", 2048, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 1023", 1024, "2", "F"), &m), -1); /* too small */
    assert_int_equal(read_line(line("1 2 6 100 2046", 2047, "2", "F"), &m), -1);
    assert_int_equal(read_line(line("1 2 6 100 8192", 8193, "2", "F"), &m), -1); /* too large */
    assert_int_equal(read_line(line(GOOD, 2048, "2", "E"), &m), -1);             /* even */
    assert_int_equal(read_line(line(GOOD, 2048, "0", "F"), &m), -1);
    assert_int_equal(read_line(line(GOOD, 2048, "1", "F"), &m), -1);
    assert_int_equal(read_line(line(GOOD, 2048, "g", "F"), &m), -1);
    assert_int_equal(read_line(line(GOOD, 2048, "123456789", "F"), &m), -1);
    assert_int_equal(read_line(line(GOOD, 2048, "2", "xF"), &m), -1); /* no digit */
    assert_int_equal(read_line("1 2 6 100 2047 2 0", &m), -1);
}

static unsigned chosen(const spt_moduli *m, uint32_t least, uint32_t wanted, uint32_t most)
{
    bool good;
    const spt_modulus *found = spt_moduli_choose(m, &env, least, wanted, most, &good);

    assert_true(good);
    return found == NULL ? 0 : found->bits;
}

static void built_in(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"", "\n\n", "# nothing\nnonsense\n"};

    for (size_t i = 0; i < 3; i++) {
        spt_moduli m;
        assert_int_equal(spt_moduli_read(&m, &env, spb_span_of(texts[i])), 0);
        assert_int_equal(m.count, 3);
        assert_int_equal(chosen(&m, 1024, 1024, 8192), 2048);
        assert_int_equal(chosen(&m, 2048, 2049, 8192), 4096);
        assert_int_equal(chosen(&m, 2048, 4097, 8192), 8192);
        assert_int_equal(chosen(&m, 2048, 8192, UINT32_MAX), 8192);
        assert_int_equal(chosen(&m, 2048, 7000, 7500), 4096); /* the largest that may be */
        assert_int_equal(chosen(&m, 1024, 1024, 2047), 0);
        assert_int_equal(chosen(&m, 3072, 3072, 3072), 0);
        assert_int_equal(chosen(&m, 8193, 8193, UINT32_MAX), 0);
        assert_int_equal(chosen(&m, 0, 0, UINT32_MAX), 2048);
        spt_moduli_free(&m, &env);
    }
}

/* Of those of a size each has its turn. */
static void any_of_a_size(void **unused)
{
    (void)unused;
    static char text[40000];
    unsigned seen[16] = {0};
    spt_moduli m;

    for (unsigned i = 1; i < 16; i += 2) {
        char end[8];
        snprintf(end, sizeof end, "%X\n", i);
        strcat(text, line(GOOD, 2048, "2", end));
    }
    strcat(text, line("1 2 6 100 3071", 3072, "2", "F")); /* and no newline */
    assert_int_equal(spt_moduli_read(&m, &env, spb_span_of(text)), 0);
    assert_int_equal(m.count, 9);
    for (int i = 0; i < 2000; i++) {
        bool good;
        const spt_modulus *found = spt_moduli_choose(&m, &env, 2048, 2048, 8192, &good);
        assert_true(good && found->bits == 2048);
        seen[found->group.prime[255] & 15]++;
    }
    for (unsigned i = 1; i < 16; i += 2)
        assert_true(seen[i] > 100);
    assert_int_equal(chosen(&m, 2049, 2049, 8192), 3072);
    spt_moduli_free(&m, &env);
}

static bool no_random(void *ctx, void *buffer, size_t length)
{
    (void)ctx;
    (void)buffer;
    (void)length;
    return false;
}

static void without_random_numbers(void **unused)
{
    (void)unused;
    spb_env failing = env;
    spt_moduli m;
    bool good = true;

    failing.random = (sp_random){NULL, no_random};
    assert_int_equal(spt_moduli_read(&m, &env, spb_span_of("")), 0);
    assert_null(spt_moduli_choose(&m, &failing, 2048, 2048, 8192, &good));
    assert_false(good);
    spt_moduli_free(&m, &env);
}

static void out_of_memory(void **unused)
{
    (void)unused;
    char text[20000] = "";

    for (int i = 0; i < 5; i++) {
        strcat(text, line(GOOD, 2048, "2", "F"));
        strcat(text, "\n");
    }
    for (long n = 0;; n++) {
        spt_moduli m;
        countdown = n;
        int result = spt_moduli_read(&m, &env, spb_span_of(text));
        countdown = -1;
        spt_moduli_free(&m, &env);
        assert_int_equal(live, 0);
        if (result == 0)
            break;
        assert_int_equal(result, SP_ENOMEM);
        assert_true(n < 20);
    }
}

int main(void)
{
    const sp_allocator allocator = {NULL, counted_alloc, counted_realloc, counted_free};

    spb_env_init(&env, &allocator);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(built_in),
        cmocka_unit_test(any_of_a_size),
        cmocka_unit_test(without_random_numbers),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
