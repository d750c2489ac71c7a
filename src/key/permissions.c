/* The permissions object: asked, shared, and made from a certificate or from two of its kind. */
#include "key/permissions_internal.h"

#include "key/match.h"

#include <string.h>

/* ---- made and freed ---- */

spk_permissions *spk_permissions_new(void)
{
    spk_permissions *p = spb_calloc(spk_env(), 1, sizeof *p);

    if (p != NULL) {
        atomic_init(&p->references, 1);
    }
    return p;
}

spk_permissions *spk_permissions_all(void)
{
    static const spk_permissions all = {.fixed = true, .permitted = SPK_PERMITTED_ALL};

    return (spk_permissions *)(uintptr_t)&all; /* nobody writes to what is fixed */
}

spk_permissions *spk_permissions_ref(const spk_permissions *permissions)
{
    spk_permissions *p = (spk_permissions *)(uintptr_t)permissions; /* as for keys */

    if (p != NULL && !p->fixed)
        atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    return p;
}

static void free_rules(spk_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        spb_free(spk_env(), rules->items[i].host);
    spb_free(spk_env(), rules->items);
}

static void free_named(spk_named_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        spb_free(spk_env(), list->items[i].name);
        spb_free(spk_env(), list->items[i].value);
    }
    spb_free(spk_env(), list->items);
}

void spk_permissions_unref(spk_permissions *p)
{
    if (p == NULL || p->fixed ||
        atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) != 1)
        return;
    spb_free(spk_env(), p->command);
    free_rules(&p->open);
    free_rules(&p->listen);
    free_named(&p->environment);
    free_named(&p->options);
    sp_cert_unref(p->cert);
    spb_free(spk_env(), p);
}

/* ---- filled ---- */

void spk_permit_set(spk_permissions *p, spk_permit what, bool permitted)
{
    if (permitted)
        p->permitted |= SPK_PERMIT_BIT(what);
    else
        p->permitted &= ~SPK_PERMIT_BIT(what);
}

bool spk_rules_add(spk_rules *rules, spb_span host, uint32_t port, unsigned group)
{
    spk_rule *items = spk_grow(rules->items, rules->count, &rules->capacity, sizeof *items);

    if (items == NULL)
        return false;
    rules->items = items;
    char *copy = spb_span_string(spk_env(), host);
    if (copy == NULL)
        return false;
    items[rules->count++] = (spk_rule){copy, port, group};
    if (rules->groups <= group)
        rules->groups = group + 1;
    return true;
}

bool spk_named_add(spk_named_list *list, spb_span name, spb_span value)
{
    spk_named *items = spk_grow(list->items, list->count, &list->capacity, sizeof *items);

    if (items == NULL)
        return false;
    list->items = items;
    spk_named one = {spb_span_string(spk_env(), name), spb_span_string(spk_env(), value)};
    if (one.name == NULL || one.value == NULL) {
        spb_free(spk_env(), one.name);
        spb_free(spk_env(), one.value);
        return false;
    }
    items[list->count++] = one;
    return true;
}

