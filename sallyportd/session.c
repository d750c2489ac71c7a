/* session.c: what a client may ask of a session, and the process that serves it. From the start of
 * the process on the library carries data, signals and window changes; this file decides what is
 * run, and with which environment. What is not run but served here is transfer.c's. */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "environment.h"
#include "log.h"
#include "login.h"
#include "plan.h"
#include "transfer.h"

static login *login_of(const sp_channel *channel)
{
    const struct sp_conn *conn = sp_channel_conn(channel);
    return conn != NULL ? sp_conn_data(conn) : NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

static sp_answer pty_requested(sp_channel *channel, sp_request *request, const char *term,
                               const sp_term_size *size, const sp_term_modes *modes)
{
    const login *l = login_of(channel);

    (void)request;
    (void)term;
    (void)size;
    (void)modes;
    return l != NULL && l->options->permit_tty ? SP_ACCEPT : SP_REJECT;
}

static sp_answer env_requested(sp_channel *channel, sp_request *request, const char *name,
                               const char *value)
{
    const login *l = login_of(channel);

    (void)request;
    (void)value;
    return l != NULL && environment_accepts(l->options, name) ? SP_ACCEPT : SP_REJECT;
}

/* Of what is refused by its plan, session_started tells the client; nothing is run then. */
static sp_answer start_requested(sp_channel *channel, sp_request *request, sp_request_type type,
                                 const char *text)
{
    login *l = login_of(channel);

    if (l == NULL)
        return SP_REJECT;
    const session_plan plan = session_plan_make(l->options, channel, type, text);
    switch (plan.action) {
    case SESSION_NO_SUBSYSTEM:
        log_info("Subsystem request for %s failed: there is none of that name",
                 type == SP_REQUEST_SUBSYSTEM ? text : sp_channel_get_original_command(channel));
        return SP_REJECT;
    case SESSION_SFTP:
        return transfer_prepare(channel, request, l, TRANSFER_SFTP, plan.command);
    case SESSION_SCP:
        return transfer_prepare(channel, request, l, TRANSFER_SCP, plan.command);
    case SESSION_PROCESS:
    case SESSION_NOT_SFTP:
    case SESSION_NOT_FILES:
        break;
    }
    return SP_ACCEPT;
}

static sp_answer shell_requested(sp_channel *channel, sp_request *request)
{
    return start_requested(channel, request, SP_REQUEST_SHELL, NULL);
}

/* Also where a key's own command stands for a shell or a subsystem. */
static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    return start_requested(channel, request, SP_REQUEST_EXEC, command);
}

static sp_answer subsystem_requested(sp_channel *channel, sp_request *request, const char *name)
{
    return start_requested(channel, request, SP_REQUEST_SUBSYSTEM, name);
}

static sp_answer agent_requested(sp_channel *channel, sp_request *request)
{
    const login *l = login_of(channel);

    (void)request;
    return l != NULL && l->options->agent_forwarding && !l->options->disable_forwarding ? SP_ACCEPT
                                                                                        : SP_REJECT;
}

static sp_answer x11_requested(sp_channel *channel, sp_request *request)
{
    const login *l = login_of(channel);

    (void)request;
    return l != NULL && l->options->x11_forwarding && !l->options->disable_forwarding ? SP_ACCEPT
                                                                                      : SP_REJECT;
}

/* ---- the process ----------------------------------------------------------------------------- */

static void exited(sp_channel *channel, int status, void *data)
{
    (void)channel;
    (void)data;
    if (WIFSIGNALED(status))
        log_debug("A session's process ended by signal %d", WTERMSIG(status));
    else
        log_debug("A session's process ended with status %d", WEXITSTATUS(status));
}

/* sshd's order: the shell reads its profile when its own name begins with a dash. */
static int make_arguments(string_list *arguments, const char *shell, const char *command)
{
    const char *slash = strrchr(shell, '/');
    const char *base = slash != NULL ? slash + 1 : shell;

    if (command == NULL)
        return list_addf(arguments, "-%s", base);
    return list_add(arguments, base) != 0 || list_add(arguments, "-c") != 0 ||
                   list_add(arguments, command) != 0
               ? -1
               : 0;
}

static const char *start_directory(sp_channel *channel, const account *a)
{
    if (access(a->home, X_OK) == 0)
        return a->home;

    char *text =
        text_format("The home directory %s can't be entered: %s\r\n", a->home, strerror(errno));
    if (text != NULL)
        (void)sp_channel_write_stderr(channel, text, strlen(text));
    free(text);
    return "/";
}

