/* Lists of algorithm names: what this build has, what each preset takes of it, and the lists that
 * are written as in sshd_config ("+...", "-...", "^...", patterns). */
#ifndef SPT_ALGORITHMS_H
#define SPT_ALGORITHMS_H

#include "base/wire.h"

/* The kinds of <sallyport/protocol.h>, in its order. */
typedef enum spt_kind {
    SPT_KIND_KEX,
    SPT_KIND_KEY,
    SPT_KIND_CIPHER,
    SPT_KIND_MAC,
    SPT_KIND_COMPRESSION,
    SPT_KIND_SIG,
    SPT_KIND_CA_SIG,
    SPT_KIND_COUNT
} spt_kind;

typedef enum spt_preset {
    SPT_MODERN, /* the default */
    SPT_COMPATIBLE,
    SPT_FIPS,
    SPT_PRESET_COUNT
} spt_preset;

/* False: there is no such preset. NULL is the default one. */
bool spt_preset_find(const char *name, spt_preset *preset);
const char *spt_preset_list(spt_preset preset, spt_kind kind);
/* All that this build has. */
const char *spt_supported_list(spt_kind kind);

/* lists.c */
const char *spt_kind_noun(spt_kind kind); /* for messages: "cipher" */
/* Appends the names that `list` stands for, given the list that its prefix refers to. 0,
 * SP_ENOMEM, or SP_EINVAL with a sentence in `reason`. NULL: `base` itself. */
int spt_list_resolve(spt_kind kind, const char *base, const char *list, spb_buffer *out,
                     char *reason, size_t size);

#endif
