/* Encodings of ML-DSA-44's polynomials (FIPS 204 7.1, 7.2). */
#include "crypto/mldsa44_poly.h"

#include <string.h>

#define N SPC_MLDSA_N

/* Algorithms 16 to 19: numbers of `bits` bits one behind the other, low bits first. `bits` is a
 * constant wherever these are called. */
static inline void pack(uint8_t *out, const int32_t *values, unsigned bits)
{
    uint64_t held = 0;
    unsigned count = 0;

    for (size_t i = 0; i < N; i++) {
        held |= (uint64_t)(uint32_t)values[i] << count;
        for (count += bits; count >= 8; count -= 8) {
            *out++ = (uint8_t)held;
            held >>= 8;
        }
    }
}

static inline void unpack(int32_t *values, const uint8_t *in, unsigned bits)
{
    uint64_t held = 0;
    unsigned count = 0;

    for (size_t i = 0; i < N; i++) {
        for (; count < bits; count += 8)
            held |= (uint64_t)*in++ << count;
        values[i] = (int32_t)(held & ((1u << bits) - 1));
        held >>= bits;
        count -= bits;
    }
}

void spc_mldsa_pack_t1(uint8_t out[SPC_MLDSA_T1_SIZE], const spc_mldsa_poly *p)
{
    pack(out, p->c, 10);
}

void spc_mldsa_unpack_t1(spc_mldsa_poly *p, const uint8_t in[SPC_MLDSA_T1_SIZE])
{
    unpack(p->c, in, 10);
}

void spc_mldsa_pack_w1(uint8_t out[SPC_MLDSA_W1_SIZE], const spc_mldsa_poly *p)
{
    pack(out, p->c, 6);
}

void spc_mldsa_pack_z(uint8_t out[SPC_MLDSA_Z_SIZE], const spc_mldsa_poly *p)
{
    int32_t values[N];

    for (size_t i = 0; i < N; i++)
        values[i] = SPC_MLDSA_GAMMA1 - p->c[i];
    pack(out, values, 18);
}

void spc_mldsa_unpack_z(spc_mldsa_poly *p, const uint8_t in[SPC_MLDSA_Z_SIZE])
{
    unpack(p->c, in, 18);
    for (size_t i = 0; i < N; i++)
        p->c[i] = SPC_MLDSA_GAMMA1 - p->c[i];
}

/* Algorithm 20: the places that are set, polynomial by polynomial, and where each ends. */
void spc_mldsa_pack_hints(uint8_t out[SPC_MLDSA_HINT_SIZE], const spc_mldsa_poly hints[SPC_MLDSA_K])
{
    size_t count = 0;

    memset(out, 0, SPC_MLDSA_HINT_SIZE);
    for (size_t i = 0; i < SPC_MLDSA_K; i++) {
        for (size_t j = 0; j < N; j++) {
            if (hints[i].c[j] != 0 && count < SPC_MLDSA_OMEGA)
                out[count++] = (uint8_t)j;
        }
        out[SPC_MLDSA_OMEGA + i] = (uint8_t)count;
    }
}

/* Algorithm 21: places must rise within a polynomial, and what is not used must be 0, so that no
 * other bytes mean the same. */
bool spc_mldsa_unpack_hints(spc_mldsa_poly hints[SPC_MLDSA_K],
                            const uint8_t in[SPC_MLDSA_HINT_SIZE])
{
    size_t at = 0;

    for (size_t i = 0; i < SPC_MLDSA_K; i++) {
        size_t end = in[SPC_MLDSA_OMEGA + i];
        memset(&hints[i], 0, sizeof hints[i]);
        if (end < at || end > SPC_MLDSA_OMEGA)
            return false;
        for (size_t first = at; at < end; at++) {
            if (at > first && in[at - 1] >= in[at])
                return false;
            hints[i].c[in[at]] = 1;
        }
    }
    for (; at < SPC_MLDSA_OMEGA; at++) {
        if (in[at] != 0)
            return false;
    }
    return true;
}
