/* The rings of sntrup761 and how their elements are written. Shared with tests/kem, which has the
 * client's half. p = 761, q = 4591: R/q is the polynomials modulo x^p - x - 1 with coefficients
 * from -2295 to 2295; small ones have -1, 0 and 1; short ones are small with 286 that are not 0. */
#ifndef SPC_SNTRUP761_POLY_H
#define SPC_SNTRUP761_POLY_H

#include "crypto/sntrup761.h"

#define SPC_SNTRUP_P 761
#define SPC_SNTRUP_Q 4591
#define SPC_SNTRUP_W 286
#define SPC_SNTRUP_ROUNDED_M ((SPC_SNTRUP_Q + 2) / 3) /* values of a rounded coefficient */
#define SPC_SNTRUP_ROUNDED_BYTES ((size_t)1007)
#define SPC_SNTRUP_SMALL_BYTES ((size_t)191)
#define SPC_SNTRUP_HASH ((size_t)32)
#define SPC_SNTRUP_ROOM 768 /* P, up to a whole number of vectors */

/* Two windows on it hold what a product needs; the caller wipes it. */
typedef struct spc_sntrup_window {
    int16_t turned[SPC_SNTRUP_P + SPC_SNTRUP_ROOM];
    int16_t small[SPC_SNTRUP_ROOM];
} spc_sntrup_window;

/* The loops, compiled for any processor and once more for AVX2. */
typedef struct spc_sntrup_loops {
    /* out = a * b modulo x^p - x - 1, coefficients reduced modulo q to -2295..2295. `a` is from
     * -2295 to 2295, `b` small. */
    void (*product)(int16_t out[SPC_SNTRUP_P], const int16_t a[SPC_SNTRUP_P],
                    const int8_t b[SPC_SNTRUP_P], spc_sntrup_window *window);
    /* Each to the nearest multiple of 3. */
    void (*round)(int16_t a[SPC_SNTRUP_P]);
    /* Ascending, in an order of steps that is always the same. */
    void (*sort)(uint32_t x[SPC_SNTRUP_P]);
} spc_sntrup_loops;
extern const spc_sntrup_loops spc_sntrup_plain;
extern const spc_sntrup_loops spc_sntrup_avx2; /* empty unless compiled for x86 */
const spc_sntrup_loops *spc_sntrup_choose(void);

/* A short polynomial from 32 random bits per coefficient, which it uses up. */
void spc_sntrup_short(const spc_sntrup_loops *loops, int8_t out[SPC_SNTRUP_P],
                      uint32_t random[SPC_SNTRUP_P]);
/* Two bits of each. */
void spc_sntrup_pack_small(uint8_t out[SPC_SNTRUP_SMALL_BYTES], const int8_t a[SPC_SNTRUP_P]);

/* Encode and Decode of P numbers below `m`, which is constant for a purpose. Decode's time depends
 * on its input, which is public. */
void spc_sntrup_encode(uint8_t *out, const uint16_t numbers[SPC_SNTRUP_P], uint16_t m);
void spc_sntrup_decode(uint16_t numbers[SPC_SNTRUP_P], const uint8_t *in, uint16_t m);
void spc_sntrup_unpack_key(int16_t h[SPC_SNTRUP_P], const uint8_t key[SPC_SNTRUP_KEY]);

/* Round(h * r), encoded. */
void spc_sntrup_encrypt(const spc_sntrup_loops *loops, uint8_t out[SPC_SNTRUP_ROUNDED_BYTES],
                        const int16_t h[SPC_SNTRUP_P], const int8_t r[SPC_SNTRUP_P]);

/* The first 32 bytes of SHA-512(number || data); `data` may come in two spans. */
bool spc_sntrup_hash(uint8_t out[SPC_SNTRUP_HASH], uint8_t number, spb_span data,
                     spb_span more) SPC_MUST_CHECK;
/* The whole ciphertext to the short polynomial `r`, and Hash3 of it, which the secret is made of.
 */
bool spc_sntrup_hide(const int16_t h[SPC_SNTRUP_P], const uint8_t key_hash[SPC_SNTRUP_HASH],
                     const int8_t r[SPC_SNTRUP_P], uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT],
                     uint8_t r_hash[SPC_SNTRUP_HASH]) SPC_MUST_CHECK;

#endif
