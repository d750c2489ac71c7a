/* Ed25519 and Ed448 (RFC 8032, RFC 8709): points that no key may have, Ed448's known answers,
 * blobs, files and signatures. */
#include "key/key_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static const spb_span none;

typedef struct bytes {
    uint8_t data[256];
    size_t length;
} bytes;

static bytes from_hex(const char *hex)
{
    bytes b = {.length = strlen(hex) / 2};
    for (size_t i = 0; i < b.length; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        b.data[i] = (uint8_t)value;
    }
    return b;
}

static bool taken(sp_key_type type, const uint8_t *point, size_t length)
{
    spc_pkey *k = NULL;
    bool good = spc_pkey_from_eddsa(&k, &env, type, (spb_span){point, length}, none);
    assert_int_equal(good, k != NULL);
    spc_pkey_free(k);
    return good;
}

/* Little-endian p plus a small number, which may be negative. */
static void near_p(bool big, int offset, uint8_t out[57])
{
    size_t size = big ? 56 : 32;
    memset(out, 0, 57);
    memset(out, 0xff, size);
    if (big)
        out[28] = 0xfe;
    else
        out[31] = 0x7f;
    int carry = offset + (big ? 0 : -0x12);
    for (size_t i = 0; i < size && carry != 0; i++) {
        int sum = out[i] + carry;
        out[i] = (uint8_t)sum;
        carry = sum < 0 ? -1 : sum > 255 ? 1 : 0;
    }
}

static void points_that_no_key_has(void **unused)
{
    (void)unused;
    for (unsigned big = 0; big < 2; big++) {
        sp_key_type type = big != 0 ? SP_KEY_ED448 : SP_KEY_ED25519;
        size_t size = big != 0 ? 57 : 32;
        uint8_t point[57];
        for (unsigned sign = 0; sign < 2; sign++) {
            for (int y = 0; y < 2; y++) { /* order 4 and 1 */
                memset(point, 0, sizeof point);
                point[0] = (uint8_t)y;
                point[size - 1] |= sign != 0 ? 0x80 : 0;
                assert_false(taken(type, point, size));
            }
            for (int offset = -1; offset < 19; offset++) { /* order 2, then not reduced */
                near_p(big != 0, offset, point);
                point[size - 1] |= sign != 0 ? 0x80 : 0;
                assert_false(taken(type, point, size));
            }
            near_p(big != 0, -2, point);
            point[size - 1] |= sign != 0 ? 0x80 : 0;
            assert_true(taken(type, point, size));
            memset(point, 0, sizeof point);
            point[0] = 2;
            assert_true(taken(type, point, size));
        }
        assert_false(taken(type, point, size - 1));
        assert_false(taken(type, point, 0));
    }
    static const char *const eighth[] = {
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"};
    for (size_t i = 0; i < 4; i++) {
        bytes b = from_hex(eighth[i]);
        assert_false(taken(SP_KEY_ED25519, b.data, b.length));
    }
    uint8_t high[57] = {2}; /* bits beside the sign in the last byte */
    for (unsigned bit = 0; bit < 7; bit++) {
        high[56] = (uint8_t)(1u << bit);
        assert_false(taken(SP_KEY_ED448, high, 57));
    }
    assert_false(taken(SP_KEY_RSA, high, 32));
    assert_false(taken(SP_KEY_ECDSA_P256, high, 57));
}

/* RFC 8032 7.4 */
static void ed448_known_answers(void **unused)
{
    (void)unused;
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } cases[] = {
        {"6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b"
         "94492f8f032e7549a20098f95b",
         "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783d"
         "f1e50f6cd1fa1abeafe8256180",
         "",
         "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22"
         "ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cd"
         "da8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600"},
        {"c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397"
         "a659949ef8021e954e0a12274e",
         "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4"
         "cb82169c235160627b4c3a9480",
         "03",
         "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de"
         "8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a64729"
         "05e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes seed = from_hex(cases[i].seed), point = from_hex(cases[i].public_key);
        bytes message = from_hex(cases[i].message), expected = from_hex(cases[i].signature);
        const spb_span m = {message.data, message.length};
        const spc_signature *alg = spc_signature_find(spb_span_of("ssh-ed448"));
        spb_buffer signature;
        spc_pkey *k;
        assert_true(spc_pkey_from_eddsa(&k, &env, SP_KEY_ED448,
                                        (spb_span){point.data, point.length},
                                        (spb_span){seed.data, seed.length}));
        spb_buffer_init(&signature, &env, 256);
        assert_true(spc_sign(k, alg, m, &signature));
        assert_int_equal(signature.length, 114);
        assert_memory_equal(signature.data, expected.data, 114);
        assert_true(spc_verify(k, alg, m, (spb_span){expected.data, expected.length}));
        spc_pkey_free(k);
        point.data[0] ^= 1; /* not the seed's */
        assert_false(spc_pkey_from_eddsa(&k, &env, SP_KEY_ED448,
                                         (spb_span){point.data, point.length},
                                         (spb_span){seed.data, seed.length}));
        spb_buffer_free(&signature);
    }
}

static void ed448_keys(void **unused)
{
    (void)unused;
    sp_key *key, *again;
    size_t length;
    char text[2048];
    char line[512];

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED448, 0), 0);
    assert_string_equal(sp_key_type_name(key), "ssh-ed448");
    assert_string_equal(sp_key_short_name(key), "ED448");
    assert_int_equal(sp_key_bits(key), 448);
    const uint8_t *blob = sp_key_blob(key, &length);
    assert_int_equal(length, 4 + 9 + 4 + 57);
    uint8_t copy[128];
    memcpy(copy, blob, length);
    copy[length] = 0;
    for (size_t cut = 0; cut < length; cut++)
        assert_true(sp_key_from_blob(&again, copy, cut) < 0);
    assert_int_equal(sp_key_from_blob(&again, copy, length + 1), SP_EFORMAT);
    copy[length - 1] |= 1;
    assert_int_equal(sp_key_from_blob(&again, copy, length), SP_EFORMAT);

    assert_true(sp_key_format_public(key, "me", line, sizeof line) > 0);
    assert_int_equal(sp_key_parse_public(&again, line), 0);
    assert_true(sp_key_equal(key, again));
    sp_key_unref(again);
    for (unsigned i = 0; i < 3; i++) {
        sp_private_options o = {SP_PRIVATE_OPTIONS_INIT, .rounds = 1};
        o.passphrase = i == 0 ? NULL : "word";
        o.format = i == 2 ? SP_PRIVATE_PKCS8 : SP_PRIVATE_OPENSSH;
        length = sizeof text;
        assert_int_equal(sp_key_format_private(key, &o, text, &length), 0);
        assert_int_equal(sp_key_parse_private(&again, text, length, o.passphrase), 0);
        assert_true(sp_key_equal(key, again) && sp_key_is_private(again));
        sp_key_unref(again);
    }
    sp_key_unref(key);
}

