/* The loops over polynomials of ML-KEM-768, included by mlkem_plain.c and mlkem_avx2.c: the same C,
 * which the compiler turns into the vectors that it may use. The number-theoretic transform is that
 * of FIPS 203 4.3; multiplication by a constant is Montgomery's, signed, with R = 2^16. No branch
 * and no index depends on a coefficient. */
#include "crypto/mlkem_poly.h"

#include <string.h>

#define Q SPC_MLKEM_Q
#define Q_INVERSE (-3327)  /* of q, modulo 2^16, signed */
#define R_SQUARED 1353     /* 2^32 mod q */
#define R_SQUARED_128 1441 /* 2^32 / 128 mod q */

/* Powers of 17 as the transform uses them (FIPS 203 appendix A), times 2^16, from -q/2 to q/2.
 * `turns_top[i]` is that of block i while blocks are of whole rows; below that, a row of `turns`
 * has those of one step for all 16 columns: one row for blocks of 16, two for 8, four for 4.
 * `backs` are the inverses. */
static const int16_t turns_top[16] = {0,    -758, -359, -1517, 1493, 1422,  287,   202,
                                      -171, 622,  1577, 182,   962,  -1202, -1474, 1468};

static const int16_t turns[7][16] = {
    {573, -1325, 264, 383, -829, 1458, -1602, -130, -681, 1017, 732, 608, -1542, 411, -205, -1571},
    {1223, -552, -1293, -282, 516, -320, -1618, 126, -853, -271, 107, -247, -398, -1508, 448, 677},
    {652, 1015, 1491, -1544, -8, -666, -1162, 1469, -90, 830, -1421, -951, 961, -725, -1065, -1275},
    {-1103, -1251, 422, -291, -246, -777, -1590, 418, 817, 1322, -1215, -874, -1185, -1510, -108,
     958},
    {430, 871, 587, -460, 778, 1483, 644, 329, 1097, -1285, -136, 220, -1530, -854, -308, -1460},
    {555, 1550, 177, 1574, 1159, -602, -872, -156, 603, -1465, 1218, -1187, -1278, -870, 996, 1522},
    {843, 105, -235, 1653, -147, 1119, 349, -75, 610, 384, -1335, -1659, 794, 478, 991, 1628},
};

static const int16_t backs_top[16] = {0,     758,  1517, 359,  -202, -287,  -1422, -1493,
                                      -1468, 1474, 1202, -962, -182, -1577, -622,  171};

static const int16_t backs[7][16] = {
    {1571, 205, -411, 1542, -608, -732, -1017, 681, 130, 1602, -1458, 829, -383, -264, 1325, -573},
    {1275, 1065, 725, -961, 951, 1421, -830, 90, -1469, 1162, 666, 8, 1544, -1491, -1015, -652},
    {-677, -448, 1508, 398, 247, -107, 271, 853, -126, 1618, 320, -516, 282, 1293, 552, -1223},
    {-1628, -991, -478, -794, 1659, 1335, -384, -610, 75, -349, -1119, 147, -1653, 235, -105, -843},
    {-1522, -996, 870, 1278, 1187, -1218, 1465, -603, 156, 872, 602, -1159, -1574, -177, -1550,
     -555},
    {1460, 308, 854, 1530, -220, 136, 1285, -1097, -329, -644, -1483, -778, 460, -587, -871, -430},
    {-958, 108, 1510, 1185, 874, 1215, -1322, -817, -418, 1590, 777, 246, 291, -422, 1251, 1103},
};

/* a * b / 2^16 mod q, from -q to q, for |a * b| below q * 2^15. */
static inline int16_t multiply(int16_t a, int16_t b)
{
    int16_t high = (int16_t)((int32_t)a * b >> 16);
    int16_t factor = (int16_t)((int16_t)((uint16_t)a * (uint32_t)(uint16_t)b) * Q_INVERSE);

    return (int16_t)(high - (int16_t)((int32_t)factor * Q >> 16));
}

/* To -q/2 to q/2 (Barrett, with 2^26 / q rounded). */
static inline int16_t reduce(int16_t a)
{
    int16_t quotient = (int16_t)((((int32_t)a * 20159 >> 16) + 512) >> 10);

    return (int16_t)(a - quotient * Q);
}

