/* src/fs/posix*.c: every operation, what it answers, and how it fails. */
#include "support/posix_stand.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RW (SP_FS_READ | SP_FS_WRITE | SP_FS_CREATE)

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

static const char *real_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", root_path, name);
    return path;
}

static void empty_root(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf -- %s && mkdir %s", root_path, root_path);
    assert_int_equal(system(command), 0);
}

static void begin_plain(void)
{
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    empty_root();
    begin(&options, false);
}

/* With the calls of old kernels, when the test's state says so. */
static void choose_calls(void **state)
{
    inside()->old_calls = *state != NULL;
}

static unsigned mode_of(const char *name)
{
    struct stat status;
    assert_int_equal(lstat(real_path(name), &status), 0);
    return status.st_mode & 07777;
}

/* The status and its text. */
static void fails(sp_fs_op op, const sp_fs_request *with, sp_fs_status status, const char *text)
{
    asked *a = ask(op, with);
    const char *given = answer_of(a)->text;
    if (given == NULL)
        given = spd_status_text(answer_of(a)->status);
    assert_int_equal(answer_of(a)->form, SPD_STATUS);
    assert_int_equal(answer_of(a)->status, status);
    assert_string_equal(given, text);
    forget(a);
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

/* ---- attributes ---- */

static sp_fs_attr attr_of(sp_fs_op op, const sp_fs_request *with)
{
    asked *a = ask(op, with);
    assert_int_equal(answer_of(a)->form, SPD_ATTRIBUTES);
    sp_fs_attr attr = answer_of(a)->u.attr;
    forget(a);
    return attr;
}

static void attributes(void **state)
{
    struct stat status;
    begin_plain();
    choose_calls(state);
    put_file(real_path("f"), "12345");
    assert_int_equal(symlink("f", real_path("l")), 0);
    assert_int_equal(stat(real_path("f"), &status), 0);
    sp_fs_attr attr = attr_of(SP_FS_OP_STAT, &(sp_fs_request){.path = "l"});
    assert_int_equal(attr.size, 5);
    assert_int_equal(attr.permissions, 0100644);
    assert_int_equal(attr.uid, status.st_uid);
    assert_int_equal(attr.gid, status.st_gid);
    assert_int_equal(attr.mtime, status.st_mtim.tv_sec);
    assert_int_equal(attr.links, 1);
    attr = attr_of(SP_FS_OP_LSTAT, &(sp_fs_request){.path = "l"});
    assert_int_equal(attr.permissions & S_IFMT, S_IFLNK);

    sp_fs_request with = {.path = "l",
                          .attr = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS |
                                            SP_FS_ATTR_TIMES | SP_FS_ATTR_OWNER,
                                   .size = 3,
                                   .permissions = 0100751,
                                   .atime = 1000,
                                   .mtime = 2000,
                                   .uid = getuid(),
                                   .gid = getgid()}};
    assert_int_equal(status_of(SP_FS_OP_SETSTAT, &with), SP_FS_OK);
    attr = attr_of(SP_FS_OP_STAT, &(sp_fs_request){.path = "f"});
    assert_int_equal(attr.size, 3);
    assert_int_equal(attr.permissions, 0100751);
    assert_int_equal(attr.atime, 1000);
    assert_int_equal(attr.mtime, 2000);

    /* The link itself. */
    with.attr.valid = SP_FS_ATTR_TIMES;
    with.attr.mtime = 3000;
    assert_int_equal(status_of(SP_FS_OP_LSETSTAT, &with), SP_FS_OK);
    assert_int_equal(attr_of(SP_FS_OP_LSTAT, &(sp_fs_request){.path = "l"}).mtime, 3000);
    assert_int_equal(attr_of(SP_FS_OP_STAT, &(sp_fs_request){.path = "l"}).mtime, 2000);
    with.attr.valid = SP_FS_ATTR_PERMISSIONS;
    assert_int_equal(status_of(SP_FS_OP_LSETSTAT, &with), SP_FS_OP_UNSUPPORTED);
    with.attr.valid = SP_FS_ATTR_SIZE;
    assert_int_equal(status_of(SP_FS_OP_LSETSTAT, &with), SP_FS_BAD_MESSAGE);
    with.path = "none";
    assert_int_equal(status_of(SP_FS_OP_SETSTAT, &with), SP_FS_NO_SUCH_FILE);

    /* A file that may not be opened can still be given permissions. */
    assert_int_equal(chmod(real_path("f"), 0), 0);
    with = (sp_fs_request){.path = "f",
                           .attr = {.valid = SP_FS_ATTR_PERMISSIONS, .permissions = 0600}};
    assert_int_equal(status_of(SP_FS_OP_SETSTAT, &with), SP_FS_OK);
    assert_int_equal(mode_of("f"), 0600);

    void *file = open_as("f", SP_FS_READ | SP_FS_WRITE);
    with = (sp_fs_request){
        .handle = file,
        .attr = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES,
                 .size = 77,
                 .permissions = 0640,
                 .mtime = 4000}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &with), SP_FS_OK);
    attr = attr_of(SP_FS_OP_FSTAT, &(sp_fs_request){.handle = file});
    assert_int_equal(attr.size, 77);
    assert_int_equal(attr.permissions, 0100640);
    assert_int_equal(attr.mtime, 4000);
    with.attr = (sp_fs_attr){.valid = SP_FS_ATTR_SIZE, .size = UINT64_MAX};
    fails(SP_FS_OP_FSETSTAT, &with, SP_FS_FAILURE, "File too large");
    close_it(file);
    file = open_as("f", SP_FS_READ);
    with.handle = file;
    with.attr.size = 1;
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &with), SP_FS_PERMISSION_DENIED);
    asked *a = ask(SP_FS_OP_FSTATVFS, &(sp_fs_request){.handle = file});
    assert_int_equal(answer_of(a)->form, SPD_SPACE);
    assert_true(answer_of(a)->u.volume.blocks > 0);
    forget(a);
    close_it(file);
    a = ask(SP_FS_OP_STATVFS, &(sp_fs_request){.path = "/"});
    assert_int_equal(answer_of(a)->form, SPD_SPACE);
    assert_true(answer_of(a)->u.volume.fragment_size > 0);
    forget(a);
    end();
}

