/* Names: what is removed, made, renamed, linked and read is a single name in a directory that is
 * held open. No such call follows a link at the name. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

static int find(const sp_fs_request *request, const char *name, spd_place *place)
{
    char path[SPD_NAME_ROOM];
    place->dir = -1;
    int result = spd_px_path(request, name, path);
    return result != 0 ? result : spd_find(&spd_px_of(request)->root, path, place);
}

static bool is_directory(const spd_place *place)
{
    struct stat status;
    return fstatat(place->dir, place->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
}

static bool exists(const spd_place *place)
{
    struct stat status;
    return fstatat(place->dir, place->name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int error_of(int result)
{
    return result == 0 ? 0 : errno;
}

sp_answer spd_px_realpath(sp_fs_request *request)
{
    char path[SPD_NAME_ROOM], real[SPD_NAME_ROOM];
    int result = spd_px_path(request, request->path, path);
    if (result == 0)
        result = spd_real(&spd_px_of(request)->root, path, real);
    return result != 0 ? spd_px_result(request, result) : sp_answered(sp_fs_name(request, real));
}

/* ---- removed and made ---- */

sp_answer spd_px_remove(sp_fs_request *request)
{
    spd_place place;
    bool directory = request->op == SP_FS_OP_RMDIR;
    int result = find(request, request->path, &place);
    if (result == 0 && place.slash && !directory)
        result = is_directory(&place) ? EISDIR : ENOTDIR;
    if (result == 0)
        result = error_of(unlinkat(place.dir, place.name, directory ? AT_REMOVEDIR : 0));
    spd_place_close(&place);
    return spd_px_result(request, result);
}

/* As for new files; by a descriptor of the directory, if it is one still. */
static void widen(const spd_posix *fs, const spd_place *place, mode_t mode)
{
    int fd;
    if (!fs->set_umask)
        return;
    fd = openat(place->dir, place->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    spd_px_widen(fs, fd, mode);
    (void)close(fd);
}

sp_answer spd_px_mkdir(sp_fs_request *request)
{
    const spd_posix *fs = spd_px_of(request);
    mode_t mode = (request->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0
                      ? request->attr.permissions & 07777
                      : 0777;
    spd_place place;
    int result = find(request, request->path, &place);
    if (result == 0)
        result = error_of(mkdirat(place.dir, place.name, fs->set_umask ? mode & ~fs->umask : mode));
    if (result == 0)
        widen(fs, &place, mode);
    spd_place_close(&place);
    return spd_px_result(request, result);
}

/* ---- renamed ---- */

/* Takes a name back that we have just made for what `from` names; not what somebody has put there
 * since. */
static void unlink_again(const spd_place *from, const spd_place *to)
{
    struct stat old, made;
    if (fstatat(from->dir, from->name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstatat(to->dir, to->name, &made, AT_SYMLINK_NOFOLLOW) == 0 && old.st_dev == made.st_dev &&
        old.st_ino == made.st_ino)
        (void)unlinkat(to->dir, to->name, 0);
}

/* Without replacing, on a file system that can't promise it: as sshd does. A hard link fails if the
 * name exists; what can't be linked is looked at. */
static int rename_carefully(const spd_place *from, const spd_place *to)
{
    if (!is_directory(from)) {
        if (linkat(from->dir, from->name, to->dir, to->name, 0) == 0) {
            int result = error_of(unlinkat(from->dir, from->name, 0));
            if (result != 0)
                unlink_again(from, to);
            return result;
        }
        if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
            return errno;
    }
    if (exists(to))
        return EEXIST;
    return error_of(renameat(from->dir, from->name, to->dir, to->name));
}

static int rename_place(const spd_posix *fs, const spd_place *from, const spd_place *to,
                        bool replace)
{
    if ((from->slash || to->slash) && !is_directory(from))
        return exists(from) ? ENOTDIR : ENOENT;
    if (replace)
        return error_of(renameat(from->dir, from->name, to->dir, to->name));
    if (!fs->old_calls) {
        if (syscall(SYS_renameat2, from->dir, from->name, to->dir, to->name, RENAME_NOREPLACE) == 0)
            return 0;
        /* EINVAL also for a directory that shall go into itself: renameat says so again. */
        if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
            return errno;
    }
    return rename_carefully(from, to);
}

sp_answer spd_px_rename(sp_fs_request *request)
{
    spd_place from, to = {.dir = -1};
    int result = find(request, request->path, &from);
    if (result == 0)
        result = find(request, request->to, &to);
    if (result == 0)
        result =
            rename_place(spd_px_of(request), &from, &to, (request->flags & SP_FS_REPLACE) != 0);
    spd_place_close(&from);
    spd_place_close(&to);
    return spd_px_result(request, result);
}

/* ---- links ---- */

sp_answer spd_px_readlink(sp_fs_request *request)
{
    char text[SPD_NAME_ROOM];
    spd_place place;
    int result = find(request, request->path, &place);
    ssize_t n = 0;
    if (result == 0 && place.slash)
        result = exists(&place) ? EINVAL : ENOENT;
    if (result == 0 && (n = readlinkat(place.dir, place.name, text, sizeof text)) < 0)
        result = errno;
    if (result == 0 && (size_t)n >= sizeof text)
        result = ENAMETOOLONG;
    spd_place_close(&place);
    if (result != 0)
        return spd_px_result(request, result);
    text[n] = '\0';
    return sp_answered(sp_fs_name(request, text));
}

/* The text is kept as it came; wherever it leads to, it will lead to something inside the root. */
sp_answer spd_px_symlink(sp_fs_request *request)
{
    spd_place place;
    if (spd_px_of(request)->no_symlinks)
        return spd_px_result(request, EPERM);
    int result = find(request, request->path, &place);
    if (result == 0 && place.slash)
        result = exists(&place) ? EEXIST : ENOENT;
    if (result == 0)
        result = error_of(symlinkat(request->to, place.dir, place.name));
    spd_place_close(&place);
    return spd_px_result(request, result);
}

/* A link gets a second name itself, not what it leads to: as link(2) on Linux. */
sp_answer spd_px_link(sp_fs_request *request)
{
    spd_place from, to = {.dir = -1};
    int result = find(request, request->path, &from);
    if (result == 0)
        result = find(request, request->to, &to);
    if (result == 0 && from.slash && !is_directory(&from))
        result = exists(&from) ? ENOTDIR : ENOENT;
    if (result == 0 && to.slash)
        result = exists(&to) ? EEXIST : ENOENT;
    if (result == 0)
        result = error_of(linkat(from.dir, from.name, to.dir, to.name, 0));
    spd_place_close(&from);
    spd_place_close(&to);
    return spd_px_result(request, result);
}
