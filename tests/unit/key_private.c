/* Private key files: encrypted ones in both directions with ssh-keygen and openssl, each cipher;
 * the key derivation's parts; and what must be refused. */
#include "base/wire.h"
#include "crypto/blowfish.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

static spb_env env;
static bool have_ssh_keygen, have_openssl;

/* ---- pi (blowfish_pi.c) ---- */

enum { PI_WORDS = SPC_BLOWFISH_WORDS + 3 }; /* one before the point, two for rounding */
typedef uint32_t number[PI_WORDS];

static bool divide(number n, uint32_t by)
{
    uint64_t rest = 0;
    bool zero = true;
    for (size_t i = 0; i < PI_WORDS; i++) {
        rest = rest << 32 | n[i];
        n[i] = (uint32_t)(rest / by);
        rest %= by;
        zero = zero && n[i] == 0;
    }
    return !zero;
}

static void add(number sum, const number n, bool minus)
{
    uint64_t carry = minus;
    for (size_t i = PI_WORDS; i-- > 0;) {
        carry += (uint64_t)sum[i] + (minus ? ~n[i] : n[i]);
        sum[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* Adds (or takes off) `times` the arc tangent of 1/x. */
static void add_arctan(number sum, uint32_t times, uint32_t x, bool minus)
{
    static number power, term;
    memset(power, 0, sizeof power);
    power[0] = times;
    bool more = divide(power, x);
    for (uint32_t n = 1; more; n += 2) {
        memcpy(term, power, sizeof term);
        (void)divide(term, n);
        add(sum, term, minus);
        minus = !minus;
        more = divide(power, x * x);
    }
}

static void the_table_is_pi(void **unused)
{
    (void)unused;
    static number pi;
    add_arctan(pi, 16, 5, false);
    add_arctan(pi, 4, 239, true);
    assert_int_equal(pi[0], 3);
    assert_memory_equal(pi + 1, spc_pi_words, sizeof spc_pi_words);
}

/* B. Schneier's own test: a key of zeros repeats to sixteen words of zero. */
static void blowfish_vector(void **unused)
{
    (void)unused;
    static const uint32_t zero[SPC_BLOWFISH_KEY];
    static spc_blowfish b;
    uint32_t block[2] = {0, 0};
    spc_blowfish_start(&b);
    spc_blowfish_expand(&b, NULL, zero);
    spc_blowfish_encrypt(&b, block);
    assert_int_equal(block[0], 0x4ef99745);
    assert_int_equal(block[1], 0x6198dd78);
}

static void derivation_bounds(void **unused)
{
    (void)unused;
    static uint8_t out[SPC_BCRYPT_OUT_MAX + 1];
    static const uint8_t bytes[SPC_BCRYPT_SALT_MAX + 1] = "x";
    const spb_span some = {bytes, 1}, none = {bytes, 0}, much = {bytes, sizeof bytes};
    assert_true(spc_bcrypt_pbkdf(&env, some, some, 1, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, none, some, 1, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, some, none, 1, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, some, much, 1, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, some, some, 0, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, some, some, SP_BCRYPT_ROUNDS_MAX + 1, out, 1));
    assert_false(spc_bcrypt_pbkdf(&env, some, some, 1, out, 0));
    assert_false(spc_bcrypt_pbkdf(&env, some, some, 1, out, sizeof out));
}

/* ---- with ssh-keygen ---- */

static void expect_key(const char *name, const char *passphrase, int expected)
{
    sp_key *key;
    int result = sp_key_load_private(&key, path_of(name), passphrase);
    if (result != expected)
        fail_msg("%s with %s: %s", name, passphrase == NULL ? "nothing" : passphrase,
                 sp_strerror(result));
    assert_int_equal(result == 0, key != NULL);
    if (result == 0) {
        /* Compare with what ssh-keygen says the public half is. */
        char line[8192], theirs[8192];
        char public_name[80];
        (void)snprintf(public_name, sizeof public_name, "%s.pub", name);
        FILE *f = fopen(path_of(public_name), "r");
        assert_non_null(f);
        assert_non_null(fgets(theirs, sizeof theirs, f));
        (void)fclose(f);
        int length = sp_key_format_public(key, NULL, line, sizeof line);
        assert_true(length > 0);
        assert_int_equal(strncmp(theirs, line, (size_t)length), 0);
        assert_true(sp_key_is_private(key));
    }
    sp_key_unref(key);
}

static void each_cipher_of_ssh_keygen(void **unused)
{
    (void)unused;
    if (!have_ssh_keygen)
        skip();
    for (size_t i = 0; spc_file_cipher_at(i) != NULL; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "cipher%zu", i);
        assert_int_equal(shell("ssh-keygen -q -t ed25519 -a 2 -Z %s -N 'pass phrase' -f %s",
                               spc_file_cipher_at(i)->name, name),
                         0);
        expect_key(name, "pass phrase", 0);
        expect_key(name, "wrong", SP_EPASSPHRASE);
        expect_key(name, "", SP_EPASSPHRASE);
        expect_key(name, NULL, SP_EPASSPHRASE);
    }
}

static void each_type_of_ssh_keygen(void **unused)
{
    (void)unused;
    static const char *const types[] = {"ed25519", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521",
                                        "rsa -b 2048"};
    if (!have_ssh_keygen)
        skip();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "type%zu", i);
        assert_int_equal(
            shell("ssh-keygen -q -t %s -a %d -N secret -f %s", types[i], i == 0 ? 16 : 1, name), 0);
        expect_key(name, "secret", 0);
        expect_key(name, "Secret", SP_EPASSPHRASE);
    }
    /* A long passphrase, and bytes above ASCII. */
    char text[1000];
    memset(text, 'p', sizeof text);
    memcpy(text, "\xc3\xa4", 2);
    text[600] = '\0';
    assert_int_equal(shell("ssh-keygen -q -t ed25519 -a 1 -N '%s' -f long", text), 0);
    expect_key("long", text, 0);
    text[599] = '\0';
    expect_key("long", text, SP_EPASSPHRASE);
}

