/* Random edits against simple models, with fixed seeds. A list of characters is the model of the
 * line; and what the terminal shows, after hundreds of small changes, must be what a second
 * terminal shows that was just sent all the text once, at every width. */
#include "editor/editor.h"
#include "support/terminal_standin.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ITEMS_MAX 300
#define ROUNDS 250
#define REFERENCE_ROWS TERM_ROWS_MAX

/* Each is one character to the eye, whatever stands beside it. */
static const char *const alphabet[] = {"a",
                                       "b",
                                       "Z",
                                       "7",
                                       " ",
                                       "/",
                                       "\xc3\xa9",
#ifdef SP_HAVE_UTF8PROC
                                       "e\xcc\x81",
                                       "\xe6\xbc\xa2",
                                       "\xed\x95\x9c",
                                       "\xf0\x9f\x98\x80",
                                       "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
                                       "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
#endif
                                       "\xc3\x9f"};
#define ALPHABET (sizeof alphabet / sizeof alphabet[0])

typedef struct list {
    int items[ITEMS_MAX];
    int count;
} list;

typedef struct model {
    list line;
    int cursor;
    list kill;
    bool killing;
    char transcript[60000]; /* all that is above the line, as one would print it */
    size_t length;
    char prompt[40];
} model;

typedef struct run {
    uint64_t random;
    spx_editor *e;
    terminal *t;
    model m;
    char keys[2000];
    size_t key_count;
} run;

static unsigned pick(run *r, unsigned below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(r->random >> 33) % below;
}

/* ---- the model ---- */

static bool is_word(int item)
{
    return strcmp(alphabet[item], " ") != 0 && strcmp(alphabet[item], "/") != 0 &&
           strcmp(alphabet[item], "\xf0\x9f\x98\x80") != 0 &&
           strncmp(alphabet[item], "\xf0\x9f\x91\xa9", 4) != 0 &&
           strncmp(alphabet[item], "\xf0\x9f\x87\xa9", 4) != 0;
}

static bool is_blank(int item)
{
    return strcmp(alphabet[item], " ") == 0;
}

static void model_insert(model *m, const int *items, int count)
{
    if (m->line.count + count > ITEMS_MAX)
        return;
    memmove(m->line.items + m->cursor + count, m->line.items + m->cursor,
            (size_t)(m->line.count - m->cursor) * sizeof(int));
    memcpy(m->line.items + m->cursor, items, (size_t)count * sizeof(int));
    m->line.count += count;
    m->cursor += count;
}

static void model_delete(model *m, int from, int to)
{
    memmove(m->line.items + from, m->line.items + to, (size_t)(m->line.count - to) * sizeof(int));
    m->line.count -= to - from;
    m->cursor = m->cursor >= to ? m->cursor - (to - from) : m->cursor > from ? from : m->cursor;
}

static void model_kill(model *m, int from, int to, bool was_killing)
{
    int count = to - from;

    m->killing = true;
    if (count == 0)
        return;
    if (!was_killing || m->kill.count + count > ITEMS_MAX)
        m->kill.count = 0;
    if (from < m->cursor) {
        memmove(m->kill.items + count, m->kill.items, (size_t)m->kill.count * sizeof(int));
        memcpy(m->kill.items, m->line.items + from, (size_t)count * sizeof(int));
    } else {
        memcpy(m->kill.items + m->kill.count, m->line.items + from, (size_t)count * sizeof(int));
    }
    m->kill.count += count;
    model_delete(m, from, to);
}

static int model_left(const model *m, bool words)
{
    int at = m->cursor;

    while (at > 0 && (words ? !is_word(m->line.items[at - 1]) : is_blank(m->line.items[at - 1])))
        at--;
    while (at > 0 && (words ? is_word(m->line.items[at - 1]) : !is_blank(m->line.items[at - 1])))
        at--;
    return at;
}

static int model_right(const model *m)
{
    int at = m->cursor;

    while (at < m->line.count && !is_word(m->line.items[at]))
        at++;
    while (at < m->line.count && is_word(m->line.items[at]))
        at++;
    return at;
}

static void model_transpose(model *m)
{
    int middle = m->cursor;

    if (middle == m->line.count && middle > 0)
        middle--;
    if (middle == 0)
        return;
    int item = m->line.items[middle];
    m->line.items[middle] = m->line.items[middle - 1];
    m->line.items[middle - 1] = item;
    m->cursor = middle + 1;
}

static void model_print(model *m, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        assert_true(m->length + 2 < sizeof m->transcript);
        if (text[i] == '\n')
            m->transcript[m->length++] = '\r';
        m->transcript[m->length++] = text[i];
    }
}

