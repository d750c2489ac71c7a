/* begin.c: the files that are read before a user name's first attempt, anew each time, so that they
 * can be changed while the server runs. */
#include <stdlib.h>

#include "files.h"
#include "log.h"
#include "login.h"

typedef struct begin_work {
    login *login;
    options *options; /* counted: they have the paths */
    sp_auth *auth;
    bool with_banner;
    char *banner;
    sp_revoked_keys *revoked;
    int revoked_result;
} begin_work;

static char *read_banner(const char *path)
{
    const file_rules rules = {.strict = false};
    char problem[512];
    size_t length;
    bool absent;
    char *text = file_read(path, &rules, &length, &absent, problem, sizeof problem);

    if (text == NULL)
        log_verbose("Banner: %s", problem);
    return text;
}

static void read_files(void *data)
{
    begin_work *w = data;

    if (w->with_banner)
        w->banner = read_banner(w->options->banner);
    if (w->options->revoked_keys != NULL)
        w->revoked_result = sp_revoked_keys_load(&w->revoked, w->options->revoked_keys);
}

/* As in sshd, a list that can't be read revokes every key. */
static void use_revoked(const begin_work *w, sp_conn *conn)
{
    login *l = w->login;

    l->keys_refused = w->revoked_result != 0;
    if (l->keys_refused)
        log_error("No key can log in: RevokedKeys %s: %s", w->options->revoked_keys,
                  sp_strerror(w->revoked_result));
    else if (sp_conn_set_revoked_keys(conn, w->revoked) != 0)
        l->keys_refused = true;
}

static void answer(void *data)
{
    begin_work *w = data;
    sp_conn *conn = sp_auth_conn(w->auth);

    /* Another name may have been tried meanwhile, with other settings and files of its own. */
    if (conn != NULL && w->login->options == w->options) {
        if (w->banner != NULL && *w->banner != '\0')
            (void)sp_conn_send_auth_banner(conn, w->banner, "");
        use_revoked(w, conn);
    }
    (void)sp_auth_answer(w->auth, false); /* authentication is required */
    sp_auth_release(w->auth);
    sp_revoked_keys_unref(w->revoked);
    options_unref(w->options);
    login_unref(w->login);
    free(w->banner);
    free(w);
}

sp_answer begin_start(sp_conn *conn, sp_auth *auth, login *l)
{
    const options *o = l->options;
    bool with_banner = o->banner != NULL && !l->banner_sent;

    l->keys_refused = o->revoked_keys != NULL; /* until the list is there */
    if (!with_banner && o->revoked_keys == NULL) {
        (void)sp_conn_set_revoked_keys(conn, NULL);
        return SP_REJECT;
    }
    begin_work *w = calloc(1, sizeof *w);
    if (w == NULL)
        return SP_REJECT;
    w->login = l;
    w->options = options_ref(l->options);
    w->auth = auth;
    w->with_banner = with_banner;
    if (sp_server_work(sp_conn_server(conn), read_files, answer, w) != 0) {
        options_unref(w->options);
        free(w);
        return SP_REJECT;
    }
    l->references++;
    l->banner_sent = l->banner_sent || with_banner;
    return SP_LATER;
}
