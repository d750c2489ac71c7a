/* Method "none" (RFC 4252 5.2) and every method that this server does not have: both only serve to
 * learn the list of methods, and go through when the application requires no authentication. */
#include "auth/auth_internal.h"

static int none_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    (void)start;
    /* A client's first question for the list is not an attempt. */
    q->counted = a->requests == 1;
    return spr_done(r) ? 0 : SP_EPROTO;
}

static int unknown_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    (void)a;
    (void)q;
    (void)r;
    (void)start;
    return 0; /* its fields can't be known */
}

static int never_ask(spa_auth *a)
{
    return spa_reject(a, "no such method");
}

static bool never_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    (void)a;
    (void)reply;
    return false;
}

static int never_decide(spa_auth *a, const sp_auth_reply *reply)
{
    (void)reply;
    return spa_reject(a, "no such method");
}

const spa_method spa_method_none = {
    .name = "none",
    .parse = none_parse,
    .ask = never_ask,
    .fits = never_fits,
    .decide = never_decide,
};

const spa_method spa_method_unknown = {
    .name = "(unknown method)",
    .parse = unknown_parse,
    .ask = never_ask,
    .fits = never_fits,
    .decide = never_decide,
};
