/* What the files of the server room share: the objects behind the public handles, and who may touch
 * them.
 *
 * A server has one loop; its connections, channels and timers belong to that loop's thread. Only
 * questions are touched by other threads; see question.h. With several loop threads there are as
 * many servers: the main one, and parts, which share an sps_group; see group.h. A connection's or
 * channel's memory is counted (plain counts: the loop's thread), and holds a reference to the
 * loop's queue for the allocator, so that it may outlive the server. */
#ifndef SPS_SERVER_H
#define SPS_SERVER_H

#include "loop/fiber.h"
#include "loop/loop.h"
#include "loop/socket.h"

#include "server/group.h"
#include "server/pace.h"
#include <sallyport/direct.h>
#include <sallyport/engine.h>
#include <sallyport/process.h>
#include <sallyport/server.h>

#define SPS_LINGER_MS 2000u
#define SPS_LENDING_DIRECTORY_MAX 48u /* with what comes behind it, a socket's address */

typedef struct sps_question sps_question;
typedef struct sps_process sps_process;
typedef struct sps_agent sps_agent;
typedef struct sps_display sps_display;

/* What has taken over a channel's bytes: a file transfer, of a room above. It is called in place of
 * the channel's handlers for them. The loop is not freed before each taker has ended. */
typedef struct sps_taker {
    spb_link link; /* of the server's */
    void (*data)(struct sps_taker *taker, const uint8_t *bytes, size_t length, uint32_t type);
    void (*eof)(struct sps_taker *taker);
    void (*resume)(struct sps_taker *taker);   /* the channel takes output again */
    void (*lost)(struct sps_taker *taker);     /* before connection_lost; the last of these calls */
    spb_link due;                              /* of its connection's */
    void (*gathered)(struct sps_taker *taker); /* asked for by sps_taker_gather */
} sps_taker;

typedef enum sps_server_state {
    SPS_RUNNING = 0,
    SPS_CLOSING, /* takes no new connections */
    SPS_CLOSED,  /* and has none any more */
} sps_server_state;

/* How sessions get what clients lend them; from the options, with the defaults filled in. */
typedef struct sps_lending {
    char *directory;
    unsigned x11_display_offset;
    unsigned x11_max_displays;
    uint32_t x11_setup_timeout_ms;
    bool x11_all_addresses;
} sps_lending;

struct sp_server {
    spb_env env;
    sp_server_handlers handlers;
    void *data;
    sp_config *config;
    sp_pool *pool;
    spl_loop *loop;
    spl_queue *queue;
    sps_group *group;
    unsigned index; /* in the group; 0: the main server */
    unsigned next;  /* where to begin looking for a place for the next connection */
    sps_counters counters;
    sps_total assigned;  /* connections here, and on their way to here */
    atomic_bool serving; /* its thread takes connections */
    atomic_bool quit;    /* its thread must end, whatever is left */
    spl_thread *thread;  /* of a part that runs */
    bool idle;           /* counted out of the group's busy ones */
    bool own_loop;
    bool no_delay;
    bool restless;   /* rests can't be had */
    bool log_limits; /* the next refusal for lack of resources is logged */
    sps_server_state state;
    atomic_bool stop_asked;
    unsigned backlog;
    unsigned max_connections;
    unsigned max_unauthenticated;
    sps_lending lending;
    unsigned max_listeners;
    sp_listen_options listening;    /* for those of clients */
    sp_authorized_keys *authorized; /* NULL: none */
    sp_revoked_keys *revoked;       /* NULL: no list */
    spl_task task;                  /* looks whether all is closed */
    spl_timer *drain_timer;         /* made when needed */
    spl_fine_timer *rest_timer;     /* the same */
    spb_link resting;               /* connections that are not read for a moment (pace.h) */
    spb_link listeners;
    spb_link conns;
    spb_link timers;
    spb_link processes;
    spb_link relays;
    spb_link waiters;
    spb_link directs; /* functions that run (direct.h) */
    spb_link takers;  /* that have not ended */
    spl_fiber_pool *fiber_pool;
    sp_process *direct; /* whose function runs right now */
    unsigned max_fibers;
    char extra_info[SPL_HOST_SIZE + 8]; /* what sp_conn_get_extra_info lends */
};

