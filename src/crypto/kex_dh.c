/* Diffie-Hellman in a group of integers modulo a safe prime, server side (RFC 4253 8, RFC 8268, RFC
 * 4419). The group is one of RFC 3526, or one out of a file of primes (the caller has checked its
 * size). Public values are mpints on the wire, and here the bytes of one.
 *
 * The prime is safe: what lies strictly between 1 and prime - 1 generates at least half the group,
 * so this range is all there is to check (RFC 4253 8, RFC 4419 3). */
#include "crypto/fault.h"
#include "crypto/fetch.h"
#include "crypto/kex.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

#define DH_BYTES_MAX ((size_t)SPC_DH_BITS_MAX / 8)
/* Of the exponent: twice the strength of the strongest cipher here (RFC 4419 6.2). A full-length
 * one would take fifteen times as long and be no better. */
#define DH_EXPONENT_BITS 512

bool spc_dh_prime(unsigned bits, uint8_t *out)
{
    BIGNUM *prime = NULL;

    if (bits == 2048)
        prime = BN_get_rfc3526_prime_2048(NULL);
    else if (bits == 4096)
        prime = BN_get_rfc3526_prime_4096(NULL);
    else if (bits == 8192)
        prime = BN_get_rfc3526_prime_8192(NULL);
    bool good = SPC_TRY(prime != NULL) &&
                SPC_TRY(BN_bn2binpad(prime, out, (int)(bits / 8)) == (int)(bits / 8));
    BN_free(prime);
    return good;
}

/* ---- groups as libcrypto has them ---- */

static bool dh_from_params(const OSSL_PARAM *params, EVP_PKEY **out)
{
    EVP_PKEY_CTX *ctx = NULL;
    bool good =
        SPC_TRY((ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL)) != NULL) &&
        SPC_TRY(EVP_PKEY_fromdata_init(ctx) == 1) &&
        SPC_TRY(EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEY_PARAMETERS, (OSSL_PARAM *)params) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* By its name, so that a FIPS provider knows it for what it is. */
static bool dh_named(const char *name, EVP_PKEY **out)
{
    const OSSL_PARAM params[2] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)name, strlen(name)),
        OSSL_PARAM_END,
    };
    return dh_from_params(params, out);
}

static bool dh_explicit(const spc_dh_group *group, EVP_PKEY **out)
{
    OSSL_PARAM_BLD *builder = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *p = NULL;
    BIGNUM *g = NULL;
    bool good = SPC_TRY((p = BN_bin2bn(group->prime, (int)group->length, NULL)) != NULL) &&
                SPC_TRY((g = BN_new()) != NULL) && SPC_TRY(BN_set_word(g, group->generator) == 1) &&
                SPC_TRY((builder = OSSL_PARAM_BLD_new()) != NULL) &&
                SPC_TRY(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_FFC_P, p) == 1) &&
                SPC_TRY(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_FFC_G, g) == 1) &&
                SPC_TRY((params = OSSL_PARAM_BLD_to_param(builder)) != NULL) &&
                dh_from_params(params, out);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(g);
    BN_free(p);
    return good;
}

/* ---- the exchange ---- */

/* Writes the value with `size` bytes, leading zeros in front. */
static bool read_public(spb_span in, const uint8_t *prime, size_t size, uint8_t *out)
{
    const uint8_t *at = in.data;
    size_t length = in.length;
    uint8_t low = 0;

    if (length == 0 || at[0] >= 0x80 || (at[0] == 0 && (length == 1 || at[1] < 0x80)))
        return false; /* zero, negative, or not in the shortest form */
    if (at[0] == 0) {
        at++;
        length--;
    }
    if (length > size)
        return false;
    memset(out, 0, size - length);
    memcpy(out + size - length, at, length);

    for (size_t i = 0; i + 1 < size; i++)
        low |= out[i];
    if (low == 0 && out[size - 1] < 2)
        return false;
    /* The prime is odd: one less differs in its last byte only. */
    int order = memcmp(out, prime, size - 1);
    return order < 0 || (order == 0 && out[size - 1] < prime[size - 1] - 1);
}

/* From `size` bytes to those of an mpint. */
static size_t write_public(const uint8_t *value, size_t size, uint8_t *out)
{
    while (size > 1 && *value == 0) {
        value++;
        size--;
    }
    size_t extra = *value >= 0x80 ? 1 : 0;
    out[0] = 0;
    memcpy(out + extra, value, size);
    return size + extra;
}

