/* The rules that hold for all authentication methods (RFC 4252 5, 5.1, 5.4): the set of methods,
 * abandoned requests, stale answers, a change of user, partial success, limits, the failure
 * schedule, malformed messages, secrets and memory. */
#include "support/auth_steps.h"

static sp_key *new_key(void)
{
    sp_key *key = NULL;

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    return key;
}

static void fail_password(bench *b, const char *user)
{
    assert_int_equal(send_password(b, user, STAND_SECRET), 0);
    if (b->a->asked == SP_EVENT_AUTH_BEGIN)
        decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_REJECT);
}

static void method_not_in_the_set_is_refused(void **state)
{
    bench *b = *state;
    sp_key *key = new_key();

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, SP_METHOD_PUBLIC_KEY);
    expect_quiet(b);
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, "publickey", false);

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    tell_methods(b, SP_METHOD_KBDINT | SP_METHOD_PASSWORD);
    expect_quiet(b);
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, "password,keyboard-interactive", false);
    assert_int_equal(b->a->failures, 2);
    sp_key_unref(key);
}

/* ---- abandoned requests ---- */

static void newer_request_abandons_a_delivered_question(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    uint64_t old = expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_int_equal(send_password(b, "alice", "newer"), 0);
    assert_int_equal(answer(b, old, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(expect_event(b, SP_EVENT_CANCELED), old);
    expect_nothing_sent(b); /* nothing is said about the older one */
    tell_methods(b, ALL);
    expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_string_equal(b->event.u.auth.password, "newer");
    assert_int_equal(answer(b, old, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(answer(b, b->event.question, SP_AUTH_REJECT), 0);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(b->a->failures, 2);
}

static void abandoned_before_it_was_told_is_not_canceled(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_ACCEPT);
    expect_success(b);
}

static void every_question_can_be_abandoned(void **state)
{
    bench *b = *state;
    uint64_t old;

    assert_int_equal(send_none(b, "alice"), 0);
    old = expect_event(b, SP_EVENT_AUTH_BEGIN);
    assert_int_equal(send_none(b, "alice"), 0);
    assert_int_equal(expect_event(b, SP_EVENT_CANCELED), old);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT); /* not answered: asked again */
    old = expect_event(b, SP_EVENT_AUTH_METHODS);
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    assert_int_equal(spa_answer_methods(b->a, old, ALL), SP_ECONN);
    assert_int_equal(expect_event(b, SP_EVENT_CANCELED), old);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_REJECT);
    old = expect_event(b, SP_EVENT_AUTH_METHODS); /* for the list */
    assert_int_equal(send_kbdint(b, "alice"), 0);
    assert_int_equal(expect_event(b, SP_EVENT_CANCELED), old);
    tell_methods(b, ALL);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), NULL, 0), 0);
    b->s->read = b->s->record_count;
    assert_int_equal(send_none(b, "alice"), 0); /* instead of responses */
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
    /* the second none, the password and the challenge, the third none; each once */
    assert_int_equal(b->a->failures, 4);
    assert_int_equal(send_responses(b, NULL, 0), SP_EPROTO);
}

static void request_behind_a_waiting_failure(void **state)
{
    bench *b = *state;

    fail_password(b, "alice");
    tell_methods(b, ALL);
    uint64_t due = spa_deadline(b->a);
    b->s->now += 3;
    assert_int_equal(send_password(b, "alice", "second"), 0);
    expect_quiet(b);
    expect_nothing_sent(b);
    assert_int_equal(spa_deadline(b->a), due); /* it comes when it would have come */
    assert_int_equal(spa_tick(b->a), 0);
    expect_nothing_sent(b);
    b->s->now = due;
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, EVERYTHING, false);
    tell_methods(b, ALL);
    expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_string_equal(b->event.u.auth.password, "second");
    assert_int_equal(answer(b, b->event.question, SP_AUTH_REJECT), 0);
    tell_methods(b, ALL);
    assert_int_equal(spa_deadline(b->a), due - 25 + 3 + 25);
}

static void only_one_request_is_parked(void **state)
{
    bench *b = *state;

    fail_password(b, "alice");
    tell_methods(b, ALL);
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    assert_int_equal(send_password(b, "bob", "third"), 0);
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, EVERYTHING, false);
    let_try(b);
    expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_string_equal(b->event.u.auth.username, "bob");
    assert_string_equal(b->event.u.auth.password, "third");
    assert_int_equal(b->a->failures, 2);
}

