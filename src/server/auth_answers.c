/* The calls of <sallyport/auth.h>: what an authentication question says, and its answers. */
#include "auth/auth.h"
#include "server/auth_question.h"

#include <string.h>

/* ---- answers ---- */

int sp_auth_answer(sp_auth *auth, bool accepted)
{
    return sps_question_answer(&auth->q, accepted);
}

/* The answer is prepared before it is claimed, so that a failure leaves the question open. */
static int give(sp_auth *auth, sp_auth_verdict verdict, char *text, sps_challenge *challenge)
{
    int result = sps_question_claim(&auth->q);
    if (result != 0) {
        const spb_env *env = spl_queue_env(auth->q.queue);
        spb_free(env, text);
        spb_free(env, challenge);
        return result;
    }
    auth->verdict = verdict;
    auth->change_prompt = text;
    auth->challenge = challenge;
    return sps_question_publish(&auth->q);
}

int sp_auth_partial(sp_auth *auth)
{
    if (auth->event == SP_EVENT_AUTH_BEGIN || auth->event == SP_EVENT_AUTH_COMPLETED)
        return SP_EINVAL;
    return give(auth, SP_AUTH_PARTIAL, NULL, NULL);
}

int sp_auth_change_required(sp_auth *auth, const char *prompt, const char *language)
{
    if (auth->event != SP_EVENT_AUTH_PASSWORD && auth->event != SP_EVENT_AUTH_CHANGE_PASSWORD)
        return SP_EINVAL;
    if (auth->as_password)
        return give(auth, SP_AUTH_REJECT, NULL, NULL);
    const char *first = prompt != NULL ? prompt : "";
    const char *second = language != NULL ? language : "";
    size_t first_size = strlen(first) + 1;
    size_t second_size = strlen(second) + 1;
    char *text = spb_alloc(spl_queue_env(auth->q.queue), first_size + second_size);
    if (text == NULL)
        return SP_ENOMEM;
    memcpy(text, first, first_size);
    memcpy(text + first_size, second, second_size);
    return give(auth, SP_AUTH_CHANGE_PASSWORD, text, NULL);
}

/* A copy in one block: the struct with its prompts, then the strings. */
static sps_challenge *copy_challenge(const spb_env *env, const sp_challenge *from)
{
    size_t size = sizeof(sps_challenge) + sps_text_size(from->name) +
                  sps_text_size(from->instructions) + sps_text_size(from->language);
    for (size_t i = 0; i < from->prompt_count; i++)
        size += sps_text_size(from->prompts[i].text);
    sps_challenge *to = spb_calloc(env, 1, size);
    if (to == NULL)
        return NULL;
    char *at = (char *)(to + 1);
    to->challenge.name = sps_text_put(&at, from->name);
    to->challenge.instructions = sps_text_put(&at, from->instructions);
    to->challenge.language = sps_text_put(&at, from->language);
    to->challenge.prompts = to->prompts;
    to->challenge.prompt_count = from->prompt_count;
    for (size_t i = 0; i < from->prompt_count; i++) {
        to->prompts[i].text = sps_text_put(&at, from->prompts[i].text);
        to->prompts[i].echo = from->prompts[i].echo;
    }
    return to;
}

int sp_auth_challenge(sp_auth *auth, const sp_challenge *challenge)
{
    if (auth->event != SP_EVENT_AUTH_KBDINT && auth->event != SP_EVENT_AUTH_KBDINT_RESPONSE)
        return SP_EINVAL;
    if (challenge == NULL || challenge->prompt_count > SP_PROMPTS_MAX ||
        (challenge->prompt_count > 0 && challenge->prompts == NULL))
        return SP_EINVAL;
    sps_challenge *copy = copy_challenge(spl_queue_env(auth->q.queue), challenge);
    if (copy == NULL)
        return SP_ENOMEM;
    return give(auth, SP_AUTH_CHALLENGE, NULL, copy);
}

/* ---- answers that say what is permitted ---- */

static spk_peer peer_of(const sp_auth *auth)
{
    return (spk_peer){
        .user = auth->username,
        .address = auth->peer,
        .now = auth->now,
        .ca_algorithms = auth->config->ca_signature_list,
    };
}

static bool about_key(const sp_auth *auth)
{
    return auth->event == SP_EVENT_AUTH_PUBLIC_KEY || auth->event == SP_EVENT_AUTH_CA_KEY;
}

static int check_grant(const sp_auth *auth, const sp_auth_grant *grant)
{
    if (auth->event == SP_EVENT_AUTH_COMPLETED ||
        (grant->partial && auth->event == SP_EVENT_AUTH_BEGIN) ||
        (grant->authorized_keys != NULL && !about_key(auth)) ||
        (grant->principals != NULL &&
         (auth->event != SP_EVENT_AUTH_CA_KEY || grant->authorized_keys != NULL)))
        return SP_EINVAL;
    for (size_t i = 0; grant->principals != NULL && i < grant->principal_count; i++)
        if (grant->principals[i] == NULL)
            return SP_EINVAL;
    if (grant->options == NULL)
        return 0;
    spk_permissions *permitted;
    const char *reason;
    const spk_peer who = peer_of(auth);
    int result =
        spa_options_permit(spl_queue_env(auth->q.queue), grant->options, &who, &permitted, &reason);
    spk_permissions_unref(permitted);
    return result == SP_EAUTH ? 0 : result; /* the reason is told when it refuses */
}

