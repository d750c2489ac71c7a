/* Keys of ML-DSA-44 with Ed25519 (draft-ietf-sshm-composite-sigs, OpenSSH 10.4 and 10.6): their
 * forms, their signatures, of which both halves must be good, and their certificates. */
#include "key/cert.h"
#include "key/key_internal.h"
#include "key/revoked.h"

#include "support/cert_stand.h"

#define HALF ((size_t)1312)        /* of the public keys */
#define SIGNED_HALF ((size_t)2420) /* of the signatures */
#define POINTS (HALF + 32)
#define SIGNATURE (SIGNED_HALF + 64)
#define SEEDS ((size_t)64)

static const struct {
    sp_key_type type;
    const char *name, *cert;
} kinds[] = {
    {SP_KEY_MLDSA44_ED25519, "ssh-mldsa44-ed25519", "ssh-mldsa44-ed25519-cert"},
    {SP_KEY_MLDSA44_ED25519_DRAFT, "ssh-mldsa44-ed25519@openssh.com",
     "ssh-mldsa44-ed25519-cert-v01@openssh.com"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static sp_key *keys[KINDS], *other, *ed25519;

static spb_span blob_of(const sp_key *key)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    return (spb_span){blob, length};
}

/* Both public keys, as they stand in the blob. */
static spb_span points_of(const sp_key *key)
{
    spb_reader r;
    spb_span blob = blob_of(key);

    spr_init(&r, blob.data, blob.length);
    (void)spr_string(&r);
    spb_span points = spr_string(&r);
    assert_true(spr_done(&r));
    return points;
}

/* ---- forms ---- */

static void test_public(void **state)
{
    char line[4096], print[SP_FINGERPRINT_SIZE], art[SP_RANDOMART_SIZE];
    sp_key *again;
    (void)state;

    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(sp_key_get_type(keys[i]), kinds[i].type);
        assert_string_equal(sp_key_type_name(keys[i]), kinds[i].name);
        assert_string_equal(sp_key_short_name(keys[i]), "MLDSA44-ED25519");
        assert_int_equal(sp_key_bits(keys[i]), 256);
        assert_true(sp_key_is_private(keys[i]));
        assert_int_equal(points_of(keys[i]).length, POINTS);
        assert_int_equal(blob_of(keys[i]).length, 4 + strlen(kinds[i].name) + 4 + POINTS);
        assert_true(sp_key_format_public(keys[i], "a comment", line, sizeof line) <
                    (int)sizeof line);
        assert_int_equal(sp_key_parse_public(&again, line), 0);
        assert_true(sp_key_equal(keys[i], again));
        assert_false(sp_key_is_private(again));
        sp_key_fingerprint(again, print);
        assert_memory_equal(print, "SHA256:", 7);
        assert_int_equal(sp_key_randomart(again, SP_FINGERPRINT_SHA256, art), 0);
        assert_memory_equal(art, "+[MLDSA44-ED25519-+\n", 20); /* as ssh-keygen cuts it */
        assert_int_equal(sp_key_format_sshfp(again, "host", SP_SSHFP_SHA256, line, sizeof line),
                         SP_ENOTSUP);
        sp_key_unref(again);
        assert_int_equal(sp_key_new_external(&again, keys[i]), 0);
        assert_true(sp_key_is_external(again) && sp_key_equal(keys[i], again));
        sp_key_unref(again);
    }
    assert_false(sp_key_equal(keys[0], other));
}

static int read_blob(const char *name, spb_span points, const char *more)
{
    spb_buffer b;
    sp_key *key;

    spb_buffer_init(&b, spk_env(), 8192);
    spw_cstring(&b, name);
    spw_string(&b, points.data, points.length);
    spw_bytes(&b, more, strlen(more));
    int result = sp_key_from_blob(&key, b.data, b.length);
    assert_int_equal(key != NULL, result == 0);
    sp_key_unref(key);
    spb_buffer_free(&b);
    return result;
}

