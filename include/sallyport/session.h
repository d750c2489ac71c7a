/* sallyport/session.h: session channels: shells, commands and subsystems (RFC 4254 6).
 *
 * session_requested hands out a table of handlers for one session. Each request of the client is a
 * question (`sp_request *`) with the same rules as in <sallyport/auth.h>: answered at once or
 * later, from any thread. Replies keep the order of the requests; data waits until a request that
 * starts the session was accepted.
 *
 * Thread: the connection's, for everything that does not say "Thread: any". A channel stays valid
 * until its connection_lost handler has returned; sp_channel_ref keeps it longer, and then every
 * call on it returns SP_ECONN. */
#ifndef SALLYPORT_SESSION_H
#define SALLYPORT_SESSION_H

#include <sallyport/engine.h>
#include <sallyport/protocol.h>
#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sp_conn;
typedef struct sp_channel sp_channel;
typedef struct sp_request sp_request;
typedef struct sp_open sp_open;
typedef struct sp_listen sp_listen; /* all of it but sp_listen_work: <sallyport/listen.h> */

/* Every member may be absent (NULL). Defaults: requests that start something are refused; the
 * terminal and environment are recorded, for the getters below. */
typedef struct sp_session_handlers {
    size_t size;
    /* First and last. `error` is NULL after a clean close. */
    void (*connection_made)(sp_channel *channel);
    void (*connection_lost)(sp_channel *channel, const sp_conn_error *error);

    /* Absent: accepted. Accepted ones can be read with sp_channel_get_terminal_... */
    sp_answer (*pty_requested)(sp_channel *channel, sp_request *request, const char *term,
                               const sp_term_size *size, const sp_term_modes *modes);
    /* Absent: accepted. Accepted ones can be read with sp_channel_get_environment. */
    sp_answer (*env_requested)(sp_channel *channel, sp_request *request, const char *name,
                               const char *value);
    /* Absent: refused. */
    sp_answer (*shell_requested)(sp_channel *channel, sp_request *request);
    sp_answer (*exec_requested)(sp_channel *channel, sp_request *request, const char *command);
    sp_answer (*subsystem_requested)(sp_channel *channel, sp_request *request, const char *name);
    /* Once, behind the reply that accepted one of these three. */
    void (*session_started)(sp_channel *channel);

    void (*terminal_size_changed)(sp_channel *channel, const sp_term_size *size);
    void (*signal_received)(sp_channel *channel, const char *name); /* "INT", without "SIG" */
    sp_answer (*break_received)(sp_channel *channel, sp_request *request, uint32_t milliseconds);

    /* `type`: SP_DATA_NORMAL, or another type that the client used. The bytes are lent. */
    void (*data_received)(sp_channel *channel, const void *bytes, size_t length, uint32_t type);
    /* True: stay half open, writing goes on. False, or absent: the channel closes. */
    bool (*eof_received)(sp_channel *channel);
    /* Back-pressure: the write buffer went over its high mark; it is below its low mark again. */
    void (*pause_writing)(sp_channel *channel);
    void (*resume_writing)(sp_channel *channel);

    /* "auth-agent-req@openssh.com": the client offers its authentication agent to the session.
     * Accepted: the library makes a UNIX socket for the session's programs, whose connections lead
     * to the agent; see <sallyport/agent.h>. Absent: refused. */
    sp_answer (*agent_requested)(sp_channel *channel, sp_request *request);
    /* "x11-req" (RFC 4254 6.3.1): the client offers its X server; sp_request_x11 tells more.
     * Accepted: the library makes a proxy display; see <sallyport/agent.h>. Absent: refused. */
    sp_answer (*x11_requested)(sp_channel *channel, sp_request *request);
} sp_session_handlers;
#define SP_SESSION_HANDLERS_INIT .size = sizeof(sp_session_handlers)

/* ---- answering session_requested (results as in <sallyport/auth.h>; Thread: any) ---- */
/* The client gets a session served by `handlers` (copied); `data` is the channel's application
 * data; `options` may be NULL. After success connection_lost is called once, in every case: if the
 * client leaves before its session began, it alone is called, with SP_ECONN and no connection. */
SP_API int sp_open_session(sp_open *open, const sp_session_handlers *handlers, void *data,
                           const sp_channel_options *options);
/* `code` 0: CONNECT_FAILED; `text` NULL: "Session refused". */
SP_API int sp_open_refuse(sp_open *open, uint32_t code, const char *text);
SP_API void sp_open_release(sp_open *open);
SP_API sp_answer sp_open_work(sp_open *open, sp_answer (*work)(sp_open *open, void *data),
                              void *data);
SP_API struct sp_conn *sp_open_conn(const sp_open *open); /* Thread: the connection's */

/* ---- answering a channel request ---- */
SP_API int sp_request_answer(sp_request *request, bool accepted);
SP_API void sp_request_release(sp_request *request);
SP_API sp_answer sp_request_work(sp_request *request,
                                 sp_answer (*work)(sp_request *request, void *data), void *data);
