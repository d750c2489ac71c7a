/* Method "password" (RFC 4252 8): a password, or an old and a new one. A client may begin with a
 * change; the application is asked either way, and may ask for (another) change. */
#include "auth/auth_internal.h"
#include "transport/messages.h"

static int password_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    (void)a;
    (void)start;
    q->change = spr_bool(r);
    spb_span password = spr_string_max(r, SPA_SECRET_MAX);
    spb_span new_password = {NULL, 0};
    if (q->change)
        new_password = spr_string_max(r, SPA_SECRET_MAX);
    if (!spr_done(r))
        return SP_EPROTO;

    int result = spa_keep_prepared(q, password, &q->password_at);
    if (result == 0 && q->change)
        result = spa_keep_prepared(q, new_password, &q->new_password_at);
    if (result == SP_EFORMAT) {
        q->fitness = SPA_UNFIT;
        result = 0;
    }
    return result;
}

static int password_ask(spa_auth *a)
{
    return spa_ask(a, SPA_VERDICT,
                   a->request.change ? SP_EVENT_AUTH_CHANGE_PASSWORD : SP_EVENT_AUTH_PASSWORD);
}

static bool password_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    (void)a;
    switch (reply->verdict) {
    case SP_AUTH_REJECT:
    case SP_AUTH_ACCEPT:
    case SP_AUTH_PARTIAL:
        return true;
    case SP_AUTH_CHANGE_PASSWORD:
        return spa_text_good(reply->prompt, SPA_TEXT_MAX) && spa_language_good(reply->language);
    case SP_AUTH_CHALLENGE:
        break;
    }
    return false;
}

static int request_change(spa_auth *a, const sp_auth_reply *reply)
{
    spb_buffer *out = spt_begin(a->transport, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);

    spw_cstring(out, reply->prompt);
    spw_cstring(out, reply->language);
    a->state = SPA_IDLE;
    return spt_end(a->transport);
}

static int password_decide(spa_auth *a, const sp_auth_reply *reply)
{
    switch (reply->verdict) {
    case SP_AUTH_ACCEPT:
    case SP_AUTH_PARTIAL:
        return spa_accept(a, reply);
    case SP_AUTH_CHANGE_PASSWORD:
        return request_change(a, reply);
    case SP_AUTH_REJECT:
    case SP_AUTH_CHALLENGE:
        break;
    }
    return spa_reject(a, a->request.change ? "password change refused" : "wrong password");
}

const spa_method spa_method_password = {
    .name = "password",
    .bit = SP_METHOD_PASSWORD,
    .scheduled = true,
    .parse = password_parse,
    .ask = password_ask,
    .fits = password_fits,
    .decide = password_decide,
};
