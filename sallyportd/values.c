/* values.c: readers of single values: flags, numbers, times, sizes, paths, ports and addresses. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywords.h"

option_result bad_value(option_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return OPTION_BAD_VALUE;
}

option_result no_memory(option_problem *problem)
{
    return bad_value(problem, "out of memory");
}

static option_result replace_text(char **place, char *text, option_problem *problem)
{
    if (text == NULL)
        return no_memory(problem);
    free(*place);
    *place = text;
    return OPTION_OK;
}

option_result read_choice(const keyword *k, const option_values *values, options *o,
                          option_problem *problem)
{
    const char *word = values->words->items[0];

    for (const choice *c = k->detail; c->name != NULL; c++) {
        if (strcasecmp(c->name, word) == 0) {
            *MEMBER(k, o, int) = c->value;
            return OPTION_OK;
        }
    }
    return bad_value(problem, "%s can't be '%s'", k->name, word);
}

option_result read_flag(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    static const choice yes_no[] = {{"yes", 1}, {"true", 1}, {"no", 0}, {"false", 0}, {NULL, 0}};
    const char *word = values->words->items[0];

    for (const choice *c = yes_no; c->name != NULL; c++) {
        if (strcasecmp(c->name, word) == 0) {
            *MEMBER(k, o, int) = c->value;
            return OPTION_OK;
        }
    }
    return bad_value(problem, "%s must be yes or no, not '%s'", k->name, word);
}

/* Digits only, up to `high`. */
static bool parse_number(const char *text, uint64_t high, uint64_t *number, const char **end)
{
    char *stop;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &stop, 10);
    *end = stop;
    *number = value;
    return errno == 0 && value <= high;
}

option_result read_number(const keyword *k, const option_values *values, options *o,
                          option_problem *problem)
{
    const limits *range = k->detail;
    const char *word = values->words->items[0];
    const char *end;
    uint64_t number;

    if (!parse_number(word, range->high, &number, &end) || *end != '\0' || number < range->low)
        return bad_value(problem, "%s must be a number from %u to %u, not '%s'", k->name,
                         range->low, range->high, word);
    *MEMBER(k, o, uint32_t) = (uint32_t)number;
    return OPTION_OK;
}

/* "90", "2m", "1h30m". The sum stays below a day short of what milliseconds in 32 bits can hold. */
static bool parse_time(const char *text, uint32_t *seconds)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    const uint64_t most = UINT32_MAX / 1000 - 1;
    uint64_t sum = 0;

    do {
        uint64_t number;
        uint64_t factor = 1;
        if (!parse_number(text, most, &number, &text))
            return false;
        if (*text != '\0') {
            factor = 0;
            for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
                if (tolower((unsigned char)*text) == units[i].unit)
                    factor = units[i].seconds;
            text++;
        }
        sum += number * factor;
        if (factor == 0 || sum > most)
            return false;
    } while (*text != '\0');
    *seconds = (uint32_t)sum;
    return true;
}

option_result read_time(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    const char *word = values->words->items[0];

    if (!parse_time(word, MEMBER(k, o, uint32_t)))
        return bad_value(problem, "%s: invalid time '%s'", k->name, word);
    return OPTION_OK;
}

option_result place_path(const keyword *k, const options *o, const char *word, char **place,
                         option_problem *problem)
{
    if (strcasecmp(word, "none") == 0) {
        free(*place);
        *place = NULL;
        return OPTION_OK;
    }
    if (*word == '\0')
        return bad_value(problem, "%s: an empty path", k->name);
    /* The server leaves its directory when it detaches. */
    if (*word == '/')
        return replace_text(place, text_copy(word), problem);
    if (o->directory == NULL)
        return bad_value(problem, "%s: can't tell the current directory", k->name);
    return replace_text(place, text_format("%s/%s", o->directory, word), problem);
}

option_result read_path(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    return place_path(k, o, values->words->items[0], MEMBER(k, o, char *), problem);
}

