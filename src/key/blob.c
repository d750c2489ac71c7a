/* Public key blobs, read and written (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4,
 * OpenSSH PROTOCOL.u2f, draft-ietf-sshm-composite-sigs). A blob that is read must be in the one
 * canonical form, so that equal keys have equal blobs. */
#include "key/key_internal.h"

#include <string.h>

static bool ends_with(spb_span s, const char *end)
{
    size_t length = strlen(end);
    return s.length >= length && memcmp(s.data + s.length - length, end, length) == 0;
}

static int read_eddsa(spb_reader *r, sp_key_type type, spc_pkey **pkey)
{
    spb_span point = spr_string(r);
    const spb_span none = {NULL, 0};

    return spr_ok(r) && spc_pkey_from_eddsa(pkey, spk_env(), type, point, none) ? 0 : SP_EFORMAT;
}

static int read_ecdsa(spb_reader *r, sp_key_type type, spc_pkey **pkey)
{
    spb_span curve = spr_string(r);
    spb_span point = spr_string(r);
    const spb_span none = {NULL, 0};

    return spr_ok(r) && spb_span_is(curve, spk_curve_name(type)) &&
                   spc_pkey_from_ecdsa(pkey, spk_env(), type, point, none)
               ? 0
               : SP_EFORMAT;
}

static int read_composite(spb_reader *r, sp_key_type type, spc_pkey **pkey)
{
    spb_span points = spr_string(r);
    const spb_span none = {NULL, 0};

    return spr_ok(r) && spc_pkey_from_composite(pkey, spk_env(), type, points, none) ? 0
                                                                                     : SP_EFORMAT;
}

static int read_rsa(spb_reader *r, spc_pkey **pkey)
{
    spb_span e = spr_mpint(r);
    spb_span n = spr_mpint(r);
    const spb_span none = {NULL, 0};

    if (!spr_done(r))
        return SP_EFORMAT;
    /* Outside 2048 to 16384 bits, or an exponent that nobody should use. */
    return spc_pkey_from_rsa(pkey, spk_env(), n, e, none, none, none, none) ? 0 : SP_ENOTSUP;
}

/* A plain key and what it was made for (OpenSSH PROTOCOL.u2f). */
static int read_security_key(spb_reader *r, sp_key_type type, sp_key **key)
{
    spc_pkey *pkey = NULL;
    int result = type == SP_KEY_SK_ED25519 ? read_eddsa(r, SP_KEY_ED25519, &pkey)
                                           : read_ecdsa(r, SP_KEY_ECDSA_P256, &pkey);
    spb_span application = spr_string(r);

    if (result == 0 && (!spr_done(r) || !spk_application_good(application))) {
        spc_pkey_free(pkey);
        result = SP_EFORMAT;
    }
    return result == 0 ? spk_new_security_key(key, pkey, type, application) : result;
}

int sp_key_from_blob(sp_key **key, const void *blob, size_t length)
{
    spc_pkey *pkey = NULL;
    spb_reader r;
    int result;

    *key = NULL;
    spr_init(&r, blob, length);
    spb_span name = spr_string_max(&r, 64);
    if (!spr_ok(&r))
        return SP_EFORMAT;
    sp_key_type type = spk_type_find(name);
    if (type == SP_KEY_NONE || ends_with(name, "-cert-v01@openssh.com"))
        return SP_ENOTSUP;
    if (spk_is_security_key(type))
        return read_security_key(&r, type, key);
    if (type == SP_KEY_ED25519 || type == SP_KEY_ED448)
        result = read_eddsa(&r, type, &pkey);
    else if (spc_is_composite(type))
        result = read_composite(&r, type, &pkey);
    else if (type == SP_KEY_RSA)
        result = read_rsa(&r, &pkey);
    else
        result = read_ecdsa(&r, type, &pkey);
    if (result == 0 && !spr_done(&r)) {
        spc_pkey_free(pkey);
        result = SP_EFORMAT;
    }
    return result == 0 ? spk_new(key, pkey, false) : result;
}

bool spk_write_part(const spc_pkey *pkey, const char *what, bool mpint, spb_buffer *out)
{
    spb_buffer part;

    spb_buffer_init(&part, spk_env(), SPK_BLOB_MAX);
    part.secret = true;
    bool good = spc_pkey_get(pkey, what, &part);
    if (good && mpint)
        spw_mpint(out, part.data, part.length);
    else if (good)
        spw_string(out, part.data, part.length);
    spb_buffer_free(&part);
    return good && spw_ok(out);
}

bool spk_write_blob(const spc_pkey *pkey, sp_key_type type, const char *application,
                    spb_buffer *out)
{
    bool good;

    spw_cstring(out, spk_type_name(type));
    switch (spc_pkey_type(pkey)) {
    case SP_KEY_ED25519:
    case SP_KEY_ED448:
    case SP_KEY_MLDSA44_ED25519:
    case SP_KEY_MLDSA44_ED25519_DRAFT:
        good = spk_write_part(pkey, "pub", false, out);
        break;
    case SP_KEY_RSA:
        good = spk_write_part(pkey, "e", true, out) && spk_write_part(pkey, "n", true, out);
        break;
    default:
        spw_cstring(out, spk_curve_name(type));
        good = spk_write_part(pkey, "point", false, out);
        break;
    }
    if (application != NULL)
        spw_cstring(out, application);
    return good && spw_ok(out);
}
