/* sallyport/engine.h: the protocol without I/O. Bytes go in, bytes come out, events are pulled.
 *
 * An engine is one connection's server side. It has no socket, no clock and no thread; given the
 * same bytes, times and random source it does the same thing. <sallyport/server.h> drives it over
 * libuv; an application with a loop of its own drives it like this:
 *
 *     when the socket is readable and sp_engine_wants_input(e):
 *         sp_engine_input_buffer(e, &space, &room); n = read(fd, space, room);
 *         sp_engine_tick(e, now); sp_engine_received(e, n);
 *     after anything that was done to the engine:
 *         while (sp_engine_next_event(e, &event) == 1)
 *             react(&event);
 *         n = sp_engine_output(e, vector, count); n = writev(fd, ...); sp_engine_consumed(e, n);
 *     at sp_engine_deadline(e): sp_engine_tick(e, now).
 *
 * The engine never calls the application, so nothing re-enters it. Pointers in an event are valid
 * until the next call of sp_engine_next_event on that engine. A question is answered by its number,
 * at once or later; the answer to a question that is gone (abandoned, closed) returns SP_ECONN and
 * changes nothing, a second answer SP_EALREADY where that can still be told.
 *
 * Thread: one engine, one thread at a time. Numbers in comments after a name are RFC sections. */
#ifndef SALLYPORT_ENGINE_H
#define SALLYPORT_ENGINE_H

#include <sallyport/protocol.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_engine sp_engine;

/* Large buffers shared by the engines of one thread; an idle engine holds none. */
typedef struct sp_pool sp_pool;
SP_API int sp_pool_new(sp_pool **pool, const sp_config *config);
SP_API void sp_pool_free(sp_pool *pool); /* after its engines */

/* The arithmetic of a key exchange that takes long (Diffie-Hellman modulo a prime: a millisecond
 * for 2048 bits, a tenth of a second for 8192). Until it is answered no input is taken. It stands
 * by itself: it may outlive the engine. Counted: thread: any; sp_computation_run: any, one at a
 * time. */
typedef struct sp_computation sp_computation;
SP_API sp_computation *sp_computation_ref(sp_computation *computation);
SP_API void sp_computation_unref(sp_computation *computation); /* NULL is fine */
SP_API void sp_computation_run(sp_computation *computation);

typedef enum sp_event_type {
    SP_EVENT_NONE = 0,
    SP_EVENT_SIGN,                 /* question: sign with a host key: an exchange hash, a proof */
    SP_EVENT_KEYS,                 /* new keys are in use (first exchange or rekeying) */
    SP_EVENT_DEBUG,                /* SSH_MSG_DEBUG came */
    SP_EVENT_AUTH_BEGIN,           /* question: is a new username let in without authentication? */
    SP_EVENT_AUTH_METHODS,         /* question: which methods may be tried now? */
    SP_EVENT_AUTH_PUBLIC_KEY,      /* question: may this key log in? */
    SP_EVENT_AUTH_PASSWORD,        /* question */
    SP_EVENT_AUTH_CHANGE_PASSWORD, /* question */
    SP_EVENT_AUTH_KBDINT,          /* question: begin keyboard-interactive */
    SP_EVENT_AUTH_KBDINT_RESPONSE, /* question: the responses */
    SP_EVENT_AUTH_COMPLETED,       /* question: last word after success; channels wait for it */
    SP_EVENT_OPEN,                 /* question: the client opens a channel */
    SP_EVENT_REQUEST,              /* question: a channel request */
    SP_EVENT_STARTED,              /* a session's shell, exec or subsystem was accepted */
    SP_EVENT_DATA,                 /* channel data */
    SP_EVENT_EOF,                  /* the client sends no more on a channel */
    SP_EVENT_PAUSE_WRITING,        /* a channel's write buffer is above its high mark */
    SP_EVENT_RESUME_WRITING,       /* and below its low mark again */
    SP_EVENT_CHANNEL_CLOSED,       /* the last of a channel: its number is free again */
    SP_EVENT_CANCELED,             /* question `question` is gone: abandoned by the client */
    SP_EVENT_CLOSED,               /* the last of all: the connection is over */
    SP_EVENT_GLOBAL_REQUEST,       /* question: a global request (4254 4) */
    SP_EVENT_OPENED,               /* the client has confirmed a channel that we opened */
    SP_EVENT_OPEN_FAILED,          /* or refused it: the last of that channel */

    SP_EVENT_AUTH_CA_KEY, /* question: is this a CA for the user? */
    SP_EVENT_COMPUTE,     /* question: run a computation; only with options.compute_elsewhere */
} sp_event_type;

