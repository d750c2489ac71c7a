/* server_events.h: a server's statistics as a line of JSON. */
#ifndef TESTS_TOOLS_SERVER_EVENTS_H
#define TESTS_TOOLS_SERVER_EVENTS_H

#include "json_events.h"

#include <sallyport.h>

static inline void tell_statistics(sp_server *server)
{
    sp_server_statistics s;
    event e;
    sp_server_get_statistics(server, &s);
    event_begin(&e, "stats");
    event_number(&e, "accepted", (int64_t)s.accepted);
    event_number(&e, "refused", (int64_t)s.refused);
    event_number(&e, "logins", (int64_t)s.logins);
    event_number(&e, "auth_failures", (int64_t)s.auth_failures);
    event_number(&e, "connections", (int64_t)s.connections);
    event_number(&e, "unauthenticated", (int64_t)s.unauthenticated);
    event_number(&e, "channels", (int64_t)s.channels);
    event_number(&e, "fibers", (int64_t)s.fibers);
    event_number(&e, "bytes_received", (int64_t)s.bytes_received);
    event_number(&e, "bytes_sent", (int64_t)s.bytes_sent);
    event_end(&e);
}

#endif
