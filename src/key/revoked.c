/* Lists of revoked keys: made from a KRL (krl.c) or from a text with one public key a line, kept
 * sorted, and asked. */
#include "key/revoked_internal.h"

#include "key/cert.h"

#include <stdlib.h>
#include <string.h>

/* ---- what lists are made of ---- */

bool spk_spans_add(spk_spans *spans, spb_span one)
{
    spb_span *items = spk_grow(spans->items, spans->count, &spans->capacity, sizeof *items);

    if (items == NULL)
        return false;
    spans->items = items;
    items[spans->count++] = one;
    return true;
}

bool spk_revoked_blob_good(spb_span blob)
{
    spb_reader r;

    spr_init(&r, blob.data, blob.length);
    spb_span name = spr_string_max(&r, 64);
    if (!spr_ok(&r) || name.length == 0 || spk_cert_named(name))
        return false;
    switch (spk_type_find(name)) {
    case SP_KEY_NONE:
        return true;
    case SP_KEY_ED25519:
        return spr_string(&r).length == 32 && spr_done(&r);
    case SP_KEY_ED448:
        return spr_string(&r).length == 57 && spr_done(&r);
    case SP_KEY_MLDSA44_ED25519:
    case SP_KEY_MLDSA44_ED25519_DRAFT:
        return spr_string(&r).length == 1312 + 32 && spr_done(&r);
    case SP_KEY_SK_ED25519:
        if (spr_string(&r).length != 32)
            return false;
        return spr_string(&r).length > 0 && spr_done(&r); /* the application */
    case SP_KEY_RSA:
        (void)spr_mpint(&r);
        (void)spr_mpint(&r);
        return spr_done(&r);
    case SP_KEY_ECDSA_P256:
    case SP_KEY_ECDSA_P384:
    case SP_KEY_ECDSA_P521:
    case SP_KEY_SK_ECDSA_P256:
        break;
    }
    spb_span curve = spr_string(&r);
    spb_span point = spr_string(&r);
    if (spk_is_security_key(spk_type_find(name)) && spr_string(&r).length == 0)
        return false;
    /* Only the form that has all of the point has one blob per key. */
    return spr_done(&r) && spb_span_is(curve, spk_curve_name(spk_type_find(name))) &&
           point.length > 0 && point.data[0] == 4;
}

static int compare_spans(const void *a, const void *b)
{
    const spb_span *x = a, *y = b;

    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->length == 0 ? 0 : memcmp(x->data, y->data, x->length);
}

static int compare_serials(const void *a, const void *b)
{
    const spk_serials *x = a, *y = b;

    return x->low < y->low ? -1 : x->low > y->low;
}

static void sort_spans(spk_spans *spans)
{
    if (spans->count > 1)
        qsort(spans->items, spans->count, sizeof spans->items[0], compare_spans);
}

static void make_ready(sp_revoked_keys *list)
{
    sort_spans(&list->keys);
    sort_spans(&list->sha1);
    sort_spans(&list->sha256);
    for (size_t i = 0; i < list->ca_count; i++) {
        spk_revoked_ca *ca = &list->cas[i];
        uint64_t reach = 0;
        sort_spans(&ca->key_ids);
        if (ca->serial_count > 1)
            qsort(ca->serials, ca->serial_count, sizeof ca->serials[0], compare_serials);
        for (size_t k = 0; k < ca->serial_count; k++) {
            if (ca->serials[k].high > reach)
                reach = ca->serials[k].high;
            ca->serials[k].reach = reach;
        }
    }
}

/* ---- a text ---- */

/* Adds a copy. The store has room for all that the text can hold, so it does not move. */
static int add_key(sp_revoked_keys *list, spb_span blob)
{
    size_t at = list->store.length;

    spw_bytes(&list->store, blob.data, blob.length);
    return spw_ok(&list->store) &&
                   spk_spans_add(&list->keys, (spb_span){list->store.data + at, blob.length})
               ? 0
               : SP_ENOMEM;
}

/* A certificate in a list stands for its key, as for sshd. */
static int add_certified(sp_revoked_keys *list, spb_span blob)
{
    sp_cert *cert;
    int result = sp_cert_from_blob(&cert, blob.data, blob.length);

    if (result != 0)
        return result == SP_ENOMEM ? SP_ENOMEM : SP_EFORMAT;
    const sp_key *key = sp_cert_key(cert);
    result = add_key(list, (spb_span){key->blob, key->blob_length});
    sp_cert_unref(cert);
    return result;
}

static int add_line(sp_revoked_keys *list, spb_span line)
{
    spb_buffer blob;
    spb_reader r;
    int result = SP_EFORMAT;
    spb_span name = spk_take_word(&line);
    spb_span text = spk_take_word(&line);

    spb_buffer_init(&blob, spk_env(), SPK_CERT_MAX);
    if (text.length > 0 && spc_base64_decode(text, &blob)) {
        const spb_span whole = {blob.data, blob.length};
        spr_init(&r, blob.data, blob.length);
        spb_span inner = spr_string(&r);
        if (!spr_ok(&r) || inner.length != name.length || name.length == 0 ||
            memcmp(inner.data, name.data, name.length) != 0)
            result = SP_EFORMAT;
        else if (spk_cert_named(name))
            result = add_certified(list, whole);
        else
            result = spk_revoked_blob_good(whole) ? add_key(list, whole) : SP_EFORMAT;
    }
    spb_buffer_free(&blob);
    return result;
}

