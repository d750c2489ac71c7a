/* A line editor for terminal sessions: keys in, drawing out, finished lines as events. It is pure:
 * no socket, no clock, no thread, and no callback. The keys are those of emacs (and of AsyncSSH's
 * editor); docs/design/editor.md lists them.
 *
 * How it is driven:
 *   - what the terminal sent goes to spx_editor_input, which stops behind each event: call it again
 *     with the rest when the event is dealt with (a program that wants no type-ahead feeds the rest
 *     only when it reads its next line);
 *   - what the program prints goes to spx_editor_write: it appears above or before the line that is
 *     being edited;
 *   - after either, and after each call that changes something, spx_editor_output draws and gives
 *     the bytes for the terminal; spx_editor_sent takes them off the queue.
 *
 * What the terminal sends is not trusted: it is bounded, bytes that are not UTF-8 become U+FFFD,
 * control characters and unknown escape sequences vanish, and nothing of them is ever echoed.
 *
 * All functions: one thread at a time. Memory comes from the env given; when it runs out, the key
 * or the drawing is lost, and spx_editor_error says so from then on. */
#ifndef SPX_EDITOR_H
#define SPX_EDITOR_H

#include "base/wire.h"

#define SPX_LINE_MAX_DEFAULT ((size_t)1024)
#define SPX_LINE_MAX_LIMIT ((size_t)65536)
#define SPX_HISTORY_COUNT ((size_t)1000)      /* what a program that wants a history should take */
#define SPX_HISTORY_BYTES ((size_t)64 * 1024) /* likewise */
#define SPX_PROMPT_MAX ((size_t)1024)         /* bytes; what is longer is cut */
#define SPX_OUTPUT_MAX ((size_t)64 * 1024)    /* spx_editor_write takes no more than this */
#define SPX_COLUMNS_DEFAULT 80u
#define SPX_ROWS_DEFAULT 24u

typedef struct spx_editor spx_editor;

typedef enum spx_echo {
    SPX_ECHO_HIDDEN = 0, /* nothing is shown: passwords */
    SPX_ECHO_NORMAL = 1,
    SPX_ECHO_MASKED = 2 /* a '*' for each character */
} spx_echo;

typedef enum spx_tab {
    SPX_TAB_IGNORED = 0,
    SPX_TAB_INSERTED = 1, /* into the line, shown as ^I */
    SPX_TAB_EVENT = 2     /* SPX_EVENT_TAB: the program completes with spx_editor_insert */
} spx_tab;

typedef struct spx_config {
    uint32_t columns;     /* of the terminal; 0: 80. RFC 4254 6.2 */
    uint32_t rows;        /* 0: 24 */
    size_t line_max;      /* bytes of UTF-8 that a line may have; beyond, the bell. 0: 1024 */
    size_t history_count; /* lines remembered; 0: none */
    size_t history_bytes; /* and their bytes; 0: none */
    spx_tab tab;
} spx_config;

typedef enum spx_event_type {
    SPX_EVENT_NONE = 0,  /* all input was taken, nothing is finished */
    SPX_EVENT_LINE,      /* Enter: `text` is the line, without its end */
    SPX_EVENT_EOF,       /* ^D on an empty line */
    SPX_EVENT_INTERRUPT, /* ^C: the line was thrown away */
    SPX_EVENT_TAB,       /* see SPX_TAB_EVENT; the line goes on */
    SPX_EVENT_DATA       /* raw mode: `text` is the input itself */
} spx_event_type;

typedef struct spx_event {
    spx_event_type type;
    bool secret; /* LINE: typed in an echo mode other than normal */
    /* LINE: valid UTF-8 without control characters (but for tabs, when they are inserted), and a
     * NUL behind it. Borrowed, and wiped at the next spx_editor_input, _forget or _free. DATA: part
     * of what was given to spx_editor_input. */
    spb_span text;
} spx_event;

/* 0, or SP_ENOMEM. `config` may be NULL. A new editor echoes, has an empty line, and takes the
 * cursor to be at the left edge. Ends with spx_editor_free. */
