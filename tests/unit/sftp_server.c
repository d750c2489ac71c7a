/* src/sftp/server.c, request.c, files.c: sessions over the file system in memory: the protocol's
 * order, handles, limits, refusals, the end. Later answers: sftp_later.c. */
#include "support/sftp_stand.h"

#define RW (SP_FS_READ | SP_FS_WRITE)
#define MAKE (RW | SP_FS_CREATE)

static char log_path[64];
static sp_sftp_transfer logged;
static int transfers;

static void transferred(sp_channel *channel, const sp_sftp_transfer *transfer, void *data)
{
    assert_null(channel);
    assert_ptr_equal(data, log_path);
    logged = *transfer;
    snprintf(log_path, sizeof log_path, "%s", transfer->path);
    transfers++;
}

static void begin(const sp_sftp_options *options)
{
    stand_begin(sp_fs_memory_new(NULL), options);
    send_init();
    expect_version();
}

static void finish(uint32_t status)
{
    spf_end_of_input(server);
    assert_true(spf_ended(server));
    assert_int_equal(server->status, status);
    stand_end();
}

/* ---- the beginning ---- */

static void init_is_first(void **state)
{
    (void)state;
    stand_begin(sp_fs_memory_new(NULL), NULL);
    send_path(SPF_STAT, 1, "/");
    no_answer();
    assert_true(spf_ended(server));
    finish(255);
}

static void init_comes_once(void **state)
{
    (void)state;
    begin(NULL);
    send_init();
    no_answer();
    assert_false(spf_wants_input(server));
    finish(255);
}

static void every_version_gets_three(void **state)
{
    (void)state;
    const uint32_t versions[] = {0, 3, 6, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        stand_begin(sp_fs_memory_new(NULL), NULL);
        packet p = begin_packet(SPF_INIT, versions[i]);
        spw_cstring(&p.b, "some-extension");
        spw_cstring(&p.b, "1");
        send_packet(&p);
        expect_version();
        finish(0);
    }
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    stand_begin(sp_fs_memory_new(NULL), NULL);
    const uint8_t bytes[] = "\0\0\0\5\1\0\0\0\3\0\0\0\x0a\x11\0\0\0\1\0\0\0\1/";
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        spf_receive(server, bytes + i, 1);
    expect_version();
    answer a = take();
    assert_int_equal(a.type, SPF_ATTRS);
    finish(0);
}

static void bad_lengths_end_it(void **state)
{
    (void)state;
    const char *const lengths[] = {"\0\0\0\0", "\0\4\4\1", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < 3; i++) {
        begin(NULL);
        spf_receive(server, (const uint8_t *)lengths[i], 4);
        assert_true(spf_ended(server));
        finish(255);
    }
}

static void a_malformed_request_ends_it(void **state)
{
    (void)state;
    begin(NULL);
    (void)opened("/f", MAKE);
    packet p = begin_packet(SPF_STAT, 1);
    spw_u32(&p.b, 100);
    send_packet(&p);
    assert_int_equal(server->file_count, 0);
    send_path(SPF_STAT, 2, "/"); /* is not read any more */
    no_answer();
    finish(255);
}

static void strange_requests_are_refused(void **state)
{
    (void)state;
    begin(NULL);
    packet p = begin_packet(99, 5);
    send_packet(&p);
    expect_text(5, SP_FS_OP_UNSUPPORTED, "Operation unsupported");
    p = begin_extended(6, "vendor-id");
    send_packet(&p);
    expect_status(6, SP_FS_OP_UNSUPPORTED);
    p = begin_extended(7, "users-groups-by-id@openssh.com");
    spw_u32(&p.b, 0);
    spw_u32(&p.b, 0);
    send_packet(&p);
    expect_status(7, SP_FS_OP_UNSUPPORTED); /* memory has none */
    p = begin_packet(SPF_SETSTAT, 8);
    spw_cstring(&p.b, "/");
    spw_u32(&p.b, 0x40);
    send_packet(&p);
    expect_text(8, SP_FS_BAD_MESSAGE, "Bad message");
    finish(0);
}

