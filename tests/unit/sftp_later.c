/* Answers that come later: the order of requests, the end with requests open, threads; and what
 * happens when memory runs out at each step. The file system here keeps each request. */
#include "support/meter.h"
#include "support/sftp_stand.h"

#include <pthread.h>

#define RW (SP_FS_READ | SP_FS_WRITE)
#define KEPT 64

static sp_fs_request *kept[KEPT];
static size_t kept_count;
static size_t closes;
static size_t ends;
static int handles_made;

static sp_answer keep(sp_fs_request *request)
{
    assert_true(kept_count < KEPT);
    kept[kept_count++] = request;
    return SP_LATER;
}

/* Opens at once. Each handle is another number. */
static sp_answer open_now(sp_fs_request *request)
{
    return sp_answered(sp_fs_opened(request, (void *)(intptr_t)++handles_made));
}

static sp_answer close_now(sp_fs_request *request)
{
    assert_non_null(request->handle);
    closes++;
    return SP_ACCEPT;
}

static void note_end(sp_fs_session *session)
{
    assert_non_null(session);
    ends++;
}

static const sp_fs_handlers keeping = {
    SP_FS_HANDLERS_INIT, .end = note_end,   .open = open_now,
    .close = close_now,  .read = keep,      .write = keep,
    .fstat = keep,       .fsetstat = keep,  .fsync = keep,
    .stat = keep,        .remove = keep,    .opendir = open_now,
    .readdir = keep,     .realpath = keep,  .mkdir = keep,
    .rename = keep,      .copy_data = keep, .users_groups_by_id = keep,
};

static void begin_table(const sp_fs_handlers *table, const sp_fs_options *fs_options,
                        const sp_sftp_options *options)
{
    kept_count = 0;
    closes = 0;
    ends = 0;
    handles_made = 0;
    stand_begin(sp_fs_new(table, NULL, fs_options), options);
    send_init();
    expect_version();
}

static void begin(void)
{
    begin_table(&keeping, NULL, NULL);
}

/* The loop until a late answer has come. */
static void wait_move(void)
{
    int before = moves;
    while (moves == before)
        spl_loop_turn(loop);
    spf_run(server);
}

static void succeed(size_t index)
{
    sp_fs_request *r = kept[index];
    const sp_fs_attr attr = {.valid = 0};
    kept[index] = NULL;
    if (r->op == SP_FS_OP_READ) {
        memset(r->buffer, 'r', r->length);
        assert_int_equal(sp_fs_data(r, r->length + 1), SP_EINVAL);
        assert_int_equal(sp_fs_data(r, r->length), 0);
    } else if (r->op == SP_FS_OP_STAT || r->op == SP_FS_OP_FSTAT) {
        assert_int_equal(sp_fs_attributes(r, &attr), 0);
    } else if (r->op == SP_FS_OP_REALPATH) {
        assert_int_equal(sp_fs_name(r, "/real"), 0);
    } else {
        assert_int_equal(sp_fs_done(r), 0);
    }
    assert_int_equal(sp_fs_eof(r),
                     r->op == SP_FS_OP_READ || r->op == SP_FS_OP_READDIR ? SP_EALREADY : SP_EINVAL);
    sp_fs_release(r);
    wait_move();
}

static void finish(void)
{
    spf_end_of_input(server);
    assert_true(spf_ended(server));
    assert_int_equal(ends, 1);
    stand_end();
}

/* ---- the order ---- */

static void reads_run_together(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    for (uint32_t i = 0; i < 5; i++)
        send_read(i, h, 0, 2);
    send_handle(SPF_FSTAT, 5, h);
    assert_int_equal(kept_count, 6);
    succeed(3); /* answered as they end */
    expect_data(3, "rr");
    succeed(5);
    assert_int_equal(take().id, 5);
    for (size_t i = 0; i < 6; i++)
        if (kept[i] != NULL)
            succeed(i);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take().type, SPF_DATA);
    finish();
}

