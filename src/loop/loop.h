/* The loop room: sockets, timers, threads and child processes in words that know no libuv. Only the
 * files of this room include <uv.h>.
 *
 * Descriptors are watched, and read and written by the caller with the plain calls below: nothing
 * is in flight when a call has returned, so nothing needs a buffer while it waits.
 *
 * Thread: the loop's, for all but what says "Thread: any". Closing an object ends its callbacks at
 * once; its memory goes when libuv has let go of it. */
#ifndef SPL_LOOP_H
#define SPL_LOOP_H

#include "base/list.h"
#include "base/mem.h"

#include <sys/types.h>
#include <sys/uio.h>

struct uv_loop_s;
typedef struct spl_loop spl_loop;

/* `theirs`: the application's loop, or NULL for one of our own. */
int spl_loop_new(spl_loop **loop, const spb_env *env, struct uv_loop_s *theirs);
/* Runs our own loop until spl_loop_stop. */
int spl_loop_run(spl_loop *loop);
void spl_loop_stop(spl_loop *loop);
/* Waits for something to happen, once, and deals with it. */
void spl_loop_turn(spl_loop *loop);
/* From now on this object alone does not keep the application's loop running. */
void spl_loop_let_go(spl_loop *loop);
/* Closes the queue and runs the loop until every handle is closed and all work is done. Everything
 * made from the loop must be closed. */
void spl_loop_free(spl_loop *loop);
/* Milliseconds of a monotonic clock. */
uint64_t spl_loop_now(spl_loop *loop);
/* A buffer for moving bytes within one callback; NULL when out of memory. */
#define SPL_SCRATCH ((size_t)256 * 1024)
uint8_t *spl_loop_scratch(spl_loop *loop);

/* ---- tasks: what a turn of the loop has gathered, done once before the loop waits again ---- */
typedef struct spl_task {
    spb_link link;
    void (*run)(struct spl_task *task);
} spl_task;
void spl_task_schedule(spl_loop *loop, spl_task *task); /* nothing if it is scheduled already */
void spl_task_cancel(spl_task *task);

/* ---- queue: the way in from other threads. Counted, because it outlives its loop ---- */
typedef struct spl_queue spl_queue;
typedef struct spl_post {
    spb_link link;
    void (*run)(struct spl_post *post);
} spl_post;
spl_queue *spl_loop_queue(spl_loop *loop);
spl_queue *spl_queue_ref(spl_queue *queue); /* Thread: any, as all of the queue's */
void spl_queue_unref(spl_queue *queue);
/* The environment of the loop, for memory that may outlive it. */
const spb_env *spl_queue_env(const spl_queue *queue);
/* Runs the post on the loop's thread, in order. SP_ECLOSED when the loop is gone: nothing happens
 * then. A post that was taken always runs, at the latest when the loop is freed. */
int spl_queue_post(spl_queue *queue, spl_post *post);
/* Wakes the loop, which calls the function set by spl_loop_on_wake. Also for signal handlers. */
void spl_queue_wake(spl_queue *queue);
void spl_loop_on_wake(spl_loop *loop, void (*woken)(void *data), void *data);

/* ---- watches: is a descriptor ready? ---- */
typedef struct spl_watch spl_watch;
#define SPL_READABLE 1u
#define SPL_WRITABLE 2u
typedef void (*spl_watch_fn)(void *data, unsigned events);
/* Makes the descriptor non-blocking. The watch owns it from success on. */
int spl_watch_new(spl_watch **watch, spl_loop *loop, int fd, spl_watch_fn ready, void *data);
/* What to wait for; 0: nothing. An error or hang-up of the descriptor counts as what is waited
 * for. Cheap when nothing changes, and when something is switched off and on again. */
int spl_watch_set(spl_watch *watch, unsigned events);
/* The same, and what is not in `events` wakes the loop not even once more. */
int spl_watch_quiet(spl_watch *watch, unsigned events);
int spl_watch_fd(const spl_watch *watch);
/* Closes the watch and gives its descriptor back. */
int spl_watch_take(spl_watch *watch);
/* Closes the descriptor too. NULL is fine. */
void spl_watch_close(spl_watch *watch);

/* ---- timers ---- */
typedef struct spl_timer spl_timer;
int spl_timer_new(spl_timer **timer, spl_loop *loop, void (*fired)(void *data), void *data);
/* (Re)starts it; `repeat_ms` 0: once. */
void spl_timer_start(spl_timer *timer, uint64_t delay_ms, uint64_t repeat_ms);
void spl_timer_stop(spl_timer *timer);
void spl_timer_close(spl_timer *timer); /* NULL is fine */

/* For less than a millisecond. SP_ENOTSUP where the system has none. Fires once for each start; a
 * new start replaces the last. */
typedef struct spl_fine_timer spl_fine_timer;
int spl_fine_timer_new(spl_fine_timer **timer, spl_loop *loop, void (*fired)(void *data),
                       void *data);
int spl_fine_timer_start(spl_fine_timer *timer, uint32_t microseconds);
void spl_fine_timer_close(spl_fine_timer *timer); /* NULL is fine */

/* ---- work: `work` on the thread pool, then `done` on the loop's thread ---- */
int spl_work(spl_loop *loop, void (*work)(void *data), void (*done)(void *data), void *data);

/* ---- threads ---- */
typedef struct spl_thread spl_thread;
/* Runs `function` in a thread of its own, in which no signal handler runs. */
int spl_thread_start(spl_thread **thread, const spb_env *env, void (*function)(void *data),
                     void *data);
/* Waits for its end and frees it. NULL is fine. */
void spl_thread_join(spl_thread *thread);

/* ---- plain input and output; no SIGPIPE is ever raised ---- */
/* An SP_E... for an errno. */
int spl_error(int number);
/* Bytes, 0 at the end, SP_EAGAIN, or another SP_E... with errno left as it was. */
ptrdiff_t spl_read(int fd, void *buffer, size_t size);
ptrdiff_t spl_write(int fd, const void *bytes, size_t length);
/* For a pipe that was found full: a larger one, so that its two ends take fewer turns. */
void spl_pipe_grow(int fd);
ptrdiff_t spl_recv(int fd, void *buffer, size_t size);
ptrdiff_t spl_send(int fd, const struct iovec *vector, int count);

#endif