static inline bool sps_is_part(const sp_server *server)
{
    return server->index != 0;
}

/* Somebody who waits for an end: called once. */
typedef struct sps_waiter {
    spb_link link;
    void (*closed)(void *data);
    void *data;
} sps_waiter;

typedef enum sps_conn_state {
    SPS_CONN_OPEN = 0,
    SPS_CONN_LOST,   /* the engine is through: handlers were told; the last bytes leave */
    SPS_CONN_ENDING, /* they have left: waits for the peer to close, so that it can read them */
    SPS_CONN_GONE,   /* nothing but memory */
} sps_conn_state;

struct sp_conn {
    spb_link link;
    sp_server *server; /* NULL when gone */
    spl_queue *queue;
    sp_engine *engine; /* NULL from SPS_CONN_ENDING on */
    spl_watch *watch;  /* NULL: the socket is closed */
    spl_timer *timer;
    uint64_t timer_due; /* UINT64_MAX: not running */
    spl_task task;
    spb_link questions;
    spb_link forwards;  /* connections that are being made for opens */
    spb_link listeners; /* what the client has had us listen on */
    unsigned listener_count;
    spb_link drains; /* functions that wait for an empty write buffer (direct.h) */
    spb_link agents; /* signatures that are being made by an ssh-agent */
    spb_link due;    /* takers that look at what has come when all of it has */
    spb_link waiters;
    struct sp_channel **channels; /* by number; NULL where none is open */
    uint32_t channel_room;
    unsigned refs;
    void *data;
    uint64_t id;
    spl_address peer;
    spl_address local;
    sps_pace pace;
    spb_link rest;   /* on the server's list while what comes is not read (pace.h) */
    int write_error; /* errno of the write that failed; nothing is written any more */
    unsigned char state;
    bool running; /* in sps_conn_run: what handlers do is looked at when they return */
    bool input_ended;
    bool blocked;       /* the socket takes no more for now */
    bool authenticated; /* counted as such */
    bool kbdint_as_password;
    bool accept_waits;  /* a listener has accepted what no channel could be had for */
    bool agent_granted; /* to a session, so that its agent may be used */
};

typedef struct sps_variable {
    char *name;
    char *value;
} sps_variable;

struct sp_channel {
    sp_conn *conn; /* NULL when gone */
    spl_queue *queue;
    unsigned refs;
    uint32_t number;
    sp_session_handlers handlers;
    void *data;
    sps_process *process;
    sps_taker *taker;   /* NULL: none */
    sp_process *direct; /* owned: the function that serves it, if one does (direct.h) */
    spb_link waiters;
    char *private_directory; /* of what the client lends; NULL: none was made */
    sps_agent *agent;
    sps_display *display;
    sps_variable *environment;
    size_t environment_count;
    size_t environment_size; /* bytes of names and values */
    char *command;
    char *subsystem;
    char *terminal;
    sp_term_size size;
    sp_term_modes modes;           /* with memory of its own */
    sp_request_type original_type; /* what a forced command stands for; 0: nothing is forced */
    char *original;
    bool started;
    bool spawned; /* a process was joined: the handlers for its events are silent from then on */
    bool closing;
    bool lost;
    bool own; /* we opened it */
};

/* ---- rest.c ---- */
/* It is not read for so long, or less; 0, or if that can't be had: it is read as always. */
void sps_rest(sp_conn *conn, uint32_t microseconds);
bool sps_rests(const sp_conn *conn);
void sps_rests_end(sp_server *server); /* there will be none any more */

