/* What the files of the loop room share: the loop object and its count of libuv handles. */
#ifndef SPL_LOOP_UV_H
#define SPL_LOOP_UV_H

#include "loop/loop.h"

#include <stdatomic.h>
#include <uv.h>

struct spl_loop {
    spb_env env;
    uv_loop_t *uv;
    uv_loop_t own;
    bool is_own;
    unsigned busy; /* handles not closed yet, and work not done yet */
    spl_queue *queue;
    uint8_t *scratch;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    spb_link tasks;
    spb_link round_end; /* on `tasks` while they run: where this round ends */
    void (*woken)(void *data);
    void *woken_data;
    uv_signal_t child_signal; /* only where there are no descriptors for processes */
    bool child_signal_open;
    spb_link children;
};

/* The queue's part of making and freeing a loop. */
int spl_queue_open(spl_loop *loop);
void spl_queue_close(spl_queue *queue);
uv_handle_t *spl_queue_handle(spl_queue *queue);

/* The child watch's part of freeing a loop. */
void spl_children_close(spl_loop *loop);

/* SP_E... for a libuv error. */
static inline int spl_uv_error(int result)
{
    return result >= 0 ? 0 : spl_error(-result);
}

#endif
