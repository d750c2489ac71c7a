/* text.h: strings made on the heap, and lists of them. A function that runs out of memory returns
 * NULL or -1 and leaves what it was given as it was. */
#ifndef SALLYPORTD_TEXT_H
#define SALLYPORTD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A list with a NULL behind its last item, so that `items` can serve as an argv. */
typedef struct string_list {
    char **items;
    size_t count;
} string_list;

int list_add(string_list *list, const char *text);
/* As list_add, for "formatted" text. */
int list_addf(string_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void list_clear(string_list *list);
bool list_has(const string_list *list, const char *text);

char *text_copy(const char *text);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Splits a line into words as sshd_config has them: blanks between, "..." or '...' around words
 * with blanks, a backslash before a quote, a backslash or a blank. -1: out of memory; -2: a
 * quote is not closed. */
int text_split(string_list *words, const char *line);
/* Takes one such word off `*at`, which must not be at a blank. `out` has room for all of `*at`.
 * False: a quote is not closed. */
bool text_take_word(const char **at, char *out);
/* Puts quotes around a word that text_split would break up. */
char *text_quote(const char *word);
/* The same for a POSIX shell. */
char *text_shell_quote(const char *word);

/* The keyword of "Word value", "Word=value" or "Word = value"; "" for an empty line or a comment.
 * `*rest`, behind it in the same memory, is the value without blanks around it. The caller frees
 * the keyword. NULL: out of memory. */
char *text_keyword(const char *line, char **rest);

const char *text_skip_blanks(const char *text);
void text_cut_trailing_blanks(char *text);
void text_lower(char *text); /* ASCII */

#endif
