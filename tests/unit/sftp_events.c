/* src/sftp/events.c: what an application is told of requests and of files at their close, and the
 * operations that its options refuse. */
#include "support/sftp_stand.h"

#define MAKE (SP_FS_READ | SP_FS_WRITE | SP_FS_CREATE)

static char events[2048];
static char transfers[2048];

static void add(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add(char *to, size_t size, const char *format, ...)
{
    size_t used = strlen(to);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(to + used, size - used, format, arguments);
    va_end(arguments);
}

static void performed(sp_channel *channel, const sp_sftp_event *e, void *data)
{
    assert_null(channel);
    assert_ptr_equal(data, events);
    assert_string_equal(e->username, "somebody");
    add(events, sizeof events, "%d %s %s %d%s%s;", (int)e->op, e->path != NULL ? e->path : "-",
        e->to != NULL ? e->to : "-", (int)e->status, e->refused ? " refused" : "",
        e->text != NULL ? " text" : "");
}

static void transferred(sp_channel *channel, const sp_sftp_transfer *t, void *data)
{
    assert_null(channel);
    assert_ptr_equal(data, events);
    add(transfers, sizeof transfers, "%s r%u w%u %s%s %d %s;", t->path, (unsigned)t->bytes_read,
        (unsigned)t->bytes_written,
        t->by_client ? "closed"
        : t->lost    ? "lost"
                     : "left",
        t->whole ? " whole" : "", (int)t->data_status, t->reason != NULL ? t->reason : "-");
}

static void begin_on(sp_fs *fs, sp_sftp_options options)
{
    options.performed = performed;
    options.transferred = transferred;
    options.data = events;
    events[0] = transfers[0] = '\0';
    stand_begin(fs, &options);
    send_init();
}

static void begin(sp_sftp_options options)
{
    begin_on(sp_fs_memory_new(NULL), options);
    expect_version();
}

static void finish(void)
{
    spf_end_of_input(server);
    assert_true(spf_ended(server));
    stand_end();
}

static const sp_sftp_options plain = {SP_SFTP_OPTIONS_INIT};

static void drain(void)
{
    while (take().type != 0)
        ;
}

static void send_two(uint8_t type, uint32_t id, const char *path, const char *to)
{
    packet p = begin_packet(type, id);
    spw_cstring(&p.b, path);
    spw_cstring(&p.b, to);
    send_packet(&p);
}

/* ---- requests ---- */

static void requests_are_told(void **state)
{
    (void)state;
    begin(plain);
    packet p = begin_packet(SPF_MKDIR, 2);
    spw_cstring(&p.b, "/d");
    spw_u32(&p.b, 0);
    send_packet(&p);
    send_path(SPF_RMDIR, 3, "/none");
    send_two(SPF_RENAME, 4, "/d", "/e");
    drain();
    handle h = opened("/e/f", MAKE);
    send_write(5, h, 0, "text");  /* told at the close */
    send_handle(SPF_FSTAT, 6, h); /* by the file's name */
    send_read(7, h, 0, 10);
    send_read(8, h, 4, 10);
    send_handle(SPF_CLOSE, 9, h);
    send_handle(SPF_CLOSE, 10, h); /* there is no such handle */
    send_path(SPF_OPENDIR, 11, "/e");
    for (int i = 0; i < 7; i++) {
        answer a = take();
        if (a.type != SPF_HANDLE)
            continue;
        spb_span id = spr_string(&a.r);
        memcpy(h.id, id.data, sizeof h.id);
    }
    send_handle(SPF_READDIR, 12, h);
    send_handle(SPF_READDIR, 13, h);
    send_handle(SPF_CLOSE, 14, h);
    drain();
    char wanted[512];
    (void)snprintf(wanted, sizeof wanted,
                   "%d /d - 0;%d /none - 2;%d /d /e 0;%d /e/f - 0;%d /e/f - 0;"
                   "%d - - 4 refused;%d /e - 0;%d /e - 0;",
                   SP_FS_OP_MKDIR, SP_FS_OP_RMDIR, SP_FS_OP_RENAME, SP_FS_OP_OPEN, SP_FS_OP_FSTAT,
                   SP_FS_OP_CLOSE, SP_FS_OP_OPENDIR, SP_FS_OP_CLOSEDIR);
    assert_string_equal(events, wanted);
    finish();
}

static void refusals_are_told(void **state)
{
    char wanted[256];
    sp_sftp_options options = plain;
    (void)state;
    options.read_only = true;
    begin(options);
    send_path(SPF_REMOVE, 2, "/x");
    expect_status(2, SP_FS_PERMISSION_DENIED);
    send_open(3, "/f", MAKE);
    expect_status(3, SP_FS_PERMISSION_DENIED);
    (void)snprintf(wanted, sizeof wanted, "%d /x - 3 refused;%d /f - 3 refused;", SP_FS_OP_REMOVE,
                   SP_FS_OP_OPEN);
    assert_string_equal(events, wanted);
    finish();

    options = plain;
    options.max_handles = 1;
    begin(options);
    (void)opened("/f", MAKE);
    events[0] = '\0';
    send_open(2, "/g", MAKE);
    expect_status(2, SP_FS_FAILURE);
    (void)snprintf(wanted, sizeof wanted, "%d /g - 4 refused text;", SP_FS_OP_OPEN);
    assert_string_equal(events, wanted);
    finish();
}

static bool announced(const answer *a, const char *name)
{
    size_t length = strlen(name);
    const uint8_t *at = a->r.at;
    for (size_t left = spr_left(&a->r); left >= length; left--, at++)
        if (memcmp(at, name, length) == 0)
            return true;
    return false;
}

static void send_extended(uint32_t id, const char *name, const char *path, const char *to)
{
    packet p = begin_extended(id, name);
    if (path != NULL)
        spw_cstring(&p.b, path);
    if (to != NULL)
        spw_cstring(&p.b, to);
    send_packet(&p);
}

/* Each of the two renames, and what has no operation of its own. */
static void operations_can_be_refused(void **state)
{
    sp_sftp_options options = plain;
    (void)state;
    options.refused = SP_SFTP_OP_POSIX_RENAME | SP_SFTP_OP_LIMITS | SP_SFTP_OP(SP_FS_OP_LINK) |
                      SP_SFTP_OP(SP_FS_OP_CLOSE);
    begin_on(sp_fs_memory_new(NULL), options);
    answer version = take();
    assert_false(announced(&version, "posix-rename@openssh.com"));
    assert_false(announced(&version, "limits@openssh.com"));
    assert_false(announced(&version, "hardlink@openssh.com"));
    assert_true(announced(&version, "statvfs@openssh.com"));
    handle h = opened("/f", MAKE);
    send_extended(2, "posix-rename@openssh.com", "/f", "/g");
    expect_status(2, SP_FS_PERMISSION_DENIED);
    send_extended(3, "limits@openssh.com", NULL, NULL);
    expect_status(3, SP_FS_PERMISSION_DENIED);
    send_extended(4, "hardlink@openssh.com", "/f", "/g");
    expect_status(4, SP_FS_PERMISSION_DENIED);
    send_handle(SPF_CLOSE, 5, h);
    expect_status(5, SP_FS_PERMISSION_DENIED);
    send_two(SPF_RENAME, 6, "/f", "/g");
    expect_status(6, SP_FS_OK);
    finish();
    assert_string_equal(transfers, "/f r0 w0 left 0 -;");

    options.refused = SP_SFTP_OP(SP_FS_OP_RENAME);
    begin_on(sp_fs_memory_new(NULL), options);
    version = take();
    assert_true(announced(&version, "posix-rename@openssh.com"));
    (void)opened("/f", MAKE);
    send_two(SPF_RENAME, 2, "/f", "/g");
    expect_status(2, SP_FS_PERMISSION_DENIED);
    send_extended(3, "posix-rename@openssh.com", "/f", "/g");
    expect_status(3, SP_FS_OK);
    finish();
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    handle h = opened(path, MAKE);
    send_write(2, h, 0, text);
    send_handle(SPF_CLOSE, 3, h);
    drain();
    transfers[0] = '\0';
}

/* What was read is whole when its end was reached, told by the server or by the size. */
static void whole_or_not(void **state)
{
    (void)state;
    begin(plain);
    write_file("/f", "0123456789");
    write_file("/empty", "");

    handle h = opened("/f", SP_FS_READ);
    send_read(2, h, 0, 4);
    send_read(3, h, 4, 6); /* to the byte */
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/f", SP_FS_READ);
    send_read(2, h, 0, 20);
    send_read(3, h, 20, 20);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/f", SP_FS_READ); /* a part */
    send_read(2, h, 0, 9);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/f", SP_FS_READ); /* the end, but not all */
    send_read(2, h, 8, 10);
    send_read(3, h, 10, 10);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/empty", SP_FS_READ);
    send_read(2, h, 0, 9);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/f", SP_FS_READ); /* nothing */
    send_handle(SPF_CLOSE, 4, h);
    drain();
    h = opened("/f", SP_FS_READ); /* all, but left open */
    send_read(2, h, 0, 10);
    drain();
    finish();
    assert_string_equal(transfers, "/f r10 w0 closed whole 0 -;/f r10 w0 closed whole 0 -;"
                                   "/f r9 w0 closed 0 -;/f r2 w0 closed 0 -;"
                                   "/empty r0 w0 closed whole 0 -;/f r0 w0 closed 0 -;"
                                   "/f r10 w0 left 0 -;");
}

static void what_is_written_is_never_whole(void **state)
{
    (void)state;
    begin(plain);
    handle h = opened("/f", MAKE);
    send_write(2, h, 0, "text");
    send_read(3, h, 0, 10);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    finish();
    assert_string_equal(transfers, "/f r4 w4 closed 0 -;");
}

static void failures_of_the_data(void **state)
{
    const sp_fs_memory_options small = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 2000};
    static char much[4000];
    sp_sftp_options options = plain;
    (void)state;
    memset(much, 'x', sizeof much - 1);
    begin_on(sp_fs_memory_new(&small), plain);
    expect_version();
    handle h = opened("/f", MAKE);
    send_write(2, h, 0, much);
    send_write(3, h, 0, "x"); /* what comes later does not heal it */
    send_handle(SPF_CLOSE, 4, h);
    drain();
    finish();
    assert_string_equal(transfers, "/f r0 w1 closed 4 No space left on device;");

    options.refused = SP_SFTP_OP(SP_FS_OP_WRITE);
    begin(options);
    h = opened("/f", MAKE);
    send_write(2, h, 0, "x");
    expect_status(2, SP_FS_PERMISSION_DENIED);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    finish();
    assert_string_equal(transfers, "/f r0 w0 closed 3 -;");
}

static void the_client_vanishes(void **state)
{
    (void)state;
    begin(plain);
    write_file("/f", "0123456789");
    handle h = opened("/f", SP_FS_READ);
    send_read(2, h, 0, 10);
    send_handle(SPF_CLOSE, 4, h);
    drain();
    (void)opened("/g", MAKE);
    spf_lost(server);
    assert_true(spf_ended(server));
    stand_end();
    assert_string_equal(transfers, "/f r10 w0 closed whole 0 -;/g r0 w0 lost 0 -;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_told),
        cmocka_unit_test(refusals_are_told),
        cmocka_unit_test(operations_can_be_refused),
        cmocka_unit_test(whole_or_not),
        cmocka_unit_test(what_is_written_is_never_whole),
        cmocka_unit_test(failures_of_the_data),
        cmocka_unit_test(the_client_vanishes),
    };
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
