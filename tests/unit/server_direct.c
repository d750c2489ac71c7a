/* src/server/direct*.c without a client: events are made up, and the loop is turned by hand. What a
 * function reads, how lines are cut out of pieces of any size, and that the end of the server is
 * the end of each function, wherever it waits. */
#include "support/server_stand.h"

#include "server/direct.h"
#include "server/group.h"

#include <stdlib.h>
#include <time.h>

static sp_conn *the_conn;
static int released_count;

static void made(sp_conn *conn)
{
    the_conn = conn;
}

static void released(void *data)
{
    (void)data;
    released_count++;
}

typedef struct stand {
    sp_server *server;
    int client;
    sp_channel *channel;
} stand;

static void stand_open(stand *s)
{
    const sp_server_handlers handlers = {SP_SERVER_HANDLERS_INIT, .connection_made = made};
    released_count = 0;
    s->server = stand_server(&handlers, NULL, NULL);
    s->client = stand_client(s->server);
    assert_non_null(the_conn);
}

/* A channel of which the engine knows nothing: all writes fail. */
static sp_process *stand_channel(stand *s, uint32_t number, sp_process_fn function, void *data)
{
    const sp_direct_options options = {SP_DIRECT_OPTIONS_INIT, .released = released};
    s->channel = sps_direct_channel(the_conn->queue, function, data, &options, false);
    assert_non_null(s->channel);
    assert_int_equal(sps_channel_attach(s->channel, the_conn, number), 0);
    sps_count(&s->server->counters.channels, 1);
    s->channel->handlers.connection_made(s->channel);
    return s->channel->direct;
}

static void tell(const stand *s, sp_event event)
{
    event.channel = s->channel->number;
    sps_channel_event(the_conn, &event);
}

static void tell_data(const stand *s, const char *bytes, size_t length)
{
    sp_event event = {.type = SP_EVENT_DATA};
    event.u.data.bytes = (const uint8_t *)bytes;
    event.u.data.length = length;
    tell(s, event);
}

static void nothing(void *data)
{
    (void)data;
}

/* Until what is scheduled now has run. */
static void turn(const stand *s)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sp_server_post(s->server, nothing, NULL), 0); /* it must not sleep */
        spl_loop_turn(s->server->loop);
    }
}

static void stand_close(stand *s, int released_wanted)
{
    sp_server_free(s->server);
    (void)close(s->client);
    assert_int_equal(released_count, released_wanted);
    the_conn = NULL;
}

/* ---- lines ---- */

typedef struct script {
    size_t size;
    char said[4096];
    int last;
} script;

static int read_lines(sp_process *p, void *data)
{
    script *s = data;
    char line[64];
    ptrdiff_t n;
    while ((n = sp_gets(p, line, s->size)) >= 0 || n == SP_ELIMIT) {
        strcat(s->said, n >= 0 ? line : "!");
        strcat(s->said, "|");
        assert_true(n < 0 || (size_t)n == strlen(line));
    }
    s->last = (int)n;
    return 0;
}

/* The same whole, and cut after each byte. */
static void check_lines(const char *terminal, size_t size, const char *input, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(input); piece += piece == 1 ? strlen(input) : 1) {
        stand s;
        script lines = {.size = size};
        stand_open(&s);
        sp_process *p = stand_channel(&s, 3, read_lines, &lines);
        p->editor_off = true;
        if (terminal != NULL)
            assert_true(sps_channel_set_text(s.channel, &s.channel->terminal, terminal));
        tell(&s, (sp_event){.type = SP_EVENT_STARTED});
        turn(&s);
        for (size_t at = 0; at < strlen(input); at += piece) {
            size_t left = strlen(input) - at;
            tell_data(&s, input + at, left < piece ? left : piece);
            turn(&s);
        }
        tell(&s, (sp_event){.type = SP_EVENT_EOF});
        turn(&s);
        assert_string_equal(lines.said, wanted);
        assert_int_equal(lines.last, SP_EOF);
        stand_close(&s, 1);
        if (strlen(input) == 1)
            break;
    }
}

static void test_lines(void **state)
{
    (void)state;
    check_lines(NULL, 64, "a\nb\r\n\nrest", "a|b||rest|");
    check_lines(NULL, 64, "a\rb\n", "a\rb|");
    check_lines(NULL, 4, "abc\nabcd\nabc\r\nabcd\r\nx\n", "abc|!|abc|!|x|");
    check_lines(NULL, 1, "\na\n", "|!|");
    check_lines(NULL, 4, "abcdefgh", "!|");
    check_lines("vt100", 64, "a\rb\r\nc\n\r\n\rd", "a|b|c|||d|");
}

/* ---- the end of the server ---- */

typedef struct waiter {
    int kind;
    int result;
    bool cleaned;
    bool worked;
} waiter;

static void slow(void *data)
{
    const struct timespec time = {0, 50000000};
    (void)nanosleep(&time, NULL);
    ((waiter *)data)->worked = true;
}

static int wait_somehow(sp_process *p, void *data)
{
    waiter *w = data;
    char c;
    switch (w->kind) {
    case 0:
        w->result = (int)sp_read(p, &c, 1);
        break;
    case 1:
        w->result = sp_sleep(p, 1000000);
        break;
    case 2:
        w->result = sp_run(p, slow, w);
        break;
    case 3:
        w->result = sp_wait(p, SP_WAIT_SIGNAL | SP_WAIT_WAKE, SP_FOREVER);
        break;
    case 4:
        w->result = (int)sp_gets(p, &c, 1);
        break;
    default:
        w->result = sp_wait(p, SP_WAIT_INPUT, 1000000);
        break;
    }
    assert_int_equal(sp_sleep(p, 5), SP_ECONN); /* and so does each later call */
    assert_int_equal(sp_run(p, slow, w), SP_ECONN);
    w->cleaned = true;
    return 0;
}

