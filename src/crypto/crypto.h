/* The door to libcrypto: src/crypto is the only room that includes <openssl/...>. Narrow const
 * tables of algorithms; every function that can fail returns bool (true: it worked) and must be
 * checked. Algorithms are fetched once per process (thread-safe), never per packet or connection.
 * Secrets are wiped before memory goes back. */
#ifndef SPC_CRYPTO_H
#define SPC_CRYPTO_H

#include "base/mem.h"
#include "base/wire.h"

#define SPC_MUST_CHECK __attribute__((warn_unused_result))

/* ---- random ---- */
/* env->random when set, else libcrypto's generator. */
bool spc_random(const spb_env *env, void *buffer, size_t length) SPC_MUST_CHECK;

/* ---- hash ---- */
/* SHA-1 and MD5 only for fingerprints of old lists and records, SHA-1 also for HMAC; libcrypto may
 * lack them. */
typedef enum spc_hash_id {
    SPC_NO_HASH = 0,
    SPC_SHA256,
    SPC_SHA384,
    SPC_SHA512,
    SPC_SHA1,
    SPC_MD5
} spc_hash_id;
#define SPC_HASH_MAX 64
size_t spc_hash_size(spc_hash_id id);
/* One shot over several spans. */
bool spc_hash(spc_hash_id id, const spb_span *spans, size_t count, uint8_t *out) SPC_MUST_CHECK;

/* ---- files of private keys (OpenSSH PROTOCOL.key) ---- */
/* bcrypt_pbkdf; `rounds` 1 to SP_BCRYPT_ROUNDS_MAX. Each takes milliseconds for 32 bytes. */
#define SPC_BCRYPT_SALT_MAX ((size_t)1024)
#define SPC_BCRYPT_OUT_MAX ((size_t)128)
bool spc_bcrypt_pbkdf(const spb_env *env, spb_span passphrase, spb_span salt, uint32_t rounds,
                      uint8_t *out, size_t length) SPC_MUST_CHECK;

/* A cipher as such a file uses it, for one text under one key. */
#define SPC_FILE_KEY_MAX ((size_t)80) /* of key and iv together */
typedef struct spc_file_cipher {
    const char *name;
    uint8_t key_length;
    uint8_t iv_length;
    uint8_t block; /* the text's length is a multiple of it */
    uint8_t tag_length;
} spc_file_cipher;
const spc_file_cipher *spc_file_cipher_find(spb_span name);
const spc_file_cipher *spc_file_cipher_at(size_t index);
/* In place; `key` is key and iv. Sealing writes the tag, opening checks it. SP_ENOTSUP: libcrypto
 * lacks the cipher; SP_EPASSPHRASE: the tag is wrong; SP_ECRYPTO. */
int spc_file_cipher_run(const spc_file_cipher *cipher, const uint8_t *key, uint8_t *text,
                        size_t length, uint8_t *tag, bool sealing) SPC_MUST_CHECK;

/* ---- base64 (RFC 4648 4), strict: no white space, padding and unused bits as they must be ---- */
bool spc_base64_encode(spb_span in, spb_buffer *out) SPC_MUST_CHECK; /* appends */
bool spc_base64_decode(spb_span in, spb_buffer *out) SPC_MUST_CHECK; /* appends */

/* ---- key exchange, server side (RFC 8731, RFC 5656, RFC 8268): one message in, one out */
#define SPC_KEX_PUBLIC_MAX 2048
#define SPC_KEX_SECRET_MAX 1024
typedef struct spc_kex {
    const char *name;
    spc_hash_id hash;
    bool secret_is_string; /* K goes into the hash as a string, not an mpint (hybrid KEMs) */
    size_t client_public_min, client_public_max; /* checked before any arithmetic */
    /* From the client's public value makes ours and the shared secret (big-endian, as is). Bad
     * points and an all-zero result are failures. */
    bool (*respond)(const struct spc_kex *kex, const spb_env *env, spb_span client_public,
                    uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                    size_t *secret_length);
} spc_kex;
const spc_kex *spc_kex_find(spb_span name);
/* Index 0 up, best first; NULL at the end. The same for the other tables. */
const spc_kex *spc_kex_at(size_t index);
/* Has libcrypto what it needs? The same for the other tables. */
bool spc_kex_available(const spc_kex *kex);
/* Does it take so long that a loop should not wait for it? */
bool spc_kex_slow(const spc_kex *kex);
/* Does the client ask for a group first (RFC 4419)? Then spc_dh_respond_group is what responds. */
bool spc_kex_group_exchange(const spc_kex *kex);

