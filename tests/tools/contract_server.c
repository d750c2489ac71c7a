/* contract_server.c: a server on the public API whose answers are steered by the user name, so that
 * a test can ask for each handler's every form.
 *
 * A user name is a list of words with dots between: <handler>-<what>[-<when>].
 *   handler  begin pk pw change kbd resp done; open pty env shell exec sub brk
 *   what     accept reject; check (the server's own keys, the password "secret"); partial; required
 *            (change of password); one two empty many (challenges); release (unanswered); garbage
 * (a value that is no answer); wrong (a form that does not fit); refuse (open: code 1) when     now
 * (the return value), call (by a call, in the handler), later (a timer), thread (another thread),
 * work (the thread pool), held (on "answer" from standard input, or when the server stops), gone
 * (after the connection or channel was lost), twice (yes, then the opposite, later), twicenow (the
 * same in the handler) Further words: off-pk off-pw off-kbd (the handler is there, the method is
 * not offered), aspw (keyboard- interactive as password), limit-N (passwords are offered for N
 * attempts), banner. "pw-required.change-accept-later" is a name. A name without a word that starts
 * with a handler's name is an ordinary user: keys of --authorized, the password "secret",
 * keyboard-interactive as password.
 *
 * Sessions run the commands listed at `commands` below. Events are lines of JSON on standard
 * output; standard input takes the lines listed at `control`. */
#include "json_events.h"
#include "sha256.h"

#include <pthread.h>
#include <sallyport.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- options and state ------------------------------------------------------------------------
 */

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

static const char *const handler_words[] = {"begin", "pk",  "pw",  "change", "kbd",  "resp", "done",
                                            "open",  "pty", "env", "shell",  "exec", "sub",  "brk"};

static const char *result_name(int result)
{
    switch (result) {
    case 0:
        return "ok";
    case SP_EALREADY:
        return "SP_EALREADY";
    case SP_ECONN:
        return "SP_ECONN";
    case SP_EINVAL:
        return "SP_EINVAL";
    case SP_ESTATE:
        return "SP_ESTATE";
    case SP_ECLOSED:
        return "SP_ECLOSED";
    default:
        return sp_strerror(result);
    }
}

static bool is_absent(const app *a, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, ",%s,", name);
    return a->absent != NULL && strstr(a->absent, wanted) != NULL;
}

/* Finds `word` in a user name and copies the parts behind it. */
static bool find_word(const char *username, const char *word, char what[16], char when[16])
{
    size_t length = strlen(word);
    strcpy(what, "check");
    strcpy(when, "now");
    if (username == NULL)
        return false;
    for (const char *at = username; at != NULL; at = strchr(at, '.')) {
        at += *at == '.';
        if (strncmp(at, word, length) != 0 ||
            (at[length] != '-' && at[length] != '.' && at[length] != '\0'))
            continue;
        if (at[length] == '-')
            sscanf(at + length + 1, "%15[^.-]-%15[^.-]", what, when);
        return true;
    }
    return false;
}

static bool has_words(const char *username)
{
    char what[16], when[16];
    for (size_t i = 0; i < sizeof handler_words / sizeof handler_words[0]; i++)
        if (find_word(username, handler_words[i], what, when))
            return true;
    return false;
}

static bool word_is(const char *username, const char *word, const char *value)
{
    char what[16], when[16];
    return find_word(username, word, what, when) && strcmp(what, value) == 0;
}

/* ---- challenges -------------------------------------------------------------------------------
 */

typedef struct round {
    const char *form;
    unsigned number;
    sp_challenge challenge;
    const char *expected[2];
} round_entry;

#define PROMPTS(...)                                                                               \
    .prompts = (const sp_prompt[]){__VA_ARGS__},                                                   \
    .prompt_count = sizeof((const sp_prompt[]){__VA_ARGS__}) / sizeof(sp_prompt)

static const round_entry rounds[] = {
    {"one",
     0,
     {.name = "Contract", .instructions = "One question", PROMPTS({"Code: ", false})},
     {"123456", NULL}},
    {"two", 0, {.name = "First", PROMPTS({"Colour: ", true}, {"Word: ", false})}, {"blue", "fish"}},
    {"two",
     1,
     {.name = "Second", .instructions = "And now", PROMPTS({"Code: ", false})},
     {"654321", NULL}},
    {"empty", 0, {.name = "Note", .instructions = "Nothing to type here"}, {NULL, NULL}},
    {"empty", 1, {PROMPTS({"Code: ", false})}, {"123456", NULL}},
    {"many", 0, {PROMPTS({"A: ", true})}, {"a", NULL}},
    {"many", 1, {PROMPTS({"B: ", true})}, {"b", NULL}},
    {"many", 2, {PROMPTS({"C: ", true})}, {"c", NULL}},
    {"many", 3, {PROMPTS({"D: ", true})}, {"d", NULL}},
    {"many", 4, {PROMPTS({"E: ", true})}, {"e", NULL}},
};

static const round_entry *find_round(const char *form, unsigned number)
{
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++)
        if (strcmp(rounds[i].form, form) == 0 && rounds[i].number == number)
            return &rounds[i];
    return NULL;
}

/* ---- answering --------------------------------------------------------------------------------
 */

static int open_now(app *a, sp_open *open, bool small);

static bool is_challenge(const char *what)
{
    return find_round(what, 0) != NULL;
}

/* Answers by a call. `opposite` turns accept and reject round. Thread: any. */
static int answer_by_call(question *q, bool opposite)
{
    const char *what = q->what;
    bool yes = strcmp(what, "reject") != 0 && strcmp(what, "refuse") != 0;
    if (opposite)
        yes = !yes;
    switch (q->kind) {
    case ASK_AUTH:
        if (!opposite && strcmp(what, "partial") == 0)
            return sp_auth_partial(q->auth);
        if (!opposite && strcmp(what, "required") == 0)
            return sp_auth_change_required(q->auth, "Choose a new password: ", "en");
        if (!opposite && is_challenge(what))
            return sp_auth_challenge(q->auth, &find_round(what, q->round)->challenge);
        return sp_auth_answer(q->auth, yes);
    case ASK_OPEN:
        if (!yes)
            return sp_open_refuse(q->open, strcmp(what, "refuse") == 0 ? 1 : 0,
                                  strcmp(what, "refuse") == 0 ? "Not today" : NULL);
        return open_now(q->app, q->open, strcmp(what, "small") == 0);
    case ASK_REQUEST:
        return sp_request_answer(q->request, yes);
    }
    return SP_EINVAL;
}

