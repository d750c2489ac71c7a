/* sallyport/direct.h: direct style: a plain C function that serves one channel and reads from top
 * to bottom. Reading, writing, sleeping, waiting for a child and blocking work look like blocking
 * calls; meanwhile the loop serves everybody else.
 *
 *     static int greet(sp_process *p, void *data)
 *     {
 *         char name[64];
 *         sp_puts(p, "Your name? ");
 *         if (sp_gets(p, name, sizeof name) < 0)
 *             return 1;
 *         sp_printf(p, "Hello, %s!\n", name);
 *         return 0;
 *     }
 *     ... in session_requested: return sp_answered(sp_open_direct(open, greet, NULL, NULL));
 *
 * The function runs on a fiber: a small stack of its own on the connection's loop thread
 * (direct_stack_size in sp_server_options; a guard page catches overflow). So
 * - between two waiting calls nothing else runs: functions of one loop need no locks;
 * - it must not block by other means; sp_run takes what blocks to the thread pool;
 * - large arrays belong on the heap, and so does what needs a deep stack (name look-ups: sp_run);
 * - calls that wait may be made only by the function itself, for its own `p`: elsewhere they return
 *   SP_ESTATE. What others may call says so (sp_process_tell, sp_process_wake).
 *
 * When the client leaves, or the server is freed, the call that waits returns SP_ECONN, and so does
 * every later one, at once; the function cleans up and returns. It is never torn down in the
 * middle: what it holds is its own to give back. Two things are finished first: sp_run waits for
 * the work to end, because work may use memory of the function's stack; and what had come before
 * the client closed the channel in good order can still be read.
 *
 * sp_server_free lets all functions run to their ends.
 *
 * Thread: the connection's, for everything that does not say "Thread: any". */
#ifndef SALLYPORT_DIRECT_H
#define SALLYPORT_DIRECT_H

#include <sallyport/process.h>
#include <sallyport/session.h>
#include <sallyport/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One channel and the function that serves it. It is valid until the function has returned. The
 * channel of a TCP or UNIX connection (a stream) has the same calls, less those that only a session
 * has; `sp_stream` is another name for the same type. */
typedef struct sp_process sp_process;
typedef sp_process sp_stream;
struct sp_server;

/* Returns the exit status of a session: 0 to 255; anything else is sent as 255. For a stream the
 * value has no meaning: what was written is sent, then the channel is closed. */
typedef int (*sp_process_fn)(sp_process *p, void *data);
typedef sp_process_fn sp_stream_fn;

/* What a session's client may ask for. */
#define SP_DIRECT_PTY 1u
#define SP_DIRECT_ENV 2u
#define SP_DIRECT_SHELL 4u
#define SP_DIRECT_EXEC 8u

typedef struct sp_direct_options {
    size_t size;
    const sp_channel_options *channel; /* window and the like; NULL: the server's */
    unsigned refuse;        /* SP_DIRECT_..., which are granted otherwise; ENV: recorded only */
    const char *subsystems; /* names that are accepted, with commas between; NULL: none */
    bool no_editor;         /* as sp_process_set_editor(p, false) before anything else */
    /* Once, after everything, also when the function never ran because the client left too early
     * or asked for nothing: the place to free `data`. May be NULL. */
    void (*released)(void *data);
} sp_direct_options;
#define SP_DIRECT_OPTIONS_INIT .size = sizeof(sp_direct_options)

/* Answers session_requested, connection_requested and unix_connection_requested: `function` serves
 * the channel. It starts when a session's shell, command or subsystem was accepted; a stream's at
 * once. `options` may be NULL; they are copied. Results as in <sallyport/auth.h>; on an error
 * `released` is not called. Thread: any. */
SP_API int sp_open_direct(sp_open *open, sp_process_fn function, void *data,
                          const sp_direct_options *options);

