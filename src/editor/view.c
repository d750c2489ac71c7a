/* What the terminal shows, and how it is made to show something else: from the first cell that
 * differs on, with moves that every terminal since the VT100 knows. Terminals disagree on where the
 * cursor is once the last column is written, so it is never left there: a blank and a carriage
 * return take it to the next row for certain. */
#include "editor/editor_internal.h"
#include <stdio.h>
#include <string.h>

static void emit(spx_editor *e, const void *data, size_t length)
{
    (void)spx_append(e, &e->out, data, length);
}

static void emit_text(spx_editor *e, const char *text)
{
    emit(e, text, strlen(text));
}

static void emit_move(spx_editor *e, uint32_t count, char letter)
{
    char sequence[24];
    int length = count == 1 ? snprintf(sequence, sizeof sequence, "\033[%c", letter)
                            : snprintf(sequence, sizeof sequence, "\033[%u%c", count, letter);

    emit(e, sequence, (size_t)length);
}

/* Off the far side of the right edge. `stay`: in the row, for the next one is not to be touched. */
static void leave_edge(spx_editor *e, bool stay)
{
    if (e->at_column < e->columns)
        return;
    emit_text(e, stay ? "\r" : " \r");
    e->at_column = 0;
    e->at_row += stay ? 0 : 1;
}

static void move(spx_editor *e, uint32_t row, uint32_t column, bool stay)
{
    leave_edge(e, stay);
    if (row < e->at_row)
        emit_move(e, e->at_row - row, 'A');
    else if (row > e->at_row)
        emit_move(e, row - e->at_row, 'B');
    if (column == 0 && e->at_column != 0)
        emit_text(e, "\r");
    else if (column > e->at_column)
        emit_move(e, column - e->at_column, 'C');
    else if (column < e->at_column)
        emit_move(e, e->at_column - column, 'D');
    e->at_row = row;
    e->at_column = column;
}

static void draw_cell(spx_editor *e, const spx_frame *f, const spx_cell *cell)
{
    if (cell->row != e->at_row) {
        for (; e->at_column < e->columns; e->at_column++)
            emit_text(e, " ");
        e->at_row = cell->row;
    }
    emit(e, f->bytes.data + cell->start, cell->length);
    e->at_column = cell->column + cell->width;
}

/* Where the frame ends, as a number that grows along rows and columns. */
static uint64_t end_of(const spx_frame *f)
{
    return (uint64_t)f->end_row << 32 | f->end_column;
}

static bool same_cell(const spx_frame *a, const spx_frame *b, size_t index)
{
    const spx_cell *x = spx_frame_cells(a) + index;
    const spx_cell *y = spx_frame_cells(b) + index;

    return x->row == y->row && x->column == y->column && x->width == y->width &&
           x->length == y->length &&
           memcmp(a->bytes.data + x->start, b->bytes.data + y->start, x->length) == 0;
}

/* The first cell to draw. Within the prompt all is drawn, for a style may reach from cell to cell;
 * right behind the program's own output its style still holds. */
static size_t first_difference(const spx_editor *e)
{
    size_t least = e->shown.count < e->next.count ? e->shown.count : e->next.count;
    size_t first = 0;

    if (e->shown.origin != e->next.origin)
        return 0;
    while (first < least && same_cell(&e->shown, &e->next, first))
        first++;
    size_t firm = e->bare ? e->shown.count : e->next.prefix;
    return first < firm ? 0 : first;
}

static void draw_from(spx_editor *e, size_t first, bool stay)
{
    const spx_frame *f = &e->next;
    const spx_cell *cells = spx_frame_cells(f);
    uint64_t shown_end = end_of(&e->shown);
    uint32_t row;
    uint32_t column;

    spx_frame_place(e, f, first, &row, &column);
    move(e, row, column, stay);
    for (size_t i = first; i < f->count; i++)
        draw_cell(e, f, &cells[i]);
    if (!f->cut)
        leave_edge(e, false);
    if (e->at_column < e->columns && shown_end > ((uint64_t)e->at_row << 32 | e->at_column))
        emit_text(e, "\033[J");
}

static void begin_clear(spx_editor *e)
{
    emit_text(e, "\033[H\033[2J");
    if (!e->tail_known)
        spx_tail_forget(e);
    spx_frame_empty(&e->shown);
    e->at_row = 0;
    e->at_column = 0;
    e->bare = false;
    e->clear = false;
}

