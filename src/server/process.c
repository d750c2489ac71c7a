/* A child process joined to a channel: bytes both ways with back-pressure, signals, window changes,
 * hang-up, and the exit. The process outlives its channel here until it was reaped.
 *
 * Output that the channel does not take at once is kept (at most one read of it) and reading stops
 * until the channel wants more. Input that the child does not take at once is kept likewise and the
 * channel's reading is paused, which in the end holds the client. */
#include "server/process.h"

#include <signal.h>
#include <sys/wait.h>

#define PIPE_FULL ((size_t)64 * 1024)     /* what a pipe holds; one that fills up is made larger */
#define TERMINAL_READ ((size_t)64 * 1024) /* gathered from a terminal's small reads */

static void read_source(sps_source *from);

static const spb_env *env_of(const sps_process *process)
{
    return &process->server->env;
}

/* ---- the end ---- */

void sps_source_close(sps_source *from)
{
    spl_watch_close(from->watch);
    from->watch = NULL;
}

void sps_input_close(sps_process *process)
{
    spl_watch_close(process->input);
    process->input = NULL;
    spb_buffer_free(&process->pending);
}

/* What the client did meanwhile is the handlers' to know. */
static void give_back(sps_process *process)
{
    sp_channel *channel = process->channel;
    channel->spawned = false;
    if (process->held)
        (void)sp_channel_resume_reading(channel);
    if (process->paused && channel->handlers.pause_writing != NULL)
        channel->handlers.pause_writing(channel);
    if (process->eof_wanted && channel->handlers.eof_received != NULL)
        (void)channel->handlers.eof_received(channel);
}

static void process_free(sps_process *process)
{
    sp_channel *channel = process->channel;
    void (*exited)(sp_channel * channel, int status, void *data) = process->exited;
    void *data = process->data;
    int status = process->status;
    for (int i = 0; i < 2; i++) {
        sps_source_close(&process->sources[i]);
        spb_buffer_free(&process->sources[i].left);
    }
    sps_input_close(process);
    spl_child_forget(process->child);
    spb_list_remove(&process->link);
    channel->process = NULL;
    if (process->lent && !process->hung_up)
        give_back(process);
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
        (void)sp_channel_exit(
            channel, status != -1 && WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 255u);
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
    if (!process->hung_up && !process->lent)
        send_status(process);
    process_free(process);
    return true;
}

void sps_child_exited(void *data, int status)
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

void sps_process_wait(sps_process *process)
{
    for (int i = 0; i < 2; i++) {
        sps_source *from = &process->sources[i];
        if (from->watch == NULL)
            continue;
        unsigned events = process->paused || from->left.length != 0 ? 0 : SPL_READABLE;
        if (process->terminal && process->pending.length != 0)
            events |= SPL_WRITABLE;
        (void)spl_watch_set(from->watch, from->deserted ? 0 : events);
    }
    if (process->input != NULL)
        (void)spl_watch_set(process->input, process->pending.length != 0 ? SPL_WRITABLE : 0);
}

static ptrdiff_t write_channel(sps_process *process, uint32_t type, const void *bytes,
                               size_t length)
{
    return type == SP_DATA_STDERR ? sp_channel_write_stderr(process->channel, bytes, length)
                                  : sp_channel_write(process->channel, bytes, length);
}

/* Hands bytes to the channel and keeps what it does not take. */
static void give(sps_source *from, const uint8_t *bytes, size_t length)
{
    sps_process *process = from->process;
    ptrdiff_t n = write_channel(process, from->type, bytes, length);
    if (n < 0) {
        /* The channel is closing: nobody reads this child any more. */
        sps_source_close(from);
        return;
    }
    if ((size_t)n == length)
        return;
    process->paused = true;
    spw_bytes(&from->left, bytes + n, length - (size_t)n);
    if (!spw_ok(&from->left)) {
        (void)sp_channel_abort(process->channel);
        sps_source_close(from);
    }
}

/* Reads and hands over once. False: there is no more for now, or for ever. A terminal gives little
 * at a time, so it is asked until it has no more; a pipe gives all it has. */
static bool read_once(sps_source *from)
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
    if (!process->terminal && !from->grown && length >= PIPE_FULL) {
        from->grown = true;
        spl_pipe_grow(spl_watch_fd(from->watch));
    }
    if (length > 0)
        give(from, scratch, length);
    /* The end: of a pipe; and of a terminal that has no more to say when its session's leader is
     * gone. A terminal whose last slave is closed (an error on Linux) stays until then: closing it
     * hangs up, and the leader, about to exit, would be seen to die of SIGHUP. */
    bool ended = n == 0 || (n < 0 && n != SP_EAGAIN);
    if (process->terminal && process->child != NULL)
        from->deserted = ended;
    else if (ended || (process->terminal && n < 0))
        sps_source_close(from);
    return n > 0 && from->watch != NULL && !process->paused;
}

/* After the child's end a terminal may never become ready again, so it is read empty. */
static void read_source(sps_source *from)
{
    sps_process *process = from->process;
    bool more;
    do
        more = read_once(from);
    while (more && process->terminal && process->child == NULL);
    if (!end_if_done(process))
        sps_process_wait(process);
}

void sps_process_pause(sps_process *process)
{
    if (process == NULL)
        return;
    process->paused = true;
    sps_process_wait(process);
}

void sps_process_resume(sps_process *process)
{
    if (process == NULL)
        return;
    process->paused = false;
    for (int i = 0; i < 2 && !process->paused; i++) {
        sps_source *from = &process->sources[i];
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
        sps_process_wait(process);
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
        sps_input_close(process);
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
    if (process->input != NULL && !process->input_grown) {
        process->input_grown = true;
        spl_pipe_grow(spl_watch_fd(process->input));
    }
    hold(process, true);
    sps_process_wait(process);
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
    if (process->eof_wanted && !process->terminal)
        sps_input_close(process);
}

/* A terminal has no end of input of its own: as with sshd, nothing happens there. */
void sps_process_eof(sps_process *process)
{
    if (process == NULL)
        return;
    process->eof_wanted = true;
    if (!process->terminal && process->pending.length == 0)
        sps_input_close(process);
}

void sps_source_ready(void *data, unsigned events)
{
    sps_source *from = data;
    sps_process *process = from->process;
    if ((events & SPL_WRITABLE) != 0 && process->terminal)
        write_pending(process);
    if ((events & SPL_READABLE) != 0 && from->watch != NULL)
        read_source(from);
    else
        sps_process_wait(process);
}

void sps_input_ready(void *data, unsigned events)
{
    (void)events;
    sps_process *process = data;
    write_pending(process);
    sps_process_wait(process);
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
    sps_source_close(&process->sources[0]);
    sps_source_close(&process->sources[1]);
    sps_input_close(process);
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
