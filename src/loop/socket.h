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
/* What is known of a UNIX socket's file, so that only that one is removed. */
typedef struct spl_file_id {
    uint64_t device;
    uint64_t inode;
} spl_file_id;
/* A listening UNIX socket whose file has the permissions `mode`, at no moment more. `replace`: a
 * socket that is there already is removed first; nothing else is. SP_EINVAL: the path is too long.
 */
int spl_listen_unix(const char *path, unsigned mode, bool replace, unsigned backlog, int *fd,
                    spl_file_id *id);
/* Removes the file, if it is the one. */
void spl_unlisten_unix(const char *path, const spl_file_id *id);
/* The next connection, non-blocking and close-on-exec. SP_EAGAIN: none; SP_ELIMIT or SP_ENOMEM: the
 * process or the system is out of something; else SP_E...: the listener is broken. */
int spl_accept(int listener, int *fd);
/* Prepares a socket that the application made. */
int spl_socket_prepare(int fd);
void spl_socket_no_delay(int fd);
void spl_socket_end_output(int fd);

bool spl_address_is(const char *text); /* an address written out, not a name? */
/* kind 0 when there is none. An IPv4 address in IPv6's clothing counts as IPv4. */
void spl_peer_address(int fd, spl_address *address);
void spl_local_address(int fd, spl_address *address);
struct sockaddr;
void spl_socket_address(const struct sockaddr *from, size_t length, spl_address *address);
bool spl_address_host(const spl_address *address, char *host, size_t size);
/* "127.0.0.1:22" or "[::1]:22". */
bool spl_address_text(const spl_address *address, char *out, size_t size);

#endif
