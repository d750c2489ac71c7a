/* Keccak's permutation of four states at once, in the 256-bit registers of AVX2. */
#include "crypto/keccak.h"

#ifdef __AVX2__

#include "base/mem.h"

#include <string.h>

typedef uint64_t lane __attribute__((vector_size(32)));
#include "crypto/keccak_rounds.h"

void spc_keccak4_permute_avx2(uint64_t lanes[25][4])
{
    lane a[25];

    memcpy(a, lanes, sizeof a);
    keccak_rounds(a);
    memcpy(lanes, a, sizeof a);
    sp_zero(a, sizeof a);
}

#else

void spc_keccak4_permute_avx2(uint64_t lanes[25][4])
{
    (void)lanes;
}

#endif
