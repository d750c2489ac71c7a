/* program.h: what the parts of the running server share. Made at the start, read-only from then on,
 * so that work on the thread pool may use it. */
#ifndef SALLYPORTD_PROGRAM_H
#define SALLYPORTD_PROGRAM_H

#include <sallyport.h>
#include <sys/types.h>

#include "options.h"
#include "spawn.h"

/* Whose server this is: the user that started it, and the only one that it lets in. */
typedef struct account {
    char *name;
    char *home;
    char *shell;
    uid_t uid;
    gid_t gid;
    char *state_directory; /* keys that we made, known_hosts */
} account;

typedef struct program {
    const options *options;
    const account *account;
    bool client_key_accepted; /* the client key of the state directory, not authorized_keys */
    spawn_door door;
    bool one_connection; /* -d, -i */
    sp_server *server;
} program;

/* 0, or -1 with a message in the log. */
int account_load(account *a);
void account_free(account *a);

#endif
