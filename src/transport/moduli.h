/* The primes for group exchange (RFC 4419): read from a moduli(5) text, or those of RFC 3526. */
#ifndef SPT_MODULI_H
#define SPT_MODULI_H

#include "base/wire.h"
#include "crypto/crypto.h"

#define SPT_MODULI_TEXT_MAX ((size_t)4 * 1024 * 1024)
#define SPT_MODULI_MAX ((size_t)4096)

typedef struct spt_modulus {
    spc_dh_group group; /* its prime lies in the bytes of the list */
    unsigned bits;
} spt_modulus;

/* Never changed once it is made. */
typedef struct spt_moduli {
    spt_modulus *items;
    size_t count;
    uint8_t *bytes;
} spt_moduli;

/* One line: 1: `*modulus` has it, its prime in `prime` (SPC_DH_BITS_MAX / 8 bytes); 0: there is
 * nothing in it; -1: it is no good, `*why` says why. */
int spt_moduli_line(spb_span line, uint8_t *prime, spt_modulus *modulus, const char **why);
/* Bad lines are logged and passed over. Without a good one, or without text, the list has the
 * groups 14, 16 and 18. 0, SP_ENOMEM, SP_ECRYPTO. To be freed in any case. */
int spt_moduli_read(spt_moduli *moduli, const spb_env *env, spb_span text);
void spt_moduli_free(spt_moduli *moduli, const spb_env *env);
/* One of the smallest that have `wanted` bits at least, or else of the largest; each within the
 * limits. NULL: there is none. False in `*good`: no random number. */
const spt_modulus *spt_moduli_choose(const spt_moduli *moduli, const spb_env *env, uint32_t least,
                                     uint32_t wanted, uint32_t most, bool *good);

#endif
