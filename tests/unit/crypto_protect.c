/* Packet protection: known answers, round trips, every byte flipped, sequence and order. The known
 * answers were made by a composition of plain primitives outside this project. */
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static uint8_t key[64], iv[16], mac_key[64];

#define FIRST_SEQUENCE 7u

static const struct {
    const char *cipher, *mac;
    const char *sealed[2]; /* sequence numbers 7 and 8 */
} known[] = {
    {"chacha20-poly1305@openssh.com",
     NULL,
     {"a39afc8a2d411d4a448826536262abe1c59cc73922a5282f64f8219e5e753bfea270277126a4afb5"
      "800005087200160377f7cb09",
      "2fe1f281deab5faca34e0a18864e5236f88454a492c498e0bf6b5daa5eb758a8ff362b971988b417"
      "ecbe4c0088d14c677dbabdbb"}},
    {"aes128-gcm@openssh.com",
     NULL,
     {"00000020af8130b274823f078477a5115401a47545f93b11990c21b23b0f51ba60aeab8df7e4b019"
      "4d5a033dd8726cf48d55d421",
      "00000020f981484f67ed21eef3a769a27ffd92ee616c6a39e6e720fed2b5f071324e746fd419464d"
      "9cfe26a842950dbac607588f"}},
    {"aes256-gcm@openssh.com",
     NULL,
     {"00000020e31f74244fc00eb26c6a97c21569d4cb66bb410988ac5e71821106a75d885124b9d8799d"
      "4b4716d7aa0f39b8466ec29c",
      "00000020dec4421020f81136bbdd0c9653d3189aa6ef0e356c2e6b9ab528812d7544fd326ff79416"
      "ef125095c7db72b183014aaf"}},
    {"aes128-ctr",
     "hmac-sha2-256-etm@openssh.com",
     {"000000205b1fd9f7fc160473ceac2ec626b4859a0cd5a7c58dee658c4ffe989217cf0efe468cc731"
      "787ba83d24b6bbaa76338960335d893b4827e0109f9ad8debe789b6a",
      "00000020a14c6e4171c1b8f00612de6c7dd5e5730d00cb28884df18bd1460da62c555b2c2a1a9ceb"
      "42fdec6b5781ad5091fa43ddd1562cb5c1e2d868d720e167e78e774e"}},
    {"aes192-ctr",
     "hmac-sha2-512",
     {"fec3d1faca6c4c30029ba94084d2952169f754f8476d51cb7473229f58a27f57b5175ed7760297ea"
      "79aea0655066a52f7e10e38f79b16527830cbd1bc729d10f270000ce14a7a729e17ece4e45f16ddc"
      "b192267a0dc81d60de3398b9e00ce36a",
      "62f34df23e71de06df82d46312f04b19b9e278a51e2127ca9ce9d6784d7bb08c3efb9cea45c2f7f6"
      "4a06243bb032d005004c1314daae0ca7d25179a2c29bfe4cd7daf3449e96fcf08323866f0211a3c4"
      "8fb639f2335c052215d8484697218dc7"}},
    {"aes256-ctr",
     "hmac-sha2-256",
     {"dc9f01e173bf74040540e4880504fcf1f3c2ff046a568d31f691e497792ff3bec4851bbd85e70abd"
      "96b00c071c87af7c7f44e90ed423893d9a88f6bff2cf034a",
      "99ebe4beed6f90007ea20d8ea2ff9263dc36285dc8b91dc070f567d60f634d61f9cdd06cc4bec4cd"
      "19b03743f862317aefd13390d5b6fc03cae7c797835c7f8f"}},
    {"aes256-ctr",
     "hmac-sha2-512-etm@openssh.com",
     {"00000020d99809f47cb370000144f8941918f8f5f7c6f308665a8935f295d8ab4513f7ba43af5424"
      "6b1ab8fb96a856c14b87e36425785566895bebb1111669354d4570f73fce4ac2611ccd8d9f866c34"
      "6f984d386ac99844b85ee481be3109abb3e60842",
      "000000209ce3eda8e36b94047abe1192befb9667d83a2451c4bd19c474c95bea3367496541a106ec"
      "9c489cd90d320f2fee013f199d701f0afa0cfcd396647466e6c228c0b141d0735cd12c3411136650"
      "8e189502b5995fd5bf80762fa36646731a1eb21b"}},
};
#define KNOWN_COUNT (sizeof known / sizeof known[0])

