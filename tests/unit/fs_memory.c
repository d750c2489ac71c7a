/* src/fs/memory.c, memory_tree.c: paths and links, renaming, names that go while they are open, the
 * bounds of what it takes. */
#include "support/posix_stand.h"

#include "fs/memory.h"

#define MAKE (RW | SP_FS_CREATE)

static spd_memory *memory(void)
{
    return sp_fs_data_of(fs);
}

static void begin_memory(const sp_fs_memory_options *options)
{
    fs = sp_fs_memory_new(options);
    assert_non_null(fs);
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    session = spd_session_new(fs, loop, NULL, "somebody");
    assert_non_null(session);
}

static void make_file(const char *path, const char *text)
{
    void *h = open_as(path, MAKE | SP_FS_TRUNCATE);
    assert_int_equal(write_at(h, 0, text, strlen(text)), SP_FS_OK);
    close_it(h);
}

static void make_dir(const char *path)
{
    assert_int_equal(on_path(SP_FS_OP_MKDIR, path), SP_FS_OK);
}

static void make_link(const char *path, const char *to)
{
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, path, to, 0), SP_FS_OK);
}

static void expect_file(const char *path, const char *text)
{
    char found[64];
    void *h = open_as(path, SP_FS_READ);
    long n = read_at(h, 0, found, sizeof found);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(found, text, strlen(text));
    close_it(h);
}

static void expect_path(const char *path, const char *real)
{
    char found[256];
    assert_int_equal(name_from(SP_FS_OP_REALPATH, path, found, sizeof found), SP_FS_OK);
    assert_string_equal(found, real);
}

static sp_fs_status opening(const char *path, uint32_t flags)
{
    const sp_fs_request with = {.path = path, .flags = flags};
    return status_of(SP_FS_OP_OPEN, &with);
}

/* ---- paths ---- */

static void paths_lead_where_they_should(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_dir("/d");
    make_dir("/d/e");
    make_file("/d/e/f", "f");
    expect_path("", "/");
    expect_path("/../..", "/");
    expect_path("d//e/./../e/f", "/d/e/f");
    expect_path("/d/new", "/d/new");
    assert_int_equal(on_path(SP_FS_OP_STAT, "/d/none/x"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_STAT, "/d/e/f/x"), SP_FS_NO_SUCH_FILE); /* ENOTDIR */
    assert_int_equal(on_path(SP_FS_OP_STAT, "/d/e/f/.."), SP_FS_NO_SUCH_FILE);
    char name[SP_FS_NAME_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(opening(name, MAKE), SP_FS_BAD_MESSAGE); /* ENAMETOOLONG */
    name[SP_FS_NAME_MAX] = '\0';
    assert_int_equal(opening(name, MAKE), SP_FS_OK);
    end();
}

static void links_are_followed(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_dir("/d");
    make_file("/d/f", "text");
    make_link("/d/rel", "f");
    make_link("/abs", "/d");
    make_link("/up", "d/../abs/rel");
    expect_path("/up", "/d/f");
    expect_path("/abs/rel", "/d/f");
    expect_file("/up", "text");
    char found[64];
    assert_int_equal(name_from(SP_FS_OP_READLINK, "/up", found, sizeof found), SP_FS_OK);
    assert_string_equal(found, "d/../abs/rel");
    assert_int_equal(on_path(SP_FS_OP_READLINK, "/d/f"), SP_FS_BAD_MESSAGE);
    make_link("/dangling", "d/made");
    assert_int_equal(opening("/dangling", SP_FS_READ), SP_FS_NO_SUCH_FILE);
    assert_int_equal(opening("/dangling", MAKE | SP_FS_EXCLUSIVE), SP_FS_FAILURE);
    make_file("/dangling", "through it");
    expect_file("/d/made", "through it");
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/dangling"), SP_FS_OK);
    expect_file("/d/made", "through it");
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "/l", "", 0), SP_FS_BAD_MESSAGE);
    end();
}

static void links_end(void **state)
{
    (void)state;
    char path[32];
    char to[32];
    begin_memory(NULL);
    make_link("/self", "self");
    assert_int_equal(on_path(SP_FS_OP_STAT, "/self"), SP_FS_NO_SUCH_FILE); /* ELOOP */
    assert_int_equal(on_path(SP_FS_OP_LSTAT, "/self"), SP_FS_OK);
    make_link("/l0", ".");
    for (int i = 1; i < 40; i++) { /* each twice the one before: 2^40 steps, if they were taken */
        snprintf(path, sizeof path, "/l%d", i);
        snprintf(to, sizeof to, "l%d/l%d", i - 1, i - 1);
        make_link(path, to);
    }
    assert_int_equal(on_path(SP_FS_OP_STAT, "/l3"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_STAT, "/l39"), SP_FS_NO_SUCH_FILE);
    end();
}

