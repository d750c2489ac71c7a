/* Patterns of file names: POSIX.1-2017 XCU 2.13, for bytes and without classes and equivalents. A
 * backslash makes the next character a plain one. */
#include "scp/command.h"

/* What stands for one character, at `p`. */
typedef struct element {
    const char *next; /* behind it */
    bool any;         /* "?" */
    bool set;         /* "[...]": from `p` to `next` */
    char c;
} element;

/* The end of "[...]" that begins at `p`, behind its "]"; NULL: it is no set. */
static const char *set_end(const char *p, const char *end)
{
    p++;
    if (p < end && (*p == '!' || *p == '^'))
        p++;
    for (bool first = true; p < end; first = false) {
        if (*p == ']' && !first)
            return p + 1;
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    }
    return NULL;
}

static element element_at(const char *p, const char *end)
{
    element e = {.next = p + 1, .c = *p};
    if (*p == '?') {
        e.any = true;
    } else if (*p == '\\' && p + 1 < end) {
        e.c = p[1];
        e.next = p + 2;
    } else if (*p == '[') {
        const char *behind = set_end(p, end);
        e.set = behind != NULL;
        e.next = behind != NULL ? behind : p + 1;
    }
    return e;
}

static unsigned char member(const char **p)
{
    if (**p == '\\')
        (*p)++;
    return (unsigned char)*(*p)++;
}

/* `p`: behind the "["; `end`: at the "]". */
static bool in_set(const char *p, const char *end, unsigned char c)
{
    bool wanted = true, found = false;
    if (p < end && (*p == '!' || *p == '^')) {
        wanted = false;
        p++;
    }
    while (p < end) {
        unsigned char low = member(&p), high = low;
        if (p + 1 < end && *p == '-') {
            p++;
            high = member(&p);
        }
        found = found || (low <= c && c <= high);
    }
    return found == wanted;
}

static bool fits(const char *p, const element *e, char c)
{
    if (e->set)
        return in_set(p + 1, e->next - 1, (unsigned char)c);
    return e->any || e->c == c;
}

/* Goes back to the last "*" only, which is enough, so the time is bounded by the product of the
 * lengths. */
bool spp_match(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL;
    const char *star_name = NULL;
    if (name[0] == '.' && pattern < end && pattern[0] != '.' &&
        !(pattern[0] == '\\' && pattern + 1 < end && pattern[1] == '.'))
        return false;
    while (*name != '\0' || pattern < end) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            star_name = name;
            continue;
        }
        if (pattern < end && *name != '\0') {
            const element e = element_at(pattern, end);
            if (fits(pattern, &e, *name)) {
                pattern = e.next;
                name++;
                continue;
            }
        }
        if (star == NULL || *star_name == '\0')
            return false;
        pattern = star;
        name = ++star_name;
    }
    return true;
}

bool spp_is_pattern(const char *pattern, const char *end)
{
    for (; pattern < end; pattern++) {
        if (*pattern == '*' || *pattern == '?' || *pattern == '[')
            return true;
        if (*pattern == '\\' && pattern + 1 < end)
            pattern++;
    }
    return false;
}

size_t spp_unescape(char *out, const char *pattern, const char *end)
{
    size_t length = 0;
    for (; pattern < end; pattern++) {
        if (*pattern == '\\' && pattern + 1 < end)
            pattern++;
        out[length++] = *pattern;
    }
    out[length] = '\0';
    return length;
}
