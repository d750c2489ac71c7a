/* SFTP requests from the wire: draft-ietf-secsh-filexfer-02 6, OpenSSH PROTOCOL 4. */
#include "sftp/codec.h"

#include <string.h>

#define IDS_MAX ((size_t)SPF_IDS_MAX * 4)
#define ATTR_EXTENDED 0x80000000u
#define ATTR_KNOWN                                                                                 \
    (SP_FS_ATTR_SIZE | SP_FS_ATTR_OWNER | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES | ATTR_EXTENDED)

/* ---- extensions ---- */

static const spf_extension extensions[] = {
    {"posix-rename@openssh.com", "1", SP_FS_OP_RENAME},
    {"statvfs@openssh.com", "2", SP_FS_OP_STATVFS},
    {"fstatvfs@openssh.com", "2", SP_FS_OP_FSTATVFS},
    {"hardlink@openssh.com", "1", SP_FS_OP_LINK},
    {"fsync@openssh.com", "1", SP_FS_OP_FSYNC},
    {"lsetstat@openssh.com", "1", SP_FS_OP_LSETSTAT},
    {"limits@openssh.com", "1", 0},
    {"expand-path@openssh.com", "1", SP_FS_OP_EXPAND_PATH},
    {"copy-data", "1", SP_FS_OP_COPY_DATA},
    {"home-directory", "1", SP_FS_OP_HOME_DIRECTORY},
    {"users-groups-by-id@openssh.com", "1", SP_FS_OP_USERS_GROUPS},
};

const spf_extension *spf_extension_at(size_t index)
{
    return index < sizeof extensions / sizeof extensions[0] ? &extensions[index] : NULL;
}

static const spf_extension *find_extension(spb_span name)
{
    const spf_extension *e;
    for (size_t i = 0; (e = spf_extension_at(i)) != NULL; i++)
        if (spb_span_is(name, e->name))
            return e;
    return NULL;
}

/* ---- fields ---- */

/* A path; a NUL inside would end it for everyone behind us. */
static spb_span path(spb_reader *r)
{
    spb_span s = spr_string(r);
    if (s.length != 0 && memchr(s.data, 0, s.length) != NULL)
        r->failed = true;
    return s;
}

static void get_path(spb_reader *r, spf_message *m)
{
    m->path = path(r);
    m->has_path = true;
}

static void get_to(spb_reader *r, spf_message *m)
{
    m->to = path(r);
    m->has_to = true;
}

static spb_span handle(spb_reader *r)
{
    return spr_string_max(r, SPF_HANDLE_MAX);
}

/* Numbers of four bytes. */
static spb_span ids(spb_reader *r)
{
    spb_span s = spr_string(r);
    if (s.length % 4 != 0)
        r->failed = true;
    return s;
}

bool spf_get_attributes(spb_reader *r, sp_fs_attr *attr)
{
    uint32_t flags = spr_u32(r);
    memset(attr, 0, sizeof *attr);
    if ((flags & ~ATTR_KNOWN) != 0)
        return false;
    attr->valid = flags & ~ATTR_EXTENDED;
    if ((flags & SP_FS_ATTR_SIZE) != 0)
        attr->size = spr_u64(r);
    if ((flags & SP_FS_ATTR_OWNER) != 0) {
        attr->uid = spr_u32(r);
        attr->gid = spr_u32(r);
    }
    if ((flags & SP_FS_ATTR_PERMISSIONS) != 0)
        attr->permissions = spr_u32(r);
    if ((flags & SP_FS_ATTR_TIMES) != 0) {
        attr->atime = spr_u32(r);
        attr->mtime = spr_u32(r);
    }
    if ((flags & ATTR_EXTENDED) != 0) {
        uint32_t count = spr_u32(r);
        for (uint32_t i = 0; i < count && spr_ok(r); i++) {
            (void)spr_string(r); /* none is known */
            (void)spr_string(r);
        }
    }
    return true;
}

/* ---- messages ---- */

