/* delay_relay.c: a TCP relay that delivers each byte a fixed time after it came, in both
 * directions, like a long line with plenty of bandwidth.
 *
 *     delay_relay TARGET_PORT DELAY_MS [PORT]
 *
 * listens on 127.0.0.1 (PORT, or any), prints {"event":"listening","port":N}, and relays each
 * connection to 127.0.0.1:TARGET_PORT. A direction holds at most LIMIT bytes; then it reads no more
 * until half of them are gone. Ends when standard input ends. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#define CHUNK ((size_t)256 * 1024)
#define LIMIT ((size_t)256 * 1024 * 1024)

typedef struct chunk {
    struct chunk *next;
    uint64_t due;  /* when to deliver, in ns */
    size_t length; /* 0: the end of the stream */
    char *bytes;
    uv_write_t request;
    struct direction *direction;
} chunk;

typedef struct direction {
    struct link *link;
    uv_tcp_t *from;
    uv_tcp_t *to;
    uv_timer_t timer;
    chunk *first;
    chunk **last;
    size_t held;
    bool paused;
    bool ended; /* the end was delivered */
    uv_shutdown_t shutdown;
} direction;

typedef struct link {
    uv_tcp_t client;
    uv_tcp_t server;
    direction up;
    direction down;
    uv_connect_t connect;
    unsigned handles;
    bool closing;
} link_pair;

static uint64_t delay_ns;
static struct sockaddr_in target;

static void on_handle_closed(uv_handle_t *handle)
{
    link_pair *pair = handle->data;
    if (--pair->handles > 0)
        return;
    direction *both[] = {&pair->up, &pair->down};
    for (size_t i = 0; i < 2; i++)
        while (both[i]->first != NULL) {
            chunk *c = both[i]->first;
            both[i]->first = c->next;
            free(c->bytes);
            free(c);
        }
    free(pair);
}

static void close_pair(link_pair *pair)
{
    if (pair->closing)
        return;
    pair->closing = true;
    uv_close((uv_handle_t *)&pair->client, on_handle_closed);
    uv_close((uv_handle_t *)&pair->server, on_handle_closed);
    uv_close((uv_handle_t *)&pair->up.timer, on_handle_closed);
    uv_close((uv_handle_t *)&pair->down.timer, on_handle_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    buffer->base = malloc(CHUNK);
    buffer->len = buffer->base == NULL ? 0 : CHUNK;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

static void on_written(uv_write_t *request, int status)
{
    chunk *c = request->data;
    direction *d = c->direction;
    d->held -= c->length;
    free(c->bytes);
    free(c);
    if (status < 0) {
        close_pair(d->link);
    } else if (d->paused && d->held < LIMIT / 2 && !d->link->closing) {
        d->paused = false;
        uv_read_start((uv_stream_t *)d->from, on_alloc, on_read);
    }
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    direction *d = request->data;
    (void)status;
    if (d->link->up.ended && d->link->down.ended)
        close_pair(d->link);
}

static void on_due(uv_timer_t *timer)
{
    direction *d = (direction *)(void *)((char *)timer - offsetof(direction, timer));
    uint64_t now = uv_hrtime();
    while (d->first != NULL && d->first->due <= now) {
        chunk *c = d->first;
        d->first = c->next;
        if (d->first == NULL)
            d->last = &d->first;
        if (c->length == 0) {
            d->ended = true;
            d->shutdown.data = d;
            if (uv_shutdown(&d->shutdown, (uv_stream_t *)d->to, on_shut_down) < 0)
                close_pair(d->link);
            free(c);
            continue;
        }
        uv_buf_t buffer = uv_buf_init(c->bytes, (unsigned)c->length);
        c->request.data = c;
        if (uv_write(&c->request, (uv_stream_t *)d->to, &buffer, 1, on_written) < 0) {
            free(c->bytes);
            free(c);
            close_pair(d->link);
            return;
        }
    }
    if (d->first != NULL && !d->link->closing)
        uv_timer_start(timer, on_due, (d->first->due - now + 999999) / 1000000, 0);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    link_pair *pair = stream->data;
    direction *d = stream == (uv_stream_t *)&pair->client ? &pair->up : &pair->down;
    if (length == 0 || pair->closing) {
        free(buffer->base);
        return;
    }
    chunk *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->due = uv_hrtime() + delay_ns;
    c->direction = d;
    if (length > 0) {
        c->length = (size_t)length;
        c->bytes = buffer->base;
        if (c->length < CHUNK / 2) {
            char *smaller = realloc(c->bytes, c->length);
            if (smaller != NULL)
                c->bytes = smaller;
        }
        d->held += c->length;
    } else {
        free(buffer->base);
        uv_read_stop(stream);
    }
    bool idle = d->first == NULL;
    *d->last = c;
    d->last = &c->next;
    if (idle)
        uv_timer_start(&d->timer, on_due, (delay_ns + 999999) / 1000000, 0);
    if (d->held > LIMIT) {
        d->paused = true;
        uv_read_stop(stream);
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    link_pair *pair = request->data;
    if (status < 0) {
        close_pair(pair);
        return;
    }
    uv_tcp_nodelay(&pair->server, 1);
    uv_read_start((uv_stream_t *)&pair->client, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&pair->server, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
    link_pair *pair = calloc(1, sizeof *pair);
    if (status < 0 || pair == NULL) {
        free(pair);
        return;
    }
    direction *both[] = {&pair->up, &pair->down};
    uv_tcp_init(listener->loop, &pair->client);
    uv_tcp_init(listener->loop, &pair->server);
    pair->handles = 4;
    pair->client.data = pair->server.data = pair;
    for (size_t i = 0; i < 2; i++) {
        direction *d = both[i];
        d->link = pair;
        d->from = i == 0 ? &pair->client : &pair->server;
        d->to = i == 0 ? &pair->server : &pair->client;
        d->last = &d->first;
        uv_timer_init(listener->loop, &d->timer);
        d->timer.data = pair;
    }
    pair->connect.data = pair;
    if (uv_accept(listener, (uv_stream_t *)&pair->client) < 0 ||
        uv_tcp_nodelay(&pair->client, 1) < 0 ||
        uv_tcp_connect(&pair->connect, &pair->server, (const struct sockaddr *)&target,
                       on_connected) < 0)
        close_pair(pair);
}

static void on_stdin(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    free(buffer->base);
    if (length < 0)
        uv_stop(stream->loop);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_pipe_t input;
    struct sockaddr_in address;
    int size = sizeof address;

    if (argc < 3) {
        fprintf(stderr, "usage: delay_relay TARGET_PORT DELAY_MS [PORT]\n");
        return 2;
    }
    uv_ip4_addr("127.0.0.1", (int)strtol(argv[1], NULL, 10), &target);
    delay_ns = strtoull(argv[2], NULL, 10) * 1000000u;
    uv_ip4_addr("127.0.0.1", argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0, &address);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 128, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size) < 0) {
        fprintf(stderr, "delay_relay: cannot listen\n");
        return 1;
    }
    printf("{\"event\":\"listening\",\"port\":%d}\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_pipe_init(loop, &input, 0);
    if (uv_pipe_open(&input, 0) == 0)
        uv_read_start((uv_stream_t *)&input, on_alloc, on_stdin);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