typedef enum sp_request_type {
    SP_REQUEST_PTY = 1,
    SP_REQUEST_ENV,
    SP_REQUEST_SHELL,
    SP_REQUEST_EXEC,
    SP_REQUEST_SUBSYSTEM,
    SP_REQUEST_WINDOW_CHANGE, /* no answer wanted */
    SP_REQUEST_SIGNAL,        /* no answer wanted */
    SP_REQUEST_BREAK,
    SP_REQUEST_AGENT, /* auth-agent-req@openssh.com (OpenSSH's agent forwarding) */
    SP_REQUEST_X11,   /* x11-req (4254 6.3.1) */
} sp_request_type;

/* Global requests that are asked about. Several may be open at a time; replies keep the order of
 * the requests, however late and in whatever order the answers come. A cancellation is asked when
 * everything before it has been answered, and what comes behind it waits for its answer. */
typedef enum sp_global_type {
    SP_GLOBAL_TCPIP_FORWARD = 1, /* 4254 7.1 */
    SP_GLOBAL_CANCEL_TCPIP_FORWARD,
    SP_GLOBAL_STREAMLOCAL_FORWARD, /* OpenSSH PROTOCOL 2.4 */
    SP_GLOBAL_CANCEL_STREAMLOCAL_FORWARD,
} sp_global_type;

typedef struct sp_event {
    sp_event_type type;
    uint64_t question; /* what to answer; 0: not a question */
    uint32_t channel;  /* our channel number, for channel events */
    union {
        struct {
            const sp_key *key;
            const char *algorithm;
            const uint8_t *data;
            size_t length;
        } sign;
        struct {
            sp_computation *computation; /* lent; sp_computation_ref keeps it */
        } compute;
        struct {
            bool first;
        } keys;
        struct {
            const char *message;
            const char *language;
            bool always_display;
        } debug;
        struct {
            const char *username;
            const sp_key *key;     /* AUTH_PUBLIC_KEY; reference it to keep it */
            bool signed_request;   /* AUTH_PUBLIC_KEY: false for a query */
            const char *algorithm; /* likewise: as the client names it */
            const char *password;  /* AUTH_PASSWORD, AUTH_CHANGE_PASSWORD: the (old) password */
            const char *new_password;
            const char *language; /* AUTH_KBDINT */
            const char *submethods;
            const char *const *responses; /* AUTH_KBDINT_RESPONSE */
            size_t response_count;
            const sp_cert *cert;  /* AUTH_CA_KEY; `key` is the certified key */
            const sp_key *ca_key; /* AUTH_CA_KEY */
        } auth;
        struct {
            const char *type;      /* "session", "direct-tcpip", "direct-streamlocal@openssh.com" */
            const char *dest_host; /* direct-tcpip (4254 7.2): as the client wrote it */
            const char *orig_host;
            uint16_t dest_port;
            uint16_t orig_port;
            const char *dest_path; /* direct-streamlocal (OpenSSH PROTOCOL 2.4) */
        } open;
        struct {
            sp_request_type type;
            bool want_reply;
            const char *text;       /* PTY: TERM; ENV: name; EXEC: command; SUBSYSTEM, SIGNAL: name;
                                       X11: authentication protocol, of [A-Za-z0-9-] */
            const char *value;      /* ENV; X11: cookie, pairs of hexadecimal digits */
            sp_term_size size;      /* PTY, WINDOW_CHANGE */
            sp_term_modes modes;    /* PTY */
            uint32_t milliseconds;  /* BREAK */
            uint32_t screen;        /* X11 */
            bool single_connection; /* X11 */
            /* The key's or certificate's forced command came in place of what the client asked for:
             * SHELL, EXEC or SUBSYSTEM; 0: not so. `type` is EXEC then. */
            sp_request_type original_type;
            const char *original; /* its command or name; NULL for a shell */
        } request;
        struct {
            uint32_t type; /* SP_DATA_... */
            const uint8_t *bytes;
            size_t length;
        } data;
        struct {
            const sp_conn_error *error; /* CLOSED, CHANNEL_CLOSED; NULL: cleanly */
        } closed;
        struct {
            sp_global_type type;
            bool want_reply;
            const char *host;     /* (CANCEL_)TCPIP_FORWARD: as the client wrote it, "" too */
            uint16_t port;        /* TCPIP_FORWARD: 0: any */
            const char *path;     /* (CANCEL_)STREAMLOCAL_FORWARD */
            const uint8_t *bytes; /* requests whose body is not taken apart; none so far */
            size_t length;
        } global;
        struct {
            uint32_t code;    /* 4254 5.1, or a number of the client's own */
            const char *text; /* cleaned of what is not printable */
        } open_failed;
    } u;
} sp_event;

