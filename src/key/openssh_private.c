/* Private keys in OpenSSH's own format (OpenSSH PROTOCOL.key), without a passphrase. The public
 * blob outside, the private numbers inside and their public parts must all belong together. */
#include "key/key_internal.h"

#include <string.h>

#define BEGIN_LINE "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END_LINE "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define LINE_WIDTH 70
#define PADDING_BLOCK 8

static spb_span skip_space(spb_span text)
{
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t' ||
                               text.data[0] == '\r' || text.data[0] == '\n')) {
        text.data++;
        text.length--;
    }
    return text;
}

static bool starts_with(spb_span text, const char *start)
{
    size_t length = strlen(start);
    return text.length >= length && memcmp(text.data, start, length) == 0;
}

bool spk_openssh_recognised(spb_span text)
{
    return starts_with(skip_space(text), BEGIN_LINE);
}

/* The bytes between the armour lines. */
static int unarmour(spb_span text, spb_buffer *out)
{
    spb_buffer packed;
    bool ended = false;

    text = skip_space(text);
    text.data += strlen(BEGIN_LINE);
    text.length -= strlen(BEGIN_LINE);
    spb_buffer_init(&packed, spk_env(), SPK_FILE_MAX);
    packed.secret = true;
    if (spb_buffer_reserve(&packed, text.length) == NULL)
        return text.length > SPK_FILE_MAX ? SP_ELIMIT : SP_ENOMEM;
    for (;;) {
        text = skip_space(text);
        ended = starts_with(text, END_LINE);
        if (ended || text.length == 0)
            break;
        spw_u8(&packed, text.data[0]);
        text.data++;
        text.length--;
    }
    bool good =
        ended && spw_ok(&packed) && spc_base64_decode((spb_span){packed.data, packed.length}, out);
    spb_buffer_free(&packed);
    return good ? 0 : SP_EFORMAT;
}

static bool read_private(spb_reader *r, spc_pkey **pkey)
{
    const spb_env *env = spk_env();
    sp_key_type type = spk_type_find(spr_string(r));

    if (type == SP_KEY_ED25519) {
        spb_span point = spr_string(r);
        spb_span pair = spr_string(r); /* seed, then the point again */
        if (!spr_ok(r) || pair.length != 64 || point.length != 32 ||
            memcmp(pair.data + 32, point.data, 32) != 0)
            return false;
        return spc_pkey_from_ed25519(pkey, env, point, (spb_span){pair.data, 32});
    }
    if (type == SP_KEY_RSA) {
        spb_span n = spr_mpint(r);
        spb_span e = spr_mpint(r);
        spb_span d = spr_mpint(r);
        spb_span iqmp = spr_mpint(r);
        spb_span p = spr_mpint(r);
        spb_span q = spr_mpint(r);
        return spr_ok(r) && d.length != 0 && spc_pkey_from_rsa(pkey, env, n, e, d, iqmp, p, q);
    }
    if (type == SP_KEY_NONE)
        return false;
    spb_span curve = spr_string(r);
    spb_span point = spr_string(r);
    spb_span scalar = spr_mpint(r);
    return spr_ok(r) && scalar.length != 0 && spb_span_is(curve, spk_curve_name(type)) &&
           spc_pkey_from_ecdsa(pkey, env, type, point, scalar);
}

static bool padding_good(spb_reader *r)
{
    spb_span padding = spr_rest(r);

    if (padding.length >= 256)
        return false;
    for (size_t i = 0; i < padding.length; i++) {
        if (padding.data[i] != i + 1)
            return false;
    }
    return true;
}

/* The section that would be encrypted. */
static int read_section(sp_key **key, spb_span section, spb_span blob)
{
    spc_pkey *pkey = NULL;
    spb_reader r;

    spr_init(&r, section.data, section.length);
    uint32_t check = spr_u32(&r);
    if (section.length % PADDING_BLOCK != 0 || spr_u32(&r) != check || !spr_ok(&r))
        return SP_EFORMAT;
    if (!read_private(&r, &pkey))
        return SP_EFORMAT;
    (void)spr_string(&r); /* comment */
    if (!spr_ok(&r) || !padding_good(&r)) {
        spc_pkey_free(pkey);
        return SP_EFORMAT;
    }
    int result = spk_new(key, pkey, true);
    if (result == 0 &&
        ((*key)->blob_length != blob.length || memcmp((*key)->blob, blob.data, blob.length) != 0)) {
        sp_key_unref(*key);
        *key = NULL;
        result = SP_EFORMAT;
    }
    return result;
}

