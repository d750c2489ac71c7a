/* options.c: the defaults, the reading of one line, and what must hold between the settings. */
#include "options.h"

#include <ctype.h>
#include <sallyport.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <syslog.h>

#include "keywords.h"

static const char *const aliases[][2] = {
    {"ChallengeResponseAuthentication", "KbdInteractiveAuthentication"},
    {"SkeyAuthentication", "KbdInteractiveAuthentication"},
    {"PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"},
    {"DSAAuthentication", "PubkeyAuthentication"},
};

int options_init(options *o)
{
    memset(o, 0, sizeof *o);
    o->family = AF_UNSPEC;
    o->tcp_keepalive = 1;
    o->strict_modes = 1;
    o->login_grace_seconds = 120;
    o->max_auth_tries = 6;
    o->max_sessions = 10;
    o->startups_begin = 10;
    o->startups_rate = 30;
    o->startups_full = 100;
    o->public_key_authentication = 1;
    o->kbdint_authentication = -1;
    o->permit_root_login = ROOT_PROHIBIT_PASSWORD;
    o->required_rsa_size = 2048;
    o->compression = 1;
    o->rekey_seconds = NOT_GIVEN;
    o->client_alive_count = 3;
    o->permit_tty = 1;
    o->tcp_forwarding = FORWARD_ALL;
    o->streamlocal_forwarding = FORWARD_ALL;
    o->log_level = CHOICE_INFO;
    o->syslog_facility = LOG_AUTH;
    return 0;
}

