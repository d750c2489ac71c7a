/* Keyboard-interactive with a one-time code. It would be sent to a telephone; here it is in the
 * server's output. Three rounds to get it right; then a new connection is needed.
 *     ssh -p PORT alice@127.0.0.1
 * Any name gets a code, for a server must not tell who exists; only alice's is ever right. */
#include <sys/random.h>

#include "example.h"

typedef struct login {
    char code[16]; /* empty: none is valid */
    unsigned rounds;
} login;

static void connection_made(sp_conn *conn)
{
    sp_conn_set_data(conn, calloc(1, sizeof(login)));
}

static void connection_lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)error;
    free(sp_conn_data(conn));
}

static sp_kbdint_support kbdint_auth_supported(sp_conn *conn)
{
    const login *l = sp_conn_data(conn);
    return l != NULL && l->rounds < 3 ? SP_KBDINT_YES : SP_KBDINT_NO;
}

static sp_answer ask(sp_auth *auth, const char *instructions)
{
    static const sp_prompt prompt = {"Code: ", true};
    const sp_challenge c = {.instructions = instructions, .prompts = &prompt, .prompt_count = 1};
    return sp_answered(sp_auth_challenge(auth, &c));
}

static sp_answer get_kbdint_challenge(sp_conn *conn, sp_auth *auth, const char *username,
                                      const char *language, const char *submethods)
{
    login *l = sp_conn_data(conn);
    unsigned random;

    (void)language;
    (void)submethods;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return SP_REJECT;
    (void)snprintf(l->code, sizeof l->code, "%06u", random % 1000000);
    (void)printf("code for %s: %s\n", username, l->code);
    (void)fflush(stdout);
    return ask(auth, "A code was sent to you.");
}

static sp_answer validate_kbdint_response(sp_conn *conn, sp_auth *auth, const char *username,
                                          const char *const *responses, size_t count)
{
    login *l = sp_conn_data(conn);
    bool right = count == 1 && l->code[0] != '\0' && strcmp(responses[0], l->code) == 0;

    if (!right && ++l->rounds < 3)
        return ask(auth, "That was not it. Once more:");
    l->code[0] = '\0'; /* used, or used up */
    return right && strcmp(username, "alice") == 0 ? SP_ACCEPT : SP_REJECT;
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .connection_made = connection_made,
        .connection_lost = connection_lost,
        .kbdint_auth_supported = kbdint_auth_supported,
        .get_kbdint_challenge = get_kbdint_challenge,
        .validate_kbdint_response = validate_kbdint_response,
        .session_requested = example_session,
    };
    return example_run(&e, &handlers, NULL);
}
