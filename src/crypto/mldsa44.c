/* ML-DSA-44: keys, signing, verifying (FIPS 204 5 and 6).
 *
 * What signing lets out of its secrets beyond the signature, each marked with SPC_PUBLIC: which of
 * an attempt's tests failed, and the challenge of a failed attempt. Neither tells anything about
 * the key: an attempt fails with a probability that does not depend on it, at a place that is not
 * told, and the challenge is the hash of a commitment that is never shown. */
#include "crypto/mldsa44.h"

#include "crypto/keccak.h"
#include "crypto/mldsa44_poly.h"
#include "crypto/secret.h"

#include <string.h>

#define K SPC_MLDSA_K
#define ATTEMPTS_MAX 814 /* appendix C: fails with a probability of less than 2^-256 */

typedef struct poly_row {
    spc_mldsa_poly at[K];
} poly_row;

struct spc_mldsa44_key {
    const spb_env *env;
    poly_row a[K]; /* the matrix; this and the next three in the NTT's domain */
    poly_row s1, s2, t0;
    uint8_t k[32];
    uint8_t tr[64];
};

/* H of up to six pieces. */
static void hash(const spb_span *pieces, size_t count, uint8_t *out, size_t length)
{
    spc_keccak h;

    spc_keccak_init(&h, SPC_SHAKE256);
    for (size_t i = 0; i < count; i++)
        spc_keccak_absorb(&h, pieces[i].data, pieces[i].length);
    spc_keccak_finalize(&h);
    spc_keccak_squeeze(&h, out, length);
    sp_zero(&h, sizeof h);
}

/* mu: what is signed (algorithms 2 and 7; the mode of plain messages). */
static void message_hash(const uint8_t tr[64], spb_span context, spb_span message, uint8_t mu[64])
{
    const uint8_t head[2] = {0, (uint8_t)context.length};
    const spb_span pieces[] = {{tr, 64}, {head, sizeof head}, context, message};

    hash(pieces, 4, mu, 64);
}

static void ntt_row(poly_row *row)
{
    for (size_t i = 0; i < K; i++)
        spc_mldsa_ntt(&row->at[i]);
}

/* Row times column, out of the NTT's domain. */
static void dot(spc_mldsa_poly *out, const poly_row *row, const poly_row *column)
{
    spc_mldsa_dot(out, row->at, column->at, K);
    spc_mldsa_inverse_ntt(out);
}

/* Product of two single ones, likewise. */
static void product(spc_mldsa_poly *out, const spc_mldsa_poly *a, const spc_mldsa_poly *b)
{
    spc_mldsa_dot(out, a, b, 1);
    spc_mldsa_inverse_ntt(out);
}

/* ---- keys ---- */

/* Algorithm 6, from t = A s1 + s2 on. */
static void split_t(spc_mldsa44_key *key, uint8_t *t1)
{
    spc_mldsa_poly t, high;
    poly_row s1 = key->s1;

    ntt_row(&s1);
    for (size_t i = 0; i < K; i++) {
        dot(&t, &key->a[i], &s1);
        spc_mldsa_add(&t, &key->s2.at[i]);
        spc_mldsa_freeze(&t);
        spc_mldsa_power2round(&t, &high);
        key->t0.at[i] = t;
        spc_mldsa_pack_t1(t1 + i * SPC_MLDSA_T1_SIZE, &high);
    }
    key->s1 = s1;
    ntt_row(&key->s2);
    ntt_row(&key->t0);
    sp_zero(&t, sizeof t);
    sp_zero(&s1, sizeof s1);
}

bool spc_mldsa44_expand(spc_mldsa44_key **out, const spb_env *env,
                        const uint8_t seed[SPC_MLDSA44_SEED],
                        uint8_t public_key[SPC_MLDSA44_PUBLIC])
{
    static const uint8_t sizes[2] = {K, K};
    const spb_span pieces[] = {{seed, SPC_MLDSA44_SEED}, {sizes, sizeof sizes}};
    uint8_t seeds[128]; /* rho, rho', K */

    spc_mldsa44_key *key = spb_calloc(env, 1, sizeof *key);
    *out = key;
    if (key == NULL)
        return false;
    key->env = env;
    hash(pieces, 2, seeds, sizeof seeds);
    memcpy(public_key, seeds, 32);
    memcpy(key->k, seeds + 96, 32);
    SPC_PUBLIC(public_key, 32); /* rho is a part of the public key */
    for (unsigned i = 0; i < K; i++)
        spc_mldsa_expand_row(key->a[i].at, public_key, i);
    spc_mldsa_expand_short(key->s1.at, seeds + 32, 0);
    spc_mldsa_expand_short(key->s2.at, seeds + 32, K);
    split_t(key, public_key + 32);
    SPC_PUBLIC(public_key, SPC_MLDSA44_PUBLIC);
    const spb_span whole = {public_key, SPC_MLDSA44_PUBLIC};
    hash(&whole, 1, key->tr, sizeof key->tr);
    sp_zero(seeds, sizeof seeds);
    return true;
}