bool options_is_given(const options *o, const char *name)
{
    for (size_t i = 0; i < keyword_count; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return o->given[i] != 0;
    return false;
}

/* Defaults of lists come last, because what is given would be added to them. */
static int default_list(string_list *list, const char *name, const options *o, const char *first,
                        const char *second)
{
    if (options_is_given(o, name))
        return 0;
    return list_add(list, first) != 0 || list_add(list, second) != 0 ? -1 : 0;
}

sp_log_level options_log_level(const options *o)
{
    switch ((log_choice)o->log_level) {
    case CHOICE_QUIET:
    case CHOICE_FATAL:
        return SP_LOG_QUIET;
    case CHOICE_ERROR:
        return SP_LOG_ERROR;
    case CHOICE_INFO:
        return SP_LOG_INFO;
    case CHOICE_VERBOSE:
        return SP_LOG_VERBOSE;
    case CHOICE_DEBUG1:
    case CHOICE_DEBUG2:
    case CHOICE_DEBUG3:
        break;
    }
    return SP_LOG_DEBUG;
}

void options_free(options *o)
{
    string_list *lists[] = {&o->host_keys,   &o->authorized_keys_files,
                            &o->allow_users, &o->deny_users,
                            &o->accept_env,  &o->set_env,
                            &o->permit_open};
    char *texts[] = {
        o->banner,        o->version_addendum, o->password_file,  o->ciphers,
        o->macs,          o->kex_algorithms,   o->key_algorithms, o->host_key_algorithms,
        o->force_command, o->pid_file};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        list_clear(lists[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < o->listen_count; i++)
        free(o->listen[i].host);
    for (size_t i = 0; i < o->subsystem_count; i++) {
        free(o->subsystems[i].name);
        free(o->subsystems[i].command);
    }
    free(o->subsystems);
    memset(o, 0, sizeof *o);
}

/* ---- one line -------------------------------------------------------------------------------- */

static option_result bad_line(option_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static option_result bad_line(option_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return OPTION_BAD_LINE;
}

static bool in_comma_list(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (*list != '\0') {
        size_t item = strcspn(list, ",");
        if (item == length && strncasecmp(list, word, length) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

/* A word that only sshd knows. What asks for nothing is taken in silence, what asks for more than
 * there is with a warning; but a restriction that can't be kept is an error. */
static option_result lacking_line(const lacking_word *lacks, const string_list *words,
                                  option_problem *problem)
{
    if (words->count == 0)
        return bad_line(problem, "no value after \"%s\"", lacks->name);
    if (words->count == 1 && in_comma_list(lacks->harmless, words->items[0]))
        return OPTION_OK;
    if (lacks->restricts)
        return bad_value(problem, "%s is not supported, and to ignore it would be unsafe",
                         lacks->name);
    (void)bad_line(problem, "%s is not supported: no effect", lacks->name);
    return OPTION_WARNING;
}

static const keyword *find_keyword(const char *name, size_t *index)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcasecmp(aliases[i][0], name) == 0)
            name = aliases[i][1];
    for (size_t i = 0; i < keyword_count; i++) {
        if (strcasecmp(keywords[i].name, name) == 0) {
            *index = i;
            return &keywords[i];
        }
    }
    return NULL;
}

static option_result keyword_line(const keyword *k, size_t index, const option_values *values,
                                  options *o, option_problem *problem)
{
    bool repeats = (k->flags & KEYWORD_REPEATS) != 0;

    if (values->words->count == 0)
        return bad_line(problem, "no value after \"%s\"", k->name);
    if (values->words->count > 1 && (k->flags & (KEYWORD_LIST | KEYWORD_RAW)) == 0)
        return bad_line(problem, "too many values after \"%s\"", k->name);
    if (o->given[index] && !repeats) {
        /* Still read, so that a mistake in it is told. */
        options scratch;
        (void)options_init(&scratch);
        option_result result = k->read(k, values, &scratch, problem);
        options_free(&scratch);
        return result;
    }
    o->given[index] = 1;
    return k->read(k, values, o, problem);
}

/* `rest` is writable: a raw value ends before its trailing blanks. */
static option_result named_line(const char *name, char *rest, options *o, option_problem *problem)
{
    size_t index = 0;
    const keyword *k = find_keyword(name, &index);
    const lacking_word *lacks = lacking_word_find(name);
    string_list words = {NULL, 0};
    option_result result;

    for (size_t end = strlen(rest); end > 0 && isspace((unsigned char)rest[end - 1]); end--)
        rest[end - 1] = '\0';
    if (k == NULL && lacks == NULL)
        return bad_line(problem, "unknown configuration word \"%s\"", name);

    int split = text_split(&words, rest);
    if (split == -2 && k != NULL && (k->flags & KEYWORD_RAW) != 0)
        split = words.count > 0 || list_add(&words, rest) == 0 ? 0 : -1;
    const option_values values = {&words, rest};
    if (split == -1)
        result = no_memory(problem);
    else if (split != 0)
        result = bad_line(problem, "%s: a quote is not closed", name);
    else if (k != NULL)
        result = keyword_line(k, index, &values, o, problem);
    else
        result = lacking_line(lacks, &words, problem);
    list_clear(&words);
    return result;
}

option_result options_line(options *o, const char *line, option_problem *problem)
{
    const char *start = text_skip_blanks(line);
    if (*start == '\0' || *start == '#')
        return OPTION_OK;

    char *name = text_copy(start);
    if (name == NULL)
        return no_memory(problem);
    size_t length = strcspn(name, " \t\r\n=");
    char *rest = name + length;
    /* "Word value", "Word=value", "Word = value" */
    rest += strspn(rest, " \t");
    if (*rest == '=')
        rest++;
    rest += strspn(rest, " \t");
    name[length] = '\0';
    option_result result = named_line(name, rest, o, problem);
    free(name);
    return result;
}

/* ---- all of them ----------------------------------------------------------------------------- */

const char *method_name(login_method method)
{
    switch (method) {
    case METHOD_PUBLIC_KEY:
        return "publickey";
    case METHOD_PASSWORD:
        return "password";
    case METHOD_KBDINT:
        return "keyboard-interactive";
    case METHOD_NONE:
        break;
    }
    return "none";
}

bool options_method_enabled(const options *o, login_method method)
{
    switch (method) {
    case METHOD_PUBLIC_KEY:
        return o->public_key_authentication != 0;
    case METHOD_PASSWORD:
        return o->password_authentication != 0;
    case METHOD_KBDINT:
        return o->kbdint_authentication != 0;
    case METHOD_NONE:
        break;
    }
    return false;
}

/* A list with a disabled method can never be gone through; without any other nobody could log in.
 * A key that is not the last of its list is refused: the library tells the program of a successful
 * login only, not that the proof of an earlier key was good. */
static option_result check_chains(const options *o, option_problem *problem)
{
    size_t possible = 0;

    for (size_t i = 0; i < o->chain_count; i++) {
        const method_chain *chain = &o->chains[i];
        bool enabled = true;
        for (size_t j = 0; j < chain->length; j++) {
            enabled = enabled && options_method_enabled(o, (login_method)chain->methods[j]);
            for (size_t m = 0; m < j; m++)
                if (chain->methods[m] == chain->methods[j])
                    return bad_value(problem, "AuthenticationMethods: a method comes twice");
        }
        possible += enabled;
    }
    if (o->chain_count > 0 && possible == 0)
        return bad_value(problem, "AuthenticationMethods: each list has a method that is off");
    return OPTION_OK;
}

option_result options_complete(options *o, option_problem *problem)
{
    if (o->port_count == 0)
        o->ports[o->port_count++] = 8022;
    if (o->kbdint_authentication < 0)
        o->kbdint_authentication = o->password_authentication;
    if (default_list(&o->authorized_keys_files, "AuthorizedKeysFile", o, ".ssh/authorized_keys",
                     ".ssh/authorized_keys2") != 0 ||
        default_list(&o->accept_env, "AcceptEnv", o, "LANG", "LC_*") != 0)
        return no_memory(problem);
    return check_chains(o, problem);
}
