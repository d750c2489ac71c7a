/* Host key rotation (OpenSSH PROTOCOL 2.5): the announcement, and proofs: what is signed, the order
 * of replies, what is refused, and the end in the middle of one. */
#include "connection_helpers.h"

#define PROVE "hostkeys-prove-00@openssh.com"

static sp_key *keys[3]; /* ed25519, P-256, RSA; private */
static sp_key *external;
static sp_key *shown[4];

static void setup(world *w)
{
    setup_world(w);
    for (size_t i = 0; i < 3; i++)
        shown[i] = keys[i];
    w->t.config.host_keys = shown;
    w->t.config.host_key_count = 1;
    w->t.config.all_key_count = 3;
    w->t.rsa_signature = "rsa-sha2-256";
    w->t.peer_version = "SSH-2.0-OpenSSH_9.2";
}

/* The next message that was sent, for the caller to free; NULL: none. */
static sent *take_sent(world *w)
{
    sent *m = w->t.first;
    if (m != NULL)
        w->t.first = m->next;
    if (w->t.first == NULL)
        w->t.last = NULL;
    return m;
}

static spb_span blob_of(const sp_key *key)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);
    return (spb_span){blob, length};
}

static void put_blob(spb_buffer *b, const sp_key *key)
{
    spb_span blob = blob_of(key);
    spw_string(b, blob.data, blob.length);
}

static void test_announcement(void **state)
{
    (void)state;
    world w;
    setup(&w);
    assert_int_equal(spn_announce_host_keys(w.c), 0);
    spb_span a = blob_of(keys[0]), b = blob_of(keys[1]), c = blob_of(keys[2]);
    expect_sent(&w, 80, "sbddd", "hostkeys-00@openssh.com", 0, a.data, a.length, b.data, b.length,
                c.data, c.length);
    w.t.config.options.no_host_key_rotation = true;
    assert_int_equal(spn_announce_host_keys(w.c), 0);
    expect_nothing_sent(&w);
    w.t.config.options.no_host_key_rotation = false;
    static const struct {
        const char *version;
        bool told;
    } clients[] = {{"SSH-2.0-TTSSH/1.5.4 Win32", false}, {"SSH-2.0-TTSSH/2.69 Win32", false},
                   {"SSH-2.0-TTSSH/2.72 Win32", false},  {"SSH-2.0-TTSSH/2.73 Win32", true},
                   {"SSH-2.0-TTSSH/2.80 Win32", true},   {"SSH-2.0-TTSSH/3.1", true},
                   {"SSH-2.0-TTSSH/2.", false},          {"SSH-2.0-", true}};
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        w.t.peer_version = clients[i].version;
        assert_int_equal(spn_announce_host_keys(w.c), 0);
        sent *m = take_sent(&w);
        assert_int_equal(m != NULL, clients[i].told);
        free(m);
    }
    end_world(&w);
}

/* The next signing question, whose data is what the protocol says. */
static uint64_t asked(world *w, const sp_key *key, const char *algorithm)
{
    sp_event *e = expect_event(w, SP_EVENT_SIGN, 0);
    spb_buffer b;
    spb_span id = spt_session_id(&w->t);
    assert_ptr_equal(e->u.sign.key, key);
    assert_string_equal(e->u.sign.algorithm, algorithm);
    spb_buffer_init(&b, &w->t.config.env, 10000);
    spw_cstring(&b, PROVE);
    spw_string(&b, id.data, id.length);
    put_blob(&b, key);
    assert_int_equal(e->u.sign.length, b.length);
    assert_memory_equal(e->u.sign.data, b.data, b.length);
    spb_buffer_free(&b);
    return e->question;
}

static void sign(world *w, uint64_t question, const sp_key *key, const char *algorithm,
                 spb_buffer *signature)
{
    uint8_t bytes[SP_SIGNATURE_MAX];
    size_t length = sizeof bytes;
    assert_int_equal(
        sp_key_sign(key, algorithm, w->event.u.sign.data, w->event.u.sign.length, bytes, &length),
        0);
    assert_int_equal(spn_answer_sign(w->c, question, bytes, length), 0);
    spw_string(signature, bytes, length);
}

