/* A git server over exec: clone, fetch and push the repositories of one folder, as user "git", with
 * the keys of an authorized_keys file:
 *     git_server PORT HOST_KEY_FILE|- FOLDER KEYS_FILE
 *     git clone ssh://git@127.0.0.1:PORT/NAME.git
 * No shell, no other command, and no name leads out of the folder. */
#include "example.h"

typedef struct place {
    const char *folder;
    sp_authorized_keys *keys;
} place;

static sp_answer begin_auth(sp_conn *conn, sp_auth *auth, const char *username)
{
    const place *here = sp_server_data(sp_conn_server(conn));
    if (strcmp(username, "git") == 0)
        (void)sp_auth_set_authorized_keys(auth, here->keys);
    return SP_REJECT; /* authentication is required */
}

/* Git sends git-upload-pack 'NAME.git' to fetch and git-receive-pack 'NAME.git' to push; the name
 * has a slash in front when it comes from an ssh:// address. */
static bool understand(const char *command, char service[16], char name[64])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    int end = 0;

    if (sscanf(command, "git-%15[a-z-] '/%63[^'/]'%n", service, name, &end) != 2 || end == 0)
        (void)sscanf(command, "git-%15[a-z-] '%63[^'/]'%n", service, name, &end);
    return end != 0 && command[end] == '\0' && name[strspn(name, letters)] == '\0' &&
           name[0] != '.' && name[0] != '-' &&
           (strcmp(service, "upload-pack") == 0 || strcmp(service, "receive-pack") == 0);
}

static int serve(sp_process *p, void *data)
{
    const place *here = data;
    const char *protocol = sp_process_environment(p, "GIT_PROTOCOL");
    bool second = protocol != NULL && strcmp(protocol, "version=2") == 0;
    char service[16], name[64], path[4096];
    const char *const arguments[] = {"git", service, path, NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin",
                                       second ? "GIT_PROTOCOL=version=2" : NULL, NULL};
    const sp_spawn_options git = {SP_SPAWN_OPTIONS_INIT, .program = "/usr/bin/git",
                                  .arguments = arguments, .environment = environment};

    if (sp_process_command(p) == NULL || !understand(sp_process_command(p), service, name)) {
        sp_puts_err(p, "Only git clone, fetch and push are served here.\n");
        return 128;
    }
    (void)snprintf(path, sizeof path, "%s/%s", here->folder, name);
    int status = sp_spawn(p, &git); /* joined to the session until it ends */
    return status < 0 ? 255 : status;
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    static const sp_direct_options only_commands = {SP_DIRECT_OPTIONS_INIT,
                                                    .refuse = SP_DIRECT_PTY | SP_DIRECT_SHELL};
    return sp_answered(
        sp_open_direct(open, serve, sp_server_data(sp_conn_server(conn)), &only_commands));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return example_fail("usage", "git_server PORT HOST_KEY_FILE|- FOLDER KEYS_FILE");
    place here = {.folder = argv[3]};
    int result = sp_authorized_keys_load(&here.keys, argv[4], NULL, NULL);
    if (result != 0)
        return example_fail(argv[4], sp_strerror(result));
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {SP_SERVER_HANDLERS_INIT, .begin_auth = begin_auth,
                                         .session_requested = session_requested};
    result = example_run(&e, &handlers, &here);
    sp_authorized_keys_free(here.keys);
    return result;
}
