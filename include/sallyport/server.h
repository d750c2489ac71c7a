/* sallyport/server.h: the server, its connections and the table of handlers.
 *
 * An application fills in `sp_server_handlers`, one function for each decision that an SSH server
 * takes; the library speaks the protocol. Every handler may be absent: then the default holds that
 * its comment names. Handlers run on the connection's loop thread and must not block; a decision
 * that takes time is answered later, or runs with sp_work.
 *
 * With several loop threads (loop_threads) a connection belongs to one of them for life, and all of
 * its handlers run there. Handlers of different connections run at the same time: what they share
 * (sp_server_data among it) is the application's to lock. Each thread has an sp_server of its own,
 * which sp_conn_server returns: its timers, posts and work belong to the connection's thread. The
 * server that sp_server_new made is the main one; it belongs to the thread that runs it, accepts
 * for all, and serves like the others. The log and the allocator are called by all threads.
 *
 * Thread: the loop's, for everything that does not say "Thread: any". */
#ifndef SALLYPORT_SERVER_H
#define SALLYPORT_SERVER_H

#include <sallyport/auth.h>
#include <sallyport/listen.h>
#include <sallyport/protocol.h>
#include <sallyport/session.h>
#include <sallyport/sign.h>
#include <sallyport/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t of <uv.h> */
typedef struct sp_server sp_server;
typedef struct sp_conn sp_conn;

typedef enum sp_kbdint_support {
    SP_KBDINT_NO = 0,
    SP_KBDINT_YES = 1,
    SP_KBDINT_AS_PASSWORD = 2, /* offered when passwords are; asks "Password: " */
} sp_kbdint_support;

typedef struct sp_server_handlers {
    size_t size;

    /* -- connection -- */
    /* A TCP connection was accepted, before the version exchange. */
    void (*connection_made)(sp_conn *conn);
    /* Once for each connection_made, last of all. `error` NULL: a clean close. */
    void (*connection_lost)(sp_conn *conn, const sp_conn_error *error);
    /* SSH_MSG_DEBUG (RFC 4253 11.3); both strings are valid UTF-8. */
    void (*debug_msg_received)(sp_conn *conn, const char *message, const char *language,
                               bool always_display);

    /* -- authentication -- */
    /* A new user name. SP_ACCEPT: this user is let in without authentication. SP_REJECT (the
     * default): authentication is required. */
    sp_answer (*begin_auth)(sp_conn *conn, sp_auth *auth, const char *username);
    /* Offered, and allowed to be tried? Asked before each attempt and for each failure's list. */
    bool (*public_key_auth_supported)(sp_conn *conn);
    bool (*password_auth_supported)(sp_conn *conn);
    sp_kbdint_support (*kbdint_auth_supported)(sp_conn *conn); /* absent: SP_KBDINT_AS_PASSWORD */
    /* May this key log in? The library itself checks that the client has the private key. */
    sp_answer (*validate_public_key)(sp_conn *conn, sp_auth *auth, const char *username,
                                     const sp_key *key);
    sp_answer (*validate_password)(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password);
    sp_answer (*change_password)(sp_conn *conn, sp_auth *auth, const char *username,
                                 const char *old_password, const char *new_password);
    sp_answer (*get_kbdint_challenge)(sp_conn *conn, sp_auth *auth, const char *username,
                                      const char *language, const char *submethods);
    sp_answer (*validate_kbdint_response)(sp_conn *conn, sp_auth *auth, const char *username,
                                          const char *const *responses, size_t count);
    /* After success, before any channel is served. Absent: accepted. SP_REJECT disconnects. */
    sp_answer (*auth_completed)(sp_conn *conn, sp_auth *auth, const char *username);

    /* -- channels -- */
    /* SP_ACCEPT alone serves nothing and is a refusal: answer with sp_open_session. */
    sp_answer (*session_requested)(sp_conn *conn, sp_open *open);
    /* "direct-tcpip" (RFC 4254 7.2): the client asks for a connection to a host and port, for
     * somebody who came from `orig_host`. Names are as the client wrote them. SP_ACCEPT: the
     * library connects and relays, as sp_open_forward does. Absent: refused. */
    sp_answer (*connection_requested)(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host,
                                      uint16_t orig_port);
    /* "direct-streamlocal@openssh.com" (OpenSSH PROTOCOL 2.4): the same for a UNIX socket. */
    sp_answer (*unix_connection_requested)(sp_conn *conn, sp_open *open, const char *dest_path);

    /* -- listening on the client's behalf: <sallyport/listen.h> -- */
    /* "tcpip-forward" (RFC 4254 7.1): the client asks for connections to an address and a port (0:
     * any) to be forwarded to it. `listen_host` as it wrote it: "" and "localhost" among others.
     * SP_ACCEPT: the library listens and forwards. Absent: refused. */
    sp_answer (*server_requested)(sp_conn *conn, sp_listen *listen, const char *listen_host,
                                  uint16_t listen_port);
    /* "streamlocal-forward@openssh.com" (OpenSSH PROTOCOL 2.4): the same for a UNIX socket. */
    sp_answer (*unix_server_requested)(sp_conn *conn, sp_listen *listen, const char *listen_path);

    /* May certificates of this CA log in as the user? Asked when no list of authorized keys vouches
     * for the certificate, after its CA's signature, type, dates, options and source address were
     * found good. Accepted, the user's name must be among its principals (or others, see
     * sp_auth_accept_principals), and the client must have the certified key; both are checked by
     * the library. sp_auth_cert has the certificate. Absent: refused. */
    sp_answer (*validate_ca_key)(sp_conn *conn, sp_auth *auth, const char *username,
                                 const sp_key *ca_key);

    /* -- host keys -- */
    /* A host key made with sp_key_new_external has to sign `data` with `algorithm`: see
     * <sallyport/sign.h>. Absent: refused, which ends a connection that needs this key. */
    sp_answer (*sign)(sp_conn *conn, sp_sign *sign, const sp_key *key, const char *algorithm,
                      const void *data, size_t length);
} sp_server_handlers;
#define SP_SERVER_HANDLERS_INIT .size = sizeof(sp_server_handlers)

