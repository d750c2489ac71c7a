/* Asking an ssh-agent, on the loop or from a thread that may wait. One connection for each request:
 * an agent answers those of a connection one after the other, and one slow answer must not delay
 * the others. */
#include "loop/agent.h"
#include "loop/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 60000u
#define HEAD 4 /* a message's length */

struct spl_agent {
    spl_loop *loop;
    const spb_env *env;
    spl_agent_fn done;
    void *data;
    spl_connect *connect; /* NULL when it is over */
    spl_watch *watch;
    spl_timer *timer;
    spb_buffer request;
    size_t sent;
    spb_buffer reply; /* with its length in front */
};

/* Appends what a caller wants to send, with its length. */
static bool frame(spb_buffer *out, const spb_env *env, spb_span request)
{
    spb_buffer_init(out, env, SPL_AGENT_REPLY_MAX + HEAD);
    spw_string(out, request.data, request.length);
    return spw_ok(out);
}

/* How long the whole reply is, as far as is known; 0: its length is out of range. */
static size_t reply_size(const spb_buffer *reply)
{
    if (reply->length < HEAD)
        return HEAD;
    size_t length = spb_get_u32(reply->data);
    return length == 0 || length > SPL_AGENT_REPLY_MAX ? 0 : HEAD + length;
}

/* ---- on the loop ---- */

void spl_agent_cancel(spl_agent *agent)
{
    if (agent == NULL)
        return;
    spl_connect_cancel(agent->connect);
    spl_watch_close(agent->watch);
    spl_timer_close(agent->timer);
    spb_buffer_free(&agent->request);
    spb_buffer_free(&agent->reply);
    spb_free(agent->env, agent);
}

/* The last of it: the agent is gone when the callee runs, but for the reply. */
static void tell(spl_agent *agent, const char *reason)
{
    spl_agent_fn done = agent->done;
    void *data = agent->data;
    spb_buffer reply = agent->reply;
    spb_span message = {reply.data, 0};

    if (reason == NULL)
        message = (spb_span){reply.data + HEAD, reply.length - HEAD};
    spb_buffer_init(&agent->reply, agent->env, 0);
    spl_agent_cancel(agent);
    done(data, message, reason);
    spb_buffer_free(&reply);
}

static const char *send_some(spl_agent *agent)
{
    const struct iovec vector = {agent->request.data + agent->sent,
                                 agent->request.length - agent->sent};
    ptrdiff_t n = spl_send(spl_watch_fd(agent->watch), &vector, 1);

    if (n < 0 && n != SP_EAGAIN)
        return "it went away";
    agent->sent += n > 0 ? (size_t)n : 0;
    return NULL;
}

/* NULL when more has to come, or when all is there. */
static const char *receive_some(spl_agent *agent)
{
    size_t wanted = reply_size(&agent->reply) - agent->reply.length;
    uint8_t *room = spb_buffer_reserve(&agent->reply, wanted);
    if (room == NULL)
        return "out of memory";
    ptrdiff_t n = spl_recv(spl_watch_fd(agent->watch), room, wanted);
    if (n == 0 || (n < 0 && n != SP_EAGAIN))
        return "it went away";
    agent->reply.length += n > 0 ? (size_t)n : 0;
    return reply_size(&agent->reply) == 0 ? "its reply makes no sense" : NULL;
}

static void ready(void *data, unsigned events)
{
    spl_agent *agent = data;
    const char *reason = NULL;

    if ((events & SPL_WRITABLE) != 0 && agent->sent < agent->request.length)
        reason = send_some(agent);
    else if ((events & SPL_READABLE) != 0)
        reason = receive_some(agent);
    if (reason == NULL && agent->reply.length == reply_size(&agent->reply)) {
        tell(agent, NULL);
        return;
    }
    unsigned next = agent->sent < agent->request.length ? SPL_WRITABLE : SPL_READABLE;
    if (reason == NULL && spl_watch_set(agent->watch, next) != 0)
        reason = "out of memory";
    if (reason != NULL)
        tell(agent, reason);
}

static void connected(void *data, int fd, const char *reason)
{
    spl_agent *agent = data;

    agent->connect = NULL;
    if (fd >= 0 && spl_watch_new(&agent->watch, agent->loop, fd, ready, agent) != 0) {
        close(fd);
        reason = "out of memory";
    } else if (fd >= 0 && spl_watch_set(agent->watch, SPL_WRITABLE) != 0) {
        reason = "out of memory";
    }
    if (reason != NULL)
        tell(agent, reason);
}

