/* Hashes, random bytes, base64 and the tables of algorithms. */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;

static spb_span text(const char *s)
{
    return (spb_span){(const uint8_t *)s, strlen(s)};
}

static void hashes(void **unused)
{
    (void)unused;
    /* FIPS 180 examples: "abc", here in two pieces. */
    static const uint8_t sha256[] =
        "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
    const spb_span spans[3] = {text("a"), text(""), text("bc")};
    uint8_t out[SPC_HASH_MAX];
    assert_true(spc_hash(SPC_SHA256, spans, 3, out));
    assert_memory_equal(out, sha256, 32);
    assert_true(spc_hash(SPC_SHA384, spans, 3, out));
    assert_memory_equal(out, "\xcb\x00\x75\x3f\x45\xa3\x5e\x8b", 8);
    assert_true(spc_hash(SPC_SHA512, spans, 3, out));
    assert_memory_equal(out, "\xdd\xaf\x35\xa1\x93\x61\x7a\xba", 8);
    assert_true(spc_hash(SPC_SHA1, spans, 3, out));
    assert_memory_equal(out, "\xa9\x99\x3e\x36\x47\x06\x81\x6a", 8);
    assert_int_equal(spc_hash_size(SPC_SHA1), 20);
    assert_int_equal(spc_hash_size(SPC_SHA256), 32);
    assert_int_equal(spc_hash_size(SPC_SHA384), 48);
    assert_int_equal(spc_hash_size(SPC_SHA512), 64);
    assert_false(spc_hash((spc_hash_id)0, spans, 3, out));
    assert_false(spc_hash((spc_hash_id)9, spans, 3, out));
}

static bool fixed_fill(void *ctx, void *buffer, size_t length)
{
    memset(buffer, *(int *)ctx, length);
    return *(int *)ctx != 0;
}

static void random_bytes(void **unused)
{
    (void)unused;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(spc_random(&env, a, sizeof a));
    assert_true(spc_random(&env, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);

    int value = 0x5a;
    spb_env fixed = env;
    fixed.random = (sp_random){&value, fixed_fill};
    assert_true(spc_random(&fixed, a, sizeof a));
    assert_int_equal(a[31], 0x5a);
    value = 0; /* the source fails */
    assert_false(spc_random(&fixed, a, sizeof a));
}

static void base64(void **unused)
{
    (void)unused;
    static const struct {
        const char *plain, *packed;
    } good[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    static const char *const bad[] = {"Z",      "Zg",   "Zg=",   "Zh==",     "Zm9=",  "Zg==Zg==",
                                      "Z=g=",   "====", "===",   "A===",     "Zm9v ", " Zm9v",
                                      "Zm9v\n", "Zm-_", "Zm9vZ", "Zm9v====", "=m9v",  "\xc3\xa9Zg"};
    spb_buffer b;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        spb_buffer_init(&b, &env, 64);
        assert_true(spc_base64_encode(text(good[i].plain), &b));
        assert_true(spb_span_is((spb_span){b.data, b.length}, good[i].packed));
        spb_buffer_clear(&b);
        assert_true(spc_base64_decode(text(good[i].packed), &b));
        assert_true(spb_span_is((spb_span){b.data, b.length}, good[i].plain));
        spb_buffer_free(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        spb_buffer_init(&b, &env, 64);
        assert_false(spc_base64_decode(text(bad[i]), &b));
        assert_int_equal(b.length, 0);
        spb_buffer_free(&b);
    }
    /* All byte values, and a limit that is too small. */
    uint8_t all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    spb_buffer c;
    spb_buffer_init(&b, &env, 1024);
    spb_buffer_init(&c, &env, 1024);
    assert_true(spc_base64_encode((spb_span){all, sizeof all}, &b));
    assert_true(spc_base64_decode((spb_span){b.data, b.length}, &c));
    assert_int_equal(c.length, sizeof all);
    assert_memory_equal(c.data, all, sizeof all);
    c.limit = 300;
    assert_false(spc_base64_decode((spb_span){b.data, b.length}, &c));
    spb_buffer_free(&b);
    spb_buffer_free(&c);
}

static void tables(void **unused)
{
    (void)unused;
    static const char *const kex[] = {"mlkem768x25519-sha256",
                                      "sntrup761x25519-sha512",
                                      "sntrup761x25519-sha512@openssh.com",
                                      "curve25519-sha256",
                                      "curve25519-sha256@libssh.org",
                                      "ecdh-sha2-nistp256",
                                      "ecdh-sha2-nistp384",
                                      "ecdh-sha2-nistp521"};
    for (size_t i = 0; i < sizeof kex / sizeof kex[0]; i++)
        assert_non_null(spc_kex_find(text(kex[i])));
    for (size_t i = 0; spc_kex_at(i) != NULL; i++) {
        const spc_kex *k = spc_kex_at(i);
        assert_ptr_equal(spc_kex_find(text(k->name)), k);
        assert_true(k->client_public_max <= SPC_KEX_PUBLIC_MAX);
    }
    assert_string_equal(spc_cipher_at(0)->name, "chacha20-poly1305@openssh.com");
    for (size_t i = 0; spc_cipher_at(i) != NULL; i++)
        assert_ptr_equal(spc_cipher_find(text(spc_cipher_at(i)->name)), spc_cipher_at(i));
    for (size_t i = 0; spc_mac_at(i) != NULL; i++)
        assert_ptr_equal(spc_mac_find(text(spc_mac_at(i)->name)), spc_mac_at(i));
    for (size_t i = 0; spc_signature_at(i) != NULL; i++)
        assert_ptr_equal(spc_signature_find(text(spc_signature_at(i)->name)), spc_signature_at(i));
    static const char *const never[] = {
        "",           "none",     "ssh-rsa",      "ssh-dss",
        "aes128-cbc", "hmac-md5", "aes128-ctr\0", "diffie-hellman-group1-sha1"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        spb_span name = text(never[i]);
        if (i == 6)
            name.length++; /* a NUL behind a known name */
        assert_null(spc_kex_find(name));
        assert_null(spc_cipher_find(name));
        assert_null(spc_mac_find(name));
        assert_null(spc_signature_find(name));
    }
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(base64),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
