/* Inside a list of revoked keys. All spans lie in `store`. */
#ifndef SPK_REVOKED_INTERNAL_H
#define SPK_REVOKED_INTERNAL_H

#include "key/key_internal.h"
#include "key/revoked.h"

#define SPK_REVOKED_MAX ((size_t)64 * 1024 * 1024)
#define SPK_REVOKED_CAS_MAX ((size_t)4096)

typedef struct spk_spans {
    spb_span *items; /* sorted when the list is ready */
    size_t count, capacity;
} spk_spans;

/* Serial numbers from `low` to `high`: all of them, or those with a bit in `bitmap` (big-endian,
 * the last bit is low's). */
typedef struct spk_serials {
    uint64_t low, high;
    uint64_t reach; /* the highest `high` up to here, in the sorted array */
    spb_span bitmap;
} spk_serials;

/* What is revoked of one CA's certificates. */
typedef struct spk_revoked_ca {
    spb_span blob; /* of its key; empty: of all CAs */
    spk_serials *serials;
    size_t serial_count, serial_capacity;
    spk_spans key_ids;
} spk_revoked_ca;

struct sp_revoked_keys {
    atomic_uint references;
    spb_buffer store;
    spk_spans keys, sha1, sha256;
    spk_revoked_ca *cas;
    size_t ca_count, ca_capacity;
};

/* False: out of memory. */
bool spk_spans_add(spk_spans *spans, spb_span one);
/* Is this a public key's blob, as far as its parts go? Of types that we don't know, only the name
 * is looked at: such keys can't be used here. */
bool spk_revoked_blob_good(spb_span blob);

/* krl.c: does it begin as a KRL? Then reads it; the list's store holds it whole. 0 or SP_E... */
bool spk_krl_recognised(spb_span data);
int spk_krl_parse(sp_revoked_keys *list);

#endif
