/* keys.h: host keys, given or made at the first start, with their certificates, and the client key
 * made for a user without authorized keys. Blocks; used at the start only. */
#ifndef SALLYPORTD_KEYS_H
#define SALLYPORTD_KEYS_H

#include "program.h"

#define HOST_KEYS_MAX 8
#define FURTHER_KEYS_MAX 24
#define CLIENT_KEY_NAME "id_ed25519"

typedef struct host_keys {
    sp_key *keys[HOST_KEYS_MAX]; /* one of a type */
    size_t count;
    sp_key *further[FURTHER_KEYS_MAX]; /* clients are told of these, too */
    size_t further_count;
    sp_cert *certificates[HOST_KEYS_MAX];
    size_t certificate_count;
} host_keys;

/* The state directory, made with mode 0700 when it is missing, and locked against other servers of
 * the same user that start now. A descriptor for state_release, or -1 (logged). */
int state_hold(const account *a);
void state_release(int held);

/* Those of the options; with none given, those of the state directory, made when `may_make`.
 * Says in the log what can't be used. -1: no key at all, where there ought to be. */
int host_keys_load(host_keys *keys, const options *o, const account *a, bool may_make);
void host_keys_free(host_keys *keys);

/* hostagent.c: HostKeyAgent. Where its socket is; NULL: there is none. */
const char *host_agent_path(const options *o);
/* The key whose public half is in this file, or in the one with ".pub" behind its name, if the
 * agent has it: a key that the agent signs for. 0, or a negative SP_E... */
int host_agent_key(sp_key **key, const char *path, const options *o);

/* Makes the client key when it is missing. -1: logged. */
int client_key_prepare(const account *a);

#endif
