/* Key formats, checked against ssh-keygen in both directions: files, fingerprints, public lines,
 * signatures. And what must be refused. */
#include "base/wire.h"
#include "crypto/crypto.h"

#include <fcntl.h>
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
static sp_key *our_rsa; /* NULL: not made yet */
static bool have_ssh_keygen;

static const struct {
    const char *name, *options; /* for ssh-keygen */
    sp_key_type type;
    unsigned bits;
    const char *type_name, *algorithm;
} kinds[] = {
    {"ed25519", "-t ed25519", SP_KEY_ED25519, 256, "ssh-ed25519", "ssh-ed25519"},
    {"p256", "-t ecdsa -b 256", SP_KEY_ECDSA_P256, 256, "ecdsa-sha2-nistp256",
     "ecdsa-sha2-nistp256"},
    {"p384", "-t ecdsa -b 384", SP_KEY_ECDSA_P384, 384, "ecdsa-sha2-nistp384",
     "ecdsa-sha2-nistp384"},
    {"p521", "-t ecdsa -b 521", SP_KEY_ECDSA_P521, 521, "ecdsa-sha2-nistp521",
     "ecdsa-sha2-nistp521"},
    {"rsa", "-t rsa -b 2048", SP_KEY_RSA, 2048, "ssh-rsa", "rsa-sha2-512"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* A whole file, NUL behind it. */
static char *read_file(const char *name, size_t *length)
{
    static char text[4][65536];
    static unsigned turn;
    char *out = text[turn++ % 4];
    FILE *f = fopen(path_of(name), "r");
    assert_non_null(f);
    *length = fread(out, 1, sizeof text[0] - 1, f);
    out[*length] = '\0';
    (void)fclose(f);
    return out;
}

static void write_file(const char *name, const char *text, size_t length, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void check_against_keygen(const sp_key *key, const char *public_file)
{
    size_t length;
    char line[8192], print[SP_FINGERPRINT_SIZE];
    assert_int_equal(shell("ssh-keygen -l -f %s >list", public_file), 0);
    char *list = read_file("list", &length);
    sp_key_fingerprint(key, print);
    assert_non_null(strstr(list, print));
    assert_int_equal(strtoul(list, NULL, 10), sp_key_bits(key));
    int size = sp_key_format_public(key, NULL, line, sizeof line);
    assert_true(size > 0 && (size_t)size < sizeof line);
    assert_int_equal(strncmp(read_file(public_file, &length), line, (size_t)size), 0);
}

static void loads_what_ssh_keygen_made(void **unused)
{
    (void)unused;
    if (!have_ssh_keygen)
        skip();
    for (size_t i = 0; i < KINDS; i++) {
        size_t length;
        sp_key *key, *public_key;
        assert_int_equal(
            shell("ssh-keygen -q -N '' -C 'a comment' %s -f %s", kinds[i].options, kinds[i].name),
            0);
        assert_int_equal(sp_key_load_private(&key, path_of(kinds[i].name), NULL), 0);
        assert_int_equal(sp_key_get_type(key), kinds[i].type);
        assert_int_equal(sp_key_bits(key), kinds[i].bits);
        assert_string_equal(sp_key_type_name(key), kinds[i].type_name);
        assert_true(sp_key_is_private(key));
        char public_name[32];
        (void)snprintf(public_name, sizeof public_name, "%s.pub", kinds[i].name);
        check_against_keygen(key, public_name);
        assert_int_equal(sp_key_parse_public(&public_key, read_file(public_name, &length)), 0);
        assert_true(sp_key_equal(key, public_key));
        assert_false(sp_key_is_private(public_key));
        sp_key_unref(public_key);

        /* The same key as PEM and as PKCS#8, with and without a passphrase. */
        static const char *const forms[] = {"PEM", "PKCS8"};
        for (size_t f = 0; f < 2; f++) {
            if (kinds[i].type == SP_KEY_ED25519)
                break; /* ssh-keygen writes these in its own form only */
            assert_int_equal(shell("cp %s copy && ssh-keygen -q -p -N '' -m %s -f copy >/dev/null",
                                   kinds[i].name, forms[f]),
                             0);
            sp_key *other;
            assert_int_equal(sp_key_load_private(&other, path_of("copy"), NULL), 0);
            assert_true(sp_key_equal(key, other) && sp_key_is_private(other));
            sp_key_unref(other);
            assert_int_equal(shell("ssh-keygen -q -p -N secret -m %s -f copy >/dev/null", forms[f]),
                             0);
            assert_int_equal(sp_key_load_private(&other, path_of("copy"), NULL), SP_EPASSPHRASE);
            assert_null(other);
            assert_int_equal(sp_key_load_private(&other, path_of("copy"), "wrong"), SP_EPASSPHRASE);
            assert_int_equal(sp_key_load_private(&other, path_of("copy"), "secret"), 0);
            assert_true(sp_key_equal(key, other));
            sp_key_unref(other);
        }
        sp_key_unref(key);
    }
}

/* One of ours. RSA's is always the same: it takes long to make. */
static sp_key *new_key(sp_key_type type)
{
    sp_key *key;
    if (type == SP_KEY_RSA && our_rsa != NULL)
        return sp_key_ref(our_rsa);
    assert_int_equal(sp_key_generate(&key, type, type == SP_KEY_RSA ? 2048 : 0), 0);
    if (type == SP_KEY_RSA)
        our_rsa = sp_key_ref(key);
    return key;
}

static void ssh_keygen_loads_what_we_made(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KINDS; i++) {
        sp_key *key, *again;
        char name[32];
        struct stat status;
        (void)snprintf(name, sizeof name, "ours-%s", kinds[i].name);
        key = new_key(kinds[i].type);
        mode_t mask = umask(0);
        assert_int_equal(sp_key_save_private(key, path_of(name), i == 0 ? NULL : "we made it"), 0);
        (void)umask(mask);
        assert_int_equal(stat(path_of(name), &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(sp_key_save_private(key, path_of(name), NULL), SP_EALREADY);
        assert_int_equal(sp_key_load_private(&again, path_of(name), NULL), 0);
        assert_true(sp_key_equal(key, again));
        sp_key_unref(again);
        if (have_ssh_keygen) {
            assert_int_equal(shell("ssh-keygen -y -f %s >made.pub", name), 0);
            check_against_keygen(key, "made.pub");
        }
        /* A public key has nothing to save. */
        size_t length;
        const uint8_t *blob = sp_key_blob(key, &length);
        assert_int_equal(sp_key_from_blob(&again, blob, length), 0);
        assert_int_equal(sp_key_save_private(again, path_of("never"), NULL), SP_EINVAL);
        assert_int_equal(access(path_of("never"), F_OK), -1);
        sp_key_unref(again);
        sp_key_unref(key);
    }
    sp_key *key;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    assert_int_equal(sp_key_save_private(key, path_of("no/such/folder"), NULL), SP_ENOENT);
    sp_key_unref(key);
    assert_int_equal(sp_key_generate(&key, SP_KEY_NONE, 0), SP_EINVAL);
    assert_int_equal(sp_key_generate(&key, SP_KEY_RSA, 1024), SP_EINVAL);
    assert_null(key);
}

/* OpenSSH PROTOCOL.sshsig: the bytes that ssh-keygen -Y signs. */
static void sshsig_data(spb_buffer *out, const char *message)
{
    uint8_t hash[SPC_HASH_MAX];
    const spb_span span = {(const uint8_t *)message, strlen(message)};
    assert_true(spc_hash(SPC_SHA512, &span, 1, hash));
    spb_buffer_init(out, &env, 1024);
    spw_bytes(out, "SSHSIG", 6);
    spw_cstring(out, "test");
    spw_cstring(out, "");
    spw_cstring(out, "sha512");
    spw_string(out, hash, 64);
}

static void signatures_agree_with_ssh_keygen(void **unused)
{
    (void)unused;
    if (!have_ssh_keygen)
        skip();
    static const char message[] = "a message to sign\n";
    spb_buffer data, packed, raw;
    sshsig_data(&data, message);
    for (size_t i = 0; i < KINDS; i++) {
        sp_key *key;
        size_t length;
        assert_int_equal(sp_key_load_private(&key, path_of(kinds[i].name), NULL), 0);

        /* Theirs. */
        write_file("message", message, strlen(message), 0600);
        (void)unlink(path_of("message.sig"));
        assert_int_equal(
            shell("ssh-keygen -q -Y sign -f %s -n test message 2>/dev/null", kinds[i].name), 0);
        char *text = read_file("message.sig", &length);
        char *at = strchr(text, '\n') + 1;
        spb_buffer_init(&packed, &env, 8192);
        for (; *at != '-'; at++) {
            if (*at != '\n')
                spw_u8(&packed, (uint8_t)*at);
        }
        spb_buffer_init(&raw, &env, 8192);
        assert_true(spc_base64_decode((spb_span){packed.data, packed.length}, &raw));
        spb_reader r;
        spr_init(&r, raw.data, raw.length);
        (void)spr_bytes(&r, 6 + 4);
        spb_span blob = spr_string(&r);
        (void)spr_string(&r);
        (void)spr_string(&r);
        (void)spr_string(&r);
        spb_span signature = spr_string(&r);
        assert_true(spr_done(&r));
        const uint8_t *ours = sp_key_blob(key, &length);
        assert_int_equal(length, blob.length);
        assert_memory_equal(ours, blob.data, length);
        assert_true(sp_key_verify(key, kinds[i].algorithm, data.data, data.length, signature.data,
                                  signature.length));
        assert_false(sp_key_verify(key, kinds[i].algorithm, data.data, data.length - 1,
                                   signature.data, signature.length));

        /* Ours. */
        uint8_t made[SP_SIGNATURE_MAX];
        size_t made_length = sizeof made;
        assert_int_equal(
            sp_key_sign(key, kinds[i].algorithm, data.data, data.length, made, &made_length), 0);
        assert_true(
            sp_key_verify(key, kinds[i].algorithm, data.data, data.length, made, made_length));
        spb_buffer_clear(&raw);
        spw_bytes(&raw, "SSHSIG\0\0\0\1", 10);
        spw_string(&raw, ours, length);
        spw_cstring(&raw, "test");
        spw_cstring(&raw, "");
        spw_cstring(&raw, "sha512");
        spw_string(&raw, made, made_length);
        spb_buffer_clear(&packed);
        spw_bytes(&packed, "-----BEGIN SSH SIGNATURE-----\n", 30);
        assert_true(spc_base64_encode((spb_span){raw.data, raw.length}, &packed));
        spw_bytes(&packed, "\n-----END SSH SIGNATURE-----\n", 29);
        write_file("ours.sig", (const char *)packed.data, packed.length, 0600);
        assert_int_equal(
            shell("ssh-keygen -q -Y check-novalidate -n test -s ours.sig <message >/dev/null"), 0);
        spb_buffer_free(&packed);
        spb_buffer_free(&raw);
        sp_key_unref(key);
    }
    spb_buffer_free(&data);
}

static void signature_blobs(void **unused)
{
    (void)unused;
    sp_key *key, *public_key;
    uint8_t s[SP_SIGNATURE_MAX];
    size_t length, blob_length;
    key = new_key(SP_KEY_RSA);
    static const char *const good[] = {"rsa-sha2-256", "rsa-sha2-512"};
    for (size_t i = 0; i < 2; i++) {
        length = sizeof s;
        assert_int_equal(sp_key_sign(key, good[i], "x", 1, s, &length), 0);
        assert_true(sp_key_verify(key, good[i], "x", 1, s, length));
        assert_false(sp_key_verify(key, good[1 - i], "x", 1, s, length)); /* the name inside */
        assert_false(sp_key_verify(key, "ssh-rsa", "x", 1, s, length));
        assert_false(sp_key_verify(key, "", "x", 1, s, length));
        for (size_t cut = 0; cut < length; cut++)
            assert_false(sp_key_verify(key, good[i], "x", 1, s, cut));
        s[length] = 0;
        assert_false(sp_key_verify(key, good[i], "x", 1, s, length + 1));
    }
    size_t room = length - 1;
    assert_int_equal(sp_key_sign(key, "rsa-sha2-512", "x", 1, s, &room), SP_ELIMIT);
    assert_int_equal(sp_key_sign(key, "ssh-rsa", "x", 1, s, &length), SP_ENOTSUP);
    assert_int_equal(sp_key_sign(key, "ssh-ed25519", "x", 1, s, &length), SP_EINVAL);
    const uint8_t *blob = sp_key_blob(key, &blob_length);
    assert_int_equal(sp_key_from_blob(&public_key, blob, blob_length), 0);
    assert_int_equal(sp_key_sign(public_key, "rsa-sha2-512", "x", 1, s, &length), SP_EINVAL);
    sp_key_unref(public_key);
    sp_key_unref(key);
}

static void blobs(void **unused)
{
    (void)unused;
    sp_key *key, *again;
    for (size_t i = 0; i < KINDS; i++) {
        size_t length;
        key = new_key(kinds[i].type);
        const uint8_t *blob = sp_key_blob(key, &length);
        assert_int_equal(sp_key_from_blob(&again, blob, length), 0);
        assert_true(sp_key_equal(key, again));
        assert_ptr_equal(sp_key_ref(again), again);
        sp_key_unref(again);
        sp_key_unref(again);
        uint8_t copy[1024];
        memcpy(copy, blob, length);
        copy[length] = 0;
        for (size_t cut = 0; cut < length; cut++) {
            assert_true(sp_key_from_blob(&again, copy, cut) < 0);
            assert_null(again);
        }
        assert_int_equal(sp_key_from_blob(&again, copy, length + 1), SP_EFORMAT);
        if (kinds[i].type != SP_KEY_ED25519 && kinds[i].type != SP_KEY_RSA) {
            copy[length - 1] ^= 1; /* off the curve */
            assert_int_equal(sp_key_from_blob(&again, copy, length), SP_EFORMAT);
        }
        sp_key_unref(key);
    }
    /* Types that are not taken. */
    static const char *const never[] = {"ssh-dss",
                                        "ssh-xmss@openssh.com",
                                        "x",
                                        "",
                                        "ssh-ed25519-cert-v01@openssh.com",
                                        "ssh-rsa-cert-v01@openssh.com",
                                        "rsa-sha2-256"};
    spb_buffer b;
    spb_buffer_init(&b, &env, 8192);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        spb_buffer_clear(&b);
        spw_cstring(&b, never[i]);
        spw_string(&b, "0123456789abcdef0123456789abcdef", 32);
        assert_int_equal(sp_key_from_blob(&again, b.data, b.length), SP_ENOTSUP);
    }
    /* RSA sizes, and numbers that are not minimal. */
    static const struct {
        size_t bytes;
        const char *e;
        size_t e_length;
        int result;
    } rsa[] = {{256, "\1\0\1", 3, 0},           {255, "\1\0\1", 3, SP_ENOTSUP},
               {128, "\1\0\1", 3, SP_ENOTSUP},  {2048, "\1\0\1", 3, 0},
               {2049, "\1\0\1", 3, SP_ENOTSUP}, {256, "\1", 1, SP_ENOTSUP},
               {256, "\0\3", 2, SP_EFORMAT},    {256, "\x83", 1, SP_EFORMAT},
               {256, "", 0, SP_ENOTSUP},        {256, "\2", 1, SP_ENOTSUP}};
    static uint8_t n[4096];
    memset(n, 0x99, sizeof n);
    for (size_t i = 0; i < sizeof rsa / sizeof rsa[0]; i++) {
        spb_buffer_clear(&b);
        spw_cstring(&b, "ssh-rsa");
        spw_string(&b, rsa[i].e, rsa[i].e_length);
        spw_mpint(&b, n, rsa[i].bytes);
        assert_int_equal(sp_key_from_blob(&again, b.data, b.length), rsa[i].result);
        if (rsa[i].result == 0)
            assert_int_equal(sp_key_bits(again), rsa[i].bytes * 8);
        sp_key_unref(again);
    }
    /* A curve name that is not the type's. */
    spb_buffer_clear(&b);
    spw_cstring(&b, "ecdsa-sha2-nistp256");
    spw_cstring(&b, "nistp384");
    spw_string(&b, n, 65);
    assert_int_equal(sp_key_from_blob(&again, b.data, b.length), SP_EFORMAT);
    spb_buffer_free(&b);
    sp_key_unref(NULL);
    assert_null(sp_key_ref(NULL));
}

static void public_lines(void **unused)
{
    (void)unused;
    sp_key *key, *again;
    char line[512], other[600];
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    int length = sp_key_format_public(key, "me@here", line, sizeof line);
    assert_int_equal(length, strlen(line));
    assert_int_equal(sp_key_format_public(key, "me@here", other, 10), length);
    assert_int_equal(strlen(other), 9);
    assert_int_equal(sp_key_format_public(key, "two\nlines", other, sizeof other), SP_EINVAL);
    static const char *const good[] = {"%s", "  %s", "\t%s\n", "%s\r\n", "%s and more", "%s # x"};
    static const char *const bad[] = {"%s\nmore", "x %s", "# %s", "\"%s\"", "command=\"x\" %s"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        spb_buffer b;
        spb_buffer_init(&b, &env, 1024);
        const char *mark = strstr(good[i], "%s");
        spw_bytes(&b, good[i], (size_t)(mark - good[i]));
        spw_bytes(&b, line, strlen(line));
        spw_bytes(&b, mark + 2, strlen(mark + 2) + 1);
        assert_int_equal(sp_key_parse_public(&again, (const char *)b.data), 0);
        assert_true(sp_key_equal(key, again));
        sp_key_unref(again);
        spb_buffer_free(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        spb_buffer b;
        spb_buffer_init(&b, &env, 1024);
        const char *mark = strstr(bad[i], "%s");
        spw_bytes(&b, bad[i], (size_t)(mark - bad[i]));
        spw_bytes(&b, line, strlen(line));
        spw_bytes(&b, mark + 2, strlen(mark + 2) + 1);
        assert_true(sp_key_parse_public(&again, (const char *)b.data) < 0);
        assert_null(again);
        spb_buffer_free(&b);
    }
    assert_int_equal(sp_key_parse_public(&again, ""), SP_EFORMAT);
    assert_int_equal(sp_key_parse_public(&again, "ssh-ed25519"), SP_EFORMAT);
    assert_int_equal(sp_key_parse_public(&again, "ssh-ed25519 ????"), SP_EFORMAT);
    assert_int_equal(sp_key_parse_public(&again, "ssh-dss AAAA"), SP_ENOTSUP);
    /* The type outside is not the type inside. */
    (void)snprintf(other, sizeof other, "ssh-rsa %s", strchr(line, ' ') + 1);
    assert_int_equal(sp_key_parse_public(&again, other), SP_EFORMAT);
    sp_key_unref(key);
}

static void private_files_that_are_refused(void **unused)
{
    (void)unused;
    sp_key *key, *again;
    size_t length;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    assert_int_equal(sp_key_save_private(key, path_of("modes"), "x"), 0);
    static const mode_t open_modes[] = {0640, 0604, 0660, 0620, 0610, 0644, 0777};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        assert_int_equal(chmod(path_of("modes"), open_modes[i]), 0);
        assert_int_equal(sp_key_load_private(&again, path_of("modes"), NULL), SP_EACCES);
        assert_null(again);
    }
    assert_int_equal(chmod(path_of("modes"), 0400), 0);
    assert_int_equal(sp_key_load_private(&again, path_of("modes"), NULL), 0);
    sp_key_unref(again);
    assert_int_equal(sp_key_load_private(&again, path_of("absent"), NULL), SP_ENOENT);
    assert_int_equal(sp_key_load_private(&again, path_of("modes/below"), NULL), SP_ENOENT);
    assert_int_equal(sp_key_load_private(&again, folder, NULL), SP_EFORMAT);
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(sp_key_load_private(&again, path_of("pipe"), NULL), SP_EFORMAT);
    write_file("empty", "", 0, 0600);
    assert_int_equal(sp_key_load_private(&again, path_of("empty"), NULL), SP_EFORMAT);
    write_file("big", "", 0, 0600);
    assert_int_equal(truncate(path_of("big"), 1024 * 1024 + 1), 0);
    assert_int_equal(sp_key_load_private(&again, path_of("big"), NULL), SP_ELIMIT);
    static const char *const texts[] = {
        "x",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n????\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(sp_key_parse_private(&again, texts[i], strlen(texts[i]), NULL),
                         SP_EFORMAT);
        assert_null(again);
    }
    /* Cut anywhere it is no key; flipped anywhere it is no key or the same one (a change in the
     * comment, or in the armour's white space). */
    char *text = read_file("modes", &length);
    for (size_t cut = 0; cut + 2 < length; cut++) {
        assert_int_equal(sp_key_parse_private(&again, text, cut, NULL), SP_EFORMAT);
        assert_null(again);
    }
    for (size_t at = 0; at < length; at++) {
        text[at] ^= 2;
        if (sp_key_parse_private(&again, text, length, NULL) == 0)
            assert_true(sp_key_equal(key, again));
        else
            assert_null(again);
        sp_key_unref(again);
        text[at] ^= 2;
    }
    sp_key_unref(key);
}

/* Keys of libcrypto's that SSH has no name for. */
static void pem_keys_that_are_refused(void **unused)
{
    (void)unused;
    if (system("openssl version >/dev/null 2>&1") != 0)
        skip();
    static const char *const commands[] = {
        "genpkey -algorithm X25519", "genpkey -algorithm X448",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", "genpkey -algorithm RSA-PSS"};
    sp_key *key;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(shell("openssl %s -out pem 2>/dev/null && chmod 600 pem", commands[i]), 0);
        assert_int_equal(sp_key_load_private(&key, path_of("pem"), NULL), SP_ENOTSUP);
        assert_null(key);
    }
    assert_int_equal(shell("openssl genpkey -algorithm ED25519 -out pem && chmod 600 pem"), 0);
    assert_int_equal(sp_key_load_private(&key, path_of("pem"), NULL), 0);
    assert_int_equal(sp_key_get_type(key), SP_KEY_ED25519);
    sp_key_unref(key);
    /* A compressed point inside: our blob has the uncompressed one all the same. */
    assert_int_equal(shell("openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed "
                           "-out pem && chmod 600 pem"),
                     0);
    assert_int_equal(sp_key_load_private(&key, path_of("pem"), NULL), 0);
    size_t length;
    (void)sp_key_blob(key, &length);
    assert_int_equal(length, 4 + 19 + 4 + 8 + 4 + 65);
    sp_key_unref(key);
}

static int set_up(void **unused)
{
    (void)unused;
    spb_env_init(&env, NULL);
    have_ssh_keygen = system("command -v ssh-keygen >/dev/null 2>&1") == 0;
    return folder_make();
}

static int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(our_rsa);
    folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_what_ssh_keygen_made),
        cmocka_unit_test(ssh_keygen_loads_what_we_made),
        cmocka_unit_test(signatures_agree_with_ssh_keygen),
        cmocka_unit_test(signature_blobs),
        cmocka_unit_test(blobs),
        cmocka_unit_test(public_lines),
        cmocka_unit_test(private_files_that_are_refused),
        cmocka_unit_test(pem_keys_that_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
