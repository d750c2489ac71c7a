/* Security keys (OpenSSH PROTOCOL.u2f, WebAuthn 5.8.1): what their signatures tell, and each way in
 * which one may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/sk_stand.h"

#define ED25519 "sk-ssh-ed25519@openssh.com"
#define ECDSA "sk-ecdsa-sha2-nistp256@openssh.com"
#define WEBAUTHN "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"

static sk_token ed25519, ecdsa, site;
static const spb_span data = {(const uint8_t *)"\xff\xef the data \0 that are signed", 29};

static int prepare(void **unused)
{
    (void)unused;
    sk_token_make(&ed25519, SP_KEY_SK_ED25519, "ssh:");
    sk_token_make(&ecdsa, SP_KEY_SK_ECDSA_P256, "ssh:");
    sk_token_make(&site, SP_KEY_SK_ECDSA_P256, "example.org");
    return 0;
}

static int clean_up(void **unused)
{
    (void)unused;
    sk_token_free(&ed25519);
    sk_token_free(&ecdsa);
    sk_token_free(&site);
    return 0;
}

/* Signs, and verifies with `algorithm` (NULL: that of the plan). */
static bool try_it(const sk_token *t, const sk_plan *p, const char *algorithm,
                   sp_signature_info *info)
{
    spb_buffer s;

    if (algorithm == NULL)
        algorithm = p->algorithm != NULL ? p->algorithm : sp_key_type_name(t->key);
    spb_buffer_init(&s, &t->env, 1 << 20);
    sk_sign(t, p, data, &s);
    *info = (sp_signature_info){SP_SIGNATURE_INFO_INIT};
    bool good =
        sp_key_verify_info(t->key, algorithm, data.data, data.length, s.data, s.length, info);
    bool plain = sp_key_verify(t->key, algorithm, data.data, data.length, s.data, s.length);
    assert_int_equal(plain, good && info->touched); /* the simple call wants the touch */
    spb_buffer_free(&s);
    return good;
}

static void refused(const sk_token *t, const sk_plan *p)
{
    sp_signature_info info;

    assert_false(try_it(t, p, NULL, &info));
    assert_false(info.security_key || info.touched || info.verified);
}

/* ---- good ---- */

static void flags_and_counter_are_told(void **unused)
{
    (void)unused;
    const struct {
        const sk_token *token;
        const char *algorithm;
    } kinds[] = {{&ed25519, ED25519}, {&ecdsa, ECDSA}, {&site, WEBAUTHN}};
    sp_signature_info info;

    for (size_t i = 0; i < 3; i++) {
        for (unsigned flags = 0; flags < 64; flags++) {
            sk_plan p = {.algorithm = kinds[i].algorithm,
                         .flags = (uint8_t)flags,
                         .counter = 0xfffffff0u + flags % 16};
            assert_true(try_it(kinds[i].token, &p, NULL, &info));
            assert_true(info.security_key);
            assert_int_equal(info.touched, (flags & SK_TOUCHED) != 0);
            assert_int_equal(info.verified, (flags & SK_VERIFIED) != 0);
            assert_int_equal(info.webauthn, i == 2);
            assert_int_equal(info.counter, p.counter);
        }
    }
}

static void ordinary_keys_have_no_flags(void **unused)
{
    (void)unused;
    sp_signature_info info = {SP_SIGNATURE_INFO_INIT, .touched = true};
    uint8_t s[SP_SIGNATURE_MAX];
    size_t length = sizeof s;
    sp_key *key;

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    assert_int_equal(sp_key_sign(key, "ssh-ed25519", "x", 1, s, &length), 0);
    assert_true(sp_key_verify_info(key, "ssh-ed25519", "x", 1, s, length, &info));
    assert_false(info.security_key || info.touched || info.verified || info.webauthn);
    assert_false(sp_key_is_security_key(key));
    assert_null(sp_key_application(key));
    info.size = 0; /* not initialised */
    assert_false(sp_key_verify_info(key, "ssh-ed25519", "x", 1, s, length, &info));
    info.size = sizeof info + 1;
    assert_false(sp_key_verify_info(key, "ssh-ed25519", "x", 1, s, length, &info));
    sp_key_unref(key);
}

