/* Patterns and networks, as sshd matches them (ssh_config(5) PATTERNS, sshd(8) AUTHORIZED_KEYS FILE
 * FORMAT, PROTOCOL.certkeys source-address). No name is looked up and nothing is allocated. */
#include "key/match.h"

#include "base/wire.h"

#include <arpa/inet.h>
#include <string.h>

/* No address or network is longer as text. */
#define ADDRESS_MAX ((size_t)INET6_ADDRSTRLEN + 4)

typedef struct address {
    int family;
    uint8_t bytes[16];
    unsigned size; /* in bits */
} address;

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool same(uint8_t a, uint8_t b, bool fold)
{
    return fold ? lower(a) == lower(b) : a == b;
}

/* Without recursion: on a mismatch only the last `*` seen can take one character more, so a pattern
 * costs at most its length times the text's. */
static bool match(spb_span pattern, spb_span text, bool fold)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, resume = 0;

    while (t < text.length) {
        if (p < pattern.length && pattern.data[p] == '*') {
            star = ++p;
            resume = t;
        } else if (p < pattern.length &&
                   (pattern.data[p] == '?' || same(pattern.data[p], text.data[t], fold))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.data[p] == '*')
        p++;
    return p == pattern.length;
}

bool spk_match_pattern(const char *pattern, const char *text)
{
    return match(spb_span_of(pattern), spb_span_of(text), false);
}

/* Takes the next entry of a list; `*negated` tells whether it began with !. False at the end. An
 * empty list has one empty entry, as "a," has a second. */
static bool next_entry(spb_span *rest, spb_span *entry, bool *negated)
{
    if (rest->data == NULL)
        return false;
    const uint8_t *comma = rest->length == 0 ? NULL : memchr(rest->data, ',', rest->length);
    *entry = *rest;
    if (comma == NULL) {
        *rest = (spb_span){NULL, 0};
    } else {
        entry->length = (size_t)(comma - rest->data);
        rest->data = comma + 1;
        rest->length -= entry->length + 1;
    }
    *negated = entry->length > 0 && entry->data[0] == '!';
    if (*negated) {
        entry->data++;
        entry->length--;
    }
    return true;
}

spk_match spk_match_names(const char *list, const char *text)
{
    spb_span rest = spb_span_of(list);
    spb_span entry;
    bool negated;
    spk_match result = SPK_MATCH_NO;

    while (next_entry(&rest, &entry, &negated)) {
        if (!match(entry, spb_span_of(text), true))
            continue;
        if (negated)
            return SPK_MATCH_DENIED;
        result = SPK_MATCH_YES;
    }
    return result;
}

static bool parse_address(spb_span text, address *out)
{
    char copy[ADDRESS_MAX];

    if (text.length == 0 || text.length >= sizeof copy || memchr(text.data, '\0', text.length))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    out->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
    out->size = out->family == AF_INET6 ? 128 : 32;
    return inet_pton(out->family, copy, out->bytes) == 1;
}

/* The address of a peer; `*text` is what patterns are compared with. False: not an address, so only
 * patterns can match. */
static bool parse_peer(const char *peer, address *out, spb_span *text)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    *text = spb_span_of(peer);
    const char *scope = strchr(peer, '%');
    spb_span bare = *text;
    if (scope != NULL)
        bare.length = (size_t)(scope - peer);
    if (!parse_address(bare, out))
        return false;
    if (out->family == AF_INET6 && memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        memmove(out->bytes, out->bytes + sizeof mapped, 4);
        out->family = AF_INET;
        out->size = 32;
        const char *last = strrchr(peer, ':');
        if (strchr(peer, '.') != NULL)
            *text = spb_span_of(last + 1);
    }
    return true;
}

/* One to three digits. */
static bool parse_bits(spb_span text, unsigned *bits)
{
    *bits = 0;
    if (text.length == 0 || text.length > 3)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *bits = 10 * *bits + (text.data[i] - (unsigned)'0');
    }
    return true;
}

