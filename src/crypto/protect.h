/* Inside packet protection: the object and the operations that each family of ciphers gives it. */
#ifndef SPC_PROTECT_H
#define SPC_PROTECT_H

#include "crypto/crypto.h"
#include "crypto/fetch.h"
#include "crypto/umac.h"

#define SPC_AES_BLOCK ((size_t)16)
#define SPC_GCM_IV ((size_t)12)
#define SPC_CHACHA_KEY ((size_t)32)
#define SPC_TAG_MAX ((size_t)64)

/* One family. Callers have checked the lengths; protect.c makes failure stick. */
typedef struct spc_family {
    bool (*start)(spc_protection *p, const uint8_t *key, const uint8_t *iv, const uint8_t *mac_key);
    bool (*open_length)(spc_protection *p, uint32_t sequence, const uint8_t *packet,
                        uint32_t *packet_length);
    bool (*open)(spc_protection *p, uint32_t sequence, uint8_t *packet, uint32_t packet_length);
    bool (*seal)(spc_protection *p, uint32_t sequence, const spb_span *spans, size_t count,
                 size_t total, uint8_t *out);
} spc_family;

extern const spc_family spc_family_gcm;    /* protect_gcm.c */
extern const spc_family spc_family_chacha; /* protect_chacha.c */
extern const spc_family spc_family_ctr;    /* protect_ctr.c */

/* A line of the cipher table; `entry` comes first, so that the one leads to the other. */
typedef struct spc_cipher_row {
    spc_cipher entry;
    spc_cipher_index index;
    const spc_family *family;
} spc_cipher_row;

struct spc_protection {
    const spb_env *env;
    const spc_cipher_row *row;
    const spc_mac *mac;     /* NULL: authenticated cipher */
    EVP_CIPHER_CTX *cipher; /* lives as long as the key */
    EVP_MAC_CTX *hasher;    /* HMAC keyed for good; Poly1305 keyed for each packet */
    spc_umac *umac;         /* instead of HMAC */
    bool sealing;
    bool failed;
    union {
        struct {
            uint8_t iv[SPC_GCM_IV]; /* of the next packet */
        } gcm;
        struct {
            uint8_t payload_key[SPC_CHACHA_KEY]; /* K_2 */
            uint8_t length_key[SPC_CHACHA_KEY];  /* K_1 */
        } chacha;
        struct {
            uint8_t first[SPC_AES_BLOCK]; /* the packet's first block, decrypted ahead */
            uint32_t first_sequence;
            bool first_known;
        } ctr;
    } u;
};

/* Runs the stream over all spans but their first `skip` bytes (which lie in the first span) and
 * writes to `out` and on; `total` counts all bytes with the skipped ones. */
bool spc_stream_spans(EVP_CIPHER_CTX *cipher, const spb_span *spans, size_t count, size_t total,
                      size_t skip, uint8_t *out) SPC_MUST_CHECK;
/* Runs the stream over one piece; in == out is allowed. */
bool spc_stream(EVP_CIPHER_CTX *cipher, const uint8_t *in, size_t length,
                uint8_t *out) SPC_MUST_CHECK;

#endif
