/* A table of operations that follows a script: answers at once, later or from the thread pool, and
 * failures at each operation; and what scp's far end then does, step by step. */
#ifndef SCP_SCRIPT_H
#define SCP_SCRIPT_H

#include "scp_stand.h"

#define DIR_MODE (0040000u | 0755u)
#define FILE_MODE (0100000u | 0640u)

/* What the table does. One open thing is as good as another; it counts them. */
static struct script {
    sp_fs_op fail; /* this operation fails, 0: none */
    const char *text;
    bool later;
    uint64_t size;      /* of every file */
    uint64_t real_size; /* bytes that can be read; 0: as `size` */
    const char *const *names;
    size_t name_count;
} script;

static sp_fs_request *kept; /* with `later`: there is at most one */
static char steps[4096];    /* a letter for each operation */
static char written[1 << 20];
static size_t written_length;
static sp_fs_attr set; /* by the last FSETSTAT, SETSTAT, MKDIR or OPEN */
static int open_now, ends;
static size_t cursor;
static char last_path[256];
static char logged[512];
static char told[1024]; /* requests: operation, path, status */
static char last_reason[SPP_ERROR_MAX];

static inline void note_path(const sp_fs_request *q)
{
    if (q->path != NULL)
        (void)snprintf(last_path, sizeof last_path, "%s", q->path);
}

static inline bool is_dir_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return name[0] == '\0' || name[0] == '.' || name[0] == 'd';
}

static inline int give_attributes(sp_fs_request *q)
{
    const sp_fs_attr file = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES,
                             .permissions = FILE_MODE,
                             .size = script.size,
                             .mtime = 11,
                             .atime = 22};
    sp_fs_attr dir = file;
    dir.permissions = DIR_MODE;
    if (q->path != NULL && strstr(q->path, "new") != NULL)
        return sp_fs_failed(q, SP_FS_NO_SUCH_FILE, NULL);
    return sp_fs_attributes(q, q->path != NULL && is_dir_path(q->path) ? &dir : &file);
}

static inline int give_names(sp_fs_request *q)
{
    sp_fs_entry entries[4] = {0};
    size_t count = 0;
    while (count < 4 && cursor < script.name_count)
        entries[count++].name = script.names[cursor++];
    return count == 0 ? sp_fs_eof(q) : sp_fs_names(q, entries, count);
}

static inline int give_data(sp_fs_request *q)
{
    uint64_t size = script.real_size != 0 ? script.real_size : script.size;
    if (q->offset >= size)
        return sp_fs_eof(q);
    size_t length = q->length < size - q->offset ? (size_t)q->length : (size_t)(size - q->offset);
    for (size_t i = 0; i < length; i++)
        ((char *)q->buffer)[i] = (char)('a' + (q->offset + i) % 26);
    return sp_fs_data(q, length);
}

static inline int take_write(sp_fs_request *q)
{
    if (q->offset == 0)
        written_length = 0;
    assert_int_equal(q->offset, written_length);
    assert_true(q->length <= sizeof written - written_length);
    memcpy(written + written_length, q->bytes, q->length);
    written_length += q->length;
    return sp_fs_done(q);
}

static inline int give_handle(sp_fs_request *q)
{
    open_now++;
    set = q->attr;
    if (q->op == SP_FS_OP_OPENDIR)
        cursor = 0;
    return sp_fs_opened(q, &script);
}

/* Answers as the script says. */
static inline int decide(sp_fs_request *q)
{
    note_path(q);
    if (q->op == SP_FS_OP_CLOSE || q->op == SP_FS_OP_CLOSEDIR) {
        assert_ptr_equal(q->handle, &script);
        open_now--;
    }
    if (q->op == script.fail)
        return sp_fs_failed(q, script.text != NULL ? SP_FS_FAILURE : SP_FS_PERMISSION_DENIED,
                            script.text);
    switch (q->op) {
    case SP_FS_OP_STAT:
    case SP_FS_OP_LSTAT:
    case SP_FS_OP_FSTAT:
        return give_attributes(q);
    case SP_FS_OP_OPEN:
    case SP_FS_OP_OPENDIR:
        return give_handle(q);
    case SP_FS_OP_READ:
        return give_data(q);
    case SP_FS_OP_READDIR:
        return give_names(q);
    case SP_FS_OP_EXPAND_PATH:
        return sp_fs_name(q, "/home");
    case SP_FS_OP_WRITE:
        return take_write(q);
    case SP_FS_OP_MKDIR:
    case SP_FS_OP_SETSTAT:
    case SP_FS_OP_FSETSTAT:
        set = q->attr;
        return sp_fs_done(q);
    default:
        return sp_fs_done(q);
    }
}

