/* sallyportd's small parts for file transfer: internal-sftp's flags, names in the log, the check of
 * a root, plain values. */
#include "../../sallyportd/files.h"
#include "../../sallyportd/keywords.h"
#include "../../sallyportd/sftpflags.h"
#include "../../sallyportd/tokens.h"
#include "../../sallyportd/transferlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL UINT64_MAX

/* ---- internal-sftp ---- */

static void the_word(void **state)
{
    (void)state;
    assert_true(is_internal_sftp("internal-sftp"));
    assert_true(is_internal_sftp("internal-sftp -R"));
    assert_true(is_internal_sftp("internal-sftp\t-R"));
    assert_false(is_internal_sftp("internal-sftpd"));
    assert_false(is_internal_sftp("internal-sft"));
    assert_false(is_internal_sftp(" internal-sftp"));
    assert_false(is_internal_sftp("/internal-sftp"));
    assert_false(is_internal_sftp(""));
}

static sftp_flags good(const char *command)
{
    option_problem problem = {"none"};
    sftp_flags flags;
    assert_true(sftp_flags_parse(&flags, command, &problem));
    return flags;
}

static void bad(const char *command, const char *why)
{
    option_problem problem = {"none"};
    sftp_flags flags;
    assert_false(sftp_flags_parse(&flags, command, &problem));
    assert_string_equal(problem.text, why);
    assert_null(flags.start);
}

static void no_flags(void **state)
{
    (void)state;
    sftp_flags f = good("internal-sftp");
    assert_true(!f.read_only && f.umask == NOT_GIVEN && f.start == NULL && f.refused == 0 &&
                f.facility == SFTP_FLAG_ABSENT && f.level == SFTP_FLAG_ABSENT);
    f = good("internal-sftp   \t # -Z is in a comment");
    assert_false(f.read_only);
}

static void all_flags(void **state)
{
    (void)state;
    sftp_flags f = good("internal-sftp -R -u 027 -d /a/%d%u%%d -f local3 -l Verbose -e -c");
    assert_true(f.read_only && f.umask == 027 && f.facility == LOG_LOCAL3 &&
                f.level == CHOICE_VERBOSE);
    assert_string_equal(f.start, "/a/%h%u%%d"); /* in sshd's letters */
    sftp_flags_clear(&f);
    assert_null(f.start);
    f = good("internal-sftp -Reu0 -lDEBUG3");
    assert_true(f.read_only && f.umask == 0 && f.level == CHOICE_DEBUG3);
    f = good("internal-sftp -d one -d two"); /* the last, and nothing leaks */
    assert_string_equal(f.start, "two");
    sftp_flags_clear(&f);
}

static void requests_by_name(void **state)
{
    (void)state;
    assert_true(good("internal-sftp -P remove").refused == SP_SFTP_OP(SP_FS_OP_REMOVE));
    assert_true(good("internal-sftp -P remove,limits -P posix-rename").refused ==
                (SP_SFTP_OP(SP_FS_OP_REMOVE) | SP_SFTP_OP_LIMITS | SP_SFTP_OP_POSIX_RENAME));
    assert_true(good("internal-sftp -p stat").refused == (ALL & ~SP_SFTP_OP(SP_FS_OP_STAT)));
    /* What is denied stays so. */
    assert_true(good("internal-sftp -p stat,open -P open").refused ==
                (ALL & ~SP_SFTP_OP(SP_FS_OP_STAT)));
}

static void mistakes(void **state)
{
    (void)state;
    bad("internal-sftp -Z", "unknown flag -Z");
    bad("internal-sftp -RZ", "unknown flag -Z");
    bad("internal-sftp --", "unknown flag --");
    bad("internal-sftp -", "extra argument '-'");
    bad("internal-sftp x", "extra argument 'x'");
    bad("internal-sftp -d /a -u", "-u needs a value");
    bad("internal-sftp -u # 077", "-u needs a value");
    bad("internal-sftp -u -1", "invalid umask '-1'");
    bad("internal-sftp -u 01777", "invalid umask '01777'");
    bad("internal-sftp -u 77777777777777777777777", "invalid umask '77777777777777777777777'");
    bad("internal-sftp -u 08", "invalid umask '08'");
    bad("internal-sftp -l LOUD", "there is no log level 'LOUD'");
    bad("internal-sftp -f KERN", "there is no log facility 'KERN'");
    bad("internal-sftp -P remove,", "there is no request ''");
    bad("internal-sftp -p ,remove", "there is no request ''");
    bad("internal-sftp -P removes", "there is no request 'removes'");
    bad("internal-sftp -P Remove", "there is no request 'Remove'");
    bad("internal-sftp -d /%s", "unknown token in '/%s'");
    bad("internal-sftp -d /%", "unknown token in '/%'");
    bad("internal-sftp -d /a -d /%s", "unknown token in '/%s'");
    bad("internal-sftp -d \"/a b\"", "extra argument 'b\"'"); /* there are no quotes */
}

/* ---- names ---- */

static void expect_name(const char *name, const char *shown)
{
    char out[LOG_NAME_MAX];
    log_name(out, name);
    assert_string_equal(out, shown);
}