/* ---- files ---- */

static void a_file_is_written_and_read(void **state)
{
    (void)state;
    begin(NULL);
    handle h = opened("/f", MAKE);
    send_write(2, h, 0, "hello");
    expect_status(2, SP_FS_OK);
    send_write(3, h, 5, " world");
    expect_status(3, SP_FS_OK);
    send_read(4, h, 0, 100);
    expect_data(4, "hello world");
    send_read(5, h, 6, 3);
    expect_data(5, "wor");
    send_read(6, h, 11, 1);
    expect_text(6, SP_FS_EOF, "End of file");
    send_read(7, h, 3, 0);
    expect_data(7, "");
    send_handle(SPF_FSTAT, 8, h);
    answer a = take();
    assert_int_equal(a.type, SPF_ATTRS);
    assert_int_equal(spr_u32(&a.r), 15);
    assert_int_equal(spr_u64(&a.r), 11);
    send_handle(SPF_CLOSE, 9, h);
    expect_status(9, SP_FS_OK);
    finish(0);
}

static void offsets_have_an_end(void **state)
{
    (void)state;
    begin(NULL);
    handle h = opened("/f", MAKE);
    send_read(2, h, INT64_MAX, 1);
    expect_status(2, SP_FS_EOF);
    send_read(2, h, UINT64_MAX, UINT32_MAX);
    expect_status(2, SP_FS_EOF);
    send_write(3, h, INT64_MAX, "x");
    expect_status(3, SP_FS_FAILURE);
    send_write(3, h, UINT64_MAX, "xy");
    expect_status(3, SP_FS_FAILURE);
    send_write(4, h, INT64_MAX - 1, "x"); /* more than memory has */
    expect_text(4, SP_FS_FAILURE, "No space left on device");
    send_read(5, h, 0, UINT32_MAX); /* cut to what a packet holds */
    expect_status(5, SP_FS_EOF);
    finish(0);
}

static void handles_are_known_only_whole(void **state)
{
    (void)state;
    begin(NULL);
    handle h = opened("/f", MAKE);
    handle other = opened("/g", MAKE);
    for (size_t i = 0; i < sizeof h.id; i++) {
        handle wrong = h;
        wrong.id[i] ^= 1;
        send_read(2, wrong, 0, 1);
        expect_text(2, SP_FS_FAILURE, "Failure");
    }
    packet p = begin_packet(SPF_CLOSE, 3);
    spw_string(&p.b, h.id, 4);
    send_packet(&p);
    expect_status(3, SP_FS_FAILURE);
    p = begin_packet(SPF_CLOSE, 3);
    spw_cstring(&p.b, "");
    send_packet(&p);
    expect_status(3, SP_FS_FAILURE);
    send_handle(SPF_CLOSE, 4, h);
    expect_status(4, SP_FS_OK);
    send_handle(SPF_CLOSE, 5, h);
    expect_status(5, SP_FS_FAILURE);
    handle again = opened("/f", RW); /* the same place, another number */
    assert_memory_equal(again.id, h.id, 4);
    assert_memory_not_equal(again.id, h.id, sizeof h.id);
    send_write(6, h, 0, "x");
    expect_status(6, SP_FS_FAILURE);
    send_handle(SPF_CLOSE, 7, other);
    expect_status(7, SP_FS_OK);
    finish(0);
}

