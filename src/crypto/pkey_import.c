/* Keys from the raw numbers of the SSH formats (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4). What comes
 * from the peer is checked for size before libcrypto calculates with it. */
#include "crypto/fault.h"
#include "crypto/pkey.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#define POINT_UNCOMPRESSED 4
#define RSA_E_BITS_MAX 64

bool spc_pkey_from_eddsa(spc_pkey **out, const spb_env *env, sp_key_type type,
                         spb_span public_point, spb_span seed)
{
    const spc_eddsa *scheme = spc_eddsa_of(type);
    EVP_PKEY *pkey = NULL;
    uint8_t derived[SPC_EDDSA_SIZE_MAX];
    size_t length = sizeof derived;
    bool good;

    *out = NULL;
    if (scheme == NULL || public_point.length != scheme->size ||
        (seed.length != 0 && seed.length != scheme->size) ||
        !spc_eddsa_point_good(type, public_point))
        return false;
    ERR_set_mark();
    if (seed.length == 0)
        good = SPC_TRY((pkey = EVP_PKEY_new_raw_public_key_ex(
                            NULL, scheme->name, NULL, public_point.data, scheme->size)) != NULL);
    else
        good = SPC_TRY((pkey = EVP_PKEY_new_raw_private_key_ex(NULL, scheme->name, NULL, seed.data,
                                                               scheme->size)) != NULL) &&
               /* A public half that does not belong to the seed would give the seed away. */
               SPC_TRY(EVP_PKEY_get_raw_public_key(pkey, derived, &length) == 1) &&
               length == scheme->size && spb_equal_secret(derived, public_point.data, scheme->size);
    if (good)
        good = spc_pkey_adopt(out, env, pkey) == 0;
    else
        EVP_PKEY_free(pkey);
    ERR_pop_to_mark();
    return good;
}

/* From a filled builder; frees nothing. */
static bool from_builder(spc_pkey **out, const spb_env *env, const char *algorithm,
                         OSSL_PARAM_BLD *builder, bool private_too)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *pkey = NULL;
    bool good =
        SPC_TRY((params = OSSL_PARAM_BLD_to_param(builder)) != NULL) &&
        SPC_TRY((ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL)) != NULL) &&
        SPC_TRY(EVP_PKEY_fromdata_init(ctx) == 1) &&
        SPC_TRY(EVP_PKEY_fromdata(ctx, &pkey, private_too ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                                  params) == 1);
    if (good)
        good = spc_pkey_adopt(out, env, pkey) == 0;
    else
        EVP_PKEY_free(pkey);
    if (good && private_too && !spc_pkey_consistent(*out)) {
        spc_pkey_free(*out);
        *out = NULL;
        good = false;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return good;
}

/* A number that is wiped wherever libcrypto copies it. */
static BIGNUM *secret_number(spb_span bytes)
{
    BIGNUM *n = NULL;

    if (!SPC_TRY((n = BN_secure_new()) != NULL) ||
        !SPC_TRY(BN_bin2bn(bytes.data, (int)bytes.length, n) != NULL)) {
        BN_clear_free(n);
        return NULL;
    }
    return n;
}

bool spc_pkey_from_ecdsa(spc_pkey **out, const spb_env *env, sp_key_type type, spb_span point,
                         spb_span scalar)
{
    int curve = spc_curve_of(type);

    *out = NULL;
    if (curve < 0 || point.length != SPC_POINT_SIZE(&spc_curves[curve]) ||
        point.data[0] != POINT_UNCOMPRESSED || scalar.length > spc_curves[curve].size)
        return false;

    OSSL_PARAM_BLD *builder = NULL;
    BIGNUM *number = NULL;
    ERR_set_mark();
    bool good = SPC_TRY((builder = OSSL_PARAM_BLD_new()) != NULL) &&
                SPC_TRY(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                                        spc_curves[curve].group, 0) == 1) &&
                SPC_TRY(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
                                                         point.data, point.length) == 1);
    if (good && scalar.length != 0)
        good = (number = secret_number(scalar)) != NULL &&
               SPC_TRY(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1);
    /* libcrypto refuses a point that is not on the curve. */
    good = good && from_builder(out, env, "EC", builder, scalar.length != 0);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(number);
    ERR_pop_to_mark();
    return good;
}

enum { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_IQMP, RSA_NUMBERS };

