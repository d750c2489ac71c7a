/* Authentication: the engine's questions become calls of the application's handlers. Keyboard-
 * interactive "as password" (RFC 4256 in front of validate_password) is made here, because the
 * engine knows only the two methods. */
#include "server/auth_question.h"

#include <string.h>

/* ---- the answer's way back ---- */

static void auth_plain(sps_question *question, bool accepted)
{
    SPB_CONTAINER(question, sp_auth, q)->verdict = accepted ? SP_AUTH_ACCEPT : SP_AUTH_REJECT;
}

static void auth_apply(sps_question *question)
{
    sp_auth *auth = SPB_CONTAINER(question, sp_auth, q);
    sp_engine *engine = sps_conn_engine(question->conn);
    if (engine == NULL)
        return;
    sp_auth_reply reply = {.verdict = auth->verdict};
    if (auth->change_prompt != NULL) {
        reply.prompt = auth->change_prompt;
        reply.language = auth->change_prompt + strlen(auth->change_prompt) + 1;
    }
    if (auth->challenge != NULL)
        reply.challenge = &auth->challenge->challenge;
    reply.options = auth->options;
    reply.principals = auth->principals;
    reply.principal_count = auth->principal_count;
    reply.authorized_keys = auth->authorized;
    reply.no_environment = auth->no_environment;
    int result = sp_engine_answer_auth(engine, question->number, &reply);
    /* Only now is it sure that the question, and with it the user's name, is still the same. */
    if (result == 0 && atomic_load(&auth->has_user_keys))
        sp_engine_set_authorized_keys(engine, atomic_load(&auth->user_keys));
    if (result == SP_EINVAL || result == SP_ENOMEM) {
        /* A form that the engine does not take (a text that is too long, say) refuses. */
        spb_log(spl_queue_env(question->queue), SP_LOG_ERROR,
                "an answer to an authentication question was not taken (%s): refused",
                sp_strerror(result));
        reply = (sp_auth_reply){.verdict = SP_AUTH_REJECT};
        result = sp_engine_answer_auth(engine, question->number, &reply);
    }
    if (result == 0 && reply.verdict == SP_AUTH_REJECT && auth->event != SP_EVENT_AUTH_BEGIN &&
        auth->event != SP_EVENT_AUTH_COMPLETED)
        sps_count(&question->conn->server->counters.auth_failures, 1);
}

static void auth_clear(sps_question *question)
{
    sp_auth *auth = SPB_CONTAINER(question, sp_auth, q);
    const spb_env *env = spl_queue_env(question->queue);
    sp_key_unref(auth->key);
    sp_key_unref(auth->ca_key);
    sp_cert_unref(auth->cert);
    sp_config_unref(auth->config);
    sp_authorized_keys_free(auth->authorized);
    sp_authorized_keys_free(atomic_load(&auth->user_keys));
    spb_free(env, auth->options);
    spb_free(env, auth->principals);
    spb_free(env, auth->change_prompt);
    spb_free(env, auth->challenge);
}

static const sps_question_kind auth_kind = {
    .plain = auth_plain,
    .apply = auth_apply,
    .clear = auth_clear,
};

/* ---- making the question ---- */

/* All strings stand in the question's own allocation, which is wiped when it goes. */
static sp_auth *make_auth(sp_conn *conn, const sp_event *event)
{
    size_t count = event->type == SP_EVENT_AUTH_KBDINT_RESPONSE ? event->u.auth.response_count : 0;
    size_t size = sizeof(sp_auth) + count * sizeof(char *) + sps_text_size(event->u.auth.username) +
                  sps_text_size(event->u.auth.password) +
                  sps_text_size(event->u.auth.new_password) +
                  sps_text_size(event->u.auth.language) + sps_text_size(event->u.auth.submethods) +
                  SPL_HOST_SIZE;
    for (size_t i = 0; i < count; i++)
        size += sps_text_size(event->u.auth.responses[i]);
    sp_auth *auth = sps_question_new(conn, event, &auth_kind, size);
    if (auth == NULL)
        return NULL;
    auth->event = event->type;
    auth->responses = (const char **)(auth + 1);
    auth->response_count = count;
    char *at = (char *)(auth->responses + count);
    auth->username = sps_text_put(&at, event->u.auth.username);
    auth->password = sps_text_put(&at, event->u.auth.password);
    auth->new_password = sps_text_put(&at, event->u.auth.new_password);
    auth->language = sps_text_put(&at, event->u.auth.language);
    auth->submethods = sps_text_put(&at, event->u.auth.submethods);
    for (size_t i = 0; i < count; i++)
        auth->responses[i] = sps_text_put(&at, event->u.auth.responses[i]);
    if (spl_address_host(&conn->peer, at, SPL_HOST_SIZE))
        auth->peer = at;
    atomic_init(&auth->user_keys, NULL);
    atomic_init(&auth->has_user_keys, false);
    auth->config = sp_config_ref(conn->server->config);
    auth->now = spt_config_wall_clock(auth->config);
    if (event->u.auth.key != NULL) {
        auth->key = sp_key_ref(event->u.auth.key);
        auth->key_signed = event->u.auth.signed_request;
        auth->algorithm = event->u.auth.algorithm;
    }
    if (event->u.auth.ca_key != NULL)
        auth->ca_key = sp_key_ref(event->u.auth.ca_key);
    if (event->u.auth.cert != NULL)
        auth->cert = sp_cert_ref(event->u.auth.cert);
    return auth;
}