/* Every cipher, with every MAC where it takes one. */
typedef struct pair {
    const spc_cipher *cipher;
    const spc_mac *mac;
} pair;
static pair pairs[64];
static size_t pair_count;

static spb_span text(const char *s)
{
    return (spb_span){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

static spc_protection *make(pair q, bool sealing)
{
    spc_protection *p;
    assert_true(spc_protection_new(&p, &env, q.cipher, q.mac, key, iv, mac_key, sealing));
    return p;
}

/* The smallest whole packet of at least `want` bytes whose length fits the blocks. */
static size_t fill_packet(const spc_protection *p, uint8_t *packet, size_t want, uint8_t seed)
{
    size_t clear = spc_protection_clear_length(p);
    size_t block = spc_protection_block(p);
    size_t total = want < 16 ? 16 : want;
    while ((total - clear) % block != 0)
        total++;
    spb_put_u32(packet, (uint32_t)(total - 4));
    packet[4] = 5;
    for (size_t i = 5; i < total; i++)
        packet[i] = (uint8_t)(seed + (i - 5));
    return total;
}

static bool seal_at(spc_protection *p, uint32_t sequence, const uint8_t *packet, size_t total,
                    uint8_t *out)
{
    const spb_span whole = {packet, total};
    return spc_seal(p, sequence, &whole, 1, out);
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n;
}

static void known_answers(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        pair q = {spc_cipher_find(text(known[i].cipher)),
                  known[i].mac == NULL ? NULL : spc_mac_find(text(known[i].mac))};
        spc_protection *sealing = make(q, true);
        spc_protection *opening = make(q, false);
        for (uint32_t n = 0; n < 2; n++) {
            uint8_t packet[256], out[256], expected[256];
            size_t total = fill_packet(sealing, packet, 32, (uint8_t)(FIRST_SEQUENCE + n));
            size_t size = unhex(known[i].sealed[n], expected);
            assert_int_equal(size, total + spc_protection_tag(sealing));
            assert_true(seal_at(sealing, FIRST_SEQUENCE + n, packet, total, out));
            assert_memory_equal(out, expected, size);
            uint32_t length;
            assert_true(spc_open_length(opening, FIRST_SEQUENCE + n, out, &length));
            assert_int_equal(length, total - 4);
            assert_true(spc_open(opening, FIRST_SEQUENCE + n, out, length));
            assert_memory_equal(out + 4, packet + 4, total - 4);
        }
        spc_protection_free(sealing);
        spc_protection_free(opening);
    }
}

/* Sizes around the blocks and the gathering limit, cut into spans at odd places. */
static void round_trips(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {16, 17, 33, 64, 100, 255, 2040, 2048, 2049, 2100, 32768, 35000};
    static uint8_t packet[40000], one[40000], many[40000];
    for (size_t i = 0; i < pair_count; i++) {
        spc_protection *a = make(pairs[i], true);
        spc_protection *b = make(pairs[i], true);
        spc_protection *opening = make(pairs[i], false);
        uint32_t sequence = UINT32_MAX - 3; /* it wraps on the way */
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++, sequence++) {
            size_t total = fill_packet(a, packet, sizes[s], (uint8_t)s);
            size_t tag = spc_protection_tag(a);
            size_t cut = total / 2 + s % 3;
            const spb_span spans[5] = {{packet, 5},
                                       {packet + 5, 3},
                                       {packet + 8, 0},
                                       {packet + 8, cut - 8},
                                       {packet + cut, total - cut}};
            memset(one, 0xee, sizeof one);
            memset(many, 0xee, sizeof many);
            assert_true(seal_at(a, sequence, packet, total, one));
            assert_true(spc_seal(b, sequence, spans, 5, many));
            assert_memory_equal(one, many, total + tag);
            assert_int_equal(one[total + tag], 0xee); /* nothing written behind */
            uint32_t length;
            memcpy(many, one, total + tag);
            for (int again = 0; again < 3; again++) {
                assert_true(spc_open_length(opening, sequence, one, &length));
                assert_int_equal(length, total - 4);
                assert_memory_equal(one, many, total + tag);
            }
            assert_true(spc_open(opening, sequence, one, length));
            assert_memory_equal(one + 4, packet + 4, total - 4);
        }
        spc_protection_free(a);
        spc_protection_free(b);
        spc_protection_free(opening);
    }
}

