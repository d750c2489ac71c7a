/* The steps of an authentication as a test tells them: what the client sends, what is asked, what
 * is answered, what the client gets. */
#ifndef AUTH_STEPS_H
#define AUTH_STEPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "auth_stand.h"

#define ALL (SP_METHOD_PUBLIC_KEY | SP_METHOD_PASSWORD | SP_METHOD_KBDINT)
#define EVERYTHING "publickey,password,keyboard-interactive"

typedef struct bench {
    stand *s;
    spa_auth *a;
    spb_env env; /* the test's own memory */
    sp_event event;
} bench;

static inline int bench_new(void **state)
{
    bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->s = stand_new();
    spb_env_init(&b->env, NULL);
    assert_int_equal(spa_new(&b->a, b->s, &b->s->trust), 0);
    *state = b;
    return 0;
}

static inline int bench_free(void **state)
{
    bench *b = *state;

    spa_free(b->a);
    spb_buffer_free(&b->s->out);
    assert_int_equal(b->s->live, 0);
    assert_false(b->s->leaked_secret);
    assert_null(strstr(b->s->log, STAND_SECRET));
    stand_free_all(b->s);
    free(b);
    return 0;
}

/* ---- the client ---- */

static inline void begin_request(bench *b, spb_buffer *m, const char *user, const char *method)
{
    spb_buffer_init(m, &b->env, 1 << 20);
    spw_cstring(m, user);
    spw_cstring(m, "ssh-connection");
    spw_cstring(m, method);
}

/* Sends and frees. The bytes are given in a block of just their size, so that a read behind them
 * is found. */
static inline int send_message(bench *b, uint8_t message, spb_buffer *m)
{
    uint8_t *exact = malloc(m->length > 0 ? m->length : 1);
    spb_reader r;

    assert_non_null(exact);
    if (m->length > 0)
        memcpy(exact, m->data, m->length);
    spr_init(&r, exact, m->length);
    int result = spa_message(b->a, message, &r);
    free(exact);
    spb_buffer_free(m);
    return result;
}

