/* sallyport/sftp.h: an SFTP server, version 3 (draft-ietf-secsh-filexfer-02 and OpenSSH's
 * extensions), on a session's channel, over a file system of <sallyport/fs.h>.
 *
 *     static sp_answer subsystem_requested(sp_channel *channel, sp_request *request,
 *                                          const char *name)
 *     {
 *         return strcmp(name, "sftp") == 0 ? SP_ACCEPT : SP_REJECT;
 *     }
 *     static void session_started(sp_channel *channel)
 *     {
 *         if (sp_channel_serve_sftp(channel, files, NULL) != 0)
 *             sp_channel_exit(channel, 1);
 *     }
 *
 * Extensions, announced where the file system has what they need: posix-rename@openssh.com,
 * statvfs@openssh.com, fstatvfs@openssh.com, hardlink@openssh.com, fsync@openssh.com,
 * lsetstat@openssh.com, limits@openssh.com, expand-path@openssh.com, copy-data, home-directory,
 * users-groups-by-id@openssh.com.
 *
 * Requests run at the same time as far as their order permits (<sallyport/fs.h>), and are answered
 * as they end. While more are open than the limits below allow, the channel's window holds the
 * client. A client that breaks the protocol gets no answer; the session ends with status 255. */
#ifndef SALLYPORT_SFTP_H
#define SALLYPORT_SFTP_H

#include <sallyport/fs.h>
#include <sallyport/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A file that was open, at its close. Lent to the callback. What was written in part can't be told
 * from a whole with SFTP, where a client never says how long a file will be: it closes it both
 * times. SCP announces it. */
typedef struct sp_sftp_transfer {
    const char *username;
    const char *path; /* as the client named it */
    uint32_t flags;   /* SP_FS_... that it was opened with */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t milliseconds; /* open */
    sp_fs_status status;   /* of the close */
    bool by_client;        /* the client closed it; false: it was left open */
    /* All of it was carried. SFTP: it was read to its end, and so many bytes as it has; never after
     * writing. SCP: all that was announced. */
    bool whole;
    sp_fs_status data_status; /* of the first read or write that failed; SP_FS_OK: none did */
    const char *reason;       /* its words; NULL: none, or those of the status */
    bool lost;                /* the channel is gone, or its connection */
} sp_sftp_transfer;

/* A request that was answered, or refused before the file system was asked. Lent to the callback.
 */
typedef struct sp_sftp_event {
    const char *username;
    sp_fs_op op;
    /* As the client named it; for an open file, what it was opened by. NULL: the operation has
     * none, or memory is out. */
    const char *path;
    const char *to;  /* the second path, or the file that is copied into */
    uint32_t flags;  /* OPEN, RENAME: SP_FS_... */
    sp_fs_attr attr; /* OPEN, MKDIR, SETSTAT, LSETSTAT, FSETSTAT */
    uint64_t length; /* READ, WRITE, COPY_DATA */
    sp_fs_status status;
    const char *text; /* of a failure; NULL: the words of the status */
    bool refused; /* it was not asked: read_only, `refused`, limits, no such handle or operation */
} sp_sftp_event;

/* Bits of `refused` below. An operation stands for all requests that lead to it, but the plain
 * rename and OpenSSH's have each their own. CLOSE is for directories, too. */
#define SP_SFTP_OP(op) (UINT64_C(1) << (op))
#define SP_SFTP_OP_POSIX_RENAME (UINT64_C(1) << 62) /* "posix-rename@openssh.com" */
#define SP_SFTP_OP_LIMITS (UINT64_C(1) << 63)       /* "limits@openssh.com" */

typedef struct sp_sftp_options {
    size_t size;
    unsigned max_handles;  /* open files and directories; 0: 1024; 16384 at most */
    unsigned max_requests; /* taken, and not answered to the end; 0: 128; 4096 at most */
    size_t max_bytes;      /* of these requests and their answers; 0: 4 MiB */
    size_t max_packet;     /* 34000 (section 3) to 512 KiB; 0: 256 KiB + 1 KiB */
    bool read_only;        /* what would change anything is SP_FS_PERMISSION_DENIED, unasked */
    /* Each file (not each directory) that was open was closed. May be NULL. */
    void (*transferred)(sp_channel *channel, const sp_sftp_transfer *transfer, void *data);
    /* Once, last of all: everything is closed, the file system's session has ended. `status`: the
     * exit status that the client got, or would have got. The channel may be gone; it is valid
     * until this returns. May be NULL. */
    void (*closed)(sp_channel *channel, uint32_t status, void *data);
    void *data;
    /* SP_SFTP_OP...: these are SP_FS_PERMISSION_DENIED, unasked, and extensions that need them are
     * not announced. */
    uint64_t refused;
    /* Each request of the client's that the file system is, or would have been, asked: when its
     * answer is there. Not for READ, WRITE and READDIR that succeed or find the end, and not for
     * the CLOSE of a file, which `transferred` tells. May be NULL. */
    void (*performed)(sp_channel *channel, const sp_sftp_event *event, void *data);
} sp_sftp_options;
#define SP_SFTP_OPTIONS_INIT .size = sizeof(sp_sftp_options)

/* For session_started: serves the file system to the client. From success on the channel's
 * data_received, eof_received, pause_writing and resume_writing are not called; its other handlers
 * are. `options` may be NULL; they are copied. The file system is referenced.
 *
 * When the client ends its input, or leaves, what it has asked for is still done, then every open
 * file is closed, then the session ends, with exit status 0. The server is not closed before that:
 * sp_server_free waits for it, so requests must be answered even then.
 *
 * Errors: SP_EINVAL (the options; a channel that is served already), SP_ECONN, SP_ENOMEM; nothing
 * has happened to the channel then. */
SP_API int sp_channel_serve_sftp(sp_channel *channel, sp_fs *fs, const sp_sftp_options *options);

#ifdef __cplusplus
}
#endif
#endif