typedef struct sp_server_options {
    size_t size;
    sp_protocol_options protocol; /* host keys, algorithms, limits, log, allocator */
    struct uv_loop_s *loop;       /* the application's loop; NULL: one of the server's own */
    unsigned backlog;             /* of listening sockets; 0: 128 */
    unsigned max_connections;     /* 0: 10000; a further one is closed at once */
    unsigned max_unauthenticated; /* of these, not logged in; 0: 1000 */
    bool tcp_no_delay_off;        /* Nagle's algorithm; zero: TCP_NODELAY is set */

    /* Listening for clients: the members of sp_listen_options, for SP_ACCEPT. */
    sp_gateway gateway_ports;
    unsigned stream_local_bind_mask;
    bool stream_local_bind_unlink;
    unsigned max_listeners; /* of one connection; 0: 64; a further one is refused */

    /* What clients lend to sessions: <sallyport/agent.h>. */
    /* Sessions have private directories in it: absolute, at most 48 bytes. NULL: "/tmp". */
    const char *lending_directory;
    unsigned x11_display_offset;   /* the first display number; 0: 10 */
    unsigned x11_max_displays;     /* how many are tried; 0: 1000 */
    uint32_t x11_setup_timeout_ms; /* for a program to show its cookie; 0: 10000 */
    bool x11_all_addresses;        /* displays on all addresses; zero: on localhost alone */

    /* Keys and CAs that may log in under any name; see sp_conn_set_authorized_keys. Referenced. */
    const sp_authorized_keys *authorized_client_keys;
    /* Keys, certificates and CAs that nobody may use, whoever accepts them. Referenced. */
    const sp_revoked_keys *revoked_keys;
    size_t direct_stack_size; /* of each function of <sallyport/direct.h>; 0: 64 KiB */
    unsigned max_fibers;      /* such functions at once; 0: 10000; further ones are refused */
    /* Loops, each with a thread of its own, for this server: up to 64; 0 and 1: the one that
     * sp_server_run runs. Not with the application's loop. All limits hold for the whole. */
    unsigned loop_threads;
} sp_server_options;
#define SP_SERVER_OPTIONS_INIT                                                                     \
    .size = sizeof(sp_server_options), .protocol = {SP_PROTOCOL_OPTIONS_INIT}

