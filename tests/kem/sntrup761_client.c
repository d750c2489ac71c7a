/* sntrup761's other half, for tests: key generation and decapsulation (NTRU Prime round 3), over
 * the library's own polynomials. */
#include "kem/kem.h"

#include "crypto/opaque.h"
#include "crypto/sntrup761_poly.h"

#include <string.h>

#define P SPC_SNTRUP_P
#define Q SPC_SNTRUP_Q
#define SMALL SPC_SNTRUP_SMALL_BYTES

/* The numbers that hashes start with: of the secret, of a secret for a bad ciphertext, of the key.
 */
enum { HASH_REJECTED = 0, HASH_SECRET = 1, HASH_KEY = 4 };

void kem_select(uint8_t out[32], const uint8_t *equal, const uint8_t *other, const uint8_t *a,
                const uint8_t *b, size_t size)
{
    unsigned differ = 0;

    for (size_t i = 0; i < size; i++)
        differ |= a[i] ^ b[i];
    uint32_t mask = spc_opaque(0 - ((differ + 255) >> 8)); /* all ones if they differ */
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(equal[i] ^ ((equal[i] ^ other[i]) & mask));
}

/* To 0..m-1, for m = q and what two products make, or m = 3 and small numbers. */
static int modulo(int x, int m)
{
    int r = (int)((x + m * (int64_t)(1 << 14)) % m);
    return r;
}

static int power(int x, int e, int m)
{
    int64_t result = 1;

    for (; e > 0; e--)
        result = result * x % m;
    return (int)result;
}

/* The inverse of `a` modulo x^p - x - 1 and the prime m, times `scale`; false: there is none. Steps
 * of division in reversed polynomials (Bernstein, Yang, "Fast constant-time gcd computation",
 * 2019), as a key generation of the method may take any number of tries. Only that there is no
 * inverse shows. */
static bool invert(int16_t out[P], const int16_t a[P], int m, int scale)
{
    static _Thread_local int16_t f[P + 1], g[P + 1], v[P + 1], r[P + 1];
    int delta = 1;

    memset(f, 0, sizeof f);
    memset(g, 0, sizeof g);
    memset(v, 0, sizeof v);
    memset(r, 0, sizeof r);
    f[0] = 1;
    f[P - 1] = f[P] = (int16_t)(m - 1);
    for (int i = 0; i < P; i++)
        g[P - 1 - i] = (int16_t)modulo(a[i], m);
    r[0] = 1;
    for (int step = 0; step < 2 * P - 1; step++) {
        for (int i = P; i > 0; i--)
            v[i] = v[i - 1];
        v[0] = 0;
        int f0 = f[0], g0 = g[0];
        int swap = delta > 0 && g0 != 0 ? -1 : 0;
        delta = (delta ^ (swap & (delta ^ -delta))) + 1;
        for (int i = 0; i <= P; i++) {
            int16_t t = (int16_t)(swap & (f[i] ^ g[i]));
            f[i] ^= t;
            g[i] ^= t;
            t = (int16_t)(swap & (v[i] ^ r[i]));
            v[i] ^= t;
            r[i] ^= t;
        }
        /* g becomes (f0 * g - g0 * f) / x, with what they were before the swap. */
        int first = swap != 0 ? g0 : f0, second = swap != 0 ? f0 : g0;
        for (int i = 0; i <= P; i++)
            g[i] = (int16_t)modulo(first * g[i] - second * f[i], m);
        for (int i = 0; i <= P; i++)
            r[i] = (int16_t)modulo(first * r[i] - second * v[i], m);
        for (int i = 0; i < P; i++)
            g[i] = g[i + 1];
        g[P] = 0;
    }
    int64_t factor = (int64_t)power(f[0], m - 2, m) * scale % m;
    for (int i = 0; i < P; i++) {
        int c = (int)(factor * v[P - 1 - i] % m);
        out[i] = (int16_t)(c > m / 2 ? c - m : c);
    }
    return delta == 0;
}

/* Each uniformly -1, 0 or 1, nearly: the remainder of 30 bits by 3 (as in the specification). */
static bool small_random(const spb_env *env, int8_t out[P])
{
    uint32_t random[P];
    bool good = spc_random(env, random, sizeof random);

    for (int i = 0; good && i < P; i++)
        out[i] = (int8_t)((int)((random[i] >> 2) * UINT64_C(3) >> 30) - 1);
    return good;
}

