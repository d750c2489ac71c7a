/* src/server, src/loop: the n-th allocation fails, for all n. Nothing is left over, nothing
 * crashes, and every connection that was made is lost once. */
#include "support/meter.h"
#include "support/server_stand.h"

#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>

static int made_count;
static int lost_count;
static sp_conn *the_conn;
static sp_auth *the_auth;
static sp_open *the_open;
static sp_request *the_request;

static void made(sp_conn *conn)
{
    made_count++;
    the_conn = conn;
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)error; /* none if the end of the input is seen first */
    lost_count++;
    if (the_conn == conn)
        the_conn = NULL;
}

static sp_answer keep_auth(sp_conn *conn, sp_auth *auth, const char *username, const char *password)
{
    (void)conn;
    assert_string_equal(username, "user");
    assert_string_equal(password, "secret");
    the_auth = auth;
    return SP_LATER;
}

static sp_answer keep_open(sp_conn *conn, sp_open *open)
{
    (void)conn;
    the_open = open;
    return SP_LATER;
}

static sp_answer keep_request(sp_channel *channel, sp_request *request, const char *name,
                              const char *value)
{
    (void)channel;
    (void)name;
    (void)value;
    the_request = request;
    return SP_LATER;
}

static const sp_session_handlers session = {SP_SESSION_HANDLERS_INIT,
                                            .env_requested = keep_request};

static sp_answer forward_host(sp_conn *conn, sp_open *open, const char *dest_host,
                              uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    (void)conn;
    (void)dest_host;
    (void)orig_host;
    (void)orig_port;
    return dest_port != 0 ? sp_answered(sp_open_forward_to(open, "127.0.0.1", dest_port))
                          : SP_REJECT;
}

static sp_answer forward_path(sp_conn *conn, sp_open *open, const char *dest_path)
{
    (void)conn;
    (void)open;
    (void)dest_path;
    return SP_ACCEPT;
}

static sp_key *external_key;
static int signs;

/* One is answered later, one goes to an agent that is not there. */
static sp_answer sign(sp_conn *conn, sp_sign *question, const sp_key *key, const char *algorithm,
                      const void *data, size_t length)
{
    (void)conn;
    (void)key;
    (void)algorithm;
    (void)data;
    (void)length;
    if (signs++ > 0)
        return sp_agent_sign(question, "/nonexistent/agent");
    assert_int_equal(sp_sign_answer(question, "x", 0), SP_EINVAL);
    (void)sp_sign_answer(question, "x", 1);
    assert_int_equal(sp_sign_answer(question, "x", 1), SP_EALREADY);
    sp_sign_release(question);
    return SP_LATER;
}

static void nothing(void *data)
{
    (void)data;
}

/* Questions that the engine never asked: it refuses their answers, and they must go all the same.
 */
static void ask_all(sp_conn *conn)
{
    sp_event event;
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_AUTH_PASSWORD;
    event.question = 1001;
    event.u.auth.username = "user";
    event.u.auth.password = "secret";
    sps_auth_event(conn, &event);
    if (the_auth != NULL) {
        (void)sp_auth_change_required(the_auth, "New one: ", "en");
        sp_auth_release(the_auth);
    }
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_OPEN;
    event.question = 1002;
    event.u.open.type = "session";
    sps_open_event(conn, &event);
    if (the_open != NULL) {
        (void)sp_open_session(the_open, &session, NULL, NULL);
        sp_open_release(the_open);
    }
    /* Two that the library connects for: one address, one path. */
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_OPEN;
    event.question = 1004;
    event.channel = 3;
    event.u.open.type = "direct-tcpip";
    event.u.open.dest_host = "127.0.0.1";
    event.u.open.dest_port = sp_server_port(conn->server, 0);
    event.u.open.orig_host = "127.0.0.1";
    sps_open_event(conn, &event);
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_OPEN;
    event.question = 1005;
    event.channel = 4;
    event.u.open.type = "direct-streamlocal@openssh.com";
    event.u.open.dest_path = "/nonexistent/socket";
    sps_open_event(conn, &event);
    for (uint64_t i = 0; i < 2; i++) {
        memset(&event, 0, sizeof event);
        event.type = SP_EVENT_SIGN;
        event.question = 1010 + i;
        event.u.sign.key = external_key;
        event.u.sign.algorithm = "ssh-ed25519";
        event.u.sign.data = (const uint8_t *)"data";
        event.u.sign.length = 4;
        sps_sign_event(conn, &event);
    }
    sp_channel *channel = sps_channel_new(conn->queue, &session, NULL);
    if (channel == NULL)
        return;
    if (sps_channel_attach(channel, conn, 7) != 0) {
        sp_channel_unref(channel);
        return;
    }
    sps_count(&conn->server->counters.channels, 1);
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_REQUEST;
    event.question = 1003;
    event.channel = 7;
    event.u.request.type = SP_REQUEST_ENV;
    event.u.request.text = "LANG";
    event.u.request.value = "C";
    sps_channel_event(conn, &event);
    if (the_request != NULL) {
        (void)sp_request_answer(the_request, true);
        sp_request_release(the_request);
    }
    const sp_term_mode mode = {53, 1};
    const sp_term_modes modes = {&mode, 1, 0, 0};
    const sp_term_size size = {80, 24, 0, 0};
    if (sps_channel_set_terminal(channel, "xterm", &size, &modes))
        assert_string_equal(sp_channel_get_terminal_type(channel), "xterm");
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "NAME%d", i);
        if (sps_channel_set_variable(channel, name, "value"))
            assert_string_equal(sp_channel_get_environment(channel, name), "value");
    }
}

static bool one_life(long n)
{
    meter m = {.until = -1};
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.protocol.allocator = (sp_allocator){&m, meter_alloc, meter_realloc, meter_free};
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = made,
        .connection_lost = lost,
        .validate_password = keep_auth,
        .session_requested = keep_open,
        .connection_requested = forward_host,
        .unix_connection_requested = forward_path,
        .sign = sign,
    };
    made_count = lost_count = 0;
    the_conn = NULL;
    the_auth = NULL;
    the_open = NULL;
    the_request = NULL;
    signs = 0;
    assert_int_equal(sp_key_new_external(&external_key, key), 0);
    m.until = n;
    sp_server *server = NULL;
    char reason[100];
    int fds[2] = {-1, -1};
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) == 0) {
        (void)sp_server_listen(server, "127.0.0.1", 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        (void)sp_server_serve_fd(server, fds[0]);
        (void)sp_server_post(server, nothing, NULL);
        (void)sp_timer_start(server, 1, 0, nothing, NULL);
        (void)sp_server_work(server, nothing, nothing, NULL);
        (void)sp_server_wait_closed(server, nothing, NULL);
        if (the_conn != NULL)
            ask_all(the_conn);
        sp_server_drain(server, 1);
        assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
        m.until = m.failed ? -1 : m.until;
        assert_int_equal(sp_server_run(server), 0);
        sp_server_statistics s;
        sp_server_get_statistics(server, &s);
        assert_int_equal(s.connections, 0);
        assert_int_equal(s.unauthenticated, 0);
        assert_int_equal(s.channels, 0);
        sp_server_free(server);
        close(fds[1]);
    }
    sp_key_unref(key);
    sp_key_unref(external_key);
    assert_int_equal(made_count, lost_count);
    assert_int_equal(m.live, 0);
    return m.failed;
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    long n = 0;
    while (one_life(n))
        n++;
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
