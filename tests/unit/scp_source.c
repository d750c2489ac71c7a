/* scp -f step by step; both directions on the thread pool, and with memory that ends. */
#include "support/meter.h"
#include "support/scp_script.h"

static void a_file_is_sent(void **state)
{
    (void)state;
    begin("scp -pf x/f");
    expect_text("");
    send_ok();
    expect_text("T11 0 22 0\n");
    send_ok();
    expect_text("C0640 100 f\n");
    send_ok();
    char got[200];
    assert_int_equal(take_bytes(got, sizeof got), 101);
    assert_memory_equal(got, "abcdefghijklmnopqrstuvwxyzab", 28);
    assert_int_equal(got[100], 0);
    send_ok();
    assert_true(server->ended);
    assert_string_equal(steps, "bsofrc");
    assert_string_equal(logged, "x/f r100 w0 s0 1;");
    finish(0);
}

/* All of it went out, but the client does not say that it has come. */
static void a_file_that_may_not_have_arrived(void **state)
{
    static const char *const says[] = {"", "\1no room\n", "\2no\n"};
    char got[200];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin("scp -f f");
        send_ok();
        expect_text("C0640 100 f\n");
        send_ok();
        assert_int_equal(take_bytes(got, sizeof got), 101);
        if (i == 0)
            spp_lost(server);
        else
            send_text(says[i]);
        assert_true(server->ended);
        assert_string_equal(logged, "f r100 w0 s0 0;");
        finish(1);
    }
}

static void reads_wait_for_the_client(void **state)
{
    static char got[1 << 20];
    (void)state;
    script.size = 3 * SPP_CHUNK + 5;
    begin("scp -f f");
    send_bytes("\0", 2);
    assert_int_equal(take_bytes(got, 15), 15);
    assert_memory_equal(got, "C0640 786437 f\n", 15);
    assert_string_equal(steps, "bsofrr"); /* one that goes out, one ahead */
    assert_int_equal(take_bytes(got, 1000), 1000);
    assert_string_equal(steps, "bsofrr");
    size_t taken = 1000 + take_bytes(got + 1000, sizeof got - 1000);
    assert_int_equal(taken, script.size + 1);
    for (size_t i = 0; i < script.size; i++)
        assert_int_equal(got[i], 'a' + i % 26);
    send_ok();
    finish(0);
}

static void a_file_that_becomes_shorter(void **state)
{
    static char got[200];
    (void)state;
    script.real_size = 40;
    begin("scp -f f");
    send_ok();
    expect_text("C0640 100 f\n");
    send_ok();
    size_t n = take_bytes(got, sizeof got);
    assert_int_equal(got[39], 'a' + 39 % 26);
    assert_int_equal(got[40], 0);
    assert_int_equal(got[99], 0);
    assert_string_equal(got + 100, "\1scp: f: the file has become shorter\n");
    assert_int_equal(n, 100 + strlen(got + 100));
    send_ok();
    finish(1);
    assert_string_equal(logged, "f r40 w0 s0 0;");
    /* Not for ever: the client sees the end then. */
    script.size = (uint64_t)1 << 40;
    begin("scp -f f");
    send_ok();
    expect_text("C0640 1099511627776 f\n");
    send_ok();
    assert_true(take_bytes(got, sizeof got) <= 40);
    assert_true(server->ended);
    finish(1);
}

static void a_tree_is_sent(void **state)
{
    static const char *const names[] = {".", "..", "f", "a\nb", "a/b", "g"};
    (void)state;
    script.names = names;
    script.name_count = 6;
    script.size = 0;
    begin("scp -rf d//");
    send_ok();
    expect_text("D0755 0 d\n");
    send_ok();
    expect_text("C0640 0 f\n");
    send_ok();
    expect_ok();
    send_ok();
    expect_text("\1scp: a?b: this name can't be sent\n\1scp: a/b: this name can't be sent\n"
                "C0640 0 g\n");
    send_text("\1no\n"); /* the client does not want it */
    expect_text("E\n");
    send_ok();
    assert_true(server->ended);
    assert_string_equal(steps, "bsnesofcesofcez");
    finish(1);
}