/* Pointers and texts in one block; never NULL but when out of memory. */
static const char **copy_names(const spb_env *env, const char *const *names, size_t count)
{
    size_t size = (count + 1) * sizeof *names;

    for (size_t i = 0; i < count; i++)
        size += sps_text_size(names[i]);
    const char **copy = spb_alloc(env, size);
    if (copy == NULL)
        return NULL;
    char *at = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++)
        copy[i] = sps_text_put(&at, names[i]);
    copy[count] = NULL;
    return copy;
}

int sp_auth_accept(sp_auth *auth, const sp_auth_grant *given)
{
    const spb_env *env = spl_queue_env(auth->q.queue);
    sp_auth_grant grant;

    memset(&grant, 0, sizeof grant);
    if (given == NULL || !sps_copy_sized(&grant, sizeof grant, given))
        return SP_EINVAL;
    int result = check_grant(auth, &grant);
    if (result != 0)
        return result;
    char *options = grant.options == NULL ? NULL : spb_strdup(env, grant.options);
    const char **names =
        grant.principals == NULL ? NULL : copy_names(env, grant.principals, grant.principal_count);
    if ((grant.options != NULL && options == NULL) || (grant.principals != NULL && names == NULL))
        result = SP_ENOMEM;
    if (result == 0)
        result = sps_question_claim(&auth->q);
    if (result != 0) {
        spb_free(env, options);
        spb_free(env, names);
        return result;
    }
    auth->verdict = grant.partial ? SP_AUTH_PARTIAL : SP_AUTH_ACCEPT;
    auth->options = options;
    auth->principals = names;
    auth->principal_count = grant.principal_count;
    auth->no_environment = grant.no_environment;
    if (grant.authorized_keys != NULL)
        auth->authorized = sp_authorized_keys_ref(grant.authorized_keys);
    return sps_question_publish(&auth->q);
}

int sp_auth_accept_with_options(sp_auth *auth, const char *options)
{
    sp_auth_grant grant = {SP_AUTH_GRANT_INIT};

    grant.options = options;
    return sp_auth_accept(auth, &grant);
}

int sp_auth_accept_principals(sp_auth *auth, const char *const *names, size_t count)
{
    static const char *const nobody[] = {NULL};
    sp_auth_grant grant = {SP_AUTH_GRANT_INIT};

    if (names == NULL && count > 0)
        return SP_EINVAL;
    grant.principals = count > 0 ? names : nobody;
    grant.principal_count = count;
    return sp_auth_accept(auth, &grant);
}

int sp_auth_look_up(const sp_auth *auth, const sp_authorized_keys *list, const char **reason)
{
    spk_permissions *permitted;
    const char *why;

    if (!about_key(auth))
        return SP_EINVAL;
    const spk_peer who = peer_of(auth);
    int result = spa_look_up(list, auth->key, auth->cert, &who, &permitted, &why);
    spk_permissions_unref(permitted);
    if (reason != NULL)
        *reason = why;
    return result;
}

int sp_auth_set_authorized_keys(sp_auth *auth, const sp_authorized_keys *list)
{
    if (auth->event != SP_EVENT_AUTH_BEGIN)
        return SP_EINVAL;
    if (atomic_load(&auth->q.gone))
        return SP_ECONN;
    if (atomic_load(&auth->q.state) != SPS_OPEN)
        return SP_EALREADY;
    sp_authorized_keys *fresh = list != NULL ? sp_authorized_keys_ref(list) : NULL;
    sp_authorized_keys_free(atomic_exchange(&auth->user_keys, fresh));
    atomic_store(&auth->has_user_keys, true);
    return 0;
}

void sp_auth_release(sp_auth *auth)
{
    if (auth != NULL)
        sps_question_release(&auth->q);
}

/* ---- what is asked ---- */

const char *sp_auth_username(const sp_auth *auth)
{
    return auth->username;
}

const char *sp_auth_password(const sp_auth *auth)
{
    return auth->password;
}

const char *sp_auth_new_password(const sp_auth *auth)
{
    return auth->new_password;
}

const sp_key *sp_auth_key(const sp_auth *auth)
{
    return auth->key;
}

const sp_key *sp_auth_ca_key(const sp_auth *auth)
{
    return auth->ca_key;
}

const sp_cert *sp_auth_cert(const sp_auth *auth)
{
    return auth->cert;
}

const char *sp_auth_algorithm(const sp_auth *auth)
{
    return auth->algorithm;
}

bool sp_auth_key_signed(const sp_auth *auth)
{
    return auth->key_signed;
}

size_t sp_auth_response_count(const sp_auth *auth)
{
    return auth->response_count;
}

const char *sp_auth_response(const sp_auth *auth, size_t index)
{
    return index < auth->response_count ? auth->responses[index] : NULL;
}

struct sp_conn *sp_auth_conn(const sp_auth *auth)
{
    return auth->q.conn;
}

/* ---- the thread pool ---- */

typedef struct auth_work {
    sp_answer (*work)(sp_auth *auth, void *data);
    void *data;
} auth_work;

static sp_answer call_work(void *work, sps_question *question)
{
    const auth_work *item = work;
    return item->work(SPB_CONTAINER(question, sp_auth, q), item->data);
}

sp_answer sp_auth_work(sp_auth *auth, sp_answer (*work)(sp_auth *auth, void *data), void *data)
{
    const auth_work item = {work, data};
    return sps_question_work(&auth->q, call_work, &item, sizeof item);
}
