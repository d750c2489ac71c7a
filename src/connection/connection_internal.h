/* What the files of the connection room share: the connection, its channels, the tables of channel
 * and request types. Nobody outside the room (but its tests) includes this.
 *
 * How the room works: messages and calls change a channel's state; what the application should
 * hear of that is read off the state later by spn_next_event, which visits the channels on the
 * ready list. There is no queue of events, so nothing grows by not being read. */
#ifndef SPN_CONNECTION_INTERNAL_H
#define SPN_CONNECTION_INTERNAL_H

#include "base/list.h"
#include "base/wire.h"
#include "connection/connection.h"
#include "transport/messages.h"

/* A channel number also has to fit into a question's number. */
#define SPN_SLOT_BITS 20
#define SPN_SLOT_MASK (((uint32_t)1 << SPN_SLOT_BITS) - 1)
#define SPN_CHANNELS_MAX SPN_SLOT_MASK /* the last slot number stays free, for no channel */
#define SPN_QUESTION_ROOM ((uint64_t)2 << 56)
#define SPN_QUESTION_COUNT_MASK (((uint64_t)1 << (56 - SPN_SLOT_BITS)) - 1)

#define SPN_PEER_PACKET_MIN 32u /* smaller ones would make us loop over tiny packets */
#define SPN_SEND_MAX 32768u     /* channel data in one packet that we send */
#define SPN_PACKET_MAX 65536u   /* channel data in one packet that we take, at most */
#define SPN_REQUESTS_MAX 64u    /* requests that wait on one channel */
#define SPN_TARGET_MAX 4096u    /* the longest host or path */
#define SPN_GLOBALS_MAX 256u    /* global requests that wait for their answer or their turn */
#define SPN_GLOBAL_BYTES_MAX ((size_t)256 * 1024)
#define SPN_REQUEST_BYTES_MAX ((size_t)256 * 1024)
#define SPN_ENV_MAX 256u /* environment variables of one session */
#define SPN_ENV_BYTES_MAX ((size_t)64 * 1024)
#define SPN_MODES_MAX 159u
#define SPN_X11_PROTOCOL_MAX 64u /* the name of an X authentication protocol */
#define SPN_X11_COOKIE_MAX 1024u /* in hexadecimal digits */
#define SPN_X11_SCREEN_MAX 255u

typedef struct spn_channel spn_channel;
typedef struct spn_request spn_request;

/* ---- memory whose end is put off ---------------------------------------------------------------
 * An event may point into it: it is freed when the next event is taken. The node comes first. */
typedef struct spn_node {
    struct spn_node *next;
    bool pooled;     /* goes back to the pool */
    uint32_t secret; /* so many bytes from here on are wiped before it is freed */
} spn_node;

void spn_node_free(spn_connection *c, void *object); /* at once; NULL is fine */

void spn_trash(spn_connection *c, void *object);
void spn_settle(spn_connection *c); /* frees it */

/* ---- fifo.c: a queue of typed bytes --------------------------------------------------------- */
typedef struct spn_chunk {
    spn_node node;
    uint32_t start; /* the first segment's header */
    uint32_t last;  /* the last segment's header */
    uint32_t end;
    uint32_t capacity;
    uint8_t bytes[];
} spn_chunk;

typedef struct spn_fifo {
    spn_chunk *first;
    spn_chunk *last;
    size_t length; /* of the data in it */
} spn_fifo;

bool spn_fifo_put(spn_fifo *f, spn_connection *c, uint32_t type, const void *bytes, size_t length);
/* The longest piece of one type at the front; false when empty. */
bool spn_fifo_peek(const spn_fifo *f, uint32_t *type, spb_span *piece);
/* Drops bytes of that piece. Returns the chunk if it is empty now, for spn_node_free or
 * spn_trash. */
spn_chunk *spn_fifo_drop(spn_fifo *f, size_t length);
/* Empties it; the memory goes to the trash. */
void spn_fifo_clear(spn_fifo *f, spn_connection *c);

/* ---- channels ------------------------------------------------------------------------------- */

/* OPENING -> OPEN            the client opens it, and the application has accepted
 * OPENING -> (gone)          refused, or the connection was lost
 * ASKED -> OPEN              we opened it, and the client has confirmed
 * ASKED -> REFUSED -> (gone) or has refused; OPEN_FAILED was taken
 * ASKED -> CLOSED            the connection was lost, or the open was taken back unsent
 * OPEN -> CLOSING            the application ends the channel; held output goes out first
 * OPEN, CLOSING -> CLOSE_SENT  all is sent, or aborted
 * OPEN, CLOSING, CLOSE_SENT -> CLOSED   the peer's CLOSE came (ours is out then, too)
 * CLOSED -> (gone)           CHANNEL_CLOSED was taken; only now the number is free again */
