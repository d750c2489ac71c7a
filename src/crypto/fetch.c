/* Looks up libcrypto's algorithms once per process. A failed look-up fails everything that needs
 * the table: nothing falls back to another algorithm. */
#include "crypto/fetch.h"
#include "crypto/fault.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <pthread.h>

const spc_curve spc_curves[SPC_CURVE_COUNT] = {
    {"P-256", 32, 256},
    {"P-384", 48, 384},
    {"P-521", 66, 521},
};

int spc_curve_of(sp_key_type type)
{
    switch (type) {
    case SP_KEY_ECDSA_P256:
        return 0;
    case SP_KEY_ECDSA_P384:
        return 1;
    case SP_KEY_ECDSA_P521:
        return 2;
    default:
        return -1;
    }
}

static bool fetch_curve(EVP_PKEY **out, const char *group)
{
    EVP_PKEY_CTX *ctx = NULL;
    bool good = SPC_TRY((ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL)) != NULL) &&
                SPC_TRY(EVP_PKEY_paramgen_init(ctx) == 1) &&
                SPC_TRY(EVP_PKEY_CTX_set_group_name(ctx, group) == 1) &&
                SPC_TRY(EVP_PKEY_paramgen(ctx, out) == 1);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static void drop_all(spc_fetched *f)
{
    for (size_t i = 0; i < SPC_CIPHER_COUNT; i++)
        EVP_CIPHER_free(f->cipher[i]);
    for (size_t i = 0; i < SPC_HASH_COUNT; i++)
        EVP_MD_free(f->hash[i]);
    EVP_MAC_free(f->hmac);
    EVP_MAC_free(f->poly1305);
    EVP_KEM_free(f->mlkem);
    for (size_t i = 0; i < SPC_CURVE_COUNT; i++)
        EVP_PKEY_free(f->curve[i]);
    *f = (spc_fetched){0};
}

static bool has_key_type(const char *name)
{
    EVP_KEYMGMT *type = EVP_KEYMGMT_fetch(NULL, name, NULL);

    EVP_KEYMGMT_free(type);
    return type != NULL;
}

/* What a libcrypto may lack, by its build or because its configuration asks for FIPS
 * (fips_module(7), "default_properties"). It is not offered then. */
static void fetch_optional(spc_fetched *f)
{
    ERR_set_mark();
    f->cipher[SPC_CHACHA20] = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
    f->poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    f->hash[SPC_SHA1 - SPC_SHA256] = EVP_MD_fetch(NULL, "SHA1", NULL);
    f->mlkem = EVP_KEM_fetch(NULL, "ML-KEM-768", NULL);
    f->x25519 = has_key_type("X25519");
    f->x448 = has_key_type("X448");
    f->dh = has_key_type("DH");
    ERR_pop_to_mark();
}

/* `f` is all zero. */
static bool fetch_all(spc_fetched *f)
{
    static const char *const ciphers[SPC_CIPHER_COUNT] = {
        [SPC_AES128_GCM] = "AES-128-GCM", [SPC_AES256_GCM] = "AES-256-GCM",
        [SPC_AES128_CTR] = "AES-128-CTR", [SPC_AES192_CTR] = "AES-192-CTR",
        [SPC_AES256_CTR] = "AES-256-CTR", [SPC_AES128_ECB] = "AES-128-ECB",
    };
    /* Those that must be there. */
    static const char *const hashes[] = {"SHA256", "SHA384", "SHA512"};
    bool good = true;

    fetch_optional(f);
    for (size_t i = SPC_CHACHA20 + 1; good && i < SPC_CIPHER_COUNT; i++)
        good = SPC_TRY((f->cipher[i] = EVP_CIPHER_fetch(NULL, ciphers[i], NULL)) != NULL);
    for (size_t i = 0; good && i < sizeof hashes / sizeof hashes[0]; i++)
        good = SPC_TRY((f->hash[i] = EVP_MD_fetch(NULL, hashes[i], NULL)) != NULL);
    good = good && SPC_TRY((f->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) != NULL);
    for (size_t i = 0; good && i < SPC_CURVE_COUNT; i++)
        good = fetch_curve(&f->curve[i], spc_curves[i].group);
    if (!good)
        drop_all(f);
    return good;
}

static spc_fetched fetched;
static bool fetched_good;
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

static void fetch_once(void)
{
    ERR_set_mark();
    fetched_good = fetch_all(&fetched);
    ERR_pop_to_mark();
}

const spc_fetched *spc_fetch(void)
{
    return pthread_once(&fetched_once, fetch_once) == 0 && fetched_good ? &fetched : NULL;
}
