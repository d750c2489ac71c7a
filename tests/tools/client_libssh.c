/* client_libssh.c: a client on libssh with the command line of client_options.h. */
#include "client_options.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

typedef struct outcome {
    int status;
    char signal[64];
    bool core;
} outcome;

static void on_status(ssh_session session, ssh_channel channel, int status, void *data)
{
    (void)session;
    (void)channel;
    ((outcome *)data)->status = status;
}

static void on_signal(ssh_session session, ssh_channel channel, const char *name, int core,
                      const char *message, const char *language, void *data)
{
    outcome *out = data;
    (void)session;
    (void)channel;
    (void)message;
    (void)language;
    snprintf(out->signal, sizeof out->signal, "%s", name);
    out->core = core != 0;
}

static bool set_text(ssh_session session, enum ssh_options_e option, const char *value)
{
    if (value == NULL || ssh_options_set(session, option, value) == 0)
        return true;
    fprintf(stderr, "client_libssh: %s: %s\n", value, ssh_get_error(session));
    return false;
}

static bool set_options(ssh_session session, const client_options *o)
{
    int no = 0;
    int strict = 0;
    if (o->rekey_bytes > 0)
        ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &o->rekey_bytes);
    if (getenv("LIBSSH_VERBOSITY") != NULL)
        ssh_options_set(session, SSH_OPTIONS_LOG_VERBOSITY_STR, getenv("LIBSSH_VERBOSITY"));
    ssh_options_set(session, SSH_OPTIONS_STRICTHOSTKEYCHECK, &strict);
    ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    return set_text(session, SSH_OPTIONS_HOST, "127.0.0.1") &&
           set_text(session, SSH_OPTIONS_USER, o->user) &&
           set_text(session, SSH_OPTIONS_KEY_EXCHANGE, o->kex) &&
           set_text(session, SSH_OPTIONS_HOSTKEYS, o->host_key) &&
           set_text(session, SSH_OPTIONS_CIPHERS_C_S, o->cipher) &&
           set_text(session, SSH_OPTIONS_CIPHERS_S_C, o->cipher) &&
           set_text(session, SSH_OPTIONS_HMAC_C_S, o->mac) &&
           set_text(session, SSH_OPTIONS_HMAC_S_C, o->mac) &&
           set_text(session, SSH_OPTIONS_COMPRESSION_C_S, o->compression) &&
           set_text(session, SSH_OPTIONS_COMPRESSION_S_C, o->compression);
}

static int try_kbdint(ssh_session session, client_options *o, event *report)
{
    int result = ssh_userauth_kbdint(session, NULL, NULL);
    while (result == SSH_AUTH_INFO) {
        int count = ssh_userauth_kbdint_getnprompts(session);
        event_text(report, "kbdint_name", ssh_userauth_kbdint_getname(session));
        event_text(report, "kbdint_instruction", ssh_userauth_kbdint_getinstruction(session));
        for (int i = 0; i < count; i++) {
            char echo = 0;
            event_text(report, "prompt",
                       ssh_userauth_kbdint_getprompt(session, (unsigned)i, &echo));
            event_bool(report, "echo", echo != 0);
            ssh_userauth_kbdint_setanswer(session, (unsigned)i, client_next_response(o));
        }
        result = ssh_userauth_kbdint(session, NULL, NULL);
    }
    return result;
}

static int authenticate(ssh_session session, client_options *o, event *report)
{
    int result = ssh_userauth_none(session, NULL);
    if (result == SSH_AUTH_SUCCESS || o->none)
        return result;
    if (o->key != NULL) {
        ssh_key key = NULL;
        if (ssh_pki_import_privkey_file(o->key, NULL, NULL, NULL, &key) != SSH_OK)
            return SSH_AUTH_ERROR;
        result = ssh_userauth_publickey(session, NULL, key);
        ssh_key_free(key);
    }
    if (result != SSH_AUTH_SUCCESS && result != SSH_AUTH_ERROR && o->password != NULL)
        result = ssh_userauth_password(session, NULL, o->password);
    if (result != SSH_AUTH_SUCCESS && result != SSH_AUTH_ERROR && o->response_count > 0)
        result = try_kbdint(session, o, report);
    return result;
}