static void log_answer(const question *q, int first, int second, bool twice)
{
    event e;
    if (q->app->quiet)
        return;
    event_begin(&e, "answer");
    event_text(&e, "handler", q->handler);
    event_number(&e, "conn", (int64_t)q->conn);
    event_text(&e, "result", result_name(first));
    if (twice)
        event_text(&e, "second", result_name(second));
    event_end(&e);
}

static void release_question(question *q)
{
    if (q->auth != NULL)
        sp_auth_release(q->auth);
    if (q->open != NULL)
        sp_open_release(q->open);
    if (q->request != NULL)
        sp_request_release(q->request);
    free(q);
}

/* The end of a question that was kept with SP_LATER. */
static void finish(question *q)
{
    int first = 0;
    int second = 0;
    bool twice = strcmp(q->when, "twice") == 0;
    if (strcmp(q->what, "release") != 0) {
        first = answer_by_call(q, false);
        if (twice)
            second = answer_by_call(q, true);
    }
    log_answer(q, first, second, twice);
    release_question(q);
}

static void on_answer_timer(void *data)
{
    question *q = data;
    sp_timer *timer = q->timer;
    finish(q);
    sp_timer_stop(timer);
}

static void *answer_thread(void *data)
{
    question *q = data;
    app *a = q->app;
    finish(q);
    pthread_mutex_lock(&a->lock);
    a->threads--;
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static sp_answer immediate(question *q)
{
    if (strcmp(q->what, "accept") == 0)
        return SP_ACCEPT;
    if (strcmp(q->what, "garbage") == 0)
        return (sp_answer)77;
    return SP_REJECT;
}

static sp_answer work_answer(question *q)
{
    sp_answer answer = SP_ANSWERED;
    bool plain = strcmp(q->what, "accept") == 0 || strcmp(q->what, "reject") == 0;
    if (plain && q->kind != ASK_OPEN)
        answer = immediate(q);
    else
        answer = sp_answered(answer_by_call(q, false));
    log_answer(q, 0, 0, false);
    free(q);
    return answer;
}

static sp_answer work_auth(sp_auth *auth, void *data)
{
    (void)auth;
    return work_answer(data);
}

static sp_answer work_open(sp_open *open, void *data)
{
    (void)open;
    return work_answer(data);
}

static sp_answer work_request(sp_request *request, void *data)
{
    (void)request;
    return work_answer(data);
}

/* A form of answer that the question does not have: refused with SP_EINVAL, and the question stays.
 */
static int answer_wrongly(question *q)
{
    if (q->kind != ASK_AUTH)
        return SP_EINVAL;
    return sp_auth_password(q->auth) != NULL || sp_auth_key(q->auth) != NULL
               ? sp_auth_challenge(q->auth, &rounds[0].challenge)
               : sp_auth_change_required(q->auth, "No: ", "en");
}

static void log_question(const question *q, const char *username, const char *text)
{
    event e;
    if (q->app->quiet)
        return;
    event_begin(&e, "question");
    event_text(&e, "handler", q->handler);
    event_number(&e, "conn", (int64_t)q->conn);
    event_text(&e, "username", username);
    event_text(&e, "text", text);
    if (q->auth != NULL && sp_auth_key(q->auth) != NULL)
        event_bool(&e, "signed", sp_auth_key_signed(q->auth));
    if (q->auth != NULL && sp_auth_new_password(q->auth) != NULL)
        event_text(&e, "new", sp_auth_new_password(q->auth));
    if (q->auth != NULL && sp_auth_response_count(q->auth) > 0)
        event_text(&e, "response", sp_auth_response(q->auth, 0));
    event_end(&e);
}

/* Answers `q` in its form. Takes it over. */
static sp_answer settle(question *q)
{
    if (strcmp(q->what, "wrong") == 0) {
        log_answer(q, answer_wrongly(q), 0, false);
        strcpy(q->what, "accept");
    }
    if (strcmp(q->when, "now") == 0) {
        bool plain = strcmp(q->what, "accept") == 0 || strcmp(q->what, "reject") == 0 ||
                     strcmp(q->what, "garbage") == 0;
        if (plain && !(q->kind == ASK_OPEN && strcmp(q->what, "accept") == 0)) {
            sp_answer answer = immediate(q);
            free(q);
            return answer;
        }
        strcpy(q->when, "call");
    }
    if (strcmp(q->when, "call") == 0 || strcmp(q->when, "twicenow") == 0) {
        bool twice = strcmp(q->when, "twicenow") == 0;
        int first = answer_by_call(q, false);
        int second = twice ? answer_by_call(q, true) : 0;
        log_answer(q, first, second, twice);
        free(q);
        return sp_answered(first);
    }
    if (strcmp(q->when, "work") == 0) {
        switch (q->kind) {
        case ASK_AUTH:
            return sp_work(q->auth, work_auth, q);
        case ASK_OPEN:
            return sp_work(q->open, work_open, q);
        case ASK_REQUEST:
            return sp_work(q->request, work_request, q);
        }
    }
    if (strcmp(q->when, "thread") == 0) {
        pthread_t thread;
        pthread_mutex_lock(&q->app->lock);
        q->app->threads++;
        pthread_mutex_unlock(&q->app->lock);
        if (pthread_create(&thread, NULL, answer_thread, q) != 0)
            abort();
        pthread_detach(thread);
        return SP_LATER;
    }
    if (strcmp(q->when, "held") == 0 || strcmp(q->when, "gone") == 0) {
        pthread_mutex_lock(&q->app->lock);
        q->next = q->app->held;
        q->app->held = q;
        pthread_mutex_unlock(&q->app->lock);
        return SP_LATER;
    }
    q->timer = sp_timer_start(q->app->server, 20, 0, on_answer_timer, q);
    return SP_LATER;
}

/* Finishes held questions: those of a lost connection or channel, or all that are `held`. */
static void finish_held(app *a, const client *lost, const sp_channel *channel)
{
    question *due = NULL;
    pthread_mutex_lock(&a->lock);
    for (question **at = &a->held; *at != NULL;) {
        question *q = *at;
        bool gone = strcmp(q->when, "gone") == 0;
        bool match = lost != NULL      ? gone && q->client == lost
                     : channel != NULL ? gone && q->channel == channel
                                       : true;
        if (match) {
            *at = q->next;
            q->next = due;
            due = q;
        } else {
            at = &q->next;
        }
    }
    for (question *q = a->held; q != NULL && lost != NULL; q = q->next)
        if (q->client == lost)
            q->client = NULL;
    pthread_mutex_unlock(&a->lock);
    while (due != NULL) {
        question *q = due;
        due = q->next;
        finish(q);
    }
}

static question *new_question(client *c, question_kind kind, const char *handler)
{
    question *q = calloc(1, sizeof *q);
    if (q == NULL)
        abort();
    q->app = c->app;
    q->kind = kind;
    q->client = c;
    q->conn = c->id;
    snprintf(q->handler, sizeof q->handler, "%s", handler);
    return q;
}

/* ---- sessions ---------------------------------------------------------------------------------
 */

typedef struct session {
    client *client;
    app *app;
    sp_channel *channel;
    char command[1024];
    enum {
        RUN_NONE,
        RUN_ECHO,   /* bytes go back; EOF ends with status 0 */
        RUN_SINK,   /* bytes are counted and hashed; the figures are printed at EOF */
        RUN_COUNT,  /* the same without the hash */
        RUN_SOURCE, /* bytes are made; their hash goes to stderr at the end */
        RUN_FLOOD,  /* bytes of no interest are sent */
        RUN_HOLD,   /* nothing happens */
        RUN_TELL    /* signals, breaks and sizes are printed as they come */
    } run;
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

static void end_session(session *s, uint32_t status)
{
    if (s->ended)
        return;
    s->ended = true;
    sp_channel_exit(s->channel, status);
}

/* The next bytes to write, the hash after the last of them. False: there are no more. */
static bool source_next(session *s)
{
    s->block_used = 0;
    s->block_length = sizeof s->block < s->remaining ? sizeof s->block : (size_t)s->remaining;
    if (s->block_length > 0) {
        s->remaining -= s->block_length;
        if (s->run == RUN_SOURCE) {
            for (size_t i = 0; i < sizeof s->block; i += 8) {
                s->random ^= s->random << 13;
                s->random ^= s->random >> 7;
                s->random ^= s->random << 17;
                memcpy(s->block + i, &s->random, 8);
            }
            sha256_update(&s->hash, s->block, s->block_length);
        }
        if (s->both)
            s->to_stderr = !s->to_stderr;
        return true;
    }
    if (s->run != RUN_SOURCE || s->both || s->told)
        return false;
    char hex[65];
    sha256_hex(&s->hash, hex);
    s->block_length = (size_t)snprintf((char *)s->block, sizeof s->block, "sha256 %s\n", hex);
    s->to_stderr = true;
    s->told = true;
    return true;
}

static void source_pump(session *s)
{
    if (s->ended)
        return;
    while (s->block_used < s->block_length || source_next(s)) {
        ptrdiff_t taken = s->to_stderr
                              ? sp_channel_write_stderr(s->channel, s->block + s->block_used,
                                                        s->block_length - s->block_used)
                              : sp_channel_write(s->channel, s->block + s->block_used,
                                                 s->block_length - s->block_used);
        if (taken <= 0)
            return;
        s->block_used += (size_t)taken;
    }
    end_session(s, 0);
}

static void echo_flush(session *s)
{
    while (s->pending_length > 0) {
        ptrdiff_t taken =
            sp_channel_write(s->channel, s->pending + s->pending_start, s->pending_length);
        if (taken <= 0)
            return;
        s->pending_start += (size_t)taken;
        s->pending_length -= (size_t)taken;
    }
    s->pending_start = 0;
    if (s->reading_paused) {
        s->reading_paused = false;
        sp_channel_resume_reading(s->channel);
    }
    if (s->at_eof)
        end_session(s, 0);
}

static void echo_take(session *s, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    if (s->pending_length == 0) {
        ptrdiff_t taken = sp_channel_write(s->channel, from, length);
        if (taken < 0)
            return;
        from += taken;
        length -= (size_t)taken;
    }
    if (length == 0)
        return;
    if (s->pending_start + s->pending_length + length > s->pending_room) {
        s->pending_room = s->pending_start + s->pending_length + length;
        s->pending = realloc(s->pending, s->pending_room);
        if (s->pending == NULL)
            abort();
    }
    memcpy(s->pending + s->pending_start + s->pending_length, from, length);
    s->pending_length += length;
    if (!s->reading_paused) {
        s->reading_paused = true;
        sp_channel_pause_reading(s->channel);
    }
}

static void print_sink(session *s)
{
    char hex[65] = "-";
    if (s->run == RUN_SINK)
        sha256_hex(&s->hash, hex);
    sp_channel_printf(s->channel, "%llu %s\n", (unsigned long long)s->received, hex);
    end_session(s, 0);
}

static void on_slow_timer(void *data)
{
    session *s = data;
    s->reading_paused = false;
    sp_channel_resume_reading(s->channel);
}

static void log_channel(const session *s, const char *name, const char *key, const char *text)
{
    event e;
    if (s->app->quiet)
        return;
    event_begin(&e, name);
    event_number(&e, "conn", (int64_t)s->client->id);
    event_text(&e, key, text);
    event_end(&e);
}

static void print_environment(session *s)
{
    const char *name;
    const char *value;
    for (size_t i = 0; sp_channel_environment_at(s->channel, i, &name, &value); i++)
        sp_channel_printf(s->channel, "%s=%s\n", name, value);
}

static void print_terminal(session *s)
{
    sp_term_size size;
    const char *term = sp_channel_get_terminal_type(s->channel);
    const sp_term_modes *modes = sp_channel_get_terminal_modes(s->channel);
    if (term == NULL || !sp_channel_get_terminal_size(s->channel, &size)) {
        sp_channel_puts(s->channel, "no terminal\n");
        return;
    }
    sp_channel_printf(s->channel, "%s %u %u %u %u\n", term, size.columns, size.rows, size.width,
                      size.height);
    if (modes == NULL)
        return;
    sp_channel_printf(s->channel, "speed %u %u\n", modes->input_speed, modes->output_speed);
    for (size_t i = 0; i < modes->count; i++) {
        uint32_t value;
        if (sp_channel_get_terminal_mode(s->channel, modes->modes[i].opcode, &value))
            sp_channel_printf(s->channel, "mode %u %u\n", modes->modes[i].opcode, value);
    }
}

static void print_info(session *s)
{
    static const char *const names[] = {"username",
                                        "client_version",
                                        "server_version",
                                        "send_cipher",
                                        "recv_cipher",
                                        "send_mac",
                                        "recv_mac",
                                        "send_compression",
                                        "recv_compression",
                                        "kex",
                                        "server_host_key_alg",
                                        "peername",
                                        "sockname",
                                        "nonsense"};
    sp_conn *conn = sp_channel_conn(s->channel);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = sp_conn_get_extra_info(conn, names[i]);
        sp_channel_printf(s->channel, "%s=%s\n", names[i], value == NULL ? "(null)" : value);
    }
}

/* The commands. What is not known exits with status 127. */
static void start_command(session *s, const char *command)
{
    sp_conn *conn = sp_channel_conn(s->channel);
    unsigned long long number = 0;
    char word[128] = "";
    char rest[256] = "";
    sscanf(command, "%127s %255[^\n]", word, rest);
    sscanf(rest, "%llu", &number);
    snprintf(s->command, sizeof s->command, "%s", command);
    sha256_init(&s->hash);
    s->random = 0x9e3779b97f4a7c15u + number;
    s->remaining = number;
    if (strcmp(word, "echo") == 0) {
        s->run = RUN_ECHO;
    } else if (strcmp(word, "sink") == 0) {
        s->run = RUN_SINK;
    } else if (strcmp(word, "count") == 0) {
        s->run = RUN_COUNT;
    } else if (strcmp(word, "slowsink") == 0) { /* pauses for 1 ms at each piece */
        s->run = RUN_SINK;
        s->slow = true;
    } else if (strcmp(word, "latesink") ==
               0) { /* reads nothing before "resume" on standard input */
        s->run = RUN_SINK;
        s->reading_paused = true;
        s->next_late = s->app->late;
        s->app->late = s;
        sp_channel_pause_reading(s->channel);
    } else if (strcmp(word, "source") == 0) {
        s->run = RUN_SOURCE;
        source_pump(s);
    } else if (strcmp(word, "errsource") == 0) {
        s->run = RUN_FLOOD;
        s->to_stderr = true;
        source_pump(s);
    } else if (strcmp(word, "both") == 0) {
        s->run = RUN_SOURCE;
        s->both = true;
        source_pump(s);
    } else if (strcmp(word, "flood") == 0) {
        s->run = RUN_FLOOD;
        source_pump(s);
    } else if (strcmp(word, "hold") == 0) {
        s->run = RUN_HOLD;
        sp_channel_puts(s->channel, "holding\n");
    } else if (strcmp(word, "tell") == 0) {
        s->run = RUN_TELL;
        sp_channel_puts(s->channel, "telling\n");
    } else if (strcmp(word, "exit") == 0) {
        end_session(s, (uint32_t)number);
    } else if (strcmp(word, "kill") == 0) {
        s->ended = true;
        sp_channel_exit_with_signal(s->channel, rest, strcmp(rest, "SEGV") == 0, "as you wished",
                                    "en");
    } else if (strcmp(word, "stderr") == 0) {
        sp_channel_puts(s->channel, "to stdout\n");
        sp_channel_write_stderr(s->channel, "to stderr\n", 10);
        end_session(s, 3);
    } else if (strcmp(word, "print") == 0) {
        sp_channel_printf(s->channel, "%s\n", rest);
        end_session(s, 0);
    } else if (strcmp(word, "env") == 0) {
        print_environment(s);
        end_session(s, 0);
    } else if (strcmp(word, "terminal") == 0) {
        print_terminal(s);
        end_session(s, 0);
    } else if (strcmp(word, "info") == 0) {
        print_info(s);
        end_session(s, 0);
    } else if (strcmp(word, "eof") == 0) { /* half-close from our side, then a sink */
        s->run = RUN_SINK;
        sp_channel_puts(s->channel, "before eof\n");
        sp_channel_write_eof(s->channel);
    } else if (strcmp(word, "eow") == 0) {
        s->run = RUN_ECHO;
        sp_channel_send_eow(s->channel);
        sp_channel_puts(s->channel, "sent eow\n");
        end_session(s, 0);
    } else if (strcmp(word, "xon") == 0) {
        sp_channel_set_xon_xoff(s->channel, true);
        end_session(s, 0);
    } else if (strcmp(word, "close") == 0) {
        s->ended = true;
        sp_channel_close(s->channel);
    } else if (strcmp(word, "abort") == 0) {
        s->ended = true;
        sp_channel_abort(s->channel);
    } else if (strcmp(word, "connabort") == 0) {
        sp_conn_abort(conn);
    } else if (strcmp(word, "connclose") == 0) {
        sp_conn_close(conn);
    } else if (strcmp(word, "disconnect") == 0) {
        sp_conn_disconnect(conn, (uint32_t)number, "as you wished");
    } else if (strcmp(word, "rekey") == 0) {
        s->run = RUN_ECHO;
        sp_channel_printf(s->channel, "rekey %s\n", result_name(sp_conn_rekey(conn)));
    } else if (strcmp(word, "debug") == 0) {
        sp_channel_printf(s->channel, "debug %s\n",
                          result_name(sp_conn_send_debug(conn, "hello debug", "en", true)));
        end_session(s, 0);
    } else if (strcmp(word, "banner") == 0) {
        sp_channel_printf(s->channel, "banner %s\n",
                          result_name(sp_conn_send_auth_banner(conn, "too late\n", "")));
        end_session(s, 0);
    } else if (strcmp(word, "exittwice") == 0) {
        int first = sp_channel_exit(s->channel, 5);
        int second = sp_channel_exit(s->channel, 6);
        s->ended = true;
        event e;
        event_begin(&e, "exits");
        event_text(&e, "first", result_name(first));
        event_text(&e, "second", result_name(second));
        event_end(&e);
    } else {
        sp_channel_write_stderr(s->channel, "unknown command\n", 16);
        end_session(s, 127);
    }
}

static session *session_of(const sp_channel *channel)
{
    return sp_channel_data(channel);
}

static void on_channel_made(sp_channel *channel)
{
    session_of(channel)->channel = channel;
    session_of(channel)->client = sp_conn_data(sp_channel_conn(channel));
    log_channel(session_of(channel), "channel_made", "text", NULL);
}

static void on_channel_lost(sp_channel *channel, const sp_conn_error *error)
{
    session *s = session_of(channel);
    event e;
    if (!s->app->quiet) {
        event_begin(&e, "channel_lost");
        event_number(&e, "conn", (int64_t)s->client->id);
        event_text(&e, "command", s->command);
        event_text(&e, "error", error == NULL ? NULL : result_name(error->error));
        event_number(&e, "received", (int64_t)s->received);
        event_end(&e);
    }
    finish_held(s->app, NULL, channel);
    for (session **at = &s->app->late; *at != NULL; at = &(*at)->next_late)
        if (*at == s) {
            *at = s->next_late;
            break;
        }
    sp_timer_stop(s->timer);
    free(s->pending);
    sha256_free(&s->hash);
    free(s);
}

static sp_answer ask_request(sp_channel *channel, sp_request *request, const char *handler,
                             const char *word, const char *text)
{
    session *s = session_of(channel);
    const char *username = sp_conn_username(sp_channel_conn(channel));
    question *q = new_question(s->client, ASK_REQUEST, handler);
    q->request = request;
    q->channel = channel;
    if (!find_word(username, word, q->what, q->when) || strcmp(q->what, "check") == 0)
        strcpy(q->what, "accept");
    log_question(q, username, text);
    return settle(q);
}

static sp_answer on_pty(sp_channel *channel, sp_request *request, const char *term,
                        const sp_term_size *size, const sp_term_modes *modes)
{
    (void)size;
    (void)modes;
    return ask_request(channel, request, "pty_requested", "pty", term);
}

static sp_answer on_env(sp_channel *channel, sp_request *request, const char *name,
                        const char *value)
{
    (void)value;
    return ask_request(channel, request, "env_requested", "env", name);
}

static sp_answer on_shell(sp_channel *channel, sp_request *request)
{
    return ask_request(channel, request, "shell_requested", "shell", NULL);
}

static sp_answer on_exec(sp_channel *channel, sp_request *request, const char *command)
{
    return ask_request(channel, request, "exec_requested", "exec", command);
}

static sp_answer on_subsystem(sp_channel *channel, sp_request *request, const char *name)
{
    return ask_request(channel, request, "subsystem_requested", "sub", name);
}

static void on_started(sp_channel *channel)
{
    session *s = session_of(channel);
    const char *command = sp_channel_get_command(channel);
    const char *subsystem = sp_channel_get_subsystem(channel);
    log_channel(s, "started", "command", command != NULL ? command : subsystem);
    start_command(s, command != NULL ? command : subsystem != NULL ? subsystem : "echo");
}

static void on_size(sp_channel *channel, const sp_term_size *size)
{
    session *s = session_of(channel);
    char text[64];
    snprintf(text, sizeof text, "%ux%u", size->columns, size->rows);
    log_channel(s, "size", "text", text);
    if (s->run == RUN_TELL)
        sp_channel_printf(channel, "size %s\n", text);
}

static void on_signal(sp_channel *channel, const char *name)
{
    session *s = session_of(channel);
    log_channel(s, "signal", "text", name);
    if (s->run != RUN_TELL && s->run != RUN_HOLD)
        return;
    sp_channel_printf(channel, "signal %s\n", name);
    if (strcmp(name, "TERM") == 0) {
        s->ended = true;
        sp_channel_exit_with_signal(channel, "TERM", false, NULL, NULL);
    }
}

static sp_answer on_break(sp_channel *channel, sp_request *request, uint32_t milliseconds)
{
    char text[32];
    snprintf(text, sizeof text, "%u", milliseconds);
    sp_channel_printf(channel, "break %s\n", text);
    return ask_request(channel, request, "break_received", "brk", text);
}

static void on_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    session *s = session_of(channel);
    s->received += length;
    if (type != SP_DATA_NORMAL)
        return;
    switch (s->run) {
    case RUN_ECHO:
        echo_take(s, bytes, length);
        break;
    case RUN_SINK:
        sha256_update(&s->hash, bytes, length);
        if (s->slow && !s->reading_paused) {
            s->reading_paused = true;
            sp_channel_pause_reading(channel);
            sp_timer_stop(s->timer);
            s->timer = sp_timer_start(s->app->server, 1, 0, on_slow_timer, s);
        }
        break;
    default:
        break;
    }
}

