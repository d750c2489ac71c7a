/* The compiled options of one server: parsed once, immutable, counted. */
#ifndef SPT_CONFIG_H
#define SPT_CONFIG_H

#include "base/mem.h"
#include "base/wire.h"
#include "crypto/crypto.h"
#include <stdatomic.h>

#define SPT_LIST_MAX 32

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
    const spc_signature *signatures[SPT_LIST_MAX];      /* accepted from clients */
    const spc_signature *host_signatures[SPT_LIST_MAX]; /* offered by us: a host key fits */
    const char *compressions[4];
    /* The name lists as sent in KEXINIT, and server-sig-algs. */
    char *kex_list, *host_key_list, *cipher_list, *mac_list, *compression_list, *signature_list;
};

/* The host key that a signature algorithm fits; NULL: none. */
const sp_key *spt_config_host_key(const sp_config *config, const spc_signature *algorithm);

#endif
