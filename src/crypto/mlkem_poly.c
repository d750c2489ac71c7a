/* Sampling, unpacking and encryption of ML-KEM-768 (FIPS 203 4.2.2, 5.2). Four streams of SHAKE run
 * at a time. */
#include "crypto/mlkem_poly.h"

#include "base/mem.h"
#include "crypto/cpu.h"
#include "crypto/keccak.h"
#include "crypto/opaque.h"

#include <string.h>

#define SEED 32
#define HALF_Q ((SPC_MLKEM_Q + 1u) / 2)

const spc_mlkem_loops *spc_mlkem_choose(void)
{
    return spc_cpu_avx2() ? &spc_mlkem_avx2 : &spc_mlkem_plain;
}

/* Place of coefficient n in the NTT domain. */
static int16_t *ntt_place(spc_mlkem_poly *p, unsigned n)
{
    return &p->c[n % 16][n / 16];
}

void spc_mlkem_noise(const spc_mlkem_loops *loops, const uint8_t seed[32], uint8_t first,
                     unsigned count, spc_mlkem_poly *const *out)
{
    uint8_t messages[4][SEED + 1];
    uint8_t blocks[4][SPC_SHAKE256_RATE];
    const uint8_t *in[4] = {messages[0], messages[1], messages[2], messages[3]};
    uint8_t *to[4] = {blocks[0], blocks[1], blocks[2], blocks[3]};
    spc_keccak4 k;

    for (unsigned done = 0; done < count; done += 4) {
        for (unsigned i = 0; i < 4; i++) {
            memcpy(messages[i], seed, SEED);
            messages[i][SEED] = (uint8_t)(first + done + i);
        }
        spc_keccak4_start(&k, SPC_SHAKE256, in, SEED + 1);
        spc_keccak4_block(&k, to);
        for (unsigned i = 0; i < 4 && done + i < count; i++)
            loops->noise(out[done + i], blocks[i]);
    }
    sp_zero(messages, sizeof messages);
    sp_zero(blocks, sizeof blocks);
    sp_zero(&k, sizeof k);
}

/* SampleNTT (algorithm 7) over one block more; how many coefficients there are now. */
static unsigned sample(spc_mlkem_poly *out, unsigned have, const uint8_t block[SPC_SHAKE128_RATE])
{
    for (unsigned i = 0; i < SPC_SHAKE128_RATE && have < 256; i += 3) {
        unsigned a = block[i] | (block[i + 1] & 15u) << 8;
        unsigned b = block[i + 1] >> 4 | (unsigned)block[i + 2] << 4;
        if (a < SPC_MLKEM_Q)
            *ntt_place(out, have++) = (int16_t)a;
        if (b < SPC_MLKEM_Q && have < 256)
            *ntt_place(out, have++) = (int16_t)b;
    }
    return have;
}

/* Entries `first` to `first` + 3 of the matrix, row by row; those behind the last are not kept. */
static void sample_four(const uint8_t rho[32], bool transposed, unsigned first,
                        spc_mlkem_vector out[SPC_MLKEM_K])
{
    uint8_t messages[4][SEED + 2];
    uint8_t blocks[4][SPC_SHAKE128_RATE];
    const uint8_t *in[4] = {messages[0], messages[1], messages[2], messages[3]};
    uint8_t *to[4] = {blocks[0], blocks[1], blocks[2], blocks[3]};
    unsigned have[4] = {0};
    bool more = true;
    spc_keccak4 k;

    for (unsigned i = 0; i < 4; i++) {
        unsigned row = (first + i) / SPC_MLKEM_K, column = (first + i) % SPC_MLKEM_K;
        memcpy(messages[i], rho, SEED);
        messages[i][SEED] = (uint8_t)(transposed ? row : column);
        messages[i][SEED + 1] = (uint8_t)(transposed ? column : row);
    }
    spc_keccak4_start(&k, SPC_SHAKE128, in, SEED + 2);
    while (more) {
        more = false;
        spc_keccak4_block(&k, to);
        for (unsigned i = 0; i < 4 && first + i < SPC_MLKEM_K * SPC_MLKEM_K; i++) {
            unsigned at = first + i;
            have[i] = sample(&out[at / SPC_MLKEM_K].p[at % SPC_MLKEM_K], have[i], blocks[i]);
            more = more || have[i] < 256;
        }
    }
}

void spc_mlkem_matrix(const uint8_t rho[32], bool transposed, spc_mlkem_vector out[SPC_MLKEM_K])
{
    for (unsigned first = 0; first < SPC_MLKEM_K * SPC_MLKEM_K; first += 4)
        sample_four(rho, transposed, first, out);
}

bool spc_mlkem_unpack(spc_mlkem_poly *out, const uint8_t bytes[SPC_MLKEM_POLY_BYTES])
{
    int bad = 0; /* negative once one is not below q */

    for (unsigned i = 0; i < 128; i++) {
        const uint8_t *b = bytes + (size_t)3 * i;
        int low = b[0] | (b[1] & 15) << 8, high = b[1] >> 4 | b[2] << 4;
        bad |= ~(low - SPC_MLKEM_Q) | ~(high - SPC_MLKEM_Q);
        *ntt_place(out, 2 * i) = (int16_t)low;
        *ntt_place(out, 2 * i + 1) = (int16_t)high;
    }
    return bad >= 0;
}

/* Decompress of one bit each: q/2 rounded up, or nothing. */
static void message_poly(spc_mlkem_poly *out, const uint8_t m[32])
{
    int16_t *c = out->c[0];

    for (unsigned i = 0; i < 256; i++)
        c[i] = (int16_t)(spc_opaque(0 - ((uint32_t)m[i / 8] >> i % 8 & 1)) & HALF_Q);
}

/* What encryption holds in between: all of it secret but the matrix. */
typedef struct encryption {
    spc_mlkem_vector matrix[SPC_MLKEM_K];
    spc_mlkem_vector r, e1;
    spc_mlkem_poly e2, u, v, message;
} encryption;

void spc_mlkem_encrypt(const spc_mlkem_vector *t, const uint8_t rho[32], const uint8_t m[32],
                       const uint8_t coins[32], uint8_t *ciphertext)
{
    const spc_mlkem_loops *loops = spc_mlkem_choose();
    encryption w;
    spc_mlkem_poly *const noises[2 * SPC_MLKEM_K + 1] = {
        &w.r.p[0], &w.r.p[1], &w.r.p[2], &w.e1.p[0], &w.e1.p[1], &w.e1.p[2], &w.e2};

    spc_mlkem_matrix(rho, true, w.matrix);
    spc_mlkem_noise(loops, coins, 0, 2 * SPC_MLKEM_K + 1, noises);
    for (unsigned i = 0; i < SPC_MLKEM_K; i++)
        loops->ntt(&w.r.p[i]);
    for (unsigned i = 0; i < SPC_MLKEM_K; i++) {
        loops->product(&w.u, &w.matrix[i], &w.r);
        loops->inverse(&w.u);
        loops->add(&w.u, &w.e1.p[i]);
        loops->pack_u(ciphertext, &w.u);
        ciphertext += SPC_MLKEM_U_BYTES;
    }
    loops->product(&w.v, t, &w.r);
    loops->inverse(&w.v);
    message_poly(&w.message, m);
    loops->add(&w.v, &w.e2);
    loops->add(&w.v, &w.message);
    loops->pack_v(ciphertext, &w.v);
    sp_zero(&w, sizeof w);
}