static void stale_answers_change_nothing(void **state)
{
    bench *b = *state;

    assert_int_equal(answer(b, 0, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(answer(b, 1, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(send_none(b, "alice"), 0);
    /* not told yet: nobody can know its number */
    assert_int_equal(answer(b, b->a->question, SP_AUTH_ACCEPT), SP_ECONN);
    uint64_t begin = expect_event(b, SP_EVENT_AUTH_BEGIN);
    assert_int_equal(answer(b, begin + 1, SP_AUTH_ACCEPT), SP_ECONN);
    assert_int_equal(answer(b, begin, SP_AUTH_PARTIAL), SP_EINVAL);
    assert_int_equal(spa_answer_methods(b->a, begin, ALL), SP_EINVAL);
    assert_int_equal(answer(b, begin, SP_AUTH_REJECT), 0);
    assert_int_equal(answer(b, begin, SP_AUTH_ACCEPT), SP_EALREADY);
    uint64_t methods = expect_event(b, SP_EVENT_AUTH_METHODS);
    assert_int_equal(answer(b, methods, SP_AUTH_ACCEPT), SP_EINVAL);
    assert_int_equal(spa_answer_methods(b->a, methods, ALL), 0);
    assert_int_equal(spa_answer_methods(b->a, methods, ALL), SP_EALREADY);
    assert_int_equal(answer(b, begin, SP_AUTH_ACCEPT), SP_ECONN);
    assert_false(spa_succeeded(b->a));
}

static void unknown_verdict_is_refused(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_PASSWORD);
    assert_int_equal(answer(b, question, SP_AUTH_CHALLENGE), SP_EINVAL);
    assert_int_equal(answer(b, question, (sp_auth_verdict)17), SP_EINVAL);
    assert_int_equal(answer(b, question, SP_AUTH_REJECT), 0);
}

/* ---- users ---- */

static void change_of_user_flushes(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_PARTIAL);
    tell_methods(b, ALL);
    expect_failure(b, "publickey,keyboard-interactive", true);

    assert_int_equal(send_password(b, "bob", STAND_SECRET), 0);
    let_try(b); /* asked for bob, and nothing of alice's success is left */
    assert_string_equal(spa_username(b->a), "bob");
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_REJECT);
    expect_late_failure(b, EVERYTHING);

    assert_int_equal(send_none(b, "alice"), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
}

static void change_of_user_ends_a_challenge(void **state)
{
    bench *b = *state;

    assert_int_equal(send_kbdint(b, "alice"), 0);
    let_try(b);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), NULL, 0), 0);
    assert_int_equal(send_none(b, "bob"), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    assert_int_equal(send_responses(b, NULL, 0), SP_EPROTO);
}

static void unpreparable_name_is_never_let_in(void **state)
{
    static const char *const names[] = {"\xff\xfe", "a\tb", "\xc3"};
    bench *b = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(send_password(b, names[i], STAND_SECRET), 0);
        expect_event(b, SP_EVENT_AUTH_BEGIN);
        assert_string_equal(b->event.u.auth.username, "");
        assert_int_equal(answer(b, b->event.question, SP_AUTH_ACCEPT), 0);
        tell_methods(b, ALL);
        expect_late_failure(b, EVERYTHING);
    }
    /* nor does the empty name inherit anything */
    assert_int_equal(send_none(b, ""), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
    assert_int_equal(b->s->authenticated, 0);
}

static void name_with_nul_is_never_let_in(void **state)
{
    bench *b = *state;
    spb_buffer m;

    spb_buffer_init(&m, &b->env, 1000);
    spw_string(&m, "root\0x", 6);
    spw_cstring(&m, "ssh-connection");
    spw_cstring(&m, "none");
    assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m), 0);
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_ACCEPT);
    tell_methods(b, ALL);
    expect_failure(b, EVERYTHING, false);
}

/* ---- partial success ---- */

