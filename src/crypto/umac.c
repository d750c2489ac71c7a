/* UMAC-64 and UMAC-128 (RFC 4418). Three layers of hashing (5.2: NH on blocks of 1024 bytes, a
 * polynomial over their results, an inner product) give 32 bits; these run two or four times, each
 * with a key of its own, and the result is covered with a block of AES that the nonce chooses.
 *
 * The polynomial with 128-bit words that messages above 16 MiB need (5.4.1) is left out: no packet
 * is that long. Nothing here branches on, or divides by, what a key has gone into. */
#include "crypto/umac.h"

#include "crypto/fault.h"
#include "crypto/fetch.h"

#include <string.h>

#define ROUNDS_MAX ((size_t)4)
#define NH_BLOCK ((size_t)1024)
#define NH_WORDS (NH_BLOCK / 4)
#define NH_STEP ((size_t)32) /* a message is padded to a multiple */
#define NH_SHIFT ((size_t)4) /* words by which the keys of two rounds are apart */
#define MESSAGE_MAX ((size_t)16 * 1024 * 1024)
#define AES_SIZE ((size_t)16)
#define P64 UINT64_C(0xffffffffffffffc5) /* 2^64 - 59 */
#define P64_OFFSET UINT64_C(59)
#define P64_WORD_MAX UINT64_C(0xffffffff00000000)
#define P64_KEY_MASK UINT64_C(0x01ffffff01ffffff)
#define P36 UINT64_C(0xffffffffb) /* 2^36 - 5 */
#define P36_MASK UINT64_C(0xfffffffff)
#define L3_KEY ((size_t)64)
#define L3_WORDS ((size_t)4) /* what comes before them is 0: only they count */

/* The index of a key that is derived (3.2.1). */
enum { KEY_OF_PAD, KEY_OF_L1, KEY_OF_L2, KEY_OF_L3_PRODUCT, KEY_OF_L3_MASK };

struct spc_umac {
    const spb_env *env;
    EVP_CIPHER_CTX *pad; /* AES under the key of the pad */
    size_t rounds;       /* a tag has four bytes of each */
    uint32_t nh[NH_WORDS + (ROUNDS_MAX - 1) * NH_SHIFT];
    uint64_t poly[ROUNDS_MAX];
    uint64_t product[ROUNDS_MAX][L3_WORDS];
    uint32_t mask[ROUNDS_MAX];

    /* The message at hand. */
    uint8_t block[NH_BLOCK];
    size_t filled;
    size_t blocks;              /* hashed by NH so far */
    uint64_t first[ROUNDS_MAX]; /* of the first block: the result, if it stays the only one */
    uint64_t y[ROUNDS_MAX];
};

static uint64_t get_u64(const uint8_t *p)
{
    return ((uint64_t)spb_get_u32(p) << 32) | spb_get_u32(p + 4);
}

static void put_u64(uint8_t *p, uint64_t v)
{
    spb_put_u32(p, (uint32_t)(v >> 32));
    spb_put_u32(p + 4, (uint32_t)v);
}

