/* Signatures: round trips, tampering, lengths, and keys that must be refused (RFC 8709, RFC 5656,
 * RFC 8332). Vectors are in key_vectors.c. */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static const spb_span none;

static const spc_signature *find(const char *name)
{
    return spc_signature_find((spb_span){(const uint8_t *)name, strlen(name)});
}

/* Nothing here makes or verifies these: key_security.c. */
static bool is_security_key(const spc_signature *alg)
{
    return alg->key_type == SP_KEY_SK_ED25519 || alg->key_type == SP_KEY_SK_ECDSA_P256;
}

static void signs_and_verifies(void **unused)
{
    (void)unused;
    const spb_span data = {(const uint8_t *)"what is signed", 14};
    for (size_t i = 0; spc_signature_at(i) != NULL; i++) {
        const spc_signature *alg = spc_signature_at(i);
        spc_pkey *k, *other;
        spb_buffer s;
        if (is_security_key(alg)) {
            assert_false(spc_pkey_generate(&k, &env, alg->key_type, 0));
            continue;
        }
        assert_true(spc_pkey_generate(&k, &env, alg->key_type, 2048));
        assert_true(spc_pkey_generate(&other, &env, alg->key_type, 2048));
        assert_int_equal(spc_pkey_type(k), alg->key_type);
        spb_buffer_init(&s, &env, 4096);
        assert_true(spc_sign(k, alg, data, &s));
        spb_span whole = {s.data, s.length};
        assert_true(spc_verify(k, alg, data, whole));
        assert_false(spc_verify(other, alg, data, whole));
        assert_false(spc_verify(k, alg, (spb_span){data.data, data.length - 1}, whole));
        assert_false(spc_verify(k, alg, none, whole));
        assert_false(spc_verify(k, alg, data, none));
        for (size_t cut = 1; cut <= s.length; cut++)
            assert_false(spc_verify(k, alg, data, (spb_span){s.data, s.length - cut}));
        for (size_t at = 0; at < s.length; at++) {
            s.data[at] ^= 1;
            assert_false(spc_verify(k, alg, data, whole));
            s.data[at] ^= 1;
        }
        size_t length = s.length;
        spw_u8(&s, 0); /* a byte too many */
        assert_false(spc_verify(k, alg, data, (spb_span){s.data, s.length}));
        s.length = length;
        /* Another algorithm, even one that fits the key. */
        for (size_t j = 0; spc_signature_at(j) != NULL; j++) {
            if (j != i)
                assert_false(spc_verify(k, spc_signature_at(j), data, (spb_span){s.data, length}));
            if (spc_signature_at(j)->key_type != alg->key_type) {
                spb_buffer t;
                spb_buffer_init(&t, &env, 4096);
                assert_false(spc_sign(k, spc_signature_at(j), data, &t));
                assert_int_equal(t.length, 0);
                spb_buffer_free(&t);
            }
        }
        /* No room. */
        spb_buffer t;
        spb_buffer_init(&t, &env, 32);
        assert_false(spc_sign(k, alg, data, &t));
        spb_buffer_free(&t);
        spb_buffer_free(&s);
        spc_pkey_free(k);
        spc_pkey_free(other);
    }
}

static void a_public_key_signs_nothing(void **unused)
{
    (void)unused;
    const spb_span data = {(const uint8_t *)"x", 1};
    spc_pkey *k, *public_only;
    spb_buffer point, s;
    assert_true(spc_pkey_generate(&k, &env, SP_KEY_ECDSA_P256, 0));
    spb_buffer_init(&point, &env, 256);
    spb_buffer_init(&s, &env, 256);
    assert_true(spc_pkey_get(k, "point", &point));
    assert_true(spc_pkey_from_ecdsa(&public_only, &env, SP_KEY_ECDSA_P256,
                                    (spb_span){point.data, point.length}, none));
    assert_false(spc_sign(public_only, find("ecdsa-sha2-nistp256"), data, &s));
    assert_false(spc_pkey_get(public_only, "scalar", &s));
    assert_false(spc_pkey_get(public_only, "d", &s));
    spb_buffer_free(&point);
    spb_buffer_free(&s);
    spc_pkey_free(k);
    spc_pkey_free(public_only);
}

/* A number of `bits` bits with the top and the bottom bit set. */
static spb_span odd_number(uint8_t *room, size_t bits)
{
    size_t bytes = (bits + 7) / 8;
    memset(room, 0x55, bytes);
    room[0] = (uint8_t)(1u << ((bits - 1) % 8));
    room[bytes - 1] |= 1;
    return (spb_span){room, bytes};
}

