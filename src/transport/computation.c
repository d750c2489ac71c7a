/* A key exchange method at work: what it needs is copied, what it makes stays with it. */
#include "transport/computation.h"

sp_computation *spt_computation_new(sp_config *config, const spc_kex *method,
                                    const spt_modulus *modulus, spb_span client_public)
{
    sp_computation *c;

    if (client_public.length > sizeof c->client_public)
        return NULL;
    c = spb_calloc(&config->env, 1, sizeof *c);
    if (c == NULL)
        return NULL;
    atomic_init(&c->references, 1);
    c->config = sp_config_ref(config);
    c->method = method;
    c->modulus = modulus;
    memcpy(c->client_public, client_public.data, client_public.length);
    c->client_public_length = client_public.length;
    return c;
}

void sp_computation_run(sp_computation *c)
{
    if (c->done)
        return;
    c->server_public_length = sizeof c->server_public;
    c->secret_length = sizeof c->secret;
    if (spc_kex_group_exchange(c->method))
        c->good =
            c->modulus != NULL &&
            spc_dh_respond_group(&c->modulus->group, spt_computation_client(c), c->server_public,
                                 &c->server_public_length, c->secret, &c->secret_length);
    else
        c->good = c->method->respond(c->method, &c->config->env, spt_computation_client(c),
                                     c->server_public, &c->server_public_length, c->secret,
                                     &c->secret_length);
    c->done = true;
}

sp_computation *sp_computation_ref(sp_computation *c)
{
    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

void sp_computation_unref(sp_computation *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
        return;
    sp_config *config = c->config;
    spb_free_secret(&config->env, c, sizeof *c);
    sp_config_unref(config);
}
