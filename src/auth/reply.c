/* How an attempt ends: success, partial success, failure (RFC 4252 5.1), the schedule on which
 * failures go out, and the limit on them; also the banner (5.4).
 *
 * The schedule: a failure of a method that looks at a secret goes out a whole number of steps after
 * the request came, so its time tells nothing finer than a step about why it failed. Success and
 * partial success say more than their time could, and go at once. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <string.h>

static void log_outcome(const spa_auth *a, sp_log_level level, const char *outcome, const char *why)
{
    const spa_request *q = &a->request;
    char user[64] = "";
    char print[SP_FINGERPRINT_SIZE] = "";

    if (a->name.length > 0)
        spb_printable(user, sizeof user, a->name.data, a->name.length - 1);
    if (q->key != NULL)
        sp_key_fingerprint(q->key, print);
    spb_log(a->env, level, "%s %s for %s'%s'%s%s%s%s", outcome, q->method->name,
            a->name_fitness == SPA_UNFIT ? "unusable name " : "", user, q->key != NULL ? " " : "",
            print, why != NULL ? ": " : "", why != NULL ? why : "");
}

int spa_no_memory(spa_auth *a)
{
    return spt_fail(a->transport, SP_ENOMEM, SP_DISCONNECT_BY_APPLICATION, "Out of memory");
}

int spa_too_many(spa_auth *a)
{
    return spt_fail(a->transport, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR,
                    "Too many authentication failures");
}

bool spa_count_failure(spa_auth *a, spa_request *q)
{
    if (!q->counted) {
        q->counted = true;
        a->failures++;
    }
    return a->failures < spt_limits(a->transport)->max_auth_attempts;
}

bool spa_key_done(const spa_auth *a, const sp_key *key)
{
    for (size_t i = 0; i < a->done_key_count; i++)
        if (sp_key_equal(a->done_keys[i], key))
            return true;
    return false;
}

unsigned spa_methods_done(const spa_auth *a)
{
    return a->done_methods | (a->done_key_count > 0 ? SP_METHOD_PUBLIC_KEY : 0);
}

int spa_succeed(spa_auth *a)
{
    log_outcome(a, SP_LOG_INFO, "accepted", NULL);
    spt_begin(a->transport, SSH_MSG_USERAUTH_SUCCESS);
    int result = spt_end(a->transport);
    if (result == 0)
        result = spt_authenticated(a->transport);
    if (result != 0)
        return result;
    return spa_ask(a, SPA_COMPLETING, SP_EVENT_AUTH_COMPLETED);
}

int spa_partial(spa_auth *a)
{
    spa_request *q = &a->request;

    if (q->method->bit != SP_METHOD_PUBLIC_KEY) {
        a->done_methods |= q->method->bit;
    } else if (a->done_key_count < SPA_DONE_KEYS_MAX) {
        a->done_keys[a->done_key_count++] = sp_key_ref(q->key);
    } else {
        return spa_reject(a, "too many keys");
    }
    log_outcome(a, SP_LOG_INFO, "partial success of", NULL);
    q->counted = true;
    a->partial = true;
    return spa_ask(a, SPA_METHODS_LIST, SP_EVENT_AUTH_METHODS);
}

/* False: the connection has had its failures, and no list is needed any more. */
static bool note_failure(spa_auth *a, const char *why)
{
    spa_request *q = &a->request;
    /* Clients ask for the list, and try their keys, without anybody's doing. */
    bool quiet =
        q->method == &spa_method_none || (q->method == &spa_method_public_key && !q->is_signed);

    log_outcome(a, quiet ? SP_LOG_VERBOSE : SP_LOG_INFO, "failed", why);
    a->partial = false;
    return spa_count_failure(a, q);
}

int spa_reject(spa_auth *a, const char *why)
{
    if (!note_failure(a, why))
        return spa_reply_failure(a);
    return spa_ask(a, SPA_METHODS_LIST, SP_EVENT_AUTH_METHODS);
}

int spa_refuse(spa_auth *a, const char *why)
{
    (void)note_failure(a, why);
    return spa_reply_failure(a);
}

int spa_reply_failure(spa_auth *a)
{
    uint64_t now = spt_now(a->transport);
    uint64_t arrival = a->request.arrival;

    a->due = now;
    if (a->request.method->scheduled && !a->partial) {
        uint64_t elapsed = now > arrival ? now - arrival : 0;
        uint64_t steps = (elapsed + SPA_SCHEDULE_MS - 1) / SPA_SCHEDULE_MS;
        a->due = arrival + (steps > 0 ? steps : 1) * SPA_SCHEDULE_MS;
    }
    a->state = SPA_WAITING;
    return now >= a->due ? spa_reply_due(a) : 0;
}

static void write_methods(spb_buffer *out, unsigned set)
{
    static const spa_method *const order[] = {
        &spa_method_public_key,
        &spa_method_password,
        &spa_method_kbdint,
    };
    size_t mark = spw_string_begin(out);
    const char *comma = "";

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if ((set & order[i]->bit) == 0)
            continue;
        spw_bytes(out, comma, strlen(comma));
        spw_bytes(out, order[i]->name, strlen(order[i]->name));
        comma = ",";
    }
    spw_string_end(out, mark);
}

int spa_reply_due(spa_auth *a)
{
    a->state = SPA_IDLE;
    if (!a->partial && !spa_count_failure(a, &a->request))
        return spa_too_many(a);

    spb_buffer *out = spt_begin(a->transport, SSH_MSG_USERAUTH_FAILURE);
    write_methods(out, a->allowed);
    spw_bool(out, a->partial);
    int result = spt_end(a->transport);
    if (result != 0 || a->parked.method == NULL)
        return result;

    spa_request_free(&a->request);
    a->request = a->parked;
    spa_request_init(&a->parked, a->env);
    return spa_start(a);
}

/* ---- text that the application sends ---- */

bool spa_text_good(const char *text, size_t max)
{
    if (text == NULL)
        return true;
    size_t length = strnlen(text, max + 1);
    return length <= max && spb_utf8_valid(text, length);
}

/* A language tag (RFC 5646), or nothing. */
bool spa_language_good(const char *language)
{
    if (language == NULL)
        return true;
    for (size_t i = 0; language[i] != '\0'; i++)
        if (i >= SPA_LANGUAGE_MAX || language[i] <= ' ' || language[i] > '~')
            return false;
    return true;
}

/* Bytes of a control character other than those that make lines; 0: no such thing. */
static size_t control_at(const uint8_t *p)
{
    if ((p[0] < 0x20 && p[0] != '\n' && p[0] != '\r' && p[0] != '\t') || p[0] == 0x7f)
        return 1;
    return p[0] == 0xc2 && p[1] < 0xa0 ? 2 : 0; /* U+0080 to U+009F; p ends with NUL */
}

int spa_send_banner(spa_auth *a, const char *text, const char *language)
{
    if (text == NULL || !spa_text_good(text, SPA_TEXT_MAX) || !spa_language_good(language))
        return SP_EINVAL;
    if (spt_failed(a->transport))
        return SP_ECONN;
    if (spa_succeeded(a))
        return SP_ESTATE;

    spb_buffer *out = spt_begin(a->transport, SSH_MSG_USERAUTH_BANNER);
    size_t mark = spw_string_begin(out);
    for (const uint8_t *p = (const uint8_t *)text; *p != '\0';) {
        size_t skip = control_at(p);
        if (skip == 0)
            spw_u8(out, *p);
        p += skip > 0 ? skip : 1;
    }
    spw_string_end(out, mark);
    spw_cstring(out, language);
    return spt_end(a->transport);
}
