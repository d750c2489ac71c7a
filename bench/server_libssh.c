/* server_libssh PORT HOST_KEY: the same server as server_sallyport.c with libssh: a thread for each
 * connection, callbacks, one event loop per thread. Prints its port when it listens. */
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    ssh_channel channel;
    uint64_t left; /* to be sent */
    bool in, started, ended;
    struct ssh_channel_callbacks_struct channel_callbacks;
} state;

static char zeros[32768];

static int on_key(ssh_session session, const char *user, struct ssh_key_struct *key,
                  char signature_state, void *data)
{
    state *s = data;
    (void)session;
    (void)user;
    (void)key;
    if (signature_state == SSH_PUBLICKEY_STATE_VALID)
        s->in = true;
    return signature_state == SSH_PUBLICKEY_STATE_NONE ||
                   signature_state == SSH_PUBLICKEY_STATE_VALID
               ? SSH_AUTH_SUCCESS
               : SSH_AUTH_DENIED;
}

static int on_data(ssh_session session, ssh_channel channel, void *bytes, uint32_t length,
                   int is_stderr, void *data)
{
    (void)session;
    (void)channel;
    (void)bytes;
    (void)is_stderr;
    (void)data;
    return (int)length;
}

static void finish(state *s)
{
    s->ended = true;
    ssh_channel_request_send_exit_status(s->channel, 0);
    ssh_channel_send_eof(s->channel);
    ssh_channel_close(s->channel);
}

static void on_eof(ssh_session session, ssh_channel channel, void *data)
{
    state *s = data;
    (void)session;
    (void)channel;
    if (s->left == 0 && !s->ended)
        finish(s);
}

static int on_exec(ssh_session session, ssh_channel channel, const char *command, void *data)
{
    state *s = data;
    (void)session;
    (void)channel;
    s->started = true;
    if (strncmp(command, "source ", 7) == 0)
        s->left = strtoull(command + 7, NULL, 10);
    return 0;
}

static ssh_channel on_open(ssh_session session, void *data)
{
    state *s = data;
    s->channel = ssh_channel_new(session);
    s->channel_callbacks.userdata = s;
    s->channel_callbacks.channel_data_function = on_data;
    s->channel_callbacks.channel_eof_function = on_eof;
    s->channel_callbacks.channel_exec_request_function = on_exec;
    ssh_callbacks_init(&s->channel_callbacks);
    ssh_set_channel_callbacks(s->channel, &s->channel_callbacks);
    return s->channel;
}

static void *serve(void *data)
{
    ssh_session session = data;
    state s;
    memset(&s, 0, sizeof s);
    struct ssh_server_callbacks_struct callbacks = {
        .userdata = &s,
        .auth_pubkey_function = on_key,
        .channel_open_request_session_function = on_open,
    };
    ssh_callbacks_init(&callbacks);
    ssh_set_server_callbacks(session, &callbacks);
    ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
    ssh_event event = ssh_event_new();
    if (ssh_handle_key_exchange(session) == SSH_OK) {
        ssh_event_add_session(event, session);
        while (ssh_is_connected(session)) {
            if (s.started && s.left > 0) {
                uint32_t step = s.left < sizeof zeros ? (uint32_t)s.left : (uint32_t)sizeof zeros;
                int n = ssh_channel_write(s.channel, zeros, step);
                if (n <= 0)
                    break;
                s.left -= (uint64_t)n;
                if (s.left == 0)
                    finish(&s);
            } else if (ssh_event_dopoll(event, -1) == SSH_ERROR) {
                break;
            }
        }
        ssh_event_remove_session(event, session);
    }
    ssh_event_free(event);
    ssh_disconnect(session);
    ssh_free(session);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    ssh_init();
    ssh_bind bind = ssh_bind_new();
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT_STR, argv[1]);
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, argv[2]);
    if (ssh_bind_listen(bind) != SSH_OK) {
        fprintf(stderr, "%s\n", ssh_get_error(bind));
        return 1;
    }
    printf("%s\n", argv[1]);
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        ssh_session session = ssh_new();
        if (session == NULL || ssh_bind_accept(bind, session) != SSH_OK) {
            ssh_free(session);
            continue;
        }
        if (pthread_create(&thread, NULL, serve, session) == 0)
            pthread_detach(thread);
    }
}
