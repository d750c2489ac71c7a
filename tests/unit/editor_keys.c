/* The line editor's keys: byte sequences in, finished lines and events out. */
#include "editor/editor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define UP "\033[A"
#define DOWN "\033[B"
#define RIGHT "\033[C"
#define LEFT "\033[D"

static const spx_config remembering = {.history_count = SPX_HISTORY_COUNT,
                                       .history_bytes = SPX_HISTORY_BYTES};

static spx_editor *editor(const spx_config *config)
{
    spb_env env;
    spx_editor *e;

    spb_env_init(&env, NULL);
    assert_int_equal(spx_editor_new(&e, &env, config), 0);
    return e;
}

/* Feeds all and returns the last line that was finished, or the event's name. */
static const char *feed(spx_editor *e, const void *keys, size_t length)
{
    static char last[70000];
    const uint8_t *at = keys;
    spx_event event;

    strcpy(last, "nothing");
    while (length > 0) {
        size_t taken = spx_editor_input(e, at, length, &event);
        assert_true(taken > 0 && taken <= length);
        at += taken;
        length -= taken;
        spx_editor_sent(e, spx_editor_output(e).length);
        if (event.type == SPX_EVENT_LINE) {
            assert_int_equal(event.text.data[event.text.length], 0);
            memcpy(last, event.text.data, event.text.length + 1);
        } else if (event.type == SPX_EVENT_EOF) {
            strcpy(last, "eof");
        } else if (event.type == SPX_EVENT_INTERRUPT) {
            strcpy(last, "interrupt");
        } else if (event.type == SPX_EVENT_TAB) {
            strcpy(last, "tab");
        } else {
            assert_int_equal(event.type, SPX_EVENT_NONE);
            assert_int_equal(length, 0);
        }
    }
    assert_int_equal(spx_editor_error(e), 0);
    return last;
}

#define KEYS(e, text) feed(e, text, sizeof(text) - 1)

/* A table of keys and the line that they make, each with a new editor. */
typedef struct key_case {
    const char *keys;
    const char *line;
} key_case;

static void run_cases(const key_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t step = 1; step < 3; step++) { /* whole, and byte by byte */
            spx_editor *e = editor(&remembering);
            const char *line = "nothing";
            size_t length = strlen(cases[i].keys);
            if (step == 1)
                line = feed(e, cases[i].keys, length);
            for (size_t j = 0; step == 2 && j < length; j++)
                line = feed(e, cases[i].keys + j, 1);
            if (strcmp(line, cases[i].line) != 0)
                fail_msg("case %zu: \"%s\" instead of \"%s\"", i, line, cases[i].line);
            spx_editor_free(e);
        }
    }
}

#define RUN(cases) run_cases(cases, sizeof(cases) / sizeof(cases)[0])

static void plain_lines(void **state)
{
    static const key_case cases[] = {
        {"hello\r", "hello"},    {"hello\n", "hello"},       {"\r", ""},
        {"one\r\ntwo\r", "two"}, {"tab\there\r", "tabhere"}, {"h\x01\x02\x05i\r", "hi"},
    };
    (void)state;
    RUN(cases);
}

static void moves(void **state)
{
    static const key_case cases[] = {
        {"bc\001a\r", "abc"},
        {"ac\002b\r", "abc"},
        {"ab\001\006\006c\r", "abc"},
        {"ab\001\005c\r", "abc"},
        {"ac" LEFT "b\r", "abc"},
        {"ac" LEFT LEFT RIGHT "b\r", "abc"},
        {"bc\033[Ha\033[Fd\r", "abcd"},
        {"bc\033[1~a\033[4~d\r", "abcd"},
        {"bc\033[7~a\033[8~d\r", "abcd"},
        {"bc\033OHa\033OFd\r", "abcd"},
        {"ac\033ODb\r", "abc"},
        {"bc\033OD\033OD\033ODa\r", "abc"}, /* no further than the start */
        {"one two three\033b\033bX\r", "one Xtwo three"},
        {"one two three\001\033fX\033fY\r", "oneX twoY three"},
        {"one two\033[1;5DX\r", "one Xtwo"},
        {"one two\033[1;3DX\r", "one Xtwo"},
        {"one two\001\033[1;5CX\r", "oneX two"},
        {"one two\033[1;2DX\r", "one twXo"}, /* Shift alone changes nothing */
        {"one two\033OdX\r", "one Xtwo"},
        {"one\033B\033F!\r", "one!"},
    };
    (void)state;
    RUN(cases);
}

