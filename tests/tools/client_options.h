/* client_options.h: the command line that the client tools share, the report that they write, and
 * the local terminal. A tool behaves like ssh: standard input, output and error are the session's.
 *
 *   --port N --user NAME [--key FILE] [--password TEXT] [--new-password TEXT] [--kbdint TEXT]...
 *   [--none] [--kex L] [--host-key L] [--cipher L] [--mac L] [--compression L] [--rekey-bytes N]
 *   [--pty] [--env NAME=VALUE] [--subsystem NAME] [--keepalive SECONDS] [--report FILE] [COMMAND]
 *
 * Authentication methods are tried in the order: none, key, password, keyboard-interactive, going
 * on after a partial success. The report is one JSON object. */
#ifndef TESTS_TOOLS_CLIENT_OPTIONS_H
#define TESTS_TOOLS_CLIENT_OPTIONS_H

#include "json_events.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* A client library's leaks are not what is tested. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

typedef struct client_options {
    int port;
    const char *user;
    bool none;
    const char *key;
    const char *password;
    const char *new_password;
    const char *responses[16];
    size_t response_count;
    size_t responses_used;
    const char *kex;
    const char *host_key;
    const char *cipher;
    const char *mac;
    const char *compression;
    uint64_t rekey_bytes;
    bool pty;
    char *env;
    const char *subsystem;
    int keepalive;
    const char *report;
    const char *command;
} client_options;

static volatile sig_atomic_t client_resized;
static struct termios client_terminal;
static bool client_terminal_raw;

static inline void client_on_winch(int number)
{
    (void)number;
    client_resized = 1;
}

static inline void client_parse(client_options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->user = "user";
    for (int i = 1; i < argc; i++) {
        struct {
            const char *name;
            const char **text;
        } texts[] = {
            {"--user", &o->user},
            {"--key", &o->key},
            {"--password", &o->password},
            {"--new-password", &o->new_password},
            {"--kex", &o->kex},
            {"--host-key", &o->host_key},
            {"--cipher", &o->cipher},
            {"--mac", &o->mac},
            {"--compression", &o->compression},
            {"--subsystem", &o->subsystem},
            {"--report", &o->report},
        };
        bool known = false;
        for (size_t k = 0; k < sizeof texts / sizeof texts[0] && !known; k++)
            if (strcmp(argv[i], texts[k].name) == 0 && i + 1 < argc) {
                *texts[k].text = argv[++i];
                known = true;
            }
        if (known)
            continue;
        if (strcmp(argv[i], "--none") == 0)
            o->none = true;
        else if (strcmp(argv[i], "--pty") == 0)
            o->pty = true;
        else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            o->port = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--keepalive") == 0 && i + 1 < argc)
            o->keepalive = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--rekey-bytes") == 0 && i + 1 < argc)
            o->rekey_bytes = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--env") == 0 && i + 1 < argc)
            o->env = argv[++i];
        else if (strcmp(argv[i], "--kbdint") == 0 && i + 1 < argc && o->response_count < 16)
            o->responses[o->response_count++] = argv[++i];
        else
            o->command = argv[i];
    }
}

static inline int client_connect(const client_options *o)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static inline const char *client_next_response(client_options *o)
{
    return o->responses_used < o->response_count ? o->responses[o->responses_used++] : "";
}

static inline void client_window(int *columns, int *rows)
{
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

static inline void client_terminal_begin(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = client_on_winch;
    sigaction(SIGWINCH, &action, NULL);
    if (tcgetattr(0, &client_terminal) == 0) {
        struct termios raw = client_terminal;
        cfmakeraw(&raw);
        client_terminal_raw = tcsetattr(0, TCSANOW, &raw) == 0;
    }
}

static inline void client_terminal_end(void)
{
    if (client_terminal_raw)
        tcsetattr(0, TCSANOW, &client_terminal);
}

static inline bool client_write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return true;
}

static inline void client_write_report(const client_options *o, event *e)
{
    if (o->report == NULL)
        return;
    FILE *file = fopen(o->report, "w");
    if (file == NULL)
        return;
    memcpy(e->text + e->length, "}\n", 2);
    fwrite(e->text, 1, e->length + 2, file);
    fclose(file);
}

#endif
