/* A child process joined to a channel: bytes both ways with back-pressure, signals, window changes,
 * hang-up, and the exit. The process outlives its channel here until it was reaped.
 *
 * Output that the channel does not take at once is kept (at most one read of it) and reading stops
 * until the channel wants more. Input that the child does not take at once is kept likewise and the
 * channel's reading is paused, which in the end holds the client. */
#include "server/server.h"

#include "base/wire.h"
#include "loop/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)4 * 1024 * 1024)
#define TERMINAL_READ ((size_t)64 * 1024) /* gathered from a terminal's small reads */

typedef struct source {
    sps_process *process;
    spl_watch *watch; /* NULL: closed, or never open */
    uint32_t type;
    spb_buffer left; /* read, and not taken by the channel yet */
} source;

struct sps_process {
    spb_link link;
    sp_server *server;
    sp_channel *channel; /* counted: `exited` gets it even when it is lost */
    spl_child *child;    /* NULL: reaped */
    pid_t pid;
    bool terminal;    /* sources[0]'s watch serves input too */
    bool paused;      /* the channel's write buffer is full */
    bool eof_wanted;  /* the client sends no more: close the input when `pending` is through */
    bool hung_up;     /* the channel is lost */
    bool held;        /* the channel's reading is paused */
    int status;
    source sources[2];
    spl_watch *input; /* NULL with a terminal or when closed */
    spb_buffer pending;
    void (*exited)(sp_channel *channel, int status, void *data);
    void *data;
};

static void read_source(source *from);

static const spb_env *env_of(const sps_process *process)
{
    return &process->server->env;
}

/* ---- the end ---- */

static void close_source(source *from)
{
    spl_watch_close(from->watch);
    from->watch = NULL;
}

static void close_input(sps_process *process)
{
    spl_watch_close(process->input);
    process->input = NULL;
    spb_buffer_free(&process->pending);
}

static void process_free(sps_process *process)
{
    sp_channel *channel = process->channel;
    void (*exited)(sp_channel *channel, int status, void *data) = process->exited;
    void *data = process->data;
    int status = process->status;
    for (int i = 0; i < 2; i++) {
        close_source(&process->sources[i]);
        spb_buffer_free(&process->sources[i].left);
    }
    close_input(process);
    spl_child_forget(process->child);
    spb_list_remove(&process->link);
    channel->process = NULL;
    spb_free(env_of(process), process);
    if (exited != NULL)
        exited(channel, status, data);
    sp_channel_unref(channel);
}

static void send_status(const sps_process *process)
{
    sp_channel *channel = process->channel;
    int status = process->status;
    if (status != -1 && WIFSIGNALED(status)) {
        const char *name = spl_signal_name(WTERMSIG(status));
        /* RFC 4254 6.10: a name of one's own has a domain; this one is OpenSSH's. */
        (void)sp_channel_exit_with_signal(channel, name != NULL ? name : "SIG@openssh.com",
                                          WCOREDUMP(status), NULL, NULL);
    } else {
        (void)sp_channel_exit(channel, status != -1 && WIFEXITED(status)
                                           ? (uint32_t)WEXITSTATUS(status)
                                           : 255u);
    }
}

/* Ends it all when the child is reaped and its output was taken. True: `process` is gone. */
static bool end_if_done(sps_process *process)
{
    if (process->child != NULL)
        return false;
    for (int i = 0; i < 2 && !process->hung_up; i++)
        if (process->sources[i].watch != NULL || process->sources[i].left.length != 0)
            return false;
    if (!process->hung_up)
        send_status(process);
    process_free(process);
    return true;
}

static void child_exited(void *data, int status)
{
    sps_process *process = data;
    process->child = NULL;
    process->status = status;
    if (!process->hung_up && process->terminal && !process->paused &&
        process->sources[0].watch != NULL)
        read_source(&process->sources[0]); /* what is left; ends by itself */
    else
        (void)end_if_done(process);
}

