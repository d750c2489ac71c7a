/* Group exchange (RFC 4419, RFC 8270): the client tells what sizes it takes, we choose a prime.
 * What follows is Diffie-Hellman as everywhere, with these numbers in the exchange hash. */
#include "transport/transport_internal.h"

static int kex_failed(spt_transport *t, int error, const char *what)
{
    return spt_fail(t, error, SP_DISCONNECT_KEY_EXCHANGE_FAILED, "%s", what);
}

void spt_gex_write_group(const spt_modulus *modulus, spb_buffer *b)
{
    uint8_t generator[4];

    spb_put_u32(generator, modulus->group.generator);
    spw_mpint(b, modulus->group.prime, modulus->group.length);
    spw_mpint(b, generator, sizeof generator);
}

static int send_group(spt_transport *t)
{
    spb_buffer *b = spt_begin(t, SSH_MSG_KEX_DH_GEX_GROUP);

    spt_gex_write_group(t->kex->modulus, b);
    t->kex_state = KEX_WAIT_GEX_INIT;
    return spt_end(t);
}

int spt_gex_request_received(spt_transport *t, spb_reader *r)
{
    spt_kex *k = t->kex;
    bool random;

    k->gex_least = spr_u32(r);
    k->gex_wanted = spr_u32(r);
    k->gex_most = spr_u32(r);
    if (!spr_done(r) || k->gex_least > k->gex_wanted || k->gex_wanted > k->gex_most)
        return kex_failed(t, SP_EPROTO, "malformed request for a group");
    /* RFC 8270: nothing below 2048 bits. The list has nothing of the kind, nor above 8192. */
    k->modulus = spt_moduli_choose(&t->config->moduli, spt_env(t), k->gex_least, k->gex_wanted,
                                   k->gex_most, &random);
    if (!random)
        return kex_failed(t, SP_ECRYPTO, "no group can be chosen");
    if (k->modulus == NULL)
        return spt_fail(t, SP_ENEGOTIATE, SP_DISCONNECT_KEY_EXCHANGE_FAILED,
                        "no group of %lu to %lu bits", (unsigned long)k->gex_least,
                        (unsigned long)k->gex_most);
    spb_log(spt_env(t), SP_LOG_DEBUG, "a group of %u bits", k->modulus->bits);
    return send_group(t);
}