/* ---- names ---- */

static void names_are_taken_once(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_dir("/d");
    make_file("/f", "f");
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/d"), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/"), SP_FS_FAILURE);
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "/f", "x", 0), SP_FS_FAILURE);
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/f", "/d", 0), SP_FS_FAILURE);
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/d", "/e", 0), SP_FS_PERMISSION_DENIED);
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/none", "/e", 0), SP_FS_NO_SUCH_FILE);
    assert_int_equal(opening("/d", RW), SP_FS_FAILURE); /* EISDIR */
    assert_int_equal(on_path(SP_FS_OP_OPENDIR, "/f"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/d"), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "/f"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "/"), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "/d/.."), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/none"), SP_FS_NO_SUCH_FILE);
    end();
}

static sp_fs_status renamed(const char *from, const char *to, bool replace)
{
    return on_paths(SP_FS_OP_RENAME, from, to, replace ? SP_FS_REPLACE : 0);
}

static void renaming_has_its_rules(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_dir("/d");
    make_dir("/d/e");
    make_dir("/empty");
    make_file("/f", "f");
    make_file("/g", "g");
    assert_int_equal(renamed("/f", "/g", false), SP_FS_FAILURE);
    assert_int_equal(renamed("/f", "/g", true), SP_FS_OK);
    expect_file("/g", "f");
    assert_int_equal(on_path(SP_FS_OP_STAT, "/f"), SP_FS_NO_SUCH_FILE);
    assert_int_equal(renamed("/g", "/g", true), SP_FS_OK);
    assert_int_equal(renamed("/d", "/d/e/x", true), SP_FS_BAD_MESSAGE); /* into itself */
    assert_int_equal(renamed("/d", "/d/x", true), SP_FS_BAD_MESSAGE);
    assert_int_equal(renamed("/empty", "/d", true), SP_FS_FAILURE); /* not empty */
    assert_int_equal(renamed("/d", "/empty", true), SP_FS_OK);
    expect_path("/empty/e/..", "/empty");
    assert_int_equal(renamed("/empty", "/g", true), SP_FS_NO_SUCH_FILE); /* ENOTDIR */
    assert_int_equal(renamed("/g", "/empty", true), SP_FS_FAILURE);      /* EISDIR */
    assert_int_equal(renamed("/", "/x", true), SP_FS_FAILURE);
    assert_int_equal(renamed("/g", "/", true), SP_FS_FAILURE);
    assert_int_equal(renamed("/g", "/none/x", true), SP_FS_NO_SUCH_FILE);
    assert_int_equal(renamed("/empty/e", "/e", false), SP_FS_OK); /* up */
    expect_path("/e/..", "/");
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/g", "/h", 0), SP_FS_OK);
    assert_int_equal(renamed("/g", "/h", true), SP_FS_OK); /* two names of one file: nothing */
    expect_file("/g", "f");
    assert_int_equal(renamed("/g", "/e/g", true), SP_FS_OK);
    expect_file("/e/g", "f");
    end();
}

/* ---- open files ---- */

static void open_files_outlive_their_names(void **state)
{
    (void)state;
    char byte;
    begin_memory(NULL);
    uint64_t bytes = memory()->bytes;
    void *h = open_as("/f", MAKE);
    assert_int_equal(write_at(h, 0, "x", 1), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/f"), SP_FS_OK);
    assert_int_equal(read_at(h, 0, &byte, 1), 1);
    assert_int_equal(write_at(h, 1000, "y", 1), SP_FS_OK);
    close_it(h);
    assert_int_equal(memory()->nodes, 1);
    assert_int_equal(memory()->bytes, bytes);
    end();
}

static void a_removed_directory_takes_nothing(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_dir("/d");
    const sp_fs_request at = {.path = "/d"};
    asked *a = ask(SP_FS_OP_OPENDIR, &at);
    void *h = answer_of(a)->u.handle;
    forget(a);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "/d"), SP_FS_OK);
    const sp_fs_request list = {.handle = h, .length = 10};
    a = ask(SP_FS_OP_READDIR, &list);
    assert_int_equal(answer_of(a)->u.names.count, 2); /* "." and ".." */
    forget(a);
    assert_int_equal(status_of(SP_FS_OP_READDIR, &list), SP_FS_EOF);
    const sp_fs_request closing = {.handle = h};
    assert_int_equal(status_of(SP_FS_OP_CLOSEDIR, &closing), SP_FS_OK);
    end();
}

