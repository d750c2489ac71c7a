/* Drives one engine over one socket. Everything that happens to a connection ends in sps_conn_run:
 * react to the engine's events, send its output, then say what to wait for. Handlers only record
 * what they want in the engine, so nothing here is entered twice.
 *
 * At the end (SP_EVENT_CLOSED) the handlers are told first. Then the last bytes leave, and the
 * socket waits a little for the peer to close: closing it over unread input would reset it and take
 * the DISCONNECT message from a peer that has not read it yet. */
#include "server/question.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define VECTORS 64
#define SEND_MAX ((size_t)1024 * 1024) /* in one go, before events are looked at again */
#define ROUNDS_MAX 4                   /* then other connections have their turn */

const spb_env *sps_conn_env(const sp_conn *conn)
{
    return spl_queue_env(conn->queue);
}

sp_engine *sps_conn_engine(const sp_conn *conn)
{
    return conn->state == SPS_CONN_OPEN ? conn->engine : NULL;
}

void sps_conn_touch(sp_conn *conn)
{
    if (!conn->running && conn->state != SPS_CONN_GONE)
        spl_task_schedule(conn->server->loop, &conn->task);
}

/* ---- the end ---- */

static void finish(sp_conn *conn)
{
    sp_server *server = conn->server;
    conn->state = SPS_CONN_GONE;
    spl_watch_close(conn->watch);
    conn->watch = NULL;
    spl_timer_close(conn->timer);
    conn->timer = NULL;
    sp_engine_free(conn->engine);
    conn->engine = NULL;
    spl_task_cancel(&conn->task);
    spb_free(sps_conn_env(conn), conn->channels);
    conn->channels = NULL;
    conn->channel_room = 0;
    spb_list_remove(&conn->link);
    sps_place_leave(server);
    conn->server = NULL;
    if (server->state == SPS_CLOSING)
        sps_server_look(server);
    sp_conn_unref(conn);
}

static void log_end(const sp_conn *conn, const sp_conn_error *error)
{
    const spb_env *env = sps_conn_env(conn);
    const char *username = sp_engine_username(conn->engine);
    char name[64];
    spb_printable(name, sizeof name, username != NULL ? username : "-",
                  username != NULL ? strlen(username) : 1);
    if (error == NULL)
        spb_log(env, SP_LOG_INFO, "connection %llu (%s) closed", (unsigned long long)conn->id,
                name);
    else
        spb_log(env, SP_LOG_INFO, "connection %llu (%s) lost: %s", (unsigned long long)conn->id,
                name, error->message != NULL ? error->message : sp_strerror(error->error));
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    sp_server *server = conn->server;
    conn->state = SPS_CONN_LOST;
    log_end(conn, error);
    if (!conn->authenticated)
        sps_place_authenticated(server);
    for (uint32_t i = 0; i < conn->channel_room; i++)
        if (conn->channels[i] != NULL)
            sps_channel_lost(conn->channels[i], error);
    sps_questions_cancel(conn);
    sps_forwards_cancel(conn);
    sps_listeners_lost(conn);
    sps_agents_cancel(conn);
    if (server->handlers.connection_lost != NULL)
        server->handlers.connection_lost(conn, error);
    sps_waiters_call(sps_conn_env(conn), &conn->waiters);
    spl_timer_start(conn->timer, SPS_LINGER_MS, 0);
}

/* Input is of no interest any more, only its end. */
static void discard_input(sp_conn *conn)
{
    uint8_t *scratch = spl_loop_scratch(conn->server->loop);
    ptrdiff_t n =
        scratch == NULL ? SP_ENOMEM : spl_recv(spl_watch_fd(conn->watch), scratch, SPL_SCRATCH);
    if (n <= 0 && n != SP_EAGAIN)
        conn->input_ended = true;
}

