/* The names that a client's public key authentication goes by: a signature algorithm's own for a
 * plain key (RFC 8332, RFC 8709, RFC 5656), or that of a certificate (OpenSSH PROTOCOL.certkeys),
 * which stands for the same signature algorithm. SHA-1 signatures do not exist here, so neither
 * does "ssh-rsa-cert-v01@openssh.com" as the name of an algorithm. */
#include "key/cert.h"
#include "transport/config.h"

bool spt_user_algorithm_find(spb_span name, spt_user_algorithm *out)
{
    const spc_signature *signature = spc_signature_find(name);

    if (signature != NULL) {
        *out = (spt_user_algorithm){signature->name, signature, false};
        return true;
    }
    signature = spk_cert_signature(name);
    if (signature == NULL)
        return false;
    *out = (spt_user_algorithm){spk_cert_algorithm(signature), signature, true};
    return out->name != NULL;
}

const spt_user_algorithm *spt_config_user_algorithm(const sp_config *config, spb_span name)
{
    for (size_t i = 0; i < SPT_LIST_MAX && config->user_algorithms[i].name != NULL; i++)
        if (spb_span_is(name, config->user_algorithms[i].name))
            return &config->user_algorithms[i];
    return NULL;
}

static void append(spb_buffer *out, size_t start, const char *name)
{
    if (out->length > start &&
        spb_name_in((spb_span){out->data + start, out->length - start}, name))
        return;
    if (out->length > start)
        spw_u8(out, ',');
    spw_bytes(out, name, strlen(name));
}

/* The names, then what those of certificates sign with: OpenSSH's client looks for the latter, also
 * where a plain key may not use it. */
void spt_config_write_sig_algs(const sp_config *config, const char *only, spb_buffer *out)
{
    size_t start = out->length;

    for (int signatures = 0; signatures < 2; signatures++) {
        for (size_t i = 0; i < SPT_LIST_MAX && config->user_algorithms[i].name != NULL; i++) {
            const spt_user_algorithm *u = &config->user_algorithms[i];
            if (only == NULL || spb_name_in(spb_span_of(only), u->name))
                append(out, start, signatures != 0 ? u->signature->name : u->name);
        }
    }
}