static bool on_eof(sp_channel *channel)
{
    session *s = session_of(channel);
    s->at_eof = true;
    log_channel(s, "eof", "command", s->command);
    if (s->run == RUN_ECHO && s->pending_length == 0)
        end_session(s, 0);
    else if (s->run == RUN_SINK || s->run == RUN_COUNT)
        print_sink(s);
    return true;
}

static void on_pause(sp_channel *channel)
{
    log_channel(session_of(channel), "pause", "text", NULL);
}

static void on_resume(sp_channel *channel)
{
    session *s = session_of(channel);
    log_channel(s, "resume", "text", NULL);
    if (s->run == RUN_SOURCE || s->run == RUN_FLOOD)
        source_pump(s);
    else if (s->run == RUN_ECHO)
        echo_flush(s);
}

/* Thread: any. */
static int open_now(app *a, sp_open *open, bool small)
{
    sp_session_handlers table = {
        SP_SESSION_HANDLERS_INIT,
        .connection_made = on_channel_made,
        .connection_lost = on_channel_lost,
        .pty_requested = is_absent(a, "pty_requested") ? NULL : on_pty,
        .env_requested = is_absent(a, "env_requested") ? NULL : on_env,
        .shell_requested = is_absent(a, "shell_requested") ? NULL : on_shell,
        .exec_requested = is_absent(a, "exec_requested") ? NULL : on_exec,
        .subsystem_requested = is_absent(a, "subsystem_requested") ? NULL : on_subsystem,
        .session_started = on_started,
        .terminal_size_changed = on_size,
        .signal_received = on_signal,
        .break_received = is_absent(a, "break_received") ? NULL : on_break,
        .data_received = on_data,
        .eof_received = is_absent(a, "eof_received") ? NULL : on_eof,
        .pause_writing = on_pause,
        .resume_writing = on_resume,
    };
    sp_channel_options options = SP_CHANNEL_OPTIONS_INIT;
    options.window_size = 16384;
    options.window_max = 16384;
    options.packet_size = 4096;
    session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SP_ENOMEM;
    s->app = a;
    int result = sp_open_session(open, &table, s, small ? &options : NULL);
    if (result < 0)
        free(s);
    return result;
}

