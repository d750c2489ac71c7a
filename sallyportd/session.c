/* session.c: what a client may ask of a session, and the process that serves it. From the start of
 * the process on the library carries data, signals and window changes; this file decides what is
 * run, and with which environment. */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "environment.h"
#include "log.h"
#include "login.h"

static const login *login_of(const sp_channel *channel)
{
    const struct sp_conn *conn = sp_channel_conn(channel);
    return conn != NULL ? sp_conn_data(conn) : NULL;
}

static const char *subsystem_command(const options *o, const char *name)
{
    for (size_t i = 0; i < o->subsystem_count; i++)
        if (strcmp(o->subsystems[i].name, name) == 0)
            return o->subsystems[i].command;
    return NULL;
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

static sp_answer shell_requested(sp_channel *channel, sp_request *request)
{
    (void)request;
    return login_of(channel) != NULL ? SP_ACCEPT : SP_REJECT;
}

static sp_answer no_subsystem(const char *name)
{
    log_info("Subsystem request for %s failed: there is none of that name", name);
    return SP_REJECT;
}

/* Also where a key's own command stands for a shell or a subsystem. */
static sp_answer exec_requested(sp_channel *channel, sp_request *request, const char *command)
{
    const login *l = login_of(channel);

    (void)request;
    (void)command;
    if (l == NULL)
        return SP_REJECT;
    if (sp_channel_get_original_request(channel) == SP_REQUEST_SUBSYSTEM &&
        subsystem_command(l->options, sp_channel_get_original_command(channel)) == NULL)
        return no_subsystem(sp_channel_get_original_command(channel));
    return SP_ACCEPT;
}

static sp_answer subsystem_requested(sp_channel *channel, sp_request *request, const char *name)
{
    const login *l = login_of(channel);

    (void)request;
    if (l != NULL && subsystem_command(l->options, name) != NULL)
        return SP_ACCEPT;
    return no_subsystem(name);
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

/* What the client asked for; NULL: a shell. */
static const char *asked_command(const options *o, const sp_channel *channel)
{
    switch (sp_channel_get_original_request(channel)) {
    case SP_REQUEST_SHELL:
        return NULL;
    case SP_REQUEST_EXEC:
        return sp_channel_get_original_command(channel);
    case SP_REQUEST_SUBSYSTEM:
        return subsystem_command(o, sp_channel_get_original_command(channel));
    default:
        break; /* no key forces anything */
    }
    const char *name = sp_channel_get_subsystem(channel);
    return name != NULL ? subsystem_command(o, name) : sp_channel_get_command(channel);
}

/* NULL: a login shell. `*original` is what a forced command stands for; ForceCommand comes before
 * that of a key. */
static const char *choose_command(const options *o, const sp_channel *channel,
                                  const char **original)
{
    const char *asked = asked_command(o, channel);
    const char *forced = o->force_command;

    if (forced == NULL && sp_channel_get_original_request(channel) != 0)
        forced = sp_channel_get_command(channel);
    *original = forced != NULL ? asked : NULL;
    return forced != NULL ? forced : asked;
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

static int start_process(sp_channel *channel, const login *l)
{
    const program *p = l->program;
    const char *original;
    const char *command = choose_command(l->options, channel, &original);
    string_list arguments = {NULL, 0};
    string_list environment = {NULL, 0};
    sp_spawn_options spawn = {SP_SPAWN_OPTIONS_INIT};
    int result = SP_ENOMEM;

    if (make_arguments(&arguments, p->account->shell, command) == 0 &&
        environment_make(&environment, l, channel, original) == 0) {
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

static void session_started(sp_channel *channel)
{
    const login *l = login_of(channel);
    int result = l != NULL ? start_process(channel, l) : SP_ECONN;

    if (result == 0)
        return;
    if (l != NULL) {
        log_error("%s can't be started: %s", l->program->account->shell, sp_strerror(result));
        char *text = text_format("%s: %s\r\n", l->program->account->shell, sp_strerror(result));
        if (text != NULL)
            (void)sp_channel_write_stderr(channel, text, strlen(text));
        free(text);
    }
    (void)sp_channel_exit(channel, 1);
}

static void session_lost(sp_channel *channel, const sp_conn_error *error)
{
    const struct sp_conn *conn = sp_channel_conn(channel);
    login *l = conn != NULL ? sp_conn_data(conn) : NULL;

    (void)error;
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
