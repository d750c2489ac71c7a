/* Connecting out: names are resolved on the thread pool, and addresses tried in the manner of RFC
 * 8305: the families take turns, and the next address has its try when the one before has failed or
 * has taken a quarter of a second. */
#ifndef SPL_CONNECT_H
#define SPL_CONNECT_H

#include "loop/loop.h"

typedef struct spl_connect spl_connect;
/* Once, on the loop, never within the call that started it. `fd`: connected, non-blocking,
 * close-on-exec and the callee's; or -1, and `reason` says why in a few words. */
typedef void (*spl_connect_fn)(void *data, int fd, const char *reason);

int spl_connect_host(spl_connect **out, spl_loop *loop, const char *host, uint16_t port,
                     spl_connect_fn done, void *data);
int spl_connect_path(spl_connect **out, spl_loop *loop, const char *path, spl_connect_fn done,
                     void *data);
/* `done` is not called any more. NULL is fine. */
void spl_connect_cancel(spl_connect *connect);

#endif