static sp_answer on_session(sp_conn *conn, sp_open *open)
{
    client *c = sp_conn_data(conn);
    question *q = new_question(c, ASK_OPEN, "session_requested");
    q->open = open;
    if (!find_word(sp_conn_username(conn), "open", q->what, q->when) ||
        strcmp(q->what, "check") == 0)
        strcpy(q->what, "accept");
    if (strcmp(q->what, "plain") == 0) { /* accepted, and nothing to serve it: a refusal */
        free(q);
        return SP_ACCEPT;
    }
    log_question(q, sp_conn_username(conn), NULL);
    return settle(q);
}

/* ---- connections and authentication -----------------------------------------------------------
 */

static void on_made(sp_conn *conn)
{
    client *c = calloc(1, sizeof *c);
    event e;
    if (c == NULL)
        abort();
    c->app = sp_server_data(sp_conn_server(conn));
    c->id = sp_conn_id(conn);
    sp_conn_set_data(conn, c);
    if (c->app->quiet)
        return;
    event_begin(&e, "made");
    event_number(&e, "conn", (int64_t)c->id);
    event_end(&e);
}

static void on_lost(sp_conn *conn, const sp_conn_error *error)
{
    client *c = sp_conn_data(conn);
    event e;
    if (!c->app->quiet) {
        event_begin(&e, "lost");
        event_number(&e, "conn", (int64_t)c->id);
        event_text(&e, "username", sp_conn_username(conn));
        event_text(&e, "error", error == NULL ? NULL : sp_strerror(error->error));
        event_number(&e, "number", error == NULL ? 0 : error->error);
        event_number(&e, "code", error == NULL ? 0 : error->code);
        event_bool(&e, "from_peer", error != NULL && error->from_peer);
        event_text(&e, "message", error == NULL ? NULL : error->message);
        event_end(&e);
    }
    finish_held(c->app, c, NULL);
    free(c);
}

