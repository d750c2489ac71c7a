/* A directory of this machine as a file system: sallyport/fs_posix.h. The table, the options, and
 * the way of an operation to the thread pool. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sallyport/fs_posix.h>
#include <string.h>
#include <unistd.h>

/* ---- what operations share ---- */

sp_answer spd_px_refuse(sp_fs_request *request, sp_fs_status status, const char *text)
{
    return sp_answered(sp_fs_failed(request, status, text));
}

/* For those that SFTP has no status for. */
static const char *words(int error)
{
    switch (error) {
    case EEXIST:
        return "File exists";
    case EISDIR:
        return "Is a directory";
    case ENOTEMPTY:
        return "Directory not empty";
    case ENOSPC:
        return "No space left on device";
    case EDQUOT:
        return "Disk quota exceeded";
    case EFBIG:
        return "File too large";
    case EROFS:
        return "Read-only file system";
    case EXDEV:
        return "Not on the same file system";
    case EBUSY:
    case ETXTBSY:
        return "Busy";
    case EMFILE:
    case ENFILE:
        return "Too many open files";
    case ENOMEM:
        return "Out of memory";
    case EIO:
        return "Input/output error";
    default:
        return NULL;
    }
}

sp_answer spd_px_result(sp_fs_request *request, int error)
{
    const char *text = words(error);
    if (error == 0)
        return SP_ACCEPT;
    return text == NULL ? sp_answered(sp_fs_errno(request, error))
                        : spd_px_refuse(request, SP_FS_FAILURE, text);
}

int spd_px_path(const sp_fs_request *request, const char *path, char out[SPD_NAME_ROOM])
{
    return spd_join(out, spd_px_of(request)->home, path);
}

int spd_px_open_path(const sp_fs_request *request, bool follow, int *fd)
{
    char path[SPD_NAME_ROOM];
    int result = spd_px_path(request, request->path, path);
    if (result != 0)
        return result;
    return spd_open(&spd_px_of(request)->root, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, fd);
}

int spd_px_spend(spd_posix *fs, uint64_t bytes)
{
    if (fs->quota == 0)
        return 0;
    uint_fast64_t before = atomic_load(&fs->written);
    do {
        if (bytes > fs->quota || before > fs->quota - bytes)
            return ENOSPC;
    } while (!atomic_compare_exchange_weak(&fs->written, &before, before + bytes));
    return 0;
}

void spd_px_give_back(spd_posix *fs, uint64_t bytes)
{
    if (fs->quota != 0)
        atomic_fetch_sub(&fs->written, bytes);
}

/* ---- to the thread pool ---- */

static sp_answer work(sp_fs_request *request, void *data)
{
    (void)data;
    switch (request->op) {
    case SP_FS_OP_REALPATH:
        return spd_px_realpath(request);
    case SP_FS_OP_EXPAND_PATH:
        return spd_px_expand_path(request);
    case SP_FS_OP_STAT:
    case SP_FS_OP_LSTAT:
        return spd_px_stat(request);
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_LSETSTAT:
        return spd_px_setstat(request);
    case SP_FS_OP_OPEN:
        return spd_px_open(request);
    case SP_FS_OP_CLOSE:
    case SP_FS_OP_CLOSEDIR:
        return spd_px_close(request);
    case SP_FS_OP_FSTAT:
        return spd_px_fstat(request);
    case SP_FS_OP_FSETSTAT:
        return spd_px_fsetstat(request);
    case SP_FS_OP_FSYNC:
        return spd_px_fsync(request);
    case SP_FS_OP_OPENDIR:
        return spd_px_opendir(request);
    case SP_FS_OP_READDIR:
        return spd_px_readdir(request);
    case SP_FS_OP_REMOVE:
    case SP_FS_OP_RMDIR:
        return spd_px_remove(request);
    case SP_FS_OP_MKDIR:
        return spd_px_mkdir(request);
    case SP_FS_OP_RENAME:
        return spd_px_rename(request);
    case SP_FS_OP_READLINK:
        return spd_px_readlink(request);
    case SP_FS_OP_SYMLINK:
        return spd_px_symlink(request);
    case SP_FS_OP_LINK:
        return spd_px_link(request);
    case SP_FS_OP_STATVFS:
    case SP_FS_OP_FSTATVFS:
        return spd_px_statvfs(request);
    case SP_FS_OP_COPY_DATA:
        return spd_px_copy(request);
    case SP_FS_OP_HOME_DIRECTORY:
        return spd_px_home_directory(request);
    case SP_FS_OP_USERS_GROUPS:
        return spd_px_users_groups(request);
    default:
        return SP_REJECT;
    }
}

