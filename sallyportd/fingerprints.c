/* fingerprints.c: prints the host keys as `ssh-keygen -lv` and `ssh-keygen -r` do (RFC 4255). */
#include "fingerprints.h"

#include <stdio.h>

#include "keys.h"
#include "log.h"

#define RECORD_SIZE 512

static int print_picture(const sp_key *key, const char *host, sp_fingerprint_hash hash)
{
    char print[SP_FINGERPRINT_SIZE];
    char picture[SP_RANDOMART_SIZE];
    int result = sp_key_fingerprint_by(key, hash, print);

    if (result == 0)
        result = sp_key_randomart(key, hash, picture);
    if (result == 0)
        (void)printf("%u %s %s (%s)\n%s\n", sp_key_bits(key), print, host, sp_key_short_name(key),
                     picture);
    return result;
}

static int print_record(const sp_key *key, const char *host, sp_sshfp_hash hash)
{
    char record[RECORD_SIZE];
    int length = sp_key_format_sshfp(key, host, hash, record, sizeof record);

    /* There is no number for every type; a hash may be missing on purpose. */
    if (length == SP_ENOTSUP || length == SP_ECRYPTO)
        return 0;
    if (length < 0 || (size_t)length >= sizeof record)
        return length < 0 ? length : SP_ELIMIT;
    (void)puts(record);
    return 0;
}

static int print_key(const sp_key *key, const char *host, sp_fingerprint_hash hash)
{
    int result = print_picture(key, host, hash);

    if (result == 0)
        result = print_record(key, host, SP_SSHFP_SHA1);
    return result == 0 ? print_record(key, host, SP_SSHFP_SHA256) : result;
}

static int load(const program *p, host_keys *keys)
{
    int held = state_hold(p->account);

    if (held < 0)
        return -1;
    int result = host_keys_load(keys, config_own(p->config), p->account, true);
    state_release(held);
    if (result != 0)
        log_error("No host key can be used");
    return result;
}

int fingerprints_print(const program *p, const char *host)
{
    const sp_fingerprint_hash hash = (sp_fingerprint_hash)config_own(p->config)->fingerprint_hash;
    host_keys keys = {.count = 0};
    int result = 0;

    if (load(p, &keys) != 0)
        return 1;
    for (size_t i = 0; i < keys.count && result == 0; i++)
        result = print_key(keys.keys[i], host, hash);
    for (size_t i = 0; i < keys.further_count && result == 0; i++)
        result = print_key(keys.further[i], host, hash);
    host_keys_free(&keys);
    if (result != 0)
        log_error("Fingerprints for %s: %s", host, sp_strerror(result));
    return result == 0 ? 0 : 1;
}
