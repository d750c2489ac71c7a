/* Diffie-Hellman and X448: both sides agree, public values that are refused, groups that are
 * refused (RFC 4253 8, RFC 8268, RFC 4419, RFC 8731). */
#include "crypto/crypto.h"

#include <openssl/bn.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static spb_env env;

typedef struct response {
    uint8_t public_value[SPC_KEX_PUBLIC_MAX];
    uint8_t secret[SPC_KEX_SECRET_MAX];
    size_t public_length, secret_length;
} response;

typedef bool (*responder)(const void *group, spb_span client_public, response *r);

static bool by_method(const void *group, spb_span client_public, response *r)
{
    const spc_kex *kex = group;
    r->public_length = sizeof r->public_value;
    r->secret_length = sizeof r->secret;
    return kex->respond(kex, &env, client_public, r->public_value, &r->public_length, r->secret,
                        &r->secret_length);
}

static bool by_group(const void *group, spb_span client_public, response *r)
{
    r->public_length = sizeof r->public_value;
    r->secret_length = sizeof r->secret;
    return spc_dh_respond_group(group, client_public, r->public_value, &r->public_length, r->secret,
                                &r->secret_length);
}

static const spc_kex *find(const char *name)
{
    return spc_kex_find(spb_span_of(name));
}

/* As the bytes of an mpint. */
static spb_span mpint(const BIGNUM *n, uint8_t out[SPC_KEX_PUBLIC_MAX])
{
    int length = BN_bn2bin(n, out + 1);
    out[0] = 0;
    bool extra = length > 0 && out[1] >= 0x80;
    return (spb_span){out + (extra ? 0 : 1), (size_t)length + (extra ? 1 : 0)};
}

/* A client with a small exponent, worked out by hand. */
static void agrees(responder respond, const void *group, const BIGNUM *p, unsigned generator)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *x = BN_new(), *g = BN_new(), *e = BN_new(), *f, *k = BN_new(), *secret;
    uint8_t bytes[SPC_KEX_PUBLIC_MAX];
    response r;

    assert_true(BN_set_word(g, generator));
    assert_true(BN_rand(x, 256, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY));
    assert_true(BN_mod_exp(e, g, x, p, ctx));
    assert_true(respond(group, mpint(e, bytes), &r));
    assert_true(r.public_value[0] < 0x80);
    assert_true(r.public_value[0] != 0 || r.public_value[1] >= 0x80);
    f = BN_bin2bn(r.public_value, (int)r.public_length, NULL);
    assert_true(BN_cmp(f, p) < 0 && !BN_is_one(f));
    assert_true(BN_mod_exp(k, f, x, p, ctx));
    secret = BN_bin2bn(r.secret, (int)r.secret_length, NULL);
    assert_int_equal(BN_cmp(k, secret), 0);
    BN_free(secret);
    BN_free(f);
    BN_free(k);
    BN_free(e);
    BN_free(g);
    BN_free(x);
    BN_CTX_free(ctx);
}

/* 0, 1, p - 1, p, and above; negative, empty and padded ones; and the nearest good neighbours. */
static void refuses_values(responder respond, const void *group, const BIGNUM *p)
{
    BIGNUM *n = BN_new();
    uint8_t bytes[SPC_KEX_PUBLIC_MAX];
    response r;

    static const uint8_t zero = 0, one = 1, two = 2, negative[2] = {0x80, 1};
    static const uint8_t padded[2] = {0, 2}, twice_padded[3] = {0, 0, 0x80};
    assert_false(respond(group, (spb_span){&zero, 0}, &r));
    assert_false(respond(group, (spb_span){&zero, 1}, &r));
    assert_false(respond(group, (spb_span){&one, 1}, &r));
    assert_true(respond(group, (spb_span){&two, 1}, &r));
    assert_false(respond(group, (spb_span){negative, 2}, &r));
    assert_false(respond(group, (spb_span){padded, 2}, &r));
    assert_false(respond(group, (spb_span){twice_padded, 3}, &r));
    assert_true(BN_copy(n, p) && BN_sub_word(n, 2));
    assert_true(respond(group, mpint(n, bytes), &r));
    for (int i = 0; i < 3; i++) {
        assert_true(BN_add_word(n, 1));
        assert_false(respond(group, mpint(n, bytes), &r)); /* p - 1, p, p + 1 */
    }
    assert_true(BN_lshift(n, p, 8));
    assert_false(respond(group, mpint(n, bytes), &r));
    BN_free(n);
}