static void an_older_info_is_shorter(void **unused)
{
    (void)unused;
    struct {
        sp_signature_info info;
    } one;
    spb_buffer s;

    memset(&one, 0x55, sizeof one);
    one.info.size = offsetof(sp_signature_info, webauthn);
    spb_buffer_init(&s, &ecdsa.env, 4096);
    sk_sign(&ecdsa, &(sk_plan){.flags = SK_TOUCHED}, data, &s);
    assert_true(
        sp_key_verify_info(ecdsa.key, ECDSA, data.data, data.length, s.data, s.length, &one.info));
    assert_true(one.info.touched);
    assert_int_equal(one.info.counter, 0x55555555);
    assert_int_equal(one.info.size, offsetof(sp_signature_info, webauthn));
    spb_buffer_free(&s);
}

static void webauthn_takes_what_browsers_add(void **unused)
{
    (void)unused;
    static const char *const rests[] = {
        "\"}",
        "\",\"crossOrigin\":true}",
        "\",\"crossOrigin\":false,\"other_keys_can_be_added_here\":\"do not compare\"}",
    };
    sp_signature_info info;

    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++)
        assert_true(try_it(&site, &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED, .rest = rests[i]}, NULL,
                           &info));
    assert_true(try_it(&site,
                       &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED | 0x80, .extensions = "\xa1xyz"},
                       NULL, &info));
    /* The very same key signs also without a browser. */
    assert_true(try_it(&site, &(sk_plan){.flags = SK_TOUCHED}, NULL, &info));
    assert_false(info.webauthn);
}

/* ---- wrong ---- */

static void signed_for_something_else(void **unused)
{
    (void)unused;
    const sk_token *all[] = {&ed25519, &ecdsa};

    for (size_t i = 0; i < 2; i++) {
        refused(all[i], &(sk_plan){.flags = SK_TOUCHED, .application = "ssh"});
        refused(all[i], &(sk_plan){.flags = SK_TOUCHED, .application = "ssh:other"});
        refused(all[i], &(sk_plan){.flags = SK_TOUCHED, .application = ""});
        /* The flags that are sent are those that were signed. */
        refused(all[i], &(sk_plan){.lies = true, .sent_flags = SK_TOUCHED});
        refused(all[i],
                &(sk_plan){.flags = SK_TOUCHED, .lies = true, .sent_flags = SK_TOUCHED | 4});
    }
    refused(&site, &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED, .application = "evil.example"});
    refused(&site, &(sk_plan){WEBAUTHN, .lies = true, .sent_flags = SK_TOUCHED});
}

static void counter_and_ends(void **unused)
{
    (void)unused;
    const struct {
        const sk_token *token;
        const char *algorithm;
    } kinds[] = {{&ed25519, ED25519}, {&ecdsa, ECDSA}, {&site, WEBAUTHN}};

    for (size_t i = 0; i < 3; i++) {
        const char *algorithm = kinds[i].algorithm;
        refused(kinds[i].token, &(sk_plan){algorithm, .flags = 1, .extra = "x"});
        refused(kinds[i].token, &(sk_plan){algorithm, .flags = 1, .extra = "four"});
        for (size_t cut = 1; cut < 90; cut++) /* counter, flags, and into the signature */
            refused(kinds[i].token, &(sk_plan){algorithm, .flags = 1, .cut = cut});
    }
}

static void every_bit_counts(void **unused)
{
    (void)unused;
    const struct {
        const sk_token *token;
        const char *algorithm;
    } kinds[] = {{&ed25519, ED25519}, {&ecdsa, ECDSA}, {&site, WEBAUTHN}};

    for (size_t i = 0; i < 3; i++) {
        const sk_token *t = kinds[i].token;
        spb_buffer s;
        spb_buffer_init(&s, &t->env, 4096);
        sk_sign(t, &(sk_plan){kinds[i].algorithm, .flags = 1, .counter = 7}, data, &s);
        for (size_t at = 0; at < s.length; at++) {
            s.data[at] ^= (uint8_t)(1u << at % 8);
            assert_false(sp_key_verify(t->key, kinds[i].algorithm, data.data, data.length, s.data,
                                       s.length));
            s.data[at] ^= (uint8_t)(1u << at % 8);
        }
        assert_true(
            sp_key_verify(t->key, kinds[i].algorithm, data.data, data.length, s.data, s.length));
        assert_false(sp_key_verify(t->key, kinds[i].algorithm, data.data, data.length - 1, s.data,
                                   s.length));
        spb_buffer_free(&s);
    }
}

