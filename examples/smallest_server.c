/* The smallest server: lets "guest" in without authentication, says hello and hangs up.
 *
 *     ssh -p PORT guest@127.0.0.1
 *
 * Three decisions make a server: who may come in, what a session is, and what happens in it. */
#include "example.h"

/* SP_ACCEPT: this user needs no authentication. Everybody else does; and because no handler below
 * accepts a key or a password, nobody else gets in. */
static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    (void)auth;
    return strcmp(username, "guest") == 0 ? SP_ACCEPT : SP_REJECT;
}

static sp_answer shell_requested(sp_channel *channel, sp_request *request)
{
    (void)channel;
    (void)request;
    return SP_ACCEPT;
}

static void session_started(sp_channel *channel)
{
    sp_channel_printf(channel, "Hello, %s!\r\n", sp_conn_username(sp_channel_conn(channel)));
    sp_channel_exit(channel, 0);
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .shell_requested = shell_requested,
        .session_started = session_started,
    };
    (void)conn;
    return sp_answered(sp_open_session(open, &session, NULL, NULL));
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = begin_auth,
        .session_requested = session_requested,
    };
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.host_keys = &e.host_key;
    options.protocol.host_key_count = 1;

    sp_server *server;
    char reason[256];
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) != 0)
        return example_fail("server", reason);
    int result = sp_server_listen(server, "127.0.0.1", e.port);
    if (result == 0) {
        example_stop_on_signals(server);
        example_ready(server);
        result = sp_server_run(server);
    }
    sp_server_free(server);
    sp_key_unref(e.host_key);
    return result == 0 ? 0 : example_fail("server", sp_strerror(result));
}
