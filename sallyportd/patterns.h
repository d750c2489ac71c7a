/* patterns.h: the wildcard patterns of sshd_config: `*`, `?`, and for hosts also networks. */
#ifndef SALLYPORTD_PATTERNS_H
#define SALLYPORTD_PATTERNS_H

#include "text.h"

bool pattern_matches(const char *pattern, const char *text);
/* "192.0.2.0/24" or "2001:db8::/32"; false also when either is no address. */
bool network_matches(const char *network, const char *address);
#define USER_PATTERN_MAX 255
/* A list of USER or USER@HOST, as in AllowUsers and DenyUsers. HOST is a pattern or a network,
 * and is compared with the client's numeric address. A leading `!` turns a pattern into an
 * exception: a list in which an exception matches matches nothing. */
bool user_list_matches(const string_list *list, const char *user, const char *address);

#endif
