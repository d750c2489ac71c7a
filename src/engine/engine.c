/* The engine: one connection's transport, authentication and connection protocol behind one door
 * (<sallyport/engine.h>). Messages pass the gate; events are pulled; nothing calls out. */
#include "engine/engine_internal.h"

#include <string.h>

int sp_pool_new(sp_pool **pool, const sp_config *config)
{
    *pool = spb_pool_new(&config->env);
    return *pool == NULL ? SP_ENOMEM : 0;
}

void sp_pool_free(sp_pool *pool)
{
    spb_pool_free(pool);
}

int sp_engine_new(sp_engine **out, sp_config *config, sp_pool *pool, uint64_t now_ms)
{
    sp_engine *e = spb_calloc(&config->env, 1, sizeof *e);

    *out = NULL;
    if (e == NULL)
        return SP_ENOMEM;
    e->config = sp_config_ref(config);
    e->pool = pool;
    if (pool == NULL) {
        e->pool = spb_pool_new(&config->env);
        e->own_pool = true;
    }
    int result = e->pool == NULL ? SP_ENOMEM : spt_new(&e->transport, config, e->pool, now_ms);
    if (result != 0) {
        sp_engine_free(e);
        return result;
    }
    uint32_t timeout = config->options.login_timeout_ms;
    e->login_deadline = timeout == UINT32_MAX ? UINT64_MAX : now_ms + timeout;
    *out = e;
    return 0;
}

void sp_engine_free(sp_engine *e)
{
    if (e == NULL)
        return;
    sp_config *config = e->config;
    spn_free(e->connection);
    spa_free(e->auth);
    spt_free(e->transport);
    spb_free(&config->env, e->trust.peer);
    sp_authorized_keys_free(e->trust.authorized);
    for (size_t i = 0; i < SPA_REVOKED_LISTS; i++)
        sp_revoked_keys_unref(e->trust.revoked[i]);
    if (e->own_pool)
        spb_pool_free(e->pool);
    spb_free(&config->env, e);
    sp_config_unref(config);
}

/* ---- bytes ---- */

bool sp_engine_wants_input(const sp_engine *e)
{
    return !e->input_ended && spt_wants_input(e->transport);
}

int sp_engine_input_buffer(sp_engine *e, uint8_t **space, size_t *room)
{
    if (e->input_ended)
        return SP_EAGAIN;
    return spt_input_buffer(e->transport, space, room);
}

int sp_engine_received(sp_engine *e, size_t length)
{
    return spt_received(e->transport, length);
}

int sp_engine_receive(sp_engine *e, const void *bytes, size_t length)
{
    uint8_t *space;
    size_t room;
    int result = sp_engine_input_buffer(e, &space, &room);

    if (result != 0)
        return result;
    if (room > length)
        room = length;
    if (room > INT32_MAX)
        room = INT32_MAX;
    if (room > 0)
        memcpy(space, bytes, room);
    result = spt_received(e->transport, room);
    return result == 0 ? (int)room : result;
}

void sp_engine_input_ended(sp_engine *e, int error, const char *message)
{
    if (e->input_ended)
        return;
    e->input_ended = true;
    if (error != 0)
        (void)spt_fail(e->transport, error, 0, "%s",
                       message == NULL ? sp_strerror(error) : message);
}

int sp_engine_output(const sp_engine *e, struct iovec *vector, int count)
{
    return spt_output(e->transport, vector, count);
}

size_t sp_engine_output_length(const sp_engine *e)
{
    return spt_output_length(e->transport);
}

void sp_engine_consumed(sp_engine *e, size_t length)
{
    spt_consumed(e->transport, length);
}

/* ---- the gate ---- */

