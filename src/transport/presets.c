/* The names that this build has, and those of each preset, best first. docs/guide/algorithms.md has
 * the same lists (tests/interop/test_presets.py compares them), docs/design/algorithms.md why. */
#include "transport/algorithms.h"

#include <string.h>

/* ---- key exchange: draft-ietf-sshm-mlkem-hybrid-kex, draft-ietf-sshm-ntruprime-ssh, RFC 8731, RFC
 * 5656, RFC 8268, RFC 4419 ---- */
#define KEX_MODERN                                                                                 \
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"             \
    "curve25519-sha256,curve25519-sha256@libssh.org,curve448-sha512"
#define KEX_CURVES "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
#define KEX_COMPATIBLE                                                                             \
    KEX_MODERN "," KEX_CURVES ",diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"      \
               "diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256"
/* A prime out of a file is none that SP 800-56A names. */
#define KEX_FIPS                                                                                   \
    KEX_CURVES ",diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"                     \
               "diffie-hellman-group14-sha256"

/* ---- ciphers: RFC 4344, RFC 5647, OpenSSH PROTOCOL.chacha20poly1305 ---- */
#define CIPHERS_FIPS                                                                               \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"
#define CIPHERS_MODERN "chacha20-poly1305@openssh.com," CIPHERS_FIPS

/* ---- MACs: RFC 6668, RFC 4418, OpenSSH PROTOCOL 1.5 ---- */
#define MACS_SHA2_ETM "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
#define MACS_SHA2 "hmac-sha2-256,hmac-sha2-512"
#define MACS_MODERN MACS_SHA2_ETM ",umac-128-etm@openssh.com"
#define MACS_COMPATIBLE                                                                            \
    MACS_MODERN "," MACS_SHA2 ",umac-128@openssh.com,umac-64-etm@openssh.com,"                     \
                "umac-64@openssh.com,hmac-sha1-etm@openssh.com,hmac-sha1"
#define MACS_FIPS MACS_SHA2_ETM "," MACS_SHA2

/* ---- compression: RFC 4253 6.2, OpenSSH PROTOCOL 1.2. zlib before login: only by name ---- */
#define COMPRESSIONS "none,zlib@openssh.com"

/* ---- signatures: RFC 8709, RFC 5656, RFC 8332, OpenSSH PROTOCOL.certkeys ---- */
#define SIGNATURES_FIPS                                                                            \
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
#define SIGNATURES_MODERN "ssh-ed25519," SIGNATURES_FIPS
/* Of host keys and of clients' keys: those with certificates first. */
#define CERTIFICATES_FIPS                                                                          \
    "ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,"           \
    "ecdsa-sha2-nistp521-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,"                  \
    "rsa-sha2-256-cert-v01@openssh.com"
#define KEYS_FIPS CERTIFICATES_FIPS "," SIGNATURES_FIPS
#define KEYS_MODERN "ssh-ed25519-cert-v01@openssh.com," CERTIFICATES_FIPS "," SIGNATURES_MODERN
/* Of our own keys ECDSA's are left out: clients that have nothing else are gone. Users' are not. */
#define HOST_KEYS_MODERN                                                                           \
    "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,"                          \
    "rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512,rsa-sha2-256"

static const char *const lists[SPT_KIND_COUNT][SPT_PRESET_COUNT] = {
    [SPT_KIND_KEX] = {KEX_MODERN, KEX_COMPATIBLE, KEX_FIPS},
    [SPT_KIND_KEY] = {HOST_KEYS_MODERN, KEYS_MODERN, KEYS_FIPS},
    [SPT_KIND_CIPHER] = {CIPHERS_MODERN, CIPHERS_MODERN, CIPHERS_FIPS},
    [SPT_KIND_MAC] = {MACS_MODERN, MACS_COMPATIBLE, MACS_FIPS},
    [SPT_KIND_COMPRESSION] = {COMPRESSIONS, COMPRESSIONS, COMPRESSIONS},
    [SPT_KIND_SIG] = {KEYS_MODERN, KEYS_MODERN, KEYS_FIPS},
    [SPT_KIND_CA_SIG] = {SIGNATURES_MODERN, SIGNATURES_MODERN, SIGNATURES_FIPS},
};

bool spt_preset_find(const char *name, spt_preset *preset)
{
    static const char *const names[SPT_PRESET_COUNT] = {"modern", "compatible", "fips"};

    *preset = SPT_MODERN;
    if (name == NULL)
        return true;
    for (int i = 0; i < SPT_PRESET_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *preset = (spt_preset)i;
            return true;
        }
    }
    return false;
}

const char *spt_preset_list(spt_preset preset, spt_kind kind)
{
    return lists[kind][preset];
}

/* The compatible preset has all that is fit for any use; the tables of src/crypto have no more. */
const char *spt_supported_list(spt_kind kind)
{
    return kind == SPT_KIND_COMPRESSION ? COMPRESSIONS ",zlib" : lists[kind][SPT_COMPATIBLE];
}
