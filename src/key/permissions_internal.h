/* Inside the permissions, and how the readers of options fill them. */
#ifndef SPK_PERMISSIONS_INTERNAL_H
#define SPK_PERMISSIONS_INTERNAL_H

#include "key/key_internal.h"
#include "key/permissions.h"

#define SPK_PORT_ANY UINT32_MAX

/* A place that may be connected to or listened at. Of each group one rule must allow. */
typedef struct spk_rule {
    char *host;    /* "*": any */
    uint32_t port; /* SPK_PORT_ANY: any */
    unsigned group;
} spk_rule;

typedef struct spk_rules {
    spk_rule *items;
    size_t count, capacity;
    unsigned groups;
} spk_rules;

typedef struct spk_named {
    char *name;
    char *value;
} spk_named;

typedef struct spk_named_list {
    spk_named *items;
    size_t count, capacity;
} spk_named_list;

struct spk_permissions {
    atomic_uint references;
    bool fixed;         /* not allocated: never freed */
    uint32_t permitted; /* a bit for each spk_permit */
    char *command;
    spk_rules open, listen;
    spk_named_list environment; /* name and the whole "NAME=value" */
    spk_named_list options;
    sp_cert *cert;
};

/* Nothing permitted, nothing in it; NULL: out of memory. */
spk_permissions *spk_permissions_new(void);
void spk_permit_set(spk_permissions *p, spk_permit what, bool permitted);
/* What a key without options may do, as bits. */
#define SPK_PERMIT_BIT(what) (1u << (what))
#define SPK_PERMITTED_ALL                                                                          \
    (SPK_PERMIT_BIT(SPK_PERMIT_PTY) | SPK_PERMIT_BIT(SPK_PERMIT_PORT_FORWARDING) |                 \
     SPK_PERMIT_BIT(SPK_PERMIT_AGENT_FORWARDING) | SPK_PERMIT_BIT(SPK_PERMIT_X11_FORWARDING) |     \
     SPK_PERMIT_BIT(SPK_PERMIT_USER_RC) | SPK_PERMIT_BIT(SPK_PERMIT_NO_VERIFY))

/* Each copies what it gets. False: out of memory. */
bool spk_rules_add(spk_rules *rules, spb_span host, uint32_t port, unsigned group);
bool spk_named_add(spk_named_list *list, spb_span name, spb_span value);
/* Case of ASCII letters counts only if `fold` is false. NULL: none. */
const spk_named *spk_named_find(const spk_named_list *list, const char *name, bool fold,
                                size_t index);

#endif
