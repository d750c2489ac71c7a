/* ML-KEM's loops for processors with AVX2: the same C. */
#ifdef __AVX2__
#include "crypto/mlkem_loops.h"

const spc_mlkem_loops spc_mlkem_avx2 = MLKEM_LOOPS;
#else
#include "crypto/mlkem_poly.h"

const spc_mlkem_loops spc_mlkem_avx2 = {0};
#endif