static void request(world *w, size_t count, const sp_key *const *list)
{
    spb_buffer b;
    spb_buffer_init(&b, &w->t.config.env, 100000);
    for (size_t i = 0; i < count; i++)
        put_blob(&b, list[i]);
    assert_int_equal(give(w, 80, "sbr", PROVE, 1, b.data, b.length), 0);
    spb_buffer_free(&b);
}

static void test_proof(void **state)
{
    (void)state;
    world w;
    spb_buffer signatures;
    setup(&w);
    spb_buffer_init(&signatures, &w.t.config.env, 10000);
    const sp_key *const list[] = {keys[2], keys[0], keys[1]};
    static const char *const algorithms[] = {"rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"};
    request(&w, 3, list);
    give(&w, 80, "sb", "keepalive@openssh.com", 1);
    for (size_t i = 0; i < 3; i++) {
        uint64_t question = asked(&w, list[i], algorithms[i]);
        expect_no_event(&w);
        expect_nothing_sent(&w);
        /* Only its own form answers it. */
        const sp_global_reply yes = {.accepted = true};
        assert_int_equal(spn_answer_global(w.c, question, &yes), SP_EINVAL);
        sign(&w, question, list[i], algorithms[i], &signatures);
        assert_int_equal(spn_answer_sign(w.c, question, (const uint8_t *)"x", 1),
                         i < 2 ? SP_EALREADY : SP_ECONN);
    }
    expect_sent(&w, 81, "r", signatures.data, signatures.length);
    expect_sent(&w, 82, "");
    expect_no_event(&w);
    spb_buffer_free(&signatures);
    end_world(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    world w;
    sp_key *stranger;
    setup(&w);
    assert_int_equal(sp_key_generate(&stranger, SP_KEY_ED25519, 0), 0);
    const sp_key *const unknown[] = {keys[0], stranger};
    request(&w, 2, unknown);
    expect_sent(&w, 82, "");
    const sp_key *const many[] = {keys[0], keys[0], keys[0], keys[0]};
    request(&w, 4, many);
    expect_sent(&w, 82, "");
    w.t.config.options.no_host_key_rotation = true;
    request(&w, 1, many);
    expect_sent(&w, 82, "");
    w.t.config.options.no_host_key_rotation = false;
    /* A signature that could not be made, or is far too long. */
    request(&w, 2, many);
    uint64_t question = asked(&w, keys[0], "ssh-ed25519");
    assert_int_equal(spn_answer_sign(w.c, question, NULL, 0), 0);
    expect_sent(&w, 82, "");
    static const uint8_t zeros[SP_SIGNATURE_MAX + 1];
    request(&w, 1, many);
    question = asked(&w, keys[0], "ssh-ed25519");
    assert_int_equal(spn_answer_sign(w.c, question, zeros, sizeof zeros), 0);
    expect_sent(&w, 82, "");
    expect_no_event(&w);
    sp_key_unref(stranger);
    end_world(&w);
}

static void test_external_signature_is_checked(void **state)
{
    (void)state;
    world w;
    spb_buffer signature;
    setup(&w);
    spb_buffer_init(&signature, &w.t.config.env, 10000);
    shown[0] = external;
    const sp_key *const list[] = {external};
    request(&w, 1, list);
    uint64_t question = asked(&w, external, "ssh-ed25519");
    uint8_t bytes[SP_SIGNATURE_MAX];
    size_t length = sizeof bytes;
    assert_int_equal(sp_key_sign(keys[0], "ssh-ed25519", "something else", 14, bytes, &length), 0);
    assert_int_equal(spn_answer_sign(w.c, question, bytes, length), 0);
    expect_sent(&w, 82, "");
    request(&w, 1, list);
    question = asked(&w, external, "ssh-ed25519");
    sign(&w, question, keys[0], "ssh-ed25519", &signature);
    expect_sent(&w, 81, "r", signature.data, signature.length);
    spb_buffer_free(&signature);
    end_world(&w);
}

static void malformed(const void *bytes, size_t length)
{
    world w;
    setup(&w);
    assert_true(give(&w, 80, "sbr", PROVE, 1, bytes, length) < 0);
    assert_int_equal(w.t.error, SP_EPROTO);
    end_world(&w);
}

static void test_malformed(void **state)
{
    (void)state;
    malformed("", 0);
    malformed("\0\0\0", 3);
    malformed("\0\0\0\5abcd", 8);
    malformed("\0\0\0\1a\xff\xff\xff\xff", 9);
}

static void test_only_so_many(void **state)
{
    (void)state;
    world w;
    setup(&w);
    const sp_key *const list[] = {keys[0]};
    spb_buffer signature;
    spb_buffer_init(&signature, &w.t.config.env, 100000);
    for (unsigned i = 0; i < SPN_PROOFS_MAX; i++) {
        request(&w, 1, list);
        sign(&w, asked(&w, keys[0], "ssh-ed25519"), keys[0], "ssh-ed25519", &signature);
        sent *m = take_sent(&w);
        assert_non_null(m);
        assert_int_equal(m->bytes[0], 81);
        free(m);
    }
    request(&w, 1, list);
    expect_sent(&w, 82, "");
    expect_no_event(&w);
    spb_buffer_free(&signature);
    end_world(&w);
}

/* The connection is lost while a signature is being made, or between two. */
static void test_lost(void **state)
{
    (void)state;
    for (int after = 0; after < 3; after++) {
        world w;
        spb_buffer signature;
        setup(&w);
        spb_buffer_init(&signature, &w.t.config.env, 10000);
        const sp_key *const list[] = {keys[0], keys[1]};
        request(&w, 2, list);
        uint64_t question = 0;
        if (after > 0)
            question = asked(&w, keys[0], "ssh-ed25519");
        if (after > 1)
            sign(&w, question, keys[0], "ssh-ed25519", &signature);
        spn_connection_lost(w.c, NULL);
        if (after == 1)
            assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, 0)->question, question);
        expect_no_event(&w);
        assert_int_equal(spn_answer_sign(w.c, question, (const uint8_t *)"x", 1),
                         question == 0 ? SP_EINVAL : SP_ECONN);
        spb_buffer_free(&signature);
        end_world(&w);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (long n = 0; n < 20; n++) {
        world w;
        uint8_t bytes[SP_SIGNATURE_MAX];
        setup(&w);
        spb_span blob = blob_of(keys[0]);
        fail_after = n;
        int result = give(&w, 80, "sbd", PROVE, 1, blob.data, blob.length);
        if (result == 0) {
            (void)spn_next_event(w.c, &w.event);
            size_t length = sizeof bytes;
            assert_int_equal(w.event.type, SP_EVENT_SIGN);
            assert_int_equal(sp_key_sign(keys[0], "ssh-ed25519", w.event.u.sign.data,
                                         w.event.u.sign.length, bytes, &length),
                             0);
            (void)spn_answer_sign(w.c, w.event.question, bytes, length);
        }
        fail_after = -1;
        assert_true(w.t.failed || w.t.last != NULL);
        end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_announcement), cmocka_unit_test(test_proof),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_external_signature_is_checked),
        cmocka_unit_test(test_malformed),    cmocka_unit_test(test_only_so_many),
        cmocka_unit_test(test_lost),         cmocka_unit_test(test_out_of_memory),
    };
    if (sp_key_generate(&keys[0], SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&keys[1], SP_KEY_ECDSA_P256, 0) != 0 ||
        sp_key_generate(&keys[2], SP_KEY_RSA, 2048) != 0 ||
        sp_key_new_external(&external, keys[0]) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("connection_host_keys", tests, NULL, NULL);
    for (size_t i = 0; i < 3; i++)
        sp_key_unref(keys[i]);
    sp_key_unref(external);
    return failed;
}
