/* sp_channel_spawn: starts a process with what the client was granted, and joins it to the channel.
 */
#include "server/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The channel is paused as soon as there is something pending, so this is never near. */
#define PENDING_MAX ((size_t)4 * 1024 * 1024)

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
    const spb_env *env = &process->server->env;
    for (int i = 0; i < 2; i++) {
        sps_source *from = &process->sources[i];
        from->process = process;
        from->type = i == 0 ? SP_DATA_NORMAL : SP_DATA_STDERR;
        spb_buffer_init(&from->left, env, SPL_SCRATCH);
    }
    spb_buffer_init(&process->pending, env, PENDING_MAX);
    process->pid = spawned->pid;
    sps_source *out = &process->sources[0];
    sps_source *err = &process->sources[1];
    int result =
        process->terminal
            ? watch_fd(&out->watch, process, &spawned->input, sps_source_ready, out)
            : watch_fd(&process->input, process, &spawned->input, sps_input_ready, process);
    if (result == 0)
        result = watch_fd(&out->watch, process, &spawned->output, sps_source_ready, out);
    if (result == 0)
        result = watch_fd(&err->watch, process, &spawned->error, sps_source_ready, err);
    if (result == 0)
        result = spl_child_watch(&process->child, process->server->loop, spawned->pid,
                                 sps_child_exited, process);
    return result;
}

/* A child that can't be joined is of no use. */
static void discard_child(sps_process *process, const sp_spawn_result *spawned)
{
    const int fds[3] = {spawned->input, spawned->output, spawned->error};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    sps_source_close(&process->sources[0]);
    sps_source_close(&process->sources[1]);
    sps_input_close(process);
    (void)kill(-spawned->pid, SIGKILL);
    while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int sps_channel_spawn(sp_channel *channel, const sp_spawn_options *given, sps_process **lent)
{
    sp_spawn_options options;
    memset(&options, 0, sizeof options);
    if (given == NULL || !sps_copy_sized(&options, sizeof options, given) ||
        options.program == NULL)
        return SP_EINVAL;
    sp_engine *engine = sps_channel_engine(channel);
    if (engine == NULL)
        return SP_ECONN;
    if (channel->spawned || channel->taker != NULL)
        return SP_EALREADY;
    if (!channel->started)
        return SP_ESTATE;
    sp_server *server = channel->conn->server;
    sps_process *process = spb_calloc(&server->env, 1, sizeof *process);
    if (process == NULL)
        return SP_ENOMEM;
    const char **environment = sps_spawn_environment(channel, options.environment);
    if (environment == NULL) {
        spb_free(&server->env, process);
        return SP_ENOMEM;
    }
    const char *const only_program[] = {options.program, NULL};
    const sp_spawn_request request = {
        .program = options.program,
        .arguments = options.arguments != NULL ? options.arguments : only_program,
        .environment = environment,
        .directory = options.directory,
        .username = sp_engine_username(engine),
        .terminal = options.no_terminal ? NULL : channel->terminal,
        .size = channel->size,
        .modes = options.no_terminal || channel->terminal == NULL ? NULL : &channel->modes,
    };
    sp_spawn_result spawned = {.input = -1, .output = -1, .error = -1};
    sp_spawner spawner = options.spawner != NULL ? options.spawner : sp_spawn_here;
    int result = spawner(options.spawner_ctx, &request, &spawned);
    spb_free(&server->env, environment);
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
    if (lent != NULL) {
        process->lent = true;
        *lent = process;
    }
    spb_list_append(&server->processes, &process->link);
    sps_process_wait(process);
    return 0;
}

int sp_channel_spawn(sp_channel *channel, const sp_spawn_options *options)
{
    return sps_channel_spawn(channel, options, NULL);
}

pid_t sp_channel_pid(const sp_channel *channel)
{
    return channel->process != NULL && channel->process->child != NULL ? channel->process->pid : 0;
}