static void deletions(void **state)
{
    static const key_case cases[] = {
        {"abx\177c\r", "abc"},
        {"abx\010c\r", "abc"},
        {"\177\010a\r", "a"},
        {"xabc\001\004\r", "abc"},
        {"xabc\001\033[3~\r", "abc"},
        {"abc\033[3~\r", "abc"},
        {"abc\004\r", "abc"}, /* ^D at the end of a line that has something */
        {"abc def\002\002\002\013\r", "abc "},
        {"abc def\002\002\002\025\r", "def"},
        {"one /two/three\027\r", "one "},
        {"one two  \027\r", "one "},
        {"one /two/three\033\177\r", "one /two/"},
        {"one /two/three\033\010\r", "one /two/"},
        {"one two\001\033d\r", " two"},
        {"one two\001\033[3;5~\r", " two"},
    };
    (void)state;
    RUN(cases);
}

static void cut_and_paste(void **state)
{
    static const key_case cases[] = {
        {"abc\025\031-\031\r", "abc-abc"},
        {"one two\027\027\031\r", "one two"},             /* cuts in a row join, leftwards */
        {"one two\001\033d\033d\005;\031\r", ";one two"}, /* and rightwards */
        {"one two\027\001\027\005\031\r", "one two"},     /* a key between starts anew */
        {"a\033[D\013\025x\031\r", "xa"},
        {"ab\024\r", "ba"},
        {"abc\002\024\r", "acb"},
        {"abc\001\006\024X\r", "baXc"},
        {"a\024b\r", "ab"}, /* nothing to change places with */
        {"\024\031a\r", "a"},
        {"first\025\rx\031\r", "xfirst"}, /* from line to line */
    };
    (void)state;
    RUN(cases);
}

static void ends_of_input(void **state)
{
    static const key_case cases[] = {
        {"\004", "eof"},      {"abc\003", "interrupt"},     {"abc\003\r", ""},
        {"a\177\004", "eof"}, {"\003", "interrupt"},        {"abc\003\004", "eof"},
        {"a\004", "nothing"}, {"abc\025\003\031\r", "abc"},
    };
    (void)state;
    RUN(cases);
}

static void the_rest_waits_behind_an_event(void **state)
{
    spx_editor *e = editor(NULL);
    spx_event event;

    (void)state;
    assert_int_equal(spx_editor_input(e, "one\rtwo\r", 8, &event), 4);
    assert_int_equal(event.type, SPX_EVENT_LINE);
    assert_false(event.secret);
    assert_int_equal(spx_editor_input(e, "\ntwo\r", 5, &event), 5);
    assert_memory_equal(event.text.data, "two", 4);
    assert_int_equal(spx_editor_input(e, "", 0, &event), 0);
    assert_int_equal(event.type, SPX_EVENT_NONE);
    spx_editor_free(e);
}

static void input_ends(void **state)
{
    spx_editor *e = editor(NULL);
    spx_event event;

    (void)state;
    KEYS(e, "rest");
    spx_editor_input_end(e, &event);
    assert_int_equal(event.type, SPX_EVENT_LINE);
    assert_string_equal((const char *)event.text.data, "rest");
    spx_editor_input_end(e, &event);
    assert_int_equal(event.type, SPX_EVENT_EOF);
    spx_editor_free(e);
}

static void history_walks(void **state)
{
    static const key_case cases[] = {
        {"one\rtwo\r" UP "\r", "two"},
        {"one\rtwo\r" UP UP "\r", "one"},
        {"one\rtwo\r" UP UP UP "\r", "one"},
        {"one\rtwo\r" UP UP DOWN "\r", "two"},
        {"one\rtwo\rnew" UP UP DOWN DOWN "!\r", "new!"},
        {"one\rtwo\r\020\020\016!\r", "two!"},
        {"one\rtwo\rnew\033<\r", "one"},
        {"one\rtwo\rnew\033<\033>\r", "new"},
        {"one\rone\r\r" UP UP "\r", "one"},        /* neither twice in a row, nor empty */
        {"one\rtwo\r" UP "x\r" UP UP "\r", "two"}, /* what was changed is a line of its own */
        {"one\r\033OA\r", "one"},
        {"one\r" DOWN "a\r", "a"},
        {UP "a\r", "a"},
    };
    (void)state;
    RUN(cases);
}

