/* startups.h: MaxStartups and PerSourceMaxStartups. */
#ifndef SALLYPORTD_STARTUPS_H
#define SALLYPORTD_STARTUPS_H

#include "login.h"

/* Is this new connection one too many? Says in the log why. */
bool startups_exceeded(sp_conn *conn, const login *l);

#endif
