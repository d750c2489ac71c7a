/* The key exchange itself (RFC 4253 7-9, RFC 5656 4, RFC 8731) and rekeying. What a method computes
 * may be a question (it takes long for some); signing the exchange hash always is one. */
#include "transport/transport_internal.h"

#include <string.h>

#define KEY_MAX 64
#define QUESTION_TAG ((uint64_t)3 << 56)

static int kex_failed(spt_transport *t, int error, const char *what)
{
    return spt_fail(t, error, SP_DISCONNECT_KEY_EXCHANGE_FAILED, "%s", what);
}

void spt_kex_free(spt_transport *t)
{
    spt_kex *k = t->kex;

    t->kex_state = KEX_IDLE;
    if (k == NULL)
        return;
    spb_buffer_free(&k->ours);
    spb_buffer_free(&k->theirs);
    spb_buffer_free(&k->secret);
    sp_computation_unref(k->computation);
    spc_protection_free(k->protection_in);
    spb_free_secret(spt_env(t), k, sizeof *k);
    t->kex = NULL;
}

/* H of RFC 5656 4, or of RFC 4419 3. */
static bool exchange_hash(spt_transport *t)
{
    spt_kex *k = t->kex;
    const sp_computation *c = k->computation;
    spb_buffer b;

    spb_buffer_init(&b, spt_env(t), (size_t)256 * 1024);
    b.secret = true;
    spw_cstring(&b, t->peer_version);
    spw_cstring(&b, t->config->version);
    spw_string(&b, k->theirs.data, k->theirs.length);
    spw_string(&b, k->ours.data, k->ours.length);
    spw_string(&b, k->host->blob.data, k->host->blob.length);
    if (k->modulus != NULL) {
        spw_u32(&b, k->gex_least);
        spw_u32(&b, k->gex_wanted);
        spw_u32(&b, k->gex_most);
        spt_gex_write_group(k->modulus, &b);
    }
    spw_string(&b, c->client_public, c->client_public_length);
    spw_string(&b, c->server_public, c->server_public_length);
    spw_bytes(&b, k->secret.data, k->secret.length);
    spb_span all = {b.data, b.length};
    bool good = spw_ok(&b) && spc_hash(k->method->hash, &all, 1, k->hash);
    spb_buffer_free(&b);
    return good;
}

/* The secret is there, or it can't be. */
static int computed(spt_transport *t)
{
    spt_kex *k = t->kex;
    sp_computation *c = k->computation;

    if (!c->done || !c->good)
        return kex_failed(t, SP_EPROTO, "bad public value in the key exchange");
    if (k->method->secret_is_string)
        spw_string(&k->secret, c->secret, c->secret_length);
    else
        spw_mpint(&k->secret, c->secret, c->secret_length);
    sp_zero(c->secret, sizeof c->secret);
    if (!spw_ok(&k->secret))
        return kex_failed(t, SP_ENOMEM, "out of memory");
    if (!exchange_hash(t))
        return kex_failed(t, SP_ECRYPTO, "the exchange hash can't be made");
    if (t->session_id_length == 0) {
        size_t size = spc_hash_size(k->method->hash);
        memcpy(t->session_id, k->hash, size);
        t->session_id_length = (uint8_t)size;
        t->first_host_key = k->host->blob;
    }
    k->question = QUESTION_TAG | ++t->question_counter;
    k->sign_deadline = t->now + SIGN_TIMEOUT_MS;
    t->kex_state = KEX_WAIT_SIGN;
    return 0;
}

int spt_kex_init_received(spt_transport *t, spb_reader *r)
{
    spt_kex *k = t->kex;
    spb_span client_public = spr_string_max(r, k->method->client_public_max);
    if (!spr_done(r) || client_public.length < k->method->client_public_min)
        return kex_failed(t, SP_EPROTO, "malformed key exchange message");

    k->computation = spt_computation_new(t->config, k->method, k->modulus, client_public);
    if (k->computation == NULL)
        return kex_failed(t, SP_ENOMEM, "out of memory");
    if (!t->config->options.compute_elsewhere || !spc_kex_slow(k->method)) {
        sp_computation_run(k->computation);
        return computed(t);
    }
    k->question = QUESTION_TAG | ++t->question_counter;
    t->kex_state = KEX_WAIT_COMPUTATION;
    return 0;
}

