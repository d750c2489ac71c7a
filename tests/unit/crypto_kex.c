/* Key exchange methods: known answers, both sides agreeing, bad public values (RFC 8731, RFC 5656).
 */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto_vectors.h"

static spb_env env;

static const spc_kex *find(const char *name)
{
    return spc_kex_find((spb_span){(const uint8_t *)name, strlen(name)});
}

typedef struct response {
    uint8_t public_value[SPC_KEX_PUBLIC_MAX];
    uint8_t secret[SPC_KEX_SECRET_MAX];
    size_t public_length, secret_length;
} response;

static bool respond(const spc_kex *kex, const spb_env *e, const uint8_t *data, size_t length,
                    response *r)
{
    r->public_length = sizeof r->public_value;
    r->secret_length = sizeof r->secret;
    return kex->respond(kex, e, (spb_span){data, length}, r->public_value, &r->public_length,
                        r->secret, &r->secret_length);
}

static bool give_private(void *ctx, void *buffer, size_t length)
{
    const vector_bytes *key = ctx;
    if (length != key->length)
        return false;
    memcpy(buffer, key->data, length);
    return true;
}

static void x25519_vectors(void **unused)
{
    (void)unused;
    FILE *f = vectors_open("x25519", "x25519_test.json");
    if (f == NULL)
        skip();
    static vector_bytes fields[VECTOR_FIELDS];
    static const uint8_t zero[32];
    char result[16];
    unsigned count = 0, zeros = 0;
    const spc_kex *kex = find("curve25519-sha256");
    while (vectors_next(f, result, fields)) {
        spb_env fixed = env;
        response r;
        fixed.random = (sp_random){&fields[0], give_private};
        bool good = respond(kex, &fixed, fields[1].data, fields[1].length, &r);
        if (memcmp(fields[2].data, zero, 32) == 0) {
            zeros++;
            assert_false(good);
        } else {
            assert_true(good);
            assert_int_equal(r.secret_length, 32);
            assert_memory_equal(r.secret, fields[2].data, 32);
        }
        count++;
    }
    assert_int_equal(pclose(f), 0);
    assert_true(count > 50 && zeros > 0);
    print_message("X25519: %u vectors, %u of them refused for an all-zero secret\n", count, zeros);
}

/* Two servers with known keys make the same secret from each other's public value. */
static void x25519_agrees(void **unused)
{
    (void)unused;
    const spc_kex *kex = find("curve25519-sha256@libssh.org");
    static vector_bytes key[2];
    response r[2], back[2];
    static const uint8_t base[32] = {9};
    for (int i = 0; i < 2; i++) {
        spb_env fixed = env;
        memset(key[i].data, 0x11 * (i + 1), 32);
        key[i].length = 32;
        fixed.random = (sp_random){&key[i], give_private};
        assert_true(respond(kex, &fixed, base, 32, &r[i]));
        /* Against the base point, the secret is the public value itself. */
        assert_memory_equal(r[i].secret, r[i].public_value, 32);
    }
    for (int i = 0; i < 2; i++) {
        spb_env fixed = env;
        fixed.random = (sp_random){&key[i], give_private};
        assert_true(respond(kex, &fixed, r[1 - i].public_value, 32, &back[i]));
    }
    assert_memory_equal(back[0].secret, back[1].secret, 32);
}

static void x25519_refuses(void **unused)
{
    (void)unused;
    const spc_kex *kex = find("curve25519-sha256");
    uint8_t value[33] = {0};
    response r;
    assert_false(respond(kex, &env, value, 32, &r)); /* zero */
    value[0] = 1;
    assert_false(respond(kex, &env, value, 32, &r)); /* order 1 */
    value[0] = 9;
    assert_false(respond(kex, &env, value, 31, &r));
    assert_false(respond(kex, &env, value, 33, &r));
    assert_false(respond(kex, &env, value, 0, &r));
    static vector_bytes none;
    spb_env failing = env;
    failing.random = (sp_random){&none, give_private};
    assert_false(respond(kex, &failing, value, 32, &r)); /* no random bytes */
    /* Too little room. */
    size_t public_length = 31, secret_length = 32;
    assert_false(kex->respond(kex, &env, (spb_span){value, 32}, r.public_value, &public_length,
                              r.secret, &secret_length));
    public_length = 32;
    secret_length = 31;
    assert_false(kex->respond(kex, &env, (spb_span){value, 32}, r.public_value, &public_length,
                              r.secret, &secret_length));
}

static void ecdh(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        sp_key_type type;
        size_t point, secret;
    } methods[] = {{"ecdh-sha2-nistp256", SP_KEY_ECDSA_P256, 65, 32},
                   {"ecdh-sha2-nistp384", SP_KEY_ECDSA_P384, 97, 48},
                   {"ecdh-sha2-nistp521", SP_KEY_ECDSA_P521, 133, 66}};
    for (size_t i = 0; i < 3; i++) {
        const spc_kex *kex = find(methods[i].name);
        spc_pkey *client;
        spb_buffer point;
        response a, b;
        assert_true(spc_pkey_generate(&client, &env, methods[i].type, 0));
        spb_buffer_init(&point, &env, 256);
        assert_true(spc_pkey_get(client, "point", &point));
        assert_int_equal(point.length, methods[i].point);
        assert_true(respond(kex, &env, point.data, point.length, &a));
        assert_int_equal(a.public_length, methods[i].point);
        assert_int_equal(a.secret_length, methods[i].secret);
        assert_int_equal(a.public_value[0], 4);
        assert_true(respond(kex, &env, point.data, point.length, &b));
        assert_memory_not_equal(a.secret, b.secret, a.secret_length); /* fresh keys */
        /* Our own public value is a point on the curve. */
        assert_true(respond(kex, &env, a.public_value, a.public_length, &b));

        uint8_t bad[134];
        memcpy(bad, point.data, point.length);
        bad[point.length - 1] ^= 1; /* not on the curve */
        assert_false(respond(kex, &env, bad, point.length, &b));
        memcpy(bad, point.data, point.length);
        for (int form = 0; form < 8; form++) {
            bad[0] = (uint8_t)form;
            if (form != 4)
                assert_false(respond(kex, &env, bad, point.length, &b));
        }
        bad[0] = (uint8_t)(2 + (point.data[point.length - 1] & 1)); /* compressed */
        assert_false(respond(kex, &env, bad, 1 + methods[i].secret, &b));
        bad[0] = 0; /* infinity */
        assert_false(respond(kex, &env, bad, 1, &b));
        assert_false(respond(kex, &env, point.data, point.length - 1, &b));
        memset(bad, 0, sizeof bad);
        bad[0] = 4;
        assert_false(respond(kex, &env, bad, point.length, &b));
        memset(bad + 1, 0xff, sizeof bad - 1); /* coordinates above the prime */
        assert_false(respond(kex, &env, bad, point.length, &b));
        spb_buffer_free(&point);
        spc_pkey_free(client);
    }
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x25519_vectors),
        cmocka_unit_test(x25519_agrees),
        cmocka_unit_test(x25519_refuses),
        cmocka_unit_test(ecdh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