static void a_read_waits_for_the_write_of_its_bytes(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_write(1, h, 10, "0123456789"); /* 10 to 20 */
    send_read(2, h, 0, 10);             /* before it */
    send_read(3, h, 20, 10);            /* behind it */
    send_read(4, h, 0, 11);
    send_read(5, h, 19, 1);
    send_write(6, h, 15, "x");
    send_write(7, h, 20, "y"); /* waits for the third */
    send_handle(SPF_FSTAT, 8, h);
    assert_int_equal(kept_count, 3);
    succeed(0);
    expect_status(1, SP_FS_OK);
    assert_int_equal(kept_count, 6); /* 4, 5 and 6, which does not touch their bytes */
    assert_int_equal(kept[3]->length, 11);
    assert_int_equal(kept[4]->offset, 19);
    assert_int_equal(kept[5]->op, SP_FS_OP_WRITE);
    succeed(2);
    assert_int_equal(kept_count, 7);
    assert_int_equal(kept[6]->offset, 20);
    succeed(6);
    assert_int_equal(kept_count, 7); /* fstat waits for the other write */
    succeed(5);
    assert_int_equal(kept[7]->op, SP_FS_OP_FSTAT);
    for (size_t i = 0; i < kept_count; i++)
        if (kept[i] != NULL)
            succeed(i);
    while (take().type != 0)
        ;
    finish();
}

static void appending_keeps_its_order(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", SP_FS_WRITE | SP_FS_APPEND);
    send_write(1, h, 0, "a");
    send_write(2, h, 100, "b");
    assert_int_equal(kept_count, 1);
    succeed(0);
    assert_int_equal(kept_count, 2);
    succeed(1);
    expect_status(1, SP_FS_OK);
    expect_status(2, SP_FS_OK);
    finish();
}

static void a_close_waits_and_its_handle_is_gone(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    handle other = opened("/g", RW);
    send_write(1, h, 0, "a");
    send_read(2, h, 50, 1);
    send_handle(SPF_CLOSE, 3, h);
    send_read(4, h, 0, 1); /* comes too late */
    expect_status(4, SP_FS_FAILURE);
    send_read(5, other, 0, 1); /* another file does not wait */
    assert_int_equal(kept_count, 3);
    assert_int_equal(closes, 0);
    succeed(1);
    succeed(0);
    assert_int_equal(closes, 1);
    expect_data(2, "r");
    expect_status(1, SP_FS_OK);
    expect_status(3, SP_FS_OK);
    succeed(2);
    expect_data(5, "r");
    finish();
    assert_int_equal(closes, 2);
}

static void syncing_and_listing_are_alone(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_path(SPF_OPENDIR, 1, "/");
    handle d = expect_handle(1);
    send_write(2, h, 0, "a");
    packet p = begin_extended(3, "fsync@openssh.com");
    spw_string(&p.b, h.id, sizeof h.id);
    send_packet(&p);
    send_write(4, h, 50, "b");
    send_handle(SPF_READDIR, 5, d);
    send_handle(SPF_READDIR, 6, d);
    assert_int_equal(kept_count, 2); /* the write, and one listing */
    assert_int_equal(kept[1]->op, SP_FS_OP_READDIR);
    succeed(0);
    assert_int_equal(kept[2]->op, SP_FS_OP_FSYNC);
    assert_int_equal(kept_count, 3);
    succeed(2);
    assert_int_equal(kept_count, 4);
    succeed(3);
    sp_fs_request *r = kept[1];
    assert_int_equal(sp_fs_done(r), SP_EINVAL); /* not its form */
    const sp_fs_entry bad[] = {{.name = ""}, {.name = NULL}};
    assert_int_equal(sp_fs_names(r, bad, 1), SP_EINVAL);
    assert_int_equal(sp_fs_names(r, bad + 1, 1), SP_EINVAL);
    assert_int_equal(sp_fs_names(r, bad, 0), SP_EINVAL);
    assert_int_equal(sp_fs_names(r, bad, 101), SP_EINVAL);
    const sp_fs_entry good = {.name = "x", .user = "u"};
    assert_int_equal(sp_fs_names(r, &good, 1), 0);
    sp_fs_release(r);
    wait_move();
    assert_int_equal(kept_count, 5);
    assert_int_equal(sp_fs_eof(kept[4]), 0);
    sp_fs_release(kept[4]);
    wait_move();
    while (take().type != 0)
        ;
    finish();
}