static void handles_are_used_for_what_they_are(void **state)
{
    (void)state;
    begin(NULL);
    handle f = opened("/f", SP_FS_WRITE | SP_FS_CREATE);
    handle g = opened("/f", SP_FS_READ);
    handle plain = opened("/f", 0); /* reading */
    send_path(SPF_OPENDIR, 2, "/");
    handle d = expect_handle(2);
    send_read(3, f, 0, 1);
    expect_status(3, SP_FS_FAILURE);
    send_write(4, g, 0, "x");
    expect_status(4, SP_FS_FAILURE);
    send_read(5, d, 0, 1);
    expect_status(5, SP_FS_FAILURE);
    send_write(6, d, 0, "x");
    expect_status(6, SP_FS_FAILURE);
    send_handle(SPF_READDIR, 7, f);
    expect_status(7, SP_FS_FAILURE);
    send_read(8, plain, 0, 1);
    expect_status(8, SP_FS_EOF);
    packet p = begin_extended(9, "copy-data");
    spw_string(&p.b, f.id, sizeof f.id);
    spw_u64(&p.b, 0);
    spw_u64(&p.b, 0);
    spw_string(&p.b, f.id, sizeof f.id);
    spw_u64(&p.b, 0);
    send_packet(&p);
    expect_status(9, SP_FS_FAILURE); /* it can't be read */
    finish(0);
}

static void only_so_many_handles(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_handles = 2};
    begin(&options);
    handle h = opened("/f", MAKE);
    send_path(SPF_OPENDIR, 2, "/");
    (void)expect_handle(2);
    send_open(3, "/g", MAKE);
    expect_text(3, SP_FS_FAILURE, "Too many open handles");
    send_open(3, "/none", SP_FS_READ);
    expect_status(3, SP_FS_FAILURE);
    send_handle(SPF_CLOSE, 4, h);
    expect_status(4, SP_FS_OK);
    send_open(5, "/none", SP_FS_READ);
    expect_status(5, SP_FS_NO_SUCH_FILE); /* and takes no place */
    (void)opened("/g", MAKE);
    finish(0);
}

static void many_handles(void **state)
{
    (void)state;
    begin(NULL);
    handle handles[100];
    for (size_t i = 0; i < 100; i++)
        handles[i] = opened("/f", MAKE);
    for (size_t i = 0; i < 100; i += 2) {
        send_handle(SPF_CLOSE, 2, handles[i]);
        expect_status(2, SP_FS_OK);
    }
    for (size_t i = 1; i < 100; i += 2) {
        send_handle(SPF_FSTAT, 3, handles[i]);
        assert_int_equal(take().type, SPF_ATTRS);
    }
    finish(0);
}

/* ---- everything else, once ---- */

static void paths(void **state)
{
    (void)state;
    begin(NULL);
    packet p = begin_packet(SPF_MKDIR, 1);
    spw_cstring(&p.b, "d");
    spw_u32(&p.b, 4);
    spw_u32(&p.b, 0700);
    send_packet(&p);
    expect_status(1, SP_FS_OK);
    (void)opened("/d/f", MAKE);
    send_path(SPF_REALPATH, 2, "d/../d/./f");
    expect_name(2, "/d/f");
    send_path(SPF_REALPATH, 2, ".");
    expect_name(2, "/");
    p = begin_packet(SPF_RENAME, 3);
    spw_cstring(&p.b, "/d/f");
    spw_cstring(&p.b, "/d/g");
    send_packet(&p);
    expect_status(3, SP_FS_OK);
    p = begin_packet(SPF_SYMLINK, 4); /* OpenSSH's order */
    spw_cstring(&p.b, "/d/g");
    spw_cstring(&p.b, "/link");
    send_packet(&p);
    expect_status(4, SP_FS_OK);
    send_path(SPF_READLINK, 5, "/link");
    expect_name(5, "/d/g");
    send_path(SPF_LSTAT, 6, "/link");
    assert_int_equal(take().type, SPF_ATTRS);
    p = begin_extended(7, "hardlink@openssh.com");
    spw_cstring(&p.b, "/d/g");
    spw_cstring(&p.b, "/h");
    send_packet(&p);
    expect_status(7, SP_FS_OK);
    p = begin_packet(SPF_RENAME, 8);
    spw_cstring(&p.b, "/h");
    spw_cstring(&p.b, "/link");
    send_packet(&p);
    expect_status(8, SP_FS_FAILURE); /* it exists */
    p = begin_extended(9, "posix-rename@openssh.com");
    spw_cstring(&p.b, "/h");
    spw_cstring(&p.b, "/link");
    send_packet(&p);
    expect_status(9, SP_FS_OK);
    send_path(SPF_RMDIR, 10, "/d");
    expect_status(10, SP_FS_FAILURE);
    send_path(SPF_REMOVE, 11, "/d/g");
    expect_status(11, SP_FS_OK);
    send_path(SPF_RMDIR, 12, "/d");
    expect_status(12, SP_FS_OK);
    send_path(SPF_STAT, 13, "/d");
    expect_text(13, SP_FS_NO_SUCH_FILE, "No such file");
    p = begin_extended(14, "expand-path@openssh.com");
    spw_cstring(&p.b, "~/x");
    send_packet(&p);
    expect_name(14, "/x");
    p = begin_extended(15, "home-directory");
    spw_cstring(&p.b, "");
    send_packet(&p);
    expect_name(15, "/");
    p = begin_extended(16, "statvfs@openssh.com");
    spw_cstring(&p.b, "/");
    send_packet(&p);
    assert_int_equal(take().type, SPF_EXTENDED_REPLY);
    finish(0);
}

