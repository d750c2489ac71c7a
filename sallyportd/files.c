/* files.c: reads a file after checking that nobody but its owner could have written it. The checks
 * are of the file that was opened, and of the directories on its resolved path. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool owned_and_closed(const struct stat *st, uid_t uid)
{
    return (st->st_uid == 0 || st->st_uid == uid) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Every directory above the file, up to the home directory when the file is inside it. */
static bool directories_ok(const char *path, const file_rules *rules, char *problem, size_t size)
{
    char real[PATH_MAX];
    char home[PATH_MAX];
    struct stat st;

    if (realpath(path, real) == NULL) {
        (void)snprintf(problem, size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (rules->home == NULL || realpath(rules->home, home) == NULL)
        home[0] = '\0';
    for (char *slash = strrchr(real, '/'); slash != NULL; slash = strrchr(real, '/')) {
        slash[slash == real ? 1 : 0] = '\0';
        if (stat(real, &st) != 0 || !owned_and_closed(&st, rules->uid)) {
            (void)snprintf(problem, size, "directory %s: bad owner or modes", real);
            return false;
        }
        if (slash == real || strcmp(real, home) == 0)
            break;
    }
    return true;
}

static bool file_ok(int fd, const char *path, const file_rules *rules, char *problem, size_t size)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        (void)snprintf(problem, size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_SIZE_MAX) {
        (void)snprintf(problem, size, "%s: not a plain file of up to %u bytes", path,
                       FILE_SIZE_MAX);
        return false;
    }
    if (rules->secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(problem, size, "%s: others can read or change it", path);
        return false;
    }
    if (rules->strict && !owned_and_closed(&st, rules->uid)) {
        (void)snprintf(problem, size, "file %s: bad owner or modes", path);
        return false;
    }
    return !rules->strict || directories_ok(path, rules, problem, size);
}

static char *read_all(int fd, size_t *length)
{
    char *text = NULL;
    size_t used = 0;
    size_t room = 0;
    ssize_t got = 1;

    while (got > 0 && used <= FILE_SIZE_MAX) {
        if (room - used < 2) {
            room = room == 0 ? 4096 : 2 * room;
            char *more = realloc(text, room);
            if (more == NULL) {
                got = -1;
                break;
            }
            text = more;
        }
        do
            got = read(fd, text + used, room - used - 1);
        while (got < 0 && errno == EINTR);
        used += got > 0 ? (size_t)got : 0;
    }
    if (got != 0) {
        free(text);
        return NULL;
    }
    text[used] = '\0';
    *length = used;
    return text;
}

char *file_read(const char *path, const file_rules *rules, size_t *length, bool *absent,
                char *problem, size_t problem_size)
{
    /* Not to hang on a FIFO that somebody put there. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char *text = NULL;

    *absent = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
    if (fd < 0) {
        (void)snprintf(problem, problem_size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (file_ok(fd, path, rules, problem, problem_size)) {
        text = read_all(fd, length);
        if (text == NULL)
            (void)snprintf(problem, problem_size, "%s: it can't be read", path);
    }
    close(fd);
    return text;
}

bool file_is_safe_program(const char *path, char *problem, size_t problem_size)
{
    const file_rules roots = {.strict = true, .uid = 0, .home = NULL};
    struct stat st;

    if (stat(path, &st) != 0) {
        (void)snprintf(problem, problem_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || !owned_and_closed(&st, 0)) {
        (void)snprintf(problem, problem_size, "%s: bad owner or modes", path);
        return false;
    }
    return directories_ok(path, &roots, problem, problem_size);
}

/* Looks at "/", "/a", "/a/b", ... of an absolute path, as sshd does: links are followed. */
static bool way_ok(const char *path, uid_t uid, char *problem, size_t size)
{
    char part[PATH_MAX];
    size_t length = strlen(path);

    for (size_t end = 1; length < sizeof part && end <= length; end++) {
        if (end > 1 && end < length && path[end] != '/')
            continue;
        struct stat st;
        memcpy(part, path, end);
        part[end] = '\0';
        if (stat(part, &st) != 0) {
            (void)snprintf(problem, size, "%s: %s", part, strerror(errno));
            return false;
        }
        bool sticky = end < length && (st.st_mode & S_ISVTX) != 0;
        bool ours = st.st_uid == 0 || st.st_uid == uid;
        bool closed = (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
        if (!S_ISDIR(st.st_mode) || !ours || !(closed || sticky)) {
            (void)snprintf(problem, size, "%s: %s", part,
                           S_ISDIR(st.st_mode) ? "bad owner or modes" : strerror(ENOTDIR));
            return false;
        }
        if (end == length)
            return true;
    }
    (void)snprintf(problem, size, "%s: %s", path, strerror(ENAMETOOLONG));
    return false;
}

char *directory_resolve_safe(const char *path, uid_t uid, char *problem, size_t problem_size)
{
    char *real = *path == '/' ? realpath(path, NULL) : NULL;

    if (*path != '/')
        (void)snprintf(problem, problem_size, "%s: not an absolute path", path);
    else if (real == NULL)
        (void)snprintf(problem, problem_size, "%s: %s", path, strerror(errno));
    else if (way_ok(path, uid, problem, problem_size) && way_ok(real, uid, problem, problem_size))
        return real;
    free(real);
    return NULL;
}
