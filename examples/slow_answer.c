/* Slow answers: each user is looked up for two seconds, and nobody else waits meanwhile.
 *
 *     for i in 1 2 3; do ssh -p PORT user$i@127.0.0.1 & done; wait     # password: "slow"
 *
 * Two ways to take time: a blocking function on the thread pool (sp_work), and SP_LATER with an
 * answer of one's own, here from a timer. */
#include <unistd.h>

#include "example.h"

/* ---- one: SP_LATER. The question is kept, answered once, and released. ---- */
typedef struct lookup {
    sp_auth *auth;
    sp_timer *timer;
} lookup;

static void profile_arrived(void *data)
{
    lookup *l = data;

    sp_auth_answer(l->auth, false); /* "authentication is required"; SP_ECONN if the client left */
    sp_auth_release(l->auth);
    sp_timer_stop(l->timer);
    free(l);
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    lookup *l = malloc(sizeof *l);

    (void)username;
    if (l == NULL)
        return SP_REJECT;
    l->auth = auth;
    l->timer = sp_timer_start(sp_conn_server(conn), 2000, 0, profile_arrived, l);
    if (l->timer == NULL) {
        free(l);
        return SP_REJECT;
    }
    return SP_LATER;
}

/* ---- two: the thread pool. What the function returns is the answer. ---- */
static sp_answer look_up(sp_auth *auth, void *data)
{
    (void)data;
    sleep(2); /* a directory or a database */
    return strcmp(sp_auth_password(auth), "slow") == 0 ? SP_ACCEPT : SP_REJECT;
}

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password)
{
    (void)conn;
    (void)username;
    (void)password;
    return sp_work(auth, look_up, NULL);
}

static bool password_auth_supported(sp_conn *conn)
{
    (void)conn;
    return true;
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = begin_auth,
        .password_auth_supported = password_auth_supported,
        .validate_password = validate_password,
        .session_requested = example_session,
    };
    return example_run(&e, &handlers, NULL);
}
