/* Delayed compression with zlib (RFC 4253 6.2, OpenSSH PROTOCOL 1.2). The stream runs on over all
 * packets of one direction; what comes out of one packet is bounded by the caller's buffer. */
#include "transport/compress.h"

#include <string.h>
#include <zlib.h>

#define STEP 4096

struct spt_compressor {
    const spb_env *env;
    bool deflating;
    z_stream stream;
};

static voidpf zalloc(voidpf ctx, uInt items, uInt size)
{
    return spb_calloc(ctx, items, size);
}

static void zfree(voidpf ctx, voidpf ptr)
{
    spb_free(ctx, ptr);
}

spt_compressor *spt_compressor_new(const spb_env *env, bool deflating)
{
    spt_compressor *c = spb_calloc(env, 1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->env = env;
    c->deflating = deflating;
    c->stream.zalloc = zalloc;
    c->stream.zfree = zfree;
    c->stream.opaque = (voidpf)env;
    int result =
        deflating ? deflateInit(&c->stream, Z_DEFAULT_COMPRESSION) : inflateInit(&c->stream);
    if (result != Z_OK) {
        spb_free(env, c);
        return NULL;
    }
    return c;
}

void spt_compressor_free(spt_compressor *c)
{
    if (c == NULL)
        return;
    if (c->deflating)
        deflateEnd(&c->stream);
    else
        inflateEnd(&c->stream);
    spb_free(c->env, c);
}

static bool run(spt_compressor *c, const uint8_t *data, size_t length, spb_buffer *out)
{
    if (length > UINT32_MAX)
        return false;
    c->stream.next_in = (Bytef *)(uintptr_t)data; /* zlib only reads it */
    c->stream.avail_in = (uInt)length;
    for (;;) {
        size_t room = out->limit - out->length;
        if (room > STEP)
            room = STEP;
        /* Even a full buffer gets one more byte of room, to tell "done" from "too large". */
        uint8_t spare = 0;
        uint8_t *to = room == 0 ? &spare : spb_buffer_reserve(out, room);
        if (to == NULL)
            return false;
        size_t given = room == 0 ? 1 : room;
        c->stream.next_out = to;
        c->stream.avail_out = (uInt)given;
        int result =
            c->deflating ? deflate(&c->stream, Z_PARTIAL_FLUSH) : inflate(&c->stream, Z_SYNC_FLUSH);
        size_t made = given - c->stream.avail_out;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return false;
        if (room == 0 && made != 0)
            return false;
        out->length += made;
        if (c->stream.avail_out != 0)
            return c->stream.avail_in == 0;
    }
}

bool spt_compress(spt_compressor *c, const uint8_t *data, size_t length, spb_buffer *out)
{
    return c->deflating && run(c, data, length, out);
}

bool spt_decompress(spt_compressor *c, const uint8_t *data, size_t length, spb_buffer *out)
{
    return !c->deflating && run(c, data, length, out);
}