static void algorithms_do_not_mix(void **unused)
{
    (void)unused;
    static const char *const names[] = {ED25519,       ECDSA, WEBAUTHN, "ecdsa-sha2-nistp256",
                                        "ssh-ed25519", "",    "ssh-rsa"};
    sp_signature_info info;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const sk_plan p = {.flags = SK_TOUCHED};
        assert_int_equal(try_it(&ed25519, &p, names[i], &info), strcmp(names[i], ED25519) == 0);
        assert_int_equal(try_it(&ecdsa, &p, names[i], &info), strcmp(names[i], ECDSA) == 0);
    }
    /* An ordinary signature of the same key under the other name. */
    refused(&ecdsa, &(sk_plan){"ecdsa-sha2-nistp256", .flags = SK_TOUCHED});
    refused(&ed25519, &(sk_plan){"ssh-ed25519", .flags = SK_TOUCHED});
    /* Signed as one, sent as the other: its data are not the other's. */
    spb_buffer s, t;
    spb_reader r;
    spb_buffer_init(&s, &ecdsa.env, 4096);
    spb_buffer_init(&t, &ecdsa.env, 4096);
    sk_sign(&ecdsa, &(sk_plan){.algorithm = WEBAUTHN, .flags = 1}, data, &s);
    spr_init(&r, s.data, s.length);
    (void)spr_string(&r);
    spb_span rest = spr_rest(&r);
    spw_cstring(&t, ECDSA);
    spw_bytes(&t, rest.data, rest.length);
    assert_false(sp_key_verify(ecdsa.key, ECDSA, data.data, data.length, t.data, t.length));
    spb_buffer_free(&s);
    spb_buffer_free(&t);
}

static void client_data_must_be_ours(void **unused)
{
    (void)unused;
#define BAD(...) refused(&site, &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED, __VA_ARGS__})
    BAD(.type = "webauthn.create");
    BAD(.type = "");
    BAD(.type = "webauthn.get\",\"x\":\"");
    BAD(.head = "{ \"type\":\"");
    BAD(.head = "\"type\":\"");
    BAD(.head = "{\"x\":\"\",\"type\":\"");
    BAD(.challenge = "");
    BAD(.challenge = "AAAA");
    BAD(.challenge = "_-8gdGhlIGRhdGEgACB0aGF0IGFyZSBzaWduZWQ="); /* padded */
    BAD(.challenge = "/+8gdGhlIGRhdGEgACB0aGF0IGFyZSBzaWduZWQ");  /* not for URLs */
    BAD(.json_origin = "https://evil.example");
    BAD(.origin = "https://evil.example", .json_origin = "https://example.org");
    BAD(.origin = "");
    BAD(.origin = "https://a\",\"x\":\"");
    BAD(.origin = "https://a\\");
    BAD(.origin = "https://a\n");
    BAD(.rest = "");
    BAD(.rest = "\"");
    BAD(.rest = "\",");
    BAD(.rest = "\"}x");
    BAD(.rest = "\"x}");
    BAD(.rest = "/\"}");
    /* Flags of authenticator data. */
    BAD(.extensions = "\xa1xyz");
    refused(&site, &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED | 0x80});
    refused(&site, &(sk_plan){WEBAUTHN, .flags = SK_TOUCHED | 0x40});
#undef BAD
}

/* ---- blobs ---- */

static int blob_result(const char *name, spb_span curve, spb_span point, spb_span application,
                       const char *extra)
{
    spb_buffer b;
    sp_key *key;

    spb_buffer_init(&b, &ecdsa.env, 65536);
    spw_cstring(&b, name);
    if (curve.data != NULL)
        spw_string(&b, curve.data, curve.length);
    spw_string(&b, point.data, point.length);
    spw_string(&b, application.data, application.length);
    spw_bytes(&b, extra, strlen(extra));
    int result = sp_key_from_blob(&key, b.data, b.length);
    assert_int_equal(result == 0, key != NULL);
    sp_key_unref(key);
    spb_buffer_free(&b);
    return result;
}

