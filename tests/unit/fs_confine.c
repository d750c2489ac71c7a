/* src/fs/posix_root.c and posix_walk.c, through every operation: nothing that a client writes, and
 * nothing that others swap meanwhile, leads out of the root. Each test runs with openat2(2) and
 * with the walk. */
#include "support/posix_stand.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SECRET_SIZE 31337u
#define RACES 3000

static char outside[64], secret[80];
static char long_name[5001], long_path[5001];

static const struct form {
    const char *name;
    bool walk;
} forms[] = {{"openat2", false}, {"walk", true}};

static void link_in(const char *text, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root_path, name);
    assert_int_equal(symlink(text, path), 0);
}

static void make_links(void)
{
    char text[256];
    link_in(secret, "abs");
    link_in(outside, "absdir");
    link_in("../outside", "reldir");
    link_in("../outside/secret", "rel");
    link_in("../../../../../../../../../../../../..", "top");
    link_in("..", "up");
    link_in("/", "slash");
    link_in("//..//..//", "slashes");
    link_in("chain2", "chain1");
    link_in("./chain3", "chain2");
    link_in("sub/../chain4", "chain3");
    link_in("sub/back/../../../outside/secret", "chain4");
    link_in("../..", "sub/back");
    link_in("../../../outside", "sub/deep");
    link_in("loop", "loop");
    link_in("ring2", "ring1");
    link_in("ring1", "ring2");
    link_in("reldir/secret", "via");
    link_in("new-outside", "dangling");
    snprintf(text, sizeof text, "%s/made", outside);
    link_in(text, "dangling_abs");
    link_in("../outside/made", "dangling_rel");
    link_in("/proc/self/root", "proc_root");
    link_in("/proc/self/cwd", "proc_cwd");
}

