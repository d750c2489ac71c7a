/* account.c: the user that this server runs as and serves. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "program.h"

/* $XDG_STATE_HOME/sallyport, or ~/.local/state/sallyport. Relative values are to be ignored, says
 * the XDG base directory specification. */
static char *state_directory(const char *home)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *own = getenv("HOME");

    if (state != NULL && *state == '/')
        return text_format("%s/sallyport", state);
    return text_format("%s/.local/state/sallyport", own != NULL && *own == '/' ? own : home);
}

static int add_group(string_list *groups, gid_t gid)
{
    const struct group *entry = getgrgid(gid);
    return entry == NULL ? 0 : list_add(groups, entry->gr_name);
}

int groups_of_user(const char *name, string_list *groups)
{
    const struct passwd *entry = getpwnam(name);
    int count = 64;
    gid_t *ids = NULL;
    int result = 0;

    if (entry == NULL)
        return 0;
    gid_t first = entry->pw_gid;
    for (int room = 0; result == 0 && room < count;) {
        gid_t *more = realloc(ids, (size_t)count * sizeof *ids);
        room = count;
        if (more == NULL)
            result = -1;
        else
            ids = more;
        /* Too small an array: it says how many there are, at least. */
        if (result == 0 && getgrouplist(name, first, ids, &count) < 0 && count <= room)
            count = 2 * room;
    }
    for (int i = 0; result == 0 && i < count; i++)
        result = add_group(groups, ids[i]);
    free(ids);
    return result;
}

int account_load(account *a)
{
    errno = 0;
    const struct passwd *entry = getpwuid(geteuid());

    memset(a, 0, sizeof *a);
    if (entry == NULL) {
        log_error("There is no user with the number %lu%s%s", (unsigned long)geteuid(),
                  errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
        return -1;
    }
    a->uid = entry->pw_uid;
    a->gid = entry->pw_gid;
    a->name = text_copy(entry->pw_name);
    a->home = text_copy(entry->pw_dir);
    a->shell = text_copy(*entry->pw_shell != '\0' ? entry->pw_shell : "/bin/sh");
    a->state_directory = state_directory(entry->pw_dir);
    if (a->name == NULL || a->home == NULL || a->shell == NULL || a->state_directory == NULL ||
        groups_of_user(a->name, &a->groups) != 0) {
        log_error("Out of memory");
        account_free(a);
        return -1;
    }
    return 0;
}

void account_free(account *a)
{
    free(a->name);
    list_clear(&a->groups);
    free(a->home);
    free(a->shell);
    free(a->state_directory);
    memset(a, 0, sizeof *a);
}
