/* The loops of sntrup761, included by sntrup761_plain.c and sntrup761_avx2.c: the same C, which the
 * compiler turns into the vectors that it may use. No branch and no index depends on a coefficient.
 */
#include "crypto/sntrup761_poly.h"

#include <string.h>

#define P SPC_SNTRUP_P
#define Q SPC_SNTRUP_Q

/* Modulo q, to -2295..2295, for |x| below 2^22: two steps of subtracting about x / q times q. */
static inline int32_t modulo_q(int32_t x)
{
    x -= Q * ((x * 57) >> 18);                      /* 2^18 / q */
    return x - Q * ((x * 29235 + (1 << 26)) >> 27); /* 2^27 / q */
}

static inline int32_t dot(const int16_t *restrict a, const int16_t *restrict b)
{
    int32_t sum = 0;

    for (int i = 0; i < SPC_SNTRUP_ROOM; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Coefficient k of a * b is the sum over j of b[j] times coefficient k of x^j * a. As x^p = x + 1,
 * that is a[k - j], or a[0] + a[p - 1] for k = j, or a[k - j + p] + a[k - j + p - 1] for k < j: it
 * depends on k - j alone, so each is the inner product of `b` with a piece of one row. Only k = 0
 * lacks the second terms; they are taken off. */
static void product(int16_t out[P], const int16_t a[P], const int8_t b[P],
                    spc_sntrup_window *window)
{
    int32_t first = 0;

    memset(window, 0, sizeof *window);
    /* turned[P - 1 - d] is the coefficient for k - j = d. */
    for (int d = 1; d < P; d++) {
        window->turned[P - 1 - d] = a[d];
        window->turned[P - 1 + d] = (int16_t)(a[P - d] + a[P - d - 1]);
    }
    window->turned[P - 1] = (int16_t)(a[0] + a[P - 1]);
    for (int j = 0; j < P; j++) {
        window->small[j] = (int16_t)b[j]; /* NOLINT: numbers, not characters */
        first += a[P - 1 - j] * b[j];
    }
    for (int k = 0; k < P; k++) {
        int32_t sum = dot(window->turned + (P - 1 - k), window->small);
        out[k] = (int16_t)modulo_q(k == 0 ? sum - first : sum);
    }
}

static void round_to_three(int16_t a[P])
{
    for (int i = 0; i < P; i++) {
        int32_t third = (10923 * a[i] + 16384) >> 15; /* 2^15 / 3 */
        a[i] = (int16_t)(3 * third);
    }
}

/* Puts the smaller of each pair into `low`. */
static inline void exchange(uint32_t *restrict low, uint32_t *restrict high, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t a = low[i], b = high[i];
        /* Its top bit: that of b - a, set for b < a. */
        uint32_t borrow = (~b & a) | ((~b | a) & (b - a));
        uint32_t swap = (a ^ b) & (0 - (borrow >> 31));
        low[i] = a ^ swap;
        high[i] = b ^ swap;
    }
}

/* Merge exchange (Batcher; Knuth 5.2.2 M): which pairs are compared depends on P alone. For one
 * step, those `far` apart whose lower index has `bit` as `wanted` says. */
static void sort_step(uint32_t x[P], int bit, int wanted, int far)
{
    for (int start = wanted; start < P - far; start += 2 * bit) {
        int count = P - far - start < bit ? P - far - start : bit;
        exchange(x + start, x + start + far, count);
    }
}

static void sort(uint32_t x[P])
{
    for (int bit = 512; bit > 0; bit /= 2) {
        sort_step(x, bit, 0, bit);
        for (int top = 512; top > bit; top /= 2)
            sort_step(x, bit, bit, top - bit);
    }
}

#define SNTRUP_LOOPS                                                                               \
    {                                                                                              \
        product, round_to_three, sort                                                              \
    }
