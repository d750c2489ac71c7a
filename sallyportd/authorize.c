/* authorize.c: looks a key up in the user's authorized_keys files, which are read again for each
 * question, or in the file with the client key that this server made. */
#include "authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "files.h"
#include "keys.h"
#include "log.h"

/* %h, %u, %U, %%. A relative path begins at the home directory. */
static char *expand(const char *pattern, const account *a)
{
    char *path = text_copy("");

    for (; path != NULL && *pattern != '\0'; pattern++) {
        char *longer = NULL;
        if (*pattern != '%')
            longer = text_format("%s%c", path, *pattern);
        else if (*++pattern == 'h')
            longer = text_format("%s%s", path, a->home);
        else if (*pattern == 'u')
            longer = text_format("%s%s", path, a->name);
        else if (*pattern == 'U')
            longer = text_format("%s%lu", path, (unsigned long)a->uid);
        else if (*pattern == '%')
            longer = text_format("%s%%", path);
        free(path);
        path = longer;
        if (*pattern == '\0')
            break;
    }
    if (path != NULL && *path != '/') {
        char *absolute = text_format("%s/%s", a->home, path);
        free(path);
        path = absolute;
    }
    return path;
}

static void report_line(void *ctx, unsigned line, const char *reason)
{
    log_verbose("%s, line %u, is passed over: %s", (const char *)ctx, line, reason);
}

/* NULL: no such file, or not one to trust. */
static sp_authorized_keys *load(const program *p, const options *o, bool own, char *path)
{
    /* Our own file: the walk up ends at the state directory. */
    const file_rules rules = {.strict = o->strict_modes != 0,
                              .uid = p->account->uid,
                              .home = own ? p->account->state_directory : p->account->home};
    sp_authorized_keys *list = NULL;
    char problem[512];
    size_t length;
    bool absent;
    char *text = file_read(path, &rules, &length, &absent, problem, sizeof problem);

    if (text == NULL) {
        if (absent)
            log_debug("No keys: %s", problem);
        else
            log_info("Authentication refused: %s", problem);
        return NULL;
    }
    if (sp_authorized_keys_parse(&list, text, length, report_line, path) != 0)
        list = NULL;
    free(text);
    return list;
}

/* Calls `look` with each file's keys until it says enough. */
static void each_list(const program *p, const options *o,
                      bool (*look)(const sp_authorized_keys *list, void *data), void *data)
{
    const string_list *patterns = &o->authorized_keys_files;
    /* A Match block may name files after all. */
    bool own = p->client_key_accepted && !options_is_given(o, "AuthorizedKeysFile");
    size_t count = own ? 1 : patterns->count;
    bool enough = false;

    for (size_t i = 0; i < count && !enough; i++) {
        if (!own && strcasecmp(patterns->items[i], "none") == 0)
            continue;
        char *path = own ? text_format("%s/" CLIENT_KEY_NAME ".pub", p->account->state_directory)
                         : expand(patterns->items[i], p->account);
        sp_authorized_keys *list = path != NULL ? load(p, o, own, path) : NULL;
        if (list != NULL)
            enough = look(list, data);
        sp_authorized_keys_free(list);
        free(path);
    }
}

typedef struct key_search {
    const sp_key *key;
    bool found;
} key_search;

static bool look_for_key(const sp_authorized_keys *list, void *data)
{
    key_search *search = data;

    search->found = sp_authorized_keys_contains(list, search->key);
    return search->found;
}

bool authorize_key(const program *p, const options *o, const sp_key *key)
{
    key_search search = {key, false};

    if (sp_key_get_type(key) == SP_KEY_RSA && sp_key_bits(key) < o->required_rsa_size)
        return false;
    each_list(p, o, look_for_key, &search);
    return search.found;
}

static bool count_keys(const sp_authorized_keys *list, void *data)
{
    size_t *count = data;

    *count += sp_authorized_keys_count(list);
    return false;
}

size_t authorize_count(const program *p, const options *o)
{
    size_t count = 0;

    each_list(p, o, count_keys, &count);
    return count;
}
