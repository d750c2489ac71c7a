/* src/sftp/parse.c, reply.c, longname.c: each request good and cut at each byte, each reply. */
#include "support/sftp_stand.h"

#include <stdio.h>
#include <time.h>

/* ---- requests ---- */

typedef struct sample {
    const char *name;
    void (*put)(spb_buffer *b); /* what stands behind the id */
    uint8_t type;
    sp_fs_op op;
} sample;

static void put_path(spb_buffer *b)
{
    spw_cstring(b, "/a path");
}

static void put_two(spb_buffer *b)
{
    spw_cstring(b, "one");
    spw_cstring(b, "two");
}

static void put_id(spb_buffer *b)
{
    spw_cstring(b, "0123456789abcdef");
}

static void put_attr(spb_buffer *b)
{
    spw_u32(b, 0x8000000fu);
    spw_u64(b, 0x123456789abull);
    spw_u32(b, 1000);
    spw_u32(b, 100);
    spw_u32(b, 0100640);
    spw_u32(b, 11);
    spw_u32(b, 4000000000u);
    spw_u32(b, 1);
    spw_cstring(b, "acl@example.org");
    spw_cstring(b, "whatever");
}

static void put_path_attr(spb_buffer *b)
{
    put_path(b);
    put_attr(b);
}

static void put_id_attr(spb_buffer *b)
{
    put_id(b);
    put_attr(b);
}

static void put_open(spb_buffer *b)
{
    put_path(b);
    spw_u32(b, SP_FS_WRITE | SP_FS_CREATE);
    put_attr(b);
}

static void put_read(spb_buffer *b)
{
    put_id(b);
    spw_u64(b, 5000000000ull);
    spw_u32(b, 32768);
}

static void put_write(spb_buffer *b)
{
    put_id(b);
    spw_u64(b, 5000000000ull);
    spw_cstring(b, "bytes");
}

static void put_copy(spb_buffer *b)
{
    spw_cstring(b, "copy-data");
    put_id(b);
    spw_u64(b, 1);
    spw_u64(b, 2);
    spw_cstring(b, "fedcba9876543210");
    spw_u64(b, 3);
}

static void put_owners(spb_buffer *b)
{
    spw_cstring(b, "users-groups-by-id@openssh.com");
    spw_string(b, "\0\0\0\1\0\0\3\350", 8);
    spw_string(b, "\0\0\0\2", 4);
}

static void put_rename(spb_buffer *b)
{
    spw_cstring(b, "posix-rename@openssh.com");
    put_two(b);
}

static void put_hardlink(spb_buffer *b)
{
    spw_cstring(b, "hardlink@openssh.com");
    put_two(b);
}

static void put_statvfs(spb_buffer *b)
{
    spw_cstring(b, "statvfs@openssh.com");
    put_path(b);
}

static void put_fstatvfs(spb_buffer *b)
{
    spw_cstring(b, "fstatvfs@openssh.com");
    put_id(b);
}

static void put_fsync(spb_buffer *b)
{
    spw_cstring(b, "fsync@openssh.com");
    put_id(b);
}

static void put_lsetstat(spb_buffer *b)
{
    spw_cstring(b, "lsetstat@openssh.com");
    put_path_attr(b);
}

static void put_expand(spb_buffer *b)
{
    spw_cstring(b, "expand-path@openssh.com");
    put_path(b);
}

static void put_home(spb_buffer *b)
{
    spw_cstring(b, "home-directory");
    spw_cstring(b, "/a path");
}

