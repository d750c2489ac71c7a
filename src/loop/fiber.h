/* Fibers: functions on small stacks of their own that can wait in the middle. No SSH, no libuv: a
 * fiber runs when it is resumed, on the resumer's thread, until it yields or its function returns.
 *
 * Stacks are mapped, with pages that may not be touched below them, and are used again: a pool
 * keeps some. AddressSanitizer, ThreadSanitizer and valgrind are told of each stack and switch.
 *
 * Thread: one for a pool and its fibers. */
#ifndef SPL_FIBER_H
#define SPL_FIBER_H

#include "base/mem.h"

#define SPL_STACK_DEFAULT ((size_t)64 * 1024)
#define SPL_STACK_MIN ((size_t)32 * 1024)
#define SPL_STACK_MAX ((size_t)64 * 1024 * 1024)

typedef struct spl_fiber spl_fiber;
typedef struct spl_fiber_pool spl_fiber_pool;

/* `stack_size` 0: the default; rounded up to whole pages, with more where a sanitizer needs it.
 * `keep`: how many unused stacks are held for the next ones. SP_EINVAL: a size out of range. */
int spl_fiber_pool_new(spl_fiber_pool **pool, const spb_env *env, size_t stack_size, unsigned keep);
void spl_fiber_pool_free(spl_fiber_pool *pool); /* NULL is fine; all fibers must have ended */
size_t spl_fiber_pool_kept(const spl_fiber_pool *pool);

/* Ready to be resumed; it has not begun. NULL when out of memory. */
spl_fiber *spl_fiber_new(spl_fiber_pool *pool, void (*function)(void *data), void *data);
/* Lets it run. False: its function has returned, and the fiber is gone. Not from within a fiber of
 * the same pool. */
bool spl_fiber_resume(spl_fiber *fiber);
/* From within: back to the resumer, until the next resume. */
void spl_fiber_yield(spl_fiber *fiber);
/* For one that has not begun. */
void spl_fiber_free(spl_fiber *fiber);

#endif
