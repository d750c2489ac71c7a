/* AES-GCM (RFC 5647 7, by OpenSSH's names): the length field is authenticated and in the clear; the
 * nonce is 4 fixed bytes and a 64-bit counter that steps with each packet. */
#include "crypto/fault.h"
#include "crypto/protect.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#define GCM_TAG ((size_t)16)

static bool gcm_start(spc_protection *p, const uint8_t *key, const uint8_t *iv,
                      const uint8_t *mac_key)
{
    (void)mac_key;
    const spc_fetched *f = spc_fetch();

    if (f == NULL)
        return false;
    memcpy(p->u.gcm.iv, iv, SPC_GCM_IV);
    return SPC_TRY(EVP_CipherInit_ex2(p->cipher, f->cipher[p->row->index], key, iv,
                                      p->sealing ? 1 : 0, NULL) == 1);
}

/* RFC 5647 7.1 */
static void gcm_step(spc_protection *p)
{
    for (size_t i = SPC_GCM_IV; i > SPC_GCM_IV - 8; i--) {
        if (++p->u.gcm.iv[i - 1] != 0)
            break;
    }
}

static bool gcm_aad(spc_protection *p, const uint8_t *length_field)
{
    int done = 0;
    return SPC_TRY(EVP_CipherUpdate(p->cipher, NULL, &done, length_field, 4) == 1);
}

static bool gcm_open_length(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                            uint32_t *packet_length)
{
    (void)p;
    (void)sequence;
    *packet_length = spb_get_u32(packet);
    return true;
}

static bool gcm_open(spc_protection *p, uint32_t sequence, uint8_t *packet, uint32_t packet_length)
{
    (void)sequence;
    uint8_t none[SPC_AES_BLOCK];
    int done = 0;
    const OSSL_PARAM tag[2] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, packet + 4 + packet_length, GCM_TAG),
        OSSL_PARAM_END,
    };

    if (spb_get_u32(packet) != packet_length)
        return false;
    /* Only the nonce: the key schedule stays. */
    bool good = SPC_TRY(EVP_CipherInit_ex2(p->cipher, NULL, NULL, p->u.gcm.iv, -1, tag) == 1) &&
                gcm_aad(p, packet) &&
                spc_stream(p->cipher, packet + 4, packet_length, packet + 4) &&
                SPC_TRY(EVP_CipherFinal_ex(p->cipher, none, &done) == 1);
    if (!good) {
        /* libcrypto decrypts before it knows the tag; nobody gets to see that. */
        sp_zero(packet + 4, packet_length);
        return false;
    }
    gcm_step(p);
    return true;
}

static bool gcm_seal(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
                     size_t total, uint8_t *out)
{
    (void)sequence;
    uint8_t none[SPC_AES_BLOCK];
    int done = 0;
    OSSL_PARAM tag[2] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out + total, GCM_TAG),
        OSSL_PARAM_END,
    };

    memcpy(out, spans[0].data, 4);
    if (!SPC_TRY(EVP_CipherInit_ex2(p->cipher, NULL, NULL, p->u.gcm.iv, -1, NULL) == 1) ||
        !gcm_aad(p, out) || !spc_stream_spans(p->cipher, spans, count, total, 4, out + 4) ||
        !SPC_TRY(EVP_CipherFinal_ex(p->cipher, none, &done) == 1) ||
        !SPC_TRY(EVP_CIPHER_CTX_get_params(p->cipher, tag) == 1))
        return false;
    gcm_step(p);
    return true;
}

const spc_family spc_family_gcm = {gcm_start, gcm_open_length, gcm_open, gcm_seal};
