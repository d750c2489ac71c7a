/* X11 connection setup: byte order, version, authorization protocol and data, each padded to four
 * bytes. Numbers have the client's byte order. */
#include "server/x11_setup.h"

#include <stdio.h>
#include <string.h>

#define BIG 'B'
#define LITTLE 'l'
#define VERSION 11u

/* Families of an authority file's entries. */
#define FAMILY_LOCAL 256u
#define FAMILY_WILD 65535u

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

static unsigned read_u16(spb_reader *r, uint8_t order)
{
    unsigned first = spr_u8(r);
    unsigned second = spr_u8(r);
    return order == BIG ? first << 8 | second : second << 8 | first;
}

static void write_u16(spb_buffer *out, uint8_t order, size_t value)
{
    uint8_t high = (uint8_t)(value >> 8);
    uint8_t low = (uint8_t)value;
    spw_u8(out, order == BIG ? high : low);
    spw_u8(out, order == BIG ? low : high);
}

static void write_padded(spb_buffer *out, const void *bytes, size_t length)
{
    static const uint8_t zeros[3] = {0};
    spw_bytes(out, bytes, length);
    spw_bytes(out, zeros, padded(length) - length);
}

sps_x11_verdict sps_x11_check(const uint8_t *bytes, size_t length,
                              const uint8_t cookie[SPS_X11_COOKIE], size_t *need)
{
    spb_reader r;
    spr_init(&r, bytes, length);
    *need = SPS_X11_HEADER;
    if (length == 0)
        return SPS_X11_MORE;
    uint8_t order = spr_u8(&r);
    if (order != BIG && order != LITTLE)
        return SPS_X11_BROKEN;
    if (length < SPS_X11_HEADER)
        return SPS_X11_MORE;
    (void)spr_u8(&r);
    unsigned major = read_u16(&r, order);
    (void)read_u16(&r, order);
    size_t name_length = read_u16(&r, order);
    size_t data_length = read_u16(&r, order);
    (void)read_u16(&r, order);
    *need = SPS_X11_HEADER + padded(name_length) + padded(data_length);
    if (major != VERSION || *need > SPS_X11_SETUP_MAX)
        return SPS_X11_WRONG;
    if (length < *need)
        return SPS_X11_MORE;
    spb_span name = spr_bytes(&r, name_length);
    (void)spr_bytes(&r, padded(name_length) - name_length);
    spb_span data = spr_bytes(&r, data_length);
    if (!spr_ok(&r) || !spb_span_is(name, SPS_X11_PROTOCOL) || data.length != SPS_X11_COOKIE)
        return SPS_X11_WRONG;
    return spb_equal_secret(data.data, cookie, SPS_X11_COOKIE) ? SPS_X11_GOOD : SPS_X11_WRONG;
}

void sps_x11_replace(const uint8_t header[SPS_X11_HEADER], spb_span protocol, spb_span cookie,
                     spb_buffer *out)
{
    uint8_t order = header[0];
    spw_bytes(out, header, 6); /* byte order and version */
    write_u16(out, order, protocol.length);
    write_u16(out, order, cookie.length);
    write_u16(out, order, 0);
    write_padded(out, protocol.data, protocol.length);
    write_padded(out, cookie.data, cookie.length);
}

void sps_x11_refuse(uint8_t order, const char *reason, spb_buffer *out)
{
    size_t length = strlen(reason);
    if (length > UINT8_MAX)
        length = UINT8_MAX;
    spw_u8(out, 0); /* failed */
    spw_u8(out, (uint8_t)length);
    write_u16(out, order, VERSION);
    write_u16(out, order, 0);
    write_u16(out, order, padded(length) / 4);
    write_padded(out, reason, length);
}

/* Here all numbers are big-endian. */
static void write_counted(spb_buffer *out, const void *bytes, size_t length)
{
    write_u16(out, BIG, length);
    spw_bytes(out, bytes, length);
}

static void write_entry(spb_buffer *out, unsigned family, const char *address, const char *number,
                        const uint8_t *cookie)
{
    write_u16(out, BIG, family);
    write_counted(out, address, strlen(address));
    write_counted(out, number, strlen(number));
    write_counted(out, SPS_X11_PROTOCOL, strlen(SPS_X11_PROTOCOL));
    write_counted(out, cookie, SPS_X11_COOKIE);
}

void sps_x11_authority(const char *host, unsigned number, const uint8_t cookie[SPS_X11_COOKIE],
                       spb_buffer *out)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    write_entry(out, FAMILY_LOCAL, host, text, cookie);
    write_entry(out, FAMILY_WILD, "", text, cookie);
}