int spx_editor_new(spx_editor **out, const spb_env *env, const spx_config *config);
void spx_editor_free(spx_editor *e); /* wipes all text; NULL is fine */

/* Takes bytes from the terminal up to the end of the first event, and returns how many. The event's
 * type is SPX_EVENT_NONE when nothing happened; then all bytes were taken, or, with more than
 * SPX_OUTPUT_MAX bytes waiting to be sent, none. Sequences may be cut anywhere. A line feed right
 * behind a carriage return belongs to it. */
size_t spx_editor_input(spx_editor *e, const void *data, size_t length, spx_event *event);

/* The peer will send no more: a line begun is finished as if by Enter (SPX_EVENT_LINE), else the
 * event is SPX_EVENT_EOF. In raw mode always the latter. */
void spx_editor_input_end(spx_editor *e, spx_event *event);

/* Wipes the line of the last SPX_EVENT_LINE now. */
void spx_editor_forget(spx_editor *e);

/* The program's output: LF becomes CR LF (not in raw mode), the rest goes out as it is. The line
 * being edited moves out of the way; when it is drawn again it begins where this output ended, so
 * that text without an end of line serves as a prompt. Returns how many bytes were taken: less than
 * given when SPX_OUTPUT_MAX bytes wait to be sent. */
size_t spx_editor_write(spx_editor *e, const void *data, size_t length);

/* Draws, and lends all bytes that wait for the terminal; valid until the next call. */
spb_span spx_editor_output(spx_editor *e);
void spx_editor_sent(spx_editor *e, size_t length); /* the first `length` of them are gone */

/* The prompt of the line being edited, drawn in front of it; gone when the line is finished. UTF-8;
 * may contain SGR sequences (ESC [ ... m), which take no width; they are ended behind the prompt.
 * Other control characters are left out; text before the last LF is written out at once. Copied. */
void spx_editor_set_prompt(spx_editor *e, const void *prompt, size_t length);

/* Holds for this line and those that follow. A line that was ever hidden or masked is secret: it
 * enters no history, is wiped, and what was cut from it can't be pasted into another line. */
void spx_editor_set_echo(spx_editor *e, spx_echo echo);

/* Raw: keys come back as SPX_EVENT_DATA and nothing is drawn. A line begun waits, hidden. */
void spx_editor_set_raw(spx_editor *e, bool raw);
bool spx_editor_is_raw(const spx_editor *e);

/* The terminal has a new size (window-change, RFC 4254 6.7); the line is drawn anew. 0: default. */
void spx_editor_set_size(spx_editor *e, uint32_t columns, uint32_t rows);

/* Hide erases the line and leaves the cursor where the line began, for a program that writes past
 * the editor; show draws it again (at the next spx_editor_output). Calls nest. What is written in
 * between past the editor must leave the cursor at the left edge, or where it was. */
void spx_editor_hide(spx_editor *e);
void spx_editor_show(spx_editor *e);

/* The line being edited, and the cursor's place in bytes (NULL: not wanted). Borrowed. */
spb_span spx_editor_line(const spx_editor *e, size_t *cursor);
/* As if typed; control characters and what is not UTF-8 are treated as from the terminal, but do
 * nothing else. Beyond the line's maximum: cut, and the bell. */
void spx_editor_insert(spx_editor *e, const void *text, size_t length);
void spx_editor_clear_line(spx_editor *e); /* empties it, and wipes what it was */

/* The history, oldest first. Finished lines enter by themselves, except empty and secret ones, and
 * those like the one before. Added lines are bounded likewise, and must be valid UTF-8 without
 * control characters: SP_EFORMAT; SP_EINVAL when longer than a line may be, SP_ENOMEM. */
int spx_editor_history_add(spx_editor *e, const void *line, size_t length);
size_t spx_editor_history_count(const spx_editor *e);
spb_span spx_editor_history_get(const spx_editor *e, size_t index); /* borrowed; empty: none */
void spx_editor_history_clear(spx_editor *e);

/* SP_ENOMEM once memory ran out, else 0. */
int spx_editor_error(const spx_editor *e);

#endif
