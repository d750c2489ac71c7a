/* sallyport/fs.h: file systems for file transfer: a table of operations over paths and open files.
 *
 * <sallyport/sftp.h> serves such a table to clients. An application writes its own (a database, an
 * object store), or takes one of the library's: sp_fs_memory_new below, the POSIX one.
 *
 * Each operation gets an `sp_fs_request *`, which has all its arguments, and answers by the rules
 * of <sallyport/auth.h>:
 * - it returns SP_ACCEPT: done, where the operation has no result; SP_REJECT: SP_FS_FAILURE;
 * - or it answers by one of the calls below and returns SP_ANSWERED (see sp_answered);
 * - or it returns SP_LATER and keeps the request, to answer it from any thread, whenever it likes,
 *   and then to release it. Exactly one release for each SP_LATER; released unanswered has failed;
 * - or it lets the thread pool do it: `return sp_fs_work(request, function, data);`.
 * An operation that is absent is answered with SP_FS_OP_UNSUPPORTED, and extensions that need it
 * are not announced.
 *
 * Results of the answering calls: 0; SP_EALREADY (answered before, nothing changes); SP_EINVAL (not
 * a form of this operation's answer, or one that breaks its bounds: the request stays open);
 * SP_ENOMEM (it stays open). There is no SP_ECONN: when the client is gone, requests are answered
 * all the same, and what is open is closed then.
 *
 * The library sees to the order: of two requests of one session that could disturb each other (a
 * write and a read of the same bytes of an open file; anything and the close of that file; a change
 * of a path and anything) the second begins when the first was answered. Others may run at the same
 * time. `close` comes exactly once for each file that was opened, when no other request for it is
 * open.
 *
 * Paths are bytes without NUL, as the client wrote them: not resolved, not checked, perhaps
 * relative, perhaps empty. What they may reach is for the operations to decide. */
#ifndef SALLYPORT_FS_H
#define SALLYPORT_FS_H

#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_conn;
typedef struct sp_fs sp_fs;                 /* a table with its data; counted */
typedef struct sp_fs_session sp_fs_session; /* one client's use of it, one channel */

/* ---- values: those of SFTP version 3 (draft-ietf-secsh-filexfer-02) ---- */

/* Section 7. */
typedef enum sp_fs_status {
    SP_FS_OK = 0,
    SP_FS_EOF = 1,
    SP_FS_NO_SUCH_FILE = 2,
    SP_FS_PERMISSION_DENIED = 3,
    SP_FS_FAILURE = 4,
    SP_FS_BAD_MESSAGE = 5,
    SP_FS_NO_CONNECTION = 6,
    SP_FS_CONNECTION_LOST = 7,
    SP_FS_OP_UNSUPPORTED = 8,
} sp_fs_status;

/* `flags` of SP_FS_OP_OPEN: section 6.3. */
#define SP_FS_READ 0x01u
#define SP_FS_WRITE 0x02u
#define SP_FS_APPEND 0x04u /* every write goes to the end, whatever its offset */
#define SP_FS_CREATE 0x08u
#define SP_FS_TRUNCATE 0x10u
#define SP_FS_EXCLUSIVE 0x20u /* with CREATE: fails if the name exists */
/* `flags` of SP_FS_OP_RENAME: what is at the new name is replaced ("posix-rename@openssh.com").
 * Without it an existing new name is a failure. */
#define SP_FS_REPLACE 0x01u

/* Which members of sp_fs_attr mean something: section 5. */
#define SP_FS_ATTR_SIZE 0x01u
#define SP_FS_ATTR_OWNER 0x02u       /* uid and gid */
#define SP_FS_ATTR_PERMISSIONS 0x04u /* also the file's type */
#define SP_FS_ATTR_TIMES 0x08u       /* atime and mtime */

typedef struct sp_fs_attr {
    uint32_t valid; /* SP_FS_ATTR_... */
    uint32_t uid;
    uint32_t gid;
    uint32_t permissions; /* st_mode: type and permission bits, in POSIX's usual octal values */
    uint64_t size;        /* bytes */
    int64_t atime;        /* seconds since 1970; sent within 0 and 2^32 - 1 */
    int64_t mtime;
    uint64_t links; /* shown in directory listings only; 0: 1 */
} sp_fs_attr;

