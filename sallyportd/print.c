/* print.c: the effective settings in the form of `sshd -T`. What is printed can be read back by
 * `-o`, line by line. */
#include <ctype.h>
#include <inttypes.h>
#include <sallyport.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "keywords.h"

static void name(const keyword *k, FILE *out)
{
    for (const char *c = k->name; *c != '\0'; c++)
        (void)fputc(tolower((unsigned char)*c), out);
}

static void line(const keyword *k, const char *value, FILE *out)
{
    name(k, out);
    (void)fprintf(out, " %s\n", value);
}

void print_flag(const keyword *k, const options *o, FILE *out)
{
    line(k, *CONST_MEMBER(k, o, int) != 0 ? "yes" : "no", out);
}

void print_choice(const keyword *k, const options *o, FILE *out)
{
    for (const choice *c = k->detail; c->name != NULL; c++) {
        if (c->value == *CONST_MEMBER(k, o, int)) {
            line(k, c->name, out);
            return;
        }
    }
}

void print_number(const keyword *k, const options *o, FILE *out)
{
    name(k, out);
    (void)fprintf(out, " %" PRIu32 "\n", *CONST_MEMBER(k, o, uint32_t));
}

void print_octal(const keyword *k, const options *o, FILE *out)
{
    name(k, out);
    (void)fprintf(out, " 0%" PRIo32 "\n", *CONST_MEMBER(k, o, uint32_t));
}

void print_environment(const keyword *k, const options *o, FILE *out)
{
    const char *patterns = *CONST_MEMBER(k, o, char *);

    line(k, patterns == NULL ? "no" : strcmp(patterns, "*") == 0 ? "yes" : patterns, out);
}

void print_limit(const keyword *k, const options *o, FILE *out)
{
    if (*CONST_MEMBER(k, o, uint32_t) == NOT_GIVEN)
        line(k, "none", out);
    else
        print_number(k, o, out);
}

void print_text(const keyword *k, const options *o, FILE *out)
{
    const char *text = *CONST_MEMBER(k, o, char *);

    if (text != NULL && (k->flags & KEYWORD_RAW) == 0) {
        char *quoted = text_quote(text);
        line(k, quoted != NULL ? quoted : text, out);
        free(quoted);
        return;
    }
    line(k, text != NULL ? text : "none", out);
}

void print_ports(const keyword *k, const options *o, FILE *out)
{
    for (size_t i = 0; i < o->port_count; i++) {
        name(k, out);
        (void)fprintf(out, " %u\n", (unsigned)o->ports[i]);
    }
}

static void print_address(const keyword *k, const char *host, uint16_t port, FILE *out)
{
    bool brackets = strchr(host, ':') != NULL;

    name(k, out);
    (void)fprintf(out, " %s%s%s:%u\n", brackets ? "[" : "", host, brackets ? "]" : "",
                  (unsigned)port);
}

void print_listen(const keyword *k, const options *o, FILE *out)
{
    for (size_t i = 0; i < o->listen_count; i++) {
        const listen_address *address = &o->listen[i];
        if (!address->any_port)
            print_address(k, address->host, address->port, out);
        for (size_t p = 0; address->any_port && p < o->port_count; p++)
            print_address(k, address->host, o->ports[p], out);
    }
    for (size_t p = 0; o->listen_count == 0 && p < o->port_count; p++)
        print_address(k, o->family == AF_INET6 ? "::1" : "127.0.0.1", o->ports[p], out);
}

void print_startups(const keyword *k, const options *o, FILE *out)
{
    name(k, out);
    (void)fprintf(out, " %" PRIu32 ":%" PRIu32 ":%" PRIu32 "\n", o->startups_begin,
                  o->startups_rate, o->startups_full);
}

void print_rekey(const keyword *k, const options *o, FILE *out)
{
    name(k, out);
    (void)fprintf(out, " %" PRIu64 " %" PRIu32 "\n",
                  o->rekey_bytes != 0 ? o->rekey_bytes : REKEY_BYTES_DEFAULT,
                  o->rekey_seconds != NOT_GIVEN ? o->rekey_seconds : REKEY_SECONDS_DEFAULT);
}

void print_list(const keyword *k, const options *o, FILE *out)
{
    const string_list *list = CONST_MEMBER(k, o, string_list);
    /* Of a word that does not repeat only the first line counts, so all goes into one. */
    if ((k->flags & KEYWORD_REPEATS) == 0 && list->count > 0) {
        print_one_line(k, o, out);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        char *quoted = text_quote(list->items[i]);
        line(k, quoted != NULL ? quoted : list->items[i], out);
        free(quoted);
    }
}

void print_one_line(const keyword *k, const options *o, FILE *out)
{
    const string_list *list = CONST_MEMBER(k, o, string_list);

    name(k, out);
    for (size_t i = 0; i < list->count; i++) {
        char *quoted = text_quote(list->items[i]);
        (void)fprintf(out, " %s", quoted != NULL ? quoted : list->items[i]);
        free(quoted);
    }
    (void)fputc('\n', out);
}

void print_permits(const keyword *k, const options *o, FILE *out)
{
    if (CONST_MEMBER(k, o, string_list)->count == 0)
        line(k, "any", out);
    else
        print_one_line(k, o, out);
}

void print_algorithms(const keyword *k, const options *o, FILE *out)
{
    const algorithm_kind *kind = k->detail;
    const char *preset = preset_name(o);
    const char *list = *CONST_MEMBER(k, o, char *);

    if (list == NULL)
        list = sp_preset_algorithms(preset, kind->kind);
    if (list != NULL)
        line(k, list, out);
}

void print_methods(const keyword *k, const options *o, FILE *out)
{
    name(k, out);
    if (o->chain_count == 0)
        (void)fputs(" any", out);
    for (size_t i = 0; i < o->chain_count; i++)
        for (size_t j = 0; j < o->chains[i].length; j++)
            (void)fprintf(out, "%s%s", j == 0 ? " " : ",",
                          method_name((login_method)o->chains[i].methods[j]));
    (void)fputc('\n', out);
}

void print_subsystems(const keyword *k, const options *o, FILE *out)
{
    for (size_t i = 0; i < o->subsystem_count; i++) {
        name(k, out);
        (void)fprintf(out, " %s %s\n", o->subsystems[i].name, o->subsystems[i].command);
    }
}

int options_print(const options *o, FILE *out)
{
    for (size_t i = 0; i < keyword_count; i++)
        keywords[i].print(&keywords[i], o, out);
    lacking_words_print(out);
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
