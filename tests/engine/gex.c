/* Key exchange in groups of integers: fixed ones and those that are asked for (RFC 4419), with the
 * arithmetic done at once or elsewhere; what is malformed, what is refused, and answers that come
 * late.
 */
#include "support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GROUP14 "diffie-hellman-group14-sha256"
#define EXCHANGE "diffie-hellman-group-exchange-sha256"

static void begin(test_client *c, const char *kex, bool elsewhere)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};

    client_init(c);
    c->kex_names = kex;
    o.compute_elsewhere = elsewhere;
    client_start(c, &o);
}

static void logs_in(void **unused)
{
    (void)unused;
    static const char *const methods[] = {GROUP14, EXCHANGE};
    for (size_t i = 0; i < 2; i++) {
        for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
            test_client c;
            begin(&c, methods[i], elsewhere == 1);
            client_login(&c);
            assert_int_equal(c.events[SP_EVENT_COMPUTE], elsewhere);
            sp_algorithms used;
            assert_int_equal(sp_engine_algorithms(c.engine, &used), 0);
            assert_string_equal(used.kex, methods[i]);
            /* And again, in the midst of things. */
            client_kexinit(&c);
            client_kex_init(&c);
            client_newkeys(&c);
            assert_int_equal(c.events[SP_EVENT_KEYS], 2);
            assert_int_equal(c.events[SP_EVENT_COMPUTE], 2 * elsewhere);
            assert_true(client_open_session(&c) < 1000);
            client_free(&c);
        }
    }
}

/* Curves are never computed elsewhere: the way there takes longer. */
static void only_what_is_slow(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL, true);
    client_login(&c);
    assert_int_equal(c.events[SP_EVENT_COMPUTE], 0);
    client_free(&c);
}

static void ask(test_client *c, const void *bytes, size_t length)
{
    client_version(c);
    client_kexinit(c);
    client_send(c, SSH_MSG_KEX_DH_GEX_REQUEST, bytes, length);
}

static void refuses(const void *bytes, size_t length, const char *words)
{
    test_client c;
    begin(&c, EXCHANGE, false);
    ask(&c, bytes, length);
    assert_true(c.closed);
    if (strstr(c.closed_text, words) == NULL)
        fail_msg("\"%s\" instead of \"%s\"", c.closed_text, words);
    client_free(&c);
}

static void refuses_requests(void **unused)
{
    (void)unused;
    refuses("", 0, "malformed");
    refuses("\0\0\x8\0\0\0\x8\0\0\0\x8", 11, "malformed");
    refuses("\0\0\x8\0\0\0\x8\0\0\0\x8\0x", 13, "malformed");
    refuses("\0\0\x10\0\0\0\x8\0\0\0\x20\0", 12, "malformed"); /* least above wanted */
    refuses("\0\0\x8\0\0\0\x20\0\0\0\x10\0", 12, "malformed"); /* wanted above most */
    refuses("\0\0\4\0\0\0\4\0\0\0\4\0", 12, "no group of 1024 to 1024 bits");
    refuses("\0\0\xc\0\0\0\xc\0\0\0\xc\0", 12, "no group of 3072 to 3072 bits");
    refuses("\0\0\x20\1\0\0\x20\1\xff\xff\xff\xff", 12, "no group of 8193");
}

/* Values that are no public values, in either kind of group, and messages that are cut short. */
static void refuses_values(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        size_t length;
    } bad[] = {
        {"\0\0\0\0", 4},           {"\0\0\0\1\0", 5}, {"\0\0\0\1\1", 5},  {"\0\0\0\1\x82", 5},
        {"\0\0\0\2\0\2", 6},       {"\0\0\0\2\2", 5}, {"\0\0\0\1\2x", 6}, {"", 0},
        {"\xff\xff\xff\xff\2", 5},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int exchange = 0; exchange < 2; exchange++) {
            test_client c;
            begin(&c, exchange ? EXCHANGE : GROUP14, i % 2 == 0);
            client_version(&c);
            client_kexinit(&c);
            if (exchange)
                client_gex_request(&c);
            client_send(&c, exchange ? SSH_MSG_KEX_DH_GEX_INIT : SSH_MSG_KEX_ECDH_INIT,
                        bad[i].bytes, bad[i].length);
            assert_true(c.closed);
            assert_int_equal(c.closed_error, SP_EPROTO);
            client_free(&c);
        }
    }
}

/* ---- answers ---- */

static sp_computation *kept;
static uint64_t kept_question;

static void keep(test_client *c, const sp_event *event)
{
    if (event->type != SP_EVENT_COMPUTE) {
        client_default_event(c, event);
        return;
    }
    c->events[event->type]++;
    kept = sp_computation_ref(event->u.compute.computation);
    kept_question = event->question;
}

static void send_value(test_client *c)
{
    client_version(c);
    client_kexinit(c);
    client_send(c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\1\2", 5);
    assert_int_equal(c->events[SP_EVENT_COMPUTE], 1);
}

static void waits_for_its_answer(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, GROUP14, true);
    c.on_event = keep;
    send_value(&c);
    assert_false(sp_engine_wants_input(c.engine));
    assert_int_equal(c.events[SP_EVENT_SIGN], 0);
    assert_int_equal(sp_engine_answer_computation(c.engine, kept_question + 1), SP_ECONN);
    assert_int_equal(sp_engine_answer_computation(c.engine, 1), SP_EINVAL);
    assert_int_equal(sp_engine_answer_sign(c.engine, kept_question, (const uint8_t *)"x", 1),
                     SP_ECONN);
    sp_computation_run(kept);
    sp_computation_run(kept); /* the second time nothing happens */
    assert_int_equal(sp_engine_answer_computation(c.engine, kept_question), 0);
    assert_int_equal(sp_engine_answer_computation(c.engine, kept_question), SP_ECONN);
    client_pump(&c);
    assert_int_equal(c.events[SP_EVENT_SIGN], 1);
    assert_false(c.closed);
    sp_computation_unref(kept);
    client_free(&c);
}

/* An answer without the work fails the exchange. */
static void not_computed(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, GROUP14, true);
    c.on_event = keep;
    send_value(&c);
    assert_int_equal(sp_engine_answer_computation(c.engine, kept_question), 0);
    client_pump(&c);
    assert_true(c.closed);
    sp_computation_unref(kept);
    client_free(&c);
}

/* The client goes while others compute for it: with the engine there, and when it is gone as well.
 */
static void outlives_the_connection(void **unused)
{
    (void)unused;
    for (int engine_too = 0; engine_too < 2; engine_too++) {
        test_client c;
        begin(&c, GROUP14, true);
        c.on_event = keep;
        send_value(&c);
        sp_engine_input_ended(c.engine, SP_ECONN, "gone");
        client_pump(&c);
        assert_true(c.closed);
        if (!engine_too)
            assert_int_equal(sp_engine_answer_computation(c.engine, kept_question), SP_ECONN);
        if (engine_too)
            client_free(&c);
        sp_computation_run(kept);
        sp_computation_unref(kept);
        if (!engine_too)
            client_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in),
        cmocka_unit_test(only_what_is_slow),
        cmocka_unit_test(refuses_requests),
        cmocka_unit_test(refuses_values),
        cmocka_unit_test(waits_for_its_answer),
        cmocka_unit_test(not_computed),
        cmocka_unit_test(outlives_the_connection),
    };
    return cmocka_run_group_tests_name("engine_gex", tests, NULL, NULL);
}
