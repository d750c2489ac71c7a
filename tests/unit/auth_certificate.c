/* Certificates and lists of keys in authentication: who is asked and who is not, each reason for a
 * refusal, what is permitted in the end, and that nothing of an attempt that failed is left
 * (PROTOCOL.certkeys, sshd(8)). */
#include "support/cert_steps.h"

/* ---- asking ---- */

static void ca_is_asked_about(void **state)
{
    bench *b = *state;
    spb_reader r;

    spb_buffer blob = send_plan(b, "alice", CERT_NAME, &(cert_plan){.serial = 5}, PROOF_NONE);
    may_try(b);
    expect_event(b, SP_EVENT_AUTH_CA_KEY);
    assert_true(sp_key_equal(b->event.u.auth.key, user_key));
    assert_true(sp_key_equal(b->event.u.auth.ca_key, ca_key));
    assert_int_equal(sp_cert_serial(b->event.u.auth.cert), 5);
    assert_string_equal(b->event.u.auth.username, "alice");
    assert_false(b->event.u.auth.signed_request);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_true(spb_span_is(spr_string(&r), CERT_NAME));
    spb_span echoed = spr_string(&r);
    assert_true(spr_done(&r));
    assert_int_equal(echoed.length, blob.length);
    assert_memory_equal(echoed.data, blob.data, blob.length);
    spb_buffer_free(&blob);
    assert_null(b->a->permitted); /* an offer is no proof */
    assert_null(spa_permissions(b->a));

    send_cert(b, "alice", &(cert_plan){.serial = 5}, PROOF_GOOD);
    may_try(b);
    expect_event(b, SP_EVENT_AUTH_CA_KEY);
    assert_true(b->event.u.auth.signed_request);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_success(b);
    assert_int_equal(sp_cert_serial(spk_permissions_cert(spa_permissions(b->a))), 5);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY)); /* it has no extensions */
}

static void refused_ca_is_never_a_bare_key(void **state)
{
    bench *b = *state;

    trust_list(b, "%s", user_key);
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_refusal(b, "no CA vouches for the certificate");
    trust_list(b, "%s", ca_key); /* a plain line is no CA */
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_refusal(b, "no CA vouches for the certificate");
}

