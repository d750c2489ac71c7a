/* Requests of scp's far end to the file system, and what they have opened. */
#include "scp/server.h"

#include <stdio.h>
#include <string.h>

#define TYPE 0170000u
#define TYPE_DIRECTORY 0040000u
#define TYPE_FILE 0100000u

/* ---- requests ---- */

static void answered(spd_request *base)
{
    spp_request *request = SPB_CONTAINER(base, spp_request, base);
    spp_server *server = request->server;
    request->answered = true;
    server->moved(server->owner);
}

/* What is behind a request is in its own block, because the application may hold that longer. */
static spp_request *request_new(spp_server *server, sp_fs_op op, const char *path, size_t room)
{
    size_t size = path != NULL ? strlen(path) + 1 : 0;
    spp_request *request = spb_alloc(server->env, sizeof *request + size + room);
    if (request == NULL)
        return NULL;
    memset(request, 0, sizeof *request);
    spd_request_init(&request->base, server->session, op);
    request->base.answered = answered;
    request->server = server;
    spb_buffer_init(&request->data, server->env, SPP_INPUT_MAX);
    char *behind = (char *)(request + 1);
    if (room != 0)
        request->base.q.buffer = memset(behind, 0, room);
    if (path != NULL)
        request->base.q.path = memcpy(behind + room, path, size);
    return request;
}

spp_request *spp_request_new(spp_server *server, sp_fs_op op, const char *path, size_t room)
{
    spp_request *request = request_new(server, op, path, room);
    if (request == NULL)
        spp_stop_for_memory(server);
    return request;
}

void spp_request_free(spp_request *request)
{
    if (request == NULL)
        return;
    spb_buffer_free(&request->data);
    spd_drop(&request->base);
}

void spp_ask(spp_server *server, spp_request *request, spp_then then)
{
    server->request = request;
    server->then = then;
    if (spd_run(&request->base))
        request->answered = true;
}

bool spp_ask_path(spp_server *server, sp_fs_op op, const char *path, spp_then then)
{
    spp_request *request = spp_request_new(server, op, path, 0);
    if (request == NULL)
        return false;
    spp_ask(server, request, then);
    return true;
}

/* ---- what is open ---- */

void spp_ask_open(spp_server *server, spp_request *request, spp_handle *into, spp_then then)
{
    sp_fs_op op = request->base.q.op == SP_FS_OP_OPEN ? SP_FS_OP_CLOSE : SP_FS_OP_CLOSEDIR;
    into->handle = NULL;
    into->listed = 0;
    into->closer = spp_request_new(server, op, NULL, 0);
    if (into->closer == NULL) {
        spp_request_free(request);
        return;
    }
    server->opening = into;
    spp_ask(server, request, then);
}

void spp_ask_file(spp_server *server, spp_request *request, spp_then then)
{
    spp_file *file = &server->file;
    memset(file, 0, sizeof *file);
    file->path = spb_strdup(server->env, server->path);
    if (file->path == NULL) {
        spp_request_free(request);
        spp_stop_for_memory(server);
        return;
    }
    file->flags = request->base.q.flags;
    file->opened = spl_loop_now(server->loop);
    spp_ask_open(server, request, &file->open, then);
}

void spp_ask_close(spp_server *server, spp_handle *handle, spp_then then)
{
    spp_request *request = handle->closer;
    request->base.q.handle = handle->handle;
    handle->handle = NULL;
    handle->closer = NULL;
    spp_ask(server, request, then);
}

bool spp_ask_names(spp_server *server, const spp_handle *dir, spp_then then)
{
    spp_request *request = spp_request_new(server, SP_FS_OP_READDIR, NULL, 0);
    if (request == NULL)
        return false;
    request->base.q.handle = dir->handle;
    request->base.q.offset = dir->listed;
    request->base.q.length = SPP_ENTRIES;
    spp_ask(server, request, then);
    return true;
}

static void opened(spp_server *server, const spd_answer *answer)
{
    spp_handle *into = server->opening;
    server->opening = NULL;
    if (answer->form == SPD_HANDLE) {
        into->handle = answer->u.handle;
        return;
    }
    spp_request_free(into->closer);
    into->closer = NULL;
    if (into == &server->file.open) {
        spb_free(server->env, server->file.path);
        server->file.path = NULL;
    }
}

/* The file, which is the only one, was closed. */
static void closed(spp_server *server, const spd_answer *answer)
{
    spp_file *file = &server->file;
    bool sink = server->command.sink;
    const sp_sftp_transfer transfer = {
        .username = server->session->username,
        .path = file->path,
        .flags = file->flags,
        .bytes_read = sink ? 0 : file->offset,
        .bytes_written = sink ? file->offset : 0,
        .milliseconds = spl_loop_now(server->loop) - file->opened,
        .status = answer->status,
        .by_client = file->complete,
        .whole = file->complete,
        .data_status = file->failed || file->client_failed ? SP_FS_FAILURE : SP_FS_OK,
        .reason = file->failed          ? file->error
                  : file->client_failed ? "an error at the client"
                                        : NULL,
        .lost = server->lost,
    };
    if (server->options.transferred != NULL)
        server->options.transferred(server->channel, &transfer, server->options.data);
    spb_free(server->env, file->path);
    file->path = NULL;
}

