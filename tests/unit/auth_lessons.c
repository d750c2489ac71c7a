/* What other servers got wrong in authentication, each fault by its name: what was only offered
 * counts, conditions hold for some methods only, one name is read as several, what one proof
 * permits is lost among others. */
#include "support/cert_steps.h"

/* A public key attempt, up to the question about it. */
static uint64_t ask_key(bench *b, const sp_key *key, proof p)
{
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", key, p), 0);
    may_try(b);
    return expect_event(b, SP_EVENT_AUTH_PUBLIC_KEY);
}

static void offer(bench *b, const sp_key *key, const char *options)
{
    const sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT, .options = options};
    spb_reader r;

    assert_int_equal(say(b, ask_key(b, key, PROOF_NONE), &reply), 0);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_null(b->a->permitted);
    assert_null(spa_permissions(b->a));
    assert_null(strstr(b->s->log, "accepted publickey"));
}

/* CVE-2024-45337: the application's note of the key it was last asked about is not the key that was
 * proven. What it said of an offer is nothing, for better or worse. */
static void offered_key_is_not_the_proven_one(void **state)
{
    bench *b = *state;
    const sp_auth_reply restricted = {.verdict = SP_AUTH_ACCEPT, .options = "restrict"};

    offer(b, user_key, NULL);
    assert_int_equal(say(b, ask_key(b, other_key, PROOF_GOOD), &restricted), 0);
    expect_success(b);
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PORT_FORWARDING));
}

static void options_of_an_offer_are_forgotten(void **state)
{
    bench *b = *state;

    offer(b, user_key, "restrict,command=\"offered\"");
    assert_int_equal(answer(b, ask_key(b, other_key, PROOF_GOOD), SP_AUTH_ACCEPT), 0);
    expect_success(b);
    assert_true(spk_may(spa_permissions(b->a), SPK_PERMIT_PTY));
    assert_null(spk_forced_command(spa_permissions(b->a)));
}

/* An offer that was accepted does not let in the key that was refused. */
static void offered_key_lets_no_other_in(void **state)
{
    bench *b = *state;

    offer(b, user_key, NULL);
    assert_int_equal(answer(b, ask_key(b, other_key, PROOF_GOOD), SP_AUTH_REJECT), 0);
    expect_refusal(b, "key not accepted");
    /* Nor does it by a list, whose line is looked up for each request. */
    trust_list(b, "command=\"listed\" %s", user_key);
    spb_reader r;
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_NONE), 0);
    may_try(b);
    expect_sent(b, SSH_MSG_USERAUTH_PK_OK, &r);
    assert_null(b->a->permitted);
    assert_int_equal(answer(b, ask_key(b, other_key, PROOF_GOOD), SP_AUTH_REJECT), 0);
    expect_refusal(b, "key not accepted");
    assert_false(spa_succeeded(b->a));
}

/* CVE-2026-35414: a principal is one name, whatever stands in it. */
static void principals_are_not_split_at_commas(void **state)
{
    bench *b = *state;
    static const char *const parts[] = {"alice", "root", "alice,", ",root", "alice,root "};
    spb_buffer names;

    spb_buffer_init(&names, &b->env, 256);
    spw_cstring(&names, "alice,root");
    const cert_plan plan = {.principals = {names.data, names.length}};
    sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        reply.principals = &parts[i];
        reply.principal_count = 1;
        send_cert(b, "alice", &plan, PROOF_GOOD);
        may_try(b);
        assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_CA_KEY), &reply), 0);
        expect_refusal(b, "name is not a listed principal");
        b->a->failures = 0;
    }
    /* Neither as the user's own name, nor by a list, whose option is split. */
    send_cert(b, "alice", &plan, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_refusal(b, "name is not a listed principal");
    trust_list(b, "cert-authority,principals=\"alice,root\" %s", ca_key);
    send_cert(b, "alice", &plan, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_refusal(b, "name is not a listed principal");
    /* It is good for the user whose name it is. */
    b->a->failures = 0;
    send_cert(b, "alice,root", &plan, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_ACCEPT);
    expect_success(b);
    spb_buffer_free(&names);
}

/* Go CVE-2026-46595, -56854, MINA CVE-2026-56624: the address is asked for whatever the way in. */
typedef struct way {
    const char *name;
    void (*ask)(bench *b);
    sp_event_type question;
} way;

static void by_password(bench *b)
{
    assert_int_equal(send_password(b, "alice", STAND_SECRET), 0);
}

static void by_kbdint(bench *b)
{
    assert_int_equal(send_kbdint(b, "alice"), 0);
}

static void by_key(bench *b)
{
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_GOOD), 0);
}

static void by_query(bench *b)
{
    assert_int_equal(send_key(b, "alice", "ssh-ed25519", user_key, PROOF_NONE), 0);
}

static void by_certificate(bench *b)
{
    send_cert(b, "alice", &(cert_plan){0}, PROOF_GOOD);
}

static const way ways[] = {
    {"password", by_password, SP_EVENT_AUTH_PASSWORD},
    {"keyboard-interactive", by_kbdint, SP_EVENT_AUTH_KBDINT},
    {"key", by_key, SP_EVENT_AUTH_PUBLIC_KEY},
    {"query", by_query, SP_EVENT_AUTH_PUBLIC_KEY},
    {"certificate", by_certificate, SP_EVENT_AUTH_CA_KEY},
};