void spc_mldsa44_free(spc_mldsa44_key *key)
{
    if (key != NULL)
        spb_free_secret(key->env, key, sizeof *key);
}

/* ---- signing ---- */

typedef struct signing {
    const spc_mldsa44_key *key;
    uint8_t mu[64];
    uint8_t mask_seed[64]; /* rho'' */
    uint8_t challenge[SPC_MLDSA_CHALLENGE];
    poly_row y, w, z, hints;
    spc_mldsa_poly c;
} signing;

/* The commitment w = A y, and the challenge: the hash of its high part. */
static void commit(signing *s, unsigned first)
{
    uint8_t w1[K][SPC_MLDSA_W1_SIZE];
    const spb_span pieces[] = {{s->mu, sizeof s->mu}, {w1[0], sizeof w1}};
    spc_mldsa_poly high;

    spc_mldsa_expand_mask(s->y.at, s->mask_seed, first);
    s->z = s->y;
    ntt_row(&s->z);
    for (size_t i = 0; i < K; i++) {
        dot(&s->w.at[i], &s->key->a[i], &s->z);
        spc_mldsa_freeze(&s->w.at[i]);
        spc_mldsa_high(&high, &s->w.at[i]);
        spc_mldsa_pack_w1(w1[i], &high);
    }
    hash(pieces, 2, s->challenge, sizeof s->challenge);
    SPC_PUBLIC(s->challenge, sizeof s->challenge); /* see above */
    spc_mldsa_in_ball(&s->c, s->challenge);
    spc_mldsa_ntt(&s->c);
    sp_zero(w1, sizeof w1);
    sp_zero(&high, sizeof high);
}

/* A test's result, which may be seen. */
static bool failed(bool result)
{
    SPC_PUBLIC(&result, sizeof result);
    return result;
}

/* z = y + c s1: is it short enough to hide s1? */
static bool respond(signing *s)
{
    spc_mldsa_poly *z = s->z.at;
    bool over = false;

    for (size_t i = 0; i < K; i++) {
        product(&z[i], &s->c, &s->key->s1.at[i]);
        spc_mldsa_add(&z[i], &s->y.at[i]);
        spc_mldsa_reduce(&z[i]);
        over |= spc_mldsa_exceeds(&z[i], SPC_MLDSA_GAMMA1 - SPC_MLDSA_BETA);
    }
    return !failed(over);
}

/* w - c s2 in place of w: does its low part hide s2, and is its high part that of w? */
static bool subtract(signing *s)
{
    spc_mldsa_poly p;
    bool over = false;

    for (size_t i = 0; i < K; i++) {
        product(&p, &s->c, &s->key->s2.at[i]);
        spc_mldsa_sub(&s->w.at[i], &p);
        spc_mldsa_freeze(&s->w.at[i]);
        spc_mldsa_low(&p, &s->w.at[i]);
        over |= spc_mldsa_exceeds(&p, SPC_MLDSA_GAMMA2 - SPC_MLDSA_BETA);
    }
    sp_zero(&p, sizeof p);
    return !failed(over);
}

/* Hints for who knows t1 only: where c t0 would change the high part. */
static bool make_hints(signing *s)
{
    spc_mldsa_poly p;
    unsigned count = 0;
    bool over = false;

    for (size_t i = 0; i < K; i++) {
        product(&p, &s->c, &s->key->t0.at[i]);
        spc_mldsa_reduce(&p);
        over |= spc_mldsa_exceeds(&p, SPC_MLDSA_GAMMA2);
        spc_mldsa_add(&p, &s->w.at[i]);
        spc_mldsa_freeze(&p);
        count += spc_mldsa_make_hint(&s->hints.at[i], &s->w.at[i], &p);
    }
    sp_zero(&p, sizeof p);
    return !failed(over | (count > SPC_MLDSA_OMEGA));
}

static void write_signature(signing *s, uint8_t *out)
{
    memcpy(out, s->challenge, SPC_MLDSA_CHALLENGE);
    out += SPC_MLDSA_CHALLENGE;
    for (size_t i = 0; i < K; i++, out += SPC_MLDSA_Z_SIZE)
        spc_mldsa_pack_z(out, &s->z.at[i]);
    SPC_PUBLIC(&s->hints, sizeof s->hints); /* they stand in the signature */
    spc_mldsa_pack_hints(out, s->hints.at);
}

