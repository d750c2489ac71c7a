/* The options in front of a key in authorized_keys (sshd(8) AUTHORIZED_KEYS FILE FORMAT). They are
 * read in their order: a later word undoes an earlier one, so "restrict,pty" leaves the terminal.
 * Whatever is not understood makes the line bad. */
#include "key/key_options.h"

#include "key/match.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX ((size_t)1024)
#define TUNNEL_MAX 0x7ffffffdu
#define NAME_MAX_LENGTH ((size_t)32) /* longer than any option's name */

typedef struct parser {
    spk_key_options *o;
    const struct option *option; /* being read */
    char *reason;
} parser;

typedef int (*value_reader)(parser *p, const char *value);

static int read_command(parser *p, const char *value);
static int read_environment(parser *p, const char *value);
static int read_expiry(parser *p, const char *value);
static int read_from(parser *p, const char *value);
static int read_permit_open(parser *p, const char *value);
static int read_permit_listen(parser *p, const char *value);
static int read_principals(parser *p, const char *value);
static int read_tunnel(parser *p, const char *value);

static const struct option {
    const char *name;
    value_reader read; /* NULL: a bare word */
    spk_permit what;   /* of a word, else SPK_PERMIT_NONE */
    bool permitted;
} options[] = {
    {"agent-forwarding", NULL, SPK_PERMIT_AGENT_FORWARDING, true},
    {"cert-authority", NULL, SPK_PERMIT_NONE, false},
    {"command", read_command, SPK_PERMIT_NONE, false},
    {"environment", read_environment, SPK_PERMIT_NONE, false},
    {"expiry-time", read_expiry, SPK_PERMIT_NONE, false},
    {"from", read_from, SPK_PERMIT_NONE, false},
    {"no-agent-forwarding", NULL, SPK_PERMIT_AGENT_FORWARDING, false},
    {"no-port-forwarding", NULL, SPK_PERMIT_PORT_FORWARDING, false},
    {"no-pty", NULL, SPK_PERMIT_PTY, false},
    {"no-touch-required", NULL, SPK_PERMIT_NO_TOUCH, true},
    {"no-user-rc", NULL, SPK_PERMIT_USER_RC, false},
    {"no-verify-required", NULL, SPK_PERMIT_NO_VERIFY, true},
    {"no-x11-forwarding", NULL, SPK_PERMIT_X11_FORWARDING, false},
    {"permitlisten", read_permit_listen, SPK_PERMIT_NONE, false},
    {"permitopen", read_permit_open, SPK_PERMIT_NONE, false},
    {"port-forwarding", NULL, SPK_PERMIT_PORT_FORWARDING, true},
    {"principals", read_principals, SPK_PERMIT_NONE, false},
    {"pty", NULL, SPK_PERMIT_PTY, true},
    {"restrict", NULL, SPK_PERMIT_NONE, false},
    {"touch-required", NULL, SPK_PERMIT_NO_TOUCH, false},
    {"tunnel", read_tunnel, SPK_PERMIT_NONE, false},
    {"user-rc", NULL, SPK_PERMIT_USER_RC, true},
    {"verify-required", NULL, SPK_PERMIT_NO_VERIFY, false},
    {"x11-forwarding", NULL, SPK_PERMIT_X11_FORWARDING, true},
};

__attribute__((format(printf, 2, 3))) static int bad(parser *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->reason, SPK_OPTION_REASON_SIZE, format, args);
    va_end(args);
    return SP_EFORMAT;
}

static int malformed(parser *p)
{
    return bad(p, "malformed option \"%s\"", p->option->name);
}

static int twice(parser *p)
{
    return bad(p, "option \"%s\" is given twice", p->option->name);
}

/* ---- values ---- */

static int keep_once(parser *p, char **place, const char *value)
{
    if (*place != NULL)
        return twice(p);
    *place = spb_strdup(spk_env(), value);
    return *place == NULL ? SP_ENOMEM : 0;
}

static int read_command(parser *p, const char *value)
{
    return keep_once(p, &p->o->permissions->command, value);
}

static int read_from(parser *p, const char *value)
{
    return spk_match_peer_valid(value) ? keep_once(p, &p->o->from, value) : malformed(p);
}

