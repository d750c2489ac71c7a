/* One request to an ssh-agent (draft-miller-ssh-agent 3): connects to its UNIX socket, sends, reads
 * the reply. */
#ifndef SPL_AGENT_H
#define SPL_AGENT_H

#include "base/wire.h"
#include "loop/loop.h"

#define SPL_AGENT_REPLY_MAX ((size_t)256 * 1024) /* as ssh-agent's own */

typedef struct spl_agent spl_agent;
/* Once, on the loop, never within the call that started it. `reply`: the message without its
 * length, lent; or empty, and `reason` says in a few words why. */
typedef void (*spl_agent_fn)(void *data, spb_span reply, const char *reason);

/* `request`: the message without its length; copied. The end comes within 60 seconds. */
int spl_agent_ask(spl_agent **out, spl_loop *loop, const char *path, spb_span request,
                  spl_agent_fn done, void *data);
/* `done` is not called any more. NULL is fine. */
void spl_agent_cancel(spl_agent *agent);

/* The same for a thread that may wait: for up to `timeout_ms`. `reply` is appended to. SP_ENOENT,
 * SP_EACCES, SP_EIO, SP_ETIMEDOUT, SP_EPROTO (a length out of range), SP_ENOMEM. */
int spl_agent_ask_now(const char *path, spb_span request, unsigned timeout_ms, spb_buffer *reply);

#endif
