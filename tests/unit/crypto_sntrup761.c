/* sntrup761: both sides agreeing, bad ciphertexts, the ring's multiplication, sorting, encoding,
 * and the loops for AVX2 against those for any processor. */
#include "crypto/cpu.h"
#include "crypto/sntrup761_poly.h"
#include "kem/kem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define P SPC_SNTRUP_P
#define Q SPC_SNTRUP_Q

static spb_env env;

static void random_bytes(void *out, size_t length)
{
    assert_true(spc_random(&env, out, length));
}

static void both_agree(void **unused)
{
    (void)unused;
    static uint8_t key[SPC_SNTRUP_KEY], private_key[KEM_SNTRUP_PRIVATE];
    uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT], ours[32], theirs[32], again[32];
    for (unsigned i = 0; i < 100; i++) {
        spc_cpu_plain(i % 2 == 1);
        if (i % 20 == 0)
            assert_true(kem_sntrup_generate(&env, key, private_key));
        spc_cpu_plain(i % 4 >= 2);
        assert_true(spc_sntrup_encapsulate(&env, key, ciphertext, ours));
        assert_true(kem_sntrup_decapsulate(private_key, ciphertext, theirs));
        assert_memory_equal(ours, theirs, 32);
        /* Any bit changed, of the polynomial or of the confirmation: another secret, always the
         * same one. */
        ciphertext[(i * 97) % sizeof ciphertext] ^= 4;
        assert_true(kem_sntrup_decapsulate(private_key, ciphertext, theirs));
        assert_memory_not_equal(ours, theirs, 32);
        assert_true(kem_sntrup_decapsulate(private_key, ciphertext, again));
        assert_memory_equal(again, theirs, 32);
    }
    spc_cpu_plain(false);
}

static bool no_random(void *ctx, void *buffer, size_t length)
{
    (void)ctx;
    (void)buffer;
    (void)length;
    return false;
}

static void without_random_bytes(void **unused)
{
    (void)unused;
    static const uint8_t key[SPC_SNTRUP_KEY];
    uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT], secret[32];
    spb_env failing = env;
    failing.random = (sp_random){NULL, no_random};
    assert_false(spc_sntrup_encapsulate(&failing, key, ciphertext, secret));
}

/* Any bytes are a key. */
static void wild_keys(void **unused)
{
    (void)unused;
    uint8_t key[SPC_SNTRUP_KEY], ciphertext[SPC_SNTRUP_CIPHERTEXT], secret[32];
    int16_t h[P];
    for (int i = 0; i < 200; i++) {
        if (i < 2)
            memset(key, i == 0 ? 0 : 0xff, sizeof key);
        else
            random_bytes(key, sizeof key);
        spc_sntrup_unpack_key(h, key);
        for (size_t j = 0; j < P; j++)
            assert_true(abs(h[j]) <= Q / 2);
        assert_true(spc_sntrup_encapsulate(&env, key, ciphertext, secret));
    }
}

/* ---- encoding ---- */
static void encodes_and_decodes(void **unused)
{
    (void)unused;
    static const struct {
        uint16_t m;
        size_t size;
    } kinds[2] = {{Q, SPC_SNTRUP_KEY}, {SPC_SNTRUP_ROUNDED_M, SPC_SNTRUP_ROUNDED_BYTES}};
    uint16_t numbers[P], back[P];
    uint8_t bytes[SPC_SNTRUP_KEY + 1];
    for (size_t kind = 0; kind < 2; kind++) {
        for (unsigned round = 0; round < 100; round++) {
            random_bytes(numbers, sizeof numbers);
            for (size_t i = 0; i < P; i++)
                numbers[i] = (uint16_t)(round == 0   ? 0
                                        : round == 1 ? kinds[kind].m - 1
                                                     : numbers[i] % kinds[kind].m);
            memset(bytes, 0x5a, sizeof bytes);
            bytes[kinds[kind].size - 1] = (uint8_t)~0x5a;
            spc_sntrup_encode(bytes, numbers, kinds[kind].m);
            for (size_t i = kinds[kind].size; i < sizeof bytes; i++)
                assert_int_equal(bytes[i], 0x5a);
            spc_sntrup_decode(back, bytes, kinds[kind].m);
            assert_memory_equal(numbers, back, sizeof back);
        }
    }
}

/* ---- the loops ---- */
static int modulo(int64_t x)
{
    return (int)((x % Q + Q) % Q);
}

static void random_element(int16_t a[P])
{
    uint16_t numbers[P];
    random_bytes(numbers, sizeof numbers);
    for (size_t i = 0; i < P; i++)
        a[i] = (int16_t)(numbers[i] % Q - Q / 2);
}

static void random_small(int8_t b[P])
{
    uint8_t numbers[P];
    random_bytes(numbers, sizeof numbers);
    for (size_t i = 0; i < P; i++)
        b[i] = (int8_t)(numbers[i] % 3 - 1);
}

