/* ML-DSA-44 (FIPS 204): its arithmetic against plain definitions, Wycheproof's vectors, signatures
 * exchanged with an independent implementation, and what a verifier must refuse. */
#include "crypto/mldsa44_poly.c"

#include "crypto/mldsa44.h"
#include "crypto_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static spb_env env;
static const spb_span nothing;

static int64_t modulo(int64_t a)
{
    a %= Q;
    return a < 0 ? a + Q : a;
}

static void random_poly(spc_mldsa_poly *p)
{
    uint32_t values[N];

    assert_true(spc_random(&env, values, sizeof values));
    for (size_t i = 0; i < N; i++)
        p->c[i] = (int32_t)(values[i] % Q);
}

/* ---- arithmetic ---- */

static void test_zetas(void **state)
{
    (void)state;
    for (unsigned k = 0; k < N; k++) {
        int64_t value = ((int64_t)1 << 32) % Q;
        unsigned power = 0;
        for (unsigned bit = 0; bit < 8; bit++)
            power |= (k >> bit & 1) << (7 - bit);
        for (unsigned i = 0; i < power; i++)
            value = value * 1753 % Q;
        assert_int_equal(modulo(zetas[k]), value);
        assert_in_range(zetas[k] + Q / 2, 0, Q);
    }
    assert_int_equal(Q_INVERSE * (uint32_t)Q, 1);
    int64_t factor = 1; /* 2^56 */
    for (unsigned i = 0; i < 56; i++)
        factor = 2 * factor % Q;
    assert_int_equal(INVERSE_FACTOR, factor);
}

/* Products by the transform are those modulo X^256 + 1. */
static void test_product(void **state)
{
    spc_mldsa_poly a, b, c;
    int64_t plain[N];
    (void)state;

    for (unsigned round = 0; round < 20; round++) {
        memset(plain, 0, sizeof plain);
        random_poly(&a);
        random_poly(&b);
        for (size_t i = 0; round == 0 && i < N; i++)
            a.c[i] = b.c[i] = Q - 1; /* the largest there are */
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < N; j++) {
                int64_t t = (int64_t)a.c[i] * b.c[j] % Q;
                plain[(i + j) % N] += i + j < N ? t : -t;
            }
        }
        spc_mldsa_ntt(&a);
        spc_mldsa_ntt(&b);
        for (size_t i = 0; i < N; i++)
            assert_true(a.c[i] > -9 * Q && a.c[i] < 9 * Q);
        spc_mldsa_dot(&c, &a, &b, 1);
        for (size_t i = 0; i < N; i++)
            assert_true(c.c[i] > -Q && c.c[i] < Q);
        spc_mldsa_inverse_ntt(&c);
        for (size_t i = 0; i < N; i++) {
            assert_true(c.c[i] > -Q && c.c[i] < Q);
            assert_int_equal(modulo(c.c[i]), modulo(plain[i]));
        }
    }
}

/* FIPS 204's mod+- for an even modulus. */
static int32_t centred(int32_t a, int32_t m)
{
    int32_t rest = a % m;
    return rest > m / 2 ? rest - m : rest;
}

static void decompose(int32_t a, int32_t *high, int32_t *low)
{
    *low = centred(a, 2 * SPC_MLDSA_GAMMA2);
    if (a - *low == Q - 1) {
        *high = 0;
        *low -= 1;
    } else {
        *high = (a - *low) / (2 * SPC_MLDSA_GAMMA2);
    }
}

/* All q of them. */
static void test_rounding(void **state)
{
    (void)state;
    for (int32_t start = 0; start < Q; start += N) {
        spc_mldsa_poly p, high, low, t1, up, hint;
        for (int32_t i = 0; i < N; i++) {
            p.c[i] = start + i < Q ? start + i : 0;
            hint.c[i] = 1;
        }
        spc_mldsa_high(&high, &p);
        spc_mldsa_low(&low, &p);
        up = p;
        spc_mldsa_use_hint(&up, &hint);
        spc_mldsa_poly t0 = p;
        spc_mldsa_power2round(&t0, &t1);
        for (size_t i = 0; i < N; i++) {
            int32_t h, l, r = centred(p.c[i], 1 << SPC_MLDSA_D);
            decompose(p.c[i], &h, &l);
            if (high.c[i] != h || low.c[i] != l || up.c[i] != (h + (l > 0 ? 1 : 43)) % 44 ||
                t0.c[i] != r || t1.c[i] != (p.c[i] - r) >> SPC_MLDSA_D)
                fail_msg("%d is split wrongly", (int)p.c[i]);
        }
    }
}

