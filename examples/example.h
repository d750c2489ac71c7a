/* example.h: what would be the same in each example: two arguments, listening and running, and for
 * those about logging in a session that says who did. smallest_server.c spells all of it out. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <sallyport.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* program [PORT [HOST_KEY_FILE]]: port 0, or none, is any free one; without a file, or with "-", a
 * key is made that lasts as long as the program. */
typedef struct example {
    uint16_t port;
    sp_key *host_key;
} example;

static inline example example_arguments(int argc, char **argv)
{
    example e = {.port = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0, .host_key = NULL};
    bool file = argc > 2 && strcmp(argv[2], "-") != 0;
    int result = file ? sp_key_load_private(&e.host_key, argv[2], NULL)
                      : sp_key_generate(&e.host_key, SP_KEY_ED25519, 0);

    if (result != 0) {
        (void)fprintf(stderr, "host key: %s\n", sp_strerror(result));
        exit(1);
    }
    return e;
}

static inline int example_fail(const char *what, const char *reason)
{
    (void)fprintf(stderr, "%s: %s\n", what, reason);
    return 1;
}

/* To standard output, at once: whoever started us may be waiting for it. */
static inline void example_ready(const sp_server *server)
{
    (void)printf("listening on 127.0.0.1:%u\n", (unsigned)sp_server_port(server, 0));
    (void)fflush(stdout);
}

static sp_server *volatile example_running; /* NULL: it has ended */

static inline void example_on_signal(int number)
{
    sp_server *server = example_running;

    (void)number;
    if (server != NULL)
        sp_server_stop(server); /* allowed in a signal handler */
}

/* Ctrl-C, or kill, ends in an orderly way. */
static inline void example_stop_on_signals(sp_server *server)
{
    struct sigaction action = {.sa_handler = example_on_signal};

    example_running = server;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* Of the algorithms; NULL: the default one. Set before example_run. */
static const char *example_preset;

/* Makes a server, listens, runs until the server is stopped, and frees everything. */
static inline int example_run(example *e, const sp_server_handlers *handlers, void *data)
{
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    sp_server *server;
    char reason[256];

    options.protocol.host_keys = &e->host_key;
    options.protocol.host_key_count = 1;
    options.protocol.preset = example_preset;
    if (sp_server_new(&server, &options, handlers, data, reason, sizeof reason) != 0)
        return example_fail("server", reason);
    int result = sp_server_listen(server, "127.0.0.1", e->port);
    if (result == 0) {
        example_stop_on_signals(server);
        example_ready(server);
        result = sp_server_run(server);
    }
    example_running = NULL;
    sp_server_free(server);
    sp_key_unref(e->host_key);
    return result == 0 ? 0 : example_fail("server", sp_strerror(result));
}

/* password_auth_supported of a server that takes passwords. */
static inline bool example_yes(sp_conn *conn)
{
    (void)conn;
    return true;
}

/* A session that accepts a shell or a command, says who is logged in, and ends. */
static inline sp_answer example_shell(sp_channel *channel, sp_request *request)
{
    (void)channel;
    (void)request;
    return SP_ACCEPT;
}

static inline sp_answer example_exec(sp_channel *channel, sp_request *request, const char *command)
{
    (void)command;
    return example_shell(channel, request);
}

static inline void example_started(sp_channel *channel)
{
    sp_channel_printf(channel, "You are %s.\r\n", sp_conn_username(sp_channel_conn(channel)));
    sp_channel_exit(channel, 0);
}

static inline sp_answer example_session(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .shell_requested = example_shell,
        .exec_requested = example_exec,
        .session_started = example_started,
    };
    (void)conn;
    return sp_answered(sp_open_session(open, &session, NULL, NULL));
}

static inline sp_answer example_sftp(sp_channel *channel, sp_request *request, const char *name)
{
    (void)channel;
    (void)request;
    return strcmp(name, "sftp") == 0 ? SP_ACCEPT : SP_REJECT;
}

static inline sp_answer example_scp(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    return sp_scp_command(command) ? SP_ACCEPT : SP_REJECT;
}

static inline void example_serve_files(sp_channel *channel)
{
    bool sftp = sp_channel_get_subsystem(channel) != NULL;
    int result = sftp ? sp_channel_serve_sftp(channel, sp_channel_data(channel), NULL)
                      : sp_channel_serve_scp(channel, sp_channel_data(channel), NULL);

    if (result != 0)
        sp_channel_exit(channel, 1);
}

/* A session that serves files, by SFTP and by scp's old protocol, and does nothing else: the file
 * system that is the connection's data, or else the server's. */
static inline sp_answer example_files(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .subsystem_requested = example_sftp,
        .exec_requested = example_scp,
        .session_started = example_serve_files,
    };
    sp_fs *files = sp_conn_data(conn);

    if (files == NULL)
        files = sp_server_data(sp_conn_server(conn));
    return files == NULL ? SP_REJECT : sp_answered(sp_open_session(open, &session, files, NULL));
}

/* begin_auth of a server that everyone may enter under any name. */
static inline sp_answer example_welcome(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    (void)auth;
    (void)username;
    return SP_ACCEPT;
}

/* A server that everyone may enter, with these files. */
static inline int example_file_server(int argc, char **argv, sp_fs *files)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .session_requested = example_files,
    };
    example_preset = "compatible"; /* for an old curl, too */
    int result = example_run(&e, &handlers, files);
    sp_fs_unref(files);
    return result;
}

static inline sp_answer example_open(sp_conn *conn, sp_open *open)
{
    const sp_session_handlers *session = sp_server_data(sp_conn_server(conn));
    return sp_answered(sp_open_session(open, session, NULL, NULL));
}

/* A server that everyone may enter, and all of whose sessions are alike. */
static inline int example_room(int argc, char **argv, sp_session_handlers *session)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .session_requested = example_open,
    };
    return example_run(&e, &handlers, session);
}

static inline sp_answer example_open_direct(sp_conn *conn, sp_open *open)
{
    const sp_process_fn *function = sp_server_data(sp_conn_server(conn));
    return sp_answered(sp_open_direct(open, *function, NULL, NULL));
}

/* The same in direct style: one function serves each session. */
static inline int example_direct(int argc, char **argv, sp_process_fn function)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .session_requested = example_open_direct,
    };
    return example_run(&e, &handlers, &function);
}

#endif