static const sample samples[] = {
    {"open", put_open, SPF_OPEN, SP_FS_OP_OPEN},
    {"close", put_id, SPF_CLOSE, SP_FS_OP_CLOSE},
    {"read", put_read, SPF_READ, SP_FS_OP_READ},
    {"write", put_write, SPF_WRITE, SP_FS_OP_WRITE},
    {"lstat", put_path, SPF_LSTAT, SP_FS_OP_LSTAT},
    {"fstat", put_id, SPF_FSTAT, SP_FS_OP_FSTAT},
    {"setstat", put_path_attr, SPF_SETSTAT, SP_FS_OP_SETSTAT},
    {"fsetstat", put_id_attr, SPF_FSETSTAT, SP_FS_OP_FSETSTAT},
    {"opendir", put_path, SPF_OPENDIR, SP_FS_OP_OPENDIR},
    {"readdir", put_id, SPF_READDIR, SP_FS_OP_READDIR},
    {"remove", put_path, SPF_REMOVE, SP_FS_OP_REMOVE},
    {"mkdir", put_path_attr, SPF_MKDIR, SP_FS_OP_MKDIR},
    {"rmdir", put_path, SPF_RMDIR, SP_FS_OP_RMDIR},
    {"realpath", put_path, SPF_REALPATH, SP_FS_OP_REALPATH},
    {"stat", put_path, SPF_STAT, SP_FS_OP_STAT},
    {"rename", put_two, SPF_RENAME, SP_FS_OP_RENAME},
    {"readlink", put_path, SPF_READLINK, SP_FS_OP_READLINK},
    {"symlink", put_two, SPF_SYMLINK, SP_FS_OP_SYMLINK},
    {"posix-rename", put_rename, SPF_EXTENDED, SP_FS_OP_RENAME},
    {"hardlink", put_hardlink, SPF_EXTENDED, SP_FS_OP_LINK},
    {"statvfs", put_statvfs, SPF_EXTENDED, SP_FS_OP_STATVFS},
    {"fstatvfs", put_fstatvfs, SPF_EXTENDED, SP_FS_OP_FSTATVFS},
    {"fsync", put_fsync, SPF_EXTENDED, SP_FS_OP_FSYNC},
    {"lsetstat", put_lsetstat, SPF_EXTENDED, SP_FS_OP_LSETSTAT},
    {"expand-path", put_expand, SPF_EXTENDED, SP_FS_OP_EXPAND_PATH},
    {"copy-data", put_copy, SPF_EXTENDED, SP_FS_OP_COPY_DATA},
    {"home-directory", put_home, SPF_EXTENDED, SP_FS_OP_HOME_DIRECTORY},
    {"users-groups-by-id", put_owners, SPF_EXTENDED, SP_FS_OP_USERS_GROUPS},
};
#define SAMPLES (sizeof samples / sizeof samples[0])

static spb_buffer make(const sample *s)
{
    spb_buffer b;
    spb_buffer_init(&b, &env, 1 << 20);
    spw_u8(&b, s->type);
    spw_u32(&b, 77);
    s->put(&b);
    assert_true(spw_ok(&b));
    return b;
}

static void check_attr(const sp_fs_attr *a)
{
    assert_int_equal(a->valid, 15);
    assert_int_equal(a->size, 0x123456789abull);
    assert_int_equal(a->uid, 1000);
    assert_int_equal(a->gid, 100);
    assert_int_equal(a->permissions, 0100640);
    assert_int_equal(a->atime, 11);
    assert_true(a->mtime == 4000000000ll);
}

static void check_fields(const sample *s, const spf_message *m)
{
    if (s->put == put_path || s->put == put_home || s->put == put_open)
        assert_true(m->has_path && spb_span_is(m->path, "/a path"));
    if (s->put == put_id || s->put == put_read || s->put == put_write || s->put == put_fsync)
        assert_true(spb_span_is(m->handle, "0123456789abcdef"));
    if (s->put == put_open || s->put == put_path_attr || s->put == put_id_attr ||
        s->put == put_lsetstat)
        check_attr(&m->attr);
    if (s->type == SPF_SYMLINK)
        assert_true(spb_span_is(m->path, "two") && spb_span_is(m->to, "one"));
    else if (s->put == put_two || s->put == put_rename || s->put == put_hardlink)
        assert_true(spb_span_is(m->path, "one") && spb_span_is(m->to, "two"));
    if (s->op == SP_FS_OP_RENAME)
        assert_int_equal(m->flags, s->put == put_rename ? SP_FS_REPLACE : 0);
    if (s->put == put_read)
        assert_true(m->offset == 5000000000ull && m->length == 32768);
    if (s->put == put_write)
        assert_true(m->offset == 5000000000ull && m->length == 5 && spb_span_is(m->bytes, "bytes"));
    if (s->put == put_copy)
        assert_true(m->offset == 1 && m->length == 2 && m->to_offset == 3 &&
                    spb_span_is(m->to_handle, "fedcba9876543210"));
    if (s->put == put_owners)
        assert_true(m->uids.length == 8 && m->gids.length == 4);
}

