/* AES-GCM against Wycheproof's vectors, through the door that takes texts of their shape: the
 * ciphers of files of keys. (A packet has its length as further data, which none of the vectors
 * has.) */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crypto_vectors.h"

static const spc_file_cipher *cipher_for(size_t key_length)
{
    return spc_file_cipher_find(
        spb_span_of(key_length == 16 ? "aes128-gcm@openssh.com" : "aes256-gcm@openssh.com"));
}

/* Opens, and seals what came out. True: opened. */
static bool run(const spc_file_cipher *cipher, const vector_bytes f[VECTOR_FIELDS])
{
    uint8_t key[SPC_FILE_KEY_MAX], text[8192], tag[16];

    memcpy(key, f[0].data, f[0].length);
    memcpy(key + f[0].length, f[1].data, f[1].length);
    memcpy(text, f[3].data, f[3].length);
    memcpy(tag, f[4].data, sizeof tag);
    if (spc_file_cipher_run(cipher, key, text, f[3].length, tag, false) != 0)
        return false;
    assert_int_equal(f[2].length, f[3].length);
    assert_memory_equal(text, f[2].data, f[2].length);
    assert_int_equal(spc_file_cipher_run(cipher, key, text, f[3].length, tag, true), 0);
    assert_memory_equal(text, f[3].data, f[3].length);
    assert_memory_equal(tag, f[4].data, sizeof tag);
    return true;
}

static void vectors(void **unused)
{
    (void)unused;
    FILE *file = vectors_open("aesgcm", "aes_gcm_test.json");
    static vector_bytes fields[VECTOR_FIELDS];
    char result[16];
    unsigned good = 0, bad = 0;

    if (file == NULL)
        skip();
    while (vectors_next(file, result, fields)) {
        const spc_file_cipher *cipher = cipher_for(fields[0].length);
        bool fits = fields[0].length == cipher->key_length &&
                    fields[3].length % cipher->block == 0 && fields[4].length == 16;
        if (!fits)
            continue;
        bool opened = run(cipher, fields);
        assert_int_equal(opened, strcmp(result, "valid") == 0);
        good += opened ? 1 : 0;
        bad += opened ? 0 : 1;
    }
    assert_int_equal(pclose(file), 0);
    print_message("AES-GCM: %u good, %u bad vectors\n", good, bad);
    assert_true(good > 10 && bad > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
