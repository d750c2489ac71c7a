/* src/loop/queue.c, timer.c and loop.c: posts from many threads, the closed queue, work, tasks. */
#include "support/server_stand.h"

#include "loop/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS 4
#define POSTS 2000

static spl_loop *make_loop(void)
{
    spb_env env;
    spb_env_init(&env, NULL);
    spl_loop *loop = NULL;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    return loop;
}

typedef struct numbered {
    spl_post post;
    int thread;
    int number;
} numbered;

static spl_loop *the_loop;
static int last_number[THREADS];
static int posts_left;
static spl_queue *the_queue;

static void arrived(spl_post *post)
{
    numbered *n = SPB_CONTAINER(post, numbered, post);
    assert_int_equal(n->number, last_number[n->thread] + 1); /* in order */
    last_number[n->thread] = n->number;
    free(n);
    if (--posts_left == 0)
        spl_loop_stop(the_loop);
}

static void *poster(void *data)
{
    int thread = (int)(intptr_t)data;
    for (int i = 1; i <= POSTS; i++) {
        numbered *n = calloc(1, sizeof *n);
        n->post.run = arrived;
        n->thread = thread;
        n->number = i;
        if (spl_queue_post(the_queue, &n->post) != 0)
            abort();
    }
    return NULL;
}

static void posts_arrive_in_order(void **state)
{
    (void)state;
    the_loop = make_loop();
    the_queue = spl_loop_queue(the_loop);
    memset(last_number, 0, sizeof last_number);
    posts_left = THREADS * POSTS;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, (void *)(intptr_t)i), 0);
    assert_int_equal(spl_loop_run(the_loop), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posts_left, 0);
    spl_loop_free(the_loop);
}

static atomic_int taken, run, refused;

static void count_run(spl_post *post)
{
    atomic_fetch_add(&run, 1);
    free(SPB_CONTAINER(post, numbered, post));
}

static void *post_until_closed(void *data)
{
    (void)data;
    for (;;) {
        numbered *n = calloc(1, sizeof *n);
        n->post.run = count_run;
        if (spl_queue_post(the_queue, &n->post) != 0) {
            free(n);
            atomic_fetch_add(&refused, 1);
            break;
        }
        atomic_fetch_add(&taken, 1);
    }
    spl_queue_wake(the_queue); /* harmless when closed */
    spl_queue_unref(the_queue);
    return NULL;
}

/* The loop is freed while threads post: what was taken has run, the rest was refused. */
static void a_post_taken_is_run(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        the_loop = make_loop();
        the_queue = spl_loop_queue(the_loop);
        atomic_store(&taken, 0);
        atomic_store(&run, 0);
        atomic_store(&refused, 0);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            spl_queue_ref(the_queue);
            assert_int_equal(pthread_create(&threads[i], NULL, post_until_closed, NULL), 0);
        }
        spl_loop_free(the_loop);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&taken), atomic_load(&run));
        assert_int_equal(atomic_load(&refused), THREADS);
    }
}

static atomic_int worked;
static int done_count;

static void work(void *data)
{
    (void)data;
    usleep(1000);
    atomic_fetch_add(&worked, 1);
}

static void work_done(void *data)
{
    assert_ptr_equal(data, &done_count);
    done_count++;
}

static void freeing_waits_for_work(void **state)
{
    (void)state;
    spl_loop *loop = make_loop();
    for (int i = 0; i < 20; i++)
        assert_int_equal(spl_work(loop, work, work_done, &done_count), 0);
    spl_loop_free(loop);
    assert_int_equal(atomic_load(&worked), 20);
    assert_int_equal(done_count, 20);
}

typedef struct counted_task {
    spl_task task;
    int runs;
} counted_task;

static spl_timer *the_timer;

static void task_runs(spl_task *task)
{
    counted_task *counted = SPB_CONTAINER(task, counted_task, task);
    if (++counted->runs < 3)
        spl_task_schedule(the_loop, task); /* the next turn must not sleep before it */
    else
        spl_loop_stop(the_loop);
}

static void too_late(void *data)
{
    (void)data;
    fail_msg("the loop slept over a scheduled task");
}

static void tasks_run_before_the_loop_waits(void **state)
{
    (void)state;
    the_loop = make_loop();
    counted_task counted = {.task = {.run = task_runs}};
    assert_int_equal(spl_timer_new(&the_timer, the_loop, too_late, NULL), 0);
    spl_timer_start(the_timer, 2000, 0);
    spl_task_schedule(the_loop, &counted.task);
    spl_task_schedule(the_loop, &counted.task); /* once is enough */
    assert_int_equal(spl_loop_run(the_loop), 0);
    assert_int_equal(counted.runs, 3);
    spl_timer_close(the_timer);
    spl_loop_free(the_loop);
}

static spl_fine_timer *fine;
static int fine_fired;

static void fine_fires(void *data)
{
    assert_ptr_equal(data, &fine_fired);
    if (++fine_fired < 3)
        assert_int_equal(spl_fine_timer_start(fine, 100), 0);
    else
        spl_loop_stop(the_loop);
}

static void fine_timers_fire_once_for_each_start(void **state)
{
    (void)state;
    the_loop = make_loop();
    fine_fired = 0;
    int result = spl_fine_timer_new(&fine, the_loop, fine_fires, &fine_fired);
    if (result == SP_ENOTSUP) {
        spl_loop_free(the_loop);
        skip();
    }
    assert_int_equal(result, 0);
    assert_int_equal(spl_timer_new(&the_timer, the_loop, too_late, NULL), 0);
    spl_timer_start(the_timer, 10000, 0);
    assert_int_equal(spl_fine_timer_start(fine, 5000000), 0);
    assert_int_equal(spl_fine_timer_start(fine, 100), 0); /* replaces it */
    assert_int_equal(spl_loop_run(the_loop), 0);
    assert_int_equal(fine_fired, 3);
    spl_fine_timer_close(fine);
    spl_fine_timer_close(NULL);
    spl_timer_close(the_timer);
    spl_loop_free(the_loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_arrive_in_order),
        cmocka_unit_test(a_post_taken_is_run),
        cmocka_unit_test(freeing_waits_for_work),
        cmocka_unit_test(tasks_run_before_the_loop_waits),
        cmocka_unit_test(fine_timers_fire_once_for_each_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