static bool same_name(const char *a, const char *b, bool fold)
{
    for (;; a++, b++) {
        char x = *a, y = *b;
        if (fold && x >= 'A' && x <= 'Z')
            x = (char)(x - 'A' + 'a');
        if (fold && y >= 'A' && y <= 'Z')
            y = (char)(y - 'A' + 'a');
        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

const spk_named *spk_named_find(const spk_named_list *list, const char *name, bool fold,
                                size_t index)
{
    for (size_t i = 0; i < list->count; i++) {
        if (same_name(list->items[i].name, name, fold) && index-- == 0)
            return &list->items[i];
    }
    return NULL;
}

/* ---- from a certificate ---- */

static void permit_extensions(spk_permissions *p, const sp_cert *cert)
{
    static const struct {
        const char *name;
        spk_permit what;
    } extensions[] = {
        {"permit-pty", SPK_PERMIT_PTY},
        {"permit-port-forwarding", SPK_PERMIT_PORT_FORWARDING},
        {"permit-agent-forwarding", SPK_PERMIT_AGENT_FORWARDING},
        {"permit-X11-forwarding", SPK_PERMIT_X11_FORWARDING},
        {"permit-user-rc", SPK_PERMIT_USER_RC},
        {"no-touch-required", SPK_PERMIT_NO_TOUCH},
    };
    const sp_cert_option *o;

    for (size_t i = 0; (o = sp_cert_option_at(cert, i)) != NULL; i++) {
        for (size_t k = 0; !o->critical && k < sizeof extensions / sizeof extensions[0]; k++) {
            if (strcmp(o->name, extensions[k].name) == 0)
                spk_permit_set(p, extensions[k].what, true);
        }
    }
}

int spk_permissions_from_cert(spk_permissions **out, const sp_cert *cert)
{
    const sp_cert_option *o;

    *out = NULL;
    if (sp_cert_get_type(cert) != SP_CERT_USER)
        return SP_EFORMAT;
    spk_permissions *p = spk_permissions_new();
    if (p == NULL)
        return SP_ENOMEM;
    p->cert = sp_cert_ref(cert);
    spk_permit_set(p, SPK_PERMIT_NO_VERIFY, true);
    permit_extensions(p, cert);
    int result = 0;
    for (size_t i = 0; result == 0 && (o = sp_cert_option_at(cert, i)) != NULL; i++) {
        if (!o->critical)
            continue;
        if (strcmp(o->name, "verify-required") == 0) {
            spk_permit_set(p, SPK_PERMIT_NO_VERIFY, false);
        } else if (strcmp(o->name, "force-command") == 0) {
            p->command = o->value == NULL ? NULL : spb_strdup(spk_env(), o->value);
            result = o->value == NULL ? SP_EFORMAT : p->command == NULL ? SP_ENOMEM : 0;
        } else if (strcmp(o->name, "source-address") != 0) {
            result = SP_EFORMAT; /* spk_cert_check would not have let it pass */
        }
    }
    if (result == 0)
        *out = p;
    else
        spk_permissions_unref(p);
    return result;
}

/* ---- from two ---- */

static bool add_rules(spk_rules *to, const spk_rules *from)
{
    unsigned base = to->groups;

    for (size_t i = 0; i < from->count; i++) {
        const spk_rule *rule = &from->items[i];
        if (!spk_rules_add(to, spb_span_of(rule->host), rule->port, base + rule->group))
            return false;
    }
    return true;
}

/* `once`: what has a name that is there already is left out. */
static bool add_named(spk_named_list *to, const spk_named_list *from, bool once)
{
    for (size_t i = 0; i < from->count; i++) {
        const spk_named *one = &from->items[i];
        if (once && spk_named_find(to, one->name, false, 0) != NULL)
            continue;
        if (!spk_named_add(to, spb_span_of(one->name), spb_span_of(one->value)))
            return false;
    }
    return true;
}

static bool add_lists(spk_permissions *to, const spk_permissions *from)
{
    if (to->cert == NULL)
        to->cert = sp_cert_ref(from->cert);
    if (to->command == NULL && from->command != NULL &&
        (to->command = spb_strdup(spk_env(), from->command)) == NULL)
        return false;
    return add_rules(&to->open, &from->open) && add_rules(&to->listen, &from->listen) &&
           add_named(&to->environment, &from->environment, true) &&
           add_named(&to->options, &from->options, false);
}

int spk_permissions_intersect(spk_permissions **out, const spk_permissions *a,
                              const spk_permissions *b, const char **reason)
{
    *out = NULL;
    *reason = "nothing is permitted";
    if (a == NULL || b == NULL)
        return SP_EAUTH;
    if (a->command != NULL && b->command != NULL && strcmp(a->command, b->command) != 0) {
        *reason = "forced commands differ";
        return SP_EAUTH;
    }
    *reason = sp_strerror(SP_ENOMEM);
    spk_permissions *p = spk_permissions_new();
    if (p == NULL)
        return SP_ENOMEM;
    p->permitted = a->permitted & b->permitted;
    if (!add_lists(p, a) || !add_lists(p, b)) {
        spk_permissions_unref(p);
        return SP_ENOMEM;
    }
    *out = p;
    return 0;
}

/* ---- asked ---- */

bool spk_may(const spk_permissions *p, spk_permit what)
{
    return p != NULL && what > SPK_PERMIT_NONE && what < SPK_PERMIT_COUNT &&
           (p->permitted & SPK_PERMIT_BIT(what)) != 0;
}

static bool literal(const char *pattern, const char *text)
{
    return strcmp(pattern, "*") == 0 || strcmp(pattern, text) == 0;
}

/* Each group has a rule that allows. */
static bool allowed(const spk_rules *rules, bool (*fits)(const char *pattern, const char *text),
                    const char *host, uint32_t port)
{
    for (unsigned group = 0; group < rules->groups; group++) {
        bool found = false;
        for (size_t i = 0; i < rules->count && !found; i++) {
            const spk_rule *rule = &rules->items[i];
            found = rule->group == group && (rule->port == SPK_PORT_ANY || rule->port == port) &&
                    fits(rule->host, host);
        }
        if (!found)
            return false;
    }
    return true;
}

/* Both parts must be "any": there is no other way to name a path. */
static bool allowed_path(const spk_rules *rules)
{
    for (unsigned group = 0; group < rules->groups; group++) {
        bool found = false;
        for (size_t i = 0; i < rules->count && !found; i++)
            found = rules->items[i].group == group && rules->items[i].port == SPK_PORT_ANY &&
                    strcmp(rules->items[i].host, "*") == 0;
        if (!found)
            return false;
    }
    return true;
}

bool spk_may_open(const spk_permissions *p, const char *host, uint32_t port)
{
    return host != NULL && port <= UINT16_MAX && spk_may(p, SPK_PERMIT_PORT_FORWARDING) &&
           allowed(&p->open, literal, host, port);
}

bool spk_may_listen(const spk_permissions *p, const char *host, uint32_t port)
{
    return host != NULL && port <= UINT16_MAX && spk_may(p, SPK_PERMIT_PORT_FORWARDING) &&
           allowed(&p->listen, spk_match_pattern, host, port);
}

bool spk_may_open_path(const spk_permissions *p, const char *path)
{
    return path != NULL && spk_may(p, SPK_PERMIT_PORT_FORWARDING) && allowed_path(&p->open);
}

bool spk_may_listen_path(const spk_permissions *p, const char *path)
{
    return path != NULL && spk_may(p, SPK_PERMIT_PORT_FORWARDING) && allowed_path(&p->listen);
}

const char *spk_forced_command(const spk_permissions *p)
{
    return p == NULL ? NULL : p->command;
}

const char *spk_environment(const spk_permissions *p, size_t index)
{
    return p != NULL && index < p->environment.count ? p->environment.items[index].value : NULL;
}

const char *spk_option(const spk_permissions *p, const char *name, size_t index)
{
    const spk_named *found = p == NULL ? NULL : spk_named_find(&p->options, name, true, index);

    return found == NULL ? NULL : found->value;
}

const sp_cert *spk_permissions_cert(const spk_permissions *p)
{
    return p == NULL ? NULL : p->cert;
}