int spt_answer_computation(spt_transport *t, uint64_t question)
{
    if (t->error != NULL || t->kex_state != KEX_WAIT_COMPUTATION || question != t->kex->question)
        return SP_ECONN;
    (void)computed(t);
    return 0;
}

static int make_protection(spt_transport *t, spc_protection **out, bool sealing)
{
    const spt_kex *k = t->kex;
    const spc_cipher *cipher = sealing ? k->cipher_out : k->cipher_in;
    const spc_mac *mac = sealing ? k->mac_out : k->mac_in;
    uint8_t iv[KEY_MAX], key[KEY_MAX], mac_key[KEY_MAX];
    bool good = cipher->iv_length <= KEY_MAX && cipher->key_length <= KEY_MAX &&
                (mac == NULL || mac->key_length <= KEY_MAX);

    good = good && spt_derive(t, sealing ? 'B' : 'A', iv, cipher->iv_length) &&
           spt_derive(t, sealing ? 'D' : 'C', key, cipher->key_length);
    if (mac != NULL)
        good = good && spt_derive(t, sealing ? 'F' : 'E', mac_key, mac->key_length);
    good = good && spc_protection_new(out, spt_env(t), cipher, mac, key, iv, mac_key, sealing);
    sp_zero(iv, sizeof iv);
    sp_zero(key, sizeof key);
    sp_zero(mac_key, sizeof mac_key);
    return good ? 0 : kex_failed(t, SP_ECRYPTO, "new keys can't be made");
}

static void use_keys(spt_transport *t, spt_direction *d, spc_protection *protection)
{
    spc_protection_free(d->protection);
    d->protection = protection;
    d->packets = 0;
    d->bytes = 0;
    if (t->strict)
        d->sequence = 0;
}

/* Compression keeps running over later exchanges, each with a fresh stream. */
static int set_compression(spt_transport *t, spt_direction *d, const char *name, bool deflating)
{
    d->compression = name;
    spt_compressor_free(d->compressor);
    d->compressor = NULL;
    if (!spt_compression_starts(name, t->authenticated))
        return 0;
    d->compressor = spt_compressor_new(spt_env(t), deflating);
    return d->compressor == NULL ? kex_failed(t, SP_ENOMEM, "out of memory") : 0;
}

/* Our REPLY and NEWKEYS; from here on we send under the new keys. */
static int send_reply(spt_transport *t, const uint8_t *signature, size_t length)
{
    spt_kex *k = t->kex;
    spb_buffer *b =
        spt_begin(t, k->modulus != NULL ? SSH_MSG_KEX_DH_GEX_REPLY : SSH_MSG_KEX_ECDH_REPLY);
    spw_string(b, k->host->blob.data, k->host->blob.length);
    spw_string(b, k->computation->server_public, k->computation->server_public_length);
    spw_string(b, signature, length);
    int result = spt_end(t);
    if (result != 0)
        return result;

    spc_protection *sealing = NULL;
    result = make_protection(t, &k->protection_in, false);
    if (result == 0)
        result = make_protection(t, &sealing, true);
    if (result != 0)
        return result;
    (void)spt_begin(t, SSH_MSG_NEWKEYS);
    result = spt_end(t);
    if (result != 0) {
        spc_protection_free(sealing);
        return result;
    }
    use_keys(t, &t->out, sealing);
    t->out.cipher = k->cipher_out;
    t->out.mac = k->mac_out;
    return set_compression(t, &t->out, k->compression_out, true);
}

/* A signature that others made is checked before it goes out: a wrong one may give the key away,
 * and would look to the client like an attack. Those of our own keys spc_sign has made. */
