/* scp -t: the client sends files. Each record is answered with a status byte; after one that was
 * refused (SPP_WARNING) the client goes on with the next. */
#include "scp/server.h"

#include <stdio.h>
#include <string.h>

#define MODE_PLAIN 0777u /* without -p: never set-user-id and its like */
#define MODE_ALL 07777u
#define MODE_OURS 0700u /* what we need to fill a directory */

static bool take_record(spp_server *server);
static bool take_data(spp_server *server);
static bool take_verdict(spp_server *server);

/* ---- the target ---- */

static void on_target(spp_server *server, const spd_answer *answer)
{
    bool exists = answer->form == SPD_ATTRIBUTES;
    server->target_is_dir = exists && spp_is_dir(&answer->u.attr);
    if (server->command.directory && !server->target_is_dir) {
        spp_give_up(server, server->path, exists ? "Not a directory" : spp_text_of(answer));
        return;
    }
    spp_put_ok(server);
    server->turn = take_record;
}

static void look_at_target(spp_server *server)
{
    if (!spp_word_path(server, &server->command.words[0])) {
        spp_give_up(server, NULL, "the path is too long");
        return;
    }
    server->base = strlen(server->path);
    (void)spp_ask_path(server, SP_FS_OP_STAT, server->path, on_target);
}

static void on_home(spp_server *server, const spd_answer *answer)
{
    if (spp_take_home(server, answer))
        look_at_target(server);
    else if (!server->stopping)
        spp_give_up(server, server->command.words[0].text, spp_text_of(answer));
}

void spp_sink_begin(spp_server *server)
{
    if (server->command.words[0].tilde)
        spp_ask_home(server, &server->command.words[0], on_home);
    else
        look_at_target(server);
}

/* ---- a file: its end ---- */

static void on_closed(spp_server *server, const spd_answer *answer)
{
    if (answer->status != SP_FS_OK)
        spp_file_failed(server, "", spp_text_of(answer));
    if (server->file.failed)
        spp_complain(server, server->path, server->file.error);
    else
        spp_put_ok(server);
    server->has_times = false;
    server->turn = take_record;
}

/* Open until the client has said whether it could read all of it. */
static void close_file(spp_server *server)
{
    server->turn = take_verdict;
}

static void on_attributes(spp_server *server, const spd_answer *answer)
{
    if (answer->status != SP_FS_OK)
        spp_file_failed(server, "set attributes: ", spp_text_of(answer));
    close_file(server);
}

static spp_request *fsetstat(spp_server *server)
{
    spp_request *request = spp_request_new(server, SP_FS_OP_FSETSTAT, NULL, 0);
    if (request != NULL)
        request->base.q.handle = server->file.open.handle;
    return request;
}

static void set_attributes(spp_server *server)
{
    if (!server->command.preserve) {
        close_file(server);
        return;
    }
    spp_request *request = fsetstat(server);
    if (request == NULL)
        return;
    sp_fs_attr *attr = &request->base.q.attr;
    attr->valid = SP_FS_ATTR_PERMISSIONS;
    attr->permissions = server->mode;
    if (server->has_times && !server->file.failed) {
        attr->valid |= SP_FS_ATTR_TIMES;
        attr->atime = server->atime;
        attr->mtime = server->mtime;
    }
    spp_ask(server, request, on_attributes);
}

static void on_truncated(spp_server *server, const spd_answer *answer)
{
    if (answer->status != SP_FS_OK)
        spp_file_failed(server, "truncate: ", spp_text_of(answer));
    set_attributes(server);
}

/* All bytes are there. What the file had behind them goes; as in scp not sooner, so that a file may
 * be copied onto itself, and nothing is lost before the new bytes are there. */
static void finish_file(spp_server *server)
{
    spp_request *request;
    if (server->file.failed || (server->file.flags & SP_FS_TRUNCATE) != 0) {
        set_attributes(server);
        return;
    }
    request = fsetstat(server);
    if (request == NULL)
        return;
    request->base.q.attr.valid = SP_FS_ATTR_SIZE;
    request->base.q.attr.size = server->file.offset;
    spp_ask(server, request, on_truncated);
}

/* The client says whether it could read all of it, then we whether we could write it. */
static bool take_verdict(spp_server *server)
{
    spp_file *file = &server->file;
    spp_taken status = spp_take_status(server);
    if (status == SPP_TAKE_MORE && !server->over)
        return false;
    if (status == SPP_TAKE_FATAL || status == SPP_TAKE_MORE) {
        server->failed = true;
        spp_stop(server);
        return true;
    }
    if (status == SPP_TAKE_WARNING)
        server->failed = file->client_failed = true;
    file->complete = !file->failed && !file->client_failed;
    spp_ask_close(server, &file->open, on_closed);
    return true;
}

/* ---- a file: its bytes ---- */

