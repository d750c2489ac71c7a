/* SHA-2, SHA-1 and MD5 over several spans (RFC 6234, RFC 1321). */
#include "crypto/fault.h"
#include "crypto/fetch.h"

size_t spc_hash_size(spc_hash_id id)
{
    switch (id) {
    case SPC_NO_HASH:
        return 0;
    case SPC_SHA256:
        return 32;
    case SPC_SHA384:
        return 48;
    case SPC_SHA512:
        return 64;
    case SPC_SHA1:
        return 20;
    case SPC_MD5:
        return 16;
    }
    return 0;
}

bool spc_hash(spc_hash_id id, const spb_span *spans, size_t count, uint8_t *out)
{
    const spc_fetched *f = spc_fetch();
    EVP_MD_CTX *ctx = NULL;

    if (f == NULL || spc_hash_size(id) == 0 || f->hash[id - SPC_SHA256] == NULL)
        return false;
    bool good = SPC_TRY((ctx = EVP_MD_CTX_new()) != NULL) &&
                SPC_TRY(EVP_DigestInit_ex2(ctx, f->hash[id - SPC_SHA256], NULL) == 1);
    for (size_t i = 0; good && i < count; i++)
        good = SPC_TRY(EVP_DigestUpdate(ctx, spans[i].data, spans[i].length) == 1);
    good = good && SPC_TRY(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
    EVP_MD_CTX_free(ctx);
    return good;
}
