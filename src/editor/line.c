/* The line's text and cursor: insertion, deletion, moves, cut and paste. The cursor stands between
 * clusters, except amid text that is being typed: a part of a joined emoji may meet another that
 * stands behind it, and is to part from it again. Bytes that leave the line are wiped. */
#include "editor/editor_internal.h"
#include <string.h>

bool spx_append(spx_editor *e, spb_buffer *b, const void *data, size_t length)
{
    spw_bytes(b, data, length);
    if (spw_ok(b))
        return true;
    b->failed = false;
    e->failed = true;
    return false;
}

void spx_wipe(spb_buffer *b)
{
    spb_buffer_clear(b);
    b->failed = false;
}

void spx_line_snap(spx_editor *e)
{
    e->cursor = spx_cluster_snap(e->text.data, e->text.length, e->cursor);
}

bool spx_line_insert(spx_editor *e, const uint8_t *text, size_t length)
{
    size_t behind = e->text.length - e->cursor;

    if (length == 0)
        return true;
    if (length > e->line_max - e->text.length) {
        e->bell = true;
        return false;
    }
    uint8_t *room = spb_buffer_reserve(&e->text, length + 1); /* a NUL comes behind it at last */
    if (room == NULL) {
        e->text.failed = false;
        e->failed = true;
        e->bell = true;
        return false;
    }
    uint8_t *at = e->text.data + e->cursor;
    memmove(at + length, at, behind);
    memcpy(at, text, length);
    e->text.length += length;
    e->cursor += length;
    return true;
}

void spx_line_insert_code(spx_editor *e, uint32_t code)
{
    uint8_t bytes[4];

    if (spx_allowed(code))
        (void)spx_line_insert(e, bytes, spx_encode(code, bytes));
}

void spx_line_delete(spx_editor *e, size_t from, size_t to)
{
    if (from >= to)
        return;
    memmove(e->text.data + from, e->text.data + to, e->text.length - to);
    e->text.length -= to - from;
    sp_zero(e->text.data + e->text.length, to - from);
    if (e->cursor >= to)
        e->cursor -= to - from;
    else if (e->cursor > from)
        e->cursor = from;
    spx_line_snap(e);
}

/* Puts what is cut into the kill buffer; cuts in a row join, in the text's order. */
static void keep(spx_editor *e, size_t from, size_t to)
{
    size_t length = to - from;
    const uint8_t *cut = e->text.data + from;
    size_t before = e->kill.length;

    if (!e->killing || e->kill_secret != e->secret || length > e->line_max - before) {
        spx_wipe(&e->kill);
        before = 0;
    }
    e->kill_secret = e->secret;
    if (!spx_append(e, &e->kill, cut, length) || before == 0 || from >= e->cursor)
        return;
    memmove(e->kill.data + length, e->kill.data, before); /* cut leftwards: goes in front */
    memcpy(e->kill.data, cut, length);
}

void spx_line_kill(spx_editor *e, size_t from, size_t to)
{
    if (from < to) {
        keep(e, from, to);
        spx_line_delete(e, from, to);
    }
    e->killed = true;
}

void spx_line_yank(spx_editor *e)
{
    if (e->kill.length == 0 || (e->kill_secret && !e->secret))
        e->bell = true;
    else
        (void)spx_line_insert(e, e->kill.data, e->kill.length);
}

static void reverse(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length / 2; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[length - 1 - i];
        bytes[length - 1 - i] = byte;
    }
}

void spx_line_transpose(spx_editor *e)
{
    size_t middle = e->cursor;

    if (middle == e->text.length && middle > 0)
        middle = spx_line_left(e);
    if (middle == 0) {
        e->bell = true;
        return;
    }
    size_t start = spx_cluster_before(e->text.data, e->text.length, middle);
    size_t end = spx_cluster_end(e->text.data, e->text.length, middle);
    reverse(e->text.data + start, middle - start);
    reverse(e->text.data + middle, end - middle);
    reverse(e->text.data + start, end - start);
    e->cursor = end;
    spx_line_snap(e);
}

void spx_line_set(spx_editor *e, const uint8_t *text, size_t length)
{
    spx_wipe(&e->text);
    e->cursor = 0;
    (void)spx_line_insert(e, text, length);
}

size_t spx_line_left(const spx_editor *e)
{
    return e->cursor == 0 ? 0 : spx_cluster_before(e->text.data, e->text.length, e->cursor);
}

size_t spx_line_right(const spx_editor *e)
{
    return e->cursor == e->text.length ? e->cursor
                                       : spx_cluster_end(e->text.data, e->text.length, e->cursor);
}

static bool is_word_at(const spx_editor *e, size_t at)
{
    uint32_t code;

    (void)spx_decode(e->text.data + at, e->text.length - at, &code);
    return spx_is_word(code);
}

static bool is_blank_at(const spx_editor *e, size_t at)
{
    uint32_t code;

    (void)spx_decode(e->text.data + at, e->text.length - at, &code);
    return spx_is_space(code);
}

/* Left over what doesn't match, then over what does: where the last run of clusters that match
 * starts. Found from the left, since each step to the left may have to look back to the start of a
 * line that is made for it. */
static size_t run_left(const spx_editor *e, bool (*matches)(const spx_editor *, size_t), bool sense)
{
    size_t start = 0;
    bool inside = false;

    for (size_t at = 0; at < e->cursor; at = spx_cluster_end(e->text.data, e->text.length, at)) {
        bool match = matches(e, at) == sense;
        if (match && !inside)
            start = at;
        inside = match;
    }
    return start;
}

size_t spx_line_word_left(const spx_editor *e)
{
    return run_left(e, is_word_at, true);
}

size_t spx_line_blank_left(const spx_editor *e)
{
    return run_left(e, is_blank_at, false);
}

size_t spx_line_word_right(const spx_editor *e)
{
    size_t at = e->cursor;
    bool inside = false;

    while (at < e->text.length) {
        bool match = is_word_at(e, at);
        if (inside && !match)
            break;
        inside = match;
        at = spx_cluster_end(e->text.data, e->text.length, at);
    }
    return at;
}

void spx_line_reset(spx_editor *e)
{
    spx_wipe(&e->text);
    spx_wipe(&e->stash);
    spx_wipe(&e->prompt);
    e->cursor = 0;
    e->killing = false;
    if (e->kill_secret) {
        spx_wipe(&e->kill);
        e->kill_secret = false;
    }
    e->secret = e->echo != SPX_ECHO_NORMAL;
    e->walk = e->entry_count;
    e->searching = false;
    sp_zero(e->pattern, sizeof e->pattern);
    e->pattern_length = 0;
    e->top = 0;
}
