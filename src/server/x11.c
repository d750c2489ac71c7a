/* X11 forwarding (RFC 4254 6.3): a proxy display for one session. A connection is nobody's until
 * it has shown the display's own cookie; then it gets a channel to the client's X server, with the
 * client's cookie in place of ours. */
#include "server/lent.h"

#include "crypto/crypto.h"
#include "loop/accept.h"
#include "loop/private.h"
#include "loop/socket.h"
#include "server/x11_setup.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define X11_PORT 6000u
#define BACKLOG 64u
/* Connections that have not shown the cookie yet. Anybody on this machine can make some, so a
 * further one takes the place of the oldest, rather than wait behind it. */
#define SETUPS_MAX 32u
#define REPLACED_MAX 1024u /* a setup message with the client's cookie */
#define HOST_MAX 256u

struct sps_display {
    sp_channel *channel;
    spl_acceptor *acceptors[2]; /* IPv4 and IPv6; the first alone when it serves both */
    char *authority;
    bool single; /* closes behind the first good connection */
    unsigned number;
    char name[HOST_MAX + 32];
    uint8_t cookie[SPS_X11_COOKIE]; /* the local programs' */
    spb_buffer protocol;            /* the client's */
    spb_buffer client_cookie;
    spb_link setups;
    unsigned setup_count;
};

typedef struct setup {
    spb_link link;
    sps_display *display;
    spl_watch *watch;
    spl_timer *timer;
    size_t length;
    size_t need;
    uint8_t bytes[SPS_X11_SETUP_MAX];
} setup;

static const spb_env *env_of(const sps_display *display)
{
    return spl_queue_env(display->channel->queue);
}

static void setup_free(setup *s)
{
    sps_display *display = s->display;
    spb_list_remove(&s->link);
    display->setup_count--;
    spl_watch_close(s->watch);
    spl_timer_close(s->timer);
    spb_free_secret(env_of(display), s, sizeof *s);
}

/* Takes no more connections, and forgets those that nothing is known of. */
static void close_door(sps_display *display)
{
    for (size_t i = 0; i < 2; i++) {
        spl_acceptor_close(display->acceptors[i]);
        display->acceptors[i] = NULL;
    }
    while (!spb_list_empty(&display->setups))
        setup_free(SPB_CONTAINER(display->setups.next, setup, link));
}

/* ---- a connection's first message ---- */

static void log_setup(const sps_display *display, const char *what)
{
    spb_log(env_of(display), SP_LOG_INFO, "connection %llu: X11 display %u: %s",
            (unsigned long long)display->channel->conn->id, display->number, what);
}

static void open_channel(setup *s)
{
    sps_display *display = s->display;
    sp_conn *conn = display->channel->conn;
    spb_buffer first;
    spb_buffer_init(&first, env_of(display), REPLACED_MAX);
    first.secret = true;
    sps_x11_replace(s->bytes, (spb_span){display->protocol.data, display->protocol.length},
                    (spb_span){display->client_cookie.data, display->client_cookie.length}, &first);
    int fd = spl_watch_take(s->watch);
    s->watch = NULL;
    setup_free(s);
    if (display->single)
        close_door(display);
    if (!spw_ok(&first)) {
        (void)close(fd);
    } else {
        spl_address peer;
        char host[SPL_HOST_SIZE];
        spl_peer_address(fd, &peer);
        (void)spl_address_host(&peer, host, sizeof host);
        const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = "x11", .orig_host = host,
                                      .orig_port = peer.port};
        sps_lent_relay(conn, &what, fd, &first);
    }
    spb_buffer_free(&first);
}