typedef enum spn_state {
    SPN_OPENING,
    SPN_OPEN,
    SPN_CLOSING,
    SPN_CLOSE_SENT,
    SPN_CLOSED,
    SPN_ASKED,
    SPN_REFUSED,
} spn_state;

/* May data be delivered? Types without something to start are RUNNING from the beginning. */
typedef enum spn_start {
    SPN_SETUP,     /* a session before its shell, exec or subsystem */
    SPN_START_DUE, /* accepted; the STARTED (or OPENED) event is due */
    SPN_RUNNING,
} spn_start;

typedef enum spn_input {
    SPN_INPUT_FLOWS,
    SPN_INPUT_EOF_DUE,  /* the peer's EOF came; the event is due behind the data */
    SPN_INPUT_EOF_TOLD, /* and was taken, or is not wanted any more */
} spn_input;

typedef enum spn_output {
    SPN_OUTPUT_FLOWS,
    SPN_OUTPUT_EOF_DUE, /* behind the held data */
    SPN_OUTPUT_EOF_SENT,
} spn_output;

/* What the application knows about writing. A short write is always followed by RESUME. */
typedef enum spn_note {
    SPN_NOTE_NONE,
    SPN_NOTE_PAUSE_DUE,
    SPN_NOTE_PAUSED,
    SPN_NOTE_RESUME_DUE,
    SPN_NOTE_BOTH_DUE, /* PAUSE, then RESUME */
} spn_note;

typedef struct spn_window {
    uint32_t credit;      /* what the peer may still send */
    uint32_t target;      /* the size: credit + held + delivered but not granted again */
    uint32_t initial;     /* it never shrinks below */
    uint32_t max;         /* nor grows above */
    uint32_t packet;      /* largest channel data in one packet */
    uint64_t charged;     /* its part of the connection's budget */
    bool limited;         /* the peer had to wait for credit, and the window has not grown since */
    bool behind;          /* the application let data lie since the last adjust */
    uint64_t adjusted_at; /* when it was sent */
    uint64_t round_trip;  /* the shortest seen, ms; 0: none yet */
    bool timing;          /* a round trip is being timed, */
    uint64_t timed_from;  /* from an adjust sent then */
    uint32_t timed_left;  /* to the byte behind as many more, */
    uint64_t timed_edge;  /* the last of which came then */
} spn_window;

/* Where a channel that the client opens is to lead. */
typedef struct spn_target {
    spb_span dest; /* a host or a path */
    spb_span orig;
    uint32_t dest_port;
    uint32_t orig_port;
} spn_target;

typedef struct spn_place {
    spn_node node;
    uint16_t dest_port;
    uint16_t orig_port;
    const char *dest;
    const char *orig;
    char text[];
} spn_place;

/* Why the client refused a channel that we opened. */
typedef struct spn_failure {
    spn_node node;
    uint32_t code;
    char text[256];
} spn_failure;

/* A kind of channel. More kinds: more rows in channel_open.c, or in own_open.c for those that we
 * open. */
typedef struct spn_channel_type {
    const char *name;
    const char *refusal; /* default text of a refused open */
    bool session;        /* counts as a session */
    spn_start start;
    const struct spn_request_type *requests; /* up to a row without a name */
    bool path;                               /* leads to a path, not to a host and port */
    /* Reads what follows the common part of CHANNEL_OPEN. NULL: nothing does. */
    void (*parse)(spb_reader *r, spn_target *target);
    /* Kinds that we open: writes what follows the common part of CHANNEL_OPEN. */
    void (*put)(spb_buffer *b, const sp_open_request *what);
} spn_channel_type;

struct spn_channel {
    spn_connection *c;
    const spn_channel_type *type;
    spb_link ready;   /* has an event, perhaps */
    spb_link sending; /* has something to send as soon as the output takes it */
    uint32_t number;
    uint32_t peer_number;
    spn_state state;
    spn_start start;
    spn_input input;
    spn_output output;
    spn_note note;
    bool paused;       /* the application reads no more for now */
    bool deliver_all;  /* but after the peer's CLOSE it takes the rest */
    bool eow_sent;     /* we told the peer that we read no more */
    bool eow_received; /* the peer reads no more of the normal stream */
    bool pty;
    bool agent; /* forwarding was granted, as for X11 */
    bool x11;
    bool adjust_due; /* a window adjust waits for the output */
    bool unwanted;   /* ASKED: taken back; closed as soon as the client confirms */

    spn_place *place; /* until the open is answered; NULL for a session */

    uint64_t question;          /* the one open question, 0: none */
    uint64_t answered;          /* the last one that was answered */
    uint64_t canceled;          /* its CANCELED event is due */
    spn_request *first_request; /* the queue; the first one may be the open question */
    spn_request *last_request;
    size_t request_count;
    size_t request_bytes;
    unsigned env_count;
    size_t env_bytes;