static sp_key *new_key(sp_key_type type)
{
    sp_key *key;
    assert_int_equal(sp_key_generate(&key, type, type == SP_KEY_RSA ? 2048 : 0), 0);
    return key;
}

/* ssh-keygen reads what we wrote, and so do we. */
static void check_written(const sp_key *key, const char *name, const char *passphrase)
{
    sp_key *again;
    struct stat status;
    assert_int_equal(stat(path_of(name), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(sp_key_load_private(&again, path_of(name), passphrase), 0);
    assert_true(sp_key_equal(key, again) && sp_key_is_private(again));
    sp_key_unref(again);
    if (passphrase != NULL) {
        assert_int_equal(sp_key_load_private(&again, path_of(name), NULL), SP_EPASSPHRASE);
        assert_int_equal(sp_key_load_private(&again, path_of(name), "x"), SP_EPASSPHRASE);
    }
    if (strncmp(name, "pkcs8", 5) == 0 && have_openssl)
        assert_int_equal(shell("openssl pkey -in %s -passin pass:%s -noout", name,
                               passphrase == NULL ? "" : passphrase),
                         0);
    /* Older ones don't know Ed25519 in PKCS#8. */
    if (!have_ssh_keygen ||
        (strncmp(name, "pkcs8", 5) == 0 && sp_key_get_type(key) == SP_KEY_ED25519))
        return;
    assert_int_equal(
        shell("ssh-keygen -y -P '%s' -f %s >read.pub", passphrase == NULL ? "" : passphrase, name),
        0);
    char line[8192], theirs[8192];
    FILE *f = fopen(path_of("read.pub"), "r");
    assert_non_null(f);
    assert_non_null(fgets(theirs, sizeof theirs, f));
    (void)fclose(f);
    int length = sp_key_format_public(key, NULL, line, sizeof line);
    assert_int_equal(strncmp(theirs, line, (size_t)length), 0);
}

static void written_with_each_cipher(void **unused)
{
    (void)unused;
    sp_key *key = new_key(SP_KEY_ED25519);
    for (size_t i = 0; spc_file_cipher_at(i) != NULL; i++) {
        char name[64];
        sp_private_options o = {SP_PRIVATE_OPTIONS_INIT};
        o.passphrase = "a phrase";
        o.cipher = spc_file_cipher_at(i)->name;
        o.rounds = 2;
        o.comment = "someone@somewhere";
        (void)snprintf(name, sizeof name, "written%zu", i);
        assert_int_equal(sp_key_write_private(key, path_of(name), &o), 0);
        assert_int_equal(sp_key_write_private(key, path_of(name), &o), SP_EALREADY);
        check_written(key, name, "a phrase");
    }
    sp_key_unref(key);
}

static void written_in_each_form(void **unused)
{
    (void)unused;
    static const sp_key_type types[] = {SP_KEY_ED25519, SP_KEY_ECDSA_P256, SP_KEY_ECDSA_P521,
                                        SP_KEY_RSA};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        sp_key *key = new_key(types[i]);
        for (int form = 0; form < 4; form++) {
            char name[64];
            sp_private_options o = {SP_PRIVATE_OPTIONS_INIT};
            o.format = form < 2 ? SP_PRIVATE_OPENSSH : SP_PRIVATE_PKCS8;
            o.passphrase = form % 2 == 1 ? "another" : NULL;
            /* Slow on purpose: once, and not under valgrind, as tests/run says. */
            bool usual = i == 0 && getenv("SALLYPORT_SLOW") == NULL;
            o.rounds = usual ? 0 : 2;
            if (form == 3 && !usual)
                continue;
            (void)snprintf(name, sizeof name, "%s%zu%d", form < 2 ? "openssh" : "pkcs8", i, form);
            assert_int_equal(sp_key_write_private(key, path_of(name), &o), 0);
            check_written(key, name, o.passphrase);
        }
        sp_key_unref(key);
    }
}

static void from_openssl(void **unused)
{
    (void)unused;
    if (!have_openssl)
        skip();
    static const char *const kinds[] = {"-algorithm ED25519",
                                        "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
                                        "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"};
    sp_key *plain, *key;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(shell("openssl genpkey %s -out gen 2>/dev/null && chmod 600 gen && "
                               "openssl pkcs8 -topk8 -in gen -out sealed -v2 aes-192-cbc "
                               "-passout pass:word && chmod 600 sealed",
                               kinds[i]),
                         0);
        assert_int_equal(sp_key_load_private(&plain, path_of("gen"), NULL), 0);
        assert_int_equal(sp_key_load_private(&key, path_of("sealed"), "word"), 0);
        assert_true(sp_key_equal(plain, key));
        sp_key_unref(key);
        assert_int_equal(sp_key_load_private(&key, path_of("sealed"), "sword"), SP_EPASSPHRASE);
        assert_int_equal(sp_key_load_private(&key, path_of("sealed"), NULL), SP_EPASSPHRASE);
        sp_key_unref(plain);
    }
}