static void on_written(spp_server *server, const spd_answer *answer)
{
    uint64_t length = server->file.writing;
    server->file.left -= length;
    if (answer->status != SP_FS_OK)
        spp_file_failed(server, "", spp_text_of(answer));
    else
        server->file.offset += length;
}

/* Puts the first `length` bytes of the input into the request: by handing the whole buffer over,
 * where less is behind them than that would copy. */
static const uint8_t *take_bytes(spp_server *server, spp_request *request, size_t length)
{
    size_t behind = spp_input_length(server) - length;
    if (behind > length) {
        spw_bytes(&request->data, server->in.data + server->in_at, length);
        server->in_at += length;
        return request->data.data;
    }
    spb_buffer whole = server->in;
    const uint8_t *start = whole.data + server->in_at;
    spb_buffer_init(&server->in, server->env, SPP_INPUT_MAX);
    server->in_at = 0;
    request->data = whole;
    spw_bytes(&server->in, start + length, behind);
    return start;
}

static void write_bytes(spp_server *server, size_t length)
{
    spp_request *request = spp_request_new(server, SP_FS_OP_WRITE, NULL, 0);
    if (request == NULL)
        return;
    const uint8_t *bytes = take_bytes(server, request, length);
    if (!spw_ok(&request->data) || !spw_ok(&server->in)) {
        spp_request_free(request);
        spp_stop_for_memory(server);
        return;
    }
    server->file.writing = length;
    request->base.q.handle = server->file.open.handle;
    request->base.q.offset = server->file.offset;
    request->base.q.bytes = bytes;
    request->base.q.length = length;
    spp_ask(server, request, on_written);
}

static bool take_data(spp_server *server)
{
    size_t length = spp_input_length(server);
    spp_file *file = &server->file;
    if (file->left == 0) {
        finish_file(server);
        return true;
    }
    if (length == 0) {
        if (!server->over)
            return false;
        spp_give_up(server, server->path, "dropped connection");
        return true;
    }
    if (length > file->left)
        length = (size_t)file->left;
    if (file->failed) { /* it comes all the same */
        server->in_at += length;
        file->left -= length;
    } else {
        write_bytes(server, length);
    }
    return true;
}

static void on_opened(spp_server *server, const spd_answer *answer)
{
    if (answer->form != SPD_HANDLE) {
        spp_complain_of(server, server->path, answer);
        server->has_times = false;
        return;
    }
    spp_put_ok(server);
    server->file.left = server->size;
    server->turn = take_data;
}

/* ---- records ---- */

static void refuse_entry(spp_server *server, const char *why)
{
    server->has_times = false;
    spp_complain(server, server->path, why);
}

/* Into `path`: the name in the directory that we are in, or the target itself. */
static bool set_entry_path(spp_server *server, const spp_line *line)
{
    server->path[server->base] = '\0';
    if (server->depth == 0 && !server->target_is_dir)
        return true;
    if (spp_path_add(server, server->base, (const char *)line->name.data, line->name.length))
        return true;
    refuse_entry(server, "File name too long");
    return false;
}

static uint32_t mode_of(const spp_server *server, const spp_line *line)
{
    return line->mode & (server->command.preserve ? MODE_ALL : MODE_PLAIN);
}

static void take_file(spp_server *server, const spp_line *line)
{
    if (!set_entry_path(server, line))
        return;
    if (server->options.max_file_size != 0 && line->size > server->options.max_file_size) {
        refuse_entry(server, "File too large");
        return;
    }
    spp_request *request = spp_request_new(server, SP_FS_OP_OPEN, server->path, 0);
    if (request == NULL)
        return;
    server->mode = mode_of(server, line);
    server->size = line->size;
    request->base.q.flags = SP_FS_WRITE | SP_FS_CREATE;
    if (!spd_can(server->session->fs, SP_FS_OP_FSETSTAT))
        request->base.q.flags |= SP_FS_TRUNCATE;
    request->base.q.attr.valid = SP_FS_ATTR_PERMISSIONS;
    request->base.q.attr.permissions = server->mode;
    spp_ask_file(server, request, on_opened);
}

static void enter(spp_server *server, bool created)
{
    spp_frame *frame = &server->frames[server->depth++];
    memset(frame, 0, sizeof *frame);
    frame->base = server->base;
    frame->mode = server->mode;
    frame->created = created;
    frame->has_times = server->has_times;
    frame->mtime = server->mtime;
    frame->atime = server->atime;
    server->has_times = false;
    server->base = strlen(server->path);
    spp_put_ok(server);
}

static void on_made(spp_server *server, const spd_answer *answer)
{
    if (answer->status == SP_FS_OK)
        enter(server, true);
    else
        refuse_entry(server, spp_text_of(answer));
}

