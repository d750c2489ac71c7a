/* The tables of ciphers and MACs, best first (RFC 4344 4, RFC 5647 by OpenSSH's names, RFC 6668,
 * RFC 4253 6.4, OpenSSH PROTOCOL 1.5, 1.7 and PROTOCOL.chacha20poly1305). */
#include "crypto/protect.h"

static const spc_cipher_row ciphers[] = {
    {{"chacha20-poly1305@openssh.com", 64, 0, 8, 16}, SPC_CHACHA20, &spc_family_chacha},
    {{"aes128-gcm@openssh.com", 16, 12, 16, 16}, SPC_AES128_GCM, &spc_family_gcm},
    {{"aes256-gcm@openssh.com", 32, 12, 16, 16}, SPC_AES256_GCM, &spc_family_gcm},
    {{"aes128-ctr", 16, 16, 16, 0}, SPC_AES128_CTR, &spc_family_ctr},
    {{"aes192-ctr", 24, 16, 16, 0}, SPC_AES192_CTR, &spc_family_ctr},
    {{"aes256-ctr", 32, 16, 16, 0}, SPC_AES256_CTR, &spc_family_ctr},
};

static const spc_mac macs[] = {
    {"hmac-sha2-256-etm@openssh.com", SPC_SHA256, 32, 32, true},
    {"hmac-sha2-512-etm@openssh.com", SPC_SHA512, 64, 64, true},
    {"umac-128-etm@openssh.com", SPC_NO_HASH, 16, 16, true},
    {"hmac-sha2-256", SPC_SHA256, 32, 32, false},
    {"hmac-sha2-512", SPC_SHA512, 64, 64, false},
    {"umac-128@openssh.com", SPC_NO_HASH, 16, 16, false},
    {"umac-64-etm@openssh.com", SPC_NO_HASH, 16, 8, true},
    {"umac-64@openssh.com", SPC_NO_HASH, 16, 8, false},
    {"hmac-sha1-etm@openssh.com", SPC_SHA1, 20, 20, true},
    {"hmac-sha1", SPC_SHA1, 20, 20, false},
};

const spc_cipher *spc_cipher_at(size_t index)
{
    return index < sizeof ciphers / sizeof ciphers[0] ? &ciphers[index].entry : NULL;
}

const spc_cipher *spc_cipher_find(spb_span name)
{
    for (size_t i = 0; spc_cipher_at(i) != NULL; i++) {
        if (spb_span_is(name, ciphers[i].entry.name))
            return &ciphers[i].entry;
    }
    return NULL;
}

bool spc_cipher_available(const spc_cipher *cipher)
{
    const spc_fetched *f = spc_fetch();
    const spc_cipher_row *row = (const spc_cipher_row *)cipher;

    return f != NULL && f->cipher[row->index] != NULL &&
           (row->index != SPC_CHACHA20 || f->poly1305 != NULL);
}

const spc_mac *spc_mac_at(size_t index)
{
    return index < sizeof macs / sizeof macs[0] ? &macs[index] : NULL;
}

const spc_mac *spc_mac_find(spb_span name)
{
    for (size_t i = 0; spc_mac_at(i) != NULL; i++) {
        if (spb_span_is(name, macs[i].name))
            return &macs[i];
    }
    return NULL;
}

bool spc_mac_available(const spc_mac *mac)
{
    const spc_fetched *f = spc_fetch();

    return f != NULL && (mac->hash == SPC_NO_HASH || f->hash[mac->hash - SPC_SHA256] != NULL);
}
