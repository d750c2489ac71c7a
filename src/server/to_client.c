/* Channels that we open to the client (RFC 4254 7.2, OpenSSH PROTOCOL 2.4). The channel object is
 * there from the beginning; its handlers hear of it when the client has answered. */
#include "server/server.h"

int sps_own_attach(sp_conn *conn, uint32_t number, sp_channel *channel)
{
    int result = sps_channel_attach(channel, conn, number);
    if (result != 0) {
        (void)sp_engine_abort_channel(conn->engine, number);
        return result;
    }
    channel->own = true;
    sps_count(&conn->server->counters.channels, 1);
    return 0;
}

int sps_open_to_client(sp_conn *conn, const sp_open_request *what,
                       const sp_channel_options *options, sp_channel *channel)
{
    uint32_t number;
    sp_engine *engine = sps_conn_engine(conn);
    int result = engine == NULL ? SP_ECONN : sp_engine_open_channel(engine, what, options, &number);
    if (result != 0)
        return result;
    sps_conn_touch(conn);
    return sps_own_attach(conn, number, channel);
}

void sps_opened_event(sp_channel *channel)
{
    channel->started = true;
    if (channel->handlers.connection_made != NULL)
        channel->handlers.connection_made(channel);
    if (channel->handlers.session_started != NULL)
        channel->handlers.session_started(channel);
}

void sps_open_failed_event(sp_channel *channel, const sp_event *event)
{
    const sp_conn_error error = {.error = SP_ECONN,
                                 .code = event->u.open_failed.code,
                                 .from_peer = true,
                                 .message = event->u.open_failed.text};
    sps_channel_lost(channel, &error);
}

/* ---- <sallyport/listen.h> ---- */

int sps_create(sp_conn *conn, const sp_stream_handlers *given, void *data,
               const sp_channel_options *options, const sp_open_request *what, sp_channel **out)
{
    sp_session_handlers handlers;
    if (!sps_stream_handlers(given, &handlers) || (options != NULL && options->size == 0))
        return SP_EINVAL;
    sp_channel *channel = sps_channel_new(conn->queue, &handlers, data);
    if (channel == NULL)
        return SP_ENOMEM;
    int result = sps_open_to_client(conn, what, options, channel);
    if (result != 0)
        sp_channel_unref(channel);
    else if (out != NULL)
        *out = channel;
    return result;
}

int sp_conn_create_connection(struct sp_conn *conn, const sp_stream_handlers *handlers, void *data,
                              const sp_channel_options *options, const char *dest_host,
                              uint16_t dest_port, const char *orig_host, uint16_t orig_port,
                              sp_channel **channel)
{
    const sp_open_request what = {SP_OPEN_REQUEST_INIT,   .type = "forwarded-tcpip",
                                  .dest_host = dest_host, .dest_port = dest_port,
                                  .orig_host = orig_host, .orig_port = orig_port};
    return sps_create(conn, handlers, data, options, &what, channel);
}

int sp_conn_create_unix_connection(struct sp_conn *conn, const sp_stream_handlers *handlers,
                                   void *data, const sp_channel_options *options,
                                   const char *dest_path, sp_channel **channel)
{
    const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = "forwarded-streamlocal@openssh.com",
                                  .dest_path = dest_path};
    return sps_create(conn, handlers, data, options, &what, channel);
}
