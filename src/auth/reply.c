/* How an attempt ends: success, partial success, failure (RFC 4252 5.1), the schedule on which
 * failures go out, and the limit on them; also the banner (5.4).
 *
 * The schedule: a failure of a method that looks at a secret goes out a whole number of steps after
 * the request came, so its time tells nothing finer than a step about why it failed. Success and
 * partial success say more than their time could, and go at once. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <stdio.h>
#include <string.h>

/* A key goes by its fingerprint, a certificate by its names besides. */
static void describe_key(const spa_request *q, char *out, size_t size)
{
    char print[SP_FINGERPRINT_SIZE];
    char id[64];

    out[0] = '\0';
    if (q->key == NULL)
        return;
    sp_key_fingerprint(q->key, print);
    if (q->cert == NULL) {
        (void)snprintf(out, size, " %s", print);
        return;
    }
    char ca[SP_FINGERPRINT_SIZE];
    sp_key_fingerprint(sp_cert_ca_key(q->cert), ca);
    spb_printable(id, sizeof id, sp_cert_key_id(q->cert), strlen(sp_cert_key_id(q->cert)));
    (void)snprintf(out, size, " %s certificate '%s' (serial %llu) of CA %s", print, id,
                   (unsigned long long)sp_cert_serial(q->cert), ca);
}

static void log_outcome(const spa_auth *a, sp_log_level level, const char *outcome, const char *why)
{
    const spa_request *q = &a->request;
    char user[64] = "";
    char key[320];
    char reason[192] = ""; /* may have words of the certificate's in it */

    if (why != NULL)
        spb_printable(reason, sizeof reason, why, strlen(why));
    if (a->name.length > 0)
        spb_printable(user, sizeof user, a->name.data, a->name.length - 1);
    describe_key(q, key, sizeof key);
    spb_log(a->env, level, "%s %s for %s'%s'%s%s%s", outcome,
            spa_by_key(q) ? spa_method_public_key.name : q->method->name,
            a->name_fitness == SPA_UNFIT ? "unusable name " : "", user, key,
            why != NULL ? ": " : "", reason);
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

/* Everything that was proven may be used, once. */
static int succeed(spa_auth *a)
{
    log_outcome(a, SP_LOG_INFO, "accepted", NULL);
    a->granted = a->permitted;
    a->permitted = NULL;
    spt_begin(a->transport, SSH_MSG_USERAUTH_SUCCESS);
    int result = spt_end(a->transport);
    if (result == 0)
        result = spt_authenticated(a->transport);
    if (result != 0)
        return result;
    return spa_ask(a, SPA_COMPLETING, SP_EVENT_AUTH_COMPLETED);
}

static int partial(spa_auth *a)
{
    spa_request *q = &a->request;

    if (!spa_by_key(q))
        a->done_methods |= q->method->bit;
    else
        a->done_keys[a->done_key_count++] = sp_key_ref(q->key);
    log_outcome(a, SP_LOG_INFO, "partial success of", NULL);
    q->counted = true;
    a->partial = true;
    return spa_ask(a, SPA_METHODS_LIST, SP_EVENT_AUTH_METHODS);
}

int spa_proven(spa_auth *a, const sp_auth_reply *reply, spk_permissions *permitted)
{
    if (permitted != NULL && a->permitted != NULL) {
        spk_permissions *all = NULL;
        const char *why = "not permitted";
        int result = spk_permissions_intersect(&all, a->permitted, permitted, &why);
        spk_permissions_unref(permitted);
        permitted = all;
        if (result == SP_ENOMEM)
            return spa_no_memory(a);
        if (result != 0)
            return spa_reject(a, why);
    }
    if (permitted == NULL)
        return spa_reject(a, "nothing is permitted");
    if (reply->verdict == SP_AUTH_PARTIAL && a->request.method->bit == SP_METHOD_PUBLIC_KEY &&
        a->done_key_count == SPA_DONE_KEYS_MAX) {
        spk_permissions_unref(permitted);
        return spa_reject(a, "too many keys");
    }
    spk_permissions_unref(a->permitted);
    a->permitted = permitted;
    a->no_environment |= reply->no_environment;
    return reply->verdict == SP_AUTH_PARTIAL ? partial(a) : succeed(a);
}

int spa_accept(spa_auth *a, const sp_auth_reply *reply)
{
    spk_permissions *permitted;
    const char *why;
    int result = spa_reply_permits(a, reply, &permitted, &why);

    if (result == SP_ENOMEM)
        return spa_no_memory(a);
    return result == 0 ? spa_proven(a, reply, permitted) : spa_reject(a, why);
}

/* False: the connection has had its failures, and no list is needed any more. */
static bool note_failure(spa_auth *a, const char *why)
{
    spa_request *q = &a->request;
    /* Clients ask for the list, and try their keys, without anybody's doing. */
    bool quiet = q->method == &spa_method_none || (spa_by_key(q) && !q->is_signed);

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
