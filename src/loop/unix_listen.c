/* Listening UNIX sockets. Their file is made with its permissions, never with more, and without a
 * change of the process's umask, which other threads share. What is removed is a socket, and at the
 * end only our own: a path can lead elsewhere by then. */
#include "loop/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_socket(const char *path, spl_file_id *id)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    id->device = (uint64_t)status.st_dev;
    id->inode = (uint64_t)status.st_ino;
    return true;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : spl_error(errno);
}

/* Gives what the umask took. By a descriptor of the file itself, which is looked at: the path may
 * lead to something else by now. If it can't be done, the permissions are fewer than asked for. */
static void widen(const char *path, const spl_file_id *id, mode_t mode)
{
    struct stat status;
    char self[64];
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_uid == geteuid() &&
        (uint64_t)status.st_dev == id->device && (uint64_t)status.st_ino == id->inode &&
        (status.st_mode & 0777) != mode) {
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        (void)chmod(self, mode);
    }
    (void)close(fd);
}

static int make(int fd, const struct sockaddr_un *address, mode_t mode, unsigned backlog,
                spl_file_id *id)
{
    /* Linux makes the file with the permissions of the socket, less the umask. */
    if (fchmod(fd, mode) != 0)
        return spl_error(errno);
    int result = bind_to(fd, address);
    if (result != 0)
        return result;
    if (!is_socket(address->sun_path, id))
        return SP_EIO; /* somebody is quicker than we are: it is not ours to remove */
    widen(address->sun_path, id, mode);
    if (listen(fd, (int)backlog) == 0)
        return 0;
    result = spl_error(errno);
    spl_unlisten_unix(address->sun_path, id);
    return result;
}

int spl_listen_unix(const char *path, unsigned mode, bool replace, unsigned backlog, int *out,
                    spl_file_id *id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    spl_file_id old;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path)
        return SP_EINVAL;
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return spl_error(errno);
    if (replace && is_socket(path, &old))
        (void)unlink(path);
    int result = make(fd, &address, (mode_t)mode, backlog, id);
    if (result != 0)
        (void)close(fd);
    else
        *out = fd;
    return result;
}

void spl_unlisten_unix(const char *path, const spl_file_id *id)
{
    spl_file_id now;
    if (is_socket(path, &now) && now.device == id->device && now.inode == id->inode)
        (void)unlink(path);
}
