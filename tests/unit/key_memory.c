/* Certificates, authorized_keys, permissions and revoked keys when memory runs out: each allocation
 * fails once. Nothing may leak or crash, and nothing may be permitted that else would not be. This
 * file compiles key.c itself, to put its allocator in place of the room's. */
#include "key/key.c"

#include "key/authorized.h"
#include "key/revoked.h"
#include "support/cert_stand.h"

#include <limits.h>

static unsigned long made, fail_at;
static long live;

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (made++ == fail_at)
        return NULL;
    void *out = realloc(ptr, size == 0 ? 1 : size);
    if (out != NULL && ptr == NULL)
        live++;
    return out;
}

static void *failing_alloc(void *ctx, size_t size)
{
    return failing_realloc(ctx, NULL, size);
}

static void counted_free(void *ctx, void *ptr)
{
    (void)ctx;
    if (ptr != NULL)
        live--;
    free(ptr);
}

static sp_key *user, *ca;
static spb_buffer cert_blob, krl;
static char list_text[8192], revoked_text[8192];

/* Runs a step with each allocation failing in turn, until one passes without. */
static void sweep(bool (*step)(void))
{
    bool passed = false;

    for (unsigned long n = 0; !passed; n++) {
        long before = live;
        made = 0;
        fail_at = n;
        bool good = step();
        passed = made <= n;
        fail_at = ULONG_MAX;
        assert_int_equal(live, before);
        if (passed)
            assert_true(good);
        assert_true(n < 10000);
    }
}

static bool read_cert(void)
{
    sp_cert *cert;
    char line[4096];
    int result = sp_cert_from_blob(&cert, cert_blob.data, cert_blob.length);

    assert_int_equal(result == 0, cert != NULL);
    if (cert == NULL)
        return false;
    result = sp_cert_format(cert, NULL, line, sizeof line);
    sp_cert_unref(cert);
    if (result <= 0 || sp_cert_parse(&cert, line) != 0)
        return false;
    sp_cert_unref(cert);
    return true;
}

/* Found with what the lines say, or not found. */
static bool look(const sp_authorized_keys *list, const sp_cert *cert)
{
    const spk_peer who = {.user = "alice", .address = "192.0.2.1", .now = 1000};
    spk_permissions *p;
    const char *reason = NULL;
    bool good = true;

    if (spk_authorized_find(list, user, &who, &p, &reason) == 0)
        assert_string_equal(spk_forced_command(p), "x");
    else
        good = false;
    spk_permissions_unref(p);
    assert_non_null(reason);
    if (spk_authorized_find_cert(list, cert, &who, &p, &reason) == 0) {
        assert_string_equal(spk_forced_command(p), "ls");
        assert_string_equal(spk_environment(p, 0), "A=1");
        assert_true(spk_may_open(p, "a", 1));
        assert_false(spk_may_open(p, "a", 2));
        assert_false(spk_may(p, SPK_PERMIT_PTY));
    } else {
        good = false;
    }
    assert_non_null(reason);
    spk_permissions_unref(p);
    return good;
}

static bool authorize(void)
{
    sp_authorized_keys *list;
    sp_cert *cert;
    bool good = false;
    int result = sp_authorized_keys_parse(&list, list_text, strlen(list_text), NULL, NULL);

    assert_int_equal(result == 0, list != NULL);
    if (list != NULL && sp_cert_from_blob(&cert, cert_blob.data, cert_blob.length) == 0) {
        good = look(list, cert);
        sp_cert_unref(cert);
    }
    sp_authorized_keys_free(list);
    return good;
}

static bool revoked_by(const void *data, size_t length)
{
    sp_revoked_keys *list;
    int result = sp_revoked_keys_parse(&list, data, length);

    assert_int_equal(result == 0, list != NULL);
    assert_true(spk_revoked_key(list, user)); /* with no list as well */
    sp_revoked_keys_unref(list);
    return result == 0;
}

