/* sallyport/key.h: public and private keys, certificates, lists of authorized and of revoked keys.
 *
 * Keys, certificates and lists are immutable and counted; they may be shared between threads and
 * servers. Private parts are wiped when the last reference goes. Formats: RFC 4253 6.6, RFC 5656
 * 3.1, RFC 8332, RFC 8709, OpenSSH PROTOCOL.key, PROTOCOL.certkeys, PROTOCOL.krl, PROTOCOL.u2f. */
#ifndef SALLYPORT_KEY_H
#define SALLYPORT_KEY_H

#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sp_key sp_key;

typedef enum sp_key_type {
    SP_KEY_NONE = 0,
    SP_KEY_ED25519,
    SP_KEY_ECDSA_P256,
    SP_KEY_ECDSA_P384,
    SP_KEY_ECDSA_P521,
    SP_KEY_RSA,
    SP_KEY_ED448,
    /* Security keys (FIDO authenticators; OpenSSH PROTOCOL.u2f): public keys only. */
    SP_KEY_SK_ED25519,
    SP_KEY_SK_ECDSA_P256,
    /* Experimental: ML-DSA-44 and Ed25519 in one key, both of which must verify
     * (draft-ietf-sshm-composite-sigs-00, OpenSSH 10.6). No preset has it. */
    SP_KEY_MLDSA44_ED25519,
    /* The same by the name that OpenSSH 10.4 and 10.5 know it by. */
    SP_KEY_MLDSA44_ED25519_DRAFT,
} sp_key_type;

/* Makes a new private key. `bits` matters for RSA only (0: 3072; else 2048 to 16384). Owned by the
 * caller. Errors: SP_EINVAL (also: a security key), SP_ENOMEM, SP_ECRYPTO. Thread: any. */
SP_API int sp_key_generate(sp_key **key, sp_key_type type, unsigned bits);

/* A key whose private part is elsewhere, from its public key: others sign for it, see
 * <sallyport/sign.h>. sp_key_sign refuses it. Owned by the caller. Errors: SP_ENOMEM, SP_ECRYPTO.
 * Thread: any. */
SP_API int sp_key_new_external(sp_key **key, const sp_key *public_key);
SP_API bool sp_key_is_external(const sp_key *key);

/* Reads a private key: the OpenSSH format (OpenSSH PROTOCOL.key), PKCS#8 or a PEM of libcrypto's,
 * each also encrypted. `passphrase` may be NULL, and is not looked at for a key that is not
 * encrypted. Errors: SP_EFORMAT, SP_ENOTSUP (type, cipher, or more than SP_BCRYPT_ROUNDS_MAX
 * rounds), SP_EPASSPHRASE, SP_ENOMEM, SP_ECRYPTO. An encrypted key takes as much time as was chosen
 * when it was written: some 0.1 to 1 s, on purpose. Thread: any. */
#define SP_BCRYPT_ROUNDS_MAX 16384u
SP_API int sp_key_parse_private(sp_key **key, const void *text, size_t length,
                                const char *passphrase);

/* The same from a file. A file that others than its owner may read is refused with SP_EACCES, as
 * sshd does. Other errors: SP_ENOENT, SP_EIO and those above. Blocks on the disk. Thread: any. */
SP_API int sp_key_load_private(sp_key **key, const char *path, const char *passphrase);

/* Writes a private key in the OpenSSH format without a passphrase, mode 0600, to a file that must
 * not exist yet (SP_EALREADY). `comment` may be NULL. Thread: any. */
SP_API int sp_key_save_private(const sp_key *key, const char *path, const char *comment);

typedef enum sp_private_format {
    SP_PRIVATE_OPENSSH = 0, /* OpenSSH PROTOCOL.key */
    /* RFC 5958; with a passphrase PBES2: AES-256-CBC, PBKDF2 (RFC 8018). Not for ML-DSA-44. */
    SP_PRIVATE_PKCS8,
} sp_private_format;

/* How to write a private key. What may be zero has the default that its comment gives. */
typedef struct sp_private_options {
    size_t size;
    sp_private_format format;
    const char *passphrase; /* NULL: not encrypted; may not be empty */
    /* For the OpenSSH format: */
    const char *comment;
    const char *cipher; /* NULL: "aes256-ctr"; as for ssh-keygen -Z */
    uint32_t rounds;    /* of bcrypt_pbkdf; 0: 24; up to SP_BCRYPT_ROUNDS_MAX */
} sp_private_options;
#define SP_PRIVATE_OPTIONS_INIT .size = sizeof(sp_private_options)

