/* Direct style: reading. What comes is kept up to SPS_DIRECT_INPUT bytes; then the channel's
 * reading is paused until half of it was taken, and the channel's window holds the client. */
#include "server/direct.h"

#include <string.h>

#define IDLE_ROOM ((size_t)4096) /* a larger buffer goes while there is nothing in it */

/* ---- what came ---- */

size_t sps_direct_available(const sp_process *p)
{
    return p->input.length - p->taken;
}

const uint8_t *sps_direct_bytes(const sp_process *p)
{
    return p->input.data + p->taken;
}

static void hold(sp_process *p, bool on)
{
    if (p->held == on)
        return;
    p->held = on;
    (void)(on ? sp_channel_pause_reading : sp_channel_resume_reading)(p->channel);
}

bool sps_direct_data(sp_process *p, const void *bytes, size_t length)
{
    if (p->taken != 0) {
        spb_buffer_consume(&p->input, p->taken);
        p->taken = 0;
    }
    spw_bytes(&p->input, bytes, length);
    if (!spw_ok(&p->input))
        return false;
    if (p->input.length >= SPS_DIRECT_INPUT)
        hold(p, true);
    return true;
}

void sps_direct_take(sp_process *p, size_t length)
{
    p->taken += length;
    if (p->taken == p->input.length) {
        spb_buffer_clear(&p->input);
        p->taken = 0;
    }
    if (sps_direct_available(p) <= SPS_DIRECT_INPUT / 2)
        hold(p, false);
}

/* ---- waiting for more ---- */

static int event_error(sp_process *p)
{
    switch (sps_direct_happened(p, p->events)) {
    case SP_WAIT_SIGNAL:
        return SP_ESIGNAL;
    case SP_WAIT_RESIZE:
        return SP_ERESIZE;
    case SP_WAIT_BREAK:
        return SP_EBREAK;
    case SP_WAIT_WAKE:
        return SP_EWOKEN;
    default:
        return 0;
    }
}

int sps_direct_check(sp_process *p, size_t known)
{
    if (p->lost && !p->lost_in_order)
        return SP_ECONN;
    int event = p->lost ? 0 : event_error(p);
    if (event != 0)
        return event;
    if (sps_direct_available(p) > known)
        return 0;
    if (p->eof)
        return SP_EOF;
    return p->lost ? SP_ECONN : SP_EAGAIN;
}

void sps_direct_wait_input(sp_process *p)
{
    if (p->input.length == 0 && p->input.capacity > IDLE_ROOM)
        spb_buffer_free(&p->input);
    hold(p, false);
    sps_direct_wait(p, SPS_FOR_INPUT | SPS_FOR_EVENT);
}

int sps_direct_more(sp_process *p, size_t known)
{
    int result;
    while ((result = sps_direct_check(p, known)) == SP_EAGAIN)
        sps_direct_wait_input(p);
    return result;
}

static size_t copy_out(sp_process *p, void *buffer, size_t size)
{
    size_t n = sps_direct_available(p);
    if (n > size)
        n = size;
    if (n != 0)
        memcpy(buffer, sps_direct_bytes(p), n);
    sps_direct_take(p, n);
    return n;
}

/* A line feed behind the carriage return that ended a line is no byte of what follows. */
static void skip_line_feed(sp_process *p)
{
    if (!p->after_cr || sps_direct_available(p) == 0)
        return;
    p->after_cr = false;
    if (*sps_direct_bytes(p) == '\n')
        sps_direct_take(p, 1);
}

/* ---- bytes ---- */

ptrdiff_t sp_read(sp_process *p, void *buffer, size_t size)
{
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    int result;
    do {
        result = sps_direct_more(p, 0);
        skip_line_feed(p);
    } while (result == 0 && sps_direct_available(p) == 0);
    if (result != 0)
        return result == SP_EOF ? 0 : result;
    return (ptrdiff_t)copy_out(p, buffer, size);
}

ptrdiff_t sp_read_exactly(sp_process *p, void *buffer, size_t size)
{
    size_t done = 0;
    if (size > PTRDIFF_MAX)
        return SP_EINVAL;
    while (done < size) {
        unsigned events = p->events;
        if (done != 0)
            p->events = 0;
        ptrdiff_t n = sp_read(p, (uint8_t *)buffer + done, size - done);
        p->events = events;
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ptrdiff_t)done;
}

/* Where `separator` ends in what is there, looking from `from` on; 0: nowhere. */
static size_t find_end(const sp_process *p, const char *separator, size_t length, size_t from)
{
    size_t available = sps_direct_available(p);
    if (available < length || from > available - length)
        return 0;
    const uint8_t *start = sps_direct_bytes(p);
    const uint8_t *at = memmem(start + from, available - from, separator, length);
    return at == NULL ? 0 : (size_t)(at - start) + length;
}

