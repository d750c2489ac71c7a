/* The POSIX file system: what its files share. Operations run on the thread pool (`run` in posix.c
 * sends them there), but for reading and writing, which posix_data.c explains, and for what need
 * not wait, which posix_now.c does. Each spd_px_ function below is one operation and answers its
 * request.
 *
 * Inner functions answer 0 or an errno. */
#ifndef SPD_POSIX_H
#define SPD_POSIX_H

#include "fs/fs.h"
#include "fs/posix_root.h"

#include <pthread.h>
#include <sys/stat.h>

/* What may a thread wait for that asks a file system for what the kernel has in its caches? */
typedef enum spd_px_speed {
    SPD_PX_SLOW = 0, /* anything: a machine, a program, a disk */
    SPD_PX_DISK,     /* nothing, when it only reads */
    SPD_PX_MEMORY,   /* nothing */
} spd_px_speed;

typedef struct spd_posix {
    spb_env env;
    spd_root root;
    char home[SPD_NAME_ROOM];
    bool old_calls; /* without renameat2, fchmodat2 and the like: for tests */
    bool confined;  /* the root is not "/" */
    bool read_only;
    bool set_umask;
    mode_t umask;
    bool no_symlinks;
    uint64_t quota;
    atomic_uint_fast64_t written;
    atomic_uint_fast64_t memory; /* devices that we have met last: one of SPD_PX_MEMORY, */
    atomic_uint_fast64_t disk;   /* and one of SPD_PX_DISK; 0: none yet */
} spd_posix;

/* What waits for a job on the thread pool, in order. */
typedef struct spd_px_list {
    sp_fs_request **items;
    size_t count;
    size_t capacity;
} spd_px_list;

/* An open file or directory. */
typedef struct spd_px_handle {
    spd_posix *fs;
    int fd;
    struct spd_px_listing *listing; /* directories: posix_dir.c */
    uint32_t flags;                 /* files: SP_FS_... */

    /* Files, posix_data.c. The loop's thread, but for `running` while `working`. */
    spd_px_speed speed;  /* of its file system */
    bool no_nowait;      /* the file system can't say what is in memory */
    bool working;        /* a job runs */
    spd_px_list waiting; /* for the next job */
    spd_px_list running; /* the job's */
    int *results;        /* the job's, an errno for each; of `running`'s capacity */
    size_t *done;        /* likewise, bytes read */
    size_t room;         /* of those two */
    uint64_t ahead;      /* the kernel was asked to read up to here */
} spd_px_handle;

static inline spd_posix *spd_px_of(const sp_fs_request *request)
{
    return request->fs_data;
}

/* Answers by an errno, with words where SFTP's status says only that it failed. 0: done. */
sp_answer spd_px_result(sp_fs_request *request, int error);
sp_answer spd_px_refuse(sp_fs_request *request, sp_fs_status status, const char *text);

/* A client's path, from the root. */
int spd_px_path(const sp_fs_request *request, const char *path, char out[SPD_NAME_ROOM]);
/* Opens what a client's path leads to, with O_PATH. */
int spd_px_open_path(const sp_fs_request *request, bool follow, int *fd);
/* May so many more bytes be written? They count from now on. ENOSPC: no. */
int spd_px_spend(spd_posix *fs, uint64_t bytes);
void spd_px_give_back(spd_posix *fs, uint64_t bytes);

/* ---- posix_attr.c ---- */
void spd_px_attr(sp_fs_attr *attr, const struct stat *status);
/* chmod of what an O_PATH descriptor stands for. */
int spd_px_chmod(const spd_posix *fs, int fd, mode_t mode);
sp_answer spd_px_stat(sp_fs_request *request);
sp_answer spd_px_setstat(sp_fs_request *request);
sp_answer spd_px_fstat(sp_fs_request *request);
sp_answer spd_px_show(sp_fs_request *request, const struct stat *status);
sp_answer spd_px_fsetstat(sp_fs_request *request);
sp_answer spd_px_statvfs(sp_fs_request *request);

/* ---- posix_file.c ---- */
sp_answer spd_px_open(sp_fs_request *request);
/* Answers with the handle, which takes the descriptor; or closes and frees both. */
sp_answer spd_px_opened(sp_fs_request *request, spd_px_handle *handle, int fd, spd_px_speed speed);
sp_answer spd_px_close(sp_fs_request *request);
sp_answer spd_px_fsync(sp_fs_request *request);
sp_answer spd_px_copy(sp_fs_request *request);
/* Gives back the mode's bits that the process's umask has taken from something new. */
void spd_px_widen(const spd_posix *fs, int fd, mode_t wanted);

/* ---- posix_data.c: handlers, on the loop's thread ---- */
sp_answer spd_px_read(sp_fs_request *request);
sp_answer spd_px_write(sp_fs_request *request);
void spd_px_free_lists(spd_px_handle *handle);

/* ---- posix_now.c ---- */
/* Thread: any. The device of a file's descriptor; it may wait. */
spd_px_speed spd_px_learn(spd_posix *fs, int fd, dev_t device);
/* On the loop's thread. False: it has to go to the thread pool. */
bool spd_px_now(sp_fs_request *request, sp_answer *answer);

/* ---- posix_dir.c ---- */
sp_answer spd_px_opendir(sp_fs_request *request);
sp_answer spd_px_readdir(sp_fs_request *request);
/* Closes its descriptor too. */
int spd_px_free_listing(const spd_posix *fs, struct spd_px_listing *listing);

/* ---- posix_names.c ---- */
sp_answer spd_px_realpath(sp_fs_request *request);
sp_answer spd_px_remove(sp_fs_request *request); /* RMDIR too */
sp_answer spd_px_mkdir(sp_fs_request *request);
sp_answer spd_px_rename(sp_fs_request *request);
sp_answer spd_px_readlink(sp_fs_request *request);
sp_answer spd_px_symlink(sp_fs_request *request);
sp_answer spd_px_link(sp_fs_request *request);

/* ---- posix_users.c ---- */
#define SPD_USER_NAME_MAX ((size_t)256)
/* The names of a user and a group. False: not known. */
bool spd_px_user_name(const spd_posix *fs, uint32_t uid, char out[SPD_USER_NAME_MAX]);
bool spd_px_group_name(const spd_posix *fs, uint32_t gid, char out[SPD_USER_NAME_MAX]);
/* The home of a user; NULL: the process's. */
int spd_px_home_of(const spb_env *env, const char *name, char out[SPD_NAME_ROOM]);
sp_answer spd_px_expand_path(sp_fs_request *request);
sp_answer spd_px_home_directory(sp_fs_request *request);
sp_answer spd_px_users_groups(sp_fs_request *request);

#endif
