/* Public keys as text: "type base64 comment". */
#include "key/key_internal.h"

#include <stdio.h>
#include <string.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(uint8_t c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

spb_span spk_trim(spb_span text)
{
    while (text.length > 0 && is_space(text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    return text;
}

spb_span spk_take_word(spb_span *rest)
{
    size_t length = 0;
    while (length < rest->length && !is_blank(rest->data[length]))
        length++;
    spb_span word = {rest->data, length};
    while (length < rest->length && is_blank(rest->data[length]))
        length++;
    rest->data += length;
    rest->length -= length;
    return word;
}

int spk_parse_line(sp_key **key, spb_span line, const char **reason)
{
    spb_buffer blob;
    spb_span rest = line;
    spb_span name = spk_take_word(&rest);
    spb_span text = spk_take_word(&rest);
    sp_key_type type = spk_type_find(name);

    *key = NULL;
    if (type == SP_KEY_NONE) {
        *reason = "unknown key type";
        return SP_ENOTSUP;
    }
    spb_buffer_init(&blob, spk_env(), SPK_BLOB_MAX);
    int result = 0;
    if (text.length == 0 || !spc_base64_decode(text, &blob)) {
        *reason = "bad base64";
        result = SP_EFORMAT;
    } else {
        result = sp_key_from_blob(key, blob.data, blob.length);
        if (result == 0 && sp_key_get_type(*key) != type) {
            sp_key_unref(*key);
            *key = NULL;
            result = SP_EFORMAT;
            *reason = "the key is not of the type that the line says";
        } else if (result == SP_ENOTSUP) {
            *reason = "key type or size not supported";
        } else if (result != 0) {
            *reason = result == SP_EFORMAT ? "malformed key" : sp_strerror(result);
        }
    }
    spb_buffer_free(&blob);
    return result;
}

bool spk_one_line(spb_span *text)
{
    *text = spk_trim(*text);
    return text->length > 0 && memchr(text->data, '\n', text->length) == NULL &&
           memchr(text->data, '\0', text->length) == NULL;
}

static int parse_text(sp_key **key, spb_span text)
{
    const char *reason;

    *key = NULL;
    if (!spk_one_line(&text) || text.length > SPK_LINE_MAX)
        return SP_EFORMAT;
    return spk_parse_line(key, text, &reason);
}

int sp_key_parse_public(sp_key **key, const char *line)
{
    return parse_text(key, spb_span_of(line));
}

int sp_key_load_public(sp_key **key, const char *path)
{
    spb_buffer text;

    *key = NULL;
    spb_buffer_init(&text, spk_env(), SPK_FILE_MAX);
    int result = spk_read_file(path, false, &text);
    if (result == 0)
        result = parse_text(key, (spb_span){text.data, text.length});
    spb_buffer_free(&text);
    return result;
}

int spk_format_line(const char *type, spb_span blob, const char *comment, char *out, size_t size)
{
    spb_buffer text;

    /* A comment must not be able to start a line of its own. */
    for (const char *c = comment; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return SP_EINVAL;
    }
    spb_buffer_init(&text, spk_env(), 2 * SPK_CERT_MAX);
    int result = SP_ENOMEM;
    if (spc_base64_encode(blob, &text))
        result = snprintf(out, size, "%s %.*s%s%s", type, (int)text.length, (const char *)text.data,
                          comment == NULL ? "" : " ", comment == NULL ? "" : comment);
    spb_buffer_free(&text);
    return result;
}

int sp_key_format_public(const sp_key *key, const char *comment, char *out, size_t size)
{
    return spk_format_line(sp_key_type_name(key), (spb_span){key->blob, key->blob_length}, comment,
                           out, size);
}