static void what_cannot_be_sent(void **state)
{
    static const char *const paths[][2] = {
        {"scp -f new", "\1scp: new: No such file or directory\n"},
        {"scp -f d", "\1scp: d: not a regular file\n"},
        {"scp -f /", "\1scp: /: it has no name that could be sent\n"},
        {"scp -rf .", "\1scp: .: it has no name that could be sent\n"},
        {"scp -rf d/..", "\1scp: d/..: it has no name that could be sent\n"},
        {"scp -f ''", "\1scp: .: it has no name that could be sent\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        begin(paths[i][0]);
        send_ok();
        expect_text(paths[i][1]);
        finish(1);
    }
}

static void failures_while_sending(void **state)
{
    static const sp_fs_op ops[] = {SP_FS_OP_STAT, SP_FS_OP_OPEN, SP_FS_OP_FSTAT, SP_FS_OP_OPENDIR,
                                   SP_FS_OP_EXPAND_PATH};
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        script.fail = ops[i];
        begin(ops[i] == SP_FS_OP_EXPAND_PATH ? "scp -f ~/f" : i == 3 ? "scp -rf d" : "scp -f f");
        send_ok();
        expect_text(i == 3                           ? "\1scp: d: Permission denied\n"
                    : ops[i] == SP_FS_OP_EXPAND_PATH ? "\1scp: ~/f: Permission denied\n"
                                                     : "\1scp: f: Permission denied\n");
        finish(1);
    }
    script.fail = SP_FS_OP_READ;
    begin("scp -f f");
    send_ok();
    expect_text("C0640 100 f\n");
    send_ok();
    char got[200] = {0};
    (void)take_bytes(got, sizeof got);
    assert_string_equal(got + 100, "\1scp: f: Permission denied\n");
    send_ok();
    finish(1);
    script.fail = SP_FS_OP_READDIR;
    begin("scp -rf d");
    send_ok();
    expect_text("D0755 0 d\n");
    send_ok();
    expect_text("\1scp: d: Permission denied\nE\n");
    send_ok();
    finish(1);
}

static void what_the_client_says(void **state)
{
    (void)state;
    begin("scp -f f");
    send_text("x");
    assert_true(server->ended);
    finish(1);
    begin("scp -f f g");
    send_ok();
    expect_text("C0640 100 f\n");
    send_text("\1I have it\n");
    expect_text("C0640 100 g\n");
    send_text("\2enough\n");
    assert_true(server->ended);
    finish(1);
    assert_string_equal(logged, "f r0 w0 s0 0;g r0 w0 s0 0;");
}

static void the_client_leaves_while_fetching(void **state)
{
    static const char *const names[] = {"f", "d", "g"};
    (void)state;
    script.names = names;
    script.name_count = 1;
    for (int answers = 0; answers < 30; answers++) {
        script.later = true;
        begin("scp -prf d ~/d* d/f");
        for (int i = 0; i < 100; i++)
            send_ok();
        for (int n = 0; n < answers && kept != NULL; n++)
            pump_once();
        spp_lost(server);
        pump();
        finish(1);
    }
}

static void patterns_stand_for_names(void **state)
{
    static const char *const names[] = {"fb", ".fh", "g", "fa", ".", "f/x"};
    const sp_scp_options narrow = {SP_SCP_OPTIONS_INIT, .max_matches = 1};
    (void)state;
    script.names = names;
    script.name_count = 6;
    script.later = true;
    begin("scp -f ~/g*/f");
    pump();
    send_ok();
    pump();
    expect_text("C0640 100 f\n");
    assert_string_equal(last_path, "/home/g/f");
    assert_string_equal(steps, "bxneeezlsof");
    script.later = false;
    finish(1);
    begin("scp -f d/f*");
    send_ok();
    expect_text("C0640 100 fa\n");
    assert_string_equal(last_path, "d/fa");
    send_text("\1no\n");
    expect_text("C0640 100 fb\n");
    send_text("\1no\n");
    assert_true(server->ended);
    finish(1);
    begin("scp -f ?/f"); /* g/f is there */
    send_ok();
    expect_text("C0640 100 f\n");
    assert_string_equal(last_path, "g/f");
    finish(1);
    begin("scp -f x*"); /* stays as it is */
    send_ok();
    expect_text("C0640 100 x*\n");
    finish(1);
    begin_table(&table, "scp -f f* g", NULL, &narrow);
    send_ok();
    expect_text("\1scp: f*: it stands for too many names\nC0640 100 g\n");
    finish(1);
}

