/* transferlog.h: what is said in the log about file transfers. */
#ifndef SALLYPORTD_TRANSFERLOG_H
#define SALLYPORTD_TRANSFERLOG_H

#include <sallyport.h>

typedef struct transfer_log {
    char *who;          /* "sftp USER from ADDRESS port PORT" */
    int facility;       /* syslog's number; -1: the program's */
    sp_log_level level; /* lines up to it */
} transfer_log;

void transfer_log_line(const transfer_log *log, sp_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void transfer_log_event(const transfer_log *log, const sp_sftp_event *event);
void transfer_log_closed(const transfer_log *log, const sp_sftp_transfer *transfer);

/* Writes `name` in quotes, with everything that is no printable ASCII as \ooo and a backslash
 * before quotes and backslashes. What is too long is cut, and "..." put behind the quotes. */
#define LOG_NAME_MAX 900 /* with its NUL; so that two fit into a line */
void log_name(char out[LOG_NAME_MAX], const char *name);

#endif
