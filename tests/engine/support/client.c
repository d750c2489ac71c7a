/* The in-memory client of client.h. */
#include "client.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_VERSION "SSH-2.0-testclient"
#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

bool test_random_fill(void *ctx, void *buffer, size_t length)
{
    test_random *r = ctx;
    uint8_t *p = buffer;

    for (size_t i = 0; i < length; i++) {
        r->state = r->state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(r->state >> 56);
    }
    return true;
}

void client_buffer(const test_client *c, spb_buffer *b)
{
    spb_buffer_init(b, &c->env, (size_t)4 * 1024 * 1024);
}

void client_init(test_client *c)
{
    memset(c, 0, sizeof *c);
    spb_env_init(&c->env, NULL);
    c->now = 1000;
    c->strict = true;
    c->ext_info = true;
    spb_buffer *all[] = {&c->in,      &c->our_kexinit, &c->server_kexinit, &c->secret,
                         &c->payload, &c->received,    &c->group};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        spb_buffer_init(all[i], &c->env, (size_t)256 * 1024 * 1024);
}

void client_start(test_client *c, const sp_protocol_options *options)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    char reason[256];

    if (options != NULL)
        o = *options;
    /* This client is no modern one. */
    if (o.preset == NULL)
        o.preset = "compatible";
    if (o.kex_algorithms == NULL)
        o.kex_algorithms = "^curve25519-sha256";
    if (o.host_key_count == 0) {
        MUST(sp_key_generate(&c->host_key, SP_KEY_ED25519, 0) == 0);
        o.host_keys = &c->host_key;
        o.host_key_count = 1;
    }
    if (sp_config_new(&c->config, &o, reason, sizeof reason) != 0) {
        fprintf(stderr, "config: %s\n", reason);
        abort();
    }
    MUST(sp_engine_new(&c->engine, c->config, NULL, c->now) == 0);
}

void client_free(test_client *c)
{
    sp_engine_free(c->engine);
    sp_config_unref(c->config);
    sp_key_unref(c->host_key);
    spc_protection_free(c->seal);
    spc_protection_free(c->open);
    spb_buffer *all[] = {&c->in,      &c->our_kexinit, &c->server_kexinit, &c->secret,
                         &c->payload, &c->received,    &c->group};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        spb_buffer_free(all[i]);
}

void client_default_event(test_client *c, const sp_event *event)
{
    sp_engine *e = c->engine;
    sp_auth_reply accept = {.verdict = SP_AUTH_ACCEPT};

    c->events[event->type]++;
    c->last_question = event->question;
    switch (event->type) {
    case SP_EVENT_SIGN: {
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t length = sizeof signature;
        MUST(sp_key_sign(event->u.sign.key, event->u.sign.algorithm, event->u.sign.data,
                         event->u.sign.length, signature, &length) == 0);
        MUST(sp_engine_answer_sign(e, event->question, signature, length) == 0);
        break;
    }
    case SP_EVENT_COMPUTE:
        sp_computation_run(event->u.compute.computation);
        MUST(sp_engine_answer_computation(e, event->question) == 0);
        break;
    case SP_EVENT_AUTH_BEGIN:
    case SP_EVENT_AUTH_COMPLETED:
        (void)sp_engine_answer_auth(e, event->question, &accept);
        break;
    case SP_EVENT_AUTH_METHODS:
        (void)sp_engine_answer_methods(
            e, event->question, SP_METHOD_PUBLIC_KEY | SP_METHOD_PASSWORD | SP_METHOD_KBDINT);
        break;
    case SP_EVENT_OPEN:
        (void)sp_engine_accept_open(e, event->question, NULL);
        break;
    case SP_EVENT_REQUEST:
        c->last_channel = event->channel;
        if (event->question != 0)
            (void)sp_engine_answer_request(e, event->question, true);
        break;
    case SP_EVENT_DATA:
        spw_bytes(&c->received, event->u.data.bytes, event->u.data.length);
        break;
    case SP_EVENT_CLOSED:
        c->closed = true;
        if (event->u.closed.error != NULL) {
            c->closed_error = event->u.closed.error->error;
            snprintf(c->closed_text, sizeof c->closed_text, "%s", event->u.closed.error->message);
        }
        break;
    default:
        break;
    }
}

