/* The compiled options of one server: parsed once, immutable, counted. */
#ifndef SPT_CONFIG_H
#define SPT_CONFIG_H

#include "base/mem.h"
#include "base/wire.h"
#include "crypto/crypto.h"
#include <stdatomic.h>

#define SPT_LIST_MAX 32

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
    char *version; /* the whole line without CR LF: "SSH-2.0-..." */
    sp_key **host_keys;
    size_t host_key_count;
    const spc_kex *kex[SPT_LIST_MAX];
    const spc_cipher *ciphers[SPT_LIST_MAX];
    const spc_mac *macs[SPT_LIST_MAX];
    const spc_signature *host_signatures[SPT_LIST_MAX]; /* offered by us: a host key fits */
    spt_user_algorithm user_algorithms[SPT_LIST_MAX];   /* accepted from clients */
    const char *compressions[4];
    /* The name lists as sent in KEXINIT, and that for public key authentication. */
    char *kex_list, *host_key_list, *cipher_list, *mac_list, *compression_list, *signature_list;
    char *ca_signature_list; /* what certificates may be signed with */
    char *server_sig_algs;   /* RFC 8308 3.1 */
};

/* The host key that a signature algorithm fits; NULL: none. */
const sp_key *spt_config_host_key(const sp_config *config, const spc_signature *algorithm);

/* By name, in all that this build has. */
bool spt_user_algorithm_find(spb_span name, spt_user_algorithm *out);
/* By name, among those that are enabled; NULL: it is not. */
const spt_user_algorithm *spt_config_user_algorithm(const sp_config *config, spb_span name);
/* Seconds since 1970, by the options' clock. */
uint64_t spt_config_wall_clock(const sp_config *config);

#endif