static void test_bad_blobs(void **state)
{
    uint8_t points[POINTS + 1];
    (void)state;

    memcpy(points, points_of(keys[0]).data, POINTS);
    points[POINTS] = 0;
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, POINTS}, ""), 0);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, POINTS}, "x"), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, POINTS + 1}, ""), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, POINTS - 1}, ""), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, HALF}, ""), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){points, 32}, ""), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].name, (spb_span){NULL, 0}, ""), SP_EFORMAT);
        assert_int_equal(read_blob(kinds[i].cert, (spb_span){points, POINTS}, ""), SP_ENOTSUP);
    }
    assert_int_equal(read_blob("ssh-mldsa65-ed25519", (spb_span){points, POINTS}, ""), SP_ENOTSUP);
    /* Its Ed25519 half is as strict as that type alone: a point of small order. */
    memset(points + HALF, 0, 32);
    assert_int_equal(read_blob(kinds[0].name, (spb_span){points, POINTS}, ""), SP_EFORMAT);
    memset(points + HALF, 0xff, 32);
    assert_int_equal(read_blob(kinds[0].name, (spb_span){points, POINTS}, ""), SP_EFORMAT);
}

/* ---- private keys ---- */

static void test_private(void **state)
{
    static char text[SP_PRIVATE_MAX];
    static const char *const passphrases[] = {NULL, "some words"};
    (void)state;

    for (size_t i = 0; i < KINDS * 2; i++) {
        const sp_key *key = keys[i / 2];
        sp_private_options o = {SP_PRIVATE_OPTIONS_INIT, .passphrase = passphrases[i % 2],
                                .comment = "a comment", .rounds = 1};
        size_t length = sizeof text;
        sp_key *again;
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t size = sizeof signature;

        assert_int_equal(sp_key_format_private(key, &o, text, &length), 0);
        assert_int_equal(sp_key_parse_private(&again, text, length, o.passphrase), 0);
        assert_true(sp_key_equal(key, again) && sp_key_is_private(again));
        assert_int_equal(sp_key_sign(again, kinds[i / 2].name, "x", 1, signature, &size), 0);
        assert_true(sp_key_verify(key, kinds[i / 2].name, "x", 1, signature, size));
        sp_key_unref(again);
        if (o.passphrase != NULL)
            assert_int_equal(sp_key_parse_private(&again, text, length, "other words"),
                             SP_EPASSPHRASE);
        o.format = SP_PRIVATE_PKCS8;
        length = sizeof text;
        assert_int_equal(sp_key_format_private(key, &o, text, &length), SP_ENOTSUP);
    }
}

/* The parts of a file, to be put together wrongly. */
typedef struct parts {
    const char *name;
    spb_span outer, inner, seeds;
} parts;

static int read_parts(const parts *p)
{
    spb_buffer file, text;
    sp_key *key;

    spb_buffer_init(&file, spk_env(), 65536);
    spb_buffer_init(&text, spk_env(), 65536);
    spw_bytes(&file, "openssh-key-v1", 15);
    spw_cstring(&file, "none");
    spw_cstring(&file, "none");
    spw_cstring(&file, "");
    spw_u32(&file, 1);
    size_t mark = spw_string_begin(&file);
    spw_cstring(&file, p->name);
    spw_string(&file, p->outer.data, p->outer.length);
    spw_string_end(&file, mark);
    mark = spw_string_begin(&file);
    size_t start = file.length;
    spw_u32(&file, 7);
    spw_u32(&file, 7);
    spw_cstring(&file, p->name);
    spw_string(&file, p->inner.data, p->inner.length);
    spw_string(&file, p->seeds.data, p->seeds.length);
    spw_cstring(&file, "");
    for (uint8_t i = 1; (file.length - start) % 8 != 0; i++)
        spw_u8(&file, i);
    spw_string_end(&file, mark);
    spw_bytes(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 36);
    assert_true(spc_base64_encode((spb_span){file.data, file.length}, &text));
    spw_bytes(&text, "\n-----END OPENSSH PRIVATE KEY-----\n", 35);
    int result = sp_key_parse_private(&key, text.data, text.length, NULL);
    assert_int_equal(key != NULL, result == 0);
    sp_key_unref(key);
    spb_buffer_free(&file);
    spb_buffer_free(&text);
    return result;
}