/* ---- the server ---- */
/* `handlers` is copied; `data` is the server's application data. `reason`, if not NULL, gets a
 * sentence for a human on failure. Errors: SP_EINVAL, SP_ENOMEM, SP_EIO. */
SP_API int sp_server_new(sp_server **server, const sp_server_options *options,
                         const sp_server_handlers *handlers, void *data, char *reason,
                         size_t reason_size);
/* After wait_closed, or before anything was started; a running server is aborted first. Not while
 * sp_server_run runs. With several loop threads: for the main server; what is left in the others'
 * queues runs here. With the application's loop: that loop must still be there, and is run until
 * the server's handles are closed. */
SP_API void sp_server_free(sp_server *server);
SP_API void *sp_server_data(const sp_server *server); /* Thread: any */
/* The server that sp_server_new made, from any of its loop threads' servers. Thread: any. */
SP_API sp_server *sp_server_main(sp_server *server);

/* Listens on an address: a numeric IPv4 or IPv6 address, or "" or NULL for all of both kinds (one
 * listener; an IPv4 peer shows as IPv4). May be called several times. Port 0: any; sp_server_port
 * tells which. Errors: SP_EADDRINUSE, SP_EACCES, SP_EINVAL, SP_EIO. */
SP_API int sp_server_listen(sp_server *server, const char *address, uint16_t port);
/* Listens on a socket that is bound and listening already. The server owns it from here on, also
 * when this fails. */
SP_API int sp_server_listen_fd(sp_server *server, int fd);
/* Serves one connected stream socket. The server owns it from here on, also when this fails. While
 * several loop threads run, by the one with the fewest connections: connection_made is called
 * there. Errors: SP_ELIMIT (one of the limits on connections), SP_ECLOSED, SP_EINVAL, SP_ENOMEM. */
SP_API int sp_server_serve_fd(sp_server *server, int fd);
/* The port of this sp_server's listener `index` in the order made; 0 past the end. */
SP_API uint16_t sp_server_port(const sp_server *server, size_t index);
/* "127.0.0.1:8022" or "[::1]:8022". False past the end. */
SP_API bool sp_server_address(const sp_server *server, size_t index, char *out, size_t size);

/* Runs the server's own loop until the server is closed (sp_server_stop, or sp_server_drain and all
 * connections ended); starts the other loop threads before, which take no signals, and has ended
 * them when it returns. Not with the application's loop. After a failure the server can only be
 * freed. Errors: SP_EINVAL, SP_ENOMEM, SP_EAGAIN (no more threads), SP_EIO. */
SP_API int sp_server_run(sp_server *server);
/* These end the whole server, all of its loop threads' connections. Thread: any. */
/* Stops listening and disconnects everyone (BY_APPLICATION), then the server is closed. Idempotent.
 * Also for signal handlers. */
SP_API void sp_server_stop(sp_server *server);
/* Stops accepting for good. Connections go on; when the last has ended, the server is closed. */
SP_API void sp_server_close(sp_server *server);
/* Stops accepting, lets connections end by themselves, and disconnects what is left after
 * `timeout_ms` (0: waits for ever). */
SP_API void sp_server_drain(sp_server *server, uint32_t timeout_ms);
/* `closed` runs once when nothing listens and no connection is left in any thread; it runs in this
 * sp_server's thread, for the main one when the others are closed. */
SP_API int sp_server_wait_closed(sp_server *server, void (*closed)(void *data), void *data);
/* Runs `function` on the loop's thread, in the order posted. What was taken always runs, at the
 * latest in sp_server_free. Thread: any. */
