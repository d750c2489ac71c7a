/* Security keys in authentication (OpenSSH PROTOCOL.u2f): who may leave out the touch and who must
 * give a PIN, by the options of lines, of answers, of certificates and of the server; and RSA keys
 * that are too short for the server. */
#include "support/cert_steps.h"

#include "support/sk_stand.h"

#define ED25519 "sk-ssh-ed25519@openssh.com"
#define ECDSA "sk-ecdsa-sha2-nistp256@openssh.com"
#define WEBAUTHN "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
#define ED25519_CERT "sk-ssh-ed25519-cert-v01@openssh.com"
#define NO_TOUCH "security key was not touched"
#define NO_PIN "security key has not verified its user"

static sk_token token, other_token;

static int set_up_tokens(void **state)
{
    int result = set_up(state);
    sk_token_make(&token, SP_KEY_SK_ED25519, "ssh:");
    sk_token_make(&other_token, SP_KEY_SK_ECDSA_P256, "ssh:");
    return result;
}

static int tear_down_tokens(void **state)
{
    sk_token_free(&token);
    sk_token_free(&other_token);
    return tear_down(state);
}

/* ---- the client ---- */

static void send_blob(bench *b, const sk_token *t, const char *user, const char *algorithm,
                      spb_span blob, const sk_plan *p)
{
    spb_buffer m, data, signature;

    begin_request(b, &m, user, "publickey");
    spw_bool(&m, p != NULL);
    spw_cstring(&m, algorithm);
    spw_string(&m, blob.data, blob.length);
    if (p != NULL) {
        spb_buffer_init(&data, &b->env, 1 << 20);
        spb_buffer_init(&signature, &b->env, 1 << 20);
        spw_string(&data, b->s->session, sizeof b->s->session);
        spw_u8(&data, SSH_MSG_USERAUTH_REQUEST);
        spw_bytes(&data, m.data, m.length);
        sk_sign(t, p, (spb_span){data.data, data.length}, &signature);
        spw_string(&m, signature.data, signature.length);
        spb_buffer_free(&data);
        spb_buffer_free(&signature);
    }
    (void)send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static void send_token(bench *b, const sk_token *t, const char *algorithm, uint8_t flags)
{
    const sk_plan p = {.algorithm = algorithm, .flags = flags, .counter = 9};
    size_t length;
    const uint8_t *blob = sp_key_blob(t->key, &length);

    send_blob(b, t, "alice", algorithm, (spb_span){blob, length}, &p);
    may_try(b);
}

static void touch(bench *b, uint8_t flags)
{
    send_token(b, &token, ED25519, flags);
}

static void send_certificate(bench *b, const char *critical, const char *extension, uint8_t flags)
{
    spb_buffer blob, c, e;
    cert_plan plan = {.key = token.key, .ca = ca_key, .type_name = ED25519_CERT};

    spb_buffer_init(&c, &b->env, 256);
    spb_buffer_init(&e, &b->env, 256);
    if (critical != NULL)
        cert_option(&c, critical, NULL);
    if (extension != NULL)
        cert_option(&e, extension, NULL);
    plan.critical = (spb_span){c.data, c.length};
    plan.extensions = (spb_span){e.data, e.length};
    cert_make(&plan, &blob);
    send_blob(b, &token, "alice", ED25519_CERT, (spb_span){blob.data, blob.length},
              &(sk_plan){.flags = flags});
    may_try(b);
    spb_buffer_free(&blob);
    spb_buffer_free(&c);
    spb_buffer_free(&e);
}

/* ---- the application ---- */

static void accept_key(bench *b, sp_event_type type, const char *options,
                       const sp_authorized_keys *list)
{
    const sp_auth_reply reply = {
        .verdict = SP_AUTH_ACCEPT, .options = options, .authorized_keys = list};

    assert_int_equal(say(b, expect_event(b, type), &reply), 0);
}

/* Refused, and nothing is left of it. */
static void refused(bench *b, const char *reason)
{
    expect_refusal(b, reason);
    assert_null(spa_signature(b->a));
    assert_int_equal(b->a->signature.size, 0);
    b->a->failures = 0; /* these tests are not about how many */
}

static const sp_signature_info *succeeded(bench *b)
{
    expect_success(b);
    assert_non_null(spa_signature(b->a));
    assert_true(spa_signature(b->a)->security_key);
    return spa_signature(b->a);
}

/* ---- keys ---- */

static void touch_is_needed_unless_waived(void **state)
{
    bench *b = *state;

    touch(b, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    refused(b, NO_TOUCH);
    touch(b, SK_VERIFIED); /* a PIN is not a touch */
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    refused(b, NO_TOUCH);
    touch(b, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "no-pty", NULL);
    refused(b, NO_TOUCH);
    touch(b, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "no-touch-required,touch-required", NULL);
    refused(b, NO_TOUCH);
    touch(b, SK_TOUCHED);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    const sp_signature_info *info = succeeded(b);
    assert_true(info->touched);
    assert_false(info->verified || info->webauthn);
    assert_int_equal(info->counter, 9);
}

static void answer_waives_the_touch(void **state)
{
    bench *b = *state;

    touch(b, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "no-touch-required,no-pty", NULL);
    assert_false(succeeded(b)->touched);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PORT_FORWARDING));
    assert_string_equal(spk_option(spa_permissions(b->a), "no-touch-required", 0), "");
    assert_null(spk_option(spa_permissions(b->a), "no-touch-required", 1));
}

