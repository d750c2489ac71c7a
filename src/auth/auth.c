/* The user authentication service (RFC 4252): one request after another through its questions. The
 * states are in auth_internal.h; what moves between them is here, the methods have files of their
 * own, and reply.c ends an attempt.
 *
 * Rules kept here: a new user name flushes everything; a newer request abandons an open question,
 * whose answer then changes nothing; a newer request behind a failure that waits for its time is
 * parked until that has gone out, so that the failure comes when it would have come anyway. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <string.h>

/* The top byte of a question's number tells the engine which room asks. */
#define SPA_TAG ((uint64_t)1 << 56)

int spa_new(spa_auth **out, spt_transport *transport, const spa_trust *trust)
{
    const spb_env *env = spt_env(transport);
    spa_auth *a = spb_calloc(env, 1, sizeof *a);

    *out = a;
    if (a == NULL)
        return SP_ENOMEM;
    a->transport = transport;
    a->env = env;
    a->trust = trust;
    spa_request_init(&a->request, env);
    spa_request_init(&a->parked, env);
    return 0;
}

void spa_free(spa_auth *a)
{
    if (a == NULL)
        return;
    spa_flush(a);
    spk_permissions_unref(a->granted);
    spa_request_free(&a->request);
    spa_request_free(&a->parked);
    spb_buffer_free(&a->name);
    spb_free_secret(a->env, a, sizeof *a);
}

/* ---- questions ---- */

int spa_ask(spa_auth *a, spa_state state, sp_event_type type)
{
    a->state = state;
    a->question = SPA_TAG | ++a->counter;
    a->asked = type;
    a->delivered = false;
    return 0;
}

/* May the open question still need what the request lends? */
static bool request_in_use(const spa_auth *a)
{
    return a->state == SPA_BEGIN || a->state == SPA_METHODS_TRY || a->state == SPA_VERDICT;
}

static void fill_event(const spa_auth *a, sp_event *event)
{
    const spa_request *q = &a->request;

    event->type = a->asked;
    event->question = a->question;
    event->u.auth.username = spa_username(a);
    switch (a->asked) {
    case SP_EVENT_AUTH_PUBLIC_KEY:
        event->u.auth.key = q->key;
        event->u.auth.signed_request = q->is_signed;
        event->u.auth.algorithm = q->algorithm->name;
        break;
    case SP_EVENT_AUTH_CA_KEY:
        event->u.auth.key = q->key;
        event->u.auth.cert = q->cert;
        event->u.auth.ca_key = sp_cert_ca_key(q->cert);
        event->u.auth.signed_request = q->is_signed;
        event->u.auth.algorithm = q->algorithm->name;
        break;
    case SP_EVENT_AUTH_CHANGE_PASSWORD:
        event->u.auth.new_password = spa_kept(q, q->new_password_at);
        event->u.auth.password = spa_kept(q, q->password_at);
        break;
    case SP_EVENT_AUTH_PASSWORD:
        event->u.auth.password = spa_kept(q, q->password_at);
        break;
    case SP_EVENT_AUTH_KBDINT:
        event->u.auth.language = spa_kept(q, q->language_at);
        event->u.auth.submethods = spa_kept(q, q->submethods_at);
        break;
    case SP_EVENT_AUTH_KBDINT_RESPONSE:
        event->u.auth.responses = a->responses;
        event->u.auth.response_count = q->response_count;
        break;
    default:
        break;
    }
}

bool spa_next_event(spa_auth *a, sp_event *event)
{
    /* The event before this one ends here, and with it what it lent. */
    bool failed = spt_failed(a->transport);
    if (failed || !request_in_use(a))
        spa_request_wipe(&a->request);
    if (failed)
        return false;
    if (a->canceled != 0) {
        memset(event, 0, sizeof *event);
        event->type = SP_EVENT_CANCELED;
        event->question = a->canceled;
        a->canceled = 0;
        return true;
    }
    if (a->question == 0 || a->delivered)
        return false;
    memset(event, 0, sizeof *event);
    fill_event(a, event);
    a->delivered = true;
    return true;
}