static void test_reducing(void **state)
{
    static const int32_t values[] = {
        0, 1, -1, Q, -Q, Q - 1, 1 - Q, 2 * Q - 1, 1 - 2 * Q, 1 << 22, -(1 << 22), (1 << 22) - 1};
    spc_mldsa_poly p = {{0}}, frozen;
    (void)state;

    memcpy(p.c, values, sizeof values);
    frozen = p;
    spc_mldsa_reduce(&p);
    spc_mldsa_freeze(&frozen);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(frozen.c[i], modulo(values[i]));
        assert_int_equal(modulo(p.c[i]), modulo(values[i]));
        assert_in_range(p.c[i] + (1 << 23), (1 << 22) - (1 << 14) + 1, 3 * (1 << 22) + (1 << 14));
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        memset(&p, 0, sizeof p);
        p.c[N - 1] = sign * 99;
        assert_true(spc_mldsa_exceeds(&p, 99));
        assert_false(spc_mldsa_exceeds(&p, 100));
    }
}

/* Hints make of w + ct0 the high part of w, also over the edge. */
static void test_hints(void **state)
{
    spc_mldsa_poly w, other, hint, high;
    (void)state;

    for (unsigned round = 0; round < 100; round++) {
        random_poly(&w);
        random_poly(&other);
        if (round == 0)
            w.c[0] = 0;
        for (size_t i = 0; i < N; i++)
            other.c[i] = w.c[i] + other.c[i] % SPC_MLDSA_GAMMA2 - SPC_MLDSA_GAMMA2 / 2;
        spc_mldsa_freeze(&other);
        unsigned count = spc_mldsa_make_hint(&hint, &w, &other), set = 0;
        spc_mldsa_high(&high, &w);
        spc_mldsa_use_hint(&other, &hint);
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(other.c[i], high.c[i]);
            set += hint.c[i] != 0;
        }
        assert_int_equal(count, set);
    }
}

/* ---- encodings ---- */

static void test_packing(void **state)
{
    uint8_t bytes[SPC_MLDSA_Z_SIZE], again[SPC_MLDSA_Z_SIZE];
    spc_mldsa_poly p;
    (void)state;

    assert_true(spc_random(&env, bytes, sizeof bytes));
    spc_mldsa_unpack_z(&p, bytes);
    spc_mldsa_pack_z(again, &p);
    assert_memory_equal(bytes, again, sizeof bytes);
    assert_int_equal(p.c[0], SPC_MLDSA_GAMMA1 - (bytes[0] | bytes[1] << 8 | (bytes[2] & 3) << 16));
    spc_mldsa_unpack_t1(&p, bytes);
    spc_mldsa_pack_t1(again, &p);
    assert_memory_equal(bytes, again, SPC_MLDSA_T1_SIZE);
    for (size_t i = 0; i < N; i++)
        p.c[i] = (int32_t)(i % 44);
    spc_mldsa_pack_w1(again, &p);
    assert_int_equal(again[0], 0 | (1 & 3) << 6);
    assert_int_equal(again[1], 1 >> 2 | (2 & 15) << 4);
}

static void bad_hints(const uint8_t *in)
{
    spc_mldsa_poly hints[SPC_MLDSA_K];
    assert_false(spc_mldsa_unpack_hints(hints, in));
}

static void test_hint_encoding(void **state)
{
    uint8_t good[SPC_MLDSA_HINT_SIZE] = {3, 200, 7}, again[SPC_MLDSA_HINT_SIZE];
    uint8_t bad[SPC_MLDSA_HINT_SIZE];
    spc_mldsa_poly hints[SPC_MLDSA_K];
    (void)state;

    memcpy(good + SPC_MLDSA_OMEGA, "\2\2\3\3", 4);
    assert_true(spc_mldsa_unpack_hints(hints, good));
    assert_int_equal(hints[0].c[3] + hints[0].c[200] + hints[2].c[7], 3);
    spc_mldsa_pack_hints(again, hints);
    assert_memory_equal(again, good, sizeof good);

    memcpy(bad, good, sizeof bad);
    bad[0] = 200; /* the same place twice */
    bad_hints(bad);
    bad[0] = 201; /* places that fall */
    bad_hints(bad);
    memcpy(bad, good, sizeof bad);
    bad[3] = 1; /* something behind the last */
    bad_hints(bad);
    bad[3] = 0;
    bad[SPC_MLDSA_OMEGA - 1] = 1;
    bad_hints(bad);
    memcpy(bad, good, sizeof bad);
    bad[SPC_MLDSA_OMEGA + 1] = 1; /* ends before it starts */
    bad_hints(bad);
    memcpy(bad, good, sizeof bad);
    bad[SPC_MLDSA_OMEGA + 3] = SPC_MLDSA_OMEGA + 1; /* more than there is room for */
    bad_hints(bad);
    memset(bad, 0, sizeof bad);
    for (uint8_t i = 0; i < SPC_MLDSA_OMEGA; i++)
        bad[i] = i;
    memset(bad + SPC_MLDSA_OMEGA, SPC_MLDSA_OMEGA, 4); /* as many as there may be: good */
    assert_true(spc_mldsa_unpack_hints(hints, bad));
}