static void history_search(void **state)
{
    static const key_case cases[] = {
        {"make all\rmake test\rls\r\022ma\r", "make test"},
        {"make all\rmake test\rls\r\022ma\022\r", "make all"},
        {"make all\rmake test\rls\r\022ma\022\022\r", "make all"}, /* no further one */
        {"make all\rmake test\rls\r\022make a\r", "make all"},
        {"make all\rmake test\rls\r\022make a\177t\r", "make test"},
        {"make all\rls\rnew\022ma\007!\r", "new!"},        /* given up */
        {"make all\rls\rnew\022ma\033[CX\r", "mXake all"}, /* another key takes it */
        {"make all\rls\rnew\022zz\r", "new"},
        {"make all\rls\rnew\022zz\177\177ls\r", "ls"},
        {"make all\rls\r\022ma\003", "interrupt"},
        {"aaa\rbb\r\022a\022X\r", "aaa"},
        {"x\r\022\r", ""},
        {"\022a\r", ""},
        {"gr\xc3\xbc\xc3\x9f\rls\r\022\xc3\xbc\r", "gr\xc3\xbc\xc3\x9f"},
    };
    (void)state;
    RUN(cases);
}

static void history_is_bounded(void **state)
{
    static const spx_config small = {.history_count = 3, .history_bytes = 10};
    spx_editor *e = editor(&small);

    (void)state;
    KEYS(e, "a\rb\rc\rd\r");
    assert_int_equal(spx_editor_history_count(e), 3);
    assert_memory_equal(spx_editor_history_get(e, 0).data, "b", 1);
    KEYS(e, "12345678\r"); /* two of the old stay */
    assert_int_equal(spx_editor_history_count(e), 3);
    KEYS(e, "123456789\r");
    assert_int_equal(spx_editor_history_count(e), 1);
    KEYS(e, "12345678901\r"); /* too long for it */
    assert_int_equal(spx_editor_history_count(e), 1);
    assert_int_equal(spx_editor_history_get(e, 1).length, 0);
    spx_editor_history_clear(e);
    assert_int_equal(spx_editor_history_count(e), 0);
    assert_string_equal(KEYS(e, UP "x\r"), "x");
    spx_editor_free(e);

    e = editor(NULL); /* none unless asked for */
    KEYS(e, "a\r");
    assert_int_equal(spx_editor_history_count(e), 0);
    assert_int_equal(spx_editor_history_add(e, "a", 1), 0);
    assert_int_equal(spx_editor_history_count(e), 0);
    spx_editor_free(e);
}

static void history_takes_lines(void **state)
{
    spx_config config = remembering;
    spx_editor *e;

    (void)state;
    config.line_max = 5;
    e = editor(&config);
    assert_int_equal(spx_editor_history_add(e, "older", 5), 0);
    assert_int_equal(spx_editor_history_add(e, "longer", 6), SP_EINVAL);
    assert_int_equal(spx_editor_history_add(e, "\033[A", 3), SP_EFORMAT);
    assert_int_equal(spx_editor_history_add(e, "\xff", 1), SP_EFORMAT);
    assert_int_equal(spx_editor_history_add(e, "a\0b", 3), SP_EFORMAT);
    assert_int_equal(spx_editor_history_count(e), 1);
    assert_string_equal(KEYS(e, "x\022o\r"), "older");
    KEYS(e, UP "\022");
    assert_int_equal(spx_editor_history_add(e, "new", 3), 0);
    assert_string_equal(KEYS(e, "\025" UP "\r"), "new");
    spx_editor_free(e);
}

