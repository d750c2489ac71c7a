/* Every libcrypto call fails once (rule: whatever fails refuses). This file compiles the crypto
 * room itself, with the fault hook in it, so the room's objects in the library stay out of the
 * link. Two sweeps: the n-th checked call fails, for all n; and the n-th allocation, ours or
 * libcrypto's. */
#define SP_FAULT_INJECTION

#include "crypto/base64.c"
#include "crypto/fetch.c"
#include "crypto/file_cipher.c"
#include "crypto/hash.c"
#include "crypto/kex_dh.c"
#include "crypto/kex_ecdh.c"
#include "crypto/kex_hybrid.c"
#include "crypto/kex_table.c"
#undef POINT_UNCOMPRESSED
#undef X25519_SIZE
#include "crypto/kex_x25519.c"
#include "crypto/mlkem_provider.c"
#include "crypto/pkey.c"
#undef POINT_UNCOMPRESSED
#include "crypto/pkey_import.c"
#include "crypto/pkey_pem.c"
#include "crypto/protect.c"
#include "crypto/protect_chacha.c"
#include "crypto/protect_ctr.c"
#include "crypto/protect_gcm.c"
#include "crypto/random.c"
#include "crypto/sign.c"
#include "crypto/umac.c"
#include "crypto/verify.c"

#include "crypto/cipher_table.c" /* after fetch.c, which has a local of the same name */

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static spb_env env;

/* ---- the two hooks ---- */
static bool calls_armed, memory_armed;
static unsigned long calls, calls_fail_at, blocks, blocks_fail_at;

bool spc_fault(void)
{
    return calls_armed && calls++ == calls_fail_at;
}

static bool memory_fault(void)
{
    return memory_armed && blocks++ == blocks_fail_at;
}

static void *hooked_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory_fault() ? NULL : malloc(size);
}

static void *hooked_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory_fault() ? NULL : realloc(ptr, size);
}

static void hooked_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

static void *our_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return hooked_malloc(size, NULL, 0);
}

static void *our_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return hooked_realloc(ptr, size, NULL, 0);
}

static void our_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

/* ---- the operations: each true only when it worked and its result is right ---- */
typedef struct operation {
    const char *name;
    bool (*run)(void *arg);
    void *arg;
} operation;

static const spb_span message = {(const uint8_t *)"a message", 9};
static const spb_span nothing;
static spc_pkey *keys[5];
static spb_buffer points[3], made[6], pem;
static uint8_t secrets[80];

static bool run_hash(void *arg)
{
    (void)arg;
    const spb_span spans[2] = {message, message};
    uint8_t out[SPC_HASH_MAX];
    return spc_hash(SPC_SHA256, spans, 2, out);
}

static bool run_base64(void *arg)
{
    (void)arg;
    spb_buffer a, b;
    spb_buffer_init(&a, &env, 100);
    spb_buffer_init(&b, &env, 100);
    bool good =
        spc_base64_encode(message, &a) && spc_base64_decode((spb_span){a.data, a.length}, &b);
    spb_buffer_free(&a);
    spb_buffer_free(&b);
    return good;
}

/* An exchange in a group that was asked for: libcrypto is given the numbers. */
static uint8_t group_prime[256];

static bool run_group(void *arg)
{
    (void)arg;
    static const uint8_t two = 2;
    const spc_dh_group group = {group_prime, sizeof group_prime, 2};
    uint8_t mine[SPC_KEX_PUBLIC_MAX], secret[SPC_KEX_SECRET_MAX];
    size_t mine_length = sizeof mine, secret_length = sizeof secret;
    memset(secret, 0xcc, sizeof secret);
    bool good = spc_dh_respond_group(&group, (spb_span){&two, 1}, mine, &mine_length, secret,
                                     &secret_length);
    for (size_t i = 1; !good && i < 256; i++)
        assert_int_equal(secret[i], secret[0]);
    return good;
}

static bool run_kex(void *arg)
{
    const spc_kex *kex = arg;
    uint8_t mine[SPC_KEX_PUBLIC_MAX], secret[SPC_KEX_SECRET_MAX];
    size_t mine_length = sizeof mine, secret_length = sizeof secret;
    /* X25519's base point; before it, in hybrid methods, a key of zeros, which is one. */
    static const uint8_t zeros_nine[1216] = {[1216 - 32] = 9};
    static const uint8_t five[56] = {5}; /* X448's */
    static const uint8_t two = 2;
    size_t size = kex->client_public_max;
    if (size > sizeof zeros_nine)
        size = sizeof zeros_nine;
    spb_span theirs = {zeros_nine + sizeof zeros_nine - size, size};
    for (size_t i = 0; i < 3; i++) {
        if (points[i].length == kex->client_public_max)
            theirs = (spb_span){points[i].data, points[i].length};
    }
    if (kex->respond == spc_x448_respond)
        theirs = (spb_span){five, sizeof five};
    if (kex->respond == spc_dh_respond)
        theirs = (spb_span){&two, 1};
    memset(secret, 0xcc, sizeof secret);
    bool good = kex->respond(kex, &env, theirs, mine, &mine_length, secret, &secret_length);
    if (!good) { /* nothing of a secret is left: untouched, or wiped */
        for (size_t i = 1; i < 32; i++)
            assert_int_equal(secret[i], secret[0]);
    }
    return good;
}

