/* Host keys, message by message: an external key's signature is checked before it goes out and has
 * its time; the announcement after login and a proof through the whole engine (OpenSSH PROTOCOL
 * 2.5); whatever is wrong ends in words. */
#include "support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef enum how { SIGN_WELL, SIGN_OTHER_DATA, SIGN_CUT, SIGN_NOTHING, SIGN_NEVER } how;

static sp_key *private_key, *external_key;
static how signer;
static uint64_t kept; /* the question that is never answered */

static void react(test_client *c, const sp_event *event)
{
    uint8_t signature[SP_SIGNATURE_MAX];
    size_t length = sizeof signature;

    if (event->type != SP_EVENT_SIGN) {
        client_default_event(c, event);
        return;
    }
    c->events[SP_EVENT_SIGN]++;
    kept = event->question;
    if (signer == SIGN_NEVER)
        return;
    assert_int_equal(
        sp_key_sign(private_key, event->u.sign.algorithm,
                    signer == SIGN_OTHER_DATA ? (const uint8_t *)"other" : event->u.sign.data,
                    signer == SIGN_OTHER_DATA ? 5 : event->u.sign.length, signature, &length),
        0);
    if (signer == SIGN_CUT)
        length--;
    assert_int_equal(sp_engine_answer_sign(c->engine, event->question,
                                           signer == SIGN_NOTHING ? NULL : signature, length),
                     0);
}

static void begin(test_client *c, how signs)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};

    signer = signs;
    client_init(c);
    c->on_event = react;
    o.host_keys = &external_key;
    o.host_key_count = 1;
    client_start(c, &o);
}

static void external_key_logs_in(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, SIGN_WELL);
    client_login(&c);
    assert_true(sp_engine_authenticated(c.engine));
    assert_int_equal(c.events[SP_EVENT_SIGN], 1);
    client_free(&c);
}

/* Nothing of a wrong signature reaches the client: no reply, only DISCONNECT. */
static void no_good_signature(void **unused)
{
    (void)unused;
    static const how hows[] = {SIGN_OTHER_DATA, SIGN_CUT, SIGN_NOTHING};
    for (size_t i = 0; i < 3; i++) {
        test_client c;
        begin(&c, hows[i]);
        client_version(&c);
        client_kexinit(&c);
        client_take_kexinit(&c);
        client_send(&c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\x20\x09xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 36);
        assert_true(client_receive(&c));
        assert_int_equal(c.message, SSH_MSG_DISCONNECT);
        assert_true(c.closed);
        assert_int_equal(c.closed_error, SP_ECRYPTO);
        assert_non_null(strstr(c.closed_text, hows[i] == SIGN_NOTHING ? "can't" : "wrongly"));
        assert_int_equal(sp_engine_answer_sign(c.engine, kept, (const uint8_t *)"x", 1), SP_ECONN);
        client_free(&c);
    }
}

/* After login the login's clock has stopped: a signature has a time of its own. */
static void signature_has_a_deadline(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, SIGN_WELL);
    client_login(&c);
    signer = SIGN_NEVER;
    client_kexinit(&c);
    client_take_kexinit(&c);
    client_send(&c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\x20\x09xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 36);
    assert_false(c.closed);
    assert_int_equal(c.events[SP_EVENT_SIGN], 2);
    uint64_t deadline = sp_engine_deadline(c.engine);
    assert_int_equal(deadline, c.now + 120000);
    sp_engine_tick(c.engine, deadline - 1);
    client_pump(&c);
    assert_false(c.closed);
    sp_engine_tick(c.engine, deadline);
    client_pump(&c);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ETIMEDOUT);
    assert_int_equal(sp_engine_answer_sign(c.engine, kept, (const uint8_t *)"x", 1), SP_ECONN);
    client_free(&c);
}

static void announces_and_proves(void **unused)
{
    (void)unused;
    test_client c;
    spb_buffer b;
    size_t length;
    const uint8_t *blob = sp_key_blob(external_key, &length);
    begin(&c, SIGN_WELL);
    client_login(&c);
    assert_true(client_expect(&c, SSH_MSG_GLOBAL_REQUEST));
    spb_reader r = client_reader(&c);
    assert_true(spb_span_is(spr_string(&r), "hostkeys-00@openssh.com"));
    assert_false(spr_bool(&r));
    spb_span told = spr_string(&r);
    assert_true(spr_done(&r));
    assert_int_equal(told.length, length);
    assert_memory_equal(told.data, blob, length);

    client_buffer(&c, &b);
    spw_cstring(&b, "hostkeys-prove-00@openssh.com");
    spw_bool(&b, true);
    spw_string(&b, blob, length);
    client_send_buffer(&c, SSH_MSG_GLOBAL_REQUEST, &b);
    assert_true(client_expect(&c, SSH_MSG_REQUEST_SUCCESS));
    r = client_reader(&c);
    spb_span signature = spr_string(&r);
    assert_true(spr_done(&r));
    size_t id_length;
    const uint8_t *id = sp_engine_session_id(c.engine, &id_length);
    client_buffer(&c, &b);
    spw_cstring(&b, "hostkeys-prove-00@openssh.com");
    spw_string(&b, id, id_length);
    spw_string(&b, blob, length);
    assert_true(sp_key_verify(external_key, "ssh-ed25519", b.data, b.length, signature.data,
                              signature.length));
    spb_buffer_free(&b);

    /* A signer that has gone bad: the proof fails, the connection does not. */
    signer = SIGN_OTHER_DATA;
    client_buffer(&c, &b);
    spw_cstring(&b, "hostkeys-prove-00@openssh.com");
    spw_bool(&b, true);
    spw_string(&b, blob, length);
    client_send_buffer(&c, SSH_MSG_GLOBAL_REQUEST, &b);
    assert_true(client_expect(&c, SSH_MSG_REQUEST_FAILURE));
    assert_false(c.closed);
    client_free(&c);
}

/* No host keys for those who have not logged in. */
static void announces_after_login_only(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, SIGN_WELL);
    client_handshake(&c);
    client_service(&c);
    while (client_receive(&c))
        assert_int_not_equal(c.message, SSH_MSG_GLOBAL_REQUEST);
    client_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_key_logs_in),       cmocka_unit_test(no_good_signature),
        cmocka_unit_test(signature_has_a_deadline),   cmocka_unit_test(announces_and_proves),
        cmocka_unit_test(announces_after_login_only),
    };
    if (sp_key_generate(&private_key, SP_KEY_ED25519, 0) != 0 ||
        sp_key_new_external(&external_key, private_key) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("host_keys", tests, NULL, NULL);
    sp_key_unref(private_key);
    sp_key_unref(external_key);
    return failed;
}
