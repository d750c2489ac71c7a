/* Fuzzer: certificates. The first byte picks the form: a blob, a line, or a certificate whose
 * principals, critical options and extensions are cut from the input, so that what lies behind the
 * keys is reached. What is read must be written back as it was, and asking it must be safe. */
#include "key/cert.h"
#include "key/permissions.h"
#include "key/revoked.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static spb_env env;
static sp_key *key;
static sp_revoked_keys *revoked;

static void ask(const sp_cert *cert)
{
    static const char *const names[] = {"alice", ""};
    spk_cert_use use = {.now = 1000, .names = names, .name_count = 2, .address = "192.0.2.1"};
    const char *reason;
    spk_permissions *p;

    for (unsigned type = SP_CERT_NONE; type <= SP_CERT_HOST; type++) {
        use.type = (sp_cert_type)type;
        use.any_name = type == SP_CERT_HOST;
        if (!spk_cert_check(cert, &use, &reason) && (reason == NULL || *reason == '\0'))
            abort();
    }
    if (spk_permissions_from_cert(&p, cert) == 0 && spk_may(p, SPK_PERMIT_NONE))
        abort();
    spk_permissions_unref(p);
    (void)spk_revoked_cert(revoked, cert);
    for (size_t i = 0; sp_cert_option_at(cert, i) != NULL; i++) {
        if (sp_cert_find_option(cert, sp_cert_option_at(cert, i)->name) == NULL)
            abort();
    }
}

static void write_back(const sp_cert *cert)
{
    static char line[96 * 1024];
    sp_cert *again;
    size_t length, again_length;

    if (sp_cert_format(cert, NULL, line, sizeof line) <= 0 || sp_cert_parse(&again, line) != 0)
        abort();
    const uint8_t *blob = sp_cert_blob(cert, &length);
    const uint8_t *again_blob = sp_cert_blob(again, &again_length);
    if (length != again_length || memcmp(blob, again_blob, length) != 0)
        abort();
    sp_cert_unref(again);
}

/* Three pieces of the input, each with a length in front. */
static void make(const uint8_t *data, size_t size, spb_buffer *out)
{
    size_t length;
    spb_span pieces[3];
    const uint8_t *blob = sp_key_blob(key, &length);

    for (size_t i = 0; i < 3; i++) {
        size_t piece = size < 1 ? 0 : data[0] < size ? data[0] : size - 1;
        pieces[i] = (spb_span){data + 1, piece};
        data += size < 1 ? 0 : piece + 1;
        size -= size < 1 ? 0 : piece + 1;
        if (piece == 0)
            pieces[i].data = NULL;
    }
    spw_cstring(out, "ssh-ed25519-cert-v01@openssh.com");
    spw_cstring(out, "nonce");
    spw_bytes(out, blob + 4 + 11, length - 4 - 11);
    spw_u64(out, 1);
    spw_u32(out, 1 + (size & 1));
    spw_cstring(out, "id");
    spw_string(out, pieces[0].data, pieces[0].length);
    spw_u64(out, 0);
    spw_u64(out, UINT64_MAX);
    spw_string(out, pieces[1].data, pieces[1].length);
    spw_string(out, pieces[2].data, pieces[2].length);
    spw_cstring(out, "");
    spw_string(out, blob, length);
    spw_string(out, data, size);
}

static void start(void)
{
    static const char list[] =
        "SSHKRL\n\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0\0\0\0\0";

    spb_env_init(&env, NULL);
    if (sp_key_parse_public(&key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKC2RcahSK4Fxe+"
                                  "Zxp3mtOMcQkLo6KkXv3Uq9fRJ1gpp") != 0 ||
        sp_revoked_keys_parse(&revoked, list, 44) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_cert *cert = NULL;

    if (key == NULL)
        start();
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0) {
        (void)sp_cert_from_blob(&cert, data + 1, size - 1);
    } else if (data[0] % 3 == 1) {
        char *line = spb_strndup(&env, data + 1, size - 1);
        if (line != NULL)
            (void)sp_cert_parse(&cert, line);
        spb_free(&env, line);
    } else {
        spb_buffer blob;
        spb_buffer_init(&blob, &env, 1024 * 1024);
        make(data + 1, size - 1, &blob);
        (void)sp_cert_from_blob(&cert, blob.data, blob.length);
        spb_buffer_free(&blob);
    }
    if (cert != NULL) {
        ask(cert);
        write_back(cert);
    }
    sp_cert_unref(cert);
    return 0;
}
