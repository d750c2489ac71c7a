/* authorize.h: which keys and certificates may log in, and what they may do. The functions block on
 * files. Thread: any. */
#ifndef SALLYPORTD_AUTHORIZE_H
#define SALLYPORTD_AUTHORIZE_H

#include "program.h"

/* What vouches for a key: lines of authorized_keys, or a CA of TrustedUserCAKeys and a line with a
 * principal. */
typedef struct key_grant {
    sp_authorized_keys *lines;
    char *principal; /* NULL: the user's name */
    char *options;   /* of the principal's line and PubkeyAuthOptions, or NULL */
} key_grant;

/* Does anything vouch for the key or certificate in question, as files are now? Fills in `grant`
 * then; else `reason` may get a text for the log. Whether the certificate is for the user is still
 * to be checked by the library, with the grant. */
bool authorize_key(const program *p, const options *o, sp_auth *auth, key_grant *grant,
                   char *reason, size_t size);
void key_grant_clear(key_grant *grant);

/* How many keys there are now; says in the log why a file was passed over. */
size_t authorize_count(const program *p, const options *o);

/* principals.c: is the certificate's CA one of TrustedUserCAKeys, and one of its principals listed
 * in the AuthorizedPrincipalsFile, if there is one? */
bool principals_authorize(const program *p, const options *o, const sp_cert *cert, key_grant *grant,
                          char *reason, size_t size);

#endif
