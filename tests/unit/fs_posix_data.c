/* src/fs/posix_file.c and posix_data.c: open files, what is in them, and what happens without
 * memory.
 */
#include "support/posix_stand.h"

#include <sys/socket.h>
#include <sys/un.h>

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

/* ---- files ---- */

static void read_and_written(void **state)
{
    (void)state;
    char buffer[64];
    begin_plain();
    void *file = open_as("f", RW | SP_FS_EXCLUSIVE);
    assert_int_equal(write_at(file, 0, "0123456789", 10), SP_FS_OK);
    assert_int_equal(write_at(file, 20, "end", 3), SP_FS_OK);
    assert_int_equal(write_at(file, 5, "", 0), SP_FS_OK);
    assert_int_equal(read_at(file, 5, buffer, 5), 5);
    assert_memory_equal(buffer, "56789", 5);
    assert_int_equal(read_at(file, 0, buffer, sizeof buffer), 23);
    assert_memory_equal(buffer + 10, "\0\0\0\0\0\0\0\0\0\0end", 13);
    assert_int_equal(read_at(file, 23, buffer, 1), 0);
    assert_int_equal(read_at(file, 1000, buffer, 1), 0);
    assert_int_equal(read_at(file, UINT64_MAX, buffer, 1), -SP_FS_FAILURE);
    assert_int_equal(write_at(file, UINT64_MAX - 1, "x", 1), SP_FS_FAILURE);
    fails(SP_FS_OP_WRITE,
          &(sp_fs_request){.handle = file, .offset = INT64_MAX, .bytes = "x", .length = 1},
          SP_FS_FAILURE, "File too large");
    /* A write is seen by what another handle reads, at once. */
    void *second = open_as("f", SP_FS_READ);
    assert_int_equal(read_at(second, 0, buffer, 4), 4);
    assert_int_equal(write_at(file, 0, "new!", 4), SP_FS_OK);
    assert_int_equal(read_at(second, 0, buffer, 4), 4);
    assert_memory_equal(buffer, "new!", 4);
    assert_int_equal(write_at(second, 0, "x", 1), SP_FS_PERMISSION_DENIED);
    assert_int_equal(status_of(SP_FS_OP_FSYNC, &(sp_fs_request){.handle = file}), SP_FS_OK);
    close_it(second);
    close_it(file);
    end();
}

static void opened_by_flags(void **state)
{
    (void)state;
    char buffer[8];
    begin_plain();
    fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "none", .flags = SP_FS_READ}, SP_FS_NO_SUCH_FILE,
          "No such file");
    void *file = open_as("f", SP_FS_WRITE | SP_FS_CREATE);
    assert_int_equal(read_at(file, 0, buffer, 1), -SP_FS_PERMISSION_DENIED);
    assert_int_equal(write_at(file, 0, "abc", 3), SP_FS_OK);
    close_it(file);
    assert_int_equal(mode_of("f"), 0644);
    fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "f", .flags = RW | SP_FS_EXCLUSIVE},
          SP_FS_FAILURE, "File exists");
    file = open_as("f", SP_FS_READ | SP_FS_WRITE | SP_FS_APPEND);
    assert_int_equal(write_at(file, 0, "def", 3), SP_FS_OK);
    assert_int_equal(read_at(file, 0, buffer, 8), 6);
    assert_memory_equal(buffer, "abcdef", 6);
    close_it(file);
    file = open_as("f", RW | SP_FS_TRUNCATE);
    assert_int_equal(read_at(file, 0, buffer, 8), 0);
    close_it(file);
    file = open_as("f", 0); /* as sshd: reading */
    assert_int_equal(read_at(file, 0, buffer, 8), 0);
    close_it(file);
    const sp_fs_request private = {
        .path = "p",
        .flags = RW,
        .attr = {.valid = SP_FS_ATTR_PERMISSIONS, .permissions = 0100666},
    };
    assert_int_equal(status_of(SP_FS_OP_OPEN, &private), SP_FS_OK);
    assert_int_equal(mode_of("p"), 0644);
    end();
}

