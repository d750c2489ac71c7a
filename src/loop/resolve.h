/* Looking up the addresses of a host name, on the thread pool. */
#ifndef SPL_RESOLVE_H
#define SPL_RESOLVE_H

#include "loop/socket.h"

#define SPL_RESOLVED_MAX 4

typedef struct spl_resolve spl_resolve;
/* Once, on the loop, never within the call that started it. `count` 0: `reason` says why. */
typedef void (*spl_resolve_fn)(void *data, const spl_address *addresses, size_t count,
                               const char *reason);

/* Up to SPL_RESOLVED_MAX different addresses. */
int spl_resolve_host(spl_resolve **resolve, spl_loop *loop, const char *host, spl_resolve_fn done,
                     void *data);
/* `done` is not called any more. NULL is fine. */
void spl_resolve_cancel(spl_resolve *resolve);

#endif
