/* Questions: one answer, from any thread, and exactly one look at it by the loop. See question.h
 * for the rules that hold here. */
#include "server/question.h"

#include <string.h>

static void drop(sps_question *question)
{
    if (atomic_fetch_sub_explicit(&question->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (question->kind->clear != NULL)
        question->kind->clear(question);
    spl_queue *queue = question->queue;
    spb_free_secret(spl_queue_env(queue), question, question->size);
    spl_queue_unref(queue);
}

/* The connection has done with it. */
static void settle(sps_question *question)
{
    question->settled = true;
    question->conn = NULL;
    spb_list_remove(&question->link);
    drop(question);
}

/* On the loop's thread: the answer is there. It may come here twice, by the queue and by the
 * handler's return; and it may come too late, after the question was canceled. */
static void apply(sps_question *question)
{
    if (question->applied)
        return;
    question->applied = true;
    if (question->settled) {
        if (question->kind->missed != NULL)
            question->kind->missed(question);
        return;
    }
    sp_conn *conn = question->conn;
    question->kind->apply(question);
    sps_conn_touch(conn);
    settle(question);
}

static void posted(spl_post *post)
{
    sps_question *question = SPB_CONTAINER(post, sps_question, post);
    apply(question);
    drop(question);
}

void *sps_question_new(sp_conn *conn, const sp_event *event, const sps_question_kind *kind,
                       size_t size)
{
    const spb_env *env = sps_conn_env(conn);
    sps_question *question = spb_calloc(env, 1, size);
    if (question == NULL)
        return NULL;
    question->post.run = posted;
    question->kind = kind;
    question->queue = spl_queue_ref(conn->queue);
    question->size = size;
    atomic_init(&question->refs, 2);
    atomic_init(&question->state, SPS_OPEN);
    atomic_init(&question->in_handler, true);
    atomic_init(&question->gone, false);
    question->conn = conn;
    question->number = event->question;
    question->channel = event->channel;
    question->on_channel = event->type == SP_EVENT_REQUEST || event->type == SP_EVENT_OPEN;
    spb_list_append(&conn->questions, &question->link);
    return question;
}

void sps_question_returned(sps_question *question, sp_answer answer)
{
    atomic_store(&question->in_handler, false);
    if (answer != SP_LATER) {
        int open = SPS_OPEN;
        if (atomic_compare_exchange_strong(&question->state, &open, SPS_CLAIMED)) {
            if (answer == SP_ANSWERED)
                spb_log(spl_queue_env(question->queue), SP_LOG_ERROR,
                        "a handler returned SP_ANSWERED without an answer: refused");
            question->kind->plain(question, answer == SP_ACCEPT);
            atomic_store(&question->state, SPS_ANSWERED);
        }
    }
    if (atomic_load(&question->state) == SPS_ANSWERED)
        apply(question);
    if (answer != SP_LATER)
        drop(question);
}

void sps_question_cancel(sps_question *question)
{
    atomic_store(&question->gone, true);
    /* Answered and not applied yet: the post is on its way and will find it settled. */
    settle(question);
}

void sps_questions_cancel(sp_conn *conn)
{
    while (!spb_list_empty(&conn->questions))
        sps_question_cancel(SPB_CONTAINER(conn->questions.next, sps_question, link));
}

void sps_questions_cancel_channel(sp_conn *conn, uint32_t channel)
{
    spb_link *next;
    for (spb_link *at = conn->questions.next; at != &conn->questions; at = next) {
        next = at->next;
        sps_question *question = SPB_CONTAINER(at, sps_question, link);
        if (question->on_channel && question->channel == channel)
            sps_question_cancel(question);
    }
}

sps_question *sps_question_find(const sp_conn *conn, uint64_t number)
{
    for (spb_link *at = conn->questions.next; at != &conn->questions; at = at->next) {
        sps_question *question = SPB_CONTAINER(at, sps_question, link);
        if (question->number == number)
            return question;
    }
    return NULL;
}

/* ---- any thread ---- */

int sps_question_claim(sps_question *question)
{
    if (atomic_load(&question->gone))
        return atomic_load(&question->state) == SPS_OPEN ? SP_ECONN : SP_EALREADY;
    int open = SPS_OPEN;
    return atomic_compare_exchange_strong(&question->state, &open, SPS_CLAIMED) ? 0 : SP_EALREADY;
}

int sps_question_publish(sps_question *question)
{
    /* From here on the loop's thread may apply it, and the handler's return may drop it. */
    atomic_fetch_add_explicit(&question->refs, 1, memory_order_relaxed);
    atomic_store(&question->state, SPS_ANSWERED);
    if (atomic_load(&question->in_handler)) {
        drop(question);
        return 0;
    }
    if (spl_queue_post(question->queue, &question->post) != 0) {
        drop(question);
        return SP_ECONN;
    }
    return 0;
}

int sps_question_answer(sps_question *question, bool accepted)
{
    int result = sps_question_claim(question);
    if (result != 0)
        return result;
    question->kind->plain(question, accepted);
    return sps_question_publish(question);
}

void sps_question_release(sps_question *question)
{
    (void)sps_question_answer(question, false);
    drop(question);
}

/* ---- the thread pool ---- */

typedef struct question_work {
    sps_question *question;
    sp_answer (*call)(void *work, sps_question *question);
    sp_answer result;
    _Alignas(max_align_t) unsigned char work[];
} question_work;

static void work_run(void *data)
{
    question_work *work = data;
    work->result = work->call(work->work, work->question);
}

/* Back on the loop's thread. */
static void work_done(void *data)
{
    question_work *work = data;
    sps_question *question = work->question;
    if (work->result == SP_ACCEPT)
        (void)sps_question_answer(question, true);
    spl_queue *queue = spl_queue_ref(question->queue);
    sps_question_release(question);
    spb_free(spl_queue_env(queue), work);
    spl_queue_unref(queue);
}

sp_answer sps_question_work(sps_question *question, sp_answer (*call)(void *work, sps_question *q),
                            const void *data, size_t size)
{
    const spb_env *env = spl_queue_env(question->queue);
    bool in_handler = atomic_load(&question->in_handler);
    sp_conn *conn = question->conn;
    question_work *work = conn == NULL ? NULL : spb_alloc(env, sizeof *work + size);
    if (work != NULL) {
        work->question = question;
        work->call = call;
        work->result = SP_REJECT;
        memcpy(work->work, data, size);
        if (spl_work(conn->server->loop, work_run, work_done, work) == 0)
            return SP_LATER;
        spb_free(env, work);
    }
    /* Within its handler, the handler's return value refuses and ends the hold. */
    if (!in_handler)
        sps_question_release(question);
    return SP_REJECT;
}