static void drain(test_client *c)
{
    struct iovec v[8];
    int n;

    while ((n = sp_engine_output(c->engine, v, 8)) > 0) {
        size_t total = 0;
        for (int i = 0; i < n; i++) {
            spw_bytes(&c->in, v[i].iov_base, v[i].iov_len);
            total += v[i].iov_len;
        }
        MUST(spw_ok(&c->in));
        sp_engine_consumed(c->engine, total);
    }
}

void client_pump(test_client *c)
{
    sp_event event;

    drain(c);
    while (sp_engine_next_event(c->engine, &event) == 1) {
        if (c->on_event != NULL)
            c->on_event(c, &event);
        else
            client_default_event(c, &event);
        drain(c);
    }
    drain(c);
}

void client_raw(test_client *c, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;

    while (length > 0) {
        int n = sp_engine_receive(c->engine, p, length);
        if (n < 0) {
            /* Full or over: let it work, then try once more. */
            client_pump(c);
            n = sp_engine_receive(c->engine, p, length);
            if (n < 0)
                return;
        }
        p += n;
        length -= (size_t)n;
        client_pump(c);
    }
}

void client_send(test_client *c, uint8_t message, const void *payload, size_t length)
{
    size_t block = c->seal == NULL ? 8 : spc_protection_block(c->seal);
    size_t clear = c->seal == NULL ? 0 : spc_protection_clear_length(c->seal);
    size_t tag = c->seal == NULL ? 0 : spc_protection_tag(c->seal);
    size_t plain = 6 + length;
    size_t padding = block - (plain - clear) % block;
    if (padding < 4)
        padding += block;
    while (plain + padding < 16)
        padding += block;
    uint8_t *packet = calloc(1, plain + padding);
    uint8_t *sealed = calloc(1, plain + padding + tag);
    MUST(packet != NULL && sealed != NULL);
    spb_put_u32(packet, (uint32_t)(plain + padding - 4));
    packet[4] = (uint8_t)padding;
    packet[5] = message;
    if (length > 0)
        memcpy(packet + 6, payload, length);
    if (c->seal != NULL) {
        spb_span span = {packet, plain + padding};
        MUST(spc_seal(c->seal, c->seal_sequence, &span, 1, sealed));
    } else {
        memcpy(sealed, packet, plain + padding);
    }
    c->seal_sequence++;
    client_raw(c, sealed, plain + padding + tag);
    free(packet);
    free(sealed);
}

void client_send_buffer(test_client *c, uint8_t message, spb_buffer *payload)
{
    MUST(spw_ok(payload));
    client_send(c, message, payload->data, payload->length);
    spb_buffer_free(payload);
}

static bool take_version(test_client *c)
{
    const uint8_t *end = c->in.length == 0 ? NULL : memchr(c->in.data, '\n', c->in.length);
    if (end == NULL)
        return false;
    size_t length = (size_t)(end - c->in.data);
    MUST(length >= 1 && length < sizeof c->server_version && c->in.data[length - 1] == '\r');
    memcpy(c->server_version, c->in.data, length - 1);
    c->server_version[length - 1] = '\0';
    spb_buffer_consume(&c->in, length + 1);
    c->version_seen = true;
    return true;
}

