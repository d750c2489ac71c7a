/* The 24 rounds of Keccak-f[1600] (FIPS 202 3.2, 3.3), over `lane`, which the including file
 * defines: one 64-bit word, or a vector of four of them. Included once per file. */
#include <stdint.h>

static const uint64_t keccak_iota[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* By 1 to 63 bits. */
#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

/* theta's part of column x. */
#define COLUMN(x) (a[x] ^ a[(x) + 5] ^ a[(x) + 10] ^ a[(x) + 15] ^ a[(x) + 20])
/* theta, rho and pi: lane `from` goes turned to where pi puts it. */
#define MOVE(to, from, n) b[to] = ROTATE(a[from] ^ d[(from) % 5], n)
#define CHI_ROW(y)                                                                                 \
    do {                                                                                           \
        a[y] = b[y] ^ (~b[(y) + 1] & b[(y) + 2]);                                                  \
        a[(y) + 1] = b[(y) + 1] ^ (~b[(y) + 2] & b[(y) + 3]);                                      \
        a[(y) + 2] = b[(y) + 2] ^ (~b[(y) + 3] & b[(y) + 4]);                                      \
        a[(y) + 3] = b[(y) + 3] ^ (~b[(y) + 4] & b[y]);                                            \
        a[(y) + 4] = b[(y) + 4] ^ (~b[y] & b[(y) + 1]);                                            \
    } while (0)

static inline void keccak_round(lane a[25], uint64_t constant)
{
    lane b[25], c[5], d[5];

    c[0] = COLUMN(0);
    c[1] = COLUMN(1);
    c[2] = COLUMN(2);
    c[3] = COLUMN(3);
    c[4] = COLUMN(4);
    d[0] = c[4] ^ ROTATE(c[1], 1);
    d[1] = c[0] ^ ROTATE(c[2], 1);
    d[2] = c[1] ^ ROTATE(c[3], 1);
    d[3] = c[2] ^ ROTATE(c[4], 1);
    d[4] = c[3] ^ ROTATE(c[0], 1);
    b[0] = a[0] ^ d[0];
    MOVE(1, 6, 44);
    MOVE(2, 12, 43);
    MOVE(3, 18, 21);
    MOVE(4, 24, 14);
    MOVE(5, 3, 28);
    MOVE(6, 9, 20);
    MOVE(7, 10, 3);
    MOVE(8, 16, 45);
    MOVE(9, 22, 61);
    MOVE(10, 1, 1);
    MOVE(11, 7, 6);
    MOVE(12, 13, 25);
    MOVE(13, 19, 8);
    MOVE(14, 20, 18);
    MOVE(15, 4, 27);
    MOVE(16, 5, 36);
    MOVE(17, 11, 10);
    MOVE(18, 17, 15);
    MOVE(19, 23, 56);
    MOVE(20, 2, 62);
    MOVE(21, 8, 55);
    MOVE(22, 14, 39);
    MOVE(23, 15, 41);
    MOVE(24, 21, 2);
    CHI_ROW(0);
    CHI_ROW(5);
    CHI_ROW(10);
    CHI_ROW(15);
    CHI_ROW(20);
    a[0] ^= constant;
}

static inline void keccak_rounds(lane a[25])
{
    for (int i = 0; i < 24; i++)
        keccak_round(a, keccak_iota[i]);
}

#undef ROTATE
#undef COLUMN
#undef MOVE
#undef CHI_ROW
