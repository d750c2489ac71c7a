/* Packet protection: makes the object, checks lengths, makes failure stick, and hands each packet
 * to its cipher's family (RFC 4253 6, RFC 5647, OpenSSH PROTOCOL 1.5). */
#include "crypto/protect.h"
#include "crypto/fault.h"

#include <string.h>

/* No packet comes near it; it keeps every length inside libcrypto's int. */
#define PROTECT_LENGTH_MAX ((size_t)1 << 30)
/* The shortest in practice: OpenSSH's one-byte messages (NEWKEYS) under EtM and AEAD, where the
 * length field is no part of the blocks. */
#define PROTECT_LENGTH_MIN ((uint32_t)8)
/* Below this, one call into libcrypto and a copy cost less than a call for each span. */
#define GATHER_MAX ((size_t)2048)

bool spc_stream(EVP_CIPHER_CTX *cipher, const uint8_t *in, size_t length, uint8_t *out)
{
    int done = 0;

    if (length == 0)
        return true;
    return SPC_TRY(EVP_CipherUpdate(cipher, out, &done, in, (int)length) == 1) &&
           done == (int)length;
}

bool spc_stream_spans(EVP_CIPHER_CTX *cipher, const spb_span *spans, size_t count, size_t total,
                      size_t skip, uint8_t *out)
{
    uint8_t *to = out;

    if (total <= GATHER_MAX) {
        for (size_t i = 0; i < count; i++) {
            if (spans[i].length > skip)
                memcpy(to, spans[i].data + skip, spans[i].length - skip);
            to += spans[i].length - skip;
            skip = 0;
        }
        return spc_stream(cipher, out, (size_t)(to - out), out);
    }
    for (size_t i = 0; i < count; i++) {
        if (!spc_stream(cipher, spans[i].data + skip, spans[i].length - skip, to))
            return false;
        to += spans[i].length - skip;
        skip = 0;
    }
    return true;
}

bool spc_protection_new(spc_protection **out, const spb_env *env, const spc_cipher *cipher,
                        const spc_mac *mac, const uint8_t *key, const uint8_t *iv,
                        const uint8_t *mac_key, bool sealing)
{
    *out = NULL;
    if ((mac == NULL) != (cipher->tag_length > 0))
        return false;
    spc_protection *p = spb_calloc(env, 1, sizeof *p);
    if (p == NULL)
        return false;
    p->env = env;
    p->row = (const spc_cipher_row *)cipher;
    p->mac = mac;
    p->sealing = sealing;
    if (!SPC_TRY((p->cipher = EVP_CIPHER_CTX_new()) != NULL) ||
        !p->row->family->start(p, key, iv, mac_key)) {
        spc_protection_free(p);
        return false;
    }
    *out = p;
    return true;
}

void spc_protection_free(spc_protection *p)
{
    if (p == NULL)
        return;
    EVP_CIPHER_CTX_free(p->cipher); /* these wipe their keys */
    EVP_MAC_CTX_free(p->hasher);
    spc_umac_free(p->umac);
    spb_free_secret(p->env, p, sizeof *p);
}

size_t spc_protection_clear_length(const spc_protection *p)
{
    return p->mac == NULL || p->mac->etm ? 4 : 0;
}

size_t spc_protection_block(const spc_protection *p)
{
    return p->row->entry.block;
}

size_t spc_protection_tag(const spc_protection *p)
{
    return p->mac == NULL ? p->row->entry.tag_length : p->mac->length;
}

size_t spc_protection_need(const spc_protection *p)
{
    return spc_protection_clear_length(p) == 4 ? 4 : p->row->entry.block;
}

bool spc_open_length(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                     uint32_t *packet_length)
{
    *packet_length = 0;
    if (p->failed || p->sealing ||
        !p->row->family->open_length(p, sequence, packet, packet_length)) {
        p->failed = true;
        return false;
    }
    return true;
}

bool spc_open(spc_protection *p, uint32_t sequence, uint8_t *packet, uint32_t packet_length)
{
    if (p->failed || p->sealing || packet_length < PROTECT_LENGTH_MIN ||
        packet_length > PROTECT_LENGTH_MAX ||
        !p->row->family->open(p, sequence, packet, packet_length)) {
        p->failed = true;
        return false;
    }
    return true;
}

bool spc_seal(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
              uint8_t *out)
{
    size_t total = 0;
    bool fits = count > 0 && spans[0].length >= 5;

    for (size_t i = 0; i < count && fits; i++) {
        fits = spans[i].length <= PROTECT_LENGTH_MAX - total;
        total += spans[i].length;
    }
    if (!fits || p->failed || !p->sealing || total < 4 + PROTECT_LENGTH_MIN ||
        !p->row->family->seal(p, sequence, spans, count, total, out)) {
        p->failed = true;
        return false;
    }
    return true;
}