bool client_receive(test_client *c)
{
    client_pump(c);
    if (!c->version_seen && !take_version(c))
        return false;
    uint32_t length;
    size_t tag = 0;
    if (c->open == NULL) {
        if (c->in.length < 4)
            return false;
        length = spb_get_u32(c->in.data);
    } else {
        if (c->in.length < spc_protection_need(c->open))
            return false;
        MUST(spc_open_length(c->open, c->open_sequence, c->in.data, &length));
        tag = spc_protection_tag(c->open);
    }
    if (c->in.length < 4 + length + tag)
        return false;
    if (c->open != NULL)
        MUST(spc_open(c->open, c->open_sequence, c->in.data, length));
    c->open_sequence++;
    uint8_t padding = c->in.data[4];
    MUST(padding >= 4 && (uint32_t)padding + 2 <= length);
    c->message = c->in.data[5];
    spb_buffer_clear(&c->payload);
    spw_bytes(&c->payload, c->in.data + 6, length - 2 - padding);
    spb_buffer_consume(&c->in, 4 + length + tag);
    return true;
}

bool client_expect(test_client *c, uint8_t message)
{
    while (client_receive(c)) {
        if (c->message == message)
            return true;
        if (c->message == SSH_MSG_DISCONNECT)
            return false;
    }
    return false;
}

spb_reader client_reader(const test_client *c)
{
    spb_reader r;
    spr_init(&r, c->payload.data, c->payload.length);
    return r;
}

void client_version(test_client *c)
{
    client_raw(c, CLIENT_VERSION "\r\n", strlen(CLIENT_VERSION) + 2);
}

void client_kexinit(test_client *c)
{
    static const uint8_t cookie[16];
    spb_buffer b;
    char kex[256];
    const char *cipher = c->cipher == NULL ? "aes128-gcm@openssh.com" : c->cipher;
    const char *mac = c->mac == NULL ? "hmac-sha2-256" : c->mac;

    snprintf(kex, sizeof kex, "%s%s%s", c->kex_names == NULL ? "curve25519-sha256" : c->kex_names,
             c->strict && !c->have_session_id ? ",kex-strict-c-v00@openssh.com" : "",
             c->ext_info && !c->have_session_id ? ",ext-info-c" : "");
    client_buffer(c, &b);
    spw_bytes(&b, cookie, sizeof cookie);
    spw_cstring(&b, kex);
    spw_cstring(&b, "ssh-ed25519");
    spw_cstring(&b, cipher);
    spw_cstring(&b, cipher);
    spw_cstring(&b, mac);
    spw_cstring(&b, mac);
    spw_cstring(&b, "none");
    spw_cstring(&b, "none");
    spw_cstring(&b, NULL);
    spw_cstring(&b, NULL);
    spw_bool(&b, c->guess);
    spw_u32(&b, 0);
    spb_buffer_clear(&c->our_kexinit);
    spw_u8(&c->our_kexinit, SSH_MSG_KEXINIT);
    spw_bytes(&c->our_kexinit, b.data, b.length);
    client_send_buffer(c, SSH_MSG_KEXINIT, &b);
}

/* X25519 with libcrypto: our pair, then the secret. */
static void x25519_pair(test_client *c)
{
    size_t length = 32;
    for (size_t i = 0; i < 32; i++)
        c->x25519_private[i] = (uint8_t)(i * 7 + 1);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, c->x25519_private, 32);
    MUST(key != NULL && EVP_PKEY_get_raw_public_key(key, c->x25519_public, &length) == 1);
    EVP_PKEY_free(key);
}

static void x25519_secret(test_client *c, const uint8_t *peer, uint8_t out[32])
{
    size_t length = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, c->x25519_private, 32);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, 32);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    MUST(ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
         EVP_PKEY_derive_set_peer(ctx, other) == 1);
    MUST(EVP_PKEY_derive(ctx, out, &length) == 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
}

static void derive(test_client *c, char letter, uint8_t *out, size_t length)
{
    uint8_t block[64];
    spb_span spans[4] = {{c->secret.data, c->secret.length},
                         {c->hash, 32},
                         {(const uint8_t *)&letter, 1},
                         {c->session_id, 32}};
    size_t done = 0;
    MUST(spc_hash(SPC_SHA256, spans, 4, block));
    for (;;) {
        size_t step = length - done < 32 ? length - done : 32;
        memcpy(out + done, block, step);
        done += step;
        if (done == length)
            return;
        spb_span more[3] = {{c->secret.data, c->secret.length}, {c->hash, 32}, {out, done}};
        MUST(spc_hash(SPC_SHA256, more, 3, block));
    }
}