static void secrets_leave_no_trace(void **state)
{
    spx_editor *e = editor(&remembering);
    spx_event event;

    (void)state;
    KEYS(e, "name\r");
    spx_editor_set_echo(e, SPX_ECHO_HIDDEN);
    assert_string_equal(KEYS(e, "pass\025\031word\r"), "password"); /* keys work */
    assert_string_equal(KEYS(e, UP "\022n\r"), "n");                /* but not those */
    spx_editor_set_echo(e, SPX_ECHO_MASKED);
    KEYS(e, "secret\025");
    spx_editor_set_echo(e, SPX_ECHO_NORMAL);
    assert_string_equal(KEYS(e, "\031\r"), ""); /* not from a secret line into another */
    spx_editor_set_echo(e, SPX_ECHO_HIDDEN);
    KEYS(e, "half");
    spx_editor_set_echo(e, SPX_ECHO_NORMAL); /* secret once, secret to its end */
    assert_int_equal(spx_editor_input(e, "way\r", 4, &event), 4);
    assert_true(event.secret);
    const uint8_t *line = event.text.data;
    assert_string_equal((const char *)line, "halfway");
    spx_editor_forget(e);
    assert_int_equal(line[0], 0); /* the buffer is kept, its bytes are not */
    assert_int_equal(spx_editor_history_count(e), 1);
    assert_string_equal(KEYS(e, "open\r"), "open");
    assert_int_equal(spx_editor_history_count(e), 2);
    spx_editor_free(e);
}

static void a_line_has_a_maximum(void **state)
{
    static const spx_config small = {.line_max = 4};
    spx_editor *e = editor(&small);

    (void)state;
    assert_string_equal(KEYS(e, "12345\r"), "1234");
    assert_string_equal(KEYS(e, "123\xc3\xa4"
                                "5\r"),
                        "1235"); /* none of it, or all */
    assert_string_equal(KEYS(e, "12\0253\031\031\r"), "312");
    KEYS(e, "abcd");
    spx_editor_insert(e, "e", 1);
    assert_int_equal(spx_editor_line(e, NULL).length, 4);
    assert_memory_equal(spx_editor_output(e).data, "\a", 1);
    spx_editor_free(e);
}

static void what_is_not_text_is_left_out(void **state)
{
    static const key_case cases[] = {
        {"a\xff"
         "b\r",
         "a\xef\xbf\xbd"
         "b"},
        {"a\xc3\r", "a\xef\xbf\xbd"}, /* cut short */
        {"a\xc3(\r", "a\xef\xbf\xbd("},
        {"\xe2\x82\xc3\xa4\r", "\xef\xbf\xbd\xc3\xa4"},
        {"\xed\xa0\x80\r", "\xef\xbf\xbd"},     /* a surrogate */
        {"\xe0\x80\x80\r", "\xef\xbf\xbd"},     /* overlong */
        {"\xf4\x90\x80\x80\r", "\xef\xbf\xbd"}, /* beyond Unicode */
        {"\xc0\xaf\r", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xc2\x9b"
         "b\r",
         "ab"}, /* C1: a CSI in eight bits */
        {"a\xe2\x80\xae"
         "b\r",
         "ab"}, /* right-to-left override */
        {"a\xe2\x80\xa8"
         "b\r",
         "ab"}, /* line separator */
        {"a\xef\xbf\xbe"
         "b\r",
         "ab"}, /* noncharacter */
        {"a\007\016\017\020\032\034b\r", "ab"},
        {"a\033[31mb\r", "ab"},
        {"a\033[?25lb\r", "ab"},
        {"a\033[38;5;200;1;2;3;4;5;6;7;8;9;10;11;12mb\r", "ab"}, /* longer than any */
        {"a\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15Db\r", "ab"},
        {"a\033[200~b\033[201~\r", "ab"},
        {"a\033[24;80Rb\r", "ab"}, /* a cursor report */
        {"a\033]11;rgb:0000/0000/0000\033\\b\r", "ab"},
        {"a\033]0;title\007b\r", "ab"},
        {"a\033Pq#0\033\\b\r", "ab"},
        {"a\033]never\rb\r", "b"}, /* ended by Enter, which counts */
        {"a\033zb\r", "ab"},
        {"a\033\033[Db\r", "ba"},
        {"a\033[\033[Db\r", "ba"},
        {"a\033[5\rb\r", "b"}, /* a control within ends it, and counts */
        {"a\033OPb\r", "ab"},
        {"a\033[Mb\r", "ab"},
    };
    spx_editor *e = editor(NULL);

    (void)state;
    RUN(cases);
    assert_string_equal(KEYS(e, "a\0b\r"), "ab");
    spx_editor_free(e);
}

static void strings_come_to_an_end(void **state)
{
    spx_editor *e = editor(NULL);
    char keys[303];

    (void)state;
    memset(keys, 'x', sizeof keys);
    memcpy(keys, "\033]", 2);
    keys[sizeof keys - 1] = '\r';
    assert_int_equal(strlen(feed(e, keys, sizeof keys)), 300 - 257);
    spx_editor_free(e);
}

