/* Lays a line out on the terminal's columns: each cluster is a cell with a row and a column. Cells
 * that do not fit the rest of a row go to the next one; a wide one leaves the last column free. */
#include "editor/editor_internal.h"
#include <string.h>

void spx_frame_init(spx_frame *f, const spb_env *env, size_t limit)
{
    memset(f, 0, sizeof *f);
    spb_buffer_init(&f->bytes, env, limit);
    spb_buffer_init(&f->cells, env, limit * sizeof(spx_cell));
}

void spx_frame_free(spx_frame *f)
{
    spb_buffer_free(&f->bytes);
    spb_buffer_free(&f->cells);
}

void spx_frame_empty(spx_frame *f)
{
    spb_buffer_clear(&f->bytes);
    spb_buffer_clear(&f->cells);
    f->count = 0;
    f->tail = 0;
    f->prefix = 0;
    f->origin = 0;
    f->end_row = 0;
    f->end_column = 0;
    f->cursor_row = 0;
    f->cursor_column = 0;
    f->top = 0;
    f->cut = false;
}

spx_cell *spx_frame_cells(const spx_frame *f)
{
    return (spx_cell *)(void *)f->cells.data;
}

void spx_frame_place(const spx_editor *e, const spx_frame *f, size_t index, uint32_t *row,
                     uint32_t *column)
{
    *row = 0;
    *column = f->origin;
    if (index > 0) {
        const spx_cell *cell = spx_frame_cells(f) + index - 1;
        *row = cell->row;
        *column = cell->column + cell->width;
    }
    if (*column >= e->columns) {
        *row += 1;
        *column = 0;
    }
}

/* A cell of the bytes added since `start`. */
static bool add_cell(spx_editor *e, spx_frame *f, size_t start, unsigned width)
{
    spx_cell cell = {
        .start = (uint32_t)start, .length = (uint32_t)(f->bytes.length - start), .width = width};

    if (f->end_column + width > e->columns) {
        f->end_row++;
        f->end_column = 0;
    }
    cell.row = f->end_row;
    cell.column = f->end_column;
    f->end_column += width;
    f->count++;
    return spx_append(e, &f->cells, &cell, sizeof cell);
}

/* The bytes of a style (ESC [ ... m) at the start of the text; 0: none is there. */
static size_t style_length(const uint8_t *text, size_t length)
{
    if (length == 0 || text[0] != 0x1b)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (text[i] == 'm')
            return i + 1;
    return length;
}

/* Text of the program's own. A style belongs to the cell behind it; the last one to a cell without
 * width. */
static bool add_styled(spx_editor *e, spx_frame *f, const spb_buffer *text)
{
    size_t start = f->bytes.length;
    size_t at = 0;

    while (at < text->length) {
        const uint8_t *here = text->data + at;
        size_t style = style_length(here, text->length - at);
        size_t length = style;
        if (style == 0)
            length = spx_cluster_end(text->data, text->length, at) - at;
        if (!spx_append(e, &f->bytes, here, length))
            return false;
        at += length;
        if (style != 0)
            continue;
        if (!add_cell(e, f, start, spx_cluster_width(here, length)))
            return false;
        start = f->bytes.length;
    }
    return f->bytes.length == start || add_cell(e, f, start, 0);
}

static bool add_cluster(spx_editor *e, spx_frame *f, const uint8_t *text, size_t length)
{
    size_t start = f->bytes.length;
    unsigned width = spx_cluster_width(text, length);
    bool added;

    if (e->echo == SPX_ECHO_MASKED) {
        added = spx_append(e, &f->bytes, "*", 1);
        width = 1;
    } else if (text[0] == '\t') {
        added = spx_append(e, &f->bytes, "^I", 2);
        width = 2;
    } else if (width == 0) { /* a mark that has nothing to stand on */
        added = spx_append(e, &f->bytes, " ", 1) && spx_append(e, &f->bytes, text, length);
        width = 1;
    } else {
        added = spx_append(e, &f->bytes, text, length);
    }
    return added && add_cell(e, f, start, width);
}

static bool add_text(spx_editor *e, spx_frame *f, spb_span text, size_t cursor, size_t *index)
{
    size_t at = 0;

    while (at < text.length) {
        size_t end = spx_cluster_end(text.data, text.length, at);
        if (at < cursor)
            *index = f->count + 1;
        if (end <= at || !add_cluster(e, f, text.data + at, end - at))
            return false;
        at = end;
    }
    return true;
}

static void find_cursor(const spx_editor *e, spx_frame *f, size_t index)
{
    if (index < f->count) {
        const spx_cell *cell = spx_frame_cells(f) + index;
        f->cursor_row = cell->row;
        f->cursor_column = cell->column;
        if (cell->column < e->columns)
            return;
    }
    spx_frame_place(e, f, index, &f->cursor_row, &f->cursor_column);
}

/* The line is higher than the screen: of its rows, those around the cursor. They move no more than
 * they must. */
static void cut_rows(spx_editor *e, spx_frame *f)
{
    uint32_t last = f->end_row + (f->end_column >= e->columns ? 1 : 0);
    spx_cell *cells = spx_frame_cells(f);
    size_t first = 0;
    size_t count = 0;

    if (last < e->rows) {
        e->top = 0;
        return;
    }
    uint32_t top = e->top;
    top = top > last - (e->rows - 1) ? last - (e->rows - 1) : top;
    top = top > f->cursor_row ? f->cursor_row : top;
    if (f->cursor_row - top >= e->rows)
        top = f->cursor_row - (e->rows - 1);
    e->top = top;
    f->top = top;
    f->cut = last - top >= e->rows;
    while (first < f->count && cells[first].row < top)
        first++;
    while (first + count < f->count && cells[first + count].row - top < e->rows) {
        cells[first + count].row -= top;
        count++;
    }
    if (first > 0) {
        memmove(cells, cells + first, count * sizeof *cells);
        f->origin = 0;
    }
    f->count = count;
    f->tail = f->tail > first ? f->tail - first : 0;
    f->prefix = f->prefix > first ? f->prefix - first : 0;
    f->prefix = f->prefix > count ? count : f->prefix;
    f->tail = f->tail > count ? count : f->tail;
    f->cursor_row -= top;
    f->end_row -= top;
    if (f->cut) {
        f->end_row = cells[count - 1].row;
        f->end_column = cells[count - 1].column + cells[count - 1].width;
    }
}

static bool add_prompt(spx_editor *e, spx_frame *f)
{
    spb_buffer text;

    if (!e->searching)
        return add_styled(e, f, &e->prompt);
    spb_buffer_init(&text, &e->env, 256);
    spx_search_prompt(e, &text);
    bool added = add_styled(e, f, &text);
    spb_buffer_free(&text);
    return added;
}

static bool add_line(spx_editor *e, spx_frame *f)
{
    spb_span text = {e->text.data, e->text.length};
    size_t cursor = e->cursor;

    if (e->searching)
        text = spx_search_shown(e, &cursor);
    f->prefix = f->count;
    size_t index = f->count;
    if (e->echo != SPX_ECHO_HIDDEN && !add_text(e, f, text, cursor, &index))
        return false;
    find_cursor(e, f, index);
    cut_rows(e, f);
    return true;
}

bool spx_frame_build(spx_editor *e, spx_frame *f, bool with_line)
{
    spx_frame_empty(f);
    f->origin = e->tail_known ? 0 : e->column;
    f->end_column = f->origin;
    if (!add_styled(e, f, &e->tail))
        return false;
    f->tail = f->count;
    f->prefix = f->count;
    return !with_line || (add_prompt(e, f) && add_line(e, f));
}
