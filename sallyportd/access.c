/* access.c: who may log in at all. A name that may not is then treated just like one that does not
 * exist: the same questions, the same work, the same answer. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "login.h"
#include "patterns.h"

static bool groups_listed(const string_list *patterns, const string_list *groups)
{
    bool listed = false;

    for (size_t i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->items[i];
        bool negated = *pattern == '!';
        for (size_t j = 0; j < groups->count; j++) {
            if (!pattern_matches(pattern + negated, groups->items[j]))
                continue;
            if (negated)
                return false;
            listed = true;
        }
    }
    return listed;
}

static const char *listed_out(const options *o, const account *a, const char *peer)
{
    if (user_list_matches(&o->deny_users, a->name, peer))
        return "it is listed in DenyUsers";
    if (o->allow_users.count > 0 && !user_list_matches(&o->allow_users, a->name, peer))
        return "it is not listed in AllowUsers";
    if (groups_listed(&o->deny_groups, &a->groups))
        return "a group of it is listed in DenyGroups";
    if (o->allow_groups.count > 0 && !groups_listed(&o->allow_groups, &a->groups))
        return "none of its groups is listed in AllowGroups";
    return NULL;
}

/* NULL: nothing is in the way. */
static const char *obstacle(const options *o, const account *a)
{
    if (o->refuse_connection)
        return "RefuseConnection is set";
    if (a->uid == 0 && o->permit_root_login == ROOT_NO)
        return "PermitRootLogin is no";
    if (a->uid != 0 && access("/etc/nologin", F_OK) == 0)
        return "there is a file /etc/nologin";
    if (access(a->shell, X_OK) != 0)
        return "its shell can't be run";
    return NULL;
}

bool access_allowed(const login *l, const char *username)
{
    const account *a = l->program->account;

    if (strcmp(username, a->name) != 0) {
        log_info("Invalid user %s from %s port %u", username, l->peer, (unsigned)l->peer_port);
        return false;
    }
    const char *reason = listed_out(l->options, a, l->peer);
    if (reason == NULL)
        reason = obstacle(l->options, a);
    if (reason != NULL)
        log_info("User %s from %s not allowed because %s", username, l->peer, reason);
    return reason == NULL;
}
