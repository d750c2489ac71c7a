/* ML-KEM-768's other half, for tests: key generation and decapsulation (FIPS 203 6.1, 6.3, 7.1,
 * 7.3), over the library's own polynomials. */
#include "kem/kem.h"

#include "base/mem.h"
#include "crypto/keccak.h"
#include "crypto/mlkem_poly.h"

#include <string.h>

#define K SPC_MLKEM_K
#define PACKED (K * SPC_MLKEM_POLY_BYTES)

static int16_t ntt_coefficient(const spc_mlkem_poly *p, unsigned n)
{
    int16_t c = p->c[n % 16][n / 16];
    return (int16_t)(c + (c >> 15 & SPC_MLKEM_Q));
}

/* ByteEncode of 12 bits. */
static void pack(uint8_t out[SPC_MLKEM_POLY_BYTES], const spc_mlkem_poly *p)
{
    for (unsigned i = 0; i < 128; i++) {
        unsigned a = (unsigned)ntt_coefficient(p, 2 * i);
        unsigned b = (unsigned)ntt_coefficient(p, 2 * i + 1);
        out[3 * i] = (uint8_t)a;
        out[3 * i + 1] = (uint8_t)(a >> 8 | b << 4);
        out[3 * i + 2] = (uint8_t)(b >> 4);
    }
}

void kem_mlkem_key(const uint8_t rho[32], const uint8_t sigma[32], const uint8_t z[32], uint8_t *ek,
                   uint8_t *dk)
{
    const spc_mlkem_loops *loops = spc_mlkem_choose();
    spc_mlkem_vector matrix[K], s, e;
    spc_mlkem_poly t;
    spc_mlkem_poly *const noises[2 * K] = {&s.p[0], &s.p[1], &s.p[2], &e.p[0], &e.p[1], &e.p[2]};

    spc_mlkem_matrix(rho, false, matrix);
    spc_mlkem_noise(loops, sigma, 0, 2 * K, noises);
    for (unsigned i = 0; i < 2 * K; i++)
        loops->ntt(noises[i]);
    for (unsigned i = 0; i < K; i++) {
        loops->product(&t, &matrix[i], &s);
        loops->scale(&t);
        loops->add(&t, &e.p[i]);
        pack(ek + i * SPC_MLKEM_POLY_BYTES, &t);
        pack(dk + i * SPC_MLKEM_POLY_BYTES, &s.p[i]);
    }
    memcpy(ek + PACKED, rho, 32);
    memcpy(dk + PACKED, ek, SPC_MLKEM_KEY);
    spc_keccak_once(SPC_SHA3_256, ek, SPC_MLKEM_KEY, dk + PACKED + SPC_MLKEM_KEY, 32);
    memcpy(dk + PACKED + SPC_MLKEM_KEY + 32, z, 32);
}

void kem_mlkem_seeds(const uint8_t d[32], uint8_t rho[32], uint8_t sigma[32])
{
    uint8_t input[33], output[64];

    memcpy(input, d, 32);
    input[32] = K;
    spc_keccak_once(SPC_SHA3_512, input, sizeof input, output, sizeof output);
    memcpy(rho, output, 32);
    memcpy(sigma, output + 32, 32);
}

bool kem_mlkem_generate(spb_span seed, uint8_t *ek, uint8_t *dk)
{
    uint8_t rho[32], sigma[32];

    if (seed.length != 64)
        return false;
    kem_mlkem_seeds(seed.data, rho, sigma);
    kem_mlkem_key(rho, sigma, seed.data + 32, ek, dk);
    return true;
}

/* ByteDecode and Decompress of `bits` each. */
static void decompress(spc_mlkem_poly *out, const uint8_t *bytes, unsigned bits)
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned value = 0;
        for (unsigned j = 0; j < bits; j++) {
            unsigned at = i * bits + j;
            value |= (unsigned)(bytes[at / 8] >> at % 8 & 1) << j;
        }
        out->c[i / 16][i % 16] = (int16_t)((value * SPC_MLKEM_Q + (1u << (bits - 1))) >> bits);
    }
}

/* Compress to one bit: is the coefficient nearer to q/2 than to 0? */
static void message_of(uint8_t m[32], const spc_mlkem_poly *p)
{
    memset(m, 0, 32);
    for (unsigned i = 0; i < 256; i++) {
        int c = p->c[i / 16][i % 16];
        int magnitude = (c ^ (c >> 15)) - (c >> 15);
        m[i / 8] |= (uint8_t)((unsigned)(SPC_MLKEM_Q / 4 - magnitude) >> 31 << i % 8);
    }
}

static void decrypt(uint8_t m[32], const uint8_t *dk, const uint8_t *ciphertext)
{
    const spc_mlkem_loops *loops = spc_mlkem_choose();
    spc_mlkem_vector s, u;
    spc_mlkem_poly v, w;

    for (unsigned i = 0; i < K; i++) {
        (void)spc_mlkem_unpack(&s.p[i], dk + i * SPC_MLKEM_POLY_BYTES);
        decompress(&u.p[i], ciphertext + i * SPC_MLKEM_U_BYTES, 10);
        loops->ntt(&u.p[i]);
    }
    decompress(&v, ciphertext + K * SPC_MLKEM_U_BYTES, 4);
    loops->product(&w, &s, &u);
    loops->inverse(&w);
    loops->subtract(&v, &w);
    message_of(m, &v);
}

bool kem_mlkem_decapsulate(spb_span dk, spb_span ciphertext, uint8_t secret[32])
{
    uint8_t m[32], input[64], output[64], rejected[32], again[SPC_MLKEM_CIPHERTEXT];
    spc_mlkem_vector t;
    spc_keccak k;

    if (dk.length != KEM_MLKEM_PRIVATE || ciphertext.length != SPC_MLKEM_CIPHERTEXT)
        return false;
    const uint8_t *ek = dk.data + PACKED, *hash = ek + SPC_MLKEM_KEY;
    spc_keccak_once(SPC_SHA3_256, ek, SPC_MLKEM_KEY, output, 32);
    if (memcmp(output, hash, 32) != 0)
        return false;
    for (unsigned i = 0; i < K; i++) {
        if (!spc_mlkem_unpack(&t.p[i], ek + i * SPC_MLKEM_POLY_BYTES))
            return false;
    }
    decrypt(m, dk.data, ciphertext.data);
    memcpy(input, m, 32);
    memcpy(input + 32, hash, 32);
    spc_keccak_once(SPC_SHA3_512, input, sizeof input, output, sizeof output);
    spc_keccak_init(&k, SPC_SHAKE256);
    spc_keccak_absorb(&k, hash + 32, 32);
    spc_keccak_absorb(&k, ciphertext.data, ciphertext.length);
    spc_keccak_finalize(&k);
    spc_keccak_squeeze(&k, rejected, sizeof rejected);
    spc_mlkem_encrypt(&t, ek + PACKED, m, output + 32, again);
    kem_select(secret, output, rejected, again, ciphertext.data, sizeof again);
    return true;
}
