/* Lists of revoked keys: those that ssh-keygen makes, made to measure ones, and all that is wrong
 * with a list, which then must not be taken. */
#include "crypto/crypto.h"
#include "key/revoked.h"

#include "support/cert_stand.h"

#define MAGIC "SSHKRL\n" /* and its NUL */

static sp_key *user, *ca, *other, *rsa;

/* ---- made by hand ---- */

static void begin(spb_buffer *b)
{
    spb_buffer_init(b, &cert_env, 1024 * 1024);
    spw_bytes(b, MAGIC, sizeof MAGIC);
    spw_u32(b, 1);
    spw_u64(b, 7);
    spw_u64(b, 1000);
    spw_u64(b, 0);
    spw_cstring(b, "");
    spw_cstring(b, "a comment");
}

static void key_string(spb_buffer *b, const sp_key *key)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);

    spw_string(b, blob, length);
}

/* Begins a section of certificates; NULL: of all CAs. Ends with spw_string_end. */
static size_t begin_certs(spb_buffer *b, const sp_key *of)
{
    spw_u8(b, 1);
    size_t mark = spw_string_begin(b);
    if (of == NULL)
        spw_cstring(b, "");
    else
        key_string(b, of);
    spw_cstring(b, "");
    return mark;
}

static sp_revoked_keys *list_of(spb_buffer *b)
{
    sp_revoked_keys *list;

    assert_true(spw_ok(b));
    assert_int_equal(sp_revoked_keys_parse(&list, b->data, b->length), 0);
    spb_buffer_free(b);
    return list;
}

static void refused(spb_buffer *b)
{
    sp_revoked_keys *list;

    assert_true(spw_ok(b));
    assert_int_equal(sp_revoked_keys_parse(&list, b->data, b->length), SP_EFORMAT);
    assert_null(list);
    spb_buffer_free(b);
}

static bool serial_revoked(const sp_revoked_keys *list, const sp_key *by, uint64_t serial)
{
    sp_cert *cert = cert_of(&(cert_plan){.key = user, .ca = by, .serial = serial});
    bool revoked = spk_revoked_cert(list, cert);

    sp_cert_unref(cert);
    return revoked;
}

static void nothing_is_no_list(void **unused)
{
    (void)unused;
    sp_cert *cert = cert_of(&(cert_plan){.key = user, .ca = ca});
    spb_buffer b;

    assert_true(spk_revoked_key(NULL, user));
    assert_true(spk_revoked_cert(NULL, cert));
    begin(&b);
    sp_revoked_keys *list = list_of(&b);
    assert_true(spk_revoked_key(list, NULL));
    assert_true(spk_revoked_cert(list, NULL));
    assert_false(spk_revoked_key(list, user));
    assert_false(spk_revoked_cert(list, cert));
    assert_ptr_equal(sp_revoked_keys_ref(list), list);
    sp_revoked_keys_unref(list);
    sp_revoked_keys_unref(list);
    sp_revoked_keys_unref(NULL);
    assert_null(sp_revoked_keys_ref(NULL));
    assert_int_equal(sp_revoked_keys_parse(&list, "", 0), 0); /* an empty file */
    assert_false(spk_revoked_key(list, user));
    sp_revoked_keys_unref(list);
    sp_cert_unref(cert);
}

