/* environment.h: the environment of a user's process. */
#ifndef SALLYPORTD_ENVIRONMENT_H
#define SALLYPORTD_ENVIRONMENT_H

#include "login.h"

/* In auth_completed: reads ~/.ssh/environment, if it may matter, and answers. */
sp_answer environment_start(sp_conn *conn, sp_auth *auth, login *l);
/* May the client set this variable (AcceptEnv)? */
bool environment_accepts(const options *o, const char *name);
/* "NAME=value" lines; `original` is the command that a forced one stands for, or NULL. -1: out of
 * memory. */
int environment_make(string_list *environment, const login *l, const sp_channel *channel,
                     const char *original);

#endif