static void answer_demands_a_pin(void **state)
{
    bench *b = *state;

    touch(b, SK_TOUCHED);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "verify-required", NULL);
    refused(b, NO_PIN);
    touch(b, SK_VERIFIED);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "verify-required", NULL);
    refused(b, NO_TOUCH);
    touch(b, SK_TOUCHED | SK_VERIFIED);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "verify-required", NULL);
    assert_true(succeeded(b)->verified);
}

static void lines_say_what_is_needed(void **state)
{
    bench *b = *state;

    trust_list(b, "%s", token.key);
    touch(b, 0);
    refused(b, NO_TOUCH);
    trust_list(b, "verify-required %s", token.key);
    touch(b, SK_TOUCHED);
    refused(b, NO_PIN);
    trust_list(b, "restrict,no-touch-required %s", token.key);
    touch(b, 0);
    assert_false(succeeded(b)->touched);
}

static void line_and_answer_must_both_waive(void **state)
{
    bench *b = *state;
    static const struct {
        const char *line, *options, *reason;
    } cases[] = {
        {"%s", "no-touch-required", NO_TOUCH},
        {"no-touch-required %s", "no-pty", NO_TOUCH},
        {"no-touch-required,verify-required %s", "no-touch-required", NO_PIN},
        {"no-touch-required %s", "no-touch-required,verify-required", NO_PIN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sp_authorized_keys *list = list_of(cases[i].line, token.key);
        touch(b, 0);
        accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, cases[i].options, list);
        refused(b, cases[i].reason);
        sp_authorized_keys_free(list);
    }
    sp_authorized_keys *list = list_of("no-touch-required %s", token.key);
    touch(b, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, "no-touch-required", list);
    (void)succeeded(b);
    sp_authorized_keys_free(list);
}

static void server_demands_whatever_lines_say(void **state)
{
    bench *b = *state;

    trust_list(b, "no-touch-required %s", token.key);
    b->s->config.options.touch_required = true;
    touch(b, 0);
    refused(b, NO_TOUCH);
    b->s->config.options.verify_required = true;
    touch(b, SK_TOUCHED);
    refused(b, NO_PIN);
    touch(b, SK_TOUCHED | SK_VERIFIED);
    (void)succeeded(b);
}

static void ordinary_keys_need_neither(void **state)
{
    bench *b = *state;

    b->s->config.options.touch_required = true;
    b->s->config.options.verify_required = true;
    (void)send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    assert_false(spa_signature(b->a)->security_key);
}

static void each_algorithm(void **state)
{
    bench *b = *state;

    /* The name must fit the key, and the signature the name. */
    send_token(b, &token, ECDSA, SK_TOUCHED);
    refused(b, "key does not fit the signature algorithm");
    send_token(b, &token, WEBAUTHN, SK_TOUCHED);
    refused(b, "key does not fit the signature algorithm");
    size_t length;
    const uint8_t *blob = sp_key_blob(other_token.key, &length);
    send_blob(b, &other_token, "alice", ECDSA, (spb_span){blob, length},
              &(sk_plan){.algorithm = WEBAUTHN, .flags = SK_TOUCHED});
    may_try(b);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    refused(b, "bad signature");
    send_token(b, &other_token, WEBAUTHN, 0);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    refused(b, NO_TOUCH);
    send_token(b, &other_token, WEBAUTHN, SK_TOUCHED);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    assert_true(succeeded(b)->webauthn);
}

static void query_needs_no_touch(void **state)
{
    bench *b = *state;
    spb_reader r;
    size_t length;
    const uint8_t *blob = sp_key_blob(token.key, &length);

    send_blob(b, &token, "alice", ED25519, (spb_span){blob, length}, NULL);
    may_try(b);
    accept_key(b, SP_EVENT_AUTH_PUBLIC_KEY, NULL, NULL);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_null(spa_signature(b->a));
}

/* ---- certificates ---- */

