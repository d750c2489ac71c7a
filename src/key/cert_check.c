/* Whether a certificate is good for what it is shown for (PROTOCOL.certkeys), and the names of the
 * public key algorithms that go with certificates (RFC 8332 3 for those of RSA). */
#include "key/cert_internal.h"
#include "key/match.h"

#include <string.h>

#define CERT_SUFFIX "-cert-v01@openssh.com"
#define COMPOSITE_CERT "ssh-mldsa44-ed25519-cert" /* without it: OpenSSH 10.6 */

/* By signature, in no order. */
static const struct algorithm {
    const char *signature;
    const char *name;
} algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519" CERT_SUFFIX},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" CERT_SUFFIX},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" CERT_SUFFIX},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" CERT_SUFFIX},
    {"rsa-sha2-512", "rsa-sha2-512" CERT_SUFFIX},
    {"rsa-sha2-256", "rsa-sha2-256" CERT_SUFFIX},
    {"ssh-ed448", "ssh-ed448" CERT_SUFFIX},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519" CERT_SUFFIX},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256" CERT_SUFFIX},
    {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256" CERT_SUFFIX},
    {"ssh-mldsa44-ed25519", COMPOSITE_CERT},
    {"ssh-mldsa44-ed25519@openssh.com", "ssh-mldsa44-ed25519" CERT_SUFFIX},
};
#define ALGORITHM_COUNT (sizeof algorithms / sizeof algorithms[0])

const spc_signature *spk_cert_signature(spb_span name)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (spb_span_is(name, algorithms[i].name))
            return spc_signature_find(spb_span_of(algorithms[i].signature));
    }
    return NULL;
}

const char *spk_cert_algorithm(const spc_signature *signature)
{
    for (size_t i = 0; signature != NULL && i < ALGORITHM_COUNT; i++) {
        if (strcmp(algorithms[i].signature, signature->name) == 0)
            return algorithms[i].name;
    }
    return NULL;
}

bool spk_cert_named(spb_span name)
{
    size_t length = strlen(CERT_SUFFIX);

    return spb_span_is(name, COMPOSITE_CERT) ||
           (name.length > length &&
            memcmp(name.data + name.length - length, CERT_SUFFIX, length) == 0);
}

static bool has_principal(const sp_cert *cert, const char *name)
{
    for (size_t i = 0; i < cert->principal_count; i++) {
        if (*name != '\0' && strcmp(cert->principals[i], name) == 0)
            return true;
    }
    return false;
}

static const char *check_names(const sp_cert *cert, const spk_cert_use *use)
{
    if (use->any_name && cert->type == SP_CERT_HOST)
        return NULL;
    if (cert->principal_count == 0)
        return "certificate lists no principals";
    for (size_t i = 0; i < use->name_count; i++) {
        if (has_principal(cert, use->names[i]))
            return NULL;
    }
    return "name is not a listed principal";
}

static const char *check_options(const sp_cert *cert, const spk_cert_use *use)
{
    if (cert->objection != NULL)
        return cert->objection;
    for (size_t i = 0; i < cert->option_count; i++) {
        const sp_cert_option *o = &cert->options[i];
        if (!o->critical || strcmp(o->name, "source-address") != 0)
            continue;
        if (use->address == NULL || !spk_match_networks(o->value, use->address))
            return "source address not allowed";
    }
    return NULL;
}

static const char *check_signature(const sp_cert *cert, const spk_cert_use *use)
{
    spb_reader r;

    spr_init(&r, cert->signature.data, cert->signature.length);
    spb_span name = spr_string(&r);
    spb_span inner = spr_rest(&r);
    sp_signature_info info;
    if (!spr_ok(&r))
        return "bad CA signature";
    const spc_signature *algorithm = spc_signature_find(name);
    if (algorithm == NULL || (use->ca_algorithms != NULL &&
                              !spb_name_in(spb_span_of(use->ca_algorithms), algorithm->name)))
        return "CA signature algorithm not allowed";
    if (!spk_verify(cert->ca, algorithm, (spb_span){cert->blob, cert->signed_length}, inner, &info))
        return "bad CA signature";
    /* There is nothing that could waive it: who signs logins of others is there when he does. */
    return info.security_key && !info.touched ? "CA signed without a touch" : NULL;
}

static const char *check_type(const sp_cert *cert, const spk_cert_use *use)
{
    if (use->type == cert->type && use->type != SP_CERT_NONE)
        return NULL;
    return use->type == SP_CERT_HOST ? "not a host certificate" : "not a user certificate";
}

static const char *check_time(const sp_cert *cert, uint64_t now)
{
    if (now < cert->valid_after)
        return "certificate is not valid yet";
    return now < cert->valid_before ? NULL : "certificate has expired";
}

bool spk_cert_check(const sp_cert *cert, const spk_cert_use *use, const char **reason)
{
    /* What costs most comes last. */
    *reason = check_type(cert, use);
    if (*reason == NULL)
        *reason = check_time(cert, use->now);
    if (*reason == NULL)
        *reason = check_names(cert, use);
    if (*reason == NULL)
        *reason = check_options(cert, use);
    if (*reason == NULL)
        *reason = check_signature(cert, use);
    return *reason == NULL;
}
