/* Which key does what: the control characters and Alt letters of emacs, and the sequences that
 * VT100, VT220, xterm, rxvt and the consoles send for the keys that have no character. */
#include "editor/editor_internal.h"

#define CTRL(letter) ((letter)&0x1f)

typedef void (*key_action)(spx_editor *e);

static void to_start(spx_editor *e)
{
    e->cursor = 0;
}

static void to_end(spx_editor *e)
{
    e->cursor = e->text.length;
}

static void left(spx_editor *e)
{
    e->cursor = spx_line_left(e);
}

static void right(spx_editor *e)
{
    e->cursor = spx_line_right(e);
}

static void word_left(spx_editor *e)
{
    e->cursor = spx_line_word_left(e);
}

static void word_right(spx_editor *e)
{
    e->cursor = spx_line_word_right(e);
}

static void delete_left(spx_editor *e)
{
    if (e->cursor == 0)
        e->bell = true;
    spx_line_delete(e, spx_line_left(e), e->cursor);
}

static void delete_right(spx_editor *e)
{
    if (e->cursor == e->text.length)
        e->bell = true;
    spx_line_delete(e, e->cursor, spx_line_right(e));
}

static void delete_or_end(spx_editor *e)
{
    if (e->text.length == 0)
        e->event = SPX_EVENT_EOF;
    else
        delete_right(e);
}

static void kill_to_end(spx_editor *e)
{
    spx_line_kill(e, e->cursor, e->text.length);
}

static void kill_to_start(spx_editor *e)
{
    spx_line_kill(e, 0, e->cursor);
}

static void kill_blank_left(spx_editor *e)
{
    spx_line_kill(e, spx_line_blank_left(e), e->cursor);
}

static void kill_word_left(spx_editor *e)
{
    spx_line_kill(e, spx_line_word_left(e), e->cursor);
}

static void kill_word_right(spx_editor *e)
{
    spx_line_kill(e, e->cursor, spx_line_word_right(e));
}

static void enter(spx_editor *e)
{
    e->event = SPX_EVENT_LINE;
}

static void interrupt(spx_editor *e)
{
    e->event = SPX_EVENT_INTERRUPT;
}

static void tab(spx_editor *e)
{
    static const uint8_t character[] = {'\t'};

    if (e->tab == SPX_TAB_INSERTED)
        (void)spx_line_insert(e, character, 1);
    else if (e->tab == SPX_TAB_EVENT)
        e->event = SPX_EVENT_TAB;
}

static const key_action control_keys[0x20] = {
    [CTRL('A')] = to_start,
    [CTRL('B')] = left,
    [CTRL('C')] = interrupt,
    [CTRL('D')] = delete_or_end,
    [CTRL('E')] = to_end,
    [CTRL('F')] = right,
    [CTRL('H')] = delete_left,
    [CTRL('I')] = tab,
    [CTRL('J')] = enter,
    [CTRL('K')] = kill_to_end,
    [CTRL('L')] = spx_view_clear,
    [CTRL('M')] = enter,
    [CTRL('N')] = spx_history_newer,
    [CTRL('P')] = spx_history_older,
    [CTRL('R')] = spx_search_begin,
    [CTRL('T')] = spx_line_transpose,
    [CTRL('U')] = kill_to_start,
    [CTRL('W')] = kill_blank_left,
    [CTRL('Y')] = spx_line_yank,
};

static key_action alt_key(uint32_t code)
{
    switch (code) {
    case 'b':
    case 'B':
        return word_left;
    case 'f':
    case 'F':
        return word_right;
    case 'd':
    case 'D':
        return kill_word_right;
    case '\b':
    case 0x7f:
        return kill_word_left;
    case '<':
        return spx_history_oldest;
    case '>':
        return spx_history_newest;
    default:
        return NULL;
    }
}

/* The last letter of CSI and SS3 sequences. With Ctrl or Alt the arrows go by words. */
static key_action letter_key(uint32_t code, bool modified)
{
    switch (code) {
    case 'A':
        return spx_history_older;
    case 'B':
        return spx_history_newer;
    case 'C':
        return modified ? word_right : right;
    case 'D':
        return modified ? word_left : left;
    case 'c': /* rxvt, with Ctrl */
        return word_right;
    case 'd':
        return word_left;
    case 'H':
        return to_start;
    case 'F':
        return to_end;
    case 'M': /* the keypad's Enter in application mode */
        return enter;
    default:
        return NULL;
    }
}

static key_action number_key(unsigned number, bool modified)
{
    switch (number) {
    case 1:
    case 7:
        return to_start;
    case 4:
    case 8:
        return to_end;
    case 3:
        return modified ? kill_word_right : delete_right;
    default:
        return NULL;
    }
}

static key_action csi_key(const spx_editor *e, uint32_t code)
{
    unsigned number;
    unsigned modifier;

    if (!spx_decoder_number(&e->input, 0, 1, &number) ||
        !spx_decoder_number(&e->input, 1, 1, &modifier))
        return NULL;
    /* xterm: 1 and the sum of Shift 1, Alt 2, Ctrl 4. */
    bool modified = modifier > 2;
    if (code == '~')
        return number_key(number, modified);
    return code == 'M' ? NULL : letter_key(code, modified);
}

static key_action action_for(const spx_editor *e, const spx_unit *unit)
{
    switch (unit->type) {
    case SPX_UNIT_CONTROL:
        return unit->code == 0x7f ? delete_left : control_keys[unit->code];
    case SPX_UNIT_ESCAPE:
        return alt_key(unit->code);
    case SPX_UNIT_SS3:
        return letter_key(unit->code, false);
    case SPX_UNIT_CSI:
        return csi_key(e, unit->code);
    case SPX_UNIT_NONE:
    case SPX_UNIT_CODE:
        break;
    }
    return NULL;
}

void spx_key(spx_editor *e, const spx_unit *unit)
{
    if (unit->type == SPX_UNIT_NONE)
        return;
    if (e->searching && spx_search_key(e, unit))
        return;
    e->killed = false;
    if (unit->type == SPX_UNIT_CODE) {
        spx_line_insert_code(e, unit->code);
    } else {
        key_action action = action_for(e, unit);
        spx_line_snap(e);
        if (action != NULL)
            action(e);
    }
    e->killing = e->killed;
}
