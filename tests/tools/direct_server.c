/* direct_server: serves every channel in direct style, by what the client asks for: a session's
 * command, a TCP destination's name, a UNIX destination's path. Everyone may log in; the user
 * "later" gets the answers from another thread.
 *
 *     direct_server
 *
 * Standard output: "listening on 127.0.0.1:PORT", then "end WHAT RESULT" when a function is about
 * to return, and what else is said. Standard input: "stats" prints "stats FIBERS CHANNELS
 * CONNECTIONS BYTES", the last as counted by an allocator; the end of input ends the server. */
#include <errno.h>
#include <pthread.h>
#include <sallyport.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sp_server *server;
static pthread_t loop_thread;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    size_t length = (size_t)n < sizeof line - 2 ? (size_t)n : sizeof line - 2;
    line[length] = '\n';
    (void)fwrite(line, 1, length + 1, stdout);
    (void)fflush(stdout);
}

/* ---- the functions: each returns what the call that ended it returned ---- */

typedef struct task {
    const char *name;
    int (*run)(sp_process *p, const char *argument);
} task;

static int run_echo(sp_process *p, const char *argument)
{
    static const size_t room = 40000; /* more than a packet, less than what is kept */
    char *buffer = malloc(room);
    ptrdiff_t n;
    (void)argument;
    if (buffer == NULL)
        return SP_ENOMEM;
    while ((n = sp_read(p, buffer, room)) > 0)
        if ((n = sp_write(p, buffer, (size_t)n)) < 0)
            break;
    free(buffer);
    return (int)n;
}

/* Says each line in brackets, with its length; the argument is the size of the buffer. */
static int run_gets(sp_process *p, const char *argument)
{
    char line[4096];
    size_t size = argument != NULL ? strtoul(argument, NULL, 10) : sizeof line;
    ptrdiff_t n;
    while ((n = sp_gets(p, line, size)) >= 0 || n == SP_ELIMIT) {
        if (n == SP_ELIMIT)
            sp_puts(p, "too long\n");
        else if (strcmp(line, "quit") == 0)
            return 7;
        else
            sp_printf(p, "[%s] %td\n", line, n);
    }
    return (int)n;
}

static int run_greet(sp_process *p, const char *argument)
{
    char name[64];
    (void)argument;
    ptrdiff_t n = sp_read_line(p, "Your name? ", name, sizeof name);
    if (n < 0)
        return (int)n;
    sp_printf(p, "Hello, %s!\n", name);
    return 0;
}

static int run_password(sp_process *p, const char *argument)
{
    char secret[64];
    char again[64];
    (void)argument;
    ptrdiff_t n = sp_read_password(p, "Password: ", secret, sizeof secret);
    if (n < 0)
        return (int)n;
    n = sp_read_line(p, "Shown: ", again, sizeof again);
    if (n < 0)
        return (int)n;
    sp_printf(p, "%zu and %s\n", strlen(secret), again);
    return 0;
}

static int run_exactly(sp_process *p, const char *argument)
{
    char buffer[1000];
    size_t size = strtoul(argument, NULL, 10);
    ptrdiff_t n = sp_read_exactly(p, buffer, size);
    while (n > 0) {
        sp_printf(p, "%td %.*s\n", n, (int)n, buffer);
        n = sp_read_exactly(p, buffer, size);
    }
    return (int)n;
}

static int run_until(sp_process *p, const char *argument)
{
    char buffer[100];
    ptrdiff_t n;
    while ((n = sp_read_until(p, argument, buffer, sizeof buffer)) != SP_EOF) {
        if (n == SP_ELIMIT) {
            sp_puts(p, "limit\n");
            sp_read_exactly(p, buffer, sizeof buffer);
        } else if (n < 0) {
            return (int)n;
        } else {
            sp_printf(p, "<%.*s>\n", (int)n, buffer);
        }
    }
    return (int)n;
}

/* Reading calls return what happens. */
static int run_events(sp_process *p, const char *argument)
{
    char line[128];
    sp_term_size size;
    (void)argument;
    sp_process_events(p, SP_WAIT_SIGNAL | SP_WAIT_RESIZE | SP_WAIT_BREAK | SP_WAIT_WAKE);
    sp_puts(p, "ready\n");
    for (;;) {
        ptrdiff_t n = sp_gets(p, line, sizeof line);
        if (n == SP_ESIGNAL)
            sp_printf(p, "signal %s\n", sp_process_signal(p));
        else if (n == SP_ERESIZE && sp_process_terminal_size(p, &size))
            sp_printf(p, "resize %u %u\n", size.columns, size.rows);
        else if (n == SP_EBREAK)
            sp_printf(p, "break %u\n", sp_process_break_length(p));
        else if (n < 0)
            return (int)n;
        else
            sp_printf(p, "line %s\n", line);
    }
}

