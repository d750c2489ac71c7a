/* client_libssh_sftp.c: an SFTP client on libssh with the options of client_options.h. It reads
 * orders from standard input, one a line, words separated by tabs:
 *
 *     put LOCAL REMOTE, get REMOTE LOCAL     with times and mode
 *     reput LOCAL REMOTE, reget REMOTE LOCAL the part that is missing
 *     mkdir PATH, rm PATH, rmdir PATH, rename FROM TO, symlink TEXT PATH, readlink PATH,
 *     stat PATH, space PATH
 *
 * and writes a line of JSON for each: its status (SFTP's, 0 when it is done) and what it has found.
 * The exit status is 1 when one has failed. */
#include "client_options.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define CHUNK ((size_t)128 * 1024)

static char chunk[CHUNK];

/* ---- files ---- */

/* From where both are to go on. */
static bool put_bytes(int from, sftp_file to)
{
    ssize_t n;
    while ((n = read(from, chunk, sizeof chunk)) > 0)
        for (ssize_t done = 0; done < n;) {
            ssize_t part = sftp_write(to, chunk + done, (size_t)(n - done));
            if (part <= 0)
                return false;
            done += part;
        }
    return n == 0;
}

static bool set_remote(sftp_session sftp, const char *path, const struct stat *status)
{
    struct sftp_attributes_struct attr = {
        .flags = SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME,
        .permissions = status->st_mode & 07777,
        .atime = (uint32_t)status->st_atime,
        .mtime = (uint32_t)status->st_mtime,
    };
    return sftp_setstat(sftp, path, &attr) == 0;
}

static bool put_file(sftp_session sftp, const char *local, const char *remote, bool resume)
{
    struct stat status;
    int from = open(local, O_RDONLY);
    if (from < 0 || fstat(from, &status) != 0)
        return false;
    sftp_file to = sftp_open(sftp, remote, O_WRONLY | O_CREAT | (resume ? 0 : O_TRUNC),
                             status.st_mode & 07777);
    bool good = to != NULL;
    if (good && resume) {
        sftp_attributes there = sftp_fstat(to);
        good = there != NULL && lseek(from, (off_t)there->size, SEEK_SET) >= 0 &&
               sftp_seek64(to, there->size) == 0;
        sftp_attributes_free(there);
    }
    good = good && put_bytes(from, to);
    good = (to == NULL || sftp_close(to) == SSH_OK) && good;
    (void)close(from);
    return good && set_remote(sftp, remote, &status);
}

static bool get_bytes(sftp_file from, int to)
{
    ssize_t n;
    while ((n = sftp_read(from, chunk, sizeof chunk)) > 0)
        if (!client_write_all(to, chunk, (size_t)n))
            return false;
    return n == 0;
}

static bool get_file(sftp_session sftp, const char *remote, const char *local, bool resume)
{
    sftp_file from = sftp_open(sftp, remote, O_RDONLY, 0);
    sftp_attributes there = from == NULL ? NULL : sftp_fstat(from);
    bool good = false;
    if (there != NULL) {
        int to = open(local, O_WRONLY | O_CREAT | (resume ? 0 : O_TRUNC), 0600);
        off_t at = resume ? lseek(to, 0, SEEK_END) : 0;
        const struct timespec times[2] = {{.tv_sec = there->atime}, {.tv_sec = there->mtime}};
        good = to >= 0 && sftp_seek64(from, (uint64_t)at) == 0 && get_bytes(from, to) &&
               fchmod(to, there->permissions & 07777) == 0 && futimens(to, times) == 0;
        if (to >= 0)
            good = close(to) == 0 && good;
        sftp_attributes_free(there);
    }
    if (from != NULL)
        good = sftp_close(from) == SSH_OK && good;
    return good;
}

/* ---- orders ---- */

static bool tell_link(sftp_session sftp, const char *path, event *e)
{
    char *text = sftp_readlink(sftp, path);
    if (text == NULL)
        return false;
    event_text(e, "text", text);
    ssh_string_free_char(text);
    return true;
}

