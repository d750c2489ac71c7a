/* Keys of libcrypto: taking one over, making one, and reading its numbers. */
#include "crypto/pkey.h"
#include "crypto/composite.h"
#include "crypto/fault.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSA_BITS_DEFAULT 3072u
#define POINT_UNCOMPRESSED 4

const spc_eddsa *spc_eddsa_of(sp_key_type type)
{
    static const spc_eddsa schemes[] = {
        {SP_KEY_ED25519, "ED25519", 32, 64, 256},
        {SP_KEY_ED448, "ED448", 57, 114, 448},
    };

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (schemes[i].type == type)
            return &schemes[i];
    }
    return NULL;
}

static sp_key_type type_by_group(const char *group)
{
    static const struct {
        const char *name;
        sp_key_type type;
    } groups[] = {
        {"prime256v1", SP_KEY_ECDSA_P256}, {"P-256", SP_KEY_ECDSA_P256},
        {"secp384r1", SP_KEY_ECDSA_P384},  {"P-384", SP_KEY_ECDSA_P384},
        {"secp521r1", SP_KEY_ECDSA_P521},  {"P-521", SP_KEY_ECDSA_P521},
    };

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strcmp(group, groups[i].name) == 0)
            return groups[i].type;
    }
    return SP_KEY_NONE;
}

static sp_key_type type_of(EVP_PKEY *pkey)
{
    char group[32];
    size_t length = 0;

    if (EVP_PKEY_is_a(pkey, "ED25519") == 1)
        return SP_KEY_ED25519;
    if (EVP_PKEY_is_a(pkey, "ED448") == 1)
        return SP_KEY_ED448;
    if (EVP_PKEY_is_a(pkey, "RSA") == 1)
        return SP_KEY_RSA;
    if (EVP_PKEY_is_a(pkey, "EC") == 1 &&
        SPC_TRY(EVP_PKEY_get_group_name(pkey, group, sizeof group, &length) == 1))
        return type_by_group(group);
    return SP_KEY_NONE;
}

/* Sizes that make later arithmetic cheap enough to offer to strangers. */
static bool rsa_sizes_good(EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    bool good = bits >= (int)SPC_RSA_BITS_MIN && bits <= (int)SPC_RSA_BITS_MAX &&
                SPC_TRY(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1) &&
                BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= 64;
    BN_free(e);
    return good;
}

int spc_pkey_adopt(spc_pkey **out, const spb_env *env, EVP_PKEY *pkey)
{
    sp_key_type type = type_of(pkey);

    *out = NULL;
    if (type == SP_KEY_NONE || (type == SP_KEY_RSA && !rsa_sizes_good(pkey))) {
        EVP_PKEY_free(pkey);
        return SP_ENOTSUP;
    }
    spc_pkey *k = spb_calloc(env, 1, sizeof *k);
    if (k == NULL) {
        EVP_PKEY_free(pkey);
        return SP_ENOMEM;
    }
    k->env = env;
    k->pkey = pkey;
    k->type = type;
    k->bits = (unsigned)EVP_PKEY_get_bits(pkey);
    if (spc_eddsa_of(type) != NULL)
        k->bits = spc_eddsa_of(type)->bits;
    *out = k;
    return 0;
}

/* RSA by a trial signature, which spc_sign verifies: libcrypto's own check would also prove the
 * factors prime, which takes minutes for large keys. */
static bool rsa_consistent(const spc_pkey *k)
{
    static const char algorithm[] = "rsa-sha2-256";
    const spb_span trial = {(const uint8_t *)algorithm, sizeof algorithm - 1};
    spb_buffer signature;

    spb_buffer_init(&signature, k->env, SP_SIGNATURE_MAX);
    bool good = spc_sign(k, spc_signature_find(trial), trial, &signature);
    spb_buffer_free(&signature);
    return good;
}

bool spc_pkey_consistent(const spc_pkey *k)
{
    EVP_PKEY_CTX *ctx = NULL;

    if (k->type == SP_KEY_RSA)
        return rsa_consistent(k);
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_pairwise_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

void spc_pkey_free(spc_pkey *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->pkey); /* wipes the private part */
    spc_composite_free(k->composite);
    spb_free(k->env, k);
}

sp_key_type spc_pkey_type(const spc_pkey *k)
{
    return k->type;
}

unsigned spc_pkey_bits(const spc_pkey *k)
{
    return k->bits;
}

