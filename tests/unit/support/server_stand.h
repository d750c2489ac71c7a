/* A server for tests, with a fresh host key, and sockets whose other end the test holds. */
#ifndef TESTS_SERVER_STAND_H
#define TESTS_SERVER_STAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sallyport.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline sp_server *stand_server(const sp_server_handlers *handlers, void *data,
                                      struct uv_loop_s *loop)
{
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.loop = loop;
    const sp_server_handlers none = {SP_SERVER_HANDLERS_INIT};
    sp_server *server = NULL;
    char reason[200] = "";
    int result = sp_server_new(&server, &options, handlers != NULL ? handlers : &none, data, reason,
                               sizeof reason);
    if (result != 0)
        fail_msg("%s", reason);
    sp_key_unref(key);
    return server;
}

/* Serves one end of a socket pair and returns the other. */
static inline int stand_client(sp_server *server)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(sp_server_serve_fd(server, fds[0]), 0);
    return fds[1];
}

#endif
