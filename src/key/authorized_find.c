/* Asking a list of authorized keys, as sshd does: of the lines for a key, in their order, the first
 * whose conditions hold decides (sshd(8) AUTHORIZED_KEYS FILE FORMAT). */
#include "key/authorized_list.h"

#include "key/cert.h"
#include "key/match.h"

/* Why a line's conditions do not hold for this peer; NULL: they do. */
static const char *condition(const spk_entry *e, const spk_peer *who)
{
    if (who->now > e->options.expires)
        return "key has expired";
    if (e->options.from != NULL && !spk_match_peer(e->options.from, who->address, who->host))
        return "source address not allowed";
    return NULL;
}

int spk_authorized_find(const sp_authorized_keys *list, const sp_key *key, const spk_peer *who,
                        spk_permissions **permissions, const char **reason)
{
    size_t count;
    const spk_entry *e = spk_entries_of(list, key, &count);
    int result = SP_ENOENT;

    *permissions = NULL;
    *reason = "key is not listed";
    for (size_t i = 0; i < count; i++) {
        if (e[i].options.ca)
            continue;
        result = SP_EAUTH;
        *reason = condition(&e[i], who);
        if (*reason != NULL)
            continue;
        *reason = "";
        *permissions = spk_permissions_ref(e[i].options.permissions);
        return 0;
    }
    return result;
}

/* One line with the certificate's CA. */
static int try_ca_line(const spk_entry *e, const sp_cert *cert, const spk_peer *who,
                       spk_permissions **permissions, const char **reason)
{
    spk_permissions *of_cert;
    spk_cert_use use = {.type = SP_CERT_USER,
                        .now = who->now,
                        .address = who->address,
                        .ca_algorithms = who->ca_algorithms};

    *reason = condition(e, who);
    if (*reason != NULL)
        return SP_EAUTH;
    if (e->options.has_principals) {
        use.names = (const char *const *)e->options.principals;
        use.name_count = e->options.principal_count;
    } else {
        use.names = &who->user;
        use.name_count = who->user == NULL ? 0 : 1;
    }
    if (!spk_cert_check(cert, &use, reason))
        return SP_EAUTH;
    int result = spk_permissions_from_cert(&of_cert, cert);
    *reason = sp_strerror(result);
    if (result != 0)
        return result;
    result = spk_permissions_intersect(permissions, of_cert, e->options.permissions, reason);
    spk_permissions_unref(of_cert);
    return result;
}

int spk_authorized_find_cert(const sp_authorized_keys *list, const sp_cert *cert,
                             const spk_peer *who, spk_permissions **permissions,
                             const char **reason)
{
    size_t count;
    const spk_entry *e = spk_entries_of(list, sp_cert_ca_key(cert), &count);
    int result = SP_ENOENT;

    *permissions = NULL;
    *reason = "CA is not listed";
    for (size_t i = 0; i < count; i++) {
        if (!e[i].options.ca)
            continue;
        result = try_ca_line(&e[i], cert, who, permissions, reason);
        if (result == 0)
            *reason = "";
        if (result == 0 || result == SP_ENOMEM)
            return result;
    }
    return result;
}

bool sp_authorized_keys_contains(const sp_authorized_keys *list, const sp_key *key)
{
    size_t count;
    const spk_entry *e = spk_entries_of(list, key, &count);

    for (size_t i = 0; i < count; i++) {
        if (!e[i].options.ca)
            return e[i].plain;
    }
    return false;
}
