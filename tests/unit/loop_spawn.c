/* src/loop/spawn.c, child.c and io.c: programs on pipes and terminals, and their ends. */
#include "support/server_stand.h"

#include "loop/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static spb_env env;

static int set_up(void **state)
{
    (void)state;
    spb_env_init(&env, NULL);
    return 0;
}

static int start(const char *script, const char *terminal, sp_spawn_result *result)
{
    const char *const arguments[] = {"sh", "-c", script, NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", "WHO=me", NULL};
    const sp_term_mode modes[] = {{53, 0}, {72, 0}}; /* no echo, and newlines as they are */
    const sp_term_modes all = {modes, 2, 0, 0};
    const sp_spawn_request request = {
        .program = "/bin/sh",
        .arguments = arguments,
        .environment = environment,
        .directory = "/usr",
        .terminal = terminal,
        .size = {80, 24, 0, 0},
        .modes = terminal != NULL ? &all : NULL,
    };
    return spl_spawn(&env, &request, result);
}

/* Reads to the end; our side is non-blocking. */
static size_t read_all(int fd, char *out, size_t size)
{
    size_t length = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_not_equal(poll(&poll_fd, 1, 10000), 0);
        ptrdiff_t n = spl_read(fd, out + length, size - 1 - length);
        if (n == SP_EAGAIN)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    out[length] = '\0';
    return length;
}

static int reap(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void close_all(const sp_spawn_result *r)
{
    if (r->input >= 0)
        close(r->input);
    if (r->output >= 0)
        close(r->output);
    if (r->error >= 0)
        close(r->error);
}

static void three_pipes(void **state)
{
    (void)state;
    sp_spawn_result r;
    assert_int_equal(start("pwd; echo $WHO; cat; echo problem >&2; exit 7", NULL, &r), 0);
    assert_string_equal(r.terminal_name, "");
    assert_int_equal(spl_write(r.input, "input\n", 6), 6);
    close(r.input);
    r.input = -1;
    char text[256];
    read_all(r.output, text, sizeof text);
    assert_string_equal(text, "/usr\nme\ninput\n");
    read_all(r.error, text, sizeof text);
    assert_string_equal(text, "problem\n");
    int status = reap(r.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    close_all(&r);
}

static void a_terminal(void **state)
{
    (void)state;
    sp_spawn_result r;
    assert_int_equal(
        start("tty; stty size; echo $TERM; echo $SSH_TTY; read x; echo got $x", "vt100", &r), 0);
    assert_int_equal(r.output, -1);
    assert_int_equal(r.error, -1);
    assert_int_equal(spl_write(r.input, "line\n", 5), 5);
    char text[512];
    char expected[512];
    read_all(r.input, text, sizeof text);
    snprintf(expected, sizeof expected, "%s\n24 80\nvt100\n%s\ngot line\n", r.terminal_name,
             r.terminal_name);
    assert_string_equal(text, expected);
    assert_int_equal(reap(r.pid), 0);
    close_all(&r);
}

/* The child leads a session of its own, and has no descriptor and no signal setting of ours. */
static void nothing_is_inherited(void **state)
{
    (void)state;
    int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec */
    assert_true(leaked >= 0);
    signal(SIGTERM, SIG_IGN);
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, &before);
    sp_spawn_result r;
    assert_int_equal(start("i=3; while [ $i -lt 64 ]; do [ -e /proc/$$/fd/$i ] && echo fd $i;"
                           "i=$((i+1)); done; grep -E 'Sig(Blk|Ign)' /proc/self/status;"
                           "[ $(ps -o sid= -p $$) = $$ ] && echo leader",
                           NULL, &r),
                     0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGTERM, SIG_DFL);
    char text[512];
    read_all(r.output, text, sizeof text);
    assert_null(strstr(text, "fd"));
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
    /* 32 and 33 are the C library's own; it lets nobody change them, and make leaves them ignored.
     */
    const char *ignored = strstr(text, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~0x180000000ull, 0);
    assert_non_null(strstr(text, "leader"));
    reap(r.pid);
    close_all(&r);
    close(leaked);
}

static void what_cannot_run_says_why(void **state)
{
    (void)state;
    sp_spawn_result r;
    sp_spawn_request request = {.program = "/does/not/exist"};
    assert_int_equal(spl_spawn(&env, &request, &r), SP_ENOENT);
    assert_int_equal(r.input, -1);
    request.program = "/etc/passwd";
    assert_int_equal(spl_spawn(&env, &request, &r), SP_EACCES);
    request.program = "sh";
    assert_int_equal(spl_spawn(&env, &request, &r), SP_EINVAL);
    request.program = "/bin/sh";
    request.directory = "/does/not/exist";
    assert_int_equal(spl_spawn(&env, &request, &r), SP_ENOENT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and leaves no process */
    assert_int_equal(errno, ECHILD);
}

static spl_loop *loop;
static int ended;
static int last_status;

static void exited(void *data, int status)
{
    (void)data;
    last_status = status;
    if (--ended == 0)
        spl_loop_stop(loop);
}

static void ends_are_noticed(void **state)
{
    (void)state;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    spl_child *children[9];
    sp_spawn_result r[9];
    ended = 8;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(start(i == 8 ? "sleep 100" : "exit 9", NULL, &r[i]), 0);
        assert_int_equal(spl_child_watch(&children[i], loop, r[i].pid, exited, NULL), 0);
    }
    assert_int_equal(spl_loop_run(loop), 0);
    assert_int_equal(WEXITSTATUS(last_status), 9);
    spl_child_forget(children[8]);
    assert_int_equal(kill(-r[8].pid, SIGKILL), 0);
    reap(r[8].pid);
    for (int i = 0; i < 9; i++)
        close_all(&r[i]);

    /* Somebody else reaps it: the end is noticed, the status is not known. */
    assert_int_equal(start("exit 9", NULL, &r[0]), 0);
    reap(r[0].pid);
    ended = 1;
    int result = spl_child_watch(&children[0], loop, r[0].pid, exited, NULL);
    if (result == 0) {
        assert_int_equal(spl_loop_run(loop), 0);
        assert_int_equal(last_status, -1);
    }
    close_all(&r[0]);
    spl_loop_free(loop);
}

static void no_signal_from_a_broken_pipe(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(spl_write(fds[1], "x", 1), SP_EIO);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    struct iovec vector = {.iov_base = (void *)(uintptr_t) "x", .iov_len = 1};
    assert_int_equal(spl_send(fds[1], &vector, 1), SP_EIO);
    close(fds[1]);
}

static void signal_names(void **state)
{
    (void)state;
    assert_int_equal(spl_signal_number("INT"), SIGINT);
    assert_int_equal(spl_signal_number("SIGINT"), 0);
    assert_int_equal(spl_signal_number("STOP"), 0);
    assert_string_equal(spl_signal_name(SIGUSR2), "USR2");
    assert_null(spl_signal_name(SIGBUS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_pipes),          cmocka_unit_test(a_terminal),
        cmocka_unit_test(nothing_is_inherited), cmocka_unit_test(what_cannot_run_says_why),
        cmocka_unit_test(ends_are_noticed),     cmocka_unit_test(no_signal_from_a_broken_pipe),
        cmocka_unit_test(signal_names),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
