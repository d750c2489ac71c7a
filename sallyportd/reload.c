/* reload.c: on SIGHUP the file is read anew. Connections keep the settings that they have; the next
 * login gets the new ones. A file with a mistake changes nothing. Sockets, host keys and algorithms
 * stay as they were at the start. */
#include "reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "log.h"
#include "notify.h"

static pthread_t waiting;
static bool waits;

static void exchange(program *p, config *fresh)
{
    char *fixed = options_fixed_differences(config_own(p->config), config_own(fresh));

    if (fixed != NULL)
        log_error("Changes of these take effect at the next start: %s", fixed);
    free(fixed);
    config_free(p->config);
    p->config = fresh;
    log_set_level(options_log_level(config_own(fresh)));
}

/* Runs on the loop's thread. A small file is all that is waited for. */
static void reload(void *data)
{
    program *p = data;

    log_info("Received SIGHUP; reading the configuration again.");
    notify_reloading();
    log_reopen();
    config *fresh = config_reread(p->config);
    if (fresh != NULL)
        exchange(p, fresh);
    else
        log_error("The configuration stays as it was");
    notify_ready();
}

static void *wait_for_signals(void *data)
{
    program *p = data;
    sigset_t set;
    int number;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    while (sigwait(&set, &number) == 0)
        (void)sp_server_post(p->server, reload, p);
    return NULL;
}

int reload_start(program *p)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    waits = pthread_create(&waiting, NULL, wait_for_signals, p) == 0;
    if (!waits)
        log_error("No thread to wait for SIGHUP");
    return waits ? 0 : -1;
}

void reload_stop(void)
{
    if (!waits)
        return;
    (void)pthread_cancel(waiting); /* sigwait is where it can be cancelled */
    (void)pthread_join(waiting, NULL);
    waits = false;
}
