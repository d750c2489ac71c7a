/* A database table as files: each row of "notes" in an SQLite database is a file that can be read.
 *     sqlite3 DATABASE "CREATE TABLE notes (name TEXT PRIMARY KEY, content)"
 *     table_files PORT HOST_KEY_FILE|- DATABASE
 *     sftp -P PORT anyone@127.0.0.1, then: ls -l, get NAME
 * A database blocks, so it is asked on the thread pool: nobody else waits for its locks. */
#include "example.h"
#include <sqlite3.h>

/* The directory has number -1. A name with a slash, or a dot at an end, is no name of a file. */
#define FILES                                                                                      \
    "WITH files(id, name, content) AS (SELECT -1, '', '' UNION ALL SELECT rowid, name, CAST("      \
    "content AS BLOB) FROM notes WHERE rowid > 0 AND length(name) BETWEEN 1 AND 255 AND name = "   \
    "trim(replace(name, '/', ''), '.')) SELECT id, '/' || name, length(content), substr(content,"  \
    " ?3 + 1, ?4) FROM files WHERE "

/* Answers with the row, or up to 32. Handles are their numbers, so nothing stays locked. */
static int found(sp_fs_request *request, sqlite3_stmt *row)
{
    sqlite3_int64 id = sqlite3_column_int64(row, 0);
    size_t length = (size_t)sqlite3_column_bytes(row, 3), count = 0;
    char names[32][SP_FS_NAME_MAX];
    sp_fs_entry entries[32];
    do {
        (void)snprintf(names[count], SP_FS_NAME_MAX, "%s", sqlite3_column_text(row, 1));
        entries[count] = (sp_fs_entry){.name = names[count] + 1,
                                       .attr = {.valid = SP_FS_ATTR_SIZE | SP_FS_ATTR_PERMISSIONS,
                                                .permissions = id < 0 ? 040555 : 0100444,
                                                .size = (uint64_t)sqlite3_column_int64(row, 2)}};
    } while (++count < 32 && request->op == SP_FS_OP_READDIR && sqlite3_step(row) == SQLITE_ROW);
    if (request->op == SP_FS_OP_REALPATH)
        return sp_fs_name(request, names[0]);
    if (request->op == SP_FS_OP_READDIR)
        return sp_fs_names(request, entries, count);
    if (request->op == SP_FS_OP_READ && length > 0)
        memcpy(request->buffer, sqlite3_column_blob(row, 3), length);
    if (request->op == SP_FS_OP_READ)
        return sp_fs_data(request, length);
    if (request->op != SP_FS_OP_OPEN && request->op != SP_FS_OP_OPENDIR)
        return sp_fs_attributes(request, &entries[0].attr);
    return (id < 0) == (request->op == SP_FS_OP_OPENDIR)
               ? sp_fs_opened(request, (void *)(intptr_t)id)
               : sp_fs_failed(request, SP_FS_FAILURE, NULL);
}

static sp_answer ask(sp_fs_request *request)
{
    bool list = request->op == SP_FS_OP_READDIR;
    const char *sql = list                    ? FILES "id > 0 ORDER BY id LIMIT ?4 OFFSET ?3"
                      : request->path == NULL ? FILES "id = ?2"
                                              : FILES "name = trim(?1, '/.')";
    sqlite3_stmt *row = NULL; /* what SQLite does with NULL is to fail */
    (void)sqlite3_prepare_v2(request->fs_data, sql, -1, &row, NULL);
    (void)sqlite3_bind_text(row, 1, request->path, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(row, 2, (intptr_t)request->handle);
    (void)sqlite3_bind_int64(row, 3, (sqlite3_int64)request->offset);
    (void)sqlite3_bind_int64(row, 4, (sqlite3_int64)request->length);
    sp_fs_status none = list ? SP_FS_EOF : SP_FS_NO_SUCH_FILE;
    int step = sqlite3_step(row);
    int result = step == SQLITE_ROW    ? found(request, row)
                 : step == SQLITE_DONE ? sp_fs_failed(request, none, NULL)
                                       : sp_fs_failed(request, SP_FS_FAILURE, sqlite3_errstr(step));
    sqlite3_finalize(row);
    return sp_answered(result);
}

int main(int argc, char **argv)
{
    const sp_fs_handlers table = {SP_FS_HANDLERS_INIT, .realpath = ask, .stat = ask,
                                  .lstat = ask,        .fstat = ask,    .open = ask,
                                  .read = ask,         .opendir = ask,  .readdir = ask};
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .blocking = true, .read_only = true};
    sqlite3 *db = NULL;
    if (argc != 4 || sqlite3_open_v2(argv[3], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return example_fail("usage", "table_files PORT HOST_KEY_FILE|- DATABASE");
    (void)sqlite3_busy_timeout(db, 10000);
    int result = example_file_server(argc, argv, sp_fs_new(&table, db, &options));
    (void)sqlite3_close(db);
    return result;
}