static void wait_for_end(sp_conn *conn)
{
    if (conn->state == SPS_CONN_LOST && sp_engine_output_length(conn->engine) == 0) {
        conn->state = SPS_CONN_ENDING;
        sp_engine_free(conn->engine);
        conn->engine = NULL;
        if (conn->watch != NULL && !conn->input_ended)
            spl_socket_end_output(spl_watch_fd(conn->watch));
    }
    bool sent = conn->state == SPS_CONN_ENDING;
    if (conn->watch == NULL || (sent && (conn->input_ended || conn->write_error != 0)))
        finish(conn);
    else
        (void)spl_watch_set(conn->watch, sent ? SPL_READABLE : SPL_WRITABLE);
}

/* ---- events ---- */

static void canceled_event(sp_conn *conn, const sp_event *event)
{
    sps_question *question = sps_question_find(conn, event->question);
    if (question != NULL)
        sps_question_cancel(question);
}

static void keys_event(sp_conn *conn, const sp_event *event)
{
    sp_algorithms used;
    if (event->u.keys.first && sp_engine_algorithms(conn->engine, &used) == 0)
        spb_log(sps_conn_env(conn), SP_LOG_VERBOSE, "connection %llu: %s, %s, %s",
                (unsigned long long)conn->id, used.kex, used.host_key, used.cipher_out);
}

static void dispatch(sp_conn *conn, const sp_event *event)
{
    const sp_server_handlers *handlers = &conn->server->handlers;
    switch (event->type) {
    case SP_EVENT_NONE:
        break;
    case SP_EVENT_SIGN:
        sps_sign_event(conn, event);
        break;
    case SP_EVENT_COMPUTE:
        sps_compute_event(conn, event);
        break;
    case SP_EVENT_KEYS:
        keys_event(conn, event);
        break;
    case SP_EVENT_DEBUG:
        if (handlers->debug_msg_received != NULL)
            handlers->debug_msg_received(conn, event->u.debug.message, event->u.debug.language,
                                         event->u.debug.always_display);
        break;
    case SP_EVENT_AUTH_BEGIN:
    case SP_EVENT_AUTH_METHODS:
    case SP_EVENT_AUTH_PUBLIC_KEY:
    case SP_EVENT_AUTH_PASSWORD:
    case SP_EVENT_AUTH_CHANGE_PASSWORD:
    case SP_EVENT_AUTH_KBDINT:
    case SP_EVENT_AUTH_KBDINT_RESPONSE:
    case SP_EVENT_AUTH_COMPLETED:
    case SP_EVENT_AUTH_CA_KEY:
        sps_auth_event(conn, event);
        break;
    case SP_EVENT_OPEN:
        sps_open_event(conn, event);
        break;
    case SP_EVENT_REQUEST:
    case SP_EVENT_STARTED:
    case SP_EVENT_OPENED:
    case SP_EVENT_OPEN_FAILED:
    case SP_EVENT_DATA:
    case SP_EVENT_EOF:
    case SP_EVENT_PAUSE_WRITING:
    case SP_EVENT_RESUME_WRITING:
    case SP_EVENT_CHANNEL_CLOSED:
        sps_channel_event(conn, event);
        break;
    case SP_EVENT_GLOBAL_REQUEST:
        sps_global_event(conn, event);
        break;
    case SP_EVENT_CANCELED:
        canceled_event(conn, event);
        break;
    case SP_EVENT_CLOSED:
        lost(conn, event->u.closed.error);
        break;
    }
}

static void react(sp_conn *conn)
{
    sp_event event;
    while (conn->state == SPS_CONN_OPEN && sp_engine_next_event(conn->engine, &event) == 1)
        dispatch(conn, &event);
    if (conn->accept_waits && conn->state == SPS_CONN_OPEN)
        sps_listeners_resume(conn);
    if (conn->state == SPS_CONN_OPEN && !conn->authenticated &&
        sp_engine_authenticated(conn->engine)) {
        conn->authenticated = true;
        sps_place_authenticated(conn->server);
        sps_count(&conn->server->counters.logins, 1);
    }
}

/* ---- output ---- */

