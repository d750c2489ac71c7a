/* sp_open_direct: the life of a function that serves a channel: how it begins, is resumed, learns
 * of what the client does, and ends. */
#include "server/direct.h"

#include <string.h>

#define EVENT_MAX ((size_t)128 * 1024) /* more than the largest packet of data */

/* ---- the fiber ---- */

void sps_direct_free(sp_process *p)
{
    if (p == NULL)
        return;
    const spb_env *env = spl_queue_env(p->channel->queue);
    spb_buffer_free(&p->input);
    spx_editor_free(p->editor);
    spb_free(env, p->subsystems);
    spb_free(env, p);
}

/* The application gets its data back when nothing can use it any more. */
static void release(sp_process *p)
{
    if (p->was_released || !p->lost || p->fiber != NULL)
        return;
    p->was_released = true;
    if (p->released != NULL)
        p->released(p->data);
}

static void finish_channel(sp_process *p)
{
    if (p->lost)
        return;
    if (p->stream)
        (void)sp_channel_close(p->channel);
    else
        (void)sp_channel_exit(p->channel,
                              p->status >= 0 && p->status <= 255 ? (uint32_t)p->status : 255u);
}

static void ended(sp_process *p)
{
    sp_server *server = p->server;
    sp_channel *channel = p->channel;
    p->fiber = NULL;
    sps_direct_terminal_push(p);
    spx_editor_free(p->editor);
    p->editor = NULL;
    finish_channel(p);
    p->server = NULL;
    spl_timer_close(p->timer);
    p->timer = NULL;
    spl_task_cancel(&p->task);
    spb_buffer_free(&p->input);
    p->taken = 0;
    spb_list_remove(&p->link);
    sps_total_give(&server->group->fibers, 1);
    if (server->state == SPS_CLOSING)
        sps_server_look(server);
    release(p);
    sp_channel_unref(channel);
}

static void resume(sp_process *p)
{
    sp_server *server = p->server;
    server->direct = p;
    bool goes_on = spl_fiber_resume(p->fiber);
    server->direct = NULL;
    if (!goes_on)
        ended(p);
}

static void resume_task(spl_task *task)
{
    resume(SPB_CONTAINER(task, sp_process, task));
}

static void run_function(void *data)
{
    sp_process *p = data;
    p->status = p->function(p, p->data);
}

int sps_direct_may_wait(const sp_process *p)
{
    return p->server != NULL && p->server->direct == p ? 0 : SP_ESTATE;
}

void sps_direct_wait(sp_process *p, unsigned for_what)
{
    p->waiting = for_what;
    spl_fiber_yield(p->fiber);
    p->waiting = 0;
}

void sps_direct_wake(sp_process *p, unsigned for_what)
{
    if (p->fiber != NULL && (p->waiting & for_what) != 0)
        spl_task_schedule(p->server->loop, &p->task);
}

void sps_direct_drained(sp_conn *conn)
{
    for (spb_link *at = conn->drains.next; at != &conn->drains; at = at->next) {
        sp_process *p = SPB_CONTAINER(at, sp_process, drain);
        if (sp_channel_write_buffered(p->channel) == 0)
            sps_direct_wake(p, SPS_FOR_DRAIN); /* which takes it off the list */
    }
}

/* One that waits for work is woken by its end, and by nothing else. */
static sp_process *one_that_can_run(const sp_server *server)
{
    for (spb_link *at = server->directs.next; at != &server->directs; at = at->next) {
        sp_process *p = SPB_CONTAINER(at, sp_process, link);
        if ((p->waiting & SPS_FOR_WORK) == 0 || spb_list_linked(&p->task.link))
            return p;
    }
    return NULL;
}

void sps_directs_end(sp_server *server)
{
    while (!spb_list_empty(&server->directs)) {
        sp_process *p = one_that_can_run(server);
        if (p != NULL) {
            spl_task_cancel(&p->task);
            resume(p);
        } else {
            spl_loop_turn(server->loop);
        }
    }
}

/* ---- the beginning ---- */