/* d mod (prime - 1), which SSH's formats leave out. */
static BIGNUM *crt_exponent(const BIGNUM *d, const BIGNUM *prime, BN_CTX *ctx)
{
    BIGNUM *exponent = NULL;
    BIGNUM *less = NULL;
    BIGNUM *secret_d = NULL;
    bool good = SPC_TRY((exponent = BN_secure_new()) != NULL) &&
                SPC_TRY((less = BN_dup(prime)) != NULL) && SPC_TRY((secret_d = BN_dup(d)) != NULL);

    if (good) {
        BN_set_flags(secret_d, BN_FLG_CONSTTIME);
        good = SPC_TRY(BN_sub_word(less, 1) == 1) &&
               SPC_TRY(BN_mod(exponent, secret_d, less, ctx) == 1);
    }
    BN_clear_free(less);
    BN_clear_free(secret_d);
    if (!good) {
        BN_clear_free(exponent);
        return NULL;
    }
    return exponent;
}

static bool rsa_private_numbers(BIGNUM **n, spb_span d, spb_span iqmp, spb_span p, spb_span q)
{
    BN_CTX *ctx = NULL;
    BIGNUM *product = NULL;
    bool good = (n[RSA_D] = secret_number(d)) != NULL && (n[RSA_P] = secret_number(p)) != NULL &&
                (n[RSA_Q] = secret_number(q)) != NULL &&
                (n[RSA_IQMP] = secret_number(iqmp)) != NULL && BN_is_odd(n[RSA_P]) &&
                BN_is_odd(n[RSA_Q]) && !BN_is_one(n[RSA_P]) && !BN_is_one(n[RSA_Q]) &&
                BN_cmp(n[RSA_D], n[RSA_N]) < 0 && SPC_TRY((ctx = BN_CTX_secure_new()) != NULL) &&
                SPC_TRY((product = BN_secure_new()) != NULL) &&
                SPC_TRY(BN_mul(product, n[RSA_P], n[RSA_Q], ctx) == 1) &&
                BN_cmp(product, n[RSA_N]) == 0 &&
                (n[RSA_DP] = crt_exponent(n[RSA_D], n[RSA_P], ctx)) != NULL &&
                (n[RSA_DQ] = crt_exponent(n[RSA_D], n[RSA_Q], ctx)) != NULL;
    BN_clear_free(product);
    BN_CTX_free(ctx);
    return good;
}

bool spc_pkey_from_rsa(spc_pkey **out, const spb_env *env, spb_span n, spb_span e, spb_span d,
                       spb_span iqmp, spb_span p, spb_span q)
{
    static const char *const names[RSA_NUMBERS] = {
        [RSA_N] = OSSL_PKEY_PARAM_RSA_N,          [RSA_E] = OSSL_PKEY_PARAM_RSA_E,
        [RSA_D] = OSSL_PKEY_PARAM_RSA_D,          [RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
        [RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,    [RSA_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
        [RSA_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2, [RSA_IQMP] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    const size_t bytes_max = SPC_RSA_BITS_MAX / 8;
    bool private_too = d.length != 0;

    *out = NULL;
    if (n.length < SPC_RSA_BITS_MIN / 8 || n.length > bytes_max + 1 || e.length == 0 ||
        e.length > RSA_E_BITS_MAX / 8 + 1 || d.length > n.length || iqmp.length > n.length ||
        p.length > n.length || q.length > n.length ||
        private_too != (iqmp.length != 0 && p.length != 0 && q.length != 0))
        return false;

    BIGNUM *numbers[RSA_NUMBERS] = {NULL};
    OSSL_PARAM_BLD *builder = NULL;
    ERR_set_mark();
    bool good =
        (numbers[RSA_N] = secret_number(n)) != NULL && (numbers[RSA_E] = secret_number(e)) != NULL;
    if (good) {
        int bits = BN_num_bits(numbers[RSA_N]);
        good = bits >= (int)SPC_RSA_BITS_MIN && bits <= (int)SPC_RSA_BITS_MAX &&
               BN_is_odd(numbers[RSA_N]) && BN_is_odd(numbers[RSA_E]) &&
               !BN_is_one(numbers[RSA_E]) && BN_num_bits(numbers[RSA_E]) <= RSA_E_BITS_MAX;
    }
    if (good && private_too)
        good = rsa_private_numbers(numbers, d, iqmp, p, q);
    good = good && SPC_TRY((builder = OSSL_PARAM_BLD_new()) != NULL);
    for (size_t i = 0; good && i < RSA_NUMBERS; i++) {
        if (numbers[i] != NULL)
            good = SPC_TRY(OSSL_PARAM_BLD_push_BN(builder, names[i], numbers[i]) == 1);
    }
    good = good && from_builder(out, env, "RSA", builder, private_too);
    OSSL_PARAM_BLD_free(builder);
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(numbers[i]);
    ERR_pop_to_mark();
    return good;
}
