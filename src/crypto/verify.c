/* Checking signatures. Zero means no: true comes only from libcrypto's 1 for a signature of exactly
 * the algorithm's length and encoding. */
#include "crypto/composite.h"
#include "crypto/fault.h"
#include "crypto/pkey.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

/* 9 bytes of DER around two numbers with a sign byte each. */
#define ECDSA_DER_MAX (2 * (SPC_CURVE_SIZE_MAX + 1) + 9)

static bool verify_raw(const spc_pkey *k, const spc_signature *alg, spb_span data,
                       const uint8_t *signature, size_t length)
{
    EVP_MD_CTX *ctx = NULL;
    bool good = SPC_TRY((ctx = EVP_MD_CTX_new()) != NULL) &&
                SPC_TRY(EVP_DigestVerifyInit_ex(ctx, NULL, spc_signature_digest(alg), NULL, NULL,
                                                k->pkey, NULL) == 1) &&
                SPC_TRY(EVP_DigestVerify(ctx, signature, length, data.data, data.length) == 1);
    EVP_MD_CTX_free(ctx);
    return good;
}

/* Two mpints to libcrypto's DER; 0 on failure. */
static size_t ecdsa_der(const spc_pkey *k, spb_span signature, uint8_t der[ECDSA_DER_MAX])
{
    size_t size = spc_curves[spc_curve_of(k->type)].size;
    spb_reader reader;
    spr_init(&reader, signature.data, signature.length);
    spb_span r = spr_mpint(&reader);
    spb_span s = spr_mpint(&reader);
    if (!spr_done(&reader) || r.length == 0 || s.length == 0 || r.length > size || s.length > size)
        return 0;

    ECDSA_SIG *pair = NULL;
    BIGNUM *r_number = NULL;
    BIGNUM *s_number = NULL;
    unsigned char *at = der;
    int length = 0;
    bool good = SPC_TRY((pair = ECDSA_SIG_new()) != NULL) &&
                SPC_TRY((r_number = BN_bin2bn(r.data, (int)r.length, NULL)) != NULL) &&
                SPC_TRY((s_number = BN_bin2bn(s.data, (int)s.length, NULL)) != NULL) &&
                SPC_TRY(ECDSA_SIG_set0(pair, r_number, s_number) == 1);
    if (good) /* the pair owns them now */
        good = SPC_TRY((length = i2d_ECDSA_SIG(pair, NULL)) > 0) && length <= (int)ECDSA_DER_MAX &&
               SPC_TRY((length = i2d_ECDSA_SIG(pair, &at)) > 0);
    else {
        BN_free(r_number);
        BN_free(s_number);
    }
    ECDSA_SIG_free(pair);
    return good ? (size_t)length : 0;
}

bool spc_verify(const spc_pkey *k, const spc_signature *alg, spb_span data, spb_span signature)
{
    bool good = false;

    if (k->type != alg->key_type)
        return false;
    if (k->composite != NULL)
        return spc_composite_verify(k->composite, data, signature);
    ERR_set_mark();
    if (spc_eddsa_of(k->type) != NULL) {
        good = signature.length == spc_eddsa_of(k->type)->signature &&
               verify_raw(k, alg, data, signature.data, signature.length);
    } else if (k->type == SP_KEY_RSA) {
        good = signature.length == (k->bits + 7) / 8 &&
               verify_raw(k, alg, data, signature.data, signature.length);
    } else {
        uint8_t der[ECDSA_DER_MAX];
        size_t length = ecdsa_der(k, signature, der);
        good = length != 0 && verify_raw(k, alg, data, der, length);
    }
    ERR_pop_to_mark();
    return good;
}