/* Writes a private key as text, without a NUL. `options` NULL: OpenSSH format, not encrypted.
 * `*length` is the room in and the size out; the caller wipes the text. Errors: SP_EINVAL (no
 * private key, empty passphrase), SP_ENOTSUP (cipher, rounds, a format that has no such keys),
 * SP_ELIMIT (room), SP_ENOMEM,
 * SP_ECRYPTO. Thread: any. */
#define SP_PRIVATE_MAX 65536
SP_API int sp_key_format_private(const sp_key *key, const sp_private_options *options, char *out,
                                 size_t *length);
/* The same to a file, mode 0600, that must not exist yet (SP_EALREADY). Other errors: SP_ENOENT,
 * SP_EACCES, SP_EIO. Blocks on the disk. Thread: any. */
SP_API int sp_key_write_private(const sp_key *key, const char *path,
                                const sp_private_options *options);

/* Reads one public key line: "type base64 [comment]". Errors as above. Thread: any. */
SP_API int sp_key_parse_public(sp_key **key, const char *line);
/* The same from a file that holds one such line. Errors: SP_ENOENT, SP_EACCES, SP_EIO and those
 * above. Blocks on the disk. Thread: any. */
SP_API int sp_key_load_public(sp_key **key, const char *path);

/* Reads a public key blob (RFC 4253 6.6). RSA keys below 2048 or above 16384 bits are refused with
 * SP_ENOTSUP. Thread: any. */
SP_API int sp_key_from_blob(sp_key **key, const void *blob, size_t length);

SP_API sp_key *sp_key_ref(const sp_key *key);
SP_API void sp_key_unref(sp_key *key);

SP_API sp_key_type sp_key_get_type(const sp_key *key);
/* Is it a security key's? */
SP_API bool sp_key_is_security_key(const sp_key *key);
/* What a security key was made for, and signs for: "ssh:", or a web site's name (WebAuthn's relying
 * party). It is part of the public key. NULL: another type of key. Lent. */
SP_API const char *sp_key_application(const sp_key *key);
/* "ssh-ed25519", "ecdsa-sha2-nistp256", ..., "ssh-rsa". */
SP_API const char *sp_key_type_name(const sp_key *key);
/* As ssh-keygen -l has it: "ED25519", "ECDSA", "RSA", "ED448", "ED25519-SK", "ECDSA-SK",
 * "MLDSA44-ED25519". */
SP_API const char *sp_key_short_name(const sp_key *key);
SP_API unsigned sp_key_bits(const sp_key *key);
SP_API bool sp_key_is_private(const sp_key *key);
/* The public key blob. */
SP_API const uint8_t *sp_key_blob(const sp_key *key, size_t *length);
/* Same public key? */
SP_API bool sp_key_equal(const sp_key *a, const sp_key *b);

/* "SHA256:..." as ssh-keygen -l prints it. */
#define SP_FINGERPRINT_SIZE 64
SP_API void sp_key_fingerprint(const sp_key *key, char out[SP_FINGERPRINT_SIZE]);

typedef enum sp_fingerprint_hash {
    SP_FINGERPRINT_SHA256 = 0,
    SP_FINGERPRINT_MD5, /* "MD5:16:27:...", for old lists only */
} sp_fingerprint_hash;
/* The same with a hash of choice. Errors, with "" in `out`: SP_EINVAL, SP_ECRYPTO (libcrypto has no
 * MD5), SP_ENOMEM. Thread: any. */
SP_API int sp_key_fingerprint_by(const sp_key *key, sp_fingerprint_hash hash,
                                 char out[SP_FINGERPRINT_SIZE]);
/* The fingerprint as a picture of 11 lines with newlines between them, as ssh-keygen -lv draws it.
 * Errors as above. Thread: any. */
#define SP_RANDOMART_SIZE 256
SP_API int sp_key_randomart(const sp_key *key, sp_fingerprint_hash hash,
                            char out[SP_RANDOMART_SIZE]);

/* A host key's DNS record "host IN SSHFP algorithm hash fingerprint" without a newline, as
 * ssh-keygen -r prints it (RFC 4255, RFC 6594, RFC 7479, RFC 8709). `host` must be a name without
 * blanks and control characters. Returns the length it has or would have, like snprintf. Errors:
 * SP_EINVAL, SP_ENOTSUP (there is no number for its type), SP_ECRYPTO (libcrypto has no SHA-1).
 * Thread: any. */