static void the_umask(void **state)
{
    static const mode_t process[] = {0, 022, 077};
    static const mode_t ours[] = {0, 002, 027};
    for (size_t i = 0; i < 9; i++) {
        const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path,
                                             .set_umask = true, .umask = ours[i % 3]};
        empty_root();
        (void)umask(process[i / 3]);
        begin(&options, false);
        choose_calls(state);
        close_it(open_as("f", RW));
        assert_int_equal(mode_of("f"), 0666 & ~ours[i % 3]);
        assert_int_equal(on_path(SP_FS_OP_MKDIR, "d"), SP_FS_OK);
        assert_int_equal(mode_of("d"), 0777 & ~ours[i % 3]);
        /* What was there keeps its permissions, also behind a link. */
        assert_int_equal(chmod(real_path("f"), 0604), 0);
        assert_int_equal(symlink("f", real_path("l")), 0);
        assert_int_equal(symlink("g", real_path("m")), 0);
        close_it(open_as("f", RW | SP_FS_TRUNCATE));
        close_it(open_as("l", RW));
        assert_int_equal(mode_of("f"), 0604);
        close_it(open_as("m", RW)); /* a link to what is not there yet */
        assert_int_equal(mode_of("g") & 0777 & (unsigned)ours[i % 3], 0);
        end();
    }
    (void)umask(022);
}

/* ---- directories ---- */

