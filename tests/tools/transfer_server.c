/* transfer_server: everyone may log in and has SFTP and scp on a folder of this machine.
 *
 *     transfer_server FOLDER [quota=BYTES] [keepalive=MILLISECONDS]
 *
 * keepalive: three that are not answered end a connection. One line of JSON for each file that was
 * open and for each session that ended. */
#include "../../examples/example.h"
#include "json_events.h"

static sp_fs *files;
static uint32_t keepalive_ms;
static sp_sftp_options sftp = {SP_SFTP_OPTIONS_INIT};
static sp_scp_options scp = {SP_SCP_OPTIONS_INIT};

static void transferred(sp_channel *channel, const sp_sftp_transfer *transfer, void *data)
{
    event e;
    (void)channel;
    event_begin(&e, "transfer");
    event_text(&e, "by", data);
    event_text(&e, "path", transfer->path);
    event_number(&e, "read", (int64_t)transfer->bytes_read);
    event_number(&e, "written", (int64_t)transfer->bytes_written);
    event_number(&e, "status", transfer->status);
    event_bool(&e, "by_client", transfer->by_client);
    event_bool(&e, "whole", transfer->whole);
    event_end(&e);
}

static void closed(sp_channel *channel, uint32_t status, void *data)
{
    event e;
    (void)channel;
    event_begin(&e, "closed");
    event_text(&e, "by", data);
    event_number(&e, "status", status);
    event_end(&e);
}

static sp_answer subsystem_requested(sp_channel *channel, sp_request *request, const char *name)
{
    (void)channel;
    (void)request;
    return strcmp(name, "sftp") == 0 ? SP_ACCEPT : SP_REJECT;
}

static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    return sp_scp_command(command) ? SP_ACCEPT : SP_REJECT;
}

static void session_started(sp_channel *channel)
{
    int result = sp_channel_get_command(channel) != NULL
                     ? sp_channel_serve_scp(channel, files, &scp)
                     : sp_channel_serve_sftp(channel, files, &sftp);
    if (result != 0)
        sp_channel_exit(channel, 255);
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    const sp_limits limits = {.size = sizeof limits, .keepalive_interval_ms = keepalive_ms};
    (void)auth;
    (void)username;
    return sp_conn_set_limits(conn, &limits) == 0 ? SP_ACCEPT : SP_REJECT;
}

int main(int argc, char **argv)
{
    static char by_sftp[] = "sftp";
    static char by_scp[] = "scp";
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .subsystem_requested = subsystem_requested,
        .exec_requested = exec_requested,
        .session_started = session_started,
    };
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = begin_auth,
        .session_requested = example_open,
    };
    example e = example_arguments(1, argv);
    sp_fs_posix_options posix = {SP_FS_POSIX_OPTIONS_INIT};
    if (argc < 2)
        return 2;
    posix.root = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "quota=", 6) == 0)
            posix.quota = strtoull(argv[i] + 6, NULL, 10);
        if (strncmp(argv[i], "keepalive=", 10) == 0)
            keepalive_ms = (uint32_t)strtoul(argv[i] + 10, NULL, 10);
    }
    sftp.transferred = scp.transferred = transferred;
    sftp.closed = scp.closed = closed;
    sftp.data = by_sftp;
    scp.data = by_scp;
    if (sp_fs_posix_new(&files, &posix) != 0)
        return 2;
    example_preset = "compatible"; /* old clients, too */
    int result = example_run(&e, &handlers, &session);
    sp_fs_unref(files);
    return result;
}
