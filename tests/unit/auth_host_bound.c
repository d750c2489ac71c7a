/* The method publickey-hostbound-v00@openssh.com (OpenSSH PROTOCOL 3.1): it is publickey in all
 * that counts, and bound to the host key of the first exchange. And the signature algorithms of one
 * user, with the news of them (ext-info-in-auth@openssh.com). */
#include "support/cert_steps.h"

#define METHOD "publickey-hostbound-v00@openssh.com"

typedef enum bound { BOUND_RIGHT, BOUND_OTHER, BOUND_UNSIGNED_HOST } bound;

/* A request for a key's blob, or a certificate's. BOUND_UNSIGNED_HOST: the signature is one of the
 * method publickey, which does not cover the host key. */
static void send_bound_blob(bench *b, const char *user, const char *algorithm, spb_span blob,
                            bound to, proof p)
{
    const char *host = to == BOUND_OTHER ? "the host key of another one!!!!" : STAND_HOST_KEY;
    spb_buffer m;

    begin_request(b, &m, user, METHOD);
    spw_bool(&m, p != PROOF_NONE);
    spw_cstring(&m, algorithm);
    spw_string(&m, blob.data, blob.length);
    spw_cstring(&m, host);
    if (p != PROOF_NONE) {
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t size = sizeof signature;
        spb_buffer data;
        spb_buffer_init(&data, &b->env, 1 << 20);
        spw_string(&data, b->s->session, sizeof b->s->session);
        spw_u8(&data, SSH_MSG_USERAUTH_REQUEST);
        if (to == BOUND_UNSIGNED_HOST) {
            spw_cstring(&data, user);
            spw_cstring(&data, "ssh-connection");
            spw_cstring(&data, "publickey");
            spw_bool(&data, true);
            spw_cstring(&data, algorithm);
            spw_string(&data, blob.data, blob.length);
        } else {
            spw_bytes(&data, m.data, m.length);
        }
        assert_int_equal(
            sp_key_sign(user_key, "ssh-ed25519", data.data, data.length, signature, &size), 0);
        spb_buffer_free(&data);
        if (p == PROOF_BAD)
            signature[size - 1] ^= 1;
        spw_string(&m, signature, size);
    }
    (void)send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static void send_bound(bench *b, const char *user, bound to, proof p)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(user_key, &length);

    send_bound_blob(b, user, "ssh-ed25519", (spb_span){blob, length}, to, p);
}

static void logs_in(void **state)
{
    bench *b = *state;
    spb_reader r;

    send_bound(b, "alice", BOUND_RIGHT, PROOF_NONE);
    may_try(b);
    expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY);
    assert_true(sp_key_equal(b->event.u.auth.key, user_key));
    assert_false(b->event.u.auth.signed_request);
    assert_string_equal(b->event.u.auth.algorithm, "ssh-ed25519");
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_true(spb_span_is(spr_string(&r), "ssh-ed25519"));
    (void)spr_string(&r);
    assert_true(spr_done(&r));
    assert_false(spa_succeeded(b->a));

    send_bound(b, "alice", BOUND_RIGHT, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
}

static void listed_key_logs_in(void **state)
{
    bench *b = *state;

    trust_list(b, "no-pty %s", user_key);
    send_bound(b, "alice", BOUND_RIGHT, PROOF_GOOD);
    may_try(b);
    expect_success(b);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PORT_FORWARDING));
}

static void other_host_is_refused_unasked(void **state)
{
    bench *b = *state;

    trust_list(b, "%s", user_key);
    send_bound(b, "alice", BOUND_OTHER, PROOF_GOOD);
    may_try(b);
    expect_refusal(b, "the request is bound to another host key");
    send_bound(b, "alice", BOUND_OTHER, PROOF_NONE);
    may_try(b);
    expect_refusal(b, "the request is bound to another host key");
}

static void signature_covers_the_host(void **state)
{
    bench *b = *state;

    trust_list(b, "%s", user_key);
    send_bound(b, "alice", BOUND_UNSIGNED_HOST, PROOF_GOOD);
    may_try(b);
    expect_refusal(b, "bad signature");
    send_bound(b, "alice", BOUND_RIGHT, PROOF_BAD);
    may_try(b);
    expect_refusal(b, "bad signature");
}

