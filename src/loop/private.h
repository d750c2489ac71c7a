/* Directories that only this process's user can enter, and what stands in them: a UNIX socket, a
 * small file. Their names cannot be guessed, so nobody can be there first. */
#ifndef SPL_PRIVATE_H
#define SPL_PRIVATE_H

#include "loop/loop.h"

/* A new directory `parent`/sallyport-<hexadecimal digits of `unique`>, mode 0700; `*path` is the
 * caller's to free. SP_EINVAL: the path would be too long for a socket in it. */
int spl_private_dir(const spb_env *env, const char *parent, const uint8_t unique[16], char **path);
/* Removes the directory if it is empty. */
void spl_private_dir_remove(const char *path);

/* A new file, mode 0600. */
int spl_private_file(const char *path, const void *bytes, size_t length);
/* Removes a file. */
void spl_private_remove(const char *path);

/* Is the other end of this UNIX socket a process of our own user, or of root? */
bool spl_peer_is_own(int fd);

#endif