/* ---- vectors ---- */

static void test_wycheproof(void **state)
{
    static vector_bytes f[VECTOR_FIELDS];
    char result[16];
    unsigned valid = 0, invalid = 0;
    FILE *in = vectors_open("mldsa", "mldsa_44_verify_test.json");
    (void)state;

    if (in == NULL) {
        print_message("no mldsa_44_verify_test.json here\n");
        skip();
    }
    while (vectors_next(in, result, f)) {
        bool good = f[0].length == SPC_MLDSA44_PUBLIC &&
                    spc_mldsa44_verify(&env, f[0].data, (spb_span){f[2].data, f[2].length},
                                       (spb_span){f[1].data, f[1].length},
                                       (spb_span){f[3].data, f[3].length});
        if (good != (strcmp(result, "valid") == 0))
            fail_msg("after %u valid and %u invalid ones: %s is wrong", valid, invalid,
                     good ? "taken" : "refused");
        good ? valid++ : invalid++;
    }
    pclose(in);
    print_message("ML-DSA-44: %u valid and %u invalid signatures\n", valid, invalid);
    assert_true(valid > 0 && invalid > 0);
}

/* ---- signatures ---- */

typedef struct round {
    uint8_t seed[SPC_MLDSA44_SEED], random[SPC_MLDSA44_RANDOM];
    uint8_t context[255], message[300];
    size_t context_length, message_length;
    uint8_t public_key[SPC_MLDSA44_PUBLIC], signature[SPC_MLDSA44_SIGNATURE];
} round_data;

static spb_span context_of(const round_data *r)
{
    return (spb_span){r->context, r->context_length};
}

static spb_span message_of(const round_data *r)
{
    return (spb_span){r->message, r->message_length};
}

static bool verifies(const round_data *r)
{
    return spc_mldsa44_verify(&env, r->public_key, context_of(r), message_of(r),
                              (spb_span){r->signature, sizeof r->signature});
}

static void make_round(round_data *r, unsigned number)
{
    spc_mldsa44_key *key;

    assert_true(spc_random(&env, r, sizeof *r));
    r->context_length = number % 256;
    r->message_length = number % 300;
    if (number % 2 == 0)
        memset(r->random, 0, sizeof r->random); /* deterministic */
    assert_true(spc_mldsa44_expand(&key, &env, r->seed, r->public_key));
    assert_true(spc_mldsa44_sign(key, context_of(r), message_of(r), r->random, r->signature));
    spc_mldsa44_free(key);
}

static void test_round_trip(void **state)
{
    static round_data r, other;
    (void)state;

    for (unsigned i = 0; i < 40; i++) {
        make_round(&r, i);
        assert_true(verifies(&r));
        other = r;
        other.message_length++;
        assert_false(verifies(&other));
        other = r;
        other.context_length = (other.context_length + 1) % 256;
        assert_false(verifies(&other));
    }
    spb_span s = {r.signature, sizeof r.signature};
    s.length--;
    assert_false(spc_mldsa44_verify(&env, r.public_key, context_of(&r), message_of(&r), s));
    static uint8_t longer[SPC_MLDSA44_SIGNATURE + 1];
    memcpy(longer, r.signature, sizeof r.signature);
    assert_false(spc_mldsa44_verify(&env, r.public_key, context_of(&r), message_of(&r),
                                    (spb_span){longer, sizeof longer}));
    assert_false(spc_mldsa44_verify(&env, r.public_key, context_of(&r), message_of(&r), nothing));
}