static void serials(void **unused)
{
    (void)unused;
    spb_buffer b;

    begin(&b);
    size_t mark = begin_certs(&b, ca);
    spw_u8(&b, 0x20); /* out of order */
    size_t inner = spw_string_begin(&b);
    spw_u64(&b, 900);
    spw_u64(&b, 5);
    spw_u64(&b, 6);
    spw_string_end(&b, inner);
    spw_u8(&b, 0x21);
    inner = spw_string_begin(&b);
    spw_u64(&b, 100);
    spw_u64(&b, 200);
    spw_string_end(&b, inner);
    spw_u8(&b, 0x21); /* within the one before */
    inner = spw_string_begin(&b);
    spw_u64(&b, 150);
    spw_u64(&b, 151);
    spw_string_end(&b, inner);
    spw_u8(&b, 0x22);
    inner = spw_string_begin(&b);
    spw_u64(&b, 1000);
    spw_mpint(&b, "\x80\x00\x05", 3); /* 0, 2 and 23 */
    spw_string_end(&b, inner);
    spw_string_end(&b, mark);
    mark = begin_certs(&b, rsa);
    spw_u8(&b, 0x21);
    inner = spw_string_begin(&b);
    spw_u64(&b, UINT64_MAX - 1);
    spw_u64(&b, UINT64_MAX);
    spw_string_end(&b, inner);
    spw_u8(&b, 0x22);
    inner = spw_string_begin(&b);
    spw_u64(&b, UINT64_MAX - 9);
    spw_mpint(&b, "\x02\x00", 2); /* UINT64_MAX */
    spw_string_end(&b, inner);
    spw_u8(&b, 0x22);
    inner = spw_string_begin(&b);
    spw_u64(&b, 3);
    spw_mpint(&b, "", 0); /* nothing */
    spw_string_end(&b, inner);
    spw_string_end(&b, mark);
    mark = begin_certs(&b, ca); /* the same CA once more */
    spw_u8(&b, 0x20);
    inner = spw_string_begin(&b);
    spw_u64(&b, 2000);
    spw_string_end(&b, inner);
    spw_string_end(&b, mark);
    sp_revoked_keys *list = list_of(&b);

    static const struct {
        uint64_t serial;
        bool revoked;
    } cases[] = {
        {0, false},    {4, false},   {5, true},     {6, true},    {7, false},
        {99, false},   {100, true},  {149, true},   {150, true},  {152, true},
        {200, true},   {201, false}, {899, false},  {900, true},  {901, false},
        {999, false},  {1000, true}, {1001, false}, {1002, true}, {1003, false},
        {1022, false}, {1023, true}, {1024, false}, {2000, true}, {UINT64_MAX, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (serial_revoked(list, ca, cases[i].serial) != cases[i].revoked)
            fail_msg("%llu", (unsigned long long)cases[i].serial);
    }
    assert_true(serial_revoked(list, rsa, UINT64_MAX));
    assert_true(serial_revoked(list, rsa, UINT64_MAX - 1));
    assert_false(serial_revoked(list, rsa, UINT64_MAX - 2));
    assert_false(serial_revoked(list, rsa, 5)); /* another CA's numbers */
    assert_false(serial_revoked(list, rsa, 3));
    assert_false(serial_revoked(list, other, 5));
    assert_false(spk_revoked_key(list, user));
    assert_false(spk_revoked_key(list, ca));
    sp_revoked_keys_unref(list);
}

static void key_ids_and_all_cas(void **unused)
{
    (void)unused;
    spb_buffer b;
    static const char *const ids[] = {"zoe", "", "alice at work", "bob"};

    begin(&b);
    size_t mark = begin_certs(&b, NULL);
    spw_u8(&b, 0x23);
    size_t inner = spw_string_begin(&b);
    for (size_t i = 0; i < 4; i++)
        spw_cstring(&b, ids[i]);
    spw_string_end(&b, inner);
    spw_u8(&b, 0x20);
    inner = spw_string_begin(&b);
    spw_u64(&b, 77);
    spw_string_end(&b, inner);
    spw_string_end(&b, mark);
    sp_revoked_keys *list = list_of(&b);
    const struct {
        const char *id;
        const sp_key *ca;
        bool revoked;
    } cases[] = {
        {"zoe", ca, true},  {"zoe", rsa, true},   {"bob", ca, true},
        {"", ca, true},     {"alice", ca, false}, {"alice at work", other, true},
        {"Zoe", ca, false}, {"zoe ", ca, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sp_cert *cert =
            cert_of(&(cert_plan){.key = user, .ca = cases[i].ca, .key_id = cases[i].id});
        assert_int_equal(spk_revoked_cert(list, cert), cases[i].revoked);
        sp_cert_unref(cert);
    }
    assert_true(serial_revoked(list, ca, 77));
    assert_true(serial_revoked(list, rsa, 77));
    assert_false(serial_revoked(list, rsa, 78));
    sp_revoked_keys_unref(list);
}

static void fingerprint(const sp_key *key, spc_hash_id hash, spb_buffer *out)
{
    uint8_t print[SPC_HASH_MAX];
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    const spb_span span = {blob, length};

    assert_true(spc_hash(hash, &span, 1, print));
    spw_string(out, print, spc_hash_size(hash));
}

/* A key is revoked as itself, within a certificate, and as a CA. */
static void keys_in_each_way(void **unused)
{
    (void)unused;
    for (unsigned way = 0; way < 4; way++) {
        for (unsigned of_ca = 0; of_ca < 2; of_ca++) {
            const sp_key *bad = of_ca ? ca : user;
            spb_buffer b;
            sp_revoked_keys *list;
            sp_cert *cert = cert_of(&(cert_plan){.key = user, .ca = ca, .serial = 1});
            sp_cert *unrelated = cert_of(&(cert_plan){.key = other, .ca = rsa, .serial = 1});
            if (way < 3) {
                begin(&b);
                static const uint8_t sections[] = {2, 3, 5};
                spw_u8(&b, sections[way]);
                size_t mark = spw_string_begin(&b);
                for (unsigned i = 0; i < 2; i++) { /* and one more, of nobody here */
                    if (way == 0 && i == 0)
                        key_string(&b, bad);
                    else if (way == 0)
                        spw_string(&b, "\0\0\0\7ssh-dss\0\0\0\1x", 16);
                    else if (i == 0)
                        fingerprint(bad, way == 1 ? SPC_SHA1 : SPC_SHA256, &b);
                    else
                        spw_string(&b, "0123456789012345678901234567890123456789",
                                   way == 1 ? 20 : 32);
                }
                spw_string_end(&b, mark);
                list = list_of(&b);
            } else {
                char line[4096], text[8192];
                (void)sp_key_format_public(bad, "gone", line, sizeof line);
                int length = snprintf(text, sizeof text, "# revoked\n\n \t%s\r\n", line);
                assert_int_equal(sp_revoked_keys_parse(&list, text, (size_t)length), 0);
            }
            assert_true(spk_revoked_key(list, bad));
            assert_false(spk_revoked_key(list, other));
            assert_false(spk_revoked_key(list, of_ca ? user : ca));
            assert_true(spk_revoked_cert(list, cert));
            assert_false(spk_revoked_cert(list, unrelated));
            sp_revoked_keys_unref(list);
            sp_cert_unref(cert);
            sp_cert_unref(unrelated);
        }
    }
}

/* ---- refusals ---- */

static void header_is_checked(void **unused)
{
    (void)unused;
    spb_buffer b;
    sp_revoked_keys *list;

    for (size_t i = 0; i < 8 + 4 + 8 + 8 + 8; i++) {
        begin(&b);
        b.data[i] ^= 1;
        int result = sp_revoked_keys_parse(&list, b.data, b.length);
        /* The list's version and date may be anything. */
        assert_int_equal(result, i >= 12 && i < 28 ? 0 : SP_EFORMAT);
        sp_revoked_keys_unref(list);
        spb_buffer_free(&b);
    }
}

static void section(uint8_t type, const void *data, size_t length, bool good)
{
    spb_buffer b;

    begin(&b);
    spw_u8(&b, type);
    spw_string(&b, data, length);
    if (good)
        sp_revoked_keys_unref(list_of(&b));
    else
        refused(&b);
}

static void cert_section(uint8_t type, const void *data, size_t length, bool good)
{
    spb_buffer b;

    begin(&b);
    size_t mark = begin_certs(&b, ca);
    spw_u8(&b, type);
    spw_string(&b, data, length);
    spw_string_end(&b, mark);
    if (good)
        sp_revoked_keys_unref(list_of(&b));
    else
        refused(&b);
}

#define BYTES(text) (text), sizeof(text) - 1

static void sections_are_checked(void **unused)
{
    (void)unused;
    static const char eight[] = "\0\0\0\0\0\0\0\1";

    section(0, BYTES(""), false);
    section(4, BYTES(""), false); /* signatures, as OpenSSH */
    section(6, BYTES(""), false);
    section(254, BYTES("x"), false);
    section(255, BYTES("\0\0\0\1x\0\0\0\0\2yy"), true);
    section(255, BYTES("\0\0\0\1x\1\0\0\0\2yy"), false); /* critical */
    section(255, BYTES("\0\0\0\1x\2\0\0\0\2yy"), false); /* any but zero is true */
    section(255, BYTES("\0\0\0\1x\0\0\0\0\2yyz"), false);
    section(255, BYTES(""), false);
    section(3, BYTES("\0\0\0\2xx"), false); /* no SHA-1 */
    section(5, BYTES("\0\0\0\24aaaaaaaaaaaaaaaaaaaa"), false);
    section(3, BYTES("\0\0\0\24aaaaaaaaaaaaaaaaaaaa"), true);
    section(3, BYTES("\0\0\0\24aaaaaaaaaaaaaaaaaaaa\0\0"), false);
    section(2, BYTES("\0\0\0\0"), false);
    section(2, BYTES("\0\0\0\4\0\0\0\0"), false);
    section(2, BYTES("\0\0\0\17\0\0\0\13ssh-ed25519"), false); /* and no key */
    section(2, BYTES("\0\0\0\13\0\0\0\7ssh-dss"), true);       /* can't be used here anyway */
    section(2, BYTES("\0\0\0\14\0\0\0\7ssh-rsax"), false);
    section(2, BYTES("\0\0\0\44\0\0\0\40ssh-ed25519-cert-v01@openssh.com"), false);
    section(2, BYTES("\0\0\0\100\0"), false);
    section(1, BYTES(""), false);
    section(1, BYTES("\0\0\0\0"), false);
    section(1, BYTES("\0\0\0\0\0\0\0\0"), true);
    section(1, BYTES("\0\0\0\3abc\0\0\0\0"), false); /* no CA's key */
    section(1, BYTES("\0\0\0\0\0\0\0\0\x20"), false);

    cert_section(0x20, BYTES(eight), true);
    cert_section(0x20, eight, 7, false);
    cert_section(0x21, BYTES("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"), true);
    cert_section(0x21, BYTES("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1"), false);
    cert_section(0x21, BYTES(eight), false);
    cert_section(0x21, BYTES("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1x"), false);
    cert_section(0x22, BYTES("\0\0\0\0\0\0\0\1\0\0\0\1\1"), true);
    cert_section(0x22, BYTES("\0\0\0\0\0\0\0\1\0\0\0\1\x80"), false); /* negative */
    cert_section(0x22, BYTES("\0\0\0\0\0\0\0\1\0\0\0\2\0\1"), false); /* not minimal */
    cert_section(0x22, BYTES("\0\0\0\0\0\0\0\1\0\0\0\2\1"), false);
    cert_section(0x22, BYTES("\377\377\377\377\377\377\377\377\0\0\0\1\1"), true);
    cert_section(0x22, BYTES("\377\377\377\377\377\377\377\377\0\0\0\1\2"), false); /* beyond */
    cert_section(0x23, BYTES("\0\0\0\1a\0\0\0\1b"), true);
    cert_section(0x23, BYTES("\0\0\0\2a\0"), false); /* a NUL inside */
    cert_section(0x23, BYTES("\0\0\0\2a"), false);
    cert_section(0x24, BYTES(""), false);
    cert_section(0x39, BYTES("\0\0\0\1x\0\0\0\0\0"), true);
    cert_section(0x39, BYTES("\0\0\0\1x\1\0\0\0\0"), false);
}

static void truncated_is_refused(void **unused)
{
    (void)unused;
    spb_buffer b;
    sp_revoked_keys *list;
    size_t whole[4], count = 0;

    begin(&b);
    whole[count++] = b.length; /* cut here it is a list, too */
    size_t mark = begin_certs(&b, ca);
    spw_u8(&b, 0x20);
    spw_string(&b, "12345678", 8);
    spw_string_end(&b, mark);
    whole[count++] = b.length;
    spw_u8(&b, 2);
    mark = spw_string_begin(&b);
    key_string(&b, rsa);
    spw_string_end(&b, mark);
    whole[count++] = b.length;
    for (size_t length = 0; length <= b.length; length++) {
        bool good = length == 0;
        for (size_t i = 0; i < count; i++)
            good = good || length == whole[i];
        uint8_t *exact = malloc(length + (length == 0));
        memcpy(exact, b.data, length);
        assert_int_equal(sp_revoked_keys_parse(&list, exact, length), good ? 0 : SP_EFORMAT);
        free(exact);
        sp_revoked_keys_unref(list);
    }
    spb_buffer_free(&b);
}

static void texts(void **unused)
{
    (void)unused;
    char line[4096], cert_line[8192], text[16384];
    sp_revoked_keys *list;
    sp_cert *cert = cert_of(&(cert_plan){.key = other, .ca = ca});

    (void)sp_key_format_public(user, NULL, line, sizeof line);
    (void)sp_cert_format(cert, NULL, cert_line, sizeof cert_line);
    const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"", true},
        {"\n\n# only words\n", true},
        {"ssh-dss AAAAB3NzaC1kc3MAAAABAQ== old", true}, /* a type that we don't take */
        {"ssh-dss AAAAC3NzaC1lZDI1NTE5", false},        /* says one type, is another */
        {"ssh-ed25519", false},
        {"ssh-ed25519 ", false},
        {"ssh-ed25519 ????", false},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAQE=", false}, /* too short a key */
        {"no-pty ssh-ed25519 AAAA", false},
        {"some words", false},
        {"SSHKRL", false},
        {"%s", true},
        {"%s comment words", true},
        {"# c\n%s\n%s", false}, /* the second is malformed */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int length = snprintf(text, sizeof text, cases[i].text, line, "ssh-rsa x");
        int result = sp_revoked_keys_parse(&list, text, (size_t)length);
        if (result != (cases[i].good ? 0 : SP_EFORMAT))
            fail_msg("%s: %d", cases[i].text, result);
        if (result == 0)
            assert_int_equal(spk_revoked_key(list, user), strchr(cases[i].text, '%') != NULL);
        sp_revoked_keys_unref(list);
    }
    /* One bad line: no list at all. A certificate stands for its key. */
    int length = snprintf(text, sizeof text, "%s\n%s\n", line, cert_line);
    assert_int_equal(sp_revoked_keys_parse(&list, text, (size_t)length), 0);
    assert_true(spk_revoked_key(list, user));
    assert_true(spk_revoked_key(list, other));
    assert_true(spk_revoked_cert(list, cert));
    assert_false(spk_revoked_key(list, ca));
    sp_revoked_keys_unref(list);
    length = snprintf(text, sizeof text, "%s\nnonsense\n", line);
    assert_int_equal(sp_revoked_keys_parse(&list, text, (size_t)length), SP_EFORMAT);
    assert_null(list);
    sp_cert_unref(cert);

    FILE *file = fopen(path_of("revoked"), "w");
    assert_non_null(file);
    (void)fprintf(file, "%s\n", line);
    (void)fclose(file);
    assert_int_equal(sp_revoked_keys_load(&list, path_of("revoked")), 0);
    assert_true(spk_revoked_key(list, user));
    sp_revoked_keys_unref(list);
    assert_int_equal(sp_revoked_keys_load(&list, path_of("none")), SP_ENOENT);
    assert_null(list);
    assert_int_equal(sp_revoked_keys_load(&list, folder), SP_EFORMAT);
}