static void question_can_be_abandoned(void **state)
{
    bench *b = *state;

    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    uint64_t old = expect_event(b, SP_EVENT_AUTH_CA_KEY);
    assert_int_equal(send_none(b, "alice"), 0);
    assert_int_equal(answer(b, old, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(expect_event(b, SP_EVENT_CANCELED), old);
    assert_int_equal(answer(b, old, SP_AUTH_ACCEPT), SP_ECONN);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
    assert_false(spa_succeeded(b->a));
}

/* ---- refused before anybody is asked ---- */

static void refused_at_once(bench *b, const cert_plan *plan, const char *reason)
{
    send_cert(b, "alice", plan, PROOF_GOOD);
    may_try(b);
    expect_refusal(b, reason);
    b->a->failures = 0; /* this test is not about how many */
}

static void bad_certificates_are_refused_unasked(void **state)
{
    bench *b = *state;
    spb_buffer names, critical;

    from(b, "192.0.2.1");
    refused_at_once(b, &(cert_plan){.type = SP_CERT_HOST}, "not a user certificate");
    refused_at_once(b, &(cert_plan){.after = NOW + 1}, "certificate is not valid yet");
    refused_at_once(b, &(cert_plan){.before = NOW}, "certificate has expired");
    refused_at_once(b, &(cert_plan){.spoil = true}, "bad CA signature");
    refused_at_once(b, &(cert_plan){.algorithm = "ssh-rsa"}, "CA signature algorithm not allowed");
    refused_at_once(b, &(cert_plan){.extra = 1}, "unusable certificate");
    refused_at_once(b, &(cert_plan){.type = 3}, "unusable certificate");
    refused_at_once(b, &(cert_plan){.principals = {(const uint8_t *)"", 0}},
                    "certificate lists no principals");
    spb_buffer_init(&names, &b->env, 256);
    spw_cstring(&names, "");
    refused_at_once(b, &(cert_plan){.principals = {names.data, names.length}},
                    "name is not a listed principal");
    spb_buffer_free(&names);
    spb_buffer_init(&critical, &b->env, 256);
    cert_option(&critical, "verify-fingers", "x");
    refused_at_once(b, &(cert_plan){.critical = {critical.data, critical.length}},
                    "unsupported critical option \"verify-fingers\"");
    spb_buffer_free(&critical);
}

static void source_address_is_the_peers(void **state)
{
    bench *b = *state;
    spb_buffer critical;

    spb_buffer_init(&critical, &b->env, 256);
    cert_option(&critical, "source-address", "192.0.2.0/24");
    const cert_plan plan = {.critical = {critical.data, critical.length}};
    refused_at_once(b, &plan, "source address not allowed"); /* nobody told where it is */
    from(b, "198.51.100.1");
    refused_at_once(b, &plan, "source address not allowed");
    from(b, "192.0.2.77");
    send_cert(b, "alice", &plan, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    spb_buffer_free(&critical);
}

static void algorithm_has_to_fit(void **state)
{
    bench *b = *state;
    static const char *const names[] = {
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "rsa-sha2-512-cert-v01@openssh.com",
    };
    spb_buffer blob;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        blob = send_plan(b, "alice", names[i], &(cert_plan){0}, PROOF_GOOD);
        spb_buffer_free(&blob);
        may_try(b);
        expect_refusal(b, "key does not fit the signature algorithm");
    }
    blob = send_plan(b, "alice", "ssh-ed25519", &(cert_plan){0}, PROOF_GOOD);
    spb_buffer_free(&blob);
    may_try(b);
    expect_refusal(b, "unusable key");
    blob = send_plan(b, "alice", "ssh-rsa-cert-v01@openssh.com", &(cert_plan){0}, PROOF_GOOD);
    spb_buffer_free(&blob);
    may_try(b);
    expect_refusal(b, "signature algorithm not enabled");
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    b->a->request.algorithm = NULL; /* as if the plain one were off */
    may_try(b);
    expect_refusal(b, "signature algorithm not enabled");
}

static void key_has_to_be_there(void **state)
{
    bench *b = *state;

    trust_list(b, "cert-authority %s", ca_key);
    send_cert(b, "alice", &(cert_plan){0}, PROOF_BAD);
    may_try(b);
    expect_refusal(b, "bad signature");
    sp_authorized_keys_free(b->s->trust.authorized);
    b->s->trust.authorized = NULL;
    send_cert(b, "alice", &(cert_plan){0}, PROOF_BAD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_refusal(b, "bad signature");
}

static void revoked_is_refused_whoever_accepts(void **state)
{
    bench *b = *state;

    trust_list(b, "cert-authority %s", ca_key);
    revoke_key(b, 0, other_key);
    revoke_key(b, 1, ca_key);
    refused_at_once(b, &(cert_plan){0}, "CA key is revoked");
    sp_revoked_keys_unref(b->s->trust.revoked[0]);
    revoke_key(b, 0, user_key);
    refused_at_once(b, &(cert_plan){0}, "key is revoked");
    trust_list(b, "%s", user_key);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    expect_refusal(b, "key is revoked");
}

/* ---- principals ---- */

static void names_are_whole_and_of_the_answer(void **state)
{
    bench *b = *state;
    static const char *const wrong[] = {"alic", "alice,bob", "ALICE", ""};
    static const char *const good[] = {"bob", "alice"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        send_cert(b, "root", &(cert_plan){0}, PROOF_GOOD);
        may_try(b);
        uint64_t question = expect_event(b, SP_EVENT_AUTH_CA_KEY);
        const sp_auth_reply reply = {
            .verdict = SP_AUTH_ACCEPT, .principals = &wrong[i], .principal_count = 1};
        assert_int_equal(say(b, question, &reply), 0);
        expect_refusal(b, "name is not a listed principal");
        b->a->failures = 0;
    }
    send_cert(b, "root", &(cert_plan){0}, PROOF_GOOD); /* by its own name */
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_refusal(b, "name is not a listed principal");
    send_cert(b, "root", &(cert_plan){0}, PROOF_GOOD); /* nobody */
    may_try(b);
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .principals = good, .principal_count = 0};
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_CA_KEY), &reply), 0);
    expect_refusal(b, "name is not a listed principal");
    reply.principal_count = 2;
    send_cert(b, "root", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_CA_KEY), &reply), 0);
    expect_success(b);
}

