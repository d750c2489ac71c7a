/* The line for people that a directory listing has beside each name (draft-ietf-secsh-filexfer-02
 * 7: "recommended format"), as of `ls -l`. */
#include "sftp/codec.h"

#include <stdio.h>

static char type_of(uint32_t mode)
{
    switch (mode & 0170000u) {
    case 0040000u:
        return 'd';
    case 0120000u:
        return 'l';
    case 0020000u:
        return 'c';
    case 0060000u:
        return 'b';
    case 0010000u:
        return 'p';
    case 0140000u:
        return 's';
    case 0100000u:
    case 0:
        return '-';
    default:
        return '?';
    }
}

/* "rwx" of one of three; `special` in place of x, in capitals where x is not set. */
static void three(char *out, uint32_t bits, bool special, char lower, char upper)
{
    out[0] = (bits & 4u) != 0 ? 'r' : '-';
    out[1] = (bits & 2u) != 0 ? 'w' : '-';
    bool execute = (bits & 1u) != 0;
    if (special)
        out[2] = execute ? lower : upper;
    else
        out[2] = execute ? 'x' : '-';
}

static void mode_text(char out[11], uint32_t mode)
{
    out[0] = type_of(mode);
    three(out + 1, mode >> 6, (mode & 04000u) != 0, 's', 'S');
    three(out + 4, mode >> 3, (mode & 02000u) != 0, 's', 'S');
    three(out + 7, mode, (mode & 01000u) != 0, 't', 'T');
    out[10] = '\0';
}

/* With the time of day for the last half year, else with the year. */
static void time_text(char *out, size_t size, int64_t seconds, time_t now)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t half_year = 365 * 24 * 60 * 60 / 2;
    time_t time = (time_t)seconds;
    struct tm tm;
    if (localtime_r(&time, &tm) == NULL || tm.tm_mon < 0 || tm.tm_mon > 11)
        snprintf(out, size, "?");
    else if (time > now - half_year && time <= now)
        snprintf(out, size, "%s %2d %02d:%02d", months[tm.tm_mon], tm.tm_mday, tm.tm_hour,
                 tm.tm_min);
    else
        snprintf(out, size, "%s %2d  %lld", months[tm.tm_mon], tm.tm_mday,
                 (long long)tm.tm_year + 1900);
}

size_t spf_longname(char out[SPF_LONGNAME_MAX], const sp_fs_entry *entry, time_t now)
{
    const sp_fs_attr *a = &entry->attr;
    char mode[11];
    char user[12];
    char group[12];
    char time[40];
    mode_text(mode, (a->valid & SP_FS_ATTR_PERMISSIONS) != 0 ? a->permissions : 0);
    bool owner = (a->valid & SP_FS_ATTR_OWNER) != 0;
    snprintf(user, sizeof user, "%u", owner ? (unsigned)a->uid : 0);
    snprintf(group, sizeof group, "%u", owner ? (unsigned)a->gid : 0);
    uint64_t size = (a->valid & SP_FS_ATTR_SIZE) != 0 ? a->size : 0;
    time_text(time, sizeof time, (a->valid & SP_FS_ATTR_TIMES) != 0 ? a->mtime : 0, now);
    int length = snprintf(out, SPF_LONGNAME_MAX, "%s %3llu %-8s %-8s %8llu %s %s", mode,
                          (unsigned long long)(a->links == 0 ? 1 : a->links),
                          entry->user != NULL ? entry->user : user,
                          entry->group != NULL ? entry->group : group, (unsigned long long)size,
                          time, entry->name);
    return length < 0                          ? 0
           : (size_t)length < SPF_LONGNAME_MAX ? (size_t)length
                                               : SPF_LONGNAME_MAX - 1;
}
