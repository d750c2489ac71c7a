/* Polynomials of ML-KEM-768 and what is built of them (FIPS 203 4, 5). Shared with tests/kem, which
 * has the client's half.
 *
 * A polynomial is 16 rows of 16 coefficients. In normal order coefficient n is c[n / 16][n % 16];
 * in the NTT domain it is c[n % 16][n / 16], so that each step of the transform, and the
 * multiplication, work on whole rows. Coefficients are signed; "reduced" means -q/2 to q/2. */
#ifndef SPC_MLKEM_POLY_H
#define SPC_MLKEM_POLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPC_MLKEM_Q 3329
#define SPC_MLKEM_K 3
#define SPC_MLKEM_POLY_BYTES ((size_t)384) /* 12 bits of each coefficient */
#define SPC_MLKEM_NOISE_BYTES ((size_t)128)
#define SPC_MLKEM_U_BYTES ((size_t)320) /* 10 bits of each */
#define SPC_MLKEM_V_BYTES ((size_t)128) /* 4 bits of each */

typedef struct spc_mlkem_poly {
    _Alignas(32) int16_t c[16][16];
} spc_mlkem_poly;
typedef struct spc_mlkem_vector {
    spc_mlkem_poly p[SPC_MLKEM_K];
} spc_mlkem_vector;

/* The loops, compiled for any processor and once more for AVX2. */
typedef struct spc_mlkem_loops {
    /* From -q to q in normal order; reduced in the NTT domain afterwards. */
    void (*ntt)(spc_mlkem_poly *p);
    /* Reduced; gives back normal order, 2^16 times what it was, reduced: which takes away the
     * 2^-16 of a product. */
    void (*inverse)(spc_mlkem_poly *p);
    /* The inner product in the NTT domain, times 2^-16; reduced. `a` from -q to q, `b` reduced. */
    void (*product)(spc_mlkem_poly *out, const spc_mlkem_vector *a, const spc_mlkem_vector *b);
    /* Algorithm 8 for eta 2. */
    void (*noise)(spc_mlkem_poly *out, const uint8_t bytes[SPC_MLKEM_NOISE_BYTES]);
    /* a + b, reduced; |a| + |b| below 2^15. */
    void (*add)(spc_mlkem_poly *a, const spc_mlkem_poly *b);
    void (*subtract)(spc_mlkem_poly *a, const spc_mlkem_poly *b);
    /* Times 2^16. */
    void (*scale)(spc_mlkem_poly *p);
    /* Compress and ByteEncode of reduced polynomials in normal order. */
    void (*pack_u)(uint8_t out[SPC_MLKEM_U_BYTES], const spc_mlkem_poly *p);
    void (*pack_v)(uint8_t out[SPC_MLKEM_V_BYTES], const spc_mlkem_poly *p);
} spc_mlkem_loops;
extern const spc_mlkem_loops spc_mlkem_plain;
extern const spc_mlkem_loops spc_mlkem_avx2; /* empty unless compiled for x86 */
const spc_mlkem_loops *spc_mlkem_choose(void);

/* `count` polynomials of noise from SHAKE256(seed || n), n from `first` on. */
void spc_mlkem_noise(const spc_mlkem_loops *loops, const uint8_t seed[32], uint8_t first,
                     unsigned count, spc_mlkem_poly *const *out);
/* The matrix A in the NTT domain, or its transpose; coefficients 0 to q - 1. Its time depends on
 * `rho`, which is public. */
void spc_mlkem_matrix(const uint8_t rho[32], bool transposed, spc_mlkem_vector out[SPC_MLKEM_K]);
/* ByteDecode of 12 bits each, in the NTT domain. False: a coefficient is not below q. */
bool spc_mlkem_unpack(spc_mlkem_poly *out, const uint8_t bytes[SPC_MLKEM_POLY_BYTES]);
/* K-PKE.Encrypt (algorithm 14). `key` has been checked with spc_mlkem_unpack. */
void spc_mlkem_encrypt(const spc_mlkem_vector *t, const uint8_t rho[32], const uint8_t m[32],
                       const uint8_t coins[32], uint8_t *ciphertext);

#endif
