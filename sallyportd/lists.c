/* lists.c: readers of values that are lists: paths, patterns, variables, algorithms, methods and
 * subsystems. */
#include <sallyport.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywords.h"
#include "patterns.h"
#include "permit.h"

static option_result add_all(string_list *list, const string_list *words, option_problem *problem)
{
    for (size_t i = 0; i < words->count; i++)
        if (list_add(list, words->items[i]) != 0)
            return no_memory(problem);
    return OPTION_OK;
}

option_result read_strings(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    return add_all(MEMBER(k, o, string_list), values->words, problem);
}

/* One path on each line. */
option_result read_paths(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    char *path = NULL;
    option_result result = place_path(k, o, values->words->items[0], &path, problem);

    if (result == OPTION_OK && path != NULL && list_add(MEMBER(k, o, string_list), path) != 0)
        result = no_memory(problem);
    free(path);
    return result;
}

option_result read_users(const keyword *k, const option_values *values, options *o,
                         option_problem *problem)
{
    for (size_t i = 0; i < values->words->count; i++)
        if (strlen(values->words->items[i]) > USER_PATTERN_MAX)
            return bad_value(problem, "%s: a pattern is too long", k->name);
    return add_all(MEMBER(k, o, string_list), values->words, problem);
}

option_result read_permits(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    const string_list *words = values->words;
    const char *first = words->items[0];

    if (words->count == 1 && strcmp(first, "any") == 0)
        return OPTION_OK; /* as an empty list */
    if (words->count == 1 && strcmp(first, "none") == 0)
        return add_all(MEMBER(k, o, string_list), words, problem);
    for (size_t i = 0; i < words->count; i++)
        if (!permit_valid(words->items[i]))
            return bad_value(problem, "%s: '%s' is not HOST:PORT", k->name, words->items[i]);
    return add_all(MEMBER(k, o, string_list), words, problem);
}

/* HOST:PORT, or a port alone: on any host. */
option_result read_listens(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    const string_list *words = values->words;
    const char *first = words->items[0];
    string_list *list = MEMBER(k, o, string_list);

    if (words->count == 1 && strcmp(first, "any") == 0)
        return OPTION_OK; /* as an empty list */
    if (words->count == 1 && strcmp(first, "none") == 0)
        return add_all(list, words, problem);
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        char *entry = strchr(word, ':') == NULL ? text_format("*:%s", word) : text_copy(word);
        bool valid = entry == NULL || permit_valid(entry);
        bool added = entry != NULL && valid && list_add(list, entry) == 0;
        free(entry);
        if (!valid)
            return bad_value(problem, "%s: '%s' is not PORT or HOST:PORT", k->name, word);
        if (!added)
            return no_memory(problem);
    }
    return OPTION_OK;
}

option_result read_set_env(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    for (size_t i = 0; i < values->words->count; i++) {
        const char *word = values->words->items[i];
        if (strchr(word, '=') == NULL || *word == '=')
            return bad_value(problem, "%s: '%s' is not NAME=value", k->name, word);
    }
    return add_all(MEMBER(k, o, string_list), values->words, problem);
}

/* ---- algorithms ------------------------------------------------------------------------------ */

/* The list as it was written: what it stands for depends on AlgorithmPreset, which may come later.
 */
option_result read_algorithms(const keyword *k, const option_values *values, options *o,
                              option_problem *problem)
{
    const algorithm_kind *kind = k->detail;
    const char *word = values->words->items[0];
    char names[ALGORITHMS_MAX];
    char reason[256];

    /* The preset with the most names: what is wrong with this one is wrong with all. */
    if (sp_resolve_algorithms("compatible", kind->kind, word, names, sizeof names, reason,
                              sizeof reason) != 0)
        return bad_value(problem, "%s: %s", k->name, reason);
    char *copy = text_copy(word);
    if (copy == NULL)
        return no_memory(problem);
    free(*MEMBER(k, o, char *));
    *MEMBER(k, o, char *) = copy;
    return OPTION_OK;
}

const char *preset_name(const options *o)
{
    for (const choice *c = algorithm_presets; c->name != NULL; c++)
        if (c->value == o->preset)
            return c->name;
    return NULL;
}