static void listed(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    char name[32];
    bool seen[COUNT] = {false};
    begin_plain();
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "file%d", i);
        put_file(real_path(name), "x");
    }
    asked *a = ask(SP_FS_OP_OPENDIR, &(sp_fs_request){.path = "."});
    assert_int_equal(answer_of(a)->form, SPD_HANDLE);
    void *dir = answer_of(a)->u.handle;
    forget(a);
    int found = 0, others = 0;
    for (;;) {
        a = ask(SP_FS_OP_READDIR, &(sp_fs_request){.handle = dir, .length = 100});
        if (answer_of(a)->form != SPD_NAMES)
            break;
        assert_true(answer_of(a)->u.names.count >= 1 && answer_of(a)->u.names.count <= 100);
        for (size_t i = 0; i < answer_of(a)->u.names.count; i++) {
            const sp_fs_entry *entry = &answer_of(a)->u.names.entries[i];
            int number = -1;
            if (sscanf(entry->name, "file%d", &number) != 1) {
                others++;
                continue;
            }
            assert_true(number >= 0 && number < COUNT && !seen[number]);
            seen[number] = true;
            found++;
            assert_int_equal(entry->attr.size, 1);
            assert_int_equal(entry->attr.permissions, 0100644);
        }
        forget(a);
    }
    assert_int_equal(answer_of(a)->status, SP_FS_EOF);
    forget(a);
    assert_int_equal(found, COUNT);
    assert_int_equal(others, 2); /* "." and ".." */
    /* A directory is no file, and the other way round. */
    char byte;
    fails(SP_FS_OP_READ, &(sp_fs_request){.handle = dir, .buffer = &byte, .length = 1},
          SP_FS_FAILURE, "Is a directory");
    fails(SP_FS_OP_WRITE, &(sp_fs_request){.handle = dir, .bytes = "x", .length = 1}, SP_FS_FAILURE,
          "Is a directory");
    assert_int_equal(attr_of(SP_FS_OP_FSTAT, &(sp_fs_request){.handle = dir}).permissions, 0040755);
    assert_int_equal(status_of(SP_FS_OP_CLOSEDIR, &(sp_fs_request){.handle = dir}), SP_FS_OK);
    void *file = open_as("file1", SP_FS_READ);
    fails(SP_FS_OP_READDIR, &(sp_fs_request){.handle = file, .length = 1}, SP_FS_NO_SUCH_FILE,
          "No such file");
    close_it(file);
    fails(SP_FS_OP_OPENDIR, &(sp_fs_request){.path = "file1"}, SP_FS_NO_SUCH_FILE, "No such file");
    end();
}

static void made_and_removed(void **state)
{
    (void)state;
    begin_plain();
    const sp_fs_request with = {.path = "d",
                                .attr = {.valid = SP_FS_ATTR_PERMISSIONS, .permissions = 040700}};
    assert_int_equal(status_of(SP_FS_OP_MKDIR, &with), SP_FS_OK);
    assert_int_equal(mode_of("d"), 0700);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "e/"), SP_FS_OK);
    fails(SP_FS_OP_MKDIR, &with, SP_FS_FAILURE, "File exists");
    fails(SP_FS_OP_MKDIR, &(sp_fs_request){.path = "."}, SP_FS_FAILURE, "File exists");
    fails(SP_FS_OP_MKDIR, &(sp_fs_request){.path = "none/x"}, SP_FS_NO_SUCH_FILE, "No such file");
    put_file(real_path("d/f"), "");
    fails(SP_FS_OP_RMDIR, &(sp_fs_request){.path = "d"}, SP_FS_FAILURE, "Directory not empty");
    fails(SP_FS_OP_REMOVE, &(sp_fs_request){.path = "d"}, SP_FS_FAILURE, "Is a directory");
    fails(SP_FS_OP_RMDIR, &(sp_fs_request){.path = "d/f"}, SP_FS_NO_SUCH_FILE, "No such file");
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "d/f"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "d/f"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "d/"), SP_FS_OK);
    end();
}

/* ---- names ---- */

static void renamed(void **state)
{
    char text[8] = "";
    begin_plain();
    choose_calls(state);
    put_file(real_path("a"), "a");
    put_file(real_path("b"), "b");
    assert_int_equal(mkdir(real_path("d"), 0777), 0);
    fails(SP_FS_OP_RENAME, &(sp_fs_request){.path = "a", .to = "b"}, SP_FS_FAILURE, "File exists");
    fails(SP_FS_OP_RENAME, &(sp_fs_request){.path = "a", .to = "d"}, SP_FS_FAILURE, "File exists");
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "a", "c", 0), SP_FS_OK);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "a", "c", 0), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "c", "b", SP_FS_REPLACE), SP_FS_OK);
    FILE *file = fopen(real_path("b"), "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "a");
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "d", "e", 0), SP_FS_OK);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "e/", "d/", 0), SP_FS_OK);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "b/", "x", 0), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "d", "d/x", 0), SP_FS_BAD_MESSAGE);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "b", "d", SP_FS_REPLACE), SP_FS_FAILURE);
    end();
}

