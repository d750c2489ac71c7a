/* Does the processor have AVX2, and does the system keep its registers? */
#include "crypto/cpu.h"

#include <stdatomic.h>

static atomic_bool plain_only;

bool spc_cpu_avx2(void)
{
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
    return __builtin_cpu_supports("avx2") &&
           !atomic_load_explicit(&plain_only, memory_order_relaxed);
#else
    return false;
#endif
}

void spc_cpu_plain(bool plain)
{
    atomic_store_explicit(&plain_only, plain, memory_order_relaxed);
}