    spn_window window;
    spn_fifo received; /* data that could not be delivered when it came */

    uint32_t peer_window;
    uint32_t peer_packet; /* the peer's limit and our own, whichever is smaller */
    size_t write_high;
    size_t write_low;
    spn_fifo held;   /* written, not yet sent */
    bool wants_room; /* a writer that holds its bytes itself waits for its turn */

    uint8_t *open_body; /* ASKED: our CHANNEL_OPEN, as long as the output does not take it */
    size_t open_length;
    spn_failure *failure; /* REFUSED */

    uint8_t *exit_body; /* the exit request, encoded; sent behind the data */
    size_t exit_length;
    const sp_conn_error *error; /* for CHANNEL_CLOSED */
};

struct spn_connection {
    spt_transport *transport;
    const spb_env *env;
    spb_pool *pool;
    const sp_protocol_options *options;
    spk_permissions *permissions; /* asked by permit.c only; NULL: nothing is permitted */
    bool environment;             /* their environment= is obeyed */
    spn_channel **table;
    uint32_t table_size;
    uint32_t first_free; /* no free slot below this one */
    uint32_t count;
    uint32_t sessions;
    uint32_t keepalives;
    bool released;
    bool no_more_sessions;
    bool lost;
    uint64_t questions;
    uint64_t windows; /* the sum of what the channels are charged */
    spb_link ready;
    spb_link sending;
    bool turn_given;  /* flushing stopped for a writer with bytes of its own */
    spb_link globals; /* global requests whose reply has not been sent */
    uint32_t global_count;
    uint32_t globals_due; /* of these, not asked yet */
    size_t global_bytes;
    uint32_t proofs; /* that were asked for */
    spn_node *trash;
};

/* Protocol errors all end alike. */
#define spn_bad(c, ...)                                                                            \
    spt_fail((c)->transport, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, __VA_ARGS__)
int spn_no_memory(spn_connection *c);

/* table.c */
spn_channel *spn_find(const spn_connection *c, uint32_t number);
/* For a call of the application: an open channel, or why not. */
int spn_find_open(const spn_connection *c, uint32_t number, spn_channel **channel);
spn_channel *spn_channel_add(spn_connection *c, const spn_channel_type *type);
void spn_channel_remove(spn_channel *ch);
uint64_t spn_question_new(spn_channel *ch);
/* The channel whose open question this is; else why not. */
int spn_question_find(const spn_connection *c, uint64_t question, spn_channel **channel);
void spn_question_answered(spn_channel *ch);
void spn_ready(spn_channel *ch);

/* The handlers of messages. Channel messages other than OPEN get their channel. */
int spn_on_open(spn_connection *c, spb_reader *r);
int spn_on_data(spn_channel *ch, spb_reader *r, bool extended, sp_event *event);
int spn_on_eof(spn_channel *ch, spb_reader *r);
int spn_on_close(spn_channel *ch, spb_reader *r);
int spn_on_adjust(spn_channel *ch, spb_reader *r);
int spn_on_request(spn_channel *ch, spb_reader *r);
int spn_on_global_request(spn_connection *c, spb_reader *r);
int spn_on_global_reply(spn_connection *c);
int spn_on_confirmation(spn_channel *ch, spb_reader *r);
int spn_on_failure(spn_channel *ch, spb_reader *r);

/* global.c */
bool spn_global_event(spn_connection *c, sp_event *event);
void spn_globals_lost(spn_connection *c); /* drops what was not asked; the rest is canceled */
void spn_globals_drop(spn_connection *c);

/* permit.c: what the login may do. NONE, and whatever is not known, never. */
bool spn_may(const spn_connection *c, spk_permit what);
/* Listening on the client's behalf: on this host (as the client wrote it) and port, on this path.
 */
bool spn_may_listen(const spn_connection *c, const char *host, uint32_t port);
bool spn_may_listen_path(const spn_connection *c, const char *path);
/* May the channel lead where it is to lead? */
bool spn_place_permitted(const spn_channel *ch);
/* What runs whatever the client asks for; NULL: that. */
const char *spn_forced_command(const spn_connection *c);
/* Do the keys themselves set this environment variable? */
bool spn_variable_is_set(const spn_connection *c, const char *name);
/* host_keys.c: OpenSSH PROTOCOL 2.5 */
#define SPN_PROOFS_MAX 16u /* requests for one in a connection */
/* A proof that is being made, key by key. */
typedef struct spn_proof {
    spb_span left; /* what is still to be proven, as the client listed it */
    const sp_key *key;
    const char *algorithm;
    uint8_t *data; /* what the key signs, with room for spn_proof_room bytes */
    size_t length;
} spn_proof;
typedef enum spn_proof_list {
    SPN_PROOF_MALFORMED,
    SPN_PROOF_REFUSED, /* a key that is not ours, or too many */
    SPN_PROOF_LISTED,
} spn_proof_list;
spn_proof_list spn_proof_read(spn_connection *c, spb_reader *r, spb_span *list);
size_t spn_proof_room(const spn_connection *c);
/* Fills in the event (not its question) that asks for the next key's signature. */
void spn_proof_ask(const spn_connection *c, spn_proof *proof, sp_event *event);
bool spn_proof_good(const spn_connection *c, const spn_proof *proof, const uint8_t *signature,
                    size_t length);