/* ---- with ssh-keygen ---- */

static sp_cert *signed_cert(const char *key, const char *by, unsigned serial, const char *id)
{
    char file[64];
    sp_cert *cert;

    assert_int_equal(
        shell("ssh-keygen -q -s %s -I '%s' -n alice -z %u %s.pub", by, id, serial, key), 0);
    (void)snprintf(file, sizeof file, "%s-cert.pub", key);
    assert_int_equal(sp_cert_load(&cert, path_of(file)), 0);
    return cert;
}

/* ssh-keygen's own word on each certificate and key must be ours. */
static void as_ssh_keygen_says(void **unused)
{
    (void)unused;
    if (!cert_have_keygen())
        skip();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(shell("ssh-keygen -q -N '' -t ed25519 -f ca%u", i), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(shell("ssh-keygen -q -N '' -t ecdsa -f k%u", i), 0);
    FILE *spec = fopen(path_of("spec"), "w");
    assert_non_null(spec);
    (void)fprintf(spec, "serial: 5\nserial: 10-12\nserial: 1000000-2000000\nid: lost one\n");
    for (unsigned i = 100; i < 400; i += 1 + i % 3) /* as a bitmap */
        (void)fprintf(spec, "serial: %u\n", i);
    (void)fclose(spec);
    assert_int_equal(shell("ssh-keygen -q -k -f krl -s ca0.pub spec >/dev/null"), 0);
    assert_int_equal(shell("{ printf 'key: '; cat k1.pub; printf 'sha1: '; cat k2.pub; "
                           "printf 'sha256: '; cat k3.pub; } > more && "
                           "ssh-keygen -q -k -u -f krl more >/dev/null"),
                     0);
    sp_revoked_keys *list;
    assert_int_equal(sp_revoked_keys_load(&list, path_of("krl")), 0);

    static const unsigned numbers[] = {1,   4,   5,      6,       9,       10,      11,     12,
                                       13,  99,  100,    101,     102,     103,     104,    105,
                                       106, 107, 108,    200,     201,     202,     203,    399,
                                       400, 401, 999999, 1000000, 1500000, 2000000, 2000001};
    unsigned revoked = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (unsigned by = 0; by < 2; by++) {
            const char *id = numbers[i] == 9 ? "lost one" : "fine";
            sp_cert *cert = signed_cert("k0", by == 0 ? "ca0" : "ca1", numbers[i], id);
            bool theirs = shell("ssh-keygen -Q -f krl k0-cert.pub >/dev/null 2>&1") != 0;
            if (spk_revoked_cert(list, cert) != theirs)
                fail_msg("serial %u of ca%u: theirs %d", numbers[i], by, theirs);
            revoked += theirs;
            sp_cert_unref(cert);
        }
    }
    assert_true(revoked > 10 && revoked < 31);
    for (unsigned i = 0; i < 4; i++) {
        char file[64];
        (void)snprintf(file, sizeof file, "k%u.pub", i);
        sp_key *key = cert_public(file);
        assert_int_equal(spk_revoked_key(list, key), i != 0);
        sp_key_unref(key);
        (void)snprintf(file, sizeof file, "k%u", i);
        sp_cert *cert = signed_cert(file, "ca1", 1, "fine");
        assert_int_equal(spk_revoked_cert(list, cert), i != 0);
        sp_cert_unref(cert);
    }
    sp_revoked_keys_unref(list);
    /* A CA's own key. */
    assert_int_equal(shell("ssh-keygen -q -k -f krl2 ca1.pub >/dev/null"), 0);
    assert_int_equal(sp_revoked_keys_load(&list, path_of("krl2")), 0);
    for (unsigned by = 0; by < 2; by++) {
        sp_cert *cert = signed_cert("k0", by == 0 ? "ca0" : "ca1", 1, "fine");
        assert_int_equal(spk_revoked_cert(list, cert), by == 1);
        sp_cert_unref(cert);
    }
    sp_revoked_keys_unref(list);
}

