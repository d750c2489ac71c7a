/* Direct style: writing, with back-pressure. */
#include "server/direct.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINTF_STACK 512

void sps_direct_wait_room(sp_process *p)
{
    p->full = true;
    while (p->full && !p->lost)
        sps_direct_wait(p, SPS_FOR_ROOM);
}

ptrdiff_t sps_direct_write(sp_process *p, uint32_t type, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    size_t left = length;
    for (;;) {
        ptrdiff_t n = type == SP_DATA_STDERR ? sp_channel_write_stderr(p->channel, at, left)
                                             : sp_channel_write(p->channel, at, left);
        if (n < 0)
            return n;
        at += n;
        left -= (size_t)n;
        if (left == 0)
            return (ptrdiff_t)length;
        sps_direct_wait_room(p);
    }
}

static ptrdiff_t write_type(sp_process *p, uint32_t type, const void *bytes, size_t length)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    if (length > PTRDIFF_MAX || (type != SP_DATA_NORMAL && p->stream))
        return SP_EINVAL;
    if (sps_direct_editor(p) != NULL)
        return sps_direct_terminal_write(p, bytes, length);
    int result = sps_direct_terminal_flush(p);
    return result != 0 ? result : sps_direct_write(p, type, bytes, length);
}

static ptrdiff_t print(sp_process *p, uint32_t type, const char *format, va_list arguments)
{
    char small[PRINTF_STACK];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(small, sizeof small, format, arguments);
    ptrdiff_t result = SP_EINVAL;
    if (length >= 0 && (size_t)length < sizeof small) {
        result = write_type(p, type, small, (size_t)length);
    } else if (length >= 0) {
        const spb_env *env = spl_queue_env(p->channel->queue);
        char *text = spb_alloc(env, (size_t)length + 1);
        result = SP_ENOMEM;
        if (text != NULL) {
            (void)vsnprintf(text, (size_t)length + 1, format, again);
            result = write_type(p, type, text, (size_t)length);
        }
        spb_free(env, text);
    }
    va_end(again);
    return result;
}

/* ---- <sallyport/direct.h> ---- */

ptrdiff_t sp_write(sp_process *p, const void *bytes, size_t length)
{
    return write_type(p, SP_DATA_NORMAL, bytes, length);
}

ptrdiff_t sp_puts(sp_process *p, const char *text)
{
    return sp_write(p, text, strlen(text));
}

ptrdiff_t sp_printf(sp_process *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ptrdiff_t result = print(p, SP_DATA_NORMAL, format, arguments);
    va_end(arguments);
    return result;
}

ptrdiff_t sp_write_err(sp_process *p, const void *bytes, size_t length)
{
    return write_type(p, SP_DATA_STDERR, bytes, length);
}

ptrdiff_t sp_puts_err(sp_process *p, const char *text)
{
    return sp_write_err(p, text, strlen(text));
}

ptrdiff_t sp_printf_err(sp_process *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ptrdiff_t result = print(p, SP_DATA_STDERR, format, arguments);
    va_end(arguments);
    return result;
}

int sp_write_eof(sp_process *p)
{
    return sp_channel_write_eof(p->channel);
}

int sp_drain(sp_process *p)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    while (!p->lost && sp_channel_write_buffered(p->channel) != 0) {
        spb_list_append(&p->channel->conn->drains, &p->drain);
        sps_direct_wait(p, SPS_FOR_DRAIN);
        spb_list_remove(&p->drain);
    }
    return p->lost ? SP_ECONN : 0;
}
