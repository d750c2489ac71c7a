/* serve.h: the running server. */
#ifndef SALLYPORTD_SERVE_H
#define SALLYPORTD_SERVE_H

#include "flags.h"
#include "keys.h"
#include "listen.h"

/* Serves until a signal stops it (or, with -d and -i, until the one connection ends). Takes over
 * the sockets of `l`. `detached`: from daemon_detach, or -1. An exit code. */
int serve(program *p, const flags *f, const host_keys *keys, listeners *l, int detached);

#endif
