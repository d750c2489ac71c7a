/* Certificates: those that ssh-keygen makes are read and believed, of each kind; whatever is wrong
 * with one is refused, when it is read or when it is shown, with its reason. */
#include "key/cert.h"
#include "key/permissions.h"

#include "support/cert_stand.h"

static sp_key *user, *ca, *stranger, *rsa;

static const char *const alice[] = {"alice"};

static spk_cert_use for_alice(void)
{
    return (spk_cert_use){
        .type = SP_CERT_USER, .now = 1000, .names = alice, .name_count = 1, .address = "192.0.2.7"};
}

static void refused(const cert_plan *plan, const spk_cert_use *use, const char *why)
{
    const char *reason = NULL;
    sp_cert *cert = cert_of(plan);

    assert_false(spk_cert_check(cert, use, &reason));
    assert_string_equal(reason, why);
    sp_cert_unref(cert);
}

static void taken(const cert_plan *plan, const spk_cert_use *use)
{
    const char *reason = NULL;
    sp_cert *cert = cert_of(plan);

    if (!spk_cert_check(cert, use, &reason))
        fail_msg("%s", reason);
    assert_null(reason);
    sp_cert_unref(cert);
}

/* ---- ssh-keygen's ---- */

static const struct {
    const char *name, *options;
} kinds[] = {
    {"ed25519", "-t ed25519"},   {"p256", "-t ecdsa -b 256"}, {"p384", "-t ecdsa -b 384"},
    {"p521", "-t ecdsa -b 521"}, {"rsa", "-t rsa -b 2048"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void made_by_ssh_keygen(void **unused)
{
    (void)unused;
    if (!cert_have_keygen())
        skip();
    for (size_t i = 0; i < KINDS; i++)
        assert_int_equal(shell("ssh-keygen -q -N '' %s -f %s", kinds[i].options, kinds[i].name), 0);
    for (size_t k = 0; k < KINDS; k++) {     /* the certified key */
        for (size_t c = 0; c < KINDS; c++) { /* the CA */
            char file[64];
            sp_cert *cert;
            const char *reason;
            const spk_cert_use use = {.type = SP_CERT_USER,
                                      .now = 1700000000,
                                      .names = alice,
                                      .name_count = 1,
                                      .address = "2001:db8::1"};
            assert_int_equal(
                shell("ssh-keygen -q -s %s -I 'key of alice' -n bob,alice -z %zu "
                      "-V 20200101000000:20991231000000 -O source-address=2001:db8::/32 "
                      "-O force-command='echo hi' -O no-x11-forwarding "
                      "-O extension:login@example.com=alice %s.pub",
                      kinds[c].name, 7 + k, kinds[k].name),
                0);
            (void)snprintf(file, sizeof file, "%s-cert.pub", kinds[k].name);
            assert_int_equal(sp_cert_load(&cert, path_of(file)), 0);
            if (!spk_cert_check(cert, &use, &reason))
                fail_msg("%s by %s: %s", kinds[k].name, kinds[c].name, reason);
            assert_int_equal(sp_cert_serial(cert), 7 + k);
            assert_int_equal(sp_cert_get_type(cert), SP_CERT_USER);
            assert_string_equal(sp_cert_key_id(cert), "key of alice");
            assert_int_equal(sp_cert_principal_count(cert), 2);
            assert_string_equal(sp_cert_principal(cert, 0), "bob");
            assert_string_equal(sp_cert_principal(cert, 1), "alice");
            assert_null(sp_cert_principal(cert, 2));
            assert_true(sp_cert_valid_after(cert) > 1577000000);
            assert_true(sp_cert_valid_before(cert) > sp_cert_valid_after(cert));
            assert_string_equal(sp_cert_find_option(cert, "force-command")->value, "echo hi");
            assert_true(sp_cert_find_option(cert, "force-command")->critical);
            assert_string_equal(sp_cert_find_option(cert, "login@example.com")->value, "alice");
            assert_string_equal(sp_cert_find_option(cert, "permit-pty")->value, "");
            assert_false(sp_cert_find_option(cert, "permit-pty")->critical);
            assert_null(sp_cert_find_option(cert, "permit-X11-forwarding"));
            assert_string_equal(sp_cert_option_at(cert, 0)->name, "force-command");
            assert_null(sp_cert_option_at(cert, 7));
            (void)snprintf(file, sizeof file, "%s.pub", kinds[k].name);
            sp_key *key = cert_public(file);
            assert_true(sp_key_equal(key, sp_cert_key(cert)));
            sp_key_unref(key);
            (void)snprintf(file, sizeof file, "%s.pub", kinds[c].name);
            key = cert_public(file);
            assert_true(sp_key_equal(key, sp_cert_ca_key(cert)));
            sp_key_unref(key);
            sp_cert_unref(cert);
        }
    }
}

static void written_back(void **unused)
{
    (void)unused;
    char line[4096];
    size_t length, again_length;
    sp_cert *cert = cert_of(&(cert_plan){.key = user, .ca = ca, .serial = 42});
    sp_cert *again;

    assert_true(sp_cert_format(cert, "a comment", line, sizeof line) > 100);
    assert_non_null(strstr(line, " a comment"));
    assert_int_equal(sp_cert_parse(&again, line), 0);
    const uint8_t *blob = sp_cert_blob(cert, &length);
    const uint8_t *again_blob = sp_cert_blob(again, &again_length);
    assert_int_equal(length, again_length);
    assert_memory_equal(blob, again_blob, length);
    assert_int_equal(sp_cert_serial(again), 42);
    assert_string_equal(sp_cert_type_name(again), "ssh-ed25519-cert-v01@openssh.com");
    assert_int_equal(sp_cert_format(cert, "two\nlines", line, sizeof line), SP_EINVAL);
    sp_cert_unref(again);
    assert_ptr_equal(sp_cert_ref(cert), cert);
    sp_cert_unref(cert);
    sp_cert_unref(cert);
    sp_cert_unref(NULL);
    assert_null(sp_cert_ref(NULL));
}

/* ---- reading ---- */

static spb_span list_of(spb_buffer *b)
{
    assert_true(spw_ok(b));
    return (spb_span){b->data, b->length};
}

static void reading(const cert_plan *plan, int expected)
{
    sp_cert *cert;

    assert_int_equal(cert_try(plan, &cert), expected);
    if (expected != 0)
        assert_null(cert);
    sp_cert_unref(cert);
}

static void malformed_is_not_read(void **unused)
{
    (void)unused;
    reading(&(cert_plan){.key = user, .ca = ca}, 0);
    reading(&(cert_plan){.key = user, .ca = ca, .extra = 1}, SP_EFORMAT);
    reading(&(cert_plan){.key = user, .ca = ca, .type = 3}, SP_EFORMAT);
    reading(&(cert_plan){.key = user, .ca = ca, .type_name = "ssh-ed25519"}, SP_ENOTSUP);
    reading(&(cert_plan){.key = user, .ca = ca, .type_name = "ssh-dss-cert-v01@openssh.com"},
            SP_ENOTSUP);
    reading(&(cert_plan){.key = rsa, .ca = ca, .type_name = "rsa-sha2-256-cert-v01@openssh.com"},
            SP_ENOTSUP); /* an algorithm, not a type */
    reading(&(cert_plan){.key = user,
                         .ca = ca,
                         .type_name = "ecdsa-sha2-nistp256-cert-v01@openssh.com"},
            SP_EFORMAT);
    static const uint8_t nul[] = {0, 0, 0, 3, 'a', 0, 'b'};
    reading(&(cert_plan){.key = user, .ca = ca, .principals = {nul, sizeof nul}}, SP_EFORMAT);
    reading(&(cert_plan){.key = user, .ca = ca, .principals = {nul, sizeof nul - 1}}, SP_EFORMAT);
    reading(&(cert_plan){.key = user, .ca = ca, .ca_blob = cert_span("nonsense")}, SP_EFORMAT);
}

static void truncated_is_not_read(void **unused)
{
    (void)unused;
    spb_buffer blob, options;
    sp_cert *cert;

    spb_buffer_init(&options, &cert_env, 4096);
    cert_option(&options, "force-command", "x");
    cert_make(&(cert_plan){.key = user, .ca = ca, .critical = list_of(&options)}, &blob);
    for (size_t length = 0; length < blob.length; length++) {
        uint8_t *exact = malloc(length + (length == 0)); /* for the sanitizers */
        memcpy(exact, blob.data, length);
        assert_int_not_equal(sp_cert_from_blob(&cert, exact, length), 0);
        assert_null(cert);
        free(exact);
    }
    /* Any one bit changed: not read, or not believed. */
    const spk_cert_use use = for_alice();
    for (size_t i = 0; i < blob.length; i++) {
        const char *reason;
        blob.data[i] ^= (uint8_t)(1u << (i % 8));
        if (sp_cert_from_blob(&cert, blob.data, blob.length) == 0)
            assert_false(spk_cert_check(cert, &use, &reason));
        sp_cert_unref(cert);
        blob.data[i] ^= (uint8_t)(1u << (i % 8));
    }
    assert_int_equal(sp_cert_from_blob(&cert, blob.data, blob.length), 0);
    sp_cert_unref(cert);
    spb_buffer_free(&options);
    spb_buffer_free(&blob);
}

static void nested_ca_is_not_read(void **unused)
{
    (void)unused;
    spb_buffer inner;

    cert_make(&(cert_plan){.key = ca, .ca = ca}, &inner);
    reading(&(cert_plan){.key = user, .ca = ca, .ca_blob = {inner.data, inner.length}}, SP_ENOTSUP);
    spb_buffer_free(&inner);
}

/* An RSA key with a modulus and an exponent of so many bytes, as the CA of a certificate. */
static int read_with_rsa(size_t modulus, size_t exponent, uint8_t last)
{
    static uint8_t number[4096];
    spb_buffer blob;
    sp_cert *cert;

    memset(number, 0xc5, sizeof number);
    spb_buffer_init(&blob, &cert_env, 16384);
    spw_cstring(&blob, "ssh-rsa");
    number[exponent - 1] = last;
    spw_mpint(&blob, number, exponent);
    number[exponent - 1] = 0xc5;
    spw_mpint(&blob, number, modulus);
    int result = cert_try(&(cert_plan){.key = user, .ca = ca, .ca_blob = list_of(&blob)}, &cert);
    if (result == 0)
        sp_cert_unref(cert);
    spb_buffer_free(&blob);
    return result;
}

/* Go CVE-2026-39829: the CA's signature is verified before anybody is logged in, by a key that the
 * client has chosen. What would take long is refused before there is any arithmetic. */
static void rsa_sizes_are_bounded(void **unused)
{
    (void)unused;
    assert_int_equal(read_with_rsa(128, 3, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(255, 3, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(256, 3, 1), 0);
    assert_int_equal(read_with_rsa(2048, 3, 1), 0);
    assert_int_equal(read_with_rsa(2049, 3, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(4000, 3, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(2048, 8, 1), 0);
    assert_int_equal(read_with_rsa(2048, 9, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(2048, 2048, 1), SP_ENOTSUP);
    assert_int_equal(read_with_rsa(256, 3, 2), SP_ENOTSUP); /* even */
    assert_int_equal(read_with_rsa(256, 1, 1), SP_ENOTSUP); /* one */
}

static void options_must_be_in_order(void **unused)
{
    (void)unused;
    static const struct {
        const char *first, *second;
        int result;
    } cases[] = {
        {"a", "b", 0},
        {"b", "a", SP_EFORMAT},
        {"a", "a", SP_EFORMAT},
        {"a", "aa", 0},
        {"aa", "a", SP_EFORMAT},
        {"", "a", SP_EFORMAT},
        {"Z", "a", 0}, /* bytes, not letters */
        {"force-command", "force-command", SP_EFORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spb_buffer list;
        spb_buffer_init(&list, &cert_env, 4096);
        cert_option(&list, cases[i].first, "1");
        cert_option(&list, cases[i].second, NULL);
        reading(&(cert_plan){.key = user, .ca = ca, .extensions = list_of(&list)}, cases[i].result);
        reading(&(cert_plan){.key = user, .ca = ca, .critical = list_of(&list)}, cases[i].result);
        spb_buffer_free(&list);
    }
    static const uint8_t nul[] = {0, 0, 0, 2, 'a', 0, 0, 0, 0, 0};
    reading(&(cert_plan){.key = user, .ca = ca, .extensions = {nul, sizeof nul}}, SP_EFORMAT);
}

static void counts_are_bounded(void **unused)
{
    (void)unused;
    for (unsigned count = 256; count <= 257; count++) {
        spb_buffer list;
        spb_buffer_init(&list, &cert_env, 65536);
        for (unsigned i = 0; i < count; i++)
            spw_cstring(&list, "p");
        reading(&(cert_plan){.key = user, .ca = ca, .principals = list_of(&list)},
                count == 256 ? 0 : SP_ELIMIT);
        spb_buffer_free(&list);
    }
    for (unsigned count = 64; count <= 65; count++) {
        spb_buffer list;
        spb_buffer_init(&list, &cert_env, 65536);
        for (unsigned i = 0; i < count; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "x%03u", i);
            cert_option(&list, name, NULL);
        }
        reading(&(cert_plan){.key = user, .ca = ca, .extensions = list_of(&list)},
                count == 64 ? 0 : SP_ELIMIT);
        spb_buffer_free(&list);
    }
    char *large = calloc(1, 70000);
    memset(large, 'x', 69999);
    reading(&(cert_plan){.key = user, .ca = ca, .key_id = large}, SP_ELIMIT);
    large[5000] = '\0';
    reading(&(cert_plan){.key = user, .ca = ca, .key_id = large}, SP_ELIMIT);
    large[4096] = '\0';
    reading(&(cert_plan){.key = user, .ca = ca, .key_id = large}, 0);
    free(large);
}

static void lines_and_files(void **unused)
{
    (void)unused;
    char line[4096], text[8192];
    sp_cert *cert = cert_of(&(cert_plan){.key = user, .ca = ca});
    sp_cert *got;

    (void)sp_cert_format(cert, NULL, line, sizeof line);
    sp_cert_unref(cert);
    const struct {
        const char *before, *after;
        int result;
    } cases[] = {
        {"", "", 0},
        {"  ", " comment words\n", 0},
        {"", "\r\n\n", 0},
        {"", "\nanother line", SP_EFORMAT},
        {"x", "", SP_ENOTSUP},
        {"", "=", SP_EFORMAT},
        {"no-pty ", "", SP_ENOTSUP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s%s", cases[i].before, line, cases[i].after);
        assert_int_equal(sp_cert_parse(&got, text), cases[i].result);
        sp_cert_unref(got);
        FILE *file = fopen(path_of("one-cert.pub"), "w");
        assert_non_null(file);
        (void)fputs(text, file);
        (void)fclose(file);
        assert_int_equal(sp_cert_load(&got, path_of("one-cert.pub")), cases[i].result);
        sp_cert_unref(got);
    }
    assert_int_equal(sp_cert_parse(&got, ""), SP_EFORMAT);
    assert_int_equal(sp_cert_parse(&got, "ssh-ed25519-cert-v01@openssh.com"), SP_EFORMAT);
    assert_int_equal(sp_cert_parse(&got, "ssh-ed25519-cert-v01@openssh.com ????"), SP_EFORMAT);
    assert_int_equal(sp_cert_load(&got, path_of("none")), SP_ENOENT);
    assert_int_equal(sp_cert_load(&got, folder), SP_EFORMAT);
    /* The line's type is not the blob's. */
    char *blank = strchr(line, ' ');
    (void)snprintf(text, sizeof text, "ssh-rsa-cert-v01@openssh.com%s", blank);
    assert_int_equal(sp_cert_parse(&got, text), SP_EFORMAT);
    assert_null(got);
}

/* ---- showing ---- */

static void type_and_time(void **unused)
{
    (void)unused;
    const cert_plan plan = {.key = user, .ca = ca, .after = 1000, .before = 2000};
    const cert_plan host = {.key = user, .ca = ca, .type = SP_CERT_HOST};
    spk_cert_use use = for_alice();

    taken(&plan, &use);
    use.now = 999;
    refused(&plan, &use, "certificate is not valid yet");
    use.now = 1999;
    taken(&plan, &use);
    use.now = 2000;
    refused(&plan, &use, "certificate has expired");
    refused(&(cert_plan){.key = user, .ca = ca, .after = 2001, .before = 1}, &use,
            "certificate is not valid yet");
    use.now = UINT64_MAX - 1;
    taken(&(cert_plan){.key = user, .ca = ca}, &use);
    use = for_alice();
    refused(&host, &use, "not a user certificate");
    use.any_name = true; /* means nothing for users */
    refused(&host, &use, "not a user certificate");
    use.names = NULL;
    use.name_count = 0;
    refused(&plan, &use, "name is not a listed principal");
    use.type = SP_CERT_HOST;
    refused(&plan, &use, "not a host certificate");
    taken(&host, &use);
    use.any_name = false;
    refused(&host, &use, "name is not a listed principal");
    use.type = SP_CERT_NONE;
    refused(&plan, &use, "not a user certificate");
}

/* CVE-2026-35414: a principal is a name as it stands, never a list. */
static void principals(void **unused)
{
    (void)unused;
    static const char *const names[] = {"bob", "root"};
    static const char *const empty[] = {""};
    spk_cert_use use = for_alice();
    spb_buffer list;

    refused(&(cert_plan){.key = user, .ca = ca, .principals = cert_span("")}, &use,
            "certificate lists no principals");
    use.names = names;
    use.name_count = 2;
    refused(&(cert_plan){.key = user, .ca = ca}, &use, "name is not a listed principal");
    spb_buffer_init(&list, &cert_env, 4096);
    spw_cstring(&list, "root,alice");
    spw_cstring(&list, "*");
    spw_cstring(&list, "roo");
    spw_cstring(&list, "rootx");
    spw_cstring(&list, "Root");
    spw_cstring(&list, "");
    const cert_plan plan = {.key = user, .ca = ca, .principals = list_of(&list)};
    refused(&plan, &use, "name is not a listed principal");
    use.names = empty;
    use.name_count = 1;
    refused(&plan, &use, "name is not a listed principal"); /* nobody has no name */
    spb_buffer_free(&list);
    spb_buffer_init(&list, &cert_env, 4096);
    spw_cstring(&list, "x");
    spw_cstring(&list, "root");
    use.names = names;
    use.name_count = 2;
    taken(&(cert_plan){.key = user, .ca = ca, .principals = list_of(&list)}, &use);
    use.name_count = 1;
    refused(&(cert_plan){.key = user, .ca = ca, .principals = list_of(&list)}, &use,
            "name is not a listed principal");
    spb_buffer_free(&list);
}

static void one_option(bool critical, uint32_t type, const char *name, const char *value,
                       const char *why)
{
    spb_buffer list;
    spk_cert_use use = for_alice();

    use.type = (sp_cert_type)type;
    spb_buffer_init(&list, &cert_env, 4096);
    cert_option(&list, name, value);
    cert_plan plan = {.key = user, .ca = ca, .type = type};
    if (critical)
        plan.critical = list_of(&list);
    else
        plan.extensions = list_of(&list);
    if (why == NULL)
        taken(&plan, &use);
    else
        refused(&plan, &use, why);
    spb_buffer_free(&list);
}

static void options(void **unused)
{
    (void)unused;
    static const struct {
        bool critical;
        const char *name, *value, *why;
    } cases[] = {
        {true, "x", NULL, "unsupported critical option \"x\""},
        {true, "permit-pty", NULL, "unsupported critical option \"permit-pty\""},
        {true, "Force-command", "x", "unsupported critical option \"Force-command\""},
        {true, "evil\033[2J", NULL, "unsupported critical option \"evil?[2J\""},
        {false, "x", NULL, NULL},
        {false, "x", "y", NULL},
        {false, "force-command", "x", NULL}, /* no order unless critical */
        {true, "force-command", "ls", NULL},
        {true, "force-command", "", NULL},
        {true, "force-command", NULL, "malformed option \"force-command\""},
        {true, "verify-required", NULL, NULL},
        {true, "verify-required", "x", "malformed option \"verify-required\""},
        {true, "source-address", "192.0.2.0/24", NULL},
        {true, "source-address", "10.0.0.0/8,192.0.2.7", NULL},
        {true, "source-address", "10.0.0.0/8", "source address not allowed"},
        {true, "source-address", "", "malformed option \"source-address\""},
        {true, "source-address", NULL, "malformed option \"source-address\""},
        {true, "source-address", "*", "malformed option \"source-address\""},
        {true, "source-address", "192.0.2.7/24", "malformed option \"source-address\""},
        {true, "source-address", "192.0.2.7,!10.0.0.1", "malformed option \"source-address\""},
        {false, "permit-pty", NULL, NULL},
        {false, "permit-pty", "yes", "malformed option \"permit-pty\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        one_option(cases[i].critical, SP_CERT_USER, cases[i].name, cases[i].value, cases[i].why);
    /* None is defined for hosts. */
    one_option(true, SP_CERT_HOST, "force-command", "x",
               "unsupported critical option \"force-command\"");
    one_option(false, SP_CERT_HOST, "permit-pty", "x", NULL);

    /* Without an address of the peer none fits. */
    spb_buffer list;
    spk_cert_use use = for_alice();
    spb_buffer_init(&list, &cert_env, 4096);
    cert_option(&list, "source-address", "0.0.0.0/0,::/0");
    const cert_plan plan = {.key = user, .ca = ca, .critical = list_of(&list)};
    taken(&plan, &use);
    use.address = NULL;
    refused(&plan, &use, "source address not allowed");
    spb_buffer_free(&list);
    /* Two strings, a NUL inside, more than the string says. */
    static const uint8_t bad[3][10] = {{0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'},
                                       {0, 0, 0, 6, 'a', 0, 'b', 'c', 'd', 'e'},
                                       {0, 0, 0, 9, 'a', 'b', 'c', 'd', 'e', 'f'}};
    use = for_alice();
    for (size_t i = 0; i < 3; i++) {
        spb_buffer_init(&list, &cert_env, 4096);
        spw_cstring(&list, "force-command");
        spw_string(&list, bad[i], sizeof bad[i]);
        refused(&(cert_plan){.key = user, .ca = ca, .critical = list_of(&list)}, &use,
                "malformed option \"force-command\"");
        spb_buffer_free(&list);
    }
}

static void signatures(void **unused)
{
    (void)unused;
    spk_cert_use use = for_alice();
    const cert_plan plan = {.key = user, .ca = ca};
    const cert_plan by_rsa = {.key = user, .ca = rsa};
    size_t length;
    const uint8_t *blob = sp_key_blob(stranger, &length);

    refused(&(cert_plan){.key = user, .ca = ca, .spoil = true}, &use, "bad CA signature");
    /* Signed by another than it says. */
    refused(&(cert_plan){.key = user, .ca = ca, .ca_blob = {blob, length}}, &use,
            "bad CA signature");
    blob = sp_key_blob(rsa, &length);
    refused(&(cert_plan){.key = user, .ca = ca, .ca_blob = {blob, length}}, &use,
            "bad CA signature"); /* an algorithm of another type than the CA's */
    refused(&(cert_plan){.key = user, .ca = rsa, .algorithm = "ssh-rsa"}, &use,
            "CA signature algorithm not allowed"); /* SHA-1 */
    refused(&(cert_plan){.key = user, .ca = ca, .algorithm = "unheard-of"}, &use,
            "CA signature algorithm not allowed");
    taken(&by_rsa, &use);
    taken(&(cert_plan){.key = user, .ca = rsa, .algorithm = "rsa-sha2-512"}, &use);
    use.ca_algorithms = "rsa-sha2-512,ssh-ed25519";
    taken(&plan, &use);
    taken(&(cert_plan){.key = user, .ca = rsa, .algorithm = "rsa-sha2-512"}, &use);
    refused(&by_rsa, &use, "CA signature algorithm not allowed");
    use.ca_algorithms = "";
    refused(&plan, &use, "CA signature algorithm not allowed");
    use.ca_algorithms = "ssh-ed25519-cert-v01@openssh.com,ssh-rsa";
    refused(&plan, &use, "CA signature algorithm not allowed");
}

static void algorithm_names(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *signature;
    } cases[] = {
        {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
        {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256"},
        {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384"},
        {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521"},
        {"rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-256"},
        {"rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const spc_signature *s = spk_cert_signature(cert_span(cases[i].name));
        assert_non_null(s);
        assert_string_equal(s->name, cases[i].signature);
        assert_string_equal(spk_cert_algorithm(s), cases[i].name);
    }
    static const char *const unknown[] = {"ssh-rsa-cert-v01@openssh.com", "ssh-ed25519", "",
                                          "ssh-dss-cert-v01@openssh.com", "-cert-v01@openssh.com"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(spk_cert_signature(cert_span(unknown[i])));
    for (size_t i = 0; spc_signature_at(i) != NULL; i++)
        assert_non_null(spk_cert_algorithm(spc_signature_at(i)));
    assert_null(spk_cert_algorithm(NULL));
    assert_true(spk_cert_named(cert_span("ssh-rsa-cert-v01@openssh.com")));
    assert_false(spk_cert_named(cert_span("-cert-v01@openssh.com")));
    assert_false(spk_cert_named(cert_span("ssh-rsa")));
}

static int set_up(void **unused)
{
    (void)unused;
    return cert_folder_make() != 0 || sp_key_generate(&user, SP_KEY_ED25519, 0) != 0 ||
                   sp_key_generate(&ca, SP_KEY_ED25519, 0) != 0 ||
                   sp_key_generate(&stranger, SP_KEY_ED25519, 0) != 0 ||
                   sp_key_generate(&rsa, SP_KEY_RSA, 2048) != 0
               ? -1
               : 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(user);
    sp_key_unref(ca);
    sp_key_unref(stranger);
    sp_key_unref(rsa);
    folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_by_ssh_keygen),
        cmocka_unit_test(written_back),
        cmocka_unit_test(malformed_is_not_read),
        cmocka_unit_test(truncated_is_not_read),
        cmocka_unit_test(nested_ca_is_not_read),
        cmocka_unit_test(rsa_sizes_are_bounded),
        cmocka_unit_test(options_must_be_in_order),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(lines_and_files),
        cmocka_unit_test(type_and_time),
        cmocka_unit_test(principals),
        cmocka_unit_test(options),
        cmocka_unit_test(signatures),
        cmocka_unit_test(algorithm_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