static int set_up(void **state)
{
    (void)state;
    char path[128];
    if (make_base() != 0)
        return -1;
    snprintf(outside, sizeof outside, "%s/outside", base);
    snprintf(secret, sizeof secret, "%s/secret", outside);
    snprintf(path, sizeof path, "%s/sub", root_path);
    if (mkdir(outside, 0755) != 0 || mkdir(path, 0755) != 0)
        return -1;
    put_file(secret, "secret");
    if (truncate(secret, SECRET_SIZE) != 0 || chmod(secret, 0640) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/plain", root_path);
    put_file(path, "plain");
    make_links();
    memset(long_name, 'n', sizeof long_name - 1);
    for (size_t i = 0; i + 1 < sizeof long_path; i++)
        long_path[i] = i % 3 == 2 ? '/' : '.';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return remove_base();
}

/* ---- what stays as it is ---- */

static struct stat secret_before, outside_before;

static void remember(void)
{
    assert_int_equal(stat(secret, &secret_before), 0);
    assert_int_equal(stat(outside, &outside_before), 0);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_size == b->st_size && a->st_nlink == b->st_nlink &&
           a->st_uid == b->st_uid && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void unchanged(const char *what, const char *path)
{
    struct stat now;
    bool fine = stat(secret, &now) == 0 && same(&now, &secret_before) && stat(outside, &now) == 0 &&
                same(&now, &outside_before);
    if (!fine)
        fail_msg("%s of \"%.60s\" changed what is outside", what, path);
}

static void handle_inside(const spd_px_handle *handle, const char *path)
{
    char self[40], real[256];
    snprintf(self, sizeof self, "/proc/self/fd/%d", handle->fd);
    ssize_t n = readlink(self, real, sizeof real - 1);
    assert_true(n > 0);
    real[n] = '\0';
    if (strncmp(real, root_path, strlen(root_path)) != 0)
        fail_msg("\"%.60s\" has opened %s", path, real);
}

/* Does it, and looks at what comes back. */
static void attempt(sp_fs_op op, const sp_fs_request *with)
{
    asked *a = ask(op, with);
    const spd_answer *answer = answer_of(a);
    if (answer->form == SPD_ATTRIBUTES && answer->u.attr.size == SECRET_SIZE)
        fail_msg("attributes of the secret by \"%.60s\"", with->path);
    if (answer->form == SPD_NAME && op != SP_FS_OP_READLINK && strstr(answer->text, base) != NULL &&
        strstr(with->path, base) == NULL)
        fail_msg("\"%.60s\" shows %s", with->path, answer->text);
    if (answer->form == SPD_HANDLE) {
        handle_inside(answer->u.handle, with->path);
        const sp_fs_request closing = {.handle = answer->u.handle};
        forget(ask(SP_FS_OP_CLOSE, &closing));
    }
    forget(a);
    unchanged("an operation", with->path);
}

/* ---- the paths ---- */

static const char *const fixed_paths[] = {
    "..",
    "../",
    "../..",
    "/..",
    "/../outside",
    "/../outside/secret",
    "../outside/secret",
    "../../../../../../../../../../../../../../etc/passwd",
    "sub/../../outside/secret",
    "sub/.././../outside/./secret",
    "sub//..//..//outside//secret",
    "abs",
    "abs/",
    "abs/.",
    "rel",
    "rel/",
    "via",
    "absdir",
    "absdir/",
    "absdir/.",
    "absdir/..",
    "absdir/secret",
    "absdir/made",
    "reldir",
    "reldir/",
    "reldir/secret",
    "reldir/../outside/secret",
    "reldir/made",
    "top/etc/passwd",
    "up/outside/secret",
    "up/up/up/outside/secret",
    "slash/etc/passwd",
    "slashes/etc/passwd",
    "slash/slash/up/outside/secret",
    "chain1",
    "chain1/",
    "sub/back/outside/secret",
    "sub/deep/secret",
    "sub/deep/",
    "sub/deep/made",
    "loop",
    "loop/secret",
    "ring1",
    "ring1/..",
    "dangling",
    "dangling_abs",
    "dangling_rel",
    "dangling_rel/",
    "proc_root/etc/passwd",
    "proc_cwd/../../etc/passwd",
    "/proc/self/root/etc/passwd",
    "/proc/self/fd/3",
    "",
    ".",
    "/",
    "//",
    "plain/..",
    "plain/../../outside/secret",
    "missing/../../outside/secret",
};

static void all_operations(const char *path)
{
    static const sp_fs_op simple[] = {
        SP_FS_OP_STAT,    SP_FS_OP_LSTAT,       SP_FS_OP_REALPATH,
        SP_FS_OP_OPENDIR, SP_FS_OP_READLINK,    SP_FS_OP_STATVFS,
        SP_FS_OP_OPEN,    SP_FS_OP_EXPAND_PATH, SP_FS_OP_HOME_DIRECTORY,
    };
    static const uint32_t ways[] = {
        SP_FS_READ,
        SP_FS_READ | SP_FS_WRITE,
        SP_FS_WRITE | SP_FS_CREATE | SP_FS_TRUNCATE,
        SP_FS_WRITE | SP_FS_CREATE | SP_FS_EXCLUSIVE,
        SP_FS_WRITE | SP_FS_CREATE | SP_FS_APPEND,
    };
    const sp_fs_attr attr = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES |
                                      SP_FS_ATTR_OWNER,
                             .permissions = 0755,
                             .size = 3,
                             .uid = getuid(),
                             .gid = getgid(),
                             .mtime = 7};
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        attempt(simple[i], &(sp_fs_request){.path = path});
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        attempt(SP_FS_OP_OPEN, &(sp_fs_request){.path = path, .flags = ways[i]});
    attempt(SP_FS_OP_SETSTAT, &(sp_fs_request){.path = path, .attr = attr});
    attempt(SP_FS_OP_LSETSTAT, &(sp_fs_request){.path = path, .attr = attr});
    attempt(SP_FS_OP_MKDIR, &(sp_fs_request){.path = path});
    attempt(SP_FS_OP_SYMLINK, &(sp_fs_request){.path = path, .to = "x"});
    attempt(SP_FS_OP_LINK, &(sp_fs_request){.path = "plain", .to = path});
    attempt(SP_FS_OP_LINK, &(sp_fs_request){.path = path, .to = "linked"});
    attempt(SP_FS_OP_RENAME, &(sp_fs_request){.path = "plain", .to = path});
    attempt(SP_FS_OP_RENAME, &(sp_fs_request){.path = path, .to = "away"});
    attempt(SP_FS_OP_RENAME, &(sp_fs_request){.path = "away", .to = path, .flags = SP_FS_REPLACE});
    attempt(SP_FS_OP_RMDIR, &(sp_fs_request){.path = path});
    attempt(SP_FS_OP_REMOVE, &(sp_fs_request){.path = path});
}

/* The root is made anew for each path: some operations succeed, inside. */
static void make_again(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf -- %s && mkdir -p %s/sub", root_path, root_path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/plain", root_path);
    put_file(command, "plain");
    make_links();
}