/* A hundred thousand entries cost nothing to ask. */
static void long_lists(void **unused)
{
    (void)unused;
    spb_buffer b;

    spb_buffer_init(&b, &cert_env, 8 * 1024 * 1024);
    spb_buffer head;
    begin(&head);
    spw_bytes(&b, head.data, head.length);
    spb_buffer_free(&head);
    spw_u8(&b, 5);
    size_t mark = spw_string_begin(&b);
    uint8_t print[32] = {0};
    for (uint32_t i = 0; i < 100000; i++) {
        spb_put_u32(print, i * 2654435761u);
        spw_string(&b, print, sizeof print);
    }
    spw_string_end(&b, mark);
    mark = begin_certs(&b, ca);
    spw_u8(&b, 0x20);
    size_t inner = spw_string_begin(&b);
    for (uint64_t i = 100000; i > 0; i--)
        spw_u64(&b, 3 * i);
    spw_string_end(&b, inner);
    spw_string_end(&b, mark);
    sp_revoked_keys *list = list_of(&b);
    sp_cert *good = cert_of(&(cert_plan){.key = user, .ca = ca, .serial = 299999});
    sp_cert *bad = cert_of(&(cert_plan){.key = user, .ca = ca, .serial = 299997});
    for (unsigned i = 0; i < 10000; i++) {
        assert_false(spk_revoked_cert(list, good));
        assert_true(spk_revoked_cert(list, bad));
    }
    sp_cert_unref(good);
    sp_cert_unref(bad);
    sp_revoked_keys_unref(list);
}

static int set_up(void **unused)
{
    (void)unused;
    return cert_folder_make() != 0 || sp_key_generate(&user, SP_KEY_ED25519, 0) != 0 ||
                   sp_key_generate(&ca, SP_KEY_ED25519, 0) != 0 ||
                   sp_key_generate(&other, SP_KEY_ECDSA_P256, 0) != 0 ||
                   sp_key_generate(&rsa, SP_KEY_RSA, 2048) != 0
               ? -1
               : 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(user);
    sp_key_unref(ca);
    sp_key_unref(other);
    sp_key_unref(rsa);
    folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_list),   cmocka_unit_test(serials),
        cmocka_unit_test(key_ids_and_all_cas),  cmocka_unit_test(keys_in_each_way),
        cmocka_unit_test(header_is_checked),    cmocka_unit_test(sections_are_checked),
        cmocka_unit_test(truncated_is_refused), cmocka_unit_test(texts),
        cmocka_unit_test(as_ssh_keygen_says),   cmocka_unit_test(long_lists),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
