/* Patterns and networks, as sshd matches them: ssh_config(5) PATTERNS, and "from" of sshd(8)
 * AUTHORIZED_KEYS FILE FORMAT. Addresses are texts as inet_ntop writes them; an IPv4 address mapped
 * into IPv6 (::ffff:192.0.2.1) counts as the IPv4 address, and a scope (%eth0) is not looked at. */
#ifndef SPK_MATCH_H
#define SPK_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* What a list with negated entries says. Only SPK_MATCH_YES is a yes. */
typedef enum spk_match {
    SPK_MATCH_NO = 0,
    SPK_MATCH_YES,
    SPK_MATCH_DENIED, /* an entry with ! matches */
    SPK_MATCH_BAD,    /* the list is malformed */
} spk_match;

/* `*` stands for any number of characters, `?` for one. Case counts. */
bool spk_match_pattern(const char *pattern, const char *text);
/* A list of patterns with commas between, ! before those that deny. Upper and lower case (ASCII)
 * are the same, as for host names. */
spk_match spk_match_names(const char *list, const char *text);
/* A list of networks (192.0.2.0/24, 2001:db8::/32), addresses and address patterns, ! before those
 * that deny. A network with bits set beyond its mask is malformed. */
spk_match spk_match_addresses(const char *list, const char *peer);

/* May a peer with this address and host name (NULL: unknown, its address stands in) come, by the
 * list of a "from" option? A NULL peer: no. */
bool spk_match_peer(const char *list, const char *peer, const char *host);
/* Is it a list that spk_match_peer can work with? */
bool spk_match_peer_valid(const char *list);
/* The list of a certificate's source-address: networks and addresses only, nothing negated. */
bool spk_match_networks(const char *list, const char *peer);
bool spk_match_networks_valid(const char *list);

#endif
