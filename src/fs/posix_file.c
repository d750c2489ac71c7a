/* Open files: opened, closed, synced, copied from one to another. Only regular files are opened for
 * their contents: opening a FIFO would wait, opening a device does things. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COPY_CHUNK                                                                                 \
    ((size_t)8 * 1024 * 1024) /* between two looks at whether the client is there                  \
                               */
#define COPY_BUFFER ((size_t)256 * 1024)
#define CREATE_TRIES 8

/* ---- made ---- */

void spd_px_widen(const spd_posix *fs, int fd, mode_t wanted)
{
    struct stat status;
    mode_t mode = wanted & ~fs->umask & 0777;
    if (!fs->set_umask || fstat(fd, &status) != 0 || (status.st_mode & 0777) == mode)
        return;
    (void)spd_px_chmod(fs, fd,
                       (status.st_mode & 07000) | mode); /* else there are fewer than asked */
}

/* The process's umask is that of all threads and stays as it is. So with a umask of its own a new
 * file has to be known as new: it is made with O_EXCL, which also does not follow a link; the last
 * try is for a link to what does not exist. */
static int create(const spd_posix *fs, const char *path, int flags, mode_t mode, int *fd)
{
    int result = EEXIST;
    mode_t less = fs->set_umask ? mode & ~fs->umask : mode;
    if (!fs->set_umask || (flags & O_CREAT) == 0)
        return spd_open(&fs->root, path, flags, less, fd);
    for (int i = 0; i < CREATE_TRIES && (i == 0 || result == ENOENT); i++) {
        result = spd_open(&fs->root, path, flags | O_EXCL, less, fd);
        if (result == 0)
            spd_px_widen(fs, *fd, mode);
        if (result != EEXIST || (flags & O_EXCL) != 0)
            return result;
        result = spd_open(&fs->root, path, flags & ~O_CREAT, 0, fd);
    }
    if (result == ENOENT)
        result = spd_open(&fs->root, path, flags, less, fd);
    return result;
}

/* The file that is there, if any, may be opened. ENOENT is fine if it shall be made. */
static int look(const spd_posix *fs, const char *path, int flags)
{
    struct stat status;
    int fd;
    if ((flags & O_EXCL) != 0)
        return 0; /* opens nothing that exists */
    int result = spd_open(&fs->root, path, O_PATH, 0, &fd);
    if (result != 0)
        return result == ENOENT && (flags & O_CREAT) != 0 ? 0 : result;
    if (fstat(fd, &status) != 0)
        result = errno;
    else if (S_ISDIR(status.st_mode))
        result = EISDIR;
    else if (!S_ISREG(status.st_mode))
        result = EMEDIUMTYPE; /* told in our own words */
    (void)close(fd);
    return result;
}

static int flags_of(uint32_t asked)
{
    int flags = O_NONBLOCK | O_NOCTTY;
    if ((asked & SP_FS_WRITE) == 0)
        return flags | O_RDONLY | ((asked & SP_FS_CREATE) != 0 ? O_CREAT : 0) |
               ((asked & SP_FS_CREATE) != 0 && (asked & SP_FS_EXCLUSIVE) != 0 ? O_EXCL : 0);
    flags |= (asked & SP_FS_READ) != 0 ? O_RDWR : O_WRONLY;
    if ((asked & SP_FS_APPEND) != 0)
        flags |= O_APPEND;
    if ((asked & SP_FS_TRUNCATE) != 0)
        flags |= O_TRUNC;
    if ((asked & SP_FS_CREATE) != 0)
        flags |= O_CREAT | ((asked & SP_FS_EXCLUSIVE) != 0 ? O_EXCL : 0);
    return flags;
}

