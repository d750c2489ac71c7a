/* flags.c: reads the command line. Flags that have a configuration word are lines of that word, so
 * that one table decides. */
#include "flags.h"

#include <sallyport.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static int usage(void)
{
    (void)fprintf(stderr,
                  "Sallyport %s\n"
                  "usage: sallyportd [-46DdeiqTtV] [-C connection_spec] [-E log_file]\n"
                  "                  [-F host_name] [-f config_file] [-g login_grace_time]\n"
                  "                  [-h host_key_file] [-o option] [-p port] [-u len]\n",
                  sp_version());
    return 1;
}

/* -1: fine; else an exit code, which a flag's own mistake has in common with a bad flag. */
static int line(config *c, const char *word, const char *value, line_place place)
{
    option_problem problem;
    char *text = word != NULL ? text_format("%s %s", word, value) : text_copy(value);
    option_result result = text != NULL ? config_add(c, text, place, &problem) : OPTION_BAD_VALUE;

    if (text == NULL)
        log_error("Out of memory");
    else if (result != OPTION_OK)
        log_error("Command line: %s", problem.text);
    free(text);
    if (result == OPTION_OK || result == OPTION_WARNING)
        return -1;
    return word != NULL ? 1 : (int)result;
}

static int path_line(config *c, const char *word, const char *value)
{
    char *quoted = text_quote(value);
    int result = quoted != NULL ? line(c, word, quoted, LINE_LAST) : 255;

    free(quoted);
    return result;
}

static int debug_line(flags *f, config *c)
{
    static const char *const levels[] = {"DEBUG1", "DEBUG2", "DEBUG3"};

    f->debug += f->debug < 3;
    return line(c, "LogLevel", levels[f->debug - 1], LINE_FIRST);
}

/* One "name=value" of -C; the value stays where it is. */
static bool connection_fact(match_facts *facts, const char *item)
{
    static const struct {
        const char *name;
        size_t offset;
    } texts[] = {{"user=", offsetof(match_facts, user)},
                 {"host=", offsetof(match_facts, host)},
                 {"addr=", offsetof(match_facts, address)},
                 {"laddr=", offsetof(match_facts, local_address)}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t length = strlen(texts[i].name);
        if (strncmp(item, texts[i].name, length) == 0) {
            *(const char **)(void *)((char *)facts + texts[i].offset) = item + length;
            return true;
        }
    }
    if (strncmp(item, "rdomain=", 8) == 0)
        return true;
    if (strncmp(item, "lport=", 6) != 0)
        return false;
    char *end;
    unsigned long port = strtoul(item + 6, &end, 10);
    if (item[6] < '0' || item[6] > '9' || *end != '\0' || port > UINT16_MAX) {
        log_error("Invalid port '%s' in test mode specification %s", item + 6, item);
        return false;
    }
    facts->local_port = (uint16_t)port;
    return true;
}

static int connection_spec(flags *f, char *spec)
{
    char *item;

    while ((item = strsep(&spec, ",")) != NULL) {
        if (!connection_fact(&f->facts, item)) {
            log_error("Invalid test mode specification %s", item);
            return 1;
        }
    }
    f->connection_given = true;
    return -1;
}

/* Flags that are lines. -2: not one of these. */
static int line_flag(flags *f, config *c, int letter, const char *value)
{
    switch (letter) {
    case '4':
        return line(c, "AddressFamily", "inet", LINE_FIRST);
    case '6':
        return line(c, "AddressFamily", "inet6", LINE_FIRST);
    case 'c':
        return path_line(c, "HostCertificate", value);
    case 'd':
        return debug_line(f, c);
    case 'g':
        return line(c, "LoginGraceTime", value, LINE_FIRST);
    case 'h':
        return path_line(c, "HostKey", value);
    case 'o':
        return line(c, NULL, value, LINE_LAST);
    case 'p':
        return line(c, "Port", value, LINE_INSTEAD_OF_FILE);
    case 'q':
        return line(c, "LogLevel", "QUIET", LINE_FIRST);
    default:
        return -2;
    }
}

static int one_flag(flags *f, int letter, char *value)
{
    switch (letter) {
    case 'C':
        return connection_spec(f, value);
    case 'D':
        f->foreground = true;
        return -1;
    case 'e':
        f->to_stderr = true;
        return -1;
    case 'E':
        f->log_file = value;
        return -1;
    case 'f':
        f->config_file = value;
        return -1;
    case 'F':
        f->fingerprints = value;
        return -1;
    case 'i':
        f->inetd = true;
        return -1;
    case 'b': /* sshd takes these, too, and does nothing: of protocol 1, or of its own insides */
    case 'k':
    case 'Q':
    case 'r':
    case 'R':
    case 'u': /* the length of host names in records of logins: there are none */
        return -1;
    case 't':
        f->test = true;
        return -1;
    case 'T':
        f->print = true;
        return -1;
    case 'V':
        (void)fprintf(stderr, "Sallyport_%s\n", sp_version());
        return 0;
    default:
        return usage();
    }
}

int flags_parse(flags *f, config *c, int argc, char **argv)
{
    int letter;
    int result = -1;

    memset(f, 0, sizeof *f);
    opterr = 0;
    while (result < 0 &&
           (letter = getopt(argc, argv, "46b:C:c:DdeE:F:f:g:h:ik:o:p:QqRrTtu:V")) != -1) {
        if (letter == '?')
            log_error("Unknown flag, or one without its value: -%c", optopt);
        result = line_flag(f, c, letter, optarg);
        if (result == -2)
            result = one_flag(f, letter, optarg);
    }
    if (result >= 0)
        return result;
    if (optind < argc) {
        log_error("Extra argument: %s", argv[optind]);
        return 1;
    }
    if (f->connection_given && !f->print) {
        log_error("Config test connection parameter (-C) provided without test mode (-T)");
        return 1;
    }
    return -1;
}