static void nothing_escapes(void **state)
{
    const struct form *form = *state;
    char inside_out[128];
    snprintf(inside_out, sizeof inside_out, "/sub/../..%s", secret);
    const char *const more[] = {secret, outside, inside_out, long_name, long_path};
    size_t fixed = sizeof fixed_paths / sizeof fixed_paths[0];
    for (size_t i = 0; i < fixed + sizeof more / sizeof more[0]; i++) {
        const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
        make_again();
        remember();
        begin(&options, form->walk);
        all_operations(i < fixed ? fixed_paths[i] : more[i - fixed]);
        end();
    }
    make_again();
}

static void expect(sp_fs_op op, const char *path, sp_fs_status wanted)
{
    sp_fs_status status = on_path(op, path);
    if (status != wanted)
        fail_msg("operation %d of \"%.60s\": %d, not %d", (int)op, path, (int)status, (int)wanted);
}

/* The errors, and that what is inside is found by the same words. */
static void the_same_answers(void **state)
{
    const struct form *form = *state;
    char name[256];
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    begin(&options, form->walk);
    expect(SP_FS_OP_STAT, "/../../plain", SP_FS_OK);
    expect(SP_FS_OP_STAT, "up/up/../slash/plain", SP_FS_OK);
    expect(SP_FS_OP_STAT, "sub/back/plain", SP_FS_OK);
    expect(SP_FS_OP_STAT, "abs", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_LSTAT, "abs", SP_FS_OK);
    expect(SP_FS_OP_LSTAT, "abs/", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_LSTAT, "up/", SP_FS_OK);
    expect(SP_FS_OP_STAT, "loop", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_STAT, "ring1/x", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_STAT, "plain/", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_STAT, "plain/x", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_STAT, "plain/..", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_STAT, long_name, SP_FS_BAD_MESSAGE);
    expect(SP_FS_OP_STAT, long_path, SP_FS_BAD_MESSAGE);
    expect(SP_FS_OP_REALPATH, long_path, SP_FS_BAD_MESSAGE);
    expect(SP_FS_OP_REALPATH, "missing/x", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_REALPATH, "plain/..", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_RMDIR, "sub/", SP_FS_OK + 4);
    expect(SP_FS_OP_REMOVE, "plain/", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_REMOVE, "..", SP_FS_FAILURE);
    expect(SP_FS_OP_RMDIR, "/", SP_FS_BAD_MESSAGE);
    assert_int_equal(name_from(SP_FS_OP_REALPATH, "sub/back/../sub/", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "/sub");
    assert_int_equal(name_from(SP_FS_OP_REALPATH, "top/../..", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "/");
    assert_int_equal(name_from(SP_FS_OP_REALPATH, "sub/back/new", name, sizeof name), SP_FS_OK);
    assert_string_equal(name, "/new");
    assert_int_equal(name_from(SP_FS_OP_REALPATH, "chain1", name, sizeof name), SP_FS_NO_SUCH_FILE);
    end();
}

/* A name that ends within the limits, by a link that makes it too long. */
static void links_are_bounded(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    char text[4096], name[16], path[4096];
    size_t n = 0;
    make_again();
    while (n + 4 < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "sub/../");
    link_in(text, "wide");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof name, "hop%d", i);
        snprintf(text, sizeof text, i == 1 ? "plain" : "hop%d", i - 1);
        link_in(text, name);
    }
    begin(&options, form->walk);
    snprintf(path, sizeof path, "wide/plain");
    (void)on_path(SP_FS_OP_STAT, path); /* the kernel can, the walk can't: both end */
    expect(SP_FS_OP_STAT, "hop40", SP_FS_OK);
    expect(SP_FS_OP_STAT, "hop41", SP_FS_NO_SUCH_FILE);
    /* As deep as a path can say, and up again. */
    n = 0;
    while (n < 2000)
        n += (size_t)snprintf(path + n, sizeof path - n, "sub/../");
    snprintf(path + n, sizeof path - n, "plain");
    expect(SP_FS_OP_STAT, path, SP_FS_OK);
    end();
    make_again();
}