static void links_are_made_the_client_s_way(void **state)
{
    (void)state;
    assert_true(spf_has_draft_links("SSH-2.0-AsyncSSH_2.10.1"));
    assert_true(spf_has_draft_links("SSH-2.0-libssh_0.10.6"));
    assert_true(spf_has_draft_links("SSH-2.0-WinSCP_release_6.3.5"));
    assert_false(spf_has_draft_links("SSH-2.0-libssh2_1.10.0"));
    assert_false(spf_has_draft_links("SSH-2.0-OpenSSH_9.2"));
    assert_false(spf_has_draft_links(NULL));
    begin(NULL);
    server->draft_links = true;
    packet p = begin_packet(SPF_SYMLINK, 1);
    spw_cstring(&p.b, "/link");
    spw_cstring(&p.b, "text");
    send_packet(&p);
    expect_status(1, SP_FS_OK);
    send_path(SPF_READLINK, 2, "/link");
    expect_name(2, "text");
    finish(0);
}

static void set_attributes(uint32_t id, packet p)
{
    spw_u32(&p.b, 1 | 2 | 4 | 8);
    spw_u64(&p.b, 5);
    spw_u32(&p.b, 10);
    spw_u32(&p.b, 20);
    spw_u32(&p.b, 0600);
    spw_u32(&p.b, 1000);
    spw_u32(&p.b, 2000);
    send_packet(&p);
    expect_status(id, SP_FS_OK);
}

static void attributes_are_set(void **state)
{
    (void)state;
    begin(NULL);
    handle h = opened("/f", MAKE);
    packet p = begin_packet(SPF_SETSTAT, 2);
    spw_cstring(&p.b, "/f");
    set_attributes(2, p);
    p = begin_packet(SPF_FSETSTAT, 3);
    spw_string(&p.b, h.id, sizeof h.id);
    set_attributes(3, p);
    p = begin_extended(4, "lsetstat@openssh.com");
    spw_cstring(&p.b, "/f");
    set_attributes(4, p);
    send_handle(SPF_FSTAT, 5, h);
    answer a = take();
    assert_memory_equal(a.bytes + 9,
                        "\0\0\0\x0f\0\0\0\0\0\0\0\5\0\0\0\x0a\0\0\0\x14\0\0\x81\x80\0\0\3\xe8"
                        "\0\0\7\xd0",
                        32);
    p = begin_extended(6, "fsync@openssh.com");
    spw_string(&p.b, h.id, sizeof h.id);
    send_packet(&p);
    expect_status(6, SP_FS_OK);
    p = begin_extended(7, "fstatvfs@openssh.com");
    spw_string(&p.b, h.id, sizeof h.id);
    send_packet(&p);
    assert_int_equal(take().type, SPF_EXTENDED_REPLY);
    finish(0);
}

