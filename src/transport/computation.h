/* What a key exchange method computes, apart from the connection, so that another thread can do it
 * (<sallyport/engine.h>). */
#ifndef SPT_COMPUTATION_H
#define SPT_COMPUTATION_H

#include "transport/config.h"

#include <sallyport/engine.h>

struct sp_computation {
    atomic_uint references;
    sp_config *config; /* which has the group */
    const spc_kex *method;
    const spt_modulus *modulus; /* of a group exchange */
    size_t client_public_length;
    size_t server_public_length;
    size_t secret_length;
    bool done, good;
    uint8_t client_public[SPC_KEX_PUBLIC_MAX];
    uint8_t server_public[SPC_KEX_PUBLIC_MAX];
    uint8_t secret[SPC_KEX_SECRET_MAX];
};

/* NULL: out of memory. */
sp_computation *spt_computation_new(sp_config *config, const spc_kex *method,
                                    const spt_modulus *modulus, spb_span client_public);
static inline spb_span spt_computation_client(const sp_computation *c)
{
    return (spb_span){c->client_public, c->client_public_length};
}

#endif