/* One name of a directory. */
typedef struct sp_fs_entry {
    const char *name; /* without the directory; 1 to SP_FS_NAME_MAX bytes */
    /* Of the name itself: a symbolic link is not followed. */
    sp_fs_attr attr;
    const char *user; /* the owner's name for the listing; NULL: the number */
    const char *group;
} sp_fs_entry;
#define SP_FS_NAME_MAX 1024u

/* "statvfs@openssh.com" (OpenSSH PROTOCOL 4.4): struct statvfs. */
typedef struct sp_fs_volume {
    uint64_t block_size;    /* f_bsize */
    uint64_t fragment_size; /* f_frsize; the unit of the next three */
    uint64_t blocks;
    uint64_t blocks_free;
    uint64_t blocks_available; /* to the user */
    uint64_t files;
    uint64_t files_free;
    uint64_t files_available;
    uint64_t id;
    bool read_only;
    bool no_setuid;
    uint64_t name_max;
} sp_fs_volume;

/* ---- requests ---- */
typedef enum sp_fs_op {
    SP_FS_OP_BEGIN = 1,
    SP_FS_OP_REALPATH,
    SP_FS_OP_EXPAND_PATH,
    SP_FS_OP_STAT,
    SP_FS_OP_LSTAT,
    SP_FS_OP_SETSTAT,
    SP_FS_OP_LSETSTAT,
    SP_FS_OP_OPEN,
    SP_FS_OP_CLOSE,
    SP_FS_OP_READ,
    SP_FS_OP_WRITE,
    SP_FS_OP_FSTAT,
    SP_FS_OP_FSETSTAT,
    SP_FS_OP_FSYNC,
    SP_FS_OP_OPENDIR,
    SP_FS_OP_READDIR,
    SP_FS_OP_CLOSEDIR,
    SP_FS_OP_REMOVE,
    SP_FS_OP_MKDIR,
    SP_FS_OP_RMDIR,
    SP_FS_OP_RENAME,
    SP_FS_OP_READLINK,
    SP_FS_OP_SYMLINK,
    SP_FS_OP_LINK,
    SP_FS_OP_STATVFS,
    SP_FS_OP_FSTATVFS,
    SP_FS_OP_COPY_DATA,
    SP_FS_OP_HOME_DIRECTORY,
    SP_FS_OP_USERS_GROUPS,
} sp_fs_op;

/* What is asked. The library makes it; read only, and valid until the release. Members that the
 * operation does not name are zero. Thread: any. */
typedef struct sp_fs_request {
    sp_fs_op op;
    sp_fs_session *session;
    void *fs_data;    /* the `data` of sp_fs_new */
    const char *path; /* HOME_DIRECTORY: a user's name, "" for one's own */
    const char *to;   /* the second path of RENAME, SYMLINK, LINK */
    void *handle;     /* as given to sp_fs_opened */
    void *to_handle;  /* COPY_DATA: where to; may be the same file */
    uint64_t offset;
    uint64_t to_offset;
    /* READ: bytes asked for, 1 at least; WRITE: bytes in `bytes`; READDIR: entries that the answer
     * may have; COPY_DATA: bytes, 0: up to the end. */
    uint64_t length;
    void *buffer;         /* READ: `length` bytes, to be filled before the answer */
    const void *bytes;    /* WRITE: valid until the answer */
    uint32_t flags;       /* OPEN, RENAME: SP_FS_... */
    sp_fs_attr attr;      /* OPEN, MKDIR: for what is made; SETSTAT, LSETSTAT, FSETSTAT: to set */
    const uint32_t *uids; /* USERS_GROUPS */
    size_t uid_count;
    const uint32_t *gids;
    size_t gid_count;
} sp_fs_request;

typedef sp_answer (*sp_fs_handler)(sp_fs_request *request);

/* Behind each: its arguments in the request → its answer, other than a failure. "done" is
 * sp_fs_done or SP_ACCEPT. Sections are those of draft-ietf-secsh-filexfer-02; the rest are
 * extensions, described in OpenSSH's PROTOCOL, section 4. Thread: the connection's; or the thread
 * pool's, for all but `end`, with `blocking` in the options. */