static void a_directory_is_listed_in_pieces(void **state)
{
    (void)state;
    char name[32];
    begin(NULL);
    for (int i = 0; i < 250; i++) {
        snprintf(name, sizeof name, "/file%03d", i);
        handle h = opened(name, MAKE);
        send_handle(SPF_CLOSE, 2, h);
        expect_status(2, SP_FS_OK);
    }
    send_path(SPF_OPENDIR, 3, "/");
    handle d = expect_handle(3);
    uint32_t seen = 0;
    for (;;) {
        send_handle(SPF_READDIR, 4, d);
        answer a = take();
        if (a.type == SPF_STATUS) {
            assert_int_equal(spr_u32(&a.r), SP_FS_EOF);
            break;
        }
        assert_int_equal(a.type, SPF_NAME);
        uint32_t count = spr_u32(&a.r);
        assert_in_range(count, 1, 100);
        seen += count;
    }
    assert_int_equal(seen, 252);
    finish(0);
}

static void data_is_copied(void **state)
{
    (void)state;
    begin(NULL);
    handle from = opened("/f", MAKE);
    handle to = opened("/g", MAKE);
    send_write(2, from, 0, "0123456789");
    expect_status(2, SP_FS_OK);
    packet p = begin_extended(3, "copy-data");
    spw_string(&p.b, from.id, sizeof from.id);
    spw_u64(&p.b, 4);
    spw_u64(&p.b, 0);
    spw_string(&p.b, to.id, sizeof to.id);
    spw_u64(&p.b, 2);
    send_packet(&p);
    expect_status(3, SP_FS_OK);
    send_read(4, to, 2, 100);
    expect_data(4, "456789");
    p = begin_extended(5, "copy-data");
    spw_string(&p.b, from.id, sizeof from.id);
    spw_u64(&p.b, 0);
    spw_u64(&p.b, 0);
    spw_cstring(&p.b, "0123456789abcdef");
    spw_u64(&p.b, 2);
    send_packet(&p);
    expect_status(5, SP_FS_FAILURE);
    finish(0);
}

static void limits_are_told(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_handles = 7, .max_packet = 100000};
    begin(&options);
    packet p = begin_extended(3, "limits@openssh.com");
    send_packet(&p);
    answer a = take();
    assert_int_equal(a.type, SPF_EXTENDED_REPLY);
    assert_int_equal(a.id, 3);
    assert_int_equal(spr_u64(&a.r), 100000);
    assert_int_equal(spr_u64(&a.r), 100000 - 1024);
    assert_int_equal(spr_u64(&a.r), 100000 - 1024);
    assert_int_equal(spr_u64(&a.r), 7);
    assert_true(spr_done(&a.r));
    finish(0);
}

/* ---- refusals ---- */