static bool begin(sp_process *p)
{
    sp_server *server = p->server;
    if (!sps_total_take(&server->group->fibers, 1, server->max_fibers))
        return false;
    p->fiber = spl_fiber_new(server->fiber_pool, run_function, p);
    if (p->fiber == NULL) {
        sps_total_give(&server->group->fibers, 1);
        return false;
    }
    p->task.run = resume_task;
    p->input.secret = p->channel->terminal != NULL; /* passwords are typed there */
    (void)sp_channel_ref(p->channel);
    spb_list_append(&server->directs, &p->link);
    spl_task_schedule(server->loop, &p->task);
    return true;
}

/* ---- the channel's handlers ---- */

static void on_made(sp_channel *channel)
{
    channel->direct->server = channel->conn->server;
}

static void on_started(sp_channel *channel)
{
    if (begin(channel->direct))
        return;
    spb_log(spl_queue_env(channel->queue), SP_LOG_ERROR, "no room for one more fiber");
    (void)sp_channel_abort(channel);
}

static void on_lost(sp_channel *channel, const sp_conn_error *error)
{
    sp_process *p = channel->direct;
    p->lost = true;
    p->lost_in_order = error == NULL;
    spb_list_remove(&p->drain);
    if (p->child != NULL) {
        p->child->exited = NULL; /* it is reaped without us */
        p->child = NULL;
    }
    sps_direct_wake(p, ~SPS_FOR_WORK);
    release(p);
}

static sp_answer grant(const sp_channel *channel, unsigned what)
{
    return (channel->direct->refuse & what) != 0 ? SP_REJECT : SP_ACCEPT;
}

/* The limit is told here, where the client can be refused. */
static sp_answer grant_start(const sp_channel *channel, unsigned what)
{
    const sp_server *server = channel->conn->server;
    bool full = sps_total_now(&server->group->fibers) >= server->max_fibers;
    return full ? SP_REJECT : grant(channel, what);
}

static sp_answer on_pty(sp_channel *channel, sp_request *request, const char *term,
                        const sp_term_size *size, const sp_term_modes *modes)
{
    (void)request;
    (void)term;
    (void)size;
    (void)modes;
    return grant(channel, SP_DIRECT_PTY);
}

static sp_answer on_env(sp_channel *channel, sp_request *request, const char *name,
                        const char *value)
{
    (void)request;
    (void)name;
    (void)value;
    return grant(channel, SP_DIRECT_ENV);
}

static sp_answer on_shell(sp_channel *channel, sp_request *request)
{
    (void)request;
    return grant_start(channel, SP_DIRECT_SHELL);
}

static sp_answer on_exec(sp_channel *channel, sp_request *request, const char *command)
{
    (void)request;
    (void)command;
    return grant_start(channel, SP_DIRECT_EXEC);
}

static sp_answer on_subsystem(sp_channel *channel, sp_request *request, const char *name)
{
    const char *list = channel->direct->subsystems;
    (void)request;
    if (list == NULL || !spb_name_in(spb_span_of(list), name))
        return SP_REJECT;
    return grant_start(channel, 0);
}

static void happened(sp_process *p, unsigned kind)
{
    p->happened |= kind;
    sps_direct_wake(p, SPS_FOR_EVENT);
}

static void on_resize(sp_channel *channel, const sp_term_size *size)
{
    (void)size; /* the channel has it */
    happened(channel->direct, SP_WAIT_RESIZE);
}

static void on_signal(sp_channel *channel, const char *name)
{
    sp_process *p = channel->direct;
    size_t size = strlen(name) + 1;
    if (p->signal_count >= SPS_SIGNALS || size > SPS_SIGNAL_NAME)
        return;
    memcpy(p->signals[p->signal_count++], name, size);
    sps_direct_wake(p, SPS_FOR_EVENT);
}

static sp_answer on_break(sp_channel *channel, sp_request *request, uint32_t milliseconds)
{
    sp_process *p = channel->direct;
    (void)request;
    if ((p->wanted & SP_WAIT_BREAK) == 0 || p->fiber == NULL)
        return SP_REJECT;
    p->break_length = milliseconds;
    happened(p, SP_WAIT_BREAK);
    return SP_ACCEPT;
}