/* `now_ms`: any monotonic clock in milliseconds, the same in every call. `pool` may be NULL: the
 * engine makes one for itself. Errors: SP_ENOMEM, SP_ECRYPTO. */
SP_API int sp_engine_new(sp_engine **engine, sp_config *config, sp_pool *pool, uint64_t now_ms);
/* No SP_EVENT_CLOSED comes any more. */
SP_API void sp_engine_free(sp_engine *engine);

/* ---- bytes ---- */
/* False while the output is past its high-water mark, an answer is due that nothing may overtake,
 * or the connection is over. */
SP_API bool sp_engine_wants_input(const sp_engine *engine);
/* Room to read into. Errors: SP_ENOMEM, SP_EAGAIN (wants no input). */
SP_API int sp_engine_input_buffer(sp_engine *engine, uint8_t **space, size_t *room);
/* `length` bytes are now in that room; 0 gives the room back. They are looked at by
 * sp_engine_next_event. */
SP_API int sp_engine_received(sp_engine *engine, size_t length);
/* Copies bytes in: both of the above in one, for callers that have them elsewhere. Takes up to
 * `length` and returns how many. */
SP_API int sp_engine_receive(sp_engine *engine, const void *bytes, size_t length);
/* The peer closed its side, or reading failed (`error` negative, `message` for a human or NULL). */
SP_API void sp_engine_input_ended(sp_engine *engine, int error, const char *message);
/* What to send: fills up to `count` entries, returns how many. They stay as they are until
 * consumed. */
SP_API int sp_engine_output(const sp_engine *engine, struct iovec *vector, int count);
SP_API size_t sp_engine_output_length(const sp_engine *engine);
SP_API void sp_engine_consumed(sp_engine *engine, size_t length);

/* ---- time ---- */
/* When to tick next, in the clock's milliseconds; UINT64_MAX: not needed. */
SP_API uint64_t sp_engine_deadline(const sp_engine *engine);
SP_API void sp_engine_tick(sp_engine *engine, uint64_t now_ms);

/* ---- events ---- */
/* 1: an event; 0: none now. After SP_EVENT_CLOSED: 0 for ever (send what output there is, close).
 */
SP_API int sp_engine_next_event(sp_engine *engine, sp_event *event);

/* ---- answers: 0, SP_ECONN (gone), SP_EALREADY, SP_EINVAL (not a form of that question) ---- */
/* SIGN: `signature` is a signature blob (4253 6.6); NULL: it could not be made. */
SP_API int sp_engine_answer_sign(sp_engine *engine, uint64_t question, const uint8_t *signature,
                                 size_t length);

/* COMPUTE: sp_computation_run has returned. */
SP_API int sp_engine_answer_computation(sp_engine *engine, uint64_t question);

typedef enum sp_auth_verdict {
    SP_AUTH_REJECT = 0,
    SP_AUTH_ACCEPT,          /* BEGIN: no authentication is required */
    SP_AUTH_PARTIAL,         /* right, but more is needed (4252 5.1): another method must follow */
    SP_AUTH_CHANGE_PASSWORD, /* PASSWORD, CHANGE_PASSWORD: with `prompt`, `language` */
    SP_AUTH_CHALLENGE,       /* KBDINT, KBDINT_RESPONSE: with `challenge` */
} sp_auth_verdict;

typedef struct sp_auth_reply {
    sp_auth_verdict verdict;
    const char *prompt;
    const char *language;
    const sp_challenge *challenge;
    /* ACCEPT and PARTIAL: as in sp_auth_grant (<sallyport/auth.h>). */
    const char *options;
    const char *const *principals; /* CA_KEY; NULL: the user's name */
    size_t principal_count;
    const sp_authorized_keys *authorized_keys; /* PUBLIC_KEY, CA_KEY */
    bool no_environment;
} sp_auth_reply;
/* BEGIN, PUBLIC_KEY, CA_KEY, PASSWORD, CHANGE_PASSWORD, KBDINT, KBDINT_RESPONSE, COMPLETED. The
 * engine copies what it needs. */
SP_API int sp_engine_answer_auth(sp_engine *engine, uint64_t question, const sp_auth_reply *reply);
/* METHODS: a set of SP_METHOD_... */
SP_API int sp_engine_answer_methods(sp_engine *engine, uint64_t question, unsigned methods);

