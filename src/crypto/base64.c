/* Base64 (RFC 4648 4) by libcrypto's block functions, behind checks that they don't make: only the
 * alphabet, padding only at the end and only as much as needed, no stray bits under it. */
#include "crypto/crypto.h"
#include "crypto/fault.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

static bool in_alphabet(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

bool spc_base64_encode(spb_span in, spb_buffer *out)
{
    /* libcrypto counts in int; the bound also keeps the products below from overflowing. */
    if (in.length > INT_MAX / 2)
        return false;
    size_t length = (in.length + 2) / 3 * 4;
    uint8_t *room = spb_buffer_reserve(out, length + 1); /* it writes a NUL behind */
    if (room == NULL)
        return false;
    if (in.length != 0 && !SPC_TRY(EVP_EncodeBlock(room, in.data, (int)in.length) == (int)length))
        return false;
    out->length += length;
    return true;
}

bool spc_base64_decode(spb_span in, spb_buffer *out)
{
    size_t padding = 0;

    if (in.length % 4 != 0 || in.length > INT_MAX / 2)
        return false;
    if (in.length == 0)
        return true;
    while (padding < 2 && in.data[in.length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < in.length - padding; i++) {
        if (!in_alphabet(in.data[i]))
            return false;
    }
    size_t whole = in.length / 4 * 3;
    uint8_t *room = spb_buffer_reserve(out, whole);
    if (room == NULL)
        return false;
    if (!SPC_TRY(EVP_DecodeBlock(room, in.data, (int)in.length) == (int)whole))
        return false;
    /* What the padding stands for decodes to zero bytes unless there were stray bits. */
    for (size_t i = whole - padding; i < whole; i++) {
        if (room[i] != 0)
            return false;
    }
    out->length += whole - padding;
    return true;
}
