/* match.h: the criteria of a Match line. */
#ifndef SALLYPORTD_MATCH_H
#define SALLYPORTD_MATCH_H

#include "options.h"

/* What is known of a connection. A criterion about something unknown does not hold. */
typedef struct match_facts {
    const char *user; /* NULL: unknown */
    const string_list *groups;
    const char *host; /* a name or, as long as none is looked up, the address */
    const char *address;
    const char *local_address;
    uint16_t local_port; /* 0: unknown */
} match_facts;

typedef enum match_subject {
    MATCH_ALL,
    MATCH_USER,
    MATCH_GROUP,
    MATCH_HOST,
    MATCH_ADDRESS,
    MATCH_LOCAL_ADDRESS,
    MATCH_LOCAL_PORT,
    MATCH_ROUTING_DOMAIN,
} match_subject;

typedef struct match_criterion {
    match_subject subject;
    char *patterns; /* comma-separated */
    uint16_t port;
} match_criterion;

typedef struct match_criteria {
    match_criterion *items;
    size_t count;
} match_criteria;

/* `text` is what stands behind "Match". Nothing is left in `m` when this fails, as a warning does
 * not. */
option_result match_parse(match_criteria *m, const char *text, option_problem *problem);
void match_clear(match_criteria *m);
/* All of them together. */
bool match_holds(const match_criteria *m, const match_facts *facts);

#endif
