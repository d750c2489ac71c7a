/* Fuzzer: ML-DSA-44's decoders and verifier. The first byte picks: hints, which have one encoding
 * only; what is changed in a good signature, after which it must not be good (FIPS 204 makes it
 * hard to change one into another); or a public key and a signature, both the input's. */
#include "crypto/mldsa44.h"
#include "crypto/mldsa44_poly.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static spb_env env;
static bool ready;
static uint8_t public_key[SPC_MLDSA44_PUBLIC], good[SPC_MLDSA44_SIGNATURE];
static const uint8_t zeros[32];
static const spb_span context = {zeros, 3}, message = {zeros, 7};

static void start(void)
{
    spc_mldsa44_key *key;

    spb_env_init(&env, NULL);
    if (!spc_mldsa44_expand(&key, &env, zeros, public_key) ||
        !spc_mldsa44_sign(key, context, message, zeros, good))
        abort();
    spc_mldsa44_free(key);
    ready = true;
}

static void read_hints(const uint8_t *data, size_t size)
{
    uint8_t in[SPC_MLDSA_HINT_SIZE] = {0}, out[SPC_MLDSA_HINT_SIZE];
    spc_mldsa_poly hints[SPC_MLDSA_K];

    memcpy(in, data, size < sizeof in ? size : sizeof in);
    if (!spc_mldsa_unpack_hints(hints, in))
        return;
    spc_mldsa_pack_hints(out, hints);
    if (memcmp(in, out, sizeof in) != 0)
        abort();
}

/* `data` lies over the signature's end, where the hints are, and goes on at its front. */
static void change(const uint8_t *data, size_t size)
{
    uint8_t signature[SPC_MLDSA44_SIGNATURE];

    memcpy(signature, good, sizeof signature);
    for (size_t i = 0; i < size && i < sizeof signature; i++)
        signature[(sizeof signature - SPC_MLDSA_HINT_SIZE + i) % sizeof signature] ^= data[i];
    bool same = memcmp(signature, good, sizeof signature) == 0;
    if (spc_mldsa44_verify(&env, public_key, context, message,
                           (spb_span){signature, sizeof signature}) != same)
        abort();
}

static void whole(const uint8_t *data, size_t size)
{
    uint8_t key[SPC_MLDSA44_PUBLIC] = {0};
    size_t length = size < sizeof key ? size : sizeof key;

    memcpy(key, data, length);
    const spb_span signature = {data + length, size - length};
    if (spc_mldsa44_verify(&env, key, context, message, signature) &&
        signature.length != SPC_MLDSA44_SIGNATURE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!ready)
        start();
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        read_hints(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        change(data + 1, size - 1);
    else
        whole(data + 1, size - 1);
    return 0;
}
