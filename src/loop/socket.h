/* Sockets: listening, accepting, and addresses in a small form of their own. */
#ifndef SPL_SOCKET_H
#define SPL_SOCKET_H

#include "loop/loop.h"

typedef struct spl_address {
    uint8_t bytes[16];
    uint32_t scope; /* of an IPv6 link-local address */
    uint16_t port;
    uint8_t kind; /* 0: none (a UNIX socket, say), 4 or 6 */
} spl_address;

#define SPL_HOST_SIZE 64 /* enough for any numeric address with a scope */

/* A listening socket, close-on-exec. `address`: numeric, or NULL or "" for all of IPv4 and IPv6. */
int spl_listen(const char *address, uint16_t port, unsigned backlog, int *fd);
/* The next connection, non-blocking and close-on-exec. SP_EAGAIN: none; SP_ELIMIT or SP_ENOMEM: the
 * process or the system is out of something; else SP_E...: the listener is broken. */
int spl_accept(int listener, int *fd);
/* Prepares a socket that the application made. */
int spl_socket_prepare(int fd);
void spl_socket_no_delay(int fd);
void spl_socket_end_output(int fd);

/* kind 0 when there is none. An IPv4 address in IPv6's clothing counts as IPv4. */
void spl_peer_address(int fd, spl_address *address);
void spl_local_address(int fd, spl_address *address);
bool spl_address_host(const spl_address *address, char *host, size_t size);
/* "127.0.0.1:22" or "[::1]:22". */
bool spl_address_text(const spl_address *address, char *out, size_t size);

#endif
