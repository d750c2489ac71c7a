/* An ssh-agent's messages (draft-miller-ssh-agent 3.5, 3.6, 5.1; RFC 8332 for RSA's flags). */
#include "key/agent_messages.h"
#include "key/key_internal.h"

#include <string.h>

#define REQUEST_IDENTITIES 11
#define IDENTITIES_ANSWER 12
#define SIGN_REQUEST 13
#define SIGN_RESPONSE 14
#define RSA_SHA2_256 2u
#define RSA_SHA2_512 4u

void spk_agent_list_request(spb_buffer *out)
{
    spw_u8(out, REQUEST_IDENTITIES);
}

void spk_agent_sign_request(spb_buffer *out, const sp_key *key, const char *algorithm,
                            spb_span data)
{
    uint32_t flags = 0;

    if (strcmp(algorithm, "rsa-sha2-256") == 0)
        flags = RSA_SHA2_256;
    else if (strcmp(algorithm, "rsa-sha2-512") == 0)
        flags = RSA_SHA2_512;
    spw_u8(out, SIGN_REQUEST);
    spw_string(out, key->blob, key->blob_length);
    spw_string(out, data.data, data.length);
    spw_u32(out, flags);
}

static int read_keys(spb_reader *r, uint32_t total, sp_key **keys, size_t *count)
{
    for (uint32_t i = 0; i < total; i++) {
        spb_span blob = spr_string(r);
        (void)spr_string(r); /* comment */
        if (!spr_ok(r))
            return SP_EPROTO;
        int result = sp_key_from_blob(&keys[*count], blob.data, blob.length);
        if (result == SP_ENOMEM)
            return result;
        *count += result == 0; /* certificates and other kinds are not for us */
    }
    return spr_done(r) ? 0 : SP_EPROTO;
}

int spk_agent_read_list(spb_span reply, sp_key ***keys, size_t *count)
{
    spb_reader r;

    *keys = NULL;
    *count = 0;
    spr_init(&r, reply.data, reply.length);
    uint8_t type = spr_u8(&r);
    uint32_t total = spr_u32(&r);
    /* Each has two strings: memory is asked for only for what can be there. */
    if (!spr_ok(&r) || type != IDENTITIES_ANSWER || total > spr_left(&r) / 8)
        return SP_EPROTO;
    if (total > SPK_AGENT_KEYS_MAX)
        return SP_ELIMIT;
    sp_key **list = spb_calloc(spk_env(), (size_t)total + 1, sizeof(sp_key *));
    if (list == NULL)
        return SP_ENOMEM;
    size_t found = 0;
    int result = read_keys(&r, total, list, &found);
    if (result != 0) {
        spk_agent_free_list(list, found);
        return result;
    }
    *keys = list;
    *count = found;
    return 0;
}

void spk_agent_free_list(sp_key **keys, size_t count)
{
    for (size_t i = 0; keys != NULL && i < count; i++)
        sp_key_unref(keys[i]);
    spb_free(spk_env(), keys);
}

spb_span spk_agent_read_signature(spb_span reply)
{
    spb_reader r;

    spr_init(&r, reply.data, reply.length);
    uint8_t type = spr_u8(&r);
    spb_span signature = spr_string_max(&r, SP_SIGNATURE_MAX);
    if (!spr_done(&r) || type != SIGN_RESPONSE)
        signature.length = 0;
    return signature;
}