static void rsa_sizes(void **unused)
{
    (void)unused;
    static const struct {
        size_t n_bits, e_bits;
        bool good;
    } cases[] = {
        {2048, 17, true},   {2047, 17, false},  {1024, 17, false},  {512, 17, false},
        {16384, 17, true},  {16385, 17, false}, {16392, 17, false}, {3072, 2, true},
        {3072, 1, false},   {2048, 64, true},   {2048, 65, false},  {2048, 2048, false},
        {32768, 17, false},
    };
    static uint8_t n[8192], e[8192];
    spc_pkey *k;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spb_span n_span = odd_number(n, cases[i].n_bits);
        spb_span e_span = odd_number(e, cases[i].e_bits);
        bool made = spc_pkey_from_rsa(&k, &env, n_span, e_span, none, none, none, none);
        assert_int_equal(made, cases[i].good);
        if (made)
            assert_int_equal(spc_pkey_bits(k), cases[i].n_bits);
        else
            assert_null(k);
        spc_pkey_free(k);
    }
    /* Even numbers. */
    spb_span n_span = odd_number(n, 2048);
    spb_span e_span = odd_number(e, 17);
    n[n_span.length - 1] = 2;
    assert_false(spc_pkey_from_rsa(&k, &env, n_span, e_span, none, none, none, none));
    n_span = odd_number(n, 2048);
    e[e_span.length - 1] = 2;
    assert_false(spc_pkey_from_rsa(&k, &env, n_span, e_span, none, none, none, none));
    assert_false(spc_pkey_from_rsa(&k, &env, n_span, none, none, none, none, none));
    assert_false(spc_pkey_from_rsa(&k, &env, none, e_span, none, none, none, none));
    /* Part of a private key. */
    assert_false(spc_pkey_from_rsa(&k, &env, n_span, odd_number(e, 17), n_span, none, none, none));
    assert_false(spc_pkey_generate(&k, &env, SP_KEY_RSA, 2047));
    assert_false(spc_pkey_generate(&k, &env, SP_KEY_RSA, 16385));
    assert_false(spc_pkey_generate(&k, &env, SP_KEY_NONE, 0));
}

/* A private key's halves must belong together. */
static void mismatched_private_keys(void **unused)
{
    (void)unused;
    spc_pkey *a, *b, *k;
    spb_buffer parts[8];
    for (size_t i = 0; i < 8; i++) {
        spb_buffer_init(&parts[i], &env, 4096);
        parts[i].secret = true;
    }
#define PART(i) ((spb_span){parts[i].data, parts[i].length})
    assert_true(spc_pkey_generate(&a, &env, SP_KEY_ED25519, 0));
    assert_true(spc_pkey_generate(&b, &env, SP_KEY_ED25519, 0));
    assert_int_equal(spc_pkey_bits(a), 256);
    assert_true(spc_pkey_get(a, "pub", &parts[0]) && spc_pkey_get(b, "seed", &parts[1]) &&
                spc_pkey_get(a, "seed", &parts[2]));
    assert_false(spc_pkey_from_eddsa(&k, &env, SP_KEY_ED25519, PART(0), PART(1)));
    assert_null(k);
    assert_true(spc_pkey_from_eddsa(&k, &env, SP_KEY_ED25519, PART(0), PART(2)));
    spc_pkey_free(k);
    assert_false(
        spc_pkey_from_eddsa(&k, &env, SP_KEY_ED25519, PART(0), (spb_span){parts[2].data, 31}));
    assert_false(
        spc_pkey_from_eddsa(&k, &env, SP_KEY_ED25519, (spb_span){parts[0].data, 31}, none));
    assert_false(spc_pkey_get(a, "scalar", &parts[0]));
    spc_pkey_free(a);
    spc_pkey_free(b);

    assert_true(spc_pkey_generate(&a, &env, SP_KEY_ECDSA_P521, 0));
    assert_true(spc_pkey_generate(&b, &env, SP_KEY_ECDSA_P521, 0));
    for (size_t i = 0; i < 3; i++)
        spb_buffer_clear(&parts[i]);
    assert_true(spc_pkey_get(a, "point", &parts[0]) && spc_pkey_get(b, "scalar", &parts[1]) &&
                spc_pkey_get(a, "scalar", &parts[2]));
    assert_false(spc_pkey_from_ecdsa(&k, &env, SP_KEY_ECDSA_P521, PART(0), PART(1)));
    assert_null(k);
    assert_true(spc_pkey_from_ecdsa(&k, &env, SP_KEY_ECDSA_P521, PART(0), PART(2)));
    spc_pkey_free(k);
    assert_false(spc_pkey_from_ecdsa(&k, &env, SP_KEY_ECDSA_P256, PART(0), none));
    parts[0].data[100] ^= 1; /* off the curve */
    assert_false(spc_pkey_from_ecdsa(&k, &env, SP_KEY_ECDSA_P521, PART(0), none));
    static const uint8_t zero[66];
    parts[0].data[100] ^= 1;
    assert_false(
        spc_pkey_from_ecdsa(&k, &env, SP_KEY_ECDSA_P521, PART(0), (spb_span){zero, sizeof zero}));
    spc_pkey_free(a);
    spc_pkey_free(b);

    static const char *const names[6] = {"n", "e", "d", "iqmp", "p", "q"};
    assert_true(spc_pkey_generate(&a, &env, SP_KEY_RSA, 2048));
    assert_true(spc_pkey_generate(&b, &env, SP_KEY_RSA, 2048));
    for (size_t i = 0; i < 6; i++) {
        spb_buffer_clear(&parts[i]);
        assert_true(spc_pkey_get(a, names[i], &parts[i]));
    }
    assert_true(spc_pkey_from_rsa(&k, &env, PART(0), PART(1), PART(2), PART(3), PART(4), PART(5)));
    spc_pkey_free(k);
    /* p of another key. */
    assert_true(spc_pkey_get(b, "p", &parts[6]));
    assert_false(spc_pkey_from_rsa(&k, &env, PART(0), PART(1), PART(2), PART(3), PART(6), PART(5)));
    /* d of another key: refused at once, or at the latest when it signs. */
    assert_true(spc_pkey_get(b, "d", &parts[7]));
    spb_buffer s;
    spb_buffer_init(&s, &env, 4096);
    if (spc_pkey_from_rsa(&k, &env, PART(0), PART(1), PART(7), PART(3), PART(4), PART(5)))
        assert_false(spc_sign(k, find("rsa-sha2-256"), PART(0), &s));
    spc_pkey_free(k);
    /* A wrong CRT coefficient makes wrong signatures: they never come out. */
    parts[3].data[5] ^= 1;
    if (spc_pkey_from_rsa(&k, &env, PART(0), PART(1), PART(2), PART(3), PART(4), PART(5))) {
        spb_buffer_clear(&s);
        if (spc_sign(k, find("rsa-sha2-256"), PART(0), &s))
            assert_true(spc_verify(k, find("rsa-sha2-256"), PART(0), (spb_span){s.data, s.length}));
    }
    spc_pkey_free(k);
    spb_buffer_free(&s);
    spc_pkey_free(a);
    spc_pkey_free(b);
    for (size_t i = 0; i < 8; i++)
        spb_buffer_free(&parts[i]);
}