option_result complete_algorithms(options *o, const options *preset_of, option_problem *problem)
{
    for (size_t i = 0; i < keyword_count; i++) {
        const keyword *k = &keywords[i];
        if (k->read != read_algorithms || *MEMBER(k, o, char *) == NULL)
            continue;
        const algorithm_kind *kind = k->detail;
        char names[ALGORITHMS_MAX];
        char reason[256];
        if (sp_resolve_algorithms(preset_name(preset_of), kind->kind, *MEMBER(k, o, char *), names,
                                  sizeof names, reason, sizeof reason) != 0)
            return bad_value(problem, "%s: %s", k->name, reason);
        char *copy = text_copy(names);
        if (copy == NULL)
            return no_memory(problem);
        free(*MEMBER(k, o, char *));
        *MEMBER(k, o, char *) = copy;
    }
    return OPTION_OK;
}

/* ---- AuthenticationMethods ------------------------------------------------------------------- */

static login_method method_by_name(const char *name, size_t length)
{
    static const login_method all[] = {METHOD_PUBLIC_KEY, METHOD_PASSWORD, METHOD_KBDINT};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *known = method_name(all[i]);
        if (strlen(known) == length && strncasecmp(known, name, length) == 0)
            return all[i];
    }
    return METHOD_NONE;
}

static option_result read_chain(const char *text, method_chain *chain, option_problem *problem)
{
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        login_method method = method_by_name(text, length);
        if (method == METHOD_NONE)
            return bad_value(problem, "AuthenticationMethods: unknown method '%.*s'",
                             (int)(length < 64 ? length : 64), text);
        if (chain->length == CHAIN_LENGTH_MAX)
            return bad_value(problem, "AuthenticationMethods: more than %d methods in a list",
                             CHAIN_LENGTH_MAX);
        chain->methods[chain->length++] = (uint8_t)method;
        text += length;
        if (*text == ',' && *++text == '\0')
            return bad_value(problem, "AuthenticationMethods: a list ends with a comma");
    }
    if (chain->length == 0)
        return bad_value(problem, "AuthenticationMethods: an empty list");
    return OPTION_OK;
}

option_result read_methods(const keyword *k, const option_values *values, options *o,
                           option_problem *problem)
{
    const string_list *words = values->words;
    option_result result = OPTION_OK;

    o->chain_count = 0;
    if (words->count == 1 && strcasecmp(words->items[0], "any") == 0)
        return OPTION_OK;
    if (words->count > CHAINS_MAX)
        return bad_value(problem, "%s: more than %d lists", k->name, CHAINS_MAX);
    for (size_t i = 0; result == OPTION_OK && i < words->count; i++) {
        method_chain chain = {{0}, 0};
        result = read_chain(words->items[i], &chain, problem);
        o->chains[o->chain_count++] = chain;
    }
    return result;
}

/* ---- subsystems ------------------------------------------------------------------------------ */

option_result read_subsystem(const keyword *k, const option_values *values, options *o,
                             option_problem *problem)
{
    const string_list *words = values->words;

    if (words->count < 2)
        return bad_value(problem, "%s: the command is missing", k->name);
    if (strcmp(words->items[1], "internal-sftp") == 0) {
        (void)bad_value(problem, "%s: internal-sftp is not supported: there is no %s", k->name,
                        words->items[0]);
        return OPTION_WARNING;
    }
    for (size_t i = 0; i < o->subsystem_count; i++)
        if (strcmp(o->subsystems[i].name, words->items[0]) == 0)
            return bad_value(problem, "%s '%s' was given before", k->name, words->items[0]);

    /* The command goes to a shell, so its quotes stay as they are. */
    const char *command = text_skip_blanks(values->rest);
    command = text_skip_blanks(command + strcspn(command, " \t"));
    subsystem *all = realloc(o->subsystems, (o->subsystem_count + 1) * sizeof *all);
    if (all == NULL)
        return no_memory(problem);
    o->subsystems = all;
    subsystem *added = &all[o->subsystem_count];
    added->name = text_copy(words->items[0]);
    added->command = text_copy(command);
    if (added->name == NULL || added->command == NULL) {
        free(added->name);
        free(added->command);
        return no_memory(problem);
    }
    o->subsystem_count++;
    return OPTION_OK;
}
