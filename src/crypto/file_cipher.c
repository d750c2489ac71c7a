/* The ciphers of OpenSSH's private key files: those of the protocol, but over a text without a
 * length field, and those that the protocol has given up (OpenSSH PROTOCOL.key; RFC 4253 6.3, RFC
 * 4344 4, PROTOCOL.chacha20poly1305). They run once per file, so nothing is kept. */
#include "crypto/fault.h"
#include "crypto/fetch.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#define CHACHA_KEY 32
#define CHACHA_IV 16
#define TAG_SIZE 16

static const struct file_cipher_row {
    spc_file_cipher entry;
    const char *libcrypto;
} file_ciphers[] = {
    {{"aes256-ctr", 32, 16, 16, 0}, "AES-256-CTR"},
    {{"aes192-ctr", 24, 16, 16, 0}, "AES-192-CTR"},
    {{"aes128-ctr", 16, 16, 16, 0}, "AES-128-CTR"},
    {{"aes256-cbc", 32, 16, 16, 0}, "AES-256-CBC"},
    {{"aes192-cbc", 24, 16, 16, 0}, "AES-192-CBC"},
    {{"aes128-cbc", 16, 16, 16, 0}, "AES-128-CBC"},
    {{"aes256-gcm@openssh.com", 32, 12, 16, TAG_SIZE}, "AES-256-GCM"},
    {{"aes128-gcm@openssh.com", 16, 12, 16, TAG_SIZE}, "AES-128-GCM"},
    {{"chacha20-poly1305@openssh.com", 64, 0, 8, TAG_SIZE}, "ChaCha20"},
    {{"3des-cbc", 24, 8, 8, 0}, "DES-EDE3-CBC"},
};

const spc_file_cipher *spc_file_cipher_at(size_t index)
{
    return index < sizeof file_ciphers / sizeof file_ciphers[0] ? &file_ciphers[index].entry : NULL;
}

const spc_file_cipher *spc_file_cipher_find(spb_span name)
{
    for (size_t i = 0; spc_file_cipher_at(i) != NULL; i++) {
        if (spb_span_is(name, file_ciphers[i].entry.name))
            return &file_ciphers[i].entry;
    }
    return NULL;
}

/* One call for the whole text, in place; `more` bytes came out before. */
static bool update(EVP_CIPHER_CTX *ctx, uint8_t *text, size_t length)
{
    int done = 0;

    return SPC_TRY(EVP_CipherUpdate(ctx, text, &done, text, (int)length) == 1) &&
           done == (int)length;
}

/* CTR, CBC and GCM. The text is whole blocks, so padding is off. */
static int run_plain(EVP_CIPHER_CTX *ctx, const spc_file_cipher *c, uint8_t *text, size_t length,
                     uint8_t *tag, bool sealing)
{
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    int done = 0;

    if (!SPC_TRY(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1) || !update(ctx, text, length))
        return SP_ECRYPTO;
    if (c->tag_length != 0 && !sealing &&
        !SPC_TRY(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, c->tag_length, tag) == 1))
        return SP_ECRYPTO;
    if (!SPC_TRY(EVP_CipherFinal_ex(ctx, rest, &done) == 1) || done != 0)
        return c->tag_length != 0 && !sealing ? SP_EPASSPHRASE : SP_ECRYPTO;
    if (c->tag_length != 0 && sealing &&
        !SPC_TRY(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, c->tag_length, tag) == 1))
        return SP_ECRYPTO;
    return 0;
}

static bool poly1305(const uint8_t *key, const uint8_t *text, size_t length, uint8_t tag[TAG_SIZE])
{
    const spc_fetched *f = spc_fetch();
    EVP_MAC_CTX *ctx = NULL;
    size_t size = 0;
    bool good = f != NULL && f->poly1305 != NULL &&
                SPC_TRY((ctx = EVP_MAC_CTX_new(f->poly1305)) != NULL) &&
                SPC_TRY(EVP_MAC_init(ctx, key, CHACHA_KEY, NULL) == 1) &&
                SPC_TRY(EVP_MAC_update(ctx, text, length) == 1) &&
                SPC_TRY(EVP_MAC_final(ctx, tag, &size, TAG_SIZE) == 1) && size == TAG_SIZE;
    EVP_MAC_CTX_free(ctx);
    return good;
}

/* PROTOCOL.chacha20poly1305 with sequence number 0 and no length field: the second half of the key
 * is not used. Block 0 of the stream keys Poly1305, the text starts at block 1. */
static int run_chacha(EVP_CIPHER_CTX *ctx, uint8_t *text, size_t length, uint8_t *tag, bool sealing)
{
    uint8_t zero[64] = {0};
    uint8_t made[TAG_SIZE];
    int result = SP_ECRYPTO;

    if (update(ctx, zero, sizeof zero)) {
        bool good = !sealing || update(ctx, text, length);
        good = good && poly1305(zero, text, length, made);
        if (good && sealing)
            memcpy(tag, made, sizeof made);
        if (good && !sealing && !SPC_TRY(CRYPTO_memcmp(tag, made, sizeof made) == 0))
            result = SP_EPASSPHRASE;
        else if (good && (sealing || update(ctx, text, length)))
            result = 0;
    }
    sp_zero(zero, sizeof zero);
    return result;
}

int spc_file_cipher_run(const spc_file_cipher *c, const uint8_t *key, uint8_t *text, size_t length,
                        uint8_t *tag, bool sealing)
{
    static const uint8_t chacha_iv[CHACHA_IV];
    const char *name = ((const struct file_cipher_row *)c)->libcrypto;
    bool chacha = c->iv_length == 0;
    const uint8_t *iv = chacha ? chacha_iv : key + c->key_length;
    EVP_CIPHER *cipher = NULL;
    EVP_CIPHER_CTX *ctx = NULL;
    int result = SP_ECRYPTO;

    if (length > INT_MAX || length % c->block != 0)
        return SP_ECRYPTO;
    ERR_set_mark();
    if (!SPC_TRY((cipher = EVP_CIPHER_fetch(NULL, name, NULL)) != NULL))
        result = SP_ENOTSUP;
    else if (SPC_TRY((ctx = EVP_CIPHER_CTX_new()) != NULL) &&
             SPC_TRY(EVP_CipherInit_ex2(ctx, cipher, key, iv, sealing, NULL) == 1))
        result = chacha ? run_chacha(ctx, text, length, tag, sealing)
                        : run_plain(ctx, c, text, length, tag, sealing);
    EVP_CIPHER_CTX_free(ctx); /* wipes the key */
    EVP_CIPHER_free(cipher);
    ERR_pop_to_mark();
    return result;
}