static uint32_t get_little(const uint8_t *p)
{
    return p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

/* ---- keys ---- */

static bool aes_start(EVP_CIPHER_CTX *ctx, const uint8_t *key)
{
    const spc_fetched *f = spc_fetch();

    return f != NULL &&
           SPC_TRY(EVP_EncryptInit_ex2(ctx, f->cipher[SPC_AES128_ECB], key, NULL, NULL) == 1) &&
           SPC_TRY(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1);
}

static bool aes_block(EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *out)
{
    int done = 0;
    return SPC_TRY(EVP_EncryptUpdate(ctx, out, &done, in, (int)AES_SIZE) == 1) &&
           done == (int)AES_SIZE;
}

/* KDF of 3.2.1; `length` is a multiple of the block. */
static bool derive(EVP_CIPHER_CTX *aes, uint64_t index, uint8_t *out, size_t length)
{
    uint8_t in[AES_SIZE];
    bool good = true;

    put_u64(in, index);
    for (size_t i = 0; good && i * AES_SIZE < length; i++) {
        put_u64(in + 8, i + 1);
        good = aes_block(aes, in, out + i * AES_SIZE);
    }
    return good;
}

/* Below 2^64, to below 2^36 - 5. */
static uint64_t reduce_36(uint64_t x)
{
    x = (x & P36_MASK) + 5 * (x >> 36);
    x = (x & P36_MASK) + 5 * (x >> 36);
    /* Now at most a little above the prime: takes it away where that leaves no borrow. */
    uint64_t less = x - P36;
    uint64_t borrowed = 0 - (less >> 63);
    return (x & borrowed) | (less & ~borrowed);
}

/* The keys of each round, with room for those that are derived in one piece. */
static bool set_keys(spc_umac *u, EVP_CIPHER_CTX *aes)
{
    uint8_t bytes[NH_BLOCK + (ROUNDS_MAX - 1) * NH_SHIFT * 4];
    size_t words = NH_WORDS + (u->rounds - 1) * NH_SHIFT;
    bool good = derive(aes, KEY_OF_L1, bytes, words * 4);

    for (size_t i = 0; good && i < words; i++)
        u->nh[i] = spb_get_u32(bytes + i * 4);
    good = good && derive(aes, KEY_OF_L2, bytes, u->rounds * 24);
    for (size_t i = 0; good && i < u->rounds; i++)
        u->poly[i] = get_u64(bytes + i * 24) & P64_KEY_MASK;
    good = good && derive(aes, KEY_OF_L3_PRODUCT, bytes, u->rounds * L3_KEY);
    for (size_t i = 0; good && i < u->rounds * L3_WORDS; i++)
        u->product[i / L3_WORDS][i % L3_WORDS] =
            reduce_36(get_u64(bytes + i / L3_WORDS * L3_KEY + L3_KEY / 2 + i % L3_WORDS * 8));
    good = good && derive(aes, KEY_OF_L3_MASK, bytes, AES_SIZE);
    for (size_t i = 0; good && i < u->rounds; i++)
        u->mask[i] = spb_get_u32(bytes + i * 4);
    good = good && derive(aes, KEY_OF_PAD, bytes, AES_SIZE) && aes_start(u->pad, bytes);
    sp_zero(bytes, sizeof bytes);
    return good;
}

bool spc_umac_new(spc_umac **out, const spb_env *env, const uint8_t key[SPC_UMAC_KEY],
                  size_t tag_length)
{
    EVP_CIPHER_CTX *aes = NULL;
    spc_umac *u = tag_length == 8 || tag_length == 16 ? spb_calloc(env, 1, sizeof *u) : NULL;

    *out = NULL;
    if (u == NULL)
        return false;
    u->env = env;
    u->rounds = tag_length / 4;
    bool good = SPC_TRY((u->pad = EVP_CIPHER_CTX_new()) != NULL) &&
                SPC_TRY((aes = EVP_CIPHER_CTX_new()) != NULL) && aes_start(aes, key) &&
                set_keys(u, aes);
    EVP_CIPHER_CTX_free(aes);
    if (!good) {
        spc_umac_free(u);
        return false;
    }
    *out = u;
    return true;
}

void spc_umac_free(spc_umac *u)
{
    if (u == NULL)
        return;
    EVP_CIPHER_CTX_free(u->pad);
    spb_free_secret(u->env, u, sizeof *u);
}

/* ---- layer 1: NH (5.2.2) ---- */

static uint64_t nh(const uint32_t *key, const uint32_t *words, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i += 8) {
        for (size_t j = i; j < i + 4; j++)
            /* NOLINTNEXTLINE(clang-analyzer-core.*): all of `count`, a multiple of 8, is there */
            sum += (uint64_t)(uint32_t)(words[j] + key[j]) * (uint32_t)(words[j + 4] + key[j + 4]);
    }
    return sum;
}

/* ---- layer 2: the polynomial modulo 2^64 - 59 (5.3, 5.4) ---- */

/* k * y, k below 2^57, both as they are. */
static uint64_t poly_multiply(uint64_t k, uint64_t y)
{
    uint64_t low = (k & UINT32_MAX) * (y & UINT32_MAX);
    uint64_t middle_1 = (k >> 32) * (y & UINT32_MAX) + (low >> 32); /* k's halves have 25 bits */
    uint64_t middle_2 = (k & UINT32_MAX) * (y >> 32) + (middle_1 & UINT32_MAX);
    uint64_t high = (k >> 32) * (y >> 32) + (middle_1 >> 32) + (middle_2 >> 32);

    /* 2^64 counts 59; `high` is below 2^57, so its share fits. */
    uint64_t rest = (middle_2 << 32) | (low & UINT32_MAX);
    uint64_t sum = rest + high * P64_OFFSET;
    return sum + (P64_OFFSET & (0 - (uint64_t)(sum < rest)));
}

