/* Private keys to a file that does not exist yet: no other user can have put it there, and nobody
 * but its owner can read it from the start. */
#include "key/key_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static int create_file(const char *path, const spb_buffer *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        switch (errno) {
        case EEXIST:
            return SP_EALREADY;
        case ENOENT:
        case ENOTDIR:
            return SP_ENOENT;
        case EACCES:
        case EPERM:
        case EROFS:
            return SP_EACCES;
        default:
            return SP_EIO;
        }
    }
    bool good = fchmod(fd, 0600) == 0 && write_all(fd, text->data, text->length) && fsync(fd) == 0;
    if (close(fd) != 0)
        good = false;
    if (!good)
        (void)unlink(path);
    return good ? 0 : SP_EIO;
}

int sp_key_save_private(const sp_key *key, const char *path, const char *comment)
{
    spb_buffer text;

    if (!key->is_private)
        return SP_EINVAL;
    spb_buffer_init(&text, spk_env(), 2 * SPK_PRIVATE_MAX);
    text.secret = true;
    int result = spk_openssh_write(key, comment, &text);
    if (result == 0)
        result = create_file(path, &text);
    spb_buffer_free(&text);
    return result;
}
