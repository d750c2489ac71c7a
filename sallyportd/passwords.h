/* passwords.h: checking a password against a hash of crypt(3): the one in the PasswordFile, or the
 * user's shadow entry where this process may read it. */
#ifndef SALLYPORTD_PASSWORDS_H
#define SALLYPORTD_PASSWORDS_H

#include "program.h"

/* Takes long, by design of the hashes. Thread: any. */
bool password_check(const account *a, const options *o, const char *password);
/* Can any password be right? Else says in the log why not. */
bool password_hash_available(const account *a, const options *o);

#endif