/* The same by sp_wait; the argument is the time-out. */
static int run_wait(sp_process *p, const char *argument)
{
    char line[128];
    uint32_t timeout = argument != NULL ? (uint32_t)strtoul(argument, NULL, 10) : SP_FOREVER;
    const unsigned all =
        SP_WAIT_INPUT | SP_WAIT_SIGNAL | SP_WAIT_RESIZE | SP_WAIT_BREAK | SP_WAIT_WAKE;
    sp_puts(p, "ready\n");
    for (;;) {
        int kind = sp_wait(p, all, timeout);
        if (kind < 0)
            return kind;
        sp_printf(p, "kind %d\n", kind);
        if (kind == 0)
            return 0;
        if (kind == (int)SP_WAIT_INPUT) {
            ptrdiff_t n = sp_gets(p, line, sizeof line);
            if (n < 0)
                return (int)n;
            sp_printf(p, "line %s\n", line);
        }
    }
}

static int run_sleep(sp_process *p, const char *argument)
{
    int result = sp_sleep(p, (uint32_t)strtoul(argument, NULL, 10));
    if (result == 0)
        sp_puts(p, "awake\n");
    return result;
}

typedef struct blocking {
    unsigned milliseconds;
    bool elsewhere;
} blocking;

static void block(void *data)
{
    blocking *b = data;
    struct timespec time = {b->milliseconds / 1000, (long)(b->milliseconds % 1000) * 1000000};
    b->elsewhere = pthread_equal(pthread_self(), loop_thread) == 0;
    say("working");
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
    say("worked");
}

static int run_work(sp_process *p, const char *argument)
{
    blocking b = {.milliseconds = (unsigned)strtoul(argument, NULL, 10)};
    int result = sp_run(p, block, &b);
    if (result == 0)
        sp_printf(p, "worked %d\n", b.elsewhere);
    return result;
}

static int spawn(sp_process *p, const char *command, bool pipes)
{
    const char *const arguments[] = {"sh", "-c", command, NULL};
    sp_spawn_options options = {SP_SPAWN_OPTIONS_INIT};
    options.program = "/bin/sh";
    options.arguments = arguments;
    options.no_terminal = pipes;
    return sp_spawn(p, &options);
}

static int run_spawn(sp_process *p, const char *argument)
{
    return spawn(p, argument, false);
}

static int run_spawn_missing(sp_process *p, const char *argument)
{
    sp_spawn_options options = {SP_SPAWN_OPTIONS_INIT};
    (void)argument;
    options.program = "/nowhere/nothing";
    int result = sp_spawn(p, &options);
    sp_printf(p, "%s\n", sp_strerror(result));
    return 0;
}

/* A line of ours, a child with the rest of its line, a line of ours again, another child. */
static int run_spawn_two(sp_process *p, const char *argument)
{
    char line[100];
    (void)argument;
    if (sp_gets(p, line, sizeof line) < 0)
        return 1;
    sp_printf(p, "first %s\n", line);
    int status = spawn(p, "head -c 6; echo to stderr >&2; exit 3", true);
    sp_printf(p, "status %d\n", status);
    status = spawn(p, "kill -TERM $$", true);
    sp_printf(p, "status %d\n", status);
    if (sp_gets(p, line, sizeof line) < 0)
        sp_puts(p, "end of input\n");
    else
        sp_printf(p, "then %s\n", line);
    return 4;
}

static int run_flood(sp_process *p, const char *argument)
{
    static char piece[65536];
    (void)argument;
    for (;;) {
        ptrdiff_t n = sp_write(p, piece, sizeof piece);
        if (n < 0)
            return (int)n;
    }
}

static int run_drain(sp_process *p, const char *argument)
{
    char *much = calloc(1, 4u << 20);
    (void)argument;
    if (much == NULL)
        return SP_ENOMEM;
    ptrdiff_t n = sp_write(p, much, 4u << 20);
    free(much);
    int result = n < 0 ? (int)n : sp_drain(p);
    say("drained %d %zu", result, sp_channel_write_buffered(sp_process_channel(p)));
    return result;
}

static int run_print(sp_process *p, const char *argument)
{
    (void)argument;
    char *much = malloc(100001);
    if (much == NULL)
        return SP_ENOMEM;
    memset(much, 'x', 100000);
    much[100000] = '\0';
    ptrdiff_t n = sp_printf(p, "%s.%d\n", much, 5);
    free(much);
    sp_printf_err(p, "%td\n", n);
    sp_puts_err(p, "err\n");
    return 0;
}