static int read_file(sp_key **key, spb_span file, const char *passphrase)
{
    spb_reader r;

    spr_init(&r, file.data, file.length);
    spb_span magic = spr_bytes(&r, sizeof MAGIC);
    spb_span cipher = spr_string(&r);
    spb_span kdf = spr_string(&r);
    spb_span kdf_options = spr_string(&r);
    uint32_t count = spr_u32(&r);
    spb_span blob = spr_string(&r);
    spb_span section = spr_string(&r);
    if (!spr_done(&r) || memcmp(magic.data, MAGIC, sizeof MAGIC) != 0 || count != 1)
        return SP_EFORMAT;
    if (!spb_span_is(cipher, "none") || !spb_span_is(kdf, "none"))
        return passphrase == NULL ? SP_EPASSPHRASE : SP_ENOTSUP;
    if (kdf_options.length != 0)
        return SP_EFORMAT;

    spb_reader b;
    spr_init(&b, blob.data, blob.length);
    if (spk_type_find(spr_string(&b)) == SP_KEY_NONE)
        return spr_ok(&b) ? SP_ENOTSUP : SP_EFORMAT;
    return read_section(key, section, blob);
}

int spk_openssh_parse(sp_key **key, spb_span text, const char *passphrase)
{
    spb_buffer file;

    *key = NULL;
    spb_buffer_init(&file, spk_env(), SPK_FILE_MAX);
    file.secret = true;
    int result = unarmour(text, &file);
    if (result == 0)
        result = read_file(key, (spb_span){file.data, file.length}, passphrase);
    spb_buffer_free(&file);
    return result;
}

static bool write_private(const spc_pkey *k, spb_buffer *b)
{
    sp_key_type type = spc_pkey_type(k);

    spw_cstring(b, spk_type_name(type));
    if (type == SP_KEY_ED25519) {
        if (!spk_write_part(k, "pub", false, b))
            return false;
        size_t mark = spw_string_begin(b);
        if (!spc_pkey_get(k, "seed", b) || !spc_pkey_get(k, "pub", b))
            return false;
        spw_string_end(b, mark);
        return spw_ok(b);
    }
    if (type == SP_KEY_RSA)
        return spk_write_part(k, "n", true, b) && spk_write_part(k, "e", true, b) &&
               spk_write_part(k, "d", true, b) && spk_write_part(k, "iqmp", true, b) &&
               spk_write_part(k, "p", true, b) && spk_write_part(k, "q", true, b);
    spw_cstring(b, spk_curve_name(type));
    return spk_write_part(k, "point", false, b) && spk_write_part(k, "scalar", true, b);
}

static bool write_file(const sp_key *key, const char *comment, spb_buffer *b)
{
    uint8_t check[4];

    if (!spc_random(spk_env(), check, sizeof check))
        return false;
    spw_bytes(b, MAGIC, sizeof MAGIC);
    spw_cstring(b, "none");
    spw_cstring(b, "none");
    spw_cstring(b, "");
    spw_u32(b, 1);
    spw_string(b, key->blob, key->blob_length);
    size_t mark = spw_string_begin(b);
    spw_bytes(b, check, sizeof check);
    spw_bytes(b, check, sizeof check);
    if (!write_private(key->pkey, b))
        return false;
    spw_cstring(b, comment);
    for (uint8_t i = 1; (b->length - mark) % PADDING_BLOCK != 0 && spw_ok(b); i++)
        spw_u8(b, i);
    spw_string_end(b, mark);
    return spw_ok(b);
}

int spk_openssh_write(const sp_key *key, const char *comment, spb_buffer *out)
{
    spb_buffer file, packed;

    spb_buffer_init(&file, spk_env(), SPK_PRIVATE_MAX);
    file.secret = true;
    spb_buffer_init(&packed, spk_env(), 2 * SPK_PRIVATE_MAX);
    packed.secret = true;
    bool good = write_file(key, comment, &file) &&
                spc_base64_encode((spb_span){file.data, file.length}, &packed);
    if (good) {
        spw_bytes(out, BEGIN_LINE "\n", strlen(BEGIN_LINE) + 1);
        for (size_t at = 0; at < packed.length; at += LINE_WIDTH) {
            size_t left = packed.length - at;
            spw_bytes(out, packed.data + at, left < LINE_WIDTH ? left : LINE_WIDTH);
            spw_u8(out, '\n');
        }
        spw_bytes(out, END_LINE "\n", strlen(END_LINE) + 1);
    }
    spb_buffer_free(&file);
    spb_buffer_free(&packed);
    return !good ? SP_ECRYPTO : spw_ok(out) ? 0 : SP_ENOMEM;
}