static inline void transpose(spc_mlkem_poly *p)
{
    spc_mlkem_poly from = *p;

    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 16; j++)
            p->c[i][j] = from.c[j][i];
    }
}

static inline void forward_one(int16_t *restrict low, int16_t *restrict high, int16_t turn)
{
    for (int i = 0; i < 16; i++) {
        int16_t t = multiply(high[i], turn);
        high[i] = (int16_t)(low[i] - t);
        low[i] = (int16_t)(low[i] + t);
    }
}

static inline void forward_row(int16_t *restrict low, int16_t *restrict high,
                               const int16_t *restrict turn)
{
    for (int i = 0; i < 16; i++) {
        int16_t t = multiply(high[i], turn[i]);
        high[i] = (int16_t)(low[i] - t);
        low[i] = (int16_t)(low[i] + t);
    }
}

static inline void back_one(int16_t *restrict low, int16_t *restrict high, int16_t back)
{
    for (int i = 0; i < 16; i++) {
        int16_t t = low[i];
        low[i] = reduce((int16_t)(t + high[i]));
        high[i] = multiply((int16_t)(t - high[i]), back);
    }
}

static inline void back_row(int16_t *restrict low, int16_t *restrict high,
                            const int16_t *restrict back)
{
    for (int i = 0; i < 16; i++) {
        int16_t t = low[i];
        low[i] = reduce((int16_t)(t + high[i]));
        high[i] = multiply((int16_t)(t - high[i]), back[i]);
    }
}

static inline void reduce_all(spc_mlkem_poly *p)
{
    int16_t *c = p->c[0];

    for (int i = 0; i < 256; i++)
        c[i] = reduce(c[i]);
}

/* Each of the seven steps adds less than q: 8q at the end, below 2^15. */
static void ntt(spc_mlkem_poly *p)
{
    int block = 1;

    for (int size = 8; size >= 1; size /= 2) {
        for (int start = 0; start < 16; start += 2 * size, block++) {
            for (int j = start; j < start + size; j++)
                forward_one(p->c[j], p->c[j + size], turns_top[block]);
        }
    }
    transpose(p);
    block = 0;
    for (int size = 8; size >= 2; size /= 2) {
        for (int start = 0; start < 16; start += 2 * size, block++) {
            for (int j = start; j < start + size; j++)
                forward_row(p->c[j], p->c[j + size], turns[block]);
        }
    }
    reduce_all(p);
}

static void inverse(spc_mlkem_poly *p)
{
    static const int first_row[9] = {[2] = 3, [4] = 1, [8] = 0};

    for (int size = 2; size <= 8; size *= 2) {
        int block = first_row[size];
        for (int start = 0; start < 16; start += 2 * size, block++) {
            for (int j = start; j < start + size; j++)
                back_row(p->c[j], p->c[j + size], backs[block]);
        }
    }
    transpose(p);
    for (int size = 1; size <= 8; size *= 2) {
        int block = 8 / size;
        for (int start = 0; start < 16; start += 2 * size, block++) {
            for (int j = start; j < start + size; j++)
                back_one(p->c[j], p->c[j + size], backs_top[block]);
        }
    }
    int16_t *c = p->c[0];
    for (int i = 0; i < 256; i++)
        c[i] = reduce(multiply(c[i], R_SQUARED_128));
}

/* Rows 2r and 2r + 1 are the two coefficients of 16 polynomials modulo X^2 - turn, or X^2 + turn
 * for odd r (algorithm 12). Sums of six products stay below 6q. */