static void test_bad_private(void **state)
{
    spb_buffer seeds, more;
    uint8_t changed[POINTS];
    (void)state;

    spb_buffer_init(&seeds, spk_env(), 128);
    spb_buffer_init(&more, spk_env(), 128);
    assert_true(spc_pkey_get(keys[0]->pkey, "seeds", &seeds));
    assert_int_equal(seeds.length, SEEDS);
    const spb_span points = points_of(keys[0]);
    const parts good = {kinds[0].name, points, points, {seeds.data, SEEDS}};
    parts p = good;
    assert_int_equal(read_parts(&p), 0);
    p.seeds.length = 0;
    assert_int_equal(read_parts(&p), SP_EFORMAT);
    p.seeds.length = SEEDS - 1;
    assert_int_equal(read_parts(&p), SP_EFORMAT);
    spw_bytes(&more, seeds.data, SEEDS);
    spw_u8(&more, 0);
    p.seeds = (spb_span){more.data, SEEDS + 1};
    assert_int_equal(read_parts(&p), SP_EFORMAT);
    p = good;
    p.inner.length--;
    assert_int_equal(read_parts(&p), SP_EFORMAT);
    /* Public halves that are not those of the seeds, each alone. */
    for (size_t at = 0; at < POINTS; at += HALF) {
        memcpy(changed, points.data, POINTS);
        memcpy(changed + at, points_of(other).data + at, at == 0 ? HALF : 32);
        p.inner = p.outer = (spb_span){changed, POINTS};
        assert_int_equal(read_parts(&p), SP_EFORMAT);
        p.inner = points; /* inside they fit, outside they don't */
        assert_int_equal(read_parts(&p), SP_EFORMAT);
    }
    spb_buffer_free(&seeds);
    spb_buffer_free(&more);
}

/* ---- signatures ---- */

static bool checks(const sp_key *key, const char *name, const char *inner_name,
                   const uint8_t *signature, size_t length)
{
    spb_buffer b;

    spb_buffer_init(&b, spk_env(), 8192);
    spw_cstring(&b, inner_name);
    spw_string(&b, signature, length);
    bool good = sp_key_verify(key, name, "data", 4, b.data, b.length);
    spb_buffer_free(&b);
    return good;
}

static void sign(const sp_key *key, const char *name, uint8_t out[SIGNATURE])
{
    uint8_t blob[SP_SIGNATURE_MAX];
    size_t length = sizeof blob;
    spb_reader r;

    assert_int_equal(sp_key_sign(key, name, "data", 4, blob, &length), 0);
    spr_init(&r, blob, length);
    assert_true(spb_span_is(spr_string(&r), name));
    spb_span inner = spr_string(&r);
    assert_true(spr_done(&r) && inner.length == SIGNATURE);
    memcpy(out, inner.data, SIGNATURE);
}

static void test_both_halves(void **state)
{
    uint8_t good[SIGNATURE + 1] = {0}, s[SIGNATURE], foreign[SIGNATURE];
    (void)state;

    for (size_t i = 0; i < KINDS; i++) {
        const char *name = kinds[i].name;
        sign(keys[i], name, good);
        sign(other, kinds[0].name, foreign);
        assert_true(checks(keys[i], name, name, good, SIGNATURE));
        assert_false(checks(other, kinds[0].name, kinds[0].name, good, SIGNATURE));
        memcpy(s, good, SIGNATURE);
        memcpy(s, foreign, SIGNED_HALF); /* another's ML-DSA */
        assert_false(checks(keys[i], name, name, s, SIGNATURE));
        memcpy(s, good, SIGNATURE);
        memcpy(s + SIGNED_HALF, foreign + SIGNED_HALF, 64); /* another's Ed25519 */
        assert_false(checks(keys[i], name, name, s, SIGNATURE));
        memcpy(s, good + SIGNED_HALF, 64); /* the other way round */
        memcpy(s + 64, good, SIGNED_HALF);
        assert_false(checks(keys[i], name, name, s, SIGNATURE));
        memset(s, 0, sizeof s);
        assert_false(checks(keys[i], name, name, s, SIGNATURE));
        static const size_t lengths[] = {0, 64, SIGNED_HALF, SIGNATURE - 1, SIGNATURE + 1};
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++)
            assert_false(checks(keys[i], name, name, good, lengths[k]));
        for (size_t at = 0; at < SIGNATURE; at += 97) {
            memcpy(s, good, SIGNATURE);
            s[at] ^= 4;
            assert_false(checks(keys[i], name, name, s, SIGNATURE));
        }
    }
}

