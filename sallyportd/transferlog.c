/* transferlog.c: lines about file transfers, in sftp-server(8)'s words and at its levels. Names
 * come from the client, so no byte of them reaches the log that could end a line, a quote or a
 * terminal's patience. */
#include "transferlog.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"

void log_name(char out[LOG_NAME_MAX], const char *name)
{
    static const char more[] = "\"...";
    size_t used = 0;

    out[used++] = '"';
    for (; *name != '\0' && used + 4 + sizeof more <= LOG_NAME_MAX; name++) {
        unsigned char c = (unsigned char)*name;
        if (c < 0x20 || c > 0x7e) {
            used += (size_t)snprintf(out + used, LOG_NAME_MAX - used, "\\%03o", (unsigned)c);
        } else {
            if (c == '"' || c == '\\')
                out[used++] = '\\';
            out[used++] = (char)c;
        }
    }
    memcpy(out + used, *name != '\0' ? more : "\"", *name != '\0' ? sizeof more : 2);
}

void transfer_log_line(const transfer_log *log, sp_log_level level, const char *format, ...)
{
    char text[1900];
    va_list arguments;

    if (level > log->level)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_chosen(log->facility, level, "%s: %s", log->who, text);
}

/* ---- values ---------------------------------------------------------------------------------- */

#define FLAGS_SIZE 64

static const char *open_flags(uint32_t flags, char out[FLAGS_SIZE])
{
    static const char *const names[] = {"READ", "WRITE", "APPEND", "CREATE", "TRUNCATE", "EXCL"};
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((flags & (1u << i)) != 0)
            used += (size_t)snprintf(out + used, FLAGS_SIZE - used, "%s%s", used > 0 ? "," : "",
                                     names[i]);
    return out;
}

