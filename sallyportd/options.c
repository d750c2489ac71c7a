/* options.c: the defaults, the reading of one line, and what must hold between the settings. */
#include "options.h"

#include <sallyport.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <syslog.h>

#include "keywords.h"

static void set_defaults(options *o, const char *directory)
{
    memset(o, 0, sizeof *o);
    o->references = 1;
    o->directory = directory;
    o->family = AF_UNSPEC;
    o->tcp_keepalive = 1;
    o->strict_modes = 1;
    o->login_grace_seconds = 120;
    o->max_auth_tries = 6;
    o->max_sessions = 10;
    o->startups_begin = 10;
    o->startups_rate = 30;
    o->startups_full = 100;
    o->startups_per_source = NOT_GIVEN;
    o->public_key_authentication = 1;
    o->kbdint_authentication = -1;
    o->permit_root_login = ROOT_PROHIBIT_PASSWORD;
    o->required_rsa_size = 2048;
    o->compression = COMPRESSION_DELAYED;
    o->rekey_seconds = NOT_GIVEN;
    o->client_alive_count = 3;
    o->permit_tty = 1;
    o->tcp_forwarding = FORWARD_ALL;
    o->streamlocal_forwarding = FORWARD_ALL;
    o->gateway_ports = SP_GATEWAY_NO;
    o->bind_mask = 0177;
    o->agent_forwarding = 1;
    o->x11_display_offset = 10;
    o->x11_use_localhost = 1;
    o->permit_user_rc = 1;
    o->log_level = CHOICE_INFO;
    o->syslog_facility = LOG_AUTH;
}

options *options_new(const char *directory)
{
    options *o = malloc(sizeof *o);

    if (o != NULL)
        set_defaults(o, directory);
    return o;
}

