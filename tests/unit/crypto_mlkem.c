/* ML-KEM-768: known answers, both sides agreeing, malformed keys and ciphertexts, the loops for
 * AVX2 against those for any processor (FIPS 203). */
#include "crypto/cpu.h"
#include "crypto/mlkem_poly.h"
#include "kem/kem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto_vectors.h"

static spb_env env;
static vector_bytes fields[VECTOR_FIELDS];
static char result[16];

static spb_span field(size_t i)
{
    return (spb_span){fields[i].data, fields[i].length};
}

static void same(size_t i, const uint8_t *data, size_t length)
{
    assert_int_equal(fields[i].length, length);
    assert_memory_equal(fields[i].data, data, length);
}

static void keygen_vectors(void **unused)
{
    (void)unused;
    FILE *f = vectors_open("mlkem-keygen", "mlkem_768_keygen_seed_test.json");
    if (f == NULL)
        skip();
    uint8_t ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE];
    unsigned count = 0;
    while (vectors_next(f, result, fields)) {
        assert_true(kem_mlkem_generate(field(0), ek, dk));
        same(1, ek, sizeof ek);
        same(2, dk, sizeof dk);
        count++;
    }
    assert_int_equal(pclose(f), 0);
    assert_int_equal(count, 100);
    print_message("ML-KEM-768 key generation: %u vectors\n", count);
}

static void encaps_vectors(void **unused)
{
    (void)unused;
    FILE *f = vectors_open("mlkem-encaps", "mlkem_768_encaps_test.json");
    if (f == NULL)
        skip();
    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT], secret[SPC_MLKEM_SECRET];
    unsigned good = 0, refused = 0, sizes = 0;
    while (vectors_next(f, result, fields)) {
        /* Keys of another size never come here: the key exchange message has one size. */
        if (fields[1].length != SPC_MLKEM_KEY) {
            assert_string_equal(result, "invalid");
            sizes++;
            continue;
        }
        bool done = spc_mlkem_encapsulate_with(fields[1].data, fields[0].data, ciphertext, secret);
        assert_int_equal(done, strcmp(result, "valid") == 0);
        if (done) {
            same(2, ciphertext, sizeof ciphertext);
            same(3, secret, sizeof secret);
            good++;
        } else {
            refused++;
        }
    }
    assert_int_equal(pclose(f), 0);
    assert_int_equal(good + refused + sizes, 265);
    assert_int_equal(refused, 112);
    print_message("ML-KEM-768 encapsulation: %u vectors good, %u refused, %u of a wrong size\n",
                  good, refused, sizes);
}

static void decaps_vectors(void **unused)
{
    (void)unused;
    FILE *f = vectors_open("mlkem", "mlkem_768_test.json");
    if (f == NULL)
        skip();
    uint8_t ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE], secret[SPC_MLKEM_SECRET];
    unsigned good = 0, refused = 0;
    while (vectors_next(f, result, fields)) {
        bool done = kem_mlkem_generate(field(0), ek, dk);
        if (done && fields[1].length > 0)
            same(1, ek, sizeof ek);
        done = done && kem_mlkem_decapsulate((spb_span){dk, sizeof dk}, field(2), secret);
        assert_int_equal(done, strcmp(result, "valid") == 0);
        if (done)
            same(3, secret, sizeof secret);
        good += done;
        refused += !done;
    }
    assert_int_equal(pclose(f), 0);
    assert_int_equal(good + refused, 193);
    print_message("ML-KEM-768 decapsulation: %u vectors good, %u refused\n", good, refused);
}

static void random_bytes(void *out, size_t length)
{
    assert_true(spc_random(&env, out, length));
}

static void both_agree(void **unused)
{
    (void)unused;
    uint8_t seed[64], ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE];
    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT], ours[32], theirs[32];
    for (unsigned i = 0; i < 200; i++) {
        spc_cpu_plain(i % 2 == 1);
        random_bytes(seed, sizeof seed);
        assert_true(kem_mlkem_generate((spb_span){seed, 64}, ek, dk));
        spc_cpu_plain(i % 4 >= 2);
        assert_true(spc_mlkem_encapsulate(&env, ek, ciphertext, ours));
        assert_true(kem_mlkem_decapsulate((spb_span){dk, sizeof dk},
                                          (spb_span){ciphertext, sizeof ciphertext}, theirs));
        assert_memory_equal(ours, theirs, 32);
        /* Another ciphertext: another secret, but always the same one. */
        ciphertext[i] ^= 1;
        assert_true(kem_mlkem_decapsulate((spb_span){dk, sizeof dk},
                                          (spb_span){ciphertext, sizeof ciphertext}, theirs));
        assert_memory_not_equal(ours, theirs, 32);
    }
    spc_cpu_plain(false);
}

