/* SFTP replies to the wire: draft-ietf-secsh-filexfer-02 5 and 7, OpenSSH PROTOCOL 4. */
#include "sftp/codec.h"

#include <string.h>

static size_t begin(spb_buffer *out, uint8_t type, uint32_t id)
{
    size_t mark = spw_string_begin(out); /* a packet has the form of a string */
    spw_u8(out, type);
    spw_u32(out, id);
    return mark;
}

uint64_t spf_refusal_bit(sp_fs_op op, uint32_t flags)
{
    if (op == 0)
        return SP_SFTP_OP_LIMITS;
    if (op == SP_FS_OP_RENAME && (flags & SP_FS_REPLACE) != 0)
        return SP_SFTP_OP_POSIX_RENAME;
    return SP_SFTP_OP(op);
}

void spf_put_version(spb_buffer *out, const sp_fs *fs, uint64_t refused)
{
    const spf_extension *e;
    size_t mark = begin(out, SPF_VERSION_REPLY, SPF_VERSION);
    for (size_t i = 0; (e = spf_extension_at(i)) != NULL; i++) {
        if (e->op != 0 && !spd_can(fs, e->op))
            continue;
        if ((spf_refusal_bit(e->op, SP_FS_REPLACE) & refused) != 0)
            continue; /* of renames, only the other one has an extension */
        spw_cstring(out, e->name);
        spw_cstring(out, e->version);
    }
    spw_string_end(out, mark);
}

void spf_put_status(spb_buffer *out, uint32_t id, sp_fs_status status, const char *text)
{
    size_t mark = begin(out, SPF_STATUS, id);
    spw_u32(out, (uint32_t)status);
    spw_cstring(out, text != NULL ? text : spd_status_text(status));
    spw_cstring(out, ""); /* the language */
    spw_string_end(out, mark);
}

void spf_put_handle(spb_buffer *out, uint32_t id, const uint8_t handle[SPF_HANDLE_SIZE])
{
    size_t mark = begin(out, SPF_HANDLE, id);
    spw_string(out, handle, SPF_HANDLE_SIZE);
    spw_string_end(out, mark);
}

void spf_put_limits(spb_buffer *out, uint32_t id, const spf_limits *limits)
{
    size_t mark = begin(out, SPF_EXTENDED_REPLY, id);
    spw_u64(out, limits->packet);
    spw_u64(out, limits->read);
    spw_u64(out, limits->write);
    spw_u64(out, limits->handles);
    spw_string_end(out, mark);
}

void spf_data_header(uint8_t at[SPF_DATA_HEADER], uint32_t id, uint32_t length)
{
    spb_put_u32(at, (uint32_t)(SPF_DATA_HEADER - 4 + length));
    at[4] = SPF_DATA;
    spb_put_u32(at + 5, id);
    spb_put_u32(at + 9, length);
}

static uint32_t seconds(int64_t time)
{
    return time < 0 ? 0 : time > UINT32_MAX ? UINT32_MAX : (uint32_t)time;
}

void spf_put_attributes(spb_buffer *out, const sp_fs_attr *attr)
{
    uint32_t valid = attr->valid & (SP_FS_ATTR_SIZE | SP_FS_ATTR_OWNER | SP_FS_ATTR_PERMISSIONS |
                                    SP_FS_ATTR_TIMES);
    spw_u32(out, valid);
    if ((valid & SP_FS_ATTR_SIZE) != 0)
        spw_u64(out, attr->size);
    if ((valid & SP_FS_ATTR_OWNER) != 0) {
        spw_u32(out, attr->uid);
        spw_u32(out, attr->gid);
    }
    if ((valid & SP_FS_ATTR_PERMISSIONS) != 0)
        spw_u32(out, attr->permissions);
    if ((valid & SP_FS_ATTR_TIMES) != 0) {
        spw_u32(out, seconds(attr->atime));
        spw_u32(out, seconds(attr->mtime));
    }
}

static void put_names(spb_buffer *out, const sp_fs_entry *entries, size_t count, time_t now)
{
    char longname[SPF_LONGNAME_MAX];
    spw_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        spw_cstring(out, entries[i].name);
        size_t length = spf_longname(longname, &entries[i], now);
        spw_string(out, longname, length);
        spf_put_attributes(out, &entries[i].attr);
    }
}

/* One name, without attributes (6.10, 6.11). */
static void put_name(spb_buffer *out, const char *name)
{
    spw_u32(out, 1);
    spw_cstring(out, name);
    spw_cstring(out, name);
    spw_u32(out, 0);
}

static void put_space(spb_buffer *out, const sp_fs_volume *v)
{
    const uint64_t members[] = {
        v->block_size,
        v->fragment_size,
        v->blocks,
        v->blocks_free,
        v->blocks_available,
        v->files,
        v->files_free,
        v->files_available,
        v->id,
        (v->read_only ? 1u : 0u) | (v->no_setuid ? 2u : 0u),
        v->name_max,
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        spw_u64(out, members[i]);
}

static void put_owners(spb_buffer *out, char *const *names, size_t count)
{
    size_t mark = spw_string_begin(out);
    for (size_t i = 0; i < count; i++)
        spw_cstring(out, names[i]);
    spw_string_end(out, mark);
}

void spf_put_answer(spb_buffer *out, uint32_t id, const spd_answer *a, time_t now)
{
    size_t mark;
    switch (a->form) {
    case SPD_ATTRIBUTES:
        mark = begin(out, SPF_ATTRS, id);
        spf_put_attributes(out, &a->u.attr);
        break;
    case SPD_NAMES:
        mark = begin(out, SPF_NAME, id);
        put_names(out, a->u.names.entries, a->u.names.count, now);
        break;
    case SPD_NAME:
        mark = begin(out, SPF_NAME, id);
        put_name(out, a->text);
        break;
    case SPD_SPACE:
        mark = begin(out, SPF_EXTENDED_REPLY, id);
        put_space(out, &a->u.volume);
        break;
    case SPD_OWNERS:
        mark = begin(out, SPF_EXTENDED_REPLY, id);
        put_owners(out, a->u.owners.names, a->u.owners.users);
        put_owners(out, a->u.owners.names + a->u.owners.users, a->u.owners.groups);
        break;
    default:
        spf_put_status(out, id, a->form == SPD_STATUS ? a->status : SP_FS_FAILURE,
                       a->form == SPD_STATUS ? a->text : NULL);
        return;
    }
    spw_string_end(out, mark);
}