/* Of several with one name the first counts. */
static int read_environment(parser *p, const char *value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t length = strspn(value, letters);
    spk_named_list *list = &p->o->permissions->environment;

    if (length == 0 || value[length] != '=')
        return malformed(p);
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i].value, value, length + 1) == 0)
            return 0;
    }
    const spb_span name = {(const uint8_t *)value, length};
    return spk_named_add(list, name, spb_span_of(value)) ? 0 : SP_ENOMEM;
}

/* Of several the earliest counts. */
static int read_expiry(parser *p, const char *value)
{
    uint64_t seconds;

    if (!spk_expiry_time(value, &seconds))
        return malformed(p);
    if (seconds < p->o->expires)
        p->o->expires = seconds;
    return 0;
}

static bool read_number(const char *text, uint32_t least, uint32_t most, uint32_t *value)
{
    uint64_t n = 0;

    if (*text == '\0' || strlen(text) > 10 || strspn(text, "0123456789") != strlen(text))
        return false;
    for (; *text != '\0'; text++)
        n = 10 * n + (unsigned)(*text - '0');
    *value = (uint32_t)n;
    return n >= least && n <= most;
}

static int read_tunnel(parser *p, const char *value)
{
    uint32_t number;

    /* There are no tunnels; the value is the application's to ask for. */
    if (strcmp(value, "any") == 0 || read_number(value, 0, TUNNEL_MAX, &number))
        return 0;
    return malformed(p);
}

/* "host:port" or "[host]:port"; a port alone where `bare`. */
static bool split_place(const char *value, bool bare, spb_span *host, const char **port)
{
    const char *end;

    if (bare && strchr(value, ':') == NULL) {
        *host = spb_span_of("*");
        *port = value;
        return true;
    }
    if (*value == '[') {
        value++;
        end = strchr(value, ']');
        *port = end == NULL || end[1] != ':' ? NULL : end + 2;
    } else {
        end = strchr(value, ':');
        *port = end == NULL ? NULL : end + 1;
    }
    if (*port == NULL)
        return false;
    *host = (spb_span){(const uint8_t *)value, (size_t)(end - value)};
    return host->length <= HOST_MAX;
}

static int read_place(parser *p, spk_rules *rules, const char *value, bool bare)
{
    spb_span host;
    const char *port;
    uint32_t number = SPK_PORT_ANY;

    if (!split_place(value, bare, &host, &port))
        return malformed(p);
    if (strcmp(port, "*") != 0 && !read_number(port, 1, UINT16_MAX, &number))
        return malformed(p);
    return spk_rules_add(rules, host, number, 0) ? 0 : SP_ENOMEM;
}

static int read_permit_open(parser *p, const char *value)
{
    return read_place(p, &p->o->permissions->open, value, false);
}

static int read_permit_listen(parser *p, const char *value)
{
    return read_place(p, &p->o->permissions->listen, value, true);
}

static int read_principals(parser *p, const char *value)
{
    spk_key_options *o = p->o;
    spb_span rest = spb_span_of(value);
    spb_span name;
    size_t capacity = 0;

    if (o->has_principals)
        return twice(p);
    o->has_principals = true;
    while (spb_name_next(&rest, &name)) {
        char **names = spk_grow(o->principals, o->principal_count, &capacity, sizeof *names);
        if (names == NULL)
            return SP_ENOMEM;
        o->principals = names;
        char *copy = spb_span_string(spk_env(), name);
        if (copy == NULL)
            return SP_ENOMEM;
        names[o->principal_count++] = copy;
    }
    return 0;
}

/* ---- words ---- */

static void read_word(parser *p)
{
    static const spk_permit restricted[] = {SPK_PERMIT_PTY, SPK_PERMIT_PORT_FORWARDING,
                                            SPK_PERMIT_AGENT_FORWARDING, SPK_PERMIT_X11_FORWARDING,
                                            SPK_PERMIT_USER_RC};

    if (p->option->what != SPK_PERMIT_NONE) {
        spk_permit_set(p->o->permissions, p->option->what, p->option->permitted);
    } else if (strcmp(p->option->name, "cert-authority") == 0) {
        p->o->ca = true;
    } else { /* restrict */
        for (size_t i = 0; i < sizeof restricted / sizeof restricted[0]; i++)
            spk_permit_set(p->o->permissions, restricted[i], false);
    }
}

