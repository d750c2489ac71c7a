/* The host keys of a configuration: those that sign key exchanges, their certificates (OpenSSH
 * PROTOCOL.certkeys), and those that clients are only told of (OpenSSH PROTOCOL 2.5). */
#include "transport/config.h"

#include "key/cert.h"

#include <string.h>
#include <time.h>

static void use_key(const sp_config *config, size_t i, bool certificate, spt_host_algorithm *out)
{
    size_t length;
    const uint8_t *blob;

    if (certificate && config->host_certificates[i] == NULL)
        return;
    blob = certificate ? sp_cert_blob(config->host_certificates[i], &length)
                       : sp_key_blob(config->host_keys[i], &length);
    out->key = config->host_keys[i];
    out->blob = (spb_span){blob, length};
}

bool spt_host_algorithm_find(const sp_config *config, spb_span name, spt_host_algorithm *found)
{
    const spc_signature *signature = spc_signature_find(name);
    bool certificate = signature == NULL;

    if (certificate)
        signature = spk_cert_signature(name);
    if (signature == NULL)
        return false;
    *found = (spt_host_algorithm){.signature = signature};
    found->name = certificate ? spk_cert_algorithm(signature) : signature->name;
    for (size_t i = 0; i < config->host_key_count; i++) {
        if (sp_key_get_type(config->host_keys[i]) == signature->key_type)
            use_key(config, i, certificate, found);
    }
    return true;
}

bool spt_config_key_short(const sp_config *config, const sp_key *key)
{
    return key != NULL && sp_key_get_type(key) == SP_KEY_RSA &&
           sp_key_bits(key) < config->options.rsa_bits_min;
}

static int take_key(sp_config *config, sp_key *key, const char *what, size_t i, char *reason,
                    size_t size)
{
    if (key == NULL || !(sp_key_is_private(key) || sp_key_is_external(key)))
        return spt_explain(SP_EINVAL, reason, size, "%s %zu is not a private key, nor external",
                           what, i);
    if (sp_key_is_security_key(key))
        return spt_explain(SP_EINVAL, reason, size, "%s %zu is a security key", what, i);
    if (spt_config_key_short(config, key))
        return spt_explain(SP_EINVAL, reason, size, "%s %zu has less than %u bits", what, i,
                           config->options.rsa_bits_min);
    for (size_t j = 0; j < config->all_key_count; j++) {
        if (sp_key_equal(config->host_keys[j], key))
            return spt_explain(SP_EINVAL, reason, size, "%s %zu is given twice", what, i);
    }
    config->host_keys[config->all_key_count++] = sp_key_ref(key);
    return 0;
}

static int take_host_key(sp_config *config, sp_key *key, size_t i, char *reason, size_t size)
{
    for (size_t j = 0; key != NULL && j < config->host_key_count; j++) {
        if (sp_key_get_type(config->host_keys[j]) == sp_key_get_type(key))
            return spt_explain(SP_EINVAL, reason, size, "two host keys of type %s",
                               sp_key_type_name(key));
    }
    int result = take_key(config, key, "host key", i, reason, size);
    if (result == 0)
        config->host_key_count++;
    return result;
}

/* An expired certificate is not refused: clients that check it will say so, and a server that does
 * not start because of it helps nobody. The administrator is told. */
static int check_certificate(const sp_config *config, const sp_cert *cert, size_t i, char *reason,
                             size_t size)
{
    spk_cert_use use = {.type = SP_CERT_HOST, .any_name = true};
    const char *why = NULL;

    use.now = sp_cert_valid_after(cert); /* for all but the time */
    if (!spk_cert_check(cert, &use, &why))
        return spt_explain(SP_EINVAL, reason, size, "host certificate %zu: %s", i, why);
    use.now = (uint64_t)time(NULL);
    if (!spk_cert_check(cert, &use, &why))
        spb_log(&config->env, SP_LOG_ERROR, "host certificate %zu: %s", i, why);
    return 0;
}

static int take_certificate(sp_config *config, const sp_cert *cert, size_t i, char *reason,
                            size_t size)
{
    if (cert == NULL)
        return spt_explain(SP_EINVAL, reason, size, "host certificate %zu is missing", i);
    int result = check_certificate(config, cert, i, reason, size);
    if (result != 0)
        return result;
    for (size_t k = 0; k < config->host_key_count; k++) {
        if (!sp_key_equal(config->host_keys[k], sp_cert_key(cert)))
            continue;
        if (config->host_certificates[k] != NULL)
            return spt_explain(SP_EINVAL, reason, size, "two host certificates for the %s key",
                               sp_key_type_name(config->host_keys[k]));
        config->host_certificates[k] = sp_cert_ref(cert);
        return 0;
    }
    return spt_explain(SP_EINVAL, reason, size, "host certificate %zu is for none of the host keys",
                       i);
}

/* All of them have to fit into one packet that every client takes (RFC 4253 6.1). */
static int check_bytes(const sp_config *config, char *reason, size_t size)
{
    size_t total = 0;
    size_t length;

    for (size_t i = 0; i < config->all_key_count; i++) {
        (void)sp_key_blob(config->host_keys[i], &length);
        total += 4 + length;
    }
    return total <= SPT_HOST_KEY_BYTES_MAX
               ? 0
               : spt_explain(SP_EINVAL, reason, size, "the host keys are too large together");
}

int spt_config_keys(sp_config *config, const sp_protocol_options *o, char *reason, size_t size)
{
    size_t count = o->host_key_count;
    size_t further = o->further_host_keys == NULL ? 0 : o->further_host_key_count;
    size_t certificates = o->host_certificates == NULL ? 0 : o->host_certificate_count;
    int result = 0;

    if (o->host_keys == NULL || count == 0)
        return spt_explain(SP_EINVAL, reason, size, "no host key was given");
    if (count > SPT_HOST_KEYS_MAX || further > SPT_HOST_KEYS_MAX - count)
        return spt_explain(SP_EINVAL, reason, size, "more than %d host keys", SPT_HOST_KEYS_MAX);
    config->host_keys = spb_calloc(&config->env, count + further, sizeof *config->host_keys);
    config->host_certificates = spb_calloc(&config->env, count, sizeof *config->host_certificates);
    if (config->host_keys == NULL || config->host_certificates == NULL)
        return spt_explain(SP_ENOMEM, reason, size, "out of memory");
    for (size_t i = 0; i < count && result == 0; i++)
        result = take_host_key(config, o->host_keys[i], i, reason, size);
    for (size_t i = 0; i < further && result == 0; i++)
        result = take_key(config, o->further_host_keys[i], "further host key", i, reason, size);
    for (size_t i = 0; i < certificates && result == 0; i++)
        result = take_certificate(config, o->host_certificates[i], i, reason, size);
    return result != 0 ? result : check_bytes(config, reason, size);
}

void spt_config_keys_free(sp_config *config)
{
    for (size_t i = 0; config->host_keys != NULL && i < config->all_key_count; i++)
        sp_key_unref(config->host_keys[i]);
    for (size_t i = 0; config->host_certificates != NULL && i < config->host_key_count; i++)
        sp_cert_unref(config->host_certificates[i]);
    spb_free(&config->env, config->host_keys);
    spb_free(&config->env, config->host_certificates);
}
