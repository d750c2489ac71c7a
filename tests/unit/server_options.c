/* src/server: what the options and the calls on a connection say, on real sockets. */
#include "support/server_stand.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>

static int listening_socket(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* ---- an open socket; what a connection knows of itself ---- */

typedef struct visit {
    uint16_t server_port;
    uint16_t client_port;
    int made;
    int lost;
} visit;

static void made(sp_conn *conn)
{
    sp_server *server = sp_conn_server(conn);
    visit *v = sp_server_data(server);
    char host[64];
    uint16_t port = 0;

    v->made++;
    assert_true(sp_conn_peer_address(conn, host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, v->client_port);
    assert_true(sp_conn_local_address(conn, host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, v->server_port);
    assert_null(sp_conn_client_version(conn));
    assert_int_equal(strncmp(sp_conn_server_version(conn), "SSH-2.0-", 8), 0);
    assert_false(sp_conn_authenticated(conn));
    assert_null(sp_conn_data(conn));
    sp_conn_set_data(conn, &v->made);
    sp_server_drain(server, 0);
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    visit *v = sp_server_data(sp_conn_server(conn));

    (void)error;
    v->lost++;
    assert_ptr_equal(sp_conn_data(conn), &v->made);
    assert_string_equal(sp_conn_client_version(conn), "SSH-2.0-visitor");
}

static void an_open_socket(void **state)
{
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = made,
        .connection_lost = lost,
    };
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    visit v = {0};

    (void)state;
    sp_server *server = stand_server(&handlers, &v, NULL);
    int fd = listening_socket(&v.server_port);
    assert_int_equal(sp_server_listen_fd(server, fd), 0); /* the server's from here on */
    assert_int_equal(sp_server_port(server, 0), v.server_port);
    int client = connect_to(v.server_port);
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &size), 0);
    v.client_port = ntohs(own.sin_port);
    assert_int_equal(write(client, "SSH-2.0-visitor\r\n", 17), 17);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(sp_server_run(server), 0);
    assert_int_equal(v.made, 1);
    assert_int_equal(v.lost, 1);
    sp_server_free(server);
    close(client);
}

/* ---- options ---- */

static sp_server *server_with(sp_server_options *options)
{
    const sp_server_handlers none = {SP_SERVER_HANDLERS_INIT};
    sp_key *key = NULL;
    sp_server *server = NULL;

    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    options->protocol.host_keys = &key;
    options->protocol.host_key_count = 1;
    assert_int_equal(sp_server_new(&server, options, &none, NULL, NULL, 0), 0);
    sp_key_unref(key);
    return server;
}

/* The length of the queue that the kernel keeps for the listener of that port. */
static unsigned backlog_of(uint16_t port)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address;
        struct tcp_info info;
        socklen_t size = sizeof address;
        socklen_t info_size = sizeof info;
        if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
            address.sin_family == AF_INET && ntohs(address.sin_port) == port &&
            getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0)
            return info.tcpi_sacked;
    }
    return 0;
}

static void backlog(void **state)
{
    (void)state;
    for (unsigned wanted = 0; wanted < 20; wanted += 7) {
        sp_server_options options = {SP_SERVER_OPTIONS_INIT};
        options.backlog = wanted;
        sp_server *server = server_with(&options);
        assert_int_equal(sp_server_listen(server, "127.0.0.1", 0), 0);
        assert_int_equal(backlog_of(sp_server_port(server, 0)), wanted == 0 ? 128 : wanted);
        sp_server_free(server);
    }
}

typedef struct lines {
    unsigned count;
    bool listening;
} lines;

static void take_line(void *ctx, sp_log_level level, const char *line)
{
    lines *l = ctx;

    assert_true(level >= SP_LOG_ERROR && level <= SP_LOG_INFO);
    assert_null(strchr(line, '\n'));
    l->count++;
    l->listening = l->listening || strstr(line, "listening") != NULL;
}

static void log_callback(void **state)
{
    const sp_log_level levels[] = {SP_LOG_QUIET, SP_LOG_INFO};

    (void)state;
    for (int i = 0; i < 2; i++) {
        sp_server_options options = {SP_SERVER_OPTIONS_INIT};
        lines l = {0};
        options.protocol.log = take_line;
        options.protocol.log_ctx = &l;
        options.protocol.log_level = levels[i];
        sp_server *server = server_with(&options);
        assert_int_equal(sp_server_listen(server, "127.0.0.1", 0), 0);
        assert_int_equal(l.count > 0, i == 1);
        assert_int_equal(l.listening, i == 1);
        sp_server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_socket),
        cmocka_unit_test(backlog),
        cmocka_unit_test(log_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