static size_t model_text(const model *m, int from, int to, char *out)
{
    size_t length = 0;

    for (int i = from; i < to; i++) {
        const char *item = alphabet[m->line.items[i]];
        memcpy(out + length, item, strlen(item));
        length += strlen(item);
    }
    return length;
}

static void model_end_line(model *m)
{
    static char text[ITEMS_MAX * 16];

    model_print(m, m->prompt, strlen(m->prompt));
    model_print(m, text, model_text(m, 0, m->line.count, text));
    model_print(m, "\n", 1);
    m->line.count = 0;
    m->cursor = 0;
    m->killing = false;
    m->prompt[0] = '\0';
}

/* ---- steps: each is a key and what it does to the model ---- */

static void add_keys(run *r, const char *keys)
{
    size_t length = strlen(keys);

    assert_true(r->key_count + length < sizeof r->keys);
    memcpy(r->keys + r->key_count, keys, length);
    r->key_count += length;
}

static void step_insert(run *r)
{
    int items[8];
    int count = (int)pick(r, 8) + 1;

    if (r->m.line.count + count > ITEMS_MAX - 20)
        return;
    for (int i = 0; i < count; i++) {
        items[i] = (int)pick(r, ALPHABET);
        add_keys(r, alphabet[items[i]]);
    }
    model_insert(&r->m, items, count);
}

static void step_move(run *r)
{
    static const char *const keys[][2] = {{"\001", "\033[H"},     {"\005", "\033OF"},
                                          {"\002", "\033[D"},     {"\006", "\033OC"},
                                          {"\033b", "\033[1;5D"}, {"\033f", "\033[1;3C"}};
    model *m = &r->m;
    unsigned key = pick(r, 6);
    const int to[] = {0,
                      m->line.count,
                      m->cursor > 0 ? m->cursor - 1 : 0,
                      m->cursor < m->line.count ? m->cursor + 1 : m->cursor,
                      model_left(m, true),
                      model_right(m)};

    add_keys(r, keys[key][pick(r, 2)]);
    m->cursor = to[key];
}

static void step_delete(run *r)
{
    model *m = &r->m;

    if (pick(r, 2) == 0) {
        add_keys(r, pick(r, 2) == 0 ? "\177" : "\010");
        if (m->cursor > 0)
            model_delete(m, m->cursor - 1, m->cursor);
    } else {
        add_keys(r, "\033[3~");
        if (m->cursor < m->line.count)
            model_delete(m, m->cursor, m->cursor + 1);
    }
}

static void step_kill(run *r, bool was_killing)
{
    static const char *const keys[] = {"\013", "\025", "\027", "\033d", "\033\177"};
    model *m = &r->m;
    unsigned key = pick(r, 5);

    if (key < 2 && pick(r, 3) != 0)
        key = 2; /* lines shall grow */
    add_keys(r, keys[key]);
    const int from[] = {m->cursor, 0, model_left(m, false), m->cursor, model_left(m, true)};
    const int to[] = {m->line.count, m->cursor, m->cursor, model_right(m), m->cursor};
    model_kill(m, from[key], to[key], was_killing);
}

static void step(run *r)
{
    model *m = &r->m;
    bool was_killing = m->killing;
    unsigned what = pick(r, 20);

    m->killing = false;
    if (what < 8) {
        step_insert(r);
    } else if (what < 12) {
        step_move(r);
    } else if (what < 14) {
        step_delete(r);
    } else if (what < 16) {
        step_kill(r, was_killing);
    } else if (what < 18) {
        add_keys(r, "\024");
        model_transpose(m);
    } else if (m->line.count + m->kill.count < ITEMS_MAX - 20) {
        add_keys(r, "\031");
        model_insert(m, m->kill.items, m->kill.count);
    }
}

/* ---- what the two terminals show ---- */

static void draw(run *r)
{
    spb_span out = spx_editor_output(r->e);

    term_write(r->t, out.data, out.length);
    spx_editor_sent(r->e, out.length);
    assert_string_equal(r->t->error, "");
}

static void type(run *r)
{
    spx_event event;

    if (r->key_count == 0)
        return;
    assert_int_equal(spx_editor_input(r->e, r->keys, r->key_count, &event), r->key_count);
    assert_int_equal(event.type, SPX_EVENT_NONE);
    r->key_count = 0;
}

static void type_any(run *r)
{
    spx_event event;

    for (size_t at = 0; at < r->key_count;)
        at += spx_editor_input(r->e, r->keys + at, r->key_count - at, &event);
    r->key_count = 0;
}