static void a_listing_goes_on_while_names_change(void **state)
{
    (void)state;
    char path[16];
    char seen[20] = "";
    begin_memory(NULL);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/%c", 'a' + i);
        make_file(path, "");
    }
    const sp_fs_request at = {.path = "/"};
    asked *a = ask(SP_FS_OP_OPENDIR, &at);
    void *h = answer_of(a)->u.handle;
    forget(a);
    for (int round = 0;; round++) {
        const sp_fs_request list = {.handle = h, .length = 3};
        a = ask(SP_FS_OP_READDIR, &list);
        if (answer_of(a)->form != SPD_NAMES)
            break;
        for (size_t i = 0; i < answer_of(a)->u.names.count; i++)
            strcat(seen, answer_of(a)->u.names.entries[i].name);
        forget(a);
        if (round == 0) { /* "." ".." "a" were read */
            assert_int_equal(on_path(SP_FS_OP_REMOVE, "/a"), SP_FS_OK);
            assert_int_equal(on_path(SP_FS_OP_REMOVE, "/c"), SP_FS_OK);
            make_file("/z", "");
        }
    }
    forget(a);
    assert_string_equal(seen, "...abdefghz");
    close_it(h);
    end();
}

static void holes_are_zeros(void **state)
{
    (void)state;
    char found[8];
    begin_memory(NULL);
    void *h = open_as("/f", MAKE);
    assert_int_equal(write_at(h, 0, "secret", 6), SP_FS_OK);
    const sp_fs_request shorten = {.handle = h, .attr = {.valid = SP_FS_ATTR_SIZE, .size = 1}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &shorten), SP_FS_OK);
    assert_int_equal(write_at(h, 5, "x", 1), SP_FS_OK);
    assert_int_equal(read_at(h, 0, found, 8), 6);
    assert_memory_equal(found, "s\0\0\0\0x", 6);
    const sp_fs_request widen = {.handle = h, .attr = {.valid = SP_FS_ATTR_SIZE, .size = 8}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &shorten), SP_FS_OK);
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &widen), SP_FS_OK);
    assert_int_equal(read_at(h, 0, found, 8), 8);
    assert_memory_equal(found, "s\0\0\0\0\0\0\0", 8);
    close_it(h);
    h = open_as("/f", SP_FS_WRITE | SP_FS_APPEND);
    assert_int_equal(write_at(h, 0, "!", 1), SP_FS_OK);
    close_it(h);
    h = open_as("/f", SP_FS_READ);
    assert_int_equal(read_at(h, 8, found, 8), 1);
    const sp_fs_request change = {.handle = h, .attr = {.valid = SP_FS_ATTR_SIZE, .size = 0}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &change), SP_FS_PERMISSION_DENIED);
    close_it(h);
    end();
}

static sp_fs_status copied(void *from, uint64_t offset, uint64_t length, void *to,
                           uint64_t to_offset)
{
    const sp_fs_request with = {.handle = from,
                                .offset = offset,
                                .length = length,
                                .to_handle = to,
                                .to_offset = to_offset};
    return status_of(SP_FS_OP_COPY_DATA, &with);
}

static void data_is_copied_within_a_file(void **state)
{
    (void)state;
    begin_memory(NULL);
    make_file("/f", "0123456789");
    void *h = open_as("/f", RW);
    assert_int_equal(copied(h, 0, 3, h, 2), SP_FS_BAD_MESSAGE); /* they overlap */
    assert_int_equal(copied(h, 2, 3, h, 0), SP_FS_BAD_MESSAGE);
    assert_int_equal(copied(h, 0, 3, h, 3), SP_FS_OK);
    assert_int_equal(copied(h, 7, 0, h, 10), SP_FS_OK); /* to the end, where it grows */
    assert_int_equal(copied(h, 100, 5, h, 0), SP_FS_OK);
    close_it(h);
    expect_file("/f", "0120126789789");
    end();
}

/* ---- bounds ---- */

static void it_takes_so_many_bytes(void **state)
{
    (void)state;
    const sp_fs_memory_options options = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 2000};
    static char bytes[3000];
    begin_memory(&options);
    void *h = open_as("/f", MAKE);
    assert_int_equal(write_at(h, 0, bytes, sizeof bytes), SP_FS_FAILURE);
    assert_int_equal(write_at(h, 1000, bytes, 400), SP_FS_OK);
    assert_int_equal(write_at(h, 1400, bytes, 400), SP_FS_FAILURE);
    assert_int_equal(write_at(h, INT64_MAX - 10, bytes, 1), SP_FS_FAILURE);
    const sp_fs_request widen = {.handle = h,
                                 .attr = {.valid = SP_FS_ATTR_SIZE, .size = UINT64_MAX}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &widen), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/d"), SP_FS_FAILURE);
    assert_true(memory()->bytes <= 2000);
    const sp_fs_request empty = {.handle = h, .attr = {.valid = SP_FS_ATTR_SIZE, .size = 0}};
    assert_int_equal(status_of(SP_FS_OP_FSETSTAT, &empty), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/d"), SP_FS_OK);
    close_it(h);
    end();
}

