/* The walk along a path, name by name, for kernels without openat2(2), and for the path that a
 * client is shown. Each name is opened with O_PATH | O_NOFOLLOW and looked at by its descriptor, so
 * nobody can swap it in between; links are read from that descriptor and resolved from the root.
 * ".." is never asked of the kernel, because a directory may have been moved: the walk knows the
 * names that it came by and goes them again. */
#include "fs/posix_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

typedef struct walk {
    const spd_root *root;
    int fd;                   /* the directory that was reached */
    char seen[SPD_NAME_ROOM]; /* its names, each with a slash before it; the root: empty */
    size_t seen_length;
    char rest[SPD_NAME_ROOM]; /* what is still to go; starts at `at` */
    size_t at;
    unsigned links, steps;
} walk;

static int step(walk *w, int dir, const char *name, int flags, int *fd)
{
    if (++w->steps > SPD_STEPS_MAX)
        return ENAMETOOLONG;
    *fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | flags);
    return *fd < 0 ? errno : 0;
}

static void move(walk *w, int fd)
{
    (void)close(w->fd);
    w->fd = fd;
}

static int to_root(walk *w)
{
    int fd;
    int result = step(w, w->root->fd, ".", O_DIRECTORY, &fd);
    if (result != 0)
        return result;
    move(w, fd);
    return 0;
}

/* Goes the way that has been seen, without its last name. */
static int up(walk *w)
{
    char name[NAME_MAX + 1];
    while (w->seen_length > 0 && w->seen[w->seen_length - 1] != '/')
        w->seen_length--;
    if (w->seen_length > 0)
        w->seen_length--;
    int result = to_root(w);
    for (size_t i = 0; i < w->seen_length && result == 0;) {
        size_t n = 0;
        for (i++; i < w->seen_length && w->seen[i] != '/'; i++)
            name[n++] = w->seen[i];
        name[n] = '\0';
        int fd;
        result = step(w, w->fd, name, O_DIRECTORY, &fd);
        if (result == 0)
            move(w, fd);
    }
    return result;
}

static int add_seen(walk *w, const char *name)
{
    size_t length = strlen(name);
    if (w->seen_length + 1 + length >= sizeof w->seen)
        return ENAMETOOLONG;
    w->seen[w->seen_length++] = '/';
    memcpy(w->seen + w->seen_length, name, length);
    w->seen_length += length;
    return 0;
}

/* Links of /proc that lead to objects and not by names: their text is an absolute path, or no path
 * ("pipe:[7]"). openat2 refuses to follow them, and so do we. */
static bool is_magic(int fd, const char *text)
{
    struct statfs fs;
    return fstatfs(fd, &fs) != 0 ||
           (fs.f_type == PROC_SUPER_MAGIC && (text[0] == '/' || strchr(text, ':') != NULL));
}

/* Puts the text of a link before what is still to go. */
static int expand(walk *w, int link)
{
    char text[SPD_NAME_ROOM];
    if (++w->links > SPD_LINKS_MAX)
        return ELOOP;
    ssize_t n = readlinkat(link, "", text, sizeof text);
    if (n < 0)
        return errno;
    if (n == 0)
        return ENOENT;
    size_t length = (size_t)n, rest = strlen(w->rest + w->at);
    if (length + 1 + rest >= sizeof w->rest)
        return ENAMETOOLONG;
    text[length] = '\0';
    if (is_magic(link, text))
        return ELOOP;
    memmove(w->rest + length, w->rest + w->at, rest + 1); /* begins with a slash, or is empty */
    memcpy(w->rest, text, length);
    w->at = 0;
    if (text[0] != '/')
        return 0;
    w->seen_length = 0;
    return to_root(w);
}

/* Takes the next name. `name` is empty at the end. `last`: nothing but slashes follows. */
static int next_name(walk *w, char name[NAME_MAX + 1], bool *last, bool *slash)
{
    while (w->rest[w->at] == '/')
        w->at++;
    size_t length = strcspn(w->rest + w->at, "/");
    if (length > NAME_MAX)
        return ENAMETOOLONG;
    memcpy(name, w->rest + w->at, length);
    name[length] = '\0';
    w->at += length;
    *slash = w->rest[w->at] == '/';
    *last = w->rest[w->at + strspn(w->rest + w->at, "/")] == '\0';
    return 0;
}

/* One name on the way. The last one, if it is no link or shall not be followed, sets *done. */
static int go(walk *w, const char *name, bool last, bool slash, bool follow, bool *done)
{
    struct stat status;
    int fd;
    if (last && !follow) {
        *done = true;
        return 0;
    }
    int result = step(w, w->fd, name, 0, &fd);
    if (result == ENOENT && last) {
        *done = true;
        return 0;
    }
    if (result != 0)
        return result;
    if (fstat(fd, &status) != 0)
        result = errno;
    else if (S_ISLNK(status.st_mode))
        result = expand(w, fd);
    else if ((slash || !last) && !S_ISDIR(status.st_mode))
        result = ENOTDIR;
    else if (last)
        *done = true;
    else if ((result = add_seen(w, name)) == 0) {
        move(w, fd);
        return 0;
    }
    (void)close(fd);
    return result;
}

static int walk_on(walk *w, bool follow, spd_place *place)
{
    bool slashed = false, done = false;
    while (!done) {
        bool last, slash;
        int result = next_name(w, place->name, &last, &slash);
        if (result != 0)
            return result;
        if (last)
            slashed = slashed || slash;
        if (place->name[0] == '\0' || strcmp(place->name, ".") == 0 ||
            strcmp(place->name, "..") == 0) {
            if (strcmp(place->name, "..") == 0)
                result = up(w);
            spd_place_itself(place);
            done = last;
        } else {
            result = go(w, place->name, last, slash, follow, &done);
        }
        if (result != 0)
            return result;
    }
    place->slash = slashed;
    return 0;
}

int spd_walk(const spd_root *root, const char *path, bool follow, spd_place *place,
             char seen[SPD_NAME_ROOM])
{
    walk w;
    size_t length = strlen(path);
    w.root = root;
    w.fd = -1;
    w.seen_length = w.at = 0;
    w.links = w.steps = 0;
    if (length >= sizeof w.rest)
        return ENAMETOOLONG;
    memcpy(w.rest, path, length + 1);
    int result = step(&w, root->fd, ".", O_DIRECTORY, &w.fd);
    if (result == 0)
        result = walk_on(&w, follow, place);
    if (result == 0 && seen != NULL) {
        if (strcmp(place->name, ".") != 0)
            result = add_seen(&w, place->name);
        else if (w.seen_length == 0)
            w.seen[w.seen_length++] = '/';
        memcpy(seen, w.seen, w.seen_length);
        seen[w.seen_length] = '\0';
    }
    if (result != 0) {
        if (w.fd >= 0)
            (void)close(w.fd);
        return result;
    }
    place->dir = w.fd;
    return 0;
}
