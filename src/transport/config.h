/* The compiled options of one server: parsed once, immutable, counted. */
#ifndef SPT_CONFIG_H
#define SPT_CONFIG_H

#include "base/mem.h"
#include "base/wire.h"
#include "crypto/crypto.h"
#include "transport/moduli.h"
#include <stdatomic.h>

#define SPT_LIST_MAX 32
#define SPT_HOST_KEYS_MAX 32
#define SPT_HOST_KEY_BYTES_MAX ((size_t)30000) /* together: they are told of in one packet */

/* A host key algorithm that we offer: a name, and what it takes. */
typedef struct spt_host_algorithm {
    const char *name;               /* also of the kind with a certificate */
    const spc_signature *signature; /* how the key signs */
    const sp_key *key;              /* NULL: none fits */
    spb_span blob;                  /* K_S: the key's, or the certificate's */
} spt_host_algorithm;

/* A name that a client may authenticate by with a key: user_algorithms.c. */
typedef struct spt_user_algorithm {
    const char *name;               /* NULL: the end of a list */
    const spc_signature *signature; /* what proves possession of the key */
    bool certificate;               /* the blob is a certificate for that key */
} spt_user_algorithm;

struct sp_config {
    atomic_uint references;
    spb_env env;
    /* A copy with every default filled in: what is read at run time. Pointers to lists are not
     * used; the tables below are. `login_timeout_ms` and `rekey_seconds` UINT32_MAX: none. */
    sp_protocol_options options;
    char *version;      /* the whole line without CR LF: "SSH-2.0-..." */
    sp_key **host_keys; /* those of the exchange first, then those that are only told of */
    size_t host_key_count;
    size_t all_key_count;
    sp_cert **host_certificates; /* for the key at the same place; NULL: none */
    const spc_kex *kex[SPT_LIST_MAX];
    const spc_cipher *ciphers[SPT_LIST_MAX];
    const spc_mac *macs[SPT_LIST_MAX];
    spt_host_algorithm host_algorithms[SPT_LIST_MAX];
    spt_user_algorithm user_algorithms[SPT_LIST_MAX]; /* accepted from clients */
    const char *compressions[4];
    /* The name lists as sent in KEXINIT, and that for public key authentication. */
    char *kex_list, *host_key_list, *cipher_list, *mac_list, *compression_list, *signature_list;
    char *ca_signature_list; /* what certificates may be signed with */
    char *server_sig_algs;   /* RFC 8308 3.1 */
    spt_moduli moduli;       /* empty: no group exchange */
};

/* config_keys.c. `*found` has no key if none fits. False: the name is unknown. */
bool spt_host_algorithm_find(const sp_config *config, spb_span name, spt_host_algorithm *found);
int spt_config_keys(sp_config *config, const sp_protocol_options *o, char *reason, size_t size);
void spt_config_keys_free(sp_config *config);

/* Writes a sentence into `reason`, which may be NULL, and returns `error`. */
__attribute__((format(printf, 4, 5))) int spt_explain(int error, char *reason, size_t size,
                                                      const char *format, ...);

/* By name, in all that this build has. */
bool spt_user_algorithm_find(spb_span name, spt_user_algorithm *out);
/* By name, among those that are enabled; NULL: it is not. */
const spt_user_algorithm *spt_config_user_algorithm(const sp_config *config, spb_span name);
/* Appends server-sig-algs (RFC 8308 3.1): what is enabled and in `only` (NULL: everything is). */
void spt_config_write_sig_algs(const sp_config *config, const char *only, spb_buffer *out);
/* Seconds since 1970, by the options' clock. */
uint64_t spt_config_wall_clock(const sp_config *config);

#endif