static int start_process(sp_channel *channel, const login *l, const session_plan *plan)
{
    const program *p = l->program;
    const char *command = plan->command;
    string_list arguments = {NULL, 0};
    string_list environment = {NULL, 0};
    sp_spawn_options spawn = {SP_SPAWN_OPTIONS_INIT};
    int result = SP_ENOMEM;

    if (make_arguments(&arguments, p->account->shell, command) == 0 &&
        environment_make(&environment, l, channel, plan->original) == 0) {
        spawn.program = p->account->shell;
        spawn.arguments = (const char *const *)arguments.items;
        spawn.environment = (const char *const *)environment.items;
        spawn.directory = start_directory(channel, p->account);
        spawn.spawner = p->door.start;
        spawn.spawner_ctx = p->door.ctx;
        spawn.exited = exited;
        result = sp_channel_spawn(channel, &spawn);
    }
    log_verbose("Starting session: %s for %s from %s port %u: %s",
                command != NULL ? "command" : "shell", p->account->name, l->peer,
                (unsigned)l->peer_port, result == 0 ? "started" : sp_strerror(result));
    list_clear(&arguments);
    list_clear(&environment);
    return result;
}

static void run_process(sp_channel *channel, const login *l, const session_plan *plan)
{
    int result = start_process(channel, l, plan);

    if (result == 0)
        return;
    log_error("%s can't be started: %s", l->program->account->shell, sp_strerror(result));
    char *text = text_format("%s: %s\r\n", l->program->account->shell, sp_strerror(result));
    if (text != NULL)
        (void)sp_channel_write_stderr(channel, text, strlen(text));
    free(text);
    (void)sp_channel_exit(channel, 1);
}

/* ---- files, served here ---------------------------------------------------------------------- */

static void serve_files(sp_channel *channel, const login *l)
{
    transfer *t = sp_channel_data(channel);

    log_verbose("Starting session: file transfer for %s from %s port %u", l->program->account->name,
                l->peer, (unsigned)l->peer_port);
    if (t == NULL || !transfer_serve(t, channel))
        (void)sp_channel_exit(channel, 1);
}

static void refuse(sp_channel *channel, const login *l, const char *what, const char *why)
{
    bool terminal = sp_channel_get_terminal_type(channel) != NULL;

    log_error("Connection from %s port %u: refusing non-%s session: %s", l->peer,
              (unsigned)l->peer_port, what, why);
    char *text =
        text_format("This service allows %s connections only.%s\n", what, terminal ? "\r" : "");
    if (text != NULL)
        (void)sp_channel_write(channel, text, strlen(text));
    free(text);
    (void)sp_channel_exit(channel, 1);
}

static void session_started(sp_channel *channel)
{
    const login *l = login_of(channel);

    if (l == NULL) {
        (void)sp_channel_exit(channel, 1);
        return;
    }
    const session_plan plan = session_plan_of(l->options, channel);
    switch (plan.action) {
    case SESSION_PROCESS:
        run_process(channel, l, &plan);
        break;
    case SESSION_SFTP:
    case SESSION_SCP:
        serve_files(channel, l);
        break;
    case SESSION_NOT_SFTP:
        refuse(channel, l, "sftp", "internal-sftp is forced");
        break;
    case SESSION_NOT_FILES:
        refuse(channel, l, "file transfer",
               "ChrootDirectory is set, which a program would not "
               "keep to");
        break;
    case SESSION_NO_SUBSYSTEM:
        (void)sp_channel_exit(channel, 1); /* such a request is not accepted */
        break;
    }
}

static void session_lost(sp_channel *channel, const sp_conn_error *error)
{
    login *l = login_of(channel);

    (void)error;
    transfer_unref(sp_channel_data(channel));
    sp_channel_set_data(channel, NULL);
    if (l != NULL && l->sessions > 0)
        l->sessions--;
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers handlers = {
        SP_SESSION_HANDLERS_INIT,           .pty_requested = pty_requested,
        .env_requested = env_requested,     .shell_requested = shell_requested,
        .exec_requested = exec_requested,   .subsystem_requested = subsystem_requested,
        .agent_requested = agent_requested, .x11_requested = x11_requested,
        .session_started = session_started, .connection_lost = session_lost,
    };
    login *l = sp_conn_data(conn);

    if (l == NULL || l->sessions >= l->options->max_sessions) {
        log_info("Session refused: MaxSessions are open");
        return sp_answered(
            sp_open_refuse(open, SP_OPEN_ADMINISTRATIVELY_PROHIBITED, "no more sessions allowed"));
    }
    l->sessions++;
    if (sp_open_session(open, &handlers, NULL, NULL) == 0)
        return SP_ANSWERED;
    l->sessions--;
    return SP_REJECT;
}

void session_handlers(sp_server_handlers *handlers)
{
    handlers->session_requested = session_requested;
}
