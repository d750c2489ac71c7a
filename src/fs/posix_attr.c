/* Attributes of files: shown, and set. What a path leads to is opened with O_PATH first, and then
 * only the descriptor is used, so that nothing can be put in its place. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* the same number everywhere; Linux 6.6 */
#endif

void spd_px_attr(sp_fs_attr *attr, const struct stat *status)
{
    *attr = (sp_fs_attr){
        .valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_OWNER | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .permissions = status->st_mode,
        .size = (uint64_t)status->st_size,
        .atime = status->st_atim.tv_sec,
        .mtime = status->st_mtim.tv_sec,
        .links = status->st_nlink,
    };
}

sp_answer spd_px_show(sp_fs_request *request, const struct stat *status)
{
    sp_fs_attr attr;
    spd_px_attr(&attr, status);
    return sp_answered(sp_fs_attributes(request, &attr));
}

static sp_answer show(sp_fs_request *request, int fd)
{
    struct stat status;
    return fstat(fd, &status) != 0 ? spd_px_result(request, errno) : spd_px_show(request, &status);
}

sp_answer spd_px_stat(sp_fs_request *request)
{
    int fd;
    int result = spd_px_open_path(request, request->op == SP_FS_OP_STAT, &fd);
    if (result != 0)
        return spd_px_result(request, result);
    sp_answer answer = show(request, fd);
    (void)close(fd);
    return answer;
}

sp_answer spd_px_fstat(sp_fs_request *request)
{
    const spd_px_handle *handle = request->handle;
    return show(request, handle->fd);
}

/* ---- set ---- */

/* The name of a descriptor that we hold, for calls that take no O_PATH descriptor: it leads to that
 * object and nothing else. */
static void name_of(int fd, char out[32])
{
    snprintf(out, 32, "/proc/self/fd/%d", fd);
}

int spd_px_chmod(const spd_posix *fs, int fd, mode_t mode)
{
    struct stat status;
    char name[32];
    if (fstat(fd, &status) != 0)
        return errno;
    if (S_ISLNK(status.st_mode))
        return EOPNOTSUPP; /* some file systems would do it, half */
    if (!fs->old_calls) {
        if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
            return 0;
        if (errno != ENOSYS && errno != EPERM)
            return errno;
    }
    name_of(fd, name); /* no such call, or a filter that does not know it */
    return chmod(name, mode) == 0 ? 0 : errno;
}

static int set_times(const spd_posix *fs, int fd, const struct timespec times[2])
{
    char name[32];
    if (!fs->old_calls) {
        if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOENT)
            return errno;
    }
    name_of(fd, name); /* before Linux 5.8 */
    return utimensat(AT_FDCWD, name, times, 0) == 0 ? 0 : errno;
}

/* `fd` is open for writing. */
static int set_size(spd_posix *fs, int fd, uint64_t size)
{
    struct stat status;
    if (size > INT64_MAX)
        return EFBIG;
    if (fstat(fd, &status) != 0)
        return errno;
    uint64_t now = (uint64_t)status.st_size, more = size > now ? size - now : 0;
    int result = spd_px_spend(fs, more);
    if (result == 0 && ftruncate(fd, (off_t)size) != 0) {
        result = errno;
        spd_px_give_back(fs, more);
    }
    return result;
}

static int resize_path(const sp_fs_request *request)
{
    char path[SPD_NAME_ROOM];
    struct stat status;
    int fd;
    int result = spd_px_path(request, request->path, path);
    if (result == 0)
        result = spd_open(&spd_px_of(request)->root, path,
                          O_WRONLY | O_NONBLOCK | O_NOCTTY |
                              (request->op == SP_FS_OP_LSETSTAT ? O_NOFOLLOW : 0),
                          0, &fd);
    if (result != 0)
        return result;
    if (fstat(fd, &status) != 0)
        result = errno;
    else if (!S_ISREG(status.st_mode))
        result = EINVAL;
    else
        result = set_size(spd_px_of(request), fd, request->attr.size);
    (void)close(fd);
    return result;
}

/* All but the size. Everything is tried; the first failure is told, as sshd does. The descriptor
 * may be an O_PATH one. */
static int set_others(const spd_posix *fs, int fd, const sp_fs_attr *attr)
{
    int result = 0, one = 0;
    if ((attr->valid & SP_FS_ATTR_PERMISSIONS) != 0)
        result = spd_px_chmod(fs, fd, attr->permissions & 07777);
    if ((attr->valid & SP_FS_ATTR_TIMES) != 0) {
        const struct timespec times[2] = {{.tv_sec = attr->atime}, {.tv_sec = attr->mtime}};
        one = set_times(fs, fd, times);
        result = result == 0 ? one : result;
    }
    if ((attr->valid & SP_FS_ATTR_OWNER) != 0) {
        one = fchownat(fd, "", attr->uid, attr->gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
        result = result == 0 ? one : result;
    }
    return result;
}

sp_answer spd_px_setstat(sp_fs_request *request)
{
    int fd, result = 0;
    struct stat status;
    if ((request->attr.valid & SP_FS_ATTR_SIZE) != 0) {
        /* Not even opened, if it is no regular file: that has effects on devices. */
        result = spd_px_open_path(request, request->op == SP_FS_OP_SETSTAT, &fd);
        if (result != 0)
            return spd_px_result(request, result);
        bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
        (void)close(fd);
        result = regular ? resize_path(request) : EINVAL;
    }
    int one = spd_px_open_path(request, request->op == SP_FS_OP_SETSTAT, &fd);
    if (one == 0) {
        one = set_others(spd_px_of(request), fd, &request->attr);
        (void)close(fd);
    }
    return spd_px_result(request, result == 0 ? one : result);
}

sp_answer spd_px_fsetstat(sp_fs_request *request)
{
    const spd_px_handle *handle = request->handle;
    int result = 0;
    if ((request->attr.valid & SP_FS_ATTR_SIZE) != 0)
        result = (handle->flags & SP_FS_WRITE) == 0
                     ? EACCES
                     : set_size(handle->fs, handle->fd, request->attr.size);
    int one = set_others(handle->fs, handle->fd, &request->attr);
    return spd_px_result(request, result == 0 ? one : result);
}

/* ---- the volume ---- */

static sp_answer show_volume(sp_fs_request *request, int fd)
{
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0)
        return spd_px_result(request, errno);
    const sp_fs_volume volume = {
        .block_size = status.f_bsize,
        .fragment_size = status.f_frsize,
        .blocks = status.f_blocks,
        .blocks_free = status.f_bfree,
        .blocks_available = status.f_bavail,
        .files = status.f_files,
        .files_free = status.f_ffree,
        .files_available = status.f_favail,
        .id = status.f_fsid,
        .read_only = (status.f_flag & ST_RDONLY) != 0 || spd_px_of(request)->read_only,
        .no_setuid = (status.f_flag & ST_NOSUID) != 0,
        .name_max = status.f_namemax,
    };
    return sp_answered(sp_fs_space(request, &volume));
}

sp_answer spd_px_statvfs(sp_fs_request *request)
{
    const spd_px_handle *handle = request->handle;
    int fd;
    if (request->op == SP_FS_OP_FSTATVFS)
        return show_volume(request, handle->fd);
    int result = spd_px_open_path(request, true, &fd);
    if (result != 0)
        return spd_px_result(request, result);
    sp_answer answer = show_volume(request, fd);
    (void)close(fd);
    return answer;
}