/* The bulk of a transfer and the ends of directories are not worth a call. */
static bool is_quiet(const spd_request *request)
{
    sp_fs_status status = request->answer.status;
    switch (request->q.op) {
    case SP_FS_OP_BEGIN:
    case SP_FS_OP_CLOSE:
        return true;
    case SP_FS_OP_READ:
    case SP_FS_OP_READDIR:
        return status == SP_FS_OK || status == SP_FS_EOF;
    case SP_FS_OP_WRITE:
        return status == SP_FS_OK;
    default:
        return false;
    }
}

static const char *path_of(const spp_server *server, sp_fs_op op)
{
    bool of_file = op == SP_FS_OP_READ || op == SP_FS_OP_WRITE || op == SP_FS_OP_FSTAT ||
                   op == SP_FS_OP_FSETSTAT;
    return of_file ? server->file.path : NULL;
}

static void tell(spp_server *server, const spd_request *request)
{
    const sp_fs_request *q = &request->q;
    const spd_answer *a = &request->answer;
    if (server->options.performed == NULL || is_quiet(request))
        return;
    const sp_sftp_event event = {
        .username = server->session->username,
        .op = q->op,
        .path = q->path != NULL ? q->path : path_of(server, q->op),
        .flags = q->flags,
        .attr = q->attr,
        .length = q->length,
        .status = a->status,
        .text = a->form == SPD_STATUS ? a->text : NULL,
    };
    server->options.performed(server->channel, &event, server->options.data);
}

void spp_settle(spp_server *server, const spp_request *request)
{
    tell(server, &request->base);
    switch (request->base.q.op) {
    case SP_FS_OP_OPEN:
    case SP_FS_OP_OPENDIR:
        opened(server, &request->base.answer);
        break;
    case SP_FS_OP_CLOSE:
        closed(server, &request->base.answer);
        break;
    default:
        break;
    }
}

spp_handle *spp_any_open(spp_server *server)
{
    if (server->file.open.handle != NULL)
        return &server->file.open;
    if (server->glob.dir.handle != NULL)
        return &server->glob.dir;
    for (size_t i = 0; server->frames != NULL && i <= server->options.max_depth; i++)
        if (server->frames[i].dir.handle != NULL)
            return &server->frames[i].dir;
    return NULL;
}

void spp_file_failed(spp_server *server, const char *what, const char *text)
{
    spp_file *file = &server->file;
    if (file->failed)
        return;
    file->failed = true;
    (void)snprintf(file->error, sizeof file->error, "%s%s", what, text);
}

bool spp_is_dir(const sp_fs_attr *attr)
{
    return (attr->valid & SP_FS_ATTR_PERMISSIONS) != 0 &&
           (attr->permissions & TYPE) == TYPE_DIRECTORY;
}

bool spp_is_file(const sp_fs_attr *attr)
{
    return (attr->valid & SP_FS_ATTR_PERMISSIONS) == 0 || (attr->permissions & TYPE) == 0 ||
           (attr->permissions & TYPE) == TYPE_FILE;
}

/* ---- paths ---- */

void spp_ask_home(spp_server *server, const spp_word *word, spp_then then)
{
    char *head = spb_strndup(server->env, word->text, strcspn(word->text, "/"));
    if (head == NULL) {
        spp_stop_for_memory(server);
        return;
    }
    (void)spp_ask_path(server, SP_FS_OP_EXPAND_PATH, head, then);
    spb_free(server->env, head);
}

bool spp_take_home(spp_server *server, const spd_answer *answer)
{
    if (answer->form != SPD_NAME)
        return false;
    spb_free(server->env, server->home);
    server->home = spb_strdup(server->env, answer->text);
    if (server->home == NULL)
        spp_stop_for_memory(server);
    return server->home != NULL;
}

bool spp_path_add(spp_server *server, size_t base, const char *name, size_t length)
{
    bool slash = base != 0 && server->path[base - 1] != '/';
    server->path[base] = '\0';
    if (length > SPP_PATH_MAX - base || length + slash > SPP_PATH_MAX - base)
        return false;
    if (slash)
        server->path[base++] = '/';
    memcpy(server->path + base, name, length);
    server->path[base + length] = '\0';
    return true;
}

bool spp_word_path(spp_server *server, const spp_word *word)
{
    const char *rest = word->text;
    size_t head = 0;
    server->path[0] = '\0';
    if (word->tilde) {
        rest += strcspn(rest, "/");
        head = strlen(server->home);
        if (!spp_path_add(server, 0, server->home, head))
            return false;
        rest += strspn(rest, "/");
        return *rest == '\0' || spp_path_add(server, head, rest, strlen(rest));
    }
    return spp_path_add(server, 0, *rest == '\0' ? "." : rest, strlen(*rest == '\0' ? "." : rest));
}
