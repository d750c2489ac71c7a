/* src/loop/fiber.c: switching, ends, the pool's bound, thousands at once, and the guard below each
 * stack. */
#include "support/server_stand.h"

#include "loop/fiber.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static spl_fiber_pool *make_pool(size_t stack_size, unsigned keep)
{
    spb_env env;
    spb_env_init(&env, NULL);
    spl_fiber_pool *pool = NULL;
    assert_int_equal(spl_fiber_pool_new(&pool, &env, stack_size, keep), 0);
    return pool;
}

typedef struct counter {
    spl_fiber *fiber;
    unsigned rounds;
    unsigned count;
    bool ended;
    uint64_t sum;
} counter;

static void count_up(void *data)
{
    counter *c = data;
    uint64_t kept[32]; /* must be the same after each switch */
    for (unsigned i = 0; i < 32; i++)
        kept[i] = (uint64_t)(uintptr_t)c + i;
    for (unsigned i = 0; i < c->rounds; i++) {
        c->count++;
        spl_fiber_yield(c->fiber);
    }
    for (unsigned i = 0; i < 32; i++)
        c->sum += kept[i] - (uint64_t)(uintptr_t)c;
    c->ended = true;
}

static void test_switching(void **state)
{
    (void)state;
    spl_fiber_pool *pool = make_pool(0, 2);
    counter c = {.rounds = 5};
    c.fiber = spl_fiber_new(pool, count_up, &c);
    assert_non_null(c.fiber);
    assert_int_equal(c.count, 0);
    for (unsigned i = 1; i <= 5; i++) {
        assert_true(spl_fiber_resume(c.fiber));
        assert_int_equal(c.count, i);
    }
    assert_false(spl_fiber_resume(c.fiber));
    assert_true(c.ended);
    assert_int_equal(c.sum, 31 * 32 / 2);
    assert_int_equal(spl_fiber_pool_kept(pool), 1);
    spl_fiber_pool_free(pool);
}

static void test_free_before_begin(void **state)
{
    (void)state;
    spl_fiber_pool *pool = make_pool(0, 2);
    counter c = {.rounds = 1};
    spl_fiber *fiber = spl_fiber_new(pool, count_up, &c);
    spl_fiber_free(fiber);
    spl_fiber_free(NULL);
    assert_int_equal(c.count, 0);
    assert_int_equal(spl_fiber_pool_kept(pool), 1);
    assert_ptr_equal(spl_fiber_new(pool, count_up, &c), fiber); /* used again */
    spl_fiber_free(fiber);
    spl_fiber_pool_free(pool);
}

static void test_sizes(void **state)
{
    (void)state;
    spb_env env;
    spb_env_init(&env, NULL);
    spl_fiber_pool *pool = NULL;
    assert_int_equal(spl_fiber_pool_new(&pool, &env, SPL_STACK_MIN - 1, 1), SP_EINVAL);
    assert_int_equal(spl_fiber_pool_new(&pool, &env, SPL_STACK_MAX + 1, 1), SP_EINVAL);
    assert_int_equal(spl_fiber_pool_new(&pool, &env, SIZE_MAX, 1), SP_EINVAL);
    assert_null(pool);
    spl_fiber_pool_free(NULL);
}

#define MANY 4000u

static void test_thousands(void **state)
{
    (void)state;
    spl_fiber_pool *pool = make_pool(SPL_STACK_MIN, 16);
    counter *all = calloc(MANY, sizeof *all);
    assert_non_null(all);
    for (unsigned i = 0; i < MANY; i++) {
        all[i].rounds = 1 + i % 7;
        all[i].fiber = spl_fiber_new(pool, count_up, &all[i]);
        assert_non_null(all[i].fiber);
    }
    unsigned alive = MANY;
    while (alive > 0)
        for (unsigned i = 0; i < MANY; i++)
            if (!all[i].ended && !spl_fiber_resume(all[i].fiber))
                alive--;
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(all[i].count, all[i].rounds);
    assert_int_equal(spl_fiber_pool_kept(pool), 16); /* the others are given back */
    free(all);
    spl_fiber_pool_free(pool);
}

/* Said, not asserted: what a switch costs here. */
static void test_cost(void **state)
{
    (void)state;
    const unsigned rounds = 100000;
    spl_fiber_pool *pool = make_pool(0, 1);
    counter c = {.rounds = rounds};
    struct timespec from;
    struct timespec to;
    c.fiber = spl_fiber_new(pool, count_up, &c);
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (spl_fiber_resume(c.fiber))
        ;
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    print_message("there and back: %.0f ns\n", ns / rounds);
    spl_fiber_pool_free(pool);
}

static char out_of_sight;

static unsigned eat_stack(unsigned depth) /* NOLINT: endless on purpose */
{
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (char)(depth + i);
    unsigned below = depth < 1000000 ? eat_stack(depth + 1) : 0;
    out_of_sight = frame[depth % sizeof frame];
    return below + (unsigned)frame[0];
}

static void overflow(void *data)
{
    *(unsigned *)data = eat_stack(0);
}

/* A child runs over its stack; that must end it, and not be the end of a neighbour's memory. */
static void test_guard(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        unsigned sum = 0;
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka and the sanitizers have their own */
        (void)signal(SIGBUS, SIG_DFL);
        (void)close(2);
        spl_fiber_pool *pool = make_pool(0, 0);
        spl_fiber *fiber = spl_fiber_new(pool, overflow, &sum);
        (void)spl_fiber_resume(fiber);
        _exit(0); /* got away with it */
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

/* Out of memory: no fiber, and nothing is lost. */
static void *no_memory(void *ctx, size_t size)
{
    unsigned *left = ctx;
    return *left > 0 ? ((*left)--, malloc(size)) : NULL;
}

static void *no_more_memory(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
    return NULL;
}

static void give_back(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    unsigned left = 0;
    const sp_allocator allocator = {&left, no_memory, no_more_memory, give_back};
    spb_env env;
    spb_env_init(&env, &allocator);
    spl_fiber_pool *pool = NULL;
    assert_int_equal(spl_fiber_pool_new(&pool, &env, 0, 1), SP_ENOMEM);
    left = 1;
    assert_int_equal(spl_fiber_pool_new(&pool, &env, 0, 1), 0);
    assert_null(spl_fiber_new(pool, count_up, NULL));
    spl_fiber_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switching),     cmocka_unit_test(test_free_before_begin),
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_cost),          cmocka_unit_test(test_guard),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
