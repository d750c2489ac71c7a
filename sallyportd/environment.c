/* environment.c: what sshd gives a user's process: what the client set, over it the account's own
 * values, over these what the key's line and ~/.ssh/environment say (PermitUserEnvironment), over
 * these SetEnv, and last what describes the connection. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "log.h"
#include "patterns.h"

#define PATH_OF_USERS "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define PATH_OF_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool environment_accepts(const options *o, const char *name)
{
    if (*name == '\0' || strchr(name, '=') != NULL)
        return false;
    for (size_t i = 0; i < o->accept_env.count; i++)
        if (pattern_matches(o->accept_env.items[i], name))
            return true;
    return false;
}

/* Sets or replaces; a name comes once. Takes over `line`, "NAME=value" or NULL. */
static int put_line(string_list *list, char *line)
{
    if (line == NULL)
        return -1;
    size_t length = strcspn(line, "=") + 1;
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], line, length) == 0) {
            free(list->items[i]);
            list->items[i] = line;
            return 0;
        }
    }
    int result = list_add(list, line);
    free(line);
    return result;
}

static int put(string_list *list, const char *name, const char *value)
{
    return put_line(list, text_format("%s=%s", name, value));
}

static int put_clients(string_list *list, const sp_channel *channel)
{
    const char *name;
    const char *value;
    int result = 0;

    for (size_t i = 0; result == 0 && sp_channel_environment_at(channel, i, &name, &value); i++)
        result = put(list, name, value);
    return result;
}

static int put_account(string_list *list, const account *a)
{
    const char *zone = getenv("TZ");
    int bad = put(list, "USER", a->name);

    bad |= put(list, "LOGNAME", a->name);
    bad |= put(list, "HOME", a->home);
    bad |= put(list, "PATH", a->uid == 0 ? PATH_OF_ROOT : PATH_OF_USERS);
    bad |= put_line(list, text_format("MAIL=/var/mail/%s", a->name));
    bad |= put(list, "SHELL", a->shell);
    if (zone != NULL)
        bad |= put(list, "TZ", zone);
    return bad;
}

/* PermitUserEnvironment. */
static bool user_may_set(const options *o, const char *line)
{
    char name[256];
    size_t length = strcspn(line, "=");

    if (o->permit_environment == NULL || line[length] == '\0' || length == 0 ||
        length >= sizeof name)
        return false;
    memcpy(name, line, length);
    name[length] = '\0';
    return pattern_list_match(o->permit_environment, name) == LIST_MATCHES;
}

static int put_users(string_list *list, const login *l, const sp_channel *channel)
{
    const struct sp_conn *conn = sp_channel_conn(channel);
    const options *o = l->options;
    const char *line;
    int bad = 0;

    for (size_t i = 0;
         conn != NULL && (line = sp_conn_get_key_option(conn, "environment", i)) != NULL; i++)
        if (user_may_set(o, line))
            bad |= put_line(list, text_copy(line));
    for (size_t i = 0; i < l->environment.count; i++)
        bad |= put_line(list, text_copy(l->environment.items[i]));
    return bad;
}

int environment_make(string_list *list, const login *l, const sp_channel *channel,
                     const char *original)
{
    const options *o = l->options;
    const char *terminal = sp_channel_get_terminal_type(channel);
    int bad = put_clients(list, channel);

    bad |= put_account(list, l->program->account);
    bad |= put_users(list, l, channel);
    for (size_t i = 0; i < o->set_env.count; i++)
        bad |= put_line(list, text_copy(o->set_env.items[i]));
    bad |= put_line(list, text_format("SSH_CLIENT=%s %u %u", l->peer, (unsigned)l->peer_port,
                                      (unsigned)l->local_port));
    bad |= put_line(list, text_format("SSH_CONNECTION=%s %u %s %u", l->peer, (unsigned)l->peer_port,
                                      l->local, (unsigned)l->local_port));
    if (terminal != NULL && *terminal != '\0')
        bad |= put(list, "TERM", terminal);
    if (original != NULL)
        bad |= put(list, "SSH_ORIGINAL_COMMAND", original);
    return bad == 0 ? 0 : -1;
}

/* ---- ~/.ssh/environment ---------------------------------------------------------------------- */

typedef struct environment_work {
    login *login;
    options *options; /* counted */
    sp_auth *auth;
    bool rc_wanted;
    bool rc_exists;
    string_list lines;
} environment_work;

static void take_lines(environment_work *w, const char *path, char *text)
{
    char *line;

    for (unsigned number = 1; (line = strsep(&text, "\n")) != NULL; number++) {
        const char *start = text_skip_blanks(line);
        text_cut_trailing_blanks(line);
        if (*start == '\0' || *start == '#')
            continue;
        if (strchr(start, '=') == NULL)
            log_info("Bad line %u in %.100s", number, path);
        else if (user_may_set(w->options, start) && list_add(&w->lines, start) != 0)
            log_error("Out of memory");
    }
}

static void environment_read(void *data)
{
    environment_work *w = data;
    const account *a = w->login->program->account;
    const file_rules rules = {.strict = false};
    char problem[512];
    size_t length;
    bool absent;
    char *path = text_format("%s/.ssh/environment", a->home);
    char *rc = text_format("%s/.ssh/rc", a->home);
    char *text = path != NULL && w->options->permit_environment != NULL
                     ? file_read(path, &rules, &length, &absent, problem, sizeof problem)
                     : NULL;

    if (text != NULL)
        take_lines(w, path, text);
    w->rc_exists = w->rc_wanted && rc != NULL && access(rc, F_OK) == 0;
    free(text);
    free(path);
    free(rc);
}

static void environment_keep(void *data)
{
    environment_work *w = data;
    login *l = w->login;

    if (w->rc_exists)
        log_info("~/.ssh/rc is there, and is not run: that is not supported");
    list_clear(&l->environment);
    l->environment = w->lines;
    (void)sp_auth_answer(w->auth, true);
    sp_auth_release(w->auth);
    options_unref(w->options);
    login_unref(l);
    free(w);
}

sp_answer environment_start(sp_conn *conn, sp_auth *auth, login *l)
{
    const options *o = l->options;
    bool rc = o->permit_user_rc && o->force_command == NULL &&
              sp_conn_check_key_permission(conn, "user-rc");

    if (o->permit_environment == NULL && !rc)
        return SP_ACCEPT;
    environment_work *w = calloc(1, sizeof *w);
    if (w == NULL)
        return SP_REJECT;
    w->login = l;
    w->options = options_ref(l->options);
    w->auth = auth;
    w->rc_wanted = rc;
    if (sp_server_work(sp_conn_server(conn), environment_read, environment_keep, w) != 0) {
        options_unref(w->options);
        free(w);
        return SP_REJECT;
    }
    l->references++;
    return SP_LATER;
}
