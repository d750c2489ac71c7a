/* Keys from the shared secret (RFC 4253 7.2). */
#include "transport/transport_internal.h"

#include <string.h>

bool spt_derive(const spt_transport *t, char letter, uint8_t *out, size_t length)
{
    const spt_kex *k = t->kex;
    size_t size = spc_hash_size(k->method->hash);
    uint8_t block[SPC_HASH_MAX];
    spb_span start[4] = {
        {k->secret.data, k->secret.length},
        {k->hash, size},
        {(const uint8_t *)&letter, 1},
        {t->session_id, t->session_id_length},
    };
    bool good = spc_hash(k->method->hash, start, 4, block);
    size_t done = 0;

    while (good) {
        size_t step = length - done < size ? length - done : size;
        memcpy(out + done, block, step);
        done += step;
        if (done == length)
            break;
        spb_span more[3] = {{k->secret.data, k->secret.length}, {k->hash, size}, {out, done}};
        good = spc_hash(k->method->hash, more, 3, block);
    }
    sp_zero(block, sizeof block);
    return good;
}