static spe_state state_of(const sp_engine *e)
{
    bool strict = spt_strict(e->transport);

    switch (spt_get_phase(e->transport)) {
    case SPT_PHASE_FIRST_KEXINIT:
        return SPE_FIRST_KEXINIT;
    case SPT_PHASE_FIRST_KEX_INIT:
        return strict ? SPE_FIRST_KEX_STRICT : SPE_FIRST_KEX;
    case SPT_PHASE_FIRST_GEX_REQUEST:
        return strict ? SPE_FIRST_GEX_REQUEST_STRICT : SPE_FIRST_GEX_REQUEST;
    case SPT_PHASE_FIRST_GEX_INIT:
        return strict ? SPE_FIRST_GEX_INIT_STRICT : SPE_FIRST_GEX_INIT;
    case SPT_PHASE_FIRST_NEWKEYS:
        return strict ? SPE_FIRST_NEWKEYS_STRICT : SPE_FIRST_NEWKEYS;
    case SPT_PHASE_REKEY_KEX_INIT:
        return e->connection != NULL ? SPE_CONNECTION_REKEY_KEX : SPE_REKEY_KEX;
    case SPT_PHASE_REKEY_GEX_REQUEST:
        return e->connection != NULL ? SPE_CONNECTION_REKEY_GEX_REQUEST : SPE_REKEY_GEX_REQUEST;
    case SPT_PHASE_REKEY_GEX_INIT:
        return e->connection != NULL ? SPE_CONNECTION_REKEY_GEX_INIT : SPE_REKEY_GEX_INIT;
    case SPT_PHASE_REKEY_NEWKEYS:
        return e->connection != NULL ? SPE_CONNECTION_REKEY_NEWKEYS : SPE_REKEY_NEWKEYS;
    case SPT_PHASE_OPEN:
        if (e->connection != NULL)
            return SPE_CONNECTION;
        if (e->auth != NULL)
            return SPE_AUTH;
        return spt_ext_info_due(e->transport) ? SPE_SERVICE_FIRST : SPE_SERVICE;
    case SPT_PHASE_VERSION:
    case SPT_PHASE_CLOSED:
        break;
    }
    return SPE_CLOSED;
}

/* The rooms above come into being one after the other: authentication with its service, the
 * connection with the success of authentication. */
static int open_rooms(sp_engine *e)
{
    int result = 0;

    if (e->auth == NULL && spt_service_granted(e->transport))
        result = spa_new(&e->auth, e->transport, &e->trust);
    if (result == 0 && e->auth != NULL && e->connection == NULL && spa_succeeded(e->auth)) {
        result = spn_new(&e->connection, e->transport);
        if (result == 0)
            spn_permit(e->connection, spa_permissions(e->auth), spa_environment_obeyed(e->auth));
    }
    if (result == 0 && e->connection != NULL && !e->released && spa_completed(e->auth)) {
        spn_release(e->connection);
        e->released = true;
        if (spn_announce_host_keys(e->connection) != 0)
            return SP_ECONN; /* the transport knows why */
    }
    if (result != 0)
        result = spt_fail(e->transport, result, SP_DISCONNECT_BY_APPLICATION, "out of memory");
    return result;
}

static int dispatch(sp_engine *e, uint8_t message, spb_reader *r, sp_event *event)
{
    spt_transport *t = e->transport;
    spe_state state = state_of(e);

    if (spt_skips_guess(t) && message >= 30 && message <= 49) {
        spt_guess_skipped(t);
        return 0;
    }
    switch (spe_gate(state, message)) {
    case SPE_TRANSPORT:
        return spt_message(t, message, r, event);
    case SPE_USERAUTH:
        return spa_message(e->auth, message, r);
    case SPE_CHANNELS:
        return spn_message(e->connection, message, r, event);
    case SPE_UNIMPLEMENTED:
        return spt_send_unimplemented(t);
    case SPE_DROP:
        return 0;
    case SPE_FATAL:
        break;
    }
    return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "message %u is not allowed here",
                    (unsigned)message);
}

/* ---- events ---- */

