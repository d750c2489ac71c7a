/* Users and groups by number and by name, and what starts with "~". */
#include "fs/posix.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define RECORD_START ((size_t)1024)
#define RECORD_MAX ((size_t)256 * 1024) /* groups may have many members */

/* Runs a look-up with more and more room. */
typedef int (*look_up)(const void *key, void *record, char *room, size_t size, void **found);

static int by_uid(const void *key, void *record, char *room, size_t size, void **found)
{
    return getpwuid_r(*(const uid_t *)key, record, room, size, (struct passwd **)found);
}

static int by_user(const void *key, void *record, char *room, size_t size, void **found)
{
    return getpwnam_r(key, record, room, size, (struct passwd **)found);
}

static int by_gid(const void *key, void *record, char *room, size_t size, void **found)
{
    return getgrgid_r(*(const gid_t *)key, record, room, size, (struct group **)found);
}

/* The room holds the record's strings; it is the caller's to free. NULL: not found. */
static char *find(const spb_env *env, look_up how, const void *key, void *record)
{
    for (size_t size = RECORD_START; size <= RECORD_MAX; size *= 4) {
        void *found = NULL;
        char *room = spb_alloc(env, size);
        if (room == NULL)
            return NULL;
        int result = how(key, record, room, size, &found);
        if (result == 0 && found != NULL)
            return room;
        spb_free(env, room);
        if (result != ERANGE && result != EINTR)
            return NULL;
    }
    return NULL;
}

static bool take(const char *from, char *out, size_t size)
{
    size_t length = from == NULL ? 0 : strlen(from);
    if (length == 0 || length >= size)
        return false;
    memcpy(out, from, length + 1);
    return true;
}

bool spd_px_user_name(const spd_posix *fs, uint32_t uid, char out[SPD_USER_NAME_MAX])
{
    struct passwd record;
    char *room = find(&fs->env, by_uid, &uid, &record);
    bool found = room != NULL && take(record.pw_name, out, SPD_USER_NAME_MAX);
    spb_free(&fs->env, room);
    return found;
}

bool spd_px_group_name(const spd_posix *fs, uint32_t gid, char out[SPD_USER_NAME_MAX])
{
    struct group record;
    char *room = find(&fs->env, by_gid, &gid, &record);
    bool found = room != NULL && take(record.gr_name, out, SPD_USER_NAME_MAX);
    spb_free(&fs->env, room);
    return found;
}

int spd_px_home_of(const spb_env *env, const char *name, char out[SPD_NAME_ROOM])
{
    struct passwd record;
    uid_t own = geteuid();
    char *room =
        name != NULL ? find(env, by_user, name, &record) : find(env, by_uid, &own, &record);
    bool found = room != NULL && record.pw_dir != NULL && record.pw_dir[0] == '/' &&
                 take(record.pw_dir, out, SPD_NAME_ROOM);
    spb_free(env, room);
    return found ? 0 : ENOENT;
}

/* ---- the operations ---- */

/* "": one's own. Homes of others are paths of this machine, and mean nothing in another root. */
static int home(const sp_fs_request *request, const char *user, char out[SPD_NAME_ROOM])
{
    const spd_posix *fs = spd_px_of(request);
    if (user[0] == '\0' || strcmp(user, sp_fs_session_username(request->session)) == 0)
        return spd_join(out, "", fs->home);
    return fs->confined ? ENOENT : spd_px_home_of(&fs->env, user, out);
}

sp_answer spd_px_home_directory(sp_fs_request *request)
{
    char path[SPD_NAME_ROOM], real[SPD_NAME_ROOM];
    int result = home(request, request->path, path);
    if (result == 0 && spd_real(&spd_px_of(request)->root, path, real) != 0)
        result = spd_join(real, "", path); /* it need not exist */
    return result != 0 ? spd_px_result(request, result) : sp_answered(sp_fs_name(request, real));
}

sp_answer spd_px_expand_path(sp_fs_request *request)
{
    char user[SPD_USER_NAME_MAX], base[SPD_NAME_ROOM], path[SPD_NAME_ROOM], real[SPD_NAME_ROOM];
    const char *rest = request->path;
    int result = 0;
    if (rest[0] == '~') {
        size_t length = strcspn(rest + 1, "/");
        if (length >= sizeof user)
            return spd_px_result(request, ENOENT);
        memcpy(user, rest + 1, length);
        user[length] = '\0';
        rest += 1 + length;
        rest += strspn(rest, "/");
        result = home(request, user, base);
    } else {
        result = spd_join(base, "", spd_px_of(request)->home);
    }
    if (result == 0)
        result = spd_join(path, base, rest);
    if (result == 0)
        result = spd_real(&spd_px_of(request)->root, path, real);
    return result != 0 ? spd_px_result(request, result) : sp_answered(sp_fs_name(request, real));
}

sp_answer spd_px_users_groups(sp_fs_request *request)
{
    const spd_posix *fs = spd_px_of(request);
    size_t users = request->uid_count, groups = request->gid_count, count = users + groups;
    if (count < users || count > SIZE_MAX / (sizeof(char *) + SPD_USER_NAME_MAX))
        return spd_px_result(request, EINVAL);
    const char **names = spb_calloc(&fs->env, count + 1, sizeof *names);
    char(*text)[SPD_USER_NAME_MAX] = spb_calloc(&fs->env, count + 1, sizeof *text);
    sp_answer answer;
    if (names == NULL || text == NULL) {
        answer = spd_px_result(request, ENOMEM);
    } else {
        for (size_t i = 0; i < count && !sp_fs_session_gone(request->session); i++) {
            bool known = i < users ? spd_px_user_name(fs, request->uids[i], text[i])
                                   : spd_px_group_name(fs, request->gids[i - users], text[i]);
            names[i] = known ? text[i] : NULL;
        }
        answer = sp_answered(sp_fs_owners(request, names, names + users));
    }
    spb_free(&fs->env, names);
    spb_free(&fs->env, text);
    return answer;
}
