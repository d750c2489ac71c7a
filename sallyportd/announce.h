/* announce.h: the command to log in with, and the known_hosts file that lets it run unasked. */
#ifndef SALLYPORTD_ANNOUNCE_H
#define SALLYPORTD_ANNOUNCE_H

#include "keys.h"
#include "listen.h"

/* Puts our host keys into <state directory>/known_hosts; other servers' lines stay. -1: logged. */
int announce_known_hosts(const account *a, const listeners *l, const host_keys *keys);
/* Prints the command to standard output. */
void announce_command(const program *p, const listeners *l, bool known_hosts);

#endif