static void password_and_key(void **state)
{
    bench *b = *state;
    sp_key *key = new_key();
    sp_key *other = new_key();

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_PARTIAL);
    tell_methods(b, SP_METHOD_PUBLIC_KEY | SP_METHOD_PASSWORD);
    expect_failure(b, "publickey,password", true); /* at once */
    assert_int_equal(b->a->failures, 0);

    /* the same key once more is no second factor */
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD), 0);
    tell_methods(b, ALL);
    expect_late_failure(b, EVERYTHING);
    /* another key may be */
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", other, PROOF_GOOD), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_PARTIAL);
    tell_methods(b, SP_METHOD_PASSWORD);
    expect_failure(b, "password", true);

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    tell_methods(b, SP_METHOD_PASSWORD);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_PARTIAL);
    tell_methods(b, ALL);
    expect_failure(b, "publickey,keyboard-interactive", true);
    /* the password is done, whatever the application says */
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    tell_methods(b, ALL);
    expect_quiet(b);
    b->s->now += 25;
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, "publickey,keyboard-interactive", false);

    assert_int_equal(send_kbdint(b, "alice"), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_KBDINT, SP_AUTH_ACCEPT);
    expect_success(b);
    sp_key_unref(key);
    sp_key_unref(other);
}

static void partial_query_is_only_an_offer(void **state)
{
    bench *b = *state;
    sp_key *key = new_key();

    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_NONE), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_PARTIAL);
    assert_int_equal(b->s->records[0].message, SSH_MSG_USERAUTH_PK_OK);
    assert_int_equal(b->a->done_key_count, 0);
    b->s->read = b->s->record_count;
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, PROOF_BAD), 0);
    tell_methods(b, ALL);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_PARTIAL);
    expect_late_failure(b, EVERYTHING);
    assert_int_equal(b->a->done_key_count, 0);
    sp_key_unref(key);
}

/* ---- limits ---- */

static void too_many_failures(void **state)
{
    bench *b = *state;

    b->s->config.options.max_auth_attempts = 3;
    assert_int_equal(send_none(b, "alice"), 0); /* the first none is free */
    let_try(b);
    expect_failure(b, EVERYTHING, false);
    for (int i = 0; i < 2; i++) {
        fail_password(b, "alice");
        expect_late_failure(b, EVERYTHING);
    }
    fail_password(b, "alice");
    expect_quiet(b); /* no list is needed any more */
    expect_nothing_sent(b);
    assert_int_equal(b->s->error, 0); /* on the schedule as well */
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), SP_EAUTH);
    expect_nothing_sent(b);
    expect_failed(b, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR);
    assert_int_equal(send_none(b, "alice"), SP_ECONN);
}

static void abandoned_requests_count(void **state)
{
    bench *b = *state;

    b->s->config.options.max_auth_attempts = 3;
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    assert_int_equal(send_password(b, "alice", STAND_SECRET), SP_EAUTH);
    expect_failed(b, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR);
}

static void later_nones_count(void **state)
{
    bench *b = *state;

    b->s->config.options.max_auth_attempts = 1;
    assert_int_equal(send_none(b, "alice"), 0);
    let_try(b);
    expect_failure(b, EVERYTHING, false);
    assert_int_equal(send_none(b, "alice"), 0);
    tell_methods(b, ALL);
    expect_failed(b, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR);
}

static void good_queries_end_too(void **state)
{
    bench *b = *state;
    sp_key *key = new_key();
    unsigned sent = 0;

    while (send_key(b, "alice", "ssh-ed25519", key, PROOF_NONE) == 0) {
        if (sent++ == 0)
            let_try(b);
        else
            tell_methods(b, ALL);
        decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_ACCEPT);
    }
    assert_int_equal(sent, SPA_EXTRA_REQUESTS + 6);
    expect_failed(b, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR);
    sp_key_unref(key);
}

/* ---- the schedule ---- */

static void failures_go_out_on_the_schedule(void **state)
{
    static const struct {
        uint64_t took;
        uint64_t due;
    } rows[] = {{0, 25}, {1, 25}, {24, 25}, {25, 25}, {26, 50}, {1010, 1025}};
    bench *b = *state;

    b->s->config.options.max_auth_attempts = 100;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t arrival = b->s->now;
        fail_password(b, "alice");
        b->s->now += rows[i].took;
        tell_methods(b, ALL);
        if (rows[i].took < rows[i].due) {
            expect_nothing_sent(b);
            assert_int_equal(spa_deadline(b->a), arrival + rows[i].due);
            b->s->now = arrival + rows[i].due - 1;
            assert_int_equal(spa_tick(b->a), 0);
            expect_nothing_sent(b);
            b->s->now = arrival + rows[i].due;
            assert_int_equal(spa_tick(b->a), 0);
        }
        expect_failure(b, EVERYTHING, false);
        assert_true(spa_deadline(b->a) == UINT64_MAX);
        assert_int_equal(spa_tick(b->a), 0);
        expect_nothing_sent(b);
        b->s->now += 7;
    }
}

