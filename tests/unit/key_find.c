/* Who is found in a list of authorized keys: keys and certificates, by the first line that fits. */
#include "support/key_lines.h"

/* ---- keys ---- */

static void finds(sp_authorized_keys *list, const spk_peer *who, const char *command,
                  const char *why)
{
    spk_permissions *p;
    const char *reason;
    int result = spk_authorized_find(list, user, who, &p, &reason);

    assert_string_equal(reason, why);
    assert_int_equal(result, *why == '\0'                            ? 0
                             : strcmp(why, "key is not listed") == 0 ? SP_ENOENT
                                                                     : SP_EAUTH);
    if (*why == '\0')
        assert_string_equal(spk_forced_command(p), command);
    else
        assert_null(p);
    spk_permissions_unref(p);
}

static void first_that_fits(void **unused)
{
    (void)unused;
    spk_peer who = from_home();
    sp_authorized_keys *list =
        list_of("from=\"10.0.0.0/8\",command=\"one\" %s\n"
                "expiry-time=\"19700101000959Z\",command=\"two\" %s\n"
                "cert-authority,command=\"ca\" %s\n"
                "command=\"four\",from=\"!192.0.2.66,192.0.2.*,*.example.com\" %s\n"
                "command=\"five\",from=\"192.0.2.*\" %s\n",
                user_line, user_line, user_line, user_line, user_line);
    assert_int_equal(sp_authorized_keys_count(list), 5);
    finds(list, &who, "four", "");
    who.address = "10.1.1.1";
    finds(list, &who, "one", "");
    who.now = 599; /* until and with the time that is named */
    who.address = "203.0.113.1";
    finds(list, &who, "two", "");
    who.now = 600;
    finds(list, &who, NULL, "source address not allowed");
    who.host = "a.example.com";
    finds(list, &who, "four", "");
    who.host = NULL;
    who.address = "192.0.2.66";
    finds(list, &who, "five", "");
    who.address = NULL;
    finds(list, &who, NULL, "source address not allowed");
    sp_authorized_keys_free(list);

    who = from_home();
    list = list_of("expiry-time=\"19700101Z\",expiry-time=\"20300101Z\" %s\n", user_line);
    finds(list, &who, NULL, "key has expired"); /* the earliest counts */
    sp_authorized_keys_free(list);
    list = list_of("cert-authority %s\n", user_line);
    finds(list, &who, NULL, "key is not listed"); /* a CA's key by itself is no login */
    sp_authorized_keys_free(list);
    list = list_of("%s\n", ca_line);
    finds(list, &who, NULL, "key is not listed");
    sp_authorized_keys_free(list);
}

static void plain_lines(void **unused)
{
    (void)unused;
    static const struct {
        const char *first, *second;
        bool contained;
    } cases[] = {
        {"", "", true},
        {"", "no-pty ", true},
        {"no-pty ", "", false}, /* sshd would go by the first */
        {"from=\"10.0.0.1\" ", "", false},
        {"cert-authority ", "", true},
        {"cert-authority ", "cert-authority ", false},
        {"nonsense ", "", true}, /* no line at all */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sp_authorized_keys *list =
            list_of("%s%s\n%s%s\n", cases[i].first, user_line, cases[i].second, user_line);
        assert_int_equal(sp_authorized_keys_contains(list, user), cases[i].contained);
        assert_false(sp_authorized_keys_contains(list, ca));
        sp_authorized_keys_free(list);
    }
    sp_authorized_keys *list = list_of("%s\n", user_line);
    assert_ptr_equal(sp_authorized_keys_ref(list), list);
    sp_authorized_keys_free(list);
    assert_true(sp_authorized_keys_contains(list, user));
    sp_authorized_keys_free(list);
    assert_null(sp_authorized_keys_ref(NULL));
}

