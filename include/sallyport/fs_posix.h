/* sallyport/fs_posix.h: a directory of this machine as a file system for file transfer.
 *
 * What a client names stays inside `root`: "..", symbolic links and absolute paths lead to
 * something inside, or nowhere, also while somebody moves and swaps what is there. Resolving is the
 * kernel's (openat2(2), RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS) or, where that is missing, that
 * of a walk along descriptors. Links of /proc that are no real paths are never followed.
 *
 * Not kept out: hard links and mounts that somebody has put into the root, and a directory that
 * somebody moves out of it while a client has it open.
 *
 * Everything is done with the rights of the process. Only regular files are opened for their
 * contents; never a device, a FIFO or a socket. */
#ifndef SALLYPORT_FS_POSIX_H
#define SALLYPORT_FS_POSIX_H

#include <sallyport/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_fs_posix_options {
    size_t size;
    /* The directory that clients see as "/". NULL: "/" itself, all that the process may reach. */
    const char *root;
    /* Where relative paths begin, as clients see it: an absolute path inside the root. It need not
     * exist. NULL: with a root "/"; without one the home directory of the process's user. */
    const char *home;
    /* Changes are answered with SP_FS_PERMISSION_DENIED. */
    bool read_only;
    /* The umask of what is made, as sshd's "sftp-server -u", in place of the process's.
     * Directories' default ACLs win, as always. */
    bool set_umask;
    uint32_t umask;
    /* Symbolic links can't be made: SP_FS_PERMISSION_DENIED. Those that are there are followed. */
    bool no_symlinks;
    /* So many bytes may be written altogether, by all sessions and in the object's life: contents
     * written and copied, and what setting a larger size adds. Removing gives nothing back.
     * Beyond: "No space left on device". 0: no limit. */
    uint64_t quota;
} sp_fs_posix_options;
#define SP_FS_POSIX_OPTIONS_INIT .size = sizeof(sp_fs_posix_options)

/* Makes one; it is the caller's (sp_fs_unref). `options` may be NULL; they are copied. The root is
 * opened here and stays the same directory, also when it is renamed. It may be served by several
 * servers on several loops. SP_EINVAL: a `home` that is not absolute, or too long; SP_ENOENT,
 * SP_EACCES, SP_EIO: the root; SP_ENOMEM. Thread: any; it reads the disk and asks for the user's
 * home. */
SP_API int sp_fs_posix_new(sp_fs **fs, const sp_fs_posix_options *options);

#ifdef __cplusplus
}
#endif
#endif