/* Nothing waits for the other end of a FIFO, and no device is touched. */
static void only_regular_files(void **state)
{
    (void)state;
    static const uint32_t ways[] = {SP_FS_READ, SP_FS_WRITE, SP_FS_READ | SP_FS_WRITE,
                                    SP_FS_WRITE | SP_FS_CREATE | SP_FS_TRUNCATE};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    begin_plain();
    assert_int_equal(mkfifo(real_path("fifo"), 0666), 0);
    assert_int_equal(mkdir(real_path("dir"), 0777), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.64s/socket", root_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "fifo", .flags = ways[i]}, SP_FS_FAILURE,
              "Not a regular file");
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "socket", .flags = ways[i]}, SP_FS_FAILURE,
              "Not a regular file");
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "dir", .flags = ways[i]}, SP_FS_FAILURE,
              "Is a directory");
    }
    fails(SP_FS_OP_SETSTAT,
          &(sp_fs_request){.path = "fifo", .attr = {.valid = SP_FS_ATTR_SIZE, .size = 1}},
          SP_FS_BAD_MESSAGE, "Bad message");
    close(fd);
    end();
}

/* Many at a time: each gets its own bytes, and writes to the end keep their order. */
static void many_at_a_time(void **state)
{
    (void)state;
    enum { COUNT = 300, SIZE = 1000 };
    static char bytes[COUNT][SIZE];
    static asked *all[COUNT];
    static const uint32_t ways[] = {RW, RW | SP_FS_APPEND};
    for (size_t way = 0; way < 2; way++) {
        begin_plain();
        void *file = open_as("f", ways[way]);
        for (int i = 0; i < COUNT; i++) {
            memset(bytes[i], 'a' + i % 26, SIZE);
            all[i] = start_asking(SP_FS_OP_WRITE,
                                  &(sp_fs_request){.handle = file,
                                                   .offset = way == 1 ? 0 : (uint64_t)i * SIZE,
                                                   .bytes = bytes[i],
                                                   .length = SIZE});
        }
        for (int i = 0; i < COUNT; i++) {
            await(all[i]);
            assert_int_equal(answer_of(all[i])->status, SP_FS_OK);
            forget(all[i]);
            memset(bytes[i], 0, SIZE);
        }
        /* Out of memory, in the kernel's sense, so that reads go to the pool as well. */
        ((spd_px_handle *)file)->no_nowait = way == 1;
        for (int i = 0; i < COUNT; i++)
            all[i] = start_asking(SP_FS_OP_READ, &(sp_fs_request){.handle = file,
                                                                  .offset = (uint64_t)i * SIZE,
                                                                  .buffer = bytes[i],
                                                                  .length = SIZE});
        for (int i = 0; i < COUNT; i++) {
            await(all[i]);
            assert_int_equal(answer_of(all[i])->u.length, SIZE);
            assert_int_equal(bytes[i][0], 'a' + i % 26);
            assert_int_equal(bytes[i][SIZE - 1], 'a' + i % 26);
            forget(all[i]);
        }
        close_it(file);
        end();
    }
}

/* A file that is not in the kernel's memory. */
static void cold_reads(void **state)
{
    (void)state;
    enum { SIZE = 32768, COUNT = 64 };
    static char bytes[SIZE];
    begin_plain();
    void *file = open_as("f", RW);
    for (int i = 0; i < COUNT; i++) {
        memset(bytes, i, SIZE);
        assert_int_equal(write_at(file, (uint64_t)i * SIZE, bytes, SIZE), SP_FS_OK);
    }
    assert_int_equal(status_of(SP_FS_OP_FSYNC, &(sp_fs_request){.handle = file}), SP_FS_OK);
    int fd = ((spd_px_handle *)file)->fd;
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(read_at(file, (uint64_t)i * SIZE, bytes, SIZE), SIZE);
        assert_int_equal(bytes[0], i);
        assert_int_equal(bytes[SIZE - 1], i);
    }
    assert_int_equal(read_at(file, (uint64_t)COUNT * SIZE - 5, bytes, SIZE), 5);
    close_it(file);
    end();
}

