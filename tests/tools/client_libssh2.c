/* client_libssh2.c: a client on libssh2 with the command line of client_options.h. */
#include "client_options.h"

#include <libssh2.h>

static client_options o;
static event report;

static int say(LIBSSH2_SESSION *session, const char *what)
{
    char *text = NULL;
    int error = libssh2_session_last_error(session, &text, NULL, 0);
    fprintf(stderr, "client_libssh2: %s: %s (%d)\n", what, text == NULL ? "" : text, error);
    event_text(&report, "error", text);
    return 255;
}

static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(on_kbdint)
{
    char text[256];
    (void)abstract;
    event_text(&report, "kbdint_rounds", "one");
    snprintf(text, sizeof text, "%.*s", name_len, name);
    event_text(&report, "kbdint_name", text);
    snprintf(text, sizeof text, "%.*s", instruction_len, instruction);
    event_text(&report, "kbdint_instruction", text);
    for (int i = 0; i < num_prompts; i++) {
        snprintf(text, sizeof text, "%.*s", (int)prompts[i].length, prompts[i].text);
        event_text(&report, "prompt", text);
        event_bool(&report, "echo", prompts[i].echo != 0);
        responses[i].text = strdup(client_next_response(&o));
        responses[i].length = (unsigned)strlen(responses[i].text);
    }
}

static LIBSSH2_PASSWD_CHANGEREQ_FUNC(on_change)
{
    (void)session;
    (void)abstract;
    *newpw = strdup(o.new_password == NULL ? "" : o.new_password);
    *newpw_len = (int)strlen(*newpw);
    event_bool(&report, "change_required", true);
}

static void prefer(LIBSSH2_SESSION *session, int method, const char *list)
{
    if (list != NULL && libssh2_session_method_pref(session, method, list) != 0)
        say(session, list);
}

static bool authenticate(LIBSSH2_SESSION *session)
{
    unsigned length = (unsigned)strlen(o.user);
    const char *methods = libssh2_userauth_list(session, o.user, length);
    bool good = methods == NULL && libssh2_userauth_authenticated(session);
    event_text(&report, "methods", methods);
    if (good || o.none)
        return good;
    if (o.key != NULL)
        good =
            libssh2_userauth_publickey_fromfile_ex(session, o.user, length, NULL, o.key, NULL) == 0;
    if (!good && o.password != NULL)
        good = libssh2_userauth_password_ex(session, o.user, length, o.password,
                                            (unsigned)strlen(o.password), on_change) == 0;
    if (!good && o.response_count > 0)
        good = libssh2_userauth_keyboard_interactive_ex(session, o.user, length, on_kbdint) == 0;
    return good;
}

/* Moves bytes between the channel and our standard streams until the channel is closed. */
static int carry(LIBSSH2_SESSION *session, LIBSSH2_CHANNEL *channel, int fd)
{
    static char input[65536];
    static char output[65536];
    size_t start = 0;
    size_t length = 0;
    bool input_open = true;
    bool eof_sent = false;

    for (;;) {
        bool busy = false;
        for (int stream = 0; stream < 2; stream++) {
            ssize_t n = libssh2_channel_read_ex(channel, stream, output, sizeof output);
            if (n > 0) {
                busy = true;
                if (!client_write_all(stream + 1, output, (size_t)n))
                    return -1;
            } else if (n < 0 && n != LIBSSH2_ERROR_EAGAIN && n != LIBSSH2_ERROR_CHANNEL_CLOSED) {
                return (int)n;
            }
        }
        if (!busy && libssh2_channel_eof(channel) == 1 && libssh2_channel_wait_closed(channel) == 0)
            return 0;
        if (length > 0 && libssh2_channel_eof(channel) == 0) {
            ssize_t n = libssh2_channel_write_ex(channel, 0, input + start, length);
            if (n > 0) {
                start += (size_t)n;
                length -= (size_t)n;
                busy = true;
            } else if (n < 0 && n != LIBSSH2_ERROR_EAGAIN) {
                length = 0;
                input_open = false;
            }
        }
        if (length == 0 && !input_open && !eof_sent)
            eof_sent = libssh2_channel_send_eof(channel) != LIBSSH2_ERROR_EAGAIN;
        if (client_resized) {
            int columns, rows;
            client_window(&columns, &rows);
            if (libssh2_channel_request_pty_size_ex(channel, columns, rows, 0, 0) !=
                LIBSSH2_ERROR_EAGAIN)
                client_resized = 0;
        }
        if (o.keepalive > 0) {
            int next;
            libssh2_keepalive_send(session, &next);
        }
        if (busy)
            continue;
        int directions = libssh2_session_block_directions(session);
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = input_open && length == 0 ? 0 : -1, .events = POLLIN}};
        if ((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0)
            fds[0].events = POLLIN | POLLOUT;
        if (poll(fds, 2, 1000) <= 0)
            continue;
        if (fds[1].revents != 0) {
            ssize_t n = read(0, input, sizeof input);
            start = 0;
            length = n > 0 ? (size_t)n : 0;
            input_open = n > 0;
        }
    }
}