static void changes_of_paths_wait_for_everything(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_path(SPF_STAT, 1, "/a");
    send_path(SPF_REALPATH, 2, "/b");
    send_read(3, h, 0, 1);
    send_path(SPF_REMOVE, 4, "/a"); /* waits for these three */
    send_path(SPF_STAT, 5, "/a");   /* and this for it */
    send_read(6, h, 0, 1);
    assert_int_equal(kept_count, 3);
    succeed(0);
    succeed(1);
    assert_int_equal(kept_count, 3);
    succeed(2);
    assert_int_equal(kept_count, 4);
    assert_int_equal(kept[3]->op, SP_FS_OP_REMOVE);
    succeed(3);
    assert_int_equal(kept_count, 6);
    succeed(4);
    succeed(5);
    const uint32_t order[] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(take().id, order[i]);
    finish();
}

static void a_look_waits_for_writes(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_write(1, h, 0, "x");
    send_path(SPF_STAT, 2, "/f");
    send_open(3, "/f", SP_FS_READ);
    assert_int_equal(kept_count, 1);
    succeed(0);
    assert_int_equal(kept_count, 2);
    expect_status(1, SP_FS_OK);
    (void)expect_handle(3);
    succeed(1);
    assert_int_equal(take().id, 2);
    finish();
}

static void a_copy_has_two_files(void **state)
{
    (void)state;
    begin();
    handle from = opened("/f", RW);
    handle to = opened("/g", RW);
    packet p = begin_extended(1, "copy-data");
    spw_string(&p.b, from.id, sizeof from.id);
    spw_u64(&p.b, 0);
    spw_u64(&p.b, 0);
    spw_string(&p.b, to.id, sizeof to.id);
    spw_u64(&p.b, 0);
    send_packet(&p);
    send_read(2, to, 0, 1);
    send_read(3, from, 0, 1);
    send_handle(SPF_CLOSE, 4, to);
    assert_int_equal(kept_count, 1);
    assert_ptr_equal(kept[0]->handle, (void *)1);
    assert_ptr_equal(kept[0]->to_handle, (void *)2);
    succeed(0);
    assert_int_equal(kept_count, 3);
    assert_int_equal(closes, 0);
    succeed(1);
    assert_int_equal(closes, 1);
    succeed(2);
    while (take().type != 0)
        ;
    finish();
}

/* ---- the answers' rules ---- */

static void failures_are_told(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 5; i++)
        send_path(SPF_STAT, i, "/a");
    assert_int_equal(sp_fs_failed(kept[0], SP_FS_OK, NULL), SP_EINVAL);
    assert_int_equal(sp_fs_failed(kept[0], (sp_fs_status)9, NULL), SP_EINVAL);
    assert_int_equal(sp_fs_opened(kept[0], kept), SP_EINVAL);
    assert_int_equal(sp_fs_data(kept[0], 0), SP_EINVAL);
    assert_int_equal(sp_fs_name(kept[0], "/"), SP_EINVAL);
    assert_int_equal(sp_fs_failed(kept[0], SP_FS_FAILURE, "Come back tomorrow"), 0);
    assert_int_equal(sp_fs_failed(kept[0], SP_FS_FAILURE, "Now"), SP_EALREADY);
    assert_int_equal(sp_fs_errno(kept[1], 13), 0);
    assert_int_equal(sp_fs_errno(kept[2], 99999), 0);
    assert_int_equal(sp_fs_errno(kept[3], 38), 0);
    for (size_t i = 0; i < 5; i++)
        sp_fs_release(kept[i]); /* the last one unanswered */
    while (moves < 5)
        spl_loop_turn(loop);
    expect_text(0, SP_FS_FAILURE, "Come back tomorrow");
    expect_status(1, SP_FS_PERMISSION_DENIED);
    expect_status(2, SP_FS_FAILURE);
    expect_status(3, SP_FS_OP_UNSUPPORTED);
    expect_status(4, SP_FS_FAILURE);
    finish();
}

