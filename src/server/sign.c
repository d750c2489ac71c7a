/* Signing with host keys: for key exchanges, and to prove that the server has them (OpenSSH
 * PROTOCOL 2.5). Our own keys sign here, on the thread pool where that takes long; for keys that
 * are elsewhere the application's handler is asked (<sallyport/sign.h>). */
#include "server/sign_question.h"

#include <string.h>

static void refuse(sp_conn *conn, const sp_event *event)
{
    (void)sp_engine_answer_sign(conn->engine, event->question, NULL, 0);
}

/* ---- our own keys ---- */

typedef struct sign_work {
    sp_conn *conn;
    uint64_t question;
    sp_key *key;
    int result;
    size_t length;
    size_t data_length;
    uint8_t signature[SP_SIGNATURE_MAX];
    char name[64];
    uint8_t data[];
} sign_work;

static void sign(void *data)
{
    sign_work *work = data;
    work->length = sizeof work->signature;
    work->result = sp_key_sign(work->key, work->name, work->data, work->data_length,
                               work->signature, &work->length);
}

static void signed_now(void *data)
{
    sign_work *work = data;
    sp_conn *conn = work->conn;
    sp_engine *engine = sps_conn_engine(conn);
    if (engine != NULL) {
        (void)sp_engine_answer_sign(engine, work->question,
                                    work->result == 0 ? work->signature : NULL,
                                    work->result == 0 ? work->length : 0);
        sps_conn_touch(conn);
    }
    sp_key_unref(work->key);
    spb_free(sps_conn_env(conn), work);
    sp_conn_unref(conn);
}

/* An RSA signature takes milliseconds: it goes to the thread pool. The others take less time than
 * the way there and back. */
static void sign_here(sp_conn *conn, const sp_event *event)
{
    if (strlen(event->u.sign.algorithm) >= sizeof((sign_work *)0)->name) {
        refuse(conn, event);
        return;
    }
    sign_work *work = spb_alloc(sps_conn_env(conn), sizeof *work + event->u.sign.length);
    if (work == NULL) {
        refuse(conn, event);
        return;
    }
    work->conn = sp_conn_ref(conn);
    work->question = event->question;
    work->key = sp_key_ref(event->u.sign.key);
    memcpy(work->name, event->u.sign.algorithm, strlen(event->u.sign.algorithm) + 1);
    work->data_length = event->u.sign.length;
    memcpy(work->data, event->u.sign.data, event->u.sign.length);
    if (sp_key_get_type(work->key) == SP_KEY_RSA &&
        spl_work(conn->server->loop, sign, signed_now, work) == 0)
        return;
    sign(work);
    signed_now(work);
}

/* ---- keys that are elsewhere ---- */

/* Acceptance without a signature is none. */
static void sign_plain(sps_question *question, bool accepted)
{
    (void)accepted;
    SPB_CONTAINER(question, sp_sign, q)->length = 0;
}

static void sign_apply(sps_question *question)
{
    sp_sign *s = SPB_CONTAINER(question, sp_sign, q);
    sp_engine *engine = sps_conn_engine(question->conn);
    if (engine == NULL)
        return;
    if (s->length == 0) {
        char print[SP_FINGERPRINT_SIZE];
        sp_key_fingerprint(s->key, print);
        spb_log(spl_queue_env(question->queue), SP_LOG_ERROR, "nobody signs for host key %s",
                print);
    }
    (void)sp_engine_answer_sign(engine, question->number, s->length == 0 ? NULL : s->signature,
                                s->length);
}

static void sign_clear(sps_question *question)
{
    sp_key_unref(SPB_CONTAINER(question, sp_sign, q)->key);
}

static const sps_question_kind sign_kind = {
    .plain = sign_plain,
    .apply = sign_apply,
    .clear = sign_clear,
};

static sp_sign *make_sign(sp_conn *conn, const sp_event *event)
{
    size_t length = event->u.sign.length;
    sp_sign *s = sps_question_new(
        conn, event, &sign_kind, sizeof(sp_sign) + sps_text_size(event->u.sign.algorithm) + length);
    if (s == NULL)
        return NULL;
    char *at = (char *)(s + 1);
    s->key = sp_key_ref(event->u.sign.key);
    s->algorithm = sps_text_put(&at, event->u.sign.algorithm);
    s->data = memcpy(at, event->u.sign.data, length);
    s->data_length = length;
    return s;
}

void sps_sign_event(sp_conn *conn, const sp_event *event)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    if (!sp_key_is_external(event->u.sign.key)) {
        sign_here(conn, event);
        return;
    }
    sp_sign *s = make_sign(conn, event);
    if (s == NULL) {
        refuse(conn, event);
        return;
    }
    sp_answer answer = SP_REJECT;
    if (handlers->sign != NULL)
        answer = handlers->sign(conn, s, s->key, s->algorithm, s->data, s->data_length);
    sps_question_returned(&s->q, answer);
}

/* ---- <sallyport/sign.h> ---- */

int sp_sign_answer(sp_sign *s, const void *signature, size_t length)
{
    if (signature == NULL || length == 0 || length > sizeof s->signature)
        return SP_EINVAL;
    int result = sps_question_claim(&s->q);
    if (result != 0)
        return result;
    memcpy(s->signature, signature, length);
    s->length = length;
    return sps_question_publish(&s->q);
}

void sp_sign_release(sp_sign *s)
{
    if (s != NULL)
        sps_question_release(&s->q);
}

const sp_key *sp_sign_key(const sp_sign *s)
{
    return s->key;
}

const char *sp_sign_algorithm(const sp_sign *s)
{
    return s->algorithm;
}

const uint8_t *sp_sign_data(const sp_sign *s, size_t *length)
{
    *length = s->data_length;
    return s->data;
}

struct sp_conn *sp_sign_conn(const sp_sign *s)
{
    return s->q.conn;
}

/* ---- the thread pool ---- */

typedef struct sign_call {
    sp_answer (*work)(sp_sign *sign, void *data);
    void *data;
} sign_call;

static sp_answer call_work(void *work, sps_question *question)
{
    const sign_call *item = work;
    return item->work(SPB_CONTAINER(question, sp_sign, q), item->data);
}

sp_answer sp_sign_work(sp_sign *s, sp_answer (*work)(sp_sign *sign, void *data), void *data)
{
    const sign_call item = {work, data};
    return sps_question_work(&s->q, call_work, &item, sizeof item);
}
