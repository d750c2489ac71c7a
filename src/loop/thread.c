/* Threads for loops. Signals are the application's business, in threads of its own. */
#include "loop/loop_uv.h"

#include <pthread.h>
#include <signal.h>

struct spl_thread {
    spb_env env;
    uv_thread_t thread;
    void (*function)(void *data);
    void *data;
};

static void run(void *data)
{
    spl_thread *thread = data;
    thread->function(thread->data);
}

int spl_thread_start(spl_thread **out, const spb_env *env, void (*function)(void *data), void *data)
{
    spl_thread *thread = spb_calloc(env, 1, sizeof *thread);
    if (thread == NULL)
        return SP_ENOMEM;
    thread->env = *env;
    thread->function = function;
    thread->data = data;
    /* The new thread inherits the mask. Faults in it still end the process. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = uv_thread_create(&thread->thread, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        spb_free(env, thread);
        return spl_uv_error(result);
    }
    *out = thread;
    return 0;
}

void spl_thread_join(spl_thread *thread)
{
    if (thread == NULL)
        return;
    (void)uv_thread_join(&thread->thread);
    spb_env env = thread->env;
    spb_free(&env, thread);
}
