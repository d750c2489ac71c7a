/* Signature blobs: the algorithm's name and the inner signature (RFC 4253 6.6, RFC 8332 3). */
#include "key/key_internal.h"

#include <string.h>

static const spc_signature *find_algorithm(const char *name)
{
    return spc_signature_find(spb_span_of(name));
}

int sp_key_sign(const sp_key *key, const char *algorithm, const void *data, size_t data_length,
                uint8_t *signature, size_t *length)
{
    const spc_signature *alg = find_algorithm(algorithm);
    spb_buffer inner, outer;

    if (alg == NULL)
        return SP_ENOTSUP;
    if (!key->is_private || alg->key_type != spc_pkey_type(key->pkey))
        return SP_EINVAL;
    spb_buffer_init(&inner, spk_env(), SP_SIGNATURE_MAX);
    spb_buffer_init(&outer, spk_env(), SP_SIGNATURE_MAX);
    bool good = spc_sign(key->pkey, alg, (spb_span){data, data_length}, &inner);
    if (good) {
        spw_cstring(&outer, alg->name);
        spw_string(&outer, inner.data, inner.length);
    }
    int result = !good ? SP_ECRYPTO : !spw_ok(&outer) ? SP_ENOMEM : 0;
    if (result == 0 && outer.length > *length)
        result = SP_ELIMIT;
    if (result == 0) {
        memcpy(signature, outer.data, outer.length);
        *length = outer.length;
    }
    spb_buffer_free(&inner);
    spb_buffer_free(&outer);
    return result;
}

bool sp_key_verify(const sp_key *key, const char *algorithm, const void *data, size_t data_length,
                   const uint8_t *signature, size_t length)
{
    const spc_signature *alg = find_algorithm(algorithm);
    spb_reader r;

    if (alg == NULL)
        return false;
    spr_init(&r, signature, length);
    spb_span name = spr_string(&r);
    spb_span inner = spr_string(&r);
    return spr_done(&r) && spb_span_is(name, alg->name) &&
           spc_verify(key->pkey, alg, (spb_span){data, data_length}, inner);
}
