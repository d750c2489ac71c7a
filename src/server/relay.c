/* A channel joined to a socket: bytes both ways with back-pressure, and each direction ends by
 * itself. What the channel does not take at once is kept (at most one read of it) and reading the
 * socket stops; what the socket does not take is kept likewise and the channel's reading is paused.
 */
#include "base/wire.h"
#include "server/server.h"

#include <unistd.h>

#define FLUSH_MS 60000u /* for the client's last bytes, when it has closed the channel */
/* Of these bytes, in one channel (its window bounds them) and in all of a server's together. */
#define PENDING_MAX ((size_t)256 * 1024 * 1024)
#define FLUSH_MAX ((size_t)64 * 1024 * 1024)

typedef struct relay {
    spb_link link;
    sp_server *server;
    sp_channel *channel; /* NULL: closed by the client; only `pending` is still to be written */
    spl_watch *watch;
    spl_timer *timer;
    spb_buffer left;    /* from the socket, not taken by the channel yet */
    spb_buffer pending; /* from the channel, not taken by the socket yet */
    size_t flushing;    /* what of `pending` the server has counted */
    bool paused;        /* the channel's write buffer is full */
    bool held;          /* the channel's reading is paused */
    bool client_ended;  /* EOF came; the socket is told behind `pending` */
    bool socket_ended;  /* EOF came; the client is told behind `left` */
    bool told_socket;
    bool told_client;
} relay;

static void relay_free(relay *r)
{
    const spb_env *env = &r->server->env;
    sps_total_give(&r->server->group->flushing, r->flushing);
    spl_watch_close(r->watch);
    spl_timer_close(r->timer);
    spb_buffer_free(&r->left);
    spb_buffer_free(&r->pending);
    spb_list_remove(&r->link);
    spb_free(env, r);
}

static void wait_for(relay *r)
{
    bool read = r->channel != NULL && !r->paused && !r->socket_ended && r->left.length == 0;
    (void)spl_watch_set(r->watch,
                        (read ? SPL_READABLE : 0) | (r->pending.length != 0 ? SPL_WRITABLE : 0));
}

/* Passes on an end whose bytes are through; when both are, the channel is closed. */
static void pass_ends(relay *r)
{
    if (r->client_ended && !r->told_socket && r->pending.length == 0) {
        r->told_socket = true;
        spl_socket_end_output(spl_watch_fd(r->watch));
    }
    if (r->socket_ended && !r->told_client && r->left.length == 0) {
        r->told_client = true;
        (void)sp_channel_write_eof(r->channel);
    }
    if (r->told_socket && r->told_client)
        (void)sp_channel_close(r->channel);
}

/* ---- from the socket to the client ---- */

static void give(relay *r, const uint8_t *bytes, size_t length)
{
    ptrdiff_t n = sp_channel_write(r->channel, bytes, length);
    if (n < 0) {
        r->socket_ended = true; /* the channel is closing */
        return;
    }
    if ((size_t)n == length)
        return;
    r->paused = true;
    spw_bytes(&r->left, bytes + n, length - (size_t)n);
    if (!spw_ok(&r->left))
        (void)sp_channel_abort(r->channel);
}

static void read_socket(relay *r)
{
    uint8_t *scratch = spl_loop_scratch(r->server->loop);
    ptrdiff_t n =
        scratch == NULL ? SP_ENOMEM : spl_recv(spl_watch_fd(r->watch), scratch, SPL_SCRATCH);
    if (n > 0)
        give(r, scratch, (size_t)n);
    else if (n == 0)
        r->socket_ended = true;
    else if (n != SP_EAGAIN) {
        r->socket_ended = true;
        (void)sp_channel_close(r->channel);
    }
}

static void on_pause(sp_channel *channel)
{
    relay *r = sp_channel_data(channel);
    r->paused = true;
    wait_for(r);
}

static void on_resume(sp_channel *channel)
{
    relay *r = sp_channel_data(channel);
    r->paused = false;
    if (r->left.length != 0) {
        ptrdiff_t n = sp_channel_write(channel, r->left.data, r->left.length);
        if (n < 0 || (size_t)n == r->left.length) {
            spb_buffer_free(&r->left);
        } else {
            spb_buffer_consume(&r->left, (size_t)n);
            r->paused = true;
        }
    }
    pass_ends(r);
    wait_for(r);
}

/* ---- from the client to the socket ---- */

static void hold(relay *r, bool on)
{
    if (r->held == on || r->channel == NULL)
        return;
    r->held = on;
    (void)(on ? sp_channel_pause_reading : sp_channel_resume_reading)(r->channel);
}

