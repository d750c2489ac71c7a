/* flags.c: reads the command line. Flags that have a configuration word are lines of that word, so
 * that one table decides. */
#include "flags.h"

#include <sallyport.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static int usage(void)
{
    (void)fprintf(stderr,
                  "Sallyport %s\n"
                  "usage: sallyportd [-46DdeiqTtV] [-E log_file] [-g login_grace_time]\n"
                  "                  [-h host_key_file] [-o option] [-p port]\n",
                  sp_version());
    return 1;
}

/* -1: fine; else an exit code, which a flag's own mistake has in common with a bad flag. */
static int line(options *o, const char *word, const char *value)
{
    option_problem problem;
    char *text = word != NULL ? text_format("%s %s", word, value) : text_copy(value);
    option_result result = text != NULL ? options_line(o, text, &problem) : OPTION_BAD_VALUE;

    if (text == NULL)
        log_error("Out of memory");
    else if (result == OPTION_WARNING)
        log_error("Warning: %s", problem.text);
    else if (result != OPTION_OK)
        log_error("Command line: %s", problem.text);
    free(text);
    if (result == OPTION_OK || result == OPTION_WARNING)
        return -1;
    return word != NULL ? 1 : (int)result;
}

static int path_line(options *o, const char *word, const char *value)
{
    char *quoted = text_quote(value);
    int result = quoted != NULL ? line(o, word, quoted) : 255;

    free(quoted);
    return result;
}

static int one_flag(flags *f, options *o, int letter, const char *value)
{
    switch (letter) {
    case '4':
        return line(o, "AddressFamily", "inet");
    case '6':
        return line(o, "AddressFamily", "inet6");
    case 'D':
        f->foreground = true;
        return -1;
    case 'd':
        f->debug++;
        return -1;
    case 'e':
        f->to_stderr = true;
        return -1;
    case 'E':
        f->log_file = value;
        return -1;
    case 'f':
        log_error("Configuration files are not supported yet: give each line with -o");
        return 1;
    case 'g':
        return line(o, "LoginGraceTime", value);
    case 'h':
        return path_line(o, "HostKey", value);
    case 'i':
        f->inetd = true;
        return -1;
    case 'o':
        return line(o, NULL, value);
    case 'p':
        return line(o, "Port", value);
    case 'q':
        return line(o, "LogLevel", "QUIET");
    case 'r': /* sshd's re-execution, and the length of its records of logins: nothing here */
    case 'u':
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

int flags_parse(flags *f, options *o, int argc, char **argv)
{
    int letter;
    int result = -1;
    option_problem problem;

    memset(f, 0, sizeof *f);
    opterr = 0;
    while (result < 0 && (letter = getopt(argc, argv, "46DdeiE:f:g:h:o:p:qrtTu:V")) != -1) {
        if (letter == '?')
            log_error("Unknown flag, or one without its value: -%c", optopt);
        result = one_flag(f, o, letter, optarg);
    }
    if (result >= 0)
        return result;
    if (optind < argc) {
        log_error("Extra argument: %s", argv[optind]);
        return 1;
    }
    option_result complete = options_complete(o, &problem);
    if (complete != OPTION_OK) {
        log_error("Command line: %s", problem.text);
        return (int)complete;
    }
    return -1;
}
