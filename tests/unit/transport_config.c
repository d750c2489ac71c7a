/* Compiling options: defaults, lists with unknown names, sizes out of range, host keys. */
#include "transport/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static sp_key *ed25519, *ecdsa;

static sp_protocol_options good(void)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    o.host_keys = &ed25519;
    o.host_key_count = 1;
    return o;
}

static void fills_in_defaults(void **unused)
{
    (void)unused;
    sp_protocol_options o = good();
    sp_config *c;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_int_equal(c->options.login_timeout_ms, 120000);
    assert_int_equal(c->options.packet_size, 32768);
    assert_string_equal(c->host_key_list, "ssh-ed25519");
    assert_string_equal(c->kex_list, sp_default_algorithms("kex"));
    assert_string_equal(c->cipher_list, sp_default_algorithms("cipher"));
    assert_string_equal(c->signature_list, sp_default_algorithms("sig"));
    assert_memory_equal(c->version, "SSH-2.0-Sallyport_", 18);
    sp_config_ref(c);
    sp_config_unref(c);
    sp_config_unref(c);
    assert_null(sp_default_algorithms("nonsense"));
    assert_null(sp_default_algorithms(NULL));
}

static void refuses_bad_options(void **unused)
{
    (void)unused;
    struct {
        const char *reason; /* must be in the sentence */
        sp_protocol_options o;
    } cases[32];
    size_t n = 0;
#define CASE(text, change)                                                                         \
    do {                                                                                           \
        cases[n].reason = (text);                                                                  \
        cases[n].o = good();                                                                       \
        sp_protocol_options *o = &cases[n].o;                                                      \
        change;                                                                                    \
        n++;                                                                                       \
    } while (0)
    sp_key *twice[2] = {ed25519, ed25519};
    sp_key *none[1] = {NULL};
    CASE("not initialised", o->size = 0);
    CASE("not initialised", o->size = sizeof *o + 1);
    CASE("no host key", o->host_key_count = 0);
    CASE("not a private key", o->host_keys = none);
    CASE("two host keys", (o->host_keys = twice, o->host_key_count = 2));
    CASE("unknown cipher name \"rot13\"", o->ciphers = "aes128-ctr,rot13");
    CASE("unknown key exchange name", o->kex_algorithms = "diffie-hellman-group1-sha1");
    CASE("list of MAC names is empty", o->macs = "");
    CASE("unknown signature algorithm name \"ssh-rsa\"", o->signature_algorithms = "ssh-rsa");
    CASE("list of host key algorithm names is empty", o->host_key_algorithms = "rsa-sha2-256");
    CASE("unknown compression", o->compressions = "lzo");
    CASE("unknown preset \"ancient\"", o->preset = "ancient");
    CASE("no host key fits", o->preset = "fips"); /* an Ed25519 key */
    CASE("unknown cipher name \"3des*\"", o->ciphers = "+3des*");
    CASE("moduli are too long",
         (o->preset = "compatible", o->moduli = "", o->moduli_length = SPT_MODULI_TEXT_MAX + 1));
    CASE("packet_size", o->packet_size = 100000);
    CASE("window_size", o->window_size = 100);
    CASE("rekey_bytes", o->rekey_bytes = 1);
    CASE("printable", o->version = "bad\nversion");
    CASE("write_buffer_low", (o->write_buffer_high = 5, o->write_buffer_low = 5));
    for (size_t i = 0; i < n; i++) {
        char reason[200];
        sp_config *c = (sp_config *)1;
        assert_true(sp_config_new(&c, &cases[i].o, reason, sizeof reason) < 0);
        assert_null(c);
        if (strstr(reason, cases[i].reason) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", reason, cases[i].reason);
    }
}

static void offers_what_its_host_keys_fit(void **unused)
{
    (void)unused;
    sp_protocol_options o = good();
    sp_key *both[2] = {ecdsa, ed25519};
    sp_config *c;
    o.host_keys = both;
    o.host_key_count = 2;
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list, "ssh-ed25519");
    sp_config_unref(c);
    o.preset = "compatible";
    assert_int_equal(sp_config_new(&c, &o, NULL, 0), 0);
    assert_string_equal(c->host_key_list, "ssh-ed25519,ecdsa-sha2-nistp256");
    assert_ptr_equal(c->host_algorithms[0].key, ed25519);
    assert_ptr_equal(c->host_algorithms[1].key, ecdsa);
    sp_config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(offers_what_its_host_keys_fit),
    };
    if (sp_key_generate(&ed25519, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&ecdsa, SP_KEY_ECDSA_P256, 0) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("transport_config", tests, NULL, NULL);
    sp_key_unref(ed25519);
    sp_key_unref(ecdsa);
    return failed;
}
