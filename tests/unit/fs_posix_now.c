/* src/fs/posix_now.c: what is done on the loop's thread, what goes to the thread pool, and that
 * both answer alike. */
#include "support/posix_stand.h"

#include <sys/sysmacros.h>

static int set_up(void **state)
{
    (void)state;
    return make_base();
}

static int tear_down(void **state)
{
    (void)state;
    return remove_base();
}

/* A file of ten bytes that was opened once. False: the kernel, or the file system that the test
 * runs on, is not one that anything is done at once with. */
static bool begin_known(void)
{
    int fd;
    begin_plain();
    put_file(real_path("f"), "0123456789");
    close_it(open_as("f", SP_FS_READ));
    bool known = atomic_load(&inside()->disk) != 0 || atomic_load(&inside()->memory) != 0;
    if (!known || spd_open_cached(&inside()->root, "/f", O_PATH, &fd) != 0) {
        end();
        return false;
    }
    close(fd);
    return true;
}

/* Is it answered before the loop turns? */
static bool at_once(sp_fs_op op, const sp_fs_request *with, spd_form form, void **handle)
{
    asked *a = start_asking(op, with);
    bool done = a->answered;
    await(a);
    assert_int_equal(answer_of(a)->form, form);
    if (form == SPD_STATUS)
        assert_int_equal(answer_of(a)->status, SP_FS_OK);
    if (form == SPD_ATTRIBUTES)
        assert_int_equal(answer_of(a)->u.attr.size, 10);
    if (handle != NULL)
        *handle = answer_of(a)->u.handle;
    forget(a);
    return done;
}

static void looked_at_opened_and_closed(void **state)
{
    (void)state;
    void *file;
    char buffer[16];
    if (!begin_known())
        skip();
    const sp_fs_request path = {.path = "f", .flags = SP_FS_READ};
    assert_true(at_once(SP_FS_OP_STAT, &path, SPD_ATTRIBUTES, NULL));
    assert_true(at_once(SP_FS_OP_LSTAT, &path, SPD_ATTRIBUTES, NULL));
    assert_true(at_once(SP_FS_OP_OPEN, &path, SPD_HANDLE, &file));
    const sp_fs_request handle = {.handle = file};
    assert_true(at_once(SP_FS_OP_FSTAT, &handle, SPD_ATTRIBUTES, NULL));
    assert_int_equal(read_at(file, 0, buffer, sizeof buffer), 10);
    assert_memory_equal(buffer, "0123456789", 10);
    assert_int_equal(read_at(file, 10, buffer, sizeof buffer), 0);
    assert_true(at_once(SP_FS_OP_CLOSE, &handle, SPD_STATUS, NULL));
    end();
}

/* Without what it takes, everything is as well. */
static void the_pool_does_it_too(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        void *file;
        if (!begin_known())
            skip();
        if (way == 0)
            inside()->root.openat2 = false;
        atomic_store(&inside()->disk, 0);
        atomic_store(&inside()->memory, 0);
        if (way == 1) /* some other device */
            atomic_store(&inside()->disk, makedev(250, 250));
        const sp_fs_request path = {.path = "f", .flags = SP_FS_READ};
        assert_false(at_once(SP_FS_OP_STAT, &path, SPD_ATTRIBUTES, NULL));
        assert_false(at_once(SP_FS_OP_LSTAT, &path, SPD_ATTRIBUTES, NULL));
        assert_false(at_once(SP_FS_OP_OPEN, &path, SPD_HANDLE, &file));
        ((spd_px_handle *)file)->speed = SPD_PX_SLOW;
        const sp_fs_request handle = {.handle = file};
        assert_false(at_once(SP_FS_OP_FSTAT, &handle, SPD_ATTRIBUTES, NULL));
        assert_false(at_once(SP_FS_OP_CLOSE, &handle, SPD_STATUS, NULL));
        end();
    }
}

/* Whatever changes something, and what may take long. */
static void not_at_once(void **state)
{
    (void)state;
    static const uint32_t flags[] = {
        SP_FS_WRITE,
        SP_FS_READ | SP_FS_CREATE,
        RW,
        SP_FS_WRITE | SP_FS_APPEND,
    };
    void *file;
    if (!begin_known())
        skip();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const sp_fs_request path = {.path = "f", .flags = flags[i]};
        assert_false(at_once(SP_FS_OP_OPEN, &path, SPD_HANDLE, &file));
        spd_px_speed speed = ((spd_px_handle *)file)->speed;
        bool written = (flags[i] & SP_FS_WRITE) != 0;
        const sp_fs_request handle = {.handle = file};
        assert_true(at_once(SP_FS_OP_CLOSE, &handle, SPD_STATUS, NULL) ==
                    (!written || speed == SPD_PX_MEMORY));
    }
    /* The last one that has it frees it. */
    file = open_as("f", SP_FS_READ);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "f"), SP_FS_OK);
    assert_false(at_once(SP_FS_OP_CLOSE, &(sp_fs_request){.handle = file}, SPD_STATUS, NULL));
    end();
}

/* Refusals have the same words as ever. */
static void refused(void **state)
{
    (void)state;
    if (!begin_known())
        skip();
    assert_int_equal(mkdir(real_path("d"), 0755), 0);
    assert_int_equal(mkfifo(real_path("p"), 0644), 0);
    assert_int_equal(symlink("/etc", real_path("out")), 0);
    assert_int_equal(symlink("f", real_path("link")), 0);
    for (int i = 0; i < 2; i++) {
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "none", .flags = SP_FS_READ},
              SP_FS_NO_SUCH_FILE, "No such file");
        fails(SP_FS_OP_STAT, &(sp_fs_request){.path = "none"}, SP_FS_NO_SUCH_FILE, "No such file");
        fails(SP_FS_OP_STAT, &(sp_fs_request){.path = "out"}, SP_FS_NO_SUCH_FILE, "No such file");
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "d", .flags = SP_FS_READ}, SP_FS_FAILURE,
              "Is a directory");
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "p", .flags = SP_FS_READ}, SP_FS_FAILURE,
              "Not a regular file");
    }
    /* A link is followed, or not, as asked. */
    asked *a = ask(SP_FS_OP_LSTAT, &(sp_fs_request){.path = "link"});
    assert_true(S_ISLNK(answer_of(a)->u.attr.permissions));
    forget(a);
    (void)at_once(SP_FS_OP_STAT, &(sp_fs_request){.path = "link"}, SPD_ATTRIBUTES, NULL);
    void *file = open_as("link", SP_FS_READ);
    char buffer[4];
    assert_int_equal(read_at(file, 0, buffer, 4), 4);
    close_it(file);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looked_at_opened_and_closed),
        cmocka_unit_test(the_pool_does_it_too),
        cmocka_unit_test(not_at_once),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