/* /proc as the root: what lies in it is full of ways out. */
static void proc_links(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = "/proc"};
    static const char *const ways[] = {
        "self/root/etc/passwd",
        "self/root",
        "self/cwd",
        "self/cwd/..",
        "self/exe",
        "self/fd/0",
        "self/fd/1",
        "self/ns/mnt",
        "thread-self/root/etc",
        "self/task/../cwd",
        "1/root",
    };
    char path[64];
    int fd = open(outside, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    begin(&options, form->walk);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_not_equal(on_path(SP_FS_OP_STAT, ways[i]), SP_FS_OK);
        assert_int_not_equal(on_path(SP_FS_OP_OPENDIR, ways[i]), SP_FS_OK);
        assert_int_not_equal(on_path(SP_FS_OP_OPEN, ways[i]), SP_FS_OK);
    }
    snprintf(path, sizeof path, "self/fd/%d/secret", fd);
    assert_int_not_equal(on_path(SP_FS_OP_STAT, path), SP_FS_OK);
    assert_int_not_equal(on_path(SP_FS_OP_REALPATH, path), SP_FS_OK);
    expect(SP_FS_OP_STAT, "self/status", SP_FS_OK); /* no magic in this one */
    expect(SP_FS_OP_STAT, "mounts", SP_FS_OK);
    end();
    close(fd);
}

/* ---- races ---- */

static atomic_bool stop;
static char names[2][128];

/* Swaps two names as fast as it can. */
static void *swapper(void *data)
{
    (void)data;
    while (!atomic_load(&stop))
        (void)syscall(SYS_renameat2, AT_FDCWD, names[0], AT_FDCWD, names[1], 2u /* EXCHANGE */);
    return NULL;
}

/* A directory, and a link to the one outside, change places. */
static void swapped_links(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    pthread_t thread;
    char path[160];
    make_again();
    snprintf(names[0], sizeof names[0], "%s/spot", root_path);
    snprintf(names[1], sizeof names[1], "%s/trap", root_path);
    assert_int_equal(mkdir(names[0], 0755), 0);
    assert_int_equal(symlink(outside, names[1]), 0);
    snprintf(path, sizeof path, "%s/spot/secret", root_path);
    put_file(path, "mine");
    remember();
    begin(&options, form->walk);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, swapper, NULL), 0);
    for (int i = 0; i < RACES; i++) {
        attempt(SP_FS_OP_STAT, &(sp_fs_request){.path = "spot/secret"});
        attempt(SP_FS_OP_OPEN, &(sp_fs_request){.path = "spot/secret", .flags = SP_FS_READ});
        attempt(SP_FS_OP_OPEN,
                &(sp_fs_request){.path = "spot/made", .flags = SP_FS_WRITE | SP_FS_CREATE});
        attempt(SP_FS_OP_OPENDIR, &(sp_fs_request){.path = "spot"});
        attempt(SP_FS_OP_REALPATH, &(sp_fs_request){.path = "spot/secret"});
        attempt(SP_FS_OP_REMOVE, &(sp_fs_request){.path = "spot/made"});
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    end();
    make_again();
}

