/* OpenSSH's key revocation lists (PROTOCOL.krl). Read to the end or refused; nothing is copied. Of
 * extensions none is known, so critical ones refuse. Signatures are refused: as in OpenSSH since
 * 9.4, what protects the list is where it lies. */
#include "key/cert.h"
#include "key/revoked_internal.h"

#include <string.h>

#define MAGIC "SSHKRL\n" /* with its NUL */
#define FORMAT_VERSION 1u

enum section {
    SECTION_CERTIFICATES = 1,
    SECTION_EXPLICIT_KEY = 2,
    SECTION_FINGERPRINT_SHA1 = 3,
    SECTION_FINGERPRINT_SHA256 = 5,
    SECTION_EXTENSION = 255,
};

enum cert_section {
    CERT_SERIAL_LIST = 0x20,
    CERT_SERIAL_RANGE = 0x21,
    CERT_SERIAL_BITMAP = 0x22,
    CERT_KEY_ID = 0x23,
    CERT_EXTENSION = 0x39,
};

bool spk_krl_recognised(spb_span data)
{
    return data.length >= sizeof MAGIC && memcmp(data.data, MAGIC, sizeof MAGIC) == 0;
}

static int read_header(spb_reader *r)
{
    (void)spr_bytes(r, sizeof MAGIC);
    uint32_t version = spr_u32(r);
    (void)spr_u64(r); /* the list's version */
    (void)spr_u64(r); /* when it was made */
    uint64_t flags = spr_u64(r);
    (void)spr_string(r); /* reserved, to be ignored */
    (void)spr_string(r); /* comment */
    return spr_ok(r) && version == FORMAT_VERSION && flags == 0 ? 0 : SP_EFORMAT;
}

static int read_extension(spb_span section)
{
    spb_reader r;

    spr_init(&r, section.data, section.length);
    (void)spr_string(&r); /* name */
    bool critical = spr_bool(&r);
    (void)spr_string(&r); /* contents */
    return spr_done(&r) && !critical ? 0 : SP_EFORMAT;
}

typedef bool (*span_check)(spb_span one);

static bool is_sha1(spb_span one)
{
    return one.length == spc_hash_size(SPC_SHA1);
}

static bool is_sha256(spb_span one)
{
    return one.length == spc_hash_size(SPC_SHA256);
}

static bool is_text(spb_span one)
{
    return one.length == 0 || memchr(one.data, '\0', one.length) == NULL;
}

/* A section that is a row of strings. */
static int read_strings(spk_spans *spans, spb_span section, span_check good)
{
    spb_reader r;

    spr_init(&r, section.data, section.length);
    while (spr_left(&r) > 0) {
        spb_span one = spr_string(&r);
        if (!spr_ok(&r) || !good(one))
            return SP_EFORMAT;
        if (!spk_spans_add(spans, one))
            return SP_ENOMEM;
    }
    return 0;
}

/* ---- certificates ---- */

static int add_serials(spk_revoked_ca *ca, uint64_t low, uint64_t high, spb_span bitmap)
{
    spk_serials *items =
        spk_grow(ca->serials, ca->serial_count, &ca->serial_capacity, sizeof *items);

    if (items == NULL)
        return SP_ENOMEM;
    ca->serials = items;
    items[ca->serial_count++] = (spk_serials){low, high, 0, bitmap};
    return 0;
}

static const spb_span no_bitmap = {NULL, 0};

static int read_serial_list(spk_revoked_ca *ca, spb_span section)
{
    spb_reader r;
    int result = 0;

    spr_init(&r, section.data, section.length);
    while (spr_left(&r) > 0 && result == 0) {
        uint64_t serial = spr_u64(&r);
        result = spr_ok(&r) ? add_serials(ca, serial, serial, no_bitmap) : SP_EFORMAT;
    }
    return result;
}

static int read_serial_range(spk_revoked_ca *ca, spb_span section)
{
    spb_reader r;

    spr_init(&r, section.data, section.length);
    uint64_t low = spr_u64(&r);
    uint64_t high = spr_u64(&r);
    return spr_done(&r) && low <= high ? add_serials(ca, low, high, no_bitmap) : SP_EFORMAT;
}

