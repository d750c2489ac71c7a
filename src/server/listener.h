/* Listeners: what a client has had us listen on. listen_question.c asks the application and makes
 * them, listener.c keeps them with their connection, accept.c gives them sockets. */
#ifndef SPS_LISTENER_H
#define SPS_LISTENER_H

#include "loop/accept.h"
#include "loop/resolve.h"
#include "server/server.h"

typedef struct sps_accept_socket {
    sp_listener *listener;
    spl_acceptor *acceptor;
    int held; /* accepted, and waits until there may be a channel for it; -1: none */
} sps_accept_socket;

struct sp_listener {
    spb_link link; /* of the connection's list */
    sp_conn *conn; /* NULL: not there yet, or closed */
    spl_queue *queue;
    unsigned refs;
    char *host; /* as the client wrote it; NULL: the path */
    char *path;
    uint16_t port; /* what is listened on; 0 until it is known */
    bool own;      /* the application listens */
    bool closed;
    uint64_t question; /* not answered yet; 0: it is */
    sp_listener_handlers handlers;
    void *data;
    spb_link waiters;
    sp_listen_options options;
    spl_resolve *resolve;
    sps_accept_socket sockets[SPL_RESOLVED_MAX];
    size_t socket_count;
    bool has_file;
    spl_file_id file;
};

/* Thread: any. `host` NULL: the path. `handlers` may be NULL. NULL when out of memory. */
sp_listener *sps_listener_new(spl_queue *queue, const char *host, uint16_t port, const char *path,
                              const sp_listener_handlers *handlers, void *data);
/* The answer `listener` is given to the question: it listens, or refuses and is gone. */
void sps_listener_begin(sp_conn *conn, sp_listener *listener, uint64_t question);
/* It never came to anything: only its closed handler is called. NULL is fine. */
void sps_listener_missed(sp_listener *listener);
sp_listener *sps_listener_find(const sp_conn *conn, const char *host, uint16_t port,
                               const char *path);
/* Listening has begun, or failed: answers the client. `reason` may be NULL. */
void sps_listener_begun(sp_listener *listener, int result, const char *reason);

/* ---- accept.c ---- */
/* 0; or 1: sps_listener_begun will be called later; or it failed. */
int sps_accept_start(sp_listener *listener);
void sps_accept_end(sp_listener *listener);

#endif
