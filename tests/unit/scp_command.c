/* scp commands as a shell would read them, and patterns of names. */
#include "scp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static char reason[SPP_REASON_MAX];

static spp_command parsed(const char *text)
{
    spp_command command;
    assert_true(spp_is_command(text));
    assert_true(spp_command_parse(&command, &env, text, reason));
    return command;
}

static void forget(spp_command *command)
{
    spp_command_free(command, &env);
}

static void options(void **state)
{
    (void)state;
    spp_command c = parsed("scp -t .");
    assert_true(c.sink && !c.recursive && !c.preserve && !c.directory && c.count == 1);
    assert_string_equal(c.words[0].text, ".");
    forget(&c);
    c = parsed("  scp\t-v -r -p -d -t -- -x ");
    assert_true(c.sink && c.recursive && c.preserve && c.directory && c.count == 1);
    assert_string_equal(c.words[0].text, "-x");
    forget(&c);
    c = parsed("scp -qprf a b c");
    assert_true(!c.sink && c.recursive && c.preserve && c.count == 3);
    assert_string_equal(c.words[2].text, "c");
    forget(&c);
    c = parsed("scp -f -");
    assert_string_equal(c.words[0].text, "-");
    forget(&c);
}

typedef struct word_case {
    const char *command;
    const char *text;
    const char *pattern; /* NULL: none */
    bool tilde;
} word_case;

static void words(void **state)
{
    static const word_case cases[] = {
        {"scp -f a", "a", NULL, false},
        {"scp -f 'a b'", "a b", NULL, false},
        {"scp -f a\\ b", "a b", NULL, false},
        {"scp -f \"a b\"", "a b", NULL, false},
        {"scp -f a'b'\"c\"\\d", "abcd", NULL, false},
        {"scp -f ''", "", NULL, false},
        {"scp -f \"\"", "", NULL, false},
        {"scp -f '$x`y;|'", "$x`y;|", NULL, false},
        {"scp -f \"\\$\\`\\\"\\\\\\n\"", "$`\"\\\\n", NULL, false},
        {"scp -f 'it'\\''s'", "it's", NULL, false},
        {"scp -f 'it'\"'\"'s'\\!", "it's!", NULL, false},
        {"scp -f a#b=c,d:e@f%g+h!i^j", "a#b=c,d:e@f%g+h!i^j", NULL, false},
        {"scp -f \\#", "#", NULL, false},
        {"scp -f *.txt", "*.txt", "*.txt", false},
        {"scp -f a\\*?", "a*?", "a\\*?", false},
        {"scp -f '*'", "*", NULL, false},
        {"scp -f '['a]*", "[a]*", "\\[a]*", false},
        {"scp -f [a'-'b]", "[a-b]", "[a\\-b]", false},
        {"scp -f ~", "~", NULL, true},
        {"scp -f ~u/*", "~u/*", "~u/*", true},
        {"scp -f '~'", "~", NULL, false},
        {"scp -f \\~/a", "~/a", NULL, false},
        {"scp -f a~", "a~", NULL, false},
        {"scp -f \xc3\xa4", "\xc3\xa4", NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spp_command c = parsed(cases[i].command);
        assert_int_equal(c.count, 1);
        assert_string_equal(c.words[0].text, cases[i].text);
        assert_int_equal(c.words[0].pattern != NULL, cases[i].pattern != NULL);
        if (cases[i].pattern != NULL)
            assert_string_equal(c.words[0].pattern, cases[i].pattern);
        assert_int_equal(c.words[0].tilde, cases[i].tilde);
        forget(&c);
    }
}

static void refused(void **state)
{
    static const char *const cases[] = {
        "",
        "scp",
        "scp -t",
        "scp -f",
        "scp a",
        "scp -r a",
        "scp -f -t a",
        "scp -ft a",
        "scp -t a b",
        "scp -t *",
        "scp -t [ab]",
        "scp -x -t a",
        "scp -tx a",
        "scp -S/bin/sh -t a",
        "scp -oX=y -t a",
        "scp --",
        "scp -t --",
        "scp -- -t a",
        "scp -t 'a",
        "scp -t \"a",
        "scp -t a\\",
        "scp -t a;b",
        "scp -t a & b",
        "scp -t a|b",
        "scp -t a>b",
        "scp -t <a",
        "scp -t $a",
        "scp -t \"$a\"",
        "scp -t \"`a`\"",
        "scp -t `a`",
        "scp -t (a)",
        "scp -t {a,b}",
        "scp -t #a",
        "scp -t a #b",
        "scp -t a\nb",
        "scp -t 'a\nb'",
        "scp -t a\rb",
        "scp -t a\x1b",
        "scp -t a\x7f",
        "'scp' x -t a",
        "/usr/bin/scp -t a",
        "scpx -t a",
        "sftp -t a",
        "X=y scp -t a",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spp_command c;
        assert_false(spp_command_parse(&c, &env, cases[i], reason));
        assert_true(reason[0] != '\0');
        assert_null(c.words);
    }
}

static void too_much(void **state)
{
    static char text[SPP_COMMAND_MAX + 20];
    spp_command c;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "scp -t ", 7);
    assert_false(spp_command_parse(&c, &env, text, reason));
    assert_string_equal(reason, "the command is too long");
    memset(text, 0, sizeof text);
    strcpy(text, "scp -f");
    for (unsigned i = 0; i < SPP_WORDS_MAX; i++)
        memcpy(text + 6 + 2 * (size_t)i, " x", 2);
    c = parsed(text);
    assert_int_equal(c.count, SPP_WORDS_MAX);
    forget(&c);
    strcat(text, " x");
    assert_false(spp_command_parse(&c, &env, text, reason));
    assert_string_equal(reason, "too many paths");
}