/* ---- refused ---- */

static void bad_options(void **unused)
{
    (void)unused;
    static char out[SP_PRIVATE_MAX];
    size_t length = sizeof out;
    sp_key *key = new_key(SP_KEY_ED25519), *other;
    sp_private_options o = {SP_PRIVATE_OPTIONS_INIT};

    assert_int_equal(sp_key_format_private(key, NULL, out, &length), 0);
    assert_int_equal(sp_key_parse_private(&other, out, length, NULL), 0);
    assert_true(sp_key_equal(key, other));
    sp_key_unref(other);
    length--;
    assert_int_equal(sp_key_format_private(key, NULL, out, &length), SP_ELIMIT);
    length = sizeof out;
    o.passphrase = "";
    assert_int_equal(sp_key_format_private(key, &o, out, &length), SP_EINVAL);
    o.passphrase = "x";
    o.cipher = "none";
    assert_int_equal(sp_key_format_private(key, &o, out, &length), SP_ENOTSUP);
    o.cipher = NULL;
    o.rounds = SP_BCRYPT_ROUNDS_MAX + 1;
    assert_int_equal(sp_key_format_private(key, &o, out, &length), SP_ENOTSUP);
    o.rounds = 1;
    o.format = (sp_private_format)7;
    assert_int_equal(sp_key_format_private(key, &o, out, &length), SP_EINVAL);
    o.format = SP_PRIVATE_OPENSSH;
    o.size = 0;
    assert_int_equal(sp_key_format_private(key, &o, out, &length), SP_EINVAL);
    o.size = sizeof o;

    assert_int_equal(sp_key_new_external(&other, key), 0);
    assert_true(sp_key_is_external(other) && !sp_key_is_private(other));
    assert_false(sp_key_is_external(key));
    assert_true(sp_key_equal(key, other));
    assert_int_equal(sp_key_format_private(other, &o, out, &length), SP_EINVAL);
    uint8_t signature[SP_SIGNATURE_MAX];
    length = sizeof signature;
    assert_int_equal(sp_key_sign(other, "ssh-ed25519", "x", 1, signature, &length), SP_EINVAL);
    sp_key_unref(other);
    sp_key_unref(key);
}

/* A file with these parts, in its armour. `section` and `tag` are as they would stand there. */
typedef struct parts {
    const char *cipher, *kdf;
    spb_span kdf_options, blob, section, tag;
    uint32_t count;
} parts;

