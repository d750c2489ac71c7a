/* src/server: listening, serving a socket, posts, timers, work, and the ways to end. */
#include "support/server_stand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <uv.h>

static void ports(void **state)
{
    (void)state;
    sp_server *server = stand_server(NULL, NULL, NULL);
    assert_int_equal(sp_server_listen(server, "127.0.0.1", 0), 0);
    uint16_t port = sp_server_port(server, 0);
    assert_int_not_equal(port, 0);
    char text[64];
    char expected[64];
    assert_true(sp_server_address(server, 0, text, sizeof text));
    snprintf(expected, sizeof expected, "127.0.0.1:%u", (unsigned)port);
    assert_string_equal(text, expected);
    assert_int_equal(sp_server_port(server, 1), 0);
    assert_false(sp_server_address(server, 1, text, sizeof text));
    assert_int_equal(sp_server_listen(server, "127.0.0.1", port), SP_EADDRINUSE);
    assert_int_equal(sp_server_listen(server, "not an address", 0), SP_EINVAL);
    assert_int_equal(sp_server_listen(server, "192.0.2.1", 0), SP_EINVAL); /* not ours */
    assert_int_equal(sp_server_listen(server, NULL, 0), 0);
    assert_int_not_equal(sp_server_port(server, 1), 0);
    assert_int_equal(sp_server_listen_fd(server, open("/dev/null", O_RDONLY)), SP_EINVAL);
    sp_server_free(server);
}

/* ---- one run with everything in it ---- */

typedef struct run {
    sp_server *server;
    int made;
    int lost;
    int lost_error;
    int posts;
    int ticks;
    int closed;
    int conn_closed;
    int client;
    bool worked;
    bool work_done;
    sp_timer *timer;
} run;

static void count(void *data)
{
    ++*(int *)data;
}

static void made(sp_conn *conn)
{
    run *r = sp_server_data(sp_conn_server(conn));
    r->made++;
    assert_null(sp_conn_username(conn));
    assert_int_equal(sp_conn_wait_closed(conn, count, &r->conn_closed), 0);
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    run *r = sp_server_data(sp_conn_server(conn));
    assert_int_equal(r->conn_closed, r->lost); /* waiters come after this handler */
    r->lost++;
    r->lost_error = error != NULL ? error->error : 0;
    assert_int_equal(sp_conn_close(conn), SP_ECONN);
}

static const sp_server_handlers watching = {
    SP_SERVER_HANDLERS_INIT,
    .connection_made = made,
    .connection_lost = lost,
};

static void expect_line(int fd, const char *start)
{
    char line[256];
    size_t length = 0;
    while (length < sizeof line - 1) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 10000), 1);
        assert_int_equal(read(fd, line + length, 1), 1);
        if (line[length++] == '\n')
            break;
    }
    line[length] = '\0';
    assert_int_equal(strncmp(line, start, strlen(start)), 0);
}

static void *stop_from_here(void *data)
{
    run *r = data;
    expect_line(r->client, "SSH-2.0-Sallyport");
    sp_server_stop(r->server);
    return NULL;
}

static void stopped_from_another_thread(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        run r = {0};
        r.server = stand_server(&watching, &r, NULL);
        assert_int_equal(sp_server_listen(r.server, "127.0.0.1", 0), 0);
        assert_int_equal(sp_server_wait_closed(r.server, count, &r.closed), 0);
        r.client = stand_client(r.server);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_from_here, &r), 0);
        assert_int_equal(shutdown(r.client, SHUT_WR), 0);
        assert_int_equal(sp_server_run(r.server), 0);
        pthread_join(thread, NULL);
        assert_int_equal(r.made, 1);
        assert_int_equal(r.lost, 1);
        assert_int_equal(r.conn_closed, 1);
        assert_int_equal(r.closed, 1);
        sp_server_statistics s;
        sp_server_get_statistics(r.server, &s);
        assert_int_equal(s.connections, 0);
        assert_int_equal(s.unauthenticated, 0);
        assert_int_equal(s.accepted, 1);
        assert_int_equal(sp_server_listen(r.server, "127.0.0.1", 0), SP_ECLOSED);
        sp_server_free(r.server);
        close(r.client);
    }
}

static void work(void *data)
{
    ((run *)data)->worked = true;
}

static void work_done(void *data)
{
    run *r = data;
    r->work_done = true;
    assert_true(r->worked);
}

