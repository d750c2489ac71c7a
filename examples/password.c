/* Passwords: "alice" logs in with "wonderland"; "bob" has to choose a new one first (his is "old").
 *
 *     ssh -p PORT alice@127.0.0.1
 *
 * Keyboard-interactive works as well: the library asks "Password: " and calls the same handler. */
#include "example.h"

static char bobs_new_password[64]; /* a real server would store a hash, and not here */

static bool password_auth_supported(sp_conn *conn)
{
    (void)conn;
    return true;
}

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *username,
                                   const char *password)
{
    (void)conn;
    if (strcmp(username, "alice") == 0)
        return strcmp(password, "wonderland") == 0 ? SP_ACCEPT : SP_REJECT;
    if (strcmp(username, "bob") != 0)
        return SP_REJECT;
    if (bobs_new_password[0] == '\0' && strcmp(password, "old") == 0)
        return sp_answered(sp_auth_change_required(auth, "Choose a new password", "en"));
    return bobs_new_password[0] != '\0' && strcmp(password, bobs_new_password) == 0 ? SP_ACCEPT
                                                                                    : SP_REJECT;
}

static sp_answer change_password(sp_conn *conn, sp_auth *auth, const char *username,
                                 const char *old_password, const char *new_password)
{
    (void)conn;
    if (strcmp(username, "bob") != 0 || bobs_new_password[0] != '\0' ||
        strcmp(old_password, "old") != 0 || strlen(new_password) >= sizeof bobs_new_password)
        return SP_REJECT;
    if (strlen(new_password) < 8)
        return sp_answered(sp_auth_change_required(auth, "Too short: 8 characters at least", "en"));
    memcpy(bobs_new_password, new_password, strlen(new_password) + 1);
    return SP_ACCEPT;
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .password_auth_supported = password_auth_supported,
        .validate_password = validate_password,
        .change_password = change_password,
        .session_requested = example_session,
    };
    return example_run(&e, &handlers, NULL);
}