static void assemble(const parts *p, spb_buffer *text)
{
    spb_buffer b;
    spb_buffer_init(&b, &env, 65536);
    spw_bytes(&b, "openssh-key-v1", 15);
    spw_cstring(&b, p->cipher);
    spw_cstring(&b, p->kdf);
    spw_string(&b, p->kdf_options.data, p->kdf_options.length);
    spw_u32(&b, p->count);
    spw_string(&b, p->blob.data, p->blob.length);
    spw_string(&b, p->section.data, p->section.length);
    spw_bytes(&b, p->tag.data, p->tag.length);
    spb_buffer_clear(text);
    spw_bytes(text, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 36);
    assert_true(spc_base64_encode((spb_span){b.data, b.length}, text));
    spw_bytes(text, "\n-----END OPENSSH PRIVATE KEY-----\n", 35);
    assert_true(spw_ok(text));
    spb_buffer_free(&b);
}

static void expect_parts(const parts *p, int expected, unsigned line)
{
    spb_buffer text;
    sp_key *key;
    spb_buffer_init(&text, &env, 131072);
    assemble(p, &text);
    int result = sp_key_parse_private(&key, text.data, text.length, "x");
    if (result != expected)
        fail_msg("line %u: %s, not %s", line, sp_strerror(result), sp_strerror(expected));
    assert_int_equal(result == 0, key != NULL);
    sp_key_unref(key);
    spb_buffer_free(&text);
}
#define EXPECT(p, result) expect_parts(&(p), (result), __LINE__)

/* The parts of a key that we have written with this cipher, in `file`. */
static parts take_apart(sp_key *key, const char *cipher, spb_buffer *file)
{
    char out[8192];
    size_t length = sizeof out;
    sp_private_options o = {SP_PRIVATE_OPTIONS_INIT};
    o.passphrase = cipher == NULL ? NULL : "x";
    o.cipher = cipher;
    o.rounds = 1;
    assert_int_equal(sp_key_format_private(key, &o, out, &length), 0);
    spb_buffer packed;
    spb_buffer_init(&packed, &env, 8192);
    for (const char *at = strchr(out, '\n') + 1; *at != '-'; at++)
        if (*at != '\n')
            spw_u8(&packed, (uint8_t)*at);
    spb_buffer_init(file, &env, 8192);
    assert_true(spc_base64_decode((spb_span){packed.data, packed.length}, file));
    spb_buffer_free(&packed);

    spb_reader r;
    parts p = {.cipher = cipher == NULL ? "none" : cipher};
    spr_init(&r, file->data, file->length);
    (void)spr_bytes(&r, 15);
    (void)spr_string(&r);
    p.kdf = cipher == NULL ? "none" : "bcrypt";
    (void)spr_string(&r);
    p.kdf_options = spr_string(&r);
    p.count = spr_u32(&r);
    p.blob = spr_string(&r);
    p.section = spr_string(&r);
    p.tag = spr_rest(&r);
    assert_true(spr_done(&r));
    return p;
}

static spb_span kdf_options(spb_buffer *b, size_t salt, uint32_t rounds)
{
    static const uint8_t zero[SPC_BCRYPT_SALT_MAX + 1];
    spb_buffer_clear(b);
    spw_string(b, zero, salt);
    spw_u32(b, rounds);
    return (spb_span){b->data, b->length};
}

