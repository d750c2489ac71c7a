/* keys.h: host keys, given or made at the first start, and the client key made for a user without
 * authorized keys. Blocks; used at the start only. */
#ifndef SALLYPORTD_KEYS_H
#define SALLYPORTD_KEYS_H

#include "program.h"

#define HOST_KEYS_MAX 8
#define CLIENT_KEY_NAME "id_ed25519"

typedef struct host_keys {
    sp_key *keys[HOST_KEYS_MAX];
    size_t count;
} host_keys;

/* The state directory, made with mode 0700 when it is missing, and locked against other servers of
 * the same user that start now. A descriptor for state_release, or -1 (logged). */
int state_hold(const account *a);
void state_release(int held);

/* Those of the options; with none given, those of the state directory, made when `may_make`.
 * Says in the log what can't be used. -1: no key at all, where there ought to be. */
int host_keys_load(host_keys *keys, const options *o, const account *a, bool may_make);
void host_keys_free(host_keys *keys);

/* Makes the client key when it is missing. -1: logged. */
int client_key_prepare(const account *a);

#endif
