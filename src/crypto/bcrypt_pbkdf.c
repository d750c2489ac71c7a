/* bcrypt_pbkdf, the key derivation of OpenSSH's private key files (OpenSSH PROTOCOL.key; OpenBSD's
 * bcrypt_pbkdf(3)): PBKDF2's shape around a bcrypt that hashes a SHA-512 of the passphrase with one
 * of the salt. libcrypto has no bcrypt. */
#include "crypto/blowfish.h"
#include "crypto/crypto.h"

#include <string.h>

#define HASH_WORDS 8
#define HASH_SIZE ((size_t)4 * HASH_WORDS)
#define SHA_SIZE ((size_t)64)
#define COST 64 /* 2 to the cost of 6 */

/* Everything secret in one place, so that it is wiped in one go. */
typedef struct bcrypt_work {
    spc_blowfish cipher;
    uint32_t password[SPC_BLOWFISH_KEY];
    uint32_t salt[SPC_BLOWFISH_KEY];
    uint8_t sha[SHA_SIZE];
    uint8_t hash[HASH_SIZE];
    uint8_t sum[HASH_SIZE];
} bcrypt_work;

static void to_words(uint32_t out[SPC_BLOWFISH_KEY], const uint8_t sha[SHA_SIZE])
{
    for (size_t i = 0; i < SPC_BLOWFISH_KEY; i++)
        out[i] = spb_get_u32(sha + 4 * i);
}

/* bcrypt of `password` with `salt` into `hash`. */
static void bcrypt_hash(bcrypt_work *w)
{
    static const uint8_t text[] = "OxychromaticBlowfishSwatDynamite";
    uint32_t data[HASH_WORDS];

    spc_blowfish_start(&w->cipher);
    spc_blowfish_expand(&w->cipher, w->salt, w->password);
    for (int i = 0; i < COST; i++) {
        spc_blowfish_expand(&w->cipher, NULL, w->salt);
        spc_blowfish_expand(&w->cipher, NULL, w->password);
    }
    for (size_t i = 0; i < HASH_WORDS; i++)
        data[i] = spb_get_u32(text + 4 * i);
    for (int i = 0; i < COST; i++) {
        for (size_t j = 0; j < HASH_WORDS; j += 2)
            spc_blowfish_encrypt(&w->cipher, data + j);
    }
    /* Little-endian, by an accident of the first implementation that became the rule. */
    for (size_t i = 0; i < HASH_WORDS; i++) {
        for (size_t j = 0; j < 4; j++)
            w->hash[4 * i + j] = (uint8_t)(data[i] >> (8 * j));
    }
    sp_zero(data, sizeof data);
}

/* SHA-512 over two spans into `sha`, from there to `out`. */
static bool hash_words(bcrypt_work *w, spb_span first, spb_span second,
                       uint32_t out[SPC_BLOWFISH_KEY])
{
    const spb_span spans[2] = {first, second};

    if (!spc_hash(SPC_SHA512, spans, 2, w->sha))
        return false;
    to_words(out, w->sha);
    return true;
}

/* One block: the sum of `rounds` hashes, each salted with the one before. */
static bool block(bcrypt_work *w, spb_span salt, uint32_t number, uint32_t rounds)
{
    uint8_t count[4];
    const spb_span none = {w->hash, 0};

    spb_put_u32(count, number);
    if (!hash_words(w, salt, (spb_span){count, sizeof count}, w->salt))
        return false;
    bcrypt_hash(w);
    memcpy(w->sum, w->hash, HASH_SIZE);
    for (uint32_t i = 1; i < rounds; i++) {
        if (!hash_words(w, (spb_span){w->hash, HASH_SIZE}, none, w->salt))
            return false;
        bcrypt_hash(w);
        for (size_t j = 0; j < HASH_SIZE; j++)
            w->sum[j] ^= w->hash[j];
    }
    return true;
}

bool spc_bcrypt_pbkdf(const spb_env *env, spb_span passphrase, spb_span salt, uint32_t rounds,
                      uint8_t *out, size_t length)
{
    const spb_span none = {out, 0};

    if (passphrase.length == 0 || salt.length == 0 || salt.length > SPC_BCRYPT_SALT_MAX ||
        rounds == 0 || rounds > SP_BCRYPT_ROUNDS_MAX || length == 0 || length > SPC_BCRYPT_OUT_MAX)
        return false;
    bcrypt_work *w = spb_calloc(env, 1, sizeof *w);
    if (w == NULL)
        return false;
    /* The blocks' bytes are not put one behind the other but dealt out in turn. */
    size_t blocks = (length + HASH_SIZE - 1) / HASH_SIZE;
    size_t share = (length + blocks - 1) / blocks;
    bool good = hash_words(w, passphrase, none, w->password);
    for (size_t i = 0; good && i < blocks; i++) {
        good = block(w, salt, (uint32_t)i + 1, rounds);
        for (size_t j = 0; good && j < share && j * blocks + i < length; j++)
            out[j * blocks + i] = w->sum[j];
    }
    spb_free_secret(env, w, sizeof *w);
    if (!good)
        sp_zero(out, length);
    return good;
}
