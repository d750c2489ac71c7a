/* scp_server: everyone may log in and has scp's far end on a file system.
 *
 *     scp_server PORT memory|FOLDER [read-only] [write-only] [small]
 *
 * memory: one file system in memory for all; else a folder of this machine, as "/". small: narrow
 * limits. One line of JSON for each file that was open and for each session that ended. */
#include "../../examples/example.h"
#include "file_events.h"

static sp_fs *files;
static sp_scp_options scp = {SP_SCP_OPTIONS_INIT};

static void session_started(sp_channel *channel)
{
    if (sp_channel_serve_scp(channel, files, &scp) != 0)
        sp_channel_exit(channel, 255);
}

int main(int argc, char **argv)
{
    static sp_session_handlers session = {
        SP_SESSION_HANDLERS_INIT,
        .exec_requested = example_scp,
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
    scp.transferred = tell_transfer;
    scp.closed = tell_closed;
    files = make_files(argv[2], false);
    if (files == NULL)
        return 2;
    int result = example_room(2, argv, &session);
    sp_fs_unref(files);
    return result;
}