typedef struct sp_channel_options {
    size_t size;
    uint32_t window_size; /* 0: the configuration's, for this and the rest */
    uint32_t window_max;
    uint32_t packet_size;
    size_t write_buffer_high;
    size_t write_buffer_low;
} sp_channel_options;
#define SP_CHANNEL_OPTIONS_INIT .size = sizeof(sp_channel_options)

/* OPEN: `options` may be NULL. */
SP_API int sp_engine_accept_open(sp_engine *engine, uint64_t question,
                                 const sp_channel_options *options);
/* `code` 0: CONNECT_FAILED; `text` NULL: the default text. */
SP_API int sp_engine_refuse_open(sp_engine *engine, uint64_t question, uint32_t code,
                                 const char *text);
typedef struct sp_global_reply {
    bool accepted;
    uint16_t port;     /* TCPIP_FORWARD of port 0: the port that is listened on */
    const void *bytes; /* requests with a reply of their own: its body, copied */
    size_t length;
} sp_global_reply;
/* GLOBAL_REQUEST. `reply` NULL: refused. SP_EINVAL: accepted without the port that was asked for.
 */
SP_API int sp_engine_answer_global(sp_engine *engine, uint64_t question,
                                   const sp_global_reply *reply);
/* REQUEST */
SP_API int sp_engine_answer_request(sp_engine *engine, uint64_t question, bool accepted);

/* ---- connection ---- */
SP_API int sp_engine_send_banner(sp_engine *engine, const char *text,
                                 const char *language); /* 4252 5.4 */
SP_API int sp_engine_send_debug(sp_engine *engine, const char *text, const char *language,
                                bool always_display); /* 4253 11.3 */
SP_API int sp_engine_send_ignore(sp_engine *engine, size_t length);
/* Sends DISCONNECT and ends; SP_EVENT_CLOSED follows. */
SP_API int sp_engine_disconnect(sp_engine *engine, uint32_t code, const char *text);
/* See sp_limits. SP_EINVAL: rekey_bytes below 16. */
SP_API int sp_engine_set_limits(sp_engine *engine, const sp_limits *limits);
/* Starts a key exchange unless one is running. SP_ESTATE before the first has ended. */
SP_API int sp_engine_rekey(sp_engine *engine);
/* The name that authentication succeeded for, or is being tried; NULL before. */
SP_API const char *sp_engine_username(const sp_engine *engine);
SP_API bool sp_engine_authenticated(const sp_engine *engine);
/* The methods (SP_METHOD_...) that this user has partially succeeded with: a key counts when its
 * signature was checked, not when it was accepted. */
SP_API unsigned sp_engine_methods_done(const sp_engine *engine);
SP_API const char *sp_engine_peer_version(const sp_engine *engine); /* NULL before it came */
SP_API const char *sp_engine_version(const sp_engine *engine);
SP_API int sp_engine_algorithms(const sp_engine *engine, sp_algorithms *out); /* SP_ESTATE before */
SP_API const uint8_t *sp_engine_session_id(const sp_engine *engine, size_t *length);
SP_API size_t sp_engine_channel_count(const sp_engine *engine);

/* ---- channels that we open ---- */
/* What is opened, by `type`; the members that it does not have stay zero. Texts: up to 4096 bytes,
 * NULL: empty.
 *   "forwarded-tcpip"                  dest: the address and port that the client had us listen on,
 *                                      orig: who connected (4254 7.2)
 *   "forwarded-streamlocal@openssh.com"  dest_path: the path listened on (OpenSSH PROTOCOL 2.4)
 *   "x11"                              orig (4254 6.3.2)
 *   "auth-agent@openssh.com"           nothing (OpenSSH PROTOCOL.agent) */
typedef struct sp_open_request {
    size_t size;
    const char *type;
    const char *dest_host;
    const char *orig_host;
    const char *dest_path;
    uint16_t dest_port;
    uint16_t orig_port;
} sp_open_request;
#define SP_OPEN_REQUEST_INIT .size = sizeof(sp_open_request)
/* Asks the client for a channel; `*channel` is its number with us. SP_EVENT_OPENED follows, and the
 * channel is like any other from then on; or SP_EVENT_OPEN_FAILED, or SP_EVENT_CHANNEL_CLOSED when
 * the connection is lost before (or the channel was closed here). Until then reading and writing
 * return SP_ESTATE; closing and aborting it take it back: what the client answers is not told, only
 * the end is. `options` may be NULL. Errors: SP_ESTATE (channels are not served yet), SP_ELIMIT
 * (max_channels, or the budget for windows), SP_EINVAL, SP_ENOMEM, SP_ECONN. */
