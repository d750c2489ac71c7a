/* Private keys to a file that does not exist yet: no other user can have put it there, and nobody
 * but its owner can read it from the start. */
#include "key/key_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* The text of a key in the form that is asked for. */
static int write_text(const sp_key *key, const sp_private_options *options, spb_buffer *text)
{
    sp_private_options o = {SP_PRIVATE_OPTIONS_INIT};

    if (options != NULL && (options->size == 0 || options->size > sizeof o))
        return SP_EINVAL;
    if (options != NULL)
        memcpy(&o, options, options->size);
    if (!key->is_private || (o.passphrase != NULL && *o.passphrase == '\0'))
        return SP_EINVAL;
    switch (o.format) {
    case SP_PRIVATE_OPENSSH:
        return spk_openssh_write(key, &o, text);
    case SP_PRIVATE_PKCS8:
        if (spc_is_composite(key->type))
            return SP_ENOTSUP;
        return spc_pkey_to_pkcs8(key->pkey, o.passphrase, text) ? 0 : SP_ECRYPTO;
    }
    return SP_EINVAL;
}

int sp_key_format_private(const sp_key *key, const sp_private_options *options, char *out,
                          size_t *length)
{
    spb_buffer text;

    spb_buffer_init(&text, spk_env(), 2 * SPK_PRIVATE_MAX);
    text.secret = true;
    int result = write_text(key, options, &text);
    if (result == 0 && text.length > *length)
        result = SP_ELIMIT;
    if (result == 0) {
        memcpy(out, text.data, text.length);
        *length = text.length;
    }
    spb_buffer_free(&text);
    return result;
}

int sp_key_write_private(const sp_key *key, const char *path, const sp_private_options *options)
{
    spb_buffer text;

    spb_buffer_init(&text, spk_env(), 2 * SPK_PRIVATE_MAX);
    text.secret = true;
    int result = write_text(key, options, &text);
    if (result == 0)
        result = create_file(path, &text);
    spb_buffer_free(&text);
    return result;
}

int sp_key_save_private(const sp_key *key, const char *path, const char *comment)
{
    sp_private_options options = {SP_PRIVATE_OPTIONS_INIT};

    options.comment = comment;
    return sp_key_write_private(key, path, &options);
}
