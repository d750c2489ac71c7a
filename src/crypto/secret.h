/* What code that works on secrets lets others know on purpose. tests/unit/crypto_timing.c compiles
 * such files with SP_TIMING_TEST and runs them under valgrind with all secrets marked as undefined:
 * a branch or an address that depends on one is then an error. Where a value that was calculated
 * from secrets is public, SPC_PUBLIC says so, and a comment beside it says why. */
#ifndef SPC_SECRET_H
#define SPC_SECRET_H

#ifdef SP_TIMING_TEST
#include <valgrind/memcheck.h>
#define SPC_PUBLIC(ptr, size) ((void)VALGRIND_MAKE_MEM_DEFINED(ptr, size))
#else
#define SPC_PUBLIC(ptr, size) ((void)(ptr), (void)(size))
#endif

#endif
