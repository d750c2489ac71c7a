/* Fuzzer: a moduli(5) text, and a choice among what it has. */
#include "transport/moduli.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    spb_env env;
    spt_moduli m;
    bool good;

    spb_env_init(&env, NULL);
    if (spt_moduli_read(&m, &env, (spb_span){data, size}) != 0)
        abort();
    for (size_t i = 0; i < m.count; i++) {
        const spc_dh_group *g = &m.items[i].group;
        if (m.items[i].bits < SPC_DH_BITS_MIN || m.items[i].bits > SPC_DH_BITS_MAX ||
            g->length != (m.items[i].bits + 7) / 8 || g->prime[0] == 0 ||
            (g->prime[g->length - 1] & 1) == 0 || g->generator < 2)
            abort();
    }
    const spt_modulus *found = spt_moduli_choose(&m, &env, 2048, 3000, 8192, &good);
    if (!good || found == NULL)
        abort();
    spt_moduli_free(&m, &env);
    return 0;
}
