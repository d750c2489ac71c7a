/* src/server/question.c: one answer from any thread, whatever the connection does meanwhile. The
 * engine here knows nothing of these questions; what is tested is the tokens' life. */
#include "support/server_stand.h"

#include "server/question.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CONNS 40
#define EACH 8
#define THREADS 4

static sp_auth *kept[CONNS * EACH];
static int kept_count;
static sp_conn *conns[CONNS];
static int conn_count;

static void made(sp_conn *conn)
{
    conns[conn_count++] = conn;
}

static sp_answer later(sp_conn *conn, sp_auth *auth, const char *username, const char *password)
{
    assert_ptr_equal(sp_auth_conn(auth), conn);
    assert_string_equal(username, "user");
    assert_string_equal(password, "secret");
    kept[kept_count++] = auth;
    return SP_LATER;
}

static sp_event password_event(uint64_t number)
{
    sp_event event;
    memset(&event, 0, sizeof event);
    event.type = SP_EVENT_AUTH_PASSWORD;
    event.question = number;
    event.u.auth.username = "user";
    event.u.auth.password = "secret";
    return event;
}

static void ask(sp_conn *conn, uint64_t number)
{
    sp_event event = password_event(number);
    sps_auth_event(conn, &event);
}

static const sp_server_handlers keeping = {
    SP_SERVER_HANDLERS_INIT,
    .connection_made = made,
    .validate_password = later,
};

static sp_server *begin(int *fds, int count, const sp_server_handlers *handlers)
{
    conn_count = 0;
    kept_count = 0;
    sp_server *server = stand_server(handlers, NULL, NULL);
    for (int i = 0; i < count; i++)
        fds[i] = stand_client(server);
    assert_int_equal(conn_count, count);
    return server;
}

/* ---- one thread ---- */

static void answered_once(void **state)
{
    (void)state;
    int fd;
    sp_server *server = begin(&fd, 1, &keeping);
    ask(conns[0], 1001);
    sp_auth *auth = kept[0];
    assert_int_equal(sp_auth_challenge(auth, &(sp_challenge){0}), SP_EINVAL); /* stays open */
    assert_int_equal(sp_auth_answer(auth, true), 0);
    assert_int_equal(sp_auth_answer(auth, false), SP_EALREADY);
    assert_int_equal(sp_auth_partial(auth), SP_EALREADY);
    assert_int_equal(sp_auth_change_required(auth, "New: ", NULL), SP_EALREADY);
    assert_string_equal(sp_auth_username(auth), "user");
    assert_null(sp_auth_new_password(auth));
    assert_null(sp_auth_key(auth));
    assert_int_equal(sp_auth_response_count(auth), 0);
    assert_null(sp_auth_response(auth, 0));
    sp_server_free(server);
    assert_int_equal(sp_auth_answer(auth, true), SP_EALREADY);
    assert_string_equal(sp_auth_password(auth), "secret"); /* until the release */
    sp_auth_release(auth);
    close(fd);
}

static void answered_after_the_client_left(void **state)
{
    (void)state;
    int fd;
    sp_server *server = begin(&fd, 1, &keeping);
    ask(conns[0], 1001);
    ask(conns[0], 1002);
    sp_conn_abort(conns[0]);
    assert_non_null(sp_auth_conn(kept[0])); /* the end is told at the end of the turn */
    sp_server_drain(server, 0);
    assert_int_equal(sp_server_run(server), 0);
    assert_null(sp_auth_conn(kept[0]));
    assert_int_equal(sp_auth_answer(kept[0], true), SP_ECONN);
    assert_int_equal(sp_auth_answer(kept[0], true), SP_ECONN);
    sp_auth_release(kept[0]);
    sp_server_free(server);
    assert_int_equal(sp_auth_answer(kept[1], true), SP_ECONN); /* outlives the server */
    sp_auth_release(kept[1]);
    close(fd);
}