static bool run_generate(void *arg)
{
    spc_pkey *k;
    bool good = spc_pkey_generate(&k, &env, *(const sp_key_type *)arg, 2048);
    assert_int_equal(good, k != NULL);
    spc_pkey_free(k);
    return good;
}

/* All numbers out, and the key made anew from them. */
static bool run_copy(void *arg)
{
    static const char *const rsa[6] = {"n", "e", "d", "iqmp", "p", "q"};
    static const char *const ecdsa[2] = {"point", "scalar"};
    static const char *const ed25519[2] = {"pub", "seed"};
    const spc_pkey *from = arg;
    const char *const *names = from->type == SP_KEY_RSA       ? rsa
                               : from->type == SP_KEY_ED25519 ? ed25519
                                                              : ecdsa;
    size_t count = from->type == SP_KEY_RSA ? 6 : 2;
    spb_buffer b[6];
    spc_pkey *k = NULL;
    bool good = true;
    for (size_t i = 0; i < 6; i++) {
        spb_buffer_init(&b[i], &env, 4096);
        b[i].secret = true;
    }
    for (size_t i = 0; i < count && good; i++)
        good = spc_pkey_get(from, names[i], &b[i]);
#define PART(i) ((spb_span){b[i].data, b[i].length})
    if (good && from->type == SP_KEY_RSA)
        good = spc_pkey_from_rsa(&k, &env, PART(0), PART(1), PART(2), PART(3), PART(4), PART(5));
    else if (good && from->type == SP_KEY_ED25519)
        good = spc_pkey_from_ed25519(&k, &env, PART(0), PART(1));
    else if (good)
        good = spc_pkey_from_ecdsa(&k, &env, from->type, PART(0), PART(1));
    assert_int_equal(good, k != NULL);
    spc_pkey_free(k);
    for (size_t i = 0; i < 6; i++)
        spb_buffer_free(&b[i]);
    return good;
}

static bool run_pem(void *arg)
{
    (void)arg;
    spc_pkey *k;
    int result = spc_pkey_from_pem(&k, &env, (spb_span){pem.data, pem.length}, NULL);
    assert_int_equal(result == 0, k != NULL);
    assert_true(result <= 0);
    spc_pkey_free(k);
    return result == 0;
}

/* Written, encrypted when `arg` says so, and read again. */
static bool run_pkcs8(void *arg)
{
    spb_buffer text;
    spc_pkey *k = NULL;
    spb_buffer_init(&text, &env, 8192);
    text.secret = true;
    bool good = spc_pkey_to_pkcs8(keys[0], arg, &text) &&
                spc_pkey_from_pem(&k, &env, (spb_span){text.data, text.length}, arg) == 0;
    assert_int_equal(good, k != NULL);
    spc_pkey_free(k);
    spb_buffer_free(&text);
    return good;
}

static bool run_bcrypt(void *arg)
{
    (void)arg;
    uint8_t out[40];
    return spc_bcrypt_pbkdf(&env, message, message, 1, out, sizeof out);
}

static bool run_file_cipher(void *arg)
{
    static const uint8_t zero[48];
    uint8_t text[48] = {0}, tag[16] = {0};
    bool good = spc_file_cipher_run(arg, secrets, text, sizeof text, tag, true) == 0;
    if (good)
        assert_memory_not_equal(text, zero, sizeof text);
    good = good && spc_file_cipher_run(arg, secrets, text, sizeof text, tag, false) == 0;
    if (good)
        assert_memory_equal(text, zero, sizeof text);
    return good;
}

static bool run_file_forged(void *arg)
{
    uint8_t text[48] = {0}, tag[16] = {0};
    assert_true(spc_file_cipher_run(arg, secrets, text, sizeof text, tag, false) < 0);
    return true;
}

static const spc_pkey *key_for(const spc_signature *alg)
{
    for (size_t i = 0; i < 5; i++) {
        if (keys[i]->type == alg->key_type)
            return keys[i];
    }
    return NULL;
}

