/* Fuzzer: key blobs and signature blobs. The first byte says what the rest is: a public key's blob,
 * what stands behind a signature's name for each algorithm and a key that fits, or the text of a
 * browser. A key that is read must be written back as it was; no signature is good, since nobody
 * has signed. */
#include "key/key_internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALGORITHMS 10

static spb_env env;
static sp_key *keys[ALGORITHMS];

static const struct algorithm {
    const char *name;
    sp_key_type type, plain;
} algorithms[ALGORITHMS] = {
    {"ssh-ed25519", SP_KEY_ED25519, SP_KEY_ED25519},
    {"ssh-ed448", SP_KEY_ED448, SP_KEY_ED448},
    {"ecdsa-sha2-nistp256", SP_KEY_ECDSA_P256, SP_KEY_ECDSA_P256},
    {"ecdsa-sha2-nistp521", SP_KEY_ECDSA_P521, SP_KEY_ECDSA_P521},
    {"rsa-sha2-256", SP_KEY_RSA, SP_KEY_RSA},
    {"rsa-sha2-512", SP_KEY_RSA, SP_KEY_RSA},
    {"ssh-mldsa44-ed25519", SP_KEY_MLDSA44_ED25519, SP_KEY_MLDSA44_ED25519},
    {"sk-ssh-ed25519@openssh.com", SP_KEY_SK_ED25519, SP_KEY_ED25519},
    {"sk-ecdsa-sha2-nistp256@openssh.com", SP_KEY_SK_ECDSA_P256, SP_KEY_ECDSA_P256},
    {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", SP_KEY_SK_ECDSA_P256, SP_KEY_ECDSA_P256},
};

static sp_key *make(const struct algorithm *a)
{
    spc_pkey *pkey;
    spb_buffer blob;
    sp_key *key;

    if (!spc_pkey_generate(&pkey, &env, a->plain, 2048))
        abort();
    spb_buffer_init(&blob, &env, 4096);
    if (!spk_write_blob(pkey, a->type, spk_is_security_key(a->type) ? "ssh:" : NULL, &blob) ||
        sp_key_from_blob(&key, blob.data, blob.length) != 0)
        abort();
    spb_buffer_free(&blob);
    spc_pkey_free(pkey);
    return key;
}

static void read_blob(const uint8_t *data, size_t size)
{
    char text[SP_RANDOMART_SIZE];
    sp_key *key;
    size_t length;

    if (sp_key_from_blob(&key, data, size) != 0)
        return;
    const uint8_t *blob = sp_key_blob(key, &length);
    if (length != size || memcmp(blob, data, size) != 0)
        abort();
    if (sp_key_is_security_key(key) != (sp_key_application(key) != NULL) ||
        sp_key_randomart(key, SP_FINGERPRINT_SHA256, text) != 0)
        abort();
    sp_key_unref(key);
}

static void verify(size_t which, const uint8_t *data, size_t size)
{
    sp_signature_info info = {SP_SIGNATURE_INFO_INIT};
    spb_buffer whole;

    spb_buffer_init(&whole, &env, size + 100);
    spw_cstring(&whole, algorithms[which].name);
    spw_bytes(&whole, data, size);
    if (sp_key_verify_info(keys[which], algorithms[which].name, "data", 4, whole.data, whole.length,
                           &info) ||
        sp_key_verify(keys[which], algorithms[which].name, "data", 4, data, size))
        abort();
    spb_buffer_free(&whole);
}

/* Flags, lengths and all around the text are right, so that the text itself is looked at. */
static void browser(const uint8_t *data, size_t size)
{
    spb_buffer b;

    spb_buffer_init(&b, &env, size + 100);
    spw_cstring(&b, "");
    spw_u8(&b, 1);
    spw_u32(&b, 1);
    spw_cstring(&b, "https://example.org");
    spw_string(&b, data, size);
    spw_cstring(&b, "");
    verify(ALGORITHMS - 1, b.data, b.length);
    spb_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (keys[0] == NULL) {
        spb_env_init(&env, NULL);
        for (size_t i = 0; i < ALGORITHMS; i++)
            keys[i] = make(&algorithms[i]);
    }
    if (size == 0)
        return 0;
    size_t which = data[0] % (ALGORITHMS + 2);
    if (which < ALGORITHMS)
        verify(which, data + 1, size - 1);
    else if (which == ALGORITHMS)
        read_blob(data + 1, size - 1);
    else
        browser(data + 1, size - 1);
    return 0;
}
