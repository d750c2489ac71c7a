/* What the terminal shows while a line is edited: small screens, byte for byte. */
#include "editor/editor.h"
#include "support/terminal_standin.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct stand {
    spx_editor *e;
    terminal *t;
} stand;

static stand begin(uint32_t columns, uint32_t rows)
{
    const spx_config config = {
        .columns = columns, .rows = rows, .history_count = 10, .history_bytes = 1000};
    stand s;
    spb_env env;

    spb_env_init(&env, NULL);
    assert_int_equal(spx_editor_new(&s.e, &env, &config), 0);
    s.t = term_new((int)columns, (int)rows);
    return s;
}

static void draw(const stand *s)
{
    spb_span out = spx_editor_output(s->e);

    term_write(s->t, out.data, out.length);
    spx_editor_sent(s->e, out.length);
    assert_string_equal(s->t->error, "");
    assert_int_equal(spx_editor_error(s->e), 0);
}

static void end(const stand *s)
{
    draw(s);
    spx_editor_free(s->e);
    free(s->t);
}

static spx_event_type keys(const stand *s, const char *bytes)
{
    size_t length = strlen(bytes);
    spx_event event;
    spx_event_type last = SPX_EVENT_NONE;

    while (length > 0) {
        size_t taken = spx_editor_input(s->e, bytes, length, &event);
        assert_true(taken > 0);
        bytes += taken;
        length -= taken;
        last = event.type != SPX_EVENT_NONE ? event.type : last;
    }
    draw(s);
    return last;
}

static void print(const stand *s, const char *text)
{
    assert_int_equal(spx_editor_write(s->e, text, strlen(text)), strlen(text));
}

static void prompt(const stand *s, const char *text)
{
    spx_editor_set_prompt(s->e, text, strlen(text));
}

