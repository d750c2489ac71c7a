/* Questions: the tokens that handlers get, and the way of an answer back to the engine.
 *
 * Threads. The answer is claimed by one compare-and-swap on `state`, written into the question by
 * the thread that won, and published by the state SPS_ANSWERED. It then goes to the loop's thread
 * through the queue, unless the handler is still running: then the library finds it when the
 * handler returns. `in_handler` and `state` decide which of the two it is; both are accessed in
 * sequentially consistent order, so that at least one side sees the other.
 *
 * References: one of the connection's (dropped when applied or canceled), one of the handler's
 * (kept by SP_LATER until the release, else dropped when the handler returns), one of the post's.
 */
#ifndef SPS_QUESTION_H
#define SPS_QUESTION_H

#include "server/server.h"

#include <string.h>

typedef enum sps_question_state {
    SPS_OPEN = 0,
    SPS_CLAIMED, /* somebody is writing the answer */
    SPS_ANSWERED,
} sps_question_state;

typedef struct sps_question_kind {
    /* Writes plain acceptance or refusal into a claimed question. */
    void (*plain)(sps_question *question, bool accepted);
    /* Gives the answer to the engine. The connection is there. */
    void (*apply)(sps_question *question);
    /* It was answered, and the client went before the answer was applied. May be NULL. */
    void (*missed)(sps_question *question);
    /* Frees what the question holds, not the question. */
    void (*clear)(sps_question *question);
} sps_question_kind;

struct sps_question {
    spl_post post;
    const sps_question_kind *kind;
    spl_queue *queue;
    size_t size; /* of the whole allocation: it is wiped */
    atomic_uint refs;
    atomic_int state;
    atomic_bool in_handler;
    atomic_bool gone;
    /* The loop's thread only: */
    spb_link link;
    sp_conn *conn; /* NULL when gone or applied */
    uint64_t number;
    uint32_t channel;
    bool on_channel; /* `channel` means something */
    bool settled;    /* the connection has done with it: applied or canceled */
    bool applied;    /* the answer was looked at */
};

/* Makes a question of `size` bytes (the struct that starts with an sps_question, and strings behind
 * it) for the event, on the connection's list; `in_handler` holds until sps_question_returned. NULL
 * when out of memory. */
void *sps_question_new(sp_conn *conn, const sp_event *event, const sps_question_kind *kind,
                       size_t size);
/* The handler has returned this. */
void sps_question_returned(sps_question *question, sp_answer answer);
/* The client is gone or gave it up. */
void sps_question_cancel(sps_question *question);
void sps_questions_cancel(sp_conn *conn);
void sps_questions_cancel_channel(sp_conn *conn, uint32_t channel);
sps_question *sps_question_find(const sp_conn *conn, uint64_t number);

/* ---- Thread: any ---- */
/* 0: the caller has won and must write the answer, then publish it. SP_EALREADY, SP_ECONN. */
int sps_question_claim(sps_question *question);
int sps_question_publish(sps_question *question);
int sps_question_answer(sps_question *question, bool accepted);
void sps_question_release(sps_question *question);

/* Runs `work(question, data)` on the thread pool; then its result answers, and the question is
 * released. `call` has the question's own type. Thread: the loop's. */
sp_answer sps_question_work(sps_question *question, sp_answer (*call)(void *work, sps_question *q),
                            const void *work, size_t work_size);

/* ---- strings behind a question's struct: NULL takes no room ---- */
static inline size_t sps_text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}
static inline const char *sps_text_put(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    const char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

#endif
