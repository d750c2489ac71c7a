/* Code points of a line: which are taken, how wide they are, and which of them the eye takes for
 * one (Unicode's UAX 11 and UAX 29), from utf8proc's tables. In a build without it each code point
 * that is not ASCII stands alone and takes one column. */
#include "editor/editor_internal.h"
#ifdef SP_HAVE_UTF8PROC
#include <utf8proc.h>
#endif

size_t spx_decode(const uint8_t *text, size_t length, uint32_t *code)
{
    static const uint8_t lead_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t bytes;

    *code = 0;
    if (length == 0)
        return 0;
    if (text[0] < 0x80)
        bytes = 1;
    else if (text[0] < 0xe0)
        bytes = 2;
    else
        bytes = text[0] < 0xf0 ? 3 : 4;
    if (bytes > length)
        return 0;
    *code = text[0] & lead_mask[bytes];
    for (size_t i = 1; i < bytes; i++)
        *code = *code << 6 | (text[i] & 0x3fu);
    return bytes;
}

size_t spx_encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

bool spx_allowed(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return false;
    if (code >= 0xd800 && code < 0xe000)
        return false;
    if (code > 0x10ffff || (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef))
        return false;
    /* Separators; embeddings, overrides and isolates of direction. */
    return !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

bool spx_is_space(uint32_t code)
{
    return code == ' ' || code == '\t' || code == 0xa0 || code == 0x3000;
}

static bool is_ascii_word(uint32_t code)
{
    uint32_t lower = code | 0x20;

    return (lower >= 'a' && lower <= 'z') || (code >= '0' && code <= '9');
}

#ifdef SP_HAVE_UTF8PROC
unsigned spx_code_width(uint32_t code)
{
    int width;

    if (code < 0x7f)
        return 1;
    width = utf8proc_charwidth((utf8proc_int32_t)code);
    return width < 0 ? 0 : width > 2 ? 2 : (unsigned)width;
}

bool spx_is_word(uint32_t code)
{
    if (code < 0x80)
        return is_ascii_word(code);
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

/* Is there a break between these two whatever stands before them? Then the rules that look further
 * back (flags, joined emoji, conjuncts) have nothing to say. */
static bool surely_breaks(uint32_t before, uint32_t after)
{
    int kind = utf8proc_get_property((utf8proc_int32_t)before)->boundclass;

    return kind != UTF8PROC_BOUNDCLASS_EXTEND && kind != UTF8PROC_BOUNDCLASS_ZWJ &&
           utf8proc_grapheme_break((utf8proc_int32_t)before, (utf8proc_int32_t)after);
}

size_t spx_cluster_end(const uint8_t *text, size_t length, size_t at)
{
    utf8proc_int32_t state = 0;
    uint32_t before;
    uint32_t after;
    size_t end = at + spx_decode(text + at, length - at, &before);

    while (end < length) {
        size_t bytes = spx_decode(text + end, length - end, &after);
        if (bytes == 0 || utf8proc_grapheme_break_stateful((utf8proc_int32_t)before,
                                                           (utf8proc_int32_t)after, &state))
            return end;
        end += bytes;
        before = after;
    }
    return length;
}

unsigned spx_cluster_width(const uint8_t *text, size_t length)
{
    unsigned width = 0;
    size_t at = 0;
    uint32_t code;

    while (at < length) {
        at += spx_decode(text + at, length - at, &code);
        unsigned own = spx_code_width(code);
        if (code >= 0x1f1e6 && code <= 0x1f1ff) /* regional indicators: a flag */
            own = 2;
        width = own > width ? own : width;
    }
    return width;
}
#else
unsigned spx_code_width(uint32_t code)
{
    (void)code;
    return 1;
}

bool spx_is_word(uint32_t code)
{
    return code >= 0x80 ? !spx_is_space(code) : is_ascii_word(code);
}

static bool surely_breaks(uint32_t before, uint32_t after)
{
    (void)before;
    (void)after;
    return true;
}

size_t spx_cluster_end(const uint8_t *text, size_t length, size_t at)
{
    uint32_t code;

    return at + spx_decode(text + at, length - at, &code);
}

unsigned spx_cluster_width(const uint8_t *text, size_t length)
{
    (void)text;
    return length > 0 ? 1 : 0;
}
#endif

static size_t code_before(const uint8_t *text, size_t at)
{
    do
        at--;
    while (at > 0 && (text[at] & 0xc0) == 0x80);
    return at;
}

/* A place before `at` (or 0) where a cluster starts for certain. */
static size_t sure_start(const uint8_t *text, size_t length, size_t at)
{
    uint32_t before;
    uint32_t after;

    while (at > 0) {
        at = code_before(text, at);
        if (at == 0)
            break;
        size_t other = code_before(text, at);
        (void)spx_decode(text + other, length - other, &before);
        (void)spx_decode(text + at, length - at, &after);
        if (surely_breaks(before, after))
            break;
    }
    return at;
}

size_t spx_cluster_before(const uint8_t *text, size_t length, size_t at)
{
    size_t start = sure_start(text, length, at);

    for (;;) {
        size_t end = spx_cluster_end(text, length, start);
        if (end >= at || end <= start)
            return start;
        start = end;
    }
}

size_t spx_cluster_snap(const uint8_t *text, size_t length, size_t at)
{
    if (at == 0 || at >= length)
        return at > length ? length : at;
    size_t start = spx_cluster_before(text, length, at);
    return spx_cluster_end(text, length, start);
}