static int parse_text(sp_revoked_keys *list, spb_span text)
{
    int result = 0;

    if (text.length > 0 && spb_buffer_reserve(&list->store, text.length) == NULL)
        return SP_ENOMEM;
    while (text.length > 0 && result == 0) {
        const uint8_t *end = memchr(text.data, '\n', text.length);
        spb_span line = {text.data, end == NULL ? text.length : (size_t)(end - text.data)};
        size_t step = end == NULL ? line.length : line.length + 1;
        text.data += step;
        text.length -= step;
        line = spk_trim(line);
        if (line.length > 0 && line.data[0] != '#')
            result = add_line(list, line);
    }
    return result;
}

/* ---- made, shared, freed ---- */

int sp_revoked_keys_parse(sp_revoked_keys **out, const void *data, size_t length)
{
    const spb_span given = {data, length};
    int result;

    *out = NULL;
    if (length > SPK_REVOKED_MAX)
        return SP_ELIMIT;
    sp_revoked_keys *list = spb_calloc(spk_env(), 1, sizeof *list);
    if (list == NULL)
        return SP_ENOMEM;
    atomic_init(&list->references, 1);
    spb_buffer_init(&list->store, spk_env(), SPK_REVOKED_MAX);
    if (spk_krl_recognised(given)) {
        spw_bytes(&list->store, data, length);
        result = spw_ok(&list->store) ? spk_krl_parse(list) : SP_ENOMEM;
    } else {
        result = parse_text(list, given);
    }
    if (result != 0) {
        sp_revoked_keys_unref(list);
        return result;
    }
    make_ready(list);
    *out = list;
    return 0;
}

int sp_revoked_keys_load(sp_revoked_keys **list, const char *path)
{
    spb_buffer data;

    *list = NULL;
    spb_buffer_init(&data, spk_env(), SPK_REVOKED_MAX);
    int result = spk_read_file(path, false, &data);
    if (result == 0)
        result = sp_revoked_keys_parse(list, data.data, data.length);
    spb_buffer_free(&data);
    return result;
}

sp_revoked_keys *sp_revoked_keys_ref(const sp_revoked_keys *list)
{
    sp_revoked_keys *l = (sp_revoked_keys *)(uintptr_t)list; /* as for keys */

    if (l != NULL)
        atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    return l;
}

void sp_revoked_keys_unref(sp_revoked_keys *list)
{
    if (list == NULL || atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < list->ca_count; i++) {
        spb_free(spk_env(), list->cas[i].serials);
        spb_free(spk_env(), list->cas[i].key_ids.items);
    }
    spb_free(spk_env(), list->cas);
    spb_free(spk_env(), list->keys.items);
    spb_free(spk_env(), list->sha1.items);
    spb_free(spk_env(), list->sha256.items);
    spb_buffer_free(&list->store);
    spb_free(spk_env(), list);
}

/* ---- asked ---- */

static bool has_span(const spk_spans *spans, spb_span one)
{
    return spans->count > 0 &&
           bsearch(&one, spans->items, spans->count, sizeof spans->items[0], compare_spans) != NULL;
}

/* A fingerprint that can't be made may be one of those listed. */
static bool has_fingerprint(const spk_spans *spans, spc_hash_id hash, spb_span blob)
{
    uint8_t print[SPC_HASH_MAX];

    if (spans->count == 0)
        return false;
    return !spc_hash(hash, &blob, 1, print) ||
           has_span(spans, (spb_span){print, spc_hash_size(hash)});
}

bool spk_revoked_key(const sp_revoked_keys *list, const sp_key *key)
{
    if (list == NULL || key == NULL)
        return true;
    const spb_span blob = {key->blob, key->blob_length};
    return has_span(&list->keys, blob) || has_fingerprint(&list->sha1, SPC_SHA1, blob) ||
           has_fingerprint(&list->sha256, SPC_SHA256, blob);
}

static bool covers(const spk_serials *s, uint64_t serial)
{
    if (serial < s->low || serial > s->high)
        return false;
    if (s->bitmap.length == 0)
        return true;
    uint64_t bit = serial - s->low;
    size_t byte = s->bitmap.length - 1 - (size_t)(bit / 8);
    return (s->bitmap.data[byte] >> (bit % 8) & 1) != 0;
}

static bool has_serial(const spk_revoked_ca *ca, uint64_t serial)
{
    size_t low = 0, high = ca->serial_count;

    /* Behind the last that begins at or before it; from there back while any reaches it. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ca->serials[middle].low <= serial)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && ca->serials[low - 1].reach >= serial; low--) {
        if (covers(&ca->serials[low - 1], serial))
            return true;
    }
    return false;
}

bool spk_revoked_cert(const sp_revoked_keys *list, const sp_cert *cert)
{
    if (list == NULL || cert == NULL)
        return true;
    const sp_key *ca_key = sp_cert_ca_key(cert);
    if (spk_revoked_key(list, sp_cert_key(cert)) || spk_revoked_key(list, ca_key))
        return true;
    const char *id = sp_cert_key_id(cert);
    const spb_span key_id = {(const uint8_t *)id, strlen(id)};
    for (size_t i = 0; i < list->ca_count; i++) {
        const spk_revoked_ca *ca = &list->cas[i];
        if (ca->blob.length != 0 && (ca->blob.length != ca_key->blob_length ||
                                     memcmp(ca->blob.data, ca_key->blob, ca_key->blob_length) != 0))
            continue;
        if (has_serial(ca, sp_cert_serial(cert)) || has_span(&ca->key_ids, key_id))
            return true;
    }
    return false;
}
