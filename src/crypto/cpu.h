/* What the processor has, asked once per process. */
#ifndef SPC_CPU_H
#define SPC_CPU_H

#include <stdbool.h>

/* Files named *_avx2.c are compiled for AVX2 (cmake/library.cmake), on x86 only; elsewhere their
 * functions do nothing. Whoever calls them asks this first. Any thread. */
bool spc_cpu_avx2(void);
/* Tests: from now on the answer is no. */
void spc_cpu_plain(bool plain);

#endif