/* Returns how many bytes left the engine. */
static size_t flush(sp_conn *conn)
{
    struct iovec vector[VECTORS];
    size_t total = 0;
    while (conn->engine != NULL && total < SEND_MAX) {
        int count = sp_engine_output(conn->engine, vector, VECTORS);
        if (count <= 0)
            break;
        size_t length = 0;
        for (int i = 0; i < count; i++)
            length += vector[i].iov_len;
        if (conn->watch == NULL || conn->write_error != 0) {
            /* Nobody takes it any more. What the peer sent before is still read. */
            sp_engine_consumed(conn->engine, length);
            total += length;
            continue;
        }
        if (conn->blocked)
            break;
        ptrdiff_t n = spl_send(spl_watch_fd(conn->watch), vector, count);
        if (n < 0 && n != SP_EAGAIN) {
            conn->write_error = errno;
            continue;
        }
        size_t sent = n > 0 ? (size_t)n : 0;
        sp_engine_consumed(conn->engine, sent);
        sps_count(&conn->server->counters.bytes_sent, sent);
        total += sent;
        conn->blocked = sent < length;
    }
    return total;
}

/* ---- input ---- */

static void end_input(sp_conn *conn, int error, int number)
{
    char text[128];
    conn->input_ended = true;
    if (conn->write_error != 0) {
        error = SP_EIO;
        number = conn->write_error;
    }
    if (number != 0 && strerror_r(number, text, sizeof text) != text)
        spb_printable(text, sizeof text, strerror(number), strlen(strerror(number)));
    sp_engine_input_ended(conn->engine, error, number != 0 ? text : NULL);
}

static void receive(sp_conn *conn)
{
    uint8_t *space = NULL;
    size_t room = 0;
    if (conn->input_ended || !sp_engine_wants_input(conn->engine))
        return;
    int result = sp_engine_input_buffer(conn->engine, &space, &room);
    if (result == SP_EAGAIN)
        return;
    if (result != 0) {
        end_input(conn, result, 0);
        return;
    }
    ptrdiff_t n = spl_recv(spl_watch_fd(conn->watch), space, room);
    int number = errno;
    sp_engine_tick(conn->engine, spl_loop_now(conn->server->loop));
    (void)sp_engine_received(conn->engine, n > 0 ? (size_t)n : 0);
    if (n > 0)
        sps_count(&conn->server->counters.bytes_received, (uint64_t)n);
    else if (n == 0)
        end_input(conn, 0, 0);
    else if (n != SP_EAGAIN)
        end_input(conn, SP_EIO, number);
}

/* ---- waiting ---- */

/* The timer is left alone while it fires early enough: most packets move the deadline only away. */
static void arm_timer(sp_conn *conn)
{
    uint64_t deadline = sp_engine_deadline(conn->engine);
    if (deadline == UINT64_MAX || conn->timer_due <= deadline)
        return;
    uint64_t now = spl_loop_now(conn->server->loop);
    conn->timer_due = deadline;
    spl_timer_start(conn->timer, deadline > now ? deadline - now : 1, 0);
}

static void wait_for_more(sp_conn *conn)
{
    arm_timer(conn);
    if (conn->watch == NULL)
        return;
    unsigned events = conn->blocked ? SPL_WRITABLE : 0;
    if (!conn->input_ended && sp_engine_wants_input(conn->engine))
        events |= SPL_READABLE;
    (void)spl_watch_set(conn->watch, events);
}

void sps_conn_run(sp_conn *conn)
{
    if (conn->running || conn->state == SPS_CONN_GONE)
        return;
    conn->running = true;
    bool more = true;
    for (int round = 0; more && round < ROUNDS_MAX; round++) {
        react(conn);
        more = flush(conn) != 0;
    }
    conn->running = false;
    sps_direct_drained(conn);
    if (more)
        sps_conn_touch(conn);
    if (conn->state == SPS_CONN_OPEN)
        wait_for_more(conn);
    else
        wait_for_end(conn);
}

