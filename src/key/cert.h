/* Certificates inside the library: the check before one is believed (PROTOCOL.certkeys), and the
 * names of its algorithms. */
#ifndef SPK_CERT_H
#define SPK_CERT_H

#include "base/wire.h"
#include "crypto/crypto.h"

#include <sallyport/key.h>

/* What a certificate is shown for. */
typedef struct spk_cert_use {
    sp_cert_type type; /* what it must be */
    uint64_t now;      /* seconds since 1970 */
    /* One of these must be one of its principals, byte for byte. None: never. */
    const char *const *names;
    size_t name_count;
    /* For SP_CERT_HOST only: a certificate of our own, whose names are the client's concern. */
    bool any_name;
    const char *address;       /* of the peer; NULL: a source-address refuses */
    const char *ca_algorithms; /* names with commas; NULL: all that we have (no SHA-1) */
} spk_cert_use;

/* Is the certificate good for this use? That its CA is trusted and that neither is revoked is the
 * caller's to find out. Depends on its arguments alone. False: `*reason` gets a text for the log,
 * lent by the certificate:
 *   "not a user certificate", "not a host certificate", "certificate is not valid yet",
 *   "certificate has expired", "certificate lists no principals",
 *   "name is not a listed principal", "unsupported critical option \"x\"",
 *   "malformed option \"x\"", "source address not allowed", "CA signature algorithm not allowed",
 *   "bad CA signature", "CA signed without a touch". */
bool spk_cert_check(const sp_cert *cert, const spk_cert_use *use,
                    const char **reason) SPC_MUST_CHECK;

/* The signature that goes with a public key algorithm's name for certificates:
 * "rsa-sha2-256-cert-v01@openssh.com" gives rsa-sha2-256. NULL: no such, or one we don't have. */
const spc_signature *spk_cert_signature(spb_span name);
/* And back; NULL for index or signature out of range. The text is constant. */
const char *spk_cert_algorithm(const spc_signature *signature);
/* Is this the name of a certificate algorithm or type, known or not? */
bool spk_cert_named(spb_span name);

#endif
