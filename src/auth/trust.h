/* What the driver of a connection tells about it before anybody logs in: where the peer is, whose
 * keys may log in, and which keys nobody may use. The engine has it; the authentication service,
 * which comes later, reads it. */
#ifndef SPA_TRUST_H
#define SPA_TRUST_H

#include <sallyport/key.h>

#define SPA_REVOKED_LISTS 2

typedef struct spa_trust {
    char *peer;                                  /* address as text; NULL: unknown */
    sp_authorized_keys *authorized;              /* for all user names; NULL: none */
    sp_revoked_keys *revoked[SPA_REVOKED_LISTS]; /* NULL: there is no such list */
} spa_trust;

#endif