static void on_debug(sp_conn *conn, const char *message, const char *language, bool always_display)
{
    event e;
    event_begin(&e, "debug");
    event_number(&e, "conn", (int64_t)sp_conn_id(conn));
    event_text(&e, "message", message);
    event_text(&e, "language", language);
    event_bool(&e, "always_display", always_display);
    event_end(&e);
}

static sp_answer ask_auth(sp_conn *conn, sp_auth *auth, const char *handler, const char *word,
                          const char *text, sp_answer checked)
{
    client *c = sp_conn_data(conn);
    question *q = new_question(c, ASK_AUTH, handler);
    q->auth = auth;
    find_word(sp_auth_username(auth), word, q->what, q->when);
    if (strcmp(q->what, "check") == 0)
        strcpy(q->what, checked == SP_ACCEPT ? "accept" : "reject");
    if (is_challenge(q->what))
        snprintf(c->challenge, sizeof c->challenge, "%s", q->what);
    log_question(q, sp_auth_username(auth), text);
    return settle(q);
}

static sp_answer on_begin(sp_conn *conn, sp_auth *auth, const char *username)
{
    client *c = sp_conn_data(conn);
    char what[16], when[16];
    if (c->app->banner != NULL)
        sp_conn_send_auth_banner(conn, c->app->banner, "en");
    if (find_word(username, "banner", what, when))
        sp_conn_send_auth_banner(conn, "Banner for you\r\n", "en");
    return ask_auth(conn, auth, "begin_auth", "begin", username, SP_REJECT);
}