static spc_protection *protection(test_client *c, bool sealing)
{
    const char *cipher_name = c->cipher == NULL ? "aes128-gcm@openssh.com" : c->cipher;
    const char *mac_name = c->mac == NULL ? "hmac-sha2-256" : c->mac;
    const spc_cipher *cipher =
        spc_cipher_find((spb_span){(const uint8_t *)cipher_name, strlen(cipher_name)});
    const spc_mac *mac = spc_mac_find((spb_span){(const uint8_t *)mac_name, strlen(mac_name)});
    uint8_t iv[64], key[64], mac_key[64];
    spc_protection *p;

    MUST(cipher != NULL && mac != NULL);
    derive(c, sealing ? 'A' : 'B', iv, cipher->iv_length);
    derive(c, sealing ? 'C' : 'D', key, cipher->key_length);
    derive(c, sealing ? 'E' : 'F', mac_key, mac->key_length);
    MUST(spc_protection_new(&p, &c->env, cipher, cipher->tag_length > 0 ? NULL : mac, key, iv,
                            mac_key, sealing));
    return p;
}

void client_take_kexinit(test_client *c)
{
    MUST(client_expect(c, SSH_MSG_KEXINIT));
    spb_buffer_clear(&c->server_kexinit);
    spw_u8(&c->server_kexinit, SSH_MSG_KEXINIT);
    spw_bytes(&c->server_kexinit, c->payload.data, c->payload.length);
    c->server_kexinit_taken = true;
}

static bool kex_is(const test_client *c, const char *start)
{
    return c->kex_names != NULL && strncmp(c->kex_names, start, strlen(start)) == 0;
}

static void need_server_kexinit(test_client *c)
{
    if (!c->server_kexinit_taken)
        client_take_kexinit(c);
}

void client_gex_request(test_client *c)
{
    static const uint32_t sizes[3] = {2048, 2048, 8192};
    spb_buffer b;

    need_server_kexinit(c);
    client_buffer(c, &b);
    spb_buffer_clear(&c->group);
    for (size_t i = 0; i < 3; i++) {
        spw_u32(&b, sizes[i]);
        spw_u32(&c->group, sizes[i]);
    }
    client_send_buffer(c, SSH_MSG_KEX_DH_GEX_REQUEST, &b);
    MUST(client_expect(c, SSH_MSG_KEX_DH_GEX_GROUP));
    spb_reader r = client_reader(c);
    spw_bytes(&c->group, r.at, spr_left(&r));
    MUST(spr_mpint(&r).length == 256 && spr_mpint(&r).length == 1 && spr_done(&r));
}

/* Our public value, and the secret from the server's. With the exponent 1 these are the generator
 * (2 in every group here) and the value itself. */
static spb_span our_public(test_client *c)
{
    static const uint8_t two = 2;

    if (kex_is(c, "diffie-hellman"))
        return (spb_span){&two, 1};
    x25519_pair(c);
    return (spb_span){c->x25519_public, 32};
}

static void take_secret(test_client *c, spb_span theirs)
{
    uint8_t secret[32];

    spb_buffer_clear(&c->secret);
    if (kex_is(c, "diffie-hellman")) {
        spw_mpint(&c->secret, theirs.data, theirs.length);
        return;
    }
    MUST(theirs.length == 32);
    x25519_secret(c, theirs.data, secret);
    spw_mpint(&c->secret, secret, 32);
}

