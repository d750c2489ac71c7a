/* src/loop/agent.c: requests to an agent that answers, answers badly, or not at all; both on the
 * loop and from a thread that waits; giving up, and memory that runs out. */
#include "support/meter.h"
#include "support/server_stand.h"

#include "loop/agent.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

typedef struct outcome {
    spl_loop *loop;
    int calls;
    size_t length;
    uint8_t first;
    char reason[128];
} outcome;

static meter m = {.until = -1};
static char folder[32], path[64];

static spb_env counting(void)
{
    const sp_allocator allocator = {&m, meter_alloc, meter_realloc, meter_free};
    spb_env env;
    spb_env_init(&env, &allocator);
    return env;
}

static spl_loop *make_loop(void)
{
    spb_env env = counting();
    spl_loop *loop = NULL;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    return loop;
}

static void done(void *data, spb_span reply, const char *reason)
{
    outcome *o = data;
    o->calls++;
    o->length = reply.length;
    if (reply.length > 0)
        o->first = reply.data[0];
    snprintf(o->reason, sizeof o->reason, "%s", reason == NULL ? "" : reason);
    spl_loop_stop(o->loop);
}

/* ---- an agent on a thread: takes one connection, one request, and sends these bytes ---- */
typedef struct agent {
    int listener;
    pthread_t thread;
    const uint8_t *reply;
    size_t length;
    size_t pieces; /* bytes at a time; 0: all */
    bool silent;   /* waits for the other end to go */
    uint8_t request[64];
    size_t request_length;
} agent;

