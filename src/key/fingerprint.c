/* What people and DNS know a key by: its fingerprint, the picture of it, and SSHFP records (RFC
 * 4255), each in the form that ssh-keygen prints. */
#include "key/key_internal.h"

#include <stdio.h>
#include <string.h>

/* ssh-keygen's picture: a walk over a field of this size, from its middle. */
#define FIELD_COLUMNS 17
#define FIELD_ROWS 9

static spc_hash_id hash_id(sp_fingerprint_hash hash)
{
    return hash == SP_FINGERPRINT_MD5 ? SPC_MD5 : SPC_SHA256;
}

static int hash_blob(const sp_key *key, spc_hash_id id, uint8_t out[SPC_HASH_MAX])
{
    const spb_span blob = {key->blob, key->blob_length};

    return spc_hash(id, &blob, 1, out) ? 0 : SP_ECRYPTO;
}

/* ---- fingerprints ---- */

static void write_md5(const uint8_t *hash, char *out)
{
    size_t at = (size_t)snprintf(out, SP_FINGERPRINT_SIZE, "MD5");

    for (size_t i = 0; i < spc_hash_size(SPC_MD5); i++)
        at += (size_t)snprintf(out + at, SP_FINGERPRINT_SIZE - at, ":%02x", hash[i]);
}

static int write_sha256(const uint8_t *hash, char *out)
{
    spb_buffer text;

    spb_buffer_init(&text, spk_env(), SP_FINGERPRINT_SIZE);
    bool good = spc_base64_encode((spb_span){hash, spc_hash_size(SPC_SHA256)}, &text);
    /* ssh-keygen leaves the padding out. */
    while (good && text.length > 0 && text.data[text.length - 1] == '=')
        text.length--;
    if (good)
        (void)snprintf(out, SP_FINGERPRINT_SIZE, "SHA256:%.*s", (int)text.length,
                       (const char *)text.data);
    spb_buffer_free(&text);
    return good ? 0 : SP_ENOMEM;
}

int sp_key_fingerprint_by(const sp_key *key, sp_fingerprint_hash hash,
                          char out[SP_FINGERPRINT_SIZE])
{
    uint8_t bytes[SPC_HASH_MAX];

    out[0] = '\0';
    if (hash != SP_FINGERPRINT_SHA256 && hash != SP_FINGERPRINT_MD5)
        return SP_EINVAL;
    int result = hash_blob(key, hash_id(hash), bytes);
    if (result == 0 && hash == SP_FINGERPRINT_MD5)
        write_md5(bytes, out);
    else if (result == 0)
        result = write_sha256(bytes, out);
    return result;
}

void sp_key_fingerprint(const sp_key *key, char out[SP_FINGERPRINT_SIZE])
{
    (void)sp_key_fingerprint_by(key, SP_FINGERPRINT_SHA256, out);
}

/* ---- the picture ---- */

/* By the number of visits; the last two mark the start and the end. */
static const char marks[] = " .o+=*BOX@%&#/^SE";
#define MARK_START ((uint8_t)(sizeof marks - 3))
#define MARK_END ((uint8_t)(sizeof marks - 2))

/* One step along a diagonal, sliding along the walls. */
static unsigned step(unsigned at, bool forward, unsigned size)
{
    if (forward)
        return at + 1 < size ? at + 1 : at;
    return at > 0 ? at - 1 : at;
}

/* Two bits are a step, the lowest first. */
static void walk(const uint8_t *hash, size_t length, uint8_t field[FIELD_ROWS][FIELD_COLUMNS])
{
    unsigned column = FIELD_COLUMNS / 2, row = FIELD_ROWS / 2;

    for (size_t i = 0; i < 4 * length; i++) {
        unsigned bits = (unsigned)hash[i / 4] >> (2 * (i % 4));
        column = step(column, (bits & 1) != 0, FIELD_COLUMNS);
        row = step(row, (bits & 2) != 0, FIELD_ROWS);
        if (field[row][column] < MARK_START - 1)
            field[row][column]++;
    }
    field[FIELD_ROWS / 2][FIELD_COLUMNS / 2] = MARK_START;
    field[row][column] = MARK_END;
}

/* "+---[text]---+"; what is left over goes to the right. */
static char *border(char *at, const char *text)
{
    size_t length = strlen(text);
    size_t left = (FIELD_COLUMNS - length) / 2;

    *at++ = '+';
    memset(at, '-', FIELD_COLUMNS);
    for (size_t i = 0; i < length; i++)
        at[left + i] = text[i];
    at += FIELD_COLUMNS;
    *at++ = '+';
    return at;
}