static void names_are_made_harmless(void **state)
{
    (void)state;
    expect_name("", "\"\"");
    expect_name("/a b~", "\"/a b~\"");
    expect_name("a\nb\r\t\x1b\x7f", "\"a\\012b\\015\\011\\033\\177\"");
    expect_name("\xc3\xa4\x9b\xff", "\"\\303\\244\\233\\377\"");
    expect_name("a\"b\\c", "\"a\\\"b\\\\c\"");
    expect_name("a\" in 0 seconds: complete", "\"a\\\" in 0 seconds: complete\"");
}

static void long_names_are_cut(void **state)
{
    static const char fillings[] = {'x', '\n', '"'};
    (void)state;
    for (size_t f = 0; f < sizeof fillings; f++) {
        for (size_t length = 100; length < 1100; length++) {
            char name[1101];
            char out[LOG_NAME_MAX + 1];
            memset(name, fillings[f], length);
            name[length] = '\0';
            out[LOG_NAME_MAX] = 'z';
            log_name(out, name);
            size_t shown = strlen(out);
            assert_true(shown < LOG_NAME_MAX && out[LOG_NAME_MAX] == 'z');
            bool cut = strcmp(out + shown - 4, "\"...") == 0;
            size_t each = fillings[f] == 'x' ? 1 : fillings[f] == '"' ? 2 : 4;
            assert_true(cut || shown == length * each + 2);
            assert_true(!cut || shown > LOG_NAME_MAX - 12);
        }
    }
}

/* ---- values ---- */

static void octal_numbers(void **state)
{
    uint32_t value = 1;
    (void)state;
    assert_true(octal_parse("0", &value) && value == 0);
    assert_true(octal_parse("00000777", &value) && value == 0777);
    const char *const wrong[] = {"", "8", "1000", "000000777", "-1", "+1", " 1", "1 ", "0x1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(octal_parse(wrong[i], &value));
}

static void tokens(void **state)
{
    (void)state;
    assert_true(tokens_known(""));
    assert_true(tokens_known("/%h/%u/%U/%%"));
    assert_true(tokens_known("%%d"));
    assert_false(tokens_known("%d"));
    assert_false(tokens_known("%%%"));
    assert_false(tokens_known("/a%"));
}

/* ---- roots ---- */

static char folder[] = "/tmp/sallyport-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s%s", folder, name);
    return path;
}

static void safe(const char *path, const char *real)
{
    char problem[512] = "";
    char *found = directory_resolve_safe(path, getuid(), problem, sizeof problem);
    assert_string_equal(problem, "");
    assert_string_equal(found, real);
    free(found);
}

static void unsafe(const char *path, const char *why)
{
    char problem[512] = "";
    assert_null(directory_resolve_safe(path, getuid(), problem, sizeof problem));
    if (strstr(problem, why) == NULL)
        print_error("%s\n", problem);
    assert_non_null(strstr(problem, why));
}

static void roots(void **state)
{
    char real[128];
    (void)state;
    safe("/", "/");
    assert_int_equal(mkdir(in_folder("/d"), 0755), 0);
    (void)snprintf(real, sizeof real, "%s/d", folder);
    safe(in_folder("/d"), real);
    safe(in_folder("/d/"), real);
    safe(in_folder("/./d/../d//"), real);
    unsafe("", "not an absolute path");
    unsafe("tmp", "not an absolute path");
    unsafe(in_folder("/none"), "No such file");
    unsafe("/dev/null", "Not a directory");
    unsafe("/dev/null/x", "Not a directory");
    unsafe("/tmp", "bad owner or modes"); /* itself, sticky or not */
    assert_int_equal(chmod(real, 0775), 0);
    unsafe(real, "/d: bad owner or modes");
    unsafe(in_folder("/d/../d"), "bad owner or modes");
    assert_int_equal(chmod(real, 01777), 0); /* others can't touch what is in it */
    assert_int_equal(mkdir(in_folder("/d/e"), 0755), 0);
    (void)snprintf(real, sizeof real, "%s/d/e", folder);
    safe(in_folder("/d/e"), real);
    unsafe(in_folder("/d"), "bad owner or modes");
    /* A link may be anybody's who may write where it is. */
    assert_int_equal(mkdir(in_folder("/w"), 0700), 0);
    assert_int_equal(chmod(in_folder("/w"), 0777), 0);
    assert_int_equal(symlink(real, in_folder("/w/link")), 0);
    unsafe(in_folder("/w/link"), "/w: bad owner or modes");
    assert_int_equal(symlink(real, in_folder("/link")), 0);
    safe(in_folder("/link"), real);
    assert_int_equal(symlink("w", in_folder("/to-w")), 0);
    unsafe(in_folder("/to-w"), "bad owner or modes");
}

static void roots_of_somebody_else(void **state)
{
    char problem[512] = "";
    (void)state;
    if (getuid() == 0)
        assert_int_equal(chown(in_folder("/d/e"), 12345, 12345), 0);
    assert_null(directory_resolve_safe(in_folder("/d/e"), getuid() == 0 ? 0 : getuid() + 1, problem,
                                       sizeof problem));
    assert_non_null(strstr(problem, "bad owner or modes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_word),
        cmocka_unit_test(no_flags),
        cmocka_unit_test(all_flags),
        cmocka_unit_test(requests_by_name),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(names_are_made_harmless),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(octal_numbers),
        cmocka_unit_test(tokens),
        cmocka_unit_test(roots),
        cmocka_unit_test(roots_of_somebody_else),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
