/* Inside a certificate. */
#ifndef SPK_CERT_INTERNAL_H
#define SPK_CERT_INTERNAL_H

#include "key/cert.h"
#include "key/key_internal.h"

#define SPK_PRINCIPALS_MAX ((size_t)256)
#define SPK_CERT_OPTIONS_MAX ((size_t)64) /* of a kind */

typedef struct spk_cert_name {
    const char *name; /* "ssh-ed25519-cert-v01@openssh.com" */
    sp_key_type type; /* of the certified key */
    unsigned fields;  /* strings and mpints of the key in the blob */
} spk_cert_name;

struct sp_cert {
    atomic_uint references;
    const spk_cert_name *name;
    sp_cert_type type;
    uint8_t *blob;
    size_t blob_length;
    size_t signed_length; /* what the signature is over, from the front */
    spb_span signature;   /* in the blob */
    sp_key *key;
    sp_key *ca;
    uint64_t serial, valid_after, valid_before;
    char *key_id;
    char **principals;
    size_t principal_count;
    sp_cert_option *options; /* critical ones first; the texts are owned */
    size_t option_count;
    char *objection; /* why the options can't be obeyed, or NULL */
};

/* cert_options.c. Reads both lists. 0 or SP_E... */
int spk_cert_read_options(sp_cert *cert, spb_span critical, spb_span extensions);
void spk_cert_free_options(sp_cert *cert);
/* Finds what stands against the options; sets `objection`. 0 or SP_ENOMEM. */
int spk_cert_judge_options(sp_cert *cert);

#endif
