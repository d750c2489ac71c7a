/* Signature blobs: the algorithm's name and the inner signature (RFC 4253 6.6, RFC 8332 3),
 * and behind it, for security keys, how it was made (OpenSSH PROTOCOL.u2f). */
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
    if (!key->is_private || alg->key_type != key->type)
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

bool spk_verify(const sp_key *key, const spc_signature *algorithm, spb_span data, spb_span inner,
                sp_signature_info *info)
{
    spb_reader r;

    *info = (sp_signature_info){SP_SIGNATURE_INFO_INIT};
    if (algorithm == NULL || algorithm->key_type != key->type)
        return false;
    if (spk_is_security_key(key->type))
        return spk_security_key_verify(key, algorithm, data, inner, info);
    spr_init(&r, inner.data, inner.length);
    spb_span signature = spr_string(&r);
    return spr_done(&r) && spc_verify(key->pkey, algorithm, data, signature);
}

static bool verify(const sp_key *key, const char *algorithm, spb_span data, spb_span signature,
                   sp_signature_info *info)
{
    spb_reader r;

    *info = (sp_signature_info){SP_SIGNATURE_INFO_INIT};
    spr_init(&r, signature.data, signature.length);
    spb_span name = spr_string(&r);
    spb_span inner = spr_rest(&r);
    return spr_ok(&r) && spb_span_is(name, algorithm) &&
           spk_verify(key, find_algorithm(algorithm), data, inner, info);
}

bool sp_key_verify(const sp_key *key, const char *algorithm, const void *data, size_t data_length,
                   const uint8_t *signature, size_t length)
{
    sp_signature_info info;

    return verify(key, algorithm, (spb_span){data, data_length}, (spb_span){signature, length},
                  &info) &&
           (!info.security_key || info.touched);
}

bool sp_key_verify_info(const sp_key *key, const char *algorithm, const void *data,
                        size_t data_length, const uint8_t *signature, size_t length,
                        sp_signature_info *info)
{
    sp_signature_info all;

    if (info->size < sizeof info->size || info->size > sizeof all)
        return false;
    bool good =
        verify(key, algorithm, (spb_span){data, data_length}, (spb_span){signature, length}, &all);
    /* An older caller's struct is shorter. */
    all.size = info->size;
    memcpy(info, &all, info->size);
    return good;
}