static bool offered(sp_conn *conn, const char *word)
{
    const char *username = sp_conn_username(conn);
    char what[16], when[16];
    if (word_is(username, "off", word))
        return false;
    return !has_words(username) || find_word(username, word, what, when);
}

static bool on_pk_supported(sp_conn *conn)
{
    return offered(conn, "pk");
}

static bool on_pw_supported(sp_conn *conn)
{
    const client *c = sp_conn_data(conn);
    char what[16], when[16];
    if (find_word(sp_conn_username(conn), "limit", what, when) &&
        c->password_attempts >= strtoul(what, NULL, 10))
        return false;
    return offered(conn, "pw");
}

static sp_kbdint_support on_kbd_supported(sp_conn *conn)
{
    const char *username = sp_conn_username(conn);
    char what[16], when[16];
    if (find_word(username, "aspw", what, when) || !has_words(username))
        return SP_KBDINT_AS_PASSWORD;
    return offered(conn, "kbd") ? SP_KBDINT_YES : SP_KBDINT_NO;
}

static sp_answer on_public_key(sp_conn *conn, sp_auth *auth, const char *username,
                               const sp_key *key)
{
    const client *c = sp_conn_data(conn);
    char fingerprint[SP_FINGERPRINT_SIZE];
    bool known = c->app->authorized != NULL && sp_authorized_keys_contains(c->app->authorized, key);
    (void)username;
    sp_key_fingerprint(key, fingerprint);
    return ask_auth(conn, auth, "validate_public_key", "pk", fingerprint,
                    known ? SP_ACCEPT : SP_REJECT);
}

static sp_answer on_password(sp_conn *conn, sp_auth *auth, const char *username,
                             const char *password)
{
    client *c = sp_conn_data(conn);
    (void)username;
    c->password_attempts++;
    return ask_auth(conn, auth, "validate_password", "pw", password,
                    strcmp(password, "secret") == 0 ? SP_ACCEPT : SP_REJECT);
}

