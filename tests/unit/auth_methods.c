/* Each authentication method through each of its answers: RFC 4252 5, 7, 8 and RFC 4256. */
#include "support/auth_steps.h"

static const sp_prompt hidden[] = {{"Password: ", false}};
static const sp_prompt two[] = {{"Name: ", true}, {"", false}};

static void expect_pk_ok(bench *b, const char *algorithm, const sp_key *key)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    spb_reader r;

    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_true(spb_span_is(spr_string(&r), algorithm));
    spb_span echoed = spr_string(&r);
    assert_true(spr_done(&r));
    assert_int_equal(echoed.length, length);
    assert_memory_equal(echoed.data, blob, length);
    expect_nothing_sent(b);
}

static void expect_challenge(bench *b, const sp_prompt *prompts, uint32_t count)
{
    spb_reader r;

    expect_sent(b, SSH_MSG_USERAUTH_INFO_REQUEST, &r);
    assert_true(spb_span_is(spr_string(&r), "name"));
    assert_true(spb_span_is(spr_string(&r), "instructions"));
    assert_true(spb_span_is(spr_string(&r), ""));
    assert_int_equal(spr_u32(&r), count);
    for (uint32_t i = 0; i < count; i++) {
        /* RFC 4256 3.2: never an empty prompt */
        assert_true(spb_span_is(spr_string(&r), prompts[i].text[0] ? prompts[i].text : " "));
        assert_int_equal(spr_bool(&r), prompts[i].echo);
    }
    assert_true(spr_done(&r));
    expect_nothing_sent(b);
}

/* ---- none, and no method at all ---- */

static void none_gets_the_list_at_once(void **state)
{
    bench *b = *state;

    assert_null(spa_username(b->a));
    assert_int_equal(send_none(b, "alice"), 0);
    expect_event(b, SP_EVENT_AUTH_BEGIN);
    assert_string_equal(b->event.u.auth.username, "alice");
    assert_string_equal(spa_username(b->a), "alice");
    assert_int_equal(answer(b, b->event.question, SP_AUTH_REJECT), 0);
    tell_methods(b, SP_METHOD_PASSWORD | SP_METHOD_KBDINT);
    expect_failure(b, "password,keyboard-interactive", false);
    assert_true(spa_deadline(b->a) == UINT64_MAX);
    expect_quiet(b);
    /* the same user is not asked for again */
    assert_int_equal(send_none(b, "alice"), 0);
    tell_methods(b, 0);
    expect_failure(b, "", false);
}

static void begin_may_let_in(void **state)
{
    bench *b = *state;

    assert_int_equal(send_none(b, "guest"), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_ACCEPT);
    expect_success(b);
}

static void begin_lets_in_whatever_the_method(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "guest", STAND_SECRET), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_ACCEPT);
    expect_success(b);
}

static void unknown_method_fails(void **state)
{
    bench *b = *state;
    spb_buffer m;

    begin_request(b, &m, "alice", "hostbased");
    spw_cstring(&m, "whatever");
    assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m), 0);
    let_try(b);
    expect_failure(b, EVERYTHING, false);
}

/* ---- password ---- */

static void password_accepted(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_string_equal(b->event.u.auth.username, "alice");
    assert_string_equal(b->event.u.auth.password, STAND_SECRET);
    uint64_t question = b->event.question;
    assert_int_equal(answer(b, question, SP_AUTH_ACCEPT), 0);
    /* what the event lent stays until the next event */
    assert_string_equal(b->event.u.auth.password, STAND_SECRET);
    assert_int_equal(answer(b, question, SP_AUTH_ACCEPT), SP_EALREADY);
    expect_success(b);
    assert_non_null(strstr(b->s->log, "accepted password for 'alice'"));
}

static void password_refused(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);
    assert_non_null(strstr(b->s->log, "failed password for 'alice'"));
}