void client_kex_init(test_client *c)
{
    bool group = kex_is(c, "diffie-hellman-group-exchange");
    spb_buffer b;

    if (group && c->group.length == 0)
        client_gex_request(c);
    spb_span ours = our_public(c);
    client_buffer(c, &b);
    spw_string(&b, ours.data, ours.length);
    client_send_buffer(c, group ? SSH_MSG_KEX_DH_GEX_INIT : SSH_MSG_KEX_ECDH_INIT, &b);
    need_server_kexinit(c);
    c->server_kexinit_taken = false;

    MUST(client_expect(c, group ? SSH_MSG_KEX_DH_GEX_REPLY : SSH_MSG_KEX_ECDH_REPLY));
    spb_reader r = client_reader(c);
    spb_span blob = spr_string(&r);
    spb_span theirs = spr_string(&r);
    spb_span signature = spr_string(&r);
    MUST(spr_done(&r));
    take_secret(c, theirs);

    client_buffer(c, &b);
    spw_cstring(&b, CLIENT_VERSION);
    spw_cstring(&b, c->server_version);
    spw_string(&b, c->our_kexinit.data, c->our_kexinit.length);
    spw_string(&b, c->server_kexinit.data, c->server_kexinit.length);
    spw_string(&b, blob.data, blob.length);
    spw_bytes(&b, c->group.data, c->group.length);
    spb_buffer_clear(&c->group);
    spw_string(&b, ours.data, ours.length);
    spw_string(&b, theirs.data, theirs.length);
    spw_bytes(&b, c->secret.data, c->secret.length);
    spb_span all = {b.data, b.length};
    MUST(spc_hash(SPC_SHA256, &all, 1, c->hash));
    spb_buffer_free(&b);
    if (!c->have_session_id) {
        memcpy(c->session_id, c->hash, 32);
        c->have_session_id = true;
    }
    sp_key *key;
    MUST(sp_key_from_blob(&key, blob.data, blob.length) == 0);
    MUST(sp_key_verify(key, "ssh-ed25519", c->hash, 32, signature.data, signature.length));
    sp_key_unref(key);

    MUST(client_expect(c, SSH_MSG_NEWKEYS));
    spc_protection_free(c->open);
    c->open = protection(c, false);
    if (c->strict)
        c->open_sequence = 0;
}

void client_newkeys(test_client *c)
{
    client_send(c, SSH_MSG_NEWKEYS, NULL, 0);
    spc_protection_free(c->seal);
    c->seal = protection(c, true);
    if (c->strict)
        c->seal_sequence = 0;
}

void client_handshake(test_client *c)
{
    client_version(c);
    client_kexinit(c);
    client_kex_init(c);
    client_newkeys(c);
}

void client_service(test_client *c)
{
    spb_buffer b;

    client_buffer(c, &b);
    spw_cstring(&b, "ssh-userauth");
    client_send_buffer(c, SSH_MSG_SERVICE_REQUEST, &b);
    MUST(client_expect(c, SSH_MSG_SERVICE_ACCEPT));
}

void client_login(test_client *c)
{
    spb_buffer b;

    client_handshake(c);
    client_service(c);
    client_buffer(c, &b);
    spw_cstring(&b, "guest");
    spw_cstring(&b, "ssh-connection");
    spw_cstring(&b, "none");
    client_send_buffer(c, SSH_MSG_USERAUTH_REQUEST, &b);
    MUST(client_expect(c, SSH_MSG_USERAUTH_SUCCESS));
}

uint32_t client_open_session(test_client *c)
{
    spb_buffer b;

    client_buffer(c, &b);
    spw_cstring(&b, "session");
    spw_u32(&b, 7);
    spw_u32(&b, 1024 * 1024);
    spw_u32(&b, 32768);
    client_send_buffer(c, SSH_MSG_CHANNEL_OPEN, &b);
    MUST(client_expect(c, SSH_MSG_CHANNEL_OPEN_CONFIRMATION));
    spb_reader r = client_reader(c);
    MUST(spr_u32(&r) == 7);
    return spr_u32(&r);
}