static bool run_sign(void *arg)
{
    const spc_signature *alg = arg;
    spb_buffer out;
    spb_buffer_init(&out, &env, 4096);
    bool good = spc_sign(key_for(alg), alg, message, &out);
    bool memory = memory_armed, call = calls_armed;
    memory_armed = calls_armed = false;
    /* What is given out is a good signature. */
    if (good)
        assert_true(spc_verify(key_for(alg), alg, message, (spb_span){out.data, out.length}));
    memory_armed = memory;
    calls_armed = call;
    spb_buffer_free(&out);
    return good;
}

static bool run_verify(void *arg)
{
    const spc_signature *alg = arg;
    size_t i = 0;
    while (spc_signature_at(i) != alg)
        i++;
    return spc_verify(key_for(alg), alg, message, (spb_span){made[i].data, made[i].length});
}

/* A forged signature stays forged whatever fails. */
static bool run_verify_forged(void *arg)
{
    const spc_signature *alg = arg;
    size_t i = 0;
    while (spc_signature_at(i) != alg)
        i++;
    assert_false(spc_verify(key_for(alg), alg, nothing, (spb_span){made[i].data, made[i].length}));
    return true;
}

typedef struct pair {
    const spc_cipher *cipher;
    const spc_mac *mac;
} pair;

static bool run_packets(void *arg)
{
    const pair *q = arg;
    spc_protection *sealing = NULL, *opening = NULL;
    uint8_t packet[64] = {0}, out[3][160];
    size_t total = q->mac != NULL && !q->mac->etm ? 48 : 52;
    spb_put_u32(packet, (uint32_t)(total - 4));
    const spb_span spans[2] = {{packet, 14}, {packet + 14, total - 14}};
    bool good =
        spc_protection_new(&sealing, &env, q->cipher, q->mac, secrets, secrets, secrets, true) &&
        spc_protection_new(&opening, &env, q->cipher, q->mac, secrets, secrets, secrets, false);
    for (uint32_t n = 0; n < 3 && good; n++) {
        good = spc_seal(sealing, n, spans, 2, out[n]);
        if (!good) /* the nonce is not used again */
            assert_false(spc_seal(sealing, n, spans, 2, out[n]));
    }
    for (uint32_t n = 0; n < 3 && good; n++) {
        uint32_t length = 0;
        good = spc_open_length(opening, n, out[n], &length) && length == total - 4 &&
               spc_open(opening, n, out[n], length);
        if (good)
            assert_memory_equal(out[n] + 4, packet + 4, total - 4);
        else
            assert_false(spc_open(opening, n, out[n], (uint32_t)total - 4));
    }
    spc_protection_free(sealing);
    spc_protection_free(opening);
    return good;
}

static bool run_packet_forged(void *arg)
{
    const pair *q = arg;
    spc_protection *opening = NULL;
    uint8_t packet[200] = {0};
    spb_put_u32(packet, 48);
    if (spc_protection_new(&opening, &env, q->cipher, q->mac, secrets, secrets, secrets, false))
        assert_false(spc_open(opening, 0, packet, 48));
    spc_protection_free(opening);
    return true;
}

static bool run_fetch(void *arg)
{
    (void)arg;
    spc_fetched f = {0};
    bool good = fetch_all(&f);
    assert_int_equal(good, f.curve[SPC_CURVE_COUNT - 1] != NULL);
    drop_all(&f);
    return good;
}

static operation operations[200];
static size_t operation_count;
static pair pairs[64];

static void add(const char *name, bool (*run)(void *), const void *arg)
{
    operations[operation_count++] = (operation){name, run, (void *)(uintptr_t)arg};
}