static void test_names(void **state)
{
    uint8_t s[SIGNATURE], blob[SP_SIGNATURE_MAX];
    size_t length = sizeof blob;
    (void)state;

    sign(keys[0], kinds[0].name, s);
    /* One name is not the other, nor Ed25519 alone. */
    assert_false(checks(keys[0], kinds[0].name, kinds[1].name, s, SIGNATURE));
    assert_false(checks(keys[0], kinds[1].name, kinds[1].name, s, SIGNATURE));
    assert_false(checks(keys[0], "ssh-ed25519", "ssh-ed25519", s + SIGNED_HALF, 64));
    assert_int_equal(sp_key_sign(keys[0], kinds[1].name, "x", 1, blob, &length), SP_EINVAL);
    assert_int_equal(sp_key_sign(keys[0], "ssh-ed25519", "x", 1, blob, &length), SP_EINVAL);
    assert_int_equal(sp_key_sign(ed25519, kinds[0].name, "x", 1, blob, &length), SP_EINVAL);
    length = 100;
    assert_int_equal(sp_key_sign(keys[0], kinds[0].name, "x", 1, blob, &length), SP_ELIMIT);
    /* Hedged: no two are the same. */
    uint8_t again[SIGNATURE];
    sign(keys[0], kinds[0].name, again);
    assert_memory_not_equal(s, again, 32);
}

/* The Ed25519 half over the message itself, as that type alone would sign it, is no half. */
static void test_not_by_ed25519_alone(void **state)
{
    uint8_t s[SIGNATURE], raw[SP_SIGNATURE_MAX];
    size_t length = sizeof raw;
    spb_buffer seeds;
    spc_pkey *alone;
    sp_key *key;
    (void)state;

    spb_buffer_init(&seeds, spk_env(), 128);
    assert_true(spc_pkey_get(keys[0]->pkey, "seeds", &seeds));
    const spb_span point = {points_of(keys[0]).data + HALF, 32};
    assert_true(spc_pkey_from_eddsa(&alone, spk_env(), SP_KEY_ED25519, point,
                                    (spb_span){seeds.data + 32, 32}));
    assert_int_equal(spk_new(&key, alone, true), 0);
    assert_int_equal(sp_key_sign(key, "ssh-ed25519", "data", 4, raw, &length), 0);
    sign(keys[0], kinds[0].name, s);
    memcpy(s + SIGNED_HALF, raw + length - 64, 64);
    assert_false(checks(keys[0], kinds[0].name, kinds[0].name, s, SIGNATURE));
    sp_key_unref(key);
    spb_buffer_free(&seeds);
}

/* ---- certificates ---- */

static const char *objection(const cert_plan *p)
{
    static const char *const names[] = {"alice"};
    spk_cert_use use = {.type = SP_CERT_USER, .now = 1000, .names = names, .name_count = 1};
    const char *reason = NULL;
    sp_cert *cert = cert_of(p);

    bool good = spk_cert_check(cert, &use, &reason);
    assert_int_equal(good, reason == NULL);
    sp_cert_unref(cert);
    return good ? "" : reason;
}

