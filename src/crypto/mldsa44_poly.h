/* Polynomials of ML-DSA-44: 256 coefficients modulo q (FIPS 204 2.4, 7). Every function here takes
 * a time that does not depend on the coefficients. */
#ifndef SPC_MLDSA44_POLY_H
#define SPC_MLDSA44_POLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FIPS 204 table 1, ML-DSA-44. */
#define SPC_MLDSA_Q 8380417
#define SPC_MLDSA_N 256
#define SPC_MLDSA_K 4 /* rows of the matrix, and l, its columns */
#define SPC_MLDSA_D 13
#define SPC_MLDSA_TAU 39
#define SPC_MLDSA_GAMMA1 (1 << 17)
#define SPC_MLDSA_GAMMA2 ((SPC_MLDSA_Q - 1) / 88)
#define SPC_MLDSA_BETA 78
#define SPC_MLDSA_OMEGA 80
#define SPC_MLDSA_HIGHS 44 /* (q - 1) / 2 gamma2: how many high parts there are */
#define SPC_MLDSA_CHALLENGE ((size_t)32)

typedef struct spc_mldsa_poly {
    int32_t c[SPC_MLDSA_N];
} spc_mldsa_poly;

/* ---- mldsa44_poly.c ---- */
/* Coefficients of any sign: each function tells what sizes it takes and gives. */
/* |c| < q in, < 9q out. */
void spc_mldsa_ntt(spc_mldsa_poly *p);
/* |c| < q in and out. Takes the 2^-32 of one spc_mldsa_dot away. */
void spc_mldsa_inverse_ntt(spc_mldsa_poly *p);
/* out = 2^-32 times the sum of a[i] b[i], coefficient by coefficient. |c| < 9q in, of a < q when
 * there are more than one; < q out. */
void spc_mldsa_dot(spc_mldsa_poly *out, const spc_mldsa_poly *a, const spc_mldsa_poly *b,
                   size_t count);
void spc_mldsa_add(spc_mldsa_poly *out, const spc_mldsa_poly *a);
void spc_mldsa_sub(spc_mldsa_poly *out, const spc_mldsa_poly *a);
/* To |c| < 2^22 + 2^14, where |c| < 2q. */
void spc_mldsa_reduce(spc_mldsa_poly *p);
/* To 0 <= c < q, likewise. */
void spc_mldsa_freeze(spc_mldsa_poly *p);
/* Is a |c| >= bound? For reduced ones and bounds below 2^21. */
bool spc_mldsa_exceeds(const spc_mldsa_poly *p, int32_t bound);
/* Frozen ones: the high part (t1, of 10 bits) and in place of `p` the low one. */
void spc_mldsa_power2round(spc_mldsa_poly *p, spc_mldsa_poly *high);
/* Frozen ones: HighBits and LowBits. */
void spc_mldsa_high(spc_mldsa_poly *out, const spc_mldsa_poly *p);
void spc_mldsa_low(spc_mldsa_poly *out, const spc_mldsa_poly *p);
/* Frozen ones: 1 where the high parts differ, else 0, and how many differ. */
unsigned spc_mldsa_make_hint(spc_mldsa_poly *hint, const spc_mldsa_poly *a,
                             const spc_mldsa_poly *b);
/* Frozen ones: UseHint in place; `hint` has 0 and 1. */
void spc_mldsa_use_hint(spc_mldsa_poly *p, const spc_mldsa_poly *hint);

/* ---- mldsa44_sample.c ---- */
/* A row of ExpandA's matrix, in the NTT's domain, 0 <= c < q. */
void spc_mldsa_expand_row(spc_mldsa_poly row[SPC_MLDSA_K], const uint8_t rho[32], unsigned r);
/* Half of ExpandS: the polynomials `first` to `first` + 3; |c| <= 2. */
void spc_mldsa_expand_short(spc_mldsa_poly out[SPC_MLDSA_K], const uint8_t seed[64],
                            unsigned first);
/* ExpandMask: -gamma1 < c <= gamma1. */
void spc_mldsa_expand_mask(spc_mldsa_poly out[SPC_MLDSA_K], const uint8_t seed[64], unsigned first);
/* SampleInBall: 39 times +1 or -1. Its time depends on the challenge, which is public. */
void spc_mldsa_in_ball(spc_mldsa_poly *out, const uint8_t challenge[SPC_MLDSA_CHALLENGE]);

/* ---- mldsa44_pack.c: encodings (FIPS 204 7.1, 7.2) ---- */
#define SPC_MLDSA_T1_SIZE ((size_t)320)
#define SPC_MLDSA_W1_SIZE ((size_t)192)
#define SPC_MLDSA_Z_SIZE ((size_t)576)
#define SPC_MLDSA_HINT_SIZE ((size_t)(SPC_MLDSA_OMEGA + SPC_MLDSA_K))
void spc_mldsa_pack_t1(uint8_t out[SPC_MLDSA_T1_SIZE], const spc_mldsa_poly *p);
void spc_mldsa_unpack_t1(spc_mldsa_poly *p, const uint8_t in[SPC_MLDSA_T1_SIZE]);
void spc_mldsa_pack_w1(uint8_t out[SPC_MLDSA_W1_SIZE], const spc_mldsa_poly *p);
void spc_mldsa_pack_z(uint8_t out[SPC_MLDSA_Z_SIZE], const spc_mldsa_poly *p);
void spc_mldsa_unpack_z(spc_mldsa_poly *p, const uint8_t in[SPC_MLDSA_Z_SIZE]);
/* Hints are published with the signature: their time depends on them. At most 80 are set. */
void spc_mldsa_pack_hints(uint8_t out[SPC_MLDSA_HINT_SIZE],
                          const spc_mldsa_poly hints[SPC_MLDSA_K]);
/* False: not the one encoding of such hints. */
bool spc_mldsa_unpack_hints(spc_mldsa_poly hints[SPC_MLDSA_K],
                            const uint8_t in[SPC_MLDSA_HINT_SIZE]);

#endif