option_result read_text(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    char **place = MEMBER(k, o, char *);

    if (strcasecmp(values->rest, "none") == 0) {
        free(*place);
        *place = NULL;
        return OPTION_OK;
    }
    /* One reader for VersionAddendum, which goes on the wire, and ForceCommand. */
    for (const char *c = values->rest; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c) && *c != '\t')
            return bad_value(problem, "%s: control characters", k->name);
    option_result result = replace_text(place, text_copy(values->rest), problem);
    if (result != OPTION_OK || strncmp(values->rest, "internal-sftp", 13) != 0)
        return result;
    (void)bad_value(problem, "%s: internal-sftp is not supported: it will not be found", k->name);
    return OPTION_WARNING;
}

/* A command with an absolute path, or none. */
option_result read_command(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    if (*values->rest != '/' && strcasecmp(values->rest, "none") != 0)
        return bad_value(problem, "%s must be an absolute path", k->name);
    return read_text(k, values, o, problem);
}

/* A path, or the name of the variable that has it. */
option_result read_agent(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    if (strcmp(values->words->items[0], "SSH_AUTH_SOCK") == 0)
        return read_word(k, values, o, problem);
    return read_path(k, values, o, problem);
}

/* "0177" */
option_result read_octal(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    const char *word = values->words->items[0];
    unsigned long mask = strtoul(word, NULL, 8);

    if (strspn(word, "01234567") != strlen(word) || *word == '\0' || mask > 0777)
        return bad_value(problem, "%s must be an octal number up to 0777, not '%s'", k->name, word);
    *MEMBER(k, o, uint32_t) = (uint32_t)mask;
    return OPTION_OK;
}

/* One word as it is, or none. */
option_result read_word(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    const char *word = values->words->items[0];
    char **place = MEMBER(k, o, char *);

    if (strcasecmp(word, "none") != 0)
        return replace_text(place, text_copy(word), problem);
    free(*place);
    *place = NULL;
    return OPTION_OK;
}

/* yes, no, or patterns. */
option_result read_environment(const keyword *k, const option_values *values, options *o,
                               option_problem *problem)
{
    const char *word = values->words->items[0];
    char **place = MEMBER(k, o, char *);

    if (strcasecmp(word, "yes") == 0 || strcasecmp(word, "true") == 0)
        return replace_text(place, text_copy("*"), problem);
    if (strcasecmp(word, "no") != 0 && strcasecmp(word, "false") != 0)
        return replace_text(place, text_copy(word), problem);
    free(*place);
    *place = NULL;
    return OPTION_OK;
}

/* All of them are about keys in FIDO devices, which this server does not take. */
option_result read_key_options(const keyword *k, const option_values *values, options *o,
                               option_problem *problem)
{
    const string_list *words = values->words;
    unsigned demands = 0;

    for (size_t i = 0; i < words->count; i++) {
        const choice *c = k->detail;
        while (c->name != NULL && strcasecmp(c->name, words->items[i]) != 0)
            c++;
        if (c->name == NULL)
            return bad_value(problem, "%s: unknown option '%s'", k->name, words->items[i]);
        demands |= (unsigned)c->value;
    }
    *MEMBER(k, o, unsigned) = demands;
    return OPTION_OK;
}

/* What we can't keep to, and must not pass over: access.c lets nobody in. */
option_result read_restriction(const keyword *k, const option_values *values, options *o,
                               option_problem *problem)
{
    const char *value = (k->flags & KEYWORD_RAW) != 0 ? values->rest : values->words->items[0];
    char **place = MEMBER(k, o, char *);

    if (strcasecmp(value, "none") == 0) {
        free(*place);
        *place = NULL;
        return OPTION_OK;
    }
    option_result result = replace_text(place, text_copy(value), problem);
    if (result != OPTION_OK)
        return result;
    (void)bad_value(problem, "%s is not supported: whom it concerns is not let in", k->name);
    return OPTION_WARNING;
}

/* A number, or none. */
option_result read_limit(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    const char *word = values->words->items[0];
    const char *end;
    uint64_t number = NOT_GIVEN;

    if (strcasecmp(word, "none") != 0 &&
        (!parse_number(word, 1000000, &number, &end) || *end != '\0' || number == 0))
        return bad_value(problem, "%s must be a number or none, not '%s'", k->name, word);
    *MEMBER(k, o, uint32_t) = (uint32_t)number;
    return OPTION_OK;
}

static bool parse_port(const char *text, uint16_t *port)
{
    uint64_t number;
    const char *end;

    if (!parse_number(text, 65535, &number, &end) || *end != '\0')
        return false;
    *port = (uint16_t)number;
    return true;
}

