/* Inside a libcrypto key. */
#ifndef SPC_PKEY_H
#define SPC_PKEY_H

#include "crypto/crypto.h"
#include "crypto/fetch.h"

#define SPC_EDDSA_SIZE_MAX ((size_t)57)
#define SPC_RSA_BITS_MIN 2048u
#define SPC_RSA_BITS_MAX 16384u

typedef struct spc_composite spc_composite;

struct spc_pkey {
    const spb_env *env;
    EVP_PKEY *pkey; /* NULL: a composite */
    sp_key_type type;
    unsigned bits;
    spc_composite *composite; /* else NULL; see composite.h */
};

/* Takes a key of libcrypto's over, whatever happens: checks type, curve and sizes. SP_ENOTSUP for
 * what we don't take. */
int spc_pkey_adopt(spc_pkey **out, const spb_env *env, EVP_PKEY *pkey) SPC_MUST_CHECK;

/* Do the halves of a private key belong together? */
bool spc_pkey_consistent(const spc_pkey *k) SPC_MUST_CHECK;

/* RFC 8032's two signature schemes. */
typedef struct spc_eddsa {
    sp_key_type type;
    const char *name; /* libcrypto's */
    size_t size;      /* of a point and of a seed */
    size_t signature;
    unsigned bits; /* as people say it; libcrypto counts otherwise */
} spc_eddsa;
/* NULL: another type of key. */
const spc_eddsa *spc_eddsa_of(sp_key_type type);

/* eddsa_point.c: the one encoding of a point (RFC 8032), and not one of small order? */
bool spc_eddsa_point_good(sp_key_type type, spb_span point) SPC_MUST_CHECK;

/* libcrypto's hash name for EVP_DigestSign and EVP_DigestVerify; NULL for ed25519 and ed448. */
const char *spc_signature_digest(const spc_signature *alg);

#endif
