/* What the servers of one sp_server_new share: the main server, and with several loop threads its
 * parts, each with a loop, a thread, a queue, a pool of buffers and one of stacks of its own. A
 * connection belongs to one of them for life.
 *
 * Ending. Each server is told to close by its queue. One that has nothing left counts itself out of
 * `busy`; at 0 the parts close, and when none is open, the main server does.
 *
 * Threads. All of this may be used by any of the servers' threads, and `closing`, `drain_ms` and
 * the waking by any thread at all. */
#ifndef SPS_GROUP_H
#define SPS_GROUP_H

#include "base/mem.h"

#include <sallyport/server.h>
#include <stdatomic.h>

#define SPS_LOOP_THREADS_MAX 64u

/* Counted by one thread alone, read by any. */
typedef atomic_uint_fast64_t sps_counter;
/* Counted by several. */
typedef atomic_uint_fast64_t sps_total;

typedef struct sps_counters {
    sps_counter accepted;
    sps_counter refused;
    sps_counter logins;
    sps_counter auth_failures;
    sps_counter channels;
    sps_counter bytes_received;
    sps_counter bytes_sent;
} sps_counters;

typedef struct sps_group {
    unsigned count;         /* of servers */
    atomic_bool closing;    /* no new connections */
    atomic_uint drain_ms;   /* for the main server, to start its timer; 0: nothing to do */
    atomic_uint busy;       /* servers that have connections, or may get some */
    atomic_uint parts_open; /* parts that are not closed */
    sps_total connections;  /* places that are taken, also on the way to a part */
    sps_total unauthenticated;
    sps_total fibers;
    sps_total flushing; /* bytes of relays whose channels are closed */
    sps_total next_id;
    sp_server *servers[]; /* the main one first */
} sps_group;

static inline void sps_count(sps_counter *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}
static inline void sps_count_off(sps_counter *counter)
{
    sps_count(counter, UINT64_MAX);
}
/* Adds `more` unless that would be beyond `max`. */
bool sps_total_take(sps_total *total, uint64_t more, uint64_t max);
void sps_total_give(sps_total *total, uint64_t less);
static inline uint64_t sps_total_now(const sps_total *total)
{
    return atomic_load_explicit(total, memory_order_relaxed);
}

sps_group *sps_group_new(const spb_env *env, unsigned count);
/* May new connections be served? */
bool sps_server_takes(const sp_server *server);
/* Wakes all others, or all with NULL. */
void sps_group_wake(const sps_group *group, const sp_server *but);

/* A place for one more connection, by the limits: false when there is none. */
bool sps_place_take(sp_server *server);
void sps_place_authenticated(sp_server *server); /* or gone before */
/* Serves a connection in a place that was taken, here or in a part. Owns the descriptor and the
 * place, also on failure. */
int sps_place_fill(sp_server *server, int fd);
void sps_place_leave(sp_server *server); /* the connection has ended */

/* The threads of the parts. On failure none runs. */
int sps_parts_start(sp_server *server);
/* Ends and joins those that still run. */
void sps_parts_end(sp_server *server);

#endif