SP_API int sp_server_post(sp_server *server, void (*function)(void *data), void *data);
/* Runs `function` once in each loop thread, with that thread's sp_server: to visit the connections
 * of all, say. Errors: SP_ENOMEM, and it runs nowhere; SP_ECLOSED when the server is being freed.
 * Thread: any. */
SP_API int sp_server_post_all(sp_server *server, void (*function)(sp_server *server, void *data),
                              void *data);

typedef struct sp_server_statistics {
    uint64_t accepted;        /* connections since the start */
    uint64_t refused;         /* closed at once because of a limit */
    uint64_t logins;          /* authentications that succeeded */
    uint64_t auth_failures;   /* answers "failure" to an attempt */
    uint64_t connections;     /* open now */
    uint64_t unauthenticated; /* of these, not logged in */
    uint64_t channels;        /* open now */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t fibers; /* functions of <sallyport/direct.h> that run now */
} sp_server_statistics;
/* Of all loop threads together. Thread: any. */
SP_API void sp_server_get_statistics(const sp_server *server, sp_server_statistics *out);
/* For `visit` see each open connection, of this sp_server's thread. It must not free any. */
SP_API void sp_server_each_conn(sp_server *server, void (*visit)(sp_conn *conn, void *data),
                                void *data);

/* ---- timers: `function` runs on the loop's thread ---- */
typedef struct sp_timer sp_timer;
/* After `delay_ms`, then every `repeat_ms` (0: once). NULL when out of memory. */
SP_API sp_timer *sp_timer_start(sp_server *server, uint32_t delay_ms, uint32_t repeat_ms,
                                void (*function)(void *data), void *data);
/* Stops and frees; also one that has fired. NULL is fine. All timers are stopped with the server.
 */
SP_API void sp_timer_stop(sp_timer *timer);
/* Runs `work` on the thread pool, then `done` (which may be NULL) on the loop's thread. Both always
 * run: sp_server_free waits for them. */
SP_API int sp_server_work(sp_server *server, void (*work)(void *data), void (*done)(void *data),
                          void *data);

/* ---- a connection: valid until connection_lost has returned; sp_conn_ref keeps it longer ---- */
SP_API void *sp_conn_data(const sp_conn *conn);
SP_API void sp_conn_set_data(sp_conn *conn, void *data);
/* That of the connection's thread; NULL when the connection is gone. */
SP_API sp_server *sp_conn_server(const sp_conn *conn);
SP_API sp_conn *sp_conn_ref(sp_conn *conn);
SP_API void sp_conn_unref(sp_conn *conn);
/* A number that no other connection of this server has had. */
SP_API uint64_t sp_conn_id(const sp_conn *conn);
/* Who is logged in, or is trying; NULL before. */
SP_API const char *sp_conn_username(const sp_conn *conn);
SP_API bool sp_conn_authenticated(const sp_conn *conn);
/* The methods (SP_METHOD_...) that this user has partially succeeded with (sp_auth_partial). A key
 * counts when its signature was checked, which is after validate_public_key has answered: so this,
 * not the handler's own memory, says what may follow. */
SP_API unsigned sp_conn_methods_done(const sp_conn *conn);
/* Numeric host and port. False for a socket without them. */
SP_API bool sp_conn_peer_address(const sp_conn *conn, char *host, size_t size, uint16_t *port);
SP_API bool sp_conn_local_address(const sp_conn *conn, char *host, size_t size, uint16_t *port);
SP_API const char *sp_conn_client_version(const sp_conn *conn); /* NULL before it came */
SP_API const char *sp_conn_server_version(const sp_conn *conn);
SP_API int sp_conn_algorithms(const sp_conn *conn, sp_algorithms *out);
/* By AsyncSSH's names: "username", "client_version", "server_version", "send_cipher",
 * "recv_cipher", "send_mac", "recv_mac", "send_compression", "recv_compression", "kex",
 * "server_host_key_alg", "peername", "sockname". NULL when unknown. Lent until the next call. */
