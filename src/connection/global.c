/* Global requests (RFC 4254 4): the table of those that the client may send, and our keepalives.
 * Each is answered at once, so the replies keep the order of the requests. A request that has to be
 * answered later will need a queue here that holds back the replies behind it. */
#include "connection/connection_internal.h"

typedef enum outcome {
    MALFORMED,
    REFUSED,
    GRANTED,
} outcome;

/* OpenSSH PROTOCOL 2.2: the client promises to open no more sessions. */
static outcome no_more_sessions(spn_connection *c, spb_reader *r)
{
    if (!spr_done(r))
        return MALFORMED;
    c->no_more_sessions = true;
    return GRANTED;
}

/* Any reply keeps the connection alive; sshd's is a failure. */
static outcome keepalive(spn_connection *c, spb_reader *r)
{
    (void)c;
    (void)r;
    return REFUSED;
}

static const struct {
    const char *name;
    outcome (*act)(spn_connection *c, spb_reader *r);
} global_requests[] = {
    {"no-more-sessions@openssh.com", no_more_sessions},
    {"keepalive@openssh.com", keepalive},
};

int spn_on_global_request(spn_connection *c, spb_reader *r)
{
    spb_span name = spr_string(r);
    bool want_reply = spr_bool(r);
    if (!spr_ok(r))
        return spn_bad(c, "Malformed global request");
    outcome result = REFUSED;
    for (size_t i = 0; i < sizeof global_requests / sizeof global_requests[0]; i++)
        if (spb_span_is(name, global_requests[i].name))
            result = global_requests[i].act(c, r);
    if (result == MALFORMED)
        return spn_bad(c, "Malformed global request");
    if (!want_reply)
        return 0;
    spt_begin(c->transport, result == GRANTED ? SSH_MSG_REQUEST_SUCCESS : SSH_MSG_REQUEST_FAILURE);
    return spt_end(c->transport);
}

int spn_on_global_reply(spn_connection *c)
{
    if (c->keepalives == 0)
        return spn_bad(c, "A reply to no global request");
    c->keepalives--;
    return 0;
}

int spn_send_keepalive(spn_connection *c)
{
    if (c->lost || spt_failed(c->transport))
        return SP_ECONN;
    spb_buffer *b = spt_begin(c->transport, SSH_MSG_GLOBAL_REQUEST);
    spw_cstring(b, "keepalive@openssh.com");
    spw_bool(b, true);
    c->keepalives++;
    return spt_end(c->transport);
}

unsigned spn_keepalives_open(const spn_connection *c)
{
    return c->keepalives;
}
