/* sallyport/types.h: what every other header needs: the export mark, the answers, the error
 * numbers, the allocator and the log.
 *
 * Conventions of the whole API
 * - A function that can fail returns 0 (or a count) or a negative SP_E... number.
 * - A table or options struct starts with `size_t size`, set by its initialiser macro, which comes
 *   first in the braces: `{SP_SPAWN_OPTIONS_INIT, .program = "/bin/cat"}`. Every other
 *   member may stay zero, and zero means the default that its comment gives.
 * - `_new`/`_free` own, `_ref`/`_unref` share, getters lend: what a getter returns is valid as long
 *   as the object is, unless its comment says otherwise.
 * - Strings are UTF-8 and end with NUL unless a length stands beside them.
 * - Thread: everything that belongs to one loop is touched on that loop's thread only. What may be
 *   called from any thread says "Thread: any".
 */
#ifndef SALLYPORT_TYPES_H
#define SALLYPORT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_API __attribute__((visibility("default")))

/* ---- answers ---------------------------------------------------------------------------------
 * What a decision handler returns. Zero is refusal, so whatever is forgotten, uninitialised or
 * failed refuses. Any value that is not named here refuses too. */
typedef enum sp_answer {
    SP_REJECT = 0,   /* no */
    SP_ACCEPT = 1,   /* yes */
    SP_LATER = 2,    /* the handler keeps the question; it answers, then releases it */
    SP_ANSWERED = 3, /* the handler has answered by a call; the library releases the question */
} sp_answer;

/* For a handler that answers by a call at once: `return sp_answered(sp_auth_challenge(a, &c));`.
 * A call that failed becomes a refusal. */
static inline sp_answer sp_answered(int result)
{
    return result == 0 ? SP_ANSWERED : SP_REJECT;
}

/* ---- errors ---------------------------------------------------------------------------------- */
#define SP_ERRORS(X)                                                                               \
    X(-1, SP_ENOMEM, "out of memory")                                                              \
    X(-2, SP_EINVAL, "invalid argument")                                                           \
    X(-3, SP_EAGAIN, "not possible right now")                                                     \
    X(-4, SP_EALREADY, "already answered or done")                                                 \
    X(-5, SP_ECONN, "the connection or its channel is gone")                                       \
    X(-6, SP_ECLOSED, "closed")                                                                    \
    X(-7, SP_EPROTO, "the peer broke the protocol")                                                \
    X(-8, SP_ETIMEDOUT, "timed out")                                                               \
    X(-9, SP_EAUTH, "authentication failed")                                                       \
    X(-10, SP_EFORMAT, "malformed data")                                                           \
    X(-11, SP_ENOTSUP, "not supported")                                                            \
    X(-12, SP_ELIMIT, "a limit was reached")                                                       \
    X(-13, SP_EIO, "input/output error")                                                           \
    X(-14, SP_EADDRINUSE, "address already in use")                                                \
    X(-15, SP_EACCES, "permission denied")                                                         \
    X(-16, SP_ENOENT, "no such file or name")                                                      \
    X(-17, SP_ENEGOTIATE, "no algorithm in common")                                                \
    X(-18, SP_EDISCONNECT, "the peer disconnected")                                                \
    X(-19, SP_ECRYPTO, "a cryptographic operation failed")                                         \
    X(-20, SP_EMAC, "a packet failed its integrity check")                                         \
    X(-21, SP_ESTATE, "not allowed in this state")                                                 \
    X(-22, SP_ECANCELED, "canceled")                                                               \
    X(-23, SP_EPASSPHRASE, "a passphrase is needed, or it is wrong")                               \
    X(-24, SP_EOF, "end of file")                                                                  \
    X(-25, SP_ESIGNAL, "a signal came")                                                            \
    X(-26, SP_ERESIZE, "the size of the terminal has changed")                                     \
    X(-27, SP_EBREAK, "a break came")                                                              \
    X(-28, SP_EWOKEN, "woken")

typedef enum sp_error {
    SP_OK = 0,
#define SP_ERROR_ENUM(number, name, text) name = (number),
    SP_ERRORS(SP_ERROR_ENUM)
#undef SP_ERROR_ENUM
} sp_error;

/* A short English text for an SP_E... number; never NULL. Thread: any. */
SP_API const char *sp_strerror(int error);

/* The library's version, as "0.1.0". Thread: any. */
SP_API const char *sp_version(void);

/* Why a connection or a channel ended. Lent to the handler that gets it. */
typedef struct sp_conn_error {
    int error;           /* SP_E... */
    uint32_t code;       /* RFC 4253 11.1 reason code sent or received; 0: none. A channel that the
                          * client has refused: RFC 4254 5.1 */
    bool from_peer;      /* the peer said so (its DISCONNECT) */
    const char *message; /* for a human; bytes from the peer are cleaned of control characters */
} sp_conn_error;

/* ---- memory and log ---------------------------------------------------------------------------
 */

/* Memory for everything that the library itself allocates. `ctx` is handed back to each. All three
 * or none. Each may be called from every thread that uses the library's objects. */
typedef struct sp_allocator {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void *(*realloc)(void *ctx, void *ptr, size_t size);
    void (*free)(void *ctx, void *ptr);
} sp_allocator;

typedef enum sp_log_level {
    SP_LOG_QUIET = 0,
    SP_LOG_ERROR = 1,   /* something needs an administrator */
    SP_LOG_INFO = 2,    /* logins, refusals, disconnections */
    SP_LOG_VERBOSE = 3, /* what led to them */
    SP_LOG_DEBUG = 4,   /* protocol steps; never a secret */
} sp_log_level;

/* One line without a newline. Thread: the loop's, or the one that called the library. */
typedef void (*sp_log_fn)(void *ctx, sp_log_level level, const char *line);

#ifdef __cplusplus
}
#endif
#endif