options *options_ref(options *o)
{
    o->references++;
    return o;
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

static int default_moduli(options *o)
{
    if (options_is_given(o, "ModuliFile"))
        return 0;
    o->moduli_file = text_copy("/etc/ssh/moduli");
    return o->moduli_file != NULL ? 0 : -1;
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

static void clear(options *o)
{
    string_list *lists[] = {
        &o->host_keys,    &o->authorized_keys_files, &o->allow_users,      &o->deny_users,
        &o->allow_groups, &o->deny_groups,           &o->accept_env,       &o->set_env,
        &o->permit_open,  &o->permit_listen,         &o->host_certificates};
    char *texts[] = {o->host_key_agent,
                     o->banner,
                     o->version_addendum,
                     o->password_file,
                     o->moduli_file,
                     o->ciphers,
                     o->macs,
                     o->kex_algorithms,
                     o->key_algorithms,
                     o->ca_algorithms,
                     o->host_key_algorithms,
                     o->force_command,
                     o->pid_file,
                     o->chroot_directory,
                     o->trusted_ca_keys,
                     o->principals_file,
                     o->public_key_options,
                     o->keys_command,
                     o->keys_command_user,
                     o->principals_command,
                     o->principals_command_user,
                     o->revoked_keys,
                     o->permit_environment};

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
}

void options_unref(options *o)
{
    if (o == NULL || --o->references > 0)
        return;
    clear(o);
    free(o);
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
 * there is with a warning. */
static option_result lacking_line(const lacking_word *lacks, const string_list *words,
                                  option_problem *problem)
{
    if (words->count == 0)
        return bad_line(problem, "no argument after keyword \"%s\"", lacks->name);
    if (strcmp(lacks->harmless, "*") == 0 ||
        (words->count == 1 && in_comma_list(lacks->harmless, words->items[0])))
        return OPTION_OK;
    (void)bad_line(problem, "%s is not supported: no effect", lacks->name);
    return OPTION_WARNING;
}

static const keyword *find_keyword(const char *name, size_t *index)
{
    for (size_t i = 0; i < keyword_count; i++) {
        if (strcasecmp(keywords[i].name, name) == 0) {
            *index = i;
            return &keywords[i];
        }
    }
    return NULL;
}

/* Does what was given before keep this line out? */
static bool too_late(const keyword *k, uint8_t given, option_origin origin)
{
    if (given == ORIGIN_NONE)
        return false;
    return (k->flags & KEYWORD_REPEATS) == 0 ||
           (origin == ORIGIN_PLAIN && given != (uint8_t)ORIGIN_PLAIN);
}

static option_result keyword_line(const keyword *k, size_t index, const option_values *values,
                                  options *o, option_origin origin, option_problem *problem)
{
    if (values->words->count == 0)
        return bad_line(problem, "no argument after keyword \"%s\"", k->name);
    if (values->words->count > 1 && (k->flags & (KEYWORD_LIST | KEYWORD_RAW)) == 0)
        return bad_line(problem, "keyword %s extra arguments at end of line", k->name);
    bool server_only = origin == ORIGIN_MATCH && (k->flags & KEYWORD_SERVER) != 0;
    if (server_only || too_late(k, o->given[index], origin)) {
        /* Still read, so that a mistake in it is told. */
        options scratch;
        set_defaults(&scratch, o->directory);
        option_result result = k->read(k, values, &scratch, problem);
        clear(&scratch);
        if (result != OPTION_OK || !server_only)
            return result;
        (void)bad_line(problem, "%s in a Match block is not supported: no effect", k->name);
        return OPTION_WARNING;
    }
    if (o->given[index] == ORIGIN_NONE || origin < o->given[index])
        o->given[index] = (uint8_t)origin;
    return k->read(k, values, o, problem);
}

static bool allowed_in_match(const keyword *k, const lacking_word *lacks)
{
    return k != NULL ? (k->flags & KEYWORD_MATCH) != 0 : lacks != NULL && lacks->in_match;
}

bool options_line_may_match(const char *line)
{
    char *rest;
    char *name = text_keyword(line, &rest);
    size_t index;
    bool may = false;

    if (name != NULL) {
        const char *word = word_by_alias(name);
        may = allowed_in_match(find_keyword(word, &index), lacking_word_find(word));
    }
    free(name);
    return may;
}

static option_result named_line(const char *name, const char *rest, options *o,
                                option_origin origin, option_problem *problem)
{
    size_t index = 0;
    const keyword *k = find_keyword(word_by_alias(name), &index);
    const lacking_word *lacks = lacking_word_find(word_by_alias(name));
    string_list words = {NULL, 0};
    option_result result;

    if (deprecated_word(name)) {
        (void)bad_line(problem, "Deprecated option %s", name);
        return origin == ORIGIN_MATCH ? OPTION_BAD_VALUE : OPTION_WARNING;
    }
    if (k == NULL && lacks == NULL)
        return bad_line(problem, "Bad configuration option: %s", name);
    if (origin == ORIGIN_MATCH && !allowed_in_match(k, lacks))
        return bad_value(problem, "Directive '%s' is not allowed within a Match block", name);

    int split = text_split(&words, rest);
    if (split == -2 && k != NULL && (k->flags & KEYWORD_RAW) != 0)
        split = words.count > 0 || list_add(&words, rest) == 0 ? 0 : -1;
    const option_values values = {&words, rest};
    if (split == -1)
        result = no_memory(problem);
    else if (split != 0)
        result = bad_line(problem, "%s: invalid quotes", name);
    else if (k != NULL)
        result = keyword_line(k, index, &values, o, origin, problem);
    else
        result = lacking_line(lacks, &words, problem);
    list_clear(&words);
    return result;
}

option_result options_line(options *o, const char *line, option_origin origin,
                           option_problem *problem)
{
    char *rest;
    char *name = text_keyword(line, &rest);

    if (name == NULL)
        return no_memory(problem);
    option_result result = *name != '\0' ? named_line(name, rest, o, origin, problem) : OPTION_OK;
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
        default_list(&o->accept_env, "AcceptEnv", o, "LANG", "LC_*") != 0 || default_moduli(o) != 0)
        return no_memory(problem);
    if (o->keys_command != NULL && o->keys_command_user == NULL)
        return bad_value(problem, "AuthorizedKeysCommand set without AuthorizedKeysCommandUser");
    if (o->principals_command != NULL && o->principals_command_user == NULL)
        return bad_value(problem, "AuthorizedPrincipalsCommand set without "
                                  "AuthorizedPrincipalsCommandUser");
    option_result result = complete_algorithms(o, o, problem);
    return result == OPTION_OK ? check_chains(o, problem) : result;
}

/* ---- two sets -------------------------------------------------------------------------------- */

static char *printed(const keyword *k, const options *o)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return NULL;
    k->print(k, o, out);
    return fclose(out) == 0 ? text : (free(text), NULL);
}

char *options_fixed_differences(const options *a, const options *b)
{
    char *names = NULL;

    for (size_t i = 0; i < keyword_count; i++) {
        const keyword *k = &keywords[i];
        bool by_user = (k->flags & KEYWORD_MATCH) != 0 && (k->flags & KEYWORD_SERVER) == 0;
        if (by_user || (k->flags & KEYWORD_LIVE) != 0)
            continue;
        char *first = printed(k, a);
        char *second = printed(k, b);
        if (first != NULL && second != NULL && strcmp(first, second) != 0) {
            char *longer =
                names == NULL ? text_copy(k->name) : text_format("%s, %s", names, k->name);
            free(names);
            names = longer;
        }
        free(first);
        free(second);
    }
    return names;
}
