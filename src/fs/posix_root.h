/* A root directory and the names inside it. Whatever a client's path says ("..", absolute and
 * relative symbolic links, links of /proc) leads to something inside the root or to an error, also
 * while others move and swap what is there. The kernel does it where it can (openat2(2),
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), else a walk of our own along O_PATH descriptors.
 *
 * After a name is resolved only descriptors are used, and single names in a directory that is held
 * open, never followed.
 *
 * Every function answers 0 or an errno. They block, but for spd_open_cached: thread pool only.
 * Thread: any. */
#ifndef SPD_POSIX_ROOT_H
#define SPD_POSIX_ROOT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPD_NAME_ROOM ((size_t)4096) /* with the NUL; symbolic links included */
#define SPD_LINKS_MAX 40u            /* as the kernel's */
#define SPD_STEPS_MAX 16384u         /* directories opened for one name */

typedef struct spd_root {
    int fd;       /* O_PATH of the directory */
    bool openat2; /* the kernel has it; false forces the walk */
} spd_root;

/* A name in a directory. `name` is never empty, "..", or with a slash; "." is the directory itself
 * (the path ended with "." or "..", or was the root). */
typedef struct spd_place {
    int dir; /* O_PATH; closed by spd_place_close */
    char name[NAME_MAX + 1];
    bool slash; /* the path ended with a slash: only a directory may have this name */
} spd_place;

/* `path`: on this machine, followed as usual. */
int spd_root_open(spd_root *root, const char *path);
void spd_root_close(spd_root *root);

/* Puts `path` behind `base` unless it is absolute; the result is absolute. */
int spd_join(char out[SPD_NAME_ROOM], const char *base, const char *path);

/* From here on `path` is absolute: from the root. */

/* Opens what the path leads to. `flags` as for open(2); O_CLOEXEC is added. The last name is
 * followed unless O_NOFOLLOW is there. */
int spd_open(const spd_root *root, const char *path, int flags, mode_t mode, int *fd);
/* Likewise, of what the kernel has in its cache of names; it neither waits nor makes anything. An
 * error says nothing about the file. */
int spd_open_cached(const spd_root *root, const char *path, int flags, int *fd);
/* Where the last name is, itself not looked at. */
int spd_find(const spd_root *root, const char *path, spd_place *place);
void spd_place_close(spd_place *place);
/* The place's name becomes ".". */
void spd_place_itself(spd_place *place);
/* The path without symbolic links, "." and "..". The last name may be missing. Never more than the
 * root shows. */
int spd_real(const spd_root *root, const char *path, char out[SPD_NAME_ROOM]);

/* ---- the walk (posix_walk.c) ---- */
/* Where the path leads: the place's name is no symbolic link (a moment ago), or missing. With
 * `follow` false the last name is not looked at. `seen`: NULL, or for the path of that place. */
int spd_walk(const spd_root *root, const char *path, bool follow, spd_place *place,
             char seen[SPD_NAME_ROOM]);

#endif