static void test_certificates(void **state)
{
    static char line[16384];
    sp_cert *cert, *again;
    (void)state;

    for (size_t i = 0; i < KINDS; i++) {
        for (size_t k = 0; k < KINDS + 1; k++) {
            const sp_key *ca = k < KINDS ? keys[k] : ed25519;
            cert_plan p = {.key = keys[i], .ca = ca, .type_name = kinds[i].cert};
            cert = cert_of(&p);
            assert_string_equal(sp_cert_type_name(cert), kinds[i].cert);
            assert_true(sp_key_equal(sp_cert_key(cert), keys[i]));
            assert_true(sp_key_equal(sp_cert_ca_key(cert), ca));
            assert_true(sp_cert_format(cert, "c", line, sizeof line) < (int)sizeof line);
            assert_int_equal(sp_cert_parse(&again, line), 0);
            sp_cert_unref(again);
            sp_cert_unref(cert);
            assert_string_equal(objection(&p), "");
            p.spoil = true;
            assert_string_equal(objection(&p), "bad CA signature");
            p.spoil = false;
            p.algorithm = k < KINDS ? kinds[1 - k].name : kinds[0].name;
            assert_string_equal(objection(&p), "bad CA signature");
        }
        /* The other type's name, and a key of another type. */
        cert_plan p = {.key = keys[i], .ca = ed25519, .type_name = kinds[1 - i].cert};
        cert = cert_of(&p);
        assert_int_equal(sp_key_get_type(sp_cert_key(cert)), kinds[1 - i].type);
        sp_cert_unref(cert);
        p.key = ed25519;
        assert_int_equal(cert_try(&p, &cert), SP_EFORMAT);
        assert_ptr_equal(spk_cert_signature(spb_span_of(kinds[i].cert)),
                         spc_signature_find(spb_span_of(kinds[i].name)));
        assert_string_equal(spk_cert_algorithm(spc_signature_find(spb_span_of(kinds[i].name))),
                            kinds[i].cert);
        assert_true(spk_cert_named(spb_span_of(kinds[i].cert)));
        assert_false(spk_cert_named(spb_span_of(kinds[i].name)));
    }
}

/* ---- lists ---- */

static void test_lists(void **state)
{
    static char text[32768];
    sp_authorized_keys *authorized;
    sp_revoked_keys *revoked;
    (void)state;

    char line[4096];
    assert_true(sp_key_format_public(keys[0], NULL, line, sizeof line) > 0);
    int length = snprintf(text, sizeof text, "%s\n", line);
    assert_true(sp_key_format_public(keys[1], NULL, line, sizeof line) > 0);
    length += snprintf(text + length, sizeof text - (size_t)length, "restrict %s\n", line);
    assert_int_equal(sp_authorized_keys_parse(&authorized, text, (size_t)length, NULL, NULL), 0);
    assert_int_equal(sp_authorized_keys_count(authorized), 2);
    assert_true(sp_authorized_keys_contains(authorized, keys[0]));
    assert_false(sp_authorized_keys_contains(authorized, other));
    sp_authorized_keys_free(authorized);

    char *plain = text + strlen(text) - strlen(line) - 1;
    assert_int_equal(sp_revoked_keys_parse(&revoked, plain, strlen(plain)), 0);
    assert_true(spk_revoked_key(revoked, keys[1]));
    assert_false(spk_revoked_key(revoked, keys[0]));
    sp_revoked_keys_unref(revoked);
    /* A line that can't be such a key makes the list useless. */
    spb_span points = points_of(keys[0]);
    assert_true(spk_format_line(kinds[0].name, points, NULL, text, sizeof text) > 0);
    assert_int_equal(sp_revoked_keys_parse(&revoked, text, strlen(text)), SP_EFORMAT);
}

static void test_off_by_default(void **state)
{
    static const char *const lists[] = {"key", "sig", "ca-sig"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        const spb_span defaults = spb_span_of(sp_default_algorithms(lists[i]));
        const spb_span supported = spb_span_of(sp_supported_algorithms(lists[i]));
        for (size_t k = 0; k < KINDS; k++) {
            assert_false(spb_name_in(defaults, kinds[k].name));
            assert_false(spb_name_in(defaults, kinds[k].cert));
            assert_true(spb_name_in(supported, kinds[k].name));
            assert_int_equal(spb_name_in(supported, kinds[k].cert), i < 2);
        }
    }
}

static int start(void **state)
{
    (void)state;
    if (cert_folder_make() != 0)
        return -1;
    return sp_key_generate(&keys[0], kinds[0].type, 0) == 0 &&
                   sp_key_generate(&keys[1], kinds[1].type, 0) == 0 &&
                   sp_key_generate(&other, kinds[0].type, 0) == 0 &&
                   sp_key_generate(&ed25519, SP_KEY_ED25519, 0) == 0
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        sp_key_unref(keys[i]);
    sp_key_unref(other);
    sp_key_unref(ed25519);
    folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_bad_blobs),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_bad_private),
        cmocka_unit_test(test_both_halves),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_not_by_ed25519_alone),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_off_by_default),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
