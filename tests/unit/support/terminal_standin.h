/* A small terminal: a grid of cells, a cursor, wrapping at the right edge, scrolling, and just
 * those controls that the editor is allowed to send. Anything else fails the test. */
#ifndef TERMINAL_STANDIN_H
#define TERMINAL_STANDIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TERM_COLUMNS_MAX 100
#define TERM_ROWS_MAX 400
#define TERM_CELL_MAX 64

typedef struct term_cell {
    char text[TERM_CELL_MAX]; /* empty: blank */
    bool wide;
    bool behind_wide; /* its right half */
} term_cell;

typedef struct terminal {
    int columns;
    int rows;
    int row;
    int column;
    bool pending; /* the last column is written, the next character wraps */
    bool eager;   /* a terminal that wraps at once instead */
    bool joining; /* the next character belongs to the cell before */
    bool flag;    /* half a flag was written last */
    int bells;
    int scrolled;
    char error[80];
    int state; /* of sequences: 0, 1 behind ESC, 2 behind ESC [ */
    char parameters[40];
    uint32_t code;
    int left;
    term_cell cells[TERM_ROWS_MAX][TERM_COLUMNS_MAX];
} terminal;

static inline terminal *term_new(int columns, int rows)
{
    terminal *t = calloc(1, sizeof *t);

    if (t == NULL)
        abort();
    t->columns = columns;
    t->rows = rows;
    return t;
}

static inline void term_fail(terminal *t, const char *what, unsigned number)
{
    if (t->error[0] == '\0')
        snprintf(t->error, sizeof t->error, "%s %u", what, number);
}

static inline int term_width(uint32_t code)
{
#ifdef SP_HAVE_UTF8PROC
    if (code == 0x301 || code == 0x308 || code == 0x200d || code == 0xfe0f || code == 0x200b)
        return 0;
    if ((code >= 0x4e00 && code < 0xa000) || (code >= 0xac00 && code < 0xd7a4) ||
        (code >= 0x1f300 && code < 0x1fb00) || (code >= 0x1f1e6 && code <= 0x1f1ff) ||
        (code >= 0xff01 && code < 0xff61))
        return 2;
#endif
    (void)code;
    return 1;
}

static inline void term_line_feed(terminal *t)
{
    if (t->row + 1 < t->rows) {
        t->row++;
        return;
    }
    memmove(t->cells[0], t->cells[1], sizeof t->cells[0] * (size_t)(t->rows - 1));
    memset(t->cells[t->rows - 1], 0, sizeof t->cells[0]);
    t->scrolled++;
}

static inline void term_encode(uint32_t code, char *out)
{
    int n = 0;

    if (code < 0x80) {
        out[n++] = (char)code;
    } else if (code < 0x800) {
        out[n++] = (char)(0xc0 | code >> 6);
        out[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out[n++] = (char)(0xe0 | code >> 12);
        out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | code >> 18);
        out[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (code & 0x3f));
    }
    out[n] = '\0';
}

static inline void term_clear_cell(terminal *t, int row, int column)
{
    term_cell *cell = &t->cells[row][column];

    if (cell->wide && column + 1 < TERM_COLUMNS_MAX)
        memset(&t->cells[row][column + 1], 0, sizeof *cell);
    if (cell->behind_wide && column > 0)
        memset(&t->cells[row][column - 1], 0, sizeof *cell);
    memset(cell, 0, sizeof *cell);
}

static inline void term_attach(terminal *t, const char *bytes)
{
    int row = t->row;
    int column = t->pending ? t->column : t->column - 1;

    if (column < 0 && t->eager && row > 0) {
        row--;
        column = t->columns - 1;
    }
    if (column > 0 && t->cells[row][column].behind_wide)
        column--;
    if (column < 0) {
        term_fail(t, "a mark at the left edge, row", (unsigned)row);
        return;
    }
    char *text = t->cells[row][column].text;
    if (text[0] == '\0')
        text[0] = ' ';
    size_t have = strlen(text);
    if (have + strlen(bytes) < TERM_CELL_MAX)
        memcpy(text + have, bytes, strlen(bytes) + 1);
}

static inline void term_put(terminal *t, uint32_t code)
{
    char bytes[5];
    int width = term_width(code);
    bool joined = t->joining || width == 0;

#ifdef SP_HAVE_UTF8PROC
    bool half = code >= 0x1f1e6 && code <= 0x1f1ff;
    joined = joined || (half && t->flag);
    t->flag = half && !t->flag;
    t->joining = code == 0x200d;
#endif
    term_encode(code, bytes);
    if (joined) {
        term_attach(t, bytes);
        return;
    }
    if (t->pending || t->column + width > t->columns) {
        t->column = 0;
        t->pending = false;
        term_line_feed(t);
    }
    for (int i = 0; i < width; i++)
        term_clear_cell(t, t->row, t->column + i);
    term_cell *cell = &t->cells[t->row][t->column];
    memcpy(cell->text, bytes, sizeof bytes);
    cell->wide = width == 2;
    if (width == 2)
        cell[1].behind_wide = true;
    t->column += width;
    if (t->column < t->columns)
        return;
    if (t->eager) {
        t->column = 0;
        term_line_feed(t);
    } else {
        t->column = t->columns - 1;
        t->pending = true;
    }
}

