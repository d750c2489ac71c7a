/* server_sallyport [PORT [THREADS]]: the library's side of the comparison. Any key logs in; "sink"
 * reads until end of file, "source N" sends N bytes; SFTP has all files of this machine. THREADS:
 * loop threads, 1 if not given. Prints its port. */
#include <sallyport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char zeros[256 * 1024];
static sp_fs *files;

static bool yes(sp_conn *conn)
{
    (void)conn;
    return true;
}

static sp_answer any_key(sp_conn *conn, sp_auth *auth, const char *username, const sp_key *key)
{
    (void)conn;
    (void)auth;
    (void)username;
    (void)key;
    return SP_ACCEPT;
}

static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    (void)command;
    return SP_ACCEPT;
}

static sp_answer subsystem_requested(sp_channel *channel, sp_request *request, const char *name)
{
    (void)channel;
    (void)request;
    return strcmp(name, "sftp") == 0 ? SP_ACCEPT : SP_REJECT;
}

/* The channel's data is the number of bytes that are still to be sent. */
static void go_on(sp_channel *channel)
{
    size_t left = (size_t)(uintptr_t)sp_channel_data(channel);

    while (left > 0) {
        size_t step = left < sizeof zeros ? left : sizeof zeros;
        ptrdiff_t n = sp_channel_write(channel, zeros, step);
        if (n > 0)
            left -= (size_t)n;
        if (n < (ptrdiff_t)step)
            break;
    }
    sp_channel_set_data(channel, (void *)(uintptr_t)left);
    if (left == 0)
        sp_channel_exit(channel, 0);
}

static void session_started(sp_channel *channel)
{
    const char *command = sp_channel_get_command(channel);

    if (command == NULL) {
        if (sp_channel_serve_sftp(channel, files, NULL) != 0)
            sp_channel_exit(channel, 1);
        return;
    }
    if (strncmp(command, "source ", 7) == 0) {
        sp_channel_set_data(channel, (void *)(uintptr_t)strtoull(command + 7, NULL, 10));
        go_on(channel);
    }
}

static void data_received(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    (void)channel;
    (void)bytes;
    (void)length;
    (void)type;
}

static bool eof_received(sp_channel *channel)
{
    if (sp_channel_data(channel) == NULL)
        sp_channel_exit(channel, 0);
    return true;
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .exec_requested = exec_requested,
        .subsystem_requested = subsystem_requested,
        .session_started = session_started,
        .data_received = data_received,
        .eof_received = eof_received,
        .resume_writing = go_on,
    };
    (void)conn;
    return sp_answered(sp_open_session(open, &session, NULL, NULL));
}

int main(int argc, char **argv)
{
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .public_key_auth_supported = yes,
        .validate_public_key = any_key,
        .session_requested = session_requested,
    };
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    sp_server *server;
    sp_key *key;
    char reason[256];

    if (sp_key_generate(&key, SP_KEY_ED25519, 0) != 0)
        return 1;
    const sp_fs_posix_options everything = {SP_FS_POSIX_OPTIONS_INIT, .root = "/"};
    if (sp_fs_posix_new(&files, &everything) != 0)
        return 1;
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.loop_threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) != 0) {
        fprintf(stderr, "%s\n", reason);
        return 1;
    }
    uint16_t port = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0;
    if (sp_server_listen(server, "127.0.0.1", port) != 0)
        return 1;
    printf("%u\n", (unsigned)sp_server_port(server, 0));
    fflush(stdout);
    return sp_server_run(server);
}