/* The library does not ask for these when the file system is read only; here it holds for whoever
 * asks. Nothing is open for writing then. */
static bool changes(const sp_fs_request *request)
{
    switch (request->op) {
    case SP_FS_OP_OPEN:
        return (request->flags & ~SP_FS_READ) != 0;
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_LSETSTAT:
    case SP_FS_OP_FSETSTAT:
    case SP_FS_OP_REMOVE:
    case SP_FS_OP_MKDIR:
    case SP_FS_OP_RMDIR:
    case SP_FS_OP_RENAME:
    case SP_FS_OP_SYMLINK:
    case SP_FS_OP_LINK:
        return true;
    default:
        return false;
    }
}

static sp_answer run(sp_fs_request *request)
{
    if (spd_px_of(request)->read_only && changes(request))
        return spd_px_result(request, EACCES);
    sp_answer answer;
    return spd_px_now(request, &answer) ? answer : sp_fs_work(request, work, NULL);
}

static const sp_fs_handlers handlers = {
    SP_FS_HANDLERS_INIT, .realpath = run,     .expand_path = run,    .stat = run,
    .lstat = run,        .setstat = run,      .lsetstat = run,       .open = run,
    .close = run,        .read = spd_px_read, .write = spd_px_write, .fstat = run,
    .fsetstat = run,     .fsync = run,        .opendir = run,        .readdir = run,
    .remove = run,       .mkdir = run,        .rmdir = run,          .rename = run,
    .readlink = run,     .symlink = run,      .link = run,           .statvfs = run,
    .fstatvfs = run,     .copy_data = run,    .home_directory = run, .users_groups_by_id = run,
};

/* ---- made and freed ---- */

static void released(void *data)
{
    spd_posix *fs = data;
    spb_env env = fs->env;
    spd_root_close(&fs->root);
    spb_free(&env, fs);
}

static int error_of(int number)
{
    return number == 0 ? 0 : number == ENAMETOOLONG ? SP_EINVAL : spl_error(number);
}

static int set_home(spd_posix *fs, const char *home)
{
    if (home == NULL && !fs->confined && spd_px_home_of(&fs->env, NULL, fs->home) == 0)
        return 0;
    if (home == NULL)
        home = "/";
    return home[0] != '/' ? SP_EINVAL : error_of(spd_join(fs->home, "", home));
}

static int set_up(spd_posix *fs, const sp_fs_posix_options *options)
{
    const char *root = options->root == NULL ? "/" : options->root;
    struct stat real, ours;
    int result = error_of(spd_root_open(&fs->root, root));
    if (result != 0)
        return result;
    fs->confined = stat("/", &real) != 0 || fstat(fs->root.fd, &ours) != 0 ||
                   real.st_dev != ours.st_dev || real.st_ino != ours.st_ino;
    fs->read_only = options->read_only;
    fs->set_umask = options->set_umask;
    fs->umask = (mode_t)(options->umask & 0777);
    fs->no_symlinks = options->no_symlinks;
    fs->quota = options->quota;
    atomic_init(&fs->written, 0);
    atomic_init(&fs->memory, 0);
    atomic_init(&fs->disk, 0);
    return set_home(fs, options->home);
}

int sp_fs_posix_new(sp_fs **out, const sp_fs_posix_options *given)
{
    sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT};
    spb_env env;
    *out = NULL;
    if (given != NULL && given->size < sizeof given->size)
        return SP_EINVAL;
    if (given != NULL)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    spb_env_init(&env, NULL);
    spd_posix *fs = spb_calloc(&env, 1, sizeof *fs);
    if (fs == NULL)
        return SP_ENOMEM;
    fs->env = env;
    fs->root.fd = -1;
    int result = set_up(fs, &options);
    sp_fs_options how = {SP_FS_OPTIONS_INIT, .read_only = options.read_only, .released = released};
    if (result == 0 && (*out = sp_fs_new(&handlers, fs, &how)) == NULL)
        result = SP_ENOMEM;
    if (result != 0)
        released(fs);
    return result;
}
