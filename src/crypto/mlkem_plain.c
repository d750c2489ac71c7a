/* ML-KEM's loops for any processor. */
#include "crypto/mlkem_loops.h"

const spc_mlkem_loops spc_mlkem_plain = MLKEM_LOOPS;
