/* Certificates as objects: read from blobs and lines, written back (PROTOCOL.certkeys). Reading is
 * strict, since what a CA has signed is an order that must be understood to its end. The signature
 * is verified in cert_check.c. */
#include "key/cert_internal.h"

#include <string.h>

#define CERT_NAME_MAX ((size_t)64)
#define KEY_ID_MAX ((size_t)4096)

static const spk_cert_name cert_names[] = {
    {"ssh-ed25519-cert-v01@openssh.com", SP_KEY_ED25519, 1},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", SP_KEY_ECDSA_P256, 2},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", SP_KEY_ECDSA_P384, 2},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", SP_KEY_ECDSA_P521, 2},
    {"ssh-rsa-cert-v01@openssh.com", SP_KEY_RSA, 2},
    {"ssh-ed448-cert-v01@openssh.com", SP_KEY_ED448, 1},
    {"sk-ssh-ed25519-cert-v01@openssh.com", SP_KEY_SK_ED25519, 2},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", SP_KEY_SK_ECDSA_P256, 3},
    {"ssh-mldsa44-ed25519-cert", SP_KEY_MLDSA44_ED25519, 1},
    {"ssh-mldsa44-ed25519-cert-v01@openssh.com", SP_KEY_MLDSA44_ED25519_DRAFT, 1},
};

static const spk_cert_name *find_name(spb_span name)
{
    for (size_t i = 0; i < sizeof cert_names / sizeof cert_names[0]; i++) {
        if (spb_span_is(name, cert_names[i].name))
            return &cert_names[i];
    }
    return NULL;
}

/* The certified key stands there without its type's name; with it, it is a plain blob. */
static int read_key(sp_cert *cert, spb_reader *r)
{
    spb_buffer plain;
    const uint8_t *start = r->at;

    for (unsigned i = 0; i < cert->name->fields; i++)
        (void)spr_string(r);
    if (!spr_ok(r))
        return SP_EFORMAT;
    spb_buffer_init(&plain, spk_env(), SPK_CERT_MAX);
    spw_cstring(&plain, spk_type_name(cert->name->type));
    spw_bytes(&plain, start, (size_t)(r->at - start));
    int result =
        spw_ok(&plain) ? sp_key_from_blob(&cert->key, plain.data, plain.length) : SP_ENOMEM;
    spb_buffer_free(&plain);
    return result;
}

/* A text of the certificate; a NUL inside would let two readers see different names. */
static int take_text(char **out, spb_span text)
{
    if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
        return SP_EFORMAT;
    *out = spb_span_string(spk_env(), text);
    return *out == NULL ? SP_ENOMEM : 0;
}

static size_t count_strings(spb_span list, bool *good)
{
    spb_reader r;
    size_t count = 0;

    spr_init(&r, list.data, list.length);
    while (spr_ok(&r) && spr_left(&r) > 0 && count <= SPK_PRINCIPALS_MAX) {
        (void)spr_string(&r);
        count++;
    }
    *good = spr_ok(&r);
    return count;
}

static int read_principals(sp_cert *cert, spb_span list)
{
    spb_reader r;
    bool good;
    int result = 0;
    size_t count = count_strings(list, &good);

    if (!good || count > SPK_PRINCIPALS_MAX)
        return good ? SP_ELIMIT : SP_EFORMAT;
    if (count == 0)
        return 0;
    cert->principals = spb_calloc(spk_env(), count, sizeof cert->principals[0]);
    if (cert->principals == NULL)
        return SP_ENOMEM;
    cert->principal_count = count;
    spr_init(&r, list.data, list.length);
    for (size_t i = 0; i < count && result == 0; i++)
        result = take_text(&cert->principals[i], spr_string(&r));
    return result;
}

static int read_body(sp_cert *cert, spb_reader *r)
{
    int result;

    (void)spr_string(r); /* nonce */
    if ((result = read_key(cert, r)) != 0)
        return result;
    cert->serial = spr_u64(r);
    uint32_t type = spr_u32(r);
    spb_span key_id = spr_string(r);
    spb_span principals = spr_string(r);
    cert->valid_after = spr_u64(r);
    cert->valid_before = spr_u64(r);
    spb_span critical = spr_string(r);
    spb_span extensions = spr_string(r);
    (void)spr_string(r); /* reserved, to be ignored */
    spb_span ca = spr_string(r);
    cert->signed_length = (size_t)(r->at - cert->blob);
    cert->signature = spr_string(r);
    if (!spr_done(r) || (type != SP_CERT_USER && type != SP_CERT_HOST))
        return SP_EFORMAT;
    cert->type = (sp_cert_type)type;
    if (key_id.length > KEY_ID_MAX)
        return SP_ELIMIT;
    if ((result = take_text(&cert->key_id, key_id)) != 0 ||
        (result = read_principals(cert, principals)) != 0 ||
        (result = spk_cert_read_options(cert, critical, extensions)) != 0 ||
        (result = spk_cert_judge_options(cert)) != 0)
        return result;
    /* A certificate in the CA's place is refused here, since its type is no key's. */
    return sp_key_from_blob(&cert->ca, ca.data, ca.length);
}

