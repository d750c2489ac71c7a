/* Encodings of points of Ed25519 and Ed448 (RFC 8032 5.1.2, 5.2.2). libcrypto takes what comes:
 * also a coordinate that is not reduced, so that one key would have two blobs, and the points of
 * small order, under which anybody can sign. All of those are seen from the y coordinate alone;
 * whether there is a point with that y is found out when something is verified. */
#include "crypto/pkey.h"

#include <string.h>

/* y of the points of small order, little-endian, the bit of x's sign cleared. */
static const uint8_t small_25519[][32] = {
    {0},
    {1},
    /* p - 1 */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    /* the two y of order 8 */
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
};

/* p = 2^255 - 19 */
static const uint8_t p_25519[32] = {
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

/* a < b, both little-endian */
static bool less(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = size; i > 0; i--) {
        if (a[i - 1] != b[i - 1])
            return a[i - 1] < b[i - 1];
    }
    return false;
}

static bool good_25519(const uint8_t *point)
{
    uint8_t y[32];

    memcpy(y, point, sizeof y);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small_25519 / sizeof small_25519[0]; i++) {
        if (memcmp(y, small_25519[i], sizeof y) == 0)
            return false;
    }
    return less(y, p_25519, sizeof y);
}

/* p = 2^448 - 2^224 - 1; the last byte has nothing but the sign. Orders 1, 2 and 4: y 1, -1, 0. */
static bool good_448(const uint8_t *point)
{
    uint8_t p[56], y[56], one[56] = {1}, zero[56] = {0};

    memset(p, 0xff, sizeof p);
    p[28] = 0xfe;
    memcpy(y, point, sizeof y);
    if ((point[56] & 0x7f) != 0 || !less(y, p, sizeof y))
        return false;
    p[0] = 0xfe; /* p - 1 */
    return memcmp(y, zero, sizeof y) != 0 && memcmp(y, one, sizeof y) != 0 &&
           memcmp(y, p, sizeof y) != 0;
}

bool spc_eddsa_point_good(sp_key_type type, spb_span point)
{
    const spc_eddsa *scheme = spc_eddsa_of(type);

    if (scheme == NULL || point.length != scheme->size)
        return false;
    return type == SP_KEY_ED448 ? good_448(point.data) : good_25519(point.data);
}