static void bad_protection(void **unused)
{
    (void)unused;
    spb_buffer file, options;
    sp_key *key = new_key(SP_KEY_ED25519);
    parts good = take_apart(key, "aes256-ctr", &file);
    spb_buffer_init(&options, &env, 4096);
    parts p = good;
    EXPECT(p, 0);
    p.cipher = "aes512-ctr";
    EXPECT(p, SP_ENOTSUP);
    p.cipher = "none";
    EXPECT(p, SP_EFORMAT);
    p = good;
    p.kdf = "scrypt";
    EXPECT(p, SP_ENOTSUP);
    p.kdf = "none";
    EXPECT(p, SP_ENOTSUP);
    p = good;
    p.kdf_options = (spb_span){file.data, 0};
    EXPECT(p, SP_EFORMAT);
    p.kdf_options = kdf_options(&options, 16, 0);
    EXPECT(p, SP_EFORMAT);
    p.kdf_options = kdf_options(&options, 0, 1);
    EXPECT(p, SP_EFORMAT);
    p.kdf_options = kdf_options(&options, SPC_BCRYPT_SALT_MAX + 1, 1);
    EXPECT(p, SP_EFORMAT);
    p.kdf_options = kdf_options(&options, 16, SP_BCRYPT_ROUNDS_MAX + 1);
    EXPECT(p, SP_ENOTSUP);
    p.kdf_options = kdf_options(&options, 16, 1); /* another salt, so another key */
    EXPECT(p, SP_EPASSPHRASE);
    p.kdf_options = (spb_span){options.data, options.length - 1};
    EXPECT(p, SP_EFORMAT);
    spw_u8(&options, 0);
    p.kdf_options = (spb_span){options.data, options.length};
    EXPECT(p, SP_EFORMAT);
    p = good;
    p.section.length = 0;
    EXPECT(p, SP_EFORMAT);
    p = good;
    p.section.length -= 1;
    EXPECT(p, SP_EFORMAT);
    p.section.length -= 15; /* whole blocks, but the end is missing */
    EXPECT(p, SP_EFORMAT);
    p = good;
    p.tag = (spb_span){file.data, 1};
    EXPECT(p, SP_EFORMAT);
    p = good;
    p.count = 2;
    EXPECT(p, SP_EFORMAT);
    p.count = 0;
    EXPECT(p, SP_EFORMAT);
    /* Another key's blob outside. */
    sp_key *other = new_key(SP_KEY_ED25519);
    p = good;
    p.blob.data = sp_key_blob(other, &p.blob.length);
    EXPECT(p, SP_EFORMAT);
    sp_key_unref(other);
    sp_key_unref(key);
    spb_buffer_free(&file);
    spb_buffer_free(&options);
}

static void bad_tags(void **unused)
{
    (void)unused;
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
                                          "chacha20-poly1305@openssh.com"};
    sp_key *key = new_key(SP_KEY_ED25519);
    for (size_t i = 0; i < 3; i++) {
        spb_buffer file;
        parts good = take_apart(key, ciphers[i], &file);
        parts p = good;
        assert_int_equal(p.tag.length, 16);
        EXPECT(p, 0);
        p.tag.length = 15;
        EXPECT(p, SP_EFORMAT);
        p.tag.length = 0;
        EXPECT(p, SP_EFORMAT);
        p = good;
        uint8_t *last = file.data + file.length - 1;
        *last ^= 1;
        EXPECT(p, SP_EPASSPHRASE);
        *last ^= 1;
        last -= 16; /* the end of the section: its padding */
        *last ^= 1;
        EXPECT(p, SP_EPASSPHRASE);
        *last ^= 1;
        EXPECT(p, 0);
        spb_buffer_free(&file);
    }
    sp_key_unref(key);
}

/* Cut at each place, and each byte changed: an error or, where the change does not matter (the
 * comment), the same key; never another one. */
static void damaged_sections(void **unused)
{
    (void)unused;
    sp_key *key = new_key(SP_KEY_ED25519), *again;
    spb_buffer file, text;
    parts good = take_apart(key, NULL, &file);
    spb_buffer_init(&text, &env, 65536);
    for (size_t cut = 0; cut < good.section.length; cut++) {
        parts p = good;
        p.section.length = cut;
        EXPECT(p, SP_EFORMAT);
    }
    for (size_t i = 0; i < file.length; i++) {
        file.data[i] ^= 0x41;
        assemble(&good, &text);
        if (sp_key_parse_private(&again, text.data, text.length, NULL) == 0)
            assert_true(sp_key_equal(key, again));
        else
            assert_null(again);
        sp_key_unref(again);
        file.data[i] ^= 0x41;
    }
    sp_key_unref(key);
    spb_buffer_free(&file);
    spb_buffer_free(&text);
}

static int set_up(void **unused)
{
    (void)unused;
    spb_env_init(&env, NULL);
    have_ssh_keygen = system("command -v ssh-keygen >/dev/null 2>&1") == 0;
    have_openssl = system("openssl version >/dev/null 2>&1") == 0;
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
        cmocka_unit_test(the_table_is_pi),
        cmocka_unit_test(blowfish_vector),
        cmocka_unit_test(derivation_bounds),
        cmocka_unit_test(each_cipher_of_ssh_keygen),
        cmocka_unit_test(each_type_of_ssh_keygen),
        cmocka_unit_test(written_with_each_cipher),
        cmocka_unit_test(written_in_each_form),
        cmocka_unit_test(from_openssl),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(bad_protection),
        cmocka_unit_test(bad_tags),
        cmocka_unit_test(damaged_sections),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
