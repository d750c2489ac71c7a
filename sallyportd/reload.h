/* reload.h: SIGHUP reads the configuration file again. */
#ifndef SALLYPORTD_RELOAD_H
#define SALLYPORTD_RELOAD_H

#include "program.h"

/* Before the first thread is made: from here on the signal is waited for in a thread of its own.
 * 0, or -1: no thread (logged). */
int reload_start(program *p);
/* Before the server is freed. */
void reload_stop(void);

#endif
