/* Key exchanges that take long to compute (Diffie-Hellman modulo a prime): on the thread pool, so
 * that one client's takes nobody else's time. */
#include "server/server.h"

typedef struct compute_work {
    sp_conn *conn;
    uint64_t question;
    sp_computation *computation;
} compute_work;

static void compute(void *data)
{
    const compute_work *work = data;
    sp_computation_run(work->computation);
}

static void computed(void *data)
{
    compute_work *work = data;
    sp_conn *conn = work->conn;
    sp_engine *engine = sps_conn_engine(conn);

    if (engine != NULL) {
        (void)sp_engine_answer_computation(engine, work->question);
        sps_conn_touch(conn);
    }
    sp_computation_unref(work->computation);
    spb_free(sps_conn_env(conn), work);
    sp_conn_unref(conn);
}

void sps_compute_event(sp_conn *conn, const sp_event *event)
{
    compute_work *work = spb_alloc(sps_conn_env(conn), sizeof *work);

    if (work == NULL) { /* then it fails: it was not computed */
        (void)sp_engine_answer_computation(conn->engine, event->question);
        return;
    }
    *work = (compute_work){sp_conn_ref(conn), event->question,
                           sp_computation_ref(event->u.compute.computation)};
    if (spl_work(conn->server->loop, compute, computed, work) == 0)
        return;
    compute(work);
    computed(work);
}