/* The last name itself changes between a file and a link to the secret. */
static void swapped_files(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    const sp_fs_attr attr = {
        .valid = SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_SIZE, .permissions = 0777, .size = 1};
    pthread_t thread;
    make_again();
    snprintf(names[0], sizeof names[0], "%s/file", root_path);
    snprintf(names[1], sizeof names[1], "%s/rel2", root_path);
    put_file(names[0], "mine");
    assert_int_equal(symlink("../outside/secret", names[1]), 0);
    remember();
    begin(&options, form->walk);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, swapper, NULL), 0);
    for (int i = 0; i < RACES; i++) {
        attempt(SP_FS_OP_OPEN, &(sp_fs_request){.path = "file", .flags = SP_FS_READ});
        attempt(SP_FS_OP_OPEN,
                &(sp_fs_request){.path = "file", .flags = SP_FS_WRITE | SP_FS_TRUNCATE});
        attempt(SP_FS_OP_SETSTAT, &(sp_fs_request){.path = "file", .attr = attr});
        attempt(SP_FS_OP_LSETSTAT, &(sp_fs_request){.path = "file", .attr = attr});
        attempt(SP_FS_OP_STAT, &(sp_fs_request){.path = "file"});
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    end();
    make_again();
}

/* A directory leaves the root while a path goes through it and up again. */
static void *mover(void *data)
{
    (void)data;
    while (!atomic_load(&stop)) {
        (void)rename(names[0], names[1]);
        (void)rename(names[1], names[0]);
    }
    return NULL;
}

static void moved_directories(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    pthread_t thread;
    char path[160];
    make_again();
    snprintf(path, sizeof path, "%s/a", root_path);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(names[0], sizeof names[0], "%s/a/b", root_path);
    snprintf(names[1], sizeof names[1], "%s/moved", base);
    assert_int_equal(mkdir(names[0], 0755), 0);
    snprintf(path, sizeof path, "%s/a/b/c", root_path);
    assert_int_equal(mkdir(path, 0755), 0);
    remember();
    begin(&options, form->walk);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, mover, NULL), 0);
    for (int i = 0; i < RACES; i++) {
        attempt(SP_FS_OP_STAT, &(sp_fs_request){.path = "a/b/c/../../outside/secret"});
        attempt(SP_FS_OP_STAT, &(sp_fs_request){.path = "a/b/../outside/secret"});
        attempt(SP_FS_OP_OPEN,
                &(sp_fs_request){.path = "a/b/c/../../../outside/secret", .flags = SP_FS_READ});
        attempt(SP_FS_OP_REALPATH, &(sp_fs_request){.path = "a/b/c/../.."});
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    end();
    make_again();
}

/* ---- what else there is ---- */

/* The root is a descriptor: its name may come to mean another directory. */
static void the_root_stays(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    char other[80];
    snprintf(other, sizeof other, "%s/renamed", base);
    begin(&options, form->walk);
    assert_int_equal(rename(root_path, other), 0);
    assert_int_equal(symlink(outside, root_path), 0);
    expect(SP_FS_OP_STAT, "/plain", SP_FS_OK);
    expect(SP_FS_OP_STAT, "/secret", SP_FS_NO_SUCH_FILE);
    end();
    assert_int_equal(unlink(root_path), 0);
    assert_int_equal(rename(other, root_path), 0);
}

/* A second name of a link is a link; it is not followed when it is made. */
static void hard_links(void **state)
{
    const struct form *form = *state;
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    char path[128];
    struct stat status;
    begin(&options, form->walk);
    assert_int_equal(on_paths(SP_FS_OP_LINK, "abs", "abs2", 0), SP_FS_OK);
    snprintf(path, sizeof path, "%s/abs2", root_path);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    expect(SP_FS_OP_STAT, "abs2", SP_FS_NO_SUCH_FILE);
    expect(SP_FS_OP_REMOVE, "abs2", SP_FS_OK);
    end();
}

#define BOTH(test)                                                                                 \
    {#test " (openat2)", test, NULL, NULL, (void *)(uintptr_t)&forms[0]},                          \
    {                                                                                              \
#test " (walk)", test, NULL, NULL, (void *)(uintptr_t)&forms[1]                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(nothing_escapes),   BOTH(the_same_answers), BOTH(links_are_bounded),
        BOTH(proc_links),        BOTH(swapped_links),    BOTH(swapped_files),
        BOTH(moved_directories), BOTH(the_root_stays),   BOTH(hard_links),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
