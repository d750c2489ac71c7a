/* ECDH key exchange over the NIST curves, server side (RFC 5656 4). Points are uncompressed and
 * are checked to be on the curve before they are used; the curves' cofactor is 1, so that is enough
 * (SEC 1 3.2.2.1). */
#include "crypto/fault.h"
#include "crypto/fetch.h"
#include "crypto/kex.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define POINT_UNCOMPRESSED 4

static int curve_by_point_size(size_t size)
{
    for (int i = 0; i < SPC_CURVE_COUNT; i++) {
        if (size == SPC_POINT_SIZE(&spc_curves[i]))
            return i;
    }
    return -1;
}

static bool ecdh_generate(EVP_PKEY *parameters, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = NULL;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_keygen_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_generate(ctx, out) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* Our point, which libcrypto gives in memory of its own. */
static bool ecdh_public(EVP_PKEY *ours, uint8_t *out, size_t size)
{
    unsigned char *point = NULL;
    size_t length = 0;
    bool good = SPC_TRY((length = EVP_PKEY_get1_encoded_public_key(ours, &point)) == size) &&
                point[0] == POINT_UNCOMPRESSED;
    if (good)
        memcpy(out, point, size);
    OPENSSL_free(point);
    return good;
}

static bool ecdh_derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t *secret, size_t size)
{
    EVP_PKEY_CTX *ctx = NULL;
    size_t length = size;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_derive_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1) &&
                SPC_TRY(EVP_PKEY_derive(ctx, secret, &length) == 1) && length == size;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

bool spc_ecdh_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                      uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                      size_t *secret_length)
{
    (void)env; /* the scalar must be uniform below the order: libcrypto chooses it */
    const spc_fetched *f = spc_fetch();
    int curve = curve_by_point_size(kex->client_public_max);

    if (f == NULL || curve < 0 || client_public.length != kex->client_public_max ||
        client_public.data[0] != POINT_UNCOMPRESSED)
        return false;
    size_t point_size = client_public.length;
    size_t secret_size = spc_curves[curve].size;
    if (*server_public_length < point_size || *secret_length < secret_size)
        return false;

    EVP_PKEY *ours = NULL;
    EVP_PKEY *theirs = NULL;
    ERR_set_mark();
    bool good =
        SPC_TRY((theirs = EVP_PKEY_new()) != NULL) &&
        SPC_TRY(EVP_PKEY_copy_parameters(theirs, f->curve[curve]) == 1) &&
        SPC_TRY(EVP_PKEY_set1_encoded_public_key(theirs, client_public.data, point_size) == 1) &&
        ecdh_generate(f->curve[curve], &ours) && ecdh_public(ours, server_public, point_size) &&
        ecdh_derive(ours, theirs, secret, secret_size);
    if (!good)
        sp_zero(secret, secret_size);
    *server_public_length = point_size;
    *secret_length = secret_size;
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    ERR_pop_to_mark();
    return good;
}
