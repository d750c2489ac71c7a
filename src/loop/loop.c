/* The loop object: libuv's loop or the application's, its end, and the tasks that are run once per
 * turn, so that all that a turn has written leaves in one piece. */
#include "loop/loop_uv.h"

/* Runs what was scheduled so far. What a task schedules meanwhile waits for the next turn, which
 * then must not sleep: the idle handle sees to that. */
static void run_tasks(spl_loop *loop)
{
    if (spb_list_empty(&loop->tasks)) {
        if (uv_is_active((uv_handle_t *)&loop->idle))
            uv_idle_stop(&loop->idle);
        return;
    }
    spb_list_append(&loop->tasks, &loop->round_end);
    while (loop->tasks.next != &loop->round_end) {
        spl_task *task = SPB_CONTAINER(loop->tasks.next, spl_task, link);
        spb_list_remove(&task->link);
        task->run(task);
    }
    spb_list_remove(&loop->round_end);
}

static void idle_turn(uv_idle_t *idle)
{
    (void)idle;
}

static void keep_awake(spl_loop *loop)
{
    if (!spb_list_empty(&loop->tasks) && !uv_is_active((uv_handle_t *)&loop->idle))
        uv_idle_start(&loop->idle, idle_turn);
}

static void before_waiting(uv_prepare_t *prepare)
{
    spl_loop *loop = prepare->data;
    run_tasks(loop);
    keep_awake(loop);
}

static void after_waiting(uv_check_t *check)
{
    run_tasks(check->data);
}

void spl_task_schedule(spl_loop *loop, spl_task *task)
{
    if (!spb_list_linked(&task->link))
        spb_list_append(&loop->tasks, &task->link);
}

void spl_task_cancel(spl_task *task)
{
    spb_list_remove(&task->link);
}

/* ---- the loop ---- */

int spl_loop_new(spl_loop **out, const spb_env *env, struct uv_loop_s *theirs)
{
    spl_loop *loop = spb_calloc(env, 1, sizeof *loop);
    if (loop == NULL)
        return SP_ENOMEM;
    loop->env = *env;
    loop->uv = theirs;
    spb_list_init(&loop->tasks);
    spb_list_init(&loop->children);
    if (theirs == NULL) {
        int result = uv_loop_init(&loop->own);
        if (result != 0) {
            spb_free(env, loop);
            return spl_uv_error(result);
        }
        loop->uv = &loop->own;
        loop->is_own = true;
    }
    int result = spl_queue_open(loop);
    if (result != 0) {
        if (loop->is_own)
            uv_loop_close(&loop->own);
        spb_free(env, loop);
        return result;
    }
    uv_prepare_init(loop->uv, &loop->prepare);
    uv_check_init(loop->uv, &loop->check);
    uv_idle_init(loop->uv, &loop->idle);
    loop->prepare.data = loop->check.data = loop->idle.data = loop;
    loop->busy += 3;
    uv_prepare_start(&loop->prepare, before_waiting);
    uv_check_start(&loop->check, after_waiting);
    /* The queue's handle is what keeps the loop alive. */
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->idle);
    *out = loop;
    return 0;
}

int spl_loop_run(spl_loop *loop)
{
    return uv_run(loop->uv, UV_RUN_DEFAULT) < 0 ? SP_EIO : 0;
}

void spl_loop_turn(spl_loop *loop)
{
    (void)uv_run(loop->uv, UV_RUN_ONCE);
}

void spl_loop_stop(spl_loop *loop)
{
    uv_stop(loop->uv);
}

void spl_loop_let_go(spl_loop *loop)
{
    if (!loop->is_own)
        uv_unref(spl_queue_handle(loop->queue));
}

static void handle_closed(uv_handle_t *handle)
{
    spl_loop *loop = handle->data;
    loop->busy--;
}

void spl_loop_free(spl_loop *loop)
{
    if (loop == NULL)
        return;
    /* Work first: what it posts must still find the queue. */
    while (loop->busy > 4 + (loop->child_signal_open ? 1u : 0u))
        uv_run(loop->uv, UV_RUN_ONCE);
    spl_children_close(loop);
    spl_queue_close(loop->queue);
    uv_close((uv_handle_t *)&loop->prepare, handle_closed);
    uv_close((uv_handle_t *)&loop->check, handle_closed);
    uv_close((uv_handle_t *)&loop->idle, handle_closed);
    while (loop->busy > 0)
        uv_run(loop->uv, UV_RUN_ONCE);
    spl_queue_unref(loop->queue);
    if (loop->is_own)
        uv_loop_close(&loop->own);
    spb_env env = loop->env;
    spb_free_pages(&env, loop->scratch);
    spb_free(&env, loop);
}

uint64_t spl_loop_now(spl_loop *loop)
{
    uv_update_time(loop->uv);
    return uv_now(loop->uv);
}

uint8_t *spl_loop_scratch(spl_loop *loop)
{
    if (loop->scratch == NULL)
        loop->scratch = spb_alloc_pages(&loop->env, SPL_SCRATCH);
    return loop->scratch;
}

void spl_loop_on_wake(spl_loop *loop, void (*woken)(void *data), void *data)
{
    loop->woken = woken;
    loop->woken_data = data;
}