/* ---- after success ---- */

static void after_success_requests_are_ignored(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_ACCEPT);
    assert_int_equal(send_none(b, "bob"), 0); /* even before the last word */
    expect_success(b);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(send_password(b, "root", STAND_SECRET), 0);
    expect_nothing_sent(b);
    expect_quiet(b);
    assert_string_equal(spa_username(b->a), "alice");
    assert_int_equal(spa_send_banner(b->a, "late", ""), SP_ESTATE);
    assert_int_equal(send_responses(b, NULL, 0), SP_EPROTO);
    expect_failed(b, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR);
}

static void last_word_may_refuse(void **state)
{
    bench *b = *state;

    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
    let_try(b);
    decide(b, SP_EVENT_AUTH_PASSWORD, SP_AUTH_ACCEPT);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_COMPLETED);
    assert_string_equal(b->event.u.auth.username, "alice");
    assert_int_equal(answer(b, question, SP_AUTH_PARTIAL), SP_EINVAL);
    assert_int_equal(answer(b, question, SP_AUTH_REJECT), 0);
    assert_false(spa_completed(b->a));
    expect_failed(b, SP_EAUTH, SP_DISCONNECT_BY_APPLICATION);
}

static void method_messages_of_others_are_refused(void **state)
{
    for (unsigned message = 60; message < 80; message++) {
        bench *b = *state;
        spb_buffer m;

        spb_buffer_init(&m, &b->env, 10);
        assert_int_equal(send_message(b, (uint8_t)message, &m), SP_EPROTO);
        expect_failed(b, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR);
        bench_free(state);
        bench_new(state);
    }
}

/* ---- the banner ---- */

static void banner_is_cleaned(void **state)
{
    static char huge[SPA_TEXT_MAX + 2];
    bench *b = *state;
    spb_reader r;

    assert_int_equal(spa_send_banner(b->a, "Hi\x1b[31m\a\r\n\tx\xc2\x9b\x7f\xc3\xbc", "en"), 0);
    expect_sent(b, SSH_MSG_USERAUTH_BANNER, &r);
    assert_true(spb_span_is(spr_string(&r), "Hi[31m\r\n\tx\xc3\xbc"));
    assert_true(spb_span_is(spr_string(&r), "en"));
    assert_true(spr_done(&r));
    assert_int_equal(spa_send_banner(b->a, "\xff", NULL), SP_EINVAL);
    assert_int_equal(spa_send_banner(b->a, NULL, NULL), SP_EINVAL);
    assert_int_equal(spa_send_banner(b->a, "x", "e n"), SP_EINVAL);
    memset(huge, 'x', SPA_TEXT_MAX + 1);
    assert_int_equal(spa_send_banner(b->a, huge, NULL), SP_EINVAL);
    huge[SPA_TEXT_MAX] = '\0';
    assert_int_equal(spa_send_banner(b->a, huge, NULL), 0);
    assert_int_equal(b->s->record_count, 2);
}

/* ---- malformed messages ---- */

static void valid_request(bench *b, spb_buffer *m, size_t kind, const sp_key *key)
{
    static const char *const names[] = {"none",      "password", "password", "keyboard-interactive",
                                        "publickey", "publickey"};
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);

    begin_request(b, m, "alice", names[kind]);
    if (kind == 1 || kind == 2) {
        spw_bool(m, kind == 2);
        spw_cstring(m, STAND_SECRET);
        if (kind == 2)
            spw_cstring(m, STAND_SECRET);
    } else if (kind == 3) {
        spw_cstring(m, "en");
        spw_cstring(m, "pam");
    } else if (kind >= 4) {
        spw_bool(m, kind == 5);
        spw_cstring(m, "ssh-ed25519");
        spw_string(m, blob, length);
        if (kind == 5)
            spw_cstring(m, "signature");
    }
}