static void owners_are_told(void **state)
{
    (void)state;
    begin();
    packet p = begin_extended(1, "users-groups-by-id@openssh.com");
    spw_string(&p.b, "\0\0\0\1\0\0\3\350", 8);
    spw_string(&p.b, "\0\0\0\2", 4);
    send_packet(&p);
    sp_fs_request *r = kept[0];
    assert_int_equal(r->uid_count, 2);
    assert_int_equal(r->uids[1], 1000);
    assert_int_equal(r->gid_count, 1);
    assert_int_equal(r->gids[0], 2);
    const char *users[] = {"daemon", NULL};
    const char *groups[] = {"bin"};
    assert_int_equal(sp_fs_owners(r, users, groups), 0);
    sp_fs_release(r);
    wait_move();
    answer a = take();
    assert_int_equal(a.type, SPF_EXTENDED_REPLY);
    spb_span s = spr_string(&a.r);
    assert_int_equal(s.length, 14);
    assert_memory_equal(s.data, "\0\0\0\6daemon\0\0\0\0", 14);
    s = spr_string(&a.r);
    assert_memory_equal(s.data, "\0\0\0\3bin", 7);
    finish();
}

static sp_answer wrong_answer(sp_fs_request *request)
{
    (void)request;
    return SP_ANSWERED;
}

static sp_answer plain_yes(sp_fs_request *request)
{
    (void)request;
    return SP_ACCEPT;
}

static void nothing_succeeds_by_default(void **state)
{
    (void)state;
    const sp_fs_handlers table = {SP_FS_HANDLERS_INIT,    .end = note_end,
                                  .stat = plain_yes,      .realpath = wrong_answer,
                                  .remove = wrong_answer, .rmdir = plain_yes};
    begin_table(&table, NULL, NULL);
    send_path(SPF_STAT, 1, "/");
    expect_status(1, SP_FS_FAILURE);
    send_path(SPF_REALPATH, 2, "/");
    expect_status(2, SP_FS_FAILURE);
    send_path(SPF_REMOVE, 3, "/");
    expect_status(3, SP_FS_FAILURE);
    send_path(SPF_RMDIR, 4, "/");
    expect_status(4, SP_FS_OK);
    finish();
}

/* ---- the end with requests open ---- */

static void the_end_waits_for_answers(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_write(1, h, 0, "a");
    send_write(2, h, 0, "b"); /* waits for it */
    spf_end_of_input(server);
    assert_false(spf_ended(server));
    succeed(0);
    assert_false(spf_ended(server));
    succeed(1);
    assert_true(spf_ended(server));
    expect_status(1, SP_FS_OK);
    expect_status(2, SP_FS_OK);
    assert_int_equal(closes, 1);
    assert_int_equal(ends, 1);
    stand_end();
}

static void a_lost_client_waits_too(void **state)
{
    (void)state;
    begin();
    handle h = opened("/f", RW);
    send_read(1, h, 0, 10);
    send_write(2, h, 0, "b");
    assert_false(sp_fs_session_gone(kept[0]->session));
    spf_lost(server);
    assert_true(sp_fs_session_gone(kept[0]->session));
    assert_null(sp_fs_session_conn(kept[0]->session));
    assert_string_equal(sp_fs_session_username(kept[0]->session), "somebody");
    assert_false(spf_ended(server));
    succeed(0);
    succeed(1); /* it had been taken, so it is done */
    assert_true(spf_ended(server));
    no_answer();
    assert_int_equal(closes, 1);
    stand_end();
}

static void what_opens_too_late_is_closed(void **state)
{
    (void)state;
    sp_fs_handlers table = keeping;
    table.open = keep;
    begin_table(&table, NULL, NULL);
    send_open(1, "/f", RW);
    send_open(2, "/f", SP_FS_READ);
    spf_lost(server);
    assert_int_equal(sp_fs_opened(kept[0], NULL), SP_EINVAL);
    assert_int_equal(sp_fs_opened(kept[0], kept), 0);
    sp_fs_release(kept[0]);
    wait_move();
    assert_int_equal(closes, 0); /* the other is open still */
    assert_int_equal(sp_fs_errno(kept[1], 2), 0);
    wait_move();
    assert_int_equal(closes, 1);
    assert_true(spf_ended(server));
    sp_fs_session *session = kept[1]->session; /* stays until the release */
    assert_true(sp_fs_session_gone(session));
    sp_fs_release(kept[1]);
    stand_end();
}

static void a_close_may_come_later(void **state)
{
    (void)state;
    sp_fs_handlers table = keeping;
    table.close = keep;
    begin_table(&table, NULL, NULL);
    (void)opened("/f", RW);
    (void)opened("/g", RW);
    spf_end_of_input(server);
    assert_int_equal(kept_count, 2);
    succeed(1);
    assert_false(spf_ended(server));
    succeed(0);
    assert_true(spf_ended(server));
    assert_int_equal(ends, 1);
    stand_end();
}