static void linked(void **state)
{
    (void)state;
    char name[256];
    begin_plain();
    put_file(real_path("f"), "text");
    assert_int_equal(on_paths(SP_FS_OP_LINK, "f", "g", 0), SP_FS_OK);
    assert_int_equal(attr_of(SP_FS_OP_STAT, &(sp_fs_request){.path = "g"}).links, 2);
    fails(SP_FS_OP_LINK, &(sp_fs_request){.path = "f", .to = "g"}, SP_FS_FAILURE, "File exists");
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "l", "../../what/ever", 0), SP_FS_OK);
    assert_int_equal(name_from(SP_FS_OP_READLINK, "l", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "../../what/ever");
    fails(SP_FS_OP_SYMLINK, &(sp_fs_request){.path = "l", .to = "x"}, SP_FS_FAILURE, "File exists");
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "m", "", 0), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "m/", "x", 0), SP_FS_NO_SUCH_FILE);
    fails(SP_FS_OP_READLINK, &(sp_fs_request){.path = "f"}, SP_FS_BAD_MESSAGE, "Bad message");
    assert_int_equal(on_path(SP_FS_OP_READLINK, "none"), SP_FS_NO_SUCH_FILE);
    end();
}

/* ---- options ---- */

static void where_it_begins(void **state)
{
    (void)state;
    char name[256];
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path,
                                         .home = "/home/me"};
    empty_root();
    begin(&options, false);
    assert_int_equal(name_from(SP_FS_OP_HOME_DIRECTORY, "", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "/home/me"); /* though it is not there */
    assert_int_equal(on_path(SP_FS_OP_STAT, "x"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/home"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/home/me"), SP_FS_OK);
    close_it(open_as("x", RW));
    assert_int_equal(on_path(SP_FS_OP_STAT, "/home/me/x"), SP_FS_OK);
    static const char *const expanded[][2] = {
        {"~", "/home/me"},   {"~/", "/home/me"}, {"~/x", "/home/me/x"},
        {"x", "/home/me/x"}, {"", "/home/me"},   {"~somebody/x", "/home/me/x"},
        {"~/../..", "/"},    {"/home", "/home"}, {"~//x", "/home/me/x"},
    };
    for (size_t i = 0; i < sizeof expanded / sizeof expanded[0]; i++) {
        assert_int_equal(name_from(SP_FS_OP_EXPAND_PATH, expanded[i][0], name, sizeof name),
                         SP_FS_OK);
        assert_string_equal(name, expanded[i][1]);
    }
    assert_int_equal(name_from(SP_FS_OP_REALPATH, ".", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "/home/me");
    /* Others' homes belong to the machine, not to this root. */
    assert_int_equal(on_path(SP_FS_OP_EXPAND_PATH, "~root"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_HOME_DIRECTORY, "root"), SP_FS_NO_SUCH_FILE);
    end();
}

static void unconfined(void **state)
{
    (void)state;
    char name[256], wanted[PATH_MAX];
    begin(NULL, false);
    assert_false(inside()->confined);
    assert_int_equal(name_from(SP_FS_OP_REALPATH, base, name, sizeof name), SP_FS_OK);
    assert_non_null(realpath(base, wanted));
    assert_string_equal(name, wanted);
    assert_int_equal(name_from(SP_FS_OP_EXPAND_PATH, "~root", name, sizeof name), SP_FS_OK);
    assert_int_equal(name[0], '/');
    assert_int_equal(on_path(SP_FS_OP_EXPAND_PATH, "~no-such-user-here/x"), SP_FS_NO_SUCH_FILE);
    const uint32_t uids[] = {0, 4000000000u}, gids[] = {0};
    asked *a = ask(SP_FS_OP_USERS_GROUPS,
                   &(sp_fs_request){.uids = uids, .uid_count = 2, .gids = gids, .gid_count = 1});
    assert_int_equal(answer_of(a)->form, SPD_OWNERS);
    assert_int_equal(answer_of(a)->u.owners.users, 2);
    assert_string_equal(answer_of(a)->u.owners.names[0], "root");
    assert_string_equal(answer_of(a)->u.owners.names[1], "");
    assert_string_equal(answer_of(a)->u.owners.names[2], "root");
    forget(a);
    end();
}

static void read_only(void **state)
{
    (void)state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path,
                                         .read_only = true};
    static const sp_fs_op changing[] = {
        SP_FS_OP_SETSTAT, SP_FS_OP_LSETSTAT, SP_FS_OP_REMOVE,  SP_FS_OP_MKDIR,
        SP_FS_OP_RMDIR,   SP_FS_OP_RENAME,   SP_FS_OP_SYMLINK, SP_FS_OP_LINK,
    };
    static const uint32_t flags[] = {RW, SP_FS_WRITE, SP_FS_READ | SP_FS_CREATE,
                                     SP_FS_READ | SP_FS_TRUNCATE};
    empty_root();
    put_file(real_path("f"), "x");
    begin(&options, false);
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++)
        assert_int_equal(on_paths(changing[i], "f", "g", 0), SP_FS_PERMISSION_DENIED);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_int_equal(on_paths(SP_FS_OP_OPEN, "f", NULL, flags[i]), SP_FS_PERMISSION_DENIED);
    void *file = open_as("f", SP_FS_READ);
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &(sp_fs_request){.handle = file}),
                     SP_FS_PERMISSION_DENIED);
    close_it(file);
    end();
}

