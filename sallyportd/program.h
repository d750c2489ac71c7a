/* program.h: what the parts of the running server share. Made at the start. Work on the thread pool
 * may use the account, and settings that it holds a reference to. */
#ifndef SALLYPORTD_PROGRAM_H
#define SALLYPORTD_PROGRAM_H

#include <sallyport.h>
#include <sys/types.h>

#include "config.h"
#include "spawn.h"

/* Whose server this is: the user that started it, and the only one that it lets in. */
typedef struct account {
    char *name;
    string_list groups; /* their names */
    char *home;
    char *shell;
    uid_t uid;
    gid_t gid;
    char *state_directory; /* keys that we made, known_hosts */
} account;

typedef struct program {
    config *config; /* replaced by SIGHUP, on the loop's thread */
    const account *account;
    bool client_key_accepted; /* the client key of the state directory, not authorized_keys */
    const char *agent_path;   /* of host keys; NULL: no agent */
    spawn_door door;
    bool one_connection; /* -d, -i */
    sp_server *server;
} program;

/* 0, or -1 with a message in the log. */
int account_load(account *a);
void account_free(account *a);
/* The names of all the groups of a user; nothing for one that does not exist. -1: out of memory. */
int groups_of_user(const char *name, string_list *groups);

#endif