static void refuse(setup *s)
{
    int fd = spl_watch_fd(s->watch);
    spb_buffer answer;
    spb_buffer_init(&answer, env_of(s->display), REPLACED_MAX);
    sps_x11_refuse(s->bytes[0], "Authorization failed: not the cookie of this display", &answer);
    if (spw_ok(&answer)) {
        const struct iovec one = {answer.data, answer.length};
        (void)spl_send(fd, &one, 1);
    }
    spb_buffer_free(&answer);
    /* What has come and was not read would make the close a reset, which overtakes the answer. */
    uint8_t *scratch = spl_loop_scratch(s->display->channel->conn->server->loop);
    if (scratch != NULL)
        (void)spl_recv(fd, scratch, SPL_SCRATCH);
    log_setup(s->display, "a connection without the right cookie was refused");
    setup_free(s);
}

static void ready(void *data, unsigned events)
{
    (void)events;
    setup *s = data;
    for (;;) {
        sps_x11_verdict verdict = sps_x11_check(s->bytes, s->length, s->display->cookie, &s->need);
        if (verdict == SPS_X11_GOOD) {
            open_channel(s);
            return;
        }
        if (verdict == SPS_X11_WRONG) {
            refuse(s);
            return;
        }
        /* Never more than the message: what follows is the channel's. */
        ptrdiff_t n =
            verdict == SPS_X11_BROKEN
                ? 0
                : spl_recv(spl_watch_fd(s->watch), s->bytes + s->length, s->need - s->length);
        if (n == SP_EAGAIN)
            return;
        if (n <= 0) {
            setup_free(s);
            return;
        }
        s->length += (size_t)n;
    }
}

static void too_slow(void *data)
{
    setup *s = data;
    log_setup(s->display, "a connection that showed no cookie in time was closed");
    setup_free(s);
}

static bool accepted(void *data, int fd)
{
    sps_display *display = data;
    sp_server *server = display->channel->conn->server;
    if (display->setup_count >= SETUPS_MAX)
        setup_free(SPB_CONTAINER(display->setups.next, setup, link));
    setup *s = spb_calloc(env_of(display), 1, sizeof *s);
    if (s == NULL || spl_watch_new(&s->watch, server->loop, fd, ready, s) != 0) {
        (void)close(fd);
        spb_free(env_of(display), s);
        return true;
    }
    spl_socket_no_delay(fd);
    s->display = display;
    spb_list_append(&display->setups, &s->link);
    display->setup_count++;
    if (spl_timer_new(&s->timer, server->loop, too_slow, s) != 0 ||
        spl_watch_set(s->watch, SPL_READABLE) != 0) {
        setup_free(s);
        return true;
    }
    spl_timer_start(s->timer, server->lending.x11_setup_timeout_ms, 0);
    ready(s, SPL_READABLE); /* the message may be there: then it is not gone with the oldest */
    return true;
}

static void accept_failed(void *data, int error)
{
    const sps_display *display = data;
    sps_lent_accept_failed(display->channel, "the X11 display", error);
}

static const spl_acceptor_calls calls = {accepted, accept_failed};

/* ---- making a display ---- */

/* The listening sockets of one display number; -1 where this machine does not have the family.
 * SP_EADDRINUSE: another number must be tried. */
static int listen_at(const sp_server *server, unsigned number, int fds[2])
{
    static const char *const local[2] = {"127.0.0.1", "::1"};
    uint16_t port = (uint16_t)(X11_PORT + number);
    fds[0] = fds[1] = -1;
    if (server->lending.x11_all_addresses)
        return spl_listen(NULL, port, BACKLOG, &fds[0]);
    for (size_t i = 0; i < 2; i++) {
        int result = spl_listen(local[i], port, BACKLOG, &fds[i]);
        if (result == 0 || result == SP_EINVAL)
            continue;
        if (i == 1 && fds[0] >= 0)
            (void)close(fds[0]);
        fds[0] = -1;
        return result;
    }
    return fds[0] >= 0 || fds[1] >= 0 ? 0 : SP_EINVAL;
}

