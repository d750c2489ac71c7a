/* Fuzzes the line editor: the input is a script of keys, program output, and changes of size and
 * mode. What must hold whatever comes: a line is UTF-8 without controls and within its maximum, the
 * cursor stands in it, what goes to the terminal is UTF-8 and has no controls but the editor's own,
 * secret lines are in no history, and all memory comes back. */
#include "editor/editor.h"
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 200

typedef struct script {
    const uint8_t *at;
    size_t left;
} script;

typedef struct memory {
    size_t live;
} memory;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void *count_alloc(void *ctx, size_t size)
{
    ((memory *)ctx)->live++;
    return malloc(size);
}

static void *count_realloc(void *ctx, void *ptr, size_t size)
{
    ((memory *)ctx)->live += ptr == NULL;
    return realloc(ptr, size);
}

static void count_free(void *ctx, void *ptr)
{
    ((memory *)ctx)->live--;
    free(ptr);
}

static uint8_t next_byte(script *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static spb_span next_bytes(script *in)
{
    size_t length = next_byte(in);

    if (length > in->left)
        length = in->left;
    spb_span s = {in->at, length};
    in->at += length;
    in->left -= length;
    return s;
}

static void check_text(spb_span text)
{
    must(text.length <= LINE_MAX_BYTES);
    must(spb_utf8_valid(text.data, text.length));
    for (size_t i = 0; i < text.length; i++)
        must((text.data[i] >= 0x20 && text.data[i] != 0x7f) || text.data[i] == '\t');
}

static void check_output(spb_span out)
{
    must(spb_utf8_valid(out.data, out.length));
    for (size_t i = 0; i < out.length; i++) {
        uint8_t byte = out.data[i];
        must(byte >= 0x20 || byte == '\r' || byte == '\n' || byte == '\a' || byte == 0x1b);
        must(byte != 0x7f);
        if (byte != 0x1b)
            continue;
        must(i + 2 < out.length && out.data[i + 1] == '[');
        for (i += 2; i < out.length && out.data[i] < 0x40; i++)
            must(out.data[i] >= '0' && out.data[i] <= '9');
        must(i < out.length && strchr("ABCDHJ", out.data[i]) != NULL);
    }
}

static void draw(spx_editor *e, bool checked)
{
    spb_span out = spx_editor_output(e);

    if (checked)
        check_output(out);
    spx_editor_sent(e, out.length);
    size_t cursor;
    spb_span line = spx_editor_line(e, &cursor);
    check_text(line);
    must(cursor <= line.length);
}

static void type(spx_editor *e, script *in)
{
    spb_span keys = next_bytes(in);
    uint8_t *exact = malloc(keys.length > 0 ? keys.length : 1);
    size_t at = 0;
    spx_event event;

    must(exact != NULL);
    if (keys.length > 0)
        memcpy(exact, keys.data, keys.length);
    while (at < keys.length) {
        size_t taken = spx_editor_input(e, exact + at, keys.length - at, &event);
        size_t before = spx_editor_history_count(e);
        must(taken > 0 && taken <= keys.length - at);
        at += taken;
        if (event.type == SPX_EVENT_LINE) {
            check_text(event.text);
            must(event.text.data[event.text.length] == '\0');
        } else if (event.type == SPX_EVENT_NONE) {
            must(at == keys.length);
        }
        must(!event.secret || spx_editor_history_count(e) == before);
    }
    free(exact);
}

/* Printable, so that all else in the output is the editor's. */
static void print(spx_editor *e, script *in)
{
    spb_span text = next_bytes(in);
    char plain[256];

    for (size_t i = 0; i < text.length; i++)
        plain[i] = text.data[i] % 16 == 0 ? '\n' : (char)(' ' + text.data[i] % 90);
    must(spx_editor_write(e, plain, text.length) == text.length);
}

static void step(spx_editor *e, script *in, bool *checked)
{
    uint8_t what = next_byte(in);
    spb_span s;
    spx_event event;

    switch (what % 16) {
    case 0:
        print(e, in);
        break;
    case 1: /* output and prompts of any bytes: from here on the checks can't tell whose they are */
        s = next_bytes(in);
        (void)spx_editor_write(e, s.data, s.length);
        *checked = false;
        break;
    case 2:
        s = next_bytes(in);
        spx_editor_set_prompt(e, s.data, s.length);
        *checked = false;
        break;
    case 3:
        spx_editor_set_echo(e, (spx_echo)(next_byte(in) % 3));
        break;
    case 4:
        spx_editor_set_raw(e, next_byte(in) & 1);
        break;
    case 5:
        spx_editor_set_size(e, next_byte(in), next_byte(in));
        break;
    case 6:
        spx_editor_hide(e);
        break;
    case 7:
        spx_editor_show(e);
        break;
    case 8:
        s = next_bytes(in);
        spx_editor_insert(e, s.data, s.length);
        break;
    case 9:
        s = next_bytes(in);
        (void)spx_editor_history_add(e, s.data, s.length);
        break;
    case 10:
        if (what & 16)
            spx_editor_history_clear(e);
        else
            spx_editor_clear_line(e);
        break;
    case 11:
        spx_editor_input_end(e, &event);
        break;
    default:
        type(e, in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory m = {0};
    sp_allocator allocator = {&m, count_alloc, count_realloc, count_free};
    script in = {data, size};
    bool checked = true;
    spb_env env;
    spx_editor *e;

    spb_env_init(&env, &allocator);
    const spx_config config = {.columns = next_byte(&in),
                               .rows = next_byte(&in) % 40,
                               .line_max = LINE_MAX_BYTES,
                               .history_count = next_byte(&in) % 8,
                               .history_bytes = 400,
                               .tab = (spx_tab)(next_byte(&in) % 3)};
    must(spx_editor_new(&e, &env, &config) == 0);
    while (in.left > 0) {
        step(e, &in, &checked);
        if (next_byte(&in) % 4 != 0)
            draw(e, checked);
    }
    draw(e, checked);
    must(spx_editor_error(e) == 0);
    for (size_t i = 0; i < spx_editor_history_count(e); i++)
        check_text(spx_editor_history_get(e, i));
    spx_editor_free(e);
    must(m.live == 0);
    return 0;
}
