/* src/loop/connect.c: names, addresses in turn, UNIX sockets, failures, and giving up. */
#include "support/meter.h"
#include "support/server_stand.h"

#include "loop/connect.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct outcome {
    spl_loop *loop;
    int calls;
    int fd;
    char reason[128];
} outcome;

static meter m = {.until = -1};

static spl_loop *make_loop(void)
{
    const sp_allocator allocator = {&m, meter_alloc, meter_realloc, meter_free};
    spb_env env;
    spl_loop *loop = NULL;
    spb_env_init(&env, &allocator);
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    return loop;
}

static void done(void *data, int fd, const char *reason)
{
    outcome *o = data;
    o->calls++;
    o->fd = fd;
    assert_true((fd >= 0) == (reason == NULL));
    snprintf(o->reason, sizeof o->reason, "%s", reason == NULL ? "" : reason);
    spl_loop_stop(o->loop);
}

static uint16_t listen_at(const char *address, int *fd)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t length = sizeof any;
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &any.sin_addr);
    assert_int_equal(bind(*fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(*fd, 5), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&any, &length), 0);
    return ntohs(any.sin_port);
}

static outcome try_host(const char *host, uint16_t port)
{
    outcome o = {.loop = make_loop(), .fd = -1};
    spl_connect *connect = NULL;
    assert_int_equal(spl_connect_host(&connect, o.loop, host, port, done, &o), 0);
    assert_int_equal(o.calls, 0); /* never within the call */
    assert_int_equal(spl_loop_run(o.loop), 0);
    assert_int_equal(o.calls, 1);
    spl_loop_free(o.loop);
    return o;
}

static outcome try_path(const char *path)
{
    outcome o = {.loop = make_loop(), .fd = -1};
    spl_connect *connect = NULL;
    assert_int_equal(spl_connect_path(&connect, o.loop, path, done, &o), 0);
    assert_int_equal(o.calls, 0);
    assert_int_equal(spl_loop_run(o.loop), 0);
    assert_int_equal(o.calls, 1);
    spl_loop_free(o.loop);
    return o;
}

static void hosts(void **state)
{
    (void)state;
    int listener;
    uint16_t port = listen_at("127.0.0.1", &listener);
    static const char *const names[] = {"127.0.0.1", "localhost", "::ffff:127.0.0.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        outcome o = try_host(names[i], port);
        assert_true(o.fd >= 0);
        int theirs = accept(listener, NULL, NULL);
        assert_true(theirs >= 0);
        close(theirs);
        close(o.fd);
    }
    close(listener);
    outcome o = try_host("127.0.0.1", port);
    assert_int_equal(o.fd, -1);
    assert_string_equal(o.reason, "connection refused");
}

static void no_such_hosts(void **state)
{
    (void)state;
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    static const char *const bad[] = {"no.such.name.invalid", "..", "a b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome o = try_host(bad[i], 1);
        assert_int_equal(o.fd, -1);
        assert_string_not_equal(o.reason, "");
    }
    assert_int_equal(try_host(longest, 1).fd, -1);
}

static void paths(void **state)
{
    (void)state;
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/sallyport-connect-XXXXXX";
    assert_non_null(mkdtemp(folder));
    snprintf(any.sun_path, sizeof any.sun_path, "%s/s", folder);
    outcome missing = try_path(any.sun_path);
    assert_int_equal(missing.fd, -1);
    assert_string_equal(missing.reason, "no such file or directory");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, 5), 0);
    outcome found = try_path(any.sun_path);
    assert_true(found.fd >= 0);
    close(found.fd);
    close(listener);
    char longest[200];
    memset(longest, 'p', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(try_path(longest).reason, "name too long");
    unlink(any.sun_path);
    rmdir(folder);
}

/* Given up in each stage: nobody is called, and the loop can be freed. */
static void canceled(void **state)
{
    (void)state;
    static const char *const names[] = {"127.0.0.1", "localhost", "no.such.name.invalid"};
    int listener;
    uint16_t port = listen_at("127.0.0.1", &listener);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        outcome o = {.loop = make_loop(), .fd = -1};
        spl_connect *connect = NULL;
        assert_int_equal(spl_connect_host(&connect, o.loop, names[i], port, done, &o), 0);
        spl_connect_cancel(connect);
        spl_loop_free(o.loop);
        assert_int_equal(o.calls, 0);
    }
    spl_connect_cancel(NULL);
    close(listener);
}

static void out_of_memory(void **state)
{
    (void)state;
    outcome o = {.loop = make_loop(), .fd = -1};
    int listener;
    uint16_t port = listen_at("127.0.0.1", &listener);
    spl_connect *connect = NULL;
    for (m.until = 0; m.until < 2;) {
        long allowed = m.until;
        assert_int_equal(spl_connect_host(&connect, o.loop, "127.0.0.1", port, done, &o),
                         SP_ENOMEM);
        m.until = allowed + 1;
    }
    m.until = -1;
    spl_loop_free(o.loop);
    assert_int_equal(o.calls, 0);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),    cmocka_unit_test(no_such_hosts), cmocka_unit_test(paths),
        cmocka_unit_test(canceled), cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
