/* The wire writer: a buffer that grows up to its limit and remembers failure (RFC 4251 5). */
#include "base/wire.h"

#include <string.h>

#define BUFFER_START 64

void spb_buffer_init(spb_buffer *b, const spb_env *env, size_t limit)
{
    memset(b, 0, sizeof *b);
    b->env = env;
    b->limit = limit;
}

void spb_buffer_free(spb_buffer *b)
{
    if (b->env != NULL && b->data != NULL) {
        if (b->secret)
            sp_zero(b->data, b->capacity);
        spb_free(b->env, b->data);
    }
    b->data = NULL;
    b->length = 0;
    b->capacity = 0;
    b->failed = false;
}

void spb_buffer_clear(spb_buffer *b)
{
    if (b->secret && b->data != NULL)
        sp_zero(b->data, b->capacity);
    b->length = 0;
    b->failed = false;
}

/* Not realloc: the old copy of a secret must be wiped. */
static bool grow(spb_buffer *b, size_t needed)
{
    size_t capacity = b->capacity < BUFFER_START ? BUFFER_START : b->capacity;

    while (capacity < needed)
        capacity *= 2;
    if (capacity > b->limit)
        capacity = b->limit;

    uint8_t *data;
    if (b->secret) {
        data = spb_alloc(b->env, capacity);
        if (data == NULL)
            return false;
        if (b->data != NULL) {
            memcpy(data, b->data, b->length);
            spb_free_secret(b->env, b->data, b->capacity);
        }
    } else {
        data = spb_realloc(b->env, b->data, capacity);
        if (data == NULL)
            return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

uint8_t *spb_buffer_reserve(spb_buffer *b, size_t length)
{
    if (b->failed)
        return NULL;
    if (length > b->limit || b->length > b->limit - length) {
        b->failed = true;
        return NULL;
    }
    size_t needed = b->length + length;
    if ((b->data == NULL || needed > b->capacity) && !grow(b, needed)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->length;
}

void spb_buffer_consume(spb_buffer *b, size_t length)
{
    if (length >= b->length) {
        spb_buffer_clear(b);
        return;
    }
    memmove(b->data, b->data + length, b->length - length);
    b->length -= length;
    if (b->secret)
        sp_zero(b->data + b->length, length);
}

void spw_bytes(spb_buffer *b, const void *data, size_t length)
{
    uint8_t *room = spb_buffer_reserve(b, length);
    if (room == NULL)
        return;
    if (length != 0)
        memcpy(room, data, length);
    b->length += length;
}

void spw_u8(spb_buffer *b, uint8_t v)
{
    spw_bytes(b, &v, 1);
}

void spw_bool(spb_buffer *b, bool v)
{
    spw_u8(b, v ? 1 : 0);
}

void spw_u32(spb_buffer *b, uint32_t v)
{
    uint8_t bytes[4];
    spb_put_u32(bytes, v);
    spw_bytes(b, bytes, sizeof bytes);
}

void spw_u64(spb_buffer *b, uint64_t v)
{
    spw_u32(b, (uint32_t)(v >> 32));
    spw_u32(b, (uint32_t)v);
}

void spw_string(spb_buffer *b, const void *data, size_t length)
{
    if (length > UINT32_MAX) {
        b->failed = true;
        return;
    }
    spw_u32(b, (uint32_t)length);
    spw_bytes(b, data, length);
}

void spw_cstring(spb_buffer *b, const char *text)
{
    spw_string(b, text, text == NULL ? 0 : strlen(text));
}

void spw_mpint(spb_buffer *b, const void *data, size_t length)
{
    const uint8_t *p = data;

    while (length > 0 && p[0] == 0) {
        p++;
        length--;
    }
    bool pad = length > 0 && (p[0] & 0x80) != 0;
    if (length >= UINT32_MAX) {
        b->failed = true;
        return;
    }
    spw_u32(b, (uint32_t)(length + (pad ? 1 : 0)));
    if (pad)
        spw_u8(b, 0);
    spw_bytes(b, p, length);
}

size_t spw_string_begin(spb_buffer *b)
{
    spw_u32(b, 0);
    return b->length;
}

void spw_string_end(spb_buffer *b, size_t mark)
{
    if (b->failed)
        return;
    size_t length = b->length - mark;
    if (length > UINT32_MAX) {
        b->failed = true;
        return;
    }
    spb_put_u32(b->data + mark - 4, (uint32_t)length);
}

bool spw_ok(const spb_buffer *b)
{
    return !b->failed;
}
