/* Private directories. Nothing is ever created through a name that existed before: mkdir and O_EXCL
 * fail then. */
#include "loop/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_ROOM 16u /* for a slash and the name of what stands in the directory */

int spl_private_dir(const spb_env *env, const char *parent, const uint8_t unique[16], char **out)
{
    struct sockaddr_un address;
    static const char prefix[] = "/sallyport-";
    size_t parent_length = strlen(parent);
    size_t size = parent_length + sizeof prefix + (size_t)2 * 16;
    if (parent[0] != '/' || size + NAME_ROOM > sizeof address.sun_path)
        return SP_EINVAL;
    char *path = spb_alloc(env, size);
    if (path == NULL)
        return SP_ENOMEM;
    int at = snprintf(path, size, "%s%s", parent, prefix);
    for (size_t i = 0; i < 16; i++)
        at += snprintf(path + at, size - (size_t)at, "%02x", unique[i]);
    if (mkdir(path, S_IRWXU) != 0) {
        int result = spl_error(errno);
        spb_free(env, path);
        return result;
    }
    *out = path;
    return 0;
}

void spl_private_dir_remove(const char *path)
{
    (void)rmdir(path);
}

static bool write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

int spl_private_file(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return spl_error(errno);
    bool written = write_all(fd, bytes, length);
    if (close(fd) != 0)
        written = false;
    if (written)
        return 0;
    spl_private_remove(path);
    return SP_EIO;
}

void spl_private_remove(const char *path)
{
    (void)unlink(path);
}

bool spl_peer_is_own(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || length != sizeof peer)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
}
