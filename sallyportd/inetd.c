/* inetd.c: makes one socket of standard input and output. */
#include "inetd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LAST_WORDS_SECONDS 10

/* One direction. It ends with its source, or when its sink takes nothing more. */
typedef struct carrier {
    pthread_t thread;
    int from;
    int to;
    bool runs;
} carrier;

static carrier carriers[2]; /* from the client, to the client */

static bool same_file(int a, int b)
{
    struct stat first;
    struct stat second;

    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static bool is_stream(int fd, bool *is_socket)
{
    struct stat st;

    *is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    return *is_socket || (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode));
}

bool inetd_has_stderr(void)
{
    bool is_socket;

    return is_stream(STDERR_FILENO, &is_socket) &&
           (same_file(STDIN_FILENO, STDERR_FILENO) || same_file(STDOUT_FILENO, STDERR_FILENO));
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = write(fd, bytes, length);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void *carry(void *data)
{
    const carrier *c = data;
    char bytes[32768];
    ssize_t got;

    do {
        got = read(c->from, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
    } while (got != 0 && (got < 0 ? errno == EINTR : write_all(c->to, bytes, (size_t)got)));
    /* One of the two is our end of the socket pair; the other end learns of it. */
    (void)shutdown(c->to, SHUT_WR);
    (void)shutdown(c->from, SHUT_RD);
    return NULL;
}

static int start_carrier(carrier *c, int from, int to)
{
    c->from = from;
    c->to = to;
    c->runs = from >= 0 && to >= 0 && pthread_create(&c->thread, NULL, carry, c) == 0;
    return c->runs ? 0 : -1;
}

/* Another number for it; the old one is /dev/null's. */
static int take(int fd)
{
    int taken = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int mode = fcntl(fd, F_GETFL);

    /* The threads wait in read and write; the library sets what it needs. */
    if (mode >= 0)
        (void)fcntl(fd, F_SETFL, mode & ~O_NONBLOCK);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        (void)dup2(null, fd);
        close(null);
    }
    return taken;
}

int inetd_open(void)
{
    bool in_socket;
    bool out_socket;
    int pair[2];

    if (!is_stream(STDIN_FILENO, &in_socket) || !is_stream(STDOUT_FILENO, &out_socket)) {
        log_error("Standard input and output are no connection to serve: neither a socket nor "
                  "two pipes");
        return -1;
    }
    bool one = in_socket && same_file(STDIN_FILENO, STDOUT_FILENO);
    int in = take(STDIN_FILENO);
    int out = take(STDOUT_FILENO);
    if (one) {
        close(out);
        return in;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_error("No socket pair: %s", strerror(errno));
        return -1;
    }
    if (start_carrier(&carriers[0], in, pair[1]) != 0 ||
        start_carrier(&carriers[1], pair[1], out) != 0) {
        log_error("Threads for standard input and output can't be started");
        close(pair[0]);
        return -1;
    }
    return pair[0];
}

void inetd_finish(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LAST_WORDS_SECONDS;
    if (carriers[1].runs && pthread_timedjoin_np(carriers[1].thread, NULL, &end) != 0) {
        (void)pthread_cancel(carriers[1].thread);
        (void)pthread_join(carriers[1].thread, NULL);
    }
    if (carriers[0].runs) {
        (void)pthread_cancel(carriers[0].thread);
        (void)pthread_join(carriers[0].thread, NULL);
    }
}