static bool signature_good(spt_transport *t, const uint8_t *signature, size_t length)
{
    const spt_kex *k = t->kex;
    char print[SP_FINGERPRINT_SIZE];

    if (!sp_key_is_external(k->host->key) ||
        sp_key_verify(k->host->key, k->host->signature->name, k->hash,
                      spc_hash_size(k->method->hash), signature, length))
        return true;
    sp_key_fingerprint(k->host->key, print);
    spb_log(spt_env(t), SP_LOG_ERROR, "the signature that was made for host key %s is wrong",
            print);
    return false;
}

int spt_answer_sign(spt_transport *t, uint64_t question, const uint8_t *signature, size_t length)
{
    if (t->error != NULL || t->kex_state != KEX_WAIT_SIGN || question != t->kex->question)
        return SP_ECONN;
    if (signature == NULL || length == 0) {
        (void)kex_failed(t, SP_ECRYPTO, "the exchange hash can't be signed");
        return 0;
    }
    if (!signature_good(t, signature, length)) {
        (void)kex_failed(t, SP_ECRYPTO, "the exchange hash was signed wrongly");
        return 0;
    }
    if (send_reply(t, signature, length) != 0)
        return 0;
    t->kex_state = KEX_WAIT_NEWKEYS;
    /* Everything that goes out now is under the new keys. */
    if (!t->first_kex_done && t->wants_ext_info && spt_send_ext_info(t) != 0)
        return 0;
    if (spt_flush_held(t) == 0)
        t->writable = true;
    return 0;
}

int spt_newkeys_received(spt_transport *t)
{
    spt_kex *k = t->kex;

    use_keys(t, &t->in, k->protection_in);
    k->protection_in = NULL;
    t->in.cipher = k->cipher_in;
    t->in.mac = k->mac_in;
    int result = set_compression(t, &t->in, k->compression_in, false);
    if (result != 0)
        return result;
    t->kex_name = k->method->name;
    t->host = k->host;
    t->event_keys = true;
    t->event_keys_first = !t->first_kex_done;
    t->ext_info_due = !t->first_kex_done;
    t->first_kex_done = true;
    spt_kex_free(t);
    t->keys_at = t->now;
    t->writable = true;
    spb_log(spt_env(t), SP_LOG_DEBUG, "new keys: %s %s in %s out %s%s", t->kex_name, t->host->name,
            t->in.cipher->name, t->out.cipher->name, t->strict ? " strict" : "");
    return 0;
}

spb_span spt_first_host_key(const spt_transport *t)
{
    return t->first_host_key;
}

const char *spt_rsa_signature(const spt_transport *t)
{
    if (t->host != NULL && t->host->signature->key_type == SP_KEY_RSA)
        return t->host->signature->name;
    return t->rsa_sha2_256 && !t->rsa_sha2_512 ? "rsa-sha2-256" : "rsa-sha2-512";
}

uint64_t spt_rekey_deadline(const spt_transport *t)
{
    if (!t->first_kex_done || t->limits.rekey_seconds == UINT32_MAX)
        return UINT64_MAX;
    return t->keys_at + (uint64_t)t->limits.rekey_seconds * 1000;
}

/* Time, bytes or packets enough for new keys? And is a signature overdue? Before login another
 * clock runs for everything. */
int spt_check_rekey(spt_transport *t)
{
    uint64_t limit = t->limits.rekey_bytes;

    if (t->error == NULL && t->kex_state == KEX_WAIT_SIGN && t->authenticated &&
        t->now >= t->kex->sign_deadline)
        return kex_failed(t, SP_ETIMEDOUT, "nobody has signed the exchange hash");
    if (t->kex_state != KEX_IDLE || !t->first_kex_done || !t->authenticated || t->error != NULL)
        return 0;
    if (t->in.bytes >= limit || t->out.bytes >= limit || t->in.packets >= REKEY_PACKETS ||
        t->out.packets >= REKEY_PACKETS || t->now >= spt_rekey_deadline(t))
        return spt_kex_start(t);
    return 0;
}

int spt_rekey(spt_transport *t)
{
    if (!t->first_kex_done || t->error != NULL)
        return SP_ESTATE;
    if (t->kex_state != KEX_IDLE)
        return 0;
    return spt_kex_start(t);
}
