/* A queue of typed bytes: data received but not yet delivered, data written but not yet sent. The
 * types of channel data (RFC 4254 5.2) keep their order, so each run of one type is a segment with
 * a header of its own. Chunks grow with what is in the queue and go when they are empty. */
#include "connection/connection_internal.h"

#include <string.h>

#define HEADER 8u /* type and length */
#define CHUNK_MIN 1000u
#define CHUNK_MAX ((uint32_t)(SPB_POOL_CHUNK - sizeof(spn_chunk)))

static spn_chunk *chunk_next(const spn_chunk *chunk)
{
    return (spn_chunk *)(void *)chunk->node.next;
}

static spn_chunk *chunk_add(spn_fifo *f, spn_connection *c, size_t wanted)
{
    size_t size = wanted < f->length ? f->length : wanted;
    size = size < CHUNK_MIN ? CHUNK_MIN : size > CHUNK_MAX ? CHUNK_MAX : size;
    bool pooled = size > CHUNK_MAX / 2;
    if (pooled)
        size = CHUNK_MAX;
    spn_chunk *chunk =
        pooled ? spb_pool_take_chunk(c->pool) : spb_alloc(c->env, sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    memset(chunk, 0, sizeof *chunk);
    chunk->node.pooled = pooled;
    chunk->capacity = (uint32_t)size;
    if (f->last == NULL)
        f->first = chunk;
    else
        f->last->node.next = &chunk->node;
    f->last = chunk;
    return chunk;
}

/* Puts what fits behind the chunk's data; returns how much that was. */
static size_t chunk_put(spn_chunk *chunk, uint32_t type, const uint8_t *bytes, size_t length)
{
    size_t room = chunk->capacity - chunk->end;
    uint8_t *header = chunk->bytes + chunk->last;
    if (chunk->start == chunk->end || spb_get_u32(header) != type) {
        if (room <= HEADER)
            return 0;
        room -= HEADER;
        chunk->last = chunk->end;
        chunk->end += HEADER;
        header = chunk->bytes + chunk->last;
        spb_put_u32(header, type);
        spb_put_u32(header + 4, 0);
    }
    uint32_t n = (uint32_t)(length < room ? length : room);
    memcpy(chunk->bytes + chunk->end, bytes, n);
    chunk->end += n;
    spb_put_u32(header + 4, spb_get_u32(header + 4) + n);
    return n;
}

bool spn_fifo_put(spn_fifo *f, spn_connection *c, uint32_t type, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    spn_chunk *chunk = f->last;
    while (length > 0) {
        size_t n = chunk == NULL ? 0 : chunk_put(chunk, type, at, length);
        at += n;
        length -= n;
        f->length += n;
        if (length > 0 && (chunk = chunk_add(f, c, length + HEADER)) == NULL)
            return false;
    }
    return true;
}

bool spn_fifo_peek(const spn_fifo *f, uint32_t *type, spb_span *piece)
{
    if (f->first == NULL || f->length == 0)
        return false;
    const uint8_t *header = f->first->bytes + f->first->start;
    *type = spb_get_u32(header);
    piece->data = header + HEADER;
    piece->length = spb_get_u32(header + 4);
    return true;
}

spn_chunk *spn_fifo_drop(spn_fifo *f, size_t length)
{
    spn_chunk *chunk = f->first;
    uint8_t *header = chunk->bytes + chunk->start;
    uint32_t type = spb_get_u32(header);
    uint32_t left = spb_get_u32(header + 4) - (uint32_t)length;
    f->length -= length;
    if (left > 0) {
        /* The header moves up over the bytes that have gone. */
        if (chunk->last == chunk->start)
            chunk->last += (uint32_t)length;
        chunk->start += (uint32_t)length;
        header = chunk->bytes + chunk->start;
        spb_put_u32(header, type);
        spb_put_u32(header + 4, left);
        return NULL;
    }
    chunk->start += HEADER + (uint32_t)length;
    if (chunk->start < chunk->end)
        return NULL;
    f->first = chunk_next(chunk);
    if (f->first == NULL)
        f->last = NULL;
    return chunk;
}

void spn_fifo_clear(spn_fifo *f, spn_connection *c)
{
    for (spn_chunk *chunk = f->first; chunk != NULL;) {
        spn_chunk *next = chunk_next(chunk);
        spn_trash(c, chunk);
        chunk = next;
    }
    memset(f, 0, sizeof *f);
}