static bool dh_generate(EVP_PKEY *parameters, EVP_PKEY **out)
{
    int bits = DH_EXPONENT_BITS;
    const OSSL_PARAM params[2] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_DH_PRIV_LEN, &bits),
        OSSL_PARAM_END,
    };
    EVP_PKEY_CTX *ctx = NULL;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_keygen_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_CTX_set_params(ctx, params) == 1) &&
                SPC_TRY(EVP_PKEY_generate(ctx, out) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static bool dh_public(EVP_PKEY *ours, size_t size, uint8_t *out, size_t *out_length)
{
    unsigned char *value = NULL;
    size_t length = 0;
    bool good =
        SPC_TRY((length = EVP_PKEY_get1_encoded_public_key(ours, &value)) > 0) && length <= size;
    if (good)
        *out_length = write_public(value, length, out);
    OPENSSL_free(value);
    return good;
}

static bool dh_derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t *secret, size_t size)
{
    EVP_PKEY_CTX *ctx = NULL;
    size_t length = size;
    unsigned int pad = 1;
    const OSSL_PARAM params[2] = {
        OSSL_PARAM_uint(OSSL_EXCHANGE_PARAM_PAD, &pad),
        OSSL_PARAM_END,
    };
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_derive_init_ex(ctx, params) == 1) &&
                SPC_TRY(EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1) &&
                SPC_TRY(EVP_PKEY_derive(ctx, secret, &length) == 1) && length == size;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* `client` is the checked value, as long as the prime. */
static bool dh_exchange(EVP_PKEY *parameters, const uint8_t *client, size_t size,
                        uint8_t *server_public, size_t *server_public_length, uint8_t *secret)
{
    EVP_PKEY *ours = NULL;
    EVP_PKEY *theirs = NULL;
    bool good = SPC_TRY((theirs = EVP_PKEY_new()) != NULL) &&
                SPC_TRY(EVP_PKEY_copy_parameters(theirs, parameters) == 1) &&
                SPC_TRY(EVP_PKEY_set1_encoded_public_key(theirs, client, size) == 1) &&
                dh_generate(parameters, &ours) &&
                dh_public(ours, size, server_public, server_public_length) &&
                dh_derive(ours, theirs, secret, size);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    return good;
}

static bool dh_respond(const char *name, const spc_dh_group *group, spb_span client_public,
                       uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                       size_t *secret_length)
{
    uint8_t client[DH_BYTES_MAX];
    size_t size = group->length;
    EVP_PKEY *parameters = NULL;

    if (*server_public_length < size + 1 || *secret_length < size ||
        !read_public(client_public, group->prime, size, client))
        return false;
    ERR_set_mark();
    bool good = (name != NULL ? dh_named(name, &parameters) : dh_explicit(group, &parameters)) &&
                dh_exchange(parameters, client, size, server_public, server_public_length, secret);
    if (!good)
        sp_zero(secret, size);
    *secret_length = size;
    EVP_PKEY_free(parameters);
    ERR_pop_to_mark();
    return good;
}

bool spc_dh_respond_group(const spc_dh_group *group, spb_span client_public, uint8_t *server_public,
                          size_t *server_public_length, uint8_t *secret, size_t *secret_length)
{
    size_t bits_max = group->length * 8;

    if (bits_max < SPC_DH_BITS_MIN || group->length > DH_BYTES_MAX || group->generator < 2 ||
        group->prime[0] == 0 || (group->prime[group->length - 1] & 1) == 0)
        return false;
    return dh_respond(NULL, group, client_public, server_public, server_public_length, secret,
                      secret_length);
}

/* The group is told by how long a public value may be. */
bool spc_dh_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                    uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                    size_t *secret_length)
{
    static const struct {
        unsigned bits;
        const char *name;
    } groups[] = {{2048, "modp_2048"}, {4096, "modp_4096"}, {8192, "modp_8192"}};
    uint8_t prime[DH_BYTES_MAX];

    (void)env; /* libcrypto chooses the exponent */
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        const spc_dh_group group = {prime, groups[i].bits / 8, 2};
        if (kex->client_public_max == SPC_DH_PUBLIC_SIZE(groups[i].bits))
            return spc_dh_prime(groups[i].bits, prime) &&
                   dh_respond(groups[i].name, &group, client_public, server_public,
                              server_public_length, secret, secret_length);
    }
    return false;
}

/* A group comes first, and with it spc_dh_respond_group. */
bool spc_gex_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                     uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                     size_t *secret_length)
{
    (void)kex;
    (void)env;
    (void)client_public;
    (void)server_public;
    (void)secret;
    *server_public_length = 0;
    *secret_length = 0;
    return false;
}
