/* Looking a key or a certificate up in a list of authorized keys, as sshd does: lines are tried in
 * their order, one whose conditions (from, expiry-time, principals) do not hold is passed over, the
 * first that fits decides what is permitted. */
#ifndef SPK_AUTHORIZED_H
#define SPK_AUTHORIZED_H

#include "key/permissions.h"

/* Who asks. */
typedef struct spk_peer {
    const char *user;
    const char *address;       /* as text; NULL: a line with "from" never fits */
    const char *host;          /* its name if that was looked up and confirmed, or NULL */
    uint64_t now;              /* seconds since 1970 */
    const char *ca_algorithms; /* see spk_cert_use */
} spk_peer;

/* 0: the key may log in, `*permissions` (owned by the caller) says what it may do there.
 * SP_ENOENT: no line for it; SP_EAUTH: lines, but none that fits: `*reason` says why the last was
 * passed over: "source address not allowed", "key has expired". SP_ENOMEM. On failure
 * `*permissions` is NULL; `*reason` is always set, and constant. That the key is not revoked is for
 * the caller. */
int spk_authorized_find(const sp_authorized_keys *list, const sp_key *key, const spk_peer *who,
                        spk_permissions **permissions, const char **reason) SPC_MUST_CHECK;
/* The same for a certificate, by the lines with cert-authority and its CA's key. The certificate is
 * checked whole (spk_cert_check), the user's name or the line's principals= against its principals;
 * what is permitted is what both certificate and line permit. `*reason` may be lent by the
 * certificate. */
int spk_authorized_find_cert(const sp_authorized_keys *list, const sp_cert *cert,
                             const spk_peer *who, spk_permissions **permissions,
                             const char **reason) SPC_MUST_CHECK;

#endif
