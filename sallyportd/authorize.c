/* authorize.c: looks a key or certificate up in the user's authorized_keys files, which are read
 * again for each question, or in the file with the client key that this server made. What the lines
 * mean is the library's. */
#include "authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "files.h"
#include "keys.h"
#include "log.h"

/* The text of one file, or NULL: there is none, or it is not one to trust. */
static char *read_keys(const program *p, const options *o, bool own, const char *path,
                       size_t *length)
{
    /* Our own file: the walk up ends at the state directory. */
    const file_rules rules = {.strict = o->strict_modes != 0,
                              .uid = p->account->uid,
                              .home = own ? p->account->state_directory : p->account->home};
    char problem[512];
    bool absent;
    char *text = file_read(path, &rules, length, &absent, problem, sizeof problem);

    if (text == NULL && absent)
        log_debug("No keys: %s", problem);
    else if (text == NULL)
        log_info("Authentication refused: %s", problem);
    return text;
}

static void report_line(void *ctx, unsigned line, const char *reason)
{
    log_verbose("%s, line %u, is passed over: %s", (const char *)ctx, line, reason);
}

/* The keys of one file, with `own` the client key's; NULL: none. */
static sp_authorized_keys *load(const program *p, const options *o, bool own, const char *pattern)
{
    char *path = own ? text_format("%s/" CLIENT_KEY_NAME ".pub", p->account->state_directory)
                     : tokens_expand_path(pattern, p->account);
    sp_authorized_keys *list = NULL;
    size_t length;
    char *text = path != NULL ? read_keys(p, o, own, path, &length) : NULL;

    if (text != NULL && sp_authorized_keys_parse(&list, text, length, report_line, path) != 0)
        list = NULL;
    free(text);
    free(path);
    return list;
}

/* Calls `look` with each file's keys until it says enough. */
static void each_list(const program *p, const options *o,
                      bool (*look)(const sp_authorized_keys *list, void *data), void *data)
{
    /* A Match block may name files after all. */
    bool own = p->client_key_accepted && !options_is_given(o, "AuthorizedKeysFile");
    const string_list *patterns = &o->authorized_keys_files;
    size_t count = own ? 1 : patterns->count;
    bool enough = false;

    for (size_t i = 0; i < count && !enough; i++) {
        if (!own && strcasecmp(patterns->items[i], "none") == 0)
            continue;
        sp_authorized_keys *list = load(p, o, own, own ? NULL : patterns->items[i]);
        if (list != NULL)
            enough = look(list, data);
        sp_authorized_keys_free(list);
    }
}

typedef struct key_search {
    sp_auth *auth;
    key_grant *grant;
    bool found;
    char *reason;
    size_t size;
} key_search;

static bool look_for_key(const sp_authorized_keys *list, void *data)
{
    key_search *search = data;
    const char *reason = NULL;
    int result = sp_auth_look_up(search->auth, list, &reason);

    search->found = result == 0;
    if (search->found)
        search->grant->lines = sp_authorized_keys_ref(list);
    else if (result == SP_EAUTH && reason != NULL)
        (void)snprintf(search->reason, search->size, "%s", reason);
    return search->found;
}

/* AuthorizedKeysCommand: behind the files, as in sshd. */
static void ask_command(const program *p, const options *o, key_search *search)
{
    const token_facts facts = {p->account, sp_auth_key(search->auth), sp_auth_cert(search->auth)};
    char what[] = "AuthorizedKeysCommand";
    sp_authorized_keys *list = NULL;
    size_t length;
    char *text = command_output(what, o->keys_command, o->keys_command_user, &facts, &length);

    if (text != NULL && sp_authorized_keys_parse(&list, text, length, report_line, what) == 0)
        (void)look_for_key(list, search);
    sp_authorized_keys_free(list);
    free(text);
}

static bool long_enough(const sp_key *key, const options *o)
{
    return key == NULL || sp_key_get_type(key) != SP_KEY_RSA ||
           sp_key_bits(key) >= o->required_rsa_size;
}

bool authorize_key(const program *p, const options *o, sp_auth *auth, key_grant *grant,
                   char *reason, size_t size)
{
    const sp_cert *cert = sp_auth_cert(auth);
    key_search search = {auth, grant, false, reason, size};

    if (!long_enough(sp_auth_key(auth), o) || !long_enough(sp_auth_ca_key(auth), o)) {
        (void)snprintf(reason, size, "RSA key shorter than RequiredRSASize");
        return false;
    }
    if (cert != NULL && principals_authorize(p, o, cert, grant, reason, size))
        return true;
    each_list(p, o, look_for_key, &search);
    if (!search.found && o->keys_command != NULL)
        ask_command(p, o, &search);
    return search.found;
}

void key_grant_clear(key_grant *grant)
{
    sp_authorized_keys_free(grant->lines);
    free(grant->principal);
    free(grant->options);
    *grant = (key_grant){NULL, NULL, NULL};
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
