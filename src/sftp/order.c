/* The order of requests. "Implementations MUST process requests relating to the same file in the
 * order in which they are received [...] non-overlapping read/write requests to the same file in
 * parallel" (draft-ietf-secsh-filexfer-02 3, in short): what clients see must be as if each request
 * had waited for the one before it. Two that cannot disturb each other run together.
 *
 * Which file a path leads to is not known here, so a change by path is ordered against everything,
 * and a look by path against every change. Different open files are taken for different ones. */
#include "sftp/server.h"

#include <string.h>

static bool on_handle(const spf_request *r)
{
    return r->file != NULL && r->base.q.op != SP_FS_OP_OPEN && r->base.q.op != SP_FS_OP_OPENDIR;
}

bool spf_changes(const sp_fs_request *q)
{
    switch (q->op) {
    case SP_FS_OP_OPEN:
        return (q->flags & (SP_FS_WRITE | SP_FS_APPEND | SP_FS_CREATE | SP_FS_TRUNCATE)) != 0;
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_LSETSTAT:
    case SP_FS_OP_FSETSTAT:
    case SP_FS_OP_WRITE:
    case SP_FS_OP_FSYNC:
    case SP_FS_OP_REMOVE:
    case SP_FS_OP_MKDIR:
    case SP_FS_OP_RMDIR:
    case SP_FS_OP_RENAME:
    case SP_FS_OP_SYMLINK:
    case SP_FS_OP_LINK:
    case SP_FS_OP_COPY_DATA:
        return true;
    default:
        return false;
    }
}

/* As spf_changes, and closing what was written. */
static bool changes(const spf_request *r)
{
    if (r->base.q.op == SP_FS_OP_CLOSE)
        return (r->file->flags & SP_FS_WRITE) != 0;
    return spf_changes(&r->base.q);
}

static bool overlap(const sp_fs_request *a, const sp_fs_request *b)
{
    return a->offset < b->offset ? b->offset - a->offset < a->length
                                 : a->offset - b->offset < b->length;
}

static bool is_transfer(const spf_request *r)
{
    return r->base.q.op == SP_FS_OP_READ || r->base.q.op == SP_FS_OP_WRITE;
}

static bool is_look(const spf_request *r)
{
    return r->base.q.op == SP_FS_OP_READ || r->base.q.op == SP_FS_OP_FSTAT ||
           r->base.q.op == SP_FS_OP_FSTATVFS;
}

static bool same_file(const spf_request *a, const spf_request *b)
{
    return a->file == b->file || a->file == b->to_file ||
           (a->to_file != NULL && (a->to_file == b->file || a->to_file == b->to_file));
}

static bool handles_collide(const spf_request *a, const spf_request *b)
{
    if (!same_file(a, b) || (is_look(a) && is_look(b)))
        return false;
    if (is_transfer(a) && is_transfer(b))
        return (a->file->flags & SP_FS_APPEND) != 0 || overlap(&a->base.q, &b->base.q);
    return true;
}

bool spf_must_wait(const spf_request *earlier, const spf_request *later)
{
    if (earlier->base.q.op == SP_FS_OP_BEGIN)
        return true;
    if (on_handle(earlier) && on_handle(later))
        return handles_collide(earlier, later);
    return changes(earlier) || changes(later);
}