static void password_change_required(void **state)
{
    bench *b = *state;
    sp_auth_reply reply = {
        .verdict = SP_AUTH_CHANGE_PASSWORD, .prompt = "Expired. New one?", .language = "en"};
    spb_reader r;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_int_equal(spa_answer(b->a, question, &reply), 0);
    expect_sent(b, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ, &r);
    assert_true(spb_span_is(spr_string(&r), "Expired. New one?"));
    assert_true(spb_span_is(spr_string(&r), "en"));
    assert_true(spr_done(&r));
    expect_quiet(b);

    assert_int_equal(send_change(b, "alice", STAND_SECRET, "next " STAND_SECRET), 0);
    tell_methods(b, ALL);
    question = expect_event(b, SP_EVENT_AUTH_CHANGE_PASSWORD);
    assert_string_equal(b->event.u.auth.password, STAND_SECRET);
    assert_string_equal(b->event.u.auth.new_password, "next " STAND_SECRET);
    assert_int_equal(spa_answer(b->a, question, &reply), 0); /* not good enough: again */
    expect_sent(b, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ, &r);

    assert_int_equal(send_change(b, "alice", STAND_SECRET, "better"), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_CHANGE_PASSWORD, SP_AUTH_ACCEPT);
    expect_success(b);
    assert_int_equal(b->a->failures, 0);
}

static void password_change_refused(void **state)
{
    bench *b = *state;

    assert_int_equal(send_change(b, "alice", STAND_SECRET, "x"), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_CHANGE_PASSWORD, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);
}

static void unpreparable_password_fails_unasked(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", "\xff" STAND_SECRET), 0);
    let_try(b);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(send_change(b, "alice", STAND_SECRET, "a\tb"), 0);
    tell_methods(b, ALL);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(b->a->failures, 2);
}

/* ---- publickey ---- */

static sp_key *new_key(sp_key_type type)
{
    sp_key *key = NULL;

    assert_int_equal(sp_key_generate(&key, type, type == SP_KEY_RSA ? 2048 : 0), 0);
    return key;
}

static void key_query_then_proof(void **state)
{
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_NONE), 0);
    let_try(b);
    expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY);
    assert_false(b->event.u.auth.signed_request);
    assert_true(sp_key_equal(b->event.u.auth.key, key));
    assert_false(sp_key_is_private(b->event.u.auth.key));
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_pk_ok(b, "ssh-ed25519", key);
    assert_false(spa_succeeded(b->a));
    expect_quiet(b);

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    tell_methods(b, ALL);
    expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY);
    assert_true(b->event.u.auth.signed_request);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_success(b);
    assert_non_null(strstr(b->s->log, "accepted publickey for 'alice' SHA256:"));
    sp_key_unref(key);
}

static void key_refused(void **state)
{
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_NONE), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(b->a->failures, 2);
    sp_key_unref(key);
}

/* CVE-2024-45337, CVE-2023-2283: only the proof counts, and only a good one. */
static void key_without_good_proof_fails(void **state)
{
    static const proof bad[] = {PROOF_BAD, PROOF_OTHER_USER};
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, bad[i]), 0);
        if (i == 0)
            let_try(b);
        else
            tell_methods(b, ALL);
        decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
        expect_late_failure(b, EVERYTHING);
    }
    assert_non_null(strstr(b->s->log, "bad signature"));
    sp_key_unref(key);
}

static void key_of_another_session_fails(void **state)
{
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    b->a->request.store.data[5] ^= 1; /* a byte of the session identifier */
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_late_failure(b, EVERYTHING);
    sp_key_unref(key);
}

static void key_algorithm_must_fit_and_be_enabled(void **state)
{
    static const char *const names[] = {"rsa-sha2-256", "ssh-rsa", "ecdsa-sha2-nistp256", "",
                                        "ssh-ed25519-cert-v01@openssh.com"};
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(send_key(b, "alice", names[i], key, PROOF_NONE), 0);
        if (i == 0)
            let_try(b);
        else
            tell_methods(b, ALL);
        expect_late_failure(b, EVERYTHING);
    }
    sp_key_unref(key);
}

