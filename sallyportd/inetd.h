/* inetd.h: -i, the connection on standard input and output. */
#ifndef SALLYPORTD_INETD_H
#define SALLYPORTD_INETD_H

#include <stdbool.h>

/* Is standard error the connection too, as inetd has it? Then nothing must be written there. */
bool inetd_has_stderr(void);
/* A socket for the server to serve. Where input and output are one socket it is that; else (two
 * pipes, as ssh's ProxyCommand has it) two threads carry the bytes. Both descriptors then belong to
 * /dev/null. -1: they are no connection; logged. */
int inetd_open(void);
/* After the server's end: waits until what it wrote has been passed on. */
void inetd_finish(void);

#endif
