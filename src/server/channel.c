/* The channel object and the calls of <sallyport/session.h> on it. A channel is the connection's
 * until its connection_lost handler has returned; whoever holds a reference longer gets SP_ECONN.
 */
#include "server/question.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINTF_MAX 4096

/* ---- making, finding, losing ---- */

sp_channel *sps_channel_new(spl_queue *queue, const sp_session_handlers *handlers, void *data)
{
    const spb_env *env = spl_queue_env(queue);
    sp_channel *channel = spb_calloc(env, 1, sizeof *channel);
    if (channel == NULL)
        return NULL;
    if (!sps_copy_sized(&channel->handlers, sizeof channel->handlers, handlers)) {
        spb_free(env, channel);
        return NULL;
    }
    channel->queue = spl_queue_ref(queue);
    channel->refs = 1;
    channel->data = data;
    spb_list_init(&channel->waiters);
    return channel;
}

sp_channel *sps_channel_find(const sp_conn *conn, uint32_t number)
{
    return number < conn->channel_room ? conn->channels[number] : NULL;
}

int sps_channel_attach(sp_channel *channel, sp_conn *conn, uint32_t number)
{
    if (number >= conn->channel_room) {
        uint32_t room = number < 4 ? 4 : number < UINT32_MAX / 2 ? number * 2 : number;
        sp_channel **channels =
            spb_realloc(sps_conn_env(conn), conn->channels, room * sizeof(sp_channel *));
        if (channels == NULL || number >= room)
            return SP_ENOMEM;
        for (uint32_t i = conn->channel_room; i < room; i++)
            channels[i] = NULL;
        conn->channels = channels;
        conn->channel_room = room;
    }
    conn->channels[number] = channel;
    channel->conn = conn;
    channel->number = number;
    return 0;
}

static const sp_conn_error unanswered = {.error = SP_ECONN,
                                         .message = "the client left before it answered"};

void sps_channel_lost(sp_channel *channel, const sp_conn_error *error)
{
    if (channel->lost)
        return;
    channel->lost = true;
    if (error == NULL && channel->own && !channel->started && !channel->closing)
        error = &unanswered; /* not clean for a channel that never was */
    if (channel->process != NULL)
        sps_process_hang_up(channel->process);
    if (channel->taker != NULL) {
        spb_list_remove(&channel->taker->due);
        channel->taker->lost(channel->taker);
    }
    channel->taker = NULL;
    sp_conn *conn = channel->conn;
    if (conn != NULL) {
        sps_questions_cancel_channel(conn, channel->number);
        conn->channels[channel->number] = NULL;
        sps_count_off(&conn->server->counters.channels);
    }
    sps_lent_close(channel);
    if (channel->handlers.connection_lost != NULL)
        channel->handlers.connection_lost(channel, error);
    channel->conn = NULL;
    sps_waiters_call(spl_queue_env(channel->queue), &channel->waiters);
    sp_channel_unref(channel);
}

int sps_channel_take(sp_channel *channel, sps_taker *taker)
{
    if (sps_channel_engine(channel) == NULL)
        return SP_ECONN;
    if (channel->taker != NULL || channel->process != NULL || channel->direct != NULL)
        return SP_EINVAL;
    channel->taker = taker;
    spb_list_append(&channel->conn->server->takers, &taker->link);
    return 0;
}

void sps_taker_gather(sp_conn *conn, sps_taker *taker)
{
    if (!spb_list_linked(&taker->due))
        spb_list_append(&conn->due, &taker->due);
    sps_conn_touch(conn);
}

sp_engine *sps_channel_engine(const sp_channel *channel)
{
    return channel->lost || channel->conn == NULL ? NULL : sps_conn_engine(channel->conn);
}

void sps_channel_touch(sp_channel *channel)
{
    if (channel->conn != NULL)
        sps_conn_touch(channel->conn);
}

sp_channel *sp_channel_ref(sp_channel *channel)
{
    channel->refs++;
    return channel;
}

