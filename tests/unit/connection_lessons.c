/* What other servers got wrong about channels and global requests, each fault by its name, for what
 * we open and listen on: memory of what was refused, answers to nothing, packets without room. */
#include "connection_helpers.h"

#define MANY 100000

static const sp_open_request tcpip = {SP_OPEN_REQUEST_INIT,     .type = "forwarded-tcpip",
                                      .dest_host = "localhost", .dest_port = 8080,
                                      .orig_host = "192.0.2.1", .orig_port = 4711};

static uint32_t open_own(world *w)
{
    uint32_t channel = UINT32_MAX;
    assert_int_equal(spn_open_channel(w->c, &tcpip, NULL, &channel), 0);
    world_forget_sent(w);
    return channel;
}

static void refused_by_the_client(world *w)
{
    uint32_t ch = open_own(w);
    assert_int_equal(give(w, 92, "uuss", ch, 1u, "no", ""), 0);
    expect_event(w, SP_EVENT_OPEN_FAILED, ch);
}

static void refused_by_us(world *w)
{
    assert_int_equal(give(w, 90, "suuususu", "direct-tcpip", 7u, 1000u, 1000u, "h", 80u, "o", 1u),
                     0);
    const sp_event *e = expect_event(w, SP_EVENT_OPEN, 0);
    assert_int_equal(spn_refuse_open(w->c, e->question, 1, "no"), 0);
}

static void refused_by_the_key(world *w)
{
    spn_permit(w->c, NULL, false);
    assert_int_equal(give(w, 90, "suuususu", "direct-tcpip", 7u, 1000u, 1000u, "h", 80u, "o", 1u),
                     0);
    permit_all(w);
}

static void taken_back(world *w)
{
    uint32_t ch = open_own(w);
    assert_int_equal(spn_close_channel(w->c, ch), 0);
    assert_int_equal(give(w, 91, "uuuu", ch, 9u, 1000u, 1000u), 0);
    assert_int_equal(give(w, 97, "u", ch), 0);
    expect_event(w, SP_EVENT_CHANNEL_CLOSED, ch);
}

static void taken_back_unsent(world *w)
{
    w->t.can_send = false;
    uint32_t ch = open_own(w);
    assert_int_equal(spn_abort_channel(w->c, ch), 0);
    expect_event(w, SP_EVENT_CHANNEL_CLOSED, ch);
    w->t.can_send = true;
}

static void opened_and_closed(world *w)
{
    uint32_t ch = open_own(w);
    assert_int_equal(give(w, 91, "uuuu", ch, 9u, 1000u, 1000u), 0);
    expect_event(w, SP_EVENT_OPENED, ch);
    assert_int_equal(give(w, 97, "u", ch), 0);
    expect_event(w, SP_EVENT_CHANNEL_CLOSED, ch);
}

static void asked_to_listen(world *w)
{
    const sp_global_reply yes = {.accepted = true, .port = 1};
    const sp_event *e;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            give(w, 80, "sbsu", i < 2 ? "tcpip-forward" : "cancel-tcpip-forward", 1, "h", 0u), 0);
        e = expect_event(w, SP_EVENT_GLOBAL_REQUEST, 0);
        assert_int_equal(spn_answer_global(w->c, e->question, i == 0 ? NULL : &yes), 0);
    }
}

/* Go CVE-2026-39827, MINA CVE-2021-30129: what was refused or closed is forgotten. */
static void memory_of_what_is_over_is_given_back(void **state)
{
    (void)state;
    static void (*const rounds[])(world *) = {
        refused_by_the_client, refused_by_us,     refused_by_the_key, taken_back,
        taken_back_unsent,     opened_and_closed, asked_to_listen};

    /* Under valgrind, as tests/run says, each is slow, and leaks are seen otherwise as well. */
    int many = getenv("SALLYPORT_SLOW") == NULL ? MANY : MANY / 20;

    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        world w;
        setup_world(&w);
        size_t blocks = 0, bytes = 0;
        for (int n = 0; n < many; n++) {
            rounds[i](&w);
            world_forget_sent(&w);
            expect_no_event(&w);
            if (n == 10) {
                blocks = live_blocks;
                bytes = live_bytes;
            }
        }
        assert_int_equal(live_blocks, blocks);
        assert_int_equal(live_bytes, bytes);
        assert_int_equal(spn_channel_count(w.c), 0);
        assert_int_equal(w.c->windows, 0);
        assert_int_equal(w.c->global_count, 0);
        assert_int_equal(w.c->global_bytes, 0);
        end_world(&w);
    }
}

