/* Lists of authorized keys in sshd's format: read from a text, kept in order of the keys so that
 * asking costs little however long they are. A line that is not understood to its end is left out,
 * because an option that is not obeyed would let its key do too much. */
#include "key/authorized_list.h"

#include <stdlib.h>
#include <string.h>

typedef struct parse_state {
    sp_authorized_keys *list;
    sp_authorized_keys_report report;
    void *ctx;
    unsigned line;
    char reason[SPK_OPTION_REASON_SIZE];
} parse_state;

static int compare_blobs(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return memcmp(a, b, a_length);
}

static int compare_entries(const void *a, const void *b)
{
    const spk_entry *x = a, *y = b;
    int order = compare_blobs(x->blob, x->length, y->blob, y->length);

    return order != 0 ? order : x->line < y->line ? -1 : x->line > y->line;
}

static void free_entry(spk_entry *e)
{
    spb_free(spk_env(), e->blob);
    spk_key_options_free(&e->options);
}

/* Takes the options over if it succeeds. */
static int add_entry(parse_state *s, const sp_key *key, const spk_key_options *options, bool plain)
{
    sp_authorized_keys *list = s->list;
    spk_entry *entries = spk_grow(list->entries, list->count, &list->capacity, sizeof *entries);

    if (entries == NULL)
        return SP_ENOMEM;
    list->entries = entries;
    uint8_t *copy = spb_memdup(spk_env(), key->blob, key->blob_length);
    if (copy == NULL)
        return SP_ENOMEM;
    entries[list->count++] = (spk_entry){copy, key->blob_length, s->line, plain, *options};
    return 0;
}

/* Takes sshd's options off the front: up to a blank outside quotes, in which \" does not end the
 * quote. False: a quote is left open. */
static bool take_options(spb_span *rest, spb_span *options)
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
    *options = (spb_span){rest->data, i};
    while (i < rest->length && (rest->data[i] == ' ' || rest->data[i] == '\t'))
        i++;
    rest->data += i;
    rest->length -= i;
    return true;
}

static bool starts_with_type(spb_span line)
{
    return spk_type_find(spk_take_word(&line)) != SP_KEY_NONE;
}

static int parse_key(parse_state *s, spb_span line, const spk_key_options *options, bool plain,
                     const char **reason)
{
    sp_key *key = NULL;
    int result = spk_parse_line(&key, line, reason);

    if (result == 0)
        result = add_entry(s, key, options, plain);
    sp_key_unref(key);
    return result;
}

static int parse_with_options(parse_state *s, spb_span line, const char **reason)
{
    spb_span text;
    spb_span rest = line;
    spk_key_options options;

    if (!take_options(&rest, &text)) {
        *reason = "unbalanced quotes in options";
        return SP_EFORMAT;
    }
    if (!starts_with_type(rest)) {
        *reason = "unknown key type";
        return SP_EFORMAT;
    }
    int result = spk_key_options_parse(&options, text, s->reason);
    if (result != 0) {
        *reason = s->reason;
        return result;
    }
    result = parse_key(s, rest, &options, false, reason);
    if (result != 0)
        spk_key_options_free(&options);
    return result;
}

static int parse_plain(parse_state *s, spb_span line, const char **reason)
{
    const spk_key_options none = {.expires = UINT64_MAX, .permissions = spk_permissions_all()};

    return parse_key(s, line, &none, true, reason);
}

/* 0, also for a line that is skipped; or SP_ENOMEM. */
static int parse_line(parse_state *s, spb_span line)
{
    const char *reason = NULL;
    int result = SP_EFORMAT;

    while (line.length > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line.data++;
        line.length--;
    }
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (line.length == 0 || line.data[0] == '#')
        return 0;

    if (line.length > SPK_LINE_MAX)
        reason = "line is too long";
    else if (memchr(line.data, '\0', line.length) != NULL)
        reason = "line has a NUL byte";
    else if (starts_with_type(line))
        result = parse_plain(s, line, &reason);
    else
        result = parse_with_options(s, line, &reason);
    if (result == SP_ENOMEM)
        return SP_ENOMEM;
    if (result != 0 && s->report != NULL)
        s->report(s->ctx, s->line, reason);
    return 0;
}

int sp_authorized_keys_parse(sp_authorized_keys **list, const char *text, size_t length,
                             sp_authorized_keys_report report, void *ctx)
{
    *list = NULL;
    parse_state s = {spb_calloc(spk_env(), 1, sizeof *s.list), report, ctx, 0, ""};
    if (s.list == NULL)
        return SP_ENOMEM;
    atomic_init(&s.list->references, 1);

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
        qsort(s.list->entries, s.list->count, sizeof s.list->entries[0], compare_entries);
    *list = s.list;
    return 0;
}

int sp_authorized_keys_load(sp_authorized_keys **list, const char *path,
                            sp_authorized_keys_report report, void *ctx)
{
    spb_buffer text;

    *list = NULL;
    spb_buffer_init(&text, spk_env(), SPK_FILE_MAX);
    int result = spk_read_file(path, false, &text);
    if (result == 0)
        result = sp_authorized_keys_parse(list, (const char *)text.data, text.length, report, ctx);
    spb_buffer_free(&text);
    return result;
}

sp_authorized_keys *sp_authorized_keys_ref(const sp_authorized_keys *list)
{
    sp_authorized_keys *l = (sp_authorized_keys *)(uintptr_t)list; /* as for keys */

    if (l != NULL)
        atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    return l;
}

void sp_authorized_keys_free(sp_authorized_keys *list)
{
    if (list == NULL || atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < list->count; i++)
        free_entry(&list->entries[i]);
    spb_free(spk_env(), list->entries);
    spb_free(spk_env(), list);
}

size_t sp_authorized_keys_count(const sp_authorized_keys *list)
{
    return list->count;
}

const spk_entry *spk_entries_of(const sp_authorized_keys *list, const sp_key *key, size_t *count)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const spk_entry *e = &list->entries[middle];
        if (compare_blobs(e->blob, e->length, key->blob, key->blob_length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < list->count; high++) {
        const spk_entry *e = &list->entries[high];
        if (compare_blobs(e->blob, e->length, key->blob, key->blob_length) != 0)
            break;
    }
    *count = high - low;
    return high == low ? NULL : &list->entries[low];
}
