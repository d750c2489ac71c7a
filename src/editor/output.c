/* The program's output. It passes unchanged but for ends of lines; what is noted is where it leaves
 * the cursor, and the text of its last line, which stands in front of the line being edited. */
#include "editor/editor_internal.h"
#include <string.h>

#define TAB_WIDTH 8u

void spx_tail_forget(spx_editor *e)
{
    spx_wipe(&e->tail);
    e->tail_known = true;
    e->column = 0;
}

void spx_tail_lose(spx_editor *e, uint32_t column)
{
    spx_wipe(&e->tail);
    e->tail_known = column == 0;
    e->column = column;
}

static void keep(spx_editor *e, const void *data, size_t length)
{
    if (!e->tail_known)
        return;
    if (length > SPX_PROMPT_MAX - e->tail.length || !spx_append(e, &e->tail, data, length))
        spx_tail_lose(e, e->column);
}

static void note_code(spx_editor *e, uint32_t code)
{
    uint8_t bytes[4];
    unsigned width = spx_code_width(code);

    if (code >= 0x80 && code < 0xa0) { /* C1 controls */
        spx_tail_lose(e, e->column);
        return;
    }
    e->column = e->column + width > e->columns ? width : e->column + width;
    keep(e, bytes, spx_encode(code, bytes));
}

static void note_control(spx_editor *e, uint32_t code)
{
    switch (code) {
    case '\n':
        spx_tail_lose(e, e->raw ? e->column : 0);
        break;
    case '\r':
        spx_tail_lose(e, 0);
        break;
    case '\b':
        spx_tail_lose(e, e->column > 0 ? e->column - 1 : 0);
        break;
    case '\t': {
        uint32_t stop = (e->column / TAB_WIDTH + 1) * TAB_WIDTH;
        spx_tail_lose(e, stop < e->columns ? stop : e->columns - 1);
        break;
    }
    default:
        break;
    }
}

static void go_to_column(spx_editor *e, unsigned column)
{
    spx_tail_lose(e, column < e->columns ? column : e->columns - 1);
}

static void note_csi(spx_editor *e, uint32_t code)
{
    static const uint8_t start[] = {0x1b, '['};
    static const uint8_t end[] = {'m'};
    unsigned first;
    unsigned second;

    if (!spx_decoder_number(&e->output, 0, 0, &first) ||
        !spx_decoder_number(&e->output, 1, 0, &second))
        return; /* modes and reports: the cursor stays */
    switch (code) {
    case 'm':
        keep(e, start, sizeof start);
        keep(e, e->output.sequence, e->output.sequence_length);
        keep(e, end, sizeof end);
        break;
    case 'G':
        go_to_column(e, first > 0 ? first - 1 : 0);
        break;
    case 'H':
    case 'f':
        go_to_column(e, second > 0 ? second - 1 : 0);
        break;
    case 'C':
        go_to_column(e, e->column + (first > 0 ? first : 1));
        break;
    case 'D':
        first = first > 0 ? first : 1;
        go_to_column(e, e->column > first ? e->column - first : 0);
        break;
    case 'J':
    case 'K':
        if (first != 0) /* not only what is behind the cursor */
            spx_tail_lose(e, e->column);
        break;
    case 'n':
    case 'c':
        break;
    default:
        spx_tail_lose(e, e->column);
        break;
    }
}

static void note(spx_editor *e, const spx_unit *unit)
{
    switch (unit->type) {
    case SPX_UNIT_CODE:
        note_code(e, unit->code);
        break;
    case SPX_UNIT_CONTROL:
        note_control(e, unit->code);
        break;
    case SPX_UNIT_CSI:
        note_csi(e, unit->code);
        break;
    case SPX_UNIT_ESCAPE:
    case SPX_UNIT_SS3:
        spx_tail_lose(e, e->column);
        break;
    case SPX_UNIT_NONE:
        break;
    }
}

size_t spx_editor_write(spx_editor *e, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    size_t taken = 0;
    spx_unit unit;

    if (length == 0)
        return 0;
    spx_view_erase(e);
    for (; taken < length && e->out.length < SPX_OUTPUT_MAX; taken++) {
        bool put = bytes[taken] == '\n' && !e->raw ? spx_append(e, &e->out, "\r\n", 2)
                                                   : spx_append(e, &e->out, bytes + taken, 1);
        if (!put)
            break;
        while (!spx_decoder_take(&e->output, bytes[taken], &unit))
            note(e, &unit);
        note(e, &unit);
    }
    return taken;
}

/* ---- the prompt ---- */

static bool is_style(const spx_decoder *d, const spx_unit *unit)
{
    if (unit->type != SPX_UNIT_CSI || unit->code != 'm')
        return false;
    for (size_t i = 0; i < d->sequence_length; i++)
        if ((d->sequence[i] < '0' || d->sequence[i] > '9') && d->sequence[i] != ';' &&
            d->sequence[i] != ':')
            return false;
    return true;
}

/* One piece of the prompt: all of it, or nothing. */
static bool add_unit(spx_editor *e, const spx_decoder *d, const spx_unit *unit, bool *styled)
{
    uint8_t bytes[SPX_SEQUENCE_MAX + 3];
    size_t length = 0;

    if (unit->type == SPX_UNIT_CODE && spx_allowed(unit->code)) {
        length = spx_encode(unit->code, bytes);
    } else if (is_style(d, unit)) {
        bytes[0] = 0x1b;
        bytes[1] = '[';
        memcpy(bytes + 2, d->sequence, d->sequence_length);
        bytes[2 + d->sequence_length] = 'm';
        length = d->sequence_length + 3;
        *styled = true;
    }
    if (length > SPX_PROMPT_MAX - e->prompt.length)
        return false;
    return length == 0 || spx_append(e, &e->prompt, bytes, length);
}

static size_t behind_last_line(const uint8_t *text, size_t length)
{
    while (length > 0 && text[length - 1] != '\n')
        length--;
    return length;
}

void spx_editor_set_prompt(spx_editor *e, const void *prompt, size_t length)
{
    static const uint8_t plain[] = {0x1b, '[', '0', 'm'};
    const uint8_t *text = prompt;
    size_t start = behind_last_line(text, length);
    spx_decoder d = {.state = SPX_DECODE_GROUND};
    bool styled = false;
    bool room = true;
    spx_unit unit;

    (void)spx_editor_write(e, text, start);
    spx_wipe(&e->prompt);
    for (size_t i = start; room && i < length; i++) {
        while (room && !spx_decoder_take(&d, text[i], &unit))
            room = add_unit(e, &d, &unit, &styled);
        room = room && add_unit(e, &d, &unit, &styled);
    }
    if (styled)
        (void)spx_append(e, &e->prompt, plain, sizeof plain);
}