static void cut_or_longer_requests_are_refused(void **state)
{
    sp_key *key = new_key();

    for (size_t kind = 0; kind < 6; kind++) {
        size_t whole = SIZE_MAX;
        for (size_t length = 0; whole == SIZE_MAX || length <= whole + 1; length++) {
            bench *b = *state;
            spb_buffer m;

            valid_request(b, &m, kind, key);
            whole = m.length;
            if (length > whole)
                spw_u8(&m, 0);
            else
                m.length = length;
            int result = send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
            if (length == whole) {
                assert_int_equal(result, 0);
                expect_event(b, SP_EVENT_AUTH_BEGIN);
            } else {
                assert_int_equal(result, SP_EPROTO);
                expect_failed(b, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR);
            }
            bench_free(state);
            bench_new(state);
        }
    }
    sp_key_unref(key);
}

static void cut_or_longer_responses_are_refused(void **state)
{
    static const sp_prompt prompts[] = {{"a", false}, {"b", true}};
    static const uint8_t good[] = {0, 0, 0, 2, 0, 0, 0, 1, 'x', 0, 0, 0, 0};

    for (size_t length = 0; length <= sizeof good + 1; length++) {
        bench *b = *state;
        spb_buffer m;

        assert_int_equal(send_kbdint(b, "alice"), 0);
        let_try(b);
        assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), prompts, 2), 0);
        spb_buffer_init(&m, &b->env, 100);
        spw_bytes(&m, good, length < sizeof good ? length : sizeof good);
        if (length > sizeof good)
            spw_u8(&m, 0);
        int result = send_message(b, SSH_MSG_USERAUTH_INFO_RESPONSE, &m);
        assert_int_equal(result, length == sizeof good ? 0 : SP_EPROTO);
        bench_free(state);
        bench_new(state);
    }
}

static void too_long_fields_are_refused(void **state)
{
    char *longer = malloc(SPA_BLOB_MAX + 1);

    assert_non_null(longer);
    memset(longer, 'a', SPA_BLOB_MAX + 1);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t extra = 0; extra < 2; extra++) {
            bench *b = *state;
            spb_buffer m;

            spb_buffer_init(&m, &b->env, 1 << 20);
            spw_string(&m, longer, kind == 0 ? SPA_USERNAME_MAX + extra : 5);
            spw_cstring(&m, "ssh-connection");
            if (kind == 1)
                spw_string(&m, longer, SPA_NAME_MAX + extra);
            else
                spw_cstring(&m, "password");
            spw_bool(&m, false);
            spw_string(&m, longer, kind == 2 ? SPA_SECRET_MAX + extra : 5);
            assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m),
                             extra == 0 ? 0 : SP_EPROTO);
            bench_free(state);
            bench_new(state);
        }
    }
    free(longer);
}

static void other_services_disconnect(void **state)
{
    bench *b = *state;
    spb_buffer m;

    spb_buffer_init(&m, &b->env, 1000);
    spw_cstring(&m, "alice");
    spw_cstring(&m, "ssh-userauth");
    spw_cstring(&m, "none");
    assert_int_equal(send_message(b, SSH_MSG_USERAUTH_REQUEST, &m), SP_EPROTO);
    expect_failed(b, SP_EPROTO, SP_DISCONNECT_SERVICE_NOT_AVAILABLE);
}

/* ---- secrets and memory ---- */

static void secrets_are_gone_with_the_next_event(void **state)
{
    static const char *const texts[] = {STAND_SECRET};
    static const sp_prompt hidden[] = {{"Password: ", false}};
    bench *b = *state;

    fail_password(b, "alice");
    expect_event(b, SP_EVENT_AUTH_METHODS);
    assert_null(b->a->request.store.data);
    assert_int_equal(send_kbdint(b, "alice"), 0); /* abandons the list */
    expect_event(b, SP_EVENT_CANCELED);
    tell_methods(b, ALL);
    assert_int_equal(challenge(b, expect_event(b, SP_EVENT_AUTH_KBDINT), hidden, 1), 0);
    assert_int_equal(send_responses(b, texts, 1), 0);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(challenge(b, question, hidden, 1), 0);
    expect_quiet(b);
    assert_null(b->a->request.store.data);
    assert_int_equal(send_responses(b, texts, 1), 0);
    expect_event(b, SP_EVENT_AUTH_KBDINT_RESPONSE);
    assert_int_equal(send_none(b, "alice"), 0); /* abandoned: gone at once */
    assert_null(b->a->request.store.data);
    assert_false(b->s->leaked_secret);
}

