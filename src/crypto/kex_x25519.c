/* X25519 key exchange, server side (RFC 8731, RFC 7748). The private key comes from spc_random, so
 * that a replayed connection makes the same one. An all-zero secret is refused (RFC 8731 3). */
#include "crypto/fault.h"
#include "crypto/kex.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define X25519_SIZE ((size_t)32)

static bool x25519_derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t *secret)
{
    static const uint8_t zero[X25519_SIZE];
    EVP_PKEY_CTX *ctx = NULL;
    size_t length = X25519_SIZE;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_derive_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_derive_set_peer(ctx, theirs) == 1) &&
                SPC_TRY(EVP_PKEY_derive(ctx, secret, &length) == 1) && length == X25519_SIZE &&
                !spb_equal_secret(secret, zero, X25519_SIZE);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

bool spc_x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                        uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                        size_t *secret_length)
{
    (void)kex;
    if (client_public.length != X25519_SIZE || *server_public_length < X25519_SIZE ||
        *secret_length < X25519_SIZE)
        return false;

    uint8_t private_key[X25519_SIZE];
    EVP_PKEY *ours = NULL;
    EVP_PKEY *theirs = NULL;
    size_t public_length = X25519_SIZE;
    ERR_set_mark();
    bool good = spc_random(env, private_key, sizeof private_key) &&
                SPC_TRY((ours = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key,
                                                                X25519_SIZE)) != NULL) &&
                SPC_TRY((theirs = EVP_PKEY_new_raw_public_key_ex(
                             NULL, "X25519", NULL, client_public.data, X25519_SIZE)) != NULL) &&
                SPC_TRY(EVP_PKEY_get_raw_public_key(ours, server_public, &public_length) == 1) &&
                public_length == X25519_SIZE && x25519_derive(ours, theirs, secret);
    if (!good)
        sp_zero(secret, X25519_SIZE);
    *server_public_length = X25519_SIZE;
    *secret_length = X25519_SIZE;
    sp_zero(private_key, sizeof private_key);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    ERR_pop_to_mark();
    return good;
}