static void given_up_by_the_client(void **state)
{
    (void)state;
    int fd;
    sp_server *server = begin(&fd, 1, &keeping);
    ask(conns[0], 1001);
    ask(conns[0], 1002);
    sps_question *question = sps_question_find(conns[0], 1001);
    assert_non_null(question);
    sps_question_cancel(question);
    assert_null(sps_question_find(conns[0], 1001));
    assert_int_equal(sp_auth_answer(kept[0], true), SP_ECONN);
    assert_int_equal(sp_auth_answer(kept[1], true), 0);
    sp_auth_release(kept[0]);
    sp_auth_release(kept[1]);
    sp_server_free(server);
    close(fd);
}

/* ---- what a handler returns, with a question of the test's own ---- */

typedef struct probe {
    sps_question q;
    bool accepted;
} probe;

static int applied;
static int missed;
static int cleared;
static bool verdict;

static void probe_plain(sps_question *question, bool accepted)
{
    SPB_CONTAINER(question, probe, q)->accepted = accepted;
}

static void probe_apply(sps_question *question)
{
    applied++;
    verdict = SPB_CONTAINER(question, probe, q)->accepted;
}

static void probe_missed(sps_question *question)
{
    (void)question;
    missed++;
}

static void probe_clear(sps_question *question)
{
    (void)question;
    cleared++;
}

static const sps_question_kind probe_kind = {probe_plain, probe_apply, probe_missed, probe_clear};

static sps_question *make_probe(uint64_t number)
{
    applied = missed = cleared = 0;
    verdict = false;
    sp_event event = password_event(number);
    sps_question *question = sps_question_new(conns[0], &event, &probe_kind, sizeof(probe));
    assert_non_null(question);
    return question;
}

static void what_handlers_return(void **state)
{
    (void)state;
    int fd;
    sp_server *server = begin(&fd, 1, &keeping);
    const int returns[] = {SP_REJECT, SP_ACCEPT, SP_ANSWERED, -1, 77};
    for (uint64_t i = 0; i < 10; i++) {
        sps_question *question = make_probe(1001 + i);
        bool answer_first = i % 2 == 1;
        if (answer_first)
            assert_int_equal(sps_question_answer(question, true), 0);
        assert_int_equal(applied, 0); /* not within the handler */
        sps_question_returned(question, (sp_answer)returns[i / 2]);
        assert_int_equal(applied, 1);
        /* The first answer stands; without one, only SP_ACCEPT accepts. */
        assert_true(verdict == (answer_first || returns[i / 2] == SP_ACCEPT));
        assert_int_equal(missed, 0);
        assert_int_equal(cleared, 1);
        assert_null(sps_question_find(conns[0], 1001 + i));
    }
    sp_server_free(server);
    close(fd);
}

/* Answered in its handler, kept, and released: applied at the handler's return. */
static void answered_and_kept(void **state)
{
    (void)state;
    int fd;
    sp_server *server = begin(&fd, 1, &keeping);
    sps_question *question = make_probe(1001);
    assert_int_equal(sps_question_answer(question, true), 0);
    sps_question_returned(question, SP_LATER);
    assert_int_equal(applied, 1);
    assert_int_equal(cleared, 0);
    sps_question_release(question);
    assert_int_equal(cleared, 1);

    /* Released before its handler returns, as another thread may do. */
    question = make_probe(1002);
    sps_question_release(question);
    sps_question_returned(question, SP_LATER);
    assert_int_equal(applied, 1);
    assert_false(verdict);
    assert_int_equal(cleared, 1);

    /* Answered, and the client leaves before the loop has seen it. */
    question = make_probe(1003);
    sps_question_returned(question, SP_LATER);
    assert_int_equal(sps_question_answer(question, true), 0);
    assert_int_equal(applied, 0);
    sps_question_cancel(question);
    sps_question_release(question);
    assert_int_equal(missed, 0);
    sp_server_stop(server);
    close(fd);
    assert_int_equal(sp_server_run(server), 0);
    assert_int_equal(applied, 0);
    assert_int_equal(missed, 1);
    assert_int_equal(cleared, 1);
    sp_server_free(server);
}

/* ---- work ---- */

static atomic_int worked;

static sp_answer check(sp_auth *auth, void *data)
{
    assert_ptr_equal(data, &worked);
    assert_string_equal(sp_auth_password(auth), "secret");
    usleep(500);
    atomic_fetch_add(&worked, 1);
    return SP_ACCEPT;
}