static inline int send_none(bench *b, const char *user)
{
    spb_buffer m;

    begin_request(b, &m, user, "none");
    return send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static inline int send_password(bench *b, const char *user, const char *password)
{
    spb_buffer m;

    begin_request(b, &m, user, "password");
    spw_bool(&m, false);
    spw_cstring(&m, password);
    return send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static inline int send_change(bench *b, const char *user, const char *old, const char *fresh)
{
    spb_buffer m;

    begin_request(b, &m, user, "password");
    spw_bool(&m, true);
    spw_cstring(&m, old);
    spw_cstring(&m, fresh);
    return send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static inline int send_kbdint(bench *b, const char *user)
{
    spb_buffer m;

    begin_request(b, &m, user, "keyboard-interactive");
    spw_cstring(&m, "en");
    spw_cstring(&m, "pam,otp");
    return send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

static inline int send_responses(bench *b, const char *const *texts, uint32_t count)
{
    spb_buffer m;

    spb_buffer_init(&m, &b->env, 1 << 20);
    spw_u32(&m, count);
    for (uint32_t i = 0; i < count; i++)
        spw_cstring(&m, texts[i]);
    return send_message(b, SSH_MSG_USERAUTH_INFO_RESPONSE, &m);
}

typedef enum proof { PROOF_NONE, PROOF_GOOD, PROOF_BAD, PROOF_OTHER_USER } proof;

static inline int send_key(bench *b, const char *user, const char *algorithm, const sp_key *key,
                           proof p)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    spb_buffer m;

    begin_request(b, &m, user, "publickey");
    spw_bool(&m, p != PROOF_NONE);
    spw_cstring(&m, algorithm);
    spw_string(&m, blob, length);
    if (p != PROOF_NONE) {
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t size = sizeof signature;
        spb_buffer data;
        spb_buffer_init(&data, &b->env, 1 << 20);
        spw_string(&data, b->s->session, sizeof b->s->session);
        spw_u8(&data, SSH_MSG_USERAUTH_REQUEST);
        spw_bytes(&data, m.data, m.length);
        if (p == PROOF_OTHER_USER) /* signed for another name of the same length */
            data.data[4 + sizeof b->s->session + 1 + 4] ^= 1;
        assert_int_equal(sp_key_sign(key, algorithm, data.data, data.length, signature, &size), 0);
        spb_buffer_free(&data);
        if (p == PROOF_BAD)
            signature[size - 1] ^= 1;
        spw_string(&m, signature, size);
    }
    return send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
}

/* ---- the application ---- */

static inline uint64_t expect_event(bench *b, sp_event_type type)
{
    assert_true(spa_next_event(b->a, &b->event));
    assert_int_equal(b->event.type, type);
    if (type != SP_EVENT_CANCELED)
        assert_int_equal(b->event.question >> 56, 1);
    return b->event.question;
}

static inline void expect_quiet(bench *b)
{
    sp_event none;

    assert_false(spa_next_event(b->a, &none));
}

static inline int answer(bench *b, uint64_t question, sp_auth_verdict verdict)
{
    sp_auth_reply reply = {.verdict = verdict};

    return spa_answer(b->a, question, &reply);
}

static inline void decide(bench *b, sp_event_type type, sp_auth_verdict verdict)
{
    assert_int_equal(answer(b, expect_event(b, type), verdict), 0);
}

static inline void tell_methods(bench *b, unsigned set)
{
    uint64_t question = expect_event(b, SP_EVENT_AUTH_METHODS);

    assert_int_equal(spa_answer_methods(b->a, question, set), 0);
}

/* A new user name who has to authenticate, then the permission to try. */
static inline void let_try(bench *b)
{
    decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, ALL);
}

static inline int challenge(bench *b, uint64_t question, const sp_prompt *prompts, size_t count)
{
    sp_challenge c = {"name", "instructions", "", prompts, count};
    sp_auth_reply reply = {.verdict = SP_AUTH_CHALLENGE, .challenge = &c};

    return spa_answer(b->a, question, &reply);
}

/* ---- what the client gets ---- */

static inline void expect_nothing_sent(bench *b)
{
    assert_int_equal(b->s->read, b->s->record_count);
}

static inline void expect_sent(bench *b, uint8_t message, spb_reader *r)
{
    assert_true(b->s->read < b->s->record_count);
    stand_record *record = &b->s->records[b->s->read++];
    assert_int_equal(record->message, message);
    spr_init(r, record->bytes, record->length);
}

static inline void expect_failure(bench *b, const char *list, bool partial)
{
    spb_reader r;

    expect_sent(b, SSH_MSG_USERAUTH_FAILURE, &r);
    spb_span methods = spr_string(&r);
    bool more = spr_bool(&r);
    assert_true(spr_done(&r));
    assert_true(spb_span_is(methods, list));
    assert_int_equal(more, partial);
    expect_nothing_sent(b);
}

/* The failure's list, then its time. */
static inline void expect_late_failure(bench *b, const char *list)
{
    tell_methods(b, ALL);
    expect_nothing_sent(b);
    b->s->now = spa_deadline(b->a);
    assert_int_equal(spa_tick(b->a), 0);
    expect_failure(b, list, false);
    expect_quiet(b);
}

static inline void expect_success(bench *b)
{
    spb_reader r;

    expect_sent(b, SSH_MSG_USERAUTH_SUCCESS, &r);
    assert_true(spr_done(&r));
    expect_nothing_sent(b);
    assert_int_equal(b->s->authenticated, 1);
    assert_true(spa_succeeded(b->a));
    assert_false(spa_completed(b->a));
    decide(b, SP_EVENT_AUTH_COMPLETED, SP_AUTH_ACCEPT);
    assert_true(spa_completed(b->a));
    expect_quiet(b);
}

static inline void expect_failed(bench *b, int error, uint32_t code)
{
    assert_int_equal(b->s->error, error);
    assert_int_equal(b->s->code, code);
    expect_quiet(b);
}

#define bench_test(f) cmocka_unit_test_setup_teardown(f, bench_new, bench_free)

#endif