static int prepare(void **unused)
{
    (void)unused;
    static const sp_key_type types[5] = {SP_KEY_ED25519, SP_KEY_ECDSA_P256, SP_KEY_ECDSA_P384,
                                         SP_KEY_ECDSA_P521, SP_KEY_RSA};
    const sp_allocator allocator = {NULL, our_malloc, our_realloc, our_free};
    spb_env_init(&env, &allocator);
    add("hash", run_hash, NULL);
    add("base64", run_base64, NULL);
    add("fetch", run_fetch, NULL);
    for (size_t i = 0; i < 5; i++) {
        assert_true(spc_pkey_generate(&keys[i], &env, types[i], 2048));
        add("generate", run_generate, &types[i]);
        add("copy", run_copy, keys[i]);
    }
    operation_count -= 2; /* RSA keys take long to make: not in a sweep */
    add("copy rsa", run_copy, keys[4]);
    for (size_t i = 0; i < 3; i++) {
        spb_buffer_init(&points[i], &env, 256);
        assert_true(spc_pkey_get(keys[i + 1], "point", &points[i]));
    }
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, keys[4]->pkey, NULL, NULL, 0, NULL, NULL),
                     1);
    long length = BIO_get_mem_data(bio, &text);
    spb_buffer_init(&pem, &env, 8192);
    spw_bytes(&pem, text, (size_t)length);
    BIO_free(bio);
    add("pem", run_pem, NULL);
    add("pkcs8", run_pkcs8, NULL);
    add("pkcs8 encrypted", run_pkcs8, "secret");
    add("bcrypt", run_bcrypt, NULL);
    for (size_t i = 0; spc_file_cipher_at(i) != NULL; i++) {
        add("file", run_file_cipher, spc_file_cipher_at(i));
        if (spc_file_cipher_at(i)->tag_length > 0)
            add("file forged", run_file_forged, spc_file_cipher_at(i));
    }
    for (size_t i = 0; spc_kex_at(i) != NULL; i++)
        /* Of the groups, which differ in size only, the one that takes the least time. */
        if (!spc_kex_slow(spc_kex_at(i)) ||
            spc_kex_at(i)->client_public_max == SPC_DH_PUBLIC_SIZE(2048))
            add(spc_kex_at(i)->name, run_kex, spc_kex_at(i));
    assert_true(spc_dh_prime(2048, group_prime));
    add("group", run_group, NULL);
    for (size_t i = 0; spc_signature_at(i) != NULL; i++) {
        const spc_signature *alg = spc_signature_at(i);
        spb_buffer_init(&made[i], &env, 4096);
        assert_true(spc_sign(key_for(alg), alg, message, &made[i]));
        add("sign", run_sign, alg);
        add("verify", run_verify, alg);
        add("verify forged", run_verify_forged, alg);
    }
    size_t n = 0;
    for (size_t i = 0; spc_cipher_at(i) != NULL; i++) {
        const spc_cipher *c = spc_cipher_at(i);
        for (size_t m = 0; m == 0 || (c->tag_length == 0 && spc_mac_at(m) != NULL); m++) {
            pairs[n] = (pair){c, c->tag_length > 0 ? NULL : spc_mac_at(m)};
            add(c->name, run_packets, &pairs[n]);
            add("packet forged", run_packet_forged, &pairs[n]);
            n++;
        }
    }
    return 0;
}

static int clean_up(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 5; i++)
        spc_pkey_free(keys[i]);
    for (size_t i = 0; i < 3; i++)
        spb_buffer_free(&points[i]);
    for (size_t i = 0; i < 6; i++)
        spb_buffer_free(&made[i]);
    spb_buffer_free(&pem);
    return 0;
}

static bool forged(const operation *o)
{
    return o->run == run_verify_forged || o->run == run_packet_forged || o->run == run_file_forged;
}

static void every_call_fails(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < operation_count; i++) {
        const operation *o = &operations[i];
        assert_true(o->run(o->arg));
        for (calls_fail_at = 0;; calls_fail_at++) {
            calls = 0;
            calls_armed = true;
            bool good = o->run(o->arg);
            calls_armed = false;
            if (calls <= calls_fail_at) {
                assert_true(good); /* the sweep is past the last call */
                break;
            }
            if (!forged(o) && good)
                fail_msg("%s: call %lu failed and was not noticed", o->name, calls_fail_at);
        }
        /* A "forged" packet may stop before its first checked call. */
        assert_true(calls_fail_at > 0);
        assert_int_equal(ERR_peek_error(), 0); /* nothing is left for others to find */
    }
}

/* libcrypto 3.0 may leave an RSA key's blinding half updated when memory fails in the middle, and
 * then makes wrong signatures until it renews the blinding, every 32 uses. None of them gets past
 * spc_sign's own check, and the key comes back. */
static void recover(const operation *o)
{
    unsigned tries = 0;

    ERR_clear_error();
    while (!o->run(o->arg))
        assert_true(++tries <= 40);
}

/* Later allocations are much alike, so the steps grow. libcrypto may get by without some memory, so
 * success is allowed: but only the right one, which the operations check themselves. */
static void every_allocation_fails(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < operation_count; i++) {
        const operation *o = &operations[i];
        if (o->run == run_fetch || (o->run == run_pkcs8 && o->arg != NULL)) /* slow on purpose */
            continue;
        for (blocks_fail_at = 0; blocks_fail_at < 3000; blocks_fail_at += 1 + blocks_fail_at / 32) {
            blocks = 0;
            memory_armed = true;
            bool good = o->run(o->arg);
            memory_armed = false;
            if (blocks <= blocks_fail_at) {
                if (!good)
                    fail_msg("%s: fails without a fault (%lu blocks)", o->name, blocks);
                break;
            }
            if (o->run == run_sign)
                recover(o);
        }
        ERR_clear_error(); /* its queue may miss the mark when its own memory failed */
    }
}

int main(void)
{
    if (CRYPTO_set_mem_functions(hooked_malloc, hooked_realloc, hooked_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