/* ---- Diffie-Hellman in a group of integers modulo a safe prime (RFC 4253 8, RFC 4419) ---- */
#define SPC_DH_BITS_MIN 2048u /* RFC 8270 */
#define SPC_DH_BITS_MAX 8192u
typedef struct spc_dh_group {
    const uint8_t *prime; /* without leading zeros; odd; its size is in these bounds */
    size_t length;
    uint32_t generator; /* 2 or more */
} spc_dh_group;
/* The primes of RFC 3526 with 2048, 4096 and 8192 bits (groups 14, 16, 18), generator 2: writes
 * bits / 8 bytes. */
bool spc_dh_prime(unsigned bits, uint8_t *out) SPC_MUST_CHECK;
/* Public values are the bytes of an mpint here; `client_public` is checked to be one and to be
 * above 1 and below the prime less 1. */
bool spc_dh_respond_group(const spc_dh_group *group, spb_span client_public, uint8_t *server_public,
                          size_t *server_public_length, uint8_t *secret,
                          size_t *secret_length) SPC_MUST_CHECK;

/* ---- packet protection ---- */
typedef struct spc_cipher {
    const char *name;
    uint8_t key_length;
    uint8_t iv_length;
    uint8_t block;      /* packets are padded to this; at least 8 */
    uint8_t tag_length; /* > 0: authenticated, no MAC is negotiated */
} spc_cipher;
const spc_cipher *spc_cipher_find(spb_span name);
const spc_cipher *spc_cipher_at(size_t index);
bool spc_cipher_available(const spc_cipher *cipher);

typedef struct spc_mac {
    const char *name;
    spc_hash_id hash; /* of HMAC; none: UMAC (RFC 4418) */
    uint8_t key_length;
    uint8_t length;
    bool etm; /* encrypt-then-mac: the length field is in the clear */
} spc_mac;
const spc_mac *spc_mac_find(spb_span name);
const spc_mac *spc_mac_at(size_t index);
bool spc_mac_available(const spc_mac *mac);

/* One direction's keys. `mac` NULL for an authenticated cipher. `key`, `iv` and `mac_key` have the
 * lengths that the tables tell. `env` lives longer. What has failed once fails for ever: no nonce
 * is used twice and nothing is taken after a bad packet. */
typedef struct spc_protection spc_protection;
bool spc_protection_new(spc_protection **out, const spb_env *env, const spc_cipher *cipher,
                        const spc_mac *mac, const uint8_t *key, const uint8_t *iv,
                        const uint8_t *mac_key, bool sealing) SPC_MUST_CHECK;
void spc_protection_free(spc_protection *p);
/* Bytes at the front that are not part of what is padded to `block`: 4 (authenticated, etm) or 0.
 */
size_t spc_protection_clear_length(const spc_protection *p);
size_t spc_protection_block(const spc_protection *p);
size_t spc_protection_tag(const spc_protection *p); /* bytes behind the packet */
/* How many bytes must have come before spc_open_length can tell: 4, or a block. */
size_t spc_protection_need(const spc_protection *p);

/* Reads packet_length (RFC 4253 6). Changes nothing in `packet`, may be called again for the same
 * packet. Not authenticated: the caller checks its range before it waits for that many bytes. */
bool spc_open_length(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                     uint32_t *packet_length) SPC_MUST_CHECK;
/* `packet`: 4 + packet_length + tag bytes. Verifies, then decrypts in place: afterwards packet + 4
 * is the padding length byte. False: integrity failure (constant-time); the packet is unusable. */
bool spc_open(spc_protection *p, uint32_t sequence, uint8_t *packet,
              uint32_t packet_length) SPC_MUST_CHECK;
