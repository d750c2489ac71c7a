/* Wycheproof's vectors of signatures, each brought into the form that SSH sends: a key blob (RFC
 * 4253 6.6) and a signature blob, verified as a client's would be. The counts are printed. */
#include "key/key_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto_vectors.h"

static spb_env env;
static vector_bytes fields[VECTOR_FIELDS];

typedef struct verify_case {
    const char *kind, *file, *algorithm, *key_name, *curve;
} verify_case;

static void write_mpint(spb_buffer *b, const vector_bytes *n)
{
    size_t zeros = 0;

    while (zeros < n->length && n->data[zeros] == 0)
        zeros++;
    spw_mpint(b, n->data + zeros, n->length - zeros);
}

static void write_key(spb_buffer *b, const verify_case *v)
{
    spw_cstring(b, v->key_name);
    if (strcmp(v->kind, "rsa") == 0) {
        write_mpint(b, &fields[1]);
        write_mpint(b, &fields[0]);
        return;
    }
    if (v->curve != NULL)
        spw_cstring(b, v->curve);
    spw_string(b, fields[0].data, fields[0].length);
}

/* The message's place among the fields is returned. */
static const vector_bytes *write_signature(spb_buffer *b, const verify_case *v)
{
    spw_cstring(b, v->algorithm);
    if (strcmp(v->kind, "ecdsa") == 0) {
        size_t mark = spw_string_begin(b);
        spw_string(b, fields[2].data, fields[2].length); /* as they are, minimal or not */
        spw_string(b, fields[3].data, fields[3].length);
        spw_string_end(b, mark);
        return &fields[1];
    }
    const vector_bytes *message = &fields[strcmp(v->kind, "rsa") == 0 ? 2 : 1];
    spw_string(b, message[1].data, message[1].length);
    return message;
}

static bool verified(const verify_case *v)
{
    spb_buffer blob, signature;
    sp_key *key;

    spb_buffer_init(&blob, &env, 65536);
    spb_buffer_init(&signature, &env, 65536);
    write_key(&blob, v);
    const vector_bytes *message = write_signature(&signature, v);
    assert_true(spw_ok(&blob) && spw_ok(&signature));
    assert_int_equal(sp_key_from_blob(&key, blob.data, blob.length), 0);
    bool good = sp_key_verify(key, v->algorithm, message->data, message->length, signature.data,
                              signature.length);
    sp_key_unref(key);
    spb_buffer_free(&blob);
    spb_buffer_free(&signature);
    return good;
}

static void verify_vectors(const verify_case *v)
{
    FILE *f = vectors_open(v->kind, v->file);
    char result[16];
    unsigned good = 0, bad = 0, may_go_either_way = 0, taken = 0, without_form = 0;

    if (f == NULL)
        skip();
    while (vectors_next(f, result, fields)) {
        if (strcmp(result, "none") == 0) {
            without_form++;
            continue;
        }
        bool yes = verified(v);
        if (strcmp(result, "valid") == 0) {
            assert_true(yes);
            good++;
        } else if (strcmp(result, "invalid") == 0) {
            assert_false(yes);
            bad++;
        } else {
            may_go_either_way++;
            taken += yes;
        }
    }
    assert_int_equal(pclose(f), 0);
    assert_true(good > 5 && bad > 5);
    print_message("%s: %u vectors: %u valid, verified; %u invalid, refused; %u acceptable, %u of "
                  "them verified; %u without a form in SSH (their DER is what is wrong)\n",
                  v->file, good + bad + may_go_either_way + without_form, good, bad,
                  may_go_either_way, taken, without_form);
}

static void ed25519_vectors(void **unused)
{
    (void)unused;
    verify_vectors(
        &(verify_case){"ed25519", "ed25519_test.json", "ssh-ed25519", "ssh-ed25519", NULL});
}

static void ecdsa_vectors(void **unused)
{
    (void)unused;
    verify_vectors(&(verify_case){"ecdsa", "ecdsa_secp256r1_sha256_test.json",
                                  "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "nistp256"});
    verify_vectors(&(verify_case){"ecdsa", "ecdsa_secp384r1_sha384_test.json",
                                  "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "nistp384"});
    verify_vectors(&(verify_case){"ecdsa", "ecdsa_secp521r1_sha512_test.json",
                                  "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "nistp521"});
}

static void rsa_vectors(void **unused)
{
    (void)unused;
    verify_vectors(&(verify_case){"rsa", "rsa_signature_2048_sha256_test.json", "rsa-sha2-256",
                                  "ssh-rsa", NULL});
    verify_vectors(&(verify_case){"rsa", "rsa_signature_2048_sha512_test.json", "rsa-sha2-512",
                                  "ssh-rsa", NULL});
}

int main(void)
{
    spb_env_init(&env, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_vectors),
        cmocka_unit_test(ecdsa_vectors),
        cmocka_unit_test(rsa_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
