/* Private keys in OpenSSH's own format (OpenSSH PROTOCOL.key), encrypted or not. The public blob
 * outside, the private numbers inside and their public parts must all belong together. */
#include "key/key_internal.h"

#include <string.h>

#define BEGIN_LINE "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END_LINE "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define LINE_WIDTH 70
#define PADDING_BLOCK 8 /* of a section that is not encrypted */
#define SALT_LENGTH 16
#define TAG_MAX 16
#define DEFAULT_CIPHER "aes256-ctr"
#define DEFAULT_ROUNDS 24

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

static bool is_eddsa(sp_key_type type)
{
    return type == SP_KEY_ED25519 || type == SP_KEY_ED448;
}

static bool read_private(spb_reader *r, spc_pkey **pkey)
{
    const spb_env *env = spk_env();
    sp_key_type type = spk_type_find(spr_string(r));

    if (is_eddsa(type)) {
        spb_span point = spr_string(r);
        spb_span pair = spr_string(r); /* seed, then the point again; both are as long */
        size_t size = pair.length / 2;
        if (!spr_ok(r) || pair.length != 2 * size || point.length != size || size == 0 ||
            memcmp(pair.data + size, point.data, size) != 0)
            return false;
        return spc_pkey_from_eddsa(pkey, env, type, point, (spb_span){pair.data, size});
    }
    if (spc_is_composite(type)) {
        spb_span points = spr_string(r);
        spb_span seeds = spr_string(r);
        return spr_ok(r) && seeds.length != 0 &&
               spc_pkey_from_composite(pkey, env, type, points, seeds);
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
    if (type == SP_KEY_NONE || spk_is_security_key(type))
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

/* The section, in the clear. `wrong` is what two check numbers that differ mean: a wrong passphrase
 * where it was encrypted. */
static int read_section(sp_key **key, spb_span section, spb_span blob, int wrong)
{
    spc_pkey *pkey = NULL;
    spb_reader r;

    spr_init(&r, section.data, section.length);
    uint32_t check = spr_u32(&r);
    uint32_t again = spr_u32(&r);
    if (!spr_ok(&r))
        return SP_EFORMAT;
    if (check != again)
        return wrong;
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

/* What stands around the section. */
typedef struct openssh_file {
    const spc_file_cipher *cipher; /* NULL: not encrypted */
    spb_span salt;
    uint32_t rounds;
    spb_span blob;
    spb_span section;
    spb_span tag;
} openssh_file;

/* Runs the cipher over `text`, with a key made from the passphrase. */
static int crypt_section(const openssh_file *f, const char *passphrase, uint8_t *text,
                         size_t length, uint8_t *tag, bool sealing)
{
    uint8_t key[SPC_FILE_KEY_MAX];
    const spb_span phrase = {(const uint8_t *)passphrase, strlen(passphrase)};
    int result = SP_ECRYPTO;

    if (spc_bcrypt_pbkdf(spk_env(), phrase, f->salt, f->rounds, key,
                         (size_t)f->cipher->key_length + f->cipher->iv_length))
        result = spc_file_cipher_run(f->cipher, key, text, length, tag, sealing);
    sp_zero(key, sizeof key);
    return result;
}

static int read_encrypted(sp_key **key, const openssh_file *f, const char *passphrase)
{
    const spb_env *env = spk_env();
    uint8_t tag[TAG_MAX];

    if (f->section.length == 0 || f->section.length % f->cipher->block != 0)
        return SP_EFORMAT;
    if (passphrase == NULL || *passphrase == '\0')
        return SP_EPASSPHRASE;
    uint8_t *plain = spb_memdup(env, f->section.data, f->section.length);
    if (plain == NULL)
        return SP_ENOMEM;
    if (f->tag.length > 0)
        memcpy(tag, f->tag.data, f->tag.length);
    int result = crypt_section(f, passphrase, plain, f->section.length, tag, false);
    if (result == 0)
        result = read_section(key, (spb_span){plain, f->section.length}, f->blob, SP_EPASSPHRASE);
    spb_free_secret(env, plain, f->section.length);
    return result;
}

/* Cipher and key derivation: known, within bounds, and belonging together. */
static int read_protection(openssh_file *f, spb_span cipher, spb_span kdf, spb_span kdf_options)
{
    spb_reader r;

    if (spb_span_is(cipher, "none"))
        return spb_span_is(kdf, "none") && kdf_options.length == 0 ? 0 : SP_EFORMAT;
    f->cipher = spc_file_cipher_find(cipher);
    if (f->cipher == NULL || !spb_span_is(kdf, "bcrypt"))
        return SP_ENOTSUP;
    spr_init(&r, kdf_options.data, kdf_options.length);
    f->salt = spr_string_max(&r, SPC_BCRYPT_SALT_MAX);
    f->rounds = spr_u32(&r);
    if (!spr_done(&r) || f->salt.length == 0 || f->rounds == 0)
        return SP_EFORMAT;
    return f->rounds > SP_BCRYPT_ROUNDS_MAX ? SP_ENOTSUP : 0;
}

static int read_file(sp_key **key, spb_span file, const char *passphrase)
{
    openssh_file f = {0};
    spb_reader r;

    spr_init(&r, file.data, file.length);
    spb_span magic = spr_bytes(&r, sizeof MAGIC);
    spb_span cipher = spr_string(&r);
    spb_span kdf = spr_string(&r);
    spb_span kdf_options = spr_string(&r);
    uint32_t count = spr_u32(&r);
    f.blob = spr_string(&r);
    f.section = spr_string(&r);
    if (!spr_ok(&r) || memcmp(magic.data, MAGIC, sizeof MAGIC) != 0 || count != 1)
        return SP_EFORMAT;
    int result = read_protection(&f, cipher, kdf, kdf_options);
    if (result != 0)
        return result;
    f.tag = spr_bytes(&r, f.cipher == NULL ? 0 : f.cipher->tag_length);
    if (!spr_done(&r))
        return SP_EFORMAT;

    spb_reader b;
    spr_init(&b, f.blob.data, f.blob.length);
    sp_key_type type = spk_type_find(spr_string(&b));
    /* The file of a security key has no private key, only what the authenticator makes one of. */
    if (type == SP_KEY_NONE || spk_is_security_key(type))
        return spr_ok(&b) ? SP_ENOTSUP : SP_EFORMAT;
    if (f.cipher != NULL)
        return read_encrypted(key, &f, passphrase);
    if (f.section.length % PADDING_BLOCK != 0)
        return SP_EFORMAT;
    return read_section(key, f.section, f.blob, SP_EFORMAT);
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
    if (is_eddsa(type)) {
        if (!spk_write_part(k, "pub", false, b))
            return false;
        size_t mark = spw_string_begin(b);
        if (!spc_pkey_get(k, "seed", b) || !spc_pkey_get(k, "pub", b))
            return false;
        spw_string_end(b, mark);
        return spw_ok(b);
    }
    if (spc_is_composite(type))
        return spk_write_part(k, "pub", false, b) && spk_write_part(k, "seeds", false, b);
    if (type == SP_KEY_RSA)
        return spk_write_part(k, "n", true, b) && spk_write_part(k, "e", true, b) &&
               spk_write_part(k, "d", true, b) && spk_write_part(k, "iqmp", true, b) &&
               spk_write_part(k, "p", true, b) && spk_write_part(k, "q", true, b);
    spw_cstring(b, spk_curve_name(type));
    return spk_write_part(k, "point", false, b) && spk_write_part(k, "scalar", true, b);
}

/* The section in the clear, padded to the cipher's block. */
static bool write_section(const sp_key *key, const char *comment, size_t block, spb_buffer *b)
{
    uint8_t check[4];
    size_t start = b->length;

    if (!spc_random(spk_env(), check, sizeof check))
        return false;
    spw_bytes(b, check, sizeof check);
    spw_bytes(b, check, sizeof check);
    if (!write_private(key->pkey, b))
        return false;
    spw_cstring(b, comment);
    for (uint8_t i = 1; (b->length - start) % block != 0 && spw_ok(b); i++)
        spw_u8(b, i);
    return spw_ok(b);
}

static void write_head(const openssh_file *f, const sp_key *key, spb_buffer *b)
{
    spw_bytes(b, MAGIC, sizeof MAGIC);
    spw_cstring(b, f->cipher == NULL ? "none" : f->cipher->name);
    spw_cstring(b, f->cipher == NULL ? "none" : "bcrypt");
    size_t mark = spw_string_begin(b);
    if (f->cipher != NULL) {
        spw_string(b, f->salt.data, f->salt.length);
        spw_u32(b, f->rounds);
    }
    spw_string_end(b, mark);
    spw_u32(b, 1);
    spw_string(b, key->blob, key->blob_length);
}

static int write_file(const openssh_file *f, const sp_key *key, const sp_private_options *o,
                      spb_buffer *b)
{
    write_head(f, key, b);
    size_t mark = spw_string_begin(b);
    size_t start = b->length;
    if (!write_section(key, o->comment, f->cipher == NULL ? PADDING_BLOCK : f->cipher->block, b))
        return SP_ECRYPTO;
    spw_string_end(b, mark);
    if (f->cipher != NULL) {
        uint8_t tag[TAG_MAX];
        int result = crypt_section(f, o->passphrase, b->data + start, b->length - start, tag, true);
        if (result != 0)
            return result;
        spw_bytes(b, tag, f->cipher->tag_length);
    }
    return spw_ok(b) ? 0 : SP_ENOMEM;
}

static int armour(const spb_buffer *file, spb_buffer *out)
{
    spb_buffer packed;

    spb_buffer_init(&packed, spk_env(), 2 * SPK_PRIVATE_MAX);
    packed.secret = true;
    bool good = spc_base64_encode((spb_span){file->data, file->length}, &packed);
    if (good) {
        spw_bytes(out, BEGIN_LINE "\n", strlen(BEGIN_LINE) + 1);
        for (size_t at = 0; at < packed.length; at += LINE_WIDTH) {
            size_t left = packed.length - at;
            spw_bytes(out, packed.data + at, left < LINE_WIDTH ? left : LINE_WIDTH);
            spw_u8(out, '\n');
        }
        spw_bytes(out, END_LINE "\n", strlen(END_LINE) + 1);
    }
    spb_buffer_free(&packed);
    return good && spw_ok(out) ? 0 : SP_ENOMEM;
}

int spk_openssh_write(const sp_key *key, const sp_private_options *o, spb_buffer *out)
{
    uint8_t salt[SALT_LENGTH];
    openssh_file f = {.salt = {salt, sizeof salt}};
    spb_buffer file;

    if (o->passphrase != NULL) {
        const char *name = o->cipher == NULL ? DEFAULT_CIPHER : o->cipher;
        f.cipher = spc_file_cipher_find(spb_span_of(name));
        f.rounds = o->rounds == 0 ? DEFAULT_ROUNDS : o->rounds;
        if (f.cipher == NULL || f.rounds > SP_BCRYPT_ROUNDS_MAX)
            return SP_ENOTSUP;
        if (!spc_random(spk_env(), salt, sizeof salt))
            return SP_ECRYPTO;
    }
    spb_buffer_init(&file, spk_env(), SPK_PRIVATE_MAX);
    file.secret = true;
    int result = write_file(&f, key, o, &file);
    if (result == 0)
        result = armour(&file, out);
    spb_buffer_free(&file);
    return result;
}