/* Seals the whole plain packet (length field, padding length, payload, padding), given as spans one
 * behind the other, into `out`: as many bytes plus the tag. `out` overlaps no span. The first span
 * has at least the 5 bytes of both length fields. Copying and encrypting is one pass. */
bool spc_seal(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
              uint8_t *out) SPC_MUST_CHECK;

/* ---- signatures and keys ---- */
typedef struct spc_signature {
    const char *name;     /* signature algorithm: "rsa-sha2-256" */
    sp_key_type key_type; /* the keys that it fits; those of security keys are the key room's */
} spc_signature;
const spc_signature *spc_signature_find(spb_span name);
const spc_signature *spc_signature_at(size_t index);

/* A libcrypto key. Raw material comes from src/key, which knows the SSH formats. Made once, then
 * only read: usable from several threads. */
typedef struct spc_pkey spc_pkey;
void spc_pkey_free(spc_pkey *k);
bool spc_pkey_generate(spc_pkey **out, const spb_env *env, sp_key_type type,
                       unsigned bits) SPC_MUST_CHECK;
/* ed25519, ed448: public point of 32 or 57 bytes; private seed as long, or empty. A point whose
 * encoding is not the one of RFC 8032 5.1.2 and 5.2.2, or that has a small order, so that others
 * could sign for it, is refused. */
bool spc_pkey_from_eddsa(spc_pkey **out, const spb_env *env, sp_key_type type,
                         spb_span public_point, spb_span seed) SPC_MUST_CHECK;
/* ecdsa: uncompressed point (checked to be on the curve); scalar or empty. */
bool spc_pkey_from_ecdsa(spc_pkey **out, const spb_env *env, sp_key_type type, spb_span point,
                         spb_span scalar) SPC_MUST_CHECK;
/* ML-DSA-44 with Ed25519, by either of its names? */
bool spc_is_composite(sp_key_type type);
/* ML-DSA-44 with Ed25519, experimental: both public keys one behind the other (1312 and 32 bytes);
 * both seeds (32 and 32) or empty. */
bool spc_pkey_from_composite(spc_pkey **out, const spb_env *env, sp_key_type type,
                             spb_span public_key, spb_span seeds) SPC_MUST_CHECK;
/* rsa: n, e; private: d, iqmp, p, q, or all empty. Sizes are checked before arithmetic: n 2048 to
 * 16384 bits, e odd, at least 3, at most 64 bits. */
bool spc_pkey_from_rsa(spc_pkey **out, const spb_env *env, spb_span n, spb_span e, spb_span d,
                       spb_span iqmp, spb_span p, spb_span q) SPC_MUST_CHECK;
/* PEM or PKCS#8, with or without passphrase. Returns 0 or SP_E... */
int spc_pkey_from_pem(spc_pkey **out, const spb_env *env, spb_span text,
                      const char *passphrase) SPC_MUST_CHECK;
/* Appends PKCS#8 as PEM to a secret buffer; encrypted unless `passphrase` is NULL. */
bool spc_pkey_to_pkcs8(const spc_pkey *k, const char *passphrase, spb_buffer *out) SPC_MUST_CHECK;
sp_key_type spc_pkey_type(const spc_pkey *k);
unsigned spc_pkey_bits(const spc_pkey *k);
/* Numbers of a key for its SSH form. ed25519, ed448: "pub", "seed"; composite: "pub", "seeds";
 * ecdsa: "point", "scalar"; rsa: "n", "e", "d", "iqmp", "p", "q". Appends the bare big-endian bytes
 * (a secret buffer for private ones).
 */
bool spc_pkey_get(const spc_pkey *k, const char *what, spb_buffer *out) SPC_MUST_CHECK;

/* The raw inner signature: composite 2484 bytes; ed25519 64 bytes, ed448 114; rsa PKCS#1 v1.5,
 * padded to the modulus; ecdsa as mpint r, mpint s (RFC 5656 3.1.2). An RSA signature is verified
 * before it is given out.
 */
bool spc_sign(const spc_pkey *k, const spc_signature *alg, spb_span data,
              spb_buffer *out) SPC_MUST_CHECK;
/* True only for a good signature. */
bool spc_verify(const spc_pkey *k, const spc_signature *alg, spb_span data,
                spb_span signature) SPC_MUST_CHECK;

#endif
