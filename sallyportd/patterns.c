/* patterns.c: wildcard patterns, networks, and lists of both (ssh_config(5), "PATTERNS"). */
#include "patterns.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* An IPv4 client of a socket for both kinds comes as ::ffff:192.0.2.1; an IPv6 one may have a zone,
 * which no pattern names. The number of bits, or 0: no address. */
static size_t parse_address(const char *text, uint8_t bytes[16])
{
    char host[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "%");

    if (strncasecmp(text, "::ffff:", 7) == 0 && strchr(text, '.') != NULL)
        return parse_address(text + 7, bytes);
    if (length >= sizeof host)
        return 0;
    memcpy(host, text, length);
    host[length] = '\0';
    if (inet_pton(AF_INET, host, bytes) == 1)
        return 32;
    return inet_pton(AF_INET6, host, bytes) == 1 ? 128 : 0;
}

typedef struct network {
    uint8_t bytes[16];
    size_t size; /* of its addresses, in bits */
    size_t bits; /* of its mask */
} network;

static bool parse_network(const char *text, network *n)
{
    char host[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "/");
    unsigned long bits;
    char *end;

    if (length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    n->size = parse_address(host, n->bytes);
    n->bits = n->size;
    if (text[length] == '\0' || n->size == 0)
        return n->size != 0;
    if (text[length + 1] < '0' || text[length + 1] > '9')
        return false;
    bits = strtoul(text + length + 1, &end, 10);
    n->bits = (size_t)bits;
    return *end == '\0' && bits <= n->size;
}

bool network_matches(const char *text, const char *address)
{
    network n;
    uint8_t given[16];

    return parse_network(text, &n) && parse_address(address, given) == n.size &&
           same_bits(n.bytes, given, n.bits);
}

static bool no_bits_behind_mask(const network *n)
{
    for (size_t bit = n->bits; bit < n->size; bit++)
        if ((n->bytes[bit / 8] & (0x80u >> (bit % 8))) != 0)
            return false;
    return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

#define ITEM_MAX 1023

/* Takes one item, without its `!`, off `*list`. False: the end. One that is too long comes empty,
 * which matches nothing; but an exception must not be lost, so that becomes `*`. */
static bool next_item(const char **list, char item[ITEM_MAX + 1], bool *negated)
{
    if (**list == '\0')
        return false;
    *negated = **list == '!';
    *list += *negated;
    size_t length = strcspn(*list, ",");
    if (length <= ITEM_MAX)
        memcpy(item, *list, length);
    else
        item[0] = '*';
    item[length <= ITEM_MAX ? length : *negated ? 1 : 0] = '\0';
    *list += length + ((*list)[length] == ',');
    return true;
}

list_match pattern_list_match(const char *patterns, const char *text)
{
    char item[ITEM_MAX + 1];
    list_match result = LIST_NO_MATCH;
    bool negated;

    while (next_item(&patterns, item, &negated)) {
        if (!pattern_matches(item, text))
            continue;
        if (negated)
            return LIST_EXCLUDES;
        result = LIST_MATCHES;
    }
    return result;
}

bool address_list_matches(const char *list, const char *address)
{
    char item[ITEM_MAX + 1];
    uint8_t ignored[16];
    bool matches = false;
    bool negated;

    if (parse_address(address, ignored) == 0)
        return false;
    while (next_item(&list, item, &negated)) {
        if (!network_matches(item, address) && !pattern_matches(item, address))
            continue;
        if (negated)
            return false;
        matches = true;
    }
    return matches;
}

bool address_list_valid(const char *list)
{
    char item[ITEM_MAX + 1];
    bool negated;
    network n;

    while (next_item(&list, item, &negated)) {
        if (strchr(item, '/') == NULL)
            continue;
        if (!parse_network(item, &n) || !no_bits_behind_mask(&n))
            return false;
    }
    return true;
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
