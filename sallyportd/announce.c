/* announce.c: writes <state directory>/known_hosts and prints the `ssh` command. */
#include "announce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "log.h"

/* An address to connect to: a wildcard stands for the machine itself. */
static const char *reachable(const listener *item)
{
    if (strcmp(item->host, "0.0.0.0") == 0)
        return "127.0.0.1";
    if (strcmp(item->host, "::") == 0)
        return "::1";
    return item->host;
}

/* The name under which ssh looks the host up. */
static void host_field(const listener *item, char *out, size_t size)
{
    if (item->port == 22)
        (void)snprintf(out, size, "%s", reachable(item));
    else
        (void)snprintf(out, size, "[%s]:%u", reachable(item), (unsigned)item->port);
}

static bool is_ours(const char *line, const listeners *l)
{
    char field[80];

    for (size_t i = 0; i < l->count; i++) {
        host_field(&l->items[i], field, sizeof field);
        size_t length = strlen(field);
        if (strncmp(line, field, length) == 0 && (line[length] == ' ' || line[length] == '\t'))
            return true;
    }
    return false;
}

static void keep_others(FILE *out, char *old, const listeners *l)
{
    char *rest = old;

    while (rest != NULL && *rest != '\0') {
        char *line = strsep(&rest, "\n");
        if (*line != '\0' && !is_ours(line, l))
            (void)fprintf(out, "%s\n", line);
    }
}

static void write_ours(FILE *out, const listeners *l, const host_keys *keys)
{
    char field[80];
    char key[4096];

    for (size_t i = 0; i < l->count; i++) {
        host_field(&l->items[i], field, sizeof field);
        for (size_t j = 0; j < keys->count; j++) {
            int length = sp_key_format_public(keys->keys[j], NULL, key, sizeof key);
            if (length > 0 && (size_t)length < sizeof key)
                (void)fprintf(out, "%s %s\n", field, key);
        }
    }
}

int announce_known_hosts(const account *a, const listeners *l, const host_keys *keys)
{
    const file_rules rules = {.uid = a->uid};
    char problem[512];
    size_t length;
    bool absent;
    int result = -1;
    char *path = text_format("%s/known_hosts", a->state_directory);
    char *fresh = path != NULL ? text_format("%s.new", path) : NULL;
    int held = state_hold(a);
    FILE *out = fresh != NULL && held >= 0 ? fopen(fresh, "we") : NULL;

    if (out != NULL) {
        char *old = file_read(path, &rules, &length, &absent, problem, sizeof problem);
        keep_others(out, old, l);
        write_ours(out, l, keys);
        free(old);
        bool bad = ferror(out) != 0;
        if (fclose(out) == 0 && !bad && rename(fresh, path) == 0)
            result = 0;
    }
    if (result != 0 && held >= 0)
        log_error("%s/known_hosts can't be written: %s", a->state_directory, strerror(errno));
    state_release(held);
    free(fresh);
    free(path);
    return result;
}

/* ssh splits this option's value at blanks itself, so a path with one is quoted twice. */
static char *known_hosts_option(const account *a)
{
    bool blanks = strpbrk(a->state_directory, " \t") != NULL;
    char *value = text_format("UserKnownHostsFile=%s%s/known_hosts%s", blanks ? "\"" : "",
                              a->state_directory, blanks ? "\"" : "");
    char *quoted = value != NULL ? text_shell_quote(value) : NULL;

    free(value);
    return quoted;
}

void announce_command(const program *p, const listeners *l, bool known_hosts)
{
    const account *a = p->account;
    char *key = text_format("%s/" CLIENT_KEY_NAME, a->state_directory);
    char *key_word = key != NULL ? text_shell_quote(key) : NULL;
    char *hosts = known_hosts_option(a);
    char *user = text_shell_quote(a->name);

    if (l->count > 0 && key_word != NULL && hosts != NULL && user != NULL) {
        (void)printf("Log in with:\n    ssh -p %u ", (unsigned)l->items[0].port);
        if (p->client_key_accepted)
            (void)printf("-i %s -o IdentitiesOnly=yes ", key_word);
        if (known_hosts)
            (void)printf("-o %s ", hosts);
        (void)printf("%s@%s\n", user, reachable(&l->items[0]));
        (void)fflush(stdout);
    }
    free(key);
    free(key_word);
    free(hosts);
    free(user);
}