/* Moves bytes between the channel and our standard streams until the channel is closed. */
static int carry(ssh_session session, ssh_channel channel, ssh_event events)
{
    static char input[65536];
    static char output[65536];
    size_t start = 0;
    size_t length = 0;
    bool input_open = true;
    bool eof_sent = false;

    while (!ssh_channel_is_closed(channel)) {
        bool busy = false;
        for (int stream = 0; stream < 2; stream++) {
            int n = ssh_channel_read_nonblocking(channel, output, sizeof output, stream);
            if (n > 0) {
                busy = true;
                if (!client_write_all(stream + 1, output, (size_t)n))
                    return SSH_ERROR;
            } else if (n == SSH_ERROR && !ssh_is_connected(session)) {
                return SSH_ERROR;
            }
        }
        if (length > 0 && ssh_channel_window_size(channel) > 0) {
            uint32_t part = ssh_channel_window_size(channel);
            int n =
                ssh_channel_write(channel, input + start, length < part ? (uint32_t)length : part);
            if (n < 0)
                return SSH_ERROR;
            start += (size_t)n;
            length -= (size_t)n;
            busy |= n > 0;
        }
        if (length == 0 && !input_open && !eof_sent) {
            ssh_channel_send_eof(channel);
            eof_sent = true;
        }
        if (client_resized) {
            int columns, rows;
            client_resized = 0;
            client_window(&columns, &rows);
            ssh_channel_change_pty_size(channel, columns, rows);
        }
        if (busy && length > 0)
            continue;
        struct pollfd fds[2] = {{.fd = ssh_get_fd(session), .events = POLLIN},
                                {.fd = input_open && length == 0 ? 0 : -1, .events = POLLIN}};
        if ((ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0)
            fds[0].events = POLLIN | POLLOUT;
        if (poll(fds, 2, busy ? 0 : 1000) < 0)
            continue;
        if (fds[1].revents != 0) {
            ssize_t n = read(0, input, sizeof input);
            start = 0;
            length = n > 0 ? (size_t)n : 0;
            input_open = n > 0;
        }
        if (fds[0].revents != 0 &&
            (ssh_event_dopoll(events, 0) == SSH_ERROR || !ssh_is_connected(session)))
            return SSH_ERROR;
    }
    for (int stream = 0; stream < 2; stream++) {
        int n;
        while ((n = ssh_channel_read_nonblocking(channel, output, sizeof output, stream)) > 0)
            client_write_all(stream + 1, output, (size_t)n);
    }
    return SSH_OK;
}

static int start(ssh_channel channel, const client_options *o)
{
    int columns, rows;
    if (o->env != NULL) {
        char *value = strchr(o->env, '=');
        *value = '\0';
        ssh_channel_request_env(channel, o->env, value + 1);
    }
    if (o->pty) {
        client_window(&columns, &rows);
        if (ssh_channel_request_pty_size(channel, "xterm", columns, rows) != SSH_OK)
            return SSH_ERROR;
        client_terminal_begin();
    }
    if (o->subsystem != NULL)
        return ssh_channel_request_subsystem(channel, o->subsystem);
    if (o->command != NULL)
        return ssh_channel_request_exec(channel, o->command);
    return ssh_channel_request_shell(channel);
}

int main(int argc, char **argv)
{
    static client_options o;
    static event report;
    outcome out = {.status = -1};
    int result = 255;
    int fd;

    client_parse(&o, argc, argv);
    event_begin(&report, "report");
    ssh_session session = ssh_new();
    fd = client_connect(&o);
    if (session == NULL || fd < 0 || !set_options(session, &o) ||
        ssh_options_set(session, SSH_OPTIONS_FD, &fd) < 0)
        return 255;
    if (ssh_connect(session) != SSH_OK) {
        fprintf(stderr, "client_libssh: %s\n", ssh_get_error(session));
        event_text(&report, "auth", "no connection");
        goto done;
    }
    event_text(&report, "kex", ssh_get_kex_algo(session));
    event_text(&report, "cipher", ssh_get_cipher_out(session));
    event_text(&report, "mac", ssh_get_hmac_out(session));
    int auth = authenticate(session, &o, &report);
    event_text(&report, "auth",
               auth == SSH_AUTH_SUCCESS   ? "ok"
               : auth == SSH_AUTH_PARTIAL ? "partial"
               : auth == SSH_AUTH_DENIED  ? "denied"
                                          : "error");
    char *banner = ssh_get_issue_banner(session);
    if (banner != NULL)
        event_text(&report, "banner", banner);
    ssh_string_free_char(banner);
    if (auth != SSH_AUTH_SUCCESS) {
        fprintf(stderr, "client_libssh: %s\n", ssh_get_error(session));
        goto done;
    }
    ssh_channel channel = ssh_channel_new(session);
    struct ssh_channel_callbacks_struct callbacks = {
        .userdata = &out,
        .channel_exit_status_function = on_status,
        .channel_exit_signal_function = on_signal,
    };
    ssh_callbacks_init(&callbacks);
    ssh_set_channel_callbacks(channel, &callbacks);
    if (ssh_channel_open_session(channel) != SSH_OK || start(channel, &o) != SSH_OK) {
        fprintf(stderr, "client_libssh: %s\n", ssh_get_error(session));
        event_text(&report, "session", "refused");
        goto done;
    }
    ssh_set_blocking(session, 0);
    ssh_event events = ssh_event_new();
    ssh_event_add_session(events, session);
    if (carry(session, channel, events) != SSH_OK)
        fprintf(stderr, "client_libssh: %s\n", ssh_get_error(session));
    ssh_event_remove_session(events, session);
    ssh_event_free(events);
    client_terminal_end();
    event_number(&report, "status", out.status);
    event_text(&report, "signal", out.signal[0] == '\0' ? NULL : out.signal);
    event_bool(&report, "core", out.core);
    result = out.status >= 0 ? out.status : 255;
    ssh_set_blocking(session, 1);
    ssh_channel_free(channel);
done:
    client_write_report(&o, &report);
    ssh_disconnect(session);
    ssh_free(session);
    return result;
}
