/* sallyport/listen.h: listening on the client's behalf (RFC 4254 7.1, OpenSSH PROTOCOL 2.4), and
 * channels that the server opens to the client.
 *
 * server_requested and unix_server_requested get an `sp_listen *`, with the same rules as in
 * <sallyport/auth.h>. The answer is one of: the library listens and forwards (SP_ACCEPT, or
 * sp_listen_forward); a listener of the application's own (sp_listen_own), which opens channels
 * itself; refusal. Each answer makes an `sp_listener`, which ends when the client cancels it, when
 * it is closed here, and at the latest with its connection.
 *
 * Thread: the connection's, for everything that does not say "Thread: any". */
#ifndef SALLYPORT_LISTEN_H
#define SALLYPORT_LISTEN_H

#include <sallyport/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_listener sp_listener;

/* Which addresses the library listens on, as sshd's GatewayPorts. "localhost" is 127.0.0.1 and ::1
 * with one port; all addresses are those of both kinds. */
typedef enum sp_gateway {
    SP_GATEWAY_NO =
        0,          /* localhost, whatever the client asks for ("127.0.0.1" or "::1": just that) */
    SP_GATEWAY_YES, /* all addresses, whatever the client asks for */
    SP_GATEWAY_CLIENT_SPECIFIED, /* "" and "*": all; "localhost"; or any address or name */
} sp_gateway;

/* For stream_local_bind_mask, whose 0 means the default. */
#define SP_BIND_MASK_NONE 01000u

/* How the library listens. */
typedef struct sp_listen_options {
    size_t size;
    sp_gateway gateway_ports;
    /* For the file of a UNIX socket: permissions that it does not get, of 0777. 0: 0177. It gets
     * the rest, whatever the process's umask is. */
    unsigned stream_local_bind_mask;
    /* A socket that is there already is removed first. Only sockets are, and nothing else. */
    bool stream_local_bind_unlink;
} sp_listen_options;
#define SP_LISTEN_OPTIONS_INIT .size = sizeof(sp_listen_options)

/* Every member may be absent (NULL). */
typedef struct sp_listener_handlers {
    size_t size;
    /* It listens (the application's own: it may), and the reply to the client is on its way: the
     * client knows the port before it hears of a connection. */
    void (*listening)(sp_listener *listener, void *data);
    /* The last, and once, in every case after an answer that returned 0; alone, if listening failed
     * or the client was gone before. Connections that came by the listener go on. */
    void (*closed)(sp_listener *listener, void *data);
} sp_listener_handlers;
#define SP_LISTENER_HANDLERS_INIT .size = sizeof(sp_listener_handlers)

/* ---- answering server_requested and unix_server_requested (Thread: any; results as in
 * <sallyport/auth.h>) ---- */

/* The library listens, opens a channel to the client for each connection, and relays. `options`
 * NULL: the server's (sp_server_options), as for SP_ACCEPT; `handlers` may be NULL. What cannot be
 * listened on is refused, and logged. A path is bound with the rights of this process; relative to
 * its working directory if the client wrote it so. Ports below 1024: as the system allows. */
SP_API int sp_listen_forward(sp_listen *listen, const sp_listen_options *options,
                             const sp_listener_handlers *handlers, void *data);
/* The application listens, in whatever sense, and calls sp_conn_create_connection or
 * sp_conn_create_unix_connection when somebody comes. `port`: what the client is told when it asked
 * for port 0 (then it must not be 0), and cancels by; ignored when the client named a port. */
SP_API int sp_listen_own(sp_listen *listen, const sp_listener_handlers *handlers, void *data,
                         uint16_t port);
SP_API int sp_listen_refuse(sp_listen *listen);
SP_API void sp_listen_release(sp_listen *listen);
/* sp_listen_work: as sp_auth_work. */
/* What was asked for; valid until the release. Thread: any. */
SP_API const char *sp_listen_host(const sp_listen *listen);     /* NULL for a path */
SP_API uint16_t sp_listen_port(const sp_listen *listen);        /* 0: any */
SP_API const char *sp_listen_path(const sp_listen *listen);     /* NULL for a host */
SP_API struct sp_conn *sp_listen_conn(const sp_listen *listen); /* Thread: the connection's */

/* ---- a listener: valid until its closed handler has returned; sp_listener_ref keeps it longer
 * ---- */
/* Stops listening, calls the closed handler and whoever waits; removes the file of a UNIX socket,
 * if it is still the listener's. Idempotent. The client is not told: the protocol has no word for
 * it. */
SP_API void sp_listener_close(sp_listener *listener);
/* `closed` runs once after the closed handler (at once if that was already). Errors: SP_ENOMEM. */
SP_API int sp_listener_wait_closed(sp_listener *listener, void (*closed)(void *data), void *data);
/* The port that it listens on; 0 for a path. */
SP_API uint16_t sp_listener_get_port(const sp_listener *listener);
SP_API const char *sp_listener_host(const sp_listener *listener);     /* as the client wrote it */
SP_API const char *sp_listener_path(const sp_listener *listener);     /* NULL for a host */
SP_API struct sp_conn *sp_listener_conn(const sp_listener *listener); /* NULL when closed */
SP_API sp_listener *sp_listener_ref(sp_listener *listener);
SP_API void sp_listener_unref(sp_listener *listener);
/* For `visit` see each listener of a connection. It must not close any. */
SP_API void sp_conn_each_listener(struct sp_conn *conn,
                                  void (*visit)(sp_listener *listener, void *data), void *data);

/* ---- channels to the client ---- */

/* Opens "forwarded-tcpip" (RFC 4254 7.2): somebody at `orig_host` has connected to `dest_host` and
 * `dest_port`, which are the address that the client had asked to listen on, as it wrote it, and
 * the real port; clients refuse others. `handlers` are copied, `data` is the channel's; `options`
 * may be NULL; `channel`, if not NULL, gets the channel.
 *
 * After success: connection_made and session_started when the client has confirmed; connection_lost
 * once, in every case. If the client refuses, connection_lost alone is called, with SP_ECONN, the
 * client's code (RFC 4254 5.1) and its text. Until the channel has started, writing returns
 * SP_ESTATE; closing it takes it back.
 * Errors: SP_ELIMIT (max_channels, or the budget for windows), SP_ESTATE (before login is
 * complete), SP_EINVAL, SP_ENOMEM, SP_ECONN. */
SP_API int sp_conn_create_connection(struct sp_conn *conn, const sp_stream_handlers *handlers,
                                     void *data, const sp_channel_options *options,
                                     const char *dest_host, uint16_t dest_port,
                                     const char *orig_host, uint16_t orig_port,
                                     sp_channel **channel);
/* The same with "forwarded-streamlocal@openssh.com": somebody has connected to the client's path.
 */
SP_API int sp_conn_create_unix_connection(struct sp_conn *conn, const sp_stream_handlers *handlers,
                                          void *data, const sp_channel_options *options,
                                          const char *dest_path, sp_channel **channel);

#ifdef __cplusplus
}
#endif
#endif
