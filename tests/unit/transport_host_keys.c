/* The host keys of a configuration: certificates, external keys, further keys; what each option
 * refuses. Certificates are made here, byte by byte (OpenSSH PROTOCOL.certkeys). */
#include "transport/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static sp_key *ed25519, *ecdsa, *rsa, *external, *authority, *large;
static char logged[512];

typedef struct making {
    const sp_key *key;
    uint32_t type; /* 1: user, 2: host */
    uint64_t after, before;
    bool critical; /* with an option that nobody knows */
    bool spoiled;  /* the signature */
} making;

/* What stands in a certificate between the nonce and the serial number: the blob's own numbers. */
static void put_numbers(spb_buffer *b, const sp_key *key)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    spb_reader r;
    spr_init(&r, blob, length);
    (void)spr_string(&r);
    spb_span rest = spr_rest(&r);
    spw_bytes(b, rest.data, rest.length);
}

static sp_cert *make(making m)
{
    spb_buffer b, crit;
    char name[64];
    size_t length;
    uint8_t signature[SP_SIGNATURE_MAX];
    size_t signature_length = sizeof signature;
    sp_cert *cert;

    (void)snprintf(name, sizeof name, "%s-cert-v01@openssh.com", sp_key_type_name(m.key));
    spb_buffer_init(&b, &env, 65536);
    spb_buffer_init(&crit, &env, 1000);
    spw_cstring(&b, name);
    spw_cstring(&b, "a nonce");
    put_numbers(&b, m.key);
    spw_u64(&b, 7);
    spw_u32(&b, m.type);
    spw_cstring(&b, "a host");
    size_t mark = spw_string_begin(&b);
    spw_cstring(&b, "host.test");
    spw_string_end(&b, mark);
    spw_u64(&b, m.after);
    spw_u64(&b, m.before == 0 ? UINT64_MAX : m.before);
    if (m.critical) {
        spw_cstring(&crit, "unheard-of@test");
        spw_cstring(&crit, "");
    }
    spw_string(&b, crit.data, crit.length);
    spw_cstring(&b, "");
    spw_cstring(&b, "");
    const uint8_t *ca = sp_key_blob(authority, &length);
    spw_string(&b, ca, length);
    assert_int_equal(
        sp_key_sign(authority, "ssh-ed25519", b.data, b.length, signature, &signature_length), 0);
    if (m.spoiled)
        signature[signature_length - 1] ^= 1;
    spw_string(&b, signature, signature_length);
    assert_true(spw_ok(&b));
    assert_int_equal(sp_cert_from_blob(&cert, b.data, b.length), 0);
    spb_buffer_free(&b);
    spb_buffer_free(&crit);
    return cert;
}

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    assert_int_equal(level, SP_LOG_ERROR);
    (void)snprintf(logged, sizeof logged, "%s", line);
}

static sp_protocol_options with_keys(sp_key **keys, size_t count)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT, .preset = "compatible"};
    o.host_keys = keys;
    o.host_key_count = count;
    o.log = log_line;
    o.log_level = SP_LOG_ERROR;
    logged[0] = '\0';
    return o;
}

static void certificates_come_first(void **unused)
{
    (void)unused;
    sp_key *keys[] = {ed25519, rsa};
    sp_cert *certs[] = {make((making){rsa, 2, 0, 0, false, false}),
                        make((making){ed25519, 2, 0, 0, false, false})};
    sp_protocol_options o = with_keys(keys, 2);
    sp_config *c;
    o.host_certificates = (const sp_cert *const *)certs;
    o.host_certificate_count = 2;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list,
                        "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,"
                        "rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512,rsa-sha2-256");
    assert_string_equal(logged, "");
    size_t length;
    const uint8_t *blob = sp_cert_blob(certs[0], &length);
    const spt_host_algorithm *a = &c->host_algorithms[2];
    assert_string_equal(a->name, "rsa-sha2-256-cert-v01@openssh.com");
    assert_string_equal(a->signature->name, "rsa-sha2-256");
    assert_ptr_equal(a->key, rsa);
    assert_int_equal(a->blob.length, length);
    assert_memory_equal(a->blob.data, blob, length);
    a = &c->host_algorithms[3];
    assert_string_equal(a->name, "ssh-ed25519");
    blob = sp_key_blob(ed25519, &length);
    assert_memory_equal(a->blob.data, blob, length);
    /* It has what it needs. */
    sp_cert_unref(certs[0]);
    sp_cert_unref(certs[1]);
    assert_string_equal(sp_cert_key_id(c->host_certificates[0]), "a host");
    sp_config_unref(c);

    /* Only where the list names them. */
    sp_cert *one = make((making){ed25519, 2, 0, 0, false, false});
    o.host_certificates = (const sp_cert *const *)&one;
    o.host_certificate_count = 1;
    o.host_key_algorithms = "rsa-sha2-512,ssh-ed25519";
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list, "rsa-sha2-512,ssh-ed25519");
    sp_config_unref(c);
    o.host_key_algorithms = "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com";
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list, "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com");
    sp_config_unref(c);
    sp_cert_unref(one);
}

static void warns_of_the_time(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t after, before;
        const char *says;
    } cases[] = {{1, 1000, "has expired"}, {UINT64_MAX - 1, 0, "is not valid yet"}};
    for (size_t i = 0; i < 2; i++) {
        sp_cert *cert = make((making){ed25519, 2, cases[i].after, cases[i].before, false, false});
        sp_protocol_options o = with_keys(&ed25519, 1);
        sp_config *c;
        o.host_certificates = (const sp_cert *const *)&cert;
        o.host_certificate_count = 1;
        assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
        assert_non_null(strstr(logged, cases[i].says));
        assert_non_null(strstr(c->host_key_list, "-cert-v01"));
        sp_config_unref(c);
        sp_cert_unref(cert);
    }
}

