/* src/server with several loop threads: connections are spread and stay where they are, what
 * belongs to one runs in its thread, limits and ends hold for all. The server runs in a thread of
 * the test's; the test is the clients. */
#include "support/server_stand.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#define THREADS 4u
#define CLIENTS 12u

typedef struct stage {
    sp_server *server;
    pthread_t thread;
    atomic_int run_result;
    atomic_uint made;
    atomic_uint lost;
    atomic_uint closed; /* wait_closed of the main server */
    atomic_uint part_closed;
    atomic_uint wrong; /* what must not happen; told here, for threads can't assert */
    atomic_uint calls;
    atomic_uint visited;
    atomic_uint timers;
    atomic_uint works;
    atomic_uint posts;
    atomic_bool over;           /* the server has ended */
    atomic_uint per_thread[64]; /* connections, by the order in which threads were first seen */
    pthread_mutex_t lock;
    pthread_t seen[64];
    sp_server *servers[64];
    unsigned seen_count;
    uint64_t ids[64];
    void (*on_made)(struct stage *stage, sp_conn *conn);
} stage;

/* What is kept about a connection: for its own thread alone. */
typedef struct note {
    stage *stage;
    sp_server *server;
    pthread_t thread;
} note;

static void check(stage *s, bool good)
{
    if (!good)
        s->wrong++;
}

static void check_thread(const note *n)
{
    check(n->stage, pthread_equal(n->thread, pthread_self()) != 0);
}

static void wait_for(atomic_uint *value, unsigned wanted)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 60000 && atomic_load(value) < wanted; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(atomic_load(value), wanted);
}

static void wait_for_connections(const stage *s, uint64_t wanted)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    sp_server_statistics statistics;
    for (int i = 0; i < 60000; i++) {
        sp_server_get_statistics(s->server, &statistics);
        if (statistics.connections == wanted)
            return;
        nanosleep(&moment, NULL);
    }
    fail_msg("%u connections", (unsigned)statistics.connections);
}

static void count_closed(void *data)
{
    ++*(atomic_uint *)data;
}

static void remember(stage *s, sp_conn *conn)
{
    pthread_mutex_lock(&s->lock);
    unsigned i = 0;
    while (i < s->seen_count && !pthread_equal(s->seen[i], pthread_self()))
        i++;
    if (i == s->seen_count) {
        s->seen[s->seen_count] = pthread_self();
        s->servers[s->seen_count++] = sp_conn_server(conn);
    }
    check(s, s->servers[i] == sp_conn_server(conn));
    for (unsigned k = 0; k < s->made; k++)
        check(s, s->ids[k] != sp_conn_id(conn));
    if (s->made < 64)
        s->ids[s->made] = sp_conn_id(conn);
    s->per_thread[i]++;
    s->made++;
    pthread_mutex_unlock(&s->lock);
}

static void made(sp_conn *conn)
{
    stage *s = sp_server_data(sp_conn_server(conn));
    note *n = calloc(1, sizeof *n);
    n->stage = s;
    n->server = sp_conn_server(conn);
    n->thread = pthread_self();
    sp_conn_set_data(conn, n);
    check(s, sp_server_main(n->server) == s->server);
    if (s->on_made != NULL)
        s->on_made(s, conn);
    remember(s, conn);
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    note *n = sp_conn_data(conn);
    (void)error;
    check_thread(n);
    check(n->stage, sp_conn_server(conn) == n->server);
    n->stage->lost++;
    free(n);
}

static const sp_server_handlers handlers = {
    SP_SERVER_HANDLERS_INIT,
    .connection_made = made,
    .connection_lost = lost,
};

static int new_server(stage *s, sp_server_options *options, char *reason, size_t size)
{
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    options->protocol.host_keys = &key;
    options->protocol.host_key_count = 1;
    int result = sp_server_new(&s->server, options, &handlers, s, reason, size);
    sp_key_unref(key);
    return result;
}

static void prepare(stage *s, const sp_server_options *more)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    if (more != NULL)
        options = *more;
    if (options.loop_threads == 0)
        options.loop_threads = THREADS;
    assert_int_equal(new_server(s, &options, NULL, 0), 0);
    assert_int_equal(sp_server_listen(s->server, "127.0.0.1", 0), 0);
    assert_int_equal(sp_server_wait_closed(s->server, count_closed, &s->closed), 0);
}

