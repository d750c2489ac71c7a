/* A drop box: what is put in does not come out, and nobody sees what others have put there.
 *     drop_box PORT HOST_KEY_FILE|- FOLDER
 *     sftp -P PORT ann@127.0.0.1 (password "apple"; bob: "banana"), then: put FILE
 * Each user has a folder of his own in FOLDER, and 16 MiB as long as the program runs. */
#include "example.h"
#include <sys/stat.h>

static const char *const names[] = {"ann", "bob", NULL}, *const words[] = {"apple", "banana"};
static sp_fs *boxes[2];

static sp_answer validate_password(sp_conn *conn, sp_auth *auth, const char *name, const char *word)
{
    (void)auth;
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0 && strcmp(word, words[i]) == 0) {
            sp_conn_set_data(conn, boxes[i]);
            return SP_ACCEPT;
        }
    return SP_REJECT;
}

/* New files only, readable for nobody but the owner of the folder, whatever the client says. */
static sp_answer put(sp_fs_request *request)
{
    if ((request->flags & (SP_FS_READ | SP_FS_WRITE)) != SP_FS_WRITE)
        return sp_answered(sp_fs_failed(request, SP_FS_PERMISSION_DENIED, NULL));
    request->flags |= SP_FS_CREATE | SP_FS_EXCLUSIVE;
    request->attr = (sp_fs_attr){.valid = SP_FS_ATTR_PERMISSIONS, .permissions = 0600};
    return sp_fs_pass(request);
}

static sp_answer set_size_and_times(sp_fs_request *request) /* of what is being put in */
{
    request->attr.valid &= SP_FS_ATTR_SIZE | SP_FS_ATTR_TIMES;
    return sp_fs_pass(request);
}

static sp_answer list_nothing(sp_fs_request *request) /* no failure: some clients look first */
{
    return sp_answered(sp_fs_eof(request));
}

static int make_box(sp_fs **box, const char *folder, const char *name)
{
    /* What is not here (remove, rename, mkdir, setstat...) is refused. */
    const sp_fs_handlers handlers = {SP_FS_HANDLERS_INIT,    .realpath = sp_fs_pass,
                                     .stat = sp_fs_pass,     .lstat = sp_fs_pass,
                                     .fstat = sp_fs_pass,    .open = put,
                                     .write = sp_fs_pass,    .fsetstat = set_size_and_times,
                                     .close = sp_fs_pass,    .opendir = sp_fs_pass,
                                     .readdir = list_nothing};
    char path[4096];
    sp_fs_posix_options place = {SP_FS_POSIX_OPTIONS_INIT, .root = path, .quota = 16 << 20};
    sp_fs_options over = {SP_FS_OPTIONS_INIT};

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)mkdir(path, 0700); /* it may be there */
    int result = sp_fs_posix_new(&over.below, &place);
    *box = result == 0 ? sp_fs_new(&handlers, NULL, &over) : NULL;
    sp_fs_unref(over.below);
    return *box != NULL ? 0 : example_fail(path, sp_strerror(result == 0 ? SP_ENOMEM : result));
}

int main(int argc, char **argv)
{
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT, .password_auth_supported = example_yes,
        .validate_password = validate_password, .session_requested = example_files};
    if (argc != 4)
        return example_fail("usage", "drop_box PORT HOST_KEY_FILE|- FOLDER");
    if (make_box(&boxes[0], argv[3], names[0]) != 0 || make_box(&boxes[1], argv[3], names[1]) != 0)
        return 1;
    example e = example_arguments(argc, argv);
    example_preset = "compatible"; /* for an old curl, too */
    int result = example_run(&e, &handlers, NULL);
    for (int i = 0; names[i] != NULL; i++)
        sp_fs_unref(boxes[i]);
    return result;
}
