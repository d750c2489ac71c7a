/* No branch and no index depends on a secret: valgrind's memcheck, told that the secrets are
 * undefined, complains where one does. Runs itself under valgrind when that is there. Covers
 * ML-KEM-768 and sntrup761, both halves and both kinds of loops, and the comparisons of secrets.
 * What is made public on purpose (a ciphertext, whether two things are equal) is declared defined
 * again. */
#include "base/mem.h"
#include "crypto/cpu.h"
#include "crypto/keccak.h"
#include "crypto/mlkem_poly.h"
#include "crypto/sntrup761_poly.h"
#include "kem/kem.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif

#if __has_include(<valgrind/memcheck.h>) && !defined(SANITIZED)
#include <valgrind/memcheck.h>

#define SECRET(data, size) (void)VALGRIND_MAKE_MEM_UNDEFINED(data, size)
#define PUBLIC(data, size) (void)VALGRIND_MAKE_MEM_DEFINED(data, size)
#define VALGRIND_FAILURE 9

static spb_env env;

/* Did it come from what is secret? Else the test would see no leak. */
static bool is_secret(const uint8_t *data, size_t size)
{
    uint8_t bits[2048];
    unsigned undefined = 0;
    assert_true(size <= sizeof bits);
    assert_int_equal(VALGRIND_GET_VBITS(data, bits, size), 1);
    for (size_t i = 0; i < size; i++)
        undefined |= bits[i];
    return undefined != 0;
}

static void mlkem_encapsulation(void **unused)
{
    (void)unused;
    uint8_t seed[64] = {1}, ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE];
    uint8_t m[SPC_MLKEM_RANDOM] = {2}, ciphertext[SPC_MLKEM_CIPHERTEXT], secret[32];
    assert_true(kem_mlkem_generate((spb_span){seed, sizeof seed}, ek, dk));
    for (int plain = 0; plain < 2; plain++) {
        spc_cpu_plain(plain == 1);
        SECRET(m, sizeof m);
        assert_true(spc_mlkem_encapsulate_with(ek, m, ciphertext, secret));
        assert_true(is_secret(ciphertext, sizeof ciphertext));
        assert_true(is_secret(secret, sizeof secret));
    }
    spc_cpu_plain(false);
}

static void mlkem_client(void **unused)
{
    (void)unused;
    uint8_t seed[64] = {1}, ek[SPC_MLKEM_KEY], dk[KEM_MLKEM_PRIVATE], m[32] = {3};
    uint8_t rho[32] = {4}, sigma[32] = {5}, z[32] = {6};
    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT], secret[32];
    assert_true(kem_mlkem_generate((spb_span){seed, sizeof seed}, ek, dk));
    assert_true(spc_mlkem_encapsulate_with(ek, m, ciphertext, secret));
    for (int round = 0; round < 4; round++) {
        spc_cpu_plain(round % 2 == 1);
        if (round >= 2)
            ciphertext[7] ^= 1;
        SECRET(dk, 1152);
        SECRET(dk + sizeof dk - 32, 32);
        assert_true(kem_mlkem_decapsulate((spb_span){dk, sizeof dk},
                                          (spb_span){ciphertext, sizeof ciphertext}, secret));
        PUBLIC(dk, sizeof dk);
        SECRET(sigma, sizeof sigma);
        SECRET(z, sizeof z);
        /* The key's hash is over what was made of sigma. */
        kem_mlkem_key(rho, sigma, z, ek, dk);
        PUBLIC(ek, sizeof ek);
        PUBLIC(dk, sizeof dk);
        assert_true(kem_mlkem_generate((spb_span){seed, sizeof seed}, ek, dk));
    }
    spc_cpu_plain(false);
}

static bool secret_random(void *ctx, void *buffer, size_t length)
{
    (void)ctx;
    spb_env plain;
    spb_env_init(&plain, NULL);
    bool good = spc_random(&plain, buffer, length);
    SECRET(buffer, length);
    return good;
}

static void sntrup_encapsulation(void **unused)
{
    (void)unused;
    uint8_t key[SPC_SNTRUP_KEY] = {1, 2, 3}, ciphertext[SPC_SNTRUP_CIPHERTEXT], secret[32];
    spb_env with_secrets = env;
    with_secrets.random = (sp_random){NULL, secret_random};
    for (int plain = 0; plain < 2; plain++) {
        spc_cpu_plain(plain == 1);
        assert_true(spc_sntrup_encapsulate(&with_secrets, key, ciphertext, secret));
        assert_true(is_secret(ciphertext, sizeof ciphertext));
        assert_true(is_secret(secret, sizeof secret));
    }
    spc_cpu_plain(false);
}

