/* Code that works on secrets under valgrind, with all secrets marked as undefined: valgrind reports
 * each branch and each address that depends on one. What is let out on purpose is marked in the
 * code (crypto/secret.h). The program starts itself under valgrind; without it there is nothing to
 * see. */
#define SP_TIMING_TEST
#include "crypto/mldsa44.c"
#include "crypto/mldsa44_pack.c"
#undef N
#include "crypto/mldsa44_poly.c"
#undef N
#undef Q
#include "crypto/mldsa44_sample.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET(ptr, size) ((void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, size))

static spb_env env;
static uint8_t seed[SPC_MLDSA44_SEED], random_bytes[SPC_MLDSA44_RANDOM];
static uint8_t public_key[SPC_MLDSA44_PUBLIC], signature[SPC_MLDSA44_SIGNATURE];

static void fill(uint8_t *out, size_t length, bool secret)
{
    assert_true(spc_random(&env, out, length));
    SPC_PUBLIC(out, length);
    if (secret)
        SECRET(out, length);
}

/* Is it still undefined where it lies now? */
static bool is_secret(const void *byte)
{
    uint8_t undefined = 0;
    return VALGRIND_GET_VBITS(byte, &undefined, 1) == 1 && undefined != 0;
}

/* Keys and signatures from secret seeds and secret randomness. */
static void test_mldsa44(void **state)
{
    static const uint8_t text[] = "a message";
    const spb_span message = {text, sizeof text};
    unsigned before = VALGRIND_COUNT_ERRORS;
    (void)state;

    for (unsigned i = 0; i < 8; i++) {
        spc_mldsa44_key *key;
        fill(seed, sizeof seed, true);
        fill(random_bytes, sizeof random_bytes, true);
        assert_true(spc_mldsa44_expand(&key, &env, seed, public_key));
        assert_true(is_secret(key->k) && is_secret(key->s1.at[3].c) && is_secret(key->t0.at));
        assert_true(spc_mldsa44_sign(key, message, message, random_bytes, signature));
        SPC_PUBLIC(signature, sizeof signature);
        assert_true(spc_mldsa44_verify(&env, public_key, message, message,
                                       (spb_span){signature, sizeof signature}));
        spc_mldsa44_free(key);
    }
    assert_int_equal(VALGRIND_COUNT_ERRORS, before);
}

/* ---- leaks that must be seen ---- */

static volatile int sink;

static void leak_by_branch(spc_mldsa44_key *key)
{
    if (key->s1.at[0].c[7] > 0)
        sink++;
}

static void leak_by_address(spc_mldsa44_key *key)
{
    static const int table[256] = {1};
    sink = table[key->k[0]];
}

/* What a careless test for the norm does: it stops at the first coefficient that is too large. */
static void leak_by_early_end(spc_mldsa44_key *key)
{
    for (size_t i = 0; i < SPC_MLDSA_N; i++) {
        if (key->t0.at[0].c[i] > SPC_MLDSA_GAMMA2) {
            sink = (int)i;
            break;
        }
    }
}

/* In a process of its own: what valgrind finds there is no finding of this program's. */
static void expect_leak(void (*leak)(spc_mldsa44_key *))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        spc_mldsa44_key *key;
        unsigned before = VALGRIND_COUNT_ERRORS;
        fill(seed, sizeof seed, true);
        if (!spc_mldsa44_expand(&key, &env, seed, public_key))
            _exit(3);
        leak(key);
        _exit(VALGRIND_COUNT_ERRORS > before ? 9 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
}

static void test_planted_leaks(void **state)
{
    (void)state;
    print_message("three reports follow on purpose\n");
    expect_leak(leak_by_branch);
    expect_leak(leak_by_address);
    expect_leak(leak_by_early_end);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mldsa44),
        cmocka_unit_test(test_planted_leaks),
    };

    (void)argc;
#ifdef __SANITIZE_ADDRESS__
    printf("skipped: AddressSanitizer and valgrind do not go together\n");
    return 0;
#endif
    if (RUNNING_ON_VALGRIND == 0) {
        execlp("valgrind", "valgrind", "-q", "--error-exitcode=9", argv[0], (char *)NULL);
        printf("skipped: there is no valgrind\n");
        return 0;
    }
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