static void check_line(const run *r)
{
    static char text[ITEMS_MAX * 16];
    size_t cursor;
    spb_span line = spx_editor_line(r->e, &cursor);
    size_t length = model_text(&r->m, 0, r->m.line.count, text);

    assert_int_equal(line.length, length);
    if (length > 0)
        assert_memory_equal(line.data, text, length);
    assert_int_equal(cursor, model_text(&r->m, 0, r->m.cursor, text));
}

static bool at_edge(const terminal *t, const char *next)
{
    uint32_t code = 0;
    terminal *probe;

    if (t->pending)
        return true;
    if (next == NULL || t->column + 1 < t->columns)
        return false;
    probe = term_new(20, 2); /* is the next one wide? */
    term_write(probe, next, strlen(next));
    code = (uint32_t)probe->column;
    free(probe);
    return code == 2;
}

/* A tall terminal that is sent everything, once. Its cursor is put where the line's belongs. */
static terminal *reference(const run *r)
{
    static char text[ITEMS_MAX * 16];
    const model *m = &r->m;
    terminal *t = term_new(r->t->columns, REFERENCE_ROWS);

    term_write(t, m->transcript, m->length);
    term_write(t, m->prompt, strlen(m->prompt));
    term_write(t, text, model_text(m, 0, m->cursor, text));
    int row = t->row;
    int column = t->column;
    if (at_edge(t, m->cursor < m->line.count ? alphabet[m->line.items[m->cursor]] : NULL)) {
        row++;
        column = 0;
    }
    term_write(t, text, model_text(m, m->cursor, m->line.count, text));
    assert_int_equal(t->scrolled, 0);
    t->row = row;
    t->column = column;
    return t;
}

static void compare(const run *r)
{
    terminal *ref = reference(r);
    char row[TERM_COLUMNS_MAX * TERM_CELL_MAX];
    /* A cursor behind a full row of the program's output may wait there. */
    bool waits = r->t->pending && r->m.line.count == 0;

    if (!waits)
        assert_int_equal(r->t->column, ref->column);
    for (int i = 0; i < r->t->rows; i++) {
        int other = ref->row + i - r->t->row - (waits ? 1 : 0);
        if (other < 0 || other >= REFERENCE_ROWS)
            continue;
        strcpy(row, term_row(r->t, i));
        if (strcmp(row, term_row(ref, other)) != 0)
            fail_msg("width %d, row %d: \"%s\" instead of \"%s\"", r->t->columns, i, row,
                     term_row(ref, other));
    }
    free(ref);
}

static void print(run *r, const char *text)
{
    assert_int_equal(spx_editor_write(r->e, text, strlen(text)), strlen(text));
    model_print(&r->m, text, strlen(text));
}

static void enter(run *r)
{
    static char text[ITEMS_MAX * 16];
    size_t length = model_text(&r->m, 0, r->m.line.count, text);
    spx_event event;

    assert_int_equal(spx_editor_input(r->e, "\r", 1, &event), 1);
    assert_int_equal(event.type, SPX_EVENT_LINE);
    assert_int_equal(event.text.length, length);
    assert_memory_equal(event.text.data, text, length);
    model_end_line(&r->m);
}

/* What the program does between keys. */
static void program(run *r)
{
    switch (pick(r, 24)) {
    case 0:
        print(r, "the program says something longer\n");
        break;
    case 1:
        if (pick(r, 3) == 0)
            print(r, "said\xe2\x80\xa6 ");
        break;
    case 2:
        snprintf(r->m.prompt, sizeof r->m.prompt, "[%u]$ ", pick(r, 1000));
        spx_editor_set_prompt(r->e, r->m.prompt, strlen(r->m.prompt));
        break;
    case 3:
        enter(r);
        break;
    case 4:
        spx_editor_hide(r->e);
        draw(r);
        spx_editor_show(r->e);
        break;
    default:
        break;
    }
}

static run *begin(uint64_t seed, uint32_t columns, uint32_t rows)
{
    const spx_config config = {.columns = columns, .rows = rows, .line_max = ITEMS_MAX * 16};
    run *r = calloc(1, sizeof *r);
    spb_env env;

    assert_non_null(r);
    r->random = seed;
    r->t = term_new((int)columns, (int)rows);
    spb_env_init(&env, NULL);
    assert_int_equal(spx_editor_new(&r->e, &env, &config), 0);
    return r;
}

static void finish(run *r)
{
    assert_int_equal(spx_editor_error(r->e), 0);
    spx_editor_free(r->e);
    free(r->t);
    free(r);
}

