/* Learning of the end of child processes. On Linux each child has a descriptor that becomes
 * readable when it ends; elsewhere SIGCHLD makes the loop look at the children that it knows, and
 * at no others, because the application may have children of its own. */
#include "loop/loop_uv.h"
#include "loop/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct spl_child {
    spb_link link;
    spl_loop *loop;
    spl_watch *watch; /* NULL: by SIGCHLD */
    pid_t pid;
    void (*exited)(void *data, int status);
    void *data;
};

static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static void child_free(spl_child *child)
{
    spb_list_remove(&child->link);
    spl_watch_close(child->watch);
    spb_free(&child->loop->env, child);
}

static void look(spl_child *child)
{
    int status = 0;
    pid_t pid;
    do
        pid = waitpid(child->pid, &status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return;
    if (pid < 0)
        status = -1;
    void (*exited)(void *data, int status) = child->exited;
    void *data = child->data;
    child_free(child);
    exited(data, status);
}

static void process_ready(void *data, unsigned events)
{
    (void)events;
    look(data);
}

/* A callback may watch or forget children, so the list is walked on a copy of its head. */
static void child_signal(uv_signal_t *handle, int number)
{
    (void)number;
    spl_loop *loop = handle->data;
    spb_link now;
    spb_list_init(&now);
    while (!spb_list_empty(&loop->children)) {
        spb_link *link = loop->children.next;
        spb_list_remove(link);
        spb_list_append(&now, link);
    }
    while (!spb_list_empty(&now)) {
        spl_child *child = SPB_CONTAINER(now.next, spl_child, link);
        spb_list_remove(&child->link);
        spb_list_append(&loop->children, &child->link);
        if (child->watch == NULL)
            look(child);
    }
}

static int watch_signal(spl_loop *loop)
{
    if (!loop->child_signal_open) {
        int result = uv_signal_init(loop->uv, &loop->child_signal);
        if (result != 0)
            return spl_uv_error(result);
        loop->child_signal.data = loop;
        loop->child_signal_open = true;
        loop->busy++;
    }
    int result = uv_signal_start(&loop->child_signal, child_signal, SIGCHLD);
    uv_unref((uv_handle_t *)&loop->child_signal);
    return spl_uv_error(result);
}

int spl_child_watch(spl_child **out, spl_loop *loop, pid_t pid,
                    void (*exited)(void *data, int status), void *data)
{
    spl_child *child = spb_calloc(&loop->env, 1, sizeof *child);
    if (child == NULL)
        return SP_ENOMEM;
    child->loop = loop;
    child->pid = pid;
    child->exited = exited;
    child->data = data;
    int fd = open_process(pid);
    int result = fd < 0 ? SP_ENOTSUP : spl_watch_new(&child->watch, loop, fd, process_ready, child);
    if (result == 0)
        result = spl_watch_set(child->watch, SPL_READABLE);
    else if (fd >= 0)
        close(fd);
    if (fd < 0) {
        result = watch_signal(loop);
        if (result == 0)
            (void)kill(getpid(), SIGCHLD); /* it may have ended before the watch began */
    }
    if (result != 0) {
        child_free(child);
        return result;
    }
    spb_list_append(&loop->children, &child->link);
    *out = child;
    return 0;
}

void spl_child_forget(spl_child *child)
{
    if (child != NULL)
        child_free(child);
}

static void signal_closed(uv_handle_t *handle)
{
    spl_loop *loop = handle->data;
    loop->busy--;
}

void spl_children_close(spl_loop *loop)
{
    if (loop->child_signal_open)
        uv_close((uv_handle_t *)&loop->child_signal, signal_closed);
    loop->child_signal_open = false;
}

/* ---- names of signals ---- */

typedef struct signal_entry {
    const char *name;
    int number;
} signal_entry;

static const signal_entry signal_table[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},
    {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},
    {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
};

int spl_signal_number(const char *name)
{
    for (size_t i = 0; i < sizeof signal_table / sizeof signal_table[0]; i++)
        if (strcmp(signal_table[i].name, name) == 0)
            return signal_table[i].number;
    return 0;
}

const char *spl_signal_name(int number)
{
    for (size_t i = 0; i < sizeof signal_table / sizeof signal_table[0]; i++)
        if (signal_table[i].number == number)
            return signal_table[i].name;
    return NULL;
}