/* ---- server.c, listen.c, lifecycle.c ---- */
/* A table or options struct of the application's: copies what both versions know. */
bool sps_copy_sized(void *to, size_t to_size, const void *from);
void sps_server_accept(sp_server *server, int fd);
void sps_listeners_close(sp_server *server);
void sps_server_woken(void *server);     /* the queue was woken: stop? */
void sps_server_look(sp_server *server); /* later in this turn: is everything closed? */
void sps_takers_end(sp_server *server);  /* waits; the connections are gone */
void sps_timers_stop(sp_server *server, bool release);
/* Drops all connections and ends all functions, if the server is not closed. */
void sps_server_abort(sp_server *server);
int sps_wait(const spb_env *env, spb_link *waiters, void (*closed)(void *data), void *data);
void sps_waiters_call(const spb_env *env, spb_link *waiters);

/* ---- conn.c ---- */
/* In a place that was taken for it, which is the connection's from success on. Owns the descriptor,
 * also on failure. */
int sps_conn_start(sp_server *server, int fd);
/* Reacts to all events, sends, and sets what to wait for. Not for handlers: see sps_conn_touch. */
void sps_conn_run(sp_conn *conn);
void sps_conn_read(sp_conn *conn); /* its socket may have something */
/* Something was done to the engine: the connection runs before the loop waits again. */
void sps_conn_touch(sp_conn *conn);
void sps_conn_drop(sp_conn *conn);
/* The engine, or NULL when the connection is over. */
sp_engine *sps_conn_engine(const sp_conn *conn);
const spb_env *sps_conn_env(const sp_conn *conn);

/* ---- auth_events.c, sign.c, session_events.c ---- */
void sps_auth_event(sp_conn *conn, const sp_event *event);
void sps_sign_event(sp_conn *conn, const sp_event *event);
void sps_compute_event(sp_conn *conn, const sp_event *event);
void sps_open_event(sp_conn *conn, const sp_event *event);
void sps_channel_event(sp_conn *conn, const sp_event *event);

/* ---- channel.c, channel_state.c ---- */
/* Thread: any. */
sp_channel *sps_channel_new(spl_queue *queue, const sp_session_handlers *handlers, void *data);
/* Puts it into the connection's table. */
int sps_channel_attach(sp_channel *channel, sp_conn *conn, uint32_t number);
sp_channel *sps_channel_find(const sp_conn *conn, uint32_t number);
/* Tells its handlers, once, and drops the connection's reference. */
void sps_channel_lost(sp_channel *channel, const sp_conn_error *error);
/* SP_EINVAL: something else has the channel's bytes; SP_ECONN. */
int sps_channel_take(sp_channel *channel, sps_taker *taker);
/* `gathered` is called, once, when the connection has dealt with all that has arrived. */
void sps_taker_gather(sp_conn *conn, sps_taker *taker);
/* For a taker: as sp_channel_write, but nothing is kept; `resume` follows if less is taken. */
ptrdiff_t sps_channel_write_now(sp_channel *channel, const void *bytes, size_t length);
/* It needs the loop no more. */
void sps_taker_ended(sp_server *server, sps_taker *taker);
sp_engine *sps_channel_engine(const sp_channel *channel);
void sps_channel_touch(sp_channel *channel);
bool sps_channel_set_terminal(sp_channel *channel, const char *term, const sp_term_size *size,
                              const sp_term_modes *modes);
bool sps_channel_set_variable(sp_channel *channel, const char *name, const char *value);
bool sps_channel_set_text(sp_channel *channel, char **member, const char *text);
/* A session's environment begins with what the login's keys set. */
bool sps_channel_set_key_environment(sp_channel *channel, const sp_engine *engine);
/* What a request that starts something was before a command was forced. */
bool sps_channel_set_original(sp_channel *channel, const sp_event *event);
void sps_channel_free_state(sp_channel *channel);