int sp_cert_from_blob(sp_cert **out, const void *blob, size_t length)
{
    spb_reader r;

    *out = NULL;
    if (length > SPK_CERT_MAX)
        return SP_ELIMIT;
    spr_init(&r, blob, length);
    spb_span name = spr_string_max(&r, CERT_NAME_MAX);
    if (!spr_ok(&r))
        return SP_EFORMAT;
    const spk_cert_name *known = find_name(name);
    if (known == NULL)
        return SP_ENOTSUP;

    sp_cert *cert = spb_calloc(spk_env(), 1, sizeof *cert);
    if (cert == NULL)
        return SP_ENOMEM;
    atomic_init(&cert->references, 1);
    cert->name = known;
    cert->blob = spb_memdup(spk_env(), blob, length);
    cert->blob_length = length;
    int result = cert->blob == NULL ? SP_ENOMEM : 0;
    if (result == 0) {
        spr_init(&r, cert->blob, length);
        (void)spr_string(&r);
        result = read_body(cert, &r);
    }
    if (result != 0)
        sp_cert_unref(cert);
    else
        *out = cert;
    return result;
}

/* One line, with white space around it. */
static int parse_text(sp_cert **cert, spb_span line)
{
    spb_buffer blob;

    if (!spk_one_line(&line) || line.length > 2 * SPK_CERT_MAX)
        return SP_EFORMAT;
    spb_span name = spk_take_word(&line);
    spb_span text = spk_take_word(&line);
    if (find_name(name) == NULL)
        return SP_ENOTSUP;
    spb_buffer_init(&blob, spk_env(), SPK_CERT_MAX);
    int result = SP_EFORMAT;
    if (text.length > 0 && spc_base64_decode(text, &blob))
        result = sp_cert_from_blob(cert, blob.data, blob.length);
    spb_buffer_free(&blob);
    if (result == 0 && !spb_span_is(name, (*cert)->name->name)) {
        sp_cert_unref(*cert);
        *cert = NULL;
        result = SP_EFORMAT;
    }
    return result;
}

int sp_cert_parse(sp_cert **cert, const char *line)
{
    *cert = NULL;
    return parse_text(cert, spb_span_of(line));
}

int sp_cert_load(sp_cert **cert, const char *path)
{
    spb_buffer text;

    *cert = NULL;
    spb_buffer_init(&text, spk_env(), SPK_FILE_MAX);
    int result = spk_read_file(path, false, &text);
    if (result == 0)
        result = parse_text(cert, (spb_span){text.data, text.length});
    spb_buffer_free(&text);
    return result;
}

sp_cert *sp_cert_ref(const sp_cert *cert)
{
    sp_cert *c = (sp_cert *)(uintptr_t)cert; /* the count is not part of what is constant */

    if (c != NULL)
        atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

void sp_cert_unref(sp_cert *cert)
{
    const spb_env *env = spk_env();

    if (cert == NULL || atomic_fetch_sub_explicit(&cert->references, 1, memory_order_acq_rel) != 1)
        return;
    spk_cert_free_options(cert);
    for (size_t i = 0; i < cert->principal_count; i++)
        spb_free(env, cert->principals[i]);
    spb_free(env, cert->principals);
    spb_free(env, cert->key_id);
    spb_free(env, cert->objection);
    sp_key_unref(cert->key);
    sp_key_unref(cert->ca);
    spb_free(env, cert->blob);
    spb_free(env, cert);
}

const char *sp_cert_type_name(const sp_cert *cert)
{
    return cert->name->name;
}

sp_cert_type sp_cert_get_type(const sp_cert *cert)
{
    return cert->type;
}

const sp_key *sp_cert_key(const sp_cert *cert)
{
    return cert->key;
}

const sp_key *sp_cert_ca_key(const sp_cert *cert)
{
    return cert->ca;
}

uint64_t sp_cert_serial(const sp_cert *cert)
{
    return cert->serial;
}

const char *sp_cert_key_id(const sp_cert *cert)
{
    return cert->key_id;
}

uint64_t sp_cert_valid_after(const sp_cert *cert)
{
    return cert->valid_after;
}

uint64_t sp_cert_valid_before(const sp_cert *cert)
{
    return cert->valid_before;
}

size_t sp_cert_principal_count(const sp_cert *cert)
{
    return cert->principal_count;
}

const char *sp_cert_principal(const sp_cert *cert, size_t index)
{
    return index < cert->principal_count ? cert->principals[index] : NULL;
}

const uint8_t *sp_cert_blob(const sp_cert *cert, size_t *length)
{
    *length = cert->blob_length;
    return cert->blob;
}

int sp_cert_format(const sp_cert *cert, const char *comment, char *out, size_t size)
{
    return spk_format_line(cert->name->name, (spb_span){cert->blob, cert->blob_length}, comment,
                           out, size);
}
