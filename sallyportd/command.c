/* command.c: runs a program and reads what it writes. posix_spawn does not copy this process, whose
 * other threads go on. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "log.h"

#define COMMAND_MS 60000

static int64_t milliseconds(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_environment(string_list *environment, const account *a)
{
    return list_add(environment, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
                                 "/bin") == 0 &&
                   list_addf(environment, "USER=%s", a->name) == 0 &&
                   list_addf(environment, "LOGNAME=%s", a->name) == 0 &&
                   list_addf(environment, "HOME=%s", a->home) == 0
               ? 0
               : -1;
}

/* The program's standard output is `out`; of all other descriptors it has none. */
static int start(pid_t *pid, const string_list *words, const string_list *environment, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    int error;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (error == 0)
        error = posix_spawn(pid, words->items[0], &actions, &attributes, words->items,
                            environment->items);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* NULL: a reason is in `problem`. */
static char *read_output(int fd, int64_t end, size_t *length, const char **problem)
{
    char *text = malloc(FILE_SIZE_MAX + 1);
    size_t used = 0;

    *problem = text != NULL ? NULL : "out of memory";
    while (*problem == NULL) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int64_t left = end - milliseconds();
        int ready = left > 0 ? poll(&one, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            *problem = ready == 0 ? "it takes too long" : strerror(errno);
            break;
        }
        ssize_t got = read(fd, text + used, FILE_SIZE_MAX - used);
        if (got == 0)
            break;
        used += got > 0 ? (size_t)got : 0;
        if (got < 0 && errno != EINTR)
            *problem = "its output can't be read";
        else if (used == FILE_SIZE_MAX)
            *problem = "it writes too much";
    }
    if (*problem != NULL) {
        free(text);
        return NULL;
    }
    text[used] = '\0';
    *length = used;
    return text;
}

/* It may go on without its output: not for ever. */
static bool ended_well(pid_t pid, int64_t end)
{
    const struct timespec moment = {0, 10000000};
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (milliseconds() >= end)
            (void)kill(-pid, SIGKILL);
        (void)nanosleep(&moment, NULL);
    }
    return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static char *run(const char *what, const string_list *words, const account *a, size_t *length)
{
    string_list environment = {NULL, 0};
    const char *problem = "it can't be started";
    char *text = NULL;
    const int64_t end = milliseconds() + COMMAND_MS;
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    int error = ENOMEM;

    if (make_environment(&environment, a) == 0)
        error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
    if (error == 0)
        error = start(&pid, words, &environment, ends[1]);
    if (ends[1] >= 0)
        close(ends[1]);
    if (error == 0) {
        text = read_output(ends[0], end, length, &problem);
        if (text == NULL)
            (void)kill(-pid, SIGKILL);
        if (!ended_well(pid, end) && text != NULL) {
            problem = "it failed";
            free(text);
            text = NULL;
        }
    }
    if (ends[0] >= 0)
        close(ends[0]);
    if (text == NULL)
        log_error("%s %s: %s%s%s", what, words->items[0], problem, error != 0 ? ": " : "",
                  error != 0 ? strerror(error) : "");
    list_clear(&environment);
    return text;
}

char *command_output(const char *what, const char *command, const char *user,
                     const token_facts *facts, size_t *length)
{
    string_list words = {NULL, 0};
    char problem[512];
    char *text = NULL;

    if (user == NULL || strcmp(user, facts->account->name) != 0) {
        log_error("%sUser is %s: only %s, who runs this server, is possible", what,
                  user != NULL ? user : "none", facts->account->name);
        return NULL;
    }
    int result = tokens_expand_command(command, facts, &words);
    if (result == 0 && words.count == 1)
        result = list_add(&words, facts->account->name);
    if (result != 0)
        log_error("%s: it can't be expanded", what);
    else if (!file_is_safe_program(words.items[0], problem, sizeof problem))
        log_error("Unsafe %s: %s", what, problem);
    else
        text = run(what, &words, facts->account, length);
    list_clear(&words);
    return text;
}