static void only_its_own_question_takes_principals(void **state)
{
    bench *b = *state;
    static const char *const names[] = {"alice"};
    const sp_auth_reply reply = {
        .verdict = SP_AUTH_ACCEPT, .principals = names, .principal_count = 1};

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_BEGIN), &reply), SP_EINVAL);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_REJECT), 0);
    tell_methods(b, ALL);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY);
    assert_int_equal(say(b, question, &reply), SP_EINVAL);
    assert_int_equal(answer(b, question, SP_AUTH_ACCEPT), 0); /* it stayed open */
    expect_success(b);
}

/* ---- lists ---- */

static void list_lets_in_unasked(void **state)
{
    bench *b = *state;
    spb_reader r;

    from(b, "192.0.2.1");
    trust_list(b, "cert-authority,principals=\"ops,alice\",from=\"192.0.2.*\" %s", ca_key);
    send_cert(b, "root", &(cert_plan){0}, PROOF_NONE);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, 0); /* offered all the same */
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    expect_quiet(b);
    send_cert(b, "root", &(cert_plan){0}, PROOF_GOOD);
    tell_methods(b, 0);
    expect_success(b);
    assert_string_equal(spk_option(spa_permissions(b->a), "from", 0), "192.0.2.*");
}

static void line_passed_over_says_why(void **state)
{
    bench *b = *state;

    from(b, "198.51.100.1");
    trust_list(b, "cert-authority,from=\"192.0.2.*\" %s", ca_key);
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_refusal(b, "source address not allowed");
    trust_list(b, "expiry-time=\"20010101Z\" %s", user_key);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_REJECT);
    expect_refusal(b, "key has expired");
    b->s->wall = 978220800; /* two days before */
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    expect_success(b);
}

static void list_of_a_name_goes_with_it(void **state)
{
    bench *b = *state;
    spb_reader r;

    assert_int_equal(send_none(b, "alice"), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    sp_authorized_keys *list = list_of("%s", user_key);
    spa_set_authorized(b->a, list);
    sp_authorized_keys_free(list); /* it has its own reference */
    tell_methods(b, 0);
    expect_failure(b, "publickey", false);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_NONE), 0);
    tell_methods(b, 0);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);

    assert_int_equal(send_key(b, "bob", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, 0);
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, "", false);

    trust_list(b, "%s", user_key); /* and NULL is no list, whatever the server has */
    assert_int_equal(send_none(b, "carol"), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    spa_set_authorized(b->a, NULL);
    tell_methods(b, 0);
    expect_failure(b, "", false);
}

static void answer_by_a_list(void **state)
{
    bench *b = *state;
    sp_authorized_keys *good = list_of("cert-authority,no-pty %s", ca_key);
    sp_authorized_keys *bad = list_of("cert-authority %s", other_key);
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .authorized_keys = bad};

    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_CA_KEY), &reply), 0);
    assert_int_equal(b->a->state, SPA_METHODS_LIST);
    expect_late_failure(b, EVERYTHING);
    reply.authorized_keys = good;
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PASSWORD), &reply), SP_EINVAL);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_REJECT), 0);
    expect_late_failure(b, EVERYTHING);
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_CA_KEY), &reply), 0);
    expect_success(b);
    sp_authorized_keys_free(good);
    sp_authorized_keys_free(bad);
}

/* ---- what is permitted ---- */