static void fired(void *data)
{
    tell(data, "it does not answer");
}

int spl_agent_ask(spl_agent **out, spl_loop *loop, const char *path, spb_span request,
                  spl_agent_fn done, void *data)
{
    const spb_env *env = spl_queue_env(spl_loop_queue(loop));
    spl_agent *agent = spb_calloc(env, 1, sizeof *agent);

    *out = NULL;
    if (agent == NULL)
        return SP_ENOMEM;
    agent->loop = loop;
    agent->env = env;
    agent->done = done;
    agent->data = data;
    spb_buffer_init(&agent->reply, env, SPL_AGENT_REPLY_MAX + HEAD);
    int result = frame(&agent->request, env, request) ? 0 : SP_ENOMEM;
    if (result == 0)
        result = spl_timer_new(&agent->timer, loop, fired, agent);
    if (result == 0)
        result = spl_connect_path(&agent->connect, loop, path, connected, agent);
    if (result != 0) {
        spl_agent_cancel(agent);
        return result;
    }
    spl_timer_start(agent->timer, TIMEOUT_MS, 0);
    *out = agent;
    return 0;
}

/* ---- from a thread that may wait ---- */

/* Every call on the socket gets what is left of the time. */
static bool set_time(int fd, uint64_t deadline)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t at = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t left = deadline == 0 || at >= deadline ? 0 : deadline - at;
    struct timeval value = {.tv_sec = (time_t)(left / 1000),
                            .tv_usec = (suseconds_t)(left % 1000 * 1000)};

    return left > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value) == 0;
}

static int error_now(void)
{
    int number = errno;

    if (number == EAGAIN || number == EWOULDBLOCK || number == EINPROGRESS)
        return SP_ETIMEDOUT;
    if (number == ENOENT || number == ENOTDIR)
        return SP_ENOENT;
    return number == EACCES || number == EPERM ? SP_EACCES : SP_EIO;
}

static int connect_now(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);

    if (length >= sizeof address.sun_path)
        return SP_ENOENT;
    memcpy(address.sun_path, path, length);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : error_now();
}

static int exchange(int fd, const spb_buffer *request, uint64_t deadline, spb_buffer *reply)
{
    for (size_t sent = 0; sent < request->length;) {
        if (!set_time(fd, deadline))
            return SP_ETIMEDOUT;
        ssize_t n = send(fd, request->data + sent, request->length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return error_now();
        sent += n > 0 ? (size_t)n : 0;
    }
    while (reply_size(reply) > reply->length) {
        size_t wanted = reply_size(reply) - reply->length;
        uint8_t *room = spb_buffer_reserve(reply, wanted);
        if (room == NULL)
            return SP_ENOMEM;
        if (!set_time(fd, deadline))
            return SP_ETIMEDOUT;
        ssize_t n = recv(fd, room, wanted, 0);
        if (n == 0)
            return SP_EIO;
        if (n < 0 && errno != EINTR)
            return error_now();
        reply->length += n > 0 ? (size_t)n : 0;
    }
    return reply_size(reply) == 0 ? SP_EPROTO : 0;
}

int spl_agent_ask_now(const char *path, spb_span request, unsigned timeout_ms, spb_buffer *out)
{
    struct timespec now;
    spb_buffer framed, reply;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t deadline = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + timeout_ms;
    bool good = frame(&framed, out->env, request);
    spb_buffer_init(&reply, out->env, SPL_AGENT_REPLY_MAX + HEAD);
    int fd = good ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    int result = !good ? SP_ENOMEM : fd < 0 ? SP_EIO : set_time(fd, deadline) ? 0 : SP_ETIMEDOUT;
    if (result == 0)
        result = connect_now(fd, path);
    if (result == 0)
        result = exchange(fd, &framed, deadline, &reply);
    if (result == 0) {
        spw_bytes(out, reply.data + HEAD, reply.length - HEAD);
        result = spw_ok(out) ? 0 : SP_ENOMEM;
    }
    if (fd >= 0)
        (void)close(fd);
    spb_buffer_free(&framed);
    spb_buffer_free(&reply);
    return result;
}