static void tick(void *data)
{
    run *r = data;
    if (++r->ticks == 3) {
        sp_timer_stop(r->timer); /* within its own callback */
        r->timer = NULL;
        sp_server_drain(r->server, 20); /* the silent client below is sent away after that */
    }
}

static void third_post(void *data)
{
    run *r = data;
    assert_int_equal(r->posts, 2);
    r->posts++;
    assert_int_equal(sp_server_work(r->server, work, work_done, r), 0);
}

static void ignore(void *data)
{
    (void)data;
}

static void timers_posts_work_and_draining(void **state)
{
    (void)state;
    run r = {0};
    r.server = stand_server(&watching, &r, NULL);
    int fd = stand_client(r.server);
    assert_int_equal(sp_server_post(r.server, count, &r.posts), 0);
    assert_int_equal(sp_server_post(r.server, count, &r.posts), 0);
    assert_int_equal(sp_server_post(r.server, third_post, &r), 0);
    r.timer = sp_timer_start(r.server, 5, 5, tick, &r);
    sp_timer *once = sp_timer_start(r.server, 1, 0, ignore, NULL);
    sp_timer *never = sp_timer_start(r.server, 1000000, 0, ignore, NULL);
    assert_non_null(never); /* freed with the server */
    sp_server *server = r.server;
    assert_int_equal(sp_server_run(server), 0);
    sp_timer_stop(once);
    assert_int_equal(r.ticks, 3);
    assert_int_equal(r.posts, 3);
    assert_true(r.work_done);
    assert_int_equal(r.lost, 1);
    assert_int_equal(sp_server_serve_fd(server, dup(fd)), SP_ECLOSED);
    close(fd);
    sp_server_free(server);
}

static void freeing_aborts(void **state)
{
    (void)state;
    run r = {0};
    r.server = stand_server(&watching, &r, NULL);
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = stand_client(r.server);
    sp_server_free(r.server);
    assert_int_equal(r.lost, 3);
    assert_int_equal(r.conn_closed, 3);
    assert_int_equal(r.lost_error, SP_ECANCELED);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* ---- limits ---- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void *try_limits(void *data)
{
    sp_server *server = data;
    int first = connect_to(sp_server_port(server, 0));
    expect_line(first, "SSH-2.0-");
    int second = connect_to(sp_server_port(server, 0));
    char byte;
    assert_true(read(second, &byte, 1) <= 0); /* closed at once */
    close(second);
    close(first);
    sp_server_stop(server);
    return NULL;
}

static void too_many_are_closed_at_once(void **state)
{
    (void)state;
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.max_unauthenticated = 1;
    const sp_server_handlers none = {SP_SERVER_HANDLERS_INIT};
    sp_server *server = NULL;
    assert_int_equal(sp_server_new(&server, &options, &none, NULL, NULL, 0), 0);
    sp_key_unref(key);
    assert_int_equal(sp_server_listen(server, "127.0.0.1", 0), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, try_limits, server), 0);
    assert_int_equal(sp_server_run(server), 0);
    pthread_join(thread, NULL);
    sp_server_statistics s;
    sp_server_get_statistics(server, &s);
    assert_int_equal(s.accepted, 1);
    assert_int_equal(s.refused, 1);
    sp_server_free(server);
}

/* ---- the application's loop ---- */

static void on_the_applications_loop(void **state)
{
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    run r = {0};
    r.server = stand_server(&watching, &r, &loop);
    assert_int_equal(sp_server_run(r.server), SP_EINVAL);
    assert_int_equal(sp_server_wait_closed(r.server, count, &r.closed), 0);
    int fd = stand_client(r.server);
    uv_run(&loop, UV_RUN_NOWAIT);
    expect_line(fd, "SSH-2.0-");
    close(fd);
    sp_server_close(r.server);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends by itself when the server is closed */
    assert_int_equal(r.closed, 1);
    assert_int_equal(r.lost, 1);
    sp_server_free(r.server);
    assert_int_equal(uv_loop_close(&loop), 0); /* nothing of ours is left on it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports),
        cmocka_unit_test(stopped_from_another_thread),
        cmocka_unit_test(timers_posts_work_and_draining),
        cmocka_unit_test(freeing_aborts),
        cmocka_unit_test(too_many_are_closed_at_once),
        cmocka_unit_test(on_the_applications_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
