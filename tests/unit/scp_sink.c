/* scp -t step by step; what is refused before anything begins. */
#include "support/scp_script.h"

static void a_file_is_taken(void **state)
{
    (void)state;
    begin("scp -t target");
    expect_ok();
    send_text("C4755 4 f\n");
    expect_ok();
    assert_int_equal(set.permissions, 0755); /* no -p: nothing special */
    send_text("te");
    send_text("xt");
    expect_text("");
    send_ok();
    expect_ok();
    assert_int_equal(set.valid, SP_FS_ATTR_SIZE);
    assert_int_equal(set.size, 4);
    assert_string_equal(steps, "bsowwac");
    assert_string_equal(last_path, "target");
    finish(0);
    assert_memory_equal(written, "text", 4);
    assert_string_equal(logged, "target r0 w4 s0 1;");
}

static void requests_are_told(void **state)
{
    char wanted[128];
    (void)state;
    script.fail = SP_FS_OP_FSETSTAT;
    begin("scp -t target");
    expect_ok();
    send_bytes("C0644 4 f\ntext", 15);
    EXPECT("\0\1scp: target: truncate: Permission denied\n");
    finish(1);
    (void)snprintf(wanted, sizeof wanted, "%d target 0;%d target 0;%d target 3;", SP_FS_OP_STAT,
                   SP_FS_OP_OPEN, SP_FS_OP_FSETSTAT);
    assert_string_equal(told, wanted);
    assert_string_equal(last_reason, "truncate: Permission denied");
}

static void all_at_once(void **state)
{
    static const char all[] = "C0644 4 f\ntext\0D0755 0 dnew\nC0600 0 g\n\0E\nC0644 1 h\nx";
    (void)state;
    begin("scp -rt d");
    expect_ok();
    send_bytes(all, sizeof all); /* with the last status */
    EXPECT("\0\0\0\0\0\0\0\0");
    assert_string_equal(last_path, "d/h");
    finish(0);
    assert_memory_equal(written, "x", 1);
    assert_string_equal(logged, "d/f r0 w4 s0 1;d/dnew/g r0 w0 s0 1;d/h r0 w1 s0 1;");
}

static void modes_and_times(void **state)
{
    (void)state;
    begin("scp -prt .");
    expect_ok();
    send_text("T100 5 200 6\n");
    expect_ok();
    send_text("D2555 0 dnew\n");
    expect_ok();
    assert_int_equal(set.permissions, 02755); /* so that we can fill it */
    send_text("T300 0 400 0\nC4755 0 f\n");
    EXPECT("\0\0");
    send_ok();
    expect_ok();
    assert_true(set.valid == (SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES) && set.mtime == 300 &&
                set.atime == 400 && set.permissions == 04755);
    send_text("C0644 0 g\n");
    expect_ok();
    send_ok();
    expect_ok();
    assert_int_equal(set.valid, SP_FS_ATTR_PERMISSIONS); /* the times were the other's */
    send_text("E\n");
    expect_ok();
    assert_true(set.valid == (SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES) && set.mtime == 100 &&
                set.atime == 200 && set.permissions == 02555);
    finish(0);
}

static void a_directory_of_no_rights(void **state)
{
    (void)state;
    begin("scp -rt .");
    expect_ok();
    send_text("D0055 0 dnew\n");
    expect_ok();
    assert_int_equal(set.permissions, 0755);
    send_text("E\n");
    /* The table forgets it at once, so there is nothing whose mode could be taken back. */
    expect_text("\1scp: ./dnew: No such file or directory\n");
    finish(1);
}

static void directories_nest_so_deep(void **state)
{
    const sp_scp_options options = {SP_SCP_OPTIONS_INIT, .max_depth = 2};
    (void)state;
    begin_table(&table, "scp -rt .", NULL, &options);
    expect_ok();
    send_text("D0755 0 d\nD0755 0 d\nD0755 0 d\n");
    EXPECT("\0\0\1scp: ./d/d/d: directories are too deep within each other\n");
    send_text("E\nE\n");
    EXPECT("\0\0");
    finish(1);
}

static void the_target_must_be_a_directory(void **state)
{
    (void)state;
    begin("scp -dt f");
    expect_text("\2scp: f: Not a directory\n");
    finish(1);
    begin("scp -dt new");
    expect_text("\2scp: new: No such file or directory\n");
    finish(1);
    begin("scp -dt ~/d");
    expect_ok();
    assert_string_equal(last_path, "/home/d");
    finish(0);
}

