/* The wire reader (RFC 4251 5): the only code that looks at peer bytes. Failure sticks; whatever is
 * read after it is zero or empty. */
#include "base/wire.h"

#include <string.h>

void spr_init(spb_reader *r, const void *data, size_t length)
{
    r->at = data;
    r->end = length == 0 ? r->at : r->at + length;
    r->failed = false;
}

size_t spr_left(const spb_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next `length` bytes, or NULL and failure. */
static const uint8_t *take(spb_reader *r, size_t length)
{
    if (r->failed || spr_left(r) < length) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += length;
    return p;
}

uint8_t spr_u8(spb_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p == NULL ? 0 : p[0];
}

bool spr_bool(spb_reader *r)
{
    return spr_u8(r) != 0; /* RFC 4251 5: all non-zero values are TRUE */
}

uint32_t spr_u32(spb_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p == NULL ? 0 : spb_get_u32(p);
}

uint64_t spr_u64(spb_reader *r)
{
    const uint8_t *p = take(r, 8);
    return p == NULL ? 0 : ((uint64_t)spb_get_u32(p) << 32) | spb_get_u32(p + 4);
}

spb_span spr_bytes(spb_reader *r, size_t length)
{
    static const uint8_t nothing[1];
    const uint8_t *p = take(r, length);
    return p == NULL ? (spb_span){nothing, 0} : (spb_span){p, length};
}

spb_span spr_string(spb_reader *r)
{
    return spr_bytes(r, spr_u32(r));
}

spb_span spr_string_max(spb_reader *r, size_t max)
{
    uint32_t length = spr_u32(r);
    if (length > max)
        r->failed = true;
    return spr_bytes(r, length);
}

spb_span spr_mpint(spb_reader *r)
{
    spb_span s = spr_string(r);

    if (s.length == 0)
        return s;
    if ((s.data[0] & 0x80) != 0) {
        r->failed = true;
        s.length = 0;
    } else if (s.data[0] == 0) {
        /* A leading zero byte stands only before a byte with the top bit set. */
        if (s.length == 1 || (s.data[1] & 0x80) == 0) {
            r->failed = true;
            s.length = 0;
        } else {
            s.data++;
            s.length--;
        }
    }
    return s;
}

spb_span spr_rest(spb_reader *r)
{
    return spr_bytes(r, spr_left(r));
}

bool spr_ok(const spb_reader *r)
{
    return !r->failed;
}

bool spr_done(const spb_reader *r)
{
    return !r->failed && r->at == r->end;
}

bool spb_span_is(spb_span s, const char *text)
{
    size_t length = strlen(text);
    return s.length == length && (length == 0 || memcmp(s.data, text, length) == 0);
}

char *spb_span_string(const spb_env *env, spb_span s)
{
    if (s.length != 0 && memchr(s.data, '\0', s.length) != NULL)
        return NULL;
    return spb_strndup(env, s.data, s.length);
}

bool spb_name_next(spb_span *rest, spb_span *name)
{
    while (rest->length > 0) {
        const uint8_t *comma = memchr(rest->data, ',', rest->length);
        size_t length = comma == NULL ? rest->length : (size_t)(comma - rest->data);
        size_t step = comma == NULL ? length : length + 1;

        *name = (spb_span){rest->data, length};
        rest->data += step;
        rest->length -= step;
        if (length > 0)
            return true;
    }
    return false;
}

bool spb_name_in(spb_span list, const char *name)
{
    spb_span one;

    while (spb_name_next(&list, &one)) {
        if (spb_span_is(one, name))
            return true;
    }
    return false;
}
