/* What the client's key or certificate may do: by the lists of authorized keys, or by what the
 * application accepts it with; and the lists of revoked keys, which come before both.
 *
 * Whatever is permitted is a value that belongs to one request. It becomes the user's when the
 * proof that it goes with was found good (reply.c), and not before. */
#include "auth/auth_internal.h"
#include "key/revoked.h"
#include <string.h>

/* Options have no meaning without a key: this one's line carries them, and nobody can have it. */
#define SPA_CARRIER                                                                                \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

const sp_authorized_keys *spa_authorized(const spa_auth *a)
{
    return a->own_authorized ? a->authorized : a->trust->authorized;
}

void spa_set_authorized(spa_auth *a, const sp_authorized_keys *list)
{
    sp_authorized_keys *fresh = list != NULL ? sp_authorized_keys_ref(list) : NULL;

    sp_authorized_keys_free(a->authorized);
    a->authorized = fresh;
    a->own_authorized = true;
}

void spa_forget_authorized(spa_auth *a)
{
    sp_authorized_keys_free(a->authorized);
    a->authorized = NULL;
    a->own_authorized = false;
}

int spa_set_algorithms(spa_auth *a, const char *list)
{
    char *copy = list != NULL ? spb_strdup(a->env, list) : NULL;

    if (list != NULL && copy == NULL)
        return SP_ENOMEM;
    spb_free(a->env, a->algorithms);
    a->algorithms = copy;
    return 0;
}

bool spa_algorithm_allowed(const spa_auth *a, const char *name)
{
    return a->algorithms == NULL || spb_name_in(spb_span_of(a->algorithms), name);
}

spk_peer spa_peer(const spa_auth *a)
{
    return (spk_peer){
        .user = spa_username(a),
        .address = a->trust->peer,
        .now = spt_config_wall_clock(spt_config(a->transport)),
        .ca_algorithms = spt_config(a->transport)->ca_signature_list,
    };
}

/* ---- revocation ---- */

/* NULL: not revoked; else what is. */
const char *spa_revoked(const spa_auth *a, const spa_request *q)
{
    for (size_t i = 0; i < SPA_REVOKED_LISTS; i++) {
        const sp_revoked_keys *list = a->trust->revoked[i];
        if (list == NULL)
            continue;
        if (spk_revoked_key(list, q->key))
            return "key is revoked";
        if (q->cert == NULL)
            continue;
        if (spk_revoked_key(list, sp_cert_ca_key(q->cert)))
            return "CA key is revoked";
        if (spk_revoked_cert(list, q->cert))
            return "certificate is revoked";
    }
    return NULL;
}

/* ---- lists ---- */

int spa_look_up(const sp_authorized_keys *list, const sp_key *key, const sp_cert *cert,
                const spk_peer *who, spk_permissions **permitted, const char **reason)
{
    *permitted = NULL;
    *reason = "no such key is authorized";
    if (list == NULL)
        return SP_ENOENT;
    return cert != NULL ? spk_authorized_find_cert(list, cert, who, permitted, reason)
                        : spk_authorized_find(list, key, who, permitted, reason);
}

/* ---- options that the application accepts with ---- */

/* A list of one line: the options and the carrier. SP_EFORMAT when they are not understood. */
static int parse_options(const spb_env *env, const char *options, sp_authorized_keys **list)
{
    size_t length = strnlen(options, SPA_TEXT_MAX + 1);
    spb_buffer text;

    *list = NULL;
    if (length > SPA_TEXT_MAX || strpbrk(options, "\r\n") != NULL)
        return SP_EFORMAT;
    /* What ended in a comment would leave no key on the line; so would a blank outside quotes. */
    spb_buffer_init(&text, env, SPA_TEXT_MAX + 256);
    spw_bytes(&text, options, length);
    spw_bytes(&text, length > 0 ? " " : "", length > 0 ? 1 : 0);
    spw_bytes(&text, SPA_CARRIER, strlen(SPA_CARRIER));
    int result = spw_ok(&text) ? sp_authorized_keys_parse(list, (const char *)text.data,
                                                          text.length, NULL, NULL)
                               : SP_ENOMEM;
    spb_buffer_free(&text);
    return result;
}

