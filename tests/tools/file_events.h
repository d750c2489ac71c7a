/* file_events.h: what the servers of files have in common: the file system that is named on the
 * command line, and a line of JSON for each transfer and for each session that ended. */
#ifndef TESTS_TOOLS_FILE_EVENTS_H
#define TESTS_TOOLS_FILE_EVENTS_H

#include "json_events.h"

#include <sallyport.h>

static inline void tell_transfer(sp_channel *channel, const sp_sftp_transfer *transfer, void *data)
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

static inline void tell_closed(sp_channel *channel, uint32_t status, void *data)
{
    event e;
    (void)data;
    event_begin(&e, "closed");
    event_number(&e, "status", status);
    event_bool(&e, "gone", sp_channel_conn(channel) == NULL);
    event_end(&e);
}

/* "memory", or a folder, which clients see as "/". NULL: there is none. */
static inline sp_fs *make_files(const char *where, bool read_only)
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

#endif
