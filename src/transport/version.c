/* The version exchange (RFC 4253 4.2): the client sends one line of at most 255 bytes and nothing
 * before it. */
#include "transport/transport_internal.h"

#include <string.h>

static int refuse(spt_transport *t, const char *why)
{
    static const char line[] = "Invalid SSH identification string.\r\n";

    /* There is no packet layer to disconnect with yet; a line of text is what people will see. */
    (void)spt_output_bytes(t, line, sizeof line - 1);
    return spt_fail(t, SP_EPROTO, 0, "%s", why);
}

/* 1: the line was there and is good; 0: more bytes are needed. */
int spt_read_version(spt_transport *t)
{
    const uint8_t *line = t->input + t->input_start;
    size_t left = t->input_end - t->input_start;
    size_t look = left < VERSION_LINE_MAX ? left : VERSION_LINE_MAX;
    const uint8_t *newline = memchr(line, '\n', look);

    if (newline == NULL) {
        if (left >= VERSION_LINE_MAX)
            return refuse(t, "the client's version line is too long");
        static const char start[] = "SSH-";
        size_t check = left < 4 ? left : 4;
        if (memcmp(line, start, check) != 0)
            return refuse(t, "the client did not send an SSH version line");
        return 0;
    }

    size_t length = (size_t)(newline - line);
    size_t taken = length + 1;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (line[i] < 0x20 || line[i] > 0x7e)
            return refuse(t, "the client's version line has bytes that are not printable ASCII");
    }
    static const char prefix[] = "SSH-2.0-";
    if (length < sizeof prefix || memcmp(line, prefix, sizeof prefix - 1) != 0)
        return refuse(t, "the client's protocol version is not 2.0");

    t->peer_version = spb_strndup(spt_env(t), line, length);
    if (t->peer_version == NULL)
        return spt_fail(t, SP_ENOMEM, 0, "out of memory");
    t->input_start += taken;
    spb_log(spt_env(t), SP_LOG_DEBUG, "client version %s", t->peer_version);
    return 1;
}
