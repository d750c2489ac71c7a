/* Reading and writing descriptors. A library must not be killed by a peer that went away, nor
 * change the process's signal dispositions: sockets are written with MSG_NOSIGNAL, and around a
 * write to a pipe SIGPIPE is blocked in this thread and swallowed if that write raised it. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int spl_error(int number)
{
    switch (number) {
    case 0:
        return 0;
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return SP_EAGAIN;
    case ENOMEM:
    case ENOBUFS:
        return SP_ENOMEM;
    case EMFILE:
    case ENFILE:
        return SP_ELIMIT;
    case EACCES:
    case EPERM:
        return SP_EACCES;
    case ENOENT:
    case ENOTDIR:
        return SP_ENOENT;
    case EADDRINUSE:
        return SP_EADDRINUSE;
    case EINVAL:
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL:
    case EBADF:
    case ENOTSOCK:
        return SP_EINVAL;
    case ETIMEDOUT:
        return SP_ETIMEDOUT;
    case ECANCELED:
        return SP_ECANCELED;
    default:
        return SP_EIO;
    }
}

static ptrdiff_t result_of(ssize_t n)
{
    return n >= 0 ? n : spl_error(errno);
}

ptrdiff_t spl_read(int fd, void *buffer, size_t size)
{
    ssize_t n;
    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return result_of(n);
}

ptrdiff_t spl_recv(int fd, void *buffer, size_t size)
{
    ssize_t n;
    do
        n = recv(fd, buffer, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return result_of(n);
}

ptrdiff_t spl_send(int fd, const struct iovec *vector, int count)
{
    struct msghdr message = {0};
    message.msg_iov = (struct iovec *)(uintptr_t)vector;
    message.msg_iovlen = (size_t)count;
    ssize_t n;
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return result_of(n);
}

ptrdiff_t spl_write(int fd, const void *bytes, size_t length)
{
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    /* One that is pending already is not ours to swallow; that can only be if it was blocked. */
    bool was_pending = false;
    if (sigismember(&before, SIGPIPE) == 1) {
        sigset_t pending;
        sigemptyset(&pending);
        sigpending(&pending);
        was_pending = sigismember(&pending, SIGPIPE) == 1;
    }
    ssize_t n;
    do
        n = write(fd, bytes, length);
    while (n < 0 && errno == EINTR);
    int number = errno;
    if (n < 0 && number == EPIPE && !was_pending) {
        const struct timespec at_once = {0, 0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return result_of(n);
}

void spl_pipe_grow(int fd)
{
#ifdef F_SETPIPE_SZ
    (void)fcntl(fd, F_SETPIPE_SZ, (int)SPL_SCRATCH); /* refused where a user has many: no matter */
#else
    (void)fd;
#endif
}