/* Lines of many keys: those of one stay in their order. */
static void many_lines(void **unused)
{
    (void)unused;
    char *text = malloc(2000 * 300), command[32];
    size_t at = 0;
    sp_authorized_keys *list;
    const spk_peer who = from_home();

    for (unsigned i = 0; i < 1000; i++) {
        at += (size_t)sprintf(text + at, "command=\"%u\"%s %s\n", i,
                              i < 900 ? ",from=\"10.0.0.1\"" : "", user_line);
        at += (size_t)sprintf(text + at, "no-pty %s\n", ca_line);
    }
    assert_int_equal(sp_authorized_keys_parse(&list, text, at, NULL, NULL), 0);
    assert_int_equal(sp_authorized_keys_count(list), 2000);
    (void)snprintf(command, sizeof command, "%u", 900u);
    finds(list, &who, command, "");
    sp_authorized_keys_free(list);
    free(text);
}

/* ---- certificates ---- */

static void cert_found(const char *options, const sp_cert *cert, const spk_peer *who,
                       const char *why, spk_permissions **out)
{
    spk_permissions *p;
    const char *reason;
    sp_authorized_keys *list = list_of("%s %s\n", options, ca_line);

    assert_int_equal(report_count, 0);
    int result = spk_authorized_find_cert(list, cert, who, &p, &reason);
    if (strcmp(reason, why) != 0)
        fail_msg("%s: %s", options, reason);
    assert_int_equal(result == 0, *why == '\0');
    assert_int_equal(p != NULL, *why == '\0');
    if (out != NULL)
        *out = p;
    else
        spk_permissions_unref(p);
    sp_authorized_keys_free(list);
}

