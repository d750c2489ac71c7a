/* Streamlined NTRU Prime sntrup761 (NTRU Prime round 3; draft-josefsson-ntruprime-streamlined), the
 * half that a server needs: encapsulation. Key generation and decapsulation are with the tests
 * (tests/kem), over the same polynomials. */
#ifndef SPC_SNTRUP761_H
#define SPC_SNTRUP761_H

#include "crypto/crypto.h"

#define SPC_SNTRUP_KEY ((size_t)1158)
#define SPC_SNTRUP_CIPHERTEXT ((size_t)1039)
#define SPC_SNTRUP_SECRET ((size_t)32)

/* False: no random bytes, or hashing failed; then `secret` holds nothing. Any 1158 bytes are a key.
 * Takes a time that depends on the key alone. */
bool spc_sntrup_encapsulate(const spb_env *env, const uint8_t key[SPC_SNTRUP_KEY],
                            uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT],
                            uint8_t secret[SPC_SNTRUP_SECRET]) SPC_MUST_CHECK;

#endif
