/* contract.h: contract_server, a server on the public API whose answers are steered by the user
 * name, so that a test can ask for each handler's every form.
 *
 * A user name is a list of words with dots between: <handler>-<what>[-<when>].
 *   handler  begin pk pw change kbd resp done; open pty env shell exec sub brk
 *   what     accept, reject; check (the server's own keys, the password "secret"); partial;
 *            required (change of password); one two empty many (challenges); release
 *            (unanswered); garbage (a value that is no answer); wrong (a form that does not fit);
 *            open only: refuse (with code 1 and a text), small (with channel options), plain
 *            (accepted, with nothing to serve it)
 *   when     now (the return value), call (by a call, in the handler), later (a timer), thread
 *            (another thread), work (the thread pool), held (on "answer" from standard input, or
 *            when the server stops), gone (after the connection or channel was lost), twice (yes,
 *            then the opposite, later), twicenow (the same in the handler)
 * Further words: off-pk off-pw off-kbd (the handler is there, the method is not offered), aspw
 * (keyboard-interactive as password), limit-N limitpk-N limitkbd-N (passwords, keys,
 * keyboard-interactive are offered until N passwords were tried), banner.
 * "pw-required.change-accept-later" is a name. A name without a word that starts with a handler's
 * name is an ordinary user: keys of --authorized, the password "secret", keyboard-interactive as
 * password.
 *
 * Sessions run the commands of commands.c. Events are lines of JSON on standard output; standard
 * input takes the orders of control.c. */
#ifndef TESTS_TOOLS_CONTRACT_H
#define TESTS_TOOLS_CONTRACT_H

#include "../json_events.h"
#include "../sha256.h"

#include <pthread.h>
#include <sallyport.h>

typedef struct app {
    sp_server *server;
    sp_authorized_keys *authorized;
    const char *banner;
    const char *absent; /* names of handlers to leave out, with commas around */
    bool quiet;
    pthread_mutex_t lock; /* for `held` */
    struct question *held;
    struct session *late; /* sessions that read nothing before "resume" */
    uint64_t threads;     /* running answer threads, under the lock */
} app;

/* What the application keeps for each connection. */
typedef struct client {
    app *app;
    uint64_t id;
    unsigned password_attempts;
    unsigned round;
    char challenge[16]; /* which form of challenge is running */
} client;

typedef enum question_kind { ASK_AUTH, ASK_OPEN, ASK_REQUEST } question_kind;

/* A question that waits for its answer. */
typedef struct question {
    app *app;
    question_kind kind;
    sp_auth *auth;
    sp_open *open;
    sp_request *request;
    client *client; /* NULL when the connection is gone; touched on the loop's thread only */
    sp_channel *channel;
    uint64_t conn;
    char handler[32];
    char what[16];
    char when[16];
    char challenge[16]; /* the form to send, decided when the question was asked */
    unsigned round;
    sp_timer *timer;
    struct question *next;
} question;

/* One round of a challenge: what is asked, and what is right. */
typedef struct round {
    const char *form;
    unsigned number;
    sp_challenge challenge;
    const char *expected[2];
} round_entry;

/* ---- a session ---- */

typedef enum session_run {
    RUN_NONE,
    RUN_ECHO,   /* bytes go back; EOF ends with status 0 */
    RUN_SINK,   /* bytes are counted and hashed; the figures are printed at EOF */
    RUN_COUNT,  /* the same without the hash */
    RUN_SOURCE, /* bytes are made; their hash goes to stderr at the end */
    RUN_FLOOD,  /* bytes of no interest are sent */
    RUN_HOLD,   /* nothing happens */
    RUN_TELL    /* signals, breaks and sizes are printed as they come */
} session_run;

typedef struct session {
    client *client;
    app *app;
    sp_channel *channel;
    char command[1024];
    session_run run;
    uint8_t *pending; /* what the write buffer did not take */
    size_t pending_start;
    size_t pending_length;
    size_t pending_room;
    uint64_t received;
    uint64_t remaining;
    uint64_t random;
    sha256 hash;
    uint8_t block[16384];
    size_t block_used;
    size_t block_length;
    bool to_stderr;
    bool both;
    bool told; /* the hash */
    bool at_eof;
    bool slow;
    bool reading_paused;
    bool ended;
    sp_timer *timer;
    struct session *next_late;
} session;

/* ---- words.c ---- */
const char *result_name(int result);
bool is_absent(const app *a, const char *name);
/* Finds `word` in a user name and copies the parts behind it; without them "check" and "now". */
bool find_word(const char *username, const char *word, char what[16], char when[16]);
bool has_words(const char *username);
bool word_is(const char *username, const char *word, const char *value);

/* ---- challenges.c ---- */
const round_entry *find_round(const char *form, unsigned number);
bool is_challenge(const char *what);

/* ---- answers.c ---- */
question *new_question(client *c, question_kind kind, const char *handler);
void log_question(const question *q, const char *username, const char *text);
/* Answers `q` in its form. Takes it over. */
sp_answer settle(question *q);
/* Finishes held questions: those of a lost connection or channel, or all that are `held`. */
void finish_held(app *a, const client *lost, const sp_channel *channel);

/* ---- streams.c ---- */
void end_session(session *s, uint32_t status);
void source_pump(session *s);
void echo_flush(session *s);
void echo_take(session *s, const void *bytes, size_t length);
void print_sink(session *s);

/* ---- commands.c ---- */
void start_command(session *s, const char *command); /* what is not known ends with status 127 */

/* ---- session.c ---- */
int open_now(app *a, sp_open *open, bool small); /* thread: any */
sp_answer on_session(sp_conn *conn, sp_open *open);

/* ---- connection.c ---- */
void on_made(sp_conn *conn);
void on_lost(sp_conn *conn, const sp_conn_error *error);
void on_debug(sp_conn *conn, const char *message, const char *language, bool always_display);

/* ---- auth.c ---- */
sp_answer on_begin(sp_conn *conn, sp_auth *auth, const char *username);
bool on_pk_supported(sp_conn *conn);
bool on_pw_supported(sp_conn *conn);
sp_kbdint_support on_kbd_supported(sp_conn *conn);
sp_answer on_public_key(sp_conn *conn, sp_auth *auth, const char *username, const sp_key *key);
sp_answer on_password(sp_conn *conn, sp_auth *auth, const char *username, const char *password);
sp_answer on_change(sp_conn *conn, sp_auth *auth, const char *username, const char *old_password,
                    const char *new_password);
sp_answer on_challenge(sp_conn *conn, sp_auth *auth, const char *username, const char *language,
                       const char *submethods);
sp_answer on_response(sp_conn *conn, sp_auth *auth, const char *username,
                      const char *const *responses, size_t count);
sp_answer on_completed(sp_conn *conn, sp_auth *auth, const char *username);

/* ---- control.c ---- */
void *control_thread(void *app);

#endif