static bool revoke_by_krl(void)
{
    return revoked_by(krl.data, krl.length);
}

static bool revoke_by_text(void)
{
    return revoked_by(revoked_text, strlen(revoked_text));
}

static void certificates(void **unused)
{
    (void)unused;
    sweep(read_cert);
}

static void authorized(void **unused)
{
    (void)unused;
    sweep(authorize);
}

static void revoked(void **unused)
{
    (void)unused;
    sweep(revoke_by_krl);
    sweep(revoke_by_text);
}

static void make_cert(void)
{
    spb_buffer critical, extensions;

    spb_buffer_init(&critical, &cert_env, 4096);
    cert_option(&critical, "force-command", "ls");
    cert_option(&critical, "source-address", "192.0.2.0/24");
    spb_buffer_init(&extensions, &cert_env, 4096);
    cert_option(&extensions, "permit-port-forwarding", NULL);
    cert_make(&(cert_plan){.key = user,
                           .ca = ca,
                           .critical = {critical.data, critical.length},
                           .extensions = {extensions.data, extensions.length}},
              &cert_blob);
    spb_buffer_free(&critical);
    spb_buffer_free(&extensions);
}

static void make_krl(void)
{
    static const uint8_t header[36] = "SSHKRL\n\0\0\0\0\1";
    size_t length;
    const uint8_t *blob = sp_key_blob(user, &length);

    spb_buffer_init(&krl, &cert_env, 65536);
    spw_bytes(&krl, header, sizeof header);
    spw_cstring(&krl, "");
    spw_cstring(&krl, "");
    spw_u8(&krl, 2);
    size_t mark = spw_string_begin(&krl);
    spw_string(&krl, blob, length);
    spw_string_end(&krl, mark);
    for (unsigned i = 0; i < 6; i++) {
        spw_u8(&krl, 1);
        mark = spw_string_begin(&krl);
        spw_string(&krl, blob, i % 2 == 0 ? length : 0);
        spw_cstring(&krl, "");
        spw_u8(&krl, i < 3 ? 0x20 : 0x23);
        spw_string(&krl, "\0\0\0\4abcd\0\0\0\4efgh", 16);
        spw_string_end(&krl, mark);
    }
}

static int set_up(void **unused)
{
    (void)unused;
    char user_line[256], ca_line[256], cert_line[4096];
    sp_cert *cert;

    spb_env_init(&cert_env, NULL);
    fail_at = ULONG_MAX;
    (void)spk_env();
    default_env.allocator = (sp_allocator){NULL, failing_alloc, failing_realloc, counted_free};
    if (sp_key_generate(&user, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&ca, SP_KEY_ED25519, 0) != 0)
        return -1;
    make_cert();
    make_krl();
    (void)sp_key_format_public(user, NULL, user_line, sizeof user_line);
    (void)sp_key_format_public(ca, NULL, ca_line, sizeof ca_line);
    (void)snprintf(list_text, sizeof list_text,
                   "command=\"x\",from=\"192.0.2.*\",environment=\"A=1\" %s\n"
                   "cert-authority,principals=\"bob,alice,carol,dave,eve\",environment=\"A=1\","
                   "permitopen=\"a:1\",permitlisten=\"2\",no-pty %s\n"
                   "nonsense %s\n",
                   user_line, ca_line, ca_line);
    if (sp_cert_from_blob(&cert, cert_blob.data, cert_blob.length) != 0)
        return -1;
    (void)sp_cert_format(cert, NULL, cert_line, sizeof cert_line);
    sp_cert_unref(cert);
    (void)snprintf(revoked_text, sizeof revoked_text, "%s\n%s\n", ca_line, cert_line);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(user);
    sp_key_unref(ca);
    spb_buffer_free(&cert_blob);
    spb_buffer_free(&krl);
    return live == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(authorized),
        cmocka_unit_test(revoked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
