/* permit.h: lists of destinations, as in PermitOpen: "HOST:PORT", "[HOST]:PORT", `*` for any host
 * or any port; or alone: "any", "none". */
#ifndef SALLYPORTD_PERMIT_H
#define SALLYPORTD_PERMIT_H

#include <stdint.h>

#include "text.h"

/* Is this one entry of such a list? */
bool permit_valid(const char *entry);
/* An empty list allows everything. Hosts are compared as written: nothing is looked up. */
bool permit_allows(const string_list *list, const char *host, uint16_t port);
/* The same for PermitListen, where the host may have wildcards. */
bool permit_allows_listening(const string_list *list, const char *host, uint16_t port);

#endif