static void one_run(uint64_t seed, uint32_t columns, uint32_t rows, bool eager)
{
    run *r = begin(seed, columns, rows);

    r->t->eager = eager;
    for (int i = 0; i < ROUNDS && r->m.length < 2000; i++) {
        for (unsigned steps = pick(r, 4); steps > 0; steps--)
            step(r);
        type(r);
        program(r);
        draw(r);
        check_line(r);
        compare(r);
    }
    finish(r);
}

/* Under valgrind (tests/run says so) not each width has its turn. */
static uint32_t stride(uint32_t usual)
{
    return getenv("SALLYPORT_SLOW") == NULL ? usual : usual * 9;
}

static void every_width(void **state)
{
    (void)state;
    for (uint32_t columns = 5; columns <= 80; columns += stride(1))
        one_run(columns, columns, TERM_ROWS_MAX, false);
}

static void terminals_that_scroll(void **state)
{
    (void)state;
    for (uint32_t columns = 20; columns <= 80; columns += stride(3))
        one_run(1000 + columns, columns, 40, false);
}

static void terminals_that_wrap_at_once(void **state)
{
    (void)state;
    for (uint32_t columns = 5; columns <= 80; columns += stride(5))
        one_run(2000 + columns, columns, TERM_ROWS_MAX, true);
}

/* Lines higher than the screen: of the rows that are there, each is right. */
static void small_screens(void **state)
{
    (void)state;
    for (uint32_t columns = 5; columns <= 30; columns += stride(1)) {
        run *r = begin(3000 + columns, columns, 2 + columns % 5);
        for (int i = 0; i < ROUNDS; i++) {
            for (unsigned steps = pick(r, 4); steps > 0; steps--)
                step(r);
            type(r);
            if (pick(r, 30) == 0)
                enter(r);
            draw(r);
            check_line(r);
            if (r->m.length == 0)
                compare(r);
            r->m.length = 0; /* earlier lines are not looked at */
            if (r->m.line.count > 0)
                compare(r);
        }
        finish(r);
    }
}

/* Any bytes at all: nothing but text and sequences of the editor's own comes back. */
static void any_input(void **state)
{
    static const char *const pieces[] = {"\xcc\x81",
                                         "\xe2\x80\x8d",
                                         "\xf0\x9f\x91\xa9",
                                         "\xf0\x9f\x87\xa9",
                                         "e",
                                         "\xe6\xbc\xa2",
                                         "\xe2\x80\x8b",
                                         "\xef\xb8\x8f",
                                         "\xc2\x9b",
                                         "\xff",
                                         "\xe1\x84\x80",
                                         "\033[D",
                                         "\033[C",
                                         "\033b",
                                         "\177",
                                         "\024",
                                         "\033",
                                         "\033[",
                                         "\025",
                                         "\031",
                                         "\xe2\x80\xae",
                                         "\001",
                                         "\005",
                                         "\xd8\x80",
                                         "\t",
                                         "\xe0\xa4\x95",
                                         "\xe0\xa5\x8d",
                                         "\033]",
                                         "\a",
                                         "x",
                                         "\xf0\x9f\x8f\xbd",
                                         "\033P",
                                         "\004z",
                                         "\xc3",
                                         "\013"};

    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        run *r = begin(seed, 5 + (uint32_t)seed % 40, 30);
        const char *failed = "";
        for (int i = 0; i < 60; i++) {
            for (unsigned n = pick(r, 6); n > 0; n--)
                add_keys(r, pieces[pick(r, sizeof pieces / sizeof pieces[0])]);
            type_any(r);
            spb_span out = spx_editor_output(r->e);
            for (size_t j = 0; j < out.length; j++) {
                uint8_t byte = out.data[j];
                if (byte < 0x20 && byte != '\r' && byte != '\a' && byte != 0x1b)
                    failed = "a control was echoed";
                if (byte == 0x1b &&
                    (j + 1 == out.length || out.data[j + 1] != '[' ||
                     (strchr("ABCDJ", out.data[j + 2]) == NULL && out.data[j + 2] > '9')))
                    failed = "a sequence was echoed";
            }
            if (!spb_utf8_valid(out.data, out.length))
                failed = "what was echoed is not UTF-8";
            assert_string_equal(failed, "");
            spx_editor_sent(r->e, out.length);
        }
        finish(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width),
        cmocka_unit_test(terminals_that_scroll),
        cmocka_unit_test(terminals_that_wrap_at_once),
        cmocka_unit_test(small_screens),
        cmocka_unit_test(any_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
