/* Fuzzer: private key files. The first byte chooses: a text as it is; or the parts of an OpenSSH
 * file (OpenSSH PROTOCOL.key), put into their armour here because base64 hides them from mutation.
 * A passphrase is tried with one round only: more would take all the time there is. */
#include "base/wire.h"
#include "crypto/crypto.h"
#include "key/key_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const void *text, size_t length, const char *passphrase)
{
    sp_key *key;
    int result = sp_key_parse_private(&key, text, length, passphrase);

    if ((result == 0) != (key != NULL) || result > 0)
        abort();
    if (key != NULL) {
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t room = sizeof signature;
        const char *algorithm =
            sp_key_get_type(key) == SP_KEY_RSA ? "rsa-sha2-256" : sp_key_type_name(key);
        /* Whatever is taken works. */
        if (sp_key_sign(key, algorithm, "x", 1, signature, &room) != 0 ||
            !sp_key_verify(key, algorithm, "x", 1, signature, room))
            abort();
    }
    sp_key_unref(key);
}

static void armoured(const spb_buffer *file, const char *passphrase)
{
    spb_buffer text;

    spb_buffer_init(&text, spk_env(), (size_t)1024 * 1024);
    spw_bytes(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 36);
    if (spc_base64_encode((spb_span){file->data, file->length}, &text)) {
        spw_bytes(&text, "\n-----END OPENSSH PRIVATE KEY-----\n", 35);
        if (spw_ok(&text))
            parse(text.data, text.length, passphrase);
    }
    spb_buffer_free(&text);
}

/* Everything behind the key derivation's name is the input's. */
static void parts(const spc_file_cipher *cipher, const uint8_t *data, size_t size)
{
    static const uint8_t options[] = {0, 0, 0, 1, 's', 0, 0, 0, 1};
    spb_buffer file;

    spb_buffer_init(&file, spk_env(), (size_t)256 * 1024);
    spw_bytes(&file, "openssh-key-v1", 15);
    spw_cstring(&file, cipher == NULL ? "none" : cipher->name);
    spw_cstring(&file, cipher == NULL ? "none" : "bcrypt");
    spw_string(&file, options, cipher == NULL ? 0 : sizeof options);
    spw_u32(&file, 1);
    spw_bytes(&file, data, size);
    if (spw_ok(&file))
        armoured(&file, cipher == NULL ? NULL : "x");
    spb_buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    uint8_t mode = data[0];
    data++;
    size--;
    if (mode < 64) {
        parse(data, size, NULL);
    } else if (mode < 240) {
        parts(NULL, data, size);
    } else {
        const spc_file_cipher *cipher = spc_file_cipher_at(mode - 240u);
        if (cipher != NULL)
            parts(cipher, data, size);
    }
    return 0;
}