static int run_about(sp_process *p, const char *argument)
{
    sp_term_size size = {0};
    (void)argument;
    const char *term = sp_process_terminal_type(p);
    const char *value = sp_process_environment(p, "LANG");
    (void)sp_process_terminal_size(p, &size);
    sp_printf(p, "%s %s %u %u %s %s\n", sp_process_command(p), term != NULL ? term : "-",
              size.columns, size.rows, value != NULL ? value : "-",
              sp_conn_username(sp_process_conn(p)));
    return 0;
}

static int run_status(sp_process *p, const char *argument)
{
    sp_puts(p, "so\n");
    return atoi(argument);
}

static int run_exit(sp_process *p, const char *argument)
{
    (void)argument;
    sp_puts(p, "out\n");
    sp_process_exit(p, 9);
    return (int)sp_puts(p, "after\n");
}

static int run_kill(sp_process *p, const char *argument)
{
    return sp_process_exit_with_signal(p, argument, false, NULL, NULL);
}

static int run_half(sp_process *p, const char *argument)
{
    char line[100];
    (void)argument;
    sp_puts(p, "last word\n");
    sp_write_eof(p);
    ptrdiff_t n = sp_puts(p, "more\n");
    if (n != SP_ECLOSED || sp_gets(p, line, sizeof line) < 0)
        return 1;
    say("heard %s", line);
    return 0;
}

/* Whoever waits is woken by the next one. */
static sp_process *sleeper;

static int run_wake(sp_process *p, const char *argument)
{
    (void)argument;
    if (sleeper == NULL) {
        sleeper = p;
        say("waits");
        int kind = sp_wait(p, SP_WAIT_WAKE, SP_FOREVER);
        sleeper = NULL;
        sp_puts(p, "woken\n");
        return kind == (int)SP_WAIT_WAKE ? 0 : kind;
    }
    char c;
    if (sp_read(sleeper, &c, 1) != SP_ESTATE || sp_sleep(sleeper, 0) != SP_ESTATE)
        return 1; /* only its own function may wait for it */
    sp_process_tell(sleeper, "from the other one\n");
    sp_process_wake(sleeper);
    return 0;
}

/* Does everything wrong with a lost connection. */
static int run_stubborn(sp_process *p, const char *argument)
{
    char c;
    (void)argument;
    while (sp_read(p, &c, 1) >= 0)
        ;
    bool all = sp_write(p, "x", 1) == SP_ECONN && sp_sleep(p, 1000000) == SP_ECONN &&
               sp_run(p, block, NULL) == SP_ECONN && sp_drain(p) == SP_ECONN &&
               sp_wait(p, SP_WAIT_WAKE, SP_FOREVER) == SP_ECONN && spawn(p, "", true) == SP_ECONN &&
               sp_read(p, &c, 1) == SP_ECONN && sp_process_exit(p, 1) == SP_ECONN &&
               sp_process_conn(p) == NULL;
    say("stubborn %d", all);
    return SP_ECONN;
}

static const task tasks[] = {
    {"echo", run_echo},
    {"gets", run_gets},
    {"greet", run_greet},
    {"exactly", run_exactly},
    {"until", run_until},
    {"events", run_events},
    {"wait", run_wait},
    {"sleep", run_sleep},
    {"work", run_work},
    {"spawn", run_spawn},
    {"missing", run_spawn_missing},
    {"two", run_spawn_two},
    {"flood", run_flood},
    {"drain", run_drain},
    {"print", run_print},
    {"about", run_about},
    {"status", run_status},
    {"exit", run_exit},
    {"kill", run_kill},
    {"half", run_half},
    {"wake", run_wake},
    {"stubborn", run_stubborn},
    {"password", run_password},
};

static int serve(sp_process *p, void *data)
{
    const char *text = data != NULL ? data : sp_process_command(p);
    if (text == NULL)
        text = sp_process_subsystem(p) != NULL ? sp_process_subsystem(p) : "greet";
    size_t length = strcspn(text, " ");
    const char *argument = text[length] == ' ' ? text + length + 1 : NULL;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (strncmp(tasks[i].name, text, length) != 0 || tasks[i].name[length] != '\0')
            continue;
        int result = tasks[i].run(p, argument);
        say("end %s %d", tasks[i].name, result);
        return result;
    }
    say("end unknown 127");
    return 127;
}

/* ---- the answers ---- */

static void released(void *data)
{
    say("released %s", data != NULL ? (const char *)data : "session");
    free(data);
}

