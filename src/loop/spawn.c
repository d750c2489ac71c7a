/* Starting a process on pipes or on a pseudo-terminal. This process has threads, so between fork
 * and exec the child makes only async-signal-safe calls; all that needs memory is made ready
 * before. A close-on-exec pipe brings back why the program could not be run. */
#include "loop/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef NSIG
#define SIGNALS NSIG
#else
#define SIGNALS 65
#endif
#define REPORT_FD 3
#define CLOSE_MAX 65536

typedef struct prepared {
    const char *program;
    const char *directory;
    char *const *arguments;
    char **environment;
    int ours[3];   /* input, output, error */
    int theirs[3]; /* standard input, output, error of the child */
    int report[2];
    bool terminal;
    long descriptors; /* how many to close where close_range is missing */
} prepared;

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* ---- in the child ---- */

static void child_fails(int number)
{
    ssize_t n;
    do
        n = write(REPORT_FD, &number, sizeof number);
    while (n < 0 && errno == EINTR);
    _exit(127);
}

static void close_others(long descriptors)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, REPORT_FD + 1, ~0u, 0) == 0)
        return;
#endif
    for (int fd = REPORT_FD + 1; fd < descriptors; fd++)
        close(fd);
}

static void run_child(const prepared *p)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < SIGNALS; number++)
        (void)sigaction(number, &action, NULL);

    setsid();
    /* All of these are above REPORT_FD, so no copy overwrites another's source. */
    for (int i = 0; i < 3; i++)
        if (dup2(p->theirs[i], i) < 0)
            _exit(127);
    if (dup3(p->report[1], REPORT_FD, O_CLOEXEC) < 0)
        _exit(127);
    close_others(p->descriptors);
    if (p->terminal && ioctl(0, TIOCSCTTY, 0) != 0)
        child_fails(errno);
    if (p->directory != NULL && chdir(p->directory) != 0)
        child_fails(errno);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(p->program, p->arguments, p->environment);
    child_fails(errno);
}

/* ---- before ---- */

/* Moves a descriptor above those that the child gives a meaning to. */
static int move_up(int *fd)
{
    if (*fd > REPORT_FD)
        return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    if (moved < 0)
        return spl_error(errno);
    close(*fd);
    *fd = moved;
    return 0;
}

static int pipe_pair(int *reader, int *writer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return spl_error(errno);
    *reader = fds[0];
    *writer = fds[1];
    return 0;
}

static int open_pipes(prepared *p)
{
    int result = pipe_pair(&p->theirs[0], &p->ours[0]);
    if (result == 0)
        result = pipe_pair(&p->ours[1], &p->theirs[1]);
    if (result == 0)
        result = pipe_pair(&p->ours[2], &p->theirs[2]);
    return result;
}

