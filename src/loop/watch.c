/* Watching a descriptor with uv_poll. Two habits of libuv are hidden here: changing what is polled
 * costs system calls, so interest that was switched off is taken back only when it fires; and an
 * error on the descriptor stops polling, which here is an ordinary event: the caller's next read or
 * write tells what happened. */
#include "loop/loop_uv.h"

#include <unistd.h>

struct spl_watch {
    uv_poll_t poll;
    spl_loop *loop;
    spl_watch_fn ready;
    void *data;
    int fd;
    unsigned char wanted;
    unsigned char armed;
    bool closed;
};

static void polled(uv_poll_t *poll, int status, int events);

static unsigned from_uv(int events)
{
    return ((events & UV_READABLE) != 0 ? SPL_READABLE : 0) |
           ((events & UV_WRITABLE) != 0 ? SPL_WRITABLE : 0);
}

static int arm(spl_watch *watch, unsigned events)
{
    int uv_events = ((events & SPL_READABLE) != 0 ? UV_READABLE : 0) |
                    ((events & SPL_WRITABLE) != 0 ? UV_WRITABLE : 0);
    int result = uv_events == 0 ? uv_poll_stop(&watch->poll)
                                : uv_poll_start(&watch->poll, uv_events, polled);
    watch->armed = result == 0 ? (unsigned char)events : 0;
    return spl_uv_error(result);
}

static void polled(uv_poll_t *poll, int status, int events)
{
    spl_watch *watch = poll->data;
    unsigned fired = from_uv(events);
    if (status < 0) {
        watch->armed = 0; /* libuv has stopped */
        fired = SPL_READABLE | SPL_WRITABLE;
    }
    unsigned idle = fired & watch->armed & ~(unsigned)watch->wanted;
    fired &= watch->wanted;
    if (fired != 0)
        watch->ready(watch->data, fired);
    if (watch->closed)
        return;
    if (status < 0 || idle != 0 || (watch->wanted & ~watch->armed) != 0)
        if (watch->armed != watch->wanted)
            arm(watch, watch->wanted);
}

int spl_watch_new(spl_watch **out, spl_loop *loop, int fd, spl_watch_fn ready, void *data)
{
    spl_watch *watch = spb_calloc(&loop->env, 1, sizeof *watch);
    if (watch == NULL)
        return SP_ENOMEM;
    int result = uv_poll_init(loop->uv, &watch->poll, fd);
    if (result != 0) {
        spb_free(&loop->env, watch);
        return spl_uv_error(result);
    }
    watch->poll.data = watch;
    watch->loop = loop;
    watch->ready = ready;
    watch->data = data;
    watch->fd = fd;
    loop->busy++;
    *out = watch;
    return 0;
}

int spl_watch_set(spl_watch *watch, unsigned events)
{
    watch->wanted = (unsigned char)events;
    if ((events & ~(unsigned)watch->armed) == 0)
        return 0;
    return arm(watch, events);
}

int spl_watch_quiet(spl_watch *watch, unsigned events)
{
    watch->wanted = (unsigned char)events;
    return watch->armed == events ? 0 : arm(watch, events);
}

int spl_watch_fd(const spl_watch *watch)
{
    return watch->fd;
}

static void watch_closed(uv_handle_t *handle)
{
    spl_watch *watch = handle->data;
    spl_loop *loop = watch->loop;
    spb_free(&loop->env, watch);
    loop->busy--;
}

int spl_watch_take(spl_watch *watch)
{
    watch->closed = true;
    watch->wanted = 0;
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
    return watch->fd;
}

void spl_watch_close(spl_watch *watch)
{
    if (watch != NULL && !watch->closed)
        close(spl_watch_take(watch));
}