/* 0: it is the open question, which the caller knows of. */
static int check_question(const spa_auth *a, uint64_t question)
{
    if (question == 0 || spt_failed(a->transport))
        return SP_ECONN;
    if (question == a->last_answered)
        return SP_EALREADY;
    return question == a->question && a->delivered ? 0 : SP_ECONN;
}

static void close_question(spa_auth *a)
{
    a->last_answered = a->question;
    a->question = 0;
}

/* ---- one request ---- */

void spa_flush(spa_auth *a)
{
    for (size_t i = 0; i < a->done_key_count; i++) {
        sp_key_unref(a->done_keys[i]);
        a->done_keys[i] = NULL;
    }
    a->done_key_count = 0;
    a->done_methods = 0;
    spk_permissions_unref(a->permitted);
    a->permitted = NULL;
    a->no_environment = false;
    spa_forget_authorized(a);
    (void)spa_set_algorithms(a, NULL);
    a->allowed = 0;
    a->prompt_count = 0;
    a->echo = 0;
    a->user = SPA_USER_NEW;
}

/* Names that can't be prepared are never the same as any other. */
static bool same_name(const spa_auth *a, const spa_request *q)
{
    return a->name.data != NULL && a->name_fitness == SPA_FIT && q->name_fitness == SPA_FIT &&
           a->name.length == q->name.length &&
           memcmp(a->name.data, q->name.data, q->name.length) == 0;
}

int spa_start(spa_auth *a)
{
    spa_request *q = &a->request;

    if (!same_name(a, q)) {
        spa_flush(a);
        spb_buffer_free(&a->name);
        a->name = q->name;
        a->name_fitness = q->name_fitness;
        spb_buffer_init(&q->name, a->env, SPA_STORE_MAX);
    }
    if (a->user == SPA_USER_NEW)
        return spa_ask(a, SPA_BEGIN, SP_EVENT_AUTH_BEGIN);
    return spa_ask(a, SPA_METHODS_TRY, SP_EVENT_AUTH_METHODS);
}

/* Drops the request that is being answered. It gets no reply (RFC 4252 5.1), and counts as a
 * failure, so that abandoning is no way around the limit. */
static int abandon(spa_auth *a)
{
    if (a->question == 0 && a->state != SPA_CHALLENGED)
        return 0;
    if (a->question != 0 && a->delivered)
        a->canceled = a->question;
    a->question = 0;
    a->state = SPA_IDLE;
    spa_request_wipe(&a->request);
    return spa_count_failure(a, &a->request) ? 0 : spa_too_many(a);
}

static int take_request(spa_auth *a, spb_reader *r)
{
    spa_request next;
    bool waiting = a->state == SPA_WAITING;
    spa_request *place = waiting ? &a->parked : &a->request;
    uint32_t limit = spt_limits(a->transport)->max_auth_attempts;

    if (a->requests >= SPA_EXTRA_REQUESTS && a->requests - SPA_EXTRA_REQUESTS >= limit)
        return spt_fail(a->transport, SP_EAUTH, SP_DISCONNECT_PROTOCOL_ERROR,
                        "Too many authentication requests");
    a->requests++;
    spa_request_init(&next, a->env);
    int result = spa_request_parse(a, &next, r);
    if (result == 0 && !waiting)
        result = abandon(a);
    else if (result == 0 && a->parked.method != NULL && !spa_count_failure(a, &a->parked))
        result = spa_too_many(a);
    if (result != 0) {
        spa_request_free(&next);
        return result;
    }
    spa_request_free(place);
    *place = next;
    return waiting ? 0 : spa_start(a);
}

int spa_message(spa_auth *a, uint8_t message, spb_reader *r)
{
    if (spt_failed(a->transport))
        return SP_ECONN;
    if (message == SSH_MSG_USERAUTH_REQUEST)
        return spa_succeeded(a) ? 0 : take_request(a, r);
    if (message == SSH_MSG_USERAUTH_INFO_RESPONSE)
        return spa_kbdint_response(a, r);
    return spt_fail(a->transport, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR,
                    "Unexpected message %u during authentication", (unsigned)message);
}

/* ---- answers ---- */

/* Who asks to be told of it (ext-info-in-auth@openssh.com, OpenSSH PROTOCOL) learns from the first
 * request on what this user may sign with. */