/* Every byte of a signature and every 7th of a key counts. */
static void test_changed(void **state)
{
    static round_data r;
    (void)state;

    make_round(&r, 17);
    for (size_t i = 0; i < sizeof r.signature; i++) {
        r.signature[i] ^= (uint8_t)(1u << i % 8);
        assert_false(verifies(&r));
        r.signature[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t i = 0; i < sizeof r.public_key; i += 7) {
        r.public_key[i] ^= (uint8_t)(1u << i % 8);
        assert_false(verifies(&r));
        r.public_key[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(verifies(&r));
}

static void test_context_length(void **state)
{
    static round_data r;
    static const uint8_t text[256];
    spc_mldsa44_key *key;
    (void)state;

    make_round(&r, 3);
    assert_true(spc_mldsa44_expand(&key, &env, r.seed, r.public_key));
    assert_false(
        spc_mldsa44_sign(key, (spb_span){text, 256}, message_of(&r), r.random, r.signature));
    assert_false(spc_mldsa44_verify(&env, r.public_key, (spb_span){text, 256}, message_of(&r),
                                    (spb_span){r.signature, sizeof r.signature}));
    assert_true(
        spc_mldsa44_sign(key, (spb_span){text, 255}, message_of(&r), r.random, r.signature));
    spc_mldsa44_free(key);
    spc_mldsa44_free(NULL);
}

static void *no_memory(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}

static void test_out_of_memory(void **state)
{
    static round_data r;
    spc_mldsa44_key *key, *none;
    spb_env mine = env;
    (void)state;

    make_round(&r, 5);
    assert_true(spc_mldsa44_expand(&key, &mine, r.seed, r.public_key));
    mine.allocator.alloc = no_memory;
    assert_false(spc_mldsa44_sign(key, context_of(&r), message_of(&r), r.random, r.signature));
    assert_false(spc_mldsa44_verify(&mine, r.public_key, context_of(&r), message_of(&r),
                                    (spb_span){r.signature, sizeof r.signature}));
    assert_false(spc_mldsa44_expand(&none, &mine, r.seed, r.public_key));
    assert_null(none);
    spc_mldsa44_free(key);
}

/* ---- an independent implementation ---- */

static void put_hex(FILE *out, const uint8_t *data, size_t length, char end)
{
    for (size_t i = 0; i < length; i++)
        (void)fprintf(out, "%02x", data[i]);
    (void)fprintf(out, "%s%c", length == 0 ? "-" : "", end);
}

#define ROUNDS 200
static void test_noble(void **state)
{
    static round_data rounds[ROUNDS];
    char path[] = "/tmp/mldsa44.XXXXXX", command[1024], line[1 << 14];
    const char *modules = getenv("SALLYPORT_NODE_MODULES");
    unsigned count = 0;
    (void)state;

    if (modules == NULL || system("node --version >/dev/null 2>&1") != 0) {
        print_message("skipped: %s\n", modules == NULL
                                           ? "SALLYPORT_NODE_MODULES names no folder with a "
                                             "node_modules/@noble/post-quantum in it"
                                           : "there is no node");
        skip();
    }
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    for (unsigned i = 0; i < ROUNDS; i++) {
        round_data *r = &rounds[i];
        make_round(r, i);
        put_hex(out, r->seed, sizeof r->seed, ' ');
        put_hex(out, r->context, r->context_length, ' ');
        put_hex(out, r->message, r->message_length, ' ');
        put_hex(out, r->random, sizeof r->random, ' ');
        put_hex(out, r->public_key, sizeof r->public_key, ' ');
        put_hex(out, r->signature, sizeof r->signature, '\n');
    }
    assert_int_equal(fclose(out), 0);
    /* node looks for packages from where a script lies, so it goes there. */
    (void)snprintf(command, sizeof command,
                   "cd '%s' && cp '%s/tests/unit/support/mldsa44_noble.mjs' ./mldsa44_%d.mjs && "
                   "node ./mldsa44_%d.mjs < %s; rm -f ./mldsa44_%d.mjs",
                   modules, SALLYPORT_SOURCE_DIR, (int)getpid(), (int)getpid(), path,
                   (int)getpid());
    FILE *in = popen(command, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL && count < ROUNDS) {
        round_data *r = &rounds[count++];
        char *at = NULL;
        const char *context = strtok_r(line, " \n", &at);
        const char *message = strtok_r(NULL, " \n", &at);
        const char *signature = strtok_r(NULL, " \n", &at);
        assert_non_null(signature);
        assert_int_equal(hex_bytes(context, r->context, sizeof r->context), r->context_length);
        r->message_length = hex_bytes(message, r->message, sizeof r->message);
        assert_int_equal(hex_bytes(signature, r->signature, sizeof r->signature),
                         sizeof r->signature);
        assert_true(verifies(r));
    }
    pclose(in);
    (void)unlink(path);
    print_message("@noble/post-quantum: %u keys and signatures of ours are its own byte for byte, "
                  "%u of its signatures verify here\n",
                  count, count);
    assert_int_equal(count, ROUNDS);
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zetas),          cmocka_unit_test(test_product),
        cmocka_unit_test(test_rounding),       cmocka_unit_test(test_reducing),
        cmocka_unit_test(test_hints),          cmocka_unit_test(test_packing),
        cmocka_unit_test(test_hint_encoding),  cmocka_unit_test(test_wycheproof),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_changed),
        cmocka_unit_test(test_context_length), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_noble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
