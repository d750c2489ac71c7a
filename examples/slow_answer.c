/* Slow answers that delay nobody else: SP_LATER with an answer from a timer, and a blocking
 * function on the thread pool (sp_work). Each takes two seconds; the password is "slow". ssh -p
 * PORT ann@127.0.0.1 */
#include <unistd.h>

#include "example.h"

/* ---- one: SP_LATER. The question is kept, answered once, and released. ---- */
typedef struct lookup {
    sp_auth *auth;
    sp_timer *timer;
} lookup;

/* Also for a second user name, and when the client leaves before the answer. */
static void forget(sp_conn *conn, const sp_conn_error *error)
{
    lookup *l = sp_conn_data(conn);
    (void)error;
    if (l != NULL) {
        sp_timer_stop(l->timer);
        sp_auth_release(l->auth);
    }
    free(l);
    sp_conn_set_data(conn, NULL);
}

static void profile_arrived(void *conn)
{
    lookup *l = sp_conn_data(conn);
    sp_auth_answer(l->auth, false); /* authentication is required */
    forget(conn, NULL);
}

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)username;
    forget(conn, NULL);
    lookup *l = calloc(1, sizeof *l);
    sp_timer *timer = sp_timer_start(sp_conn_server(conn), 2000, 0, profile_arrived, conn);
    if (l == NULL || timer == NULL) {
        sp_timer_stop(timer);
        free(l);
        return SP_REJECT;
    }
    *l = (lookup){auth, timer};
    sp_conn_set_data(conn, l);
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

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_lost = forget,
        .begin_auth = begin_auth,
        .password_auth_supported = example_yes,
        .validate_password = validate_password,
        .session_requested = example_session,
    };
    return example_run(&e, &handlers, NULL);
}
