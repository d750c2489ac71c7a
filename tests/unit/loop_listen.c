/* Listening UNIX sockets and their files, acceptors, and looking up names. */
#include "loop/accept.h"
#include "loop/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static spb_env env;
static spl_loop *loop;
static char folder[] = "/tmp/loop_listen_XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    spb_env_init(&env, NULL);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/s", folder);
    return spl_loop_new(&loop, &env, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    spl_loop_free(loop);
    (void)unlink(path);
    return rmdir(folder);
}

static unsigned mode_of(const char *file)
{
    struct stat status;
    assert_int_equal(lstat(file, &status), 0);
    return (unsigned)status.st_mode;
}

static void test_modes(void **state)
{
    (void)state;
    static const unsigned modes[] = {0600, 0777, 0770, 0, 0606};
    static const mode_t masks[] = {022, 077, 0, 0777};
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
        mode_t before = umask(masks[m]);
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
            int fd = -1;
            spl_file_id id;
            assert_int_equal(spl_listen_unix(path, modes[i], false, 5, &fd, &id), 0);
            assert_int_equal(mode_of(path), S_IFSOCK | modes[i]);
            spl_unlisten_unix(path, &id);
            assert_int_not_equal(access(path, F_OK), 0);
            close(fd);
        }
        assert_int_equal(umask(before), masks[m]); /* the process keeps its own */
    }
}

static void test_what_is_there(void **state)
{
    (void)state;
    int first = -1, second = -1;
    spl_file_id id, other;
    assert_int_equal(spl_listen_unix(path, 0600, true, 5, &first, &id), 0);
    assert_int_equal(spl_listen_unix(path, 0600, false, 5, &second, &other), SP_EADDRINUSE);
    assert_int_equal(second, -1);
    assert_int_equal(spl_listen_unix(path, 0600, true, 5, &second, &other), 0);
    spl_unlisten_unix(path, &id); /* not that one's any more */
    assert_int_equal(access(path, F_OK), 0);
    spl_unlisten_unix(path, &other);
    assert_int_not_equal(access(path, F_OK), 0);
    close(first);
    close(second);
}

static void test_no_socket_is_never_removed(void **state)
{
    (void)state;
    int fd = -1;
    spl_file_id id;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(spl_listen_unix(path, 0600, true, 5, &fd, &id), SP_EADDRINUSE);
    assert_true(S_ISREG(mode_of(path)));
    unlink(path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(spl_listen_unix(path, 0600, true, 5, &fd, &id), SP_EADDRINUSE);
    assert_true(S_ISLNK(mode_of(path)));
    unlink(path);
    assert_int_equal(fd, -1);
}

static void test_bad_paths(void **state)
{
    (void)state;
    static char long_path[200];
    int fd = -1;
    spl_file_id id;
    memset(long_path, 'p', sizeof long_path - 1);
    assert_int_equal(spl_listen_unix("", 0600, false, 5, &fd, &id), SP_EINVAL);
    assert_int_equal(spl_listen_unix(long_path, 0600, false, 5, &fd, &id), SP_EINVAL);
    long_path[108] = '\0';
    assert_int_equal(spl_listen_unix(long_path, 0600, false, 5, &fd, &id), SP_EINVAL);
    assert_int_equal(spl_listen_unix("/no/such/folder/s", 0600, false, 5, &fd, &id), SP_ENOENT);
    assert_int_equal(fd, -1);
}

/* ---- acceptors ---- */

static spl_acceptor *acceptor;
static unsigned accepted_count;
static bool pause_next, close_next;

static bool accepted(void *data, int fd)
{
    (void)data;
    close(fd);
    accepted_count++;
    if (pause_next)
        spl_acceptor_pause(acceptor);
    if (close_next)
        spl_acceptor_close(acceptor);
    spl_loop_stop(loop);
    return true;
}

static void failed(void *data, int error)
{
    (void)data;
    fail_msg("accepting: %d", error);
}

static int call(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void test_acceptor(void **state)
{
    (void)state;
    static const spl_acceptor_calls calls = {accepted, failed};
    spl_file_id id;
    int fd = -1;
    int callers[5];
    assert_int_equal(spl_listen_unix(path, 0600, false, 5, &fd, &id), 0);
    assert_int_equal(spl_acceptor_new(&acceptor, loop, fd, &calls, NULL), 0);
    for (int i = 0; i < 5; i++)
        callers[i] = call();
    pause_next = true;
    assert_int_equal(spl_loop_run(loop), 0);
    assert_int_equal(accepted_count, 1);
    spl_acceptor_resume(acceptor);
    assert_int_equal(spl_loop_run(loop), 0);
    assert_int_equal(accepted_count, 2);
    pause_next = false;
    close_next = true;
    spl_acceptor_resume(acceptor);
    assert_int_equal(spl_loop_run(loop), 0);
    assert_int_equal(accepted_count, 3); /* closed within: no more */
    for (int i = 0; i < 5; i++)
        close(callers[i]);
    spl_unlisten_unix(path, &id);
}

/* ---- names ---- */

static size_t found;
static bool has_loopback, has_reason;

static void resolved(void *data, const spl_address *addresses, size_t count, const char *reason)
{
    char text[SPL_HOST_SIZE];
    (void)data;
    found = count;
    has_reason = reason != NULL;
    has_loopback = false;
    for (size_t i = 0; i < count; i++) {
        assert_true(spl_address_host(&addresses[i], text, sizeof text));
        has_loopback |= strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0;
    }
    spl_loop_stop(loop);
}

static void test_resolve(void **state)
{
    (void)state;
    static char long_name[2000];
    spl_resolve *resolve = NULL;
    assert_int_equal(spl_resolve_host(&resolve, loop, "localhost", resolved, NULL), 0);
    assert_int_equal(spl_loop_run(loop), 0);
    assert_true(found >= 1 && found <= SPL_RESOLVED_MAX);
    assert_true(has_loopback && !has_reason);
    memset(long_name, 'x', sizeof long_name - 1);
    assert_int_not_equal(spl_resolve_host(&resolve, loop, long_name, resolved, NULL), 0);
    /* Canceled: nobody is told, and the loop can be freed at once. */
    assert_int_equal(spl_resolve_host(&resolve, loop, "localhost", NULL, NULL), 0);
    spl_resolve_cancel(resolve);
    spl_resolve_cancel(NULL);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(spl_address_is("127.0.0.1"));
    assert_true(spl_address_is("::"));
    assert_false(spl_address_is(""));
    assert_false(spl_address_is("localhost"));
    assert_false(spl_address_is("127.1"));
    assert_false(spl_address_is("::1%no-such-interface"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_what_is_there),
        cmocka_unit_test(test_no_socket_is_never_removed),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_acceptor),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests_name("loop_listen", tests, set_up, tear_down);
}
