/* Hybrid key exchange, server side: a KEM and X25519, whose secrets are hashed together.
 * mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex 2), sntrup761x25519-sha512
 * (draft-ietf-sshm-ntruprime-ssh 3). The client's value is the KEM's key and its X25519 value, ours
 * is the ciphertext and our X25519 value; K is HASH(K_PQ || K_CL), as a string. */
#include "crypto/kex.h"
#include "crypto/mlkem.h"
#include "crypto/sntrup761.h"

#define X25519_SIZE ((size_t)32)
#define KEM_SECRET ((size_t)32) /* of either */

typedef struct hybrid_kem {
    size_t key, ciphertext;
    bool (*encapsulate)(const spb_env *env, const uint8_t *key, uint8_t *ciphertext,
                        uint8_t *secret);
} hybrid_kem;

static bool hybrid_respond(const hybrid_kem *kem, const spc_kex *kex, const spb_env *env,
                           spb_span client_public, uint8_t *server_public,
                           size_t *server_public_length, uint8_t *secret, size_t *secret_length)
{
    size_t hash_size = spc_hash_size(kex->hash);
    size_t public_size = kem->ciphertext + X25519_SIZE;
    size_t x25519_public = X25519_SIZE, x25519_secret = X25519_SIZE;
    uint8_t both[KEM_SECRET + X25519_SIZE];

    if (client_public.length != kem->key + X25519_SIZE || *server_public_length < public_size ||
        *secret_length < hash_size)
        return false;
    spb_span classical = {client_public.data + kem->key, X25519_SIZE};
    spb_span input = {both, sizeof both};
    bool good = spc_x25519_respond(kex, env, classical, server_public + kem->ciphertext,
                                   &x25519_public, both + KEM_SECRET, &x25519_secret) &&
                kem->encapsulate(env, client_public.data, server_public, both) &&
                spc_hash(kex->hash, &input, 1, secret);
    if (!good)
        sp_zero(secret, hash_size);
    *server_public_length = public_size;
    *secret_length = hash_size;
    sp_zero(both, sizeof both);
    return good;
}

bool spc_mlkem768x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                                uint8_t *server_public, size_t *server_public_length,
                                uint8_t *secret, size_t *secret_length)
{
    static const hybrid_kem kem = {SPC_MLKEM_KEY, SPC_MLKEM_CIPHERTEXT, spc_mlkem_encapsulate};
    return hybrid_respond(&kem, kex, env, client_public, server_public, server_public_length,
                          secret, secret_length);
}

bool spc_sntrup761x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                                 uint8_t *server_public, size_t *server_public_length,
                                 uint8_t *secret, size_t *secret_length)
{
    static const hybrid_kem kem = {SPC_SNTRUP_KEY, SPC_SNTRUP_CIPHERTEXT, spc_sntrup_encapsulate};
    return hybrid_respond(&kem, kex, env, client_public, server_public, server_public_length,
                          secret, secret_length);
}