static void check_read_only(const sp_sftp_options *options, sp_fs *fs)
{
    stand_begin(fs, options);
    send_init();
    expect_version();
    static const char *const extensions[] = {"hardlink@openssh.com", "posix-rename@openssh.com"};
    static const uint8_t one_path[] = {SPF_REMOVE, SPF_RMDIR};
    static const uint8_t with_attr[] = {SPF_SETSTAT, SPF_MKDIR};
    static const uint8_t two_paths[] = {SPF_RENAME, SPF_SYMLINK};
    static const uint32_t flags[] = {SP_FS_WRITE, SP_FS_READ | SP_FS_CREATE,
                                     SP_FS_READ | SP_FS_TRUNCATE, SP_FS_APPEND};
    for (size_t i = 0; i < 4; i++) {
        send_open(1, "/f", flags[i]);
        expect_text(1, SP_FS_PERMISSION_DENIED, "Permission denied");
    }
    for (size_t i = 0; i < 2; i++) {
        send_path(one_path[i], 1, "/x");
        expect_status(1, SP_FS_PERMISSION_DENIED);
        packet p = begin_packet(with_attr[i], 2);
        spw_cstring(&p.b, "/x");
        spw_u32(&p.b, 0);
        send_packet(&p);
        expect_status(2, SP_FS_PERMISSION_DENIED);
        p = begin_packet(two_paths[i], 3);
        spw_cstring(&p.b, "/x");
        spw_cstring(&p.b, "/y");
        send_packet(&p);
        expect_status(3, SP_FS_PERMISSION_DENIED);
        p = begin_extended(4, extensions[i]);
        spw_cstring(&p.b, "/x");
        spw_cstring(&p.b, "/y");
        send_packet(&p);
        expect_status(4, SP_FS_PERMISSION_DENIED);
    }
    packet p = begin_extended(5, "lsetstat@openssh.com");
    spw_cstring(&p.b, "/");
    spw_u32(&p.b, 0);
    send_packet(&p);
    expect_status(5, SP_FS_PERMISSION_DENIED);
    send_path(SPF_OPENDIR, 6, "/");
    handle d = expect_handle(6);
    p = begin_packet(SPF_FSETSTAT, 7);
    spw_string(&p.b, d.id, sizeof d.id);
    spw_u32(&p.b, 0);
    send_packet(&p);
    expect_status(7, SP_FS_PERMISSION_DENIED);
    send_write(8, d, 0, "x");
    expect_status(8, SP_FS_PERMISSION_DENIED);
    finish(0);
}

static void read_only_changes_nothing(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .read_only = true};
    const sp_fs_memory_options memory = {SP_FS_MEMORY_OPTIONS_INIT, .read_only = true};
    check_read_only(&options, sp_fs_memory_new(NULL));
    check_read_only(NULL, sp_fs_memory_new(&memory));
}

static void nothing_is_there(void **state)
{
    (void)state;
    const sp_fs_handlers none = {SP_FS_HANDLERS_INIT};
    stand_begin(sp_fs_new(&none, NULL, NULL), NULL);
    send_init();
    expect_version();
    send_open(1, "/f", SP_FS_READ);
    expect_status(1, SP_FS_OP_UNSUPPORTED);
    send_path(SPF_REALPATH, 2, ".");
    expect_status(2, SP_FS_OP_UNSUPPORTED);
    packet p = begin_extended(3, "copy-data");
    spw_cstring(&p.b, "");
    spw_u64(&p.b, 0);
    spw_u64(&p.b, 0);
    spw_cstring(&p.b, "");
    spw_u64(&p.b, 0);
    send_packet(&p);
    expect_status(3, SP_FS_OP_UNSUPPORTED);
    finish(0);
}

static void options_have_bounds(void **state)
{
    (void)state;
    const sp_sftp_options bad[] = {
        {SP_SFTP_OPTIONS_INIT, .max_packet = 33999},
        {SP_SFTP_OPTIONS_INIT, .max_packet = 600000},
        {SP_SFTP_OPTIONS_INIT, .max_handles = 16385},
        {SP_SFTP_OPTIONS_INIT, .max_requests = 4097},
        {.size = 0},
    };
    spf_server *none;
    sp_fs *fs = sp_fs_memory_new(NULL);
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(spf_server_new(&none, fs, loop, NULL, "", &bad[i], stand_moved, NULL),
                         SP_EINVAL);
    assert_int_equal(spf_server_new(&none, NULL, loop, NULL, "", NULL, stand_moved, NULL),
                     SP_EINVAL);
    assert_int_equal(spf_server_new(&none, fs, loop, NULL, "", NULL, stand_moved, NULL), 0);
    spf_server_free(none); /* never run */
    spl_loop_free(loop);
    sp_fs_unref(fs);
}

/* ---- limits of what is open ---- */