/* ---- the thread pool, and memory ---- */

static void wait_for(size_t length)
{
    while (spp_output(server).length < length) {
        spl_loop_turn(loop);
        spp_run(server);
    }
}

static void on_the_thread_pool(void **state)
{
    const sp_fs_options blocking = {SP_FS_OPTIONS_INIT, .blocking = true};
    (void)state;
    begin_table(&table, "scp -pt d", &blocking, NULL);
    wait_for(1);
    send_bytes("T1 0 2 0\nC0644 4 f\ntext", 24);
    wait_for(4);
    EXPECT("\0\0\0\0");
    spp_end_of_input(server);
    assert_true(server->ended);
    finish(0);
    assert_memory_equal(written, "text", 4);
}

static meter m = {.until = -1, .once = true};

/* A session with the n-th allocation failing. True: one failed. */
static bool session_with_failure(const char *command, const char *bytes, size_t length, long n)
{
    static char got[8192];
    sp_fs *fs = sp_fs_new(&table, NULL, NULL);
    m.until = -1;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    long base = m.live;
    open_now = ends = 0;
    written_length = 0;
    m.until = n;
    m.failed = false;
    int result = spp_server_new(&server, fs, loop, NULL, "u", command, NULL, stand_moved, NULL);
    if (result == 0) {
        spp_run(server);
        send_bytes(bytes, length);
        (void)take_bytes(got, sizeof got);
        spp_end_of_input(server);
        (void)take_bytes(got, sizeof got);
        spp_end_of_input(server);
        assert_true(server->ended);
        assert_int_equal(open_now, 0); /* closing needs no memory */
        if (server->command.sink && m.failed)
            assert_int_equal(spp_exit_status(server), 1);
        spp_server_free(server);
    } else {
        assert_int_equal(result, SP_ENOMEM);
    }
    bool failed = m.failed;
    m.until = -1;
    if (m.live != base)
        print_error("%s: allocation %ld\n", command, n);
    assert_int_equal(m.live, base);
    spl_loop_free(loop);
    sp_fs_unref(fs);
    return failed;
}

static void memory_may_end_at_any_step(void **state)
{
    static const sp_allocator allocator = {&m, meter_alloc, meter_realloc, meter_free};
    static const char *const names[] = {"fa", "d", "fb"};
    static const char up[] = "T1 0 1 0\nD0755 0 dnew\nT1 0 1 0\nC0644 4 f\ntext\0E\n";
    static const char down[40] = {0};
    long n = 0;
    (void)state;
    script.names = names;
    script.name_count = 1;
    spb_env_init(&env, &allocator);
    while (session_with_failure("scp -prt ~/d", up, sizeof up - 1, n))
        n++;
    assert_in_range(n, 15, 1000);
    n = 0;
    while (session_with_failure("scp -prf 'd' ~/f* ?*/f", down, sizeof down, n))
        n++;
    assert_in_range(n, 30, 1000);
    spb_env_init(&env, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_is_sent, reset),
        cmocka_unit_test_setup(a_file_that_may_not_have_arrived, reset),
        cmocka_unit_test_setup(reads_wait_for_the_client, reset),
        cmocka_unit_test_setup(a_file_that_becomes_shorter, reset),
        cmocka_unit_test_setup(a_tree_is_sent, reset),
        cmocka_unit_test_setup(what_cannot_be_sent, reset),
        cmocka_unit_test_setup(failures_while_sending, reset),
        cmocka_unit_test_setup(what_the_client_says, reset),
        cmocka_unit_test_setup(the_client_leaves_while_fetching, reset),
        cmocka_unit_test_setup(patterns_stand_for_names, reset),
        cmocka_unit_test_setup(on_the_thread_pool, reset),
        cmocka_unit_test_setup(memory_may_end_at_any_step, reset),
    };
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
