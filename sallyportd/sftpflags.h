/* sftpflags.h: the command "internal-sftp" with sftp-server(8)'s flags, as it stands in Subsystem,
 * ForceCommand and a key's command=. */
#ifndef SALLYPORTD_SFTPFLAGS_H
#define SALLYPORTD_SFTPFLAGS_H

#include "options.h"

#define SFTP_FLAG_ABSENT (-1)

typedef struct sftp_flags {
    bool read_only;   /* -R */
    uint32_t umask;   /* -u; NOT_GIVEN */
    char *start;      /* -d, with tokens; NULL */
    int facility;     /* -f: syslog's number; SFTP_FLAG_ABSENT */
    int level;        /* -l: log_choice; SFTP_FLAG_ABSENT */
    uint64_t refused; /* -P, -p: SP_SFTP_OP... */
} sftp_flags;

/* The word "internal-sftp", alone or with something behind it. */
bool is_internal_sftp(const char *command);
/* `command` is such a one. False: `problem` says what is wrong with it, and there is nothing to
 * clear. Words are what stands between blanks, as in sshd: there are no quotes. Thread: any. */
bool sftp_flags_parse(sftp_flags *flags, const char *command, option_problem *problem);
void sftp_flags_clear(sftp_flags *flags);

#endif