static void answer_now(sp_conn *conn, uint64_t question, sp_auth_verdict verdict,
                       const sp_challenge *challenge)
{
    const sp_auth_reply reply = {.verdict = verdict, .challenge = challenge};
    (void)sp_engine_answer_auth(conn->engine, question, &reply);
}

/* ---- keyboard-interactive as password ---- */

static sp_kbdint_support kbdint_support(sp_conn *conn)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    sp_kbdint_support support = handlers->kbdint_auth_supported == NULL
                                    ? SP_KBDINT_AS_PASSWORD
                                    : handlers->kbdint_auth_supported(conn);
    if (support == SP_KBDINT_AS_PASSWORD)
        return handlers->password_auth_supported != NULL && handlers->password_auth_supported(conn)
                   ? SP_KBDINT_AS_PASSWORD
                   : SP_KBDINT_NO;
    return support == SP_KBDINT_YES ? SP_KBDINT_YES : SP_KBDINT_NO;
}

static sp_answer ask_kbdint(sp_conn *conn, sp_auth *auth)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    switch (kbdint_support(conn)) {
    case SP_KBDINT_AS_PASSWORD: {
        static const sp_prompt prompt = {.text = "Password: ", .echo = false};
        static const sp_challenge challenge = {.prompts = &prompt, .prompt_count = 1};
        conn->kbdint_as_password = true;
        return sp_answered(sp_auth_challenge(auth, &challenge));
    }
    case SP_KBDINT_YES:
        if (handlers->get_kbdint_challenge != NULL)
            return handlers->get_kbdint_challenge(conn, auth, auth->username, auth->language,
                                                  auth->submethods);
        return SP_REJECT;
    case SP_KBDINT_NO:
    default:
        return SP_REJECT;
    }
}

static sp_answer ask_response(sp_conn *conn, sp_auth *auth)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (!conn->kbdint_as_password) {
        if (handlers->validate_kbdint_response == NULL)
            return SP_REJECT;
        return handlers->validate_kbdint_response(conn, auth, auth->username, auth->responses,
                                                  auth->response_count);
    }
    conn->kbdint_as_password = false;
    if (auth->response_count != 1 || handlers->validate_password == NULL)
        return SP_REJECT;
    auth->event = SP_EVENT_AUTH_PASSWORD;
    auth->as_password = true;
    auth->password = auth->responses[0];
    auth->response_count = 0;
    return handlers->validate_password(conn, auth, auth->username, auth->password);
}

/* ---- the handlers ---- */

static sp_answer ask(sp_conn *conn, sp_auth *auth)
{
    const sp_server_handlers *h = &conn->server->handlers;
    switch (auth->event) {
    case SP_EVENT_AUTH_BEGIN:
        return h->begin_auth != NULL ? h->begin_auth(conn, auth, auth->username) : SP_REJECT;
    case SP_EVENT_AUTH_PUBLIC_KEY:
        if (h->validate_public_key == NULL)
            return SP_REJECT;
        return h->validate_public_key(conn, auth, auth->username, auth->key);
    case SP_EVENT_AUTH_CA_KEY:
        if (h->validate_ca_key == NULL)
            return SP_REJECT;
        return h->validate_ca_key(conn, auth, auth->username, auth->ca_key);
    case SP_EVENT_AUTH_PASSWORD:
        if (h->validate_password == NULL)
            return SP_REJECT;
        return h->validate_password(conn, auth, auth->username, auth->password);
    case SP_EVENT_AUTH_CHANGE_PASSWORD:
        if (h->change_password == NULL)
            return SP_REJECT;
        return h->change_password(conn, auth, auth->username, auth->password, auth->new_password);
    case SP_EVENT_AUTH_KBDINT:
        return ask_kbdint(conn, auth);
    case SP_EVENT_AUTH_KBDINT_RESPONSE:
        return ask_response(conn, auth);
    case SP_EVENT_AUTH_COMPLETED:
        return h->auth_completed != NULL ? h->auth_completed(conn, auth, auth->username)
                                         : SP_ACCEPT;
    default:
        return SP_REJECT;
    }
}

static void answer_methods(sp_conn *conn, uint64_t question)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    unsigned methods = 0;
    if (handlers->public_key_auth_supported != NULL && handlers->public_key_auth_supported(conn))
        methods |= SP_METHOD_PUBLIC_KEY;
    if (handlers->password_auth_supported != NULL && handlers->password_auth_supported(conn))
        methods |= SP_METHOD_PASSWORD;
    if (kbdint_support(conn) != SP_KBDINT_NO)
        methods |= SP_METHOD_KBDINT;
    (void)sp_engine_answer_methods(conn->engine, question, methods);
}

void sps_auth_event(sp_conn *conn, const sp_event *event)
{
    if (event->type == SP_EVENT_AUTH_METHODS) {
        answer_methods(conn, event->question);
        return;
    }
    if (event->type != SP_EVENT_AUTH_KBDINT_RESPONSE)
        conn->kbdint_as_password = false;
    sp_auth *auth = make_auth(conn, event);
    if (auth == NULL) {
        answer_now(conn, event->question, SP_AUTH_REJECT, NULL);
        return;
    }
    sps_question_returned(&auth->q, ask(conn, auth));
}
