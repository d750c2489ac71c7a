/* Inside a key, and what the files of this room share. */
#ifndef SPK_KEY_INTERNAL_H
#define SPK_KEY_INTERNAL_H

#include "base/wire.h"
#include "crypto/crypto.h"

#include <stdatomic.h>

struct sp_key {
    atomic_uint references;
    spc_pkey *pkey; /* only read after the key is made */
    uint8_t *blob;  /* the public key blob */
    size_t blob_length;
    sp_key_type type;  /* a security key's is not that of `pkey` */
    char *application; /* of a security key, else NULL */
    bool is_private;
    bool is_external; /* others sign for it */
};

/* No blob of a key that we take is longer; its base64 fits a line of SPK_LINE_MAX. */
#define SPK_BLOB_MAX ((size_t)4096)
#define SPK_LINE_MAX ((size_t)16384)
#define SPK_FILE_MAX ((size_t)1024 * 1024)
#define SPK_PRIVATE_MAX ((size_t)64 * 1024)
#define SPK_CERT_MAX ((size_t)64 * 1024)

/* Keys have no server: their memory comes from the default allocator. */
const spb_env *spk_env(void);

/* Room for one more item behind `count`: the array, perhaps moved; NULL: out of memory, and the old
 * one is as it was. */
void *spk_grow(void *items, size_t count, size_t *capacity, size_t item_size);

/* Makes a key around `pkey`, which it takes over whatever happens. */
int spk_new(sp_key **key, spc_pkey *pkey, bool is_private);
/* The same for the public half of a security key; `application` is good. */
int spk_new_security_key(sp_key **key, spc_pkey *pkey, sp_key_type type, spb_span application);

/* "ssh-ed25519" ...; NULL for SP_KEY_NONE. */
const char *spk_type_name(sp_key_type type);
/* By the name of a type; SP_KEY_NONE when unknown. */
sp_key_type spk_type_find(spb_span name);
/* "nistp256" ...; NULL for other types. */
const char *spk_curve_name(sp_key_type type);

/* Writes the public key blob (RFC 4253 6.6). False: out of memory or libcrypto failed. */
bool spk_write_blob(const spc_pkey *pkey, sp_key_type type, const char *application,
                    spb_buffer *out) SPC_MUST_CHECK;
/* Appends a number of the key as a string or an mpint. */
bool spk_write_part(const spc_pkey *pkey, const char *what, bool mpint,
                    spb_buffer *out) SPC_MUST_CHECK;

/* signature.c. Does `algorithm` fit the key, and is the inner signature (what stands behind the
 * algorithm's name) good? `info` is filled then. */
bool spk_verify(const sp_key *key, const spc_signature *algorithm, spb_span data, spb_span inner,
                sp_signature_info *info) SPC_MUST_CHECK;

/* security_key.c (OpenSSH PROTOCOL.u2f). */
bool spk_is_security_key(sp_key_type type);
/* May a security key be made for this application? */
bool spk_application_good(spb_span application);
/* `inner` begins with the string of the signature proper and goes to the end of the blob. */
bool spk_security_key_verify(const sp_key *key, const spc_signature *algorithm, spb_span data,
                             spb_span inner, sp_signature_info *info) SPC_MUST_CHECK;

/* openssh_private.c. The text between the two armour lines is recognised by its first line. */
bool spk_openssh_recognised(spb_span text);
int spk_openssh_parse(sp_key **key, spb_span text, const char *passphrase);
int spk_openssh_write(const sp_key *key, const sp_private_options *options, spb_buffer *out);

/* Takes the white space around a text off. False: nothing is left, or not just one line. */
bool spk_one_line(spb_span *text);
/* "type base64 ..." at the start of a line; `*reason` gets an English text on failure. */
int spk_parse_line(sp_key **key, spb_span line, const char **reason);
/* "type base64 comment" like snprintf; SP_EINVAL: a control character in the comment. */
int spk_format_line(const char *type, spb_span blob, const char *comment, char *out, size_t size);
/* Reads a regular file to its end; `secret`: nobody but its owner may read it. 0 or SP_E... */
int spk_read_file(const char *path, bool secret, spb_buffer *out);
/* Without white space and line ends around it. */
spb_span spk_trim(spb_span text);
/* Takes a word off the front, up to a blank or the end, and the blanks behind it. */
spb_span spk_take_word(spb_span *rest);

#endif
