/* access.c: who may log in at all. A name that may not is then treated just like one that does not
 * exist: the same questions, the same work, the same answer. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "login.h"
#include "patterns.h"

/* NULL: nothing is in the way. */
static const char *obstacle(const program *p, const char *peer)
{
    const options *o = p->options;
    const account *a = p->account;

    if (user_list_matches(&o->deny_users, a->name, peer))
        return "it is listed in DenyUsers";
    if (o->allow_users.count > 0 && !user_list_matches(&o->allow_users, a->name, peer))
        return "it is not listed in AllowUsers";
    if (a->uid == 0 && o->permit_root_login == ROOT_NO)
        return "PermitRootLogin is no";
    if (a->uid == 0 && o->permit_root_login == ROOT_FORCED_COMMANDS_ONLY &&
        o->force_command == NULL)
        return "PermitRootLogin asks for a forced command";
    if (a->uid != 0 && access("/etc/nologin", F_OK) == 0)
        return "there is a file /etc/nologin";
    if (access(a->shell, X_OK) != 0)
        return "its shell can't be run";
    return NULL;
}

bool access_allowed(const program *p, const char *username, const char *peer, uint16_t port)
{
    if (strcmp(username, p->account->name) != 0) {
        log_info("Invalid user %s from %s port %u", username, peer, (unsigned)port);
        return false;
    }
    const char *reason = obstacle(p, peer);
    if (reason != NULL)
        log_info("User %s from %s not allowed because %s", username, peer, reason);
    return reason == NULL;
}
