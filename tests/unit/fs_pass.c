/* One file system over another (sp_fs_pass): what is passed, what is not, begin and end in their
 * order, a lower one that blocks. */
#include "support/posix_stand.h"

#include <pthread.h>

static char order[64]; /* what began and ended: letters */

static void note_order(const sp_fs *who, const char *what)
{
    size_t length = strlen(order);
    (void)snprintf(order + length, sizeof order - length, "%s%s", what,
                   (const char *)sp_fs_data_of(who));
}

static sp_answer begin_here(sp_fs_request *request)
{
    (void)strcat(order, "+");
    (void)strcat(order, request->fs_data);
    return SP_ACCEPT;
}

static sp_answer begin_both(sp_fs_request *request)
{
    (void)begin_here(request);
    return sp_fs_pass(request);
}

static sp_answer refuse(sp_fs_request *request)
{
    (void)begin_here(request);
    return SP_REJECT;
}

static void end_here(sp_fs_session *s)
{
    note_order(sp_fs_session_fs(s), "-");
}

static void forgotten(void *data)
{
    (void)strcat(order, "~");
    (void)strcat(order, data);
}

/* Over `below`, whose reference is taken. */
static sp_fs *over(sp_fs *below, const sp_fs_handlers *handlers, void *data)
{
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .below = below, .released = forgotten};
    sp_fs *made = sp_fs_new(handlers, data, &options);
    sp_fs_unref(below);
    assert_non_null(made);
    return made;
}

static void start(sp_fs *top)
{
    fs = top;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    session = spd_session_new(fs, loop, NULL, "somebody");
    assert_non_null(session);
}

static sp_fs *named(const sp_fs_handlers *handlers, void *name, bool blocking)
{
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .blocking = blocking, .released = forgotten};
    sp_fs *made = sp_fs_new(handlers, name, &options);
    assert_non_null(made);
    return made;
}

static sp_fs_status begin_session(void)
{
    return on_path(SP_FS_OP_BEGIN, NULL);
}

/* ---- what is passed ---- */

static sp_answer open_new(sp_fs_request *request)
{
    request->flags |= SP_FS_CREATE | SP_FS_EXCLUSIVE;
    request->attr.valid = SP_FS_ATTR_PERMISSIONS;
    request->attr.permissions = 0600;
    return sp_fs_pass(request);
}

static const sp_fs_handlers some = {
    SP_FS_HANDLERS_INIT,   .open = open_new,      .close = sp_fs_pass,
    .write = sp_fs_pass,   .read = sp_fs_pass,    .stat = sp_fs_pass,
    .opendir = sp_fs_pass, .readdir = sp_fs_pass, .lsetstat = sp_fs_pass};

static void what_the_table_says_is_passed(void **state)
{
    char found[8];
    (void)state;
    start(over(sp_fs_memory_new(NULL), &some, ""));
    assert_int_equal(begin_session(), SP_FS_OK);
    void *h = open_as("/f", RW);
    assert_int_equal(write_at(h, 0, "hello", 5), SP_FS_OK);
    assert_int_equal(read_at(h, 0, found, sizeof found), 5);
    assert_memory_equal(found, "hello", 5);
    close_it(h);
    asked *a = ask(SP_FS_OP_STAT, &(sp_fs_request){.path = "/f"});
    assert_int_equal(answer_of(a)->form, SPD_ATTRIBUTES);
    assert_int_equal(answer_of(a)->u.attr.permissions & 0777, 0600); /* as changed */
    forget(a);
    const sp_fs_request again = {.path = "/f", .flags = RW};
    assert_int_equal(status_of(SP_FS_OP_OPEN, &again), SP_FS_FAILURE); /* exclusive: it exists */
    assert_int_equal(on_path(SP_FS_OP_OPENDIR, "/"), SP_FS_OK);        /* closed by `close` */
    end();
}

static void the_rest_is_unsupported(void **state)
{
    (void)state;
    start(over(sp_fs_memory_new(NULL), &some, ""));
    close_it(open_as("/f", RW));
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/f"), SP_FS_OP_UNSUPPORTED);
    assert_int_equal(on_paths(SP_FS_OP_RENAME, "/f", "/g", 0), SP_FS_OP_UNSUPPORTED);
    assert_int_equal(on_path(SP_FS_OP_STAT, "/f"), SP_FS_OK); /* it is there still */
    end();
}

static const sp_fs_handlers nothing = {SP_FS_HANDLERS_INIT};

static void the_lower_may_lack_it_too(void **state)
{
    (void)state;
    start(over(sp_fs_new(&nothing, NULL, NULL), &some, ""));
    assert_int_equal(on_path(SP_FS_OP_STAT, "/f"), SP_FS_OP_UNSUPPORTED);
    assert_int_equal(status_of(SP_FS_OP_CLOSE, &(sp_fs_request){.handle = &order}), SP_FS_OK);
    assert_false(spd_can(fs, SP_FS_OP_STAT));
    assert_false(spd_can(fs, SP_FS_OP_REMOVE));
    end();
    start(over(sp_fs_memory_new(NULL), &some, ""));
    assert_true(spd_can(fs, SP_FS_OP_STAT));
    assert_true(spd_can(fs, SP_FS_OP_OPEN)); /* a handler of its own */
    assert_true(spd_can(fs, SP_FS_OP_CLOSEDIR));
    assert_false(spd_can(fs, SP_FS_OP_REMOVE));
    end();
}

