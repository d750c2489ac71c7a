/* permit.c: lists of destinations (PermitOpen) and of places to listen (PermitListen). */
#include "permit.h"

#include <stdlib.h>
#include <string.h>

#include "patterns.h"

/* Takes "HOST:PORT" or "[HOST]:PORT" apart: gives the host's place and the port,
 * 0 for `*`. */
static bool split(const char *entry, const char **host, size_t *length, unsigned *port)
{
    const char *colon = strrchr(entry, ':');
    unsigned number = 0;

    if (colon == NULL || colon == entry || colon[1] == '\0')
        return false;
    *host = entry;
    *length = (size_t)(colon - entry);
    if (*entry == '[') {
        if (colon[-1] != ']' || *length < 3)
            return false;
        *host = entry + 1;
        *length -= 2;
    } else if (memchr(entry, ':', *length) != NULL) {
        return false; /* an IPv6 address wants its brackets */
    }
    *port = 0;
    if (strcmp(colon + 1, "*") == 0)
        return true;
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > UINT16_MAX)
            return false;
        number = number * 10 + (unsigned)(*c - '0');
    }
    *port = number;
    return number > 0 && number <= UINT16_MAX;
}

bool permit_valid(const char *entry)
{
    const char *host;
    size_t length;
    unsigned port;

    return split(entry, &host, &length, &port);
}

static bool entry_allows(const char *entry, const char *wanted, uint16_t wanted_port, bool wild)
{
    const char *host;
    size_t length;
    unsigned port;

    if (!split(entry, &host, &length, &port) || (port != 0 && port != wanted_port))
        return false;
    if (length == 1 && *host == '*')
        return true;
    if (!wild)
        return strlen(wanted) == length && memcmp(host, wanted, length) == 0;
    char *pattern = text_format("%.*s", (int)length, host);
    bool matches = pattern != NULL && pattern_matches(pattern, wanted);
    free(pattern);
    return matches;
}

static bool list_allows(const string_list *list, const char *host, uint16_t port, bool wild)
{
    if (list->count == 0)
        return true;
    for (size_t i = 0; i < list->count; i++)
        if (entry_allows(list->items[i], host, port, wild))
            return true;
    return false;
}

bool permit_allows(const string_list *list, const char *host, uint16_t port)
{
    return list_allows(list, host, port, false);
}

bool permit_allows_listening(const string_list *list, const char *host, uint16_t port)
{
    return list_allows(list, host, port, true);
}