static ptrdiff_t write_socket(relay *r, const void *bytes, size_t length)
{
    const struct iovec one = {(void *)(uintptr_t)bytes, length};
    ptrdiff_t n = spl_send(spl_watch_fd(r->watch), &one, 1);
    return n == SP_EAGAIN ? 0 : n;
}

/* Nobody reads what the client sends. What the other side has said still reaches the client. */
static void socket_broken(relay *r)
{
    spb_buffer_free(&r->pending);
    if (r->channel != NULL)
        (void)sp_channel_close(r->channel);
}

static void on_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    relay *r = sp_channel_data(channel);
    ptrdiff_t n = 0;
    if (type != SP_DATA_NORMAL)
        return;
    if (r->pending.length == 0)
        n = write_socket(r, bytes, length);
    if (n < 0) {
        socket_broken(r);
        return;
    }
    if ((size_t)n == length)
        return;
    spw_bytes(&r->pending, (const uint8_t *)bytes + n, length - (size_t)n);
    if (!spw_ok(&r->pending)) {
        (void)sp_channel_abort(channel);
        return;
    }
    hold(r, true);
    wait_for(r);
}

static void write_pending(relay *r)
{
    ptrdiff_t n = write_socket(r, r->pending.data, r->pending.length);
    if (n < 0) {
        socket_broken(r);
        return;
    }
    spb_buffer_consume(&r->pending, (size_t)n);
    if (r->pending.length != 0)
        return;
    spb_buffer_free(&r->pending);
    hold(r, false);
}

static bool on_eof(sp_channel *channel)
{
    relay *r = sp_channel_data(channel);
    r->client_ended = true;
    pass_ends(r);
    return true;
}

/* ---- both ---- */

static void socket_ready(void *data, unsigned events)
{
    relay *r = data;
    if ((events & SPL_WRITABLE) != 0 && r->pending.length != 0)
        write_pending(r);
    if (r->channel == NULL) {
        if (r->pending.length == 0)
            relay_free(r);
        return;
    }
    if ((events & SPL_READABLE) != 0 && !r->socket_ended)
        read_socket(r);
    pass_ends(r);
    wait_for(r);
}

static void on_started(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    if (engine != NULL)
        (void)sp_engine_deliver_all(engine, channel->number);
    on_resume(channel); /* there may be something that comes first */
}

static void flushed_too_late(void *data)
{
    relay_free(data);
}

/* The client may send its last bytes and close at once: they are still written. */
static void on_lost(sp_channel *channel, const sp_conn_error *error)
{
    relay *r = sp_channel_data(channel);
    r->channel = NULL;
    if (error != NULL || r->pending.length == 0 ||
        !sps_total_take(&r->server->group->flushing, r->pending.length, FLUSH_MAX)) {
        relay_free(r);
        return;
    }
    r->flushing = r->pending.length;
    if (spl_timer_new(&r->timer, r->server->loop, flushed_too_late, r) != 0) {
        relay_free(r);
        return;
    }
    spl_timer_start(r->timer, FLUSH_MS, 0);
    wait_for(r);
}

static const sp_session_handlers relay_handlers = {
    SP_SESSION_HANDLERS_INIT,    .connection_lost = on_lost, .session_started = on_started,
    .data_received = on_data,    .eof_received = on_eof,     .pause_writing = on_pause,
    .resume_writing = on_resume,
};

sp_channel *sps_relay_new(sp_server *server, int fd)
{
    relay *r = spb_calloc(&server->env, 1, sizeof *r);
    if (r == NULL || spl_watch_new(&r->watch, server->loop, fd, socket_ready, r) != 0) {
        (void)close(fd);
        spb_free(&server->env, r);
        return NULL;
    }
    r->server = server;
    spb_buffer_init(&r->left, &server->env, SPL_SCRATCH);
    spb_buffer_init(&r->pending, &server->env, PENDING_MAX);
    spb_list_append(&server->relays, &r->link);
    r->channel = sps_channel_new(server->queue, &relay_handlers, r);
    if (r->channel == NULL) {
        relay_free(r);
        return NULL;
    }
    return r->channel;
}

bool sps_relay_first(sp_channel *channel, const void *bytes, size_t length)
{
    relay *r = sp_channel_data(channel);
    r->left.secret = true;
    spw_bytes(&r->left, bytes, length);
    return spw_ok(&r->left);
}

/* The server ends; its channels have. */
void sps_relays_forget(sp_server *server)
{
    while (!spb_list_empty(&server->relays))
        relay_free(SPB_CONTAINER(server->relays.next, relay, link));
}
