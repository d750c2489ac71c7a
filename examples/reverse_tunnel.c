/* Reverse tunnels: a client offers a service with `ssh -R 0:localhost:80`, this server listens for
 * it, and whoever logs in with a command or a shell is told which port leads to whom. The name
 * "doorbell" is a listener of the program's own, without a socket: the program itself calls such a
 * client, `ssh -R doorbell:1:localhost:7777`, once, and prints what it says. */
#include "example.h"

static void tunnel_open(sp_listener *tunnel, void *data)
{
    (void)data;
    (void)printf("port %u leads to %s\n", (unsigned)sp_listener_get_port(tunnel),
                 sp_conn_username(sp_listener_conn(tunnel)));
    (void)fflush(stdout);
}

static void doorbell_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    (void)type;
    (void)printf("%s says: ", sp_conn_username(sp_channel_conn(channel)));
    for (const char *c = bytes; length > 0; c++, length--)
        (void)putchar(*c >= ' ' && *c <= '~' ? *c : '?');
    (void)putchar('\n');
    (void)fflush(stdout);
    sp_channel_close(channel);
}

static void doorbell_open(sp_listener *doorbell, void *data)
{
    static const sp_stream_handlers call = {
        SP_STREAM_HANDLERS_INIT,
        .data_received = doorbell_data,
    };
    (void)data;
    (void)sp_conn_create_connection(sp_listener_conn(doorbell), &call, NULL, NULL, "doorbell",
                                    sp_listener_get_port(doorbell), "reverse-tunnel", 0, NULL);
}

static sp_answer server_requested(sp_conn *conn, sp_listen *listen, const char *host, uint16_t port)
{
    static const sp_listener_handlers tunnel = {SP_LISTENER_HANDLERS_INIT,
                                                .listening = tunnel_open};
    static const sp_listener_handlers doorbell = {SP_LISTENER_HANDLERS_INIT,
                                                  .listening = doorbell_open};
    (void)conn;
    if (strcmp(host, "doorbell") == 0)
        return sp_answered(sp_listen_own(listen, &doorbell, NULL, port != 0 ? port : 1));
    return sp_answered(sp_listen_forward(listen, NULL, &tunnel, NULL));
}

static void list_tunnel(sp_listener *tunnel, void *channel)
{
    sp_channel_printf(channel, "port %u leads to %s\r\n", (unsigned)sp_listener_get_port(tunnel),
                      sp_conn_username(sp_listener_conn(tunnel)));
}

static void list_conn(sp_conn *conn, void *channel)
{
    sp_conn_each_listener(conn, list_tunnel, channel);
}

static void list(sp_channel *channel)
{
    sp_server_each_conn(sp_conn_server(sp_channel_conn(channel)), list_conn, channel);
    sp_channel_exit(channel, 0);
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    sp_session_handlers session = {SP_SESSION_HANDLERS_INIT, .shell_requested = example_shell,
                                   .exec_requested = example_exec, .session_started = list};
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .session_requested = example_open,
        .server_requested = server_requested,
    };
    return example_run(&e, &handlers, &session);
}
