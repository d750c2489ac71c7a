/* Files of keys, and private keys from a text or a file. A file is opened once and everything is
 * asked of that descriptor; sshd's rule about a private key's mode holds here too. */
#include "key/key_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int sp_key_parse_private(sp_key **key, const void *text, size_t length, const char *passphrase)
{
    const spb_span span = {text, length};
    spc_pkey *pkey;

    *key = NULL;
    if (length == 0)
        return SP_EFORMAT;
    if (spk_openssh_recognised(span))
        return spk_openssh_parse(key, span, passphrase);
    int result = spc_pkey_from_pem(&pkey, spk_env(), span, passphrase);
    return result == 0 ? spk_new(key, pkey, true) : result;
}

static int error_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return SP_ENOENT;
    case EACCES:
    case EPERM:
        return SP_EACCES;
    default:
        return SP_EIO;
    }
}

static int read_all(int fd, spb_buffer *out)
{
    for (;;) {
        uint8_t *room = spb_buffer_reserve(out, 4096);
        if (room == NULL)
            return out->length + 4096 > out->limit ? SP_ELIMIT : SP_ENOMEM;
        ssize_t n = read(fd, room, 4096);
        if (n > 0)
            out->length += (size_t)n;
        else if (n == 0)
            return 0;
        else if (errno != EINTR)
            return SP_EIO;
    }
}

static int read_regular(int fd, bool secret, spb_buffer *out)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return error_of_errno(errno);
    if (!S_ISREG(status.st_mode))
        return SP_EFORMAT;
    if (secret && status.st_uid == getuid() && (status.st_mode & 077) != 0)
        return SP_EACCES;
    return read_all(fd, out);
}

int spk_read_file(const char *path, bool secret, spb_buffer *out)
{
    /* Without O_NONBLOCK, opening a pipe would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_of_errno(errno);
    int result = read_regular(fd, secret, out);
    (void)close(fd);
    return result;
}

int sp_key_load_private(sp_key **key, const char *path, const char *passphrase)
{
    spb_buffer text;

    *key = NULL;
    spb_buffer_init(&text, spk_env(), SPK_FILE_MAX);
    text.secret = true;
    int result = spk_read_file(path, true, &text);
    if (result == 0)
        result = sp_key_parse_private(key, text.data, text.length, passphrase);
    spb_buffer_free(&text);
    return result;
}