static bool bits_beyond(const address *a, unsigned bits)
{
    for (unsigned i = bits; i < a->size; i++) {
        if ((a->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
            return true;
    }
    return false;
}

/* YES: `network` and `bits` are filled. NO: it is neither address nor network. BAD: it is a network
 * with a mask that does not fit it. */
static spk_match parse_network(spb_span text, address *network, unsigned *bits)
{
    const uint8_t *slash = text.length == 0 ? NULL : memchr(text.data, '/', text.length);
    spb_span host = text;

    if (slash != NULL)
        host.length = (size_t)(slash - text.data);
    if (!parse_address(host, network))
        return SPK_MATCH_NO;
    *bits = network->size;
    if (slash == NULL)
        return SPK_MATCH_YES;
    spb_span mask = {slash + 1, text.length - host.length - 1};
    if (!parse_bits(mask, bits) || *bits > network->size || bits_beyond(network, *bits))
        return SPK_MATCH_BAD;
    return SPK_MATCH_YES;
}

static bool in_network(const address *a, const address *network, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (a->family != network->family || memcmp(a->bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || ((unsigned)(a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}

/* One entry of a list against the peer (NULL: only whether the entry is well-formed). */
static spk_match match_address(spb_span entry, const address *peer, spb_span text)
{
    address network;
    unsigned bits;

    if (entry.length == 0)
        return SPK_MATCH_BAD;
    spk_match kind = parse_network(entry, &network, &bits);
    if (kind == SPK_MATCH_BAD)
        return SPK_MATCH_BAD;
    if (kind == SPK_MATCH_YES)
        return peer != NULL && in_network(peer, &network, bits) ? SPK_MATCH_YES : SPK_MATCH_NO;
    return text.data != NULL && match(entry, text, true) ? SPK_MATCH_YES : SPK_MATCH_NO;
}

spk_match spk_match_addresses(const char *list, const char *peer)
{
    spb_span rest = spb_span_of(list);
    spb_span entry;
    spb_span text = {NULL, 0};
    bool negated;
    address parsed;
    const address *given = NULL;
    bool matched = false, denied = false;

    if (peer != NULL && parse_peer(peer, &parsed, &text))
        given = &parsed;
    /* To the end of the list whatever matches: a malformed one is never half obeyed. */
    while (next_entry(&rest, &entry, &negated)) {
        spk_match m = match_address(entry, given, text);
        if (m == SPK_MATCH_BAD)
            return SPK_MATCH_BAD;
        if (m == SPK_MATCH_YES && negated)
            denied = true;
        else if (m == SPK_MATCH_YES)
            matched = true;
    }
    return denied ? SPK_MATCH_DENIED : matched ? SPK_MATCH_YES : SPK_MATCH_NO;
}

bool spk_match_peer(const char *list, const char *peer, const char *host)
{
    if (peer == NULL)
        return false;
    spk_match by_address = spk_match_addresses(list, peer);
    if (by_address == SPK_MATCH_BAD || by_address == SPK_MATCH_DENIED)
        return false;
    spk_match by_name = spk_match_names(list, host == NULL ? peer : host);
    if (by_name == SPK_MATCH_DENIED)
        return false;
    return by_address == SPK_MATCH_YES || by_name == SPK_MATCH_YES;
}

bool spk_match_peer_valid(const char *list)
{
    return spk_match_addresses(list, NULL) != SPK_MATCH_BAD;
}

/* NO and YES: well-formed. */
static spk_match match_networks(const char *list, const char *peer)
{
    spb_span rest = spb_span_of(list);
    spb_span entry, text;
    bool negated;
    address parsed, network;
    unsigned bits;
    bool known = peer != NULL && parse_peer(peer, &parsed, &text);
    spk_match result = SPK_MATCH_NO;

    while (next_entry(&rest, &entry, &negated)) {
        if (negated || parse_network(entry, &network, &bits) != SPK_MATCH_YES)
            return SPK_MATCH_BAD;
        if (known && in_network(&parsed, &network, bits))
            result = SPK_MATCH_YES;
    }
    return result;
}

bool spk_match_networks(const char *list, const char *peer)
{
    return match_networks(list, peer) == SPK_MATCH_YES;
}

bool spk_match_networks_valid(const char *list)
{
    return match_networks(list, NULL) != SPK_MATCH_BAD;
}
