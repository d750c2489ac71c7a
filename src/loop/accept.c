/* Accepting connections. */
#include "loop/accept.h"
#include "loop/socket.h"

#define ACCEPTS_PER_TURN 64
#define RETRY_MS 100u

struct spl_acceptor {
    const spb_env *env;
    const spl_acceptor_calls *calls;
    void *data;
    spl_watch *watch;
    spl_timer *retry; /* runs while descriptors or memory are short */
    bool paused;
    bool inside; /* in `incoming`, which frees what is closed meanwhile */
    bool closed;
};

static void retry(void *data)
{
    spl_acceptor *a = data;
    if (!a->paused)
        (void)spl_watch_set(a->watch, SPL_READABLE);
}

static void accept_some(spl_acceptor *a)
{
    for (int i = 0; i < ACCEPTS_PER_TURN && !a->closed && !a->paused; i++) {
        int fd = -1;
        int result = spl_accept(spl_watch_fd(a->watch), &fd);
        if (result == SP_EAGAIN)
            return;
        if (result != 0) {
            /* The waiting connection stays in the backlog; asking again at once would only spin. */
            (void)spl_watch_set(a->watch, 0);
            spl_timer_start(a->retry, RETRY_MS, 0);
            a->calls->failed(a->data, result);
            return;
        }
        if (!a->calls->accepted(a->data, fd))
            return;
    }
}

static void incoming(void *data, unsigned events)
{
    (void)events;
    spl_acceptor *a = data;
    a->inside = true;
    accept_some(a);
    a->inside = false;
    if (a->closed)
        spb_free(a->env, a);
}

int spl_acceptor_new(spl_acceptor **acceptor, spl_loop *loop, int fd,
                     const spl_acceptor_calls *calls, void *data)
{
    const spb_env *env = spl_queue_env(spl_loop_queue(loop));
    spl_acceptor *a = spb_calloc(env, 1, sizeof *a);
    if (a == NULL)
        return SP_ENOMEM;
    a->env = env;
    a->calls = calls;
    a->data = data;
    int result = spl_timer_new(&a->retry, loop, retry, a);
    if (result == 0)
        result = spl_watch_new(&a->watch, loop, fd, incoming, a);
    if (result == 0)
        result = spl_watch_set(a->watch, SPL_READABLE);
    if (result == 0) {
        *acceptor = a;
        return 0;
    }
    if (a->watch != NULL)
        (void)spl_watch_take(a->watch);
    spl_timer_close(a->retry);
    spb_free(env, a);
    return result;
}

void spl_acceptor_pause(spl_acceptor *acceptor)
{
    acceptor->paused = true;
    (void)spl_watch_set(acceptor->watch, 0);
}

void spl_acceptor_resume(spl_acceptor *acceptor)
{
    acceptor->paused = false;
    spl_timer_stop(acceptor->retry);
    (void)spl_watch_set(acceptor->watch, SPL_READABLE);
}

void spl_acceptor_close(spl_acceptor *acceptor)
{
    if (acceptor == NULL || acceptor->closed)
        return;
    acceptor->closed = true;
    spl_watch_close(acceptor->watch);
    spl_timer_close(acceptor->retry);
    if (!acceptor->inside)
        spb_free(acceptor->env, acceptor);
}
