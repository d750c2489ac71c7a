/* Connecting out (RFC 8305). */
#include "loop/connect.h"
#include "loop/loop_uv.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESSES_MAX 16
#define ATTEMPT_DELAY_MS 250u /* RFC 8305 8 */
#define TIMEOUT_MS 60000u     /* for all of it */

typedef struct attempt {
    spl_connect *connect;
    spl_watch *watch; /* NULL: not begun, or failed */
    struct sockaddr_storage address;
    socklen_t length;
} attempt;

struct spl_connect {
    spl_loop *loop;
    spl_connect_fn done;
    void *data;
    spl_timer *timer;
    uint64_t deadline;
    const char *reason; /* the last failure's */
    int ready_fd;       /* connected, to be handed over by the timer */
    bool over;          /* nothing is to be told any more: only the look-up keeps this alive */
    bool resolving;
    uv_getaddrinfo_t request;
    size_t count;
    size_t next;
    attempt attempts[ADDRESSES_MAX];
};

static const char *text_of(int number)
{
    return uv_strerror(uv_translate_sys_error(number));
}

static int connect_socket(int fd, const struct sockaddr_storage *address, socklen_t length)
{
    return connect(fd, (const struct sockaddr *)address, length);
}

static void connect_free(spl_connect *connect)
{
    spb_free(&connect->loop->env, connect);
}

/* Lets go of everything but the look-up. */
static void end(spl_connect *connect)
{
    connect->over = true;
    for (size_t i = 0; i < connect->count; i++) {
        spl_watch_close(connect->attempts[i].watch);
        connect->attempts[i].watch = NULL;
    }
    if (connect->ready_fd >= 0)
        close(connect->ready_fd);
    connect->ready_fd = -1;
    spl_timer_close(connect->timer);
    connect->timer = NULL;
    if (connect->resolving)
        (void)uv_cancel((uv_req_t *)&connect->request);
    else
        connect_free(connect);
}

void spl_connect_cancel(spl_connect *connect)
{
    if (connect != NULL)
        end(connect);
}

static void tell(spl_connect *connect, int fd)
{
    spl_connect_fn done = connect->done;
    void *data = connect->data;
    const char *reason = connect->reason;
    end(connect);
    done(data, fd, fd >= 0 ? NULL : reason);
}

/* ---- addresses in turn ---- */

static bool any_under_way(const spl_connect *connect)
{
    for (size_t i = 0; i < connect->next; i++)
        if (connect->attempts[i].watch != NULL)
            return true;
    return false;
}

static void attempt_ready(void *data, unsigned events);

/* 1: connected already; 0: under way; else it has failed. */
static int attempt_begin(attempt *a)
{
    spl_connect *connect = a->connect;
    int fd = socket(a->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        connect->reason = text_of(errno);
        return -1;
    }
    if (connect_socket(fd, &a->address, a->length) == 0) {
        connect->ready_fd = fd;
        return 1;
    }
    if (errno != EINPROGRESS) {
        connect->reason = text_of(errno);
        close(fd);
        return -1;
    }
    if (spl_watch_new(&a->watch, connect->loop, fd, attempt_ready, a) != 0) {
        close(fd);
        return -1;
    }
    (void)spl_watch_set(a->watch, SPL_WRITABLE);
    return 0;
}

/* Begins the next address that can be begun. The timer does the rest: it tells of what is over, so
 * that nobody is called back within his own call. */
static void go_on(spl_connect *connect)
{
    int result = -1;
    while (result < 0 && connect->next < connect->count)
        result = attempt_begin(&connect->attempts[connect->next++]);
    uint64_t now = spl_loop_now(connect->loop);
    uint64_t left = connect->deadline > now ? connect->deadline - now : 0;
    if (result > 0 || !any_under_way(connect))
        left = 0;
    else if (connect->next < connect->count && left > ATTEMPT_DELAY_MS)
        left = ATTEMPT_DELAY_MS;
    spl_timer_start(connect->timer, left, 0);
}

static void attempt_ready(void *data, unsigned events)
{
    (void)events;
    attempt *a = data;
    spl_connect *connect = a->connect;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(spl_watch_fd(a->watch), SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0) {
        int fd = spl_watch_take(a->watch);
        a->watch = NULL;
        tell(connect, fd);
        return;
    }
    connect->reason = text_of(error);
    spl_watch_close(a->watch);
    a->watch = NULL;
    go_on(connect);
}