/* ---- from the child to the client ---- */

static void set_interest(sps_process *process)
{
    for (int i = 0; i < 2; i++) {
        source *from = &process->sources[i];
        if (from->watch == NULL)
            continue;
        unsigned events = process->paused || from->left.length != 0 ? 0 : SPL_READABLE;
        if (process->terminal && process->pending.length != 0)
            events |= SPL_WRITABLE;
        (void)spl_watch_set(from->watch, events);
    }
    if (process->input != NULL)
        (void)spl_watch_set(process->input, process->pending.length != 0 ? SPL_WRITABLE : 0);
}

static ptrdiff_t write_channel(sps_process *process, uint32_t type, const void *bytes, size_t length)
{
    return type == SP_DATA_STDERR ? sp_channel_write_stderr(process->channel, bytes, length)
                                  : sp_channel_write(process->channel, bytes, length);
}

/* Hands bytes to the channel and keeps what it does not take. */
static void give(source *from, const uint8_t *bytes, size_t length)
{
    sps_process *process = from->process;
    ptrdiff_t n = write_channel(process, from->type, bytes, length);
    if (n < 0) {
        /* The channel is closing: nobody reads this child any more. */
        close_source(from);
        return;
    }
    if ((size_t)n == length)
        return;
    process->paused = true;
    spw_bytes(&from->left, bytes + n, length - (size_t)n);
    if (!spw_ok(&from->left)) {
        (void)sp_channel_abort(process->channel);
        close_source(from);
    }
}

/* Reads and hands over once. False: there is no more for now, or for ever. A terminal gives little
 * at a time, so it is asked until it has no more; a pipe gives all it has. */
static bool read_once(source *from)
{
    sps_process *process = from->process;
    uint8_t *scratch = spl_loop_scratch(process->server->loop);
    size_t room = process->terminal ? TERMINAL_READ : SPL_SCRATCH;
    size_t length = 0;
    ptrdiff_t n = SP_EAGAIN;
    if (scratch != NULL) {
        do {
            n = spl_read(spl_watch_fd(from->watch), scratch + length, room - length);
            if (n > 0)
                length += (size_t)n;
        } while (n > 0 && process->terminal && length < room);
    }
    if (length > 0)
        give(from, scratch, length);
    /* The end: of a pipe; of a terminal whose last slave is closed (an error on Linux); and of a
     * terminal that has no more to say when its session's leader is gone. */
    if (n == 0 || (n < 0 && n != SP_EAGAIN) || (n < 0 && process->terminal && process->child == NULL))
        close_source(from);
    return n > 0 && from->watch != NULL && !process->paused;
}

/* After the child's end a terminal may never become ready again, so it is read empty. */
static void read_source(source *from)
{
    sps_process *process = from->process;
    bool more;
    do
        more = read_once(from);
    while (more && process->terminal && process->child == NULL);
    if (!end_if_done(process))
        set_interest(process);
}

void sps_process_pause(sps_process *process)
{
    if (process == NULL)
        return;
    process->paused = true;
    set_interest(process);
}

void sps_process_resume(sps_process *process)
{
    if (process == NULL)
        return;
    process->paused = false;
    for (int i = 0; i < 2 && !process->paused; i++) {
        source *from = &process->sources[i];
        if (from->left.length == 0)
            continue;
        ptrdiff_t n = write_channel(process, from->type, from->left.data, from->left.length);
        if (n < 0 || (size_t)n == from->left.length) {
            spb_buffer_free(&from->left);
        } else {
            spb_buffer_consume(&from->left, (size_t)n);
            process->paused = true;
        }
    }
    if (end_if_done(process))
        return;
    if (process->terminal && process->child == NULL && !process->paused &&
        process->sources[0].watch != NULL)
        read_source(&process->sources[0]);
    else
        set_interest(process);
}

/* ---- from the client to the child ---- */