static uint64_t poly_add(uint64_t a, uint64_t b)
{
    uint64_t sum = a + b;

    sum += P64_OFFSET & (0 - (uint64_t)(sum < a));
    return sum - (P64 & (0 - (uint64_t)(sum >= P64)));
}

static uint64_t poly_step(uint64_t k, uint64_t y, uint64_t word)
{
    /* A word beyond the range stands for two: a marker, and itself less the offset. That happens
     * once in 2^32 blocks, and with it a moment more. */
    if (word >= P64_WORD_MAX) {
        y = poly_add(poly_multiply(k, y), P64 - 1);
        word -= P64_OFFSET;
    }
    return poly_add(poly_multiply(k, y), word);
}

/* ---- layer 3: the inner product modulo 2^36 - 5 (5.5) ---- */

/* Of 16 bytes, the first eight of which are 0 (they are not for longer messages only). */
static uint32_t inner_product(const spc_umac *u, size_t round, uint64_t value)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < L3_WORDS; i++)
        sum += ((value >> (48 - 16 * i)) & 0xffff) * u->product[round][i];
    return (uint32_t)reduce_36(sum) ^ u->mask[round];
}

/* ---- a message ---- */

/* `length` bytes, of which `counted` are the message's and the rest is padding. */
static void hash_block(spc_umac *u, const uint8_t *bytes, size_t length, size_t counted)
{
    uint32_t words[NH_WORDS];

    for (size_t i = 0; i < length / 4; i++)
        words[i] = get_little(bytes + i * 4);
    for (size_t i = 0; i < u->rounds; i++) {
        uint64_t result = nh(u->nh + i * NH_SHIFT, words, length / 4) + (uint64_t)counted * 8;
        if (u->blocks == 0) {
            u->first[i] = result;
            continue;
        }
        if (u->blocks == 1)
            u->y[i] = poly_step(u->poly[i], 1, u->first[i]);
        u->y[i] = poly_step(u->poly[i], u->y[i], result);
    }
    u->blocks++;
}

static void take(spc_umac *u, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        if (u->filled == 0 && length >= NH_BLOCK) {
            hash_block(u, bytes, NH_BLOCK, NH_BLOCK);
            bytes += NH_BLOCK;
            length -= NH_BLOCK;
            continue;
        }
        size_t step = NH_BLOCK - u->filled < length ? NH_BLOCK - u->filled : length;
        memcpy(u->block + u->filled, bytes, step);
        u->filled += step;
        bytes += step;
        length -= step;
        if (u->filled == NH_BLOCK) {
            hash_block(u, u->block, NH_BLOCK, NH_BLOCK);
            u->filled = 0;
        }
    }
}

/* An empty message is one block of nothing. */
static void take_last(spc_umac *u)
{
    if (u->filled == 0 && u->blocks > 0)
        return;
    size_t padded = u->filled == 0 ? NH_STEP : (u->filled + NH_STEP - 1) / NH_STEP * NH_STEP;
    memset(u->block + u->filled, 0, padded - u->filled);
    hash_block(u, u->block, padded, u->filled);
}

/* PDF of 3.3.1: a short tag takes that half of the block which the nonce's lowest bit tells. */
static bool make_pad(spc_umac *u, uint64_t nonce, uint8_t out[AES_SIZE])
{
    uint8_t in[AES_SIZE] = {0};
    bool half = u->rounds == 2;

    put_u64(in, half ? nonce & ~UINT64_C(1) : nonce);
    if (!aes_block(u->pad, in, out))
        return false;
    if (half && (nonce & 1) != 0)
        memcpy(out, out + AES_SIZE / 2, AES_SIZE / 2);
    return true;
}

bool spc_umac_tag(spc_umac *u, uint64_t nonce, const spb_span *spans, size_t count, uint8_t *tag)
{
    uint8_t pad[AES_SIZE];
    size_t left = MESSAGE_MAX;

    u->filled = 0;
    u->blocks = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].length > left)
            return false;
        left -= spans[i].length;
        take(u, spans[i].data, spans[i].length);
    }
    take_last(u);
    if (!make_pad(u, nonce, pad))
        return false;
    for (size_t i = 0; i < u->rounds; i++) {
        uint64_t word = u->blocks == 1 ? u->first[i] : u->y[i];
        spb_put_u32(tag + i * 4, inner_product(u, i, word) ^ spb_get_u32(pad + i * 4));
    }
    sp_zero(pad, sizeof pad);
    return true;
}
