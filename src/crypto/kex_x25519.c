/* X25519 and X448 key exchange, server side (RFC 8731, RFC 7748). The private key comes from
 * spc_random, so that a replayed connection makes the same one. An all-zero secret is refused (RFC
 * 8731 3). */
#include "crypto/fault.h"
#include "crypto/kex.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define XDH_SIZE_MAX ((size_t)56)

/* Private keys, public keys and secrets of a curve are all of one size. */
typedef struct xdh_curve {
    const char *name;
    size_t size;
} xdh_curve;

static bool xdh_derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t *secret, size_t size)
{
    static const uint8_t zero[XDH_SIZE_MAX];
    EVP_PKEY_CTX *ctx = NULL;
    size_t length = size;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_derive_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_derive_set_peer(ctx, theirs) == 1) &&
                SPC_TRY(EVP_PKEY_derive(ctx, secret, &length) == 1) && length == size &&
                !spb_equal_secret(secret, zero, size);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static bool xdh_respond(const xdh_curve *curve, const spb_env *env, spb_span client_public,
                        uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                        size_t *secret_length)
{
    size_t size = curve->size;
    if (client_public.length != size || *server_public_length < size || *secret_length < size)
        return false;

    uint8_t private_key[XDH_SIZE_MAX];
    EVP_PKEY *ours = NULL;
    EVP_PKEY *theirs = NULL;
    size_t public_length = size;
    ERR_set_mark();
    bool good = spc_random(env, private_key, size) &&
                SPC_TRY((ours = EVP_PKEY_new_raw_private_key_ex(NULL, curve->name, NULL,
                                                                private_key, size)) != NULL) &&
                SPC_TRY((theirs = EVP_PKEY_new_raw_public_key_ex(
                             NULL, curve->name, NULL, client_public.data, size)) != NULL) &&
                SPC_TRY(EVP_PKEY_get_raw_public_key(ours, server_public, &public_length) == 1) &&
                public_length == size && xdh_derive(ours, theirs, secret, size);
    if (!good)
        sp_zero(secret, size);
    *server_public_length = size;
    *secret_length = size;
    sp_zero(private_key, sizeof private_key);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    ERR_pop_to_mark();
    return good;
}

bool spc_x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                        uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                        size_t *secret_length)
{
    static const xdh_curve curve = {"X25519", 32};

    (void)kex;
    return xdh_respond(&curve, env, client_public, server_public, server_public_length, secret,
                       secret_length);
}

bool spc_x448_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                      uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                      size_t *secret_length)
{
    static const xdh_curve curve = {"X448", 56};

    (void)kex;
    return xdh_respond(&curve, env, client_public, server_public, server_public_length, secret,
                       secret_length);
}