static inline sp_answer handle(sp_fs_request *q)
{
    static const char letters[] = "?bRxslp,ocrwfaynez?m";
    size_t length = strlen(steps);
    if (length < sizeof steps - 1)
        steps[length] = letters[q->op];
    if (!script.later)
        return sp_answered(decide(q));
    assert_null(kept);
    kept = q;
    return SP_LATER;
}

static inline void note_end(sp_fs_session *session)
{
    assert_non_null(session);
    ends++;
}

static const sp_fs_handlers table = {
    SP_FS_HANDLERS_INIT, .begin = handle,   .end = note_end,   .expand_path = handle,
    .stat = handle,      .lstat = handle,   .setstat = handle, .open = handle,
    .close = handle,     .read = handle,    .write = handle,   .fstat = handle,
    .fsetstat = handle,  .opendir = handle, .readdir = handle, .closedir = handle,
    .mkdir = handle,
};

static inline void transferred(sp_channel *channel, const sp_sftp_transfer *t, void *data)
{
    size_t length = strlen(logged);
    (void)channel;
    (void)data;
    assert_string_equal(t->username, "somebody");
    (void)snprintf(logged + length, sizeof logged - length, "%s r%u w%u s%d %d;", t->path,
                   (unsigned)t->bytes_read, (unsigned)t->bytes_written, (int)t->status,
                   t->by_client);
    assert_true(t->whole == t->by_client);
    assert_true(t->whole ? t->data_status == SP_FS_OK : true);
    (void)snprintf(last_reason, sizeof last_reason, "%s", t->reason != NULL ? t->reason : "-");
}

static inline void performed(sp_channel *channel, const sp_sftp_event *e, void *data)
{
    size_t length = strlen(told);
    (void)channel;
    (void)data;
    (void)snprintf(told + length, sizeof told - length, "%d %s %d;", (int)e->op,
                   e->path != NULL ? e->path : "-", (int)e->status);
}

static inline void begin_table(const sp_fs_handlers *handlers, const char *command,
                               const sp_fs_options *fs_options, const sp_scp_options *more)
{
    sp_scp_options options = {SP_SCP_OPTIONS_INIT};
    if (more != NULL)
        options = *more;
    options.transferred = transferred;
    options.performed = performed;
    memset(steps, 0, sizeof steps);
    written_length = 0;
    open_now = ends = 0;
    logged[0] = told[0] = '\0';
    kept = NULL;
    stand_begin(sp_fs_new(handlers, NULL, fs_options), command, &options);
}

static inline void begin(const char *command)
{
    begin_table(&table, command, NULL, NULL);
}

static inline void finish(uint32_t status)
{
    spp_end_of_input(server);
    assert_true(server->ended);
    assert_int_equal(spp_exit_status(server), status);
    assert_int_equal(open_now, 0);
    assert_int_equal(ends, 1);
    stand_end();
}

/* Exactly this literal comes out, which may have NULs. */
#define EXPECT(literal) expect_bytes(literal, sizeof(literal) - 1)

/* Answers what is kept, until nothing is. */
static inline void pump_once(void)
{
    sp_fs_request *q = kept;
    int before = moves;
    assert_non_null(q);
    kept = NULL;
    assert_int_equal(decide(q), 0);
    sp_fs_release(q);
    while (moves == before)
        spl_loop_turn(loop);
    spp_run(server);
}

static inline void pump(void)
{
    while (kept != NULL)
        pump_once();
}

static inline int reset(void **state)
{
    (void)state;
    script = (struct script){.size = 100};
    return 0;
}

#endif