/* AsyncSSH, "maximum packet 0": data could never be sent, and one tries for ever. */
static void packets_without_room_are_refused(void **state)
{
    (void)state;
    for (uint32_t packet = 0; packet < 34; packet++) {
        world w;
        setup_world(&w);
        uint32_t ch = open_own(&w);
        int expected = packet < 32 ? SP_EPROTO : 0;
        assert_int_equal(give(&w, 91, "uuuu", ch, 9u, 1000u, packet), expected);
        assert_int_equal(w.t.failed, packet < 32);
        if (packet < 32)
            expect_no_event(&w);
        end_world(&w);
    }
}

/* russh CVE-2025-54804: the sum of windows, for a channel that we opened. */
static void windows_do_not_overflow(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    uint32_t ch = open_own(&w);
    assert_int_equal(give(&w, 91, "uuuu", ch, 9u, UINT32_MAX - 5, 1000u), 0);
    assert_int_equal(give(&w, 93, "uu", ch, 5u), 0);
    assert_int_equal(give(&w, 93, "uu", ch, 1u), SP_EPROTO);
    expect_failed(&w, SP_EPROTO);
    end_world(&w);
}

/* CVE-2018-10933 and its family: an answer to what nobody asked. */
static void replies_to_nothing_disconnect(void **state)
{
    (void)state;
    for (uint8_t message = 81; message <= 82; message++) {
        for (int stage = 0; stage < 3; stage++) {
            world w;
            setup_world(&w);
            if (stage == 1) /* the client's own question is not ours */
                give(&w, 80, "sbsu", "tcpip-forward", 1, "h", 80u);
            if (stage == 2) { /* one reply for each keepalive */
                assert_int_equal(spn_send_keepalive(w.c), 0);
                assert_int_equal(give(&w, message, ""), 0);
            }
            assert_int_equal(give(&w, message, ""), SP_EPROTO);
            expect_failed(&w, SP_EPROTO);
            end_world(&w);
        }
    }
}

static void answers_to_no_open_disconnect(void **state)
{
    (void)state;
    for (int stage = 0; stage < 7; stage++) {
        for (uint8_t message = 91; message <= 92; message++) {
            world w;
            setup_world(&w);
            uint32_t ch = 0;
            if (stage == 1) /* the client's own open, undecided */
                give(&w, 90, "suuu", "session", 7u, 1000u, 1000u);
            if (stage == 2)
                ch = open_session(&w, 1000, 1000);
            if (stage == 3)
                ch = open_shell(&w, 1000, 1000);
            if (stage == 4) { /* confirmed before, and its event is still to come */
                ch = open_own(&w);
                give(&w, 91, "uuuu", ch, 9u, 1000u, 1000u);
            }
            if (stage == 5) {
                ch = open_own(&w);
                give(&w, 92, "uuss", ch, 1u, "no", "");
            }
            if (stage == 6) { /* it never heard of it */
                w.t.can_send = false;
                ch = open_own(&w);
            }
            int result = message == 91 ? give(&w, 91, "uuuu", ch, 9u, 1000u, 1000u)
                                       : give(&w, 92, "uuss", ch, 1u, "no", "");
            assert_int_equal(result, SP_EPROTO);
            expect_failed(&w, SP_EPROTO);
            end_world(&w);
        }
    }
}

/* Answers carry a generation: a late one for a question that is gone does nothing. */
static void late_answers_do_nothing(void **state)
{
    (void)state;
    const sp_global_reply yes = {.accepted = true, .port = 1};
    world w;
    setup_world(&w);
    give(&w, 80, "sbsu", "tcpip-forward", 1, "h", 80u);
    uint64_t question = expect_event(&w, SP_EVENT_GLOBAL_REQUEST, 0)->question;
    assert_int_equal(spn_answer_global(w.c, question, NULL), 0);
    give(&w, 80, "sbsu", "tcpip-forward", 1, "h", 80u);
    uint64_t second = expect_event(&w, SP_EVENT_GLOBAL_REQUEST, 0)->question;
    assert_true(question != second);
    assert_int_equal(spn_answer_global(w.c, question, &yes), SP_ECONN);
    expect_sent(&w, 82, "");
    expect_nothing_sent(&w);
    spn_connection_lost(w.c, NULL);
    assert_int_equal(spn_answer_global(w.c, second, &yes), SP_ECONN);
    assert_int_equal(expect_event(&w, SP_EVENT_CANCELED, 0)->question, second);
    assert_int_equal(spn_answer_global(w.c, second, &yes), SP_ECONN);
    expect_nothing_sent(&w);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_what_is_over_is_given_back),
        cmocka_unit_test(packets_without_room_are_refused),
        cmocka_unit_test(windows_do_not_overflow),
        cmocka_unit_test(replies_to_nothing_disconnect),
        cmocka_unit_test(answers_to_no_open_disconnect),
        cmocka_unit_test(late_answers_do_nothing),
    };
    return cmocka_run_group_tests_name("connection_lessons", tests, NULL, NULL);
}
