/* Fibers over ucontext. swapcontext saves and sets the signal mask, which costs one system call for
 * each switch (about a quarter of a microsecond); in return it is in the C library of every system,
 * knows shadow stacks, and keeps the unwinder and debuggers going.
 *
 * A stack's memory, from low to high:  guard pages | stack, growing down. The guard is larger than
 * a page, so that a frame with a large array does not step over it. The fiber's object lies
 * elsewhere: an overflow can't reach it. */
#include "loop/fiber.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define GUARD_SIZE ((size_t)64 * 1024)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(FIBER_ASAN)
#define FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(FIBER_TSAN)
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
/* A macro: the switch must stand in the frame that is left. */
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#define TSAN_SWITCH(to) __tsan_switch_to_fiber(to, 0)
#else
#define TSAN_SWITCH(to) (void)(to)
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
#define STACK_FACTOR 4u /* sanitizers put more onto the stack */
#else
#define STACK_FACTOR 1u
#endif

struct spl_fiber {
    spl_fiber_pool *pool;
    spl_fiber *next; /* among the unused */
    void *mapping;
    unsigned valgrind_id;
    void (*function)(void *data);
    void *data;
    ucontext_t own;
    ucontext_t resumer;
    bool ended;
    /* The sanitizers' notes. */
    void *fake_stack;
    const void *resumer_stack;
    size_t resumer_size;
    void *tsan_own;
    void *tsan_resumer;
};

struct spl_fiber_pool {
    spb_env env;
    size_t guard;
    size_t size; /* of a stack, without its guard */
    unsigned keep;
    unsigned kept;
    unsigned alive;
    spl_fiber *unused;
};

/* ---- stacks ---- */

static unsigned char *stack_of(const spl_fiber *fiber)
{
    return (unsigned char *)fiber->mapping + fiber->pool->guard;
}

static void destroy(spl_fiber *fiber)
{
    spl_fiber_pool *pool = fiber->pool;
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
    (void)munmap(fiber->mapping, pool->guard + pool->size);
    spb_free(&pool->env, fiber);
}

static spl_fiber *create(spl_fiber_pool *pool)
{
    size_t whole = pool->guard + pool->size;
    spl_fiber *fiber = spb_calloc(&pool->env, 1, sizeof *fiber);
    if (fiber == NULL)
        return NULL;
    fiber->pool = pool;
    fiber->mapping = mmap(NULL, whole, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (fiber->mapping == MAP_FAILED) {
        spb_free(&pool->env, fiber);
        return NULL;
    }
    if (mprotect(stack_of(fiber), pool->size, PROT_READ | PROT_WRITE) != 0) {
        (void)munmap(fiber->mapping, whole);
        spb_free(&pool->env, fiber);
        return NULL;
    }
    fiber->valgrind_id = VALGRIND_STACK_REGISTER(stack_of(fiber), stack_of(fiber) + pool->size);
    return fiber;
}

static spl_fiber *take(spl_fiber_pool *pool)
{
    spl_fiber *fiber = pool->unused;
    if (fiber == NULL)
        return create(pool);
    pool->unused = fiber->next;
    pool->kept--;
    return fiber;
}

static void give(spl_fiber *fiber)
{
    spl_fiber_pool *pool = fiber->pool;
    pool->alive--;
    if (pool->kept >= pool->keep) {
        destroy(fiber);
        return;
    }
    fiber->next = pool->unused;
    pool->unused = fiber;
    pool->kept++;
}

/* ---- what the sanitizers must hear ---- */

/* In the resumer, before and after the fiber runs. */
static void enter_begins(spl_fiber *fiber, void **fake_stack)
{
    (void)fiber;
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fake_stack, stack_of(fiber), fiber->pool->size);
#endif
#ifdef FIBER_TSAN
    fiber->tsan_resumer = __tsan_get_current_fiber();
#endif
}

static void enter_returned(spl_fiber *fiber, void *fake_stack)
{
    (void)fiber;
    (void)fake_stack;
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
}

/* In the fiber, when it begins or goes on, and when it yields or ends. */
static void entered(spl_fiber *fiber)
{
    (void)fiber;
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->resumer_stack, &fiber->resumer_size);
#endif
}