/* ---- open.c ---- */
/* What <sallyport/direct.h> answers with. Thread: any. The channel is taken in every case. */
int sps_open_answer(sp_open *open, sp_channel *channel, const sp_channel_options *options);
spl_queue *sps_open_queue(const sp_open *open);
bool sps_open_leads_somewhere(const sp_open *open);
/* Accepts the open `question` with this channel, whose handlers are told. Else the client was
 * refused or is gone, the handlers were told that, and the channel is let go. */
void sps_open_serve(sp_conn *conn, uint64_t question, uint32_t number, sp_channel *channel,
                    const sp_channel_options *options);

bool sps_stream_handlers(const sp_stream_handlers *given, sp_session_handlers *handlers);

/* ---- to_client.c: channels that we open ---- */
/* Asks the client for a channel, which is the connection's from success on. On failure nothing has
 * happened to it; SP_ELIMIT: there is no room for another channel now. */
int sps_open_to_client(sp_conn *conn, const sp_open_request *what,
                       const sp_channel_options *options, sp_channel *channel);
/* The second half of it: `channel` stands for the engine's channel `number`, which is taken back on
 * failure. */
int sps_own_attach(sp_conn *conn, uint32_t number, sp_channel *channel);
/* The same for a stream of the application's; `out` may be NULL. */
int sps_create(sp_conn *conn, const sp_stream_handlers *given, void *data,
               const sp_channel_options *options, const sp_open_request *what, sp_channel **out);
void sps_opened_event(sp_channel *channel);
void sps_open_failed_event(sp_channel *channel, const sp_event *event);

/* ---- listen_question.c, listener.c, accept.c: listening for the client ---- */
void sps_global_event(sp_conn *conn, const sp_event *event);
void sps_listeners_lost(sp_conn *conn);
void sps_listeners_resume(sp_conn *conn); /* there may be room for channels again */

/* ---- forward.c: the library connects for an open ---- */
typedef struct sps_destination {
    const char *host; /* NULL: the path */
    const char *path;
    uint16_t port;
} sps_destination;
/* Connects, then accepts the open and relays, or refuses it. */
void sps_forward(sp_conn *conn, uint64_t question, uint32_t number, const sps_destination *to);
void sps_forwards_cancel(sp_conn *conn);

/* ---- agent.c ---- */
void sps_agents_cancel(sp_conn *conn);

/* ---- relay.c: a channel joined to a socket ---- */
/* A channel for an open, whose bytes go to the socket and come from it. It owns the descriptor,
 * also on failure. */
sp_channel *sps_relay_new(sp_server *server, int fd);
/* Before the channel is open: what goes to the client ahead of the socket's bytes. */
bool sps_relay_first(sp_channel *channel, const void *bytes, size_t length);
void sps_relays_forget(sp_server *server);

/* ---- lent.c: what the client lends to a session; more in lent.h ---- */
void sps_lent_close(sp_channel *channel);

/* ---- direct.c: a function that serves a channel ---- */
void sps_direct_free(sp_process *p); /* Thread: any */
void sps_direct_drained(sp_conn *conn);
void sps_directs_end(sp_server *server);

/* ---- spawn.c, process.c: a child joined to a channel ---- */
/* sp_channel_spawn; with `lent` not NULL the channel is used again after the child: no status is
 * sent, and `*lent` is the process until `exited` was called. */
int sps_channel_spawn(sp_channel *channel, const sp_spawn_options *options, sps_process **lent);
/* spawn_environment.c. The given environment (which may be NULL) with what the session adds to it:
 * one block, the caller's to free; NULL when out of memory. */
const char **sps_spawn_environment(const sp_channel *channel, const char *const *given);
void sps_process_data(sps_process *process, const uint8_t *bytes, size_t length);
void sps_process_eof(sps_process *process);
void sps_process_pause(sps_process *process);
void sps_process_resume(sps_process *process);
void sps_process_resize(sps_process *process, const sp_term_size *size);
void sps_process_signal(sps_process *process, const char *name);
bool sps_process_break(sps_process *process);
void sps_process_hang_up(sps_process *process); /* the channel is lost */
void sps_processes_forget(sp_server *server);

#endif
