/* Composite keys and signatures: ML-DSA-44 and Ed25519 over one message (draft-ietf-lamps-pq-
 * composite-sigs 3 and 6). Encodings are the two halves one behind the other, ML-DSA's first; a
 * private key is its two seeds. Experimental. */
#include "crypto/composite.h"

#include <string.h>

/* M' = prefix, label, the length of the context (SSH has none), the hash of the message. The label
 * is ML-DSA's own context as well, so neither half passes for a signature of its algorithm alone.
 */
#define PREFIX "CompositeAlgorithmSignatures2025"
#define LABEL "COMPSIG-MLDSA44-Ed25519-SHA512"
#define FRONT PREFIX LABEL /* and the NUL behind it: the context's length */
#define REPRESENTATIVE_SIZE (sizeof FRONT + 64)

static const spb_span label = {(const uint8_t *)LABEL, sizeof LABEL - 1};

bool spc_is_composite(sp_key_type type)
{
    return type == SP_KEY_MLDSA44_ED25519 || type == SP_KEY_MLDSA44_ED25519_DRAFT;
}

void spc_composite_free(spc_composite *c)
{
    if (c == NULL)
        return;
    spc_mldsa44_free(c->mldsa);
    spc_pkey_free(c->ed25519);
    spb_free_secret(c->env, c, sizeof *c);
}

/* The key around its halves; takes `c` over whatever happens. */
static bool wrap(spc_pkey **out, spc_composite *c, sp_key_type type)
{
    spc_pkey *k = spb_calloc(c->env, 1, sizeof *k);

    *out = k;
    if (k == NULL) {
        spc_composite_free(c);
        return false;
    }
    k->env = c->env;
    k->type = type;
    k->bits = 256; /* as ssh-keygen says */
    k->composite = c;
    return true;
}

static spc_composite *new_composite(const spb_env *env)
{
    spc_composite *c = spb_calloc(env, 1, sizeof *c);

    if (c != NULL)
        c->env = env;
    return c;
}

/* The private half of ML-DSA from c's seed, and what its public half must be. */
static bool expand(spc_composite *c, uint8_t public_key[SPC_MLDSA44_PUBLIC])
{
    return spc_mldsa44_expand(&c->mldsa, c->env, c->mldsa_seed, public_key);
}

static bool import(spc_composite *c, spb_span public_key, spb_span seeds)
{
    const spb_span point = {public_key.data + SPC_MLDSA44_PUBLIC, 32};
    spb_span seed = {NULL, 0};
    uint8_t derived[SPC_MLDSA44_PUBLIC];

    memcpy(c->mldsa_public, public_key.data, SPC_MLDSA44_PUBLIC);
    if (seeds.length != 0) {
        memcpy(c->mldsa_seed, seeds.data, SPC_MLDSA44_SEED);
        seed = (spb_span){seeds.data + SPC_MLDSA44_SEED, 32};
        if (!expand(c, derived) || memcmp(derived, c->mldsa_public, sizeof derived) != 0)
            return false;
    }
    return spc_pkey_from_eddsa(&c->ed25519, c->env, SP_KEY_ED25519, point, seed);
}

bool spc_pkey_from_composite(spc_pkey **out, const spb_env *env, sp_key_type type,
                             spb_span public_key, spb_span seeds)
{
    *out = NULL;
    if (!spc_is_composite(type) || public_key.length != SPC_COMPOSITE_PUBLIC ||
        (seeds.length != 0 && seeds.length != SPC_COMPOSITE_SEEDS))
        return false;
    spc_composite *c = new_composite(env);
    if (c == NULL)
        return false;
    if (!import(c, public_key, seeds)) {
        spc_composite_free(c);
        return false;
    }
    return wrap(out, c, type);
}

bool spc_composite_generate(spc_pkey **out, const spb_env *env, sp_key_type type)
{
    spc_composite *c = new_composite(env);

    *out = NULL;
    if (c == NULL)
        return false;
    if (!spc_random(env, c->mldsa_seed, sizeof c->mldsa_seed) || !expand(c, c->mldsa_public) ||
        !spc_pkey_generate(&c->ed25519, env, SP_KEY_ED25519, 0)) {
        spc_composite_free(c);
        return false;
    }
    return wrap(out, c, type);
}

bool spc_composite_get(const spc_composite *c, const char *what, spb_buffer *out)
{
    if (strcmp(what, "pub") == 0) {
        spw_bytes(out, c->mldsa_public, sizeof c->mldsa_public);
        return spc_pkey_get(c->ed25519, "pub", out) && spw_ok(out);
    }
    if (strcmp(what, "seeds") != 0 || c->mldsa == NULL)
        return false;
    spw_bytes(out, c->mldsa_seed, sizeof c->mldsa_seed);
    return spc_pkey_get(c->ed25519, "seed", out) && spw_ok(out);
}

static bool representative(spb_span data, uint8_t out[REPRESENTATIVE_SIZE])
{
    memcpy(out, FRONT, sizeof FRONT);
    return spc_hash(SPC_SHA512, &data, 1, out + sizeof FRONT);
}

static const spc_signature *ed25519(void)
{
    return spc_signature_find(spb_span_of("ssh-ed25519"));
}

bool spc_composite_sign(const spc_composite *c, spb_span data, spb_buffer *out)
{
    uint8_t message[REPRESENTATIVE_SIZE], random[SPC_MLDSA44_RANDOM];
    const spb_span m = {message, sizeof message};
    uint8_t *room = spb_buffer_reserve(out, SPC_COMPOSITE_SIGNATURE);

    bool good = c->mldsa != NULL && room != NULL && representative(data, message) &&
                spc_random(c->env, random, sizeof random) &&
                spc_mldsa44_sign(c->mldsa, label, m, random, room);
    if (good)
        out->length += SPC_MLDSA44_SIGNATURE;
    sp_zero(random, sizeof random);
    return good && spc_sign(c->ed25519, ed25519(), m, out);
}

bool spc_composite_verify(const spc_composite *c, spb_span data, spb_span signature)
{
    uint8_t message[REPRESENTATIVE_SIZE];
    const spb_span m = {message, sizeof message};

    if (signature.length != SPC_COMPOSITE_SIGNATURE || !representative(data, message))
        return false;
    const spb_span first = {signature.data, SPC_MLDSA44_SIGNATURE};
    const spb_span second = {signature.data + SPC_MLDSA44_SIGNATURE,
                             signature.length - SPC_MLDSA44_SIGNATURE};
    return spc_verify(c->ed25519, ed25519(), m, second) &&
           spc_mldsa44_verify(c->env, c->mldsa_public, label, m, first);
}