static void groups(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        unsigned bits;
    } all[] = {{"diffie-hellman-group14-sha256", 2048},
               {"diffie-hellman-group16-sha512", 4096},
               {"diffie-hellman-group18-sha512", 8192}};
    for (size_t i = 0; i < 3; i++) {
        const spc_kex *kex = find(all[i].name);
        uint8_t prime[SPC_DH_BITS_MAX / 8];
        assert_non_null(kex);
        assert_true(spc_kex_slow(kex) && spc_kex_available(kex) && !spc_kex_group_exchange(kex));
        assert_true(spc_dh_prime(all[i].bits, prime));
        BIGNUM *p = BN_bin2bn(prime, (int)all[i].bits / 8, NULL);
        assert_int_equal(BN_num_bits(p), all[i].bits);
        agrees(by_method, kex, p, 2);
        if (i == 0)
            refuses_values(by_method, kex, p);
        BN_free(p);
    }
    uint8_t none[SPC_DH_BITS_MAX / 8];
    assert_false(spc_dh_prime(1024, none));
    assert_false(spc_dh_prime(3072, none));
}

/* A safe prime that is none of RFC 3526: that of RFC 7919 with 2048 bits. */
static BIGNUM *other_prime(void)
{
    BIGNUM *p = NULL;
    assert_true(BN_hex2bn(&p, "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1"
                              "D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
                              "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD6561"
                              "2433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
                              "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE735"
                              "30ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
                              "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB19"
                              "0B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
                              "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD73"
                              "3BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
                              "886B423861285C97FFFFFFFFFFFFFFFF") > 0);
    return p;
}

static void group_exchange(void **unused)
{
    (void)unused;
    uint8_t prime[SPC_DH_BITS_MAX / 8 + 1];
    BIGNUM *p = other_prime();
    const spc_dh_group group = {prime, 256, 2};
    const uint8_t two = 2;
    response r;

    assert_int_equal(BN_bn2bin(p, prime), 256);
    agrees(by_group, &group, p, 2);
    refuses_values(by_group, &group, p);
    BN_free(p);

    const spc_kex *kex = find("diffie-hellman-group-exchange-sha256");
    assert_true(spc_kex_group_exchange(kex) && spc_kex_slow(kex));
    assert_false(by_method(kex, (spb_span){&two, 1}, &r)); /* without a group there is nothing */

    /* Groups that must not get here are refused all the same. */
    spc_dh_group bad = group;
    bad.length = 255;
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
    bad = group;
    bad.generator = 1;
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
    bad.generator = 0;
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
    bad = (spc_dh_group){prime, sizeof prime, 2};
    memset(prime, 0xff, sizeof prime);
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
    bad.length = 256;
    prime[255] = 0xfe; /* even */
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
    prime[255] = 0xff;
    prime[0] = 0;
    assert_false(by_group(&bad, (spb_span){&two, 1}, &r));
}

static void too_little_room(void **unused)
{
    (void)unused;
    const spc_kex *kex = find("diffie-hellman-group14-sha256");
    const uint8_t two = 2;
    response r;

    r.public_length = 256; /* no room for the leading zero */
    r.secret_length = 256;
    assert_false(kex->respond(kex, &env, (spb_span){&two, 1}, r.public_value, &r.public_length,
                              r.secret, &r.secret_length));
    r.public_length = 257;
    r.secret_length = 255;
    assert_false(kex->respond(kex, &env, (spb_span){&two, 1}, r.public_value, &r.public_length,
                              r.secret, &r.secret_length));
}

/* ---- X448 ---- */

static bool give(void *ctx, void *buffer, size_t length)
{
    memset(buffer, *(const uint8_t *)ctx, length);
    return true;
}

/* Two sides that agree. */
static void x448(void **unused)
{
    (void)unused;
    const spc_kex *kex = find("curve448-sha512");
    uint8_t base[57] = {5}, seeds[2] = {0x21, 0x42};
    response r[2], back[2];

    assert_true(spc_kex_available(kex) && !spc_kex_slow(kex));
    assert_int_equal(spc_hash_size(kex->hash), 64);
    for (int i = 0; i < 2; i++) {
        env.random = (sp_random){&seeds[i], give};
        assert_true(by_method(kex, (spb_span){base, 56}, &r[i]));
        assert_int_equal(r[i].public_length, 56);
        /* Against the base point, the secret is the public value itself. */
        assert_memory_equal(r[i].secret, r[i].public_value, 56);
    }
    for (int i = 0; i < 2; i++) {
        env.random = (sp_random){&seeds[i], give};
        assert_true(by_method(kex, (spb_span){r[1 - i].public_value, 56}, &back[i]));
    }
    assert_memory_equal(back[0].secret, back[1].secret, 56);
    assert_memory_not_equal(back[0].secret, r[0].secret, 56);
    env.random = (sp_random){NULL, NULL};

    assert_false(by_method(kex, (spb_span){base, 55}, &r[0]));
    assert_false(by_method(kex, (spb_span){base, 57}, &r[0]));
    base[0] = 0;
    assert_false(by_method(kex, (spb_span){base, 56}, &r[0])); /* the secret would be all zero */
    base[0] = 1;
    assert_false(by_method(kex, (spb_span){base, 56}, &r[0]));
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups),
        cmocka_unit_test(group_exchange),
        cmocka_unit_test(too_little_room),
        cmocka_unit_test(x448),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