static int read_serial_bitmap(spk_revoked_ca *ca, spb_span section)
{
    spb_reader r;

    spr_init(&r, section.data, section.length);
    uint64_t low = spr_u64(&r);
    spb_span bitmap = spr_mpint(&r);
    if (!spr_done(&r))
        return SP_EFORMAT;
    if (bitmap.length == 0 || bitmap.data[0] == 0)
        return 0; /* none */
    /* The highest bit set; an mpint's first byte has one. */
    uint64_t last = 8 * (uint64_t)bitmap.length - 1;
    for (uint8_t first = bitmap.data[0]; (first & 0x80) == 0; first = (uint8_t)(first << 1))
        last--;
    if (low > UINT64_MAX - last)
        return SP_EFORMAT;
    return add_serials(ca, low, low + last, bitmap);
}

static int find_ca(sp_revoked_keys *list, spb_span blob, spk_revoked_ca **out)
{
    for (size_t i = 0; i < list->ca_count; i++) {
        const spb_span *known = &list->cas[i].blob;
        if (known->length == blob.length &&
            (blob.length == 0 || memcmp(known->data, blob.data, blob.length) == 0)) {
            *out = &list->cas[i];
            return 0;
        }
    }
    if (list->ca_count == SPK_REVOKED_CAS_MAX)
        return SP_ELIMIT;
    spk_revoked_ca *cas = spk_grow(list->cas, list->ca_count, &list->ca_capacity, sizeof *cas);
    if (cas == NULL)
        return SP_ENOMEM;
    list->cas = cas;
    *out = &cas[list->ca_count++];
    **out = (spk_revoked_ca){.blob = blob};
    return 0;
}

static int read_cert_section(spk_revoked_ca *ca, uint8_t type, spb_span data)
{
    switch (type) {
    case CERT_SERIAL_LIST:
        return read_serial_list(ca, data);
    case CERT_SERIAL_RANGE:
        return read_serial_range(ca, data);
    case CERT_SERIAL_BITMAP:
        return read_serial_bitmap(ca, data);
    case CERT_KEY_ID:
        return read_strings(&ca->key_ids, data, is_text);
    case CERT_EXTENSION:
        return read_extension(data);
    default:
        return SP_EFORMAT;
    }
}

static int read_certificates(sp_revoked_keys *list, spb_span section)
{
    spb_reader r;
    spk_revoked_ca *ca;

    spr_init(&r, section.data, section.length);
    spb_span blob = spr_string(&r);
    (void)spr_string(&r); /* reserved, to be ignored */
    if (!spr_ok(&r) || (blob.length > 0 && !spk_revoked_blob_good(blob)))
        return SP_EFORMAT;
    int result = find_ca(list, blob, &ca);
    while (result == 0 && spr_left(&r) > 0) {
        uint8_t type = spr_u8(&r);
        spb_span data = spr_string(&r);
        result = spr_ok(&r) ? read_cert_section(ca, type, data) : SP_EFORMAT;
    }
    return result;
}

static int read_section(sp_revoked_keys *list, uint8_t type, spb_span data)
{
    switch (type) {
    case SECTION_CERTIFICATES:
        return read_certificates(list, data);
    case SECTION_EXPLICIT_KEY:
        return read_strings(&list->keys, data, spk_revoked_blob_good);
    case SECTION_FINGERPRINT_SHA1:
        return read_strings(&list->sha1, data, is_sha1);
    case SECTION_FINGERPRINT_SHA256:
        return read_strings(&list->sha256, data, is_sha256);
    case SECTION_EXTENSION:
        return read_extension(data);
    default:
        return SP_EFORMAT;
    }
}

int spk_krl_parse(sp_revoked_keys *list)
{
    spb_reader r;

    spr_init(&r, list->store.data, list->store.length);
    int result = read_header(&r);
    while (result == 0 && spr_left(&r) > 0) {
        uint8_t type = spr_u8(&r);
        spb_span data = spr_string(&r);
        result = spr_ok(&r) ? read_section(list, type, data) : SP_EFORMAT;
    }
    return result;
}
