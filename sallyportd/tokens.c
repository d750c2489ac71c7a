/* tokens.c: expands %-tokens. */
#include "tokens.h"

#include <stdlib.h>

#include "log.h"

/* What stands for one token; NULL: nothing does. `number` has room for the user's. */
static const char *meaning(char token, const account *a, const char *number)
{
    switch (token) {
    case 'h':
        return a->home;
    case 'u':
        return a->name;
    case 'U':
        return number;
    case '%':
        return "%";
    default:
        return NULL;
    }
}

char *tokens_expand_path(const char *pattern, const account *a)
{
    char *number = text_format("%lu", (unsigned long)a->uid);
    char *path = number != NULL ? text_copy("") : NULL;

    for (const char *at = pattern; path != NULL && *at != '\0'; at++) {
        char *longer = NULL;
        if (*at != '%') {
            longer = text_format("%s%c", path, *at);
        } else {
            const char *text = meaning(at[1], a, number);
            if (text == NULL)
                log_error("%s: an unknown token, %%%c", pattern, at[1] != '\0' ? at[1] : ' ');
            else
                longer = text_format("%s%s", path, text);
            at += at[1] != '\0';
        }
        free(path);
        path = longer;
    }
    free(number);
    if (path != NULL && *path != '/') {
        char *absolute = text_format("%s/%s", a->home, path);
        free(path);
        path = absolute;
    }
    return path;
}