static void timer_fired(void *data)
{
    spl_connect *connect = data;
    if (connect->ready_fd >= 0) {
        int fd = connect->ready_fd;
        connect->ready_fd = -1;
        tell(connect, fd);
    } else if (spl_loop_now(connect->loop) >= connect->deadline) {
        connect->reason = text_of(ETIMEDOUT);
        tell(connect, -1);
    } else if (connect->next < connect->count) {
        go_on(connect);
    } else if (!connect->resolving && !any_under_way(connect)) {
        tell(connect, -1);
    }
}

/* ---- names ---- */

static void add_address(spl_connect *connect, const struct sockaddr *address, socklen_t length)
{
    if (connect->count == ADDRESSES_MAX || length > sizeof connect->attempts[0].address)
        return;
    attempt *a = &connect->attempts[connect->count++];
    a->connect = connect;
    memcpy(&a->address, address, length);
    a->length = length;
}

/* The resolver's order (RFC 6724), but the families take turns (RFC 8305 4). */
static void take_addresses(spl_connect *connect, const struct addrinfo *list)
{
    if (list == NULL)
        return;
    int first = list->ai_family;
    const struct addrinfo *same = list;
    const struct addrinfo *other = list;
    while (same != NULL || other != NULL) {
        while (same != NULL && same->ai_family != first)
            same = same->ai_next;
        while (other != NULL && other->ai_family == first)
            other = other->ai_next;
        if (same != NULL) {
            add_address(connect, same->ai_addr, same->ai_addrlen);
            same = same->ai_next;
        }
        if (other != NULL) {
            add_address(connect, other->ai_addr, other->ai_addrlen);
            other = other->ai_next;
        }
    }
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    spl_connect *connect = request->data;
    connect->resolving = false;
    connect->loop->busy--;
    if (connect->over) {
        connect_free(connect);
    } else {
        if (status != 0)
            connect->reason = uv_strerror(status);
        else
            take_addresses(connect, list);
        go_on(connect);
    }
    uv_freeaddrinfo(list);
}

static int resolve(spl_connect *connect, const char *host, uint16_t port)
{
    char service[8];
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    snprintf(service, sizeof service, "%u", (unsigned)port);
    /* An address written out takes no time. */
    if (getaddrinfo(host, service, &hints, &list) == 0) {
        take_addresses(connect, list);
        freeaddrinfo(list);
        go_on(connect);
        return 0;
    }
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    connect->request.data = connect;
    int result =
        uv_getaddrinfo(connect->loop->uv, &connect->request, resolved, host, service, &hints);
    if (result == UV_ENOMEM)
        return SP_ENOMEM;
    if (result != 0) { /* no host name at all: too long, say */
        connect->reason = uv_strerror(result);
        go_on(connect);
        return 0;
    }
    connect->resolving = true;
    connect->loop->busy++;
    spl_timer_start(connect->timer, TIMEOUT_MS, 0);
    return 0;
}

static spl_connect *connect_new(spl_loop *loop, spl_connect_fn done, void *data)
{
    spl_connect *connect = spb_calloc(&loop->env, 1, sizeof *connect);
    if (connect == NULL)
        return NULL;
    if (spl_timer_new(&connect->timer, loop, timer_fired, connect) != 0) {
        spb_free(&loop->env, connect);
        return NULL;
    }
    connect->loop = loop;
    connect->done = done;
    connect->data = data;
    connect->ready_fd = -1;
    connect->reason = "No address";
    connect->deadline = spl_loop_now(loop) + TIMEOUT_MS;
    return connect;
}

int spl_connect_host(spl_connect **out, spl_loop *loop, const char *host, uint16_t port,
                     spl_connect_fn done, void *data)
{
    spl_connect *connect = connect_new(loop, done, data);
    if (connect == NULL)
        return SP_ENOMEM;
    int result = resolve(connect, host, port);
    if (result != 0)
        end(connect);
    else
        *out = connect;
    return result;
}

int spl_connect_path(spl_connect **out, spl_loop *loop, const char *path, spl_connect_fn done,
                     void *data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    spl_connect *connect = connect_new(loop, done, data);
    if (connect == NULL)
        return SP_ENOMEM;
    size_t length = strlen(path);
    if (length < sizeof address.sun_path) {
        memcpy(address.sun_path, path, length);
        add_address(connect, (const struct sockaddr *)&address, sizeof address);
    } else {
        connect->reason = text_of(ENAMETOOLONG);
    }
    go_on(connect);
    *out = connect;
    return 0;
}
