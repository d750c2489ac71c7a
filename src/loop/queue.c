/* The queue of posts from other threads to a loop. It is counted and outlives the loop, so that a
 * late answer finds a closed queue and not freed memory. A lock orders posts and closing; waking is
 * lock-free, because signal handlers do it too. */
#include "loop/loop_uv.h"

#include <sched.h>

struct spl_queue {
    spb_env env;
    atomic_uint refs;
    uv_mutex_t lock;
    spb_link posts;
    bool closed;        /* under the lock */
    atomic_bool silent; /* the handle below must not be touched any more */
    atomic_uint waking; /* wakers that may be touching it */
    spl_loop *loop;     /* the loop's thread only */
    uv_async_t *async;  /* lives in its own memory until libuv has closed it */
};

const spb_env *spl_queue_env(const spl_queue *queue)
{
    return &queue->env;
}

spl_queue *spl_queue_ref(spl_queue *queue)
{
    atomic_fetch_add_explicit(&queue->refs, 1, memory_order_relaxed);
    return queue;
}

void spl_queue_unref(spl_queue *queue)
{
    if (atomic_fetch_sub_explicit(&queue->refs, 1, memory_order_acq_rel) != 1)
        return;
    uv_mutex_destroy(&queue->lock);
    spb_env env = queue->env;
    spb_free(&env, queue);
}

static spl_post *take(spl_queue *queue)
{
    spl_post *post = NULL;
    uv_mutex_lock(&queue->lock);
    if (!spb_list_empty(&queue->posts)) {
        post = SPB_CONTAINER(queue->posts.next, spl_post, link);
        spb_list_remove(&post->link);
    }
    uv_mutex_unlock(&queue->lock);
    return post;
}

/* Takes all that is there now, and runs it without the lock. What is posted meanwhile woke the loop
 * again, so a post that posts does not keep the loop from its other business. */
static void awake(uv_async_t *async)
{
    spl_queue *queue = async->data;
    if (queue->loop->woken != NULL)
        queue->loop->woken(queue->loop->woken_data);
    spb_link now;
    spb_list_init(&now);
    uv_mutex_lock(&queue->lock);
    if (!spb_list_empty(&queue->posts)) {
        now = queue->posts;
        now.next->prev = &now;
        now.prev->next = &now;
        spb_list_init(&queue->posts);
    }
    uv_mutex_unlock(&queue->lock);
    while (!spb_list_empty(&now)) {
        spl_post *post = SPB_CONTAINER(now.next, spl_post, link);
        spb_list_remove(&post->link);
        post->run(post);
    }
}

void spl_queue_wake(spl_queue *queue)
{
    /* The closer sets `silent` and then waits for `waking` to become 0. */
    atomic_fetch_add(&queue->waking, 1);
    if (!atomic_load(&queue->silent))
        uv_async_send(queue->async);
    atomic_fetch_sub(&queue->waking, 1);
}

int spl_queue_post(spl_queue *queue, spl_post *post)
{
    uv_mutex_lock(&queue->lock);
    bool closed = queue->closed;
    bool first = spb_list_empty(&queue->posts);
    if (!closed)
        spb_list_append(&queue->posts, &post->link);
    uv_mutex_unlock(&queue->lock);
    if (closed)
        return SP_ECLOSED;
    if (first)
        spl_queue_wake(queue);
    return 0;
}

spl_queue *spl_loop_queue(spl_loop *loop)
{
    return loop->queue;
}

uv_handle_t *spl_queue_handle(spl_queue *queue)
{
    return (uv_handle_t *)queue->async;
}

int spl_queue_open(spl_loop *loop)
{
    spl_queue *queue = spb_calloc(&loop->env, 1, sizeof *queue);
    uv_async_t *async = spb_calloc(&loop->env, 1, sizeof *async);
    if (queue == NULL || async == NULL) {
        spb_free(&loop->env, queue);
        spb_free(&loop->env, async);
        return SP_ENOMEM;
    }
    int result = uv_mutex_init(&queue->lock);
    if (result == 0) {
        result = uv_async_init(loop->uv, async, awake);
        if (result != 0)
            uv_mutex_destroy(&queue->lock);
    }
    if (result != 0) {
        spb_free(&loop->env, queue);
        spb_free(&loop->env, async);
        return spl_uv_error(result);
    }
    queue->env = loop->env;
    atomic_init(&queue->refs, 1);
    atomic_init(&queue->silent, false);
    atomic_init(&queue->waking, 0);
    spb_list_init(&queue->posts);
    queue->loop = loop;
    queue->async = async;
    async->data = queue;
    loop->queue = queue;
    loop->busy++;
    return 0;
}

static void async_closed(uv_handle_t *handle)
{
    spl_queue *queue = handle->data;
    spl_loop *loop = queue->loop;
    spb_free(&loop->env, handle);
    loop->busy--;
    spl_queue_unref(queue);
}

void spl_queue_close(spl_queue *queue)
{
    uv_mutex_lock(&queue->lock);
    queue->closed = true;
    uv_mutex_unlock(&queue->lock);
    for (spl_post *post = take(queue); post != NULL; post = take(queue))
        post->run(post);
    atomic_store(&queue->silent, true);
    while (atomic_load(&queue->waking) != 0)
        sched_yield();
    spl_queue_ref(queue);
    uv_close((uv_handle_t *)queue->async, async_closed);
}
