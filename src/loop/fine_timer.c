/* A timer for less than the loop's millisecond: Linux's timerfd, watched like a socket. */
#include "loop/loop_uv.h"

#include <unistd.h>

#ifdef __linux__
#include <errno.h>
#include <sys/timerfd.h>
#endif

struct spl_fine_timer {
    const spb_env *env;
    spl_watch *watch;
    void (*fired)(void *data);
    void *data;
};

#ifdef __linux__

static void expired(void *data, unsigned events)
{
    spl_fine_timer *timer = data;
    uint64_t times;
    (void)events;
    if (spl_read(spl_watch_fd(timer->watch), &times, sizeof times) == (ptrdiff_t)sizeof times)
        timer->fired(timer->data);
}

int spl_fine_timer_new(spl_fine_timer **out, spl_loop *loop, void (*fired)(void *data), void *data)
{
    const spb_env *env = &loop->env;
    spl_fine_timer *timer = spb_calloc(env, 1, sizeof *timer);
    if (timer == NULL)
        return SP_ENOMEM;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int result = fd < 0 ? spl_error(errno) : 0;
    if (result == 0) {
        result = spl_watch_new(&timer->watch, loop, fd, expired, timer);
        if (result != 0)
            close(fd);
    }
    if (result == 0)
        result = spl_watch_set(timer->watch, SPL_READABLE);
    if (result != 0) {
        spl_watch_close(timer->watch);
        spb_free(env, timer);
        return result;
    }
    timer->env = env;
    timer->fired = fired;
    timer->data = data;
    *out = timer;
    return 0;
}

int spl_fine_timer_start(spl_fine_timer *timer, uint32_t microseconds)
{
    const struct itimerspec once = {.it_value = {.tv_sec = microseconds / 1000000,
                                                 .tv_nsec = (long)(microseconds % 1000000) * 1000}};
    return timerfd_settime(spl_watch_fd(timer->watch), 0, &once, NULL) == 0 ? 0 : spl_error(errno);
}

#else

int spl_fine_timer_new(spl_fine_timer **out, spl_loop *loop, void (*fired)(void *data), void *data)
{
    (void)out, (void)loop, (void)fired, (void)data;
    return SP_ENOTSUP;
}

int spl_fine_timer_start(spl_fine_timer *timer, uint32_t microseconds)
{
    (void)timer, (void)microseconds;
    return SP_ENOTSUP;
}

#endif

void spl_fine_timer_close(spl_fine_timer *timer)
{
    if (timer == NULL)
        return;
    spl_watch_close(timer->watch);
    spb_free(timer->env, timer);
}