typedef enum sp_sshfp_hash {
    SP_SSHFP_SHA1 = 1,
    SP_SSHFP_SHA256 = 2,
} sp_sshfp_hash;
SP_API int sp_key_format_sshfp(const sp_key *key, const char *host, sp_sshfp_hash hash, char *out,
                               size_t size);

/* "type base64 comment" without a newline, NUL-terminated. Returns the length it has or would have
 * (like snprintf). `comment` may be NULL. */
SP_API int sp_key_format_public(const sp_key *key, const char *comment, char *out, size_t size);

/* Signs `data` with a private key. `algorithm` is a signature algorithm's name ("rsa-sha2-256") and
 * must fit the key. `*length` is the room in and the size of the signature blob (RFC 4253 6.6) out.
 * Errors: SP_EINVAL, SP_ENOTSUP, SP_ELIMIT (room), SP_ECRYPTO. Thread: any. */
#define SP_SIGNATURE_MAX 2600
SP_API int sp_key_sign(const sp_key *key, const char *algorithm, const void *data,
                       size_t data_length, uint8_t *signature, size_t *length);

/* Checks a signature blob made with `algorithm`. True only for a good signature by this key with
 * just that algorithm; a security key must also have been touched for it. Thread: any. */
SP_API bool sp_key_verify(const sp_key *key, const char *algorithm, const void *data,
                          size_t data_length, const uint8_t *signature, size_t length);

/* What a signature says of how it was made (OpenSSH PROTOCOL.u2f). All false for other keys. */
typedef struct sp_signature_info {
    size_t size;
    bool security_key; /* the rest counts */
    bool touched;      /* somebody was present and touched it */
    bool verified;     /* and was verified by the key: a PIN or biometry */
    bool webauthn;     /* made by a browser */
    uint32_t counter;  /* of signatures, where the key counts them */
} sp_signature_info;
#define SP_SIGNATURE_INFO_INIT .size = sizeof(sp_signature_info)

/* As sp_key_verify, but it is the caller's to judge by `info` whether a touch or a PIN was needed:
 * true also for a signature that nobody was present for. `info` says nothing after false. Thread:
 * any. */
SP_API bool sp_key_verify_info(const sp_key *key, const char *algorithm, const void *data,
                               size_t data_length, const uint8_t *signature, size_t length,
                               sp_signature_info *info);

/* ---- certificates -----------------------------------------------------------------------------
 * OpenSSH certificates (PROTOCOL.certkeys): a key, what may be done with it, and the signature of a
 * certification authority (CA). Reading one says that it is well-formed, nothing more: whether its
 * CA is trusted, signed it, and for whom and how long, is checked by the server when it is used. */
typedef struct sp_cert sp_cert;

typedef enum sp_cert_type {
    SP_CERT_NONE = 0,
    SP_CERT_USER = 1,
    SP_CERT_HOST = 2,
} sp_cert_type;

/* A critical option or an extension. */
typedef struct sp_cert_option {
    const char *name;
    bool critical;       /* else an extension */
    const uint8_t *data; /* as it stands in the certificate */
    size_t length;
    const char *value; /* the text in `data`, "" for a flag; NULL: `data` is not one text */
} sp_cert_option;

/* Reads a certificate blob. Refused with SP_EFORMAT: names out of order or twice, a NUL in a name
 * or a principal, bytes left over, an unknown certificate type. SP_ENOTSUP: a key type or size that
 * we don't take (also of the CA, which can't be a certificate itself). SP_ELIMIT: more than 64 KiB,
 * 256 principals, or 64 options of a kind. SP_ENOMEM. Thread: any. */
SP_API int sp_cert_from_blob(sp_cert **cert, const void *blob, size_t length);
/* Reads one line "type base64 [comment]", as ssh-keygen writes to *-cert.pub. Errors as above.
 * Thread: any. */
SP_API int sp_cert_parse(sp_cert **cert, const char *line);
/* The same from a file that holds one such line. Errors: SP_ENOENT, SP_EACCES, SP_EIO and those
 * above. Blocks on the disk. Thread: any. */
SP_API int sp_cert_load(sp_cert **cert, const char *path);

/* What a certificate says is lent: it lasts as long as a reference to it. Thread of all: any. */
SP_API sp_cert *sp_cert_ref(const sp_cert *cert);
SP_API void sp_cert_unref(sp_cert *cert);