typedef struct sp_fs_handlers {
    size_t size;
    /* The session begins, first of all, → done: sp_fs_session_set_data, say. A failure ends the
     * session with exit status 1. Absent: done. */
    sp_fs_handler begin;
    /* It has ended, last of all, after every close; also after a `begin` that failed. */
    void (*end)(sp_fs_session *session);

    sp_fs_handler realpath;    /* path → sp_fs_name: absolute (6.11) */
    sp_fs_handler expand_path; /* path with "~" or "~user" → sp_fs_name (expand-path) */
    sp_fs_handler stat;        /* path → sp_fs_attributes; follows links (6.8) */
    sp_fs_handler lstat;       /* the same, but does not follow a link at its end */
    sp_fs_handler setstat;     /* path, attr → done (6.9) */
    sp_fs_handler lsetstat;    /* path, attr → done; a link at its end itself (lsetstat) */

    sp_fs_handler open;     /* path, flags, attr → sp_fs_opened (6.3) */
    sp_fs_handler close;    /* handle → done; the handle is gone, also after a failure */
    sp_fs_handler read;     /* handle, offset, length, buffer → sp_fs_data (6.4) */
    sp_fs_handler write;    /* handle, offset, length, bytes → done: all are written (6.4) */
    sp_fs_handler fstat;    /* handle → sp_fs_attributes */
    sp_fs_handler fsetstat; /* handle, attr → done */
    sp_fs_handler fsync;    /* handle → done (fsync) */

    sp_fs_handler opendir;  /* path → sp_fs_opened (6.7) */
    sp_fs_handler readdir;  /* handle, length → sp_fs_names: the next ones; sp_fs_eof */
    sp_fs_handler closedir; /* handle → done. Absent: close */

    sp_fs_handler remove;   /* path → done; not a directory (6.5) */
    sp_fs_handler mkdir;    /* path, attr → done (6.6) */
    sp_fs_handler rmdir;    /* path → done; an empty directory */
    sp_fs_handler rename;   /* path, to, flags → done (6.5; posix-rename) */
    sp_fs_handler readlink; /* path → sp_fs_name (6.10) */
    sp_fs_handler symlink;  /* a link is made at `path`, whose text is `to` → done (6.10) */
    sp_fs_handler link;     /* `path` gets a second name, `to` → done (hardlink) */

    sp_fs_handler statvfs;   /* path → sp_fs_space (statvfs) */
    sp_fs_handler fstatvfs;  /* handle → sp_fs_space (fstatvfs) */
    sp_fs_handler copy_data; /* handle, offset, length, to_handle, to_offset → done (copy-data) */
    sp_fs_handler home_directory;     /* path: a user → sp_fs_name: absolute (home-directory) */
    sp_fs_handler users_groups_by_id; /* uids, gids → sp_fs_owners (users-groups-by-id) */
} sp_fs_handlers;
#define SP_FS_HANDLERS_INIT .size = sizeof(sp_fs_handlers)

typedef struct sp_fs_options {
    size_t size;
    /* Operations block: each is called on the thread pool, and several at the same time. Only when
     * memory is out `close` and `closedir` are called on the connection's thread. */
    bool blocking;
    /* What would change anything is answered with SP_FS_PERMISSION_DENIED, unasked. */
    bool read_only;
    /* Once, when the last reference is gone: the place to free `data`. Thread: the one that dropped
     * it. May be NULL. */
    void (*released)(void *data);
} sp_fs_options;
#define SP_FS_OPTIONS_INIT .size = sizeof(sp_fs_options)

/* `handlers` is copied; `options` may be NULL. NULL: out of memory, or a table without a size.
 * Thread: any, as for the next two. */
SP_API sp_fs *sp_fs_new(const sp_fs_handlers *handlers, void *data, const sp_fs_options *options);
SP_API sp_fs *sp_fs_ref(sp_fs *fs);
SP_API void sp_fs_unref(sp_fs *fs); /* NULL is fine. Sessions hold a reference of their own */
SP_API void *sp_fs_data_of(const sp_fs *fs);

