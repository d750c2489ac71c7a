/* Directories, several names at a time, each with its attributes and the names of its owners. */
#include "fs/posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 128u
#define OWNERS_MAX 32u /* looked up for one listing; the others show as numbers */

typedef struct owner {
    uint32_t id;
    char name[SPD_USER_NAME_MAX]; /* empty: not known */
} owner;

typedef struct owners {
    bool (*look_up)(const spd_posix *fs, uint32_t id, char out[SPD_USER_NAME_MAX]);
    size_t count;
    owner list[OWNERS_MAX];
} owners;

struct spd_px_listing {
    DIR *dir;
    pthread_mutex_t lock; /* requests for the same directory may come at the same time */
    owners users, groups;
};

/* One answer. */
typedef struct batch {
    size_t count;
    sp_fs_entry entries[ENTRIES_MAX];
    char names[ENTRIES_MAX][NAME_MAX + 1];
} batch;

/* ---- opened and closed ---- */

int spd_px_free_listing(const spd_posix *fs, struct spd_px_listing *listing)
{
    int result = closedir(listing->dir) == 0 ? 0 : errno;
    (void)pthread_mutex_destroy(&listing->lock);
    spb_free(&fs->env, listing);
    return result;
}

static int new_listing(const spd_posix *fs, int fd, struct spd_px_listing **out)
{
    struct spd_px_listing *listing = spb_calloc(&fs->env, 1, sizeof *listing);
    int result = listing == NULL ? ENOMEM : pthread_mutex_init(&listing->lock, NULL);
    if (result == 0 && (listing->dir = fdopendir(fd)) == NULL) {
        result = errno;
        (void)pthread_mutex_destroy(&listing->lock);
    }
    if (result != 0) {
        spb_free(&fs->env, listing);
        return result;
    }
    listing->users.look_up = spd_px_user_name;
    listing->groups.look_up = spd_px_group_name;
    *out = listing;
    return 0;
}

static int open_directory(const sp_fs_request *request, spd_px_handle *handle)
{
    char path[SPD_NAME_ROOM];
    int result = spd_px_path(request, request->path, path);
    if (result == 0)
        result =
            spd_open(&handle->fs->root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0, &handle->fd);
    if (result != 0)
        return result;
    result = new_listing(handle->fs, handle->fd, &handle->listing);
    if (result != 0)
        (void)close(handle->fd);
    return result;
}

sp_answer spd_px_opendir(sp_fs_request *request)
{
    spd_posix *fs = spd_px_of(request);
    spd_px_handle *handle = spb_calloc(&fs->env, 1, sizeof *handle);
    if (handle == NULL)
        return spd_px_result(request, ENOMEM);
    handle->fs = fs;
    int result = open_directory(request, handle);
    if (result != 0) {
        spb_free(&fs->env, handle);
        return spd_px_result(request, result);
    }
    if (sp_fs_opened(request, handle) == 0)
        return SP_ANSWERED;
    (void)spd_px_free_listing(fs, handle->listing);
    spb_free(&fs->env, handle);
    return SP_REJECT;
}

/* ---- read ---- */

static const char *owner_name(const spd_posix *fs, owners *all, uint32_t id)
{
    owner *one = NULL;
    for (size_t i = 0; i < all->count && one == NULL; i++)
        one = all->list[i].id == id ? &all->list[i] : NULL;
    if (one == NULL) {
        if (all->count == OWNERS_MAX)
            return NULL;
        one = &all->list[all->count++];
        one->id = id;
        if (!all->look_up(fs, id, one->name))
            one->name[0] = '\0';
    }
    return one->name[0] == '\0' ? NULL : one->name;
}

/* The root is its own parent; what is above it is nobody's business. */
static const char *name_to_look_at(const spd_posix *fs, int dir, const char *name)
{
    struct stat here, root;
    if (strcmp(name, "..") != 0)
        return name;
    bool is_root = fstat(dir, &here) != 0 || fstat(fs->root.fd, &root) != 0 ||
                   (here.st_dev == root.st_dev && here.st_ino == root.st_ino);
    return is_root ? "." : name;
}

/* False: it is gone since, or has no business here. */
static bool fill(const spd_posix *fs, struct spd_px_listing *listing, const struct dirent *found,
                 batch *b)
{
    struct stat status;
    size_t length = strlen(found->d_name);
    int dir = dirfd(listing->dir);
    if (length > NAME_MAX ||
        fstatat(dir, name_to_look_at(fs, dir, found->d_name), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    sp_fs_entry *entry = &b->entries[b->count];
    memcpy(b->names[b->count], found->d_name, length + 1);
    entry->name = b->names[b->count];
    spd_px_attr(&entry->attr, &status);
    entry->user = owner_name(fs, &listing->users, status.st_uid);
    entry->group = owner_name(fs, &listing->groups, status.st_gid);
    b->count++;
    return true;
}

static int fill_all(const sp_fs_request *request, struct spd_px_listing *listing, batch *b)
{
    size_t wanted = request->length < ENTRIES_MAX ? (size_t)request->length : ENTRIES_MAX;
    b->count = 0;
    while (b->count < wanted) {
        errno = 0;
        const struct dirent *found = readdir(listing->dir);
        if (found == NULL)
            return b->count > 0 ? 0 : errno; /* an error comes again with the next request */
        (void)fill(spd_px_of(request), listing, found, b);
    }
    return 0;
}

sp_answer spd_px_readdir(sp_fs_request *request)
{
    const spd_px_handle *handle = request->handle;
    const spb_env *env = &handle->fs->env;
    if (handle->listing == NULL)
        return spd_px_result(request, ENOTDIR);
    batch *b = spb_alloc(env, sizeof *b);
    if (b == NULL)
        return spd_px_result(request, ENOMEM);
    (void)pthread_mutex_lock(&handle->listing->lock);
    int result = fill_all(request, handle->listing, b);
    sp_answer answer;
    if (result != 0)
        answer = spd_px_result(request, result);
    else if (b->count == 0)
        answer = sp_answered(sp_fs_eof(request));
    else
        answer = sp_answered(sp_fs_names(request, b->entries, b->count));
    (void)pthread_mutex_unlock(&handle->listing->lock);
    spb_free(env, b);
    return answer;
}