static void expect_wrong_place(bench *b, const char *name)
{
    expect_late_failure(b, EVERYTHING);
    if (strstr(b->s->log, "source address not allowed") == NULL)
        fail_msg("%s: %s", name, b->s->log);
    b->s->log[0] = '\0';
    assert_null(b->a->permitted);
    assert_false(spa_succeeded(b->a));
    b->a->failures = 0;
}

static void source_address_holds_for_every_way(void **state)
{
    bench *b = *state;
    static const char *const places[] = {NULL, "198.51.100.1", "2001:db8::1"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (size_t k = 0; k < 2 * sizeof places / sizeof *places; k++) {
            sp_auth_reply reply = {.verdict = k % 2 == 0 ? SP_AUTH_ACCEPT : SP_AUTH_PARTIAL,
                                   .options = "from=\"192.0.2.0/24\""};
            from(b, places[k / 2]);
            ways[i].ask(b);
            may_try(b);
            assert_int_equal(say(b, expect_event(b, ways[i].question), &reply), 0);
            expect_wrong_place(b, ways[i].name);
        }
    }
}

/* By a list: the line's from=, the certificate's source-address, and both. */
static void source_address_holds_for_lists(void **state)
{
    bench *b = *state;
    spb_buffer critical;

    from(b, "198.51.100.1");
    trust_list(b, "from=\"192.0.2.0/24\" %s", user_key);
    by_key(b);
    may_try(b);
    decide(b, SP_EVENT_AUTH_PUBLIC_KEY, SP_AUTH_REJECT);
    expect_wrong_place(b, "key");
    trust_list(b, "cert-authority,from=\"192.0.2.0/24\" %s", ca_key);
    by_certificate(b);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_wrong_place(b, "certificate");

    spb_buffer_init(&critical, &b->env, 256);
    cert_option(&critical, "source-address", "192.0.2.0/24");
    const cert_plan plan = {.critical = {critical.data, critical.length}};
    trust_list(b, "cert-authority,from=\"198.51.100.0/24\" %s", ca_key);
    send_cert(b, "alice", &plan, PROOF_GOOD);
    may_try(b);
    expect_wrong_place(b, "source-address");
    from(b, "192.0.2.1");
    send_cert(b, "alice", &plan, PROOF_GOOD);
    may_try(b);
    decide(b, SP_EVENT_AUTH_CA_KEY, SP_AUTH_REJECT);
    expect_wrong_place(b, "from");
    spb_buffer_free(&critical);
}

/* MINA CVE-2026-56624 and its like: a forced command is not lost among several proofs, whichever
 * brings it. */
static void forced_command_outlives_other_proofs(void **state)
{
    for (int first = 0; first < 2; first++) {
        bench *b = *state;
        const char *const forced = "command=\"only\",restrict";
        sp_auth_reply reply = {.verdict = SP_AUTH_PARTIAL, .options = first == 0 ? forced : NULL};
        assert_int_equal(say(b, ask_key(b, user_key, PROOF_GOOD), &reply), 0);
        tell_methods(b, ALL);
        expect_failure(b, EVERYTHING, true);
        by_password(b);
        tell_methods(b, ALL);
        reply = (sp_auth_reply){.verdict = SP_AUTH_ACCEPT, .options = first == 0 ? NULL : forced};
        assert_int_equal(say(b, expect_event(b, SP_EVENT_AUTH_PASSWORD), &reply), 0);
        expect_success(b);
        assert_string_equal(spk_forced_command(spa_permissions(b->a)), "only");
        assert_false(spk_may(spa_permissions(b->a), SPK_PERMIT_PORT_FORWARDING));
        cert_bench_free(state);
        bench_new(state);
    }
}

/* A list has principals of its own: names besides would be forgotten, so they are no answer. */
static void list_and_names_are_no_answer(void **state)
{
    bench *b = *state;
    static const char *const names[] = {"root"};
    sp_authorized_keys *list = list_of("cert-authority %s", ca_key);
    const sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT,
                                 .authorized_keys = list,
                                 .principals = names,
                                 .principal_count = 1};

    by_certificate(b);
    may_try(b);
    uint64_t question = expect_event(b, SP_EVENT_AUTH_CA_KEY);
    assert_int_equal(say(b, question, &reply), SP_EINVAL);
    expect_nothing_sent(b);
    assert_int_equal(answer(b, question, SP_AUTH_REJECT), 0); /* it is still open */
    expect_refusal(b, "no CA vouches for the certificate");
    sp_authorized_keys_free(list);
}

/* Zero means no: an attempt with a key that nobody has read permits nothing. */
static void key_that_is_not_there_permits_nothing(void **state)
{
    bench *b = *state;
    const sp_auth_reply reply = {.verdict = SP_AUTH_ACCEPT};
    spk_permissions *permitted;
    const char *why;

    (void)ask_key(b, user_key, PROOF_GOOD);
    sp_key_unref(b->a->request.key);
    b->a->request.key = NULL;
    assert_int_not_equal(spa_reply_permits(b->a, &reply, &permitted, &why), 0);
    assert_null(permitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cert_test(offered_key_is_not_the_proven_one),
        cert_test(options_of_an_offer_are_forgotten),
        cert_test(offered_key_lets_no_other_in),
        cert_test(principals_are_not_split_at_commas),
        cert_test(source_address_holds_for_every_way),
        cert_test(source_address_holds_for_lists),
        cert_test(forced_command_outlives_other_proofs),
        cert_test(list_and_names_are_no_answer),
        cert_test(key_that_is_not_there_permits_nothing),
    };
    return cmocka_run_group_tests_name("auth_lessons", tests, set_up, tear_down);
}
