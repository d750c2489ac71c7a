/* The wire reader and writer: RFC 4251 5 data types. The reader is the only code that looks at peer
 * bytes; it never reads past its end and remembers failure: read all fields, then ask spr_ok once.
 * The writer grows a bounded buffer and remembers failure likewise. */
#ifndef SPB_WIRE_H
#define SPB_WIRE_H

#include "base/mem.h"

#include <string.h>

typedef struct spb_span {
    const uint8_t *data;
    size_t length;
} spb_span;

/* ---- reader ---- */
typedef struct spb_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} spb_reader;

void spr_init(spb_reader *r, const void *data, size_t length);
uint8_t spr_u8(spb_reader *r); /* 0 when failed, as all below */
bool spr_bool(spb_reader *r);
uint32_t spr_u32(spb_reader *r);
uint64_t spr_u64(spb_reader *r);
spb_span spr_bytes(spb_reader *r, size_t length);
spb_span spr_string(spb_reader *r);                 /* uint32 length + bytes */
spb_span spr_string_max(spb_reader *r, size_t max); /* longer: fails */
spb_span spr_mpint(spb_reader *r); /* non-negative, minimal; leading zero stripped; else fails */
spb_span spr_rest(spb_reader *r);
size_t spr_left(const spb_reader *r);
bool spr_ok(const spb_reader *r);   /* nothing failed so far */
bool spr_done(const spb_reader *r); /* nothing failed and nothing is left */

static inline spb_span spb_span_of(const char *text)
{
    return (spb_span){(const uint8_t *)text, strlen(text)};
}
bool spb_span_is(spb_span s, const char *text);
/* A copy with a NUL behind it; NULL if out of memory or if the span has a NUL inside. */
char *spb_span_string(const spb_env *env, spb_span s);

/* ---- writer / growing buffer ---- */
typedef struct spb_buffer {
    const spb_env *env;
    uint8_t *data;
    size_t length;
    size_t capacity;
    size_t limit; /* grows no further than this */
    bool secret;  /* wiped whenever memory is given back */
    bool failed;
} spb_buffer;

void spb_buffer_init(spb_buffer *b, const spb_env *env, size_t limit);
void spb_buffer_free(spb_buffer *b);  /* also resets `failed`; usable again */
void spb_buffer_clear(spb_buffer *b); /* empties, keeps the memory (wiped if secret) */
uint8_t *spb_buffer_reserve(spb_buffer *b, size_t length); /* room behind data; NULL: failed */
void spb_buffer_consume(spb_buffer *b, size_t length);     /* drops bytes at the front */

void spw_u8(spb_buffer *b, uint8_t v);
void spw_bool(spb_buffer *b, bool v);
void spw_u32(spb_buffer *b, uint32_t v);
void spw_u64(spb_buffer *b, uint64_t v);
void spw_bytes(spb_buffer *b, const void *data, size_t length);
void spw_string(spb_buffer *b, const void *data, size_t length);
void spw_cstring(spb_buffer *b, const char *text);              /* NULL: empty string */
void spw_mpint(spb_buffer *b, const void *data, size_t length); /* big-endian, non-negative */
/* Starts a string whose length is known later; give the mark back to the end function. */
size_t spw_string_begin(spb_buffer *b);
void spw_string_end(spb_buffer *b, size_t mark);
bool spw_ok(const spb_buffer *b);

/* Big-endian numbers in memory. */
static inline uint32_t spb_get_u32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline void spb_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* ---- name lists (RFC 4251 5) ---- */
/* Steps through a comma-separated list: `*rest` shrinks; false at the end. Empty names are skipped.
 */
bool spb_name_next(spb_span *rest, spb_span *name);
/* Is `name` in the list? */
bool spb_name_in(spb_span list, const char *name);

#endif