/* ---- the beginning ---- */

static void nothing_runs_before_the_session_began(void **state)
{
    (void)state;
    sp_fs_handlers table = keeping;
    table.begin = keep;
    begin_table(&table, NULL, NULL); /* the version is told all the same */
    send_path(SPF_STAT, 1, "/");
    assert_int_equal(kept_count, 1);
    sp_fs_session_set_data(kept[0]->session, kept);
    succeed(0);
    assert_int_equal(kept_count, 2);
    assert_ptr_equal(sp_fs_session_data(kept[1]->session), kept);
    succeed(1);
    finish();
}

static void a_session_that_does_not_begin_ends(void **state)
{
    (void)state;
    sp_fs_handlers table = keeping;
    table.begin = keep;
    begin_table(&table, NULL, NULL);
    send_open(1, "/f", RW);
    send_path(SPF_REMOVE, 2, "/f");
    assert_int_equal(sp_fs_errno(kept[0], 13), 0);
    sp_fs_release(kept[0]);
    wait_move();
    assert_int_equal(kept_count, 1); /* nothing was asked */
    expect_status(1, SP_FS_PERMISSION_DENIED);
    expect_status(2, SP_FS_PERMISSION_DENIED);
    assert_true(spf_ended(server));
    assert_int_equal(server->status, 1);
    assert_int_equal(handles_made, 0);
    assert_int_equal(ends, 1);
    stand_end();
}

/* ---- threads ---- */

static pthread_t loop_thread;

static sp_answer elsewhere(sp_fs_request *request, void *data)
{
    assert_ptr_equal(data, kept);
    assert_false(pthread_equal(pthread_self(), loop_thread));
    if (request->op == SP_FS_OP_REALPATH)
        return sp_answered(sp_fs_name(request, "/there"));
    return request->op == SP_FS_OP_REMOVE ? SP_ACCEPT : SP_REJECT;
}

static sp_answer send_elsewhere(sp_fs_request *request)
{
    return sp_fs_work(request, elsewhere, kept);
}

static void run_threads(const sp_fs_handlers *table, const sp_fs_options *options)
{
    loop_thread = pthread_self();
    begin_table(table, options, NULL);
    send_path(SPF_REALPATH, 1, "/");
    wait_move();
    expect_name(1, "/there");
    send_path(SPF_REMOVE, 2, "/");
    wait_move();
    expect_status(2, SP_FS_OK);
    send_path(SPF_STAT, 3, "/");
    wait_move();
    expect_status(3, SP_FS_FAILURE);
    finish();
}

static sp_answer blocks(sp_fs_request *request)
{
    return elsewhere(request, kept);
}

static void work_runs_on_other_threads(void **state)
{
    (void)state;
    const sp_fs_handlers table = {SP_FS_HANDLERS_INIT, .end = note_end, .realpath = send_elsewhere,
                                  .remove = send_elsewhere, .stat = send_elsewhere};
    run_threads(&table, NULL);
    const sp_fs_options blocking = {SP_FS_OPTIONS_INIT, .blocking = true};
    run_threads(&table, &blocking); /* sp_fs_work within it is a plain call */
    const sp_fs_handlers direct = {SP_FS_HANDLERS_INIT, .end = note_end, .realpath = blocks,
                                   .remove = blocks, .stat = blocks};
    run_threads(&direct, &blocking);
}

/* A thread that answers while the loop is elsewhere, many times: the answer must never be lost. */
static void *answer_it(void *data)
{
    sp_fs_request *request = data;
    assert_int_equal(sp_fs_errno(request, 2), 0);
    sp_fs_release(request);
    return NULL;
}

static pthread_t answerer;

static sp_answer race(sp_fs_request *request)
{
    if (pthread_create(&answerer, NULL, answer_it, request) != 0)
        return SP_REJECT;
    return SP_LATER;
}

