/* A mask that the compiler sees is all ones or zero may become a branch (clang does so with
 * ML-KEM's message bits at some levels of optimisation). */
#ifndef SPC_OPAQUE_H
#define SPC_OPAQUE_H

#include <stdint.h>

/* Its argument, whose value the compiler then knows nothing about. */
static inline uint32_t spc_opaque(uint32_t mask)
{
    __asm__("" : "+r"(mask));
    return mask;
}

#endif
