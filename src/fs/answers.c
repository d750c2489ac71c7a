/* The answers of file systems that carry something. Whatever needs memory gets it before the
 * request is claimed, so that a call that fails leaves it open. */
#include "fs/fs.h"

#include <errno.h>
#include <string.h>

/* ---- failures ---- */

const char *spd_status_text(sp_fs_status status)
{
    static const char *const texts[] = {
        "Success",     "End of file",   "No such file",    "Permission denied",     "Failure",
        "Bad message", "No connection", "Connection lost", "Operation unsupported",
    };
    unsigned number = (unsigned)status;
    return number < sizeof texts / sizeof texts[0] ? texts[number] : "Unknown error";
}

int sp_fs_failed(sp_fs_request *q, sp_fs_status status, const char *text)
{
    spd_request *request = spd_request_of(q);
    char *copy = NULL;
    if (status <= SP_FS_OK || status > SP_FS_OP_UNSUPPORTED)
        return SP_EINVAL;
    if (text != NULL) {
        copy = spb_strndup(request->env, text, strnlen(text, SPD_TEXT_MAX));
        if (copy == NULL)
            return SP_ENOMEM;
    }
    return spd_answer_status(request, status, copy);
}

int sp_fs_errno(sp_fs_request *q, int number)
{
    sp_fs_status status = SP_FS_FAILURE;
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case EBADF:
    case ELOOP:
        status = SP_FS_NO_SUCH_FILE;
        break;
    case EPERM:
    case EACCES:
    case EFAULT:
        status = SP_FS_PERMISSION_DENIED;
        break;
    case ENAMETOOLONG:
    case EINVAL:
        status = SP_FS_BAD_MESSAGE;
        break;
    case ENOSYS:
    case EOPNOTSUPP:
        status = SP_FS_OP_UNSUPPORTED;
        break;
    default:
        break;
    }
    return spd_answer_status(spd_request_of(q), status, NULL);
}

int sp_fs_eof(sp_fs_request *q)
{
    if (q->op != SP_FS_OP_READ && q->op != SP_FS_OP_READDIR)
        return SP_EINVAL;
    return spd_answer_status(spd_request_of(q), SP_FS_EOF, NULL);
}

/* ---- what has a fixed size ---- */

static int answer(spd_request *request, const spd_answer *given)
{
    int result = spd_claim(request);
    if (result != 0)
        return result;
    request->answer = *given;
    return spd_publish(request);
}

int sp_fs_opened(sp_fs_request *q, void *handle)
{
    if ((q->op != SP_FS_OP_OPEN && q->op != SP_FS_OP_OPENDIR) || handle == NULL)
        return SP_EINVAL;
    const spd_answer given = {.form = SPD_HANDLE, .u.handle = handle};
    return answer(spd_request_of(q), &given);
}

int sp_fs_data(sp_fs_request *q, size_t length)
{
    if (q->op != SP_FS_OP_READ || length > q->length)
        return SP_EINVAL;
    if (length == 0)
        return sp_fs_eof(q);
    const spd_answer given = {.form = SPD_DATA, .u.length = length};
    return answer(spd_request_of(q), &given);
}

int sp_fs_attributes(sp_fs_request *q, const sp_fs_attr *attr)
{
    if (q->op != SP_FS_OP_STAT && q->op != SP_FS_OP_LSTAT && q->op != SP_FS_OP_FSTAT)
        return SP_EINVAL;
    const spd_answer given = {.form = SPD_ATTRIBUTES, .u.attr = *attr};
    return answer(spd_request_of(q), &given);
}

int sp_fs_space(sp_fs_request *q, const sp_fs_volume *volume)
{
    if (q->op != SP_FS_OP_STATVFS && q->op != SP_FS_OP_FSTATVFS)
        return SP_EINVAL;
    const spd_answer given = {.form = SPD_SPACE, .u.volume = *volume};
    return answer(spd_request_of(q), &given);
}

/* ---- what has strings ---- */

static int answer_block(spd_request *request, const spd_answer *given, void *block)
{
    int result = answer(request, given);
    if (result != 0)
        spb_free(request->env, block);
    return result;
}

int sp_fs_name(sp_fs_request *q, const char *path)
{
    spd_request *request = spd_request_of(q);
    if (q->op != SP_FS_OP_REALPATH && q->op != SP_FS_OP_EXPAND_PATH && q->op != SP_FS_OP_READLINK &&
        q->op != SP_FS_OP_HOME_DIRECTORY)
        return SP_EINVAL;
    size_t length = strnlen(path, SPD_PATH_MAX + 1);
    if (length > SPD_PATH_MAX)
        return SP_EINVAL;
    char *copy = spb_strndup(request->env, path, length);
    if (copy == NULL)
        return SP_ENOMEM;
    const spd_answer given = {.form = SPD_NAME, .text = copy};
    return answer_block(request, &given, copy);
}

static char *put(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static bool too_long(const char *text, size_t max)
{
    return text != NULL && strnlen(text, max + 1) > max;
}

/* Bytes of the entries' strings, or 0: one is out of bounds. */
static size_t entries_size(const sp_fs_entry *entries, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const sp_fs_entry *e = &entries[i];
        if (e->name == NULL || e->name[0] == '\0' || too_long(e->name, SP_FS_NAME_MAX) ||
            too_long(e->user, SPD_OWNER_MAX) || too_long(e->group, SPD_OWNER_MAX))
            return 0;
        size += text_size(e->name) + text_size(e->user) + text_size(e->group);
    }
    return size;
}

int sp_fs_names(sp_fs_request *q, const sp_fs_entry *entries, size_t count)
{
    spd_request *request = spd_request_of(q);
    if (q->op != SP_FS_OP_READDIR || count == 0 || count > q->length)
        return SP_EINVAL;
    size_t strings = entries_size(entries, count);
    if (strings == 0)
        return SP_EINVAL;
    sp_fs_entry *copy = spb_alloc(request->env, count * sizeof *copy + strings);
    if (copy == NULL)
        return SP_ENOMEM;
    memcpy(copy, entries, count * sizeof *copy);
    char *at = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i].name = put(&at, entries[i].name);
        copy[i].user = put(&at, entries[i].user);
        copy[i].group = put(&at, entries[i].group);
    }
    const spd_answer given = {.form = SPD_NAMES, .u.names = {copy, count}};
    return answer_block(request, &given, copy);
}

/* Bytes of the names; SIZE_MAX: one is too long. */
static size_t owners_size(const char *const *names, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (too_long(names[i], SPD_OWNER_MAX))
            return SIZE_MAX;
        size += names[i] == NULL ? 1 : text_size(names[i]);
    }
    return size;
}

int sp_fs_owners(sp_fs_request *q, const char *const *users, const char *const *groups)
{
    spd_request *request = spd_request_of(q);
    if (q->op != SP_FS_OP_USERS_GROUPS)
        return SP_EINVAL;
    size_t user_size = owners_size(users, q->uid_count);
    size_t group_size = owners_size(groups, q->gid_count);
    if (user_size == SIZE_MAX || group_size == SIZE_MAX)
        return SP_EINVAL;
    size_t count = q->uid_count + q->gid_count;
    char **names = spb_alloc(request->env, (count + 1) * sizeof *names + user_size + group_size);
    if (names == NULL)
        return SP_ENOMEM;
    char *at = (char *)(names + count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *name = i < q->uid_count ? users[i] : groups[i - q->uid_count];
        names[i] = put(&at, name == NULL ? "" : name);
    }
    const spd_answer given = {.form = SPD_OWNERS, .u.owners = {names, q->uid_count, q->gid_count}};
    return answer_block(request, &given, names);
}