static void answers_race_with_returns(void **state)
{
    (void)state;
    const sp_fs_handlers table = {SP_FS_HANDLERS_INIT, .end = note_end, .stat = race};
    begin_table(&table, NULL, NULL);
    for (uint32_t i = 0; i < 500; i++) {
        send_path(SPF_STAT, i, "/");
        while (spf_output(server).length == 0)
            spl_loop_turn(loop);
        expect_status(i, SP_FS_NO_SUCH_FILE);
        assert_int_equal(pthread_join(answerer, NULL), 0);
    }
    finish();
}

/* ---- memory ---- */

static meter m = {.until = -1, .once = true};

/* The same session with the n-th allocation failing, for all n, until none fails. */
static bool session_with_failure(long n)
{
    const sp_allocator allocator = {&m, meter_alloc, meter_realloc, meter_free};
    uint8_t bytes[2048];
    spb_env plain;
    spb_env_init(&plain, NULL);
    env = plain;
    sp_fs *fs = sp_fs_memory_new(NULL);
    packet all = begin_packet(SPF_INIT, 3);
    spw_string_end(&all.b, all.mark);
    for (int i = 0; i < 3; i++) {
        size_t mark = spw_string_begin(&all.b);
        spw_u8(&all.b, i == 0 ? SPF_OPEN : i == 1 ? SPF_OPENDIR : SPF_REALPATH);
        spw_u32(&all.b, (uint32_t)i);
        spw_cstring(&all.b, i == 0 ? "/f" : "/");
        spw_u32(&all.b, RW | SP_FS_CREATE);
        spw_u32(&all.b, 0);
        spw_string_end(&all.b, mark);
    }
    assert_true(all.b.length <= sizeof bytes);
    memcpy(bytes, all.b.data, all.b.length);
    size_t length = all.b.length;
    spb_buffer_free(&all.b);

    spb_env_init(&env, &allocator);
    m.until = -1;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    long base = m.live;
    m.until = n;
    m.failed = false;
    int result = spf_server_new(&server, fs, loop, NULL, "u", NULL, stand_moved, NULL);
    if (result == 0) {
        spf_run(server);
        spf_receive(server, bytes, length);
        handle h = {{0}};
        if (server->file_count > 0 && server->files[0] != NULL)
            memcpy(h.id, server->files[0]->id, sizeof h.id);
        env = plain; /* the test's own packets */
        send_write(10, h, 0, "text");
        send_read(11, h, 0, 100);
        if (server->file_count > 1 && server->files[1] != NULL)
            memcpy(h.id, server->files[1]->id, sizeof h.id);
        send_handle(SPF_READDIR, 12, h);
        send_handle(SPF_CLOSE, 13, h);
        spf_end_of_input(server);
        assert_true(spf_ended(server)); /* closing needs no memory */
        spf_server_free(server);
    } else {
        assert_int_equal(result, SP_ENOMEM);
    }
    bool failed = m.failed;
    m.until = -1;
    assert_int_equal(m.live, base);
    spl_loop_free(loop);
    sp_fs_unref(fs);
    return failed;
}

static void memory_may_end_at_any_step(void **state)
{
    (void)state;
    long n = 0;
    while (session_with_failure(n))
        n++;
    assert_in_range(n, 20, 1000);
    spb_env_init(&env, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_run_together),
        cmocka_unit_test(a_read_waits_for_the_write_of_its_bytes),
        cmocka_unit_test(appending_keeps_its_order),
        cmocka_unit_test(a_close_waits_and_its_handle_is_gone),
        cmocka_unit_test(syncing_and_listing_are_alone),
        cmocka_unit_test(changes_of_paths_wait_for_everything),
        cmocka_unit_test(a_look_waits_for_writes),
        cmocka_unit_test(a_copy_has_two_files),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(owners_are_told),
        cmocka_unit_test(nothing_succeeds_by_default),
        cmocka_unit_test(the_end_waits_for_answers),
        cmocka_unit_test(a_lost_client_waits_too),
        cmocka_unit_test(what_opens_too_late_is_closed),
        cmocka_unit_test(a_close_may_come_later),
        cmocka_unit_test(nothing_runs_before_the_session_began),
        cmocka_unit_test(a_session_that_does_not_begin_ends),
        cmocka_unit_test(work_runs_on_other_threads),
        cmocka_unit_test(answers_race_with_returns),
        cmocka_unit_test(memory_may_end_at_any_step),
    };
    return cmocka_run_group_tests(tests, stand_set_up, NULL);
}