/* ---- reading. Results: bytes; 0 or SP_EOF at the end, as said for each; SP_ECONN; and, if
 * sp_process_events asked for them, SP_ESIGNAL, SP_ERESIZE, SP_EBREAK, SP_EWOKEN: nothing was taken
 * then, and the next call goes on. Bytes wait in the channel's window, and the client with them,
 * until they are read. ---- */

/* Waits for something, and takes up to `size` bytes of it. 0: end of file. */
SP_API ptrdiff_t sp_read(sp_process *p, void *buffer, size_t size);
/* Takes `size` bytes; fewer only if the end came first. Events are told before the first byte. */
SP_API ptrdiff_t sp_read_exactly(sp_process *p, void *buffer, size_t size);
/* Takes bytes up to and with the text `separator`. At the end of file: what is left, without it;
 * SP_EOF if that is nothing. SP_ELIMIT: no separator within the first `size` bytes, or 64 KiB;
 * nothing was taken. */
SP_API ptrdiff_t sp_read_until(sp_process *p, const char *separator, void *buffer, size_t size);
/* Takes a line, stores it without its line end and with a NUL, returns its length. SP_EOF: no more
 * lines. SP_ELIMIT: longer than `size` - 1 or 64 KiB; the line is dropped to its end. A line ends
 * with LF or CR LF, on a terminal also with CR.
 * On a terminal the client edits the line (see sp_process_set_editor): it is valid UTF-8 without
 * control characters, of up to 4095 bytes. ^D on an empty line is SP_EOF. ^C throws the line away
 * and is SP_ESIGNAL ("INT") if sp_process_events asked for signals, else SP_ECANCELED. */
SP_API ptrdiff_t sp_gets(sp_process *p, char *line, size_t size);
/* Writes the prompt (which may be NULL), then as sp_gets. */
SP_API ptrdiff_t sp_read_line(sp_process *p, const char *prompt, char *line, size_t size);
/* The same for secrets: nothing that is typed is shown or kept. `line` is the caller's to wipe. */
SP_API ptrdiff_t sp_read_password(sp_process *p, const char *prompt, char *line, size_t size);

/* ---- writing: waits while the channel's write buffer is full; returns `length`, or SP_ECONN,
 * SP_ECLOSED (end of file or exit was sent, or the client reads no more), SP_ENOMEM. On a terminal
 * with the editor on, LF becomes CR LF. ---- */