static void disabled_algorithm_is_refused(void **state)
{
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_ED25519);

    memset(b->s->config.user_algorithms, 0, sizeof b->s->config.user_algorithms);
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    let_try(b);
    expect_late_failure(b, EVERYTHING);
    sp_key_unref(key);
}

static void rsa_key_with_its_algorithms(void **state)
{
    bench *b = *state;
    sp_key *key = new_key(SP_KEY_RSA);

    assert_int_equal(send_key(b, "alice", "ssh-rsa", key, PROOF_NONE), 0);
    let_try(b);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(send_key(b, "alice", "rsa-sha2-256", key, PROOF_NONE), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_pk_ok(b, "rsa-sha2-256", key);
    assert_int_equal(send_key(b, "alice", "rsa-sha2-512", key, PROOF_GOOD), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    sp_key_unref(key);
}

static void broken_key_blob_fails(void **state)
{
    bench *b = *state;
    spb_buffer m;

    begin_request(b, &m, "alice", "publickey");
    spw_bool(&m, false);
    spw_cstring(&m, "ssh-ed25519");
    spw_cstring(&m, "nonsense");
    assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m), 0);
    let_try(b);
    expect_late_failure(b, EVERYTHING);
}

/* ---- keyboard-interactive ---- */

static void kbdint_accepted_at_once(void **state)
{
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    expect_event(b, SP_EVENT_AUTH_KBDINT);
    assert_string_equal(b->event.u.auth.language, "en");
    assert_string_equal(b->event.u.auth.submethods, "pam,otp");
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
    expect_success(b);
}

static void kbdint_refused_at_once(void **state)
{
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_KBDINT, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);
}

static void kbdint_rounds(void **state)
{
    static const char *const first[] = {STAND_SECRET};
    static const char *const second[] = {"al\tice", ""};
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    expect_challenge(b, hidden, 1);
    expect_quiet(b);

    assert_int_equal(send_responses(b, first, 1), 0);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(b->event.u.auth.response_count, 1);
    assert_string_equal(b->event.u.auth.responses[0], STAND_SECRET);
    assert_string_equal(b->event.u.auth.username, "alice");
    assert_int_equal(challenge(b, question, two, 2), 0);
    assert_string_equal(b->event.u.auth.responses[0], STAND_SECRET); /* still lent */
    expect_challenge(b, two, 2);
    expect_quiet(b);

    assert_int_equal(send_responses(b, second, 2), 0);
    question = expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(b->event.u.auth.response_count, 2);
    assert_string_equal(b->event.u.auth.responses[0], "al\tice"); /* echoed: as it came */
    assert_string_equal(b->event.u.auth.responses[1], "");
    assert_int_equal(challenge(b, question, NULL, 0), 0); /* a message only */
    expect_challenge(b, NULL, 0);

    assert_int_equal(send_responses(b, NULL, 0), 0);
    question = expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(b->event.u.auth.response_count, 0);
    assert_int_equal(answer(b, question, SP_AUTH_ACCEPT), 0);
    expect_success(b);
}

static void kbdint_wrong_response(void **state)
{
    static const char *const texts[] = {STAND_SECRET};
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    expect_challenge(b, hidden, 1);
    b->s->now += 5000; /* the schedule counts from the response */
    assert_int_equal(send_responses(b, texts, 1), 0);
    decide(b, SP_EVENT_AUTH_KBDINT_RESPONSE, SP_AUTH_REJECT);
    tell_methods(b, ALL);
    assert_int_equal(spa_deadline(b->a), b->s->now + 25);
    b->s->now += 25;
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, EVERYTHING, false);
    assert_int_equal(b->a->failures, 1);
}

static void kbdint_unpreparable_response(void **state)
{
    static const char *const texts[] = {"\xff" STAND_SECRET};
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    expect_challenge(b, hidden, 1);
    assert_int_equal(send_responses(b, texts, 1), 0);
    expect_late_failure(b, EVERYTHING);
}

