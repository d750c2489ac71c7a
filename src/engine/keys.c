/* What an engine is told about the keys and certificates of clients, and what it tells of those
 * that a login was made with. */
#include "engine/engine_internal.h"
#include "key/permissions.h"

#include <string.h>

int sp_engine_set_peer_address(sp_engine *e, const char *address)
{
    const spb_env *env = &e->config->env;
    char *copy = address == NULL ? NULL : spb_strdup(env, address);

    if (address != NULL && copy == NULL)
        return SP_ENOMEM;
    spb_free(env, e->trust.peer);
    e->trust.peer = copy;
    return 0;
}

void sp_engine_set_authorized_keys(sp_engine *e, const sp_authorized_keys *list)
{
    if (e->auth != NULL && spa_username(e->auth) != NULL) {
        spa_set_authorized(e->auth, list);
        return;
    }
    sp_authorized_keys *fresh = list != NULL ? sp_authorized_keys_ref(list) : NULL;
    sp_authorized_keys_free(e->trust.authorized);
    e->trust.authorized = fresh;
}

int sp_engine_set_signature_algorithms(sp_engine *e, const char *list)
{
    if (spt_failed(e->transport))
        return SP_ECONN;
    if (list != NULL && strlen(list) > 8192)
        return SP_EINVAL;
    return e->auth == NULL || spa_username(e->auth) == NULL ? SP_ESTATE
                                                            : spa_set_algorithms(e->auth, list);
}

void sp_engine_set_revoked_keys(sp_engine *e, const sp_revoked_keys *list,
                                const sp_revoked_keys *more)
{
    const sp_revoked_keys *const given[SPA_REVOKED_LISTS] = {list, more};

    for (size_t i = 0; i < SPA_REVOKED_LISTS; i++) {
        sp_revoked_keys *fresh = given[i] != NULL ? sp_revoked_keys_ref(given[i]) : NULL;
        sp_revoked_keys_unref(e->trust.revoked[i]);
        e->trust.revoked[i] = fresh;
    }
}

/* ---- after success ---- */

static const spk_permissions *permissions(const sp_engine *e)
{
    return e->auth == NULL ? NULL : spa_permissions(e->auth);
}

static spk_permit permit_of(const char *name)
{
    static const struct {
        const char *name;
        spk_permit permit;
    } table[] = {
        {"pty", SPK_PERMIT_PTY},
        {"port-forwarding", SPK_PERMIT_PORT_FORWARDING},
        {"agent-forwarding", SPK_PERMIT_AGENT_FORWARDING},
        {"X11-forwarding", SPK_PERMIT_X11_FORWARDING},
        {"user-rc", SPK_PERMIT_USER_RC},
    };

    for (size_t i = 0; name != NULL && i < sizeof table / sizeof table[0]; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].permit;
    return SPK_PERMIT_NONE;
}

const sp_cert *sp_engine_certificate(const sp_engine *e)
{
    const spk_permissions *p = permissions(e);
    return p == NULL ? NULL : spk_permissions_cert(p);
}

const char *sp_engine_get_key_option(const sp_engine *e, const char *name, size_t index)
{
    const spk_permissions *p = permissions(e);
    return p == NULL || name == NULL ? NULL : spk_option(p, name, index);
}

bool sp_engine_check_key_permission(const sp_engine *e, const char *name)
{
    return spk_may(permissions(e), permit_of(name));
}

const char *sp_engine_get_certificate_option(const sp_engine *e, const char *name)
{
    const sp_cert *cert = sp_engine_certificate(e);
    const sp_cert_option *option =
        cert == NULL || name == NULL ? NULL : sp_cert_find_option(cert, name);
    return option == NULL ? NULL : option->value;
}

bool sp_engine_check_certificate_permission(const sp_engine *e, const char *name)
{
    static const char prefix[] = "permit-";
    const sp_cert *cert = sp_engine_certificate(e);
    char extension[64];

    if (permissions(e) == NULL || permit_of(name) == SPK_PERMIT_NONE)
        return false;
    if (cert == NULL)
        return true;
    memcpy(extension, prefix, sizeof prefix);
    strncat(extension, name, sizeof extension - sizeof prefix);
    const sp_cert_option *option = sp_cert_find_option(cert, extension);
    return option != NULL && !option->critical;
}

const char *sp_engine_environment_at(const sp_engine *e, size_t index)
{
    const spk_permissions *p = permissions(e);
    return p == NULL || !spa_environment_obeyed(e->auth) ? NULL : spk_environment(p, index);
}

const char *sp_engine_forced_command(const sp_engine *e)
{
    const spk_permissions *p = permissions(e);
    return p == NULL ? NULL : spk_forced_command(p);
}
