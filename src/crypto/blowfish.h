/* Blowfish with its key schedule laid open, for bcrypt alone: libcrypto's gives no access to the
 * state. No other use of this cipher exists here. */
#ifndef SPC_BLOWFISH_H
#define SPC_BLOWFISH_H

#include <stddef.h>
#include <stdint.h>

#define SPC_BLOWFISH_P 18
#define SPC_BLOWFISH_WORDS (SPC_BLOWFISH_P + 4 * 256)

/* The P array, and behind it the four S-boxes. */
typedef struct spc_blowfish {
    uint32_t words[SPC_BLOWFISH_WORDS];
} spc_blowfish;

/* The first words of pi's fractional part. */
extern const uint32_t spc_pi_words[SPC_BLOWFISH_WORDS];

/* What bcrypt mixes in, as 16 big-endian words: a SHA-512 value. */
#define SPC_BLOWFISH_KEY 16

void spc_blowfish_start(spc_blowfish *b);
/* The key schedule with a key; and, `salt` not NULL, with a salt running along. */
void spc_blowfish_expand(spc_blowfish *b, const uint32_t salt[SPC_BLOWFISH_KEY],
                         const uint32_t key[SPC_BLOWFISH_KEY]);
void spc_blowfish_encrypt(const spc_blowfish *b, uint32_t block[2]);

#endif
