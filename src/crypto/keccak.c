/* The sponge of SHA-3 and SHAKE (FIPS 202 4-6). */
#include "crypto/keccak.h"

#include "base/mem.h"
#include "crypto/cpu.h"

#include <string.h>

typedef uint64_t lane;
#include "crypto/keccak_rounds.h"

#define PADDING_SHA3 0x06
#define PADDING_SHAKE 0x1f
#define LAST_BIT 0x80

static uint64_t load64(const uint8_t *p)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static void store64(uint8_t *p, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static unsigned rate_of(spc_keccak_kind kind)
{
    switch (kind) {
    case SPC_SHA3_512:
        return 72;
    case SPC_SHAKE128:
        return SPC_SHAKE128_RATE;
    case SPC_SHA3_256:
    case SPC_SHAKE256:
        break;
    }
    return SPC_SHAKE256_RATE;
}

static void add_byte(spc_keccak *k, unsigned at, uint8_t byte)
{
    k->lanes[at / 8] ^= (uint64_t)byte << 8 * (at % 8);
}

static void next_block(spc_keccak *k)
{
    keccak_rounds(k->lanes);
    k->at = 0;
}

void spc_keccak_init(spc_keccak *k, spc_keccak_kind kind)
{
    memset(k, 0, sizeof *k);
    k->rate = rate_of(kind);
    k->padding = kind == SPC_SHAKE128 || kind == SPC_SHAKE256 ? PADDING_SHAKE : PADDING_SHA3;
}

void spc_keccak_absorb(spc_keccak *k, const void *data, size_t length)
{
    const uint8_t *p = data;

    while (length > 0) {
        if (k->at % 8 == 0 && length >= 8) {
            k->lanes[k->at / 8] ^= load64(p);
            k->at += 8;
            p += 8;
            length -= 8;
        } else {
            add_byte(k, k->at++, *p++);
            length--;
        }
        if (k->at == k->rate)
            next_block(k);
    }
}

void spc_keccak_finalize(spc_keccak *k)
{
    add_byte(k, k->at, k->padding);
    add_byte(k, k->rate - 1, LAST_BIT);
    next_block(k);
}

void spc_keccak_squeeze(spc_keccak *k, void *out, size_t length)
{
    uint8_t *p = out;

    while (length > 0) {
        if (k->at == k->rate)
            next_block(k);
        if (k->at % 8 == 0 && length >= 8) {
            store64(p, k->lanes[k->at / 8]);
            k->at += 8;
            p += 8;
            length -= 8;
        } else {
            *p++ = (uint8_t)(k->lanes[k->at / 8] >> 8 * (k->at % 8));
            k->at++;
            length--;
        }
    }
}

void spc_keccak_once(spc_keccak_kind kind, const void *data, size_t length, void *out,
                     size_t out_length)
{
    spc_keccak k;

    spc_keccak_init(&k, kind);
    spc_keccak_absorb(&k, data, length);
    spc_keccak_finalize(&k);
    spc_keccak_squeeze(&k, out, out_length);
    sp_zero(&k, sizeof k);
}

void spc_keccak4_start(spc_keccak4 *k, spc_keccak_kind kind, const uint8_t *const messages[4],
                       size_t length)
{
    k->rate = rate_of(kind);
    for (unsigned i = 0; i < 4; i++) {
        spc_keccak one;
        spc_keccak_init(&one, kind);
        spc_keccak_absorb(&one, messages[i], length);
        add_byte(&one, one.at, one.padding);
        add_byte(&one, one.rate - 1, LAST_BIT);
        for (unsigned j = 0; j < 25; j++)
            k->lanes[j][i] = one.lanes[j];
        sp_zero(&one, sizeof one);
    }
}

void spc_keccak4_permute_plain(uint64_t lanes[25][4])
{
    uint64_t one[25];

    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 25; j++)
            one[j] = lanes[j][i];
        keccak_rounds(one);
        for (unsigned j = 0; j < 25; j++)
            lanes[j][i] = one[j];
    }
    sp_zero(one, sizeof one);
}

void spc_keccak4_block(spc_keccak4 *k, uint8_t *const out[4])
{
    if (spc_cpu_avx2())
        spc_keccak4_permute_avx2(k->lanes);
    else
        spc_keccak4_permute_plain(k->lanes);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < k->rate / 8; j++)
            store64(out[i] + (size_t)8 * j, k->lanes[j][i]);
    }
}
