/* An ssh-agent's messages: what we ask, and what we make of each answer. */
#include "key/agent_messages.h"
#include "key/key_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static sp_key *ed25519, *rsa;

static void put_key(spb_buffer *b, const sp_key *key)
{
    spw_string(b, key->blob, key->blob_length);
}

static void requests(void **unused)
{
    (void)unused;
    static const struct {
        const char *algorithm;
        uint8_t flags;
    } cases[] = {{"ssh-ed25519", 0}, {"rsa-sha2-256", 2}, {"rsa-sha2-512", 4}};
    spb_buffer b, expected;
    const spb_span data = {(const uint8_t *)"data", 4};
    spb_buffer_init(&b, spk_env(), 10000);
    spb_buffer_init(&expected, spk_env(), 10000);
    spk_agent_list_request(&b);
    assert_int_equal(b.length, 1);
    assert_int_equal(b.data[0], 11);
    for (size_t i = 0; i < 3; i++) {
        spb_buffer_clear(&b);
        spb_buffer_clear(&expected);
        spk_agent_sign_request(&b, i == 0 ? ed25519 : rsa, cases[i].algorithm, data);
        spw_u8(&expected, 13);
        put_key(&expected, i == 0 ? ed25519 : rsa);
        spw_cstring(&expected, "data");
        spw_u32(&expected, cases[i].flags);
        assert_int_equal(b.length, expected.length);
        assert_memory_equal(b.data, expected.data, b.length);
    }
    spb_buffer_free(&b);
    spb_buffer_free(&expected);
}

static int read_list(const spb_buffer *b, size_t length, sp_key ***keys, size_t *count)
{
    return spk_agent_read_list((spb_span){b->data, length}, keys, count);
}

static void lists(void **unused)
{
    (void)unused;
    spb_buffer b;
    sp_key **keys;
    size_t count;
    spb_buffer_init(&b, spk_env(), 100000);
    spw_u8(&b, 12);
    spw_u32(&b, 3);
    put_key(&b, ed25519);
    spw_cstring(&b, "one");
    spw_string(&b, "\0\0\0\7ssh-dss", 11); /* left out */
    spw_cstring(&b, "");
    put_key(&b, rsa);
    spw_cstring(&b, "two");
    assert_int_equal(read_list(&b, b.length, &keys, &count), 0);
    assert_int_equal(count, 2);
    assert_true(sp_key_equal(keys[0], ed25519) && sp_key_equal(keys[1], rsa));
    spk_agent_free_list(keys, count);
    for (size_t cut = 0; cut < b.length; cut++) {
        assert_int_equal(read_list(&b, cut, &keys, &count), SP_EPROTO);
        assert_null(keys);
        assert_int_equal(count, 0);
    }
    spw_u8(&b, 0);
    assert_int_equal(read_list(&b, b.length, &keys, &count), SP_EPROTO);
    b.length--;
    b.data[0] = 5;
    assert_int_equal(read_list(&b, b.length, &keys, &count), SP_EPROTO);
    b.data[0] = 12;
    memset(b.data + 1, 0xff, 4); /* more than there can be */
    assert_int_equal(read_list(&b, b.length, &keys, &count), SP_EPROTO);
    spb_buffer_clear(&b);
    spw_u8(&b, 12);
    spw_u32(&b, 0);
    assert_int_equal(read_list(&b, b.length, &keys, &count), 0);
    assert_int_equal(count, 0);
    spk_agent_free_list(keys, count);
    spb_buffer_clear(&b);
    spw_u8(&b, 12);
    spw_u32(&b, SPK_AGENT_KEYS_MAX + 1);
    for (size_t i = 0; i < SPK_AGENT_KEYS_MAX + 1; i++)
        spw_u64(&b, 0);
    assert_int_equal(read_list(&b, b.length, &keys, &count), SP_ELIMIT);
    spk_agent_free_list(NULL, 0);
    spb_buffer_free(&b);
}

static size_t signature_in(const void *bytes, size_t length)
{
    return spk_agent_read_signature((spb_span){bytes, length}).length;
}

static void signatures(void **unused)
{
    (void)unused;
    static uint8_t huge[1 + 4 + SP_SIGNATURE_MAX + 1] = {14, 0, 0, (SP_SIGNATURE_MAX + 1) >> 8,
                                                         (SP_SIGNATURE_MAX + 1) & 255};
    assert_int_equal(signature_in("\x0e\0\0\0\3abc", 8), 3);
    assert_int_equal(signature_in("\x0e\0\0\0\3ab", 7), 0);
    assert_int_equal(signature_in("\x0e\0\0\0\3abcd", 9), 0);
    assert_int_equal(signature_in("\x0d\0\0\0\3abc", 8), 0);
    assert_int_equal(signature_in("\5", 1), 0);
    assert_int_equal(signature_in("\x0e", 1), 0);
    assert_int_equal(signature_in("", 0), 0);
    assert_int_equal(signature_in(huge, sizeof huge), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(lists),
        cmocka_unit_test(signatures),
    };
    if (sp_key_generate(&ed25519, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&rsa, SP_KEY_RSA, 2048) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("key_agent", tests, NULL, NULL);
    sp_key_unref(ed25519);
    sp_key_unref(rsa);
    return failed;
}