/* The first rows, and the cursor. */
#define SHOWS(s, r, c, ...)                                                                        \
    shows(s, r, c, (const char *const[]){__VA_ARGS__},                                             \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void shows(const stand *s, int row, int column, const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(term_row(s->t, (int)i), rows[i]);
    for (int i = (int)count; i < s->t->rows; i++)
        assert_string_equal(term_row(s->t, i), "");
    assert_int_equal(s->t->row, row);
    assert_int_equal(s->t->column, column);
    assert_false(s->t->pending);
}

static void echo_and_cursor(void **state)
{
    stand s = begin(20, 5);

    (void)state;
    prompt(&s, "> ");
    keys(&s, "hello");
    SHOWS(&s, 0, 7, "> hello");
    keys(&s, "\001X\006\006");
    SHOWS(&s, 0, 5, "> Xhello");
    keys(&s, "\013");
    SHOWS(&s, 0, 5, "> Xhe");
    assert_int_equal(keys(&s, "\r"), SPX_EVENT_LINE);
    SHOWS(&s, 1, 0, "> Xhe"); /* the prompt was for one line */
    keys(&s, "abc\003");
    SHOWS(&s, 2, 0, "> Xhe", "abc^C");
    end(&s);
}

static void lines_wrap(void **state)
{
    stand s = begin(10, 6);

    (void)state;
    prompt(&s, "> ");
    keys(&s, "abcdefgh"); /* to the last column: the cursor goes to the next row */
    SHOWS(&s, 1, 0, "> abcdefgh");
    keys(&s, "\177");
    SHOWS(&s, 0, 9, "> abcdefg");
    keys(&s, "hijklmnopqrstu");
    SHOWS(&s, 2, 3, "> abcdefgh", "ijklmnopqr", "stu");
    keys(&s, "\001X");
    SHOWS(&s, 0, 3, "> Xabcdefg", "hijklmnopq", "rstu");
    keys(&s, "\005\033b\013");
    SHOWS(&s, 0, 2, ">");
    keys(&s, "\031\001\004\005\r"); /* one short of a full row */
    SHOWS(&s, 3, 0, "> abcdefgh", "ijklmnopqr", "stu");
    end(&s);
}

static void a_full_row_leaves_no_gap(void **state)
{
    stand s = begin(10, 6);

    (void)state;
    keys(&s, "0123456789\r");
    SHOWS(&s, 1, 0, "0123456789");
    keys(&s, "01234567890123456789");
    SHOWS(&s, 3, 0, "0123456789", "0123456789", "0123456789");
    keys(&s, "\003");
    SHOWS(&s, 4, 0, "0123456789", "0123456789", "0123456789", "^C");
    end(&s);
}

static void output_comes_above(void **state)
{
    stand s = begin(10, 6);

    (void)state;
    prompt(&s, "> ");
    keys(&s, "abcdefghij\002");
    SHOWS(&s, 1, 1, "> abcdefgh", "ij");
    print(&s, "one\ntwo\n");
    draw(&s);
    SHOWS(&s, 3, 1, "one", "two", "> abcdefgh", "ij");
    spx_editor_hide(s.e);
    spx_editor_hide(s.e);
    draw(&s);
    SHOWS(&s, 2, 0, "one", "two");
    term_write(s.t, "past it\r\n", 9);
    spx_editor_show(s.e);
    draw(&s);
    SHOWS(&s, 3, 0, "one", "two", "past it");
    keys(&s, "k");
    SHOWS(&s, 3, 0, "one", "two", "past it");
    spx_editor_show(s.e);
    spx_editor_show(s.e);
    draw(&s);
    SHOWS(&s, 4, 2, "one", "two", "past it", "> abcdefgh", "ikj");
    end(&s);
}

static void output_serves_as_a_prompt(void **state)
{
    stand s = begin(12, 6);

    (void)state;
    print(&s, "first\nName? ");
    keys(&s, "Bob");
    SHOWS(&s, 1, 9, "first", "Name? Bob");
    print(&s, "really? ");
    draw(&s);
    SHOWS(&s, 2, 5, "first", "Name? really", "? Bob");
    keys(&s, "\001\013\014");
    SHOWS(&s, 1, 2, "Name? really", "?"); /* the screen was cleared */
    keys(&s, "x\r");
    SHOWS(&s, 2, 0, "Name? really", "? x");
    print(&s, "123456789012"); /* a full row, and nothing to edit: the cursor may wait there */
    draw(&s);
    print(&s, "\nnext");
    draw(&s);
    SHOWS(&s, 3, 4, "Name? really", "? x", "123456789012", "next");
    end(&s);
}

static void output_may_move_the_cursor(void **state)
{
    static const struct {
        const char *text;
        int column;
        const char *row;
    } cases[] = {
        {"abc\rx", 2, "xKc"},        {"abc\bx", 4, "abxK"}, {"ab\033[2Cx", 6, "ab  xK"},
        {"abcd\033[3Dx", 3, "axKd"}, {"abc\r", 1, "Kbc"},   {"\033[1mbold\033[0m: ", 7, "bold: K"},
        {"\033[?25l", 1, "K"},       {"\007a", 2, "aK"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stand s = begin(20, 3);
        print(&s, cases[i].text);
        spb_span out = spx_editor_output(s.e);
        for (size_t j = 0; j < out.length; j++)
            if (memcmp(cases[i].text, "\033[?", 3) != 0) /* the stand-in has no modes */
                term_byte(s.t, out.data[j]);
        spx_editor_sent(s.e, out.length);
        keys(&s, "K");
        SHOWS(&s, 0, cases[i].column, cases[i].row);
        keys(&s, "\177K\001\005"); /* and back */
        assert_int_equal(s.t->column, cases[i].column);
        end(&s);
    }
}

static void output_in_pieces(void **state)
{
    static const char text[] = "gr\xc3\xbc\xc3\x9f \033[1mGott\033[0m\n";
    stand s = begin(20, 5);

    (void)state;
    prompt(&s, "> ");
    keys(&s, "ab");
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        assert_int_equal(spx_editor_write(s.e, text + i, 1), 1);
        draw(&s); /* no piece of a character or sequence is parted by the line */
    }
    SHOWS(&s, 1, 4, "gr\xc3\xbc\xc3\x9f Gott", "> ab");
    end(&s);
}

static void a_tab_in_the_output(void **state)
{
    stand s = begin(20, 3);

    (void)state;
    print(&s, "a\tb");
    spb_span out = spx_editor_output(s.e);
    assert_int_equal(out.length, 3);
    spx_editor_sent(s.e, 3);
    s.t->column = 9;
    keys(&s, "xy");
    SHOWS(&s, 0, 11, "         xy");
    keys(&s, "\001z");
    SHOWS(&s, 0, 10, "         zxy");
    print(&s, "c\n");
    draw(&s);
    SHOWS(&s, 1, 1, "         c", "zxy");
    end(&s);
}

static void passwords_are_not_shown(void **state)
{
    stand s = begin(20, 5);

    (void)state;
    spx_editor_set_echo(s.e, SPX_ECHO_HIDDEN);
    prompt(&s, "Password: ");
    keys(&s, "secret\001x\177\013");
    SHOWS(&s, 0, 10, "Password:");
    keys(&s, "secret\r");
    SHOWS(&s, 1, 0, "Password:");
    spx_editor_set_echo(s.e, SPX_ECHO_MASKED);
    keys(&s, "s\xc3\xa4"
             "cret\002\002");
    SHOWS(&s, 1, 4, "Password:", "******");
    spx_editor_set_echo(s.e, SPX_ECHO_NORMAL);
    keys(&s, "\025\013a");
    SHOWS(&s, 1, 1, "Password:", "a");
    end(&s);
}

static void search_shows_itself(void **state)
{
    stand s = begin(40, 5);

    (void)state;
    keys(&s, "make all\rls\r");
    prompt(&s, "$ ");
    keys(&s, "x\022");
    SHOWS(&s, 2, 23, "make all", "ls", "(reverse-i-search)`': x");
    keys(&s, "al");
    SHOWS(&s, 2, 29, "make all", "ls", "(reverse-i-search)`al': make all");
    keys(&s, "z");
    SHOWS(&s, 2, 37, "make all", "ls", "(failed reverse-i-search)`alz': make all");
    assert_int_equal(s.t->bells, 1);
    keys(&s, "\007");
    SHOWS(&s, 2, 3, "make all", "ls", "$ x");
    keys(&s, "\022al\r");
    SHOWS(&s, 3, 0, "make all", "ls", "$ make all");
    end(&s);
}

static void prompts_may_have_style(void **state)
{
    stand s = begin(20, 5);

    (void)state;
    prompt(&s, "above\n\033[1;32mme\033[0m\007\033]0;t\007\033[2J> ");
    keys(&s, "abc\001X");
    SHOWS(&s, 1, 5, "above", "me> Xabc");
    spb_span out = spx_editor_output(s.e);
    assert_int_equal(out.length, 0);
    prompt(&s, "\033[4myou\033[0m> ");
    out = spx_editor_output(s.e);
    assert_non_null(memmem(out.data, out.length, "\033[4my", 5));
    assert_non_null(memmem(out.data, out.length, "> \033[0mX", 7));
    draw(&s);
    SHOWS(&s, 1, 6, "above", "you> Xabc");
    spx_editor_set_prompt(s.e, NULL, 0);
    draw(&s);
    SHOWS(&s, 1, 1, "above", "Xabc");
    end(&s);
}

static void the_screen_is_cleared(void **state)
{
    stand s = begin(20, 5);

    (void)state;
    print(&s, "one\ntwo\n");
    prompt(&s, "> ");
    keys(&s, "ab\002\014");
    SHOWS(&s, 0, 3, "> ab");
    end(&s);
}

static void new_sizes(void **state)
{
    stand s = begin(20, 6);

    (void)state;
    print(&s, "before\n");
    prompt(&s, "> ");
    keys(&s, "abcdefghijkl\002");
    SHOWS(&s, 1, 13, "before", "> abcdefghijkl");
    term_resize(s.t, 10);
    spx_editor_set_size(s.e, 10, 6);
    draw(&s);
    SHOWS(&s, 2, 3, "before", "> abcdefgh", "ijkl");
    term_resize(s.t, 20);
    spx_editor_set_size(s.e, 20, 6);
    keys(&s, "\014");
    SHOWS(&s, 0, 13, "> abcdefghijkl");
    spx_editor_set_size(s.e, 0, 0); /* 80 by 24: nothing of that is refused */
    spx_editor_set_size(s.e, UINT32_MAX, UINT32_MAX);
    spx_editor_set_size(s.e, 1, 1);
    spx_editor_set_size(s.e, 20, 6);
    print(&s, "out\n"); /* at once, before the line is drawn anew */
    draw(&s);
    SHOWS(&s, 1, 13, "out", "> abcdefghijkl");
    end(&s);
}

static void a_new_size_keeps_the_output_in_front(void **state)
{
    stand s = begin(20, 6);

    (void)state;
    print(&s, "Name? ");
    keys(&s, "abcdef");
    term_resize(s.t, 10);
    spx_editor_set_size(s.e, 10, 6);
    print(&s, "First? ");
    draw(&s);
    SHOWS(&s, 1, 9, "Name? Firs", "t? abcdef");
    end(&s);
}

static void a_line_higher_than_the_screen(void **state)
{
    stand s = begin(5, 3);

    (void)state;
    prompt(&s, "> ");
    keys(&s, "abcdefghijklmnopqr");
    SHOWS(&s, 2, 0, "ijklm", "nopqr"); /* the cursor's row is one more */
    keys(&s, "\001");
    SHOWS(&s, 0, 2, "> abc", "defgh", "ijklm");
    keys(&s, "X\005\002\002");
    SHOWS(&s, 2, 4, "cdefg", "hijkl", "mnopq");
    keys(&s, "\006\006\006");
    SHOWS(&s, 2, 1, "hijkl", "mnopq", "r");
    keys(&s, "\025a");
    SHOWS(&s, 0, 3, "> a");
    end(&s);
}

static void wide_characters_at_the_edge(void **state)
{
    stand s = begin(5, 4);

    (void)state;
#ifdef SP_HAVE_UTF8PROC
    keys(&s, "abcd\xe6\xbc\xa2"
             "e");
    SHOWS(&s, 1, 3, "abcd",
          "\xe6\xbc\xa2"
          "e");
    keys(&s, "\002\002");
    SHOWS(&s, 1, 0, "abcd",
          "\xe6\xbc\xa2"
          "e");
    keys(&s, "\177");
    SHOWS(&s, 0, 3, "abc\xe6\xbc\xa2", "e");
    keys(&s, "\001\xe6\xbc\xa2");
    SHOWS(&s, 0, 2,
          "\xe6\xbc\xa2"
          "abc",
          "\xe6\xbc\xa2"
          "e");
    keys(&s, "\005\025\xcc\x88xa\xcc\x88"); /* a mark that stands alone gets a blank */
    SHOWS(&s, 0, 3, " \xcc\x88xa\xcc\x88");
    keys(&s, "\025\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa.");
    SHOWS(&s, 1, 0,
          "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa.");
#else
    keys(&s, "abcd\xc3\xa4"
             "e");
    SHOWS(&s, 1, 1, "abcd\xc3\xa4", "e");
#endif
    end(&s);
}

static void tabs_are_shown(void **state)
{
    const spx_config config = {.columns = 10, .rows = 3, .tab = SPX_TAB_INSERTED};
    stand s = begin(10, 3);
    spb_env env;

    (void)state;
    spx_editor_free(s.e);
    spb_env_init(&env, NULL);
    assert_int_equal(spx_editor_new(&s.e, &env, &config), 0);
    keys(&s, "a\tb\002\002");
    SHOWS(&s, 0, 1, "a^Ib");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_and_cursor),
        cmocka_unit_test(lines_wrap),
        cmocka_unit_test(a_full_row_leaves_no_gap),
        cmocka_unit_test(output_comes_above),
        cmocka_unit_test(output_serves_as_a_prompt),
        cmocka_unit_test(output_may_move_the_cursor),
        cmocka_unit_test(output_in_pieces),
        cmocka_unit_test(a_tab_in_the_output),
        cmocka_unit_test(passwords_are_not_shown),
        cmocka_unit_test(search_shows_itself),
        cmocka_unit_test(prompts_may_have_style),
        cmocka_unit_test(the_screen_is_cleared),
        cmocka_unit_test(new_sizes),
        cmocka_unit_test(a_new_size_keeps_the_output_in_front),
        cmocka_unit_test(a_line_higher_than_the_screen),
        cmocka_unit_test(wide_characters_at_the_edge),
        cmocka_unit_test(tabs_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
