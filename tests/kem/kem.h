/* The client's half of both key encapsulation methods, for tests. Clean of branches on secrets as
 * the library is: the tests for that run it too. */
#ifndef TEST_KEM_H
#define TEST_KEM_H

#include "crypto/mlkem.h"
#include "crypto/sntrup761.h"

#define KEM_MLKEM_PRIVATE ((size_t)2400)
#define KEM_SNTRUP_PRIVATE ((size_t)1763)

/* From the seed d || z; false: not 64 bytes. */
bool kem_mlkem_generate(spb_span seed, uint8_t *ek, uint8_t *dk);
/* Its two steps: what is public and what is secret of d, and the rest. */
void kem_mlkem_seeds(const uint8_t d[32], uint8_t rho[32], uint8_t sigma[32]);
void kem_mlkem_key(const uint8_t rho[32], const uint8_t sigma[32], const uint8_t z[32], uint8_t *ek,
                   uint8_t *dk);
/* False: wrong sizes, or the key is not one. */
bool kem_mlkem_decapsulate(spb_span dk, spb_span ciphertext, uint8_t secret[32]);

bool kem_sntrup_generate(const spb_env *env, uint8_t *key, uint8_t *private_key);
bool kem_sntrup_decapsulate(const uint8_t *private_key, const uint8_t *ciphertext,
                            uint8_t secret[32]);

/* `equal` if both have the same `size` bytes, else `other`: 32 bytes. */
void kem_select(uint8_t out[32], const uint8_t *equal, const uint8_t *other, const uint8_t *a,
                const uint8_t *b, size_t size);

#endif
