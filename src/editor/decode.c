/* Takes apart what goes over a terminal's line, byte by byte: UTF-8 (RFC 3629), controls, and the
 * escape sequences of ECMA-48. Nothing is kept of a sequence but a few parameter bytes, and each
 * comes to an end: a CSI at its first letter or control, a string at a control or its limit. */
#include "editor/editor_internal.h"

#define ESC 0x1b
#define KEY_STRING_MAX 256
#define OUTPUT_STRING_MAX 65536
#define NUMBER_MAX 9999u

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7f;
}

static bool give(spx_unit *unit, spx_unit_type type, uint32_t code)
{
    unit->type = type;
    unit->code = code;
    return true;
}

static bool ground(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    d->state = SPX_DECODE_GROUND;
    if (byte == ESC) {
        d->state = SPX_DECODE_ESCAPE;
        return true;
    }
    if (is_control(byte))
        return give(unit, SPX_UNIT_CONTROL, byte);
    if (byte < 0x80)
        return give(unit, SPX_UNIT_CODE, byte);
    if (byte < 0xc2 || byte > 0xf4)
        return give(unit, SPX_UNIT_CODE, SPX_REPLACEMENT);
    d->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    d->least = d->left == 1 ? 0x80 : d->left == 2 ? 0x800 : 0x10000;
    d->code = byte & (0x3fu >> d->left);
    d->state = SPX_DECODE_UTF8;
    return true;
}

static bool utf8(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    if ((byte & 0xc0) != 0x80) {
        d->state = SPX_DECODE_GROUND;
        give(unit, SPX_UNIT_CODE, SPX_REPLACEMENT);
        return false;
    }
    d->code = d->code << 6 | (byte & 0x3fu);
    if (--d->left > 0)
        return true;
    d->state = SPX_DECODE_GROUND;
    if (d->code < d->least || d->code > 0x10ffff || (d->code >= 0xd800 && d->code < 0xe000))
        d->code = SPX_REPLACEMENT;
    return give(unit, SPX_UNIT_CODE, d->code);
}

static bool starts_string(const spx_decoder *d, uint8_t byte)
{
    if (byte == ']' || byte == 'P')
        return true;
    return !d->keys && (byte == 'X' || byte == '^' || byte == '_');
}

static bool escape(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    d->state = SPX_DECODE_GROUND;
    if (byte == '[') {
        d->state = SPX_DECODE_CSI;
        d->sequence_length = 0;
        return true;
    }
    if (byte == 'O') {
        d->state = SPX_DECODE_SS3;
        return true;
    }
    if (starts_string(d, byte)) {
        d->state = SPX_DECODE_STRING;
        d->string_length = 0;
        return true;
    }
    if (!d->keys && byte >= 0x20 && byte < 0x30) {
        d->state = SPX_DECODE_CHARSET;
        return true;
    }
    /* Backspace with Alt is a key of its own; other controls, and ESC itself, stand for themselves.
     */
    if ((byte < 0x20 && byte != '\b') || byte >= 0x80)
        return ground(d, byte, unit);
    return give(unit, SPX_UNIT_ESCAPE, byte);
}

static bool charset(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    if (byte >= 0x20 && byte < 0x30)
        return true;
    if (is_control(byte) || byte >= 0x80)
        return ground(d, byte, unit);
    d->state = SPX_DECODE_GROUND;
    return give(unit, SPX_UNIT_ESCAPE, 0);
}

static bool csi(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    if (is_control(byte) || byte >= 0x80)
        return ground(d, byte, unit);
    if (byte < 0x40) {
        if (d->sequence_length < SPX_SEQUENCE_MAX)
            d->sequence[d->sequence_length] = byte;
        if (d->sequence_length <= SPX_SEQUENCE_MAX)
            d->sequence_length++;
        return true;
    }
    d->state = SPX_DECODE_GROUND;
    return give(unit, d->sequence_length > SPX_SEQUENCE_MAX ? SPX_UNIT_ESCAPE : SPX_UNIT_CSI,
                d->sequence_length > SPX_SEQUENCE_MAX ? 0 : byte);
}

static bool ss3(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    if (is_control(byte) || byte >= 0x80)
        return ground(d, byte, unit);
    d->state = SPX_DECODE_GROUND;
    return give(unit, SPX_UNIT_SS3, byte);
}

static bool string(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    size_t max = d->keys ? KEY_STRING_MAX : OUTPUT_STRING_MAX;

    if (byte == ESC) {
        d->state = SPX_DECODE_STRING_ESCAPE;
    } else if (byte == '\a' || ++d->string_length > max) {
        d->state = SPX_DECODE_GROUND;
    } else if (is_control(byte)) {
        return ground(d, byte, unit);
    }
    return true;
}

bool spx_decoder_take(spx_decoder *d, uint8_t byte, spx_unit *unit)
{
    unit->type = SPX_UNIT_NONE;
    switch (d->state) {
    case SPX_DECODE_GROUND:
        return ground(d, byte, unit);
    case SPX_DECODE_UTF8:
        return utf8(d, byte, unit);
    case SPX_DECODE_ESCAPE:
        return escape(d, byte, unit);
    case SPX_DECODE_CHARSET:
        return charset(d, byte, unit);
    case SPX_DECODE_SS3:
        return ss3(d, byte, unit);
    case SPX_DECODE_CSI:
        return csi(d, byte, unit);
    case SPX_DECODE_STRING:
        return string(d, byte, unit);
    case SPX_DECODE_STRING_ESCAPE:
        if (byte != '\\')
            return escape(d, byte, unit);
        d->state = SPX_DECODE_GROUND;
        break;
    }
    return true;
}

bool spx_decoder_number(const spx_decoder *d, unsigned index, unsigned absent, unsigned *number)
{
    unsigned at = 0;
    unsigned value = 0;
    bool digits = false;

    *number = absent;
    for (size_t i = 0; i <= d->sequence_length; i++) {
        uint8_t byte = i < d->sequence_length ? d->sequence[i] : ';';
        if (byte >= '0' && byte <= '9') {
            value = value * 10 + (byte - '0');
            value = value > NUMBER_MAX ? NUMBER_MAX : value;
            digits = true;
            continue;
        }
        if (byte != ';')
            return false;
        if (at++ == index && digits)
            *number = value;
        value = 0;
        digits = false;
    }
    return true;
}
