/* Accepting connections on a listening socket: several in a turn, and no spinning when the process
 * has run out of descriptors. */
#ifndef SPL_ACCEPT_H
#define SPL_ACCEPT_H

#include "loop/loop.h"

typedef struct spl_acceptor spl_acceptor;

typedef struct spl_acceptor_calls {
    /* A connection, non-blocking, close-on-exec, the callee's. False: no more for now, as after
     * spl_acceptor_pause. The acceptor may be closed within. */
    bool (*accepted)(void *data, int fd);
    /* Accepting failed, for want of descriptors most likely; it is tried again soon. */
    void (*failed)(void *data, int error);
} spl_acceptor_calls;

/* It owns the descriptor from success on. `calls` stays the caller's. */
int spl_acceptor_new(spl_acceptor **acceptor, spl_loop *loop, int fd,
                     const spl_acceptor_calls *calls, void *data);
/* While paused, connections wait in the backlog. */
void spl_acceptor_pause(spl_acceptor *acceptor);
void spl_acceptor_resume(spl_acceptor *acceptor);
void spl_acceptor_close(spl_acceptor *acceptor); /* NULL is fine */

#endif
