/* principals.c: certificates by a CA of the whole server (sshd_config(5): TrustedUserCAKeys,
 * AuthorizedPrincipalsFile, AuthorizedPrincipalsCommand). Files are read again for each question.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorize.h"
#include "command.h"
#include "files.h"
#include "log.h"

static void report_line(void *ctx, unsigned line, const char *reason)
{
    log_error("%s, line %u, is passed over: %s", (const char *)ctx, line, reason);
}

/* The file belongs to who runs the server, so nothing is asked of its modes, as in sshd. */
static bool trusted_ca(const char *path, const sp_key *ca)
{
    const file_rules rules = {.strict = false};
    sp_authorized_keys *list = NULL;
    char problem[512];
    size_t length;
    bool absent;
    bool trusted = false;
    char *text = file_read(path, &rules, &length, &absent, problem, sizeof problem);

    if (text == NULL)
        log_error("TrustedUserCAKeys: %s", problem);
    else if (sp_authorized_keys_parse(&list, text, length, report_line, (void *)path) == 0)
        trusted = sp_authorized_keys_contains(list, ca);
    sp_authorized_keys_free(list);
    free(text);
    return trusted;
}

static bool has_principal(const sp_cert *cert, const char *name)
{
    for (size_t i = 0; i < sp_cert_principal_count(cert); i++)
        if (strcmp(sp_cert_principal(cert, i), name) == 0)
            return true;
    return false;
}

/* "[options] name": the name is what stands behind the last blank. */
static bool line_fits(char *line, const sp_cert *cert, key_grant *grant)
{
    line = (char *)text_skip_blanks(line);
    text_cut_trailing_blanks(line);
    if (*line == '\0' || *line == '#')
        return false;

    char *name = strrchr(line, ' ');
    char *tab = strrchr(line, '\t');
    if (tab != NULL && (name == NULL || tab > name))
        name = tab;
    bool with_options = name != NULL;
    name = with_options ? name + 1 : line;
    if (!has_principal(cert, name))
        return false;

    grant->principal = text_copy(name);
    if (with_options) {
        name[-1] = '\0';
        text_cut_trailing_blanks(line);
        grant->options = text_copy(line);
    }
    if (grant->principal != NULL && (!with_options || grant->options != NULL))
        return true;
    key_grant_clear(grant);
    return false;
}

/* Looks through a text, which it changes. */
static bool text_fits(char *text, const sp_cert *cert, key_grant *grant)
{
    char *rest = text;
    char *line;
    bool fits = false;

    while (!fits && rest != NULL && (line = strsep(&rest, "\n")) != NULL)
        fits = line_fits(line, cert, grant);
    return fits;
}

static bool file_fits(const program *p, const options *o, const sp_cert *cert, key_grant *grant)
{
    const file_rules rules = {
        .strict = o->strict_modes != 0, .uid = p->account->uid, .home = p->account->home};
    char problem[512];
    size_t length;
    bool absent;
    char *path = tokens_expand_path(o->principals_file, p->account);
    char *text =
        path != NULL ? file_read(path, &rules, &length, &absent, problem, sizeof problem) : NULL;
    bool fits = text_fits(text, cert, grant);

    if (text == NULL && path != NULL)
        log_info("AuthorizedPrincipalsFile: %s", problem);
    free(text);
    free(path);
    return fits;
}

static bool command_fits(const program *p, const options *o, const sp_cert *cert, key_grant *grant)
{
    const token_facts facts = {p->account, sp_cert_key(cert), cert,
                               (sp_fingerprint_hash)o->fingerprint_hash};
    size_t length;
    char *text = command_output("AuthorizedPrincipalsCommand", o->principals_command,
                                o->principals_command_user, &facts, &length);
    bool fits = text_fits(text, cert, grant);

    free(text);
    return fits;
}

bool principals_authorize(const program *p, const options *o, const sp_cert *cert, key_grant *grant,
                          char *reason, size_t size)
{
    if (o->trusted_ca_keys == NULL || !trusted_ca(o->trusted_ca_keys, sp_cert_ca_key(cert)))
        return false;
    if (o->principals_file == NULL && o->principals_command == NULL)
        return true; /* the library compares with the user's name */
    if ((o->principals_file != NULL && file_fits(p, o, cert, grant)) ||
        (o->principals_command != NULL && command_fits(p, o, cert, grant)))
        return true;
    (void)snprintf(reason, size, "Certificate does not contain an authorized principal");
    return false;
}
