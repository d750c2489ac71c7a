/* The calls of <sallyport/auth.h>: what an authentication question says, and its answers. */
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