static sp_answer on_change(sp_conn *conn, sp_auth *auth, const char *username,
                           const char *old_password, const char *new_password)
{
    char what[16], when[16];
    bool good = strcmp(old_password, "secret") == 0 && strcmp(new_password, "better") == 0;
    /* change-again: the first new password is not good enough. */
    if (find_word(username, "change", what, when) && strcmp(what, "again") == 0) {
        client *c = sp_conn_data(conn);
        question *q = new_question(c, ASK_AUTH, "change_password");
        q->auth = auth;
        strcpy(q->what, c->round++ == 0 ? "required" : good ? "accept" : "reject");
        strcpy(q->when, when);
        log_question(q, username, old_password);
        return settle(q);
    }
    return ask_auth(conn, auth, "change_password", "change", old_password,
                    good ? SP_ACCEPT : SP_REJECT);
}

static sp_answer on_challenge(sp_conn *conn, sp_auth *auth, const char *username,
                              const char *language, const char *submethods)
{
    client *c = sp_conn_data(conn);
    (void)username;
    (void)language;
    c->round = 0;
    return ask_auth(conn, auth, "get_kbdint_challenge", "kbd", submethods, SP_REJECT);
}

static sp_answer on_response(sp_conn *conn, sp_auth *auth, const char *username,
                             const char *const *responses, size_t count)
{
    client *c = sp_conn_data(conn);
    const round_entry *now = find_round(c->challenge, c->round);
    question *q = new_question(c, ASK_AUTH, "validate_kbdint_response");
    bool right = now != NULL && count == now->challenge.prompt_count;
    for (size_t i = 0; right && i < count; i++)
        right = strcmp(responses[i], now->expected[i]) == 0;
    q->auth = auth;
    find_word(username, "resp", q->what, q->when);
    if (strcmp(q->what, "check") == 0) {
        bool more = right && find_round(c->challenge, c->round + 1) != NULL;
        strcpy(q->what, more ? c->challenge : right ? "accept" : "reject");
        if (more)
            q->round = ++c->round;
    }
    char text[16];
    snprintf(text, sizeof text, "%zu", count);
    log_question(q, username, text);
    return settle(q);
}

static sp_answer on_completed(sp_conn *conn, sp_auth *auth, const char *username)
{
    const client *c = sp_conn_data(conn);
    sp_algorithms names;
    event e;
    if (!c->app->quiet && sp_conn_algorithms(conn, &names) == 0) {
        event_begin(&e, "login");
        event_number(&e, "conn", (int64_t)c->id);
        event_text(&e, "username", username);
        event_text(&e, "kex", names.kex);
        event_text(&e, "host_key", names.host_key);
        event_text(&e, "cipher_in", names.cipher_in);
        event_text(&e, "cipher_out", names.cipher_out);
        event_text(&e, "mac_in", names.mac_in);
        event_text(&e, "mac_out", names.mac_out);
        event_text(&e, "compression_in", names.compression_in);
        event_text(&e, "compression_out", names.compression_out);
        event_bool(&e, "strict", names.strict_kex);
        event_text(&e, "client", sp_conn_client_version(conn));
        event_end(&e);
    }
    return ask_auth(conn, auth, "auth_completed", "done", NULL, SP_ACCEPT);
}

/* ---- control by standard input ----------------------------------------------------------------
 */

typedef struct order {
    app *app;
    char text[256];
} order;

static void each_conn(sp_conn *conn, void *data)
{
    const order *o = data;
    if (strncmp(o->text, "rekey", 5) == 0)
        sp_conn_rekey(conn);
    else if (strncmp(o->text, "debug ", 6) == 0)
        sp_conn_send_debug(conn, o->text + 6, "en", false);
    else if (strncmp(o->text, "disconnect", 10) == 0)
        sp_conn_disconnect(conn, SP_DISCONNECT_BY_APPLICATION, "ordered");
}

/* control: stop, close, drain MS, answer, resume, stats, rekey, debug TEXT, disconnect. */
static void obey(void *data)
{
    order *o = data;
    app *a = o->app;
    unsigned milliseconds = 0;
    event e;
    if (strcmp(o->text, "stop") == 0) {
        sp_server_stop(a->server);
    } else if (strcmp(o->text, "close") == 0) {
        sp_server_close(a->server);
    } else if (sscanf(o->text, "drain %u", &milliseconds) == 1) {
        sp_server_drain(a->server, milliseconds);
    } else if (strcmp(o->text, "answer") == 0) {
        finish_held(a, NULL, NULL);
    } else if (strcmp(o->text, "resume") == 0) {
        while (a->late != NULL) {
            session *s = a->late;
            a->late = s->next_late;
            s->reading_paused = false;
            sp_channel_resume_reading(s->channel);
        }
    } else if (strcmp(o->text, "stats") == 0) {
        sp_server_statistics s;
        sp_server_get_statistics(a->server, &s);
        event_begin(&e, "stats");
        event_number(&e, "accepted", (int64_t)s.accepted);
        event_number(&e, "refused", (int64_t)s.refused);
        event_number(&e, "logins", (int64_t)s.logins);
        event_number(&e, "auth_failures", (int64_t)s.auth_failures);
        event_number(&e, "connections", (int64_t)s.connections);
        event_number(&e, "unauthenticated", (int64_t)s.unauthenticated);
        event_number(&e, "channels", (int64_t)s.channels);
        event_number(&e, "bytes_received", (int64_t)s.bytes_received);
        event_number(&e, "bytes_sent", (int64_t)s.bytes_sent);
        event_end(&e);
    } else {
        sp_server_each_conn(a->server, each_conn, o);
    }
    event_begin(&e, "obeyed");
    event_text(&e, "order", o->text);
    event_end(&e);
    free(o);
}

static void *control_thread(void *data)
{
    app *a = data;
    char line[200];
    while (fgets(line, sizeof line, stdin) != NULL) {
        order *o = calloc(1, sizeof *o);
        if (o == NULL)
            break;
        line[strcspn(line, "\n")] = '\0';
        o->app = a;
        snprintf(o->text, sizeof o->text, "%s", line);
        if (sp_server_post(a->server, obey, o) < 0) {
            free(o);
            return NULL;
        }
    }
    sp_server_stop(a->server);
    return NULL;
}

/* ---- start ------------------------------------------------------------------------------------
 */

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "[%d] %s\n", (int)level, line);
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "contract_server: %s: %s\n", what, why);
    exit(2);
}

static sp_authorized_keys *load_authorized(const char *path)
{
    static char text[1 << 16];
    sp_authorized_keys *list = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path, "cannot be read");
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    if (sp_authorized_keys_parse(&list, text, length, NULL, NULL) < 0)
        fail(path, "cannot be parsed");
    return list;
}

