/* The steps of an authentication with certificates and lists of keys: three keys (a user's, a CA's,
 * another one), requests made to measure, and what the server trusts. Compiles key.c itself, so
 * that its allocations can fail as well: a test has it to itself. */
#ifndef CERT_STEPS_H
#define CERT_STEPS_H

#include "key/key.c"

#include "auth_steps.h"

#include "cert_stand.h"

#define CERT_NAME "ssh-ed25519-cert-v01@openssh.com"
#define NOW 1000000000u /* the stand's wall clock */

/* ---- the key room's memory ---- */

static stand *sweeping; /* whose countdown counts here, too */
static long key_live;

static inline void *key_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (sweeping != NULL && sweeping->countdown == 0)
        return NULL;
    if (sweeping != NULL && sweeping->countdown > 0)
        sweeping->countdown--;
    void *out = realloc(ptr, size == 0 ? 1 : size);
    if (out != NULL && ptr == NULL)
        key_live++;
    return out;
}

static inline void *key_alloc(void *ctx, size_t size)
{
    return key_realloc(ctx, NULL, size);
}

static inline void key_free(void *ctx, void *ptr)
{
    (void)ctx;
    if (ptr != NULL)
        key_live--;
    free(ptr);
}

/* ---- the client ---- */

static sp_key *user_key, *ca_key, *other_key;

/* A request with a certificate; its blob is returned. */
static inline spb_buffer make_request(bench *b, spb_buffer *m, const char *user,
                                      const char *algorithm, const cert_plan *plan, proof p)
{
    cert_plan full = *plan;
    spb_buffer blob;

    if (full.key == NULL)
        full.key = user_key;
    if (full.ca == NULL)
        full.ca = ca_key;
    cert_make(&full, &blob);
    begin_request(b, m, user, "publickey");
    spw_bool(m, p != PROOF_NONE);
    spw_cstring(m, algorithm);
    spw_string(m, blob.data, blob.length);
    if (p != PROOF_NONE) {
        uint8_t signature[SP_SIGNATURE_MAX];
        size_t size = sizeof signature;
        spb_buffer data;
        spb_buffer_init(&data, &b->env, 1 << 20);
        spw_string(&data, b->s->session, sizeof b->s->session);
        spw_u8(&data, SSH_MSG_USERAUTH_REQUEST);
        spw_bytes(&data, m->data, m->length);
        assert_int_equal(sp_key_sign(full.key, sp_key_type_name(full.key), data.data, data.length,
                                     signature, &size),
                         0);
        spb_buffer_free(&data);
        if (p == PROOF_BAD)
            signature[size - 1] ^= 1;
        spw_string(m, signature, size);
    }
    return blob;
}

static inline spb_buffer send_plan(bench *b, const char *user, const char *algorithm,
                                   const cert_plan *plan, proof p)
{
    spb_buffer m;
    spb_buffer blob = make_request(b, &m, user, algorithm, plan, p);

    (void)send_message(b, SSH_MSG_USERAUTH_REQUEST, &m);
    return blob;
}

static inline void send_cert(bench *b, const char *user, const cert_plan *plan, proof p)
{
    spb_buffer blob = send_plan(b, user, CERT_NAME, plan, p);

    spb_buffer_free(&blob);
}

/* Up to the permission to try, for a name that is new or not. */
static inline void may_try(bench *b)
{
    if (b->a->asked == SP_EVENT_AUTH_BEGIN && b->a->question != 0)
        decide(b, SP_EVENT_AUTH_BEGIN, SP_AUTH_REJECT);
    tell_methods(b, ALL);
}

static inline void expect_refusal(bench *b, const char *reason)
{
    char end[160];

    expect_late_failure(b, EVERYTHING);
    (void)snprintf(end, sizeof end, ": %s\n", reason);
    if (strstr(b->s->log, end) == NULL)
        fail_msg("\"%s\" is not in the log: %s", reason, b->s->log);
    b->s->log[0] = '\0';
    assert_null(spa_permissions(b->a));
    assert_null(b->a->permitted);
}

static inline int say(bench *b, uint64_t question, const sp_auth_reply *reply)
{
    return spa_answer(b->a, question, reply);
}

/* ---- what the server has ---- */

static inline sp_authorized_keys *list_of(const char *format, const sp_key *key)
{
    char line[512], text[2048];
    sp_authorized_keys *list;

    (void)sp_key_format_public(key, NULL, line, sizeof line);
    (void)snprintf(text, sizeof text, format, line);
    assert_int_equal(sp_authorized_keys_parse(&list, text, strlen(text), NULL, NULL), 0);
    assert_true(sp_authorized_keys_count(list) > 0);
    return list;
}

static inline void trust_list(bench *b, const char *format, const sp_key *key)
{
    sp_authorized_keys_free(b->s->trust.authorized);
    b->s->trust.authorized = list_of(format, key);
}

static inline void revoke_key(bench *b, size_t index, const sp_key *key)
{
    char line[512];

    (void)sp_key_format_public(key, NULL, line, sizeof line);
    assert_int_equal(sp_revoked_keys_parse(&b->s->trust.revoked[index], line, strlen(line)), 0);
}

static inline void from(bench *b, const char *peer)
{
    b->s->trust.peer = (char *)(uintptr_t)peer;
}

static inline int cert_bench_free(void **state)
{
    bench *b = *state;

    sp_authorized_keys_free(b->s->trust.authorized);
    for (size_t i = 0; i < SPA_REVOKED_LISTS; i++)
        sp_revoked_keys_unref(b->s->trust.revoked[i]);
    return bench_free(state);
}

/* ---- the group ---- */

static inline int set_up(void **unused)
{
    (void)unused;
    spb_env_init(&cert_env, NULL);
    (void)spk_env();
    default_env.allocator = (sp_allocator){NULL, key_alloc, key_realloc, key_free};
    return sp_key_generate(&user_key, SP_KEY_ED25519, 0) == 0 &&
                   sp_key_generate(&ca_key, SP_KEY_ED25519, 0) == 0 &&
                   sp_key_generate(&other_key, SP_KEY_ED25519, 0) == 0
               ? 0
               : -1;
}

static inline int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(user_key);
    sp_key_unref(ca_key);
    sp_key_unref(other_key);
    return key_live == 0 ? 0 : -1;
}

#define cert_test(f) cmocka_unit_test_setup_teardown(f, bench_new, cert_bench_free)

#endif
