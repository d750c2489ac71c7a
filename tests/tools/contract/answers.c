/* answers.c: a question gets its answer in the form and at the time that were asked for. */
#include "contract.h"

#include <stdlib.h>

/* Answers by a call. `opposite` turns accept and reject round. Thread: any. */
static int answer_by_call(question *q, bool opposite)
{
    const char *what = q->what;
    bool yes = strcmp(what, "reject") != 0 && strcmp(what, "refuse") != 0;
    if (opposite)
        yes = !yes;
    switch (q->kind) {
    case ASK_AUTH:
        if (!opposite && strcmp(what, "partial") == 0)
            return sp_auth_partial(q->auth);
        if (!opposite && strcmp(what, "required") == 0)
            return sp_auth_change_required(q->auth, "Choose a new password: ", "en");
        if (!opposite && is_challenge(what))
            return sp_auth_challenge(q->auth, &find_round(what, q->round)->challenge);
        return sp_auth_answer(q->auth, yes);
    case ASK_OPEN:
        if (!yes)
            return sp_open_refuse(q->open, strcmp(what, "refuse") == 0 ? 1 : 0,
                                  strcmp(what, "refuse") == 0 ? "Not today" : NULL);
        return open_now(q->app, q->open, strcmp(what, "small") == 0);
    case ASK_REQUEST:
        return sp_request_answer(q->request, yes);
    }
    return SP_EINVAL;
}

static void log_answer(const question *q, int first, int second, bool twice)
{
    event e;
    if (q->app->quiet)
        return;
    event_begin(&e, "answer");
    event_text(&e, "handler", q->handler);
    event_number(&e, "conn", (int64_t)q->conn);
    event_text(&e, "result", result_name(first));
    if (twice)
        event_text(&e, "second", result_name(second));
    event_end(&e);
}

static void release_question(question *q)
{
    if (q->auth != NULL)
        sp_auth_release(q->auth);
    if (q->open != NULL)
        sp_open_release(q->open);
    if (q->request != NULL)
        sp_request_release(q->request);
    free(q);
}

/* The end of a question that was kept with SP_LATER. */
static void finish(question *q)
{
    int first = 0;
    int second = 0;
    bool twice = strcmp(q->when, "twice") == 0;
    if (strcmp(q->what, "release") != 0) {
        first = answer_by_call(q, false);
        if (twice)
            second = answer_by_call(q, true);
    }
    log_answer(q, first, second, twice);
    release_question(q);
}

static void on_answer_timer(void *data)
{
    question *q = data;
    sp_timer *timer = q->timer;
    finish(q);
    sp_timer_stop(timer);
}

