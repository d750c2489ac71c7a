/* ML-KEM-768 (FIPS 203), the half that a server needs: encapsulation. Key generation and
 * decapsulation are with the tests (tests/kem), over the same polynomials. */
#ifndef SPC_MLKEM_H
#define SPC_MLKEM_H

#include "crypto/crypto.h"

#define SPC_MLKEM_KEY ((size_t)1184)
#define SPC_MLKEM_CIPHERTEXT ((size_t)1088)
#define SPC_MLKEM_RANDOM ((size_t)32)
#define SPC_MLKEM_SECRET ((size_t)32)

/* FIPS 203 7.2, with random bytes from spc_random, or by libcrypto where that has ML-KEM (3.5 on)
 * and the environment has no random source of its own. False: the key's coefficients are not below
 * q, or a call failed; then `secret` holds nothing. */
bool spc_mlkem_encapsulate(const spb_env *env, const uint8_t key[SPC_MLKEM_KEY],
                           uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                           uint8_t secret[SPC_MLKEM_SECRET]) SPC_MUST_CHECK;
/* The same with the random bytes `m` given: algorithm 17. Takes a time that does not depend on `m`
 * or what is made of it. */
bool spc_mlkem_encapsulate_with(const uint8_t key[SPC_MLKEM_KEY], const uint8_t m[SPC_MLKEM_RANDOM],
                                uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                                uint8_t secret[SPC_MLKEM_SECRET]) SPC_MUST_CHECK;

/* mlkem_provider.c: libcrypto's own. */
bool spc_mlkem_provided(void);
bool spc_mlkem_provider_encapsulate(const uint8_t key[SPC_MLKEM_KEY],
                                    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                                    uint8_t secret[SPC_MLKEM_SECRET]) SPC_MUST_CHECK;

#endif
