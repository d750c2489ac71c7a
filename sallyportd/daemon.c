/* daemon.c: detaching, signals, PID file. Signal handlers do nothing but call sp_server_stop, which
 * allows it. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

static sp_server *to_stop;

void daemon_sanitise(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static _Noreturn void wait_for_child(pid_t child, int fd)
{
    char byte;
    ssize_t got;
    int status = 0;

    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1)
        _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 255);
}

int daemon_detach(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (child > 0) {
        close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    close(ends[0]);
    (void)setsid();
    return ends[1];
}

void daemon_ready(int detached, bool keep_stderr)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int last = keep_stderr ? STDOUT_FILENO : STDERR_FILENO;

    (void)fflush(NULL);
    if (chdir("/") != 0)
        log_error("chdir to /: %s", strerror(errno));
    for (int fd = STDIN_FILENO; null >= 0 && fd <= last; fd++)
        (void)dup2(null, fd);
    if (null >= 0)
        close(null);
    ssize_t ignored = write(detached, "", 1); /* a parent that was killed does not matter */
    (void)ignored;
    close(detached);
}

static void on_stop(int number)
{
    (void)number;
    sp_server_stop(to_stop);
}

static void on_nothing(int number)
{
    (void)number;
}

/* A handler that does nothing rather than SIG_IGN: users' processes must not inherit that. */
static void catch_signal(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void daemon_catch_signals(sp_server *server, bool hang_up_stops)
{
    to_stop = server;
    catch_signal(SIGTERM, on_stop);
    catch_signal(SIGINT, on_stop);
    catch_signal(SIGHUP, hang_up_stops ? on_stop : on_nothing);
    catch_signal(SIGPIPE, on_nothing);
}

void daemon_forget_signals(void)
{
    catch_signal(SIGTERM, SIG_DFL);
    catch_signal(SIGINT, SIG_DFL);
    catch_signal(SIGHUP, on_nothing);
    to_stop = NULL;
}

int pid_file_write(const char *path)
{
    if (path == NULL)
        return 0;
    FILE *out = fopen(path, "we");
    if (out == NULL || fprintf(out, "%ld\n", (long)getpid()) < 0 || fclose(out) != 0) {
        log_error("PID file %s: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

void pid_file_remove(const char *path)
{
    if (path != NULL)
        (void)unlink(path);
}
