/* match.c: reads and evaluates the criteria of Match lines (sshd_config(5), "Match"). */
#include "match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywords.h"
#include "patterns.h"

#define CRITERIA_MAX 64

static const struct {
    const char *name;
    match_subject subject;
} subjects[] = {
    {"all", MATCH_ALL},
    {"user", MATCH_USER},
    {"group", MATCH_GROUP},
    {"host", MATCH_HOST},
    {"address", MATCH_ADDRESS},
    {"localaddress", MATCH_LOCAL_ADDRESS},
    {"localport", MATCH_LOCAL_PORT},
    {"rdomain", MATCH_ROUTING_DOMAIN},
};

void match_clear(match_criteria *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->items[i].patterns);
    free(m->items);
    m->items = NULL;
    m->count = 0;
}

/* Takes over `patterns`, which may be NULL. */
static match_criterion *add(match_criteria *m, match_subject subject, char *patterns)
{
    match_criterion *more = patterns == NULL || m->count == CRITERIA_MAX
                                ? NULL
                                : realloc(m->items, (m->count + 1) * sizeof *more);

    if (more == NULL) {
        free(patterns);
        return NULL;
    }
    m->items = more;
    m->items[m->count] = (match_criterion){subject, patterns, 0};
    return &m->items[m->count++];
}

static bool find_subject(const char *name, size_t length, match_subject *subject)
{
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        if (strlen(subjects[i].name) == length &&
            strncasecmp(subjects[i].name, name, length) == 0) {
            *subject = subjects[i].subject;
            return true;
        }
    }
    return false;
}

/* What the patterns of some subjects must be besides. */
static option_result check(match_criterion *c, option_problem *problem)
{
    if (c->subject == MATCH_HOST)
        text_lower(c->patterns);
    if (c->subject == MATCH_LOCAL_PORT) {
        char *end;
        unsigned long port = strtoul(c->patterns, &end, 10);
        if (strspn(c->patterns, "0123456789") == 0 || *end != '\0' || port > UINT16_MAX)
            return bad_value(problem, "Bad Match condition: invalid LocalPort '%s'", c->patterns);
        c->port = (uint16_t)port;
    }
    if ((c->subject == MATCH_ADDRESS || c->subject == MATCH_LOCAL_ADDRESS) &&
        !address_list_valid(c->patterns))
        return bad_value(problem, "Bad Match condition: invalid address list '%s'", c->patterns);
    return OPTION_OK;
}

/* One criterion off `*at`: "name value" or "name=value". `word` has room for all of it. */
static option_result take_criterion(match_criteria *m, const char **at, char *word,
                                    option_problem *problem)
{
    const char *name = *at;
    size_t length = strcspn(name, " \t\r\n=");
    match_subject subject;

    *at += length;
    if (!find_subject(name, length, &subject))
        return bad_value(problem, "Bad Match condition: unsupported attribute '%.*s'",
                         (int)(length < 100 ? length : 100), name);
    if (subject == MATCH_ALL)
        return add(m, subject, text_copy("")) != NULL ? OPTION_OK : no_memory(problem);
    *at = text_skip_blanks(*at);
    if (**at == '=')
        *at = text_skip_blanks(*at + 1);
    if (**at == '\0' || **at == '#')
        return bad_value(problem, "Bad Match condition: missing criteria for %.*s", (int)length,
                         name);
    if (!text_take_word(at, word))
        return bad_value(problem, "Bad Match condition: invalid quotes");

    match_criterion *added = add(m, subject, text_copy(word));
    if (added == NULL)
        return bad_value(problem, "Bad Match condition: out of memory, or too many criteria");
    return check(added, problem);
}

static option_result told(const match_criteria *m, option_problem *problem)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].subject == MATCH_ROUTING_DOMAIN) {
            (void)bad_value(problem, "Match RDomain is not supported: the block never applies");
            return OPTION_WARNING;
        }
    }
    return OPTION_OK;
}

option_result match_parse(match_criteria *m, const char *text, option_problem *problem)
{
    char *word = malloc(strlen(text) + 1);
    option_result result = word != NULL ? OPTION_OK : no_memory(problem);
    bool all = false;

    *m = (match_criteria){NULL, 0};
    for (text = text_skip_blanks(text); result == OPTION_OK && *text != '\0' && *text != '#';
         text = text_skip_blanks(text)) {
        result = take_criterion(m, &text, word, problem);
        all = all || (m->count > 0 && m->items[m->count - 1].subject == MATCH_ALL);
    }
    free(word);
    if (result == OPTION_OK && m->count == 0) {
        (void)bad_value(problem, "no argument after keyword \"Match\"");
        result = OPTION_BAD_LINE;
    }
    if (result == OPTION_OK && all && m->count > 1)
        result = bad_value(problem, "Bad Match condition: 'all' cannot be combined with other "
                                    "Match attributes");
    if (result != OPTION_OK)
        match_clear(m);
    return result == OPTION_OK ? told(m, problem) : result;
}

/* A list in which a negated pattern matches any group does not hold. */
static bool groups_match(const string_list *groups, const char *patterns)
{
    bool found = false;

    for (size_t i = 0; groups != NULL && i < groups->count; i++) {
        list_match match = pattern_list_match(patterns, groups->items[i]);
        if (match == LIST_EXCLUDES)
            return false;
        found = found || match == LIST_MATCHES;
    }
    return found;
}

static bool host_matches(const char *host, const char *patterns)
{
    char lower[256];

    if (host == NULL || strlen(host) >= sizeof lower)
        return false;
    memcpy(lower, host, strlen(host) + 1);
    text_lower(lower);
    return pattern_list_match(patterns, lower) == LIST_MATCHES;
}

static bool criterion_holds(const match_criterion *c, const match_facts *facts)
{
    switch (c->subject) {
    case MATCH_ALL:
        return true;
    case MATCH_USER:
        return facts->user != NULL && pattern_list_match(c->patterns, facts->user) == LIST_MATCHES;
    case MATCH_GROUP:
        return groups_match(facts->groups, c->patterns);
    case MATCH_HOST:
        return host_matches(facts->host, c->patterns);
    case MATCH_ADDRESS:
        return facts->address != NULL && address_list_matches(c->patterns, facts->address);
    case MATCH_LOCAL_ADDRESS:
        return facts->local_address != NULL &&
               address_list_matches(c->patterns, facts->local_address);
    case MATCH_LOCAL_PORT:
        return facts->local_port != 0 && facts->local_port == c->port;
    case MATCH_ROUTING_DOMAIN:
        break;
    }
    return false;
}

bool match_holds(const match_criteria *m, const match_facts *facts)
{
    for (size_t i = 0; i < m->count; i++)
        if (!criterion_holds(&m->items[i], facts))
            return false;
    return m->count > 0;
}
