/* patterns.c: wildcard patterns and networks (AllowUsers, DenyUsers, AcceptEnv). */
#include "patterns.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Without recursion: on a mismatch only the last `*` seen can take one character more. */
bool pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *resume = text;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
    size_t whole = bits / 8;
    unsigned rest = (unsigned)(bits % 8);

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((unsigned)(a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool network_matches(const char *network, const char *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(network, '/');
    int family = strchr(network, ':') != NULL ? AF_INET6 : AF_INET;
    unsigned long size = family == AF_INET6 ? 128 : 32;
    uint8_t wanted[16];
    uint8_t given[16];
    char *end;

    if (slash == NULL || (size_t)(slash - network) >= sizeof host || slash[1] < '0' ||
        slash[1] > '9')
        return false;
    memcpy(host, network, (size_t)(slash - network));
    host[slash - network] = '\0';
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || bits > size)
        return false;
    /* An IPv4 client of a socket for both kinds comes as ::ffff:192.0.2.1. */
    if (family == AF_INET && strncmp(address, "::ffff:", 7) == 0)
        address += 7;
    return inet_pton(family, host, wanted) == 1 && inet_pton(family, address, given) == 1 &&
           same_bits(wanted, given, (size_t)bits);
}

static bool user_pattern_matches(const char *pattern, const char *user, const char *address)
{
    const char *at = strrchr(pattern, '@');

    if (at == NULL)
        return pattern_matches(pattern, user);
    if (!pattern_matches(at + 1, address) && !network_matches(at + 1, address))
        return false;

    char name[USER_PATTERN_MAX + 1];
    size_t length = (size_t)(at - pattern);
    if (length > USER_PATTERN_MAX)
        return true; /* the parser keeps such patterns out; were one here, `!` and Deny must hold */
    memcpy(name, pattern, length);
    name[length] = '\0';
    return pattern_matches(name, user);
}

bool user_list_matches(const string_list *list, const char *user, const char *address)
{
    bool matches = false;

    for (size_t i = 0; i < list->count; i++) {
        const char *pattern = list->items[i];
        if (*pattern == '!' && user_pattern_matches(pattern + 1, user, address))
            return false;
        if (*pattern != '!' && user_pattern_matches(pattern, user, address))
            matches = true;
    }
    return matches;
}