static int sink_fd(const sps_process *process)
{
    spl_watch *watch = process->terminal ? process->sources[0].watch : process->input;
    return watch == NULL ? -1 : spl_watch_fd(watch);
}

/* The child takes no more input. */
static void sink_broken(sps_process *process)
{
    spb_buffer_free(&process->pending);
    if (!process->terminal) {
        close_input(process);
        (void)sp_channel_send_eow(process->channel);
    }
}

static void hold(sps_process *process, bool on)
{
    if (process->held == on)
        return;
    process->held = on;
    (void)(on ? sp_channel_pause_reading : sp_channel_resume_reading)(process->channel);
}

void sps_process_data(sps_process *process, const uint8_t *bytes, size_t length)
{
    if (process == NULL || sink_fd(process) < 0)
        return;
    ptrdiff_t n = 0;
    if (process->pending.length == 0) {
        n = spl_write(sink_fd(process), bytes, length);
        if (n == SP_EAGAIN)
            n = 0;
        if (n < 0) {
            sink_broken(process);
            return;
        }
        if ((size_t)n == length)
            return;
    }
    spw_bytes(&process->pending, bytes + n, length - (size_t)n);
    if (!spw_ok(&process->pending)) {
        (void)sp_channel_abort(process->channel);
        return;
    }
    hold(process, true);
    set_interest(process);
}

static void write_pending(sps_process *process)
{
    if (process->pending.length == 0)
        return;
    ptrdiff_t n = spl_write(sink_fd(process), process->pending.data, process->pending.length);
    if (n == SP_EAGAIN)
        return;
    if (n < 0)
        sink_broken(process);
    else
        spb_buffer_consume(&process->pending, (size_t)n);
    if (process->pending.length != 0)
        return;
    spb_buffer_free(&process->pending);
    hold(process, false);
    if (process->eof_wanted)
        close_input(process);
}

/* A terminal has no end of input of its own: as with sshd, nothing happens there. */
void sps_process_eof(sps_process *process)
{
    if (process == NULL || process->terminal)
        return;
    process->eof_wanted = true;
    if (process->pending.length == 0)
        close_input(process);
}

static void source_ready(void *data, unsigned events)
{
    source *from = data;
    sps_process *process = from->process;
    if ((events & SPL_WRITABLE) != 0 && process->terminal)
        write_pending(process);
    if ((events & SPL_READABLE) != 0 && from->watch != NULL)
        read_source(from);
    else
        set_interest(process);
}

static void input_ready(void *data, unsigned events)
{
    (void)events;
    sps_process *process = data;
    write_pending(process);
    set_interest(process);
}

/* ---- what else the client says ---- */

void sps_process_resize(sps_process *process, const sp_term_size *size)
{
    if (process != NULL && process->terminal && process->sources[0].watch != NULL)
        spl_pty_resize(spl_watch_fd(process->sources[0].watch), size);
}

void sps_process_signal(sps_process *process, const char *name)
{
    int number = spl_signal_number(name);
    if (process != NULL && process->child != NULL && number != 0)
        (void)kill(-process->pid, number);
}

bool sps_process_break(sps_process *process)
{
    if (process == NULL || !process->terminal || process->sources[0].watch == NULL)
        return false;
    spl_pty_break(spl_watch_fd(process->sources[0].watch));
    return true;
}

void sps_process_hang_up(sps_process *process)
{
    process->hung_up = true;
    close_source(&process->sources[0]);
    close_source(&process->sources[1]);
    close_input(process);
    if (process->child != NULL)
        (void)kill(-process->pid, SIGHUP);
    (void)end_if_done(process);
}

void sps_processes_forget(sp_server *server)
{
    while (!spb_list_empty(&server->processes)) {
        sps_process *process = SPB_CONTAINER(server->processes.next, sps_process, link);
        process->status = -1;
        process_free(process);
    }
}

/* ---- starting ---- */

int sp_spawn_here(void *ctx, const sp_spawn_request *request, sp_spawn_result *result)
{
    (void)ctx;
    spb_env env;
    spb_env_init(&env, NULL);
    return spl_spawn(&env, request, result);
}

