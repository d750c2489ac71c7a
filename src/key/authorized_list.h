/* Inside a list of authorized keys. */
#ifndef SPK_AUTHORIZED_LIST_H
#define SPK_AUTHORIZED_LIST_H

#include "key/authorized.h"
#include "key/key_options.h"

/* One line that counts. */
typedef struct spk_entry {
    uint8_t *blob; /* of its key */
    size_t length;
    unsigned line;
    bool plain; /* no options */
    spk_key_options options;
} spk_entry;

struct sp_authorized_keys {
    atomic_uint references;
    spk_entry *entries; /* by key, those of one key in the order of their lines */
    size_t count, capacity;
};

/* The first entry for a key; `*count` of them stand one behind the other. */
const spk_entry *spk_entries_of(const sp_authorized_keys *list, const sp_key *key, size_t *count);

#endif