static void each_request_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        spf_message m;
        spb_buffer b = make(&samples[i]);
        assert_int_equal(spf_parse((spb_span){b.data, b.length}, &m), SPF_IS_REQUEST);
        assert_int_equal(m.id, 77);
        assert_int_equal(m.op, samples[i].op);
        check_fields(&samples[i], &m);
        spw_cstring(&b, "more behind it");
        assert_int_equal(spf_parse((spb_span){b.data, b.length}, &m), SPF_IS_REQUEST);
        spb_buffer_free(&b);
    }
}

static void a_cut_request_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        spb_buffer b = make(&samples[i]);
        for (size_t length = 0; length < b.length; length++) {
            spf_message m;
            uint8_t *exact = malloc(length + 1);
            memcpy(exact, b.data, length);
            assert_int_equal(spf_parse((spb_span){exact, length}, &m), SPF_MALFORMED);
            free(exact);
        }
        spb_buffer_free(&b);
    }
}

static spf_verdict parse_with(uint8_t type, void (*put)(spb_buffer *b))
{
    const sample s = {"", put, type, 0};
    spf_message m;
    spb_buffer b = make(&s);
    spf_verdict verdict = spf_parse((spb_span){b.data, b.length}, &m);
    spb_buffer_free(&b);
    return verdict;
}

static void put_nul(spb_buffer *b)
{
    spw_string(b, "a\0b", 3);
}

static void put_nul_second(spb_buffer *b)
{
    spw_cstring(b, "a");
    spw_string(b, "b\0", 2);
}

static void put_long_handle(spb_buffer *b)
{
    char text[SPF_HANDLE_MAX + 1];
    memset(text, 'x', sizeof text);
    spw_string(b, text, sizeof text);
}

static void put_strange_attr(spb_buffer *b)
{
    put_path(b);
    spw_u32(b, 0x10);
    spw_u64(b, 0);
}

static void put_endless_attr(spb_buffer *b)
{
    put_path(b);
    spw_u32(b, 0x80000000u);
    spw_u32(b, 0xffffffffu);
}

static void put_odd_ids(spb_buffer *b)
{
    spw_cstring(b, "users-groups-by-id@openssh.com");
    spw_cstring(b, "12345");
    spw_cstring(b, "");
}

static void put_many_ids(spb_buffer *b)
{
    static char zeros[4 * (SPF_IDS_MAX + 1)];
    spw_cstring(b, "users-groups-by-id@openssh.com");
    spw_cstring(b, "");
    spw_string(b, zeros, sizeof zeros);
}

static void put_unknown(spb_buffer *b)
{
    spw_cstring(b, "vendor-id");
    spw_cstring(b, "?");
}

static void put_limits(spb_buffer *b)
{
    spw_cstring(b, "limits@openssh.com");
}

static void put_nothing(spb_buffer *b)
{
    (void)b;
}

static void bad_requests_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(parse_with(SPF_STAT, put_nul), SPF_MALFORMED);
    assert_int_equal(parse_with(SPF_RENAME, put_nul_second), SPF_MALFORMED);
    assert_int_equal(parse_with(SPF_CLOSE, put_long_handle), SPF_MALFORMED);
    assert_int_equal(parse_with(SPF_SETSTAT, put_strange_attr), SPF_BAD);
    assert_int_equal(parse_with(SPF_SETSTAT, put_endless_attr), SPF_MALFORMED);
    assert_int_equal(parse_with(SPF_EXTENDED, put_odd_ids), SPF_MALFORMED);
    assert_int_equal(parse_with(SPF_EXTENDED, put_many_ids), SPF_BAD);
    assert_int_equal(parse_with(SPF_EXTENDED, put_unknown), SPF_UNKNOWN);
    assert_int_equal(parse_with(SPF_EXTENDED, put_limits), SPF_IS_LIMITS);
    assert_int_equal(parse_with(SPF_INIT, put_nothing), SPF_IS_INIT);
    const int unknown[] = {0, 2, 21, 99, 101, 105, 106, 199, 201, 255};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(parse_with((uint8_t)unknown[i], put_nothing), SPF_UNKNOWN);
}

