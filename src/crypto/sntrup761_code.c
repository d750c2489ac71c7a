/* How sntrup761 writes elements of its rings as bytes (NTRU Prime round 3, "Encode" and "Decode"):
 * pairs of numbers become one, whose lower bytes are written as soon as what is left stays below
 * 2^14; then pairs of those, until one is left. How many bytes that are depends on the bounds
 * alone. */
#include "crypto/sntrup761_poly.h"

#define LIMIT 16384u
#define LEVELS_MAX 11

/* The numbers at one level: `count` of them, below `m` but for the last, which is below `last`. */
typedef struct level {
    size_t count;
    uint32_t m, last;
} level;

/* The bound of what is left of a number below `m` when its bytes are written. */
static uint32_t bound_left(uint32_t m)
{
    while (m >= LIMIT)
        m = (m + 255) >> 8;
    return m;
}

static uint32_t second_bound(const level *l, size_t pair)
{
    return 2 * pair + 2 == l->count ? l->last : l->m;
}

static level next_level(const level *l)
{
    return (level){(l->count + 1) / 2, bound_left(l->m * l->m),
                   l->count % 2 == 1 ? l->last : bound_left(l->m * l->last)};
}

void spc_sntrup_encode(uint8_t *out, const uint16_t numbers[SPC_SNTRUP_P], uint16_t m)
{
    uint16_t left[SPC_SNTRUP_P];
    level l = {SPC_SNTRUP_P, m, m};

    for (unsigned i = 0; i < SPC_SNTRUP_P; i++)
        left[i] = numbers[i];
    for (; l.count > 1; l = next_level(&l)) {
        for (size_t i = 0; i < l.count / 2; i++) {
            uint32_t number = left[2 * i] + l.m * left[2 * i + 1];
            for (uint32_t bound = l.m * second_bound(&l, i); bound >= LIMIT;
                 bound = (bound + 255) >> 8) {
                *out++ = (uint8_t)number;
                number >>= 8;
            }
            left[i] = (uint16_t)number;
        }
        if (l.count % 2 == 1)
            left[l.count / 2] = left[l.count - 1];
    }
    for (uint32_t bound = l.last; bound > 1; bound = (bound + 255) >> 8) {
        *out++ = (uint8_t)left[0];
        left[0] >>= 8;
    }
    sp_zero(left, sizeof left);
}

static unsigned bytes_written(uint32_t bound)
{
    unsigned count = 0;

    for (; bound >= LIMIT; bound = (bound + 255) >> 8)
        count++;
    return count;
}

/* One level of Decode, in place: numbers of the level above become twice as many. `in` is the end
 * of this level's bytes; gives back their start. */
static const uint8_t *split(uint16_t *numbers, const level *l, const uint8_t *in)
{
    if (l->count % 2 == 1)
        numbers[l->count - 1] = numbers[l->count / 2];
    for (size_t i = l->count / 2; i-- > 0;) {
        uint32_t second = second_bound(l, i);
        uint32_t number = numbers[i];
        for (unsigned n = bytes_written(l->m * second); n > 0; n--)
            number = number << 8 | *--in;
        numbers[2 * i] = (uint16_t)(number % l->m);
        numbers[2 * i + 1] = (uint16_t)(number / l->m % second);
    }
    return in;
}

void spc_sntrup_decode(uint16_t numbers[SPC_SNTRUP_P], const uint8_t *in, uint16_t m)
{
    level levels[LEVELS_MAX] = {{SPC_SNTRUP_P, m, m}};
    unsigned top = 0;
    uint32_t number = 0;

    for (; levels[top].count > 1; top++) {
        const level *l = &levels[top];
        for (unsigned i = 0; i < l->count / 2; i++)
            in += bytes_written(l->m * second_bound(l, i));
        levels[top + 1] = next_level(l);
    }
    const uint8_t *end = in;
    unsigned shift = 0;
    for (uint32_t bound = levels[top].last; bound > 1; bound = (bound + 255) >> 8, shift += 8)
        number |= (uint32_t)*end++ << shift;
    numbers[0] = (uint16_t)(number % levels[top].last);
    while (top-- > 0)
        in = split(numbers, &levels[top], in);
}

void spc_sntrup_unpack_key(int16_t h[SPC_SNTRUP_P], const uint8_t key[SPC_SNTRUP_KEY])
{
    uint16_t numbers[SPC_SNTRUP_P];

    spc_sntrup_decode(numbers, key, SPC_SNTRUP_Q);
    for (unsigned i = 0; i < SPC_SNTRUP_P; i++)
        h[i] = (int16_t)(numbers[i] - SPC_SNTRUP_Q / 2);
}

void spc_sntrup_pack_small(uint8_t out[SPC_SNTRUP_SMALL_BYTES], const int8_t a[SPC_SNTRUP_P])
{
    for (unsigned i = 0; i < SPC_SNTRUP_SMALL_BYTES; i++) {
        unsigned byte = 0;
        for (unsigned j = 0; j < 4 && 4 * i + j < SPC_SNTRUP_P; j++)
            byte |= (unsigned)(a[4 * i + j] + 1) << 2 * j;
        out[i] = (uint8_t)byte;
    }
}