/* By the definition: multiply, then x^761 = x + 1. */
static void check_product(const spc_sntrup_loops *loops, const int16_t a[P], const int8_t b[P])
{
    int64_t all[2 * P] = {0};
    int16_t out[P];
    spc_sntrup_window window;
    for (size_t i = 0; i < P; i++) {
        for (size_t j = 0; j < P; j++)
            all[i + j] += a[i] * b[j];
    }
    for (size_t i = 2 * P - 1; i >= P; i--) {
        all[i - P] += all[i];
        all[i - P + 1] += all[i];
    }
    loops->product(out, a, b, &window);
    for (size_t i = 0; i < P; i++) {
        assert_true(abs(out[i]) <= Q / 2);
        assert_int_equal(modulo(out[i]), modulo(all[i]));
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void check_loops(const spc_sntrup_loops *loops)
{
    int16_t a[P];
    int8_t b[P];
    for (int round = 0; round < 20; round++) {
        random_element(a);
        random_small(b);
        check_product(loops, a, b);
    }
    for (int sign = -1; sign <= 1; sign += 2) { /* the largest sums */
        for (size_t i = 0; i < P; i++) {
            a[i] = Q / 2;
            b[i] = (int8_t)sign;
        }
        check_product(loops, a, b);
    }
    for (int x = -Q / 2; x <= Q / 2; x += P) {
        for (int i = 0; i < P; i++)
            a[i] = (int16_t)(x + i <= Q / 2 ? x + i : 0);
        loops->round(a);
        for (int i = 0; i < P; i++) {
            assert_int_equal(a[i] % 3, 0);
            assert_true(abs(a[i] - (x + i <= Q / 2 ? x + i : 0)) <= 1);
        }
    }
    uint32_t numbers[P], sorted[P];
    for (unsigned round = 0; round < 300; round++) {
        random_bytes(numbers, sizeof numbers);
        for (size_t i = 0; i < P && round % 3 > 0; i++) {
            if (round % 3 == 1)
                numbers[i] = numbers[i] % 2 == 0 ? 0 : UINT32_MAX; /* only zeros and ones, too */
            else
                numbers[i] %= 10;
        }
        memcpy(sorted, numbers, sizeof sorted);
        qsort(sorted, P, sizeof sorted[0], compare);
        loops->sort(numbers);
        assert_memory_equal(numbers, sorted, sizeof sorted);
    }
}

static void loops_plain(void **unused)
{
    (void)unused;
    check_loops(&spc_sntrup_plain);
}

static void loops_avx2(void **unused)
{
    (void)unused;
    if (!spc_cpu_avx2())
        skip();
    check_loops(&spc_sntrup_avx2);
}

static void avx2_is_plain(void **unused)
{
    (void)unused;
    if (!spc_cpu_avx2())
        skip();
    for (unsigned round = 0; round < 300; round++) {
        int16_t a[P], out[2][P];
        int8_t b[P];
        uint32_t x[2][P];
        spc_sntrup_window window;
        random_element(a);
        random_small(b);
        random_bytes(x[0], sizeof x[0]);
        memcpy(x[1], x[0], sizeof x[0]);
        spc_sntrup_plain.product(out[0], a, b, &window);
        spc_sntrup_avx2.product(out[1], a, b, &window);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        spc_sntrup_plain.round(out[0]);
        spc_sntrup_avx2.round(out[1]);
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        spc_sntrup_plain.sort(x[0]);
        spc_sntrup_avx2.sort(x[1]);
        assert_memory_equal(x[0], x[1], sizeof x[0]);
    }
}

/* Weight and spread of the short polynomials. */
static void short_ones(void **unused)
{
    (void)unused;
    unsigned used[P] = {0};
    for (unsigned round = 0; round < 500; round++) {
        uint32_t random[P];
        int8_t out[P];
        unsigned weight = 0;
        random_bytes(random, sizeof random);
        spc_sntrup_short(spc_sntrup_choose(), out, random);
        for (size_t i = 0; i < P; i++) {
            assert_true(out[i] >= -1 && out[i] <= 1);
            weight += out[i] != 0;
            used[i] += out[i] != 0;
            assert_int_equal(random[i], 0);
        }
        assert_int_equal(weight, SPC_SNTRUP_W);
    }
    for (size_t i = 0; i < P; i++) /* expected 188, with a deviation of 11 */
        assert_true(used[i] > 188 - 75 && used[i] < 188 + 75);
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_agree),    cmocka_unit_test(without_random_bytes),
        cmocka_unit_test(wild_keys),     cmocka_unit_test(encodes_and_decodes),
        cmocka_unit_test(loops_plain),   cmocka_unit_test(loops_avx2),
        cmocka_unit_test(avx2_is_plain), cmocka_unit_test(short_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
