/* Certificates made to measure, also ones that no CA would sign, and a folder for ssh-keygen. */
#ifndef CERT_STAND_H
#define CERT_STAND_H

#include "base/wire.h"

#include <sallyport/key.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"

static spb_env cert_env;

/* What goes into a certificate; what is zero gets a default. Lists are as they go on the wire. */
typedef struct cert_plan {
    const sp_key *key, *ca;
    uint64_t serial;
    uint32_t type; /* 0: a user's */
    const char *key_id;
    spb_span principals, critical, extensions; /* data NULL: default, none, none */
    uint64_t after, before;                    /* 0: for ever */
    spb_span ca_blob;                          /* data NULL: the ca's */
    const char *algorithm;                     /* NULL: what fits the ca */
    const char *type_name;                     /* NULL: what fits the key */
    bool spoil;                                /* a bit of the signature is wrong */
    size_t extra;                              /* bytes behind the end */
    void (*sign)(spb_span data, spb_buffer *); /* in place of the ca; NULL: it signs itself */
} cert_plan;

static inline spb_span cert_span(const char *text)
{
    return (spb_span){(const uint8_t *)text, strlen(text)};
}

/* Appends a name and its data as an option; `value` NULL: a flag. */
static inline void cert_option(spb_buffer *list, const char *name, const char *value)
{
    spw_cstring(list, name);
    size_t mark = spw_string_begin(list);
    if (value != NULL)
        spw_cstring(list, value);
    spw_string_end(list, mark);
}

static inline const char *cert_algorithm_of(const sp_key *key)
{
    return sp_key_get_type(key) == SP_KEY_RSA ? "rsa-sha2-256" : sp_key_type_name(key);
}

/* The blob, in `out`. */
static inline void cert_make(const cert_plan *p, spb_buffer *out)
{
    size_t length;
    const uint8_t *blob = sp_key_blob(p->key, &length);
    spb_reader r;
    char name[64];
    uint8_t signature[SP_SIGNATURE_MAX];
    size_t signature_length = sizeof signature;
    const char *algorithm = p->algorithm != NULL ? p->algorithm : cert_algorithm_of(p->ca);

    spr_init(&r, blob, length);
    (void)spr_string(&r);
    spb_span fields = spr_rest(&r);
    (void)snprintf(name, sizeof name, "%s-cert-v01@openssh.com", sp_key_type_name(p->key));
    spb_buffer_init(out, &cert_env, 1024 * 1024);
    spw_cstring(out, p->type_name != NULL ? p->type_name : name);
    spw_cstring(out, "a nonce that is no secret at all");
    spw_bytes(out, fields.data, fields.length);
    spw_u64(out, p->serial);
    spw_u32(out, p->type == 0 ? SP_CERT_USER : p->type);
    spw_cstring(out, p->key_id == NULL ? "id" : p->key_id);
    if (p->principals.data != NULL) {
        spw_string(out, p->principals.data, p->principals.length);
    } else {
        size_t mark = spw_string_begin(out);
        spw_cstring(out, "alice");
        spw_string_end(out, mark);
    }
    spw_u64(out, p->after);
    spw_u64(out, p->before == 0 ? UINT64_MAX : p->before);
    spw_string(out, p->critical.data, p->critical.length);
    spw_string(out, p->extensions.data, p->extensions.length);
    spw_cstring(out, "");
    if (p->ca_blob.data != NULL) {
        spw_string(out, p->ca_blob.data, p->ca_blob.length);
    } else {
        blob = sp_key_blob(p->ca, &length);
        spw_string(out, blob, length);
    }
    assert_true(spw_ok(out));
    if (p->sign != NULL) {
        spb_buffer b;
        spb_buffer_init(&b, &cert_env, sizeof signature);
        p->sign((spb_span){out->data, out->length}, &b);
        memcpy(signature, b.data, b.length);
        signature_length = b.length;
        spb_buffer_free(&b);
    } else if (sp_key_sign(p->ca, algorithm, out->data, out->length, signature,
                           &signature_length) != 0) {
        /* An algorithm that we don't have: the name is all that matters. */
        spb_buffer b;
        spb_buffer_init(&b, &cert_env, 1024);
        spw_cstring(&b, algorithm);
        spw_cstring(&b, "0123456789012345678901234567890123456789");
        memcpy(signature, b.data, b.length);
        signature_length = b.length;
        spb_buffer_free(&b);
    }
    if (p->spoil)
        signature[signature_length - 5] ^= 1;
    spw_string(out, signature, signature_length);
    for (size_t i = 0; i < p->extra; i++)
        spw_u8(out, 0);
    assert_true(spw_ok(out));
}

/* What reading the blob of such a certificate gives. */
static inline int cert_try(const cert_plan *p, sp_cert **cert)
{
    spb_buffer blob;

    cert_make(p, &blob);
    int result = sp_cert_from_blob(cert, blob.data, blob.length);
    spb_buffer_free(&blob);
    return result;
}

static inline sp_cert *cert_of(const cert_plan *p)
{
    sp_cert *cert;

    assert_int_equal(cert_try(p, &cert), 0);
    return cert;
}

/* ---- ssh-keygen ---- */
static inline int cert_folder_make(void)
{
    spb_env_init(&cert_env, NULL);
    return folder_make();
}

static inline bool cert_have_keygen(void)
{
    return system("command -v ssh-keygen >/dev/null 2>&1") == 0;
}

/* A public key that ssh-keygen has written. */
static inline sp_key *cert_public(const char *name)
{
    char line[8192] = "";
    sp_key *key;
    FILE *file = fopen(path_of(name), "r");

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    assert_int_equal(sp_key_parse_public(&key, line), 0);
    return key;
}

#endif
