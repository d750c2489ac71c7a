/* Incremental search, newest line first (^R): each character typed narrows what is looked for, ^R
 * again looks further, ^G gives it up, and any other key takes what was found and then does its
 * own. */
#include "editor/editor_internal.h"
#include <string.h>

#define CTRL(letter) ((letter)&0x1f)

/* The last place in the entry, before or at `limit`, where the pattern starts. */
static bool find_last(const spx_editor *e, const spx_entry *entry, size_t limit, size_t *at)
{
    if (entry->length < e->pattern_length)
        return false;
    if (limit > entry->length - e->pattern_length)
        limit = entry->length - e->pattern_length;
    for (size_t i = limit + 1; i > 0; i--) {
        if (entry->text[i - 1] == e->pattern[0] &&
            memcmp(entry->text + i - 1, e->pattern, e->pattern_length) == 0) {
            *at = i - 1;
            return true;
        }
    }
    return false;
}

/* Looks from entry `from`, place `limit`, towards the oldest. What was found before stays if there
 * is nothing. */
static void look(spx_editor *e, size_t from, size_t limit)
{
    size_t at;

    e->search_failed = false;
    if (e->pattern_length == 0)
        return;
    for (size_t i = from; i > 0; i--) {
        if (find_last(e, &e->entries[i - 1], limit, &at)) {
            e->found = i - 1;
            e->found_at = at;
            return;
        }
        limit = SIZE_MAX;
    }
    e->search_failed = true;
    e->bell = true;
}

static void look_again(spx_editor *e)
{
    if (e->found == e->entry_count)
        look(e, e->entry_count, SIZE_MAX);
    else
        look(e, e->found + 1, e->found_at);
}

static void look_further(spx_editor *e)
{
    if (e->found == e->entry_count || e->search_failed)
        e->bell = true;
    else if (e->found_at > 0)
        look(e, e->found + 1, e->found_at - 1);
    else
        look(e, e->found, SIZE_MAX);
}

static void stop(spx_editor *e)
{
    e->searching = false;
    sp_zero(e->pattern, sizeof e->pattern);
    e->pattern_length = 0;
}

void spx_search_begin(spx_editor *e)
{
    if (e->secret || e->echo != SPX_ECHO_NORMAL) {
        e->bell = true;
        return;
    }
    e->searching = true;
    e->search_failed = false;
    e->pattern_length = 0;
    e->found = e->entry_count;
    e->found_at = 0;
}

void spx_search_accept(spx_editor *e)
{
    if (!e->searching)
        return;
    if (e->found < e->entry_count) {
        const spx_entry *entry = &e->entries[e->found];
        spx_line_set(e, entry->text, entry->length);
        e->cursor = e->found_at < e->text.length ? e->found_at : e->text.length;
        spx_line_snap(e);
    }
    stop(e);
}

void spx_search_abort(spx_editor *e)
{
    if (e->searching)
        stop(e);
}

static void add_code(spx_editor *e, uint32_t code)
{
    uint8_t bytes[4];
    size_t length = spx_encode(code, bytes);

    if (!spx_allowed(code) || length > sizeof e->pattern - e->pattern_length) {
        e->bell = true;
        return;
    }
    memcpy(e->pattern + e->pattern_length, bytes, length);
    e->pattern_length += length;
    if (e->search_failed)
        e->bell = true; /* more of what isn't there isn't there */
    else
        look_again(e);
}

static void remove_code(spx_editor *e)
{
    if (e->pattern_length == 0) {
        e->bell = true;
        return;
    }
    e->pattern_length = spx_cluster_before(e->pattern, e->pattern_length, e->pattern_length);
    e->found = e->entry_count;
    look(e, e->entry_count, SIZE_MAX);
}

bool spx_search_key(spx_editor *e, const spx_unit *unit)
{
    if (unit->type == SPX_UNIT_NONE)
        return true;
    if (unit->type == SPX_UNIT_CODE) {
        add_code(e, unit->code);
        return true;
    }
    if (unit->type == SPX_UNIT_CONTROL) {
        switch (unit->code) {
        case CTRL('R'):
            look_further(e);
            return true;
        case CTRL('H'):
        case 0x7f:
            remove_code(e);
            return true;
        case CTRL('G'):
            e->bell = true;
            spx_search_abort(e);
            return true;
        case CTRL('C'):
            spx_search_abort(e);
            return false;
        default:
            break;
        }
    }
    spx_search_accept(e);
    return false;
}

void spx_search_prompt(spx_editor *e, spb_buffer *out)
{
    static const char failed[] = "(failed reverse-i-search)`";
    static const char found[] = "(reverse-i-search)`";

    if (e->search_failed)
        (void)spx_append(e, out, failed, sizeof failed - 1);
    else
        (void)spx_append(e, out, found, sizeof found - 1);
    (void)spx_append(e, out, e->pattern, e->pattern_length);
    (void)spx_append(e, out, "': ", 3);
}

spb_span spx_search_shown(const spx_editor *e, size_t *cursor)
{
    if (e->found == e->entry_count) {
        *cursor = e->cursor;
        return (spb_span){e->text.data, e->text.length};
    }
    const spx_entry *entry = &e->entries[e->found];
    *cursor = spx_cluster_snap(entry->text, entry->length, e->found_at);
    return (spb_span){entry->text, entry->length};
}
