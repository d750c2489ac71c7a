/* Signing, and the table of signature algorithms (RFC 8709, RFC 5656 3.1.2, RFC 8332,
 * OpenSSH PROTOCOL.u2f, draft-ietf-sshm-composite-sigs). SHA-1 signatures do not exist here. */
#include "crypto/composite.h"
#include "crypto/fault.h"
#include "crypto/pkey.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define RSA_BYTES_MAX (SPC_RSA_BITS_MAX / 8)

/* The public entry comes first, so that the one leads to the other. */
static const struct signature_row {
    spc_signature entry;
    const char *digest;
} signatures[] = {
    {{"ssh-ed25519", SP_KEY_ED25519}, NULL},
    {{"ecdsa-sha2-nistp256", SP_KEY_ECDSA_P256}, "SHA256"},
    {{"ecdsa-sha2-nistp384", SP_KEY_ECDSA_P384}, "SHA384"},
    {{"ecdsa-sha2-nistp521", SP_KEY_ECDSA_P521}, "SHA512"},
    {{"rsa-sha2-512", SP_KEY_RSA}, "SHA512"},
    {{"rsa-sha2-256", SP_KEY_RSA}, "SHA256"},
    {{"ssh-ed448", SP_KEY_ED448}, NULL},
    /* No key of libcrypto's has these types: src/key/security_key.c verifies them. */
    {{"sk-ssh-ed25519@openssh.com", SP_KEY_SK_ED25519}, NULL},
    {{"sk-ecdsa-sha2-nistp256@openssh.com", SP_KEY_SK_ECDSA_P256}, NULL},
    {{"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", SP_KEY_SK_ECDSA_P256}, NULL},
    /* Experimental: composite.c signs and verifies them. */
    {{"ssh-mldsa44-ed25519", SP_KEY_MLDSA44_ED25519}, NULL},
    {{"ssh-mldsa44-ed25519@openssh.com", SP_KEY_MLDSA44_ED25519_DRAFT}, NULL},
};

const spc_signature *spc_signature_at(size_t index)
{
    return index < sizeof signatures / sizeof signatures[0] ? &signatures[index].entry : NULL;
}

const spc_signature *spc_signature_find(spb_span name)
{
    for (size_t i = 0; spc_signature_at(i) != NULL; i++) {
        if (spb_span_is(name, signatures[i].entry.name))
            return &signatures[i].entry;
    }
    return NULL;
}

const char *spc_signature_digest(const spc_signature *alg)
{
    return ((const struct signature_row *)alg)->digest;
}

/* libcrypto's form of a signature in memory of ours; `*length` is the room in, the size out. */
static bool sign_raw(const spc_pkey *k, const spc_signature *alg, spb_span data, uint8_t *out,
                     size_t *length)
{
    EVP_MD_CTX *ctx = NULL;
    bool good = SPC_TRY((ctx = EVP_MD_CTX_new()) != NULL) &&
                SPC_TRY(EVP_DigestSignInit_ex(ctx, NULL, spc_signature_digest(alg), NULL, NULL,
                                              k->pkey, NULL) == 1) &&
                SPC_TRY(EVP_DigestSign(ctx, out, length, data.data, data.length) == 1);
    EVP_MD_CTX_free(ctx);
    return good;
}

static void write_number(spb_buffer *out, const BIGNUM *n)
{
    uint8_t bytes[SPC_CURVE_SIZE_MAX];
    int length = BN_num_bytes(n);

    if (length > (int)sizeof bytes || !SPC_TRY(BN_bn2bin(n, bytes) == length))
        out->failed = true;
    else
        spw_mpint(out, bytes, (size_t)length);
}

/* RFC 5656 3.1.2: two mpints in place of libcrypto's DER. */
static bool write_ecdsa(const uint8_t *der, size_t length, spb_buffer *out)
{
    const unsigned char *at = der;
    ECDSA_SIG *pair = NULL;

    if (!SPC_TRY((pair = d2i_ECDSA_SIG(NULL, &at, (long)length)) != NULL))
        return false;
    write_number(out, ECDSA_SIG_get0_r(pair));
    write_number(out, ECDSA_SIG_get0_s(pair));
    ECDSA_SIG_free(pair);
    return spw_ok(out);
}

bool spc_sign(const spc_pkey *k, const spc_signature *alg, spb_span data, spb_buffer *out)
{
    uint8_t raw[RSA_BYTES_MAX];
    size_t length = sizeof raw;
    bool good = k->type == alg->key_type;

    if (k->composite != NULL)
        return good && spc_composite_sign(k->composite, data, out);
    ERR_set_mark();
    good = good && sign_raw(k, alg, data, raw, &length) && length <= sizeof raw;
    if (good && k->type == SP_KEY_RSA) {
        /* A fault in the CRT arithmetic would give the factors away. */
        good = length == (k->bits + 7) / 8 && spc_verify(k, alg, data, (spb_span){raw, length});
        if (good)
            spw_bytes(out, raw, length);
    } else if (good && spc_eddsa_of(k->type) != NULL) {
        good = length == spc_eddsa_of(k->type)->signature;
        if (good)
            spw_bytes(out, raw, length);
    } else if (good) {
        good = write_ecdsa(raw, length, out);
    }
    ERR_pop_to_mark();
    return good && spw_ok(out);
}