static void it_takes_so_many_nodes(void **state)
{
    (void)state;
    const sp_fs_memory_options options = {SP_FS_MEMORY_OPTIONS_INIT, .max_nodes = 4};
    begin_memory(&options);
    make_dir("/d");
    make_file("/f", "");
    make_link("/l", "f");
    assert_int_equal(on_path(SP_FS_OP_MKDIR, "/e"), SP_FS_FAILURE);
    assert_int_equal(opening("/g", MAKE), SP_FS_FAILURE);
    assert_int_equal(on_paths(SP_FS_OP_SYMLINK, "/k", "f", 0), SP_FS_FAILURE);
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/f", "/k", 0), SP_FS_OK); /* no node */
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/l"), SP_FS_OK);
    make_dir("/e");
    end();
}

static void what_is_removed_is_given_back(void **state)
{
    (void)state;
    begin_memory(NULL);
    uint64_t bytes = memory()->bytes;
    make_dir("/d");
    make_file("/d/f", "some text");
    make_link("/d/l", "target");
    assert_int_equal(on_paths(SP_FS_OP_LINK, "/d/f", "/d/h", 0), SP_FS_OK);
    make_file("/d/g", "other");
    assert_int_equal(renamed("/d/g", "/d/h", true), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/d/f"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/d/h"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/d/l"), SP_FS_OK);
    assert_int_equal(on_path(SP_FS_OP_RMDIR, "/d"), SP_FS_OK);
    assert_int_equal(memory()->bytes, bytes);
    assert_int_equal(memory()->nodes, 1);
    end();
}

/* Names that cost nothing would be memory without end. */
static void every_name_counts(void **state)
{
    (void)state;
    const sp_fs_memory_options options = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 20000};
    char path[32];
    int made = 0;
    begin_memory(&options);
    make_file("/f", "");
    make_dir("/d");
    uint64_t bytes = memory()->bytes;
    sp_fs_status status = SP_FS_OK;
    while (status == SP_FS_OK && made < 1000) {
        snprintf(path, sizeof path, "/d/%d", made);
        status = on_paths(SP_FS_OP_LINK, "/f", path, 0);
        made += status == SP_FS_OK;
    }
    assert_int_equal(status, SP_FS_FAILURE);
    assert_in_range(made, 100, 20000 / SPD_NAME_COST);
    assert_true(memory()->bytes <= 20000);
    spd_mem_node *dir;
    assert_int_equal(spd_mem_find_node(memory(), "/d", true, &dir), 0);
    for (int i = 1; i < made; i++) {
        snprintf(path, sizeof path, "/d/%d", i);
        assert_int_equal(on_path(SP_FS_OP_REMOVE, path), SP_FS_OK);
        assert_true(dir->name_room <= 16 || dir->name_room <= 4 * dir->name_count);
    }
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/d/0"), SP_FS_OK);
    assert_int_equal(memory()->bytes, bytes);
    end();
}

/* The text of a link counts when the link itself has taken the last bytes, too. */
static void links_stay_within_the_bytes(void **state)
{
    (void)state;
    for (uint64_t more = 0; more < 2 * SPD_NODE_COST; more += 8) {
        const sp_fs_memory_options options = {SP_FS_MEMORY_OPTIONS_INIT,
                                              .max_bytes = SPD_NODE_COST + more};
        begin_memory(&options);
        uint64_t bytes = memory()->bytes;
        sp_fs_status status = on_paths(SP_FS_OP_SYMLINK, "/l",
                                       "a text of some length, a hundred bytes or so, which "
                                       "may just fit or just not fit behind the link",
                                       0);
        assert_true(memory()->bytes <= memory()->max_bytes);
        assert_true(status == SP_FS_OK || memory()->bytes == bytes);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_where_they_should),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(links_end),
        cmocka_unit_test(names_are_taken_once),
        cmocka_unit_test(renaming_has_its_rules),
        cmocka_unit_test(open_files_outlive_their_names),
        cmocka_unit_test(a_removed_directory_takes_nothing),
        cmocka_unit_test(a_listing_goes_on_while_names_change),
        cmocka_unit_test(holes_are_zeros),
        cmocka_unit_test(data_is_copied_within_a_file),
        cmocka_unit_test(it_takes_so_many_bytes),
        cmocka_unit_test(it_takes_so_many_nodes),
        cmocka_unit_test(what_is_removed_is_given_back),
        cmocka_unit_test(every_name_counts),
        cmocka_unit_test(links_stay_within_the_bytes),
    };
    return cmocka_run_group_tests(tests, stand_set_up, NULL);
}