/* PTY: TERM; ENV: name; EXEC: command; SUBSYSTEM: name; X11: authentication protocol. Valid until
 * the release. Thread: any. */
SP_API const char *sp_request_text(const sp_request *request);
SP_API const char *sp_request_value(const sp_request *request); /* ENV; X11: cookie, a secret */
/* X11: the screen, and whether only one X connection is to be forwarded. False for other requests,
 * and nothing is set then. Thread: any. */
SP_API bool sp_request_x11(const sp_request *request, uint32_t *screen, bool *single_connection);
SP_API sp_channel *sp_request_channel(const sp_request *request); /* NULL when gone; the loop's */

SP_API sp_answer sp_listen_work(sp_listen *listen, sp_answer (*work)(sp_listen *listen, void *data),
                                void *data);

/* sp_work(question, function, data): the blocking function `function(question, data)` runs on the
 * thread pool and its return value answers. One name for all of them. */
#if !defined(__cplusplus)
#define sp_work(question, function, data)                                                          \
    _Generic((question), sp_auth *                                                                 \
             : sp_auth_work, sp_open *                                                             \
             : sp_open_work, sp_request *                                                          \
             : sp_request_work, sp_listen *                                                        \
             : sp_listen_work, sp_sign *                                                           \
             : sp_sign_work)((question), (function), (data))
#endif

/* ---- the channel ---- */
SP_API void *sp_channel_data(const sp_channel *channel);
SP_API void sp_channel_set_data(sp_channel *channel, void *data);
SP_API struct sp_conn *sp_channel_conn(const sp_channel *channel); /* NULL when gone */
SP_API sp_channel *sp_channel_ref(sp_channel *channel);
SP_API void sp_channel_unref(sp_channel *channel);

/* Takes up to `length` bytes and returns how many; fewer when the write buffer is full, and then
 * resume_writing tells when to go on. Errors: SP_ECONN, SP_ECLOSED (EOF or close was sent). */
SP_API ptrdiff_t sp_channel_write(sp_channel *channel, const void *bytes, size_t length);
SP_API ptrdiff_t sp_channel_write_stderr(sp_channel *channel, const void *bytes, size_t length);
SP_API ptrdiff_t sp_channel_puts(sp_channel *channel, const char *text);
/* Formats up to 4 KiB; longer output is cut. */
SP_API ptrdiff_t sp_channel_printf(sp_channel *channel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
SP_API int sp_channel_write_eof(sp_channel *channel);
SP_API size_t sp_channel_write_buffered(const sp_channel *channel);
SP_API int sp_channel_pause_reading(sp_channel *channel);
SP_API int sp_channel_resume_reading(sp_channel *channel);
/* Sends what is buffered, the exit status (RFC 4254 6.10), EOF and close. Once. */
SP_API int sp_channel_exit(sp_channel *channel, uint32_t status);
/* `name` without "SIG"; `message` and `language` may be NULL. */
SP_API int sp_channel_exit_with_signal(sp_channel *channel, const char *name, bool core_dumped,
                                       const char *message, const char *language);
SP_API int sp_channel_set_xon_xoff(sp_channel *channel, bool client_can_do);
SP_API int sp_channel_send_eow(sp_channel *channel); /* "I read no more", OpenSSH PROTOCOL 2.1 */
SP_API int sp_channel_close(sp_channel *channel);    /* sends what is buffered first */
SP_API int sp_channel_abort(sp_channel *channel);    /* drops it */
SP_API bool sp_channel_is_closing(const sp_channel *channel);
/* `closed` runs once after connection_lost (at once if that was already). */
SP_API int sp_channel_wait_closed(sp_channel *channel, void (*closed)(void *data), void *data);

/* What the client asked for and was granted; NULL where it did not. */
SP_API const char *sp_channel_get_environment(const sp_channel *channel, const char *name);
/* Entry `index` in the order set; false past the end. */
SP_API bool sp_channel_environment_at(const sp_channel *channel, size_t index, const char **name,
                                      const char **value);
SP_API const char *sp_channel_get_command(const sp_channel *channel);
SP_API const char *sp_channel_get_subsystem(const sp_channel *channel);
/* A key's command= or a certificate's force-command runs whatever the client asks for: shell, exec
 * and subsystem all become exec_requested with that command. These tell what was asked for, from
 * exec_requested on: SP_REQUEST_SHELL, _EXEC or _SUBSYSTEM, or 0 when nothing is forced; and its
 * command or name, NULL for a shell (SSH_ORIGINAL_COMMAND; sp_channel_spawn sets it). */
SP_API sp_request_type sp_channel_get_original_request(const sp_channel *channel);
SP_API const char *sp_channel_get_original_command(const sp_channel *channel);
SP_API const char *sp_channel_get_terminal_type(const sp_channel *channel);
SP_API bool sp_channel_get_terminal_size(const sp_channel *channel, sp_term_size *size);
/* False when the client did not give it. */
SP_API bool sp_channel_get_terminal_mode(const sp_channel *channel, uint8_t opcode,
                                         uint32_t *value);
SP_API const sp_term_modes *sp_channel_get_terminal_modes(const sp_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
