/* sftp_server: everyone may log in and has SFTP on a file system.
 *
 *     sftp_server PORT HOST_KEY memory|DIRECTORY [read-only] [small]
 *
 * memory: one file system in memory for all. DIRECTORY: clients see it as "/". small: narrow
 * limits. One line of JSON for each file that was transferred and for each session that ended. */
#include "../../examples/example.h"
#include "json_events.h"

static sp_fs *files;
static sp_sftp_options sftp = {SP_SFTP_OPTIONS_INIT};

static void transferred(sp_channel *channel, const sp_sftp_transfer *transfer, void *data)
{
    event e;
    (void)channel;
    (void)data;
    event_begin(&e, "transfer");
    event_text(&e, "user", transfer->username);
    event_text(&e, "path", transfer->path);
    event_number(&e, "flags", transfer->flags);
    event_number(&e, "read", (int64_t)transfer->bytes_read);
    event_number(&e, "written", (int64_t)transfer->bytes_written);
    event_number(&e, "status", transfer->status);
    event_bool(&e, "by_client", transfer->by_client);
    event_end(&e);
}

static void closed(sp_channel *channel, uint32_t status, void *data)
{
    event e;
    (void)channel;
    (void)data;
    event_begin(&e, "closed");
    event_number(&e, "status", status);
    event_end(&e);
}

static sp_answer subsystem_requested(sp_channel *channel, sp_request *request, const char *name)
{
    (void)channel;
    (void)request;
    return strcmp(name, "sftp") == 0 ? SP_ACCEPT : SP_REJECT;
}

static void session_started(sp_channel *channel)
{
    if (sp_channel_serve_sftp(channel, files, &sftp) != 0)
        sp_channel_exit(channel, 1);
}

static sp_fs *make_files(const char *where, bool read_only)
{
    const sp_fs_memory_options memory = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 512u << 20,
                                         .read_only = read_only};
    const sp_fs_posix_options posix = {SP_FS_POSIX_OPTIONS_INIT, .root = where,
                                       .read_only = read_only};
    sp_fs *fs = NULL;
    if (strcmp(where, "memory") == 0)
        return sp_fs_memory_new(&memory);
    return sp_fs_posix_new(&fs, &posix) == 0 ? fs : NULL;
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .subsystem_requested = subsystem_requested,
        .session_started = session_started,
    };
    example_preset = "compatible"; /* old clients, too */
    bool read_only = false;
    if (argc < 4)
        return 2;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "read-only") == 0)
            read_only = true;
        if (strcmp(argv[i], "small") == 0) {
            sftp.max_handles = 2;
            sftp.max_requests = 3;
            sftp.max_bytes = 10000;
            sftp.max_packet = 34000;
        }
    }
    sftp.transferred = transferred;
    sftp.closed = closed;
    files = make_files(argv[3], read_only);
    if (files == NULL)
        return 2;
    int result = example_room(3, argv, &session);
    sp_fs_unref(files);
    return result;
}
