/* ML-KEM-768 encapsulation (FIPS 203 6.2, 7.2). */
#include "crypto/mlkem.h"

#include "crypto/keccak.h"
#include "crypto/mlkem_poly.h"

#include <string.h>

#define SEED ((size_t)32)

/* The encapsulation key's check of FIPS 203 7.2 too. */
static bool unpack_key(spc_mlkem_vector *t, const uint8_t key[SPC_MLKEM_KEY])
{
    bool good = true;

    for (size_t i = 0; i < SPC_MLKEM_K; i++)
        good = spc_mlkem_unpack(&t->p[i], key + i * SPC_MLKEM_POLY_BYTES) && good;
    return good;
}

bool spc_mlkem_encapsulate_with(const uint8_t key[SPC_MLKEM_KEY], const uint8_t m[SPC_MLKEM_RANDOM],
                                uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                                uint8_t secret[SPC_MLKEM_SECRET])
{
    spc_mlkem_vector t;
    uint8_t input[2 * SEED], output[SPC_SHA3_512_SIZE];

    if (!unpack_key(&t, key))
        return false;
    memcpy(input, m, SEED);
    spc_keccak_once(SPC_SHA3_256, key, SPC_MLKEM_KEY, input + SEED, SEED);
    spc_keccak_once(SPC_SHA3_512, input, sizeof input, output, sizeof output);
    spc_mlkem_encrypt(&t, key + SPC_MLKEM_K * SPC_MLKEM_POLY_BYTES, m, output + SEED, ciphertext);
    memcpy(secret, output, SPC_MLKEM_SECRET);
    sp_zero(input, sizeof input);
    sp_zero(output, sizeof output);
    return true;
}

bool spc_mlkem_encapsulate(const spb_env *env, const uint8_t key[SPC_MLKEM_KEY],
                           uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                           uint8_t secret[SPC_MLKEM_SECRET])
{
    spc_mlkem_vector t;
    uint8_t m[SPC_MLKEM_RANDOM];

    if (env->random.fill == NULL && spc_mlkem_provided())
        return unpack_key(&t, key) && spc_mlkem_provider_encapsulate(key, ciphertext, secret);
    bool good =
        spc_random(env, m, sizeof m) && spc_mlkem_encapsulate_with(key, m, ciphertext, secret);
    sp_zero(m, sizeof m);
    return good;
}
