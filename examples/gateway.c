/* A gateway: clients may reach the places named on the command line through it, and nothing else:
 * no shell, no command. One more place, "hello.gateway", is not on the network at all: the program
 * itself answers there. */
#include "example.h"

typedef struct places {
    char **names; /* "host:port" */
    int count;
} places;

static void hello_started(sp_channel *channel)
{
    sp_channel_printf(channel, "Hello %s, this is the gateway itself.\n",
                      sp_conn_username(sp_channel_conn(channel)));
    sp_channel_close(channel);
}

/* For ssh -L, -D, -J and -W. */
static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    static const sp_stream_handlers hello = {
        SP_STREAM_HANDLERS_INIT,
        .session_started = hello_started,
    };
    const places *p = sp_server_data(sp_conn_server(conn));
    char wanted[300];

    (void)orig_host;
    (void)orig_port;
    if (strcmp(dest_host, "hello.gateway") == 0)
        return sp_answered(sp_open_stream(open, &hello, NULL, NULL));
    (void)snprintf(wanted, sizeof wanted, "%s:%u", dest_host, (unsigned)dest_port);
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->names[i], wanted) == 0)
            return SP_ACCEPT; /* the library connects, and relays */
    return sp_answered(
        sp_open_refuse(open, SP_OPEN_ADMINISTRATIVELY_PROHIBITED, "not through this gateway"));
}

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password)
{
    (void)conn;
    (void)auth;
    (void)username;
    return strcmp(password, "open") == 0 ? SP_ACCEPT : SP_REJECT;
}

int main(int argc, char **argv)
{
    /* gateway PORT HOST_KEY_FILE|- [HOST:PORT ...] */
    example e = example_arguments(argc, argv);
    places p = {.names = argv + 3, .count = argc > 3 ? argc - 3 : 0};
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .password_auth_supported = example_yes,
        .validate_password = validate_password,
        .connection_requested = connection_requested,
    };

    return example_run(&e, &handlers, &p);
}