static void options_of_the_answer(void **state)
{
    bench *b = *state;
    static const char *const bad[] = {
        "frobnicate",
        "command=x",
        "cert-authority",
        "principals=\"a\"",
        "pty ssh-ed25519 AAAA",
        "#",
        "restrict\nssh-ed25519 AAAA",
        "command=\"x",
    };
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT};

    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    may_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_CA_KEY);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reply.options = bad[i];
        if (say(b, question, &reply) != SP_EINVAL)
            fail_msg("taken: %s", bad[i]);
    }
    reply.options = "from=\"203.0.113.1\"";
    assert_int_equal(say(b, question, &reply), 0);
    expect_refusal(b, "source address not allowed");

    reply.options = "restrict,port-forwarding,command=\"x\"";
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY), &reply), 0);
    expect_success(b);
    assert_string_equal(spk_forced_command(spa_permissions(b->a)), "x");
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PORT_FORWARDING));
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
}

static void plain_acceptance_permits_all(void **state)
{
    bench *b = *state;

    assert_null(spa_permissions(b->a));
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_ACCEPT);
    expect_success(b);
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_true(spa_environment_obeyed(b->a));
    assert_null(spk_permissions_cert(spa_permissions(b->a)));
}

static void begin_with_options(void **state)
{
    bench *b = *state;
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .options = "no-pty", .no_environment = true};

    assert_int_equal(send_none(b, "alice"), 0);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_BEGIN), &reply), 0);
    expect_success(b);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_false(spa_environment_obeyed(b->a));
}

static void begin_with_options_that_do_not_hold(void **state)
{
    bench *b = *state;
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .options = "from=\"203.0.113.1\""};

    assert_int_equal(send_none(b, "alice"), 0);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_BEGIN), &reply), 0);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
    assert_false(spa_succeeded(b->a));
}

static void partly(bench *b, const char *user, const sp_key *key, const char *options)
{
    const sp_auth_reply reply = {.verdict = SP_AUTH_PARTIAL, .options = options};

    assert_int_equal(send_key(b, user, "ssh-ed25519", key, PROOF_GOOD), 0);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY), &reply), 0);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, true);
}

static void several_proofs_permit_what_all_do(void **state)
{
    bench *b = *state;

    partly(b, "alice", user_key, "no-pty,command=\"x\"");
    partly(b, "alice", other_key, "no-port-forwarding");
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_ACCEPT);
    expect_success(b);
    const spk_permissions *p = spa_permissions(b->a);
    assert_false(spk_may(p, SPK_PERMIT_PTY));
    assert_false(spk_may(p, SPK_PERMIT_PORT_FORWARDING));
    assert_true(spk_may(p, SPK_PERMIT_X11_FORWARDING));
    assert_string_equal(spk_forced_command(p), "x");
}

static void proofs_that_contradict(void **state)
{
    bench *b = *state;
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .options = "command=\"y\""};

    partly(b, "alice", user_key, "command=\"x\"");
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    tell_methods(b, ALL);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PASSWORD), &reply), 0);
    expect_late_failure(b, EVERYTHING);
    assert_non_null(strstr(b->s->log, "forced commands differ"));
    assert_false(spa_succeeded(b->a));
}

static void nothing_is_left_of_failures(void **state)
{
    bench *b = *state;
    const sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .options = "restrict"};

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_NONE), 0);
    may_try(b);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY), &reply), 0);
    b->s->read = b->s->record_count;
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_BAD), 0);
    tell_methods(b, ALL);
    assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY), &reply), 0);
    expect_late_failure(b, EVERYTHING);
    partly(b, "bob", user_key, "restrict"); /* another name's proof */
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", other_key, PROOF_GOOD), 0);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
}

static void certified_key_counts_once(void **state)
{
    bench *b = *state;

    partly(b, "alice", user_key, NULL);
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
    tell_methods(b, ALL);
    expect_late_failure(b, EVERYTHING);
    assert_non_null(strstr(b->s->log, "key was used before"));
}

/* ---- memory ---- */