static void certificates(void **unused)
{
    (void)unused;
    spb_buffer critical, extensions, names;
    spk_peer who = from_home();
    spk_permissions *p;

    spb_buffer_init(&critical, &cert_env, 4096);
    cert_option(&critical, "force-command", "x");
    cert_option(&critical, "source-address", "192.0.2.0/24");
    spb_buffer_init(&extensions, &cert_env, 4096);
    cert_option(&extensions, "permit-port-forwarding", NULL);
    cert_option(&extensions, "permit-pty", NULL);
    spb_buffer_init(&names, &cert_env, 4096);
    spw_cstring(&names, "alice");
    spw_cstring(&names, "admin,root");
    spw_cstring(&names, "ops");
    sp_cert *cert = cert_of(&(cert_plan){.key = user,
                                         .ca = ca,
                                         .principals = {names.data, names.length},
                                         .critical = {critical.data, critical.length},
                                         .extensions = {extensions.data, extensions.length}});

    cert_found("cert-authority", cert, &who, "", &p);
    assert_true(spk_may(p, SPK_PERMIT_PTY));
    assert_true(spk_may(p, SPK_PERMIT_PORT_FORWARDING));
    assert_false(spk_may(p, SPK_PERMIT_AGENT_FORWARDING)); /* no extension, no permission */
    assert_false(spk_may(p, SPK_PERMIT_X11_FORWARDING));
    assert_false(spk_may(p, SPK_PERMIT_USER_RC));
    assert_string_equal(spk_forced_command(p), "x");
    assert_ptr_equal(spk_permissions_cert(p), cert);
    assert_string_equal(spk_option(p, "cert-authority", 0), "");
    spk_permissions_unref(p);
    cert_found("cert-authority,no-pty,permitopen=\"a:1\"", cert, &who, "", &p);
    assert_false(spk_may(p, SPK_PERMIT_PTY));
    assert_true(spk_may_open(p, "a", 1));
    assert_false(spk_may_open(p, "a", 2));
    spk_permissions_unref(p);

    cert_found("no-pty", cert, &who, "CA is not listed", NULL); /* a plain key's line */
    cert_found("cert-authority,command=\"x\"", cert, &who, "", NULL);
    cert_found("cert-authority,command=\"y\"", cert, &who, "forced commands differ", NULL);
    cert_found("cert-authority,from=\"10.0.0.0/8\"", cert, &who, "source address not allowed",
               NULL);
    cert_found("cert-authority,expiry-time=\"19700101000010Z\"", cert, &who, "key has expired",
               NULL);
    cert_found("cert-authority,principals=\"ops\"", cert, &who, "", NULL);
    cert_found("cert-authority,principals=\"x,ops,y\"", cert, &who, "", NULL);
    cert_found("cert-authority,principals=\"bob\"", cert, &who, "name is not a listed principal",
               NULL);
    cert_found("cert-authority,principals=\"\"", cert, &who, "name is not a listed principal",
               NULL);
    cert_found("cert-authority,principals=\"*\"", cert, &who, "name is not a listed principal",
               NULL);
    /* CVE-2026-35414: neither half of a name with a comma is a name. */
    cert_found("cert-authority,principals=\"root\"", cert, &who, "name is not a listed principal",
               NULL);
    cert_found("cert-authority,principals=\"admin,root\"", cert, &who,
               "name is not a listed principal", NULL);
    who.user = "bob";
    cert_found("cert-authority", cert, &who, "name is not a listed principal", NULL);
    cert_found("cert-authority,principals=\"ops\"", cert, &who, "", NULL); /* the line's word */
    who.user = NULL;
    cert_found("cert-authority", cert, &who, "name is not a listed principal", NULL);
    who = from_home();
    who.address = "203.0.113.1";
    cert_found("cert-authority", cert, &who, "source address not allowed", NULL);
    who = from_home();
    who.ca_algorithms = "rsa-sha2-512";
    cert_found("cert-authority", cert, &who, "CA signature algorithm not allowed", NULL);

    /* The next line may fit. */
    who = from_home();
    const char *reason;
    sp_authorized_keys *list =
        list_of("cert-authority,principals=\"bob\" %s\n%s\ncert-authority,command=\"y\" %s\n"
                "cert-authority,environment=\"N=4\" %s\n",
                ca_line, ca_line, ca_line, ca_line);
    assert_int_equal(spk_authorized_find_cert(list, cert, &who, &p, &reason), 0);
    assert_string_equal(spk_environment(p, 0), "N=4");
    spk_permissions_unref(p);
    sp_authorized_keys_free(list);
    sp_cert_unref(cert);

    cert = cert_of(&(cert_plan){.key = user, .ca = ca, .spoil = true});
    cert_found("cert-authority", cert, &who, "bad CA signature", NULL);
    sp_cert_unref(cert);
    cert = cert_of(&(cert_plan){.key = user, .ca = stranger});
    cert_found("cert-authority", cert, &who, "CA is not listed", NULL);
    sp_cert_unref(cert);
    cert = cert_of(&(cert_plan){.key = user, .ca = ca, .type = SP_CERT_HOST});
    cert_found("cert-authority", cert, &who, "not a user certificate", NULL);
    assert_int_equal(spk_permissions_from_cert(&p, cert), SP_EFORMAT);
    assert_null(p);
    sp_cert_unref(cert);
    spb_buffer_free(&critical);
    spb_buffer_free(&extensions);
    spb_buffer_free(&names);
}

static void touch_and_verification(void **unused)
{
    (void)unused;
    spb_buffer critical, extensions;
    const spk_peer who = from_home();
    spk_permissions *p;

    spb_buffer_init(&critical, &cert_env, 4096);
    cert_option(&critical, "verify-required", NULL);
    spb_buffer_init(&extensions, &cert_env, 4096);
    cert_option(&extensions, "no-touch-required", NULL);
    sp_cert *cert = cert_of(&(cert_plan){.key = user,
                                         .ca = ca,
                                         .critical = {critical.data, critical.length},
                                         .extensions = {extensions.data, extensions.length}});
    cert_found("cert-authority", cert, &who, "", &p);
    assert_false(spk_may(p, SPK_PERMIT_NO_VERIFY));
    assert_false(spk_may(p, SPK_PERMIT_NO_TOUCH)); /* the line must say so too */
    spk_permissions_unref(p);
    cert_found("cert-authority,no-touch-required", cert, &who, "", &p);
    assert_true(spk_may(p, SPK_PERMIT_NO_TOUCH));
    spk_permissions_unref(p);
    sp_cert_unref(cert);
    spb_buffer_free(&critical);
    spb_buffer_free(&extensions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_that_fits),
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(many_lines),
        cmocka_unit_test(certificates),
        cmocka_unit_test(touch_and_verification),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
