/* sntrup761 encapsulation (NTRU Prime round 3, "Streamlined NTRU Prime KEM"; the hashes are those
 * of its section on Hash, with SHA-512 cut to 32 bytes). */
#include "crypto/cpu.h"
#include "crypto/sntrup761_poly.h"

#include <string.h>

/* The numbers that the hashes of different things start with. */
enum { HASH_SECRET = 1, HASH_CONFIRM = 2, HASH_INPUT = 3, HASH_KEY = 4 };

const spc_sntrup_loops *spc_sntrup_choose(void)
{
    return spc_cpu_avx2() ? &spc_sntrup_avx2 : &spc_sntrup_plain;
}

/* The lowest two bits of 286 numbers become 0 or 2, those of the others 1; sorted by their upper
 * 30 bits, which are random, they fall in a random order. */
void spc_sntrup_short(const spc_sntrup_loops *loops, int8_t out[SPC_SNTRUP_P],
                      uint32_t random[SPC_SNTRUP_P])
{
    for (unsigned i = 0; i < SPC_SNTRUP_W; i++)
        random[i] &= ~UINT32_C(1);
    for (unsigned i = SPC_SNTRUP_W; i < SPC_SNTRUP_P; i++)
        random[i] = (random[i] & ~UINT32_C(3)) | 1;
    loops->sort(random);
    for (unsigned i = 0; i < SPC_SNTRUP_P; i++)
        out[i] = (int8_t)((int)(random[i] & 3) - 1);
    sp_zero(random, SPC_SNTRUP_P * sizeof random[0]);
}

bool spc_sntrup_hash(uint8_t out[SPC_SNTRUP_HASH], uint8_t number, spb_span data, spb_span more)
{
    uint8_t whole[SPC_HASH_MAX];
    const spb_span spans[3] = {{&number, 1}, data, more};
    bool good = spc_hash(SPC_SHA512, spans, 3, whole);

    if (good)
        memcpy(out, whole, SPC_SNTRUP_HASH);
    sp_zero(whole, sizeof whole);
    return good;
}

void spc_sntrup_encrypt(const spc_sntrup_loops *loops, uint8_t out[SPC_SNTRUP_ROUNDED_BYTES],
                        const int16_t h[SPC_SNTRUP_P], const int8_t r[SPC_SNTRUP_P])
{
    spc_sntrup_window window;
    int16_t product[SPC_SNTRUP_P];
    uint16_t numbers[SPC_SNTRUP_P];

    loops->product(product, h, r, &window);
    loops->round(product);
    for (unsigned i = 0; i < SPC_SNTRUP_P; i++) /* / 3: a multiplication by 2^15 / 3 */
        numbers[i] = (uint16_t)((uint32_t)(product[i] + SPC_SNTRUP_Q / 2) * 10923 >> 15);
    spc_sntrup_encode(out, numbers, SPC_SNTRUP_ROUNDED_M);
    sp_zero(&window, sizeof window);
    sp_zero(product, sizeof product);
    sp_zero(numbers, sizeof numbers);
}

bool spc_sntrup_hide(const int16_t h[SPC_SNTRUP_P], const uint8_t key_hash[SPC_SNTRUP_HASH],
                     const int8_t r[SPC_SNTRUP_P], uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT],
                     uint8_t r_hash[SPC_SNTRUP_HASH])
{
    uint8_t packed[SPC_SNTRUP_SMALL_BYTES];

    spc_sntrup_pack_small(packed, r);
    bool good =
        spc_sntrup_hash(r_hash, HASH_INPUT, (spb_span){packed, sizeof packed},
                        (spb_span){NULL, 0}) &&
        spc_sntrup_hash(ciphertext + SPC_SNTRUP_ROUNDED_BYTES, HASH_CONFIRM,
                        (spb_span){r_hash, SPC_SNTRUP_HASH}, (spb_span){key_hash, SPC_SNTRUP_HASH});
    if (good)
        spc_sntrup_encrypt(spc_sntrup_choose(), ciphertext, h, r);
    sp_zero(packed, sizeof packed);
    return good;
}

bool spc_sntrup_encapsulate(const spb_env *env, const uint8_t key[SPC_SNTRUP_KEY],
                            uint8_t ciphertext[SPC_SNTRUP_CIPHERTEXT],
                            uint8_t secret[SPC_SNTRUP_SECRET])
{
    int16_t h[SPC_SNTRUP_P];
    uint32_t random[SPC_SNTRUP_P];
    int8_t r[SPC_SNTRUP_P];
    uint8_t key_hash[SPC_SNTRUP_HASH], r_hash[SPC_SNTRUP_HASH];

    if (!spc_random(env, random, sizeof random))
        return false;
    spc_sntrup_unpack_key(h, key);
    spc_sntrup_short(spc_sntrup_choose(), r, random);
    bool good =
        spc_sntrup_hash(key_hash, HASH_KEY, (spb_span){key, SPC_SNTRUP_KEY}, (spb_span){NULL, 0}) &&
        spc_sntrup_hide(h, key_hash, r, ciphertext, r_hash) &&
        spc_sntrup_hash(secret, HASH_SECRET, (spb_span){r_hash, sizeof r_hash},
                        (spb_span){ciphertext, SPC_SNTRUP_CIPHERTEXT});
    if (!good)
        sp_zero(secret, SPC_SNTRUP_SECRET);
    sp_zero(r, sizeof r);
    sp_zero(r_hash, sizeof r_hash);
    return good;
}
