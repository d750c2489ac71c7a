/* Signatures of security keys (OpenSSH PROTOCOL.u2f). An authenticator signs a hash of the
 * application that it was made for, flags that tell whether somebody was there, its counter, and a
 * hash of the data. In a browser (WebAuthn) the data stand as the challenge in a small JSON text
 * that the browser makes, and it is that text which is hashed. */
#include "key/key_internal.h"

#include <string.h>

#define APPLICATION_MAX ((size_t)1024)
#define HASH_SIZE ((size_t)32)
/* Flags of authenticator data (WebAuthn 6.1). */
#define FLAG_PRESENT 0x01u
#define FLAG_VERIFIED 0x04u
#define FLAG_CREDENTIAL 0x40u /* a new key comes with it: not where something is signed */
#define FLAG_EXTENSIONS 0x80u

/* What stands behind the signature proper. */
typedef struct sk_tail {
    uint8_t flags;
    uint32_t counter;
    spb_span origin, client_data, extensions; /* WebAuthn only */
} sk_tail;

bool spk_is_security_key(sp_key_type type)
{
    return type == SP_KEY_SK_ED25519 || type == SP_KEY_SK_ECDSA_P256;
}

bool spk_application_good(spb_span application)
{
    for (size_t i = 0; i < application.length; i++) {
        if (application.data[i] < 0x20 || application.data[i] == 0x7f)
            return false;
    }
    return application.length > 0 && application.length <= APPLICATION_MAX;
}

/* Takes a text off the front of another. */
static bool take(spb_span *text, const void *start, size_t length)
{
    if (length > text->length || memcmp(text->data, start, length) != 0)
        return false;
    text->data += length;
    text->length -= length;
    return true;
}

static bool take_text(spb_span *text, const char *start)
{
    return take(text, start, strlen(start));
}

/* base64url without padding (RFC 4648 5), as browsers write a challenge. */
static bool take_challenge(spb_span *text, spb_span data)
{
    spb_buffer encoded;

    if (data.length > text->length)
        return false;
    spb_buffer_init(&encoded, spk_env(), text->length + 4);
    bool good = spc_base64_encode(data, &encoded);
    while (good && encoded.length > 0 && encoded.data[encoded.length - 1] == '=')
        encoded.length--;
    for (size_t i = 0; good && i < encoded.length; i++) {
        if (encoded.data[i] == '+')
            encoded.data[i] = '-';
        else if (encoded.data[i] == '/')
            encoded.data[i] = '_';
    }
    good = good && take(text, encoded.data, encoded.length);
    spb_buffer_free(&encoded);
    return good;
}

/* The JSON text begins in the one way that WebAuthn 5.8.1.1 allows, with our data as its challenge:
 * so nothing has to be understood that could be understood in two ways. What follows (crossOrigin,
 * members to come) is signed, and means nothing to SSH. */
static bool client_data_good(const sk_tail *tail, spb_span data)
{
    spb_span text = tail->client_data;
    spb_span origin = tail->origin;

    for (size_t i = 0; i < origin.length; i++) {
        if (origin.data[i] < 0x20 || origin.data[i] == '"' || origin.data[i] == '\\')
            return false;
    }
    return origin.length > 0 && take_text(&text, "{\"type\":\"webauthn.get\",\"challenge\":\"") &&
           take_challenge(&text, data) && take_text(&text, "\",\"origin\":\"") &&
           take(&text, origin.data, origin.length) && take_text(&text, "\"") && text.length > 0 &&
           (text.data[0] == ',' || text.length == 1) && text.data[text.length - 1] == '}';
}

static bool flags_good(const sk_tail *tail)
{
    bool extended = (tail->flags & FLAG_EXTENSIONS) != 0;

    return (tail->flags & FLAG_CREDENTIAL) == 0 && extended == (tail->extensions.length > 0);
}

/* The message that the authenticator signs. */
static bool write_message(const sp_key *key, const sk_tail *tail, spb_span hashed, spb_buffer *out)
{
    uint8_t hash[SPC_HASH_MAX];
    const spb_span application = spb_span_of(key->application);

    if (!spc_hash(SPC_SHA256, &application, 1, hash))
        return false;
    spw_bytes(out, hash, HASH_SIZE);
    spw_u8(out, tail->flags);
    spw_u32(out, tail->counter);
    spw_bytes(out, tail->extensions.data, tail->extensions.length);
    if (!spc_hash(SPC_SHA256, &hashed, 1, hash))
        return false;
    spw_bytes(out, hash, HASH_SIZE);
    return spw_ok(out);
}

/* How libcrypto's half of the key signs. */
static const spc_signature *plain_algorithm(sp_key_type type)
{
    return spc_signature_find(
        spb_span_of(type == SP_KEY_SK_ED25519 ? "ssh-ed25519" : "ecdsa-sha2-nistp256"));
}

bool spk_security_key_verify(const sp_key *key, const spc_signature *algorithm, spb_span data,
                             spb_span inner, sp_signature_info *info)
{
    bool webauthn = strncmp(algorithm->name, "webauthn-", 9) == 0;
    sk_tail tail = {0};
    spb_buffer message;
    spb_reader r;

    spr_init(&r, inner.data, inner.length);
    spb_span signature = spr_string(&r);
    tail.flags = spr_u8(&r);
    tail.counter = spr_u32(&r);
    if (webauthn) {
        tail.origin = spr_string(&r);
        tail.client_data = spr_string(&r);
        tail.extensions = spr_string(&r);
    }
    if (!spr_done(&r) || (webauthn && (!flags_good(&tail) || !client_data_good(&tail, data))))
        return false;
    spb_buffer_init(&message, spk_env(), 2 * HASH_SIZE + 5 + tail.extensions.length);
    bool good = write_message(key, &tail, webauthn ? tail.client_data : data, &message) &&
                spc_verify(key->pkey, plain_algorithm(key->type),
                           (spb_span){message.data, message.length}, signature);
    spb_buffer_free(&message);
    if (good)
        *info = (sp_signature_info){SP_SIGNATURE_INFO_INIT,
                                    .security_key = true,
                                    .touched = (tail.flags & FLAG_PRESENT) != 0,
                                    .verified = (tail.flags & FLAG_VERIFIED) != 0,
                                    .webauthn = webauthn,
                                    .counter = tail.counter};
    return good;
}