/* ---- replies ---- */

static void expect_bytes(spb_buffer *b, const void *bytes, size_t length)
{
    assert_true(spw_ok(b));
    assert_int_equal(b->length, length);
    assert_memory_equal(b->data, bytes, length);
    spb_buffer_free(b);
}

static spb_buffer out(void)
{
    spb_buffer b;
    spb_buffer_init(&b, &env, 1 << 20);
    return b;
}

static void replies_have_their_bytes(void **state)
{
    (void)state;
    spb_buffer b = out();
    spf_put_status(&b, 7, SP_FS_NO_SUCH_FILE, NULL);
    expect_bytes(&b, "\0\0\0\x1d\x65\0\0\0\7\0\0\0\2\0\0\0\x0cNo such file\0\0\0\0", 33);
    spf_put_status(&b, 7, SP_FS_FAILURE, "x");
    expect_bytes(&b, "\0\0\0\x12\x65\0\0\0\7\0\0\0\4\0\0\0\1x\0\0\0\0", 22);
    spf_put_handle(&b, 8, (const uint8_t *)"0123456789abcdef");
    expect_bytes(&b,
                 "\0\0\0\x19\x66\0\0\0\x08\0\0\0\x10"
                 "0123456789abcdef",
                 29);
    uint8_t header[SPF_DATA_HEADER];
    spf_data_header(header, 9, 5);
    assert_memory_equal(header, "\0\0\0\x0e\x67\0\0\0\x09\0\0\0\5", 13);
    const spf_limits limits = {1, 2, 3, 4};
    spf_put_limits(&b, 1, &limits);
    expect_bytes(&b,
                 "\0\0\0\x25\xc9\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0"
                 "\0\0\0\4",
                 41);
}

static void answers_have_their_bytes(void **state)
{
    (void)state;
    spb_buffer b = out();
    spd_answer a = {.form = SPD_ATTRIBUTES,
                    .u.attr = {.valid = 8, .atime = -1, .mtime = 0x1ffffffffll}};
    spf_put_answer(&b, 1, &a, 0);
    expect_bytes(&b, "\0\0\0\x11\x69\0\0\0\1\0\0\0\x08\0\0\0\0\xff\xff\xff\xff", 21);
    char path[] = "/p";
    a = (spd_answer){.form = SPD_NAME, .text = path};
    spf_put_answer(&b, 1, &a, 0);
    expect_bytes(&b, "\0\0\0\x19\x68\0\0\0\1\0\0\0\1\0\0\0\2/p\0\0\0\2/p\0\0\0\0", 29);
    char *names[] = {path, path, path};
    a = (spd_answer){.form = SPD_OWNERS, .u.owners = {names, 1, 2}};
    spf_put_answer(&b, 1, &a, 0);
    expect_bytes(&b, "\0\0\0\x1f\xc9\0\0\0\1\0\0\0\6\0\0\0\2/p\0\0\0\x0c\0\0\0\2/p\0\0\0\2/p", 35);
    a = (spd_answer){.form = SPD_SPACE, .u.volume = {.read_only = true, .no_setuid = true}};
    spf_put_answer(&b, 1, &a, 0);
    assert_int_equal(b.length, 4 + 5 + 88);
    assert_int_equal(b.data[9 + 79], 3); /* the flags */
    spb_buffer_free(&b);
}