/* "ssh-ed25519-cert-v01@openssh.com" ... */
SP_API const char *sp_cert_type_name(const sp_cert *cert);
SP_API sp_cert_type sp_cert_get_type(const sp_cert *cert);
SP_API const sp_key *sp_cert_key(const sp_cert *cert);    /* the certified public key */
SP_API const sp_key *sp_cert_ca_key(const sp_cert *cert); /* who signed it, by its own words */
SP_API uint64_t sp_cert_serial(const sp_cert *cert);
SP_API const char *sp_cert_key_id(const sp_cert *cert);
/* Seconds since 1970: good from `after` on and before `before` (UINT64_MAX: for ever). */
SP_API uint64_t sp_cert_valid_after(const sp_cert *cert);
SP_API uint64_t sp_cert_valid_before(const sp_cert *cert);
/* The names that it is good for, each as it stands (a comma is part of a name). NULL past the end.
 */
SP_API size_t sp_cert_principal_count(const sp_cert *cert);
SP_API const char *sp_cert_principal(const sp_cert *cert, size_t index);
/* Critical options first, then extensions, in their order. NULL past the end; NULL: none such. */
SP_API const sp_cert_option *sp_cert_option_at(const sp_cert *cert, size_t index);
SP_API const sp_cert_option *sp_cert_find_option(const sp_cert *cert, const char *name);
/* The blob, byte for byte as it was read. */
SP_API const uint8_t *sp_cert_blob(const sp_cert *cert, size_t *length);
/* "type base64 comment", as sp_key_format_public does it. */
SP_API int sp_cert_format(const sp_cert *cert, const char *comment, char *out, size_t size);

/* ---- authorized_keys --------------------------------------------------------------------------
 * A list in the format of sshd(8), AUTHORIZED_KEYS FILE FORMAT, with every option there. A line
 * with an option that is unknown, malformed or given twice where once is meant is skipped and
 * reported: an option that is not understood must never widen what its key may do. */
typedef struct sp_authorized_keys sp_authorized_keys;

/* Called for each line that was skipped. `reason` is lent. */
typedef void (*sp_authorized_keys_report)(void *ctx, unsigned line, const char *reason);

/* Parses a text. `report` may be NULL. Bad lines are skipped, never fatal. Local times in
 * expiry-time are taken in the time zone of the process. Errors: SP_ENOMEM. Thread: any. */
SP_API int sp_authorized_keys_parse(sp_authorized_keys **list, const char *text, size_t length,
                                    sp_authorized_keys_report report, void *ctx);
/* The same from a file. Errors: SP_ENOENT, SP_EACCES, SP_EIO, SP_ELIMIT (more than 1 MiB),
 * SP_ENOMEM. Blocks on the disk. Thread: any. */
SP_API int sp_authorized_keys_load(sp_authorized_keys **list, const char *path,
                                   sp_authorized_keys_report report, void *ctx);
SP_API sp_authorized_keys *sp_authorized_keys_ref(const sp_authorized_keys *list);
/* Gives a reference back. NULL is fine. */
SP_API void sp_authorized_keys_free(sp_authorized_keys *list);
/* All lines that count, with and without options, those of CAs as well. */
SP_API size_t sp_authorized_keys_count(const sp_authorized_keys *list);
/* May this key log in without any condition or restriction? True only when its first line (lines
 * with cert-authority aside) has no options at all. */
SP_API bool sp_authorized_keys_contains(const sp_authorized_keys *list, const sp_key *key);

/* ---- revoked keys -----------------------------------------------------------------------------
 * An OpenSSH key revocation list (PROTOCOL.krl), or a text with one public key a line. */
typedef struct sp_revoked_keys sp_revoked_keys;

/* Reads a list; which of the two forms it has is seen from its first bytes. A list is taken whole
 * or not at all: anything that is not understood (a malformed line or section, an unknown section,
 * an unknown critical extension, a signature, which OpenSSH refuses as well) gives SP_EFORMAT, and
 * the caller should then refuse every key. SP_ELIMIT: more than 64 MiB. SP_ENOMEM. Thread: any. */
SP_API int sp_revoked_keys_parse(sp_revoked_keys **list, const void *data, size_t length);
/* The same from a file. Errors: SP_ENOENT, SP_EACCES, SP_EIO and those above. Blocks on the disk.
 * Thread: any. */
SP_API int sp_revoked_keys_load(sp_revoked_keys **list, const char *path);
SP_API sp_revoked_keys *sp_revoked_keys_ref(const sp_revoked_keys *list);
SP_API void sp_revoked_keys_unref(sp_revoked_keys *list);

#ifdef __cplusplus
}
#endif
#endif