ptrdiff_t sp_read_until(sp_process *p, const char *separator, void *buffer, size_t size)
{
    size_t length = separator == NULL ? 0 : strlen(separator);
    if (length == 0 || size == 0)
        return SP_EINVAL;
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    size_t limit = size < SPS_DIRECT_INPUT ? size : SPS_DIRECT_INPUT;
    size_t from = 0;
    for (;;) {
        skip_line_feed(p);
        size_t end = find_end(p, separator, length, from);
        if (end > limit || (end == 0 && sps_direct_available(p) >= limit))
            return SP_ELIMIT;
        if (end != 0)
            return (ptrdiff_t)copy_out(p, buffer, end);
        size_t available = sps_direct_available(p);
        from = available >= length ? available - length + 1 : 0;
        int result = sps_direct_more(p, available);
        if (result == SP_EOF && available != 0)
            return (ptrdiff_t)copy_out(p, buffer, available);
        if (result != 0)
            return result;
    }
}

/* ---- lines ---- */

/* The length of the line at the front, and in `*with_end` that of its line end too; false: no line
 * end from `from` on. */
static bool find_line(const sp_process *p, size_t from, size_t *length, size_t *with_end)
{
    const uint8_t *start = sps_direct_bytes(p);
    size_t available = sps_direct_available(p);
    bool terminal = p->channel->terminal != NULL;
    for (size_t i = from; i < available; i++) {
        if (start[i] != '\n' && (start[i] != '\r' || !terminal))
            continue;
        *length = i > 0 && start[i] == '\n' && start[i - 1] == '\r' ? i - 1 : i;
        *with_end = i + 1;
        return true;
    }
    return false;
}

/* Takes the line of `length` bytes; `whole` is what is to be taken of the input. */
static ptrdiff_t take_line(sp_process *p, char *line, size_t size, size_t length, size_t whole)
{
    bool skipped = p->skip_line;
    bool fits = length < size;
    p->skip_line = false;
    if (!skipped && fits) {
        memcpy(line, sps_direct_bytes(p), length);
        line[length] = '\0';
    }
    p->after_cr = whole > 0 && sps_direct_bytes(p)[whole - 1] == '\r' && whole > length;
    sps_direct_take(p, whole);
    if (skipped)
        return SP_EAGAIN; /* the end of one that was reported already */
    return fits ? (ptrdiff_t)length : SP_ELIMIT;
}

/* More came than a line may have: the rest of it will be dropped. */
static ptrdiff_t drop_line(sp_process *p)
{
    bool reported = p->skip_line;
    p->skip_line = true;
    sps_direct_take(p, sps_direct_available(p));
    return reported ? SP_EAGAIN : SP_ELIMIT;
}

/* SP_EAGAIN: a piece of a line that is being dropped went. */
static ptrdiff_t one_line(sp_process *p, char *line, size_t size)
{
    size_t from = 0;
    for (;;) {
        size_t length;
        size_t whole;
        skip_line_feed(p);
        if (find_line(p, from, &length, &whole))
            return take_line(p, line, size, length, whole);
        from = sps_direct_available(p);
        if (from > size || from >= SPS_DIRECT_INPUT) /* with a CR that may belong to the end */
            return drop_line(p);
        int result = sps_direct_more(p, from);
        if (result == SP_EOF && from != 0)
            return take_line(p, line, size, from, from);
        if (result != 0)
            return result;
    }
}

ptrdiff_t sps_direct_plain_line(sp_process *p, char *line, size_t size)
{
    ptrdiff_t n;
    do
        n = one_line(p, line, size);
    while (n == SP_EAGAIN);
    return n;
}

/* ---- <sallyport/direct.h> ---- */

ptrdiff_t sp_gets(sp_process *p, char *line, size_t size)
{
    return sp_read_line(p, NULL, line, size);
}

static ptrdiff_t read_line(sp_process *p, const char *prompt, char *line, size_t size, bool hidden)
{
    if (size == 0)
        return SP_EINVAL;
    if (sps_direct_may_wait(p) != 0)
        return SP_ESTATE;
    if (sps_direct_editor(p) != NULL)
        return sps_direct_terminal_line(p, prompt, line, size, hidden);
    if (prompt != NULL) {
        ptrdiff_t n = sp_puts(p, prompt);
        if (n < 0)
            return n;
    }
    return sps_direct_plain_line(p, line, size);
}

ptrdiff_t sp_read_line(sp_process *p, const char *prompt, char *line, size_t size)
{
    return read_line(p, prompt, line, size, false);
}

ptrdiff_t sp_read_password(sp_process *p, const char *prompt, char *line, size_t size)
{
    return read_line(p, prompt, line, size, true);
}
