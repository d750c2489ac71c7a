/* SHA-3 and SHAKE against libcrypto's, in pieces and at once, and four states at a time in both
 * ways (FIPS 202). */
#include "crypto/cpu.h"
#include "crypto/keccak.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    spc_keccak_kind kind;
    const char *name;
    size_t size; /* 0: as much as is asked for */
} kinds[] = {
    {SPC_SHA3_256, "SHA3-256", SPC_SHA3_256_SIZE},
    {SPC_SHA3_512, "SHA3-512", SPC_SHA3_512_SIZE},
    {SPC_SHAKE128, "SHAKE128", 0},
    {SPC_SHAKE256, "SHAKE256", 0},
};

static uint8_t message[1000];

static void theirs(size_t kind, size_t length, uint8_t *out, size_t out_length)
{
    EVP_MD *md = EVP_MD_fetch(NULL, kinds[kind].name, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned size = 0;
    assert_non_null(md);
    assert_int_equal(EVP_DigestInit_ex2(ctx, md, NULL), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, message, length), 1);
    if (kinds[kind].size == 0)
        assert_int_equal(EVP_DigestFinalXOF(ctx, out, out_length), 1);
    else
        assert_int_equal(EVP_DigestFinal_ex(ctx, out, &size), 1);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
}

/* FIPS 202's example: the empty message. */
static void empty_message(void **unused)
{
    (void)unused;
    static const uint8_t expected[32] = {0xa7, 0xff, 0xc6, 0xf8, 0xbf, 0x1e, 0xd7, 0x66,
                                         0x51, 0xc1, 0x47, 0x56, 0xa0, 0x61, 0xd6, 0x62,
                                         0xf5, 0x80, 0xff, 0x4d, 0xe4, 0x3b, 0x49, 0xfa,
                                         0x82, 0xd8, 0x0a, 0x4b, 0x80, 0xf8, 0x43, 0x4a};
    uint8_t out[32];
    spc_keccak_once(SPC_SHA3_256, "", 0, out, sizeof out);
    assert_memory_equal(out, expected, 32);
}

static void all_lengths(void **unused)
{
    (void)unused;
    uint8_t ours[600], other[600];
    for (size_t kind = 0; kind < 4; kind++) {
        size_t size = kinds[kind].size == 0 ? sizeof ours : kinds[kind].size;
        for (size_t length = 0; length <= 400; length++) {
            theirs(kind, length, other, size);
            spc_keccak_once(kinds[kind].kind, message, length, ours, size);
            assert_memory_equal(ours, other, size);
        }
    }
}

static void in_pieces(void **unused)
{
    (void)unused;
    uint8_t ours[600], other[600];
    for (size_t kind = 0; kind < 4; kind++) {
        size_t size = kinds[kind].size == 0 ? sizeof ours : kinds[kind].size;
        theirs(kind, sizeof message, other, size);
        for (size_t piece = 1; piece < 200; piece += 3) {
            spc_keccak k;
            spc_keccak_init(&k, kinds[kind].kind);
            for (size_t at = 0; at < sizeof message; at += piece)
                spc_keccak_absorb(&k, message + at,
                                  sizeof message - at < piece ? sizeof message - at : piece);
            spc_keccak_finalize(&k);
            memset(ours, 0, sizeof ours);
            for (size_t at = 0; at < size; at += piece)
                spc_keccak_squeeze(&k, ours + at, size - at < piece ? size - at : piece);
            assert_memory_equal(ours, other, size);
        }
    }
}

static void four(void **unused)
{
    (void)unused;
    static uint8_t blocks[4][3 * SPC_SHAKE128_RATE];
    uint8_t other[3 * SPC_SHAKE128_RATE];
    for (int plain = 0; plain < 2; plain++) {
        spc_cpu_plain(plain == 1);
        for (size_t kind = 2; kind < 4; kind++) {
            for (size_t length = 0; length < SPC_SHAKE256_RATE; length += 5) {
                spc_keccak4 k;
                const uint8_t *messages[4];
                for (size_t i = 0; i < 4; i++)
                    messages[i] = message + 100 * i;
                spc_keccak4_start(&k, kinds[kind].kind, messages, length);
                for (size_t n = 0; n < 3; n++) {
                    uint8_t *out[4];
                    for (size_t i = 0; i < 4; i++)
                        out[i] = blocks[i] + n * k.rate;
                    spc_keccak4_block(&k, out);
                }
                for (size_t i = 0; i < 4; i++) {
                    spc_keccak_once(kinds[kind].kind, messages[i], length, other, sizeof other);
                    assert_memory_equal(blocks[i], other, (size_t)3 * k.rate);
                }
            }
        }
    }
    spc_cpu_plain(false);
}

static void avx2_is_plain(void **unused)
{
    (void)unused;
    if (!spc_cpu_avx2())
        skip();
    uint64_t a[25][4], b[25][4];
    for (unsigned round = 0; round < 1000; round++) {
        for (size_t i = 0; i < 25 * 4; i++)
            a[i / 4][i % 4] = (uint64_t)random() << 33 ^ (uint64_t)random();
        memcpy(b, a, sizeof a);
        spc_keccak4_permute_plain(a);
        spc_keccak4_permute_avx2(b);
        assert_memory_equal(a, b, sizeof a);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7 + i / 256);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_message), cmocka_unit_test(all_lengths),
        cmocka_unit_test(in_pieces),     cmocka_unit_test(four),
        cmocka_unit_test(avx2_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