static void *run(void *data)
{
    stage *s = data;
    s->run_result = sp_server_run(s->server);
    return NULL;
}

static void start(stage *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

/* The server must end by itself now, or has been told to. */
static void finish(stage *s)
{
    pthread_join(s->thread, NULL);
    sp_server_statistics statistics;
    sp_server_get_statistics(s->server, &statistics);
    assert_int_equal(s->run_result, 0);
    assert_int_equal(s->closed, 1);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->lost, s->made);
    assert_int_equal(statistics.connections, 0);
    assert_int_equal(statistics.unauthenticated, 0);
    assert_int_equal(statistics.accepted, s->made);
    assert_int_equal(sp_server_run(s->server), 0); /* nothing is left to run */
    sp_server_free(s->server);
    assert_int_equal(s->closed, 1);
    pthread_mutex_destroy(&s->lock);
}

static int connect_to(sp_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(sp_server_port(server, 0))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool greeted(int fd)
{
    char text[4];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 60000), 1);
    return recv(fd, text, sizeof text, MSG_WAITALL) == sizeof text && memcmp(text, "SSH-", 4) == 0;
}

static void connect_all(stage *s, int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fds[i] = connect_to(s->server);
    for (unsigned i = 0; i < count; i++)
        assert_true(greeted(fds[i]));
    wait_for(&s->made, count);
}

static void close_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

/* ---- the options ---- */

static void how_many(void **state)
{
    (void)state;
    stage s = {0};
    char reason[200] = "";
    sp_server_options options = {SP_SERVER_OPTIONS_INIT, .loop_threads = 65};
    assert_int_equal(new_server(&s, &options, reason, sizeof reason), SP_EINVAL);
    assert_string_equal(reason, "too many loop threads");
    assert_null(s.server);
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    options.loop = &loop;
    options.loop_threads = 2;
    assert_int_equal(new_server(&s, &options, reason, sizeof reason), SP_EINVAL);
    assert_string_equal(reason, "several loop threads need loops of the server's own");
    options.loop_threads = 1;
    assert_int_equal(new_server(&s, &options, reason, sizeof reason), 0);
    sp_server_free(s.server);
    assert_int_equal(uv_loop_close(&loop), 0);
    options.loop = NULL;
    options.loop_threads = 64;
    assert_int_equal(new_server(&s, &options, reason, sizeof reason), 0);
    assert_ptr_equal(sp_server_main(s.server), s.server);
    sp_server_free(s.server);
}

/* ---- spreading ---- */

