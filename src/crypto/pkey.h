/* Inside a libcrypto key. */
#ifndef SPC_PKEY_H
#define SPC_PKEY_H

#include "crypto/crypto.h"
#include "crypto/fetch.h"

#define SPC_ED25519_SIZE ((size_t)32)
#define SPC_ED25519_SIGNATURE ((size_t)64)
#define SPC_RSA_BITS_MIN 2048u
#define SPC_RSA_BITS_MAX 16384u

struct spc_pkey {
    const spb_env *env;
    EVP_PKEY *pkey;
    sp_key_type type;
    unsigned bits;
};

/* Takes a key of libcrypto's over, whatever happens: checks type, curve and sizes. SP_ENOTSUP for
 * what we don't take. */
int spc_pkey_adopt(spc_pkey **out, const spb_env *env, EVP_PKEY *pkey) SPC_MUST_CHECK;

/* Do the halves of a private key belong together? */
bool spc_pkey_consistent(const spc_pkey *k) SPC_MUST_CHECK;

/* libcrypto's hash name for EVP_DigestSign and EVP_DigestVerify; NULL for ed25519. */
const char *spc_signature_digest(const spc_signature *alg);

#endif