bool kem_sntrup_generate(const spb_env *env, uint8_t *key, uint8_t *private_key)
{
    const spc_sntrup_loops *loops = spc_sntrup_choose();
    int8_t g[P], f[P], g_inverse[P];
    int16_t wide[P], inverse[P], h[P];
    uint16_t numbers[P];
    uint32_t random[P];
    spc_sntrup_window window;

    do {
        if (!small_random(env, g))
            return false;
        for (int i = 0; i < P; i++)
            wide[i] = g[i];
    } while (!invert(inverse, wide, 3, 1));
    for (int i = 0; i < P; i++)
        g_inverse[i] = (int8_t)inverse[i];
    if (!spc_random(env, random, sizeof random))
        return false;
    spc_sntrup_short(loops, f, random);
    for (int i = 0; i < P; i++)
        wide[i] = f[i];
    if (!invert(inverse, wide, Q, power(3, Q - 2, Q))) /* 1 / (3 f): R/q is a field */
        return false;
    loops->product(h, inverse, g, &window);
    for (int i = 0; i < P; i++)
        numbers[i] = (uint16_t)(h[i] + Q / 2);
    spc_sntrup_encode(key, numbers, Q);

    spc_sntrup_pack_small(private_key, f);
    spc_sntrup_pack_small(private_key + SMALL, g_inverse);
    memcpy(private_key + 2 * SMALL, key, SPC_SNTRUP_KEY);
    uint8_t *rest = private_key + 2 * SMALL + SPC_SNTRUP_KEY;
    return spc_random(env, rest, SMALL) &&
           spc_sntrup_hash(rest + SMALL, HASH_KEY, (spb_span){key, SPC_SNTRUP_KEY},
                           (spb_span){NULL, 0});
}

static void unpack_small(int8_t out[P], const uint8_t *in)
{
    for (int i = 0; i < P; i++)
        out[i] = (int8_t)((in[i / 4] >> 2 * (i % 4) & 3) - 1);
}

/* To -1, 0, 1, for -2295 to 2295. */
static int modulo_3(int x)
{
    return x - 3 * ((10923 * x + 16384) >> 15);
}

/* The short polynomial that the ciphertext hides; for a bad one, some short polynomial. */
static void reveal(int8_t r[P], const uint8_t *private_key, const uint8_t *ciphertext)
{
    const spc_sntrup_loops *loops = spc_sntrup_choose();
    spc_sntrup_window window;
    uint16_t numbers[P];
    int16_t c[P], e[P];
    int8_t f[P], g_inverse[P];
    int weight = 0;

    unpack_small(f, private_key);
    unpack_small(g_inverse, private_key + SMALL);
    spc_sntrup_decode(numbers, ciphertext, SPC_SNTRUP_ROUNDED_M);
    for (int i = 0; i < P; i++)
        c[i] = (int16_t)(3 * numbers[i] - Q / 2);
    loops->product(e, c, f, &window);
    for (int i = 0; i < P; i++) { /* 3 f c, back to -2295..2295 */
        int x = 3 * e[i];
        x -= Q & ((Q / 2 - x) >> 31);
        x += Q & ((x + Q / 2) >> 31);
        e[i] = (int16_t)modulo_3(x);
    }
    loops->product(c, e, g_inverse, &window); /* below q / 2: nothing is taken off modulo q */
    for (int i = 0; i < P; i++) {
        r[i] = (int8_t)modulo_3(c[i]);
        weight += r[i] & 1;
    }
    int wrong = weight ^ SPC_SNTRUP_W;
    int mask = (int)spc_opaque((uint32_t)((wrong | -wrong) >> 31));
    for (int i = 0; i < P; i++) {
        int other = i < SPC_SNTRUP_W;
        r[i] = (int8_t)(r[i] ^ (mask & (r[i] ^ other)));
    }
}

bool kem_sntrup_decapsulate(const uint8_t *private_key, const uint8_t *ciphertext,
                            uint8_t secret[32])
{
    const uint8_t *key = private_key + 2 * SMALL;
    const uint8_t *rejected = key + SPC_SNTRUP_KEY, *key_hash = rejected + SMALL;
    uint8_t again[SPC_SNTRUP_CIPHERTEXT], r_hash[32], other_hash[32], good[32], bad[32];
    int16_t h[P];
    int8_t r[P];

    reveal(r, private_key, ciphertext);
    spc_sntrup_unpack_key(h, key);
    spb_span all = {ciphertext, SPC_SNTRUP_CIPHERTEXT};
    if (!spc_sntrup_hide(h, key_hash, r, again, r_hash) ||
        !spc_sntrup_hash(other_hash, 3, (spb_span){rejected, SMALL}, (spb_span){NULL, 0}) ||
        !spc_sntrup_hash(good, HASH_SECRET, (spb_span){r_hash, 32}, all) ||
        !spc_sntrup_hash(bad, HASH_REJECTED, (spb_span){other_hash, 32}, all))
        return false;
    kem_select(secret, good, bad, again, ciphertext, sizeof again);
    return true;
}
