/* The key exchange methods, for the table in kex_table.c. */
#ifndef SPC_KEX_H
#define SPC_KEX_H

#include "crypto/crypto.h"

bool spc_x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                        uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                        size_t *secret_length) SPC_MUST_CHECK;
bool spc_x448_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                      uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                      size_t *secret_length) SPC_MUST_CHECK;
/* The curve is told by the method's point length. */
bool spc_ecdh_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                      uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                      size_t *secret_length) SPC_MUST_CHECK;
bool spc_mlkem768x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                                uint8_t *server_public, size_t *server_public_length,
                                uint8_t *secret, size_t *secret_length) SPC_MUST_CHECK;
bool spc_sntrup761x25519_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                                 uint8_t *server_public, size_t *server_public_length,
                                 uint8_t *secret, size_t *secret_length) SPC_MUST_CHECK;
/* The bytes of an mpint below a prime of so many bits. */
#define SPC_DH_PUBLIC_SIZE(bits) ((size_t)(bits) / 8 + 1)
bool spc_dh_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                    uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                    size_t *secret_length) SPC_MUST_CHECK;
bool spc_gex_respond(const spc_kex *kex, const spb_env *env, spb_span client_public,
                     uint8_t *server_public, size_t *server_public_length, uint8_t *secret,
                     size_t *secret_length) SPC_MUST_CHECK;

#endif
