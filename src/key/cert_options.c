/* The critical options and extensions of a certificate (PROTOCOL.certkeys): names in order, each
 * once, and what must stand in those that we know. */
#include "key/cert_internal.h"
#include "key/match.h"

#include <stdio.h>
#include <string.h>

#define OPTION_NAME_MAX ((size_t)1024)

typedef enum option_form {
    FORM_UNKNOWN = 0,
    FORM_FLAG, /* no data */
    FORM_TEXT,
    FORM_NETWORKS,
} option_form;

static const struct known_option {
    const char *name;
    bool critical;
    option_form form;
} known_options[] = {
    {"force-command", true, FORM_TEXT},           {"source-address", true, FORM_NETWORKS},
    {"verify-required", true, FORM_FLAG},         {"no-touch-required", false, FORM_FLAG},
    {"permit-X11-forwarding", false, FORM_FLAG},  {"permit-agent-forwarding", false, FORM_FLAG},
    {"permit-port-forwarding", false, FORM_FLAG}, {"permit-pty", false, FORM_FLAG},
    {"permit-user-rc", false, FORM_FLAG},
};

static int compare_names(spb_span a, spb_span b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0)
        return order;
    return a.length == b.length ? 0 : a.length < b.length ? -1 : 1;
}

/* Well-formed, in order and not too many? */
static int check_list(spb_span list, size_t *count)
{
    spb_reader r;
    spb_span last = {NULL, 0};

    *count = 0;
    spr_init(&r, list.data, list.length);
    while (spr_left(&r) > 0) {
        spb_span name = spr_string_max(&r, OPTION_NAME_MAX);
        (void)spr_string(&r);
        if (!spr_ok(&r) || name.length == 0 || memchr(name.data, '\0', name.length) != NULL)
            return SP_EFORMAT;
        if (*count > 0 && compare_names(last, name) >= 0)
            return SP_EFORMAT;
        if (++*count > SPK_CERT_OPTIONS_MAX)
            return SP_ELIMIT;
        last = name;
    }
    return 0;
}

/* The text that an option's data is: one string and nothing else, or nothing at all. */
static int take_value(sp_cert_option *o)
{
    spb_reader r;

    spr_init(&r, o->data, o->length);
    spb_span text = {o->data, 0};
    if (o->length > 0)
        text = spr_string(&r);
    if (!spr_done(&r) || (text.length > 0 && memchr(text.data, '\0', text.length) != NULL))
        return 0; /* not a text */
    o->value = spb_span_string(spk_env(), text);
    return o->value == NULL ? SP_ENOMEM : 0;
}

static int read_list(sp_cert *cert, spb_span list, size_t count, bool critical)
{
    spb_reader r;

    spr_init(&r, list.data, list.length);
    for (size_t i = 0; i < count; i++) {
        sp_cert_option *o = &cert->options[cert->option_count++];
        o->critical = critical;
        o->name = spb_span_string(spk_env(), spr_string(&r));
        spb_span data = spr_string(&r);
        o->data = data.data;
        o->length = data.length;
        if (o->name == NULL || take_value(o) != 0)
            return SP_ENOMEM;
    }
    return 0;
}

int spk_cert_read_options(sp_cert *cert, spb_span critical, spb_span extensions)
{
    size_t critical_count, extension_count;
    int result = check_list(critical, &critical_count);

    if (result == 0)
        result = check_list(extensions, &extension_count);
    if (result != 0 || critical_count + extension_count == 0)
        return result;
    cert->options =
        spb_calloc(spk_env(), critical_count + extension_count, sizeof cert->options[0]);
    if (cert->options == NULL)
        return SP_ENOMEM;
    result = read_list(cert, critical, critical_count, true);
    return result == 0 ? read_list(cert, extensions, extension_count, false) : result;
}

void spk_cert_free_options(sp_cert *cert)
{
    for (size_t i = 0; i < cert->option_count; i++) {
        spb_free(spk_env(), (void *)(uintptr_t)cert->options[i].name);
        spb_free(spk_env(), (void *)(uintptr_t)cert->options[i].value);
    }
    spb_free(spk_env(), cert->options);
}

static option_form form_of(const sp_cert *cert, const sp_cert_option *o)
{
    /* All that are defined are for users; a host's critical option is one that we can't obey. */
    for (size_t i = 0;
         cert->type == SP_CERT_USER && i < sizeof known_options / sizeof *known_options; i++) {
        if (known_options[i].critical == o->critical && strcmp(known_options[i].name, o->name) == 0)
            return known_options[i].form;
    }
    return FORM_UNKNOWN;
}

static bool well_formed(const sp_cert_option *o, option_form form)
{
    switch (form) {
    case FORM_FLAG:
        return o->length == 0;
    case FORM_TEXT:
        return o->length > 0 && o->value != NULL;
    case FORM_NETWORKS:
        return o->length > 0 && o->value != NULL && spk_match_networks_valid(o->value);
    case FORM_UNKNOWN:
        break;
    }
    return !o->critical;
}

int spk_cert_judge_options(sp_cert *cert)
{
    for (size_t i = 0; i < cert->option_count; i++) {
        const sp_cert_option *o = &cert->options[i];
        option_form form = form_of(cert, o);
        if (well_formed(o, form))
            continue;
        char name[64], text[128];
        spb_printable(name, sizeof name, o->name, strlen(o->name));
        (void)snprintf(text, sizeof text, "%s \"%s\"",
                       form == FORM_UNKNOWN ? "unsupported critical option" : "malformed option",
                       name);
        cert->objection = spb_strdup(spk_env(), text);
        return cert->objection == NULL ? SP_ENOMEM : 0;
    }
    return 0;
}

const sp_cert_option *sp_cert_option_at(const sp_cert *cert, size_t index)
{
    return index < cert->option_count ? &cert->options[index] : NULL;
}

const sp_cert_option *sp_cert_find_option(const sp_cert *cert, const char *name)
{
    for (size_t i = 0; i < cert->option_count; i++) {
        if (strcmp(cert->options[i].name, name) == 0)
            return &cert->options[i];
    }
    return NULL;
}