static void input_waits_for_output(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_requests = 3};
    begin(&options);
    for (uint32_t i = 0; i < 10; i++)
        send_path(SPF_STAT, i, "/");
    assert_int_equal(server->count, 3);
    assert_false(spf_wants_input(server));
    for (uint32_t i = 0; i < 10; i++) {
        answer a = take();
        assert_int_equal(a.type, SPF_ATTRS);
        assert_int_equal(a.id, i);
    }
    no_answer();
    assert_true(spf_wants_input(server));
    finish(0);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_bytes = 100000};
    begin(&options);
    handle h = opened("/f", MAKE);
    send_write(2, h, 0, "x");
    expect_status(2, SP_FS_OK);
    for (uint32_t i = 0; i < 10; i++)
        send_read(i, h, 0, 60000);
    assert_int_equal(server->reading, 60000); /* one; the others wait until it is written */
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(server->bytes <= 100000);
        expect_data(i, "x");
    }
    assert_true(spf_wants_input(server));
    finish(0);
}

static void what_waits_is_done_before_the_end(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_requests = 1};
    begin(&options);
    for (uint32_t i = 0; i < 5; i++)
        send_path(SPF_STAT, i, "/");
    spf_end_of_input(server);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(spf_ended(server), i == 4); /* when the last was taken and answered */
        assert_int_equal(take().id, i);
    }
    no_answer();
    assert_true(spf_ended(server));
    stand_end();
}

/* ---- the end ---- */

static void open_files_are_closed_and_told(void **state)
{
    (void)state;
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .transferred = transferred,
                                     .data = log_path};
    begin(&options);
    transfers = 0;
    handle f = opened("/f", MAKE);
    send_write(2, f, 0, "12345");
    expect_status(2, SP_FS_OK);
    send_read(3, f, 1, 2);
    expect_data(3, "23");
    send_handle(SPF_CLOSE, 4, f);
    expect_status(4, SP_FS_OK);
    assert_int_equal(transfers, 1);
    assert_string_equal(log_path, "/f");
    assert_true(logged.by_client && logged.status == SP_FS_OK && logged.flags == MAKE);
    assert_true(logged.bytes_written == 5 && logged.bytes_read == 2);
    (void)opened("/g", MAKE);
    send_path(SPF_OPENDIR, 5, "/");
    (void)expect_handle(5);
    spf_end_of_input(server);
    assert_true(spf_ended(server));
    assert_int_equal(transfers, 2); /* directories are not told */
    assert_string_equal(log_path, "/g");
    assert_false(logged.by_client);
    stand_end();
}

static void a_lost_client_gets_nothing(void **state)
{
    (void)state;
    begin(NULL);
    (void)opened("/f", MAKE);
    send_path(SPF_STAT, 1, "/");
    spf_lost(server);
    no_answer();
    assert_true(spf_ended(server));
    send_path(SPF_STAT, 1, "/");
    no_answer();
    stand_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_is_first),
        cmocka_unit_test(init_comes_once),
        cmocka_unit_test(every_version_gets_three),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(bad_lengths_end_it),
        cmocka_unit_test(a_malformed_request_ends_it),
        cmocka_unit_test(strange_requests_are_refused),
        cmocka_unit_test(a_file_is_written_and_read),
        cmocka_unit_test(offsets_have_an_end),
        cmocka_unit_test(handles_are_known_only_whole),
        cmocka_unit_test(handles_are_used_for_what_they_are),
        cmocka_unit_test(only_so_many_handles),
        cmocka_unit_test(many_handles),
        cmocka_unit_test(paths),
        cmocka_unit_test(links_are_made_the_client_s_way),
        cmocka_unit_test(attributes_are_set),
        cmocka_unit_test(a_directory_is_listed_in_pieces),
        cmocka_unit_test(data_is_copied),
        cmocka_unit_test(limits_are_told),
        cmocka_unit_test(read_only_changes_nothing),
        cmocka_unit_test(nothing_is_there),
        cmocka_unit_test(options_have_bounds),
        cmocka_unit_test(input_waits_for_output),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(what_waits_is_done_before_the_end),
        cmocka_unit_test(open_files_are_closed_and_told),
        cmocka_unit_test(a_lost_client_gets_nothing),
    };
    return cmocka_run_group_tests(tests, stand_set_up, NULL);
}
