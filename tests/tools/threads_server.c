/* threads_server: one server with several loop threads.
 *
 *     threads_server THREADS [MAX_CONNECTIONS [MAX_UNAUTHENTICATED]]
 *
 * Everyone is let in, but users "later-N": they are answered by one thread for all, and only for an
 * even N; so are their sessions. Users "direct-N" get a function that echoes. The others' commands:
 * "who" says the loop thread's number and the user, "echo", "cat" (a child), "hold".
 *
 * Standard output: an event a line. Standard input: "stats", "visit" (how many connections each
 * thread has), "close", "drain MILLISECONDS", "stop"; its end stops the server. */
#include "json_events.h"

#include <pthread.h>
#include <sallyport.h>
#include <stdatomic.h>
#include <stdlib.h>

static sp_server *server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sp_server *threads[64]; /* under the lock */
static unsigned thread_count;

static void say(const char *name, int64_t value)
{
    event e;
    event_begin(&e, name);
    event_number(&e, "value", value);
    event_end(&e);
}

static unsigned number_of(sp_server *part)
{
    pthread_mutex_lock(&lock);
    unsigned i = 0;
    while (i < thread_count && threads[i] != part)
        i++;
    if (i == thread_count)
        threads[thread_count++] = part;
    pthread_mutex_unlock(&lock);
    return i;
}

/* ---- sessions ---- */

typedef struct served {
    char name[64]; /* the user's */
    char *left;    /* what the channel did not take; reading is paused meanwhile */
    size_t length;
    bool ended; /* EOF came */
} served;

static void session_lost(sp_channel *channel, const sp_conn_error *error)
{
    served *s = sp_channel_data(channel);
    (void)error;
    free(s->left);
    free(s);
}

static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    (void)command;
    return SP_ACCEPT;
}

static void session_started(sp_channel *channel)
{
    static const char *const nothing[] = {NULL};
    const char *command = sp_channel_get_command(channel);

    if (strcmp(command, "who") == 0) {
        char text[128];
        unsigned number = number_of(sp_conn_server(sp_channel_conn(channel)));
        (void)snprintf(text, sizeof text, "%u %s\n", number,
                       ((served *)sp_channel_data(channel))->name);
        sp_channel_puts(channel, text);
        sp_channel_exit(channel, 0);
    } else if (strcmp(command, "cat") == 0) {
        const sp_spawn_options options = {
            .size = sizeof options, .program = "/bin/cat", .environment = nothing};
        if (sp_channel_spawn(channel, &options) != 0)
            sp_channel_exit(channel, 127);
    } else if (strcmp(command, "hold") == 0) {
        sp_channel_puts(channel, "holding\n");
    }
}

static void data_received(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    served *s = sp_channel_data(channel);
    (void)type;
    ptrdiff_t n = sp_channel_write(channel, bytes, length);
    if (n < 0 || (size_t)n == length)
        return;
    s->length = length - (size_t)n;
    s->left = malloc(s->length);
    if (s->left == NULL) {
        sp_channel_abort(channel);
        return;
    }
    memcpy(s->left, (const char *)bytes + n, s->length);
    sp_channel_pause_reading(channel);
}

static void resume_writing(sp_channel *channel)
{
    served *s = sp_channel_data(channel);
    ptrdiff_t n = s->length == 0 ? 0 : sp_channel_write(channel, s->left, s->length);
    if (s->length == 0 || n < 0)
        return;
    s->length -= (size_t)n;
    memmove(s->left, s->left + n, s->length);
    if (s->length != 0)
        return;
    free(s->left);
    s->left = NULL;
    sp_channel_resume_reading(channel);
    if (s->ended)
        sp_channel_exit(channel, 0);
}

static bool eof_received(sp_channel *channel)
{
    served *s = sp_channel_data(channel);
    s->ended = true;
    if (s->length == 0)
        sp_channel_exit(channel, 0);
    return true;
}

static const sp_session_handlers session = {
    SP_SESSION_HANDLERS_INIT,         .connection_lost = session_lost,
    .exec_requested = exec_requested, .session_started = session_started,
    .data_received = data_received,   .eof_received = eof_received,
    .resume_writing = resume_writing,
};

static int serve(sp_open *open, const char *name)
{
    served *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SP_ENOMEM;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    int result = sp_open_session(open, &session, s, NULL);
    if (result != 0)
        free(s);
    return result;
}

static int echo(sp_process *p, void *data)
{
    char bytes[8192];
    ptrdiff_t n;
    (void)data;
    while ((n = sp_read(p, bytes, sizeof bytes)) > 0)
        if (sp_write(p, bytes, (size_t)n) < 0)
            return 1;
    return n == 0 ? 0 : 1;
}

/* ---- one thread that answers for all connections ---- */