/* Encodings of r and s that libcrypto's DER would never see. */
static void ecdsa_encodings(void **unused)
{
    (void)unused;
    const spb_span data = {(const uint8_t *)"x", 1};
    const spc_signature *alg = find("ecdsa-sha2-nistp256");
    spc_pkey *k;
    spb_buffer s, t;
    assert_true(spc_pkey_generate(&k, &env, SP_KEY_ECDSA_P256, 0));
    spb_buffer_init(&s, &env, 256);
    spb_buffer_init(&t, &env, 256);
    assert_true(spc_sign(k, alg, data, &s));
    spb_reader r;
    spr_init(&r, s.data, s.length);
    spb_span first = spr_string(&r);
    spb_span second = spr_string(&r);
    assert_true(spr_done(&r));
    spw_string(&t, first.data, first.length);
    spw_string(&t, second.data, second.length);
    assert_true(spc_verify(k, alg, data, (spb_span){t.data, t.length}));
    /* A needless zero in front. */
    spb_buffer_clear(&t);
    spw_u32(&t, (uint32_t)first.length + 1);
    spw_u8(&t, 0);
    spw_bytes(&t, first.data, first.length);
    spw_string(&t, second.data, second.length);
    assert_false(spc_verify(k, alg, data, (spb_span){t.data, t.length}));
    /* Zero. */
    spb_buffer_clear(&t);
    spw_string(&t, "", 0);
    spw_string(&t, second.data, second.length);
    assert_false(spc_verify(k, alg, data, (spb_span){t.data, t.length}));
    /* A third number. */
    spb_buffer_clear(&t);
    spw_bytes(&t, s.data, s.length);
    spw_string(&t, "\1", 1);
    assert_false(spc_verify(k, alg, data, (spb_span){t.data, t.length}));
    spb_buffer_free(&s);
    spb_buffer_free(&t);
    spc_pkey_free(k);
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_and_verifies), cmocka_unit_test(a_public_key_signs_nothing),
        cmocka_unit_test(rsa_sizes),          cmocka_unit_test(mismatched_private_keys),
        cmocka_unit_test(ecdsa_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