void sp_channel_unref(sp_channel *channel)
{
    if (channel == NULL || --channel->refs > 0)
        return;
    spl_queue *queue = channel->queue;
    sps_channel_free_state(channel);
    sps_direct_free(channel->direct);
    spb_free(spl_queue_env(queue), channel);
    spl_queue_unref(queue);
}

/* ---- the application's view ---- */

void *sp_channel_data(const sp_channel *channel)
{
    return channel->data;
}

void sp_channel_set_data(sp_channel *channel, void *data)
{
    channel->data = data;
}

struct sp_conn *sp_channel_conn(const sp_channel *channel)
{
    return channel->conn;
}

bool sp_channel_is_closing(const sp_channel *channel)
{
    return channel->closing || sps_channel_engine(channel) == NULL;
}

int sp_channel_wait_closed(sp_channel *channel, void (*closed)(void *data), void *data)
{
    if (channel->lost && channel->conn == NULL) {
        closed(data);
        return 0;
    }
    return sps_wait(spl_queue_env(channel->queue), &channel->waiters, closed, data);
}

/* ---- calls that go to the engine: the result of each, and a look at the connection later ---- */

/* Also after a failure: out of memory, say, the connection is lost, and must see it. */
static int touched(sp_channel *channel, int result)
{
    sps_channel_touch(channel);
    return result;
}

static ptrdiff_t write_type(sp_channel *channel, uint32_t type, const void *bytes, size_t length)
{
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    ptrdiff_t n = sp_engine_write(engine, channel->number, type, bytes, length);
    sps_channel_touch(channel);
    return n;
}

ptrdiff_t sps_channel_write_now(sp_channel *channel, const void *bytes, size_t length)
{
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    ptrdiff_t n = sp_engine_write_now(engine, channel->number, SP_DATA_NORMAL, bytes, length);
    sps_channel_touch(channel);
    return n;
}

ptrdiff_t sp_channel_write(sp_channel *channel, const void *bytes, size_t length)
{
    return write_type(channel, SP_DATA_NORMAL, bytes, length);
}

ptrdiff_t sp_channel_write_stderr(sp_channel *channel, const void *bytes, size_t length)
{
    return write_type(channel, SP_DATA_STDERR, bytes, length);
}

ptrdiff_t sp_channel_puts(sp_channel *channel, const char *text)
{
    return sp_channel_write(channel, text, strlen(text));
}

ptrdiff_t sp_channel_printf(sp_channel *channel, const char *format, ...)
{
    char text[PRINTF_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return SP_EINVAL;
    return sp_channel_write(channel, text, length > PRINTF_MAX ? PRINTF_MAX : (size_t)length);
}

int sp_channel_write_eof(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : touched(channel, sp_engine_write_eof(engine, channel->number));
}

size_t sp_channel_write_buffered(const sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? 0 : sp_engine_write_buffered(engine, channel->number);
}

int sp_channel_pause_reading(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN : sp_engine_pause_reading(engine, channel->number);
}

int sp_channel_resume_reading(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : touched(channel, sp_engine_resume_reading(engine, channel->number));
}

static int closing(sp_channel *channel, int result)
{
    if (result == 0)
        channel->closing = true;
    return touched(channel, result);
}

int sp_channel_exit(sp_channel *channel, uint32_t status)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : closing(channel, sp_engine_exit(engine, channel->number, status));
}

int sp_channel_exit_with_signal(sp_channel *channel, const char *name, bool core_dumped,
                                const char *message, const char *language)
{
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    return closing(channel, sp_engine_exit_with_signal(engine, channel->number, name, core_dumped,
                                                       message, language));
}

int sp_channel_set_xon_xoff(sp_channel *channel, bool client_can_do)
{
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    return touched(channel, sp_engine_set_xon_xoff(engine, channel->number, client_can_do));
}

int sp_channel_send_eow(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : touched(channel, sp_engine_send_eow(engine, channel->number));
}

int sp_channel_close(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : closing(channel, sp_engine_close_channel(engine, channel->number));
}

int sp_channel_abort(sp_channel *channel)
{
    sp_engine *engine = sps_channel_engine(channel);
    return engine == NULL ? SP_ECONN
                          : closing(channel, sp_engine_abort_channel(engine, channel->number));
}
