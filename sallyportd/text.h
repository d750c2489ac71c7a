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
/* Puts quotes around a word that text_split would break up. */
char *text_quote(const char *word);
/* The same for a POSIX shell. */
char *text_shell_quote(const char *word);

const char *text_skip_blanks(const char *text);

#endif