/* One login with some of everything. True: it went through. */
static bool long_login(bench *b, const sp_key *key)
{
    static const sp_prompt hidden[] = {{"Password: ", false}};
    static const char *const texts[] = {STAND_SECRET};
    sp_event event;
    unsigned sent = 0;

    send_password(b, "alice", STAND_SECRET);
    for (unsigned i = 0; i < 100 && !spt_failed(b->s); i++) {
        while (spa_next_event(b->a, &event)) {
            switch (event.type) {
            case SP_EVENT_AUTH_METHODS:
                spa_answer_methods(b->a, event.question, ALL);
                break;
            case SP_EVENT_AUTH_BEGIN:
                answer(b, event.question, SP_AUTH_REJECT);
                break;
            case SP_EVENT_AUTH_PASSWORD:
                answer(b, event.question, sent == 0 ? SP_AUTH_REJECT : SP_AUTH_PARTIAL);
                break;
            case SP_EVENT_AUTH_PUBLIC_KEY:
                answer(b, event.question, SP_AUTH_PARTIAL);
                break;
            case SP_EVENT_AUTH_KBDINT:
                challenge(b, event.question, hidden, 1);
                break;
            default:
                answer(b, event.question, SP_AUTH_ACCEPT);
                break;
            }
        }
        if (spa_completed(b->a))
            return true;
        if (spt_failed(b->s))
            return false;
        b->s->now += 25;
        if (spa_tick(b->a) != 0 || b->s->record_count == b->s->read)
            continue;
        b->s->read = b->s->record_count;
        switch (++sent) {
        case 1:
            send_password(b, "alice", STAND_SECRET);
            break;
        case 2:
            send_key(b, "alice", "ssh-ed25519", key, PROOF_NONE);
            break;
        case 3:
            send_key(b, "alice", "ssh-ed25519", key, PROOF_GOOD);
            break;
        case 4:
            send_kbdint(b, "alice");
            break;
        case 5:
            send_responses(b, texts, 1);
            break;
        default:
            break;
        }
    }
    return false;
}

static void no_allocation_is_taken_for_granted(void **state)
{
    sp_key *key = new_key();
    bool done = false;

    for (long n = 0; !done; n++) {
        bench *b = *state;

        assert_true(n < 1000);
        b->s->countdown = n;
        done = long_login(b, key);
        if (!done) {
            assert_int_equal(b->s->error, SP_ENOMEM);
            assert_int_equal(b->s->authenticated, 0);
        }
        bench_free(state);
        bench_new(state);
    }
    sp_key_unref(key);
}

static void no_memory_for_the_service(void **state)
{
    bench *b = *state;
    spa_auth *none;

    b->s->countdown = 0;
    assert_int_equal(spa_new(&none, b->s, &b->s->trust), SP_ENOMEM);
    assert_null(none);
    spa_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(method_not_in_the_set_is_refused),
        bench_test(newer_request_abandons_a_delivered_question),
        bench_test(abandoned_before_it_was_told_is_not_canceled),
        bench_test(every_question_can_be_abandoned),
        bench_test(request_behind_a_waiting_failure),
        bench_test(only_one_request_is_parked),
        bench_test(stale_answers_change_nothing),
        bench_test(unknown_verdict_is_refused),
        bench_test(change_of_user_flushes),
        bench_test(change_of_user_ends_a_challenge),
        bench_test(unpreparable_name_is_never_let_in),
        bench_test(name_with_nul_is_never_let_in),
        bench_test(password_and_key),
        bench_test(partial_query_is_only_an_offer),
        bench_test(too_many_failures),
        bench_test(abandoned_requests_count),
        bench_test(later_nones_count),
        bench_test(good_queries_end_too),
        bench_test(failures_go_out_on_the_schedule),
        bench_test(after_success_requests_are_ignored),
        bench_test(last_word_may_refuse),
        bench_test(method_messages_of_others_are_refused),
        bench_test(banner_is_cleaned),
        bench_test(cut_or_longer_requests_are_refused),
        bench_test(cut_or_longer_responses_are_refused),
        bench_test(too_long_fields_are_refused),
        bench_test(other_services_disconnect),
        bench_test(secrets_are_gone_with_the_next_event),
        bench_test(no_allocation_is_taken_for_granted),
        bench_test(no_memory_for_the_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