bool spc_pkey_generate(spc_pkey **out, const spb_env *env, sp_key_type type, unsigned bits)
{
    const spc_fetched *f = spc_fetch();
    int curve = spc_curve_of(type);
    const spc_eddsa *eddsa = spc_eddsa_of(type);
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *pkey = NULL;
    bool good;

    *out = NULL;
    if (spc_is_composite(type))
        return spc_composite_generate(out, env, type);
    if (bits == 0)
        bits = RSA_BITS_DEFAULT;
    if (f == NULL || (type == SP_KEY_RSA && (bits < SPC_RSA_BITS_MIN || bits > SPC_RSA_BITS_MAX)))
        return false;
    ERR_set_mark();
    if (curve >= 0)
        good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, f->curve[curve], NULL)) != NULL);
    else if (eddsa != NULL || type == SP_KEY_RSA)
        good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_name(NULL, eddsa == NULL ? "RSA" : eddsa->name,
                                                         NULL)) != NULL);
    else
        good = false;
    good = good && SPC_TRY(EVP_PKEY_keygen_init(ctx) == 1);
    if (good && type == SP_KEY_RSA)
        good = SPC_TRY(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1);
    good =
        good && SPC_TRY(EVP_PKEY_generate(ctx, &pkey) == 1) && spc_pkey_adopt(out, env, pkey) == 0;
    EVP_PKEY_CTX_free(ctx);
    ERR_pop_to_mark();
    return good;
}

/* A number at its natural length, or padded to `size`. */
static bool get_number(EVP_PKEY *pkey, const char *name, size_t size, spb_buffer *out)
{
    BIGNUM *n = NULL;
    bool good = SPC_TRY(EVP_PKEY_get_bn_param(pkey, name, &n) == 1);

    if (good) {
        if (size == 0)
            size = (size_t)BN_num_bytes(n);
        uint8_t *room = spb_buffer_reserve(out, size);
        good = room != NULL && SPC_TRY(BN_bn2binpad(n, room, (int)size) == (int)size);
        if (good)
            out->length += size;
    }
    BN_clear_free(n);
    return good;
}

static bool get_eddsa(const spc_pkey *k, const char *what, spb_buffer *out)
{
    const size_t size = spc_eddsa_of(k->type)->size;
    size_t length = size;
    uint8_t *room = spb_buffer_reserve(out, length);
    bool good = false;

    if (room == NULL)
        return false;
    if (strcmp(what, "pub") == 0)
        good = SPC_TRY(EVP_PKEY_get_raw_public_key(k->pkey, room, &length) == 1);
    else if (strcmp(what, "seed") == 0)
        good = SPC_TRY(EVP_PKEY_get_raw_private_key(k->pkey, room, &length) == 1);
    good = good && length == size;
    if (good)
        out->length += length;
    return good;
}

static bool get_ecdsa(const spc_pkey *k, const char *what, spb_buffer *out)
{
    size_t size = spc_curves[spc_curve_of(k->type)].size;

    if (strcmp(what, "scalar") == 0)
        return get_number(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, 0, out);
    if (strcmp(what, "point") != 0)
        return false;
    /* From the coordinates: libcrypto gives its encoded point in whatever form the key had. */
    spw_u8(out, POINT_UNCOMPRESSED);
    return get_number(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, size, out) &&
           get_number(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size, out) && spw_ok(out);
}

static bool get_rsa(const spc_pkey *k, const char *what, spb_buffer *out)
{
    static const struct {
        const char *what;
        const char *name;
    } numbers[] = {
        {"n", OSSL_PKEY_PARAM_RSA_N},       {"e", OSSL_PKEY_PARAM_RSA_E},
        {"d", OSSL_PKEY_PARAM_RSA_D},       {"iqmp", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
        {"p", OSSL_PKEY_PARAM_RSA_FACTOR1}, {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(what, numbers[i].what) == 0)
            return get_number(k->pkey, numbers[i].name, 0, out);
    }
    return false;
}

bool spc_pkey_get(const spc_pkey *k, const char *what, spb_buffer *out)
{
    bool good;

    if (k->composite != NULL)
        return spc_composite_get(k->composite, what, out);
    ERR_set_mark();
    if (spc_eddsa_of(k->type) != NULL)
        good = get_eddsa(k, what, out);
    else if (k->type == SP_KEY_RSA)
        good = get_rsa(k, what, out);
    else
        good = get_ecdsa(k, what, out);
    ERR_pop_to_mark();
    return good;
}
