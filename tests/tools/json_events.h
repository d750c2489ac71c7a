/* json_events.h: one line of JSON on standard output for each event, whole lines from any thread,
 * so that a test can wait for what happened instead of sleeping. */
#ifndef TESTS_TOOLS_JSON_EVENTS_H
#define TESTS_TOOLS_JSON_EVENTS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct event {
    char text[8192];
    size_t length;
} event;

static inline void event_raw(event *e, const char *text, size_t length)
{
    if (length > sizeof e->text - 4 - e->length)
        length = sizeof e->text - 4 - e->length;
    memcpy(e->text + e->length, text, length);
    e->length += length;
}

static inline void event_quoted(event *e, const char *text)
{
    event_raw(e, "\"", 1);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        char escape[8];
        if (e->length > sizeof e->text - 32)
            break;
        if (c == '"' || c == '\\') {
            event_raw(e, "\\", 1);
            event_raw(e, text, 1);
        } else if (c < 0x20 || c == 0x7f) {
            event_raw(e, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        } else {
            event_raw(e, text, 1);
        }
    }
    event_raw(e, "\"", 1);
}

static inline void event_text(event *e, const char *name, const char *value)
{
    event_raw(e, ",", 1);
    event_quoted(e, name);
    event_raw(e, ":", 1);
    if (value == NULL)
        event_raw(e, "null", 4);
    else
        event_quoted(e, value);
}

static inline void event_number(event *e, const char *name, int64_t value)
{
    char digits[32];
    event_raw(e, ",", 1);
    event_quoted(e, name);
    event_raw(e, ":", 1);
    event_raw(e, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

static inline void event_bool(event *e, const char *name, bool value)
{
    event_raw(e, ",", 1);
    event_quoted(e, name);
    event_raw(e, value ? ":true" : ":false", value ? 5 : 6);
}

static inline void event_begin(event *e, const char *name)
{
    e->length = 0;
    event_raw(e, "{\"event\":", 9);
    event_quoted(e, name);
}

/* One fwrite of a whole line: stdio's own lock keeps lines of several threads apart. */
static inline void event_end(event *e)
{
    memcpy(e->text + e->length, "}\n", 2);
    fwrite(e->text, 1, e->length + 2, stdout);
    fflush(stdout);
}

#endif
