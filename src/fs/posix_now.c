/* Operations that are done at once, on the loop's thread, because nothing can make them wait: what
 * is opened or looked at is in the kernel's caches (openat2(2) with RESOLVE_CACHED), and its file
 * system is one of this machine that never asks another program or machine. Whatever is otherwise,
 * or fails, goes to the thread pool, which does it again and answers.
 *
 * Which file systems these are is learned where a file is opened on the pool: asking one that is
 * not may wait for ever. A path is first opened with O_PATH, which asks nobody; the very object is
 * then opened for its contents if its device is known, so that nothing can be put in its place. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif

/* ---- file systems ---- */

spd_px_speed spd_px_learn(spd_posix *fs, int fd, dev_t device)
{
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return SPD_PX_SLOW;
    switch ((unsigned long)status.f_type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        atomic_store(&fs->memory, device);
        return SPD_PX_MEMORY;
    case EXT4_SUPER_MAGIC: /* and its forerunners */
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
        atomic_store(&fs->disk, device);
        return SPD_PX_DISK;
    default:
        return SPD_PX_SLOW;
    }
}

static spd_px_speed known(const spd_posix *fs, dev_t device)
{
    if (device == 0)
        return SPD_PX_SLOW;
    return device == atomic_load(&fs->memory) ? SPD_PX_MEMORY
           : device == atomic_load(&fs->disk) ? SPD_PX_DISK
                                              : SPD_PX_SLOW;
}

/* Opens with O_PATH what a path leads to, and looks at it. False: that may have to wait. */
static bool find(const sp_fs_request *request, int flags, int *fd, struct stat *status,
                 spd_px_speed *speed)
{
    const spd_posix *fs = spd_px_of(request);
    char path[SPD_NAME_ROOM];
    struct statx of;
    if (atomic_load(&fs->memory) == 0 && atomic_load(&fs->disk) == 0)
        return false;
    if (spd_px_path(request, request->path, path) != 0 ||
        spd_open_cached(&fs->root, path, O_PATH | flags, fd) != 0)
        return false;
    /* The first look does not leave this machine. */
    *speed = SPD_PX_SLOW;
    if (statx(*fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &of) == 0)
        *speed = known(fs, makedev(of.stx_dev_major, of.stx_dev_minor));
    if (*speed != SPD_PX_SLOW && fstat(*fd, status) == 0)
        return true;
    (void)close(*fd);
    return false;
}

/* ---- operations ---- */

static bool open_now(sp_fs_request *request, sp_answer *answer)
{
    struct stat status;
    spd_px_speed speed;
    char name[32];
    int place;
    if ((request->flags & ~SP_FS_READ) != 0 || !find(request, 0, &place, &status, &speed))
        return false;
    spd_px_handle *handle = spb_calloc(&spd_px_of(request)->env, 1, sizeof *handle);
    int fd = -1;
    if (handle != NULL && S_ISREG(status.st_mode)) {
        /* The descriptor's own name: it leads to that object and nothing else. */
        snprintf(name, sizeof name, "/proc/self/fd/%d", place);
        fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    (void)close(place);
    if (fd < 0) {
        spb_free(&spd_px_of(request)->env, handle);
        return false;
    }
    *answer = spd_px_opened(request, handle, fd, speed);
    return true;
}

static bool stat_now(sp_fs_request *request, sp_answer *answer)
{
    struct stat status;
    spd_px_speed speed;
    int fd, flags = request->op == SP_FS_OP_LSTAT ? O_NOFOLLOW : 0;
    if (!find(request, flags, &fd, &status, &speed))
        return false;
    (void)close(fd);
    *answer = spd_px_show(request, &status);
    return true;
}

/* Closing writes out, here and there, what was written; and whoever closes a file that has no name
 * any more frees it. */
static bool closes_now(const spd_px_handle *handle)
{
    struct stat status;
    bool written = (handle->flags & SP_FS_WRITE) != 0 && handle->speed != SPD_PX_MEMORY;
    return handle->listing == NULL && handle->speed != SPD_PX_SLOW && !written &&
           fstat(handle->fd, &status) == 0 && status.st_nlink > 0;
}

static bool fstat_now(const spd_px_handle *handle)
{
    return handle->listing == NULL && handle->speed != SPD_PX_SLOW;
}

bool spd_px_now(sp_fs_request *request, sp_answer *answer)
{
    switch (request->op) {
    case SP_FS_OP_OPEN:
        return open_now(request, answer);
    case SP_FS_OP_STAT:
    case SP_FS_OP_LSTAT:
        return stat_now(request, answer);
    case SP_FS_OP_FSTAT:
        if (!fstat_now(request->handle))
            return false;
        *answer = spd_px_fstat(request);
        return true;
    case SP_FS_OP_CLOSE:
        if (!closes_now(request->handle))
            return false;
        *answer = spd_px_close(request);
        return true;
    default:
        return false;
    }
}
