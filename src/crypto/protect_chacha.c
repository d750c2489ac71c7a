/* ChaCha20 with Poly1305 as in OpenSSH PROTOCOL.chacha20poly1305: one key for the length field, one
 * for the rest; Poly1305's key is the start of the second key's stream; the nonce is the sequence
 * number. One libcrypto context serves both keys: setting a ChaCha20 key is only a copy, and a
 * second context would cost each connection 1 KiB. */
#include "crypto/fault.h"
#include "crypto/protect.h"

#include <openssl/crypto.h>
#include <string.h>

#define CHACHA_BLOCK ((size_t)64)
#define POLY1305_KEY ((size_t)32)
#define POLY1305_TAG ((size_t)16)

/* Puts the stream of `key` at block 0 of the packet's nonce. libcrypto's IV: block counter, 64 bits
 * little-endian, then the nonce, here 64 bits big-endian. */
static bool chacha_begin(spc_protection *p, const uint8_t *key, uint32_t sequence)
{
    uint8_t iv[16] = {0};

    spb_put_u32(iv + 12, sequence);
    return SPC_TRY(EVP_CipherInit_ex2(p->cipher, NULL, key, iv, -1, NULL) == 1);
}

static bool chacha_start(spc_protection *p, const uint8_t *key, const uint8_t *iv,
                         const uint8_t *mac_key)
{
    (void)iv;
    (void)mac_key;
    const spc_fetched *f = spc_fetch();
    static const uint8_t zero[16];

    if (f == NULL || f->cipher[SPC_CHACHA20] == NULL || f->poly1305 == NULL)
        return false;
    memcpy(p->u.chacha.payload_key, key, SPC_CHACHA_KEY);
    memcpy(p->u.chacha.length_key, key + SPC_CHACHA_KEY, SPC_CHACHA_KEY);
    return SPC_TRY(EVP_CipherInit_ex2(p->cipher, f->cipher[SPC_CHACHA20], key, zero, 1, NULL) ==
                   1) &&
           SPC_TRY((p->hasher = EVP_MAC_CTX_new(f->poly1305)) != NULL);
}

static bool chacha_length(spc_protection *p, uint32_t sequence, const uint8_t *in, uint8_t *out)
{
    return chacha_begin(p, p->u.chacha.length_key, sequence) && spc_stream(p->cipher, in, 4, out);
}

/* Keys Poly1305 for the packet and leaves the payload's stream at block 1, where the payload
 * starts. */
static bool chacha_payload_begin(spc_protection *p, uint32_t sequence)
{
    static const uint8_t zero[CHACHA_BLOCK];
    uint8_t block[CHACHA_BLOCK];
    bool good = chacha_begin(p, p->u.chacha.payload_key, sequence) &&
                spc_stream(p->cipher, zero, sizeof zero, block) &&
                SPC_TRY(EVP_MAC_init(p->hasher, block, POLY1305_KEY, NULL) == 1);
    sp_zero(block, sizeof block);
    return good;
}

static bool chacha_tag(spc_protection *p, const uint8_t *data, size_t length, uint8_t *tag)
{
    size_t size = 0;
    return SPC_TRY(EVP_MAC_update(p->hasher, data, length) == 1) &&
           SPC_TRY(EVP_MAC_final(p->hasher, tag, &size, POLY1305_TAG) == 1) && size == POLY1305_TAG;
}

static bool chacha_open_length(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                               uint32_t *packet_length)
{
    uint8_t plain[4];

    if (!chacha_length(p, sequence, packet, plain))
        return false;
    *packet_length = spb_get_u32(plain);
    return true;
}

static bool chacha_open(spc_protection *p, uint32_t sequence, uint8_t *packet,
                        uint32_t packet_length)
{
    size_t whole = 4 + (size_t)packet_length;
    uint8_t tag[POLY1305_TAG];

    return chacha_payload_begin(p, sequence) && chacha_tag(p, packet, whole, tag) &&
           SPC_TRY(CRYPTO_memcmp(tag, packet + whole, sizeof tag) == 0) &&
           spc_stream(p->cipher, packet + 4, packet_length, packet + 4);
}

static bool chacha_seal(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
                        size_t total, uint8_t *out)
{
    return chacha_length(p, sequence, spans[0].data, out) && chacha_payload_begin(p, sequence) &&
           spc_stream_spans(p->cipher, spans, count, total, 4, out + 4) &&
           chacha_tag(p, out, total, out + total);
}

const spc_family spc_family_chacha = {chacha_start, chacha_open_length, chacha_open, chacha_seal};