/* ---- the text ---- */

/* Takes an option's name off the front, in either case. */
static int take_name(parser *p, spb_span *rest)
{
    char name[NAME_MAX_LENGTH] = "";
    size_t length = 0;

    p->option = NULL;
    while (length < rest->length && rest->data[length] != '=' && rest->data[length] != ',' &&
           rest->data[length] != '"')
        length++;
    for (size_t i = 0; i < length && length < sizeof name; i++) {
        uint8_t c = rest->data[i];
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    for (size_t i = 0;
         length > 0 && strlen(name) == length && i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(options[i].name, name) == 0)
            p->option = &options[i];
    }
    if (p->option == NULL) {
        char shown[40];
        spb_printable(shown, sizeof shown, rest->data, length);
        return bad(p, "unknown option \"%s\"", shown);
    }
    rest->data += length;
    rest->length -= length;
    return 0;
}

/* Takes ="value" off the front; \" stands for a quote, another backslash for itself. */
static int take_value(parser *p, spb_span *rest, spb_buffer *value)
{
    size_t i = 2;

    if (rest->length < 2 || rest->data[0] != '=')
        return bad(p, "option \"%s\" needs a value", p->option->name);
    if (rest->data[1] != '"')
        return bad(p, "the value of option \"%s\" is not quoted", p->option->name);
    for (; i < rest->length && rest->data[i] != '"'; i++) {
        if (rest->data[i] == '\\' && i + 1 < rest->length && rest->data[i + 1] == '"')
            i++;
        spw_u8(value, rest->data[i]);
    }
    if (i == rest->length)
        return bad(p, "a quote is not closed");
    rest->data += i + 1;
    rest->length -= i + 1;
    spw_u8(value, '\0');
    return spw_ok(value) ? 0 : SP_ENOMEM;
}

static int read_option(parser *p, spb_span *rest)
{
    spb_buffer value;
    const char *text = "";
    int result = take_name(p, rest);

    if (result != 0)
        return result;
    spb_buffer_init(&value, spk_env(), SPK_LINE_MAX + 1);
    if (p->option->read == NULL) {
        read_word(p);
    } else if ((result = take_value(p, rest, &value)) == 0) {
        text = (const char *)value.data;
        result =
            memchr(text, '\0', value.length - 1) != NULL ? malformed(p) : p->option->read(p, text);
    }
    if (result == 0 && !spk_named_add(&p->o->permissions->options, spb_span_of(p->option->name),
                                      spb_span_of(text)))
        result = SP_ENOMEM;
    spb_buffer_free(&value);
    return result;
}

/* Nothing at all between two commas is taken, as sshd does. */
static int read_all(parser *p, spb_span text)
{
    int result = 0;

    while (result == 0 && text.length > 0) {
        if (text.data[0] != ',')
            result = read_option(p, &text);
        if (result != 0 || text.length == 0)
            break;
        if (text.data[0] != ',')
            result = bad(p, "no comma behind option \"%s\"", p->option->name);
        text.data++;
        text.length--;
    }
    return result;
}

int spk_key_options_parse(spk_key_options *out, spb_span text, char reason[SPK_OPTION_REASON_SIZE])
{
    parser p = {out, NULL, reason};
    int result;

    *out = (spk_key_options){.expires = UINT64_MAX, .permissions = spk_permissions_new()};
    reason[0] = '\0';
    if (out->permissions == NULL)
        return SP_ENOMEM;
    out->permissions->permitted = SPK_PERMITTED_ALL;
    result = read_all(&p, text);
    if (result == 0 && out->has_principals && !out->ca)
        result = bad(&p, "option \"principals\" without \"cert-authority\"");
    if (result != 0)
        spk_key_options_free(out);
    return result;
}

void spk_key_options_free(spk_key_options *o)
{
    spb_free(spk_env(), o->from);
    for (size_t i = 0; i < o->principal_count; i++)
        spb_free(spk_env(), o->principals[i]);
    spb_free(spk_env(), o->principals);
    spk_permissions_unref(o->permissions);
    *o = (spk_key_options){0};
}
