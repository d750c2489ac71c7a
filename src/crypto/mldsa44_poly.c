/* Arithmetic of ML-DSA-44 (FIPS 204 7.3-7.6). Coefficients are signed 32-bit numbers that stay
 * below a bound which each function states; products are 64 bits wide and come back through
 * Montgomery's reduction. Inner loops without branches, for the compiler's vectors. */
#include "crypto/mldsa44_poly.h"

#include "crypto/mldsa44_zetas.h"

#define N SPC_MLDSA_N
#define Q SPC_MLDSA_Q
#define Q_INVERSE 58728449u   /* of q modulo 2^32 */
#define INVERSE_FACTOR 41978  /* 2^64 / 256 modulo q */
#define ALPHA_BITS 7          /* 2 gamma2 = 2^7 * 1488 */
#define ALPHA_FACTOR 11275    /* 2^24 / 1488, rounded down */
#define ALPHA_ROUND (1 << 12) /* more than the rounding takes off, less than a step of 1488 */

/* All ones where a < 0, else 0. */
static int32_t negative(int32_t a)
{
    return -(int32_t)((uint32_t)a >> 31);
}

/* a / 2^32 modulo q, |result| < q, where |a| < 2^31 q. The low halves of a and of t q are the same,
 * so the difference of their high halves is all there is. */
static int32_t montgomery(int64_t a)
{
    int32_t t = (int32_t)((uint32_t)a * Q_INVERSE);
    return (int32_t)(a >> 32) - (int32_t)((int64_t)t * Q >> 32);
}

/* Algorithm 41. Each of the 8 layers adds less than q to a coefficient. */
void spc_mldsa_ntt(spc_mldsa_poly *p)
{
    size_t m = 0;

    for (size_t half = N / 2; half > 0; half /= 2) {
        for (size_t start = 0; start < N; start += 2 * half) {
            const int32_t zeta = zetas[++m];
            int32_t *low = p->c + start;
            int32_t *high = low + half;
            for (size_t i = 0; i < half; i++) {
                int32_t t = montgomery((int64_t)zeta * high[i]);
                high[i] = low[i] - t;
                low[i] = low[i] + t;
            }
        }
    }
}

/* Algorithm 42. Each layer doubles the bound of the sums at most: from q to 2^8 q, below 2^31. */
void spc_mldsa_inverse_ntt(spc_mldsa_poly *p)
{
    size_t m = N;

    for (size_t half = 1; half < N; half *= 2) {
        for (size_t start = 0; start < N; start += 2 * half) {
            const int32_t zeta = -zetas[--m];
            int32_t *low = p->c + start;
            int32_t *high = low + half;
            for (size_t i = 0; i < half; i++) {
                int32_t t = low[i];
                low[i] = t + high[i];
                high[i] = montgomery((int64_t)zeta * (t - high[i]));
            }
        }
    }
    for (size_t i = 0; i < N; i++)
        p->c[i] = montgomery((int64_t)INVERSE_FACTOR * p->c[i]);
}

void spc_mldsa_dot(spc_mldsa_poly *out, const spc_mldsa_poly *a, const spc_mldsa_poly *b,
                   size_t count)
{
    for (size_t i = 0; i < N; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < count; k++)
            sum += (int64_t)a[k].c[i] * b[k].c[i];
        out->c[i] = montgomery(sum);
    }
}

void spc_mldsa_add(spc_mldsa_poly *out, const spc_mldsa_poly *a)
{
    for (size_t i = 0; i < N; i++)
        out->c[i] += a->c[i];
}

void spc_mldsa_sub(spc_mldsa_poly *out, const spc_mldsa_poly *a)
{
    for (size_t i = 0; i < N; i++)
        out->c[i] -= a->c[i];
}

static int32_t reduce(int32_t a)
{
    int32_t t = (a + (1 << 22)) >> 23;
    return a - t * Q;
}

static int32_t freeze(int32_t a)
{
    a = reduce(a);
    return a + (negative(a) & Q);
}

void spc_mldsa_reduce(spc_mldsa_poly *p)
{
    for (size_t i = 0; i < N; i++)
        p->c[i] = reduce(p->c[i]);
}

void spc_mldsa_freeze(spc_mldsa_poly *p)
{
    for (size_t i = 0; i < N; i++)
        p->c[i] = freeze(p->c[i]);
}

bool spc_mldsa_exceeds(const spc_mldsa_poly *p, int32_t bound)
{
    int32_t over = 0; /* its sign says yes */

    for (size_t i = 0; i < N; i++) {
        int32_t sign = negative(p->c[i]);
        over |= bound - 1 - ((p->c[i] ^ sign) - sign);
    }
    return (uint32_t)over >> 31;
}

/* Algorithm 35. */
void spc_mldsa_power2round(spc_mldsa_poly *p, spc_mldsa_poly *high)
{
    for (size_t i = 0; i < N; i++) {
        high->c[i] = (p->c[i] + (1 << (SPC_MLDSA_D - 1)) - 1) >> SPC_MLDSA_D;
        p->c[i] -= high->c[i] << SPC_MLDSA_D;
    }
}

/* Algorithm 36: the quotient by 2 gamma2, rounded so that the rest is in (-gamma2, gamma2]. The
 * last of the 45 quotients counts as 0. */
static int32_t high_bits(int32_t a)
{
    int32_t steps = (a + SPC_MLDSA_GAMMA2 - 1) >> ALPHA_BITS;
    int32_t high = (steps * ALPHA_FACTOR + ALPHA_ROUND) >> 24;
    return high & negative(high - SPC_MLDSA_HIGHS);
}

/* Modulo q, which the last quotient needs: a - 0 is then -1 less than its rest. */
static int32_t low_bits(int32_t a)
{
    int32_t low = a - high_bits(a) * 2 * SPC_MLDSA_GAMMA2;
    return low - (negative((Q - 1) / 2 - low) & Q);
}

void spc_mldsa_high(spc_mldsa_poly *out, const spc_mldsa_poly *p)
{
    for (size_t i = 0; i < N; i++)
        out->c[i] = high_bits(p->c[i]);
}

void spc_mldsa_low(spc_mldsa_poly *out, const spc_mldsa_poly *p)
{
    for (size_t i = 0; i < N; i++)
        out->c[i] = low_bits(p->c[i]);
}

/* Algorithm 39. */
unsigned spc_mldsa_make_hint(spc_mldsa_poly *hint, const spc_mldsa_poly *a, const spc_mldsa_poly *b)
{
    unsigned count = 0;

    for (size_t i = 0; i < N; i++) {
        uint32_t difference = (uint32_t)(high_bits(a->c[i]) ^ high_bits(b->c[i]));
        uint32_t differs = (0u - difference) >> 31;
        hint->c[i] = (int32_t)differs;
        count += differs;
    }
    return count;
}

/* Algorithm 40: one step up where the low part is positive, else one down, modulo 44. */
void spc_mldsa_use_hint(spc_mldsa_poly *p, const spc_mldsa_poly *hint)
{
    for (size_t i = 0; i < N; i++) {
        int32_t up = (int32_t)((uint32_t)-low_bits(p->c[i]) >> 31);
        int32_t high = high_bits(p->c[i]) + hint->c[i] * (2 * up - 1);
        high += negative(high) & SPC_MLDSA_HIGHS;
        p->c[i] = high & negative(high - SPC_MLDSA_HIGHS);
    }
}