static void clusters_are_one(void **state)
{
#ifdef SP_HAVE_UTF8PROC
    static const key_case cases[] = {
        {"ae\xcc\x81\177\r", "a"}, /* e and its accent */
        {"ae\xcc\x81\002\013\r", "a"},
        {"a\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\177b\r", "ab"}, /* joined emoji */
        {"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xab\xf0\x9f\x87\xb7\177\r",
         "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"}, /* two flags */
        {"e\xcc\x81"
         "a\024\r",
         "ae\xcc\x81"},
        {"a\001\xcc\x81"
         "b\r",
         "\xcc\x81"
         "ba"},
        {"\xcc\x81\001ab\r", "ab\xcc\x81"},
        {"\xed\x95\x9c\xea\xb8\x80 x\033b\033b!\r", "!\xed\x95\x9c\xea\xb8\x80 x"},
        {"a\xe3\x80\x82"
         "b\033b\033b!\r",
         "!a\xe3\x80\x82"
         "b"}, /* punctuation parts words */
    };
#else
    static const key_case cases[] = {
        {"ae\xcc\x81\177\r", "ae"}, /* each code point for itself */
        {"\xf0\x9f\x98\x80\177\r", ""},
        {"\xc3\xa4\xc3\xb6\002!\r", "\xc3\xa4!\xc3\xb6"},
    };
#endif
    (void)state;
    RUN(cases);
}

/* Any two regional indicators may be a flag, so that where one starts is known from the line's
 * start only. A move by words over such a line must not look there for each of them. */
static void words_of_a_long_line_are_cheap(void **state)
{
    (void)state;
    const spx_config c = {.line_max = 4000};
    static const char flag[] = "\xf0\x9f\x87\xa9";
    char text[4000];
    spx_event event;
    size_t cursor;
    spx_editor *e = editor(&c);
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, flag, 4);
    assert_int_equal(spx_editor_input(e, text, sizeof text, &event), sizeof text);
    clock_t begin = clock();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(spx_editor_input(e, "\033b", 2, &event), 2);
        (void)spx_editor_line(e, &cursor);
        assert_int_equal(cursor, 0);
        assert_int_equal(spx_editor_input(e, "\005", 1, &event), 1);
    }
    assert_true(clock() - begin < 8 * CLOCKS_PER_SEC); /* some 30 s, otherwise */
    spx_editor_free(e);
}

static void tabs(void **state)
{
    spx_config config = {.tab = SPX_TAB_INSERTED};
    spx_editor *e = editor(&config);
    spx_event event;
    size_t cursor;

    (void)state;
    assert_string_equal(KEYS(e, "a\tb\r"), "a\tb");
    spx_editor_insert(e, "\t", 1);
    assert_string_equal(KEYS(e, "\r"), "\t");
    spx_editor_free(e);
    config.tab = SPX_TAB_EVENT;
    e = editor(&config);
    assert_int_equal(spx_editor_input(e, "he\tx", 4, &event), 3);
    assert_int_equal(event.type, SPX_EVENT_TAB);
    assert_int_equal(spx_editor_line(e, &cursor).length, 2);
    assert_int_equal(cursor, 2);
    spx_editor_insert(e, "llo\033[A\r\t", 8);
    assert_string_equal(KEYS(e, "\r"), "hello");
    KEYS(e, "gone");
    spx_editor_clear_line(e);
    assert_string_equal(KEYS(e, "\r"), "");
    spx_editor_free(e);
}

static void raw_mode_passes_all(void **state)
{
    spx_editor *e = editor(NULL);
    spx_event event;
    uint8_t keys[] = "\003\033[A\xff";

    (void)state;
    KEYS(e, "begun\033[");
    spx_editor_set_raw(e, true);
    assert_true(spx_editor_is_raw(e));
    assert_int_equal(spx_editor_input(e, keys, sizeof keys, &event), sizeof keys);
    assert_int_equal(event.type, SPX_EVENT_DATA);
    assert_ptr_equal(event.text.data, keys);
    assert_int_equal(event.text.length, sizeof keys);
    assert_int_equal(spx_editor_write(e, "a\n", 2), 2);
    spx_editor_input_end(e, &event);
    assert_int_equal(event.type, SPX_EVENT_EOF);
    spx_editor_set_raw(e, false);
    assert_string_equal(KEYS(e, " line\r"), "begun line");
    spx_editor_free(e);
}

