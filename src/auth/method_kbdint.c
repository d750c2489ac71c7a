/* Method "keyboard-interactive" (RFC 4256): challenges and responses, any number of rounds. What is
 * typed without echo is taken for a password and goes through SASLprep; what is typed with echo
 * only has to be UTF-8. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <string.h>

static int kbdint_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    (void)a;
    (void)start;
    spb_span language = spr_string_max(r, SPA_LANGUAGE_MAX);
    spb_span submethods = spr_string_max(r, SPA_SUBMETHODS_MAX);
    if (!spr_done(r))
        return SP_EPROTO;

    int result = spa_keep_text(q, language, &q->language_at);
    if (result == 0)
        result = spa_keep_text(q, submethods, &q->submethods_at);
    if (result == SP_EFORMAT) {
        q->fitness = SPA_UNFIT;
        result = 0;
    }
    return result;
}

static int kbdint_ask(spa_auth *a)
{
    return spa_ask(a, SPA_VERDICT, SP_EVENT_AUTH_KBDINT);
}

static bool challenge_good(const sp_challenge *c)
{
    size_t total = 0;

    if (c == NULL || c->prompt_count > SP_PROMPTS_MAX ||
        (c->prompt_count > 0 && c->prompts == NULL))
        return false;
    if (!spa_text_good(c->name, SPA_TEXT_MAX) || !spa_text_good(c->instructions, SPA_TEXT_MAX) ||
        !spa_language_good(c->language))
        return false;
    total += c->name != NULL ? strlen(c->name) : 0;
    total += c->instructions != NULL ? strlen(c->instructions) : 0;
    for (size_t i = 0; i < c->prompt_count; i++) {
        if (!spa_text_good(c->prompts[i].text, SPA_TEXT_MAX))
            return false;
        total += c->prompts[i].text != NULL ? strlen(c->prompts[i].text) : 0;
    }
    return total <= SPA_TEXT_MAX;
}

static bool kbdint_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    (void)a;
    switch (reply->verdict) {
    case SP_AUTH_REJECT:
    case SP_AUTH_ACCEPT:
    case SP_AUTH_PARTIAL:
        return true;
    case SP_AUTH_CHALLENGE:
        return challenge_good(reply->challenge);
    case SP_AUTH_CHANGE_PASSWORD:
        break;
    }
    return false;
}

static int send_challenge(spa_auth *a, const sp_challenge *c)
{
    if (++a->rounds > SPA_ROUNDS_MAX)
        return spa_reject(a, "too many challenges");
    spb_buffer *out = spt_begin(a->transport, SSH_MSG_USERAUTH_INFO_REQUEST);
    spw_cstring(out, c->name);
    spw_cstring(out, c->instructions);
    spw_cstring(out, c->language);
    spw_u32(out, (uint32_t)c->prompt_count);
    a->prompt_count = c->prompt_count;
    a->echo = 0;
    for (size_t i = 0; i < c->prompt_count; i++) {
        const char *text = c->prompts[i].text;
        /* RFC 4256 3.2: a prompt must not be empty. */
        spw_cstring(out, text == NULL || text[0] == '\0' ? " " : text);
        spw_bool(out, c->prompts[i].echo);
        if (c->prompts[i].echo)
            a->echo |= UINT32_C(1) << i;
    }
    a->state = SPA_CHALLENGED;
    return spt_end(a->transport);
}

static int kbdint_decide(spa_auth *a, const sp_auth_reply *reply)
{
    switch (reply->verdict) {
    case SP_AUTH_ACCEPT:
    case SP_AUTH_PARTIAL:
        return spa_accept(a, reply);
    case SP_AUTH_CHALLENGE:
        return send_challenge(a, reply->challenge);
    case SP_AUTH_REJECT:
    case SP_AUTH_CHANGE_PASSWORD:
        break;
    }
    return spa_reject(a, a->asked == SP_EVENT_AUTH_KBDINT ? "no challenge" : "wrong response");
}

/* Keeps the responses. 0, SP_EPROTO, SP_ENOMEM; a response that can't be prepared makes the request
 * unfit. */
static int keep_responses(spa_auth *a, spb_reader *r)
{
    spa_request *q = &a->request;
    spb_span spans[SP_PROMPTS_MAX] = {{NULL, 0}};
    uint32_t count = spr_u32(r);

    if (!spr_ok(r))
        return SP_EPROTO;
    if (count != a->prompt_count) { /* RFC 4256 3.4: a failure, not the end */
        q->fitness = SPA_UNFIT;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++)
        spans[i] = spr_string_max(r, SPA_SECRET_MAX);
    if (!spr_done(r))
        return SP_EPROTO;

    q->response_count = count;
    for (uint32_t i = 0; i < count; i++) {
        bool echo = (a->echo >> i & 1u) != 0;
        int result = echo ? spa_keep_text(q, spans[i], &q->responses_at[i])
                          : spa_keep_prepared(q, spans[i], &q->responses_at[i]);
        if (result == SP_EFORMAT)
            q->fitness = SPA_UNFIT;
        else if (result != 0)
            return result;
    }
    return 0;
}

int spa_kbdint_response(spa_auth *a, spb_reader *r)
{
    if (a->state != SPA_CHALLENGED)
        return spt_fail(a->transport, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR,
                        "Unexpected keyboard-interactive response");
    a->request.arrival = spt_now(a->transport);
    spa_request_wipe(&a->request);
    switch (keep_responses(a, r)) {
    case 0:
        break;
    case SP_EPROTO:
        return spt_fail(a->transport, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR,
                        "Malformed keyboard-interactive response");
    default:
        return spa_no_memory(a);
    }
    if (a->request.fitness == SPA_UNFIT)
        return spa_reject(a, "unfit responses");
    for (size_t i = 0; i < a->request.response_count; i++)
        a->responses[i] = spa_kept(&a->request, a->request.responses_at[i]);
    return spa_ask(a, SPA_VERDICT, SP_EVENT_AUTH_KBDINT_RESPONSE);
}

const spa_method spa_method_kbdint = {
    .name = "keyboard-interactive",
    .bit = SP_METHOD_KBDINT,
    .scheduled = true,
    .parse = kbdint_parse,
    .ask = kbdint_ask,
    .fits = kbdint_fits,
    .decide = kbdint_decide,
};