/* The length is asked for or not: opening works the same. */
static void opens_without_asking_the_length(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < pair_count; i++) {
        spc_protection *sealing = make(pairs[i], true);
        spc_protection *opening = make(pairs[i], false);
        for (uint32_t n = 0; n < 3; n++) {
            uint8_t packet[256], out[256];
            size_t total = fill_packet(sealing, packet, 60, (uint8_t)n);
            assert_true(seal_at(sealing, n, packet, total, out));
            assert_true(spc_open(opening, n, out, (uint32_t)(total - 4)));
            assert_memory_equal(out + 4, packet + 4, total - 4);
        }
        spc_protection_free(sealing);
        spc_protection_free(opening);
    }
}

static void every_byte_flipped(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < pair_count; i++) {
        spc_protection *sealing = make(pairs[i], true);
        uint8_t packet[256], out[256], copy[256];
        size_t total = fill_packet(sealing, packet, 60, 1);
        size_t whole = total + spc_protection_tag(sealing);
        assert_true(seal_at(sealing, 3, packet, total, out));
        for (size_t at = 0; at < whole; at++) {
            for (int bit = 0; bit < 8; bit += 7) {
                spc_protection *opening = make(pairs[i], false);
                memcpy(copy, out, whole);
                copy[at] ^= (uint8_t)(1 << bit);
                assert_false(spc_open(opening, 3, copy, (uint32_t)(total - 4)));
                /* Failed once, failed for ever, even for the true packet. */
                uint32_t length;
                memcpy(copy, out, whole);
                assert_false(spc_open_length(opening, 3, copy, &length));
                assert_int_equal(length, 0);
                assert_false(spc_open(opening, 3, copy, (uint32_t)(total - 4)));
                spc_protection_free(opening);
            }
        }
        spc_protection_free(sealing);
    }
}

static void wrong_length_sequence_or_order(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < pair_count; i++) {
        uint8_t packet[256], out[2][256] = {{0}}, copy[256];
        spc_protection *sealing = make(pairs[i], true);
        size_t total = fill_packet(sealing, packet, 60, 1);
        for (uint32_t n = 0; n < 2; n++)
            assert_true(seal_at(sealing, n, packet, total, out[n]));
        assert_memory_not_equal(out[0], out[1], total);
        spc_protection_free(sealing);

        /* Another length than what was sealed. */
        for (int delta = -16; delta <= 16; delta += 8) {
            if (delta == 0)
                continue;
            spc_protection *opening = make(pairs[i], false);
            memcpy(copy, out[0], sizeof copy);
            assert_false(spc_open(opening, 0, copy, (uint32_t)((int)total - 4 + delta)));
            spc_protection_free(opening);
        }
        /* The second packet first: under its own number, and under the first's. */
        for (uint32_t n = 0; n < 2; n++) {
            bool chacha = strcmp(pairs[i].cipher->name, "chacha20-poly1305@openssh.com") == 0;
            bool etm = pairs[i].mac != NULL && pairs[i].mac->etm;
            if (n == 1 && (chacha || etm))
                continue; /* these depend on the number alone; checked below */
            spc_protection *opening = make(pairs[i], false);
            memcpy(copy, out[1], sizeof copy);
            assert_false(spc_open(opening, n, copy, (uint32_t)(total - 4)));
            spc_protection_free(opening);
        }
        /* A packet twice. */
        spc_protection *opening = make(pairs[i], false);
        memcpy(copy, out[0], sizeof copy);
        assert_true(spc_open(opening, 0, copy, (uint32_t)(total - 4)));
        memcpy(copy, out[0], sizeof copy);
        assert_false(spc_open(opening, 1, copy, (uint32_t)(total - 4)));
        spc_protection_free(opening);
        /* Lengths that no packet has. */
        static const uint32_t never[] = {0, 1, 4, 11, UINT32_MAX, 0x80000000u};
        for (size_t l = 0; l < sizeof never / sizeof never[0]; l++) {
            opening = make(pairs[i], false);
            memcpy(copy, out[0], sizeof copy);
            assert_false(spc_open(opening, 0, copy, never[l]));
            spc_protection_free(opening);
        }
    }
}