static void the_quota(void **state)
{
    (void)state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path, .quota = 100};
    static const char bytes[60] = {0};
    empty_root();
    begin(&options, false);
    void *file = open_as("f", RW);
    assert_int_equal(write_at(file, 0, bytes, 60), SP_FS_OK);
    fails(SP_FS_OP_WRITE, &(sp_fs_request){.handle = file, .bytes = bytes, .length = 41},
          SP_FS_FAILURE, "No space left on device");
    fails(SP_FS_OP_FSETSTAT,
          &(sp_fs_request){.handle = file, .attr = {.valid = SP_FS_ATTR_SIZE, .size = 101}},
          SP_FS_FAILURE, "No space left on device");
    fails(SP_FS_OP_SETSTAT,
          &(sp_fs_request){.path = "f", .attr = {.valid = SP_FS_ATTR_SIZE, .size = INT64_MAX}},
          SP_FS_FAILURE, "No space left on device");
    void *copy = open_as("g", RW);
    fails(SP_FS_OP_COPY_DATA, &(sp_fs_request){.handle = file, .to_handle = copy}, SP_FS_FAILURE,
          "No space left on device");
    /* Two that fit alone and not together: the first gets its place. */
    asked *a =
        start_asking(SP_FS_OP_WRITE, &(sp_fs_request){.handle = file, .bytes = bytes, .length = 1});
    asked *b =
        start_asking(SP_FS_OP_WRITE,
                     &(sp_fs_request){.handle = file, .offset = 1, .bytes = bytes, .length = 30});
    asked *c =
        start_asking(SP_FS_OP_WRITE,
                     &(sp_fs_request){.handle = file, .offset = 31, .bytes = bytes, .length = 30});
    await(a);
    await(b);
    await(c);
    assert_int_equal(answer_of(a)->status, SP_FS_OK);
    assert_int_equal(answer_of(b)->status, SP_FS_OK);
    assert_int_equal(answer_of(c)->status, SP_FS_FAILURE);
    forget(a);
    forget(b);
    forget(c);
    assert_int_equal(write_at(file, 0, bytes, 9), SP_FS_OK);
    assert_int_equal(write_at(file, 0, bytes, 1), SP_FS_FAILURE);
    close_it(copy);
    close_it(file);
    end();
}

static void copied(void **state)
{
    (void)state;
    char buffer[32];
    begin_plain();
    void *from = open_as("from", RW);
    void *to = open_as("to", RW);
    assert_int_equal(write_at(from, 0, "0123456789", 10), SP_FS_OK);
    sp_fs_request with = {
        .handle = from, .to_handle = to, .offset = 2, .to_offset = 3, .length = 4};
    assert_int_equal(status_of(SP_FS_OP_COPY_DATA, &with), SP_FS_OK);
    assert_int_equal(read_at(to, 0, buffer, sizeof buffer), 7);
    assert_memory_equal(buffer,
                        "\0\0\0"
                        "2345",
                        7);
    with = (sp_fs_request){.handle = from, .to_handle = to}; /* all */
    assert_int_equal(status_of(SP_FS_OP_COPY_DATA, &with), SP_FS_OK);
    assert_int_equal(read_at(to, 0, buffer, sizeof buffer), 10);
    assert_memory_equal(buffer, "0123456789", 10);
    with = (sp_fs_request){.handle = from, .to_handle = to, .offset = 1000};
    assert_int_equal(status_of(SP_FS_OP_COPY_DATA, &with), SP_FS_OK);
    /* Within one file: to its own end, and not over itself. */
    with = (sp_fs_request){.handle = from, .to_handle = from, .to_offset = 10};
    assert_int_equal(status_of(SP_FS_OP_COPY_DATA, &with), SP_FS_OK);
    assert_int_equal(read_at(from, 0, buffer, sizeof buffer), 20);
    assert_memory_equal(buffer + 10, "0123456789", 10);
    fails(SP_FS_OP_COPY_DATA,
          &(sp_fs_request){.handle = from, .to_handle = from, .length = 10, .to_offset = 5},
          SP_FS_FAILURE, "The ranges overlap");
    void *append = open_as("to", SP_FS_WRITE | SP_FS_APPEND); /* where the kernel won't copy */
    with = (sp_fs_request){.handle = from, .to_handle = append, .length = 5};
    assert_int_equal(status_of(SP_FS_OP_COPY_DATA, &with), SP_FS_OK);
    assert_int_equal(read_at(to, 0, buffer, sizeof buffer), 15);
    assert_memory_equal(buffer + 10, "01234", 5);
    fails(SP_FS_OP_COPY_DATA, &(sp_fs_request){.handle = append, .to_handle = from},
          SP_FS_PERMISSION_DENIED, "Permission denied");
    fails(SP_FS_OP_COPY_DATA,
          &(sp_fs_request){.handle = from, .to_handle = to, .to_offset = UINT64_MAX}, SP_FS_FAILURE,
          "File too large");
    close_it(append);
    close_it(to);
    close_it(from);
    end();
}