static int watch_fd(spl_watch **watch, sps_process *process, int *fd, spl_watch_fn fn, void *data)
{
    if (*fd < 0)
        return 0;
    int result = spl_watch_new(watch, process->server->loop, *fd, fn, data);
    if (result == 0)
        *fd = -1; /* the watch's */
    return result;
}

static int join(sps_process *process, sp_spawn_result *spawned)
{
    const spb_env *env = env_of(process);
    for (int i = 0; i < 2; i++) {
        source *from = &process->sources[i];
        from->process = process;
        from->type = i == 0 ? SP_DATA_NORMAL : SP_DATA_STDERR;
        spb_buffer_init(&from->left, env, SPL_SCRATCH);
    }
    spb_buffer_init(&process->pending, env, PENDING_MAX);
    process->pid = spawned->pid;
    source *out = &process->sources[0];
    source *err = &process->sources[1];
    int result = process->terminal
                     ? watch_fd(&out->watch, process, &spawned->input, source_ready, out)
                     : watch_fd(&process->input, process, &spawned->input, input_ready, process);
    if (result == 0)
        result = watch_fd(&out->watch, process, &spawned->output, source_ready, out);
    if (result == 0)
        result = watch_fd(&err->watch, process, &spawned->error, source_ready, err);
    if (result == 0)
        result = spl_child_watch(&process->child, process->server->loop, spawned->pid,
                                 child_exited, process);
    return result;
}

/* A child that can't be joined is of no use. */
static void discard_child(sps_process *process, const sp_spawn_result *spawned)
{
    const int fds[3] = {spawned->input, spawned->output, spawned->error};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    close_source(&process->sources[0]);
    close_source(&process->sources[1]);
    close_input(process);
    (void)kill(-spawned->pid, SIGKILL);
    while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int sp_channel_spawn(sp_channel *channel, const sp_spawn_options *given)
{
    sp_spawn_options options;
    memset(&options, 0, sizeof options);
    if (given == NULL || !sps_copy_sized(&options, sizeof options, given) ||
        options.program == NULL)
        return SP_EINVAL;
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    if (channel->spawned)
        return SP_EALREADY;
    if (!channel->started)
        return SP_ESTATE;
    sp_server *server = channel->conn->server;
    sps_process *process = spb_calloc(&server->env, 1, sizeof *process);
    if (process == NULL)
        return SP_ENOMEM;
    const char *const only_program[] = {options.program, NULL};
    const char *const nothing[] = {NULL};
    const sp_spawn_request request = {
        .program = options.program,
        .arguments = options.arguments != NULL ? options.arguments : only_program,
        .environment = options.environment != NULL ? options.environment : nothing,
        .directory = options.directory,
        .username = sp_engine_username(engine),
        .terminal = options.no_terminal ? NULL : channel->terminal,
        .size = channel->size,
        .modes = options.no_terminal || channel->terminal == NULL ? NULL : &channel->modes,
    };
    sp_spawn_result spawned = {.input = -1, .output = -1, .error = -1};
    sp_spawner spawner = options.spawner != NULL ? options.spawner : sp_spawn_here;
    int result = spawner(options.spawner_ctx, &request, &spawned);
    if (result == 0) {
        process->server = server;
        process->terminal = request.terminal != NULL;
        result = join(process, &spawned);
        if (result != 0)
            discard_child(process, &spawned);
    }
    if (result != 0) {
        spb_free(&server->env, process);
        return result;
    }
    process->channel = sp_channel_ref(channel);
    process->exited = options.exited;
    process->data = options.data;
    channel->process = process;
    channel->spawned = true;
    spb_list_append(&server->processes, &process->link);
    set_interest(process);
    return 0;
}

pid_t sp_channel_pid(const sp_channel *channel)
{
    return channel->process != NULL && channel->process->child != NULL ? channel->process->pid : 0;
}
