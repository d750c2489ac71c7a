/* Names inside a root directory: through openat2(2), or the walk where that is missing. */
#include "fs/posix_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The call answers EAGAIN when something was moved while it went up by "..". */
#define TRIES 64u

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

static int open_inside(int root, const char *path, int flags, mode_t mode, unsigned tries,
                       uint64_t resolve, int *fd)
{
#ifdef SYS_openat2
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned)(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode & 07777u : 0;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
    for (unsigned i = 0; i < tries; i++) {
        long result = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (result >= 0) {
            *fd = (int)result;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
    }
    return EAGAIN;
#else
    (void)root, (void)path, (void)flags, (void)mode, (void)tries, (void)resolve, (void)fd;
    return ENOSYS;
#endif
}

int spd_root_open(spd_root *root, const char *path)
{
    int fd = -1;
    root->openat2 = false;
    root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0)
        return errno;
    /* Whatever it fails for (an old kernel, a filter of system calls): the walk does it too. */
    if (open_inside(root->fd, ".", O_PATH | O_DIRECTORY, 0, TRIES, 0, &fd) == 0) {
        root->openat2 = true;
        (void)close(fd);
    }
    return 0;
}

void spd_root_close(spd_root *root)
{
    if (root->fd >= 0)
        (void)close(root->fd);
    root->fd = -1;
}

int spd_join(char out[SPD_NAME_ROOM], const char *base, const char *path)
{
    const char *before = path[0] == '/' ? "" : base;
    size_t length = strlen(before);
    bool slash = path[0] != '/' && path[0] != '\0' && (length == 0 || before[length - 1] != '/');
    int n = snprintf(out, SPD_NAME_ROOM, "%s%s%s", before, slash ? "/" : "", path);
    return n < 0 || (size_t)n >= SPD_NAME_ROOM ? ENAMETOOLONG : 0;
}

/* ---- opening ---- */

/* The walk's answer may be old when it is used: a name that has become a link is walked again. */
static int open_walked(const spd_root *root, const char *path, int flags, mode_t mode, int *fd)
{
    size_t length = strlen(path);
    bool slash = length > 0 && path[length - 1] == '/'; /* goes through the link, as the kernel's */
    bool follow =
        ((flags & O_NOFOLLOW) == 0 || slash) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    int result = ELOOP;
    for (unsigned i = 0; i < TRIES && result == ELOOP; i++) {
        spd_place place;
        struct stat status;
        result = spd_walk(root, path, follow, &place, NULL);
        if (result != 0)
            return result;
        if (place.slash && (flags & O_CREAT) != 0) {
            result = EISDIR;
        } else {
            *fd = openat(place.dir, place.name,
                         flags | O_NOFOLLOW | O_CLOEXEC | (place.slash ? O_DIRECTORY : 0), mode);
            result = *fd < 0 ? errno : 0;
        }
        spd_place_close(&place);
        /* O_PATH | O_NOFOLLOW opens a link that has just been put there. */
        if (result == 0 && follow && (flags & O_PATH) != 0 && fstat(*fd, &status) == 0 &&
            S_ISLNK(status.st_mode)) {
            (void)close(*fd);
            result = ELOOP;
        }
        if (!follow)
            break;
    }
    if (result != 0)
        *fd = -1;
    return result;
}

int spd_open(const spd_root *root, const char *path, int flags, mode_t mode, int *fd)
{
    *fd = -1;
    if (strlen(path) >= SPD_NAME_ROOM)
        return ENAMETOOLONG;
    if (root->openat2) {
        int result = open_inside(root->fd, path, flags, mode, TRIES, 0, fd);
        if (result != EAGAIN)
            return result;
    }
    return open_walked(root, path, flags, mode, fd);
}

int spd_open_cached(const spd_root *root, const char *path, int flags, int *fd)
{
    *fd = -1;
    if (!root->openat2)
        return ENOSYS;
    return open_inside(root->fd, path, flags, 0, 1, RESOLVE_CACHED, fd);
}

/* ---- places ---- */

void spd_place_itself(spd_place *place)
{
    place->name[0] = '.';
    place->name[1] = '\0';
}

void spd_place_close(spd_place *place)
{
    if (place->dir >= 0)
        (void)close(place->dir);
    place->dir = -1;
}

/* Splits the path before its last name. False: there is none, the path is a directory's. */
static bool split(const char *path, char parent[SPD_NAME_ROOM], spd_place *place, int *error)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    place->slash = path[end] == '/';
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t length = end - start;
    *error = 0;
    if (length == 0 || (length == 1 && path[start] == '.') ||
        (length == 2 && path[start] == '.' && path[start + 1] == '.'))
        return false;
    if (length > NAME_MAX) {
        *error = ENAMETOOLONG;
        return false;
    }
    memcpy(place->name, path + start, length);
    place->name[length] = '\0';
    memcpy(parent, path, start);
    if (start == 0)
        parent[start++] = '/';
    parent[start] = '\0';
    return true;
}

int spd_find(const spd_root *root, const char *path, spd_place *place)
{
    char parent[SPD_NAME_ROOM];
    int error;
    place->dir = -1;
    if (strlen(path) >= SPD_NAME_ROOM)
        return ENAMETOOLONG;
    if (!root->openat2)
        return spd_walk(root, path, false, place, NULL);
    const char *directory = parent;
    if (!split(path, parent, place, &error)) {
        if (error != 0)
            return error;
        spd_place_itself(place);
        directory = path[0] == '\0' ? "/" : path;
    }
    return spd_open(root, directory, O_PATH | O_DIRECTORY, 0, &place->dir);
}

int spd_real(const spd_root *root, const char *path, char out[SPD_NAME_ROOM])
{
    spd_place place;
    int result = spd_walk(root, path, true, &place, out);
    if (result == 0)
        spd_place_close(&place);
    return result;
}
