/* One session with a POSIX file system, without a client: each request is made, run, and waited for
 * on a loop of its own. A test ends by forgetting each answer it got. */
#ifndef POSIX_STAND_H
#define POSIX_STAND_H

#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sallyport/fs_posix.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static spb_env env;
static spl_loop *loop;
static sp_fs *fs;
static sp_fs_session *session;
static char base[] = "/tmp/fs_posix_XXXXXX";
static char root_path[64]; /* base/root */

/* For cmocka_run_group_tests. */
static inline int stand_set_up(void **state)
{
    (void)state;
    spb_env_init(&env, NULL);
    return 0;
}

static inline spd_posix *inside(void)
{
    return sp_fs_data_of(fs);
}

/* Starts a session. `walk`: with the resolver for kernels without openat2. */
static inline void begin(const sp_fs_posix_options *options, bool walk)
{
    assert_int_equal(sp_fs_posix_new(&fs, options), 0);
    if (walk)
        inside()->root.openat2 = false;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    session = spd_session_new(fs, loop, NULL, "somebody");
    assert_non_null(session);
}

static inline void end(void)
{
    spd_session_end(session, true);
    sp_fs_unref(fs);
    spl_loop_free(loop);
}

typedef struct asked {
    spd_request request; /* the first */
    bool answered;
} asked;

static inline void note(spd_request *request)
{
    ((asked *)request)->answered = true;
}

/* Fills what the operation needs in `with`; starts it. */
static inline asked *start_asking(sp_fs_op op, const sp_fs_request *with)
{
    asked *a = spb_calloc(spd_session_env(session), 1, sizeof *a);
    assert_non_null(a);
    a->request.q = *with;
    spd_request_init(&a->request, session, op);
    a->request.answered = note;
    if (spd_run(&a->request))
        a->answered = true;
    return a;
}

static inline void await(asked *a)
{
    while (!a->answered)
        spl_loop_turn(loop);
}

static inline asked *ask(sp_fs_op op, const sp_fs_request *with)
{
    asked *a = start_asking(op, with);
    await(a);
    return a;
}

static inline const spd_answer *answer_of(const asked *a)
{
    return &a->request.answer;
}

static inline void forget(asked *a)
{
    spd_drop(&a->request);
}

/* The status alone; handles are closed at once. */
static inline sp_fs_status status_of(sp_fs_op op, const sp_fs_request *with)
{
    asked *a = ask(op, with);
    sp_fs_status status = answer_of(a)->status;
    if (answer_of(a)->form == SPD_HANDLE) {
        const sp_fs_request closing = {.handle = answer_of(a)->u.handle};
        forget(ask(op == SP_FS_OP_OPENDIR ? SP_FS_OP_CLOSEDIR : SP_FS_OP_CLOSE, &closing));
    }
    forget(a);
    return status;
}

static inline sp_fs_status on_path(sp_fs_op op, const char *path)
{
    const sp_fs_request with = {.path = path};
    return status_of(op, &with);
}

static inline sp_fs_status on_paths(sp_fs_op op, const char *path, const char *to, uint32_t flags)
{
    const sp_fs_request with = {.path = path, .to = to, .flags = flags};
    return status_of(op, &with);
}

static inline void *open_as(const char *path, uint32_t flags)
{
    const sp_fs_request with = {.path = path, .flags = flags};
    asked *a = ask(SP_FS_OP_OPEN, &with);
    assert_int_equal(answer_of(a)->form, SPD_HANDLE);
    void *handle = answer_of(a)->u.handle;
    forget(a);
    return handle;
}

static inline void close_it(void *handle)
{
    const sp_fs_request with = {.handle = handle};
    assert_int_equal(status_of(SP_FS_OP_CLOSE, &with), SP_FS_OK);
}

static inline sp_fs_status write_at(void *handle, uint64_t offset, const void *bytes, size_t length)
{
    const sp_fs_request with = {
        .handle = handle, .offset = offset, .bytes = bytes, .length = length};
    return status_of(SP_FS_OP_WRITE, &with);
}

/* Bytes, 0 at the end, or -status. */
static inline long read_at(void *handle, uint64_t offset, void *buffer, size_t length)
{
    const sp_fs_request with = {
        .handle = handle, .offset = offset, .buffer = buffer, .length = length};
    asked *a = ask(SP_FS_OP_READ, &with);
    const spd_answer *got = answer_of(a);
    long n = -(long)got->status;
    if (got->form == SPD_DATA)
        n = (long)got->u.length;
    else if (got->status == SP_FS_EOF)
        n = 0;
    forget(a);
    return n;
}

/* The path that the operation answers with goes to `out`. */
static inline sp_fs_status name_from(sp_fs_op op, const char *path, char *out, size_t size)
{
    const sp_fs_request with = {.path = path};
    asked *a = ask(op, &with);
    sp_fs_status status = answer_of(a)->status;
    out[0] = '\0';
    if (answer_of(a)->form == SPD_NAME)
        snprintf(out, size, "%s", answer_of(a)->text);
    forget(a);
    return status;
}

static inline void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static inline int make_base(void)
{
    spb_env_init(&env, NULL);
    umask(022);
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(root_path, sizeof root_path, "%s/root", base);
    return mkdir(root_path, 0755);
}

static inline int remove_base(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf -- %s", base);
    return system(command) == 0 ? 0 : -1;
}

/* ---- a plain root ---- */

#define RW (SP_FS_READ | SP_FS_WRITE | SP_FS_CREATE)

static inline const char *real_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", root_path, name);
    return path;
}

static inline void empty_root(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf -- %s && mkdir %s", root_path, root_path);
    assert_int_equal(system(command), 0);
}

static inline void begin_plain(void)
{
    const sp_fs_posix_options options = {SP_FS_POSIX_OPTIONS_INIT, .root = root_path};
    empty_root();
    begin(&options, false);
}

static inline unsigned mode_of(const char *name)
{
    struct stat status;
    assert_int_equal(lstat(real_path(name), &status), 0);
    return status.st_mode & 07777;
}

/* The status and its text. */
static inline void fails(sp_fs_op op, const sp_fs_request *with, sp_fs_status status,
                         const char *text)
{
    asked *a = ask(op, with);
    const char *given = answer_of(a)->text;
    if (given == NULL)
        given = spd_status_text(answer_of(a)->status);
    assert_int_equal(answer_of(a)->form, SPD_STATUS);
    assert_int_equal(answer_of(a)->status, status);
    assert_string_equal(given, text);
    forget(a);
}

#endif