/* What is no plain data has no meaning from a client. */
static void on_data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    sp_process *p = channel->direct;
    if (type != SP_DATA_NORMAL || p->fiber == NULL)
        return;
    if (sps_direct_data(p, bytes, length))
        sps_direct_wake(p, SPS_FOR_INPUT);
    else
        (void)sp_channel_abort(channel);
}

static bool on_eof(sp_channel *channel)
{
    channel->direct->eof = true;
    sps_direct_wake(channel->direct, SPS_FOR_INPUT);
    return true;
}

static void on_resume(sp_channel *channel)
{
    channel->direct->full = false;
    sps_direct_terminal_push(channel->direct);
    sps_direct_wake(channel->direct, SPS_FOR_ROOM);
}

static const sp_session_handlers direct_handlers = {
    SP_SESSION_HANDLERS_INIT,      .connection_made = on_made,
    .connection_lost = on_lost,    .pty_requested = on_pty,
    .env_requested = on_env,       .shell_requested = on_shell,
    .exec_requested = on_exec,     .subsystem_requested = on_subsystem,
    .session_started = on_started, .terminal_size_changed = on_resize,
    .signal_received = on_signal,  .break_received = on_break,
    .data_received = on_data,      .eof_received = on_eof,
    .resume_writing = on_resume,
};

sp_channel *sps_direct_channel(spl_queue *queue, sp_process_fn function, void *data,
                               const sp_direct_options *options, bool stream)
{
    const spb_env *env = spl_queue_env(queue);
    sp_process *p = spb_calloc(env, 1, sizeof *p);
    sp_channel *channel = p == NULL ? NULL : sps_channel_new(queue, &direct_handlers, data);
    if (channel == NULL) {
        spb_free(env, p);
        return NULL;
    }
    p->channel = channel;
    channel->direct = p; /* frees it from here on */
    /* Filled up to this and one event more, at the most. */
    spb_buffer_init(&p->input, env, SPS_DIRECT_INPUT + EVENT_MAX);
    p->function = function;
    p->data = data;
    p->released = options->released;
    p->refuse = options->refuse;
    p->editor_off = options->no_editor;
    p->stream = stream;
    if (options->subsystems == NULL)
        return channel;
    p->subsystems = spb_strdup(env, options->subsystems);
    if (p->subsystems != NULL)
        return channel;
    sp_channel_unref(channel);
    return NULL;
}

/* ---- <sallyport/direct.h> ---- */

int sp_open_direct(sp_open *open, sp_process_fn function, void *data,
                   const sp_direct_options *given)
{
    sp_direct_options options;
    memset(&options, 0, sizeof options);
    if (function == NULL ||
        (given != NULL && (given->size == 0 || !sps_copy_sized(&options, sizeof options, given))))
        return SP_EINVAL;
    sp_channel *channel = sps_direct_channel(sps_open_queue(open), function, data, &options,
                                             sps_open_leads_somewhere(open));
    return channel == NULL ? SP_ENOMEM : sps_open_answer(open, channel, options.channel);
}

sp_channel *sp_process_channel(const sp_process *p)
{
    return p->channel;
}

struct sp_conn *sp_process_conn(const sp_process *p)
{
    return p->channel->conn;
}

struct sp_server *sp_process_server(const sp_process *p)
{
    return p->server;
}

const char *sp_process_command(const sp_process *p)
{
    return p->channel->command;
}

const char *sp_process_subsystem(const sp_process *p)
{
    return p->channel->subsystem;
}

const char *sp_process_environment(const sp_process *p, const char *name)
{
    return sp_channel_get_environment(p->channel, name);
}

const char *sp_process_terminal_type(const sp_process *p)
{
    return p->channel->terminal;
}

bool sp_process_terminal_size(const sp_process *p, sp_term_size *size)
{
    return sp_channel_get_terminal_size(p->channel, size);
}

int sp_process_exit(sp_process *p, uint32_t status)
{
    return sp_channel_exit(p->channel, status);
}

int sp_process_exit_with_signal(sp_process *p, const char *name, bool core_dumped,
                                const char *message, const char *language)
{
    return sp_channel_exit_with_signal(p->channel, name, core_dumped, message, language);
}
