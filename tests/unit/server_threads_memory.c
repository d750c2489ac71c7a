/* src/server with several loop threads: the n-th allocation fails, for all n, whichever thread
 * makes it. Nothing is left over, and the server ends. */
#include "support/meter.h"
#include "support/server_stand.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static meter m;

typedef struct ending {
    sp_server *server;
    atomic_bool over;
    int result;
} ending;

static void *run_to_its_end(void *data)
{
    ending *e = data;
    e->result = sp_server_run(e->server);
    e->over = true;
    return NULL;
}

/* Connects, and waits for the greeting, the end of the connection or that of the server. */
static void visit_once(ending *e, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        while (!e->over && poll(&poll_fd, 1, 5) == 0)
            continue;
    close(fd);
}

static bool one_failure(const sp_server_options *options)
{
    ending e = {0};
    pthread_t thread;
    static const sp_server_handlers none = {SP_SERVER_HANDLERS_INIT};
    int result = sp_server_new(&e.server, options, &none, NULL, NULL, 0);
    assert_true(result == 0 || result == SP_ENOMEM);
    if (result == 0 && sp_server_listen(e.server, "127.0.0.1", 0) == 0) {
        uint16_t port = sp_server_port(e.server, 0);
        assert_int_equal(pthread_create(&thread, NULL, run_to_its_end, &e), 0);
        for (int i = 0; i < 3; i++)
            visit_once(&e, port);
        sp_server_stop(e.server);
        pthread_join(thread, NULL);
        assert_true(e.result == 0 || e.result == SP_ENOMEM);
    }
    sp_server_free(e.server);
    assert_int_equal(m.live, 0);
    return m.failed;
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT, .loop_threads = 3};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.protocol.allocator = (sp_allocator){&m, meter_alloc, meter_realloc, meter_free};
    long n = 0;
    m.once = true;
    do {
        m.until = n;
        m.failed = false;
    } while (one_failure(&options) && ++n < 5000);
    assert_in_range(n, 30, 4999);
    sp_key_unref(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