static int tell_algorithms(spa_auth *a)
{
    bool first = !a->first_user_known;

    a->first_user_known = true;
    return first && a->algorithms != NULL ? spt_send_user_ext_info(a->transport, a->algorithms) : 0;
}

static int begin_answered(spa_auth *a, const sp_auth_reply *reply)
{
    a->user = SPA_USER_BEGUN;
    int result = tell_algorithms(a);
    if (result != 0)
        return result;
    if (reply->verdict == SP_AUTH_ACCEPT && a->name_fitness == SPA_FIT) {
        /* Whatever the request tried, it proved nothing. */
        a->request.method = &spa_method_none;
        spa_request_wipe(&a->request);
        return spa_accept(a, reply);
    }
    return spa_ask(a, SPA_METHODS_TRY, SP_EVENT_AUTH_METHODS);
}

static int completed_answered(spa_auth *a, sp_auth_verdict verdict)
{
    if (verdict != SP_AUTH_ACCEPT)
        return spt_fail(a->transport, SP_EAUTH, SP_DISCONNECT_BY_APPLICATION, "Login refused");
    a->state = SPA_DONE;
    return 0;
}

/* Does the open question take this form of answer? */
static bool answer_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    if (!spa_reply_good(a, reply))
        return false;
    switch (a->state) {
    case SPA_BEGIN:
    case SPA_COMPLETING:
        return reply->verdict == SP_AUTH_REJECT || reply->verdict == SP_AUTH_ACCEPT;
    case SPA_VERDICT:
        return a->request.method->fits(a, reply);
    default:
        return false;
    }
}

int spa_answer(spa_auth *a, uint64_t question, const sp_auth_reply *reply)
{
    int result = check_question(a, question);

    if (result != 0)
        return result;
    if (reply == NULL || !answer_fits(a, reply))
        return SP_EINVAL;
    spa_state state = a->state;
    close_question(a);
    /* The answer was taken: what fails from here on, the transport has recorded. */
    if (state == SPA_BEGIN)
        (void)begin_answered(a, reply);
    else if (state == SPA_COMPLETING)
        (void)completed_answered(a, reply->verdict);
    else
        (void)a->request.method->decide(a, reply);
    return 0;
}

static int try_method(spa_auth *a)
{
    const spa_request *q = &a->request;

    if ((q->method->bit & a->allowed) == 0)
        return spa_refuse(a, q->method->bit != 0 ? "method not allowed" : NULL);
    if (a->name_fitness == SPA_UNFIT)
        return spa_reject(a, NULL);
    if (q->fitness == SPA_UNFIT)
        return spa_reject(a, "text that can't be prepared");
    return q->method->ask(a);
}

int spa_answer_methods(spa_auth *a, uint64_t question, unsigned methods)
{
    int result = check_question(a, question);

    if (result != 0)
        return result;
    if (a->asked != SP_EVENT_AUTH_METHODS)
        return SP_EINVAL;
    spa_state state = a->state;
    close_question(a);
    if (spa_authorized(a) != NULL)
        methods |= SP_METHOD_PUBLIC_KEY;
    a->allowed = methods & ~a->done_methods;
    if (state == SPA_METHODS_TRY)
        (void)try_method(a);
    else
        (void)spa_reply_failure(a);
    return 0;
}

/* ---- time and state ---- */

uint64_t spa_deadline(const spa_auth *a)
{
    return a->state == SPA_WAITING ? a->due : UINT64_MAX;
}

int spa_tick(spa_auth *a)
{
    if (a->state != SPA_WAITING || spt_failed(a->transport) || spt_now(a->transport) < a->due)
        return 0;
    return spa_reply_due(a);
}

bool spa_succeeded(const spa_auth *a)
{
    return a->state == SPA_COMPLETING || a->state == SPA_DONE;
}

bool spa_completed(const spa_auth *a)
{
    return a->state == SPA_DONE;
}

const spk_permissions *spa_permissions(const spa_auth *a)
{
    return a->granted;
}

bool spa_environment_obeyed(const spa_auth *a)
{
    return a->granted != NULL && !a->no_environment;
}

const char *spa_username(const spa_auth *a)
{
    return (const char *)a->name.data;
}
