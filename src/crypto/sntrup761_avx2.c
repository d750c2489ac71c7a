/* The loops of sntrup761 for processors with AVX2: the same C. */
#ifdef __AVX2__
#include "crypto/sntrup761_loops.h"

const spc_sntrup_loops spc_sntrup_avx2 = SNTRUP_LOOPS;
#else
#include "crypto/sntrup761_poly.h"

const spc_sntrup_loops spc_sntrup_avx2 = {0};
#endif
