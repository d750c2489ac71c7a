/* Lists of authorized keys in sshd's format. Only plain "type base64 comment" lines count; a line
 * with options is left out, because an option that is not obeyed would let its key do too much.
 * The list keeps sorted blobs, so that asking costs little however long it is. */
#include "key/key_internal.h"

#include <stdlib.h>
#include <string.h>

struct sp_authorized_keys {
    spb_span *blobs; /* sorted; each owned */
    size_t count;
    size_t capacity;
};

typedef struct parse_state {
    sp_authorized_keys *list;
    sp_authorized_keys_report report;
    void *ctx;
    unsigned line;
} parse_state;

static int compare_blobs(const void *a, const void *b)
{
    const spb_span *x = a;
    const spb_span *y = b;

    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return memcmp(x->data, y->data, x->length);
}

static int add_blob(sp_authorized_keys *list, const sp_key *key)
{
    const spb_env *env = spk_env();

    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 4 : 2 * list->capacity;
        if (capacity > SIZE_MAX / sizeof *list->blobs)
            return SP_ENOMEM;
        spb_span *blobs = spb_realloc(env, list->blobs, capacity * sizeof *blobs);
        if (blobs == NULL)
            return SP_ENOMEM;
        list->blobs = blobs;
        list->capacity = capacity;
    }
    const uint8_t *copy = spb_memdup(env, key->blob, key->blob_length);
    if (copy == NULL)
        return SP_ENOMEM;
    list->blobs[list->count++] = (spb_span){copy, key->blob_length};
    return 0;
}

/* Steps over sshd's options: up to a blank outside quotes, in which \" does not end the quote.
 * False: a quote is left open. */
static bool skip_options(spb_span *rest)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < rest->length; i++) {
        uint8_t c = rest->data[i];
        if (c == '\\' && i + 1 < rest->length && rest->data[i + 1] == '"')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ' ' || c == '\t'))
            break;
    }
    if (quoted)
        return false;
    while (i < rest->length && (rest->data[i] == ' ' || rest->data[i] == '\t'))
        i++;
    rest->data += i;
    rest->length -= i;
    return true;
}

/* Why a line whose first word is no key type is skipped. */
static const char *why_no_key(spb_span line)
{
    spb_span rest = line;

    if (!skip_options(&rest))
        return "unbalanced quotes in options";
    if (spk_type_find(spk_take_word(&rest)) != SP_KEY_NONE)
        return "line has options, which are not supported";
    return "unknown key type";
}

/* 0, also for a line that is skipped; or SP_ENOMEM. */
static int parse_line(parse_state *s, spb_span line)
{
    const char *reason = NULL;
    sp_key *key = NULL;
    int result = 0;

    while (line.length > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line.data++;
        line.length--;
    }
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (line.length == 0 || line.data[0] == '#')
        return 0;

    spb_span rest = line;
    if (line.length > SPK_LINE_MAX) {
        reason = "line is too long";
    } else if (memchr(line.data, '\0', line.length) != NULL) {
        reason = "line has a NUL byte";
    } else if (spk_type_find(spk_take_word(&rest)) == SP_KEY_NONE) {
        reason = why_no_key(line);
    } else {
        result = spk_parse_line(&key, line, &reason);
        if (result == 0)
            result = add_blob(s->list, key);
        sp_key_unref(key);
    }
    if (result == SP_ENOMEM)
        return SP_ENOMEM;
    if (reason != NULL && s->report != NULL)
        s->report(s->ctx, s->line, reason);
    return 0;
}

int sp_authorized_keys_parse(sp_authorized_keys **list, const char *text, size_t length,
                             sp_authorized_keys_report report, void *ctx)
{
    *list = NULL;
    parse_state s = {spb_calloc(spk_env(), 1, sizeof *s.list), report, ctx, 0};
    if (s.list == NULL)
        return SP_ENOMEM;

    int result = 0;
    while (length > 0 && result == 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end == NULL ? length : (size_t)(end - text);
        s.line++;
        result = parse_line(&s, (spb_span){(const uint8_t *)text, line});
        size_t step = end == NULL ? line : line + 1;
        text += step;
        length -= step;
    }
    if (result != 0) {
        sp_authorized_keys_free(s.list);
        return result;
    }
    if (s.list->count > 1)
        qsort(s.list->blobs, s.list->count, sizeof s.list->blobs[0], compare_blobs);
    *list = s.list;
    return 0;
}

void sp_authorized_keys_free(sp_authorized_keys *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++)
        spb_free(spk_env(), (void *)(uintptr_t)list->blobs[i].data);
    spb_free(spk_env(), list->blobs);
    spb_free(spk_env(), list);
}

size_t sp_authorized_keys_count(const sp_authorized_keys *list)
{
    return list->count;
}

bool sp_authorized_keys_contains(const sp_authorized_keys *list, const sp_key *key)
{
    const spb_span wanted = {key->blob, key->blob_length};

    return list->count > 0 &&
           bsearch(&wanted, list->blobs, list->count, sizeof list->blobs[0], compare_blobs) != NULL;
}
