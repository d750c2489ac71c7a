/* Polynomials of ML-DSA-44 out of SHAKE's bytes (FIPS 204 7.3), four at a time where it can be. */
#include "crypto/keccak.h"
#include "crypto/mldsa44_poly.h"
#include "crypto/secret.h"

#include "base/mem.h"

#include <string.h>

#define N SPC_MLDSA_N
#define WAYS SPC_MLDSA_K
#define MASK_BLOCKS ((SPC_MLDSA_Z_SIZE + SPC_SHAKE256_RATE - 1) / SPC_SHAKE256_RATE)
#define SHORT_SEED ((size_t)66)

/* Algorithm 14 and 30: numbers of 23 bits, those below q count. From a public seed. */
static size_t take_uniform(spc_mldsa_poly *p, size_t count, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 3 <= length && count < N; i += 3) {
        uint32_t value =
            bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)(bytes[i + 2] & 0x7f) << 16;
        if (value < SPC_MLDSA_Q)
            p->c[count++] = (int32_t)value;
    }
    return count;
}

void spc_mldsa_expand_row(spc_mldsa_poly row[WAYS], const uint8_t rho[32], unsigned r)
{
    uint8_t seeds[WAYS][34], blocks[WAYS][SPC_SHAKE128_RATE];
    const uint8_t *messages[WAYS];
    uint8_t *out[WAYS];
    size_t counts[WAYS] = {0};
    spc_keccak4 k;

    for (unsigned s = 0; s < WAYS; s++) {
        memcpy(seeds[s], rho, 32);
        seeds[s][32] = (uint8_t)s;
        seeds[s][33] = (uint8_t)r;
        messages[s] = seeds[s];
        out[s] = blocks[s];
    }
    spc_keccak4_start(&k, SPC_SHAKE128, messages, sizeof seeds[0]);
    while (counts[0] < N || counts[1] < N || counts[2] < N || counts[3] < N) {
        spc_keccak4_block(&k, out);
        for (unsigned s = 0; s < WAYS; s++)
            counts[s] = take_uniform(&row[s], counts[s], blocks[s], sizeof blocks[s]);
    }
}

/* SHAKE256 of a secret seed and the 16-bit numbers `first` up. */
static void start_four(spc_keccak4 *k, const uint8_t seed[64], unsigned first)
{
    uint8_t seeds[WAYS][SHORT_SEED];
    const uint8_t *messages[WAYS];

    for (unsigned s = 0; s < WAYS; s++) {
        memcpy(seeds[s], seed, 64);
        seeds[s][64] = (uint8_t)(first + s);
        seeds[s][65] = (uint8_t)((first + s) >> 8);
        messages[s] = seeds[s];
    }
    spc_keccak4_start(k, SPC_SHAKE256, messages, SHORT_SEED);
    sp_zero(seeds, sizeof seeds);
}

/* Algorithm 15 for eta = 2: half a byte, modulo 5, where it is below 15. Which halves are 15 is
 * independent of what the others are, so it may be seen. */
static size_t take_half(spc_mldsa_poly *p, size_t count, unsigned half)
{
    bool counts = half < 15;

    SPC_PUBLIC(&counts, sizeof counts);
    if (counts && count < N)
        p->c[count++] = 2 - (int32_t)(half - (205 * half >> 10) * 5);
    return count;
}

void spc_mldsa_expand_short(spc_mldsa_poly out[WAYS], const uint8_t seed[64], unsigned first)
{
    uint8_t blocks[WAYS][SPC_SHAKE256_RATE];
    uint8_t *at[WAYS] = {blocks[0], blocks[1], blocks[2], blocks[3]};
    size_t counts[WAYS] = {0};
    spc_keccak4 k;

    start_four(&k, seed, first);
    while (counts[0] < N || counts[1] < N || counts[2] < N || counts[3] < N) {
        spc_keccak4_block(&k, at);
        for (unsigned s = 0; s < WAYS; s++) {
            for (size_t i = 0; i < sizeof blocks[s]; i++) {
                counts[s] = take_half(&out[s], counts[s], blocks[s][i] & 15);
                counts[s] = take_half(&out[s], counts[s], blocks[s][i] >> 4);
            }
        }
    }
    sp_zero(&k, sizeof k);
    sp_zero(blocks, sizeof blocks);
}

void spc_mldsa_expand_mask(spc_mldsa_poly out[WAYS], const uint8_t seed[64], unsigned first)
{
    uint8_t bytes[WAYS][MASK_BLOCKS * SPC_SHAKE256_RATE];
    spc_keccak4 k;

    start_four(&k, seed, first);
    for (size_t i = 0; i < MASK_BLOCKS; i++) {
        uint8_t *at[WAYS];
        for (unsigned s = 0; s < WAYS; s++)
            at[s] = bytes[s] + i * SPC_SHAKE256_RATE;
        spc_keccak4_block(&k, at);
    }
    for (unsigned s = 0; s < WAYS; s++)
        spc_mldsa_unpack_z(&out[s], bytes[s]);
    sp_zero(&k, sizeof k);
    sp_zero(bytes, sizeof bytes);
}

void spc_mldsa_in_ball(spc_mldsa_poly *out, const uint8_t challenge[SPC_MLDSA_CHALLENGE])
{
    uint8_t signs[8];
    spc_keccak k;

    spc_keccak_init(&k, SPC_SHAKE256);
    spc_keccak_absorb(&k, challenge, SPC_MLDSA_CHALLENGE);
    spc_keccak_finalize(&k);
    spc_keccak_squeeze(&k, signs, sizeof signs);
    memset(out, 0, sizeof *out);
    for (unsigned bit = 0; bit < SPC_MLDSA_TAU; bit++) {
        unsigned i = N - SPC_MLDSA_TAU + bit;
        uint8_t j;
        do
            spc_keccak_squeeze(&k, &j, 1);
        while (j > i);
        out->c[i] = out->c[j];
        out->c[j] = 1 - 2 * (signs[bit / 8] >> bit % 8 & 1);
    }
}
