/* src/fs/posix*.c: attributes, directories, names and options: what each operation answers, and how
 * it fails. */
#include "support/posix_stand.h"

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

/* With the calls of old kernels, when the test's state says so. */
static void choose_calls(void **state)
{
    inside()->old_calls = *state != NULL;
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

static mode_t listed_mode(const char *folder, const char *name)
{
    mode_t mode = 0;
    asked *a = ask(SP_FS_OP_OPENDIR, &(sp_fs_request){.path = folder});
    assert_int_equal(answer_of(a)->form, SPD_HANDLE);
    void *dir = answer_of(a)->u.handle;
    forget(a);
    a = ask(SP_FS_OP_READDIR, &(sp_fs_request){.handle = dir, .length = 100});
    assert_int_equal(answer_of(a)->form, SPD_NAMES);
    for (size_t i = 0; i < answer_of(a)->u.names.count; i++)
        if (strcmp(answer_of(a)->u.names.entries[i].name, name) == 0)
            mode = answer_of(a)->u.names.entries[i].attr.permissions & 07777;
    forget(a);
    assert_int_equal(status_of(SP_FS_OP_CLOSEDIR, &(sp_fs_request){.handle = dir}), SP_FS_OK);
    return mode;
}

/* The root is its own parent: what is above it does not show. */
static void nothing_above_shows(void **state)
{
    (void)state;
    begin_plain();
    assert_int_equal(chmod(base, 0711), 0);
    assert_int_equal(chmod(root_path, 0751), 0);
    assert_int_equal(mkdir(real_path("d"), 0700), 0);
    assert_int_equal(listed_mode("/", ".."), 0751);
    assert_int_equal(listed_mode("/d", ".."), 0751);
    assert_int_equal(listed_mode("/d", "."), 0700);
    assert_int_equal(rmdir(real_path("d")), 0);
    assert_int_equal(chmod(base, 0700), 0);
    assert_int_equal(chmod(root_path, 0755), 0);
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

/* A new name that was made, and an old one that can't be removed: in a sticky directory, by
 * somebody else. Both stay as they were. */
static void half_renamed(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    begin_plain();
    inside()->old_calls = true;
    assert_int_equal(chmod(base, 0755), 0);
    assert_int_equal(mkdir(real_path("sticky"), 0755), 0);
    assert_int_equal(chmod(real_path("sticky"), 01777), 0);
    assert_int_equal(mkdir(real_path("open"), 0755), 0);
    assert_int_equal(chmod(real_path("open"), 0777), 0);
    put_file(real_path("sticky/f"), "text");
    assert_int_equal(chmod(real_path("sticky/f"), 0666), 0);
    assert_int_equal(seteuid(65534), 0);
    sp_fs_status status = on_paths(SP_FS_OP_RENAME, "sticky/f", "open/g", 0);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, SP_FS_PERMISSION_DENIED);
    assert_int_equal(access(real_path("open/g"), F_OK), -1);
    assert_int_equal(access(real_path("sticky/f"), F_OK), 0);
    assert_int_equal(unlink(real_path("sticky/f")), 0);
    assert_int_equal(rmdir(real_path("sticky")), 0);
    assert_int_equal(rmdir(real_path("open")), 0);
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

int main(void)
{
    static char old[] = "old";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes),
        cmocka_unit_test(the_umask),
        cmocka_unit_test(listed),
        cmocka_unit_test(nothing_above_shows),
        cmocka_unit_test(made_and_removed),
        cmocka_unit_test(renamed),
        cmocka_unit_test(half_renamed),
        cmocka_unit_test(linked),
        cmocka_unit_test(where_it_begins),
        cmocka_unit_test(unconfined),
        cmocka_unit_test(read_only),
        cmocka_unit_test(no_symlinks),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(without_rights),
        {"attributes (old calls)", attributes, NULL, NULL, old},
        {"the_umask (old calls)", the_umask, NULL, NULL, old},
        {"renamed (old calls)", renamed, NULL, NULL, old},
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
