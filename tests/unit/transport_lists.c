/* Lists of algorithms as in sshd_config: names, patterns, + - ^, and what is refused. */
#include "transport/algorithms.h"

#include <sallyport.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ETM "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"
#define MODERN ETM ",umac-128-etm@openssh.com"

static void gives(const char *list, const char *names)
{
    char out[2048], reason[256];
    int result =
        sp_resolve_algorithms("modern", "mac", list, out, sizeof out, reason, sizeof reason);

    if (result != 0)
        fail_msg("%s: %s", list, reason);
    assert_string_equal(out, names);
}

static void refuses(const char *list, const char *words)
{
    char out[2048], reason[256];

    assert_int_equal(
        sp_resolve_algorithms("modern", "mac", list, out, sizeof out, reason, sizeof reason),
        SP_EINVAL);
    assert_string_equal(out, "");
    if (strstr(reason, words) == NULL)
        fail_msg("%s: %s", list, reason);
}

static void algebra(void **unused)
{
    (void)unused;
    gives(NULL, MODERN);
    gives("hmac-sha1", "hmac-sha1");
    gives("hmac-sha1,hmac-sha2-256,hmac-sha1", "hmac-sha1,hmac-sha2-256");
    gives("+hmac-sha1", MODERN ",hmac-sha1");
    gives("+umac-128-etm@openssh.com", MODERN);
    gives("+hmac-sha1,hmac-sha2-512", MODERN ",hmac-sha1,hmac-sha2-512");
    gives("-umac-128-etm@openssh.com", ETM);
    gives("-hmac-sha1", MODERN); /* it is not there */
    gives("-nonsense", MODERN);
    gives("^umac-128-etm@openssh.com", "umac-128-etm@openssh.com," ETM);
    gives("^hmac-sha1", "hmac-sha1," MODERN);
    gives("hmac-sha1,,hmac-sha2-256,", "hmac-sha1,hmac-sha2-256");
}

static void patterns(void **unused)
{
    (void)unused;
    gives("*-etm@openssh.com", MODERN ",umac-64-etm@openssh.com,hmac-sha1-etm@openssh.com");
    gives("hmac-sha2-???", "hmac-sha2-256,hmac-sha2-512");
    gives("hmac-sha2-512,hmac-sha2-*", "hmac-sha2-512," ETM ",hmac-sha2-256");
    gives("+hmac-sha?", MODERN ",hmac-sha1");
    gives("-umac-*", ETM);
    gives("-u*,hmac-sha2-2*", "hmac-sha2-512-etm@openssh.com");
    gives("^hmac-sha1*", "hmac-sha1-etm@openssh.com,hmac-sha1," MODERN);
    gives("^*512-etm*", "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
                        "umac-128-etm@openssh.com");
}

static void mistakes(void **unused)
{
    (void)unused;
    static char longest[10000];

    refuses("", "empty");
    refuses("+", "empty");
    refuses("-", "empty");
    refuses("^", "empty");
    refuses(",,", "empty");
    refuses("-*", "empty");
    refuses("hmac-md5", "unknown MAC name \"hmac-md5\"");
    refuses("+hmac-md5", "unknown MAC name");
    refuses("^hmac-md5", "unknown MAC name");
    refuses("hmac-sha1,nothing*", "nothing*");
    refuses("+-hmac-sha1", "unknown MAC name \"-hmac-sha1\"");
    refuses("HMAC-SHA1", "unknown MAC name");
    refuses("hmac-sha1 ", "unknown MAC name");
    memset(longest, 'a', 70);
    refuses(longest, "unknown MAC name");
    memset(longest, ',', sizeof longest - 1);
    refuses(longest, "too long");

    char out[2048], small[10], reason[8];
    assert_int_equal(sp_resolve_algorithms("ancient", "mac", NULL, out, sizeof out, NULL, 0),
                     SP_EINVAL);
    assert_int_equal(sp_resolve_algorithms(NULL, "mic", NULL, out, sizeof out, NULL, 0), SP_EINVAL);
    assert_int_equal(sp_resolve_algorithms(NULL, NULL, NULL, out, sizeof out, NULL, 0), SP_EINVAL);
    assert_int_equal(sp_resolve_algorithms(NULL, "mac", NULL, small, sizeof small, reason, 8),
                     SP_ELIMIT);
    assert_string_equal(small, "");
    assert_int_equal(sp_resolve_algorithms(NULL, "mac", "hmac-sha1", small, 10, NULL, 0), 0);
    assert_int_equal(sp_resolve_algorithms(NULL, "mac", "hmac-sha1", small, 9, NULL, 0), SP_ELIMIT);
    assert_int_equal(sp_resolve_algorithms(NULL, "mac", "hmac-sha1", small, 0, NULL, 0), SP_ELIMIT);
}

/* Every name of every preset is one that this build has, once; and modern is the default. */
static void presets(void **unused)
{
    (void)unused;
    static const char *const kinds[] = {"kex",         "key", "cipher", "mac",
                                        "compression", "sig", "ca-sig"};
    static const char *const names[] = {"modern", "compatible", "fips"};

    for (size_t k = 0; k < 7; k++) {
        const char *all = sp_supported_algorithms(kinds[k]);
        assert_string_equal(sp_default_algorithms(kinds[k]),
                            sp_preset_algorithms("modern", kinds[k]));
        for (size_t p = 0; p < 3; p++) {
            const char *list = sp_preset_algorithms(names[p], kinds[k]);
            char out[4096];
            spb_span rest = spb_span_of(list), name;
            while (spb_name_next(&rest, &name)) {
                char text[65];
                snprintf(text, sizeof text, "%.*s", (int)name.length, (const char *)name.data);
                assert_true(spb_name_in(spb_span_of(all), text));
            }
            assert_int_equal(
                sp_resolve_algorithms(names[p], kinds[k], list, out, sizeof out, NULL, 0), 0);
            assert_string_equal(out, list);
        }
    }
    assert_null(sp_preset_algorithms("modern", "nonsense"));
    assert_null(sp_preset_algorithms("nonsense", "kex"));
    assert_null(sp_supported_algorithms("nonsense"));
    assert_null(sp_supported_algorithms(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algebra),
        cmocka_unit_test(patterns),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
