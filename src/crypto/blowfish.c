/* Blowfish (B. Schneier, "Description of a New Variable-Length Key, 64-Bit Block Cipher", 1993)
 * with the salted key schedule of bcrypt (N. Provos, D. Mazieres, "A Future-Adaptable Password
 * Scheme", 1999). */
#include "crypto/blowfish.h"

#include <string.h>

#define ROUNDS 16

void spc_blowfish_start(spc_blowfish *b)
{
    memcpy(b->words, spc_pi_words, sizeof b->words);
}

static inline uint32_t mix(const spc_blowfish *b, uint32_t x)
{
    const uint32_t *s = b->words + SPC_BLOWFISH_P;
    uint32_t sum = s[x >> 24] + s[256 + (x >> 16 & 0xff)];
    return (sum ^ s[512 + (x >> 8 & 0xff)]) + s[768 + (x & 0xff)];
}

void spc_blowfish_encrypt(const spc_blowfish *b, uint32_t block[2])
{
    const uint32_t *p = b->words;
    uint32_t left = block[0];
    uint32_t right = block[1];

    for (int i = 0; i < ROUNDS; i += 2) {
        left ^= p[i];
        right ^= mix(b, left);
        right ^= p[i + 1];
        left ^= mix(b, right);
    }
    /* The halves change places after each round but the last. */
    block[0] = right ^ p[ROUNDS + 1];
    block[1] = left ^ p[ROUNDS];
}

void spc_blowfish_expand(spc_blowfish *b, const uint32_t salt[SPC_BLOWFISH_KEY],
                         const uint32_t key[SPC_BLOWFISH_KEY])
{
    uint32_t block[2] = {0, 0};
    size_t at = 0;

    for (size_t i = 0; i < SPC_BLOWFISH_P; i++)
        b->words[i] ^= key[i % SPC_BLOWFISH_KEY];
    for (size_t i = 0; i < SPC_BLOWFISH_WORDS; i += 2) {
        if (salt != NULL) {
            block[0] ^= salt[at];
            block[1] ^= salt[at + 1];
            at = (at + 2) % SPC_BLOWFISH_KEY;
        }
        spc_blowfish_encrypt(b, block);
        b->words[i] = block[0];
        b->words[i + 1] = block[1];
    }
}