static void product(spc_mlkem_poly *restrict out, const spc_mlkem_vector *a,
                    const spc_mlkem_vector *b)
{
    for (size_t r = 0; r < 8; r++) {
        const int16_t *turn = turns[3 + r / 2];
        int16_t sign = (int16_t)(r % 2 == 0 ? 1 : -1);
        int16_t even[16] = {0}, odd[16] = {0};
        for (int k = 0; k < SPC_MLKEM_K; k++) {
            const int16_t *a0 = a->p[k].c[2 * r], *a1 = a->p[k].c[2 * r + 1];
            const int16_t *b0 = b->p[k].c[2 * r], *b1 = b->p[k].c[2 * r + 1];
            for (int i = 0; i < 16; i++) {
                int16_t squares = multiply(multiply(a1[i], b1[i]), (int16_t)(turn[i] * sign));
                even[i] = (int16_t)(even[i] + multiply(a0[i], b0[i]) + squares);
                odd[i] = (int16_t)(odd[i] + multiply(a0[i], b1[i]) + multiply(a1[i], b0[i]));
            }
        }
        for (int i = 0; i < 16; i++) {
            out->c[2 * r][i] = reduce(even[i]);
            out->c[2 * r + 1][i] = reduce(odd[i]);
        }
    }
}

static void noise(spc_mlkem_poly *restrict out, const uint8_t bytes[SPC_MLKEM_NOISE_BYTES])
{
    int16_t *c = out->c[0];

    for (size_t i = 0; i < SPC_MLKEM_NOISE_BYTES; i++) {
        /* Each pair of bits becomes the count of its ones. */
        unsigned counts = (bytes[i] & 0x55u) + (bytes[i] >> 1 & 0x55u);
        c[2 * i] = (int16_t)((int)(counts & 3) - (int)(counts >> 2 & 3));
        c[2 * i + 1] = (int16_t)((int)(counts >> 4 & 3) - (int)(counts >> 6 & 3));
    }
}

static void add(spc_mlkem_poly *restrict a, const spc_mlkem_poly *restrict b)
{
    int16_t *restrict to = a->c[0];
    const int16_t *restrict from = b->c[0];

    for (int i = 0; i < 256; i++)
        to[i] = reduce((int16_t)(to[i] + from[i]));
}

static void subtract(spc_mlkem_poly *restrict a, const spc_mlkem_poly *restrict b)
{
    int16_t *restrict to = a->c[0];
    const int16_t *restrict from = b->c[0];

    for (int i = 0; i < 256; i++)
        to[i] = reduce((int16_t)(to[i] - from[i]));
}

static void scale(spc_mlkem_poly *p)
{
    int16_t *c = p->c[0];

    for (int i = 0; i < 256; i++)
        c[i] = reduce(multiply(c[i], R_SQUARED));
}

/* Compress (FIPS 203 4.2.1): 2^bits * x / q, rounded, for 0 <= x < q. The division is a
 * multiplication by 2^33 / q, rounded up: exact for numerators below 2^22. */
static inline uint32_t compress(int16_t coefficient, unsigned bits)
{
    uint32_t x = (uint32_t)(coefficient + (coefficient >> 15 & Q));
    uint64_t numerator = (x << bits) + Q / 2;

    return (uint32_t)(numerator * 2580335 >> 33) & ((1u << bits) - 1);
}

static void pack_u(uint8_t out[SPC_MLKEM_U_BYTES], const spc_mlkem_poly *p)
{
    const int16_t *c = p->c[0];

    for (size_t i = 0; i < 64; i++) {
        uint32_t a = compress(c[4 * i], 10), b = compress(c[4 * i + 1], 10);
        uint32_t d = compress(c[4 * i + 2], 10), e = compress(c[4 * i + 3], 10);
        out[5 * i] = (uint8_t)a;
        out[5 * i + 1] = (uint8_t)(a >> 8 | b << 2);
        out[5 * i + 2] = (uint8_t)(b >> 6 | d << 4);
        out[5 * i + 3] = (uint8_t)(d >> 4 | e << 6);
        out[5 * i + 4] = (uint8_t)(e >> 2);
    }
}

static void pack_v(uint8_t out[SPC_MLKEM_V_BYTES], const spc_mlkem_poly *p)
{
    const int16_t *c = p->c[0];

    for (size_t i = 0; i < 128; i++)
        out[i] = (uint8_t)(compress(c[2 * i], 4) | compress(c[2 * i + 1], 4) << 4);
}

#define MLKEM_LOOPS                                                                                \
    {                                                                                              \
        ntt, inverse, product, noise, add, subtract, scale, pack_u, pack_v                         \
    }
