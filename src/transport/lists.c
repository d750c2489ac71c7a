/* Lists of algorithms as sshd_config(5) writes them: names and patterns, best first; or with a
 * prefix, what to add to the list that is the default (+), to take out of it (-), or to put at its
 * head (^). */
#include "transport/algorithms.h"

#include "key/match.h"
#include "transport/config.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_LENGTH ((size_t)64) /* RFC 4251 6 */
#define LIST_MAX_LENGTH ((size_t)8192)

typedef struct kind_row {
    const char *name;
    const char *noun;
} kind_row;

static const kind_row kinds[SPT_KIND_COUNT] = {
    [SPT_KIND_KEX] = {"kex", "key exchange"},
    [SPT_KIND_KEY] = {"key", "host key algorithm"},
    [SPT_KIND_CIPHER] = {"cipher", "cipher"},
    [SPT_KIND_MAC] = {"mac", "MAC"},
    [SPT_KIND_COMPRESSION] = {"compression", "compression"},
    [SPT_KIND_SIG] = {"sig", "signature algorithm"},
    [SPT_KIND_CA_SIG] = {"ca-sig", "CA signature algorithm"},
};

static bool kind_find(const char *name, spt_kind *kind)
{
    for (int i = 0; name != NULL && i < SPT_KIND_COUNT; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = (spt_kind)i;
            return true;
        }
    }
    return false;
}

const char *spt_kind_noun(spt_kind kind)
{
    return kinds[kind].noun;
}

/* ---- patterns ---- */

static bool text_of(spb_span span, char text[NAME_MAX_LENGTH + 1])
{
    if (span.length > NAME_MAX_LENGTH || memchr(span.data, 0, span.length) != NULL)
        return false;
    memcpy(text, span.data, span.length);
    text[span.length] = '\0';
    return true;
}

static bool matches(spb_span pattern, spb_span name)
{
    char p[NAME_MAX_LENGTH + 1];
    char n[NAME_MAX_LENGTH + 1];

    return text_of(pattern, p) && text_of(name, n) && spk_match_pattern(p, n);
}

static bool matches_any(const char *patterns, spb_span name)
{
    spb_span rest = spb_span_of(patterns);
    spb_span pattern;

    while (spb_name_next(&rest, &pattern)) {
        if (matches(pattern, name))
            return true;
    }
    return false;
}

static bool same(spb_span a, spb_span b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static bool asks_for(spt_kind kind, spb_span pattern, spb_span name)
{
    spb_span rest = spb_span_of(spt_by_name_only(kind));
    spb_span one;

    while (spb_name_next(&rest, &one)) {
        if (same(one, name))
            return same(pattern, name);
    }
    return matches(pattern, name);
}

/* ---- building ---- */

typedef struct building {
    spt_kind kind;
    spb_buffer *out;
    size_t start; /* of our names in it */
    char *reason;
    size_t size;
} building;

static void append(const building *b, spb_span name)
{
    spb_buffer *out = b->out;
    spb_span sofar = {out->data == NULL ? NULL : out->data + b->start, out->length - b->start};
    spb_span one;

    while (sofar.data != NULL && spb_name_next(&sofar, &one)) {
        if (same(one, name))
            return;
    }
    if (out->length > b->start)
        spw_u8(out, ',');
    spw_bytes(out, name.data, name.length);
}

/* The names of `list` that no pattern of `without` (NULL: nothing) takes away. */
static void append_all(const building *b, const char *list, const char *without)
{
    spb_span rest = spb_span_of(list);
    spb_span name;

    while (spb_name_next(&rest, &name)) {
        if (without == NULL || !matches_any(without, name))
            append(b, name);
    }
}

/* What we have of what is asked for, each pattern in its turn. One that means nothing is a mistake:
 * it must not weaken what is offered. */
static int append_matching(const building *b, const char *patterns)
{
    spb_span rest = spb_span_of(patterns);
    spb_span pattern;
    spb_span name;

    while (spb_name_next(&rest, &pattern)) {
        spb_span have = spb_span_of(spt_supported_list(b->kind));
        bool any = false;
        while (spb_name_next(&have, &name)) {
            if (asks_for(b->kind, pattern, name)) {
                append(b, name);
                any = true;
            }
        }
        if (any)
            continue;
        char shown[NAME_MAX_LENGTH + 1];
        spb_printable(shown, sizeof shown, pattern.data, pattern.length);
        return spt_explain(SP_EINVAL, b->reason, b->size, "unknown %s name \"%s\"",
                           kinds[b->kind].noun, shown);
    }
    return 0;
}

int spt_list_resolve(spt_kind kind, const char *base, const char *list, spb_buffer *out,
                     char *reason, size_t size)
{
    const building b = {kind, out, out->length, reason, size};
    char prefix = list != NULL && *list != '\0' && strchr("+-^", *list) != NULL ? *list : '\0';
    const char *names = list == NULL ? base : prefix != '\0' ? list + 1 : list;
    int result = 0;

    if (strlen(names) > LIST_MAX_LENGTH)
        return spt_explain(SP_EINVAL, reason, size, "the list of %s names is too long",
                           kinds[kind].noun);
    if (list == NULL || prefix == '+' || prefix == '-')
        append_all(&b, base, prefix == '-' ? names : NULL);
    if (list != NULL && prefix != '-')
        result = append_matching(&b, names);
    if (result == 0 && prefix == '^')
        append_all(&b, base, NULL);
    if (result != 0)
        return result;
    if (!spw_ok(out))
        return spt_explain(SP_ENOMEM, reason, size, "out of memory");
    if (out->length == b.start || *names == '\0')
        return spt_explain(SP_EINVAL, reason, size, "the list of %s names is empty",
                           kinds[kind].noun);
    return 0;
}

/* ---- <sallyport/protocol.h> ---- */

const char *sp_default_algorithms(const char *kind)
{
    return sp_preset_algorithms(NULL, kind);
}

const char *sp_preset_algorithms(const char *preset, const char *kind)
{
    spt_preset p;
    spt_kind k;

    return spt_preset_find(preset, &p) && kind_find(kind, &k) ? spt_preset_list(p, k) : NULL;
}

const char *sp_supported_algorithms(const char *kind)
{
    spt_kind k;

    return kind_find(kind, &k) ? spt_supported_list(k) : NULL;
}

int sp_resolve_algorithms(const char *preset, const char *kind, const char *list, char *out,
                          size_t size, char *reason, size_t reason_size)
{
    spt_preset p;
    spt_kind k;
    spb_env env;
    spb_buffer names;

    if (size > 0)
        out[0] = '\0';
    if (!spt_preset_find(preset, &p) || !kind_find(kind, &k))
        return spt_explain(SP_EINVAL, reason, reason_size, "no such preset or kind");
    spb_env_init(&env, NULL);
    spb_buffer_init(&names, &env, LIST_MAX_LENGTH);
    int result = spt_list_resolve(k, spt_preset_list(p, k), list, &names, reason, reason_size);
    if (result == 0 && names.length >= size)
        result = spt_explain(SP_ELIMIT, reason, reason_size, "the list is too long");
    if (result == 0) {
        memcpy(out, names.data, names.length);
        out[names.length] = '\0';
    }
    spb_buffer_free(&names);
    return result;
}
