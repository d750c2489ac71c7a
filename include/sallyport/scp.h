/* sallyport/scp.h: the far end of "scp": the program that old clients, and new ones with "scp -O",
 * start on the server to copy files, over a file system of <sallyport/fs.h>.
 *
 *     static sp_answer exec_requested(sp_channel *channel, sp_request *request,
 *                                     const char *command)
 *     {
 *         return sp_scp_command(command) ? SP_ACCEPT : SP_REJECT;
 *     }
 *     static void session_started(sp_channel *channel)
 *     {
 *         if (sp_channel_serve_scp(channel, files, NULL) != 0)
 *             sp_channel_exit(channel, 1);
 *     }
 *
 * The protocol is that of BSD's rcp, as OpenSSH's scp speaks it; there is no standard. What the
 * user's shell would have done to the command is done here, and no more: words, quotes, backslash,
 * a "~" at the beginning of a path (expand_path), and in the paths of "-f" the patterns "*", "?"
 * and "[...]". A command with any other syntax of a shell is refused with a message.
 *
 * File names that the client sends have no "/" and no control characters and are not "." or "..";
 * one that does ends the session. A transfer that is cut short leaves what has arrived, as scp
 * does. */
#ifndef SALLYPORT_SCP_H
#define SALLYPORT_SCP_H

#include <sallyport/fs.h>
#include <sallyport/session.h>
#include <sallyport/sftp.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_scp_options {
    size_t size;
    bool read_only;         /* the client can't send ("-t") */
    bool write_only;        /* the client can't fetch ("-f") */
    unsigned max_depth;     /* directories within each other, up to 1000; 0: 64 */
    unsigned max_matches;   /* names that the patterns of a command stand for; 0: 10000 */
    uint64_t max_file_size; /* of a file that the client sends; 0: no limit */
    /* Each file that was open was closed. `by_client`: it was carried to its end, as announced; one
     * that is fetched, as the client has said (those on libssh2 say nothing). May be NULL. */
    void (*transferred)(sp_channel *channel, const sp_sftp_transfer *transfer, void *data);
    /* Once, last of all: as in sp_sftp_options. May be NULL. */
    void (*closed)(sp_channel *channel, uint32_t status, void *data);
    void *data;
    /* Each request to the file system, as in sp_sftp_options: those that the protocol makes, and
     * those that serve its own ends (is there a directory of that name?). May be NULL. */
    void (*performed)(sp_channel *channel, const sp_sftp_event *event, void *data);
} sp_scp_options;
#define SP_SCP_OPTIONS_INIT .size = sizeof(sp_scp_options)

/* Does a client's command start scp's far end: the word "scp", options, and among them -t or -f? It
 * may still have what sp_channel_serve_scp then refuses with a message. Thread: any. */
SP_API bool sp_scp_command(const char *command);

/* For session_started of a session that was begun by exec_requested with such a command. From
 * success on the channel's data_received, eof_received, pause_writing and resume_writing are not
 * called; its other handlers are. `options` may be NULL; they are copied. The file system is
 * referenced. The exit status is 0, or 1 when anything has failed.
 *
 * When the client leaves, or ends its input, what is under way is finished, every open file is
 * closed, then the session ends. The server is not closed before that, as with SFTP.
 *
 * Errors: SP_EINVAL (the options; no such command; a channel that is served already), SP_ECONN,
 * SP_ENOMEM; nothing has happened to the channel then. */
SP_API int sp_channel_serve_scp(sp_channel *channel, sp_fs *fs, const sp_scp_options *options);

#ifdef __cplusplus
}
#endif
#endif
