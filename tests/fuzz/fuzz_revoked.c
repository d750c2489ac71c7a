/* Fuzzer: lists of revoked keys. An input whose first byte is even is a whole list; else it gets a
 * KRL's header put before it, so that sections are reached. Then a key and serial numbers are asked
 * for. */
#include "key/cert.h"
#include "key/revoked.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char header[44] = "SSHKRL\n\0\0\0\0\1"; /* and zeros */
static spb_env env;
static sp_key *key;
static sp_cert *certs[3];

static void make_cert(sp_cert **cert, uint64_t serial)
{
    spb_buffer b;
    size_t length;
    const uint8_t *blob = sp_key_blob(key, &length);

    spb_buffer_init(&b, &env, 4096);
    spw_cstring(&b, "ssh-ed25519-cert-v01@openssh.com");
    spw_cstring(&b, "nonce");
    spw_bytes(&b, blob + 4 + 11, length - 4 - 11);
    spw_u64(&b, serial);
    spw_u32(&b, 1);
    spw_cstring(&b, "id");
    spw_cstring(&b, "");
    spw_u64(&b, 0);
    spw_u64(&b, UINT64_MAX);
    for (unsigned i = 0; i < 3; i++)
        spw_cstring(&b, "");
    spw_string(&b, blob, length);
    spw_cstring(&b, "signature");
    if (sp_cert_from_blob(cert, b.data, b.length) != 0)
        abort();
    spb_buffer_free(&b);
}

static void start(void)
{
    static const uint64_t serials[] = {0, 0x0102030405060708, UINT64_MAX};

    spb_env_init(&env, NULL);
    if (sp_key_parse_public(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKC2RcahSK4Fxe+"
                                  "Zxp3mtOMcQkLo6KkXv3Uq9fRJ1gpp") != 0)
        abort();
    for (size_t i = 0; i < 3; i++)
        make_cert(&certs[i], serials[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_revoked_keys *list;

    if (key == NULL)
        start();
    if (size == 0)
        return 0;
    size_t before = data[0] % 2 == 1 ? sizeof header : 0;
    uint8_t *whole = malloc(before + size);
    if (whole == NULL)
        return 0;
    memcpy(whole, header, before);
    memcpy(whole + before, data + 1, size - 1);
    if (sp_revoked_keys_parse(&list, whole, before + size - 1) == 0) {
        bool revoked = spk_revoked_key(list, key);
        for (size_t i = 0; i < 3; i++) {
            if (!spk_revoked_cert(list, certs[i]) && revoked)
                abort();
        }
    } else if (list != NULL) {
        abort();
    }
    sp_revoked_keys_unref(list);
    free(whole);
    return 0;
}
