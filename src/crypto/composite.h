/* ML-DSA-44 with Ed25519 as one key: MLDSA44-Ed25519-SHA512 of draft-ietf-lamps-pq-composite-sigs,
 * as draft-ietf-sshm-composite-sigs and OpenSSH have it. Experimental. */
#ifndef SPC_COMPOSITE_H
#define SPC_COMPOSITE_H

#include "crypto/mldsa44.h"
#include "crypto/pkey.h"

#define SPC_COMPOSITE_PUBLIC (SPC_MLDSA44_PUBLIC + 32)
#define SPC_COMPOSITE_SEEDS (SPC_MLDSA44_SEED + 32)
#define SPC_COMPOSITE_SIGNATURE (SPC_MLDSA44_SIGNATURE + 64)

struct spc_composite {
    const spb_env *env;
    spc_pkey *ed25519;
    spc_mldsa44_key *mldsa; /* NULL: the public half only */
    uint8_t mldsa_seed[SPC_MLDSA44_SEED];
    uint8_t mldsa_public[SPC_MLDSA44_PUBLIC];
};

bool spc_composite_generate(spc_pkey **out, const spb_env *env, sp_key_type type) SPC_MUST_CHECK;
void spc_composite_free(spc_composite *c); /* NULL is fine */
/* "pub", "seeds". */
bool spc_composite_get(const spc_composite *c, const char *what, spb_buffer *out) SPC_MUST_CHECK;
bool spc_composite_sign(const spc_composite *c, spb_span data, spb_buffer *out) SPC_MUST_CHECK;
/* True only when both signatures are good. */
bool spc_composite_verify(const spc_composite *c, spb_span data, spb_span signature) SPC_MUST_CHECK;

#endif