int main(int argc, char **argv)
{
    static sp_key *keys[8];
    size_t key_count = 0;
    static app a;
    sp_server_options options = SP_SERVER_OPTIONS_INIT;
    sp_protocol_options *p = &options.protocol;
    const char *address = "127.0.0.1";
    uint16_t port = 0;
    bool control = true;
    char reason[256] = "";
    char absent[1024];

    pthread_mutex_init(&a.lock, NULL);
    p->log = log_line;
    p->log_level = SP_LOG_ERROR;
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        unsigned long long number = strtoull(value, NULL, 10);
        struct {
            const char *name;
            const char **text;
            uint32_t *word;
        } simple[] = {
            {"--address", &address, NULL},
            {"--version", &p->version, NULL},
            {"--kex", &p->kex_algorithms, NULL},
            {"--host-key-algorithms", &p->host_key_algorithms, NULL},
            {"--ciphers", &p->ciphers, NULL},
            {"--macs", &p->macs, NULL},
            {"--compressions", &p->compressions, NULL},
            {"--signatures", &p->signature_algorithms, NULL},
            {"--banner", &a.banner, NULL},
            {"--login-timeout", NULL, &p->login_timeout_ms},
            {"--keepalive", NULL, &p->keepalive_interval_ms},
            {"--keepalive-count", NULL, &p->keepalive_count},
            {"--rekey-seconds", NULL, &p->rekey_seconds},
            {"--window", NULL, &p->window_size},
            {"--window-max", NULL, &p->window_max},
            {"--packet", NULL, &p->packet_size},
            {"--max-attempts", NULL, &p->max_auth_attempts},
            {"--max-channels", NULL, &p->max_channels},
            {"--max-sessions", NULL, &p->max_sessions},
            {"--max-connections", NULL, &options.max_connections},
            {"--max-unauthenticated", NULL, &options.max_unauthenticated},
        };
        bool known = false;
        for (size_t k = 0; k < sizeof simple / sizeof simple[0] && !known; k++) {
            known = strcmp(flag, simple[k].name) == 0;
            if (known && simple[k].text != NULL)
                *simple[k].text = value;
            else if (known)
                *simple[k].word = (uint32_t)number;
        }
        if (known) {
            i++;
        } else if (strcmp(flag, "--quiet") == 0) {
            a.quiet = true;
        } else if (strcmp(flag, "--no-control") == 0) {
            control = false;
        } else if (strcmp(flag, "--port") == 0) {
            port = (uint16_t)number;
            i++;
        } else if (strcmp(flag, "--rekey-bytes") == 0) {
            p->rekey_bytes = number;
            i++;
        } else if (strcmp(flag, "--window-budget") == 0) {
            p->window_budget = (size_t)number;
            i++;
        } else if (strcmp(flag, "--write-high") == 0) {
            p->write_buffer_high = (size_t)number;
            i++;
        } else if (strcmp(flag, "--log") == 0) {
            p->log_level = (sp_log_level)number;
            i++;
        } else if (strcmp(flag, "--absent") == 0) {
            snprintf(absent, sizeof absent, ",%s,", value);
            a.absent = absent;
            i++;
        } else if (strcmp(flag, "--authorized") == 0) {
            sp_authorized_keys_free(a.authorized);
            a.authorized = load_authorized(value);
            i++;
        } else if (strcmp(flag, "--host-key") == 0 && key_count < 8) {
            int result = sp_key_load_private(&keys[key_count], value, NULL);
            if (result < 0)
                fail(value, sp_strerror(result));
            key_count++;
            i++;
        } else {
            fail(flag, "unknown option");
        }
    }
    if (key_count == 0 && sp_key_generate(&keys[key_count++], SP_KEY_ED25519, 0) < 0)
        fail("host key", "cannot be made");
    p->host_keys = keys;
    p->host_key_count = key_count;

#define UNLESS_ABSENT(name, function) .name = is_absent(&a, #name) ? NULL : (function)
    sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = on_made,
        .connection_lost = on_lost,
        UNLESS_ABSENT(debug_msg_received, on_debug),
        UNLESS_ABSENT(begin_auth, on_begin),
        UNLESS_ABSENT(public_key_auth_supported, on_pk_supported),
        UNLESS_ABSENT(password_auth_supported, on_pw_supported),
        UNLESS_ABSENT(kbdint_auth_supported, on_kbd_supported),
        UNLESS_ABSENT(validate_public_key, on_public_key),
        UNLESS_ABSENT(validate_password, on_password),
        UNLESS_ABSENT(change_password, on_change),
        UNLESS_ABSENT(get_kbdint_challenge, on_challenge),
        UNLESS_ABSENT(validate_kbdint_response, on_response),
        UNLESS_ABSENT(auth_completed, on_completed),
        UNLESS_ABSENT(session_requested, on_session),
    };
    int result = sp_server_new(&a.server, &options, &handlers, &a, reason, sizeof reason);
    if (result < 0)
        fail("sp_server_new", reason[0] != '\0' ? reason : sp_strerror(result));
    result = sp_server_listen(a.server, address, port);
    if (result < 0)
        fail("listen", sp_strerror(result));

    event e;
    event_begin(&e, "listening");
    event_number(&e, "port", sp_server_port(a.server, 0));
    event_number(&e, "pid", getpid());
    event_end(&e);

    pthread_t thread;
    if (control && pthread_create(&thread, NULL, control_thread, &a) != 0)
        fail("thread", "cannot be started");
    result = sp_server_run(a.server);
    finish_held(&a, NULL, NULL);
    event_begin(&e, "stopped");
    event_number(&e, "result", result);
    event_end(&e);
    for (bool busy = true; busy;) { /* answers of other threads that are under way */
        pthread_mutex_lock(&a.lock);
        busy = a.threads > 0;
        pthread_mutex_unlock(&a.lock);
        if (busy)
            usleep(1000);
    }
    if (control) { /* ends when the test closes our standard input */
        pthread_join(thread, NULL);
    }
    sp_server_free(a.server);
    for (size_t i = 0; i < key_count; i++)
        sp_key_unref(keys[i]);
    sp_authorized_keys_free(a.authorized);
    pthread_mutex_destroy(&a.lock);
    return result < 0 ? 1 : 0;
}
