/* login.h: one connection, from its first byte to its login and its end. */
#ifndef SALLYPORTD_LOGIN_H
#define SALLYPORTD_LOGIN_H

#include "program.h"

#define ADDRESS_SIZE 64
#define PROOF_SIZE 512

/* The application data of a connection. Touched on its loop's thread only. */
typedef struct login {
    const program *program;
    options *options;    /* those of the user name tried last; counted */
    unsigned turn;       /* counts user names: what was asked of another one is void */
    unsigned references; /* the connection's, and one for each attempt on the thread pool */
    char peer[ADDRESS_SIZE];
    char local[ADDRESS_SIZE];
    uint16_t peer_port;
    uint16_t local_port;
    bool has_address;  /* else `peer` is "UNKNOWN" */
    uint32_t sessions; /* open now */
    bool keys_refused; /* the list of revoked keys can't be read */
    bool banner_sent;
    bool known; /* the name tried is ours, and may log in */
    bool authenticated;
    bool key_counted;              /* the step of a proven key is in `positions` */
    login_method method;           /* of the attempt that is or was last made */
    char proof[PROOF_SIZE];        /* for the log: type and fingerprint of its key */
    string_list environment;       /* ~/.ssh/environment, "NAME=value" */
    uint8_t positions[CHAINS_MAX]; /* how far each list of AuthenticationMethods has been gone */
} login;

/* Fills in the handlers of connections and authentication. */
void login_handlers(sp_server_handlers *handlers);

/* access.c: may this user log in at all, from there, by the settings that hold for it? Says in the
 * log why not. */
bool access_allowed(const login *l, const char *username);

/* begin.c: what a user name's first question waits for: the banner and the list of revoked keys.
 * SP_REJECT: authentication is required. */
sp_answer begin_start(sp_conn *conn, sp_auth *auth, login *l);

/* attempt.c: the answers of the validate handlers. */
sp_answer attempt_start(sp_conn *conn, sp_auth *auth, login_method method);
/* May the method be tried now? */
bool attempt_possible(sp_conn *conn, login *l, login_method method);

void login_unref(login *l);

#endif