typedef struct task {
    struct task *next;
    sp_auth *auth; /* either */
    sp_open *open;
    char name[64];
} task;

static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static task *tasks; /* under the lock; NULL and `over`: the end */
static bool over;

static sp_answer later(sp_auth *auth, sp_open *open, const char *name)
{
    task *t = calloc(1, sizeof *t);
    if (t == NULL)
        return SP_REJECT;
    t->auth = auth;
    t->open = open;
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    pthread_mutex_lock(&lock);
    t->next = tasks;
    tasks = t;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
    return SP_LATER;
}

static void answer(task *t)
{
    bool even = strtol(t->name + strlen("later-"), NULL, 10) % 2 == 0;
    if (t->auth != NULL) {
        (void)sp_auth_answer(t->auth, even);
        sp_auth_release(t->auth);
    } else {
        (void)serve(t->open, t->name);
        sp_open_release(t->open);
    }
    free(t);
}

static void *answer_all(void *data)
{
    (void)data;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (tasks == NULL && !over)
            pthread_cond_wait(&more, &lock);
        task *t = tasks;
        if (t != NULL)
            tasks = t->next;
        pthread_mutex_unlock(&lock);
        if (t == NULL)
            return NULL;
        answer(t);
    }
}

/* ---- the server's handlers ---- */

static bool is(const char *name, const char *kind)
{
    return strncmp(name, kind, strlen(kind)) == 0;
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    return is(username, "later-") ? later(auth, NULL, username) : SP_ACCEPT;
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    const char *name = sp_conn_username(conn);
    if (is(name, "later-"))
        return later(NULL, open, name);
    if (is(name, "direct-"))
        return sp_answered(sp_open_direct(open, echo, NULL, NULL));
    return sp_answered(serve(open, name));
}

static const sp_server_handlers handlers = {
    SP_SERVER_HANDLERS_INIT,
    .begin_auth = begin_auth,
    .session_requested = session_requested,
};

/* ---- orders ---- */

static void count(sp_conn *conn, void *data)
{
    (void)conn;
    ++*(int *)data;
}

static void visit(sp_server *part, void *data)
{
    int connections = 0;
    event e;
    (void)data;
    sp_server_each_conn(part, count, &connections);
    event_begin(&e, "visited");
    event_number(&e, "thread", number_of(part));
    event_number(&e, "value", connections);
    event_end(&e);
}

static void tell_statistics(void)
{
    sp_server_statistics s;
    event e;
    sp_server_get_statistics(server, &s);
    event_begin(&e, "stats");
    event_number(&e, "accepted", (int64_t)s.accepted);
    event_number(&e, "refused", (int64_t)s.refused);
    event_number(&e, "logins", (int64_t)s.logins);
    event_number(&e, "connections", (int64_t)s.connections);
    event_number(&e, "unauthenticated", (int64_t)s.unauthenticated);
    event_number(&e, "channels", (int64_t)s.channels);
    event_number(&e, "fibers", (int64_t)s.fibers);
    event_number(&e, "bytes_received", (int64_t)s.bytes_received);
    event_number(&e, "bytes_sent", (int64_t)s.bytes_sent);
    event_end(&e);
}

static void *take_orders(void *data)
{
    char line[256];
    (void)data;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (is(line, "stats"))
            tell_statistics();
        else if (is(line, "visit"))
            (void)sp_server_post_all(server, visit, NULL);
        else if (is(line, "close"))
            sp_server_close(server);
        else if (is(line, "drain "))
            sp_server_drain(server, (uint32_t)strtoul(line + 6, NULL, 10));
        else if (is(line, "stop"))
            sp_server_stop(server);
    }
    sp_server_stop(server);
    return NULL;
}

static void closed(void *data)
{
    (void)data;
    say("closed", 0);
}

int main(int argc, char **argv)
{
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.preset = "compatible"; /* old clients, too */
    sp_key *key;
    pthread_t answerer;
    pthread_t orders;
    char reason[256];

    options.loop_threads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    options.max_connections = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    options.max_unauthenticated = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (sp_key_generate(&key, SP_KEY_ED25519, 0) != 0)
        return 1;
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    if (sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason) != 0) {
        (void)fprintf(stderr, "%s\n", reason);
        return 1;
    }
    sp_key_unref(key);
    if (sp_server_listen(server, "127.0.0.1", 0) != 0 ||
        sp_server_wait_closed(server, closed, NULL) != 0 ||
        pthread_create(&answerer, NULL, answer_all, NULL) != 0 ||
        pthread_create(&orders, NULL, take_orders, NULL) != 0)
        return 1;
    say("listening", sp_server_port(server, 0));
    int result = sp_server_run(server);
    say("ran", result);
    pthread_join(orders, NULL);
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
    pthread_join(answerer, NULL);
    sp_server_free(server);
    return result == 0 ? 0 : 1;
}