static spf_verdict extended(spb_reader *r, spf_message *m)
{
    const spf_extension *e = find_extension(spr_string(r));
    bool known = true;
    if (e == NULL)
        return SPF_UNKNOWN;
    m->op = e->op;
    switch (e->op) {
    case SP_FS_OP_RENAME:
        m->flags = SP_FS_REPLACE;
        get_path(r, m);
        get_to(r, m);
        break;
    case SP_FS_OP_LINK:
        get_path(r, m);
        get_to(r, m);
        break;
    case SP_FS_OP_STATVFS:
    case SP_FS_OP_EXPAND_PATH:
    case SP_FS_OP_HOME_DIRECTORY:
        get_path(r, m);
        break;
    case SP_FS_OP_FSTATVFS:
    case SP_FS_OP_FSYNC:
        m->handle = handle(r);
        break;
    case SP_FS_OP_LSETSTAT:
        get_path(r, m);
        known = spf_get_attributes(r, &m->attr);
        break;
    case SP_FS_OP_COPY_DATA:
        m->handle = handle(r);
        m->offset = spr_u64(r);
        m->length = spr_u64(r);
        m->to_handle = handle(r);
        m->to_offset = spr_u64(r);
        break;
    case SP_FS_OP_USERS_GROUPS:
        m->uids = ids(r);
        m->gids = ids(r);
        known = m->uids.length <= IDS_MAX && m->gids.length <= IDS_MAX;
        break;
    default:
        return SPF_IS_LIMITS;
    }
    return known ? SPF_IS_REQUEST : SPF_BAD;
}

/* Those that have one path and nothing else; 0: it is none of them. */
static sp_fs_op path_op(uint8_t type)
{
    switch (type) {
    case SPF_LSTAT:
        return SP_FS_OP_LSTAT;
    case SPF_STAT:
        return SP_FS_OP_STAT;
    case SPF_OPENDIR:
        return SP_FS_OP_OPENDIR;
    case SPF_REMOVE:
        return SP_FS_OP_REMOVE;
    case SPF_RMDIR:
        return SP_FS_OP_RMDIR;
    case SPF_REALPATH:
        return SP_FS_OP_REALPATH;
    case SPF_READLINK:
        return SP_FS_OP_READLINK;
    default:
        return 0;
    }
}

/* The same for one handle. */
static sp_fs_op handle_op(uint8_t type)
{
    switch (type) {
    case SPF_CLOSE:
        return SP_FS_OP_CLOSE;
    case SPF_FSTAT:
        return SP_FS_OP_FSTAT;
    case SPF_READDIR:
        return SP_FS_OP_READDIR;
    default:
        return 0;
    }
}

static spf_verdict transfer(spb_reader *r, spf_message *m)
{
    m->handle = handle(r);
    m->offset = spr_u64(r);
    if (m->type == SPF_READ) {
        m->op = SP_FS_OP_READ;
        m->length = spr_u32(r);
    } else {
        m->op = SP_FS_OP_WRITE;
        m->bytes = spr_string(r);
        m->length = m->bytes.length;
    }
    return SPF_IS_REQUEST;
}

static spf_verdict with_attributes(spb_reader *r, spf_message *m)
{
    switch (m->type) {
    case SPF_OPEN:
        m->op = SP_FS_OP_OPEN;
        get_path(r, m);
        m->flags = spr_u32(r);
        break;
    case SPF_SETSTAT:
        m->op = SP_FS_OP_SETSTAT;
        get_path(r, m);
        break;
    case SPF_FSETSTAT:
        m->op = SP_FS_OP_FSETSTAT;
        m->handle = handle(r);
        break;
    default:
        m->op = SP_FS_OP_MKDIR;
        get_path(r, m);
        break;
    }
    return spf_get_attributes(r, &m->attr) ? SPF_IS_REQUEST : SPF_BAD;
}

static spf_verdict parse(spb_reader *r, spf_message *m)
{
    if (m->op != 0) {
        if (path_op(m->type) != 0)
            get_path(r, m);
        else
            m->handle = handle(r);
        return SPF_IS_REQUEST;
    }
    switch (m->type) {
    case SPF_OPEN:
    case SPF_SETSTAT:
    case SPF_FSETSTAT:
    case SPF_MKDIR:
        return with_attributes(r, m);
    case SPF_READ:
    case SPF_WRITE:
        return transfer(r, m);
    case SPF_RENAME:
        m->op = SP_FS_OP_RENAME;
        get_path(r, m);
        get_to(r, m);
        return SPF_IS_REQUEST;
    case SPF_SYMLINK:
        /* OpenSSH has the text first, then the link's own path: PROTOCOL 4.1. */
        m->op = SP_FS_OP_SYMLINK;
        get_to(r, m);
        get_path(r, m);
        return SPF_IS_REQUEST;
    case SPF_EXTENDED:
        return extended(r, m);
    default:
        return SPF_UNKNOWN;
    }
}

spf_verdict spf_parse(spb_span packet, spf_message *m)
{
    spb_reader r;
    spr_init(&r, packet.data, packet.length);
    memset(m, 0, sizeof *m);
    m->type = spr_u8(&r);
    m->id = spr_u32(&r);
    spf_verdict verdict = SPF_IS_INIT;
    if (m->type != SPF_INIT) {
        m->op = path_op(m->type) != 0 ? path_op(m->type) : handle_op(m->type);
        verdict = parse(&r, m);
    }
    return spr_ok(&r) ? verdict : SPF_MALFORMED;
}