static void ed448_signatures(void **unused)
{
    (void)unused;
    sp_key *key, *other;
    uint8_t s[SP_SIGNATURE_MAX];
    size_t length = sizeof s;

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED448, 0), 0);
    assert_int_equal(sp_key_generate(&other, SP_KEY_ED25519, 0), 0);
    assert_int_equal(sp_key_sign(key, "ssh-ed448", "data", 4, s, &length), 0);
    assert_int_equal(length, 4 + 9 + 4 + 114);
    assert_true(sp_key_verify(key, "ssh-ed448", "data", 4, s, length));
    assert_false(sp_key_verify(key, "ssh-ed25519", "data", 4, s, length));
    assert_false(sp_key_verify(other, "ssh-ed448", "data", 4, s, length));
    assert_false(sp_key_verify(key, "ssh-ed448", "datb", 4, s, length));
    for (size_t cut = 0; cut < length; cut++)
        assert_false(sp_key_verify(key, "ssh-ed448", "data", 4, s, cut));
    for (size_t at = 0; at < length; at++) {
        s[at] ^= 1;
        assert_false(sp_key_verify(key, "ssh-ed448", "data", 4, s, length));
        s[at] ^= 1;
    }
    s[length] = 0;
    assert_false(sp_key_verify(key, "ssh-ed448", "data", 4, s, length + 1));
    sp_key_unref(key);
    sp_key_unref(other);
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_that_no_key_has),
        cmocka_unit_test(ed448_known_answers),
        cmocka_unit_test(ed448_keys),
        cmocka_unit_test(ed448_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