/* channel_open.c */
void spn_forget_place(spn_channel *ch);
bool spn_is_text(spb_span text); /* could it be a host or a path? */
/* A copy of what the caller's version of the struct has; the rest is zero. `given` NULL is fine. */
int spn_read_options(const sp_channel_options *given, sp_channel_options *o);
/* Sizes of the windows and of the write buffer. */
void spn_set_sizes(spn_channel *ch, const sp_channel_options *o);

/* own_open.c */
int spn_send_open(spn_channel *ch);
void spn_forget_open(spn_channel *ch);
int spn_take_back(spn_channel *ch); /* an ASKED channel is not wanted any more */
bool spn_refused_event(spn_channel *ch, sp_event *event); /* removes the channel */

/* channel_data.c */
bool spn_may_deliver(const spn_channel *ch);
int spn_deliver_held(spn_channel *ch, sp_event *event); /* 1: a DATA event, 0: none */
void spn_drop_received(spn_channel *ch);

/* channel_write.c */
void spn_sending(spn_channel *ch); /* on or off the list, as its state is */
int spn_drained(spn_channel *ch);  /* what follows the data, if the data is gone */
void spn_drop_held(spn_channel *ch);
int spn_discard_normal(spn_channel *ch); /* the client reads no more of the normal stream */
int spn_simple(spn_channel *ch, uint8_t message); /* a message with just the number */

/* window.c */
bool spn_window_reserve(spn_channel *ch);
/* The default size of the window of a channel to be opened: less when many are open. */
uint32_t spn_window_share(const spn_channel *ch);
void spn_window_open(spn_channel *ch, uint32_t size, uint32_t max, uint32_t packet);
void spn_window_release(spn_channel *ch);
int spn_window_take(spn_channel *ch, size_t length);
int spn_window_consumed(spn_channel *ch);
int spn_window_grant(spn_channel *ch);
void spn_window_resumed(spn_channel *ch, size_t held);

/* request.c */
typedef struct spn_request_fields {
    spb_span text;
    spb_span value;
    bool impossible; /* well formed, but never to be granted */
    sp_term_size size;
    uint32_t milliseconds;
    uint32_t screen;
    bool single_connection;
    bool secret; /* the texts are */
    uint32_t input_speed;
    uint32_t output_speed;
    size_t mode_count;
    sp_term_mode modes[SPN_MODES_MAX];
} spn_request_fields;

typedef struct spn_request_type {
    const char *name;
    sp_request_type event; /* 0: the request has no event */
    bool tells;            /* an event that is no question: success without asking */
    void (*parse)(spb_reader *r, spn_request_fields *fields);
    /* Asked when its turn has come; NULL: always. */
    bool (*allowed)(const spn_channel *ch, const spn_request *request);
    void (*answered)(spn_channel *ch, const spn_request *request, bool accepted);
    /* For requests without an event: acts at once, whatever waits. */
    int (*act)(spn_channel *ch);
} spn_request_type;

struct spn_request {
    spn_node node;
    const spn_request_type *type; /* NULL: to be refused in its turn */
    bool want_reply;
    size_t bytes;
    const char *text;
    const char *value;
    sp_term_size size;
    uint32_t milliseconds;
    uint32_t screen;
    bool single_connection;
    sp_term_modes modes;
    /* modes and texts follow */
};

/* Copies a text to `*at` as a C string and steps over it. */
const char *spn_put_text(char **at, spb_span text);
bool spn_request_event(spn_channel *ch, sp_event *event);
int spn_requests_go_on(spn_channel *ch);
void spn_requests_drop(spn_channel *ch);

/* session.c */
extern const spn_request_type spn_session_requests[];
extern const spn_request_type spn_no_requests[];
void spn_decode_modes(spb_span text, spn_request_fields *fields);

/* close.c */
void spn_silence(spn_channel *ch); /* nothing is sent on it any more */
int spn_send_close(spn_channel *ch);

/* exit.c */
int spn_send_exit(spn_channel *ch);

#endif
