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

/* ---- signatures: RFC 8709, RFC 5656, RFC 8332, OpenSSH PROTOCOL.certkeys and
 * PROTOCOL.u2f ---- */
#define SIGNATURES_FIPS                                                                            \
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
#define SECURITY_KEYS "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"
#define PLAIN_KEYS "ssh-ed25519,ssh-ed448," SIGNATURES_FIPS
/* Of CAs; a browser makes no certificates. */
#define SIGNATURES_MODERN PLAIN_KEYS "," SECURITY_KEYS
/* Of host keys and of clients' keys: those with certificates first. */
#define CERTIFICATES_FIPS                                                                          \
    "ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,"           \
    "ecdsa-sha2-nistp521-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,"                  \
    "rsa-sha2-256-cert-v01@openssh.com"
#define CERTIFICATES_MODERN                                                                        \
    "ssh-ed25519-cert-v01@openssh.com,ssh-ed448-cert-v01@openssh.com," CERTIFICATES_FIPS
#define KEYS_FIPS CERTIFICATES_FIPS "," SIGNATURES_FIPS
#define KEYS_MODERN                                                                                \
    CERTIFICATES_MODERN                                                                            \
    ",sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"            \
    "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com," PLAIN_KEYS "," SECURITY_KEYS           \
    ",webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
#define HOST_KEYS_COMPATIBLE CERTIFICATES_MODERN "," PLAIN_KEYS
/* Of our own keys ECDSA's are left out: clients that have nothing else are gone. Users' are not. */
#define HOST_KEYS_MODERN                                                                           \
    "ssh-ed25519-cert-v01@openssh.com,ssh-ed448-cert-v01@openssh.com,"                             \
    "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,"                         \
    "ssh-ed25519,ssh-ed448,rsa-sha2-512,rsa-sha2-256"

static const char *const lists[SPT_KIND_COUNT][SPT_PRESET_COUNT] = {
    [SPT_KIND_KEX] = {KEX_MODERN, KEX_COMPATIBLE, KEX_FIPS},
    [SPT_KIND_KEY] = {HOST_KEYS_MODERN, HOST_KEYS_COMPATIBLE, KEYS_FIPS},
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

/* ---- experimental: in no preset, only where a list names them (docs/design/mldsa.md) ---- */
#define EXPERIMENTAL_SIGNATURES ",ssh-mldsa44-ed25519,ssh-mldsa44-ed25519@openssh.com"
#define EXPERIMENTAL_KEYS                                                                          \
    ",ssh-mldsa44-ed25519-cert,ssh-mldsa44-ed25519-cert-v01@openssh.com" EXPERIMENTAL_SIGNATURES

/* The compatible preset has all that is fit for any use; the tables of src/crypto have but the
 * experiments besides. */
const char *spt_supported_list(spt_kind kind)
{
    switch (kind) {
    case SPT_KIND_COMPRESSION:
        return COMPRESSIONS ",zlib";
    case SPT_KIND_KEY:
        return HOST_KEYS_COMPATIBLE EXPERIMENTAL_KEYS;
    case SPT_KIND_SIG:
        return KEYS_MODERN EXPERIMENTAL_KEYS;
    case SPT_KIND_CA_SIG:
        return SIGNATURES_MODERN EXPERIMENTAL_SIGNATURES;
    default:
        return lists[kind][SPT_COMPATIBLE];
    }
}