static inline void term_erase_below(terminal *t)
{
    for (int column = t->column; column < t->columns; column++)
        term_clear_cell(t, t->row, column);
    for (int row = t->row + 1; row < t->rows; row++)
        memset(t->cells[row], 0, sizeof t->cells[row]);
}

static inline void term_sequence(terminal *t, char letter)
{
    int number = atoi(t->parameters);
    int count = number > 0 ? number : 1;
    bool plain = strspn(t->parameters, "0123456789") == strlen(t->parameters);

    if (letter == 'm')
        return;
    if (!plain)
        term_fail(t, "parameters", (unsigned char)t->parameters[0]);
    t->pending = false;
    switch (letter) {
    case 'A':
        t->row = t->row > count ? t->row - count : 0;
        break;
    case 'B':
        t->row = t->row + count < t->rows ? t->row + count : t->rows - 1;
        break;
    case 'C':
        t->column = t->column + count < t->columns ? t->column + count : t->columns - 1;
        break;
    case 'D':
        t->column = t->column > count ? t->column - count : 0;
        break;
    case 'H':
        t->row = 0;
        t->column = 0;
        break;
    case 'J':
        if (number == 2)
            memset(t->cells, 0, sizeof t->cells);
        else if (number == 0)
            term_erase_below(t);
        else
            term_fail(t, "CSI J", (unsigned)number);
        break;
    default:
        term_fail(t, "CSI", (unsigned char)letter);
        break;
    }
}

static inline void term_control(terminal *t, uint8_t byte)
{
    switch (byte) {
    case '\r':
        t->column = 0;
        break;
    case '\n':
        term_line_feed(t);
        break;
    case '\b':
        t->column = t->column > 0 ? t->column - 1 : 0;
        break;
    case '\a':
        t->bells++;
        return;
    case 0x1b:
        t->state = 1;
        return;
    default:
        term_fail(t, "control", byte);
        return;
    }
    t->pending = false;
}

static inline void term_byte(terminal *t, uint8_t byte)
{
    if (t->state == 1) {
        if (byte != '[')
            term_fail(t, "ESC", byte);
        t->state = 2;
        t->parameters[0] = '\0';
    } else if (t->state == 2) {
        size_t length = strlen(t->parameters);
        if (byte >= 0x40 && byte < 0x7f) {
            t->state = 0;
            term_sequence(t, (char)byte);
        } else if (byte < 0x20 || byte >= 0x7f || length + 1 >= sizeof t->parameters) {
            term_fail(t, "in a sequence", byte);
        } else {
            t->parameters[length] = (char)byte;
            t->parameters[length + 1] = '\0';
        }
    } else if (t->left > 0) {
        if ((byte & 0xc0) != 0x80)
            term_fail(t, "UTF-8", byte);
        t->code = t->code << 6 | (byte & 0x3fu);
        if (--t->left == 0)
            term_put(t, t->code);
        return;
    } else if (byte >= 0xc0) {
        t->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        t->code = byte & (0x3fu >> t->left);
        return;
    } else if (byte >= 0x80) {
        term_fail(t, "UTF-8", byte);
    } else if (byte >= 0x20 && byte != 0x7f) {
        term_put(t, byte);
        return;
    } else {
        term_control(t, byte);
    }
    t->joining = false;
    t->flag = false;
}

static inline void term_write(terminal *t, const void *data, size_t length)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < length; i++)
        term_byte(t, bytes[i]);
}

/* A row's text without the blanks at its end. */
static inline const char *term_row(const terminal *t, int row)
{
    static char text[TERM_COLUMNS_MAX * TERM_CELL_MAX];
    size_t length = 0;
    size_t solid = 0;

    for (int column = 0; column < t->columns; column++) {
        const term_cell *cell = &t->cells[row][column];
        if (cell->behind_wide)
            continue;
        const char *bytes = cell->text[0] != '\0' ? cell->text : " ";
        memcpy(text + length, bytes, strlen(bytes));
        length += strlen(bytes);
        if (strcmp(bytes, " ") != 0)
            solid = length;
    }
    text[solid] = '\0';
    return text;
}

/* As xterm does it: what is cut off is gone, nothing moves. */
static inline void term_resize(terminal *t, int columns)
{
    for (int row = 0; row < t->rows; row++)
        for (int column = columns; column < t->columns; column++)
            term_clear_cell(t, row, column);
    t->columns = columns;
    if (t->column >= columns)
        t->column = columns - 1;
    t->pending = false;
}

#endif