/* ---- out of memory ---- */

static size_t allowed;

static void *meager_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return allowed == 0 ? NULL : (allowed--, malloc(size));
}

static void *meager_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return allowed == 0 ? NULL : (allowed--, realloc(ptr, size));
}

static void meager_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static bool all_at_once(void *file, sp_fs_op op, char *bytes)
{
    enum { COUNT = 40 };
    asked *all[COUNT];
    bool fine = true;
    for (size_t i = 0; i < COUNT; i++)
        all[i] = start_asking(
            op,
            &(sp_fs_request){
                .handle = file, .offset = i, .bytes = bytes + i, .buffer = bytes + i, .length = 1});
    for (size_t i = 0; i < COUNT; i++) {
        await(all[i]);
        fine = fine && answer_of(all[i])->status == SP_FS_OK;
        forget(all[i]);
    }
    return fine;
}

/* Several things, with only so much memory; the last allocation that is refused ends well too. */
static bool do_with(size_t count)
{
    const uint32_t id = 0;
    char bytes[64] = "";
    begin_plain();
    put_file(real_path("f"), "0123456789");
    void *file = open_as("f", RW);
    void *end_of = open_as("g", SP_FS_WRITE | SP_FS_CREATE | SP_FS_APPEND);
    ((spd_px_handle *)file)->no_nowait = true;
    inside()->env.allocator = (sp_allocator){NULL, meager_alloc, meager_realloc, meager_free};
    allowed = count;
    bool fine = status_of(SP_FS_OP_OPEN, &(sp_fs_request){.path = "f"}) == SP_FS_OK;
    fine = all_at_once(file, SP_FS_OP_WRITE, bytes) && fine;
    fine = all_at_once(file, SP_FS_OP_READ, bytes) && fine;
    fine = status_of(SP_FS_OP_COPY_DATA, &(sp_fs_request){.handle = file, .to_handle = end_of}) ==
               SP_FS_OK &&
           fine;
    fine = status_of(SP_FS_OP_USERS_GROUPS, &(sp_fs_request){.uids = &id, .uid_count = 1}) ==
               SP_FS_OK &&
           fine;
    asked *a = ask(SP_FS_OP_OPENDIR, &(sp_fs_request){.path = "."});
    if (answer_of(a)->form == SPD_HANDLE) {
        void *dir = answer_of(a)->u.handle;
        fine =
            status_of(SP_FS_OP_READDIR, &(sp_fs_request){.handle = dir, .length = 9}) == SP_FS_OK &&
            fine;
        close_it(dir);
    } else {
        fine = false;
    }
    forget(a);
    bool enough = allowed > 0;
    close_it(end_of);
    close_it(file);
    end();
    return fine && enough;
}

static void out_of_memory(void **state)
{
    (void)state;
    size_t count = 0;
    while (!do_with(count))
        assert_true(++count < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_written),
        cmocka_unit_test(opened_by_flags),
        cmocka_unit_test(only_regular_files),
        cmocka_unit_test(many_at_a_time),
        cmocka_unit_test(cold_reads),
        cmocka_unit_test(the_quota),
        cmocka_unit_test(copied),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