option_result read_port(const keyword *k, const option_values *values, options *o,
                        option_problem *problem)
{
    uint16_t port;

    if (!parse_port(values->words->items[0], &port))
        return bad_value(problem, "%s: bad port number '%s'", k->name, values->words->items[0]);
    if (o->port_count == PORTS_MAX)
        return bad_value(problem, "%s: more than %d ports", k->name, PORTS_MAX);
    o->ports[o->port_count++] = port;
    return OPTION_OK;
}

/* HOST, HOST:PORT, [HOST]:PORT, [HOST]; a bare IPv6 address has more than one colon. */
static bool parse_host_port(char *text, listen_address *address)
{
    char *port = NULL;

    address->host = text;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != ':' && end[1] != '\0'))
            return false;
        address->host = text + 1;
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
    } else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
        char *colon = strchr(text, ':');
        port = colon + 1;
        *colon = '\0';
    }
    address->any_port = port == NULL;
    return *address->host != '\0' && (port == NULL || parse_port(port, &address->port));
}

option_result read_listen(const keyword *k, const option_values *values, options *o,
                          option_problem *problem)
{
    const char *word = values->words->items[0];
    listen_address address = {NULL, true, 0};

    if (values->words->count > 1)
        return bad_value(problem, "%s: routing domains are not supported", k->name);
    if (o->listen_count == LISTEN_MAX)
        return bad_value(problem, "%s: more than %d addresses", k->name, LISTEN_MAX);
    char *copy = text_copy(word);
    if (copy == NULL)
        return no_memory(problem);
    if (!parse_host_port(copy, &address)) {
        free(copy);
        return bad_value(problem, "%s: bad address or port '%s'", k->name, word);
    }
    address.host = text_copy(address.host);
    free(copy);
    if (address.host == NULL)
        return no_memory(problem);
    o->listen[o->listen_count++] = address;
    return OPTION_OK;
}

option_result read_startups(const keyword *k, const option_values *values, options *o,
                            option_problem *problem)
{
    const char *word = values->words->items[0];
    const char *at = word;
    uint64_t begin;
    uint64_t rate = 30;
    uint64_t full;

    if (!parse_number(at, 1000000, &begin, &at))
        return bad_value(problem, "%s: bad value '%s'", k->name, word);
    full = begin;
    if (*at == ':' && (!parse_number(at + 1, 100, &rate, &at) || *at != ':' ||
                       !parse_number(at + 1, 1000000, &full, &at)))
        return bad_value(problem, "%s must be NUMBER or START:RATE:FULL, not '%s'", k->name, word);
    if (*at != '\0' || begin < 1 || rate < 1 || begin > full)
        return bad_value(problem, "%s: bad value '%s'", k->name, word);
    o->startups_begin = (uint32_t)begin;
    o->startups_rate = (uint32_t)rate;
    o->startups_full = (uint32_t)full;
    return OPTION_OK;
}

static bool parse_size(const char *text, uint64_t *size)
{
    const char *end;
    unsigned shift = 0;

    if (!parse_number(text, UINT64_MAX >> 31, size, &end))
        return false;
    switch (tolower((unsigned char)*end)) {
    case '\0':
        return true;
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    default:
        return false;
    }
    *size <<= shift;
    return end[1] == '\0';
}

option_result read_rekey(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    const string_list *words = values->words;
    uint64_t bytes = 0;
    uint32_t seconds = NOT_GIVEN;

    if (words->count > 2) {
        (void)bad_value(problem, "%s takes a size and a time", k->name);
        return OPTION_BAD_LINE;
    }
    if (strcasecmp(words->items[0], "default") != 0 && !parse_size(words->items[0], &bytes))
        return bad_value(problem, "%s: bad size '%s'", k->name, words->items[0]);
    if (bytes != 0 && bytes < 16)
        return bad_value(problem, "%s: the size is too small", k->name);
    if (words->count > 1) {
        const char *time = strcasecmp(words->items[1], "none") == 0 ? "0" : words->items[1];
        if (!parse_time(time, &seconds))
            return bad_value(problem, "%s: bad time '%s'", k->name, words->items[1]);
    }
    o->rekey_bytes = bytes;
    o->rekey_seconds = seconds;
    return OPTION_OK;
}