/* The program's output is all there is: that is laid out as shown. */
static bool begin_bare(spx_editor *e)
{
    if (!spx_frame_build(e, &e->shown, false))
        return false;
    if (e->shown.end_row + 1 >= e->rows) {
        spx_tail_lose(e, e->shown.end_column);
        if (!spx_frame_build(e, &e->shown, false))
            return false;
    }
    e->at_row = e->shown.end_row;
    e->at_column = e->shown.end_column;
    return true;
}

bool spx_view_visible(const spx_editor *e)
{
    return !e->raw && e->hidden == 0 && e->output.state == SPX_DECODE_GROUND;
}

static bool build_next(spx_editor *e)
{
    if (!spx_frame_build(e, &e->next, true))
        return false;
    if (e->next.top == 0 || e->tail_known)
        return true;
    /* An output whose text is not known scrolls away: it can't come back. */
    spx_tail_forget(e);
    return spx_frame_build(e, &e->next, true);
}

static void show(spx_editor *e)
{
    if (e->clear)
        begin_clear(e);
    if ((e->bare && !begin_bare(e)) || !build_next(e))
        return;
    size_t first = first_difference(e);
    bool stay = e->shown.cut;
    if (first < e->next.count || first < e->shown.count) {
        draw_from(e, first, stay);
        stay = e->next.cut;
        move(e, e->next.cursor_row, e->next.cursor_column, stay);
    } else if (!e->bare || e->at_column < e->columns) {
        move(e, e->next.cursor_row, e->next.cursor_column, stay);
    } else {
        return; /* at the edge behind the output, and nothing to show yet */
    }
    spx_frame before = e->shown;
    e->shown = e->next;
    e->next = before;
    e->bare = false;
}

void spx_view_refresh(spx_editor *e)
{
    if (spx_view_visible(e))
        show(e);
    if (e->bell && !e->raw)
        emit_text(e, "\a");
    e->bell = false;
}

void spx_view_erase(spx_editor *e)
{
    uint32_t row;
    uint32_t column;

    if (e->bare)
        return;
    size_t kept = e->shown.top > 0 ? 0 : e->shown.tail;
    spx_frame_place(e, &e->shown, kept, &row, &column);
    move(e, row, column, e->shown.cut);
    if (end_of(&e->shown) > ((uint64_t)row << 32 | column))
        emit_text(e, "\033[J");
    if (e->shown.top > 0)
        spx_tail_forget(e);
    else if (e->shown.tail == 0) /* a new size took it off the screen */
        emit(e, e->tail.data, e->tail.length);
    e->bare = true;
}

void spx_view_clear(spx_editor *e)
{
    e->clear = true;
}

void spx_view_end_line(spx_editor *e, const char *mark)
{
    if (!spx_view_visible(e))
        return;
    e->cursor = e->text.length;
    spx_view_refresh(e);
    emit_text(e, mark);
    /* A line that fills its last row has the cursor below it already. */
    bool below = !e->bare && e->shown.end_column >= e->columns && mark[0] == '\0';
    if (!below)
        emit_text(e, "\r\n");
    spx_tail_forget(e);
    e->bare = true;
}

/* Terminals differ: some leave the rows as they were, some lay them out anew. Of the two the lesser
 * number of rows is erased: never the program's output. */
static void erase_resized(spx_editor *e, uint32_t old_row)
{
    if (!e->tail_known)
        spx_tail_forget(e);
    e->top = 0;
    if (!spx_frame_build(e, &e->next, true))
        return;
    uint32_t up = old_row < e->next.cursor_row ? old_row : e->next.cursor_row;
    emit_text(e, "\r");
    if (up > 0)
        emit_move(e, up, 'A');
    emit_text(e, "\033[J");
    spx_frame_empty(&e->shown);
    e->at_row = 0;
    e->at_column = 0;
}

void spx_view_resize(spx_editor *e, uint32_t columns, uint32_t rows)
{
    uint32_t old_row = e->at_row;

    e->rows = rows;
    if (columns == e->columns)
        return;
    if (e->bare && spx_frame_build(e, &e->shown, false))
        spx_tail_lose(e, e->shown.end_column % columns);
    e->columns = columns;
    if (!e->bare)
        erase_resized(e, old_row);
}