static int start_session(LIBSSH2_CHANNEL *channel)
{
    int columns, rows;
    if (o.env != NULL) {
        char *value = strchr(o.env, '=');
        *value = '\0';
        libssh2_channel_setenv_ex(channel, o.env, (unsigned)strlen(o.env), value + 1,
                                  (unsigned)strlen(value + 1));
    }
    if (o.pty) {
        client_window(&columns, &rows);
        if (libssh2_channel_request_pty_ex(channel, "xterm", 5, NULL, 0, columns, rows, 0, 0) != 0)
            return -1;
        client_terminal_begin();
    }
    const char *kind = o.subsystem != NULL ? "subsystem" : o.command != NULL ? "exec" : "shell";
    const char *text = o.subsystem != NULL ? o.subsystem : o.command;
    return libssh2_channel_process_startup(channel, kind, (unsigned)strlen(kind), text,
                                           text == NULL ? 0 : (unsigned)strlen(text));
}

int main(int argc, char **argv)
{
    int result = 255;

    client_parse(&o, argc, argv);
    event_begin(&report, "report");
    int fd = client_connect(&o);
    if (fd < 0 || libssh2_init(0) != 0)
        return 255;
    LIBSSH2_SESSION *session = libssh2_session_init();
    prefer(session, LIBSSH2_METHOD_KEX, o.kex);
    prefer(session, LIBSSH2_METHOD_HOSTKEY, o.host_key);
    prefer(session, LIBSSH2_METHOD_CRYPT_CS, o.cipher);
    prefer(session, LIBSSH2_METHOD_CRYPT_SC, o.cipher);
    prefer(session, LIBSSH2_METHOD_MAC_CS, o.mac);
    prefer(session, LIBSSH2_METHOD_MAC_SC, o.mac);
    if (o.compression != NULL)
        libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 1);
    prefer(session, LIBSSH2_METHOD_COMP_CS, o.compression);
    prefer(session, LIBSSH2_METHOD_COMP_SC, o.compression);
    if (libssh2_session_handshake(session, fd) != 0) {
        event_text(&report, "auth", "no connection");
        say(session, "handshake");
        goto done;
    }
    event_text(&report, "kex", libssh2_session_methods(session, LIBSSH2_METHOD_KEX));
    event_text(&report, "host_key", libssh2_session_methods(session, LIBSSH2_METHOD_HOSTKEY));
    event_text(&report, "cipher", libssh2_session_methods(session, LIBSSH2_METHOD_CRYPT_CS));
    event_text(&report, "mac", libssh2_session_methods(session, LIBSSH2_METHOD_MAC_CS));
    if (!authenticate(session)) {
        event_text(&report, "auth", "denied");
        say(session, "authentication");
        goto done;
    }
    event_text(&report, "auth", "ok");
    if (o.keepalive > 0)
        libssh2_keepalive_config(session, 1, (unsigned)o.keepalive);
    LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);
    if (channel == NULL || start_session(channel) != 0) {
        event_text(&report, "session", "refused");
        say(session, "session");
        goto done;
    }
    libssh2_session_set_blocking(session, 0);
    if (carry(session, channel, fd) != 0)
        say(session, "transfer");
    client_terminal_end();
    libssh2_session_set_blocking(session, 1);
    char *name = NULL;
    libssh2_channel_get_exit_signal(channel, &name, NULL, NULL, NULL, NULL, NULL);
    event_number(&report, "status", libssh2_channel_get_exit_status(channel));
    event_text(&report, "signal", name);
    result = name != NULL ? 255 : libssh2_channel_get_exit_status(channel);
    libssh2_channel_free(channel);
done:
    client_write_report(&o, &report);
    libssh2_session_disconnect(session, "done");
    libssh2_session_free(session);
    libssh2_exit();
    return result;
}