static unsigned mode_of(const sp_sftp_event *e, unsigned otherwise)
{
    return (e->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0 ? e->attr.permissions & 07777u : otherwise;
}

static const char *status_words(sp_fs_status status)
{
    switch (status) {
    case SP_FS_OK:
        return "Success";
    case SP_FS_EOF:
        return "End of file";
    case SP_FS_NO_SUCH_FILE:
        return "No such file";
    case SP_FS_PERMISSION_DENIED:
        return "Permission denied";
    case SP_FS_BAD_MESSAGE:
        return "Bad message";
    case SP_FS_NO_CONNECTION:
        return "No connection";
    case SP_FS_CONNECTION_LOST:
        return "Connection lost";
    case SP_FS_OP_UNSUPPORTED:
        return "Operation unsupported";
    case SP_FS_FAILURE:
        break;
    }
    return "Failure";
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What is known of an operation: its name, and from which level on it is told. */
typedef struct operation {
    const char *name;
    sp_log_level level;
} operation;

static operation operation_of(const sp_sftp_event *e)
{
    switch (e->op) {
    case SP_FS_OP_OPEN:
        return (operation){"open", SP_LOG_INFO};
    case SP_FS_OP_OPENDIR:
        return (operation){"opendir", SP_LOG_INFO};
    case SP_FS_OP_CLOSEDIR:
        return (operation){"closedir", SP_LOG_INFO};
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_LSETSTAT:
    case SP_FS_OP_FSETSTAT:
        return (operation){"set", SP_LOG_INFO};
    case SP_FS_OP_REMOVE:
        return (operation){"remove name", SP_LOG_INFO};
    case SP_FS_OP_MKDIR:
        return (operation){"mkdir name", SP_LOG_INFO};
    case SP_FS_OP_RMDIR:
        return (operation){"rmdir name", SP_LOG_INFO};
    case SP_FS_OP_RENAME:
        return (operation){(e->flags & SP_FS_REPLACE) != 0 ? "posix-rename old" : "rename old",
                           SP_LOG_INFO};
    case SP_FS_OP_SYMLINK:
        return (operation){"symlink new", SP_LOG_INFO};
    case SP_FS_OP_LINK:
        return (operation){"hardlink old", SP_LOG_INFO};
    case SP_FS_OP_COPY_DATA:
        return (operation){"copy-data from", SP_LOG_INFO};
    case SP_FS_OP_READLINK:
        return (operation){"readlink", SP_LOG_VERBOSE};
    case SP_FS_OP_REALPATH:
        return (operation){"realpath", SP_LOG_VERBOSE};
    case SP_FS_OP_EXPAND_PATH:
        return (operation){"expand-path", SP_LOG_VERBOSE};
    case SP_FS_OP_HOME_DIRECTORY:
        return (operation){"home-directory", SP_LOG_VERBOSE};
    case SP_FS_OP_STATVFS:
        return (operation){"statvfs", SP_LOG_VERBOSE};
    case SP_FS_OP_FSTATVFS:
        return (operation){"fstatvfs", SP_LOG_VERBOSE};
    case SP_FS_OP_FSYNC:
        return (operation){"fsync", SP_LOG_VERBOSE};
    case SP_FS_OP_READ:
        return (operation){"read", SP_LOG_VERBOSE};
    case SP_FS_OP_WRITE:
        return (operation){"write", SP_LOG_VERBOSE};
    case SP_FS_OP_READDIR:
        return (operation){"readdir", SP_LOG_VERBOSE};
    case SP_FS_OP_CLOSE:
        return (operation){"close", SP_LOG_VERBOSE};
    case SP_FS_OP_STAT:
        return (operation){"stat name", SP_LOG_DEBUG};
    case SP_FS_OP_LSTAT:
        return (operation){"lstat name", SP_LOG_DEBUG};
    case SP_FS_OP_FSTAT:
        return (operation){"fstat", SP_LOG_DEBUG};
    case SP_FS_OP_USERS_GROUPS:
        return (operation){"users-groups-by-id", SP_LOG_DEBUG};
    case SP_FS_OP_BEGIN:
        break;
    }
    return (operation){"begin", SP_LOG_DEBUG};
}

#define DETAIL_SIZE (LOG_NAME_MAX + 128)

static void put_time(char *out, size_t size, int64_t seconds)
{
    struct tm tm;
    time_t at = (time_t)seconds;

    if (gmtime_r(&at, &tm) == NULL || strftime(out, size, "%Y%m%d-%H:%M:%S", &tm) == 0)
        (void)snprintf(out, size, "%" PRId64, seconds);
}

static void set_detail(const sp_sftp_event *e, char *out, size_t size)
{
    size_t used = 0;
    char at[32];

    if ((e->attr.valid & SP_FS_ATTR_SIZE) != 0)
        used += (size_t)snprintf(out + used, size - used, " size %" PRIu64, e->attr.size);
    if ((e->attr.valid & SP_FS_ATTR_PERMISSIONS) != 0)
        used += (size_t)snprintf(out + used, size - used, " mode 0%o", mode_of(e, 0));
    if ((e->attr.valid & SP_FS_ATTR_TIMES) != 0) {
        put_time(at, sizeof at, e->attr.mtime);
        used += (size_t)snprintf(out + used, size - used, " modtime %s", at);
    }
    if ((e->attr.valid & SP_FS_ATTR_OWNER) != 0)
        (void)snprintf(out + used, size - used, " owner %" PRIu32 " group %" PRIu32, e->attr.uid,
                       e->attr.gid);
}

/* What stands behind the first name. */
static void detail(const sp_sftp_event *e, char out[DETAIL_SIZE])
{
    char flags[FLAGS_SIZE];
    char to[LOG_NAME_MAX];

    out[0] = '\0';
    if (e->to != NULL)
        log_name(to, e->to);
    switch (e->op) {
    case SP_FS_OP_OPEN:
        (void)snprintf(out, DETAIL_SIZE, " flags %s mode 0%o", open_flags(e->flags, flags),
                       mode_of(e, 0666));
        break;
    case SP_FS_OP_MKDIR:
        (void)snprintf(out, DETAIL_SIZE, " mode 0%o", mode_of(e, 0777));
        break;
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_LSETSTAT:
    case SP_FS_OP_FSETSTAT:
        set_detail(e, out, DETAIL_SIZE);
        break;
    default:
        if (e->to != NULL)
            (void)snprintf(out, DETAIL_SIZE, " %s %s",
                           e->op == SP_FS_OP_SYMLINK     ? "text"
                           : e->op == SP_FS_OP_COPY_DATA ? "to"
                                                         : "new",
                           to);
        break;
    }
}

/* A refusal of rights is worth a line always: somebody may be trying doors. */
void transfer_log_event(const transfer_log *log, const sp_sftp_event *e)
{
    char name[LOG_NAME_MAX];
    char more[DETAIL_SIZE];
    const operation o = operation_of(e);
    bool denied = e->status == SP_FS_PERMISSION_DENIED;
    sp_log_level level = denied && o.level > SP_LOG_INFO ? SP_LOG_INFO : o.level;

    if (level > log->level)
        return;
    log_name(name, e->path != NULL ? e->path : "");
    detail(e, more);
    transfer_log_line(log, level, "%s%s%s%s%s%s%s", o.name, e->path != NULL ? " " : "",
                      e->path != NULL ? name : "", more, e->refused ? ": refused" : "",
                      e->status != SP_FS_OK ? ": " : "",
                      e->status == SP_FS_OK ? ""
                      : e->text != NULL     ? e->text
                                            : status_words(e->status));
}

/* ---- files ----------------------------------------------------------------------------------- */

/* "complete" is said of what was carried whole, and of nothing else. */
static void put_result(const sp_sftp_transfer *t, char *out, size_t size)
{
    if (t->data_status != SP_FS_OK)
        (void)snprintf(out, size, "failed: %s",
                       t->reason != NULL ? t->reason : status_words(t->data_status));
    else if (t->status != SP_FS_OK)
        (void)snprintf(out, size, "failed: close: %s", status_words(t->status));
    else if (!t->by_client)
        (void)snprintf(out, size, "interrupted: %s",
                       t->lost ? "the connection was lost" : "the client left it open");
    else if (t->whole)
        (void)snprintf(out, size, "complete");
    else
        (void)snprintf(out, size, (t->flags & SP_FS_WRITE) != 0 ? "closed" : "partial");
}

void transfer_log_closed(const transfer_log *log, const sp_sftp_transfer *t)
{
    char name[LOG_NAME_MAX];
    char result[300];

    log_name(name, t->path);
    put_result(t, result, sizeof result);
    transfer_log_line(log, SP_LOG_INFO,
                      "close %s bytes read %" PRIu64 " written %" PRIu64 " in %" PRIu64
                      ".%03u seconds: %s",
                      name, t->bytes_read, t->bytes_written, t->milliseconds / 1000,
                      (unsigned)(t->milliseconds % 1000), result);
}
