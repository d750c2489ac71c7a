/* sallyport/process.h: a child process on a session: on a pseudo-terminal when the client asked for
 * one, on pipes otherwise.
 *
 * sp_channel_spawn starts it and joins it to the channel: data both ways with back-pressure, stderr
 * apart (pipes), end of file, window changes, signals to the process group, hang-up when the client
 * leaves, and in the end exit status or exit signal. The session's handlers for data, EOF,
 * back-pressure, window changes, signals and breaks are not called from then on. */
#ifndef SALLYPORT_PROCESS_H
#define SALLYPORT_PROCESS_H

#include <sallyport/session.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a spawner gets and gives back: the one narrow door through which processes are started, so
 * that a privileged parent can own it. */
typedef struct sp_spawn_request {
    const char *program;            /* absolute path */
    const char *const *arguments;   /* argv, NULL at the end */
    const char *const *environment; /* "NAME=value", NULL at the end */
    const char *directory;          /* to start in; NULL: as is */
    const char *username;           /* the connection's user */
    const char *terminal;           /* TERM, or NULL: pipes */
    sp_term_size size;
    const sp_term_modes *modes; /* NULL without a terminal */
} sp_spawn_request;

typedef struct sp_spawn_result {
    pid_t pid;  /* leads its own session and process group */
    int input;  /* we write to it; the terminal's master (once, in `input`) or a pipe's end */
    int output; /* -1 with a terminal */
    int error;  /* -1 with a terminal */
    char terminal_name[64]; /* "/dev/pts/3" or empty */
} sp_spawn_result;

/* 0, or a negative SP_E...; the descriptors are the library's then. */
typedef int (*sp_spawner)(void *ctx, const sp_spawn_request *request, sp_spawn_result *result);

/* The library's own spawner: fork and exec as the same user. SP_ENOENT or SP_EACCES when the
 * program can't be run, SP_EIO otherwise. */
SP_API int sp_spawn_here(void *ctx, const sp_spawn_request *request, sp_spawn_result *result);

typedef struct sp_spawn_options {
    size_t size;
    const char *program;
    const char *const *arguments; /* NULL: { program } */
    /* NULL: empty. Set besides: with a terminal SSH_TTY, and TERM if absent; SSH_AUTH_SOCK, DISPLAY
     * and XAUTHORITY where the client lends them (<sallyport/agent.h>); with a command forced by
     * the key in place of another, SSH_ORIGINAL_COMMAND if absent. */
    const char *const *environment;
    const char *directory;
    bool no_terminal;   /* pipes even if the client has a terminal */
    sp_spawner spawner; /* NULL: sp_spawn_here */
    void *spawner_ctx;
    /* Once: after the child ended and its output was sent; exit status or signal were sent already.
     * If the client has left, after the child ended; the channel is lost then and its calls return
     * SP_ECONN. `status` is as waitpid gives it; -1: not known, because somebody else has reaped
     * the child or the server is being freed. May be NULL. */
    void (*exited)(sp_channel *channel, int status, void *data);
    void *data;
} sp_spawn_options;
#define SP_SPAWN_OPTIONS_INIT .size = sizeof(sp_spawn_options)

/* To be called in session_started or later, once per channel. Errors: those of the spawner,
 * SP_ESTATE (not started), SP_EALREADY. On an error the channel is as before. */
SP_API int sp_channel_spawn(sp_channel *channel, const sp_spawn_options *options);
/* The child's pid, 0 without one or after its end. */
SP_API pid_t sp_channel_pid(const sp_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