static void run_task(spl_task *task)
{
    sps_conn_run(SPB_CONTAINER(task, sp_conn, task));
}

static void ready(void *data, unsigned events)
{
    sp_conn *conn = data;
    if ((events & SPL_WRITABLE) != 0)
        conn->blocked = false;
    if ((events & SPL_READABLE) != 0) {
        if (conn->state == SPS_CONN_OPEN)
            receive(conn);
        else
            discard_input(conn);
    }
    sps_conn_run(conn);
}

static void fired(void *data)
{
    sp_conn *conn = data;
    conn->timer_due = UINT64_MAX;
    if (conn->state != SPS_CONN_OPEN) {
        finish(conn);
        return;
    }
    sp_engine_tick(conn->engine, spl_loop_now(conn->server->loop));
    sps_conn_run(conn);
}

/* For the end of the server: nothing is left of the connection but what the application holds. */
void sps_conn_drop(sp_conn *conn)
{
    static const sp_conn_error dropped = {.error = SP_ECANCELED, .message = "the server is gone"};
    sp_conn_ref(conn);
    sp_conn_abort(conn);
    sps_conn_run(conn);
    if (conn->state == SPS_CONN_OPEN)
        lost(conn, &dropped);
    if (conn->state != SPS_CONN_GONE)
        finish(conn);
    sp_conn_unref(conn);
}

/* ---- the beginning ---- */

/* Tells the engine where the peer is, and whose keys may log in. */
static int introduce(sp_conn *conn)
{
    const sp_server *server = conn->server;
    char host[SPL_HOST_SIZE];
    bool known = spl_address_host(&conn->peer, host, sizeof host);

    sp_engine_set_authorized_keys(conn->engine, server->authorized);
    sp_engine_set_revoked_keys(conn->engine, server->revoked, NULL);
    return sp_engine_set_peer_address(conn->engine, known ? host : NULL);
}

static int start_parts(sp_conn *conn, int fd)
{
    sp_server *server = conn->server;
    int result =
        sp_engine_new(&conn->engine, server->config, server->pool, spl_loop_now(server->loop));
    if (result == 0)
        result = introduce(conn);
    if (result == 0)
        result = spl_timer_new(&conn->timer, server->loop, fired, conn);
    if (result == 0)
        result = spl_watch_new(&conn->watch, server->loop, fd, ready, conn);
    return result;
}

int sps_conn_start(sp_server *server, int fd)
{
    sp_conn *conn = spb_calloc(&server->env, 1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return SP_ENOMEM;
    }
    conn->server = server;
    conn->refs = 1;
    conn->timer_due = UINT64_MAX;
    conn->task.run = run_task;
    spb_list_init(&conn->questions);
    spb_list_init(&conn->forwards);
    spb_list_init(&conn->listeners);
    spb_list_init(&conn->drains);
    spb_list_init(&conn->agents);
    spb_list_init(&conn->waiters);
    spl_peer_address(fd, &conn->peer);
    spl_local_address(fd, &conn->local);
    int result = start_parts(conn, fd);
    if (result != 0) {
        close(fd);
        spl_timer_close(conn->timer);
        sp_engine_free(conn->engine);
        spb_free(&server->env, conn);
        return result;
    }
    if (server->no_delay)
        spl_socket_no_delay(fd);
    conn->queue = spl_queue_ref(server->queue);
    conn->id = atomic_fetch_add_explicit(&server->group->next_id, 1, memory_order_relaxed) + 1;
    spb_list_append(&server->conns, &conn->link);
    sps_count(&server->counters.accepted, 1);
    char from[SPL_HOST_SIZE + 8];
    if (!spl_address_text(&conn->peer, from, sizeof from))
        strcpy(from, "a local socket");
    spb_log(&server->env, SP_LOG_INFO, "connection %llu from %s", (unsigned long long)conn->id,
            from);
    conn->running = true;
    if (server->handlers.connection_made != NULL)
        server->handlers.connection_made(conn);
    conn->running = false;
    sps_conn_run(conn);
    return 0;
}