static void spread_evenly(void **state)
{
    (void)state;
    stage s;
    int fds[CLIENTS];
    prepare(&s, NULL);
    start(&s);
    connect_all(&s, fds, CLIENTS);
    assert_int_equal(s.seen_count, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(s.per_thread[i], CLIENTS / THREADS);
    sp_server_statistics statistics;
    sp_server_get_statistics(s.server, &statistics);
    assert_int_equal(statistics.connections, CLIENTS);
    assert_int_equal(statistics.unauthenticated, CLIENTS);
    sp_server_stop(s.server);
    finish(&s);
    close_all(fds, CLIENTS);
}

/* The one that has lost its connections gets the next. */
static void to_those_with_the_fewest(void **state)
{
    (void)state;
    stage s;
    int fds[CLIENTS];
    prepare(&s, NULL);
    start(&s);
    connect_all(&s, fds, 2 * THREADS);
    /* In order: each got the k-th and the (k + 4)-th. */
    close(fds[1]);
    close(fds[1 + THREADS]);
    wait_for(&s.lost, 2);
    wait_for_connections(&s, 2 * THREADS - 2);
    fds[1] = connect_to(s.server);
    fds[1 + THREADS] = connect_to(s.server);
    assert_true(greeted(fds[1]) && greeted(fds[1 + THREADS]));
    unsigned fours = 0;
    wait_for(&s.made, 2 * THREADS + 2);
    for (unsigned i = 0; i < THREADS; i++)
        fours += s.per_thread[i] == 4;
    assert_int_equal(fours, 1);
    sp_server_stop(s.server);
    finish(&s);
    close_all(fds, 2 * THREADS);
}

static void one_that_was_given(void **state)
{
    (void)state;
    stage s;
    prepare(&s, NULL);
    int before = stand_client(s.server); /* nobody runs yet: served here */
    assert_int_equal(s.made, 1);
    start(&s);
    assert_true(greeted(before));
    close(before);
    wait_for(&s.lost, 1);
    assert_int_equal(s.wrong, 1); /* made in this thread, lost in the other */
    s.wrong = 0;
    sp_server_stop(s.server);
    finish(&s);
}

/* ---- what belongs to a connection ---- */

static void timer_fired(void *data)
{
    note *n = data;
    check_thread(n);
    n->stage->timers++;
}

static void in_pool(void *data)
{
    (void)data;
}

static void work_done(void *data)
{
    note *n = data;
    check_thread(n);
    n->stage->works++;
}

static void posted(void *data)
{
    note *n = data;
    check_thread(n);
    n->stage->posts++;
}

static void use_its_server(stage *s, sp_conn *conn)
{
    note *n = sp_conn_data(conn);
    check(s, sp_timer_start(n->server, 1, 0, timer_fired, n) != NULL);
    check(s, sp_server_work(n->server, in_pool, work_done, n) == 0);
    check(s, sp_server_post(n->server, posted, n) == 0);
}

static void see(sp_conn *conn, void *data)
{
    stage *s = data;
    check_thread(sp_conn_data(conn));
    s->visited++;
}

static void visit(sp_server *server, void *data)
{
    stage *s = data;
    sp_server_each_conn(server, see, s);
    s->calls++;
}

static void runs_in_its_thread(void **state)
{
    (void)state;
    stage s;
    int fds[CLIENTS];
    prepare(&s, NULL);
    s.on_made = use_its_server;
    start(&s);
    connect_all(&s, fds, CLIENTS);
    wait_for(&s.timers, CLIENTS);
    wait_for(&s.works, CLIENTS);
    wait_for(&s.posts, CLIENTS);
    for (unsigned i = 0; i < s.seen_count; i++)
        assert_int_equal(sp_server_post_all(s.servers[i], visit, &s), 0);
    wait_for(&s.calls, THREADS * THREADS);
    assert_int_equal(s.visited, CLIENTS * THREADS);
    sp_server_stop(s.servers[2]); /* any of them */
    finish(&s);
    close_all(fds, CLIENTS);
}

/* ---- limits ---- */

static void limits_are_the_whole_servers(void **state)
{
    (void)state;
    stage s;
    int fds[6];
    sp_server_options options = {SP_SERVER_OPTIONS_INIT, .max_connections = 5, .loop_threads = 3};
    prepare(&s, &options);
    start(&s);
    connect_all(&s, fds, 5);
    fds[5] = connect_to(s.server);
    assert_false(greeted(fds[5]));
    close(fds[5]);
    close(fds[0]);
    wait_for(&s.lost, 1);
    wait_for_connections(&s, 4);
    fds[0] = connect_to(s.server);
    assert_true(greeted(fds[0]));
    wait_for(&s.made, 6);
    sp_server_statistics statistics;
    sp_server_get_statistics(s.server, &statistics);
    assert_int_equal(statistics.refused, 1);
    assert_int_equal(statistics.connections, 5);
    sp_server_stop(s.server);
    finish(&s);
    close_all(fds, 5);
}

/* ---- the ends ---- */

static void watch_the_end(stage *s, sp_conn *conn)
{
    if (sp_conn_server(conn) != s->server)
        check(s, sp_server_wait_closed(sp_conn_server(conn), count_closed, &s->part_closed) == 0);
}

static void closed_when_the_last_has_gone(void **state)
{
    (void)state;
    stage s;
    int fds[CLIENTS];
    prepare(&s, NULL);
    s.on_made = watch_the_end;
    start(&s);
    connect_all(&s, fds, CLIENTS);
    sp_server_close(s.servers[1]);
    close_all(fds, CLIENTS - 1);
    wait_for(&s.lost, CLIENTS - 1);
    assert_int_equal(s.part_closed, 0); /* all of them, or none */
    assert_int_equal(s.closed, 0);
    close(fds[CLIENTS - 1]);
    finish(&s);
    assert_int_equal(s.part_closed, CLIENTS - CLIENTS / THREADS);
}

static void drain(void *data)
{
    sp_server_drain(data, 20);
}

/* The clients say nothing, and are sent away after that. */
static void drained(void **state)
{
    (void)state;
    stage s;
    int fds[CLIENTS];
    prepare(&s, NULL);
    start(&s);
    connect_all(&s, fds, CLIENTS);
    assert_int_equal(sp_server_post(s.servers[1], drain, s.servers[1]), 0);
    finish(&s);
    assert_int_equal(s.made, CLIENTS);
    close_all(fds, CLIENTS);
}

static void ended_before_it_ran(void **state)
{
    (void)state;
    stage s;
    prepare(&s, NULL);
    sp_server_free(s.server);
    assert_int_equal(s.closed, 1);
    prepare(&s, NULL);
    sp_server_stop(s.server);
    start(&s);
    finish(&s);
    prepare(&s, NULL);
    sp_server_close(s.server);
    assert_int_equal(sp_server_listen(s.server, "127.0.0.1", 0), SP_ECLOSED);
    start(&s);
    finish(&s);
    prepare(&s, NULL);
    int fd = stand_client(s.server);
    sp_server_free(s.server);
    assert_int_equal(s.lost, 1);
    close(fd);
}

/* ---- races ---- */

static void *hammer(void *data)
{
    stage *s = data;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)s->ids[63]);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        char byte;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
            close(fd);
            return NULL;
        }
        /* A connection that meets the listener's closing may stay open at this end alone. */
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        while (!s->over && poll(&wait, 1, 10) == 0)
            ;
        (void)recv(fd, &byte, 1, MSG_DONTWAIT);
        close(fd);
    }
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void made_quietly(sp_conn *conn)
{
    ((stage *)sp_server_data(sp_conn_server(conn)))->made++;
}

