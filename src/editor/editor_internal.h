/* What the editor's files share. One key or call changes the model (text, cursor, prompt, echo);
 * view.c alone knows what the terminal shows, and makes it show the model when it is asked to. */
#ifndef SPX_EDITOR_INTERNAL_H
#define SPX_EDITOR_INTERNAL_H

#include "editor/editor.h"

#define SPX_COLUMNS_MIN 4u
#define SPX_COLUMNS_MAX 4096u
#define SPX_ROWS_MIN 2u
#define SPX_ROWS_MAX 4096u
#define SPX_REPLACEMENT 0xfffdu
#define SPX_SEQUENCE_MAX 32
#define SPX_PATTERN_MAX 64

/* ---- chars.c: code points, their widths, and what belongs together ---- */

/* The code point at the start of valid UTF-8; returns its bytes (0 at the end). */
size_t spx_decode(const uint8_t *text, size_t length, uint32_t *code);
size_t spx_encode(uint32_t code, uint8_t out[4]);
/* May it stand in a line? No: controls, line and paragraph separators, surrogates, noncharacters,
 * and what changes the direction of the text around it. */
bool spx_allowed(uint32_t code);
unsigned spx_code_width(uint32_t code); /* columns: 0, 1 or 2 */
bool spx_is_space(uint32_t code);
bool spx_is_word(uint32_t code); /* letters, marks, digits */
/* Text moves and is deleted by clusters (UAX 29's extended grapheme clusters). `at` is where one
 * starts: where it ends. */
size_t spx_cluster_end(const uint8_t *text, size_t length, size_t at);
/* The start of the one that ends at or holds `at`, which is not 0. */
size_t spx_cluster_before(const uint8_t *text, size_t length, size_t at);
size_t spx_cluster_snap(const uint8_t *text, size_t length, size_t at); /* first start not before */
unsigned spx_cluster_width(const uint8_t *text, size_t length);

/* ---- decode.c: the bytes of a terminal's line, in either direction ---- */

typedef enum spx_unit_type {
    SPX_UNIT_NONE = 0,
    SPX_UNIT_CODE,    /* a code point that is no control; U+FFFD for what is not UTF-8 */
    SPX_UNIT_CONTROL, /* C0 or DEL */
    SPX_UNIT_ESCAPE,  /* ESC and one more */
    SPX_UNIT_SS3,     /* ESC O and one more */
    SPX_UNIT_CSI      /* ESC [ parameters, and one more */
} spx_unit_type;

typedef struct spx_unit {
    spx_unit_type type;
    uint32_t code; /* the code point, or the sequence's last byte */
} spx_unit;

typedef enum spx_decoder_state {
    SPX_DECODE_GROUND = 0,
    SPX_DECODE_UTF8,
    SPX_DECODE_ESCAPE,
    SPX_DECODE_CHARSET, /* ESC ( and the like */
    SPX_DECODE_SS3,
    SPX_DECODE_CSI,
    SPX_DECODE_STRING,       /* OSC, DCS and so on, until BEL or ST */
    SPX_DECODE_STRING_ESCAPE /* ESC in one */
} spx_decoder_state;

typedef struct spx_decoder {
    spx_decoder_state state;
    bool keys;     /* from the keyboard: fewer sequences, for Alt makes them too */
    uint32_t code; /* UTF-8 so far */
    uint32_t least;
    unsigned left;
    size_t string_length;
    uint8_t sequence[SPX_SEQUENCE_MAX]; /* of a CSI: parameters and intermediates */
    size_t sequence_length;             /* past SPX_SEQUENCE_MAX: too long, ignored at its end */
} spx_decoder;

/* True: the byte is used up. False: give it again, when the unit is dealt with. */
bool spx_decoder_take(spx_decoder *d, uint8_t byte, spx_unit *unit);
/* A CSI's `index`-th number, `absent` if there is none. False: other than digits and ';' in it. */
bool spx_decoder_number(const spx_decoder *d, unsigned index, unsigned absent, unsigned *number);

/* ---- view ---- */

typedef struct spx_cell {
    uint32_t start; /* its bytes, in the frame's */
    uint32_t length;
    uint32_t row;
    uint32_t column;
    uint32_t width;
} spx_cell;

/* What the terminal shows, or shall show, from the row where the program's last line begins. */
typedef struct spx_frame {
    spb_buffer bytes;
    spb_buffer cells; /* of spx_cell */
    size_t count;
    size_t tail;                  /* how many of the cells are the program's output */
    size_t prefix;                /* that, and the prompt */
    uint32_t origin;              /* column where the first cell goes */
    uint32_t end_row, end_column; /* behind the last cell; the column may be the width */
    uint32_t cursor_row, cursor_column;
    uint32_t top; /* rows left out above, for the line is higher than the screen */
    bool cut;     /* there are rows left out below */
} spx_frame;

typedef struct spx_entry {
    uint8_t *text;
    size_t length;
} spx_entry;

struct spx_editor {
    spb_env env;
    size_t line_max;
    size_t history_count_max;
    size_t history_bytes_max;
    spx_tab tab;
    bool failed; /* out of memory, once */