#define KINDS 6

static void test_server_is_freed(void **state)
{
    (void)state;
    for (int started = 0; started < 2; started++) {
        stand s;
        waiter waiters[KINDS] = {0};
        stand_open(&s);
        for (int i = 0; i < KINDS; i++) {
            waiters[i].kind = i;
            (void)stand_channel(&s, (uint32_t)i, wait_somehow, &waiters[i]);
            tell(&s, (sp_event){.type = SP_EVENT_STARTED});
        }
        (void)stand_channel(&s, KINDS, wait_somehow, NULL); /* never asks for a shell */
        assert_int_equal(sps_total_now(&s.server->group->fibers), KINDS);
        if (started != 0)
            turn(&s);
        stand_close(&s, KINDS + 1);
        for (int i = 0; i < KINDS; i++) {
            assert_int_equal(waiters[i].result, SP_ECONN);
            assert_true(waiters[i].cleaned);
        }
        assert_int_equal(waiters[2].worked, started != 0);
    }
}

/* ---- what happens ---- */

typedef struct happenings {
    int kinds[16];
    int count;
    char signals[64];
} happenings;

static int collect(sp_process *p, void *data)
{
    happenings *h = data;
    int kind;
    assert_int_equal(sp_sleep(p, 1), 0);
    while (h->count < 16 &&
           (kind = sp_wait(p, SP_WAIT_SIGNAL | SP_WAIT_RESIZE | SP_WAIT_WAKE, SP_FOREVER)) > 0) {
        h->kinds[h->count++] = kind;
        if (kind == (int)SP_WAIT_SIGNAL)
            strcat(h->signals, sp_process_signal(p));
    }
    return 0;
}

static void test_happenings_are_kept_and_bounded(void **state)
{
    (void)state;
    stand s;
    happenings h = {.count = 0};
    stand_open(&s);
    sp_process *p = stand_channel(&s, 3, collect, &h);
    tell(&s, (sp_event){.type = SP_EVENT_STARTED});
    for (int i = 0; i < 20; i++) {
        char name[2] = {(char)('A' + i), '\0'};
        sp_event event = {.type = SP_EVENT_REQUEST};
        event.u.request.type = SP_REQUEST_SIGNAL;
        event.u.request.text = name;
        tell(&s, event);
        event.u.request.type = SP_REQUEST_WINDOW_CHANGE;
        tell(&s, event);
        sp_process_wake(p);
    }
    assert_int_equal(sp_read(p, &h, 1), SP_ESTATE); /* not from here */
    assert_int_equal(sp_sleep(p, 1), SP_ESTATE);
    assert_int_equal(sp_run(p, nothing, NULL), SP_ESTATE);
    assert_int_equal(sp_write(p, "x", 1), SP_ESTATE);
    while (h.count < 10)
        turn(&s);
    assert_string_equal(h.signals, "ABCDEFGH");
    assert_int_equal(h.kinds[8], SP_WAIT_RESIZE);
    assert_int_equal(h.kinds[9], SP_WAIT_WAKE);
    turn(&s);
    assert_int_equal(h.count, 10);
    stand_close(&s, 1);
}

/* More than is kept is not asked for again; the channel is paused instead. */
static int read_all(sp_process *p, void *data)
{
    size_t *total = data;
    char buffer[5000];
    ptrdiff_t n;
    while ((n = sp_read(p, buffer, sizeof buffer)) > 0)
        *total += (size_t)n;
    return 0;
}

static void test_input_is_bounded(void **state)
{
    (void)state;
    static const char piece[32768];
    stand s;
    size_t total = 0;
    stand_open(&s);
    sp_process *p = stand_channel(&s, 3, read_all, &total);
    tell(&s, (sp_event){.type = SP_EVENT_STARTED});
    tell_data(&s, piece, sizeof piece);
    assert_false(p->held);
    tell_data(&s, piece, sizeof piece);
    assert_true(p->held);
    turn(&s);
    assert_int_equal(total, 2 * sizeof piece);
    assert_false(p->held);
    assert_int_equal(p->input.capacity, 0); /* one that waits holds no buffer */
    stand_close(&s, 1);
}

/* ---- limits and options ---- */

static void test_limits(void **state)
{
    (void)state;
    stand s;
    waiter w = {.kind = 1};
    stand_open(&s);
    s.server->max_fibers = 1;
    (void)stand_channel(&s, 1, wait_somehow, &w);
    tell(&s, (sp_event){.type = SP_EVENT_STARTED});
    (void)stand_channel(&s, 2, wait_somehow, NULL);
    tell(&s, (sp_event){.type = SP_EVENT_STARTED}); /* does not run */
    assert_int_equal(sps_total_now(&s.server->group->fibers), 1);
    stand_close(&s, 2);

    const sp_server_handlers none = {SP_SERVER_HANDLERS_INIT};
    const size_t sizes[] = {1, SPL_STACK_MIN - 1, SPL_STACK_MAX + 1, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        sp_server_options options = {SP_SERVER_OPTIONS_INIT};
        sp_key *key = NULL;
        sp_server *server = NULL;
        char reason[100] = "";
        assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
        options.protocol.host_keys = &key;
        options.protocol.host_key_count = 1;
        options.direct_stack_size = sizes[i];
        assert_int_equal(sp_server_new(&server, &options, &none, NULL, reason, sizeof reason),
                         SP_EINVAL);
        assert_string_equal(reason, "direct_stack_size is out of range");
        assert_null(server);
        sp_key_unref(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_server_is_freed),
        cmocka_unit_test(test_happenings_are_kept_and_bounded),
        cmocka_unit_test(test_input_is_bounded),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
