/* Fingerprints, their pictures and SSHFP records, byte for byte as ssh-keygen prints them (RFC
 * 4255, RFC 6594, RFC 7479, RFC 8709). */
#include "key/key_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/sk_stand.h"

static char output[8192];

/* What a command prints; "" when it fails. */
static const char *run(const char *command)
{
    char whole[1024];
    (void)snprintf(whole, sizeof whole, "cd %s && %s 2>/dev/null", folder, command);
    FILE *f = popen(whole, "r");
    assert_non_null(f);
    size_t length = fread(output, 1, sizeof output - 1, f);
    output[length] = '\0';
    if (pclose(f) != 0)
        output[0] = '\0';
    return output;
}

static void save_line(const sp_key *key)
{
    char line[4096], path[512];
    assert_true(sp_key_format_public(key, "c", line, sizeof line) > 0);
    (void)snprintf(path, sizeof path, "%s/key.pub", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "%s\n", line);
    assert_int_equal(fclose(f), 0);
}

static void like_keygen(const sp_key *key, bool has_record)
{
    static const struct {
        sp_fingerprint_hash hash;
        const char *name;
    } hashes[] = {{SP_FINGERPRINT_SHA256, "sha256"}, {SP_FINGERPRINT_MD5, "md5"}};
    char print[SP_FINGERPRINT_SIZE], picture[SP_RANDOMART_SIZE], ours[2048], command[128];

    save_line(key);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sp_key_fingerprint_by(key, hashes[i].hash, print), 0);
        assert_int_equal(sp_key_randomart(key, hashes[i].hash, picture), 0);
        (void)snprintf(ours, sizeof ours, "%u %s c (%s)\n%s\n", sp_key_bits(key), print,
                       sp_key_short_name(key), picture);
        (void)snprintf(command, sizeof command, "ssh-keygen -lv -E %s -f key.pub", hashes[i].name);
        assert_string_equal(ours, run(command));
    }
    if (!has_record)
        return;
    char one[512], two[512];
    assert_true(sp_key_format_sshfp(key, "a.example", SP_SSHFP_SHA1, one, sizeof one) > 0);
    assert_true(sp_key_format_sshfp(key, "a.example", SP_SSHFP_SHA256, two, sizeof two) > 0);
    (void)snprintf(ours, sizeof ours, "%s\n%s\n", one, two);
    assert_string_equal(ours, run("ssh-keygen -r a.example -f key.pub"));
}

static void same_as_ssh_keygen(void **unused)
{
    (void)unused;
    static const struct {
        sp_key_type type;
        unsigned bits;
    } kinds[] = {{SP_KEY_ED25519, 0},    {SP_KEY_ECDSA_P256, 0}, {SP_KEY_ECDSA_P384, 0},
                 {SP_KEY_ECDSA_P521, 0}, {SP_KEY_RSA, 2048},     {SP_KEY_RSA, 4096}};
    sk_token token;

    if (system("command -v ssh-keygen >/dev/null") != 0)
        skip();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        /* Each picture is another one. */
        for (unsigned n = 0; n < (kinds[i].type == SP_KEY_RSA ? 1 : 8); n++) {
            sp_key *key;
            assert_int_equal(sp_key_generate(&key, kinds[i].type, kinds[i].bits), 0);
            like_keygen(key, true);
            sp_key_unref(key);
        }
    }
    sk_token_make(&token, SP_KEY_SK_ED25519, "ssh:");
    like_keygen(token.key, false);
    sk_token_free(&token);
    sk_token_make(&token, SP_KEY_SK_ECDSA_P256, "ssh:");
    like_keygen(token.key, false);
    sk_token_free(&token);
}

static void records(void **unused)
{
    (void)unused;
    sp_key *key;
    sk_token token;
    char line[256];

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED448, 0), 0);
    int length = sp_key_format_sshfp(key, "h", SP_SSHFP_SHA256, line, sizeof line);
    assert_int_equal(length, strlen(line));
    assert_memory_equal(line, "h IN SSHFP 6 2 ", 15);
    assert_int_equal(length, 15 + 64);
    assert_int_equal(sp_key_format_sshfp(key, "h", SP_SSHFP_SHA256, line, 5), length);
    assert_int_equal(strlen(line), 4);
    static const char *const hosts[] = {"", "a b", "a\nb", "a\tb", "\x7f"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(sp_key_format_sshfp(key, hosts[i], SP_SSHFP_SHA1, line, sizeof line),
                         SP_EINVAL);
    assert_int_equal(sp_key_format_sshfp(key, NULL, SP_SSHFP_SHA1, line, sizeof line), SP_EINVAL);
    assert_int_equal(sp_key_format_sshfp(key, "h", (sp_sshfp_hash)0, line, sizeof line), SP_EINVAL);
    sk_token_make(&token, SP_KEY_SK_ED25519, "ssh:");
    assert_int_equal(sp_key_format_sshfp(token.key, "h", SP_SSHFP_SHA1, line, sizeof line),
                     SP_ENOTSUP);
    sk_token_free(&token);
    char print[SP_FINGERPRINT_SIZE], picture[SP_RANDOMART_SIZE];
    assert_int_equal(sp_key_fingerprint_by(key, (sp_fingerprint_hash)7, print), SP_EINVAL);
    assert_string_equal(print, "");
    assert_int_equal(sp_key_randomart(key, (sp_fingerprint_hash)7, picture), SP_EINVAL);
    assert_string_equal(picture, "");
    sp_key_unref(key);
}

static int set_up(void **unused)
{
    (void)unused;
    return folder_make();
}

static int tear_down(void **unused)
{
    (void)unused;
    folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_ssh_keygen),
        cmocka_unit_test(records),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