static void *serve(void *data)
{
    agent *a = data;
    int fd = accept(a->listener, NULL, NULL);
    ssize_t n = recv(fd, a->request, sizeof a->request, 0);
    a->request_length = n > 0 ? (size_t)n : 0;
    for (size_t at = 0; at < a->length;) {
        size_t step = a->pieces != 0 && a->pieces < a->length - at ? a->pieces : a->length - at;
        ssize_t sent = send(fd, a->reply + at, step, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    char rest;
    if (a->silent)
        (void)!recv(fd, &rest, 1, 0);
    close(fd);
    return NULL;
}

static void begin(agent *a, const void *reply, size_t length, size_t pieces, bool silent)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(a, 0, sizeof *a);
    a->reply = reply;
    a->length = length;
    a->pieces = pieces;
    a->silent = silent;
    memcpy(address.sun_path, path, strlen(path));
    unlink(path);
    a->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(a->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(a->listener, 5), 0);
    assert_int_equal(pthread_create(&a->thread, NULL, serve, a), 0);
}

static void end(agent *a)
{
    (void)pthread_join(a->thread, NULL);
    close(a->listener);
    unlink(path);
}

/* Connects and leaves: an agent that still waits for its connection has had one. */
static void come_and_go(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static const spb_span request = {(const uint8_t *)"\x0b", 1};

static outcome ask(const char *where)
{
    outcome o = {.loop = make_loop()};
    spl_agent *a = NULL;
    assert_int_equal(spl_agent_ask(&a, o.loop, where, request, done, &o), 0);
    assert_int_equal(o.calls, 0); /* never within the call */
    assert_int_equal(spl_loop_run(o.loop), 0);
    spl_loop_free(o.loop);
    assert_int_equal(o.calls, 1);
    assert_int_equal(m.live, 0);
    return o;
}

static int ask_now(const char *where, unsigned timeout, size_t *length)
{
    spb_env env = counting();
    spb_buffer reply;
    spb_buffer_init(&reply, &env, SPL_AGENT_REPLY_MAX);
    int result = spl_agent_ask_now(where, request, timeout, &reply);
    *length = reply.length;
    spb_buffer_free(&reply);
    assert_int_equal(m.live, 0);
    return result;
}

static void replies(void **state)
{
    (void)state;
    static uint8_t big[4 + 100000] = {0, 1, 0x86, 0xa0, 12};
    static const struct {
        const void *bytes;
        size_t length, pieces;
        size_t expected; /* of the reply; 0: fails */
        const char *reason;
        int error;
    } cases[] = {
        {"\0\0\0\3\x0c"
         "ab",
         7, 0, 3, "", 0},
        {"\0\0\0\3\x0c"
         "ab",
         7, 1, 3, "", 0},
        {"\0\0\0\3\x0c"
         "abc",
         8, 0, 3, "", 0}, /* what is behind it is not read */
        {big, sizeof big, 0, 100000, "", 0},
        {big, sizeof big, 999, 100000, "", 0},
        {"\0\0\0\3\x0c"
         "a",
         6, 0, 0, "it went away", SP_EIO},
        {"\0\0", 2, 0, 0, "it went away", SP_EIO},
        {"", 0, 0, 0, "it went away", SP_EIO},
        {"\0\0\0\0", 4, 0, 0, "its reply makes no sense", SP_EPROTO},
        {"\0\4\0\1x", 5, 0, 0, "its reply makes no sense", SP_EPROTO},
        {"\xff\xff\xff\xff", 4, 0, 0, "its reply makes no sense", SP_EPROTO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        agent a;
        size_t length;
        begin(&a, cases[i].bytes, cases[i].length, cases[i].pieces, false);
        outcome o = ask(path);
        end(&a);
        assert_string_equal(o.reason, cases[i].reason);
        assert_int_equal(o.length, cases[i].expected);
        assert_int_equal(a.request_length, 5);
        assert_memory_equal(a.request, "\0\0\0\1\x0b", 5);
        if (cases[i].expected > 0)
            assert_int_equal(o.first, 12);
        begin(&a, cases[i].bytes, cases[i].length, cases[i].pieces, false);
        assert_int_equal(ask_now(path, 60000, &length), cases[i].error);
        assert_int_equal(length, cases[i].expected);
        end(&a);
    }
}

static void nobody(void **state)
{
    (void)state;
    size_t length;
    char longest[200];
    memset(longest, 'p', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(ask("/nonexistent/agent").reason, "no such file or directory");
    assert_int_equal(ask_now("/nonexistent/agent", 60000, &length), SP_ENOENT);
    assert_string_equal(ask(longest).reason, "name too long");
    assert_int_equal(ask_now(longest, 60000, &length), SP_ENOENT);
    agent a; /* a socket that nobody listens at */
    begin(&a, "", 0, 0, false);
    assert_true(ask(path).calls == 1);
    (void)pthread_join(a.thread, NULL);
    close(a.listener);
    assert_string_equal(ask(path).reason, "connection refused");
    assert_int_equal(ask_now(path, 60000, &length), SP_EIO);
    unlink(path);
}

static void silent(void **state)
{
    (void)state;
    agent a;
    size_t length;
    begin(&a, "\0\0\0\3\x0c", 5, 0, true);
    assert_int_equal(ask_now(path, 20, &length), SP_ETIMEDOUT);
    end(&a);
    /* Given up on the loop: nobody is called, the other end sees it. */
    begin(&a, "", 0, 0, true);
    outcome o = {.loop = make_loop()};
    spl_agent *asking = NULL;
    assert_int_equal(spl_agent_ask(&asking, o.loop, path, request, done, &o), 0);
    spl_agent_cancel(asking);
    spl_agent_cancel(NULL);
    spl_loop_free(o.loop);
    assert_int_equal(o.calls, 0);
    assert_int_equal(m.live, 0);
    end(&a);
}

/* Each allocation fails once: the call says so, or the answer does. */
static void out_of_memory(void **state)
{
    (void)state;
    bool more = true;
    for (long n = 0; more; n++) {
        agent a;
        begin(&a,
              "\0\0\0\3\x0c"
              "ab",
              7, 0, false);
        outcome o = {.loop = make_loop()};
        spl_agent *asking = NULL;
        m.until = n;
        int result = spl_agent_ask(&asking, o.loop, path, request, done, &o);
        if (result == 0)
            assert_int_equal(spl_loop_run(o.loop), 0);
        more = m.until == 0;
        m.until = -1;
        if (result != 0)
            assert_int_equal(result, SP_ENOMEM);
        else if (o.length == 0)
            assert_true(o.reason[0] != '\0');
        spl_loop_free(o.loop);
        assert_int_equal(m.live, 0);
        if (o.length == 0) /* for the agent's thread: somebody has to come */
            come_and_go();
        end(&a);
    }
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/loop_agent.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/agent", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(nobody),
        cmocka_unit_test(silent),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
