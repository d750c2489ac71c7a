/* sftp_server: everyone may log in and has SFTP on a file system.
 *
 *     sftp_server PORT HOST_KEY memory|DIRECTORY [read-only] [small]
 *
 * memory: one file system in memory for all. DIRECTORY: clients see it as "/". small: narrow
 * limits. One line of JSON for each file that was transferred and for each session that ended. */
#include "../../examples/example.h"
#include "file_events.h"

static sp_fs *files;
static sp_sftp_options sftp = {SP_SFTP_OPTIONS_INIT};

static void session_started(sp_channel *channel)
{
    if (sp_channel_serve_sftp(channel, files, &sftp) != 0)
        sp_channel_exit(channel, 1);
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .subsystem_requested = example_sftp,
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
    sftp.transferred = tell_transfer;
    sftp.closed = tell_closed;
    files = make_files(argv[3], read_only);
    if (files == NULL)
        return 2;
    int result = example_room(3, argv, &session);
    sp_fs_unref(files);
    return result;
}