static void on_looked(spp_server *server, const spd_answer *answer)
{
    if (answer->form == SPD_ATTRIBUTES) {
        if (spp_is_dir(&answer->u.attr))
            enter(server, false);
        else
            refuse_entry(server, "Not a directory");
        return;
    }
    spp_request *request = spp_request_new(server, SP_FS_OP_MKDIR, server->path, 0);
    if (request == NULL)
        return;
    request->base.q.attr.valid = SP_FS_ATTR_PERMISSIONS;
    request->base.q.attr.permissions = server->mode | MODE_OURS;
    spp_ask(server, request, on_made);
}

static void take_directory(spp_server *server, const spp_line *line)
{
    if (!server->command.recursive) {
        spp_give_up(server, NULL, "protocol error: received directory without -r");
        return;
    }
    if (!set_entry_path(server, line))
        return;
    if (server->depth == server->options.max_depth) {
        refuse_entry(server, "directories are too deep within each other");
        return;
    }
    server->mode = mode_of(server, line);
    (void)spp_ask_path(server, SP_FS_OP_STAT, server->path, on_looked);
}

/* ---- the end of a directory ---- */

static void leave(spp_server *server)
{
    server->depth--;
    server->base = server->frames[server->depth].base;
}

static void on_left(spp_server *server, const spd_answer *answer)
{
    if (answer->status == SP_FS_OK)
        spp_put_ok(server);
    else
        spp_complain_of(server, server->path, answer);
    leave(server);
}

static void set_directory(spp_server *server, uint32_t mode)
{
    const spp_frame *frame = &server->frames[server->depth - 1];
    spp_request *request = spp_request_new(server, SP_FS_OP_SETSTAT, server->path, 0);
    if (request == NULL)
        return;
    request->base.q.attr.valid = SP_FS_ATTR_PERMISSIONS | (frame->has_times ? SP_FS_ATTR_TIMES : 0);
    request->base.q.attr.permissions = mode;
    request->base.q.attr.atime = frame->atime;
    request->base.q.attr.mtime = frame->mtime;
    spp_ask(server, request, on_left);
}

/* Takes back what we have added to its mode, of which the umask has left something. */
static void on_mode(spp_server *server, const spd_answer *answer)
{
    const spp_frame *frame = &server->frames[server->depth - 1];
    if (answer->form == SPD_ATTRIBUTES)
        set_directory(server, answer->u.attr.permissions & MODE_ALL & ~(MODE_OURS & ~frame->mode));
    else
        on_left(server, answer);
}

static void take_end(spp_server *server)
{
    if (server->depth == 0) {
        spp_give_up(server, NULL, "protocol error: end of a directory that was not begun");
        return;
    }
    spp_frame *frame = &server->frames[server->depth - 1];
    server->path[server->base] = '\0';
    server->has_times = false;
    if (server->command.preserve) {
        set_directory(server, frame->mode);
    } else if (frame->created && (frame->mode & MODE_OURS) != MODE_OURS) {
        frame->has_times = false;
        (void)spp_ask_path(server, SP_FS_OP_STAT, server->path, on_mode);
    } else {
        spp_put_ok(server);
        leave(server);
    }
}

/* ---- reading records ---- */

static void take_line(spp_server *server, spb_span text)
{
    spp_line line;
    const char *wrong = spp_line_parse(&line, text);
    if (wrong != NULL) {
        char message[SPP_ERROR_MAX];
        (void)snprintf(message, sizeof message, "protocol error: %s", wrong);
        spp_give_up(server, NULL, message);
        return;
    }
    switch (line.record) {
    case SPP_TIMES:
        server->has_times = true;
        server->mtime = line.mtime;
        server->atime = line.atime;
        spp_put_ok(server);
        break;
    case SPP_FILE:
        take_file(server, &line);
        break;
    case SPP_DIRECTORY:
        take_directory(server, &line);
        break;
    case SPP_END:
        take_end(server);
        break;
    }
}

/* The client tells of something that it could not send, between records. */
static bool take_message(spp_server *server)
{
    spp_taken status = spp_take_status(server);
    if (status == SPP_TAKE_MORE)
        return false;
    server->failed = true;
    server->has_times = false;
    if (status == SPP_TAKE_FATAL)
        spp_stop(server);
    return true;
}

/* There is no more; what is left is not a whole line. */
static bool end_of_records(spp_server *server)
{
    if (server->depth != 0 || spp_input_length(server) != 0)
        server->failed = true;
    spp_stop(server);
    return true;
}

static bool take_record(spp_server *server)
{
    spb_span line;
    bool any = spp_input_length(server) != 0;
    uint8_t first = any ? server->in.data[server->in_at] : 0;
    bool taken = false;
    if (any && (first == SPP_WARNING || first == SPP_FATAL)) {
        taken = take_message(server);
    } else if (spp_take_line(server, &line)) {
        take_line(server, line);
        taken = true;
    }
    return taken || server->stopping || (server->over && end_of_records(server));
}
