/* CPU time of each key exchange method and of each kind of host key's signature, one after the
 * other, in microseconds. The methods answer the client's first message; what a client does is not
 * counted. Prints one line of JSON per method: {"what": "kex", "name": ..., "us": ..., "times":
 * ...}.
 *
 *     crypto [SECONDS per method, 0.5 by default]
 */
#include "crypto/crypto.h"
#include "kem/kem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A first message that the method takes; its length. */
static size_t client_value(const spb_env *env, const spc_kex *kex, uint8_t *out)
{
    static uint8_t private_key[KEM_MLKEM_PRIVATE];
    static const uint8_t seed[64] = {7};
    size_t size = kex->client_public_max;
    bool good = true;

    if (strncmp(kex->name, "ecdh-", 5) == 0) {
        sp_key_type type = size == 65   ? SP_KEY_ECDSA_P256
                           : size == 97 ? SP_KEY_ECDSA_P384
                                        : SP_KEY_ECDSA_P521;
        spc_pkey *key = NULL;
        spb_buffer point;
        spb_buffer_init(&point, env, SPC_KEX_PUBLIC_MAX);
        good = spc_pkey_generate(&key, env, type, 0) && spc_pkey_get(key, "point", &point) &&
               point.length == size;
        if (good)
            memcpy(out, point.data, size);
        spb_buffer_free(&point);
        spc_pkey_free(key);
        return good ? size : 0;
    }
    if (strncmp(kex->name, "diffie-hellman-", 15) == 0) { /* an mpint's bytes */
        out[0] = 2;
        return 1;
    }
    memset(out, 0, size);
    if (strncmp(kex->name, "curve448", 8) == 0)
        out[0] = 5; /* X448's base point */
    else
        out[size - 32] = 9; /* X25519's */
    if (strncmp(kex->name, "mlkem", 5) == 0)
        good = kem_mlkem_generate((spb_span){seed, sizeof seed}, out, private_key);
    else if (strncmp(kex->name, "sntrup", 6) == 0)
        good = kem_sntrup_generate(env, out, private_key);
    return good ? size : 0;
}

static bool respond(const spb_env *env, const spc_kex *kex, spb_span value)
{
    uint8_t ours[SPC_KEX_PUBLIC_MAX], secret[SPC_KEX_SECRET_MAX];
    size_t length = sizeof ours, secret_length = sizeof secret;
    return kex->respond(kex, env, value, ours, &length, secret, &secret_length);
}

static void print(const char *what, const char *name, double seconds, unsigned long times)
{
    printf("{\"what\": \"%s\", \"name\": \"%s\", \"us\": %.1f, \"times\": %lu}\n", what, name,
           seconds * 1e6 / (double)times, times);
}

static bool time_kex(const spb_env *env, const spc_kex *kex, double seconds)
{
    uint8_t value[SPC_KEX_PUBLIC_MAX];
    spb_span span = {value, client_value(env, kex, value)};
    unsigned long times = 0;

    if (span.length == 0 || !respond(env, kex, span))
        return false;
    double start = cpu_seconds(), now = start;
    for (; now - start < seconds; now = cpu_seconds(), times++) {
        if (!respond(env, kex, span))
            return false;
    }
    print("kex", kex->name, now - start, times);
    return true;
}

static bool time_signature(const spb_env *env, const spc_signature *alg, double seconds)
{
    static const uint8_t hash[32] = {1};
    spc_pkey *key = NULL;
    unsigned long times = 0;
    bool good = spc_pkey_generate(&key, env, alg->key_type, 3072);

    double start = cpu_seconds(), now = start;
    for (; good && now - start < seconds; now = cpu_seconds(), times++) {
        spb_buffer out;
        spb_buffer_init(&out, env, 65536);
        good = spc_sign(key, alg, (spb_span){hash, sizeof hash}, &out);
        spb_buffer_free(&out);
    }
    if (good)
        print("signature", alg->name, now - start, times);
    spc_pkey_free(key);
    return good;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    spb_env env;

    spb_env_init(&env, NULL);
    for (size_t i = 0; spc_kex_at(i) != NULL; i++) {
        if (spc_kex_group_exchange(spc_kex_at(i)) || !spc_kex_available(spc_kex_at(i)))
            continue; /* the first is Diffie-Hellman in a group of the client's choice */
        if (!time_kex(&env, spc_kex_at(i), seconds)) {
            fprintf(stderr, "%s failed\n", spc_kex_at(i)->name);
            return 1;
        }
    }
    for (size_t i = 0; spc_signature_at(i) != NULL; i++) {
        if (!time_signature(&env, spc_signature_at(i), seconds)) {
            fprintf(stderr, "%s failed\n", spc_signature_at(i)->name);
            return 1;
        }
    }
    return 0;
}