static int open_file(const sp_fs_request *request, int *fd, spd_px_speed *speed)
{
    spd_posix *fs = spd_px_of(request);
    char path[SPD_NAME_ROOM];
    struct stat status;
    int flags = flags_of(request->flags);
    mode_t mode = (request->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0
                      ? request->attr.permissions & 07777
                      : 0666;
    int result = spd_px_path(request, request->path, path);
    if (result == 0)
        result = look(fs, path, flags);
    if (result == 0)
        result = create(fs, path, flags, mode, fd);
    if (result != 0)
        return result;
    /* It may have been swapped since. */
    if (fstat(*fd, &status) != 0)
        result = errno;
    else if (!S_ISREG(status.st_mode))
        result = EMEDIUMTYPE;
    if (result != 0)
        (void)close(*fd);
    else
        *speed = spd_px_learn(fs, *fd, status.st_dev);
    return result;
}

sp_answer spd_px_opened(sp_fs_request *request, spd_px_handle *handle, int fd, spd_px_speed speed)
{
    handle->fs = spd_px_of(request);
    handle->fd = fd;
    handle->flags = request->flags;
    handle->speed = speed;
    if ((request->flags & SP_FS_WRITE) == 0)
        handle->flags |= SP_FS_READ; /* as sshd: neither means reading */
    if (speed != SPD_PX_MEMORY)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (sp_fs_opened(request, handle) == 0)
        return SP_ANSWERED;
    (void)close(fd);
    spb_free(&spd_px_of(request)->env, handle);
    return SP_REJECT;
}

sp_answer spd_px_open(sp_fs_request *request)
{
    spd_posix *fs = spd_px_of(request);
    spd_px_speed speed;
    int fd;
    spd_px_handle *handle = spb_calloc(&fs->env, 1, sizeof *handle);
    int result = handle == NULL ? ENOMEM : open_file(request, &fd, &speed);
    if (result == 0)
        return spd_px_opened(request, handle, fd, speed);
    spb_free(&fs->env, handle);
    if (result == EMEDIUMTYPE)
        return spd_px_refuse(request, SP_FS_FAILURE, "Not a regular file");
    return spd_px_result(request, result);
}

/* ---- closed and synced ---- */

sp_answer spd_px_close(sp_fs_request *request)
{
    spd_px_handle *handle = request->handle;
    spd_posix *fs = handle->fs;
    int result;
    if (handle->listing != NULL)
        result = spd_px_free_listing(fs, handle->listing);
    else
        result = close(handle->fd) == 0 ? 0 : errno;
    spd_px_free_lists(handle);
    spb_free(&fs->env, handle);
    return spd_px_result(request, result == EINTR ? 0 : result); /* it is closed, on Linux */
}

sp_answer spd_px_fsync(sp_fs_request *request)
{
    const spd_px_handle *handle = request->handle;
    return spd_px_result(request, fsync(handle->fd) == 0 ? 0 : errno);
}

/* ---- copied ---- */

typedef struct copying {
    spd_posix *fs;
    const spd_px_handle *from, *to;
    off_t in, out;
    uint8_t *buffer; /* where the kernel can't copy by itself */
} copying;

static ssize_t write_all(int fd, const uint8_t *bytes, size_t length, off_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = pwrite(fd, bytes + done, length - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Copies some; 0: the end of the file. */
static ssize_t copy_some(copying *c, size_t length)
{
    ssize_t n;
    if (c->buffer == NULL) {
        n = copy_file_range(c->from->fd, &c->in, c->to->fd, &c->out, length, 0);
        /* Files of /proc say 0 and mean that they can't. */
        if (n > 0 || (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
                      errno != EOPNOTSUPP && errno != EBADF && errno != EPERM))
            return n;
        c->buffer = spb_alloc_pages(&c->fs->env, COPY_BUFFER);
        if (c->buffer == NULL) {
            errno = ENOMEM;
            return -1;
        }
    }
    n = pread(c->from->fd, c->buffer, length < COPY_BUFFER ? length : COPY_BUFFER, c->in);
    if (n > 0)
        n = write_all(c->to->fd, c->buffer, (size_t)n, c->out);
    if (n > 0) {
        c->in += n;
        c->out += n;
    }
    return n;
}

static int copy_all(copying *c, uint64_t length, const sp_fs_request *request)
{
    while (length > 0) {
        size_t chunk = length < COPY_CHUNK ? (size_t)length : COPY_CHUNK;
        if (sp_fs_session_gone(request->session))
            return ECANCELED;
        int result = spd_px_spend(c->fs, chunk);
        if (result != 0)
            return result;
        ssize_t n = copy_some(c, chunk);
        spd_px_give_back(c->fs, n > 0 ? chunk - (size_t)n : chunk);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            break;
        length -= n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

/* Never more than there was at the beginning: a file that is copied to its own end would grow for
 * ever. Where source and target overlap there is no right result. */
static int copy_bounds(const sp_fs_request *request, uint64_t *length)
{
    const spd_px_handle *from = request->handle, *to = request->to_handle;
    struct stat a, b;
    if (from->listing != NULL || to->listing != NULL)
        return EISDIR;
    if ((from->flags & SP_FS_READ) == 0 || (to->flags & SP_FS_WRITE) == 0)
        return EACCES;
    if (fstat(from->fd, &a) != 0 || fstat(to->fd, &b) != 0)
        return errno;
    uint64_t size = (uint64_t)a.st_size;
    uint64_t left = request->offset < size ? size - request->offset : 0;
    /* Some file systems make contents up and know no size. */
    if (size == 0 && request->offset == 0)
        left = request->length != 0 ? request->length : INT64_MAX;
    *length = request->length == 0 || request->length > left ? left : request->length;
    if (request->to_offset > INT64_MAX - *length)
        return *length == 0 ? 0 : EFBIG;
    bool same = a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (same && size == 0)
        *length = 0;
    if (same && request->offset < request->to_offset + *length &&
        request->to_offset < request->offset + *length)
        return EEXIST; /* a plain failure, as sshd's */
    return 0;
}

sp_answer spd_px_copy(sp_fs_request *request)
{
    copying c = {.fs = spd_px_of(request),
                 .from = request->handle,
                 .to = request->to_handle,
                 .in = (off_t)request->offset,
                 .out = (off_t)request->to_offset};
    uint64_t length = 0;
    int result = copy_bounds(request, &length);
    if (result == EEXIST)
        return spd_px_refuse(request, SP_FS_FAILURE, "The ranges overlap");
    if (result == 0 && length > 0)
        result = copy_all(&c, length, request);
    spb_free_pages(&c.fs->env, c.buffer);
    return spd_px_result(request, result);
}
