/* A whole life of two channels with the n-th allocation failing, for all n: the connection fails
 * with SP_ENOMEM, and nothing crashes or leaks. */
#include "connection_helpers.h"

static uint8_t bytes[40000];

static void pull(world *w)
{
    while (spn_next_event(w->c, &w->event)) {
        if (w->event.type == SP_EVENT_OPEN)
            (void)spn_accept_open(w->c, w->event.question, NULL);
        else if (w->event.type == SP_EVENT_REQUEST && w->event.question != 0)
            (void)spn_answer_request(w->c, w->event.question, true);
        else if (w->event.type == SP_EVENT_GLOBAL_REQUEST)
            (void)spn_answer_global(w->c, w->event.question,
                                    &(sp_global_reply){.accepted = true, .port = 7});
    }
}

/* Channels that we open. An open may fail for lack of memory and leave the connection as it is. */
static void live_own(world *w)
{
    static const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = "forwarded-tcpip"};
    uint32_t ch;
    give(w, 80, "sbsu", "tcpip-forward", 1, "h", 0u);
    give(w, 80, "sb", "keepalive@openssh.com", 1);
    pull(w);
    w->t.can_send = false;
    for (int i = 0; i < 3; i++) {
        if (spn_open_channel(w->c, &what, NULL, &ch) == SP_ENOMEM)
            spt_fail(&w->t, SP_ENOMEM, 11, "out of memory");
        w->t.can_send = true;
        spn_flush(w->c);
        if (!w->t.failed)
            i == 0 ? give(w, 91, "uuuu", ch, 500u, 100u, 100u)
                   : give(w, 92, "uuss", ch, 1u, "no", "");
    }
}

static void live(world *w)
{
    const uint8_t modes[] = {53, 0, 0, 0, 1, 0};
    for (uint32_t ch = 0; ch < 6; ch++)
        give(w, 90, "suuu", "session", ch, 100u, 100u);
    pull(w);
    for (uint32_t ch = 0; ch < 2; ch++) {
        give(w, 98, "usbsuuuud", ch, "pty-req", 1, "xterm", 1u, 2u, 3u, 4u, modes, sizeof modes);
        give(w, 98, "usbss", ch, "env", 1, "A", "B");
        give(w, 98, "usbs", ch, "exec", 1, "command");
        give(w, 94, "ud", ch, bytes, (size_t)30000);
        pull(w);
    }
    spn_pause_reading(w->c, 0);
    give(w, 94, "ud", 0u, bytes, (size_t)20000);
    give(w, 95, "uud", 0u, 1u, bytes, (size_t)100);
    spn_write(w->c, 0, 0, bytes, 5000);
    spn_write(w->c, 0, 1, bytes, 5000);
    spn_write(w->c, 1, 0, bytes, 500);
    spn_resume_reading(w->c, 0);
    pull(w);
    give(w, 98, "usb", 0u, "eow@openssh.com", 0);
    give(w, 93, "uu", 0u, 100000u);
    spn_exit_with_signal(w->c, 0, "TERM", false, "message", "en");
    spn_exit(w->c, 1, 5);
    give(w, 93, "uu", 1u, 100000u);
    pull(w);
    give(w, 97, "u", 0u);
    live_own(w);
    pull(w);
    spn_connection_lost(w->c, NULL);
    pull(w);
}

static void test_nth_allocation(void **state)
{
    (void)state;
    bool failed = true;
    for (long n = 0; failed; n++) {
        world w;
        live_blocks = 0;
        fail_after = -1;
        world_init(&w);
        fail_after = n;
        int result = spn_new(&w.c, &w.t);
        if (result != 0) {
            assert_int_equal(result, SP_ENOMEM);
            assert_null(w.c);
        } else {
            permit_all(&w);
            spn_release(w.c);
            live(&w);
            failed = w.t.failed;
            assert_true(!failed || w.t.error == SP_ENOMEM);
        }
        fail_after = -1;
        end_world(&w);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nth_allocation),
    };
    return cmocka_run_group_tests_name("connection_memory", tests, NULL, NULL);
}