/* A component is compared with each name of a directory: 64 KiB of "[...]" would take seconds. */
static void long_patterns(void **state)
{
    static char text[SPP_COMMAND_MAX + 1];
    spp_command c;
    (void)state;
    for (size_t length = SPP_COMPONENT_MAX - 1; length <= SPP_COMPONENT_MAX + 1; length++) {
        memcpy(text, "scp -f d/", 9);
        memset(text + 9, 'x', length);
        text[9] = '[';
        memcpy(text + 9 + length, "/x", 3);
        bool good = spp_command_parse(&c, &env, text, reason);
        assert_int_equal(good, length <= SPP_COMPONENT_MAX);
        if (good)
            forget(&c);
        else
            assert_string_equal(reason, "a pattern is too long");
    }
    text[9] = 'x'; /* no pattern: a path like others */
    c = parsed(text);
    forget(&c);
}

static void is_it_one(void **state)
{
    static const char *const yes[] = {"scp -t .",        " scp -f x", "scp -rpt x",
                                      "scp -v -d -t x",  "scp -t",    "scp -t x; id",
                                      "scp\t-q\t-f $(x)"};
    static const char *const no[] = {"",          "scp",        "scp x -t",   "scp -- -t",
                                     "scp -x -t", "scp -rx -t", "scp -- -f",  "scp - -t",
                                     "scpt -t",   "scp-t",      "xscp -t",    "rsync --server -t",
                                     "scp -r x",  "scp ;-t",    "scp\n-t x",  "SCP -t x",
                                     "scp -o -t", "'scp' -t x", "scp '-t' x", "/bin/scp -t x"};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(spp_is_command(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(spp_is_command(no[i]));
}

/* ---- patterns ---- */

static bool matches(const char *pattern, const char *name)
{
    return spp_match(pattern, pattern + strlen(pattern), name);
}

static void patterns(void **state)
{
    static const char *const yes[][2] = {
        {"*", "a"},
        {"*", ""},
        {"a*", "a"},
        {"*.txt", "x.txt"},
        {"a*b*c", "aXbYbZc"},
        {"?", "a"},
        {"???", "abc"},
        {"[abc]x", "bx"},
        {"[a-c]", "b"},
        {"[!a-c]", "d"},
        {"[^a]", "b"},
        {"[]a]", "]"},
        {"[!]a]", "b"},
        {"[a-]", "-"},
        {"[-a]", "-"},
        {"[", "["},
        {"[a", "[a"},
        {"\\*", "*"},
        {"\\[a]", "[a]"},
        {"[\\]]", "]"},
        {"[a\\-c]", "-"},
        {".*", ".x"},
        {"\\.x", ".x"},
        {"*\\\\", "a\\"},
        {"[\x80-\xff]", "\xc3"},
        {"a**b", "ab"},
        {"*a*a*a*b", "aaaab"},
    };
    static const char *const no[][2] = {
        {"*", ".x"},
        {"?x", ".x"},
        {"[.]x", ".x"},
        {"[!a]x", ".x"},
        {"a*", "ba"},
        {"*.txt", "x.tx"},
        {"?", ""},
        {"?", "ab"},
        {"[a-c]", "d"},
        {"[!a-c]", "b"},
        {"[a\\-c]", "b"},
        {"\\*", "a"},
        {"[]", "a"},
        {"a", "A"},
        {"[c-a]", "b"},
        {"*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(matches(yes[i][0], yes[i][1]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(matches(no[i][0], no[i][1]));
}

static void plain_components(void **state)
{
    static const char text[] = "a\\*b\\[";
    char out[sizeof text];
    (void)state;
    assert_false(spp_is_pattern(text, text + strlen(text)));
    assert_int_equal(spp_unescape(out, text, text + strlen(text)), 4);
    assert_string_equal(out, "a*b[");
    assert_true(spp_is_pattern("a?", &"a?"[2]));
}

/* Each allocation fails in turn. */
static size_t left;

static void *failing_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return left != 0 && --left == 0 ? NULL : test_malloc(size);
}

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return left != 0 && --left == 0 ? NULL : test_realloc(ptr, size);
}

static void failing_free(void *ctx, void *ptr)
{
    (void)ctx;
    test_free(ptr);
}

static void out_of_memory(void **state)
{
    static const sp_allocator allocator = {NULL, failing_alloc, failing_realloc, failing_free};
    spb_env mean;
    spp_command c;
    size_t count = 0;
    bool done = false;
    (void)state;
    spb_env_init(&mean, &allocator);
    while (!done) {
        left = ++count;
        done = spp_command_parse(&c, &mean, "scp -f a b* c d e", reason);
        assert_true(done || reason[0] == '\0');
    }
    left = 0;
    assert_int_equal(c.count, 5);
    spp_command_free(&c, &mean);
    assert_true(count > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),       cmocka_unit_test(words),
        cmocka_unit_test(refused),       cmocka_unit_test(too_much),
        cmocka_unit_test(long_patterns), cmocka_unit_test(is_it_one),
        cmocka_unit_test(patterns),      cmocka_unit_test(plain_components),
        cmocka_unit_test(out_of_memory),
    };
    spb_env_init(&env, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
