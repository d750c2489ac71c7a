/* scp's far end step by step, over a table that follows a script: answers at once, later or from
 * the thread pool, failures at each operation, clients that leave, memory that ends. */
#include "support/scp_stand.h"

#define DIR_MODE (0040000u | 0755u)
#define FILE_MODE (0100000u | 0640u)

/* What the table does. One open thing is as good as another; it counts them. */
static struct script {
    sp_fs_op fail; /* this operation fails, 0: none */
    const char *text;
    bool later;
    uint64_t size;      /* of every file */
    uint64_t real_size; /* bytes that can be read; 0: as `size` */
    const char *const *names;
    size_t name_count;
} script;

static sp_fs_request *kept; /* with `later`: there is at most one */
static char steps[4096];    /* a letter for each operation */
static char written[1 << 20];
static size_t written_length;
static sp_fs_attr set; /* by the last FSETSTAT, SETSTAT, MKDIR or OPEN */
static int open_now, ends;
static size_t cursor;
static char last_path[256];
static char logged[512];

static void note_path(const sp_fs_request *q)
{
    if (q->path != NULL)
        (void)snprintf(last_path, sizeof last_path, "%s", q->path);
}

static bool is_dir_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return name[0] == '\0' || name[0] == '.' || name[0] == 'd';
}

static int give_attributes(sp_fs_request *q)
{
    const sp_fs_attr file = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES,
                             .permissions = FILE_MODE,
                             .size = script.size,
                             .mtime = 11,
                             .atime = 22};
    sp_fs_attr dir = file;
    dir.permissions = DIR_MODE;
    if (q->path != NULL && strstr(q->path, "new") != NULL)
        return sp_fs_failed(q, SP_FS_NO_SUCH_FILE, NULL);
    return sp_fs_attributes(q, q->path != NULL && is_dir_path(q->path) ? &dir : &file);
}

static int give_names(sp_fs_request *q)
{
    sp_fs_entry entries[4] = {0};
    size_t count = 0;
    while (count < 4 && cursor < script.name_count)
        entries[count++].name = script.names[cursor++];
    return count == 0 ? sp_fs_eof(q) : sp_fs_names(q, entries, count);
}

static int give_data(sp_fs_request *q)
{
    uint64_t size = script.real_size != 0 ? script.real_size : script.size;
    if (q->offset >= size)
        return sp_fs_eof(q);
    size_t length = q->length < size - q->offset ? (size_t)q->length : (size_t)(size - q->offset);
    for (size_t i = 0; i < length; i++)
        ((char *)q->buffer)[i] = (char)('a' + (q->offset + i) % 26);
    return sp_fs_data(q, length);
}

static int take_write(sp_fs_request *q)
{
    if (q->offset == 0)
        written_length = 0;
    assert_int_equal(q->offset, written_length);
    assert_true(q->length <= sizeof written - written_length);
    memcpy(written + written_length, q->bytes, q->length);
    written_length += q->length;
    return sp_fs_done(q);
}

static int give_handle(sp_fs_request *q)
{
    open_now++;
    set = q->attr;
    if (q->op == SP_FS_OP_OPENDIR)
        cursor = 0;
    return sp_fs_opened(q, &script);
}

/* Answers as the script says. */
static int decide(sp_fs_request *q)
{
    note_path(q);
    if (q->op == SP_FS_OP_CLOSE || q->op == SP_FS_OP_CLOSEDIR) {
        assert_ptr_equal(q->handle, &script);
        open_now--;
    }
    if (q->op == script.fail)
        return sp_fs_failed(q, script.text != NULL ? SP_FS_FAILURE : SP_FS_PERMISSION_DENIED,
                            script.text);
    switch (q->op) {
    case SP_FS_OP_STAT:
    case SP_FS_OP_LSTAT:
    case SP_FS_OP_FSTAT:
        return give_attributes(q);
    case SP_FS_OP_OPEN:
    case SP_FS_OP_OPENDIR:
        return give_handle(q);
    case SP_FS_OP_READ:
        return give_data(q);
    case SP_FS_OP_READDIR:
        return give_names(q);
    case SP_FS_OP_EXPAND_PATH:
        return sp_fs_name(q, "/home");
    case SP_FS_OP_WRITE:
        return take_write(q);
    case SP_FS_OP_MKDIR:
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_FSETSTAT:
        set = q->attr;
        return sp_fs_done(q);
    default:
        return sp_fs_done(q);
    }
}

static sp_answer handle(sp_fs_request *q)
{
    static const char letters[] = "?bRxslp,ocrwfaynez?m";
    size_t length = strlen(steps);
    if (length < sizeof steps - 1)
        steps[length] = letters[q->op];
    if (!script.later)
        return sp_answered(decide(q));
    assert_null(kept);
    kept = q;
    return SP_LATER;
}

static void note_end(sp_fs_session *session)
{
    assert_non_null(session);
    ends++;
}

static const sp_fs_handlers table = {
    SP_FS_HANDLERS_INIT, .begin = handle,   .end = note_end,   .expand_path = handle,
    .stat = handle,      .lstat = handle,   .setstat = handle, .open = handle,
    .close = handle,     .read = handle,    .write = handle,   .fstat = handle,
    .fsetstat = handle,  .opendir = handle, .readdir = handle, .closedir = handle,
    .mkdir = handle,
};

