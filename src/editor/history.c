/* The lines that were, oldest first, bounded in number and in bytes; and walking through them while
 * the line itself waits. Secret lines neither enter nor see them. */
#include "editor/editor_internal.h"
#include <string.h>

static void drop(spx_editor *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e->entry_bytes -= e->entries[i].length;
        spb_free_secret(&e->env, e->entries[i].text, e->entries[i].length);
    }
    e->entry_count -= count;
    if (count > 0 && e->entry_count > 0)
        memmove(e->entries, e->entries + count, e->entry_count * sizeof *e->entries);
}

static bool is_last(const spx_editor *e, const uint8_t *line, size_t length)
{
    if (e->entry_count == 0)
        return false;
    const spx_entry *last = &e->entries[e->entry_count - 1];
    return last->length == length && memcmp(last->text, line, length) == 0;
}

static bool make_room(spx_editor *e, size_t length)
{
    size_t count = 0;
    size_t bytes = e->entry_bytes;

    while (bytes > e->history_bytes_max - length)
        bytes -= e->entries[count++].length;
    if (count == 0 && e->entry_count == e->history_count_max)
        count = 1;
    drop(e, count);
    if (e->entry_count < e->entry_capacity)
        return true;
    size_t capacity = e->entry_capacity == 0 ? 16 : e->entry_capacity * 2;
    if (capacity > e->history_count_max)
        capacity = e->history_count_max;
    spx_entry *entries = spb_realloc(&e->env, e->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    e->entries = entries;
    e->entry_capacity = capacity;
    return true;
}

static int add(spx_editor *e, const uint8_t *line, size_t length)
{
    if (e->history_count_max == 0 || length == 0 || length > e->history_bytes_max ||
        is_last(e, line, length))
        return 0;
    uint8_t *copy = spb_memdup(&e->env, line, length);
    if (copy == NULL || !make_room(e, length)) {
        if (copy != NULL)
            spb_free_secret(&e->env, copy, length);
        e->failed = true;
        return SP_ENOMEM;
    }
    e->entries[e->entry_count++] = (spx_entry){copy, length};
    e->entry_bytes += length;
    return 0;
}

void spx_history_enter(spx_editor *e)
{
    if (!e->secret)
        (void)add(e, e->text.data, e->text.length);
}

static bool is_clean(const uint8_t *line, size_t length)
{
    size_t at = 0;
    uint32_t code;

    if (!spb_utf8_valid(line, length))
        return false;
    while (at < length) {
        at += spx_decode(line + at, length - at, &code);
        if (!spx_allowed(code) && code != '\t')
            return false;
    }
    return true;
}

int spx_editor_history_add(spx_editor *e, const void *line, size_t length)
{
    if (length > e->line_max)
        return SP_EINVAL;
    if (!is_clean(line, length))
        return SP_EFORMAT;
    /* Entries may move or go: the walk and the search among them end. */
    spx_search_abort(e);
    int result = add(e, line, length);
    e->walk = e->entry_count;
    return result;
}

size_t spx_editor_history_count(const spx_editor *e)
{
    return e->entry_count;
}

spb_span spx_editor_history_get(const spx_editor *e, size_t index)
{
    if (index >= e->entry_count)
        return (spb_span){NULL, 0};
    return (spb_span){e->entries[index].text, e->entries[index].length};
}

void spx_editor_history_clear(spx_editor *e)
{
    spx_search_abort(e);
    drop(e, e->entry_count);
    spb_free(&e->env, e->entries);
    e->entries = NULL;
    e->entry_capacity = 0;
    e->walk = 0;
}

static void walk_to(spx_editor *e, size_t index)
{
    if (e->secret || index == e->walk) {
        e->bell = true;
        return;
    }
    if (e->walk == e->entry_count) {
        spx_wipe(&e->stash);
        if (!spx_append(e, &e->stash, e->text.data, e->text.length))
            return;
    }
    e->walk = index;
    if (index < e->entry_count)
        spx_line_set(e, e->entries[index].text, e->entries[index].length);
    else
        spx_line_set(e, e->stash.data, e->stash.length);
}

void spx_history_older(spx_editor *e)
{
    walk_to(e, e->walk > 0 ? e->walk - 1 : 0);
}

void spx_history_newer(spx_editor *e)
{
    walk_to(e, e->walk < e->entry_count ? e->walk + 1 : e->entry_count);
}

void spx_history_oldest(spx_editor *e)
{
    walk_to(e, 0);
}

void spx_history_newest(spx_editor *e)
{
    walk_to(e, e->entry_count);
}