/* As ssh-keygen names a type in short. */
static const char *short_name(sp_key_type type)
{
    switch (type) {
    case SP_KEY_ED25519:
        return "ED25519";
    case SP_KEY_ECDSA_P256:
    case SP_KEY_ECDSA_P384:
    case SP_KEY_ECDSA_P521:
        return "ECDSA";
    case SP_KEY_RSA:
        return "RSA";
    case SP_KEY_ED448:
        return "ED448";
    case SP_KEY_SK_ED25519:
        return "ED25519-SK";
    case SP_KEY_SK_ECDSA_P256:
        return "ECDSA-SK";
    case SP_KEY_MLDSA44_ED25519:
    case SP_KEY_MLDSA44_ED25519_DRAFT:
        return "MLDSA44-ED25519";
    case SP_KEY_NONE:
        break;
    }
    return "?";
}

const char *sp_key_short_name(const sp_key *key)
{
    return short_name(key->type);
}

/* Without the bits where there is no room for them. One name loses its bracket even so, as for
 * ssh-keygen. */
static void title_of(const sp_key *key, char title[FIELD_COLUMNS])
{
    const char *name = short_name(key->type);
    char whole[64];
    int length = snprintf(whole, sizeof whole, "[%s %u]", name, sp_key_bits(key));

    if (length >= FIELD_COLUMNS)
        length = snprintf(whole, sizeof whole, "[%s]", name);
    whole[length < FIELD_COLUMNS ? length : FIELD_COLUMNS - 1] = '\0';
    memcpy(title, whole, strlen(whole) + 1);
}

int sp_key_randomart(const sp_key *key, sp_fingerprint_hash hash, char out[SP_RANDOMART_SIZE])
{
    uint8_t field[FIELD_ROWS][FIELD_COLUMNS] = {{0}};
    uint8_t bytes[SPC_HASH_MAX];
    char title[FIELD_COLUMNS];

    _Static_assert((FIELD_ROWS + 2) * (FIELD_COLUMNS + 3) <= SP_RANDOMART_SIZE, "no room");
    out[0] = '\0';
    if (hash != SP_FINGERPRINT_SHA256 && hash != SP_FINGERPRINT_MD5)
        return SP_EINVAL;
    int result = hash_blob(key, hash_id(hash), bytes);
    if (result != 0)
        return result;
    walk(bytes, spc_hash_size(hash_id(hash)), field);
    title_of(key, title);
    char *at = border(out, title);
    for (size_t row = 0; row < FIELD_ROWS; row++) {
        *at++ = '\n';
        *at++ = '|';
        for (size_t column = 0; column < FIELD_COLUMNS; column++)
            *at++ = marks[field[row][column]];
        *at++ = '|';
    }
    *at++ = '\n';
    at = border(at, hash == SP_FINGERPRINT_MD5 ? "[MD5]" : "[SHA256]");
    *at = '\0';
    return 0;
}

/* ---- SSHFP ---- */

/* IANA's numbers; 0: there is none. */
static unsigned sshfp_algorithm(sp_key_type type)
{
    switch (type) {
    case SP_KEY_RSA:
        return 1;
    case SP_KEY_ECDSA_P256:
    case SP_KEY_ECDSA_P384:
    case SP_KEY_ECDSA_P521:
        return 3;
    case SP_KEY_ED25519:
        return 4;
    case SP_KEY_ED448:
        return 6;
    default:
        return 0;
    }
}

static bool host_good(const char *host)
{
    for (const unsigned char *c = (const unsigned char *)host; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 0x7f)
            return false;
    }
    return *host != '\0';
}

int sp_key_format_sshfp(const sp_key *key, const char *host, sp_sshfp_hash hash, char *out,
                        size_t size)
{
    unsigned algorithm = sshfp_algorithm(key->type);
    spc_hash_id id = hash == SP_SSHFP_SHA1 ? SPC_SHA1 : SPC_SHA256;
    uint8_t bytes[SPC_HASH_MAX];
    char hex[2 * SPC_HASH_MAX + 1] = "";

    if ((hash != SP_SSHFP_SHA1 && hash != SP_SSHFP_SHA256) || host == NULL || !host_good(host))
        return SP_EINVAL;
    if (algorithm == 0)
        return SP_ENOTSUP;
    int result = hash_blob(key, id, bytes);
    if (result != 0)
        return result;
    for (size_t i = 0; i < spc_hash_size(id); i++)
        (void)snprintf(hex + 2 * i, sizeof hex - 2 * i, "%02x", bytes[i]);
    return snprintf(out, size, "%s IN SSHFP %u %u %s", host, algorithm, (unsigned)hash, hex);
}
