/* login_load.c: logs in again and again with libssh, or logs in and holds.
 *
 *     login_load PORT USER KEYFILE COUNT [PARALLEL]        COUNT logins, each disconnects at once
 *     login_load PORT USER KEYFILE COUNT hold              COUNT logins that stay until stdin ends
 *
 * KEYFILE may be "password:TEXT". Prints {"event":"done","logins":N,"failures":N} in the end, and
 * {"event":"held","logins":N} when all that it holds are logged in. */
#include "json_events.h"

#include <libssh/libssh.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static int port;
static const char *user;
static const char *secret;
static ssh_key key;
static atomic_int left;
static atomic_int logins;
static atomic_int failures;

static ssh_session log_in(void)
{
    int no = 0;
    int yes = 1;
    ssh_session session = ssh_new();
    if (session == NULL)
        return NULL;
    ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_USER, user);
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    ssh_options_set(session, SSH_OPTIONS_NODELAY, &yes);
    if (getenv("LOGIN_LOAD_KEX") != NULL)
        ssh_options_set(session, SSH_OPTIONS_KEY_EXCHANGE, getenv("LOGIN_LOAD_KEX"));
    if (ssh_connect(session) == SSH_OK &&
        (key != NULL ? ssh_userauth_publickey(session, NULL, key)
                     : ssh_userauth_password(session, NULL, secret)) == SSH_AUTH_SUCCESS) {
        logins++;
        return session;
    }
    if (failures++ == 0)
        fprintf(stderr, "login_load: %s\n", ssh_get_error(session));
    ssh_disconnect(session);
    ssh_free(session);
    return NULL;
}

static void *run(void *data)
{
    (void)data;
    while (left-- > 0) {
        ssh_session session = log_in();
        if (session == NULL)
            continue;
        ssh_disconnect(session);
        ssh_free(session);
    }
    return NULL;
}

static void tell(const char *name)
{
    event e;
    event_begin(&e, name);
    event_number(&e, "logins", logins);
    event_number(&e, "failures", failures);
    event_end(&e);
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    if (argc < 5) {
        fprintf(stderr, "usage: login_load PORT USER KEYFILE COUNT [PARALLEL|hold]\n");
        return 2;
    }
    port = (int)strtol(argv[1], NULL, 10);
    user = argv[2];
    left = (int)strtol(argv[4], NULL, 10);
    ssh_init();
    if (strncmp(argv[3], "password:", 9) == 0) {
        secret = argv[3] + 9;
    } else if (ssh_pki_import_privkey_file(argv[3], NULL, NULL, NULL, &key) != SSH_OK) {
        fprintf(stderr, "login_load: %s: no key\n", argv[3]);
        return 2;
    }
    if (argc > 5 && strcmp(argv[5], "hold") == 0) {
        char byte;
        size_t count = 0;
        size_t wanted = (size_t)left;
        ssh_session *held = calloc(wanted, sizeof(ssh_session));
        while (held != NULL && left-- > 0) {
            held[count] = log_in();
            count += held[count] != NULL;
        }
        tell("held");
        while (read(0, &byte, 1) > 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            ssh_disconnect(held[i]);
            ssh_free(held[i]);
        }
        free(held);
    } else {
        int parallel = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1;
        if (parallel < 1 || parallel > 64)
            parallel = 1;
        for (int i = 0; i < parallel; i++)
            pthread_create(&threads[i], NULL, run, NULL);
        for (int i = 0; i < parallel; i++)
            pthread_join(threads[i], NULL);
    }
    tell("done");
    ssh_key_free(key);
    ssh_finalize();
    return failures == 0 ? 0 : 1;
}
