/* What the editor's files share. One key or call changes the model (text, cursor, prompt, echo);
 * view.c alone knows what the terminal shows, and makes it show the model when it is asked to. */
#ifndef SPX_EDITOR_INTERNAL_H
#define SPX_EDITOR_INTERNAL_H

#include "editor/editor.h"

#define SPX_COLUMNS_MIN 4u
#define SPX_COLUMNS_MAX 4096u
#define SPX_ROWS_MAX 4096u
#define SPX_REPLACEMENT 0xfffdu

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
size_t spx_cluster_before(const uint8_t *text, size_t length,
                          size_t at); /* start of the one before */
size_t spx_cluster_snap(const uint8_t *text, size_t length,
                        size_t at); /* first start at or behind */
unsigned spx_cluster_width(const uint8_t *text, size_t length);

#endif
