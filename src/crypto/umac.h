/* UMAC (RFC 4418) with AES-128: a message authentication code of 64 or 128 bits, as OpenSSH uses it
 * for packets: the nonce is the sequence number. */
#ifndef SPC_UMAC_H
#define SPC_UMAC_H

#include "crypto/crypto.h"

#define SPC_UMAC_KEY ((size_t)16)

/* Keyed once, for any number of messages; no nonce may come twice. */
typedef struct spc_umac spc_umac;

/* `tag_length` 8 or 16. */
bool spc_umac_new(spc_umac **out, const spb_env *env, const uint8_t key[SPC_UMAC_KEY],
                  size_t tag_length) SPC_MUST_CHECK;
void spc_umac_free(spc_umac *u);
/* Over the spans one behind the other, up to 16 MiB together; a longer message fails. */
bool spc_umac_tag(spc_umac *u, uint64_t nonce, const spb_span *spans, size_t count,
                  uint8_t *tag) SPC_MUST_CHECK;

#endif