static void leaves(spl_fiber *fiber)
{
    (void)fiber;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fiber->ended ? NULL : &fiber->fake_stack, fiber->resumer_stack,
                                   fiber->resumer_size);
#endif
}

static void begun(spl_fiber *fiber)
{
    (void)fiber;
#ifdef FIBER_ASAN
    fiber->fake_stack = NULL;
#endif
#ifdef FIBER_TSAN
    fiber->tsan_own = __tsan_create_fiber(0);
#endif
}

static void over(spl_fiber *fiber)
{
    (void)fiber;
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(stack_of(fiber), fiber->pool->size); /* of frames never left */
#endif
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->tsan_own);
    fiber->tsan_own = NULL;
#endif
}

/* ---- the four functions ---- */

/* The first frame. makecontext passes ints only, so the pointer comes in halves. */
static void run(unsigned high, unsigned low)
{
    spl_fiber *fiber = (spl_fiber *)(((uintptr_t)high << 16 << 16) | low);
    entered(fiber);
    fiber->function(fiber->data);
    fiber->ended = true;
    leaves(fiber);
    TSAN_SWITCH(fiber->tsan_resumer);
    (void)setcontext(&fiber->resumer);
}

/* Apart, because getcontext returns like setjmp for all that a compiler knows. */
__attribute__((noinline)) static void prepare(spl_fiber *fiber)
{
    (void)getcontext(&fiber->own);
    fiber->own.uc_stack.ss_sp = stack_of(fiber);
    fiber->own.uc_stack.ss_size = fiber->pool->size;
    fiber->own.uc_link = NULL;
    uintptr_t at = (uintptr_t)fiber;
    makecontext(&fiber->own, (void (*)(void))(void *)run, 2, (unsigned)(at >> 16 >> 16),
                (unsigned)at);
}

spl_fiber *spl_fiber_new(spl_fiber_pool *pool, void (*function)(void *data), void *data)
{
    spl_fiber *fiber = take(pool);
    if (fiber == NULL)
        return NULL;
    pool->alive++;
    fiber->function = function;
    fiber->data = data;
    fiber->ended = false;
    begun(fiber);
    prepare(fiber);
    return fiber;
}

bool spl_fiber_resume(spl_fiber *fiber)
{
    void *fake_stack = NULL;
    enter_begins(fiber, &fake_stack);
    TSAN_SWITCH(fiber->tsan_own);
    (void)swapcontext(&fiber->resumer, &fiber->own);
    enter_returned(fiber, fake_stack);
    if (!fiber->ended)
        return true;
    over(fiber);
    give(fiber);
    return false;
}

void spl_fiber_yield(spl_fiber *fiber)
{
    leaves(fiber);
    TSAN_SWITCH(fiber->tsan_resumer);
    (void)swapcontext(&fiber->own, &fiber->resumer);
    entered(fiber);
}

void spl_fiber_free(spl_fiber *fiber)
{
    if (fiber == NULL)
        return;
    over(fiber);
    give(fiber);
}

/* ---- the pool ---- */

int spl_fiber_pool_new(spl_fiber_pool **out, const spb_env *env, size_t stack_size, unsigned keep)
{
    if (stack_size == 0)
        stack_size = SPL_STACK_DEFAULT;
    if (stack_size < SPL_STACK_MIN || stack_size > SPL_STACK_MAX)
        return SP_EINVAL;
    long known = sysconf(_SC_PAGESIZE);
    size_t page = known > 0 ? (size_t)known : 4096;
    spl_fiber_pool *pool = spb_calloc(env, 1, sizeof *pool);
    if (pool == NULL)
        return SP_ENOMEM;
    pool->env = *env;
    pool->guard = GUARD_SIZE > page ? GUARD_SIZE : page;
    pool->size = (stack_size * STACK_FACTOR + page - 1) / page * page;
    pool->keep = keep;
    *out = pool;
    return 0;
}

void spl_fiber_pool_free(spl_fiber_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->unused != NULL)
        destroy(take(pool));
    spb_env env = pool->env;
    spb_free(&env, pool);
}

size_t spl_fiber_pool_kept(const spl_fiber_pool *pool)
{
    return pool->kept;
}
