/* scp_server: everyone may log in and has scp's far end on a file system.
 *
 *     scp_server PORT memory|FOLDER [read-only] [write-only] [small]
 *
 * memory: one file system in memory for all; else a folder of this machine, as "/". small: narrow
 * limits. One line of JSON for each file that was open and for each session that ended. */
#include "../../examples/example.h"
#include "json_events.h"

static sp_fs *files;
static sp_scp_options scp = {SP_SCP_OPTIONS_INIT};

static void transferred(sp_channel *channel, const sp_sftp_transfer *transfer, void *data)
{
    event e;
    (void)channel;
    (void)data;
    event_begin(&e, "transfer");
    event_text(&e, "user", transfer->username);
    event_text(&e, "path", transfer->path);
    event_number(&e, "read", (int64_t)transfer->bytes_read);
    event_number(&e, "written", (int64_t)transfer->bytes_written);
    event_number(&e, "status", transfer->status);
    event_bool(&e, "by_client", transfer->by_client);
    event_end(&e);
}

static void closed(sp_channel *channel, uint32_t status, void *data)
{
    event e;
    (void)data;
    event_begin(&e, "closed");
    event_number(&e, "status", status);
    event_bool(&e, "gone", sp_channel_conn(channel) == NULL);
    event_end(&e);
}

static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    return sp_scp_command(command) ? SP_ACCEPT : SP_REJECT;
}

static void session_started(sp_channel *channel)
{
    if (sp_channel_serve_scp(channel, files, &scp) != 0)
        sp_channel_exit(channel, 255);
}

static sp_fs *make_files(const char *where)
{
    const sp_fs_memory_options memory = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 512u << 20};
    const sp_fs_posix_options posix = {SP_FS_POSIX_OPTIONS_INIT, .root = where};
    sp_fs *fs = NULL;
    if (strcmp(where, "memory") == 0)
        return sp_fs_memory_new(&memory);
    return sp_fs_posix_new(&fs, &posix) == 0 ? fs : NULL;
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .exec_requested = exec_requested,
        .session_started = session_started,
    };
    example_preset = "compatible"; /* old clients, too */
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++) {
        scp.read_only = scp.read_only || strcmp(argv[i], "read-only") == 0;
        scp.write_only = scp.write_only || strcmp(argv[i], "write-only") == 0;
        if (strcmp(argv[i], "small") == 0) {
            scp.max_depth = 2;
            scp.max_matches = 3;
            scp.max_file_size = 1000;
        }
    }
    scp.transferred = transferred;
    scp.closed = closed;
    files = make_files(argv[2]);
    if (files == NULL)
        return 2;
    int result = example_room(2, argv, &session);
    sp_fs_unref(files);
    return result;
}
