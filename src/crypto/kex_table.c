/* The table of key exchange methods, best first (draft-ietf-sshm-mlkem-hybrid-kex,
 * draft-ietf-sshm-ntruprime-ssh, RFC 8731, RFC 5656 4, RFC 8268, RFC 4419). */
#include "crypto/fetch.h"
#include "crypto/kex.h"

static const spc_kex methods[] = {
    {"mlkem768x25519-sha256", SPC_SHA256, true, 1216, 1216, spc_mlkem768x25519_respond},
    {"sntrup761x25519-sha512", SPC_SHA512, true, 1190, 1190, spc_sntrup761x25519_respond},
    {"sntrup761x25519-sha512@openssh.com", SPC_SHA512, true, 1190, 1190,
     spc_sntrup761x25519_respond},
    {"curve25519-sha256", SPC_SHA256, false, 32, 32, spc_x25519_respond},
    {"curve25519-sha256@libssh.org", SPC_SHA256, false, 32, 32, spc_x25519_respond},
    {"curve448-sha512", SPC_SHA512, false, 56, 56, spc_x448_respond},
    {"ecdh-sha2-nistp256", SPC_SHA256, false, 65, 65, spc_ecdh_respond},
    {"ecdh-sha2-nistp384", SPC_SHA384, false, 97, 97, spc_ecdh_respond},
    {"ecdh-sha2-nistp521", SPC_SHA512, false, 133, 133, spc_ecdh_respond},
    {"diffie-hellman-group16-sha512", SPC_SHA512, false, 1, SPC_DH_PUBLIC_SIZE(4096),
     spc_dh_respond},
    {"diffie-hellman-group18-sha512", SPC_SHA512, false, 1, SPC_DH_PUBLIC_SIZE(8192),
     spc_dh_respond},
    {"diffie-hellman-group-exchange-sha256", SPC_SHA256, false, 1,
     SPC_DH_PUBLIC_SIZE(SPC_DH_BITS_MAX), spc_gex_respond},
    {"diffie-hellman-group14-sha256", SPC_SHA256, false, 1, SPC_DH_PUBLIC_SIZE(2048),
     spc_dh_respond},
};

const spc_kex *spc_kex_at(size_t index)
{
    return index < sizeof methods / sizeof methods[0] ? &methods[index] : NULL;
}

const spc_kex *spc_kex_find(spb_span name)
{
    for (size_t i = 0; spc_kex_at(i) != NULL; i++) {
        if (spb_span_is(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

bool spc_kex_available(const spc_kex *kex)
{
    const spc_fetched *f = spc_fetch();

    if (f == NULL)
        return false;
    if (spc_kex_slow(kex))
        return f->dh;
    if (kex->respond == spc_x448_respond)
        return f->x448;
    return kex->respond == spc_ecdh_respond || f->x25519; /* alone, or as the half of a hybrid */
}

bool spc_kex_slow(const spc_kex *kex)
{
    return kex->respond == spc_dh_respond || spc_kex_group_exchange(kex);
}

bool spc_kex_group_exchange(const spc_kex *kex)
{
    return kex->respond == spc_gex_respond;
}
