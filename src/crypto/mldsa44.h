/* ML-DSA-44 (FIPS 204), for where libcrypto has none. Keys are their 32-byte seeds; signing works
 * on the expanded key. What is large comes from the caller's environment; some 6 KB lie on the
 * stack. As to secrets all of it takes constant time, but for what FIPS 204's rejections let out
 * (mldsa44.c says what). */
#ifndef SPC_MLDSA44_H
#define SPC_MLDSA44_H

#include "crypto/crypto.h"

#define SPC_MLDSA44_SEED ((size_t)32)
#define SPC_MLDSA44_RANDOM ((size_t)32)
#define SPC_MLDSA44_PUBLIC ((size_t)1312)
#define SPC_MLDSA44_SIGNATURE ((size_t)2420)
#define SPC_MLDSA44_CONTEXT_MAX ((size_t)255)

/* A private key, ready to sign: 29 KB, wiped when freed. Made once, then only read: usable from
 * several threads. */
typedef struct spc_mldsa44_key spc_mldsa44_key;

/* ML-DSA.KeyGen_internal: from the seed (xi) the expanded key and the encoded public key. False:
 * out of memory. `env` lives longer. */
bool spc_mldsa44_expand(spc_mldsa44_key **key, const spb_env *env,
                        const uint8_t seed[SPC_MLDSA44_SEED],
                        uint8_t public_key[SPC_MLDSA44_PUBLIC]) SPC_MUST_CHECK;
void spc_mldsa44_free(spc_mldsa44_key *key); /* NULL is fine */

/* ML-DSA.Sign of a message with a context of at most 255 bytes. `random`: fresh bytes (hedged, as
 * one should), or zeros (deterministic). False: out of memory, or no signature in as many attempts
 * as FIPS 204 wants at least (its appendix C). */
bool spc_mldsa44_sign(const spc_mldsa44_key *key, spb_span context, spb_span message,
                      const uint8_t random[SPC_MLDSA44_RANDOM],
                      uint8_t signature[SPC_MLDSA44_SIGNATURE]) SPC_MUST_CHECK;

/* ML-DSA.Verify. Any `signature` length but the right one is refused. */
bool spc_mldsa44_verify(const spb_env *env, const uint8_t public_key[SPC_MLDSA44_PUBLIC],
                        spb_span context, spb_span message, spb_span signature) SPC_MUST_CHECK;

#endif