int spa_options_permit(const spb_env *env, const char *options, const spk_peer *who,
                       spk_permissions **permitted, const char **reason)
{
    sp_authorized_keys *list = NULL;
    sp_key *carrier = NULL;

    *permitted = NULL;
    *reason = "malformed key options";
    int result = sp_key_parse_public(&carrier, SPA_CARRIER);
    if (result == 0)
        result = parse_options(env, options, &list);
    if (result == 0)
        result = spk_authorized_find(list, carrier, who, permitted, reason);
    sp_authorized_keys_free(list);
    sp_key_unref(carrier);
    if (result == SP_ENOENT) {
        *reason = "malformed key options";
        result = SP_EFORMAT;
    }
    return result;
}

/* ---- what an answer permits ---- */

/* A key or certificate that the application itself accepts, or accepts by a list. */
static int key_permits(spa_auth *a, const sp_auth_reply *reply, const spk_peer *who,
                       spk_permissions **permitted, const char **why)
{
    const spa_request *q = &a->request;

    if (q->key == NULL)
        return SP_EAUTH;
    if (reply->authorized_keys != NULL)
        return spa_look_up(reply->authorized_keys, q->key, q->cert, who, permitted, why);
    if (q->cert == NULL) {
        *permitted = spk_permissions_all();
        return 0;
    }
    const char *name = spa_username(a);
    const spk_cert_use use = {
        .type = SP_CERT_USER,
        .now = who->now,
        .names = reply->principals != NULL ? reply->principals : &name,
        .name_count = reply->principals != NULL ? reply->principal_count : 1,
        .address = who->address,
        .ca_algorithms = who->ca_algorithms,
    };
    if (!spk_cert_check(q->cert, &use, why))
        return SP_EAUTH;
    return spk_permissions_from_cert(permitted, q->cert);
}

/* Puts what both permit in the place of `*permitted`. Takes over `more`. */
static int narrow(spk_permissions **permitted, spk_permissions *more, const char **why)
{
    spk_permissions *both = NULL;
    int result = spk_permissions_intersect(&both, *permitted, more, why);

    spk_permissions_unref(*permitted);
    spk_permissions_unref(more);
    *permitted = both;
    return result;
}

int spa_reply_permits(spa_auth *a, const sp_auth_reply *reply, spk_permissions **permitted,
                      const char **why)
{
    const spk_peer who = spa_peer(a);
    spk_permissions *more = NULL;
    int result = 0;

    *why = "not permitted";
    *permitted = NULL;
    if (spa_by_key(&a->request))
        result = key_permits(a, reply, &who, permitted, why);
    else
        *permitted = spk_permissions_all();
    if (result == 0 && reply->options != NULL) {
        result = spa_options_permit(a->env, reply->options, &who, &more, why);
        if (result == 0)
            result = narrow(permitted, more, why);
    }
    if (result != 0) {
        spk_permissions_unref(*permitted);
        *permitted = NULL;
    }
    return result;
}

bool spa_reply_good(const spa_auth *a, const sp_auth_reply *reply)
{
    bool key = a->asked == SP_EVENT_AUTH_PUBLIC_KEY || a->asked == SP_EVENT_AUTH_CA_KEY;

    if (a->asked == SP_EVENT_AUTH_COMPLETED)
        return reply->options == NULL && reply->principals == NULL &&
               reply->authorized_keys == NULL;
    if (reply->authorized_keys != NULL && !key)
        return false;
    if (reply->principals != NULL &&
        (a->asked != SP_EVENT_AUTH_CA_KEY || reply->authorized_keys != NULL))
        return false;
    if (reply->options == NULL)
        return true;
    spk_permissions *permitted = NULL;
    const char *why;
    const spk_peer who = spa_peer(a);
    int result = spa_options_permit(a->env, reply->options, &who, &permitted, &why);
    spk_permissions_unref(permitted);
    return result != SP_EFORMAT;
}
