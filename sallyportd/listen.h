/* listen.h: the listening sockets. */
#ifndef SALLYPORTD_LISTEN_H
#define SALLYPORTD_LISTEN_H

#include <netinet/in.h>

#include "options.h"

#define SOCKETS_MAX 64

typedef struct listener {
    int fd;
    char host[INET6_ADDRSTRLEN]; /* numeric, as bound */
    uint16_t port;
} listener;

typedef struct listeners {
    listener items[SOCKETS_MAX];
    size_t count;
} listeners;

/* Binds every address that can be bound and says in the log which can't. -1: none could. */
int listeners_open(listeners *l, const options *o);
void listeners_close(listeners *l);

#endif
