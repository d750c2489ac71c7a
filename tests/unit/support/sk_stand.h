/* A security key in software (OpenSSH PROTOCOL.u2f), which signs as a test tells it to, also wrong:
 * for another application, without a touch, with a byte too many. */
#ifndef SK_STAND_H
#define SK_STAND_H

#include "key/key_internal.h"

#include <stdlib.h>
#include <string.h>

#define SK_TOUCHED 0x01u
#define SK_VERIFIED 0x04u

typedef struct sk_token {
    spb_env env;
    spc_pkey *pkey;
    sp_key *key; /* the public half */
} sk_token;

/* How to sign; zero is as it should be, but for the flags. */
typedef struct sk_plan {
    const char *algorithm; /* NULL: that of the key's type; "webauthn-..." makes one of those */
    uint8_t flags;
    uint8_t sent_flags; /* instead of those that were signed, if `lies` */
    bool lies;
    uint32_t counter;
    const char *application; /* NULL: the key's */
    const char *extra;       /* behind the blob */
    size_t cut;              /* bytes off its end */
    /* WebAuthn */
    const char *type, *challenge, *origin, *json_origin, *rest; /* NULL: right ones */
    const char *head;                                           /* instead of `{"type":"` */
    const char *extensions;
} sk_plan;

static inline void sk_token_make(sk_token *t, sp_key_type type, const char *application)
{
    sp_key_type plain = type == SP_KEY_SK_ED25519 ? SP_KEY_ED25519 : SP_KEY_ECDSA_P256;
    spb_buffer blob;

    spb_env_init(&t->env, NULL);
    if (!spc_pkey_generate(&t->pkey, &t->env, plain, 0))
        abort();
    spb_buffer_init(&blob, &t->env, 4096);
    if (!spk_write_blob(t->pkey, type, application, &blob) ||
        sp_key_from_blob(&t->key, blob.data, blob.length) != 0)
        abort();
    spb_buffer_free(&blob);
}

static inline void sk_token_free(sk_token *t)
{
    spc_pkey_free(t->pkey);
    sp_key_unref(t->key);
}

static inline void sk_hash(spb_span data, spb_buffer *out)
{
    uint8_t hash[SPC_HASH_MAX];

    if (!spc_hash(SPC_SHA256, &data, 1, hash))
        abort();
    spw_bytes(out, hash, 32);
}

static inline void sk_text(spb_buffer *out, const char *text)
{
    spw_bytes(out, text, strlen(text));
}

static inline void sk_challenge(spb_span data, spb_buffer *out)
{
    size_t start = out->length;

    if (!spc_base64_encode(data, out))
        abort();
    while (out->length > start && out->data[out->length - 1] == '=')
        out->length--;
    for (size_t i = start; i < out->length; i++)
        out->data[i] = out->data[i] == '+'   ? (uint8_t)'-'
                       : out->data[i] == '/' ? (uint8_t)'_'
                                             : out->data[i];
}

static inline const char *sk_origin(const sk_plan *p)
{
    return p->origin != NULL ? p->origin : "https://example.org";
}

static inline void sk_client_data(const sk_plan *p, spb_span data, spb_buffer *out)
{
    sk_text(out, p->head != NULL ? p->head : "{\"type\":\"");
    sk_text(out, p->type != NULL ? p->type : "webauthn.get");
    sk_text(out, "\",\"challenge\":\"");
    if (p->challenge != NULL)
        sk_text(out, p->challenge);
    else
        sk_challenge(data, out);
    sk_text(out, "\",\"origin\":\"");
    sk_text(out, p->json_origin != NULL ? p->json_origin : sk_origin(p));
    sk_text(out, p->rest != NULL ? p->rest : "\",\"crossOrigin\":false}");
}

/* A whole signature blob. `out` is initialised. */
static inline void sk_sign(const sk_token *t, const sk_plan *p, spb_span data, spb_buffer *out)
{
    const char *algorithm = p->algorithm != NULL ? p->algorithm : sp_key_type_name(t->key);
    const char *application = p->application != NULL ? p->application : sp_key_application(t->key);
    bool webauthn = strncmp(algorithm, "webauthn-", 9) == 0;
    const char *plain =
        sp_key_get_type(t->key) == SP_KEY_SK_ED25519 ? "ssh-ed25519" : "ecdsa-sha2-nistp256";
    spb_buffer client_data, message, inner;

    spb_buffer_init(&client_data, &t->env, 1 << 20);
    spb_buffer_init(&message, &t->env, 1 << 20);
    spb_buffer_init(&inner, &t->env, 4096);
    sk_client_data(p, data, &client_data);
    sk_hash(spb_span_of(application), &message);
    spw_u8(&message, p->flags);
    spw_u32(&message, p->counter);
    if (p->extensions != NULL)
        sk_text(&message, p->extensions);
    sk_hash(webauthn ? (spb_span){client_data.data, client_data.length} : data, &message);
    if (!spc_sign(t->pkey, spc_signature_find(spb_span_of(plain)),
                  (spb_span){message.data, message.length}, &inner))
        abort();
    spw_cstring(out, algorithm);
    spw_string(out, inner.data, inner.length);
    spw_u8(out, p->lies ? p->sent_flags : p->flags);
    spw_u32(out, p->counter);
    if (webauthn) {
        spw_cstring(out, sk_origin(p));
        spw_string(out, client_data.data, client_data.length);
        spw_cstring(out, p->extensions);
    }
    if (p->extra != NULL)
        sk_text(out, p->extra);
    out->length -= p->cut;
    if (!spw_ok(out))
        abort();
    spb_buffer_free(&client_data);
    spb_buffer_free(&message);
    spb_buffer_free(&inner);
}

#endif