static void transferred(sp_channel *channel, const sp_sftp_transfer *t, void *data)
{
    size_t length = strlen(logged);
    (void)channel;
    (void)data;
    assert_string_equal(t->username, "somebody");
    (void)snprintf(logged + length, sizeof logged - length, "%s r%u w%u s%d %d;", t->path,
                   (unsigned)t->bytes_read, (unsigned)t->bytes_written, (int)t->status,
                   t->by_client);
}

static void begin_table(const sp_fs_handlers *handlers, const char *command,
                        const sp_fs_options *fs_options, const sp_scp_options *more)
{
    sp_scp_options options = {SP_SCP_OPTIONS_INIT};
    if (more != NULL)
        options = *more;
    options.transferred = transferred;
    memset(steps, 0, sizeof steps);
    written_length = 0;
    open_now = ends = 0;
    logged[0] = '\0';
    kept = NULL;
    stand_begin(sp_fs_new(handlers, NULL, fs_options), command, &options);
}

static void begin(const char *command)
{
    begin_table(&table, command, NULL, NULL);
}

static void finish(uint32_t status)
{
    spp_end_of_input(server);
    assert_true(server->ended);
    assert_int_equal(spp_exit_status(server), status);
    assert_int_equal(open_now, 0);
    assert_int_equal(ends, 1);
    stand_end();
}

/* Exactly this literal comes out, which may have NULs. */
#define EXPECT(literal) expect_bytes(literal, sizeof(literal) - 1)

/* Answers what is kept, until nothing is. */
static void pump_once(void)
{
    sp_fs_request *q = kept;
    int before = moves;
    assert_non_null(q);
    kept = NULL;
    assert_int_equal(decide(q), 0);
    sp_fs_release(q);
    while (moves == before)
        spl_loop_turn(loop);
    spp_run(server);
}

static void pump(void)
{
    while (kept != NULL)
        pump_once();
}

static int reset(void **state)
{
    (void)state;
    script = (struct script){.size = 100};
    return 0;
}

/* ---- the sink ---- */

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

/* ---- the source ---- */

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

static long until_failure; /* allocations; then one fails; negative: all succeed */
static long blocks_held;

static bool may_allocate(void)
{
    return until_failure < 0 || until_failure-- > 0;
}

static void *count_alloc(void *ctx, size_t size)
{
    (void)ctx;
    void *p = may_allocate() ? malloc(size) : NULL;
    blocks_held += p != NULL;
    return p;
}

static void *count_realloc(void *ctx, void *old, size_t size)
{
    (void)ctx;
    void *p = may_allocate() ? realloc(old, size) : NULL;
    blocks_held += p != NULL && old == NULL;
    return p;
}

static void count_free(void *ctx, void *p)
{
    (void)ctx;
    blocks_held -= p != NULL;
    free(p);
}

/* A session with the n-th allocation failing. True: one failed. */
static bool session_with_failure(const char *command, const char *bytes, size_t length, long n)
{
    static char got[8192];
    sp_fs *fs = sp_fs_new(&table, NULL, NULL);
    until_failure = -1;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    long base = blocks_held;
    open_now = ends = 0;
    written_length = 0;
    until_failure = n;
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
        if (server->command.sink && until_failure < 0)
            assert_int_equal(spp_exit_status(server), 1);
        spp_server_free(server);
    } else {
        assert_int_equal(result, SP_ENOMEM);
    }
    bool failed = until_failure < 0;
    until_failure = -1;
    if (blocks_held != base)
        print_error("%s: allocation %ld\n", command, n);
    assert_int_equal(blocks_held, base);
    spl_loop_free(loop);
    sp_fs_unref(fs);
    return failed;
}

static void memory_may_end_at_any_step(void **state)
{
    static const sp_allocator allocator = {NULL, count_alloc, count_realloc, count_free};
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
        cmocka_unit_test_setup(a_file_is_taken, reset),
        cmocka_unit_test_setup(all_at_once, reset),
        cmocka_unit_test_setup(modes_and_times, reset),
        cmocka_unit_test_setup(a_directory_of_no_rights, reset),
        cmocka_unit_test_setup(directories_nest_so_deep, reset),
        cmocka_unit_test_setup(the_target_must_be_a_directory, reset),
        cmocka_unit_test_setup(failures_of_the_table, reset),
        cmocka_unit_test_setup(bytes_wait_for_the_write_before, reset),
        cmocka_unit_test_setup(small_files_one_behind_the_other, reset),
        cmocka_unit_test_setup(the_client_tells_of_failures, reset),
        cmocka_unit_test_setup(no_end_of_the_directory, reset),
        cmocka_unit_test_setup(the_client_leaves, reset),
        cmocka_unit_test_setup(output_is_bounded, reset),
        cmocka_unit_test_setup(what_is_refused_at_once, reset),
        cmocka_unit_test_setup(options_are_looked_at, reset),
        cmocka_unit_test_setup(a_table_that_has_little, reset),
        cmocka_unit_test_setup(a_file_is_sent, reset),
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