static void failures_of_the_table(void **state)
{
    (void)state;
    script.fail = SP_FS_OP_BEGIN;
    begin("scp -t f");
    expect_text("\2scp: Permission denied\n");
    finish(1);

    script.fail = SP_FS_OP_OPEN;
    script.text = "Full\nmoon";
    begin("scp -t f");
    expect_ok();
    send_text("T1 0 1 0\nC0644 4 f\n");
    EXPECT("\0\1scp: f: Full?moon\n");
    assert_false(server->has_times);
    finish(1);

    script.fail = SP_FS_OP_WRITE;
    script.text = "No space left on device";
    begin("scp -t f");
    expect_ok();
    send_text("C0644 8 f\ntext");
    expect_ok();
    send_text("text");
    expect_text("");
    send_ok();
    expect_text("\1scp: f: No space left on device\n");
    assert_string_equal(steps, "bsowc");
    send_text("C0644 0 f\n");
    expect_ok();
    send_ok();
    expect_ok();
    finish(1);
    assert_string_equal(logged, "f r0 w0 s0 0;f r0 w0 s0 1;");

    script.fail = SP_FS_OP_FSETSTAT;
    begin("scp -pt f");
    expect_ok();
    send_bytes("C0644 0 f\n", 11);
    EXPECT("\0\1scp: f: truncate: No space left on device\n");
    finish(1);

    script.fail = SP_FS_OP_CLOSE;
    begin("scp -t f");
    expect_ok();
    send_bytes("C0644 0 f\n", 11);
    EXPECT("\0\1scp: f: No space left on device\n");
    finish(1);

    script.fail = SP_FS_OP_MKDIR;
    begin("scp -rt .");
    expect_ok();
    send_text("D0755 0 dnew\n");
    expect_text("\1scp: ./dnew: No space left on device\n");
    send_text("D0755 0 f\n");
    expect_text("\1scp: ./f: Not a directory\n");
    finish(1);

    script.fail = SP_FS_OP_SETSTAT;
    begin("scp -prt .");
    expect_ok();
    send_text("D0755 0 d\nE\n");
    EXPECT("\0\1scp: ./d: No space left on device\n");
    send_text("C0644 0 f\n");
    expect_ok();
    assert_string_equal(last_path, "./f"); /* out of the directory all the same */
    finish(1);
}

static void bytes_wait_for_the_write_before(void **state)
{
    static char bytes[300000];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    script.later = true;
    begin("scp -t f");
    pump();
    expect_ok();
    send_text("C0644 300000 f\n");
    pump();
    expect_ok();
    for (size_t at = 0; at < sizeof bytes; at += 30000) {
        assert_true(spp_wants_input(server));
        send_bytes(bytes + at, 30000);
    }
    assert_false(spp_wants_input(server)); /* one write of 30000, and the rest held */
    assert_int_equal(written_length, 0);
    pump_once();
    assert_int_equal(written_length, 30000);
    assert_true(spp_wants_input(server));
    pump_once();
    assert_memory_equal(written, bytes, sizeof bytes);
    send_text("");
    pump();
    send_ok();
    pump(); /* the close */
    expect_ok();
    assert_string_equal(steps, "bsowwac");
    script.later = false;
    finish(0);
}

/* A small write with much behind it does not copy that. */
static void small_files_one_behind_the_other(void **state)
{
    static char all[14 * 1000];
    static char oks[4096];
    (void)state;
    begin("scp -t .");
    for (size_t i = 0; i < 1000; i++)
        memcpy(all + 14 * i, "C0644 001 f\nx", 14); /* with its NUL */
    send_bytes(all, sizeof all);
    assert_int_equal(take_bytes(oks, sizeof oks), 2001);
    for (size_t i = 0; i < 2001; i++)
        assert_int_equal(oks[i], 0);
    finish(0);
}

static void the_client_tells_of_failures(void **state)
{
    (void)state;
    begin("scp -t .");
    expect_ok();
    send_text("\1scp: x: gone");
    send_text("\nC0644 1 f\nx");
    expect_ok();
    send_text("\1changed\n");
    expect_ok();
    assert_string_equal(logged, "./f r0 w1 s0 0;"); /* all came, and it is not what it should be */
    assert_string_equal(last_reason, "an error at the client");
    send_text("\2end\n");
    assert_true(server->ended);
    expect_text("");
    finish(1);
}

static void no_end_of_the_directory(void **state)
{
    (void)state;
    begin("scp -rt .");
    expect_ok();
    send_text("D0755 0 d\n");
    expect_ok();
    finish(1);
    begin("scp -rt .");
    expect_ok();
    send_text("C0644"); /* half a line */
    finish(1);
}

static void the_client_leaves(void **state)
{
    static const char *const said[] = {"",
                                       "C0644 4 f\n",
                                       "C0644 4 f\nte",
                                       "C0644 4 f\ntext",
                                       "D0755 0 dnew\n",
                                       "D0755 0 d\nC0644 4 f\ntext"};
    (void)state;
    /* After each number of answers: the open one is waited for, then all is closed. */
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        for (int answers = 0; answers < 8; answers++) {
            script.later = true;
            begin("scp -prt .");
            send_text(said[i]);
            for (int n = 0; n < answers && kept != NULL; n++)
                pump_once();
            spp_lost(server);
            assert_int_equal(spp_output(server).length, 0);
            assert_int_equal(server->ended, kept == NULL);
            if (kept != NULL)
                assert_true(sp_fs_session_gone(kept->session));
            pump();
            finish(1);
        }
    }
}

