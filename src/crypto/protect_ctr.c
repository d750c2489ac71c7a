/* AES-CTR with HMAC or UMAC (RFC 4344 4, RFC 6668, RFC 4418; encrypt-then-MAC: OpenSSH PROTOCOL
 * 1.5). The counter
 * runs on from packet to packet, so the stream is never set anew. Without encrypt-then-MAC the
 * length is only known after a block is decrypted; that block is kept until the packet is opened.
 */
#include "crypto/fault.h"
#include "crypto/protect.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <string.h>

static bool hmac_start(spc_protection *p, const spc_fetched *f, const uint8_t *key)
{
    char digest[sizeof "SHA256"] = "SHA256";

    if (p->mac->hash == SPC_SHA512)
        memcpy(digest, "SHA512", sizeof "SHA512");
    else if (p->mac->hash == SPC_SHA1)
        memcpy(digest, "SHA1", sizeof "SHA1");
    const OSSL_PARAM params[2] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, strlen(digest)),
        OSSL_PARAM_END,
    };

    return SPC_TRY((p->hasher = EVP_MAC_CTX_new(f->hmac)) != NULL) &&
           SPC_TRY(EVP_MAC_init(p->hasher, key, p->mac->key_length, params) == 1);
}

static bool ctr_start(spc_protection *p, const uint8_t *key, const uint8_t *iv,
                      const uint8_t *mac_key)
{
    const spc_fetched *f = spc_fetch();

    if (f == NULL ||
        !SPC_TRY(EVP_CipherInit_ex2(p->cipher, f->cipher[p->row->index], key, iv, 1, NULL) == 1))
        return false;
    return p->mac->hash == SPC_NO_HASH ? spc_umac_new(&p->umac, p->env, mac_key, p->mac->length)
                                       : hmac_start(p, f, mac_key);
}

/* The MAC of RFC 4253 6.4: over the sequence number and the packet. To UMAC the number is a nonce.
 */
static bool ctr_mac(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
                    uint8_t *tag)
{
    uint8_t number[4];
    size_t size = 0;

    if (p->umac != NULL)
        return spc_umac_tag(p->umac, sequence, spans, count, tag);
    spb_put_u32(number, sequence);
    /* No key: the one of the start stays. */
    bool good = SPC_TRY(EVP_MAC_init(p->hasher, NULL, 0, NULL) == 1) &&
                SPC_TRY(EVP_MAC_update(p->hasher, number, sizeof number) == 1);
    for (size_t i = 0; good && i < count; i++)
        good = SPC_TRY(EVP_MAC_update(p->hasher, spans[i].data, spans[i].length) == 1);
    return good && SPC_TRY(EVP_MAC_final(p->hasher, tag, &size, p->mac->length) == 1) &&
           size == p->mac->length;
}

static bool ctr_mac_matches(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                            size_t whole)
{
    const spb_span all = {packet, whole};
    uint8_t tag[SPC_TAG_MAX];

    return ctr_mac(p, sequence, &all, 1, tag) &&
           SPC_TRY(CRYPTO_memcmp(tag, packet + whole, p->mac->length) == 0);
}

static bool ctr_open_length(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                            uint32_t *packet_length)
{
    if (p->mac->etm) {
        *packet_length = spb_get_u32(packet);
        return true;
    }
    if (!p->u.ctr.first_known) {
        if (!spc_stream(p->cipher, packet, SPC_AES_BLOCK, p->u.ctr.first))
            return false;
        p->u.ctr.first_sequence = sequence;
        p->u.ctr.first_known = true;
    }
    if (p->u.ctr.first_sequence != sequence)
        return false;
    *packet_length = spb_get_u32(p->u.ctr.first);
    return true;
}

static bool ctr_open(spc_protection *p, uint32_t sequence, uint8_t *packet, uint32_t packet_length)
{
    size_t whole = 4 + (size_t)packet_length;
    uint32_t told;

    /* Without encrypt-then-MAC the first block is taken as a whole. */
    if (!p->mac->etm && whole < SPC_AES_BLOCK)
        return false;
    if (!ctr_open_length(p, sequence, packet, &told) || told != packet_length)
        return false;
    if (p->mac->etm)
        return ctr_mac_matches(p, sequence, packet, whole) &&
               spc_stream(p->cipher, packet + 4, packet_length, packet + 4);

    /* The MAC is over the plain packet: it must be decrypted before it can be believed. */
    memcpy(packet, p->u.ctr.first, SPC_AES_BLOCK);
    p->u.ctr.first_known = false;
    if (!spc_stream(p->cipher, packet + SPC_AES_BLOCK, whole - SPC_AES_BLOCK,
                    packet + SPC_AES_BLOCK) ||
        !ctr_mac_matches(p, sequence, packet, whole)) {
        sp_zero(packet, whole);
        return false;
    }
    return true;
}

static bool ctr_seal(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
                     size_t total, uint8_t *out)
{
    if (!p->mac->etm)
        return ctr_mac(p, sequence, spans, count, out + total) &&
               spc_stream_spans(p->cipher, spans, count, total, 0, out);

    const spb_span all = {out, total};
    memcpy(out, spans[0].data, 4);
    return spc_stream_spans(p->cipher, spans, count, total, 4, out + 4) &&
           ctr_mac(p, sequence, &all, 1, out + total);
}

const spc_family spc_family_ctr = {ctr_start, ctr_open_length, ctr_open, ctr_seal};