static void a_version_names_what_there_is(void **state)
{
    (void)state;
    const sp_fs_handlers none = {SP_FS_HANDLERS_INIT};
    sp_fs *fs = sp_fs_new(&none, NULL, NULL);
    spb_buffer b = out();
    spf_put_version(&b, fs, 0);
    expect_bytes(&b,
                 "\0\0\0\x20\x02\0\0\0\3\0\0\0\x12limits@openssh.com\0\0\0\1"
                 "1",
                 36);
    sp_fs_unref(fs);
    fs = sp_fs_memory_new(NULL);
    spf_put_version(&b, fs, 0);
    spb_reader r;
    spr_init(&r, b.data + 9, b.length - 9);
    size_t count = 0;
    while (spr_left(&r) != 0) {
        spb_span name = spr_string(&r);
        spb_span version = spr_string(&r);
        assert_true(spr_ok(&r) && name.length > 0 && version.length == 1);
        count++;
    }
    assert_int_equal(count, 10); /* all but users-groups-by-id */
    spb_buffer_free(&b);
    sp_fs_unref(fs);
}

static void status_texts_are_openssh_s(void **state)
{
    (void)state;
    assert_string_equal(spd_status_text(SP_FS_OK), "Success");
    assert_string_equal(spd_status_text(SP_FS_EOF), "End of file");
    assert_string_equal(spd_status_text(SP_FS_OP_UNSUPPORTED), "Operation unsupported");
    assert_string_equal(spd_status_text((sp_fs_status)9), "Unknown error");
    assert_string_equal(spd_status_text((sp_fs_status)-1), "Unknown error");
}

/* ---- the lines for people ---- */

static void check_line(const sp_fs_entry *entry, time_t now, const char *line)
{
    char text[SPF_LONGNAME_MAX];
    assert_int_equal(spf_longname(text, entry, now), strlen(line));
    assert_string_equal(text, line);
}

static void long_names_are_lines_of_ls(void **state)
{
    (void)state;
    const time_t now = 1700000000; /* 2023-11-14 22:13:20 UTC */
    sp_fs_entry e = {.name = "file",
                     .attr = {.valid = 15,
                              .permissions = 0100644,
                              .uid = 1000,
                              .gid = 7,
                              .size = 12,
                              .mtime = now - 3600,
                              .links = 2}};
    check_line(&e, now, "-rw-r--r--   2 1000     7              12 Nov 14 21:13 file");
    e.user = "somebody_long";
    e.group = "staff";
    e.attr.permissions = 0042775;
    e.attr.mtime = 0;
    check_line(&e, now, "drwxrwsr-x   2 somebody_long staff          12 Jan  1  1970 file");
    e.attr.permissions = 0120777;
    e.attr.mtime = now + 60; /* the future has its year */
    check_line(&e, now, "lrwxrwxrwx   2 somebody_long staff          12 Nov 14  2023 file");
    e.attr.permissions = 0107000;
    check_line(&e, now, "---S--S--T   2 somebody_long staff          12 Nov 14  2023 file");
    e = (sp_fs_entry){.name = "x", .attr = {.size = 99, .uid = 99}};
    check_line(&e, now, "----------   1 0        0               0 Jan  1  1970 x");
    e.attr = (sp_fs_attr){.valid = 8, .mtime = INT64_MAX};
    check_line(&e, now, "----------   1 0        0               0 ? x");
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char name[SP_FS_NAME_MAX + 1];
    char user[SPD_OWNER_MAX + 1];
    char text[SPF_LONGNAME_MAX];
    memset(name, 'n', sizeof name - 1);
    memset(user, 'u', sizeof user - 1);
    name[sizeof name - 1] = '\0';
    user[sizeof user - 1] = '\0';
    const sp_fs_entry e = {
        .name = name, .user = user, .group = user, .attr = {.valid = 15, .size = UINT64_MAX}};
    size_t length = spf_longname(text, &e, 0);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text + length - SP_FS_NAME_MAX, name);
}

static int set_up(void **state)
{
    (void)state;
    spb_env_init(&env, NULL);
    setenv("TZ", "UTC", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_is_read),
        cmocka_unit_test(a_cut_request_is_malformed),
        cmocka_unit_test(bad_requests_are_told_apart),
        cmocka_unit_test(replies_have_their_bytes),
        cmocka_unit_test(answers_have_their_bytes),
        cmocka_unit_test(a_version_names_what_there_is),
        cmocka_unit_test(status_texts_are_openssh_s),
        cmocka_unit_test(long_names_are_lines_of_ls),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
