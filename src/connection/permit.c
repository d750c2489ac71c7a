/* What the login may do: the permissions that came with its proofs, asked in one place. Whatever
 * they do not name is not permitted, and before they are given nothing is. */
#include "connection/connection_internal.h"

#include <string.h>

void spn_permit(spn_connection *c, const spk_permissions *permissions, bool environment)
{
    spk_permissions *fresh = permissions != NULL ? spk_permissions_ref(permissions) : NULL;

    spk_permissions_unref(c->permissions);
    c->permissions = fresh;
    c->environment = environment;
}

bool spn_may(const spn_connection *c, spk_permit what)
{
    return spk_may(c->permissions, what);
}

bool spn_may_listen(const spn_connection *c, const char *host, uint32_t port)
{
    return spk_may_listen(c->permissions, host, port);
}

bool spn_may_listen_path(const spn_connection *c, const char *path)
{
    return spk_may_listen_path(c->permissions, path);
}

bool spn_place_permitted(const spn_channel *ch)
{
    const spk_permissions *p = ch->c->permissions;
    const spn_place *place = ch->place;

    if (place == NULL)
        return true; /* a session; what it asks for is another matter */
    return ch->type->path ? spk_may_open_path(p, place->dest)
                          : spk_may_open(p, place->dest, place->dest_port);
}

const char *spn_forced_command(const spn_connection *c)
{
    return c->permissions == NULL ? NULL : spk_forced_command(c->permissions);
}

bool spn_variable_is_set(const spn_connection *c, const char *name)
{
    size_t length = strlen(name);
    const char *entry;

    if (c->permissions == NULL || !c->environment)
        return false;
    for (size_t i = 0; (entry = spk_environment(c->permissions, i)) != NULL; i++)
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return true;
    return false;
}