static sp_answer by_work(sp_conn *conn, sp_auth *auth, const char *username, const char *password)
{
    (void)conn;
    (void)username;
    (void)password;
    return sp_auth_work(auth, check, &worked);
}

static void work_answers_and_releases(void **state)
{
    (void)state;
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = made,
        .validate_password = by_work,
    };
    int fds[2];
    sp_server *server = begin(fds, 2, &handlers);
    for (uint64_t i = 0; i < 20; i++)
        ask(conns[i % 2], 1001 + i);
    sp_conn_abort(conns[0]); /* half of them come too late */
    sp_server_drain(server, 10);
    close(fds[1]);
    assert_int_equal(sp_server_run(server), 0);
    sp_server_free(server); /* waits for the work */
    assert_int_equal(atomic_load(&worked), 20);
    close(fds[0]);
}

/* ---- many threads answer while connections die ---- */

static atomic_int next_token;
static atomic_int first_answers;
static atomic_int late_answers;

static void *answerer(void *data)
{
    bool twice = data != NULL;
    for (;;) {
        int i = atomic_fetch_add(&next_token, 1);
        if (i >= kept_count * 2)
            return NULL;
        /* Each token is answered twice, mostly by two threads. */
        sp_auth *auth = kept[i / 2];
        int result = twice ? sp_auth_partial(auth) : sp_auth_answer(auth, i % 3 != 0);
        if (result == 0)
            atomic_fetch_add(&first_answers, 1);
        else if (result == SP_ECONN)
            atomic_fetch_add(&late_answers, 1);
        else if (result != SP_EALREADY)
            abort();
    }
}

static void abort_some(void *data)
{
    int *from = data;
    for (int i = *from; i < CONNS; i += 4)
        sp_conn_abort(conns[i]);
}

static void threads_race_with_the_end(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        int fds[CONNS];
        sp_server *server = begin(fds, CONNS, &keeping);
        for (int i = 0; i < CONNS * EACH; i++)
            ask(conns[i % CONNS], (uint64_t)(1001 + i));
        assert_int_equal(kept_count, CONNS * EACH);
        atomic_store(&next_token, 0);
        atomic_store(&first_answers, 0);
        atomic_store(&late_answers, 0);
        int from[4] = {0, 1, 2, 3};
        for (int i = 0; i < 4; i++)
            assert_int_equal(sp_server_post(server, abort_some, &from[i]), 0);
        sp_server_stop(server);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, answerer, i % 2 ? server : NULL), 0);
        assert_int_equal(sp_server_run(server), 0);
        if (round % 2 == 0)
            sp_server_free(server); /* with threads still answering */
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        if (round % 2 != 0)
            sp_server_free(server);
        assert_true(atomic_load(&first_answers) <= kept_count);
        assert_true(atomic_load(&first_answers) + atomic_load(&late_answers) >= kept_count);
        for (int i = 0; i < kept_count; i++)
            sp_auth_release(kept[i]);
        for (int i = 0; i < CONNS; i++)
            close(fds[i]);
    }
}

static void *releaser(void *data)
{
    (void)data;
    for (;;) {
        int i = atomic_fetch_add(&next_token, 1);
        if (i >= kept_count)
            return NULL;
        sp_auth_release(kept[i]);
    }
}

static void released_unanswered_by_threads(void **state)
{
    (void)state;
    int fds[CONNS];
    sp_server *server = begin(fds, CONNS, &keeping);
    for (int i = 0; i < CONNS * EACH; i++)
        ask(conns[i % CONNS], (uint64_t)(1001 + i));
    atomic_store(&next_token, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, releaser, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    sp_server_stop(server);
    for (int i = 0; i < CONNS; i++)
        close(fds[i]);
    assert_int_equal(sp_server_run(server), 0);
    sp_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answered_once),
        cmocka_unit_test(answered_after_the_client_left),
        cmocka_unit_test(given_up_by_the_client),
        cmocka_unit_test(what_handlers_return),
        cmocka_unit_test(answered_and_kept),
        cmocka_unit_test(work_answers_and_releases),
        cmocka_unit_test(threads_race_with_the_end),
        cmocka_unit_test(released_unanswered_by_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