SP_API int sp_engine_open_channel(sp_engine *engine, const sp_open_request *what,
                                  const sp_channel_options *options, uint32_t *channel);

/* ---- keys and certificates of clients ---- */
/* The peer's address as inet_ntop writes it, for from= and source-address; NULL, or never told:
 * none that they allow. SP_ENOMEM. */
SP_API int sp_engine_set_peer_address(sp_engine *engine, const char *address);
/* Keys and CAs that may log in: consulted before AUTH_PUBLIC_KEY and AUTH_CA_KEY are asked, and
 * publickey may be tried whatever AUTH_METHODS is answered. A key there is all that is needed.
 * Before the first user name: for the connection. Later: for the present user name only (NULL: none
 * for it); a new name goes back to the connection's. Takes a reference. */
SP_API void sp_engine_set_authorized_keys(sp_engine *engine, const sp_authorized_keys *list);
/* Of the signature algorithms of the options, those that the present user name may log in with:
 * names with commas between; NULL: all. A client that takes it (ext-info-in-auth@openssh.com,
 * OpenSSH PROTOCOL) is told, when it is set while the first AUTH_BEGIN is open. A new name goes
 * back to all. SP_ESTATE: there is no user name yet. SP_EINVAL (too long), SP_ENOMEM, SP_ECONN. */
SP_API int sp_engine_set_signature_algorithms(sp_engine *engine, const char *list);
/* Keys, certificates and CAs that nobody may use, whoever accepts them: by either list; NULL: no
 * such list. Replaces both. Takes references. */
SP_API void sp_engine_set_revoked_keys(sp_engine *engine, const sp_revoked_keys *list,
                                       const sp_revoked_keys *more);
/* What the proof of the login permits; all after success. See <sallyport/server.h>. */
SP_API const sp_cert *sp_engine_certificate(const sp_engine *engine);
SP_API const char *sp_engine_get_key_option(const sp_engine *engine, const char *name,
                                            size_t index);
SP_API bool sp_engine_check_key_permission(const sp_engine *engine, const char *name);
SP_API const char *sp_engine_get_certificate_option(const sp_engine *engine, const char *name);
SP_API bool sp_engine_check_certificate_permission(const sp_engine *engine, const char *name);
/* "NAME=value" of the index-th variable that sessions begin with; NULL past the end. */
SP_API const char *sp_engine_environment_at(const sp_engine *engine, size_t index);
/* NULL: none. */
SP_API const char *sp_engine_forced_command(const sp_engine *engine);

/* ---- channels: SP_ECONN when there is no such channel, SP_ECLOSED when it is closing ---- */
/* Takes up to `length` bytes and returns how many: less (even 0) when the write buffer is full;
 * SP_EVENT_RESUME_WRITING tells when to go on. `type`: SP_DATA_... */
SP_API ptrdiff_t sp_engine_write(sp_engine *engine, uint32_t channel, uint32_t type,
                                 const void *bytes, size_t length);
SP_API int sp_engine_write_eof(sp_engine *engine, uint32_t channel);
/* Bytes not yet sent. */
SP_API size_t sp_engine_write_buffered(const sp_engine *engine, uint32_t channel);
SP_API int sp_engine_pause_reading(sp_engine *engine, uint32_t channel);
SP_API int sp_engine_resume_reading(sp_engine *engine, uint32_t channel);
/* What the client has sent before its CLOSE is delivered before CHANNEL_CLOSED even while reading
 * is paused, all at once. Without this a paused channel gives it up. Errors as those of
 * sp_engine_pause_reading. */
SP_API int sp_engine_deliver_all(sp_engine *engine, uint32_t channel);
/* Exit status or signal (4254 6.10), once, then EOF and close when all is sent. */
SP_API int sp_engine_exit(sp_engine *engine, uint32_t channel, uint32_t status);
SP_API int sp_engine_exit_with_signal(sp_engine *engine, uint32_t channel, const char *name,
                                      bool core_dumped, const char *message, const char *language);
SP_API int sp_engine_set_xon_xoff(sp_engine *engine, uint32_t channel,
                                  bool client_can_do); /* 6.8 */
/* Tells the client that we read no more (eow@openssh.com). */
SP_API int sp_engine_send_eow(sp_engine *engine, uint32_t channel);
/* Sends what is buffered, then EOF and close. */
SP_API int sp_engine_close_channel(sp_engine *engine, uint32_t channel);
/* Close now; what is buffered is dropped. */
SP_API int sp_engine_abort_channel(sp_engine *engine, uint32_t channel);

#ifdef __cplusplus
}
#endif
#endif