/* ---- answers (Thread: any) ---- */
SP_API int sp_fs_done(sp_fs_request *request);
/* `status` not SP_FS_OK; `text` NULL: OpenSSH's words for it. Copied. */
SP_API int sp_fs_failed(sp_fs_request *request, sp_fs_status status, const char *text);
/* A failure by its errno, as OpenSSH puts them: ENOENT, ENOTDIR, EBADF, ELOOP: NO_SUCH_FILE; EPERM,
 * EACCES, EFAULT: PERMISSION_DENIED; ENAMETOOLONG, EINVAL: BAD_MESSAGE; ENOSYS, EOPNOTSUPP:
 * OP_UNSUPPORTED; any other: FAILURE. */
SP_API int sp_fs_errno(sp_fs_request *request, int number);
SP_API int sp_fs_eof(sp_fs_request *request); /* READ, READDIR: there is no more */
/* OPEN, OPENDIR. The handle, not NULL, is the library's until it asks to close it. */
SP_API int sp_fs_opened(sp_fs_request *request, void *handle);
/* READ: so many bytes of `buffer` were filled, `length` at most. 0: the end of the file. Fewer than
 * asked for are fine, but some clients then believe that the file ends there. */
SP_API int sp_fs_data(sp_fs_request *request, size_t length);
SP_API int sp_fs_attributes(sp_fs_request *request, const sp_fs_attr *attr);
/* READDIR: 1 to `length` entries, in any order, "." and ".." as you like. Copied. */
SP_API int sp_fs_names(sp_fs_request *request, const sp_fs_entry *entries, size_t count);
/* A path. Copied. */
SP_API int sp_fs_name(sp_fs_request *request, const char *path);
SP_API int sp_fs_space(sp_fs_request *request, const sp_fs_volume *volume);
/* USERS_GROUPS: `uid_count` and `gid_count` names; NULL among them: not known. Copied. */
SP_API int sp_fs_owners(sp_fs_request *request, const char *const *users,
                        const char *const *groups);
/* Ends the hold on a request that was kept with SP_LATER. */
SP_API void sp_fs_release(sp_fs_request *request);

/* Runs `work` on the thread pool and answers with what it returns, by the same rules; SP_LATER too.
 * For handlers: `return sp_fs_work(request, function, data);`. Out of memory, the request fails
 * without it; but within a `close` or `closedir` it is called at once, so that what is open is
 * closed. Thread: the connection's. */
SP_API sp_answer sp_fs_work(sp_fs_request *request,
                            sp_answer (*work)(sp_fs_request *request, void *data), void *data);

/* ---- sessions: valid from `begin` until `end` has returned ---- */
SP_API sp_fs *sp_fs_session_fs(const sp_fs_session *session);
/* The application's own; NULL at first. Set it in `begin`. Thread: any. */
SP_API void *sp_fs_session_data(const sp_fs_session *session);
SP_API void sp_fs_session_set_data(sp_fs_session *session, void *data);
/* Who is logged in. Thread: any. */
SP_API const char *sp_fs_session_username(const sp_fs_session *session);
/* The client has left: nobody waits for the answers. Thread: any. */
SP_API bool sp_fs_session_gone(const sp_fs_session *session);
/* NULL when gone. Thread: the connection's. */
SP_API struct sp_conn *sp_fs_session_conn(const sp_fs_session *session);

/* ---- a file system in memory ----
 * Every session sees the same files, and begins in "/". Owners and permissions are kept and shown,
 * not enforced. For tests, examples and small drop boxes. */
typedef struct sp_fs_memory_options {
    size_t size;
    uint64_t max_bytes; /* of contents and names; 0: 64 MiB. Beyond: "No space left on device" */
    uint32_t max_nodes; /* files, directories and links; 0: 10000 */
    bool read_only;     /* as in sp_fs_options */
} sp_fs_memory_options;
#define SP_FS_MEMORY_OPTIONS_INIT .size = sizeof(sp_fs_memory_options)
/* `options` may be NULL. NULL: out of memory. It may be served by several servers on several loops.
 * Thread: any. */
SP_API sp_fs *sp_fs_memory_new(const sp_fs_memory_options *options);

#ifdef __cplusplus
}
#endif
#endif