bool spc_mldsa44_sign(const spc_mldsa44_key *key, spb_span context, spb_span message,
                      const uint8_t random[SPC_MLDSA44_RANDOM],
                      uint8_t signature[SPC_MLDSA44_SIGNATURE])
{
    bool good = false;

    if (context.length > SPC_MLDSA44_CONTEXT_MAX)
        return false;
    signing *s = spb_calloc(key->env, 1, sizeof *s);
    if (s == NULL)
        return false;
    s->key = key;
    message_hash(key->tr, context, message, s->mu);
    const spb_span pieces[] = {
        {key->k, sizeof key->k}, {random, SPC_MLDSA44_RANDOM}, {s->mu, sizeof s->mu}};
    hash(pieces, 3, s->mask_seed, sizeof s->mask_seed);
    for (unsigned i = 0; i < ATTEMPTS_MAX && !good; i++) {
        commit(s, i * K);
        good = respond(s) && subtract(s) && make_hints(s);
    }
    if (good)
        write_signature(s, signature);
    spb_free_secret(key->env, s, sizeof *s);
    return good;
}

/* ---- verifying: nothing is secret ---- */

typedef struct verifying {
    uint8_t tr[64], mu[64];
    uint8_t challenge[SPC_MLDSA_CHALLENGE];
    uint8_t w1[K][SPC_MLDSA_W1_SIZE];
    poly_row z, hints, row;
    spc_mldsa_poly c, t1, w;
} verifying;

static bool read_signature(verifying *v, const uint8_t *signature)
{
    const uint8_t *at = signature + SPC_MLDSA_CHALLENGE;

    for (size_t i = 0; i < K; i++, at += SPC_MLDSA_Z_SIZE) {
        spc_mldsa_unpack_z(&v->z.at[i], at);
        if (spc_mldsa_exceeds(&v->z.at[i], SPC_MLDSA_GAMMA1 - SPC_MLDSA_BETA))
            return false;
    }
    if (!spc_mldsa_unpack_hints(v->hints.at, at))
        return false;
    spc_mldsa_in_ball(&v->c, signature);
    spc_mldsa_ntt(&v->c);
    ntt_row(&v->z);
    return true;
}

/* w1 = UseHint(h, A z - c t1 2^d), one row of A after the other. */
static void recommit(verifying *v, const uint8_t *public_key)
{
    for (unsigned i = 0; i < K; i++) {
        spc_mldsa_unpack_t1(&v->t1, public_key + 32 + i * SPC_MLDSA_T1_SIZE);
        for (size_t j = 0; j < SPC_MLDSA_N; j++)
            v->t1.c[j] <<= SPC_MLDSA_D;
        spc_mldsa_ntt(&v->t1);
        spc_mldsa_dot(&v->t1, &v->t1, &v->c, 1);
        spc_mldsa_expand_row(v->row.at, public_key, i);
        spc_mldsa_dot(&v->w, v->row.at, v->z.at, K);
        spc_mldsa_sub(&v->w, &v->t1);
        spc_mldsa_reduce(&v->w);
        spc_mldsa_inverse_ntt(&v->w);
        spc_mldsa_freeze(&v->w);
        spc_mldsa_use_hint(&v->w, &v->hints.at[i]);
        spc_mldsa_pack_w1(v->w1[i], &v->w);
    }
}

bool spc_mldsa44_verify(const spb_env *env, const uint8_t public_key[SPC_MLDSA44_PUBLIC],
                        spb_span context, spb_span message, spb_span signature)
{
    const spb_span whole = {public_key, SPC_MLDSA44_PUBLIC};

    if (signature.length != SPC_MLDSA44_SIGNATURE || context.length > SPC_MLDSA44_CONTEXT_MAX)
        return false;
    verifying *v = spb_alloc(env, sizeof *v);
    if (v == NULL)
        return false;
    bool good = read_signature(v, signature.data);
    if (good) {
        const spb_span pieces[] = {{v->mu, sizeof v->mu}, {v->w1[0], sizeof v->w1}};
        hash(&whole, 1, v->tr, sizeof v->tr);
        message_hash(v->tr, context, message, v->mu);
        recommit(v, public_key);
        hash(pieces, 2, v->challenge, sizeof v->challenge);
        good = memcmp(v->challenge, signature.data, sizeof v->challenge) == 0;
    }
    spb_free(env, v);
    return good;
}
