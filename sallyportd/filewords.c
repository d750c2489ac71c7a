/* filewords.c: readers and printers of the words about file transfer. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywords.h"
#include "sftpflags.h"
#include "tokens.h"

option_result check_internal_sftp(const keyword *k, const char *command, option_problem *problem)
{
    option_problem wrong = {""};
    sftp_flags flags;

    if (!is_internal_sftp(command))
        return OPTION_OK;
    if (!sftp_flags_parse(&flags, command, &wrong))
        return bad_value(problem, "%s: internal-sftp: %s", k->name, wrong.text);
    sftp_flags_clear(&flags);
    return OPTION_OK;
}

/* A command, or none. */
option_result read_forced(const keyword *k, const option_values *values, options *o,
                          option_problem *problem)
{
    option_result result = check_internal_sftp(k, values->rest, problem);

    return result == OPTION_OK ? read_text(k, values, o, problem) : result;
}

/* A path that is absolute once its tokens are expanded, or none. */
option_result read_root(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    const char *word = values->words->items[0];

    if (strcasecmp(word, "none") != 0) {
        if (!tokens_known(word))
            return bad_value(problem, "%s: unknown token in '%s'", k->name, word);
        if (*word != '/' && strncmp(word, "%h", 2) != 0)
            return bad_value(problem, "%s must be an absolute path or none, not '%s'", k->name,
                             word);
    }
    return read_word(k, values, o, problem);
}

bool octal_parse(const char *word, uint32_t *number)
{
    if (*word == '\0' || strlen(word) > 8 || strspn(word, "01234567") != strlen(word))
        return false;
    unsigned long value = strtoul(word, NULL, 8);
    *number = (uint32_t)value;
    return value <= 0777;
}

option_result read_umask(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    const char *word = values->words->items[0];
    uint32_t mask = NOT_GIVEN;

    if (strcasecmp(word, "none") != 0 && !octal_parse(word, &mask))
        return bad_value(problem, "%s must be an octal number up to 0777 or none, not '%s'",
                         k->name, word);
    *MEMBER(k, o, uint32_t) = mask;
    return OPTION_OK;
}

option_result read_quota(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    const char *word = values->words->items[0];
    uint64_t bytes = 0;

    if (strcasecmp(word, "none") != 0 && (!size_parse(word, &bytes) || bytes == 0))
        return bad_value(problem, "%s must be a size or none, not '%s'", k->name, word);
    *MEMBER(k, o, uint64_t) = bytes;
    return OPTION_OK;
}

static void print_word(const keyword *k, FILE *out)
{
    for (const char *c = k->name; *c != '\0'; c++)
        (void)fputc(tolower((unsigned char)*c), out);
}

void print_umask(const keyword *k, const options *o, FILE *out)
{
    uint32_t mask = *CONST_MEMBER(k, o, uint32_t);

    print_word(k, out);
    if (mask == NOT_GIVEN)
        (void)fputs(" none\n", out);
    else
        (void)fprintf(out, " 0%" PRIo32 "\n", mask);
}

void print_quota(const keyword *k, const options *o, FILE *out)
{
    uint64_t bytes = *CONST_MEMBER(k, o, uint64_t);

    print_word(k, out);
    if (bytes == 0)
        (void)fputs(" none\n", out);
    else
        (void)fprintf(out, " %" PRIu64 "\n", bytes);
}
