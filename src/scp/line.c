/* Lines of the scp protocol, strictly: exactly the blanks, digits and fields that OpenSSH's scp and
 * BSD's rcp write. */
#include "scp/line.h"

#include <sallyport/fs.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_PART ((size_t)1000) /* of a path or a text; with the rest below OpenSSH's 2048 */

/* ---- reading ---- */

/* One or more digits and the `end` behind them, which 0 leaves to the line's end. */
static bool take_number(spb_reader *r, uint8_t end, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool any = false;
    for (;;) {
        if (spr_left(r) == 0) {
            *out = value;
            return end == 0 && any;
        }
        uint8_t c = spr_u8(r);
        if (c == end && any) {
            *out = value;
            return true;
        }
        if (c < '0' || c > '9' || value > (max - (uint64_t)(c - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(c - '0');
        any = true;
    }
}

static bool take_mode(spb_reader *r, uint32_t *mode)
{
    *mode = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = spr_u8(r);
        if (c < '0' || c > '7')
            return false;
        *mode = *mode << 3 | (uint32_t)(c - '0');
    }
    return true;
}

static const char *parse_entry(spp_line *out, spb_reader *r)
{
    if (!take_mode(r, &out->mode))
        return "bad mode";
    if (spr_u8(r) != ' ')
        return "mode not delimited";
    if (!take_number(r, ' ', (uint64_t)INT64_MAX, &out->size))
        return "bad size";
    out->name = spr_rest(r);
    return spp_name_may_come(out->name) ? NULL : "unexpected filename";
}

/* The microseconds are read and dropped: tables have seconds. */
static const char *parse_times(spp_line *out, spb_reader *r)
{
    uint64_t mtime, atime, micro;
    if (!take_number(r, ' ', (uint64_t)SPP_TIME_MAX, &mtime) ||
        !take_number(r, ' ', 999999, &micro))
        return "bad modification time";
    if (!take_number(r, ' ', (uint64_t)SPP_TIME_MAX, &atime) || !take_number(r, 0, 999999, &micro))
        return "bad access time";
    out->mtime = (int64_t)mtime;
    out->atime = (int64_t)atime;
    return NULL;
}

const char *spp_line_parse(spp_line *out, spb_span line)
{
    spb_reader r;
    memset(out, 0, sizeof *out);
    spr_init(&r, line.data, line.length);
    uint8_t type = spr_u8(&r);
    out->record = (spp_record)type;
    switch (type) {
    case SPP_FILE:
    case SPP_DIRECTORY:
        return parse_entry(out, &r);
    case SPP_TIMES:
        return parse_times(out, &r);
    case SPP_END:
        return spr_done(&r) ? NULL : "bad end of a directory";
    default:
        return line.length == 0 ? "unexpected <newline>" : "expected control record";
    }
}

/* ---- names ---- */

static bool is_name(spb_span name)
{
    return name.length != 0 && name.length <= SP_FS_NAME_MAX && !spb_span_is(name, ".") &&
           !spb_span_is(name, "..") && memchr(name.data, '/', name.length) == NULL &&
           memchr(name.data, '\0', name.length) == NULL &&
           memchr(name.data, '\n', name.length) == NULL;
}

bool spp_name_may_come(spb_span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    return is_name(name);
}

bool spp_name_can_go(const char *name)
{
    return is_name((spb_span){(const uint8_t *)name, strnlen(name, SP_FS_NAME_MAX + 1)});
}

/* ---- writing ---- */

void spp_put_record(spb_buffer *out, spp_record record, uint32_t mode, uint64_t size,
                    const char *name)
{
    char head[64];
    int length = snprintf(head, sizeof head, "%c%04o %llu ", (char)record, mode & 07777u,
                          (unsigned long long)size);
    spw_bytes(out, head, (size_t)length);
    spw_bytes(out, name, strlen(name));
    spw_u8(out, '\n');
}

static long long in_range(int64_t time)
{
    return time < 0 ? 0 : time > SPP_TIME_MAX ? SPP_TIME_MAX : time;
}

void spp_put_times(spb_buffer *out, int64_t mtime, int64_t atime)
{
    char line[64];
    int length = snprintf(line, sizeof line, "T%lld 0 %lld 0\n", in_range(mtime), in_range(atime));
    spw_bytes(out, line, (size_t)length);
}

static void put_clean(spb_buffer *out, const char *text)
{
    size_t length = strnlen(text, MESSAGE_PART);
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)text[i];
        spw_u8(out, c < 0x20 || c == 0x7f ? '?' : c);
    }
}

void spp_put_message(spb_buffer *out, uint8_t status, const char *path, const char *text)
{
    spw_u8(out, status);
    put_clean(out, "scp: ");
    if (path != NULL) {
        put_clean(out, path);
        put_clean(out, ": ");
    }
    put_clean(out, text);
    spw_u8(out, '\n');
}
