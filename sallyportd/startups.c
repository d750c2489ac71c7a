/* startups.c: connections that are not logged in are limited, by chance from a number on and for
 * good from another, and by where they come from (sshd_config(5), MaxStartups). */
#include "startups.h"

#include <string.h>
#include <sys/random.h>

#include "log.h"

/* Between START and FULL the chance to be dropped grows from RATE to all. */
static bool dropped_by_chance(const options *o, uint64_t others)
{
    uint32_t random;

    if (others < o->startups_begin)
        return false;
    if (others >= o->startups_full || o->startups_rate == 100)
        return true;
    uint64_t percent = o->startups_rate + (100 - o->startups_rate) * (others - o->startups_begin) /
                                              (o->startups_full - o->startups_begin);
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        return true;
    return random % 100 < percent;
}

typedef struct source {
    const char *peer;
    uint32_t count;
} source;

static void count_source(sp_conn *conn, void *data)
{
    source *s = data;
    const login *l = sp_conn_data(conn);

    if (l != NULL && !l->authenticated && strcmp(l->peer, s->peer) == 0)
        s->count++;
}

bool startups_exceeded(sp_conn *conn, const login *l)
{
    const options *o = l->options;
    sp_server *server = sp_conn_server(conn);
    sp_server_statistics now;
    source same = {l->peer, 0};

    sp_server_get_statistics(server, &now);
    uint64_t others = now.unauthenticated > 0 ? now.unauthenticated - 1 : 0;
    if (dropped_by_chance(o, others)) {
        log_info("drop connection #%llu from [%s]:%u on [%s]:%u past MaxStartups",
                 (unsigned long long)others, l->peer, (unsigned)l->peer_port, l->local,
                 (unsigned)l->local_port);
        return true;
    }
    if (o->startups_per_source == NOT_GIVEN)
        return false;
    sp_server_each_conn(server, count_source, &same); /* this one has no data yet */
    if (same.count >= o->startups_per_source) {
        log_info("drop connection from [%s]:%u past PerSourceMaxStartups", l->peer,
                 (unsigned)l->peer_port);
        return true;
    }
    return false;
}
