/* sftpflags.c: reads internal-sftp's flags (sftp-server(8)). A flag or the name of a request that
 * is not known is a mistake: it might be the one that was to keep something out. */
#include "sftpflags.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywords.h"
#include "tokens.h"

static const char command_name[] = "internal-sftp";

bool is_internal_sftp(const char *command)
{
    size_t length = sizeof command_name - 1;

    return strncmp(command, command_name, length) == 0 &&
           (command[length] == '\0' || command[length] == ' ' || command[length] == '\t');
}

static bool bad(option_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool bad(option_problem *problem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- requests by their names ----------------------------------------------------------------- */

/* Those that `sftp-server -Q requests` prints. */
static const struct request_name {
    const char *name;
    uint64_t bits;
} request_names[] = {
    {"open", SP_SFTP_OP(SP_FS_OP_OPEN)},
    {"close", SP_SFTP_OP(SP_FS_OP_CLOSE)},
    {"read", SP_SFTP_OP(SP_FS_OP_READ)},
    {"write", SP_SFTP_OP(SP_FS_OP_WRITE)},
    {"lstat", SP_SFTP_OP(SP_FS_OP_LSTAT)},
    {"fstat", SP_SFTP_OP(SP_FS_OP_FSTAT)},
    {"setstat", SP_SFTP_OP(SP_FS_OP_SETSTAT)},
    {"fsetstat", SP_SFTP_OP(SP_FS_OP_FSETSTAT)},
    {"opendir", SP_SFTP_OP(SP_FS_OP_OPENDIR)},
    {"readdir", SP_SFTP_OP(SP_FS_OP_READDIR)},
    {"remove", SP_SFTP_OP(SP_FS_OP_REMOVE)},
    {"mkdir", SP_SFTP_OP(SP_FS_OP_MKDIR)},
    {"rmdir", SP_SFTP_OP(SP_FS_OP_RMDIR)},
    {"realpath", SP_SFTP_OP(SP_FS_OP_REALPATH)},
    {"stat", SP_SFTP_OP(SP_FS_OP_STAT)},
    {"rename", SP_SFTP_OP(SP_FS_OP_RENAME)},
    {"readlink", SP_SFTP_OP(SP_FS_OP_READLINK)},
    {"symlink", SP_SFTP_OP(SP_FS_OP_SYMLINK)},
    {"posix-rename", SP_SFTP_OP_POSIX_RENAME},
    {"statvfs", SP_SFTP_OP(SP_FS_OP_STATVFS)},
    {"fstatvfs", SP_SFTP_OP(SP_FS_OP_FSTATVFS)},
    {"hardlink", SP_SFTP_OP(SP_FS_OP_LINK)},
    {"fsync", SP_SFTP_OP(SP_FS_OP_FSYNC)},
    {"lsetstat", SP_SFTP_OP(SP_FS_OP_LSETSTAT)},
    {"limits", SP_SFTP_OP_LIMITS},
    {"expand-path", SP_SFTP_OP(SP_FS_OP_EXPAND_PATH)},
    {"copy-data", SP_SFTP_OP(SP_FS_OP_COPY_DATA)},
    {"home-directory", SP_SFTP_OP(SP_FS_OP_HOME_DIRECTORY)},
    {"users-groups-by-id", SP_SFTP_OP(SP_FS_OP_USERS_GROUPS)},
};

static uint64_t request_bits(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof request_names / sizeof request_names[0]; i++)
        if (strlen(request_names[i].name) == length &&
            memcmp(request_names[i].name, name, length) == 0)
            return request_names[i].bits;
    return 0;
}

static bool read_requests(const char *list, uint64_t *bits, option_problem *problem)
{
    do {
        size_t length = strcspn(list, ",");
        uint64_t found = request_bits(list, length);
        if (found == 0)
            return bad(problem, "there is no request '%.*s'", (int)(length < 64 ? length : 64),
                       list);
        *bits |= found;
        list += length;
    } while (*list++ == ',');
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool read_name(const choice *choices, const char *word, int *value, const char *noun,
                      option_problem *problem)
{
    for (const choice *c = choices; c->name != NULL; c++) {
        if (strcasecmp(c->name, word) == 0) {
            *value = c->value;
            return true;
        }
    }
    return bad(problem, "there is no %s '%.64s'", noun, word);
}

/* sftp-server's %d is sshd's %h. */
static bool read_start(const char *word, char **start, option_problem *problem)
{
    free(*start);
    *start = text_copy(word);
    if (*start == NULL)
        return bad(problem, "out of memory");
    for (char *at = *start; (at = strchr(at, '%')) != NULL; at += 2) {
        if (at[1] == 'd')
            at[1] = 'h';
        if (at[1] == '\0')
            break;
    }
    if (!tokens_known(*start))
        return bad(problem, "unknown token in '%.64s'", word);
    return true;
}

/* What -p and -P have said so far: all that no list allows is refused, if there is one. */
typedef struct request_lists {
    uint64_t denied;
    uint64_t allowed;
    bool only_allowed;
} request_lists;

static bool read_value(sftp_flags *flags, request_lists *lists, char flag, const char *word,
                       option_problem *problem)
{
    switch (flag) {
    case 'u':
        if (octal_parse(word, &flags->umask))
            return true;
        return bad(problem, "invalid umask '%.64s'", word);
    case 'd':
        return read_start(word, &flags->start, problem);
    case 'f':
        return read_name(facility_choices, word, &flags->facility, "log facility", problem);
    case 'l':
        return read_name(log_level_choices, word, &flags->level, "log level", problem);
    case 'P':
        return read_requests(word, &lists->denied, problem);
    default:
        lists->only_allowed = true;
        return read_requests(word, &lists->allowed, problem);
    }
}

/* ---- the flags ------------------------------------------------------------------------------- */

/* One word "-Rl", which takes the next as its value if it must. */
static bool read_flags(sftp_flags *flags, request_lists *lists, const string_list *words,
                       size_t *at, option_problem *problem)
{
    const char *word = words->items[(*at)++];

    if (word[0] != '-' || word[1] == '\0')
        return bad(problem, "extra argument '%.64s'", word);
    for (const char *flag = word + 1; *flag != '\0'; flag++) {
        if (*flag == 'R') {
            flags->read_only = true;
        } else if (*flag == 'e' || *flag == 'c') {
            continue; /* where to log, and what to check first: of a program of its own */
        } else if (strchr("udflPp", *flag) == NULL) {
            return bad(problem, "unknown flag -%c", *flag);
        } else if (flag[1] != '\0') {
            return read_value(flags, lists, *flag, flag + 1, problem);
        } else if (*at == words->count) {
            return bad(problem, "-%c needs a value", *flag);
        } else {
            return read_value(flags, lists, *flag, words->items[(*at)++], problem);
        }
    }
    return true;
}

/* Up to a comment. -1: out of memory. */
static int split(string_list *words, const char *text)
{
    for (text = text_skip_blanks(text); *text != '\0' && *text != '#';
         text = text_skip_blanks(text)) {
        size_t length = strcspn(text, " \t\r\n");
        if (list_addf(words, "%.*s", (int)length, text) != 0)
            return -1;
        text += length;
    }
    return 0;
}

bool sftp_flags_parse(sftp_flags *flags, const char *command, option_problem *problem)
{
    string_list words = {NULL, 0};
    request_lists lists = {0, 0, false};
    size_t at = 0;
    bool good = true;

    *flags =
        (sftp_flags){.umask = NOT_GIVEN, .facility = SFTP_FLAG_ABSENT, .level = SFTP_FLAG_ABSENT};
    if (split(&words, command + sizeof command_name - 1) != 0)
        good = bad(problem, "out of memory");
    while (good && at < words.count)
        good = read_flags(flags, &lists, &words, &at, problem);
    flags->refused = lists.denied | (lists.only_allowed ? ~lists.allowed : 0);
    list_clear(&words);
    if (!good)
        sftp_flags_clear(flags);
    return good;
}

void sftp_flags_clear(sftp_flags *flags)
{
    free(flags->start);
    flags->start = NULL;
}
