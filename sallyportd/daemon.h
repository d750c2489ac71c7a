/* daemon.h: leaving the terminal, the PID file and the signals. */
#ifndef SALLYPORTD_DAEMON_H
#define SALLYPORTD_DAEMON_H

#include <sallyport.h>

/* Descriptors 0 to 2 are open from here on, so that no socket or key file becomes one of them. */
void daemon_sanitise(void);
/* Goes on in a child. The parent waits until daemon_ready and exits with 0, or with the child's
 * exit code when that ends before. -1: could not fork. */
int daemon_detach(void);
/* `keep_stderr`: the log goes there (-e). */
void daemon_ready(int detached, bool keep_stderr);

/* SIGTERM and SIGINT stop the server; SIGHUP too, unless that is for something else. */
void daemon_catch_signals(sp_server *server, bool hang_up_stops);
void daemon_forget_signals(void); /* before the server is freed */

int pid_file_write(const char *path); /* NULL: nothing to do. -1: logged */
void pid_file_remove(const char *path);

#endif
