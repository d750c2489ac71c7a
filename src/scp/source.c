/* scp -f: the client fetches files. Each record that we send is answered by it with a status byte.
 * What can't be sent is told with SPP_WARNING between records, and not answered. */
#include "scp/server.h"

#include <string.h>

#define PADDING_MAX ((uint64_t)64 * 1024 * 1024)

static bool next(spp_server *server);
static void look_at(spp_server *server);

static void go_on(spp_server *server)
{
    server->turn = next;
}

/* ---- the client's status ---- */

static bool take_status(spp_server *server)
{
    switch (spp_take_status(server)) {
    case SPP_TAKE_OK:
        server->accepted(server);
        return true;
    case SPP_TAKE_WARNING:
        server->failed = true;
        server->refused(server);
        return true;
    case SPP_TAKE_MORE:
        if (!server->over)
            return false;
        break;
    case SPP_TAKE_FATAL:
        break;
    }
    server->failed = true;
    spp_stop(server);
    return true;
}

static void await(spp_server *server, void (*accepted)(spp_server *server),
                  void (*refused)(spp_server *server))
{
    server->accepted = accepted;
    server->refused = refused;
    server->turn = take_status;
}

/* ---- records, with the times before them ---- */

/* What `attr` has of permissions, without the type; else those of a file of nobody's in special. */
static uint32_t mode_of(const spp_server *server)
{
    uint32_t usual = spp_is_dir(&server->attr) ? 0755u : 0644u;
    return (server->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0 ? server->attr.permissions & 07777u
                                                              : usual;
}

static bool put_times(spp_server *server)
{
    if (!server->command.preserve || (server->attr.valid & SP_FS_ATTR_TIMES) == 0)
        return false;
    spp_put_times(&server->out, server->attr.mtime, server->attr.atime);
    return true;
}

/* ---- a file ---- */

static void on_closed_unsent(spp_server *server, const spd_answer *answer)
{
    (void)answer;
    go_on(server);
}

static void close_unsent(spp_server *server)
{
    spp_ask_close(server, &server->file.open, on_closed_unsent);
}

static void on_closed(spp_server *server, const spd_answer *answer)
{
    if (answer->status != SP_FS_OK)
        spp_complain_of(server, server->path, answer);
    go_on(server);
}

static void close_sent(spp_server *server)
{
    server->file.complete = !server->file.failed;
    spp_ask_close(server, &server->file.open, on_closed);
}

static void close_refused(spp_server *server)
{
    server->file.client_failed = true;
    spp_ask_close(server, &server->file.open, on_closed);
}

/* All is sent. Only the client can say that it has arrived, so the file is open until then. */
static void end_data(spp_server *server)
{
    if (server->file.failed)
        spp_complain(server, server->path, server->file.error);
    else
        spp_put_ok(server);
    await(server, close_sent, close_refused);
}

static void on_read(spp_server *server, const spd_answer *answer)
{
    spp_file *file = &server->file;
    if (answer->form == SPD_DATA) {
        server->sending = server->answered;
        server->answered = NULL;
        file->offset += answer->u.length;
        file->left -= answer->u.length;
        return;
    }
    /* The client waits for as many bytes as were announced. */
    spp_file_failed(server, "",
                    answer->status == SP_FS_EOF ? "the file has become shorter"
                                                : spp_text_of(answer));
    if (file->left > PADDING_MAX) {
        server->failed = true;
        spp_stop(server);
        return;
    }
    server->padding = file->left;
    file->left = 0;
}

static bool send_data(spp_server *server)
{
    spp_file *file = &server->file;
    if (file->left == 0) {
        if (server->sending != NULL || server->padding != 0)
            return false;
        end_data(server);
        return true;
    }
    size_t length = file->left < SPP_CHUNK ? (size_t)file->left : SPP_CHUNK;
    spp_request *request = spp_request_new(server, SP_FS_OP_READ, NULL, length);
    if (request != NULL) {
        request->base.q.handle = file->open.handle;
        request->base.q.offset = file->offset;
        request->base.q.length = length;
        spp_ask(server, request, on_read);
    }
    return true;
}

static void begin_data(spp_server *server)
{
    server->file.left = server->attr.size;
    server->turn = send_data;
}

static void put_file(spp_server *server)
{
    spp_put_record(&server->out, SPP_FILE, mode_of(server), server->attr.size, server->name);
    await(server, begin_data, close_unsent);
}

static void on_attributes(spp_server *server, const spd_answer *answer)
{
    if (answer->form == SPD_ATTRIBUTES)
        server->attr = answer->u.attr;
    /* A table without fstat: what stat has told holds. */
    bool known = answer->form == SPD_ATTRIBUTES || answer->status == SP_FS_OP_UNSUPPORTED;
    const char *wrong = !known                                        ? spp_text_of(answer)
                        : !spp_is_file(&server->attr)                 ? "not a regular file"
                        : (server->attr.valid & SP_FS_ATTR_SIZE) == 0 ? "its size is not known"
                        : server->attr.size > (uint64_t)INT64_MAX     ? "File too large"
                                                                      : NULL;
    if (wrong != NULL) {
        spp_complain(server, server->path, wrong);
        close_unsent(server);
    } else if (put_times(server)) {
        await(server, put_file, close_unsent);
    } else {
        put_file(server);
    }
}

static void on_opened(spp_server *server, const spd_answer *answer)
{
    if (answer->form != SPD_HANDLE) {
        spp_complain_of(server, server->path, answer);
        go_on(server);
        return;
    }
    spp_request *request = spp_request_new(server, SP_FS_OP_FSTAT, NULL, 0);
    if (request == NULL)
        return;
    request->base.q.handle = server->file.open.handle;
    spp_ask(server, request, on_attributes);
}

static void open_file(spp_server *server)
{
    spp_request *request = spp_request_new(server, SP_FS_OP_OPEN, server->path, 0);
    if (request == NULL)
        return;
    request->base.q.flags = SP_FS_READ;
    spp_ask_file(server, request, on_opened);
}

/* ---- a directory ---- */

static spp_frame *frame_of(spp_server *server)
{
    return &server->frames[server->depth - 1];
}

static void drop_names(spp_frame *frame)
{
    spp_request_free(frame->names);
    frame->names = NULL;
    frame->at = 0;
}

static void leave(spp_server *server)
{
    spp_frame *frame = frame_of(server);
    drop_names(frame);
    server->path[frame->base] = '\0';
    server->depth--;
    go_on(server);
}

static void on_dir_unsent(spp_server *server, const spd_answer *answer)
{
    (void)answer;
    leave(server);
}

static void leave_unsent(spp_server *server)
{
    spp_ask_close(server, &frame_of(server)->dir, on_dir_unsent);
}

static void on_dir_closed(spp_server *server, const spd_answer *answer)
{
    (void)answer;
    spw_bytes(&server->out, "E\n", 2);
    await(server, leave, leave);
}

static void put_directory(spp_server *server)
{
    spp_put_record(&server->out, SPP_DIRECTORY, mode_of(server), 0, server->name);
    await(server, go_on, leave_unsent);
}

static void on_dir_opened(spp_server *server, const spd_answer *answer)
{
    if (answer->form != SPD_HANDLE) {
        spp_complain_of(server, server->path, answer);
        go_on(server);
        return;
    }
    spp_frame *frame = &server->frames[server->depth++];
    frame->base = strlen(server->path);
    if (put_times(server))
        await(server, put_directory, leave_unsent);
    else
        put_directory(server);
}

static void open_directory(spp_server *server)
{
    if (!server->command.recursive || server->depth == server->options.max_depth) {
        spp_complain(server, server->path,
                     server->command.recursive ? "directories are too deep within each other"
                                               : "not a regular file");
        go_on(server);
        return;
    }
    spp_request *request = spp_request_new(server, SP_FS_OP_OPENDIR, server->path, 0);
    if (request != NULL)
        spp_ask_open(server, request, &server->frames[server->depth].dir, on_dir_opened);
}

static void on_names(spp_server *server, const spd_answer *answer)
{
    spp_frame *frame = frame_of(server);
    if (answer->form == SPD_NAMES) {
        frame->names = server->answered;
        server->answered = NULL;
        frame->at = 0;
        return;
    }
    if (answer->status != SP_FS_EOF)
        spp_complain_of(server, server->path, answer);
    spp_ask_close(server, &frame->dir, on_dir_closed);
}

static void take_entry(spp_server *server, const sp_fs_entry *entry)
{
    const spp_frame *frame = frame_of(server);
    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        return;
    if (!spp_name_can_go(entry->name)) {
        spp_complain(server, entry->name, "this name can't be sent");
        return;
    }
    if (!spp_path_add(server, frame->base, entry->name, strlen(entry->name))) {
        spp_complain(server, entry->name, "File name too long");
        return;
    }
    server->name = server->path + strlen(server->path) - strlen(entry->name);
    server->attr = entry->attr;
    bool known = (entry->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0;
    if (known && spp_is_dir(&entry->attr))
        open_directory(server);
    else if (known && spp_is_file(&entry->attr) && (entry->attr.permissions & 0170000u) != 0)
        open_file(server);
    else
        look_at(server); /* a link, perhaps */
}

static void next_entry(spp_server *server)
{
    spp_frame *frame = frame_of(server);
    server->path[frame->base] = '\0';
    if (frame->names != NULL && frame->at < frame->names->base.answer.u.names.count) {
        take_entry(server, &frame->names->base.answer.u.names.entries[frame->at++]);
        return;
    }
    drop_names(frame);
    spp_request *request = spp_request_new(server, SP_FS_OP_READDIR, NULL, 0);
    if (request == NULL)
        return;
    request->base.q.handle = frame->dir.handle;
    request->base.q.length = SPP_ENTRIES;
    spp_ask(server, request, on_names);
}

/* ---- what the command names ---- */

static void on_looked(spp_server *server, const spd_answer *answer)
{
    if (answer->form == SPD_ATTRIBUTES)
        server->attr = answer->u.attr;
    if (answer->form != SPD_ATTRIBUTES) {
        spp_complain_of(server, server->path, answer);
        go_on(server);
    } else if (spp_is_dir(&server->attr)) {
        open_directory(server);
    } else if (spp_is_file(&server->attr)) {
        open_file(server);
    } else {
        spp_complain(server, server->path, "not a regular file");
        go_on(server);
    }
}

/* `path`, whose last component is `name`. */
static void look_at(spp_server *server)
{
    (void)spp_ask_path(server, SP_FS_OP_STAT, server->path, on_looked);
}

/* `path` was named by the command. */
static void begin_path(spp_server *server)
{
    size_t length = strlen(server->path);
    while (length > 1 && server->path[length - 1] == '/')
        server->path[--length] = '\0';
    const char *slash = strrchr(server->path, '/');
    server->name = slash == NULL ? server->path : slash + 1;
    server->turn = next;
    if (spp_name_can_go(server->name))
        look_at(server);
    else
        spp_complain(server, server->path, "it has no name that could be sent");
}

static bool next_match(spp_server *server)
{
    spp_glob *glob = &server->glob;
    if (server->match < glob->count) {
        const char *path = glob->items[server->match++];
        server->turn = next;
        if (spp_path_add(server, 0, path, strlen(path)))
            begin_path(server);
        else
            spp_complain(server, path, "File name too long");
        return true;
    }
    spp_glob_free(server);
    server->matched = false;
    server->turn = next;
    return true;
}

static void begin_word(spp_server *server, const spp_word *word)
{
    if (spp_word_path(server, word))
        begin_path(server);
    else
        spp_complain(server, NULL, "File name too long");
}

static bool on_globbed(spp_server *server)
{
    const spp_word *word = &server->command.words[server->word - 1];
    server->turn = next;
    if (server->glob.overflow) {
        spp_complain(server, word->text, "it stands for too many names");
        spp_glob_free(server);
    } else if (server->glob.count == 0) {
        begin_word(server, word); /* a shell leaves it as it is then */
    } else {
        server->matched = true;
        server->match = 0;
    }
    return true;
}

static void expanded(spp_server *server, const spp_word *word)
{
    server->turn = next;
    if (word->pattern != NULL)
        spp_glob_begin(server, word, on_globbed);
    else
        begin_word(server, word);
}

static void on_home(spp_server *server, const spd_answer *answer)
{
    const spp_word *word = &server->command.words[server->word - 1];
    if (spp_take_home(server, answer))
        expanded(server, word);
    else if (!server->stopping)
        spp_complain_of(server, word->text, answer);
}

/* The next thing to be sent. */
static bool next(spp_server *server)
{
    if (server->depth != 0) {
        next_entry(server);
    } else if (server->matched) {
        return next_match(server);
    } else if (server->word < server->command.count) {
        const spp_word *word = &server->command.words[server->word++];
        if (word->tilde)
            spp_ask_home(server, word, on_home);
        else
            expanded(server, word);
    } else {
        spp_stop(server);
    }
    return true;
}

/* The client begins, with a status. */
void spp_source_begin(spp_server *server)
{
    await(server, go_on, go_on);
}

void spp_source_free(spp_server *server)
{
    for (size_t i = 0; server->frames != NULL && i <= server->options.max_depth; i++)
        drop_names(&server->frames[i]);
    spp_glob_free(server);
}
