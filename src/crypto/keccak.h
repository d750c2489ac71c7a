/* SHA-3 and SHAKE (FIPS 202): absorb in pieces, then squeeze in pieces. No memory is allocated and
 * nothing can fail. Takes a time that depends on lengths alone. A state holds what it was fed: wipe
 * it with sp_zero where that was secret. */
#ifndef SPC_KECCAK_H
#define SPC_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define SPC_SHAKE128_RATE 168
#define SPC_SHAKE256_RATE 136
#define SPC_SHA3_256_SIZE ((size_t)32)
#define SPC_SHA3_512_SIZE ((size_t)64)

typedef enum spc_keccak_kind {
    SPC_SHA3_256,
    SPC_SHA3_512,
    SPC_SHAKE128,
    SPC_SHAKE256
} spc_keccak_kind;

typedef struct spc_keccak {
    uint64_t lanes[25];
    unsigned rate;   /* bytes of a block */
    unsigned at;     /* place in the block at hand */
    uint8_t padding; /* the bits behind the message: SHA-3's or SHAKE's */
} spc_keccak;

void spc_keccak_init(spc_keccak *k, spc_keccak_kind kind);
void spc_keccak_absorb(spc_keccak *k, const void *data, size_t length);
/* Once, between the last absorb and the first squeeze. */
void spc_keccak_finalize(spc_keccak *k);
/* SHA-3 gives its size at most; SHAKE as much as is asked for. */
void spc_keccak_squeeze(spc_keccak *k, void *out, size_t length);
/* All of it in one; wipes its state. */
void spc_keccak_once(spc_keccak_kind kind, const void *data, size_t length, void *out,
                     size_t out_length);

/* ---- four at a time ---- */
/* Four SHAKE states over messages of the same length, shorter than a block. Squeezes whole blocks.
 * With AVX2 this takes hardly longer than one. */
typedef struct spc_keccak4 {
    uint64_t lanes[25][4];
    unsigned rate;
} spc_keccak4;
void spc_keccak4_start(spc_keccak4 *k, spc_keccak_kind kind, const uint8_t *const messages[4],
                       size_t length);
void spc_keccak4_block(spc_keccak4 *k, uint8_t *const out[4]); /* `rate` bytes to each */

/* The permutation of four states; the two ways of it, for tests. The second is there when
 * spc_cpu_avx2 says so. */
void spc_keccak4_permute_plain(uint64_t lanes[25][4]);
void spc_keccak4_permute_avx2(uint64_t lanes[25][4]);

#endif