static int find_number(sps_display *display, int fds[2])
{
    const sp_server *server = display->channel->conn->server;
    unsigned first = server->lending.x11_display_offset;
    int result = SP_EADDRINUSE;
    for (unsigned i = 0; result == SP_EADDRINUSE && i < server->lending.x11_max_displays; i++) {
        display->number = first + i;
        if (display->number > UINT16_MAX - X11_PORT)
            break;
        result = listen_at(server, display->number, fds);
    }
    return result;
}

static int open_door(sps_display *display)
{
    const sp_server *server = display->channel->conn->server;
    int fds[2] = {-1, -1};
    int result = find_number(display, fds);
    for (size_t i = 0; result == 0 && i < 2; i++) {
        if (fds[i] < 0)
            continue;
        result = spl_acceptor_new(&display->acceptors[i], server->loop, fds[i], &calls, display);
        if (result == 0)
            fds[i] = -1;
    }
    for (size_t i = 0; result != 0 && i < 2; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return result;
}

static int write_authority(sps_display *display, const char *host)
{
    spb_buffer file;
    spb_buffer_init(&file, env_of(display), 4096);
    file.secret = true;
    sps_x11_authority(host, display->number, display->cookie, &file);
    char *path = sps_lent_path(display->channel, "xauthority");
    int result =
        !spw_ok(&file) || path == NULL ? SP_ENOMEM : spl_private_file(path, file.data, file.length);
    if (result == 0)
        display->authority = path;
    else
        spb_free(env_of(display), path);
    spb_buffer_free(&file);
    return result;
}

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

/* The engine has checked that it is pairs of digits. */
static int take_cookie(sps_display *display, const sp_request *request)
{
    size_t digits = strlen(request->value);
    spb_buffer_init(&display->protocol, env_of(display), digits + strlen(request->text));
    spb_buffer_init(&display->client_cookie, env_of(display), digits);
    display->client_cookie.secret = true;
    spw_bytes(&display->protocol, request->text, strlen(request->text));
    for (size_t i = 0; i + 1 < digits; i += 2)
        spw_u8(&display->client_cookie,
               (uint8_t)(hex_digit(request->value[i]) << 4 | hex_digit(request->value[i + 1])));
    if (!spw_ok(&display->protocol) || !spw_ok(&display->client_cookie))
        return SP_ENOMEM;
    return spc_random(env_of(display), display->cookie, sizeof display->cookie) ? 0 : SP_ECRYPTO;
}

static int start(sps_display *display, const sp_request *request)
{
    char host[HOST_MAX] = "";
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    int result = take_cookie(display, request);
    if (result == 0)
        result = open_door(display);
    if (result == 0)
        result = write_authority(display, host);
    bool everywhere = display->channel->conn->server->lending.x11_all_addresses;
    snprintf(display->name, sizeof display->name, "%s:%u.%u", everywhere ? host : "localhost",
             display->number, request->screen);
    return result;
}

bool sps_display_make(sp_channel *channel, const sp_request *request)
{
    const spb_env *env = sps_conn_env(channel->conn);
    sps_display *display = spb_calloc(env, 1, sizeof *display);
    if (display == NULL)
        return false;
    display->channel = channel;
    display->single = request->single_connection;
    spb_list_init(&display->setups);
    int result = start(display, request);
    if (result != 0) {
        sps_lent_log(channel, "the X11 display", result);
        sps_display_close(display);
        return false;
    }
    channel->display = display;
    return true;
}

void sps_display_close(sps_display *display)
{
    if (display == NULL)
        return;
    close_door(display);
    if (display->authority != NULL)
        spl_private_remove(display->authority);
    spb_free(env_of(display), display->authority);
    spb_buffer_free(&display->protocol);
    spb_buffer_free(&display->client_cookie);
    spb_free_secret(env_of(display), display, sizeof *display);
}

/* ---- <sallyport/agent.h> ---- */

const char *sp_channel_get_display(const sp_channel *channel)
{
    return channel->display == NULL ? NULL : channel->display->name;
}

const char *sp_channel_get_xauthority(const sp_channel *channel)
{
    return channel->display == NULL ? NULL : channel->display->authority;
}
