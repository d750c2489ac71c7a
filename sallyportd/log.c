/* log.c: one line at a time to the system log, standard error or a file. Control characters,
 * which a client can put into a user name, never reach the log: they are shown as \ooo. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TEXT_SIZE 2000

/* Set before the server's threads exist; from then on only the level changes. */
static struct {
    log_target target;
    atomic_int level;
    int file;
    const char *path;
    bool starting; /* errors go to standard error as well */
    bool mute;     /* nothing ever does: it is the client's connection */
} log_state = {.target = LOG_TO_STDERR, .level = SP_LOG_INFO, .file = -1, .starting = true};

void log_mute(void)
{
    log_state.mute = true;
}

void log_set_level(sp_log_level level)
{
    atomic_store(&log_state.level, (int)level);
}

void log_reopen(void)
{
    if (log_state.target != LOG_TO_FILE)
        return;
    int fd = open(log_state.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || dup3(fd, log_state.file, O_CLOEXEC) < 0)
        log_error("Log file %s: %s", log_state.path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

int log_open(log_target target, const char *path, sp_log_level level, int facility)
{
    if (target == LOG_TO_FILE) {
        log_state.file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (log_state.file < 0)
            return -1;
    }
    if (target == LOG_TO_SYSLOG)
        openlog("sallyportd", LOG_PID, facility);
    log_state.target = target;
    log_state.path = path;
    log_set_level(level);
    return 0;
}

void log_settled(void)
{
    log_state.starting = false;
}

void log_close(void)
{
    if (log_state.target == LOG_TO_SYSLOG)
        closelog();
    if (log_state.file >= 0)
        close(log_state.file);
    log_state.file = -1;
    log_state.target = LOG_TO_STDERR;
}

/* Copies `text` with what can't be printed made visible. */
static void make_printable(char *out, size_t size, const char *text)
{
    size_t used = 0;

    for (; *text != '\0' && used + 5 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            used += (size_t)snprintf(out + used, size - used, "\\%03o", (unsigned)c);
        else
            out[used++] = (char)c;
    }
    out[used] = '\0';
}

static void write_line(int fd, const char *prefix, const char *text)
{
    char line[2300];
    int length = snprintf(line, sizeof line, "%s%s\n", prefix, text);

    if (length > 0 && (size_t)length < sizeof line) {
        ssize_t ignored = write(fd, line, (size_t)length);
        (void)ignored; /* there is nowhere to complain to */
    }
}

static void write_file(const char *text)
{
    char prefix[80];
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm) == NULL)
        memset(&tm, 0, sizeof tm);
    size_t used = strftime(prefix, sizeof prefix, "%Y-%m-%dT%H:%M:%SZ ", &tm);
    (void)snprintf(prefix + used, sizeof prefix - used, "sallyportd[%ld]: ", (long)getpid());
    write_line(log_state.file, prefix, text);
}

static int syslog_priority(sp_log_level level)
{
    switch (level) {
    case SP_LOG_QUIET:
    case SP_LOG_ERROR:
        return LOG_ERR;
    case SP_LOG_INFO:
    case SP_LOG_VERBOSE:
        return LOG_INFO;
    case SP_LOG_DEBUG:
        break;
    }
    return LOG_DEBUG;
}

static bool wanted(sp_log_level level)
{
    return (int)level <= atomic_load(&log_state.level);
}

static void put(int facility, sp_log_level level, const char *text)
{
    char line[2100];

    size_t used = level >= SP_LOG_DEBUG ? (size_t)snprintf(line, sizeof line, "debug: ") : 0;
    make_printable(line + used, sizeof line - used, text);

    switch (log_state.target) {
    case LOG_TO_SYSLOG:
        syslog(syslog_priority(level) | (facility >= 0 ? facility : 0), "%s", line);
        break;
    case LOG_TO_FILE:
        write_file(line);
        break;
    case LOG_TO_STDERR:
        if (!log_state.mute)
            write_line(STDERR_FILENO, "", line);
        return;
    }
    if (log_state.starting && !log_state.mute && level <= SP_LOG_ERROR)
        write_line(STDERR_FILENO, "", line);
}

void log_write(sp_log_level level, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;

    if (!wanted(level))
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(-1, level, text);
}

void log_chosen(int facility, sp_log_level level, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(facility, level, text);
}

void log_from_library(void *ctx, sp_log_level level, const char *line)
{
    sp_log_level ours = level == SP_LOG_INFO ? SP_LOG_VERBOSE : level;

    (void)ctx;
    if (wanted(ours))
        put(-1, ours, line);
}
