/* What libcrypto looks up by name, looked up once per process: ciphers, hashes, MACs, and the
 * parameters of the elliptic curves. Never changed after that, so any thread may read it. */
#ifndef SPC_FETCH_H
#define SPC_FETCH_H

#include "crypto/crypto.h"

#include <openssl/evp.h>

typedef enum spc_cipher_index {
    SPC_CHACHA20,
    SPC_AES128_GCM,
    SPC_AES256_GCM,
    SPC_AES128_CTR,
    SPC_AES192_CTR,
    SPC_AES256_CTR,
    SPC_AES128_ECB, /* of UMAC; no cipher of ours */
    SPC_CIPHER_COUNT,
} spc_cipher_index;

enum { SPC_HASH_COUNT = 4, SPC_CURVE_COUNT = 3 };

/* What a libcrypto in FIPS mode lacks may be missing here as well: ChaCha20 and Poly1305, SHA-1
 * (all NULL), and the flags. */
typedef struct spc_fetched {
    EVP_CIPHER *cipher[SPC_CIPHER_COUNT];
    EVP_MD *hash[SPC_HASH_COUNT]; /* by spc_hash_id - 1 */
    EVP_MAC *hmac;
    EVP_MAC *poly1305;
    EVP_KEM *mlkem;                   /* ML-KEM-768; NULL: libcrypto lacks it (before 3.5) */
    EVP_PKEY *curve[SPC_CURVE_COUNT]; /* parameters only, no key; see spc_curve_of */
    bool x25519, x448, dh;
} spc_fetched;

/* NULL when libcrypto lacks one of them or memory ran out: then nothing in this room works. */
const spc_fetched *spc_fetch(void);

/* The three curves of RFC 5656 10.1. */
typedef struct spc_curve {
    const char *group; /* libcrypto's name */
    size_t size;       /* of a coordinate and of a scalar, in bytes */
    unsigned bits;
} spc_curve;
extern const spc_curve spc_curves[SPC_CURVE_COUNT];
/* Index of an ECDSA key type's curve; -1 for other types. */
int spc_curve_of(sp_key_type type);
#define SPC_CURVE_SIZE_MAX ((size_t)66)
#define SPC_POINT_SIZE(curve) (1 + 2 * (curve)->size)

#endif
