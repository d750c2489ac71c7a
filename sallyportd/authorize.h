/* authorize.h: which keys may log in. Both functions block on files. Thread: any. */
#ifndef SALLYPORTD_AUTHORIZE_H
#define SALLYPORTD_AUTHORIZE_H

#include "program.h"

/* Is the key in one of the user's files, as they are now? */
bool authorize_key(const program *p, const options *o, const sp_key *key);
/* How many keys there are now; says in the log why a file was passed over. */
size_t authorize_count(const program *p, const options *o);

#endif