static bool tell_stat(sftp_session sftp, const char *path, event *e)
{
    sftp_attributes attr = sftp_stat(sftp, path);
    if (attr == NULL)
        return false;
    event_number(e, "size", (int64_t)attr->size);
    event_number(e, "mode", attr->permissions & 07777);
    event_number(e, "mtime", attr->mtime);
    sftp_attributes_free(attr);
    return true;
}

static bool tell_space(sftp_session sftp, const char *path, event *e)
{
    sftp_statvfs_t space = sftp_statvfs(sftp, path);
    if (space == NULL)
        return false;
    event_number(e, "blocks", (int64_t)space->f_blocks);
    sftp_statvfs_free(space);
    return true;
}

static bool obey(sftp_session sftp, char *const word[3], event *e)
{
    const char *order = word[0];
    if (strcmp(order, "put") == 0 || strcmp(order, "reput") == 0)
        return put_file(sftp, word[1], word[2], order[0] == 'r');
    if (strcmp(order, "get") == 0 || strcmp(order, "reget") == 0)
        return get_file(sftp, word[1], word[2], order[0] == 'r');
    if (strcmp(order, "mkdir") == 0)
        return sftp_mkdir(sftp, word[1], 0755) == 0;
    if (strcmp(order, "rm") == 0)
        return sftp_unlink(sftp, word[1]) == 0;
    if (strcmp(order, "rmdir") == 0)
        return sftp_rmdir(sftp, word[1]) == 0;
    if (strcmp(order, "rename") == 0)
        return sftp_rename(sftp, word[1], word[2]) == 0;
    if (strcmp(order, "symlink") == 0)
        return sftp_symlink(sftp, word[1], word[2]) == 0;
    if (strcmp(order, "readlink") == 0)
        return tell_link(sftp, word[1], e);
    if (strcmp(order, "stat") == 0)
        return tell_stat(sftp, word[1], e);
    if (strcmp(order, "space") == 0)
        return tell_space(sftp, word[1], e);
    fprintf(stderr, "client_libssh_sftp: no such order: %s\n", order);
    exit(2);
}

static bool obey_line(sftp_session sftp, char *line)
{
    static char none[] = "";
    char *word[3] = {none, none, none};
    event e;
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < 3 && line != NULL; i++)
        word[i] = strsep(&line, "\t");
    event_begin(&e, word[0]);
    event_text(&e, "path", word[1]);
    bool good = obey(sftp, word, &e);
    event_number(&e, "status", good ? 0 : sftp_get_error(sftp) == 0 ? -1 : sftp_get_error(sftp));
    event_end(&e);
    return good;
}

static int obey_all(sftp_session sftp)
{
    char *line = NULL;
    size_t room = 0;
    int status = 0;
    while (getline(&line, &room, stdin) > 0)
        if (!obey_line(sftp, line))
            status = 1;
    free(line);
    return status;
}

/* ---- the session ---- */

static int fail(ssh_session session)
{
    fprintf(stderr, "client_libssh_sftp: %s\n", ssh_get_error(session));
    return 255;
}

static bool log_in(ssh_session session, const client_options *o)
{
    int no = 0;
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_PORT, &o->port);
    ssh_options_set(session, SSH_OPTIONS_USER, o->user);
    ssh_options_set(session, SSH_OPTIONS_STRICTHOSTKEYCHECK, &no);
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    if (ssh_connect(session) != SSH_OK)
        return false;
    int result = ssh_userauth_none(session, NULL);
    if (result != SSH_AUTH_SUCCESS && o->password != NULL)
        result = ssh_userauth_password(session, NULL, o->password);
    return result == SSH_AUTH_SUCCESS;
}

int main(int argc, char **argv)
{
    static client_options o;
    client_parse(&o, argc, argv);
    ssh_session session = ssh_new();
    if (session == NULL)
        return 255;
    if (!log_in(session, &o))
        return fail(session);
    sftp_session sftp = sftp_new(session);
    if (sftp == NULL || sftp_init(sftp) != SSH_OK)
        return fail(session);
    int status = obey_all(sftp);
    sftp_free(sftp);
    ssh_disconnect(session);
    ssh_free(session);
    return status;
}
