/* sha256.h: libcrypto's SHA-256 for the test tools, as far as they need it. */
#ifndef TESTS_TOOLS_SHA256_H
#define TESTS_TOOLS_SHA256_H

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct sha256 {
    EVP_MD_CTX *ctx;
} sha256;

static inline void sha256_free(sha256 *hash)
{
    EVP_MD_CTX_free(hash->ctx);
    hash->ctx = NULL;
}

static inline void sha256_init(sha256 *hash)
{
    sha256_free(hash);
    hash->ctx = EVP_MD_CTX_new();
    if (hash->ctx == NULL || EVP_DigestInit_ex(hash->ctx, EVP_sha256(), NULL) != 1)
        abort();
}

static inline void sha256_update(sha256 *hash, const void *data, size_t length)
{
    if (EVP_DigestUpdate(hash->ctx, data, length) != 1)
        abort();
}

static inline void sha256_hex(sha256 *hash, char out[65])
{
    unsigned char digest[32];
    if (EVP_DigestFinal_ex(hash->ctx, digest, NULL) != 1)
        abort();
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    sha256_free(hash);
}

#endif