/* Each coefficient alone at q or above. */
static void modulus_check(void **unused)
{
    (void)unused;
    uint8_t seed[64] = {1}, ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE];
    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT], secret[32], m[32] = {2};
    assert_true(kem_mlkem_generate((spb_span){seed, 64}, ek, dk));
    for (size_t i = 0; i < 768; i++) {
        static const unsigned bad[3] = {SPC_MLKEM_Q, SPC_MLKEM_Q + 1, 4095};
        uint8_t *at = ek + i / 2 * 3;
        uint8_t kept[3];
        memcpy(kept, at, 3);
        for (size_t j = 0; j < 4; j++) {
            unsigned value = j < 3 ? bad[j] : SPC_MLKEM_Q - 1;
            if (i % 2 == 0) {
                at[0] = (uint8_t)value;
                at[1] = (uint8_t)((at[1] & 0xf0) | value >> 8);
            } else {
                at[1] = (uint8_t)((at[1] & 0x0f) | value << 4);
                at[2] = (uint8_t)(value >> 4);
            }
            assert_int_equal(spc_mlkem_encapsulate_with(ek, m, ciphertext, secret), j == 3);
            assert_int_equal(spc_mlkem_encapsulate(&env, ek, ciphertext, secret), j == 3);
        }
        memcpy(at, kept, 3);
    }
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
    uint8_t seed[64] = {1}, ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE];
    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT], secret[32];
    spb_env failing = env;
    failing.random = (sp_random){NULL, no_random};
    assert_true(kem_mlkem_generate((spb_span){seed, 64}, ek, dk));
    assert_false(spc_mlkem_encapsulate(&failing, ek, ciphertext, secret));
}

/* ---- the loops ---- */
static void random_poly(spc_mlkem_poly *p, int range)
{
    uint16_t numbers[256];
    random_bytes(numbers, sizeof numbers);
    for (size_t i = 0; i < 256; i++)
        p->c[i / 16][i % 16] = (int16_t)(numbers[i] % (2 * range + 1) - range);
}

static void is_reduced(const spc_mlkem_poly *p)
{
    for (size_t i = 0; i < 256; i++)
        assert_true(abs(p->c[i / 16][i % 16]) <= SPC_MLKEM_Q / 2);
}

static int modulo(int64_t x)
{
    return (int)((x % SPC_MLKEM_Q + SPC_MLKEM_Q) % SPC_MLKEM_Q);
}

/* Against multiplication as it is defined: modulo X^256 + 1. */
static void loops_multiply(const spc_mlkem_loops *loops)
{
    spc_mlkem_vector a, b;
    spc_mlkem_poly out;
    for (unsigned round = 0; round < 20; round++) {
        int64_t expected[256] = {0};
        for (size_t k = 0; k < SPC_MLKEM_K; k++) {
            random_poly(&a.p[k], SPC_MLKEM_Q - 1);
            random_poly(&b.p[k], SPC_MLKEM_Q - 1);
            for (size_t i = 0; i < 256; i++) {
                for (size_t j = 0; j < 256; j++)
                    expected[(i + j) % 256] += (i + j < 256 ? 1 : -1) * a.p[k].c[i / 16][i % 16] *
                                               b.p[k].c[j / 16][j % 16];
            }
            loops->ntt(&a.p[k]);
            loops->ntt(&b.p[k]);
            is_reduced(&a.p[k]);
        }
        loops->product(&out, &a, &b);
        is_reduced(&out);
        loops->inverse(&out);
        is_reduced(&out);
        for (size_t i = 0; i < 256; i++)
            assert_int_equal(modulo(out.c[i / 16][i % 16]), modulo(expected[i]));
    }
}

/* Extreme coefficients must not overflow. */
static void loops_extremes(const spc_mlkem_loops *loops)
{
    spc_mlkem_vector a, b;
    spc_mlkem_poly out, copy;
    for (int sign = -1; sign <= 1; sign += 2) {
        for (size_t i = 0; i < 3 * 256; i++) {
            a.p[i / 256].c[i % 256 / 16][i % 16] = (int16_t)(sign * (SPC_MLKEM_Q - 1));
            b.p[i / 256].c[i % 256 / 16][i % 16] = SPC_MLKEM_Q / 2;
        }
        copy = a.p[0];
        loops->ntt(&copy);
        is_reduced(&copy);
        loops->scale(&copy);
        loops->inverse(&copy);
        for (size_t i = 0; i < 256; i++) /* scaled by 2^16 each */
            assert_int_equal(
                modulo((int64_t)copy.c[i / 16][i % 16]),
                modulo((int64_t)sign * (SPC_MLKEM_Q - 1) * 65536 % SPC_MLKEM_Q * 65536));
        loops->product(&out, &a, &b);
        is_reduced(&out);
    }
}

