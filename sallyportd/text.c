/* text.c: strings on the heap, lists of them, and the splitting and quoting of words. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *format_list(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);

    if (text != NULL)
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_list(format, arguments);
    va_end(arguments);
    return text;
}

char *text_copy(const char *text)
{
    return strdup(text);
}

/* Takes over `text`, also on failure. */
static int list_own(string_list *list, char *text)
{
    char **items =
        text == NULL ? NULL : realloc(list->items, (list->count + 2) * sizeof *list->items);

    if (items == NULL) {
        free(text);
        return -1;
    }
    list->items = items;
    items[list->count++] = text;
    items[list->count] = NULL;
    return 0;
}

int list_add(string_list *list, const char *text)
{
    return list_own(list, text_copy(text));
}

int list_addf(string_list *list, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_list(format, arguments);
    va_end(arguments);
    return list_own(list, text);
}

void list_clear(string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

bool list_has(const string_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

const char *text_skip_blanks(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

void text_cut_trailing_blanks(char *text)
{
    for (size_t end = strlen(text); end > 0 && strchr(" \t\r\n\f\v", text[end - 1]) != NULL; end--)
        text[end - 1] = '\0';
}

void text_lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

bool text_take_word(const char **at, char *out)
{
    const char *from = *at;
    char quote = 0;

    for (; *from != '\0' && (quote != 0 || strchr(" \t\r\n", *from) == NULL); from++) {
        if (quote == 0 && (*from == '"' || *from == '\''))
            quote = *from;
        else if (quote != 0 && *from == quote)
            quote = 0;
        else if (*from == '\\' && from[1] != '\0' &&
                 (strchr("\"'\\", from[1]) != NULL || (quote == 0 && from[1] == ' ')))
            *out++ = *++from;
        else
            *out++ = *from;
    }
    *out = '\0';
    *at = from;
    return quote == 0;
}

int text_split(string_list *words, const char *line)
{
    char *word = malloc(strlen(line) + 1);
    int result = word == NULL ? -1 : 0;

    for (line = text_skip_blanks(line); result == 0 && *line != '\0' && *line != '#';
         line = text_skip_blanks(line)) {
        if (!text_take_word(&line, word))
            result = -2;
        else
            result = list_add(words, word);
    }
    free(word);
    return result;
}

char *text_keyword(const char *line, char **rest)
{
    char *name = text_copy(text_skip_blanks(line));

    if (name == NULL)
        return NULL;
    text_cut_trailing_blanks(name);
    if (*name == '#')
        *name = '\0';
    char *end = name + strcspn(name, " \t\r\n=");
    *rest = end + strspn(end, " \t");
    if (**rest == '=')
        ++*rest;
    *rest += strspn(*rest, " \t");
    *end = '\0';
    return name;
}

char *text_quote(const char *word)
{
    if (*word != '\0' && strpbrk(word, " \t\r\n\"'\\#") == NULL)
        return text_copy(word);

    char *text = malloc(2 * strlen(word) + 3);
    char *out = text;
    if (text == NULL)
        return NULL;
    *out++ = '"';
    for (; *word != '\0'; word++) {
        if (strchr("\"'\\", *word) != NULL)
            *out++ = '\\';
        *out++ = *word;
    }
    *out++ = '"';
    *out = '\0';
    return text;
}

char *text_shell_quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";

    if (*word != '\0' && strspn(word, plain) == strlen(word))
        return text_copy(word);

    char *text = malloc(4 * strlen(word) + 3);
    char *out = text;
    if (text == NULL)
        return NULL;
    *out++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            memcpy(out, "'\\''", 4);
            out += 4;
        } else {
            *out++ = *word;
        }
    }
    *out++ = '\'';
    *out = '\0';
    return text;
}