/* RFC 4256 3.4: a failure, and nobody is asked. */
static void kbdint_wrong_count(void **state)
{
    static const char *const texts[] = {"1", "2"};
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    expect_challenge(b, hidden, 1);
    assert_int_equal(send_responses(b, texts, 2), 0);
    expect_late_failure(b, EVERYTHING);
}

static void kbdint_response_while_one_is_judged(void **state)
{
    static const char *const texts[] = {"1"};
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    expect_challenge(b, hidden, 1);
    assert_int_equal(send_responses(b, texts, 1), 0);
    expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(send_responses(b, texts, 1), SP_EPROTO);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), SP_ECONN);
    expect_failed(b, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR);
}

static void kbdint_response_out_of_the_blue(void **state)
{
    bench *b = *state;

    assert_int_equal(send_responses(b, NULL, 0), SP_EPROTO);
    expect_failed(b, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR);
}

static void kbdint_bad_challenges_stay_open(void **state)
{
    static sp_prompt many[SP_PROMPTS_MAX + 1];
    static const sp_prompt not_utf8[] = {{"\xff", false}};
    bench *b = *state;
    sp_auth_reply reply = {.verdict = SP_AUTH_CHALLENGE};

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_KBDINT);
    assert_int_equal(spa_answer(b->a, question, &reply), SP_EINVAL);
    assert_int_equal(spa_answer(b->a, question, NULL), SP_EINVAL);
    assert_int_equal(challenge(b, question, many, SP_PROMPTS_MAX + 1), SP_EINVAL);
    assert_int_equal(challenge(b, question, NULL, 1), SP_EINVAL);
    assert_int_equal(challenge(b, question, not_utf8, 1), SP_EINVAL);
    assert_int_equal(answer(b, question, SP_AUTH_CHANGE_PASSWORD), SP_EINVAL);
    assert_int_equal(spa_answer_methods(b->a, question, ALL), SP_EINVAL);
    expect_nothing_sent(b);
    assert_int_equal(challenge(b, question, many, SP_PROMPTS_MAX), 0);
    assert_int_equal(b->s->record_count, 1);
}

static void kbdint_rounds_are_bounded(void **state)
{
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_KBDINT);
    for (unsigned i = 0; i < SPA_ROUNDS_MAX; i++) {
        assert_int_equal(challenge(b, question, NULL, 0), 0);
        assert_int_equal(send_responses(b, NULL, 0), 0);
        question = expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    }
    b->s->read = b->s->record_count;
    assert_int_equal(challenge(b, question, NULL, 0), 0);
    expect_late_failure(b, EVERYTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(none_gets_the_list_at_once),
        bench_test(begin_may_let_in),
        bench_test(begin_lets_in_whatever_the_method),
        bench_test(unknown_method_fails),
        bench_test(password_accepted),
        bench_test(password_refused),
        bench_test(password_change_required),
        bench_test(password_change_refused),
        bench_test(unpreparable_password_fails_unasked),
        bench_test(key_query_then_proof),
        bench_test(key_refused),
        bench_test(key_without_good_proof_fails),
        bench_test(key_of_another_session_fails),
        bench_test(key_algorithm_must_fit_and_be_enabled),
        bench_test(disabled_algorithm_is_refused),
        bench_test(rsa_key_with_its_algorithms),
        bench_test(broken_key_blob_fails),
        bench_test(kbdint_accepted_at_once),
        bench_test(kbdint_refused_at_once),
        bench_test(kbdint_rounds),
        bench_test(kbdint_wrong_response),
        bench_test(kbdint_unpreparable_response),
        bench_test(kbdint_wrong_count),
        bench_test(kbdint_response_while_one_is_judged),
        bench_test(kbdint_response_out_of_the_blue),
        bench_test(kbdint_bad_challenges_stay_open),
        bench_test(kbdint_rounds_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
