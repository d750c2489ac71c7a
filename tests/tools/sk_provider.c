/* sk_provider: a security key in software, as a middleware for OpenSSH's programs (its interface
 * sk-api, version 10; SecurityKeyProvider in ssh_config(5), -w of ssh-keygen). For tests only: the
 * "handle" that ssh-keygen keeps in the file of a key is the private key itself.
 *
 * It touches itself where the touch is asked for, and has the PIN 1234. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- the interface; OpenSSH frees what it is given with free() ---- */

#define SK_API_VERSION 0x000a0000u
#define SK_ECDSA 0u
#define SK_ED25519 1u
#define SK_TOUCH 0x01u
#define SK_PIN 0x04u
#define SK_ERR_GENERAL (-1)
#define SK_ERR_UNSUPPORTED (-2)
#define SK_ERR_PIN_REQUIRED (-3)

struct sk_option {
    char *name;
    char *value;
    uint8_t required;
};

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

struct sk_resident_key;

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
              uint8_t flags, const char *pin, struct sk_option **options,
              struct sk_enroll_response **response);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **response);
int sk_load_resident_keys(const char *pin, struct sk_option **options,
                          struct sk_resident_key ***keys, size_t *count);

/* ---- keys ---- */

#define SCALAR_SIZE 32
#define POINT_SIZE 65

static EVP_PKEY *make_key(uint32_t alg)
{
    return alg == SK_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                             : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static bool write_public(uint32_t alg, EVP_PKEY *key, struct sk_enroll_response *r)
{
    r->public_key_len = alg == SK_ED25519 ? SCALAR_SIZE : POINT_SIZE;
    r->public_key = calloc(1, r->public_key_len);
    if (r->public_key == NULL)
        return false;
    if (alg == SK_ED25519)
        return EVP_PKEY_get_raw_public_key(key, r->public_key, &r->public_key_len) == 1;
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, r->public_key,
                                           POINT_SIZE, &r->public_key_len) == 1;
}

/* As PKCS#8, for either kind. */
static bool write_handle(EVP_PKEY *key, struct sk_enroll_response *r)
{
    int length = i2d_PrivateKey(key, NULL);
    uint8_t *at = length > 0 && length < 256 ? calloc(1, (size_t)length) : NULL;

    r->key_handle = at;
    r->key_handle_len = at == NULL ? 0 : (size_t)length;
    return at != NULL && i2d_PrivateKey(key, &at) == length;
}

static void free_enrolled(struct sk_enroll_response *r)
{
    if (r != NULL) {
        free(r->public_key);
        free(r->key_handle);
    }
    free(r);
}

/* ---- signatures ---- */

static bool write_ed25519(EVP_PKEY *key, const uint8_t *message, size_t length,
                          struct sk_sign_response *r)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    r->sig_r_len = 64;
    r->sig_r = calloc(1, 64);
    bool good = ctx != NULL && r->sig_r != NULL &&
                EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(ctx, r->sig_r, &r->sig_r_len, message, length) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static bool write_number(const BIGNUM *n, uint8_t **out, size_t *length)
{
    *length = (size_t)BN_num_bytes(n);
    *out = calloc(1, *length + 1);
    return *out != NULL && BN_bn2bin(n, *out) == (int)*length;
}

static bool write_ecdsa(EVP_PKEY *key, const uint8_t *message, size_t length,
                        struct sk_sign_response *r)
{
    uint8_t der[128];
    const uint8_t *at = der;
    size_t size = sizeof der;
    ECDSA_SIG *pair = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, der, &size, message, length) == 1 &&
                (pair = d2i_ECDSA_SIG(NULL, &at, (long)size)) != NULL &&
                write_number(ECDSA_SIG_get0_r(pair), &r->sig_r, &r->sig_r_len) &&
                write_number(ECDSA_SIG_get0_s(pair), &r->sig_s, &r->sig_s_len);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(ctx);
    return good;
}

/* SHA-256 of the application, flags, counter, SHA-256 of the data. */
static size_t write_message(const char *application, const struct sk_sign_response *r,
                            const uint8_t *data, size_t length, uint8_t out[69])
{
    SHA256((const uint8_t *)application, strlen(application), out);
    out[32] = r->flags;
    for (unsigned i = 0; i < 4; i++)
        out[33 + i] = (uint8_t)(r->counter >> (24 - 8 * i));
    SHA256(data, length, out + 37);
    return 69;
}

/* ---- the calls ---- */

static bool pin_right(const char *pin)
{
    return pin != NULL && strcmp(pin, "1234") == 0;
}

uint32_t sk_api_version(void)
{
    return SK_API_VERSION;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
              uint8_t flags, const char *pin, struct sk_option **options,
              struct sk_enroll_response **response)
{
    (void)challenge;
    (void)challenge_len;
    (void)application;
    (void)options;
    *response = NULL;
    if (alg != SK_ECDSA && alg != SK_ED25519)
        return SK_ERR_UNSUPPORTED;
    if ((flags & SK_PIN) != 0 && !pin_right(pin))
        return SK_ERR_PIN_REQUIRED;
    EVP_PKEY *key = make_key(alg);
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    bool good = key != NULL && r != NULL && write_public(alg, key, r) && write_handle(key, r);
    EVP_PKEY_free(key);
    if (!good) {
        free_enrolled(r);
        return SK_ERR_GENERAL;
    }
    r->flags = flags;
    *response = r;
    return 0;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **response)
{
    uint8_t message[69];
    const uint8_t *at = key_handle;
    (void)options;
    *response = NULL;
    if ((flags & SK_PIN) != 0 && !pin_right(pin))
        return SK_ERR_PIN_REQUIRED;
    EVP_PKEY *key =
        key_handle_len > 256 ? NULL : d2i_AutoPrivateKey(NULL, &at, (long)key_handle_len);
    struct sk_sign_response *r = calloc(1, sizeof *r);
    bool good = key != NULL && r != NULL;
    if (good) {
        r->flags = flags & (SK_TOUCH | SK_PIN);
        r->counter = 0x01020304;
        size_t length = write_message(application, r, data, data_len, message);
        good = alg == SK_ED25519 ? write_ed25519(key, message, length, r)
                                 : write_ecdsa(key, message, length, r);
    }
    EVP_PKEY_free(key);
    if (!good) {
        if (r != NULL) {
            free(r->sig_r);
            free(r->sig_s);
        }
        free(r);
        return SK_ERR_GENERAL;
    }
    *response = r;
    return 0;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options,
                          struct sk_resident_key ***keys, size_t *count)
{
    (void)pin;
    (void)options;
    *keys = NULL;
    *count = 0;
    return SK_ERR_UNSUPPORTED;
}