static void output_is_bounded(void **state)
{
    spx_editor *e = editor(NULL);
    static char text[2 * SPX_OUTPUT_MAX];
    spx_event event;

    (void)state;
    memset(text, 'x', sizeof text);
    size_t taken = spx_editor_write(e, text, sizeof text);
    assert_int_equal(taken, SPX_OUTPUT_MAX);
    assert_int_equal(spx_editor_write(e, text, 1), 0);
    spx_editor_set_echo(e, SPX_ECHO_NORMAL);
    assert_int_equal(spx_editor_input(e, "a", 1, &event), 1);
    (void)spx_editor_output(e); /* now there is more than the maximum */
    assert_int_equal(spx_editor_input(e, "b", 1, &event), 0);
    assert_int_equal(event.type, SPX_EVENT_NONE);
    spx_editor_sent(e, spx_editor_output(e).length);
    assert_int_equal(spx_editor_input(e, "b", 1, &event), 1);
    assert_int_equal(spx_editor_error(e), 0);
    spx_editor_free(e);
}

/* ---- memory runs out at the n-th call, for all n ---- */

typedef struct memory {
    size_t left;
    size_t live;
} memory;

static void *memory_alloc(void *ctx, size_t size)
{
    memory *m = ctx;

    if (m->left == 0)
        return NULL;
    m->left--;
    m->live++;
    return malloc(size);
}

static void *memory_realloc(void *ctx, void *ptr, size_t size)
{
    memory *m = ctx;

    if (m->left == 0)
        return NULL;
    m->left--;
    m->live += ptr == NULL;
    return realloc(ptr, size);
}

static void memory_free(void *ctx, void *ptr)
{
    memory *m = ctx;

    m->live--;
    free(ptr);
}

static void use_everything(spx_editor *e)
{
    static const char keys[] = "one two\025\031\r" UP "x\022o\r" UP "\027\027abc\001\024\014\003";
    const char *at = keys;
    size_t left = sizeof keys - 1;
    spx_event event;

    spx_editor_set_prompt(e, "above\n\033[1m> ", 12);
    (void)spx_editor_write(e, "output", 6);
    while (left > 0) {
        size_t taken = spx_editor_input(e, at, left, &event);
        at += taken;
        left -= taken;
        spx_editor_sent(e, spx_editor_output(e).length);
        if (event.type == SPX_EVENT_LINE)
            assert_int_equal(event.text.data[event.text.length], 0);
    }
    (void)spx_editor_history_add(e, "more", 4);
    spx_editor_set_size(e, 7, 3);
    spx_editor_insert(e, "a long line of text", 19);
    (void)spx_editor_output(e);
    (void)spx_editor_write(e, "output\n", 7);
}

static void memory_runs_out(void **state)
{
    size_t refused = 0;

    (void)state;
    for (size_t n = 0;; n++) {
        memory m = {n, 0};
        sp_allocator allocator = {&m, memory_alloc, memory_realloc, memory_free};
        spb_env env;
        spx_editor *e;
        spb_env_init(&env, &allocator);
        int result = spx_editor_new(&e, &env, &remembering);
        if (result == 0) {
            use_everything(e);
            result = spx_editor_error(e);
            spx_editor_free(e);
        }
        assert_int_equal(m.live, 0);
        if (result == 0)
            break;
        assert_int_equal(result, SP_ENOMEM);
        refused++;
    }
    assert_true(refused > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(moves),
        cmocka_unit_test(deletions),
        cmocka_unit_test(cut_and_paste),
        cmocka_unit_test(ends_of_input),
        cmocka_unit_test(the_rest_waits_behind_an_event),
        cmocka_unit_test(input_ends),
        cmocka_unit_test(history_walks),
        cmocka_unit_test(history_search),
        cmocka_unit_test(history_is_bounded),
        cmocka_unit_test(history_takes_lines),
        cmocka_unit_test(secrets_leave_no_trace),
        cmocka_unit_test(a_line_has_a_maximum),
        cmocka_unit_test(what_is_not_text_is_left_out),
        cmocka_unit_test(strings_come_to_an_end),
        cmocka_unit_test(clusters_are_one),
        cmocka_unit_test(words_of_a_long_line_are_cheap),
        cmocka_unit_test(tabs),
        cmocka_unit_test(raw_mode_passes_all),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
