/* What the application is told of requests (`performed`), and what it will be told of a file that
 * is open (`transferred`). */
#include "sftp/server.h"

#include <string.h>

/* ---- requests ---- */

/* Not worth a call: the bulk of a transfer, what nobody asked for, and what `transferred` tells. */
static bool is_quiet(const spf_request *request)
{
    sp_fs_status status = request->base.answer.status;
    if (request->silent)
        return true;
    switch (request->base.q.op) {
    case SP_FS_OP_READ:
    case SP_FS_OP_READDIR:
        return status == SP_FS_OK || status == SP_FS_EOF;
    case SP_FS_OP_WRITE:
        return status == SP_FS_OK;
    case SP_FS_OP_CLOSE:
        return true;
    default:
        return false;
    }
}

void spf_tell(spf_server *server, const spf_request *request)
{
    const sp_fs_request *q = &request->base.q;
    const spd_answer *a = &request->base.answer;
    if (server->options.performed == NULL || is_quiet(request))
        return;
    const sp_sftp_event event = {
        .username = server->session->username,
        .op = q->op,
        .path = q->path == NULL && request->file != NULL ? request->file->path : q->path,
        .to = request->to_file != NULL ? request->to_file->path : q->to,
        .flags = q->flags,
        .attr = q->attr,
        .length = q->length,
        .status = a->status,
        .text = a->form == SPD_STATUS ? a->text : NULL,
    };
    server->options.performed(server->channel, &event, server->options.data);
}

static char *copy(spf_server *server, bool there, spb_span path)
{
    return there ? spb_strndup(server->env, path.data, path.length) : NULL;
}

void spf_tell_refused(spf_server *server, const spf_message *m, spf_file *file,
                      const spf_file *to_file, sp_fs_status status, const char *text)
{
    if (m->op == SP_FS_OP_READ && status == SP_FS_EOF)
        return;
    bool data = m->op == SP_FS_OP_READ || m->op == SP_FS_OP_WRITE;
    if (data && file != NULL && file->data_status == SP_FS_OK)
        file->data_status = status;
    if (server->options.performed == NULL)
        return;
    char *path = copy(server, m->has_path, m->path);
    char *to = copy(server, m->has_to, m->to);
    const sp_sftp_event event = {
        .username = server->session->username,
        .op = m->op,
        .path = file != NULL ? file->path : path,
        .to = to_file != NULL ? to_file->path : to,
        .flags = m->flags,
        .attr = m->attr,
        .length = m->length,
        .status = status,
        .text = text,
        .refused = true,
    };
    server->options.performed(server->channel, &event, server->options.data);
    spb_free(server->env, path);
    spb_free(server->env, to);
}

/* ---- files ---- */

static void failed(const spf_request *request)
{
    spf_file *file = request->file;
    const spd_answer *a = &request->base.answer;
    if (file->data_status != SP_FS_OK)
        return;
    file->data_status = a->status;
    file->reason = a->text != NULL ? spb_strdup(request->server->env, a->text) : NULL;
}

void spf_note_data(const spf_request *request)
{
    const sp_fs_request *q = &request->base.q;
    const spd_answer *a = &request->base.answer;
    spf_file *file = request->file;
    if (q->op == SP_FS_OP_READ && a->form == SPD_DATA) {
        uint64_t end = q->offset + a->u.length;
        if (end > file->read_up_to)
            file->read_up_to = end;
    } else if (q->op == SP_FS_OP_READ && a->status == SP_FS_EOF) {
        if (q->offset < file->size)
            file->size = q->offset;
    } else if (a->status != SP_FS_OK) {
        failed(request);
    }
}

void spf_note_size(const spf_request *request)
{
    const spd_answer *a = &request->base.answer;
    if (request->silent && a->form == SPD_ATTRIBUTES && (a->u.attr.valid & SP_FS_ATTR_SIZE) != 0)
        request->file->size = a->u.attr.size;
}

bool spf_wants_size(const spf_server *server, const spf_file *file)
{
    return server->options.transferred != NULL && spd_can(server->session->fs, SP_FS_OP_FSTAT) &&
           (file->flags & SP_FS_WRITE) == 0 && file->bytes_read != 0 &&
           file->read_up_to < file->size;
}

bool spf_read_whole(const spf_file *file)
{
    return (file->flags & SP_FS_WRITE) == 0 && file->data_status == SP_FS_OK &&
           file->size != SPF_SIZE_UNKNOWN && file->read_up_to >= file->size &&
           file->bytes_read >= file->size;
}