static void nothing_is_below(void **state)
{
    (void)state;
    start(sp_fs_new(&some, NULL, NULL));
    assert_int_equal(on_path(SP_FS_OP_STAT, "/f"), SP_FS_FAILURE);
    assert_false(spd_can(fs, SP_FS_OP_STAT));
    end();
}

static void a_stack_of_three(void **state)
{
    (void)state;
    start(over(over(sp_fs_memory_new(NULL), &some, ""), &some, ""));
    close_it(open_as("/f", RW));
    assert_int_equal(on_path(SP_FS_OP_STAT, "/f"), SP_FS_OK);
    assert_true(spd_can(fs, SP_FS_OP_STAT));
    end();
}

static void reading_only_is_inherited(void **state)
{
    const sp_fs_memory_options options = {SP_FS_MEMORY_OPTIONS_INIT, .read_only = true};
    (void)state;
    start(over(sp_fs_memory_new(&options), &some, ""));
    assert_true(fs->options.read_only);
    end();
}

static void blocking_is_for_the_lowest(void **state)
{
    sp_fs *below = sp_fs_memory_new(NULL);
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .below = below, .blocking = true};
    (void)state;
    assert_null(sp_fs_new(&some, NULL, &options));
    sp_fs_unref(below);
}

/* ---- begin and end ---- */

static const sp_fs_handlers plain = {SP_FS_HANDLERS_INIT, .begin = begin_here, .end = end_here,
                                     .stat = sp_fs_pass};

static void run_order(const sp_fs_handlers *above, sp_fs_status expected, const char *letters)
{
    order[0] = '\0';
    start(over(named(&plain, "b", false), above, "a"));
    assert_int_equal(begin_session(), expected);
    end();
    assert_string_equal(order, letters);
}

static void begin_and_end_in_their_order(void **state)
{
    const sp_fs_handlers passing = {SP_FS_HANDLERS_INIT, .begin = begin_both, .end = end_here};
    const sp_fs_handlers without = {SP_FS_HANDLERS_INIT, .end = end_here};
    const sp_fs_handlers refusing = {SP_FS_HANDLERS_INIT, .begin = refuse, .end = end_here};
    (void)state;
    run_order(&passing, SP_FS_OK, "+a+b-a-b~a~b");
    run_order(&without, SP_FS_OK, "+b-a-b~a~b");
    run_order(&nothing, SP_FS_OK, "+b-b~a~b");
    run_order(&plain, SP_FS_OK, "+a-a~a~b"); /* does not pass it */
    run_order(&refusing, SP_FS_FAILURE, "+a-a~a~b");
}

/* ---- a lower one that blocks ---- */

static pthread_t loop_thread;

static sp_answer on_the_pool(sp_fs_request *request)
{
    assert_false(pthread_equal(pthread_self(), loop_thread));
    assert_string_equal(request->fs_data, "b");
    return request->op == SP_FS_OP_BEGIN || request->op == SP_FS_OP_WRITE
               ? SP_ACCEPT
               : sp_answered(sp_fs_eof(request));
}

static sp_answer here(sp_fs_request *request)
{
    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_string_equal(request->fs_data, "a");
    return sp_fs_pass(request);
}

static void what_blocks_goes_to_the_pool(void **state)
{
    const sp_fs_handlers blocking = {SP_FS_HANDLERS_INIT, .begin = on_the_pool, .read = on_the_pool,
                                     .write = on_the_pool};
    const sp_fs_handlers above = {SP_FS_HANDLERS_INIT, .read = here, .write = here, .fsync = here};
    char found[4];
    (void)state;
    loop_thread = pthread_self();
    start(over(named(&blocking, "b", true), &above, "a"));
    assert_int_equal(begin_session(), SP_FS_OK);
    assert_int_equal(read_at(&order, 0, found, sizeof found), 0);
    assert_int_equal(write_at(&order, 0, "x", 1), SP_FS_OK);
    assert_int_equal(status_of(SP_FS_OP_FSYNC, &(sp_fs_request){.handle = &order}),
                     SP_FS_OP_UNSUPPORTED);
    end();
}

/* ---- the POSIX one, which goes to the pool itself ---- */

static void over_a_directory(void **state)
{
    char path[128], found[8];
    sp_fs *below;
    (void)state;
    assert_non_null(mkdtemp(base));
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = base};
    assert_int_equal(sp_fs_posix_new(&below, &options), 0);
    start(over(below, &some, ""));
    void *h = open_as("/f", RW);
    assert_int_equal(write_at(h, 0, "hello", 5), SP_FS_OK);
    assert_int_equal(read_at(h, 0, found, sizeof found), 5);
    close_it(h);
    const sp_fs_request again = {.path = "/f", .flags = SP_FS_WRITE | SP_FS_TRUNCATE};
    assert_int_equal(status_of(SP_FS_OP_OPEN, &again), SP_FS_FAILURE);
    assert_int_equal(on_path(SP_FS_OP_REMOVE, "/f"), SP_FS_OP_UNSUPPORTED);
    end();
    (void)snprintf(path, sizeof path, "%s/f", base);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(base), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_table_says_is_passed),
        cmocka_unit_test(the_rest_is_unsupported),
        cmocka_unit_test(the_lower_may_lack_it_too),
        cmocka_unit_test(nothing_is_below),
        cmocka_unit_test(a_stack_of_three),
        cmocka_unit_test(reading_only_is_inherited),
        cmocka_unit_test(blocking_is_for_the_lowest),
        cmocka_unit_test(begin_and_end_in_their_order),
        cmocka_unit_test(what_blocks_goes_to_the_pool),
        cmocka_unit_test(over_a_directory),
    };
    return cmocka_run_group_tests(tests, stand_set_up, NULL);
}