static void lost_quietly(sp_conn *conn, const sp_conn_error *error)
{
    (void)error;
    ((stage *)sp_server_data(sp_conn_server(conn)))->lost++;
}

/* Connections come while the server ends: each is served or closed, none is forgotten. */
static void one_race(unsigned round)
{
    static const sp_server_handlers quiet = {
        SP_SERVER_HANDLERS_INIT, .connection_made = made_quietly, .connection_lost = lost_quietly};
    stage s = {0};
    pthread_t clients[3];
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT, .loop_threads = 2 + round % 3};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    assert_int_equal(sp_server_new(&s.server, &options, &quiet, &s, NULL, 0), 0);
    sp_key_unref(key);
    assert_int_equal(sp_server_listen(s.server, "127.0.0.1", 0), 0);
    assert_int_equal(sp_server_wait_closed(s.server, count_closed, &s.closed), 0);
    s.ids[63] = sp_server_port(s.server, 0);
    start(&s);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, hammer, &s), 0);
    const struct timespec moment = {.tv_nsec = 100000};
    while (s.made < 5 + 7 * (round % 5))
        nanosleep(&moment, NULL);
    if (round % 2 == 0)
        sp_server_stop(s.server);
    else
        sp_server_drain(s.server, 1);
    finish(&s);
    s.over = true;
    for (unsigned i = 0; i < 3; i++)
        pthread_join(clients[i], NULL);
}

static void ending_under_load(void **state)
{
    (void)state;
    one_race(0);
    unsigned before = open_descriptors();
    for (unsigned round = 0; round < 20; round++)
        one_race(round);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_many),
        cmocka_unit_test(spread_evenly),
        cmocka_unit_test(to_those_with_the_fewest),
        cmocka_unit_test(one_that_was_given),
        cmocka_unit_test(runs_in_its_thread),
        cmocka_unit_test(limits_are_the_whole_servers),
        cmocka_unit_test(closed_when_the_last_has_gone),
        cmocka_unit_test(drained),
        cmocka_unit_test(ended_before_it_ran),
        cmocka_unit_test(ending_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