static void refuse(const sp_protocol_options *o, const char *why)
{
    char reason[200];
    sp_config *c = (sp_config *)1;
    assert_int_equal(sp_config_new(&c, o, reason, sizeof reason), SP_EINVAL);
    assert_null(c);
    if (strstr(reason, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, why);
}

static void refuses_bad_certificates(void **unused)
{
    (void)unused;
    const struct {
        making m;
        const char *why;
    } cases[] = {
        {{ed25519, 1, 0, 0, false, false}, "not a host certificate"},
        {{ed25519, 2, 0, 0, true, false}, "unsupported critical option"},
        {{ed25519, 2, 0, 0, false, true}, "bad CA signature"},
        {{ecdsa, 2, 0, 0, false, false}, "for none of the host keys"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sp_cert *cert = make(cases[i].m);
        sp_protocol_options o = with_keys(&ed25519, 1);
        o.host_certificates = (const sp_cert *const *)&cert;
        o.host_certificate_count = 1;
        refuse(&o, cases[i].why);
        sp_cert_unref(cert);
    }
    sp_cert *cert = make((making){ed25519, 2, 0, 0, false, false});
    const sp_cert *twice[] = {cert, cert};
    sp_protocol_options o = with_keys(&ed25519, 1);
    o.host_certificates = twice;
    o.host_certificate_count = 2;
    refuse(&o, "two host certificates");
    twice[1] = NULL;
    refuse(&o, "is missing");
    sp_cert_unref(cert);
}

static void further_keys(void **unused)
{
    (void)unused;
    sp_key *other, *many[40];
    assert_int_equal(sp_key_generate(&other, SP_KEY_ED25519, 0), 0);
    sp_key *further[] = {other, external};
    sp_protocol_options o = with_keys(&ed25519, 1);
    sp_config *c;
    o.further_host_keys = further;
    o.further_host_key_count = 2;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_int_equal(c->host_key_count, 1);
    assert_int_equal(c->all_key_count, 3);
    assert_string_equal(c->host_key_list, "ssh-ed25519");
    sp_config_unref(c);
    further[1] = ed25519;
    refuse(&o, "given twice");
    further[1] = NULL;
    refuse(&o, "not a private key");
    for (size_t i = 0; i < 40; i++)
        many[i] = other;
    o.further_host_keys = many;
    o.further_host_key_count = 32;
    refuse(&o, "more than 32");
    o.further_host_key_count = SIZE_MAX;
    refuse(&o, "more than 32");
    sp_key_unref(other);
}

/* Together they have to fit into a packet that everyone takes. */
static void too_large_together(void **unused)
{
    (void)unused;
    sp_key *keys[20];
    size_t length;
    const uint8_t *blob = sp_key_blob(large, &length);
    for (size_t i = 0; i < 20; i++) { /* alike but for a low bit of the modulus: only looked at */
        uint8_t copy[4096];
        sp_key *key;
        assert_true(length <= sizeof copy);
        memcpy(copy, blob, length);
        copy[length - 10 - i] ^= 1;
        assert_int_equal(sp_key_from_blob(&key, copy, length), 0);
        assert_int_equal(sp_key_new_external(&keys[i], key), 0);
        sp_key_unref(key);
    }
    sp_protocol_options o = with_keys(&ed25519, 1);
    sp_config *c;
    o.further_host_keys = keys;
    o.further_host_key_count = 14;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    sp_config_unref(c);
    o.further_host_key_count = 20;
    refuse(&o, "too large together");
    for (size_t i = 0; i < 20; i++)
        sp_key_unref(keys[i]);
}

static void external_keys(void **unused)
{
    (void)unused;
    sp_protocol_options o = with_keys(&external, 1);
    sp_config *c;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list, "ecdsa-sha2-nistp256");
    sp_config_unref(c);
    /* Its private half beside it is the same key. */
    sp_key *both[] = {external, ecdsa};
    o = with_keys(both, 2);
    refuse(&o, "two host keys of type");
}

/* A modulus of 16384 bits that nobody has factored, for its size alone. */
static sp_key *make_large(void)
{
    static uint8_t modulus[2048];
    spb_buffer b;
    sp_key *key = NULL;
    memset(modulus, 0xa5, sizeof modulus);
    spb_buffer_init(&b, &env, 4096);
    spw_cstring(&b, "ssh-rsa");
    spw_mpint(&b, "\1\0\1", 3);
    spw_mpint(&b, modulus, sizeof modulus);
    (void)sp_key_from_blob(&key, b.data, b.length);
    spb_buffer_free(&b);
    return key;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_come_first),  cmocka_unit_test(warns_of_the_time),
        cmocka_unit_test(refuses_bad_certificates), cmocka_unit_test(further_keys),
        cmocka_unit_test(too_large_together),       cmocka_unit_test(external_keys),
    };
    spb_env_init(&env, NULL);
    large = make_large();
    if (large == NULL || sp_key_generate(&ed25519, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&authority, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&ecdsa, SP_KEY_ECDSA_P256, 0) != 0 ||
        sp_key_generate(&rsa, SP_KEY_RSA, 2048) != 0 || sp_key_new_external(&external, ecdsa) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("transport_host_keys", tests, NULL, NULL);
    sp_key *all[] = {ed25519, ecdsa, rsa, external, authority, large};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sp_key_unref(all[i]);
    return failed;
}