static void answer_one(bench *b, const sp_event *event)
{
    static const char *const names[] = {"bob", "alice"};
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT};

    switch (event->type) {
    case SP_EVENT_AUTH_METHODS:
        spa_answer_methods(b->a, event->question, ALL);
        return;
    case SP_EVENT_AUTH_BEGIN:
        reply.verdict = SP_AUTH_REJECT;
        break;
    case SP_EVENT_AUTH_PASSWORD:
        reply.verdict = SP_AUTH_PARTIAL;
        reply.options = "no-X11-forwarding";
        break;
    case SP_EVENT_AUTH_CA_KEY:
        reply.options = "no-pty,environment=\"A=1\",permitopen=\"a:1\"";
        reply.principals = names;
        reply.principal_count = 2;
        break;
    default:
        break;
    }
    /* As the server does it with what can't be taken. */
    if (spa_answer(b->a, event->question, &reply) == SP_EINVAL)
        answer(b, event->question, SP_AUTH_REJECT);
}

/* A password's partial success, then a certificate's by the application, with options. */
static bool cert_login(bench *b, spb_buffer *certificate)
{
    bool offered = false;

    send_password(b, "alice", STAND_SECRET);
    for (unsigned i = 0; i < 100 && !spt_failed(b->s); i++) {
        sp_event event;
        while (spa_next_event(b->a, &event))
            answer_one(b, &event);
        if (spa_completed(b->a))
            return true;
        b->s->now += 25;
        if (spt_failed(b->s) || spa_tick(b->a) != 0)
            return false;
        if (b->s->record_count == b->s->read)
            continue;
        b->s->read = b->s->record_count;
        if (offered)
            return false; /* refused: there was no memory for what it needs */
        offered = true;
        send_message(b, SSH_MSG_USERAUTH_REQUEST, certificate);
    }
    return false;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    static const char extension[] = "\0\0\0\26permit-port-forwarding\0\0\0\0"
                                    "\0\0\0\12permit-pty\0\0\0\0";
    const cert_plan plan = {.extensions = {(const uint8_t *)extension, sizeof extension - 1}};
    bool done = false;

    for (long n = 0; !done; n++) {
        bench *b = *state;
        long before = key_live;
        spb_buffer certificate;

        assert_true(n < 2000);
        from(b, "192.0.2.1");
        spb_buffer blob = make_request(b, &certificate, "alice", CERT_NAME, &plan, PROOF_GOOD);
        spb_buffer_free(&blob);
        sweeping = b->s;
        b->s->countdown = n;
        done = cert_login(b, &certificate);
        sweeping = NULL;
        b->s->countdown = -1;
        spb_buffer_free(&certificate);
        if (done) {
            const spk_permissions *p = spa_permissions(b->a);
            assert_false(spk_may(p, SPK_PERMIT_PTY));
            assert_false(spk_may(p, SPK_PERMIT_X11_FORWARDING));
            done = spk_may_open(p, "a", 1); /* the password's part may have failed */
            assert_false(spk_may_open(p, "a", 2));
        } else {
            assert_false(spa_completed(b->a));
        }
        cert_bench_free(state);
        assert_int_equal(key_live, before);
        bench_new(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cert_test(ca_is_asked_about),
        cert_test(refused_ca_is_never_a_bare_key),
        cert_test(question_can_be_abandoned),
        cert_test(bad_certificates_are_refused_unasked),
        cert_test(source_address_is_the_peers),
        cert_test(algorithm_has_to_fit),
        cert_test(key_has_to_be_there),
        cert_test(revoked_is_refused_whoever_accepts),
        cert_test(names_are_whole_and_of_the_answer),
        cert_test(only_its_own_question_takes_principals),
        cert_test(list_lets_in_unasked),
        cert_test(line_passed_over_says_why),
        cert_test(list_of_a_name_goes_with_it),
        cert_test(answer_by_a_list),
        cert_test(options_of_the_answer),
        cert_test(plain_acceptance_permits_all),
        cert_test(begin_with_options),
        cert_test(begin_with_options_that_do_not_hold),
        cert_test(several_proofs_permit_what_all_do),
        cert_test(proofs_that_contradict),
        cert_test(nothing_is_left_of_failures),
        cert_test(certified_key_counts_once),
        cert_test(no_allocation_is_taken_for_granted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