SP_API const char *sp_conn_get_extra_info(sp_conn *conn, const char *name);
/* Sends a banner to be shown before login ends (RFC 4252 5.4). SP_ESTATE after it. */
SP_API int sp_conn_send_auth_banner(sp_conn *conn, const char *text, const char *language);
SP_API int sp_conn_send_debug(sp_conn *conn, const char *text, const char *language,
                              bool always_display);
SP_API int sp_conn_rekey(sp_conn *conn);
/* Limits for this connection in place of the server's: for a user's, from begin_auth. Errors:
 * SP_EINVAL, SP_ECONN. */
SP_API int sp_conn_set_limits(sp_conn *conn, const sp_limits *limits);

/* ---- keys and certificates of clients (sshd(8) AUTHORIZED_KEYS; OpenSSH PROTOCOL.certkeys) ----
 */
/* Keys and CAs that may log in, instead of the server's. They are looked at before
 * validate_public_key and validate_ca_key are asked, public key authentication is offered whatever
 * public_key_auth_supported says, and a key found there is all that is needed. In connection_made:
 * for the connection. From begin_auth on: for the present user's name only, NULL for none; a new
 * name goes back to the connection's. In a later answer to begin_auth use
 * sp_auth_set_authorized_keys, which can't meet the wrong name. Referenced. SP_ECONN. */
SP_API int sp_conn_set_authorized_keys(sp_conn *conn, const sp_authorized_keys *list);
/* Of the signature algorithms of the options, those that the present user's name may log in with
 * (names with commas between; NULL: all): in begin_auth, or while its answer is awaited. Clients
 * that want to know (ext-info-in-auth@openssh.com, OpenSSH PROTOCOL) are told. A new name goes back
 * to all. SP_ESTATE (no name yet), SP_EINVAL (too long), SP_ENOMEM, SP_ECONN. */
SP_API int sp_conn_set_signature_algorithms(sp_conn *conn, const char *list);
/* More that nobody may use in this connection, besides the server's. Replaces what was set before;
 * NULL: nothing more. Referenced. SP_ECONN. */
SP_API int sp_conn_set_revoked_keys(sp_conn *conn, const sp_revoked_keys *list);
/* The rest is known after authentication has succeeded: in auth_completed and from then on. */
/* The certificate that was logged in with; NULL: none. */
SP_API const sp_cert *sp_conn_certificate(const sp_conn *conn);
/* The index-th value that authorized_keys options gave to a name ("command", "environment",
 * "permitopen", ...), "" for a bare word. NULL: no (further) one. */
SP_API const char *sp_conn_get_key_option(const sp_conn *conn, const char *name, size_t index);
/* May it be done in this login, by the options of its keys and by its certificate? AsyncSSH's
 * names: "pty", "port-forwarding", "agent-forwarding", "X11-forwarding", "user-rc". Any other:
 * false. What the library serves, it also enforces. */
SP_API bool sp_conn_check_key_permission(const sp_conn *conn, const char *name);
/* The value of a certificate's critical option or extension ("force-command", "source-address"),
 * "" for a flag; NULL: there is none. */
SP_API const char *sp_conn_get_certificate_option(const sp_conn *conn, const char *name);
/* Does the certificate permit it (its extension "permit-<name>")? Without a certificate: true for
 * the names above. */
SP_API bool sp_conn_check_certificate_permission(const sp_conn *conn, const char *name);
SP_API int sp_conn_disconnect(sp_conn *conn, uint32_t code, const char *reason);
/* Disconnects with BY_APPLICATION after what is queued. */
SP_API int sp_conn_close(sp_conn *conn);
/* Drops the socket at once; connection_lost is called when the loop's turn ends. */
SP_API void sp_conn_abort(sp_conn *conn);
SP_API int sp_conn_wait_closed(sp_conn *conn, void (*closed)(void *data), void *data);

#ifdef __cplusplus
}
#endif
#endif
