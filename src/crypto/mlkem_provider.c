/* ML-KEM-768 as libcrypto has it from 3.5 on, found by name at run time. */
#include "crypto/fault.h"
#include "crypto/fetch.h"
#include "crypto/mlkem.h"

#include <openssl/err.h>

bool spc_mlkem_provided(void)
{
    const spc_fetched *f = spc_fetch();
    return f != NULL && f->mlkem != NULL;
}

bool spc_mlkem_provider_encapsulate(const uint8_t key[SPC_MLKEM_KEY],
                                    uint8_t ciphertext[SPC_MLKEM_CIPHERTEXT],
                                    uint8_t secret[SPC_MLKEM_SECRET])
{
    EVP_PKEY *theirs = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    size_t length = SPC_MLKEM_CIPHERTEXT, secret_length = SPC_MLKEM_SECRET;

    ERR_set_mark();
    bool good =
        SPC_TRY((theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-KEM-768", NULL, key,
                                                         SPC_MLKEM_KEY)) != NULL) &&
        SPC_TRY((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, theirs, NULL)) != NULL) &&
        SPC_TRY(EVP_PKEY_encapsulate_init(ctx, NULL) == 1) &&
        SPC_TRY(EVP_PKEY_encapsulate(ctx, ciphertext, &length, secret, &secret_length) == 1) &&
        length == SPC_MLKEM_CIPHERTEXT && secret_length == SPC_MLKEM_SECRET;
    if (!good)
        sp_zero(secret, SPC_MLKEM_SECRET);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    ERR_pop_to_mark();
    return good;
}
