/* patterns.h: the wildcard patterns of sshd_config: `*`, `?`, and for hosts also networks. */
#ifndef SALLYPORTD_PATTERNS_H
#define SALLYPORTD_PATTERNS_H

#include "text.h"

bool pattern_matches(const char *pattern, const char *text);

/* Comma-separated patterns; a leading `!` makes an exception of one. */
typedef enum list_match {
    LIST_NO_MATCH = 0,
    LIST_MATCHES,
    LIST_EXCLUDES, /* an exception matches, whatever else does */
} list_match;
list_match pattern_list_match(const char *patterns, const char *text);

/* "192.0.2.0/24", "2001:db8::/32", or a single address; false also when either is no address. */
bool network_matches(const char *network, const char *address);
/* Comma-separated networks, addresses and patterns, with exceptions. */
bool address_list_matches(const char *list, const char *address);
/* Is each mask as long as it may be, with no bits of the address behind it? */
bool address_list_valid(const char *list);

#define USER_PATTERN_MAX 255
/* A list of USER or USER@HOST, as in AllowUsers and DenyUsers. HOST is a pattern or a network,
 * and is compared with the client's numeric address. A leading `!` turns a pattern into an
 * exception: a list in which an exception matches matches nothing. */
bool user_list_matches(const string_list *list, const char *user, const char *address);

#endif