static void wrong_use(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < pair_count; i++) {
        uint8_t packet[256], out[512];
        uint32_t length;
        spc_protection *sealing = make(pairs[i], true);
        spc_protection *opening = make(pairs[i], false);
        size_t total = fill_packet(sealing, packet, 60, 1);
        assert_false(seal_at(opening, 0, packet, total, out));
        assert_false(spc_open_length(sealing, 0, packet, &length));
        assert_false(seal_at(sealing, 0, packet, total, out)); /* it has failed before */
        spc_protection_free(sealing);
        spc_protection_free(opening);

        /* A first span without both length fields, no span, too short a packet. */
        const spb_span short_first[2] = {{packet, 4}, {packet + 4, total - 4}};
        sealing = make(pairs[i], true);
        assert_false(spc_seal(sealing, 0, short_first, 2, out));
        spc_protection_free(sealing);
        sealing = make(pairs[i], true);
        assert_false(spc_seal(sealing, 0, NULL, 0, out));
        spc_protection_free(sealing);
        sealing = make(pairs[i], true);
        assert_false(seal_at(sealing, 0, packet, 11, out));
        spc_protection_free(sealing);
    }
    /* Authenticated ciphers take no MAC, the others need one. */
    spc_protection *p;
    assert_false(
        spc_protection_new(&p, &env, spc_cipher_at(0), spc_mac_at(0), key, iv, mac_key, true));
    assert_null(p);
    assert_false(spc_protection_new(&p, &env, spc_cipher_find(text("aes128-ctr")), NULL, key, iv,
                                    NULL, true));
    assert_null(p);
    spc_protection_free(NULL);
}

/* The length of the next packet is known while its rest has not come. */
static void length_under_encrypt_and_mac(void **unused)
{
    (void)unused;
    pair q = {spc_cipher_find(text("aes256-ctr")), spc_mac_find(text("hmac-sha2-256"))};
    spc_protection *sealing = make(q, true);
    spc_protection *opening = make(q, false);
    assert_int_equal(spc_protection_need(opening), 16);
    assert_int_equal(spc_protection_clear_length(opening), 0);
    uint8_t packet[256], out[256];
    uint32_t length;
    size_t total = fill_packet(sealing, packet, 64, 1);
    assert_true(seal_at(sealing, 0, packet, total, out));
    uint8_t *start = malloc(16); /* under ASan: nothing behind is read */
    memcpy(start, out, 16);
    assert_true(spc_open_length(opening, 0, start, &length));
    assert_int_equal(length, total - 4);
    free(start);
    /* Another number before the packet was opened is a fault of the caller. */
    assert_false(spc_open_length(opening, 1, out, &length));
    spc_protection_free(sealing);
    spc_protection_free(opening);
}

/* A one-byte message under EtM or AEAD has 12 bytes (OpenSSH's NEWKEYS); where the whole packet is
 * in blocks, 12 bytes are less than one block and must not be taken. */
static void shortest_packet(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < pair_count; i++) {
        uint8_t packet[12] = {0, 0, 0, 8, 6, 21}, *out = calloc(1, 12 + 64);
        spc_protection *sealing = make(pairs[i], true);
        spc_protection *opening = make(pairs[i], false);
        bool blocks = pairs[i].mac != NULL && !pairs[i].mac->etm;
        assert_true(seal_at(sealing, 0, packet, sizeof packet, out));
        assert_int_equal(spc_open(opening, 0, out, 8), !blocks);
        if (!blocks)
            assert_memory_equal(out + 4, packet + 4, 8);
        spc_protection_free(sealing);
        spc_protection_free(opening);
        free(out);
    }
}

int main(void)
{
    spb_env_init(&env, NULL);
    for (size_t i = 0; i < 64; i++) {
        key[i] = (uint8_t)i;
        mac_key[i] = (uint8_t)(0x40 + i);
        if (i < 16)
            iv[i] = (uint8_t)(0xa0 + i);
    }
    for (size_t i = 0; spc_cipher_at(i) != NULL; i++) {
        const spc_cipher *c = spc_cipher_at(i);
        if (c->tag_length > 0)
            pairs[pair_count++] = (pair){c, NULL};
        for (size_t m = 0; c->tag_length == 0 && spc_mac_at(m) != NULL; m++)
            pairs[pair_count++] = (pair){c, spc_mac_at(m)};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(opens_without_asking_the_length),
        cmocka_unit_test(every_byte_flipped),
        cmocka_unit_test(wrong_length_sequence_or_order),
        cmocka_unit_test(wrong_use),
        cmocka_unit_test(shortest_packet),
        cmocka_unit_test(length_under_encrypt_and_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