/* Compress: 2^bits * x / q, rounded half up, for each x. */
static void loops_pack(const spc_mlkem_loops *loops)
{
    spc_mlkem_poly p;
    uint8_t u[SPC_MLKEM_U_BYTES], v[SPC_MLKEM_V_BYTES];
    for (int first = 0; first < SPC_MLKEM_Q; first += 256) {
        for (int i = 0; i < 256; i++) {
            int x = (first + i) % SPC_MLKEM_Q;
            p.c[i / 16][i % 16] = (int16_t)(x > SPC_MLKEM_Q / 2 ? x - SPC_MLKEM_Q : x);
        }
        loops->pack_u(u, &p);
        loops->pack_v(v, &p);
        for (int i = 0; i < 256; i++) {
            int x = (first + i) % SPC_MLKEM_Q;
            unsigned ten = (unsigned)(u[i * 10 / 8] | u[i * 10 / 8 + 1] << 8) >> i * 10 % 8 & 1023;
            unsigned four = (unsigned)v[i / 2] >> i % 2 * 4 & 15;
            assert_int_equal(ten, (2048 * x + SPC_MLKEM_Q) / (2 * SPC_MLKEM_Q) % 1024);
            assert_int_equal(four, (32 * x + SPC_MLKEM_Q) / (2 * SPC_MLKEM_Q) % 16);
        }
    }
}

static void loops_plain(void **unused)
{
    (void)unused;
    loops_multiply(&spc_mlkem_plain);
    loops_extremes(&spc_mlkem_plain);
    loops_pack(&spc_mlkem_plain);
}

static void loops_avx2(void **unused)
{
    (void)unused;
    if (!spc_cpu_avx2())
        skip();
    loops_multiply(&spc_mlkem_avx2);
    loops_extremes(&spc_mlkem_avx2);
    loops_pack(&spc_mlkem_avx2);
}

static void avx2_is_plain(void **unused)
{
    (void)unused;
    if (!spc_cpu_avx2())
        skip();
    const spc_mlkem_loops *loops[2] = {&spc_mlkem_plain, &spc_mlkem_avx2};
    for (unsigned round = 0; round < 500; round++) {
        spc_mlkem_vector a, b;
        spc_mlkem_poly p[2][7];
        uint8_t bytes[SPC_MLKEM_NOISE_BYTES], u[2][SPC_MLKEM_U_BYTES], v[2][SPC_MLKEM_V_BYTES];
        random_bytes(bytes, sizeof bytes);
        for (size_t k = 0; k < SPC_MLKEM_K; k++) {
            random_poly(&a.p[k], SPC_MLKEM_Q);
            random_poly(&b.p[k], SPC_MLKEM_Q / 2);
        }
        for (size_t i = 0; i < 2; i++) {
            p[i][0] = p[i][4] = p[i][5] = a.p[0];
            p[i][1] = p[i][6] = b.p[0];
            loops[i]->ntt(&p[i][0]);
            loops[i]->inverse(&p[i][1]);
            loops[i]->product(&p[i][2], &a, &b);
            loops[i]->noise(&p[i][3], bytes);
            loops[i]->add(&p[i][4], &b.p[1]);
            loops[i]->subtract(&p[i][5], &b.p[1]);
            loops[i]->scale(&p[i][6]);
            loops[i]->pack_u(u[i], &b.p[1]);
            loops[i]->pack_v(v[i], &b.p[1]);
        }
        assert_memory_equal(p[0], p[1], sizeof p[0]);
        assert_memory_equal(u[0], u[1], sizeof u[0]);
        assert_memory_equal(v[0], v[1], sizeof v[0]);
    }
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keygen_vectors), cmocka_unit_test(encaps_vectors),
        cmocka_unit_test(decaps_vectors), cmocka_unit_test(both_agree),
        cmocka_unit_test(modulus_check),  cmocka_unit_test(without_random_bytes),
        cmocka_unit_test(loops_plain),    cmocka_unit_test(loops_avx2),
        cmocka_unit_test(avx2_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
