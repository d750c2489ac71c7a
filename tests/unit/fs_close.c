/* What was opened is closed, also when memory is out: by tables that block, and by those that use
 * the thread pool themselves. */
#include "support/meter.h"

#include "fs/fs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static meter m;
static spb_env env;
static spl_loop *loop;
static int closed;
static bool answered;

static sp_answer close_now(sp_fs_request *request)
{
    assert_ptr_equal(request->handle, &m);
    closed++;
    return SP_ACCEPT;
}

static sp_answer work(sp_fs_request *request, void *data)
{
    assert_ptr_equal(data, &m);
    return request->op == SP_FS_OP_FSYNC ? SP_ACCEPT : close_now(request);
}

static sp_answer close_elsewhere(sp_fs_request *request)
{
    return sp_fs_work(request, work, &m);
}

/* Asks for nothing twice, whatever an application writes. */
static sp_answer close_twice(sp_fs_request *request)
{
    sp_answer first = sp_fs_work(request, work, &m);
    m.until = 0;
    assert_int_equal(first, SP_LATER);
    assert_int_equal(sp_fs_work(request, work, &m), SP_REJECT);
    return first;
}

static void note(spd_request *request)
{
    (void)request;
    answered = true;
}

/* The status of one request, for which all memory is refused from `until` allocations on. */
static sp_fs_status ask(const sp_fs_handlers *table, bool blocking, sp_fs_op op, long until)
{
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .blocking = blocking};
    sp_fs *fs = sp_fs_new(table, NULL, &options);
    sp_fs_session *session = spd_session_new(fs, loop, NULL, "somebody");
    spd_request *request = spb_calloc(&env, 1, sizeof *request);
    assert_non_null(request);
    spd_request_init(request, session, op);
    request->q.handle = &m;
    request->answered = note;
    closed = 0;
    answered = false;
    m.until = until;
    if (spd_run(request))
        answered = true;
    while (!answered)
        spl_loop_turn(loop);
    m.until = -1;
    sp_fs_status status = request->answer.status;
    spd_drop(request);
    spd_session_end(session, false);
    sp_fs_unref(fs);
    return status;
}

static void closing_needs_no_memory(void **state)
{
    const sp_fs_handlers plain = {SP_FS_HANDLERS_INIT, .close = close_now, .fsync = close_now};
    const sp_fs_handlers pooled = {SP_FS_HANDLERS_INIT, .close = close_elsewhere,
                                   .fsync = close_elsewhere};
    static const sp_fs_op ops[] = {SP_FS_OP_CLOSE, SP_FS_OP_CLOSEDIR};
    (void)state;
    for (long until = -1; until < 4; until++)
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(ask(&plain, true, ops[i], until), SP_FS_OK);
            assert_int_equal(closed, 1);
            assert_int_equal(ask(&pooled, false, ops[i], until), SP_FS_OK);
            assert_int_equal(closed, 1);
            assert_int_equal(ask(&pooled, true, ops[i], until), SP_FS_OK);
            assert_int_equal(closed, 1);
        }
    /* Others do. */
    assert_int_equal(ask(&plain, true, SP_FS_OP_FSYNC, 0), SP_FS_FAILURE);
    assert_int_equal(ask(&pooled, false, SP_FS_OP_FSYNC, 0), SP_FS_FAILURE);
    assert_int_equal(closed, 0);
}

static void closed_once(void **state)
{
    const sp_fs_handlers table = {SP_FS_HANDLERS_INIT, .close = close_twice};
    (void)state;
    assert_int_equal(ask(&table, false, SP_FS_OP_CLOSE, -1), SP_FS_OK);
    assert_int_equal(closed, 1);
}

static int set_up(void **state)
{
    const sp_allocator allocator = {&m, meter_alloc, meter_realloc, meter_free};
    (void)state;
    m.until = -1;
    spb_env_init(&env, &allocator);
    return spl_loop_new(&loop, &env, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    spl_loop_free(loop);
    return m.live == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_needs_no_memory),
        cmocka_unit_test(closed_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