static void *answer_thread(void *data)
{
    question *q = data;
    app *a = q->app;
    finish(q);
    pthread_mutex_lock(&a->lock);
    a->threads--;
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static sp_answer immediate(question *q)
{
    if (strcmp(q->what, "accept") == 0)
        return SP_ACCEPT;
    if (strcmp(q->what, "garbage") == 0)
        return (sp_answer)77;
    return SP_REJECT;
}

static sp_answer work_answer(question *q)
{
    sp_answer answer = SP_ANSWERED;
    bool plain = strcmp(q->what, "accept") == 0 || strcmp(q->what, "reject") == 0;
    if (plain && q->kind != ASK_OPEN)
        answer = immediate(q);
    else
        answer = sp_answered(answer_by_call(q, false));
    log_answer(q, 0, 0, false);
    free(q);
    return answer;
}

static sp_answer work_auth(sp_auth *auth, void *data)
{
    (void)auth;
    return work_answer(data);
}

static sp_answer work_open(sp_open *open, void *data)
{
    (void)open;
    return work_answer(data);
}

static sp_answer work_request(sp_request *request, void *data)
{
    (void)request;
    return work_answer(data);
}

/* A form of answer that the question does not have: refused with SP_EINVAL, and the question stays.
 */
static int answer_wrongly(question *q)
{
    if (q->kind != ASK_AUTH)
        return SP_EINVAL;
    return sp_auth_password(q->auth) != NULL || sp_auth_key(q->auth) != NULL
               ? sp_auth_challenge(q->auth, &find_round("one", 0)->challenge)
               : sp_auth_change_required(q->auth, "No: ", "en");
}

void log_question(const question *q, const char *username, const char *text)
{
    event e;
    if (q->app->quiet)
        return;
    event_begin(&e, "question");
    event_text(&e, "handler", q->handler);
    event_number(&e, "conn", (int64_t)q->conn);
    event_text(&e, "username", username);
    event_text(&e, "text", text);
    if (q->auth != NULL && sp_auth_key(q->auth) != NULL)
        event_bool(&e, "signed", sp_auth_key_signed(q->auth));
    if (q->auth != NULL && sp_auth_new_password(q->auth) != NULL)
        event_text(&e, "new", sp_auth_new_password(q->auth));
    if (q->auth != NULL && sp_auth_response_count(q->auth) > 0)
        event_text(&e, "response", sp_auth_response(q->auth, 0));
    event_end(&e);
}

/* Answers `q` in its form. Takes it over. */
sp_answer settle(question *q)
{
    if (strcmp(q->what, "wrong") == 0) {
        log_answer(q, answer_wrongly(q), 0, false);
        strcpy(q->what, "accept");
    }
    if (strcmp(q->when, "now") == 0) {
        bool plain = strcmp(q->what, "accept") == 0 || strcmp(q->what, "reject") == 0 ||
                     strcmp(q->what, "garbage") == 0;
        if (plain && !(q->kind == ASK_OPEN && strcmp(q->what, "accept") == 0)) {
            sp_answer answer = immediate(q);
            free(q);
            return answer;
        }
        strcpy(q->when, "call");
    }
    if (strcmp(q->when, "call") == 0 || strcmp(q->when, "twicenow") == 0) {
        bool twice = strcmp(q->when, "twicenow") == 0;
        int first = answer_by_call(q, false);
        int second = twice ? answer_by_call(q, true) : 0;
        log_answer(q, first, second, twice);
        free(q);
        return sp_answered(first);
    }
    if (strcmp(q->when, "work") == 0) {
        switch (q->kind) {
        case ASK_AUTH:
            return sp_work(q->auth, work_auth, q);
        case ASK_OPEN:
            return sp_work(q->open, work_open, q);
        case ASK_REQUEST:
            return sp_work(q->request, work_request, q);
        }
    }
    if (strcmp(q->when, "thread") == 0) {
        pthread_t thread;
        pthread_mutex_lock(&q->app->lock);
        q->app->threads++;
        pthread_mutex_unlock(&q->app->lock);
        if (pthread_create(&thread, NULL, answer_thread, q) != 0)
            abort();
        pthread_detach(thread);
        return SP_LATER;
    }
    if (strcmp(q->when, "held") == 0 || strcmp(q->when, "gone") == 0) {
        pthread_mutex_lock(&q->app->lock);
        q->next = q->app->held;
        q->app->held = q;
        pthread_mutex_unlock(&q->app->lock);
        return SP_LATER;
    }
    q->timer = sp_timer_start(q->app->server, 20, 0, on_answer_timer, q);
    return SP_LATER;
}

/* Finishes held questions: those of a lost connection or channel, or all that are `held`. */
void finish_held(app *a, const client *lost, const sp_channel *channel)
{
    question *due = NULL;
    pthread_mutex_lock(&a->lock);
    for (question **at = &a->held; *at != NULL;) {
        question *q = *at;
        bool gone = strcmp(q->when, "gone") == 0;
        bool match = lost != NULL      ? gone && q->client == lost
                     : channel != NULL ? gone && q->channel == channel
                                       : true;
        if (match) {
            *at = q->next;
            q->next = due;
            due = q;
        } else {
            at = &q->next;
        }
    }
    for (question *q = a->held; q != NULL && lost != NULL; q = q->next)
        if (q->client == lost)
            q->client = NULL;
    pthread_mutex_unlock(&a->lock);
    while (due != NULL) {
        question *q = due;
        due = q->next;
        finish(q);
    }
}

question *new_question(client *c, question_kind kind, const char *handler)
{
    question *q = calloc(1, sizeof *q);
    if (q == NULL)
        abort();
    q->app = c->app;
    q->kind = kind;
    q->client = c;
    q->conn = c->id;
    snprintf(q->handler, sizeof q->handler, "%s", handler);
    return q;
}