SP_API ptrdiff_t sp_write(sp_process *p, const void *bytes, size_t length);
SP_API ptrdiff_t sp_puts(sp_process *p, const char *text); /* adds no line end */
/* Of any length. */
SP_API ptrdiff_t sp_printf(sp_process *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* To standard error (RFC 4254 5.2); only sessions have it. A terminal with the editor on shows it
 * like the rest. */
SP_API ptrdiff_t sp_write_err(sp_process *p, const void *bytes, size_t length);
SP_API ptrdiff_t sp_puts_err(sp_process *p, const char *text);
SP_API ptrdiff_t sp_printf_err(sp_process *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For others, such as the function of another channel: takes what there is room for, without
 * waiting, and returns how much, or SP_ECONN. A line that is being edited moves out of the way. */
SP_API ptrdiff_t sp_process_tell(sp_process *p, const char *text);
/* No more output; reading goes on. 0, SP_ECONN or SP_ECLOSED. */
SP_API int sp_write_eof(sp_process *p);
/* Waits until the channel's write buffer is empty: all has gone to the connection. 0 or SP_ECONN.
 */
SP_API int sp_drain(sp_process *p);

/* ---- waiting ---- */
/* 0, or early with SP_ECONN. 0 milliseconds: others have their turn. */
SP_API int sp_sleep(sp_process *p, uint32_t milliseconds);

#define SP_WAIT_INPUT 1u  /* something to read, or the end of file */
#define SP_WAIT_SIGNAL 2u /* RFC 4254 6.9; see sp_process_signal */
#define SP_WAIT_RESIZE 4u /* see sp_process_terminal_size */
#define SP_WAIT_BREAK 8u  /* RFC 4335; see sp_process_break_length */
#define SP_WAIT_WAKE 16u  /* sp_process_wake */
#define SP_FOREVER UINT32_MAX
/* Waits for one of `kinds` (a set) and returns the one that happened; 0: `timeout_ms` are over (at
 * once, if 0). SP_ECONN. What happened and was not waited for yet is kept: up to 8 signals (further
 * ones are lost), and one of each other kind. A break is accepted, and kept, only if it was asked
 * for before, here or in sp_process_events. */
SP_API int sp_wait(sp_process *p, unsigned kinds, uint32_t timeout_ms);
/* Which of SP_WAIT_SIGNAL, _RESIZE, _BREAK, _WAKE the reading calls return, as SP_ESIGNAL,
 * SP_ERESIZE, SP_EBREAK, SP_EWOKEN, ahead of bytes that came earlier. At first none. */
SP_API void sp_process_events(sp_process *p, unsigned kinds);
/* The signal told last, "INT", without "SIG"; NULL: none so far. Lent until the next one is told.
 */
SP_API const char *sp_process_signal(const sp_process *p);
SP_API uint32_t sp_process_break_length(const sp_process *p); /* milliseconds, of the last one */
/* For others: SP_WAIT_WAKE happens to `p`, for functions that tell each other something. It is
 * remembered if `p` does not wait. From other threads: with sp_server_post. */
SP_API void sp_process_wake(sp_process *p);

/* ---- other work ---- */
/* Runs `work` on the thread pool and waits until it has ended, always. 0; SP_ECONN: it has run, and
 * the client has left meanwhile; if the client had left before, it has not run. SP_ENOMEM. */
SP_API int sp_run(sp_process *p, void (*work)(void *data), void *data);
/* Starts a child process, joined to the session: pseudo-terminal or pipes, as in
 * <sallyport/process.h>, and waits for its end. Returns its exit status (0 to 255), 128 and the
 * signal's number if one ended it, 255 if that is not known; or an error of sp_channel_spawn, or
 * SP_ECONN when the client left (the child was hung up). What was typed ahead goes to the child.
 * The session goes on then: it can run another one, or return the status. `exited` and `data` of
 * the options are not used. */
SP_API int sp_spawn(sp_process *p, const sp_spawn_options *options);

/* ---- the end; returning from the function is the usual one ---- */
/* Sends what was written, the exit status and close. The function goes on, with SP_ECLOSED. */
SP_API int sp_process_exit(sp_process *p, uint32_t status);
SP_API int sp_process_exit_with_signal(sp_process *p, const char *name, bool core_dumped,
                                       const char *message, const char *language);

/* ---- what is known; texts are NULL where the client did not ask ---- */
SP_API const char *sp_process_command(const sp_process *p);
SP_API const char *sp_process_subsystem(const sp_process *p);
SP_API const char *sp_process_environment(const sp_process *p, const char *name);
SP_API const char *sp_process_terminal_type(const sp_process *p);
SP_API bool sp_process_terminal_size(const sp_process *p, sp_term_size *size); /* as it is now */
/* For the calls of <sallyport/session.h> that do not wait. Its data is the function's. */
SP_API sp_channel *sp_process_channel(const sp_process *p);
SP_API struct sp_conn *sp_process_conn(const sp_process *p); /* NULL when the client has left */
SP_API struct sp_server *sp_process_server(const sp_process *p);

/* On a session with a terminal the server does what a terminal's line discipline does: sp_gets and
 * its like echo and edit the line, with history; output gets CR LF line ends; so it is at first.
 * Off: bytes come and go as they are, for programs that draw the screen themselves. Without a
 * terminal there is nothing to switch. */
SP_API void sp_process_set_editor(sp_process *p, bool on);

#ifdef __cplusplus
}
#endif
#endif