/* What a certificate, or the lack of an extension in it, forbids is forbidden here as well. */
static void certificates_keep_their_limits(void **state)
{
    bench *b = *state;
    spb_buffer blob;

    cert_plan plan = {.key = user_key, .ca = ca_key, .before = NOW};
    cert_make(&plan, &blob);
    send_bound_blob(b, "alice", CERT_NAME, (spb_span){blob.data, blob.length}, BOUND_RIGHT,
                    PROOF_GOOD);
    spb_buffer_free(&blob);
    may_try(b);
    expect_refusal(b, "certificate has expired");

    plan = (cert_plan){.key = user_key, .ca = ca_key, .serial = 9};
    cert_make(&plan, &blob);
    send_bound_blob(b, "alice", CERT_NAME, (spb_span){blob.data, blob.length}, BOUND_RIGHT,
                    PROOF_GOOD);
    spb_buffer_free(&blob);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    assert_int_equal(sp_cert_serial(spk_permissions_cert(spa_permissions(b->a))), 9);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
}

/* One key is one factor, whichever of the two methods shows it. */
static void key_counts_once(void **state)
{
    bench *b = *state;

    send_bound(b, "alice", BOUND_RIGHT, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_PARTIAL);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, true);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    tell_methods(b, ALL);
    b->s->now += 25;
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, EVERYTHING, false);
    assert_non_null(strstr(b->s->log, "key was used before"));
    assert_false(spa_succeeded(b->a));
}

static void revoked_key_is_refused(void **state)
{
    bench *b = *state;

    trust_list(b, "%s", user_key);
    revoke_key(b, 0, user_key);
    send_bound(b, "alice", BOUND_RIGHT, PROOF_GOOD);
    may_try(b);
    assert_false(spa_succeeded(b->a));
    expect_refusal(b, "key is revoked");
}

static void malformed_requests_end_it(void **state)
{
    bench *b = *state;
    size_t length;
    const uint8_t *blob = sp_key_blob(user_key, &length);

    for (int i = 0; i < 4; i++) {
        spb_buffer m;
        b->s->error = 0;
        begin_request(b, &m, "alice", METHOD);
        spw_bool(&m, i >= 2);
        spw_cstring(&m, "ssh-ed25519");
        spw_string(&m, blob, length);
        if (i == 1)
            spw_u32(&m, 99999); /* a host key that is not there */
        if (i == 2)
            spw_cstring(&m, STAND_HOST_KEY); /* and no signature */
        if (i == 3) {
            spw_cstring(&m, STAND_HOST_KEY);
            spw_cstring(&m, "signature");
            spw_u8(&m, 0); /* more than there should be */
        }
        assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m), SP_EPROTO);
        assert_int_equal(b->s->code, SP_DISCONNECT_PROTOCOL_ERROR);
    }
}

/* ---- the algorithms of one user ---- */

static void client_is_told(void **state)
{
    bench *b = *state;
    spb_reader r;

    assert_int_equal(send_none(b, "alice"), 0);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_BEGIN);
    assert_int_equal(spa_set_algorithms(b->a, "rsa-sha2-512,rsa-sha2-256"), 0);
    assert_int_equal(answer(b, question, SP_AUTH_REJECT), 0);
    expect_sent(b, SSH_MSG_EXT_INFO, &r);
    assert_true(spb_span_is(spr_string(&r), "rsa-sha2-512,rsa-sha2-256"));
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);

    /* Another user: no second message, and nothing of the first one's list. */
    send_bound(b, "bobby", BOUND_RIGHT, PROOF_GOOD);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    expect_nothing_sent(b);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
}

static void other_algorithms_are_refused(void **state)
{
    bench *b = *state;
    spb_reader r;

    trust_list(b, "%s", user_key);
    send_bound(b, "alice", BOUND_RIGHT, PROOF_GOOD);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_BEGIN);
    assert_int_equal(spa_set_algorithms(b->a, "rsa-sha2-512"), 0);
    assert_int_equal(answer(b, question, SP_AUTH_REJECT), 0);
    expect_sent(b, SSH_MSG_EXT_INFO, &r);
    may_try(b);
    expect_refusal(b, "signature algorithm not enabled");
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    expect_refusal(b, "signature algorithm not enabled");
    assert_int_equal(spa_set_algorithms(b->a, "ssh-ed25519"), 0);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    expect_success(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cert_test(logs_in),
        cert_test(listed_key_logs_in),
        cert_test(other_host_is_refused_unasked),
        cert_test(signature_covers_the_host),
        cert_test(certificates_keep_their_limits),
        cert_test(key_counts_once),
        cert_test(revoked_key_is_refused),
        cert_test(malformed_requests_end_it),
        cert_test(client_is_told),
        cert_test(other_algorithms_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
