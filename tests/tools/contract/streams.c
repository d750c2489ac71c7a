/* streams.c: what sessions do with bytes: make them, send them back, count them. */
#include "contract.h"

#include <stdlib.h>

void end_session(session *s, uint32_t status)
{
    if (s->ended)
        return;
    s->ended = true;
    sp_channel_exit(s->channel, status);
}

/* The next bytes to write, the hash after the last of them. False: there are no more. */
static bool source_next(session *s)
{
    s->block_used = 0;
    s->block_length = sizeof s->block < s->remaining ? sizeof s->block : (size_t)s->remaining;
    if (s->block_length > 0) {
        s->remaining -= s->block_length;
        if (s->run == RUN_SOURCE) {
            for (size_t i = 0; i < sizeof s->block; i += 8) {
                s->random ^= s->random << 13;
                s->random ^= s->random >> 7;
                s->random ^= s->random << 17;
                memcpy(s->block + i, &s->random, 8);
            }
            sha256_update(&s->hash, s->block, s->block_length);
        }
        if (s->both)
            s->to_stderr = !s->to_stderr;
        return true;
    }
    if (s->run != RUN_SOURCE || s->both || s->told)
        return false;
    char hex[65];
    sha256_hex(&s->hash, hex);
    s->block_length = (size_t)snprintf((char *)s->block, sizeof s->block, "sha256 %s\n", hex);
    s->to_stderr = true;
    s->told = true;
    return true;
}

void source_pump(session *s)
{
    if (s->ended)
        return;
    while (s->block_used < s->block_length || source_next(s)) {
        ptrdiff_t taken = s->to_stderr
                              ? sp_channel_write_stderr(s->channel, s->block + s->block_used,
                                                        s->block_length - s->block_used)
                              : sp_channel_write(s->channel, s->block + s->block_used,
                                                 s->block_length - s->block_used);
        if (taken <= 0)
            return;
        s->block_used += (size_t)taken;
    }
    end_session(s, 0);
}

void echo_flush(session *s)
{
    while (s->pending_length > 0) {
        ptrdiff_t taken =
            sp_channel_write(s->channel, s->pending + s->pending_start, s->pending_length);
        if (taken <= 0)
            return;
        s->pending_start += (size_t)taken;
        s->pending_length -= (size_t)taken;
    }
    s->pending_start = 0;
    if (s->reading_paused) {
        s->reading_paused = false;
        sp_channel_resume_reading(s->channel);
    }
    if (s->at_eof)
        end_session(s, 0);
}

void echo_take(session *s, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    if (s->pending_length == 0) {
        ptrdiff_t taken = sp_channel_write(s->channel, from, length);
        if (taken < 0)
            return;
        from += taken;
        length -= (size_t)taken;
    }
    if (length == 0)
        return;
    if (s->pending_start + s->pending_length + length > s->pending_room) {
        s->pending_room = s->pending_start + s->pending_length + length;
        s->pending = realloc(s->pending, s->pending_room);
        if (s->pending == NULL)
            abort();
    }
    memcpy(s->pending + s->pending_start + s->pending_length, from, length);
    s->pending_length += length;
    if (!s->reading_paused) {
        s->reading_paused = true;
        sp_channel_pause_reading(s->channel);
    }
}

void print_sink(session *s)
{
    char hex[65] = "-";
    if (s->run == RUN_SINK)
        sha256_hex(&s->hash, hex);
    sp_channel_printf(s->channel, "%llu %s\n", (unsigned long long)s->received, hex);
    end_session(s, 0);
}