    /* the line */
    spb_buffer text;
    size_t cursor;
    spb_buffer done; /* the line that was finished last */
    spb_buffer kill;
    bool kill_secret; /* what was cut comes from a secret line */
    bool killing;     /* the last key cut: the next cut joins it */
    bool killed;      /* this one did */
    spx_echo echo;
    bool secret;
    spb_buffer prompt;

    /* keys */
    spx_decoder input;
    bool after_return;
    spx_event_type event;

    /* history */
    spx_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    size_t entry_bytes;
    size_t walk;      /* the entry shown; entry_count: the line itself */
    spb_buffer stash; /* the line itself, meanwhile */
    bool searching;
    bool search_failed;
    uint8_t pattern[SPX_PATTERN_MAX];
    size_t pattern_length;
    size_t found; /* entry; entry_count: none yet */
    size_t found_at;

    /* terminal */
    uint32_t columns;
    uint32_t rows;
    bool raw;
    unsigned hidden;

    /* the program's output: its last line so far, when it is known to be plain, and its column */
    spx_decoder output;
    spb_buffer tail;
    bool tail_known;
    uint32_t column; /* 0 to columns: the latter when the next character wraps */

    /* what the terminal shows */
    spx_frame shown;
    spx_frame next;
    bool bare;                  /* only the program's output; `shown` is not valid then */
    uint32_t at_row, at_column; /* the cursor, in `shown`; column as above */
    uint32_t top;               /* first row shown of a line that is higher than the screen */
    bool bell;
    bool clear; /* the screen, before it is drawn next */
    spb_buffer out;
};

/* ---- line.c: the text and the cursor ---- */
void spx_line_snap(spx_editor *e);
bool spx_line_insert(spx_editor *e, const uint8_t *text, size_t length); /* false, bell: no room */
void spx_line_insert_code(spx_editor *e, uint32_t code); /* left out when not allowed */
void spx_line_delete(spx_editor *e, size_t from, size_t to);
void spx_line_kill(spx_editor *e, size_t from, size_t to);
void spx_line_yank(spx_editor *e);
void spx_line_transpose(spx_editor *e);
void spx_line_set(spx_editor *e, const uint8_t *text, size_t length); /* cursor to the end */
size_t spx_line_left(const spx_editor *e);                            /* one cluster */
size_t spx_line_right(const spx_editor *e);
size_t spx_line_word_left(const spx_editor *e);
size_t spx_line_word_right(const spx_editor *e);
size_t spx_line_blank_left(const spx_editor *e); /* by blanks alone */
void spx_line_reset(spx_editor *e);              /* a new line; all of the old is wiped */
/* Appends; false when out of memory, which is remembered. */
bool spx_append(spx_editor *e, spb_buffer *b, const void *data, size_t length);
void spx_wipe(spb_buffer *b);

/* ---- history.c ---- */
void spx_history_enter(spx_editor *e); /* the line was finished */
void spx_history_older(spx_editor *e);
void spx_history_newer(spx_editor *e);
void spx_history_oldest(spx_editor *e);
void spx_history_newest(spx_editor *e);

/* ---- search.c: incremental search ---- */
void spx_search_begin(spx_editor *e);
void spx_search_accept(spx_editor *e); /* what was found is the line now */
void spx_search_abort(spx_editor *e);
/* True if the key belongs to the search; else it has ended, and the key is to be obeyed. */
bool spx_search_key(spx_editor *e, const spx_unit *unit);
void spx_search_prompt(spx_editor *e, spb_buffer *out);
spb_span spx_search_shown(const spx_editor *e, size_t *cursor);

/* ---- keys.c ---- */
void spx_key(spx_editor *e, const spx_unit *unit); /* may set e->event */

/* ---- output.c ---- */
void spx_tail_forget(spx_editor *e); /* the program's last line is off the screen */
/* Its text is not known, or of no use; the cursor is behind it, in `column`. */
void spx_tail_lose(spx_editor *e, uint32_t column);

/* ---- frame.c ---- */
void spx_frame_init(spx_frame *f, const spb_env *env, size_t limit);
void spx_frame_free(spx_frame *f);
void spx_frame_empty(spx_frame *f);
spx_cell *spx_frame_cells(const spx_frame *f);
/* Where the cursor stands to draw cell `index`; never at the right edge's far side. */
void spx_frame_place(const spx_editor *e, const spx_frame *f, size_t index, uint32_t *row,
                     uint32_t *column);
/* Lays out the program's last line and, if wanted, the one being edited. False: out of memory. */
bool spx_frame_build(spx_editor *e, spx_frame *f, bool with_line);

/* ---- view.c ---- */
bool spx_view_visible(const spx_editor *e);
void spx_view_refresh(spx_editor *e);
void spx_view_erase(spx_editor *e);                      /* all but the program's output */
void spx_view_clear(spx_editor *e);                      /* the screen; all is drawn again */
void spx_view_end_line(spx_editor *e, const char *mark); /* draws the line; the cursor goes below */
void spx_view_resize(spx_editor *e, uint32_t columns, uint32_t rows);

#endif
