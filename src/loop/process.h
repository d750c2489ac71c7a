/* Child processes: starting them on pipes or a pseudo-terminal, and learning of their end. */
#ifndef SPL_PROCESS_H
#define SPL_PROCESS_H

#include "loop/loop.h"

#include <sallyport/process.h>
#include <termios.h>

/* Forks and runs the program. SP_ENOENT, SP_EACCES: it (or the directory) can't be had. */
int spl_spawn(const spb_env *env, const sp_spawn_request *request, sp_spawn_result *result);

/* ---- pseudo-terminals ---- */
/* Both ends close-on-exec; `name` gets the path of the slave. */
int spl_pty_open(int *master, int *slave, char *name, size_t size);
void spl_pty_resize(int fd, const sp_term_size *size);
void spl_pty_break(int fd);
/* RFC 4254 8: applies what this system has of the client's modes. */
void spl_termios_apply(struct termios *termios, const sp_term_modes *modes);

/* ---- ends ---- */
typedef struct spl_child spl_child;
/* Reaps the process when it has ended and calls `exited` with the status of waitpid; -1 when the
 * status can't be had, because somebody else has reaped it. The object is gone then. */
int spl_child_watch(spl_child **child, spl_loop *loop, pid_t pid,
                    void (*exited)(void *data, int status), void *data);
/* Stops watching, without waiting for the end. NULL is fine. */
void spl_child_forget(spl_child *child);

/* Signal names of RFC 4254 6.10: 0 and NULL where there is none. */
int spl_signal_number(const char *name);
const char *spl_signal_name(int number);

#endif