static int answer_open(sp_open *open)
{
    static const sp_direct_options options = {SP_DIRECT_OPTIONS_INIT, .subsystems = "other,echo",
                                              .released = released};
    static const sp_direct_options strict = {
        SP_DIRECT_OPTIONS_INIT, .refuse = SP_DIRECT_PTY | SP_DIRECT_SHELL, .released = released};
    static const sp_direct_options plain = {SP_DIRECT_OPTIONS_INIT, .no_editor = true,
                                            .released = released};
    const char *name =
        sp_open_dest_host(open) != NULL ? sp_open_dest_host(open) : sp_open_dest_path(open);
    char *copy = name != NULL ? strdup(name) : NULL;
    bool here = pthread_equal(pthread_self(), loop_thread) != 0;
    const char *user = here ? sp_conn_username(sp_open_conn(open)) : "later";
    const sp_direct_options *chosen = strcmp(user, "strict") == 0  ? &strict
                                      : strcmp(user, "plain") == 0 ? &plain
                                                                   : &options;
    int result = sp_open_direct(open, serve, copy, chosen);
    if (result != 0)
        free(copy);
    return result;
}

static sp_answer later(sp_open *open, void *data)
{
    (void)data;
    return sp_answered(answer_open(open));
}

static sp_answer answer(sp_conn *conn, sp_open *open)
{
    if (strcmp(sp_conn_username(conn), "later") == 0)
        return sp_work(open, later, NULL);
    return sp_answered(answer_open(open));
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    return answer(conn, open);
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    (void)dest_host;
    (void)dest_port;
    (void)orig_host;
    (void)orig_port;
    return answer(conn, open);
}

static sp_answer unix_connection_requested(sp_conn *conn, sp_open *open, const char *dest_path)
{
    (void)dest_path;
    return answer(conn, open);
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    (void)auth;
    (void)username;
    return SP_ACCEPT;
}

/* ---- memory that is counted ---- */

static atomic_size_t bytes_held;
static atomic_int until_failure; /* this many more succeed, then one fails; negative: all do */
static atomic_bool has_failed;

static bool fails_now(void)
{
    int left = atomic_load(&until_failure);
    if (left < 0)
        return false;
    atomic_store(&until_failure, left - 1);
    if (left == 0)
        atomic_store(&has_failed, true);
    return left == 0;
}

static void *counted_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    size_t *old = ptr == NULL ? NULL : (size_t *)ptr - 2;
    size_t *fresh = fails_now() ? NULL : realloc(old, size + 16);
    if (fresh == NULL)
        return NULL;
    if (old != NULL)
        atomic_fetch_sub(&bytes_held, fresh[0]);
    fresh[0] = size;
    atomic_fetch_add(&bytes_held, size);
    return fresh + 2;
}

static void *counted_alloc(void *ctx, size_t size)
{
    return counted_realloc(ctx, NULL, size);
}

static void counted_free(void *ctx, void *ptr)
{
    (void)ctx;
    if (ptr == NULL)
        return;
    size_t *start = (size_t *)ptr - 2;
    atomic_fetch_sub(&bytes_held, start[0]);
    free(start);
}

/* ---- orders ---- */

static void say_stats(void *data)
{
    sp_server_statistics s;
    (void)data;
    sp_server_get_statistics(server, &s);
    say("stats %llu %llu %llu %zu", (unsigned long long)s.fibers, (unsigned long long)s.channels,
        (unsigned long long)s.connections, atomic_load(&bytes_held));
}

static void *read_orders(void *data)
{
    char line[100];
    (void)data;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "stats\n") == 0)
            (void)sp_server_post(server, say_stats, NULL);
        if (strncmp(line, "fail ", 5) == 0) {
            say("failed %d", atomic_exchange(&has_failed, false));
            atomic_store(&until_failure, atoi(line + 5));
            say("fails at %d", atoi(line + 5));
        }
    }
    sp_server_stop(server);
    return NULL;
}

int main(int argc, char **argv)
{
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = begin_auth,
        .session_requested = session_requested,
        .connection_requested = connection_requested,
        .unix_connection_requested = unix_connection_requested,
    };
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    sp_key *key = NULL;
    char reason[256] = "";
    pthread_t orders;

    atomic_init(&until_failure, -1);
    options.protocol.allocator = (sp_allocator){NULL, counted_alloc, counted_realloc, counted_free};
    options.protocol.max_sessions = 1024;
    options.protocol.preset = "compatible";
    options.max_fibers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    loop_thread = pthread_self();
    if (sp_key_generate(&key, SP_KEY_ED25519, 0) != 0)
        return 1;
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    int result = sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason);
    if (result == 0)
        result = sp_server_listen(server, "127.0.0.1", 0);
    if (result != 0) {
        (void)fprintf(stderr, "%s %s\n", reason, sp_strerror(result));
        return 1;
    }
    say("listening on 127.0.0.1:%u", (unsigned)sp_server_port(server, 0));
    if (pthread_create(&orders, NULL, read_orders, NULL) != 0)
        return 1;
    result = sp_server_run(server);
    (void)pthread_join(orders, NULL);
    sp_server_free(server);
    sp_key_unref(key);
    say("bytes %zu", atomic_load(&bytes_held));
    return result == 0 ? 0 : 1;
}
