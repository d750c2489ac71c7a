/* The table of open files. A client knows a file by 16 bytes: its place, and 96 random bits that
 * are compared, so that no other number finds it, also not one that was valid before. */
#include "sftp/server.h"

#include "crypto/crypto.h"

#include <string.h>

#define ROOM_FIRST 8u

static size_t find_place(spf_server *server)
{
    size_t room = server->file_room;
    if (server->file_count < room) {
        for (size_t i = 0; i < room; i++)
            if (server->files[i] == NULL)
                return i;
    }
    size_t more = room == 0 ? ROOM_FIRST : room * 2;
    spf_file **files = spb_realloc(server->env, server->files, more * sizeof(spf_file *));
    if (files == NULL)
        return SIZE_MAX;
    for (size_t i = room; i < more; i++)
        files[i] = NULL;
    server->files = files;
    server->file_room = more;
    return room;
}

static bool fill(spf_server *server, spf_file *file, size_t place, const spf_message *message)
{
    spb_put_u32(file->id, (uint32_t)place);
    if (!spc_random(server->env, file->id + 4, sizeof file->id - 4))
        return false;
    file->closer = spf_request_new(server, file->directory ? SP_FS_OP_CLOSEDIR : SP_FS_OP_CLOSE, 0);
    if (file->closer == NULL)
        return false;
    file->closer->file = file;
    file->size = SPF_SIZE_UNKNOWN;
    bool named = server->options.performed != NULL ||
                 (server->options.transferred != NULL && !file->directory);
    if (!named)
        return true;
    file->path = spb_strndup(server->env, message->path.data, message->path.length);
    return file->path != NULL;
}

spf_file *spf_file_new(spf_server *server, const spf_message *message, bool *limit)
{
    *limit = server->file_count >= server->options.max_handles;
    size_t place = *limit ? SIZE_MAX : find_place(server);
    spf_file *file = place == SIZE_MAX ? NULL : spb_calloc(server->env, 1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->directory = message->op == SP_FS_OP_OPENDIR;
    file->flags = message->flags;
    file->opened = spl_loop_now(server->loop);
    server->files[place] = file;
    server->file_count++;
    spb_put_u32(file->id, (uint32_t)place);
    if (!fill(server, file, place, message)) {
        spf_file_free(server, file);
        return NULL;
    }
    return file;
}

void spf_file_free(spf_server *server, spf_file *file)
{
    server->files[spb_get_u32(file->id)] = NULL;
    server->file_count--;
    if (file->closer != NULL)
        spf_request_free(file->closer);
    spb_free(server->env, file->path);
    spb_free(server->env, file->reason);
    spb_free(server->env, file);
}

spf_file *spf_file_find(const spf_server *server, spb_span id)
{
    if (id.length != SPF_HANDLE_SIZE)
        return NULL;
    size_t place = spb_get_u32(id.data);
    spf_file *file = place < server->file_room ? server->files[place] : NULL;
    if (file == NULL || !file->open || file->closer == NULL ||
        !spb_equal_secret(file->id, id.data, SPF_HANDLE_SIZE))
        return NULL;
    return file;
}

spf_file *spf_file_next(const spf_server *server, size_t *place)
{
    while (*place < server->file_room) {
        spf_file *file = server->files[(*place)++];
        if (file != NULL && file->open && file->closer != NULL)
            return file;
    }
    return NULL;
}

void spf_file_closed(spf_server *server, const spf_file *file, sp_fs_status status, bool by_client)
{
    if (file->directory || server->options.transferred == NULL)
        return;
    const sp_sftp_transfer transfer = {
        .username = server->session->username,
        .path = file->path,
        .flags = file->flags,
        .bytes_read = file->bytes_read,
        .bytes_written = file->bytes_written,
        .milliseconds = spl_loop_now(server->loop) - file->opened,
        .status = status,
        .by_client = by_client,
        .whole = by_client && spf_read_whole(file),
        .data_status = file->data_status,
        .reason = file->reason,
        .lost = server->lost,
    };
    server->options.transferred(server->channel, &transfer, server->options.data);
}

void spf_files_free(spf_server *server)
{
    for (size_t i = 0; i < server->file_room; i++)
        if (server->files[i] != NULL)
            spf_file_free(server, server->files[i]);
    spb_free(server->env, server->files);
}
