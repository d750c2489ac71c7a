/* Host key rotation (OpenSSH PROTOCOL 2.5): the client is told of all our host keys, and those that
 * are new to it we prove to have, by signatures over the session. */
#include "connection/connection_internal.h"

#include <string.h>

#define PROVE "hostkeys-prove-00@openssh.com"

/* Tera Term before 2.73 ends the connection when it is told: sshd tells it nothing, either. */
static bool client_chokes(const char *version)
{
    static const char name[] = "SSH-2.0-TTSSH/";

    if (version == NULL || strncmp(version, name, sizeof name - 1) != 0)
        return false;
    const char *number = version + sizeof name - 1;
    if (strncmp(number, "1.", 2) == 0)
        return true;
    return strncmp(number, "2.", 2) == 0 &&
           (number[2] < '7' || (number[2] == '7' && number[3] >= '0' && number[3] <= '2'));
}

int spn_announce_host_keys(spn_connection *c)
{
    const sp_config *config = spt_config(c->transport);
    size_t length;

    if (c->options->no_host_key_rotation || client_chokes(spt_peer_version(c->transport)))
        return 0;
    spb_buffer *b = spt_begin(c->transport, SSH_MSG_GLOBAL_REQUEST);
    spw_cstring(b, "hostkeys-00@openssh.com");
    spw_bool(b, false);
    for (size_t i = 0; i < config->all_key_count; i++) {
        const uint8_t *blob = sp_key_blob(config->host_keys[i], &length);
        spw_string(b, blob, length);
    }
    return spt_end(c->transport);
}

static const sp_key *find_key(const spn_connection *c, spb_span wanted)
{
    const sp_config *config = spt_config(c->transport);
    size_t length;

    for (size_t i = 0; i < config->all_key_count; i++) {
        const uint8_t *blob = sp_key_blob(config->host_keys[i], &length);
        if (length == wanted.length && memcmp(blob, wanted.data, length) == 0)
            return config->host_keys[i];
    }
    return NULL;
}

spn_proof_list spn_proof_read(spn_connection *c, spb_reader *r, spb_span *list)
{
    size_t count = 0;
    bool known = true;

    *list = (spb_span){r->at, spr_left(r)};
    while (spr_ok(r) && spr_left(r) > 0) {
        spb_span blob = spr_string(r);
        known = known && find_key(c, blob) != NULL;
        count++;
    }
    if (!spr_ok(r) || count == 0)
        return SPN_PROOF_MALFORMED;
    if (!known || count > spt_config(c->transport)->all_key_count ||
        c->options->no_host_key_rotation || c->proofs >= SPN_PROOFS_MAX)
        return SPN_PROOF_REFUSED;
    c->proofs++;
    return SPN_PROOF_LISTED;
}

size_t spn_proof_room(const spn_connection *c)
{
    const sp_config *config = spt_config(c->transport);
    size_t longest = 0;
    size_t length;

    for (size_t i = 0; i < config->all_key_count; i++) {
        (void)sp_key_blob(config->host_keys[i], &length);
        longest = length > longest ? length : longest;
    }
    return (size_t)3 * 4 + strlen(PROVE) + spt_session_id(c->transport).length + longest;
}

static uint8_t *put_string(uint8_t *at, const void *data, size_t length)
{
    spb_put_u32(at, (uint32_t)length);
    memcpy(at + 4, data, length);
    return at + 4 + length;
}

/* What is signed: the request's name, the session's id, the key. */
void spn_proof_ask(const spn_connection *c, spn_proof *proof, sp_event *event)
{
    spb_span id = spt_session_id(c->transport);
    spb_reader r;

    spr_init(&r, proof->left.data, proof->left.length);
    spb_span blob = spr_string(&r);
    proof->left = (spb_span){r.at, spr_left(&r)};
    proof->key = find_key(c, blob); /* it was there when the list was read */
    proof->algorithm = sp_key_get_type(proof->key) == SP_KEY_RSA ? spt_rsa_signature(c->transport)
                                                                 : sp_key_type_name(proof->key);
    uint8_t *at = put_string(proof->data, PROVE, strlen(PROVE));
    at = put_string(at, id.data, id.length);
    at = put_string(at, blob.data, blob.length);
    proof->length = (size_t)(at - proof->data);
    event->type = SP_EVENT_SIGN;
    event->u.sign.key = proof->key;
    event->u.sign.algorithm = proof->algorithm;
    event->u.sign.data = proof->data;
    event->u.sign.length = proof->length;
}

/* As in the key exchange, a signature that others made is checked. */
bool spn_proof_good(const spn_connection *c, const spn_proof *proof, const uint8_t *signature,
                    size_t length)
{
    char print[SP_FINGERPRINT_SIZE];

    if (signature == NULL || length == 0 || length > SP_SIGNATURE_MAX)
        return false;
    if (!sp_key_is_external(proof->key) ||
        sp_key_verify(proof->key, proof->algorithm, proof->data, proof->length, signature, length))
        return true;
    sp_key_fingerprint(proof->key, print);
    spb_log(c->env, SP_LOG_ERROR, "the signature that was made for host key %s is wrong", print);
    return false;
}