static void blobs(void **unused)
{
    (void)unused;
    const spb_span none = {NULL, 0};
    const spb_span curve = spb_span_of("nistp256");
    const spb_span ssh = spb_span_of("ssh:");
    static char large[1026];
    spb_buffer point, p256;

    memset(large, 'a', sizeof large - 1);
    spb_buffer_init(&point, &ecdsa.env, 100);
    spb_buffer_init(&p256, &ecdsa.env, 100);
    assert_true(spc_pkey_get(ed25519.pkey, "pub", &point));
    assert_true(spc_pkey_get(ecdsa.pkey, "point", &p256));
    const spb_span a = {point.data, point.length}, b = {p256.data, p256.length};

    assert_int_equal(blob_result(ED25519, none, a, ssh, ""), 0);
    assert_int_equal(blob_result(ECDSA, curve, b, ssh, ""), 0);
    assert_int_equal(blob_result(ED25519, none, a, (spb_span){ssh.data, 0}, ""), SP_EFORMAT);
    assert_int_equal(blob_result(ED25519, none, a, (spb_span){(const uint8_t *)"ssh\0:", 5}, ""),
                     SP_EFORMAT);
    assert_int_equal(blob_result(ED25519, none, a, spb_span_of("ssh:\n"), ""), SP_EFORMAT);
    assert_int_equal(blob_result(ED25519, none, a, spb_span_of(large), ""), SP_EFORMAT);
    assert_int_equal(blob_result(ED25519, none, a, spb_span_of(large + 1), ""), 0);
    assert_int_equal(blob_result(ED25519, none, a, ssh, "x"), SP_EFORMAT);
    assert_int_equal(blob_result(ECDSA, curve, b, ssh, "x"), SP_EFORMAT);
    assert_int_equal(blob_result(ECDSA, spb_span_of("nistp384"), b, ssh, ""), SP_EFORMAT);
    assert_int_equal(blob_result(ED25519, none, b, ssh, ""), SP_EFORMAT);
    p256.data[64] ^= 1; /* off the curve */
    assert_int_equal(blob_result(ECDSA, curve, b, ssh, ""), SP_EFORMAT);
    assert_int_equal(blob_result(WEBAUTHN, curve, b, ssh, ""), SP_ENOTSUP); /* no type of key */
    spb_buffer_free(&point);
    spb_buffer_free(&p256);
}

static void what_a_security_key_is(void **unused)
{
    (void)unused;
    sp_key *key, *external;
    char line[512];
    uint8_t s[64];
    size_t length;

    assert_true(sp_key_is_security_key(ed25519.key));
    assert_string_equal(sp_key_application(site.key), "example.org");
    assert_string_equal(sp_key_type_name(ecdsa.key), ECDSA);
    assert_string_equal(sp_key_short_name(ed25519.key), "ED25519-SK");
    assert_int_equal(sp_key_bits(ed25519.key), 256);
    assert_false(sp_key_equal(ecdsa.key, site.key));
    assert_true(sp_key_format_public(site.key, "me", line, sizeof line) > 0);
    assert_int_equal(sp_key_parse_public(&key, line), 0);
    assert_true(sp_key_equal(key, site.key));
    /* The application is part of it: the same numbers for another one are another key. */
    spb_buffer b;
    spb_buffer_init(&b, &site.env, 4096);
    assert_true(spk_write_blob(site.pkey, SP_KEY_SK_ECDSA_P256, "ssh:", &b));
    assert_int_equal(sp_key_from_blob(&external, b.data, b.length), 0);
    assert_false(sp_key_equal(external, site.key));
    sp_key_unref(external);
    spb_buffer_free(&b);
    /* Nothing here signs. */
    length = sizeof s;
    assert_int_equal(sp_key_sign(key, ECDSA, "x", 1, s, &length), SP_EINVAL);
    assert_int_equal(sp_key_new_external(&external, key), 0);
    length = sizeof s;
    assert_int_equal(sp_key_sign(external, ECDSA, "x", 1, s, &length), SP_EINVAL);
    sp_key_unref(external);
    assert_int_equal(sp_key_generate(&external, SP_KEY_SK_ED25519, 0), SP_EINVAL);
    assert_int_equal(sp_key_generate(&external, SP_KEY_SK_ECDSA_P256, 0), SP_EINVAL);
    sp_key_unref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_and_counter_are_told),
        cmocka_unit_test(ordinary_keys_have_no_flags),
        cmocka_unit_test(an_older_info_is_shorter),
        cmocka_unit_test(webauthn_takes_what_browsers_add),
        cmocka_unit_test(signed_for_something_else),
        cmocka_unit_test(counter_and_ends),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(algorithms_do_not_mix),
        cmocka_unit_test(client_data_must_be_ours),
        cmocka_unit_test(blobs),
        cmocka_unit_test(what_a_security_key_is),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