static int open_terminal(prepared *p, const sp_spawn_request *request, sp_spawn_result *out)
{
    int slave = -1;
    int result = spl_pty_open(&p->ours[0], &slave, out->terminal_name, sizeof out->terminal_name);
    if (result != 0)
        return result;
    p->theirs[0] = slave;
    struct termios termios;
    if (request->modes != NULL && tcgetattr(slave, &termios) == 0) {
        spl_termios_apply(&termios, request->modes);
        (void)tcsetattr(slave, TCSANOW, &termios);
    }
    spl_pty_resize(slave, &request->size);
    p->theirs[1] = fcntl(slave, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    p->theirs[2] = fcntl(slave, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    return p->theirs[1] < 0 || p->theirs[2] < 0 ? spl_error(errno) : 0;
}

static bool sets(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The environment with TERM and SSH_TTY in front where there is a terminal: one block, the strings
 * behind the array. A TERM in the request stands; SSH_TTY is ours. */
static int make_environment(const spb_env *env, const sp_spawn_request *request,
                            const char *terminal_name, char ***out)
{
    size_t count = 0;
    bool has_term = false;
    for (const char *const *at = request->environment; at != NULL && *at != NULL; at++, count++)
        has_term |= sets(*at, "TERM");
    size_t term_size = 0;
    size_t tty_size = 0;
    if (request->terminal != NULL) {
        term_size = has_term ? 0 : sizeof "TERM=" + strlen(request->terminal);
        tty_size = sizeof "SSH_TTY=" + strlen(terminal_name);
    }
    size_t array = (count + 3) * sizeof(char *);
    char **environment = spb_alloc(env, array + term_size + tty_size);
    if (environment == NULL)
        return SP_ENOMEM;
    char *text = (char *)environment + array;
    size_t n = 0;
    if (term_size != 0) {
        snprintf(text, term_size, "TERM=%s", request->terminal);
        environment[n++] = text;
        text += term_size;
    }
    if (tty_size != 0) {
        snprintf(text, tty_size, "SSH_TTY=%s", terminal_name);
        environment[n++] = text;
    }
    for (size_t i = 0; i < count; i++)
        if (tty_size == 0 || !sets(request->environment[i], "SSH_TTY"))
            environment[n++] = (char *)(uintptr_t)request->environment[i];
    environment[n] = NULL;
    *out = environment;
    return 0;
}

/* ---- the fork ---- */

static int wait_for_exec(prepared *p, pid_t pid)
{
    int number = 0;
    ssize_t n;
    do
        n = read(p->report[0], &number, sizeof number);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0; /* closed by exec */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n == (ssize_t)sizeof number && (number == ENOENT || number == ENOTDIR))
        return SP_ENOENT;
    if (n == (ssize_t)sizeof number && (number == EACCES || number == EPERM || number == ENOEXEC))
        return SP_EACCES;
    return SP_EIO;
}

static int fork_and_exec(prepared *p, pid_t *out)
{
    int result = pipe_pair(&p->report[0], &p->report[1]);
    for (int i = 0; i < 3 && result == 0; i++)
        result = move_up(&p->theirs[i]);
    if (result == 0)
        result = move_up(&p->report[1]);
    if (result != 0)
        return result;
    /* No handler of ours may run in the child: signals wait until it has reset them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(p);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return number == EAGAIN ? SP_ELIMIT : spl_error(number);
    close_all(p->theirs, 3);
    close_all(&p->report[1], 1);
    result = wait_for_exec(p, pid);
    *out = pid;
    return result;
}

static int set_nonblocking(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int flags = fds[i] < 0 ? 0 : fcntl(fds[i], F_GETFL);
        if (fds[i] >= 0 && (flags < 0 || fcntl(fds[i], F_SETFL, flags | O_NONBLOCK) != 0))
            return spl_error(errno);
    }
    return 0;
}

int spl_spawn(const spb_env *env, const sp_spawn_request *request, sp_spawn_result *out)
{
    memset(out, 0, sizeof *out);
    out->input = out->output = out->error = -1;
    if (request->program == NULL || request->program[0] != '/')
        return SP_EINVAL;
    const char *const only_program[] = {request->program, NULL};
    prepared p = {
        .program = request->program,
        .directory = request->directory,
        .ours = {-1, -1, -1},
        .theirs = {-1, -1, -1},
        .report = {-1, -1},
        .terminal = request->terminal != NULL,
    };
    const char *const *arguments = request->arguments != NULL ? request->arguments : only_program;
    memcpy(&p.arguments, &arguments, sizeof p.arguments);
    p.descriptors = sysconf(_SC_OPEN_MAX);
    if (p.descriptors < 0 || p.descriptors > CLOSE_MAX)
        p.descriptors = CLOSE_MAX;

    int result = p.terminal ? open_terminal(&p, request, out) : open_pipes(&p);
    if (result == 0)
        result = make_environment(env, request, out->terminal_name, &p.environment);
    if (result == 0)
        result = set_nonblocking(p.ours, 3);
    if (result == 0)
        result = fork_and_exec(&p, &out->pid);
    spb_free(env, p.environment);
    close_all(p.theirs, 3);
    close_all(p.report, 2);
    if (result != 0) {
        close_all(p.ours, 3);
        memset(out, 0, sizeof *out);
        out->input = out->output = out->error = -1;
        return result;
    }
    out->input = p.ours[0];
    out->output = p.ours[1];
    out->error = p.ours[2];
    return 0;
}
