/* log.h: where messages go: the system log (the default once detached), standard error or a file.
 * Each function may be called from any thread; a line is written whole. */
#ifndef SALLYPORTD_LOG_H
#define SALLYPORTD_LOG_H

#include <sallyport.h>

typedef enum log_target {
    LOG_TO_SYSLOG,
    LOG_TO_STDERR,
    LOG_TO_FILE,
} log_target;

/* What comes before log_open goes to standard error, or nowhere after log_mute. Errno-like: 0, or
 * -1 with errno set when the file can't be opened. `facility` is syslog's number. Until
 * log_settled, errors are shown on standard error as well, whatever the target. */
void log_mute(void);
int log_open(log_target target, const char *path, sp_log_level level, int facility);
void log_settled(void);
void log_set_level(sp_log_level level);
/* Opens the log file anew, in case it was moved away. */
void log_reopen(void);
void log_close(void);

void log_write(sp_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whatever the level of the log: the caller has chosen. `facility`: syslog's number, or -1. */
void log_chosen(int facility, sp_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(...) log_write(SP_LOG_ERROR, __VA_ARGS__)
#define log_info(...) log_write(SP_LOG_INFO, __VA_ARGS__)
#define log_verbose(...) log_write(SP_LOG_VERBOSE, __VA_ARGS__)
#define log_debug(...) log_write(SP_LOG_DEBUG, __VA_ARGS__)

/* The library's log callback. Its accounts of logins are one step less important here, because this
 * program writes its own lines about them, in sshd's form. */
void log_from_library(void *ctx, sp_log_level level, const char *line);

#endif