static void output_is_bounded(void **state)
{
    static char bad[20 * 1024];
    (void)state;
    script.fail = SP_FS_OP_OPEN;
    begin("scp -t .");
    for (size_t i = 0; i + 10 <= sizeof bad; i += 10)
        memcpy(bad + i, "C0644 1 f\n", 10);
    for (int i = 0; i < 20; i++)
        if (spp_wants_input(server))
            send_bytes(bad, sizeof bad);
    assert_false(spp_wants_input(server));
    assert_in_range(server->out.length, SPP_OUTPUT_HIGH, SPP_OUTPUT_HIGH + 2048);
    spp_lost(server);
    finish(1);
}

static void what_is_refused_at_once(void **state)
{
    const sp_scp_options no_sink = {SP_SCP_OPTIONS_INIT, .read_only = true};
    const sp_scp_options no_source = {SP_SCP_OPTIONS_INIT, .write_only = true};
    const sp_fs_options read_only = {SP_FS_OPTIONS_INIT, .read_only = true};
    (void)state;
    begin_table(&table, "scp -t .", NULL, &no_sink);
    expect_text("\2scp: files can't be sent here\n");
    assert_string_equal(steps, "");
    assert_int_equal(ends, 0); /* it did not begin */
    stand_end();
    begin_table(&table, "scp -t .", &read_only, NULL);
    expect_text("\2scp: files can't be sent here\n");
    stand_end();
    begin_table(&table, "scp -f f", NULL, &no_source);
    expect_text("\2scp: files can't be fetched here\n");
    stand_end();
    begin("scp -t $(x)");
    expect_text("\2scp: syntax of a shell that is not known here\n");
    stand_end();
}

static void options_are_looked_at(void **state)
{
    const sp_scp_options deep = {SP_SCP_OPTIONS_INIT, .max_depth = 1001};
    const sp_scp_options no_size = {.max_depth = 1};
    sp_fs *fs = sp_fs_new(&table, NULL, NULL);
    spp_server *none;
    (void)state;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    assert_int_equal(spp_server_new(&none, fs, loop, NULL, "u", "scp -t .", &deep, NULL, NULL),
                     SP_EINVAL);
    assert_int_equal(spp_server_new(&none, fs, loop, NULL, "u", "scp -t .", &no_size, NULL, NULL),
                     SP_EINVAL);
    assert_int_equal(spp_server_new(&none, NULL, loop, NULL, "u", "scp -t .", NULL, NULL, NULL),
                     SP_EINVAL);
    assert_int_equal(spp_server_new(&none, fs, loop, NULL, "u", "id", NULL, NULL, NULL), SP_EINVAL);
    assert_int_equal(spp_server_new(&none, fs, loop, NULL, "u", NULL, NULL, NULL, NULL), SP_EINVAL);
    sp_fs_unref(fs);
    spl_loop_free(loop);
}

static void a_table_that_has_little(void **state)
{
    const sp_fs_handlers little = {SP_FS_HANDLERS_INIT, .open = handle, .write = handle,
                                   .read = handle};
    (void)state;
    begin_table(&little, "scp -t f", NULL, NULL);
    expect_ok();
    send_text("C0644 4 f\ntext");
    expect_ok();
    assert_true(server->file.flags & SP_FS_TRUNCATE);
    send_ok();
    expect_ok();
    spp_end_of_input(server);
    assert_int_equal(spp_exit_status(server), 0);
    stand_end();
    begin_table(&little, "scp -f f", NULL, NULL);
    send_ok();
    expect_text("\1scp: f: Operation unsupported\n");
    stand_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_file_is_taken, reset),
        cmocka_unit_test_setup(all_at_once, reset),
        cmocka_unit_test_setup(modes_and_times, reset),
        cmocka_unit_test_setup(a_directory_of_no_rights, reset),
        cmocka_unit_test_setup(directories_nest_so_deep, reset),
        cmocka_unit_test_setup(the_target_must_be_a_directory, reset),
        cmocka_unit_test_setup(failures_of_the_table, reset),
        cmocka_unit_test_setup(bytes_wait_for_the_write_before, reset),
        cmocka_unit_test_setup(small_files_one_behind_the_other, reset),
        cmocka_unit_test_setup(requests_are_told, reset),
        cmocka_unit_test_setup(the_client_tells_of_failures, reset),
        cmocka_unit_test_setup(no_end_of_the_directory, reset),
        cmocka_unit_test_setup(the_client_leaves, reset),
        cmocka_unit_test_setup(output_is_bounded, reset),
        cmocka_unit_test_setup(what_is_refused_at_once, reset),
        cmocka_unit_test_setup(options_are_looked_at, reset),
        cmocka_unit_test_setup(a_table_that_has_little, reset),
    };
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