/* The connection is over: channels first, then the last event of all. */
static int closing_event(sp_engine *e, sp_event *event)
{
    const sp_conn_error *error = spt_error(e->transport);
    bool clean = e->closed_by_us || (error->from_peer && error->error == SP_EDISCONNECT &&
                                     error->code == SP_DISCONNECT_BY_APPLICATION);
    const sp_conn_error *shown = clean ? NULL : error;

    if (e->connection != NULL) {
        if (!e->lost_told) {
            spn_connection_lost(e->connection, shown);
            e->lost_told = true;
        }
        if (spn_next_event(e->connection, event))
            return 1;
    }
    memset(event, 0, sizeof *event);
    event->type = SP_EVENT_CLOSED;
    event->u.closed.error = shown;
    e->closed_told = true;
    return 1;
}

static bool pending_event(sp_engine *e, sp_event *event)
{
    if (spt_next_event(e->transport, event))
        return true;
    if (e->auth != NULL && spa_next_event(e->auth, event))
        return true;
    if (e->connection == NULL)
        return false;
    if (spt_take_writable(e->transport) && spn_flush(e->connection) != 0)
        return false;
    return spn_next_event(e->connection, event);
}

int sp_engine_next_event(sp_engine *e, sp_event *event)
{
    spt_transport *t = e->transport;

    if (e->closed_told)
        return 0;
    for (;;) {
        if (spt_failed(t))
            return closing_event(e, event);
        if (open_rooms(e) != 0)
            continue;
        if (pending_event(e, event))
            return 1;
        if (spt_failed(t))
            continue;

        uint8_t message;
        spb_reader r;
        int result = spt_next_packet(t, &message, &r);
        if (result == 0) {
            spt_input_idle(t);
            if (!e->input_ended)
                return 0;
            (void)spt_fail(t, SP_EOF, 0, "the client closed the connection");
            continue;
        }
        if (result == 1)
            result = dispatch(e, message, &r, event);
        /* An event's bytes lie in the input: what this may send does not touch them. */
        if (result >= 0)
            (void)spt_check_rekey(t);
        if (result == 1)
            return 1;
    }
}

/* ---- time ---- */

static uint64_t keepalive_deadline(const sp_engine *e)
{
    uint32_t interval = spt_limits(e->transport)->keepalive_interval_ms;
    uint64_t last = spt_last_received(e->transport);

    if (interval == 0 || e->connection == NULL)
        return UINT64_MAX;
    return (last > e->keepalive_sent ? last : e->keepalive_sent) + interval;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t sp_engine_deadline(const sp_engine *e)
{
    uint64_t deadline = UINT64_MAX;

    if (spt_failed(e->transport))
        return deadline;
    if (e->connection == NULL)
        deadline = e->login_deadline;
    if (e->auth != NULL)
        deadline = earlier(deadline, spa_deadline(e->auth));
    deadline = earlier(deadline, spt_deadline(e->transport));
    return earlier(deadline, keepalive_deadline(e));
}

static void check_keepalive(sp_engine *e, uint64_t now)
{
    if (now < keepalive_deadline(e))
        return;
    if (spt_last_received(e->transport) >= e->keepalive_sent)
        e->keepalives = 0;
    if (e->keepalives >= spt_limits(e->transport)->keepalive_count) {
        (void)spt_fail(e->transport, SP_ETIMEDOUT, SP_DISCONNECT_CONNECTION_LOST,
                       "the client does not answer");
        return;
    }
    e->keepalives++;
    e->keepalive_sent = now;
    (void)spn_send_keepalive(e->connection);
}

void sp_engine_tick(sp_engine *e, uint64_t now_ms)
{
    spt_transport *t = e->transport;

    spt_set_now(t, now_ms);
    if (spt_failed(t))
        return;
    if (e->connection == NULL && spt_now(t) >= e->login_deadline &&
        (e->auth == NULL || !spa_succeeded(e->auth))) {
        (void)spt_fail(t, SP_ETIMEDOUT, SP_DISCONNECT_BY_APPLICATION,
                       "no login within the time allowed");
        return;
    }
    if (e->auth != NULL && spa_tick(e->auth) != 0)
        return;
    if (spt_check_rekey(t) != 0)
        return;
    if (e->connection != NULL)
        check_keepalive(e, spt_now(t));
}