static void no_symlinks(void **state)
{
    (void)state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path,
                                         .no_symlinks = true};
    empty_root();
    begin(&options, false);
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "l", "x", 0), SP_FS_PERMISSION_DENIED);
    end();
}

static void bad_options(void **state)
{
    (void)state;
    sp_fs *made;
    sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = "/nonexistent/root"};
    assert_int_equal(sp_fs_posix_new(&made, &options), SP_ENOENT);
    assert_null(made);
    options.root = root_path;
    options.home = "relative";
    assert_int_equal(sp_fs_posix_new(&made, &options), SP_EINVAL);
    options.home = NULL;
    options.root = "/etc/passwd"; /* no directory */
    assert_int_not_equal(sp_fs_posix_new(&made, &options), 0);
    options.size = 1;
    assert_int_equal(sp_fs_posix_new(&made, &options), SP_EINVAL);
}

/* As somebody without rights; root has all. */
static void without_rights(void **state)
{
    (void)state;
    begin_plain();
    put_file(real_path("f"), "x");
    if (geteuid() != 0)
        assert_int_equal(chmod(real_path("f"), 0), 0);
    if (geteuid() != 0)
        fails(SP_FS_OP_OPEN, &(sp_fs_request){.path = "f", .flags = SP_FS_READ},
              SP_FS_PERMISSION_DENIED, "Permission denied");
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
    static char old[] = "old";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_written),
        cmocka_unit_test(opened_by_flags),
        cmocka_unit_test(only_regular_files),
        cmocka_unit_test(many_at_a_time),
        cmocka_unit_test(cold_reads),
        cmocka_unit_test(the_quota),
        cmocka_unit_test(copied),
        cmocka_unit_test(attributes),
        cmocka_unit_test(the_umask),
        cmocka_unit_test(listed),
        cmocka_unit_test(made_and_removed),
        cmocka_unit_test(renamed),
        cmocka_unit_test(linked),
        cmocka_unit_test(where_it_begins),
        cmocka_unit_test(unconfined),
        cmocka_unit_test(read_only),
        cmocka_unit_test(no_symlinks),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(out_of_memory),
        {"attributes (old calls)", attributes, NULL, NULL, old},
        {"the_umask (old calls)", the_umask, NULL, NULL, old},
        {"renamed (old calls)", renamed, NULL, NULL, old},
        cmocka_unit_test(without_rights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