static void certificate_and_its_line_must_both_waive(void **state)
{
    bench *b = *state;

    send_certificate(b, NULL, NULL, 0); /* a CA that the application knows */
    accept_key(b, SP_EVENT_AUTH_CA_KEY, NULL, NULL);
    refused(b, NO_TOUCH);
    send_certificate(b, NULL, NULL, 0); /* what it adds can't widen what the certificate says */
    accept_key(b, SP_EVENT_AUTH_CA_KEY, "no-touch-required", NULL);
    refused(b, NO_TOUCH);
    send_certificate(b, NULL, "no-touch-required", 0);
    accept_key(b, SP_EVENT_AUTH_CA_KEY, "no-pty", NULL);
    refused(b, NO_TOUCH);
    trust_list(b, "cert-authority %s", ca_key);
    send_certificate(b, NULL, "no-touch-required", 0);
    refused(b, NO_TOUCH);
    trust_list(b, "cert-authority,no-touch-required %s", ca_key);
    send_certificate(b, NULL, NULL, 0);
    refused(b, NO_TOUCH);
    send_certificate(b, "verify-required", "no-touch-required", 0);
    refused(b, NO_PIN);
    trust_list(b, "cert-authority,no-touch-required,verify-required %s", ca_key);
    send_certificate(b, NULL, "no-touch-required", 0);
    refused(b, NO_PIN);
    trust_list(b, "cert-authority,no-touch-required %s", ca_key);
    send_certificate(b, NULL, "no-touch-required", 0);
    assert_false(succeeded(b)->touched);
}

static void certificate_alone_may_waive(void **state)
{
    bench *b = *state;

    /* Misplaced, they are not what they look like. */
    send_certificate(b, "no-touch-required", NULL, SK_TOUCHED);
    refused(b, "unsupported critical option \"no-touch-required\"");
    send_certificate(b, NULL, "no-touch-required", 0);
    accept_key(b, SP_EVENT_AUTH_CA_KEY, NULL, NULL);
    (void)succeeded(b);
}

static uint8_t ca_flags;

static void sign_as_ca(spb_span data, spb_buffer *out)
{
    sk_sign(&other_token, &(sk_plan){.flags = ca_flags}, data, out);
}

static void a_ca_signs_with_a_touch(void **state)
{
    bench *b = *state;

    for (unsigned i = 0; i < 2; i++) {
        const cert_plan plan = {
            .key = token.key, .ca = other_token.key, .type_name = ED25519_CERT, .sign = sign_as_ca};
        spb_buffer blob;
        ca_flags = (uint8_t)i; /* SK_TOUCHED is 1 */
        cert_make(&plan, &blob);
        send_blob(b, &token, "alice", ED25519_CERT, (spb_span){blob.data, blob.length},
                  &(sk_plan){.flags = SK_TOUCHED});
        may_try(b);
        spb_buffer_free(&blob);
        if (i == 0) {
            refused(b, "CA signed without a touch");
        } else {
            accept_key(b, SP_EVENT_AUTH_CA_KEY, NULL, NULL);
            (void)succeeded(b);
        }
    }
}

/* ---- what is kept ---- */

static void partial_success_is_forgotten_with_its_name(void **state)
{
    bench *b = *state;
    const sp_auth_reply reply = {.verdict = SP_AUTH_PARTIAL};

    touch(b, SK_TOUCHED);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY), &reply), 0);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, true);
    assert_null(spa_signature(b->a)); /* not before success */
    assert_true(b->a->signature.touched);
    (void)send_none(b, "bob");
    assert_int_equal(b->a->signature.size, 0);
    expect_event(b, SP_EVENT_AUTH_BEGIN);
}

/* ---- RSA ---- */

static void rsa_below_the_limit(void **state)
{
    bench *b = *state;
    sp_key *rsa;
    spb_buffer blob;

    assert_int_equal(sp_key_generate(&rsa, SP_KEY_RSA, 2048), 0);
    b->s->config.options.rsa_bits_min = 3072;
    trust_list(b, "%s", rsa);
    (void)send_key(b, "alice", "rsa-sha2-512", rsa, PROOF_GOOD);
    may_try(b);
    refused(b, "RSA key is too short");
    (void)send_key(b, "alice", "rsa-sha2-512", rsa, PROOF_NONE);
    may_try(b);
    refused(b, "RSA key is too short");
    blob = send_plan(b, "alice", CERT_NAME, &(cert_plan){.ca = rsa}, PROOF_GOOD);
    may_try(b);
    refused(b, "RSA key is too short");
    spb_buffer_free(&blob);
    b->s->config.options.rsa_bits_min = 2048;
    (void)send_key(b, "alice", "rsa-sha2-512", rsa, PROOF_GOOD);
    may_try(b);
    expect_success(b);
    sp_key_unref(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cert_test(touch_is_needed_unless_waived),
        cert_test(answer_waives_the_touch),
        cert_test(answer_demands_a_pin),
        cert_test(lines_say_what_is_needed),
        cert_test(line_and_answer_must_both_waive),
        cert_test(server_demands_whatever_lines_say),
        cert_test(ordinary_keys_need_neither),
        cert_test(each_algorithm),
        cert_test(query_needs_no_touch),
        cert_test(certificate_and_its_line_must_both_waive),
        cert_test(certificate_alone_may_waive),
        cert_test(a_ca_signs_with_a_touch),
        cert_test(partial_success_is_forgotten_with_its_name),
        cert_test(rsa_below_the_limit),
    };
    return cmocka_run_group_tests(tests, set_up_tokens, tear_down_tokens);
}