/* Decapsulation; the key is made without valgrind looking, as whether it can be is no secret. */
static void sntrup_client(void **unused)
{
    (void)unused;
    uint8_t key[SPC_SNTRUP_KEY], private_key[KEM_SNTRUP_PRIVATE];
    uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT], ours[32], theirs[32];
    assert_true(kem_sntrup_generate(&env, key, private_key));
    assert_true(spc_sntrup_encapsulate(&env, key, ciphertext, ours));
    for (int round = 0; round < 4; round++) {
        spc_cpu_plain(round % 2 == 1);
        if (round == 2)
            ciphertext[7] ^= 1;
        SECRET(private_key, 2 * SPC_SNTRUP_SMALL_BYTES);
        SECRET(private_key + sizeof private_key - 32 - SPC_SNTRUP_SMALL_BYTES,
               SPC_SNTRUP_SMALL_BYTES);
        assert_true(kem_sntrup_decapsulate(private_key, ciphertext, theirs));
        PUBLIC(theirs, sizeof theirs);
        assert_int_equal(memcmp(ours, theirs, sizeof ours) == 0, round < 2);
    }
    spc_cpu_plain(false);
}

static void hashing(void **unused)
{
    (void)unused;
    uint8_t data[300] = {1}, out[64];
    SECRET(data, sizeof data);
    spc_keccak_once(SPC_SHA3_256, data, sizeof data, out, 32);
    spc_keccak_once(SPC_SHA3_512, data, sizeof data, out, 64);
    spc_keccak_once(SPC_SHAKE256, data, sizeof data, out, 64);
}

/* The two functions by which secrets are compared: X25519's result, private keys, cookies and
 * handles by ours, MACs and tags by libcrypto's. Whether they are equal is no secret. */
static void comparing(void **unused)
{
    (void)unused;
    uint8_t a[100] = {1}, b[100] = {1};
    for (size_t size = 0; size <= sizeof a; size++) {
        for (int differ = 0; differ < 2; differ++) {
            b[size / 2] ^= (uint8_t)differ;
            SECRET(a, sizeof a);
            SECRET(b, sizeof b);
            bool equal = spb_equal_secret(a, b, size);
            int libcrypto = CRYPTO_memcmp(a, b, size);
            PUBLIC(&equal, sizeof equal);
            PUBLIC(&libcrypto, sizeof libcrypto);
            PUBLIC(a, sizeof a);
            PUBLIC(b, sizeof b);
            assert_int_equal(equal, memcmp(a, b, size) == 0);
            assert_int_equal(equal, libcrypto == 0);
            b[size / 2] ^= (uint8_t)differ;
        }
    }
}

/* ---- leaks that are planted ---- */
static volatile uint8_t sink;

static void leak_by_branch(const uint8_t *secret)
{
    if (secret[0] & 1)
        sink = 1;
}

static void leak_by_index(const uint8_t *secret)
{
    static const uint8_t table[256] = {1, 2, 3};
    sink = table[secret[0]];
}

static void leak_by_memcmp(const uint8_t *secret)
{
    static const uint8_t other[32] = {1};
    static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
    if (compare(secret, other, 32) == 0)
        sink = 1;
}

/* Rejection sampling from a seed that should have been public. */
static void leak_by_sampling(const uint8_t *secret)
{
    spc_mlkem_vector matrix[SPC_MLKEM_K];
    spc_mlkem_matrix(secret, false, matrix);
}

/* In a child, whose complaints are not counted here. */
static void planted_leaks(void **unused)
{
    (void)unused;
    static void (*const leaks[])(const uint8_t *) = {leak_by_branch, leak_by_index, leak_by_memcmp,
                                                     leak_by_sampling};
    for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++) {
        int status;
        (void)fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            uint8_t secret[32] = {1};
            unsigned before = VALGRIND_COUNT_ERRORS;
            SECRET(secret, sizeof secret);
            leaks[i](secret);
            _exit(VALGRIND_COUNT_ERRORS > before ? VALGRIND_FAILURE : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), VALGRIND_FAILURE);
    }
}

/* Can valgrind run this program? It may be missing, or not read the compiler's debug information.
 */
static bool valgrind_works(const char *program)
{
    char *const arguments[] = {"valgrind", "-q", "--", (char *)(uintptr_t)program, "nothing", NULL};
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL && freopen("/dev/null", "w", stderr) != NULL)
            (void)execvp(arguments[0], arguments);
        _exit(1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool under_valgrind(const char *program)
{
    char *const arguments[] = {
        "valgrind", "-q", "--error-exitcode=9", "--", (char *)(uintptr_t)program, NULL};
    if (!RUNNING_ON_VALGRIND && valgrind_works(program))
        (void)execvp(arguments[0], arguments);
    return RUNNING_ON_VALGRIND;
}

/* Behind each case: nothing was complained about but in the children. */
static int no_complaints(void **unused)
{
    (void)unused;
    return VALGRIND_COUNT_ERRORS == 0 ? 0 : -1;
}

#define CASE(f) cmocka_unit_test_teardown(f, no_complaints)

int main(int argc, char **argv)
{
    if (argc > 1)
        return 0;
    if (!under_valgrind(argv[0])) {
        puts("[  SKIPPED ] crypto_constant_time: valgrind is missing or can't run it");
        return 0;
    }
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        CASE(mlkem_encapsulation), CASE(mlkem_client), CASE(sntrup_encapsulation),
        CASE(sntrup_client),       CASE(hashing),      CASE(comparing),
        CASE(planted_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("[  SKIPPED ] crypto_constant_time: built without valgrind's headers, or with sanitizers");
    return 0;
}

#endif
