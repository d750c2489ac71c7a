/* transfer.c: an SFTP or scp session from its request to its end. The root (ChrootDirectory) is
 * looked at and opened on the thread pool; from then on the library keeps what clients name inside
 * it, by descriptors, since a program without privilege can't change its own root. */
#include "transfer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "log.h"
#include "sftpflags.h"
#include "tokens.h"
#include "transferlog.h"

/* References: the channel's, and one of the work or of the session that is served. */
struct transfer {
    unsigned references;
    const program *program;
    options *options; /* counted */
    transfer_kind kind;
    sftp_flags flags;
    transfer_log log;
    sp_request *request; /* while it is being prepared */
    sp_fs *fs;           /* NULL: it could not be made */
    char *root;          /* resolved; NULL: none */
};

void transfer_unref(transfer *t)
{
    if (t == NULL || --t->references > 0)
        return;
    sp_fs_unref(t->fs);
    sftp_flags_clear(&t->flags);
    options_unref(t->options);
    free(t->log.who);
    free(t->root);
    free(t);
}

/* ---- on the thread pool: the root and the place to begin ------------------------------------- */

static bool is_directory(const char *root, const char *path)
{
    char *whole = text_format("%s%s", root != NULL ? root : "", path);
    struct stat st;
    bool is = whole != NULL && stat(whole, &st) == 0 && S_ISDIR(st.st_mode);

    free(whole);
    return is;
}

/* The directory of -d, the home directory, "/": the first that is there. The caller frees it. */
static char *start_directory(const transfer *t)
{
    const account *a = t->program->account;
    char *wanted = t->flags.start != NULL ? tokens_expand_path(t->flags.start, a) : NULL;

    if (wanted != NULL && is_directory(t->root, wanted))
        return wanted;
    if (t->flags.start != NULL)
        log_error("%s: the start directory %s is not there", t->log.who,
                  wanted != NULL ? wanted : t->flags.start);
    free(wanted);
    return text_copy(is_directory(t->root, a->home) ? a->home : "/");
}

/* False: there is one, and it can't be used. */
static bool find_root(transfer *t)
{
    char problem[512] = "out of memory";
    const account *a = t->program->account;
    const char *pattern = t->options->chroot_directory;

    if (pattern == NULL)
        return true;
    char *path = tokens_expand_path(pattern, a);
    if (path != NULL)
        t->root = directory_resolve_safe(path, a->uid, problem, sizeof problem);
    free(path);
    if (t->root == NULL)
        log_error("%s refused: ChrootDirectory: %s", t->log.who, problem);
    return t->root != NULL;
}

static void open_files(void *data)
{
    transfer *t = data;
    const options *o = t->options;
    uint32_t mask = t->flags.umask != NOT_GIVEN ? t->flags.umask : o->transfer_umask;

    if (!find_root(t))
        return;
    char *home = start_directory(t);
    const sp_fs_posix_options posix = {
        SP_FS_POSIX_OPTIONS_INIT,
        .root = t->root,
        .home = home,
        .read_only = o->transfer_read_only || t->flags.read_only,
        .set_umask = mask != NOT_GIVEN,
        .umask = mask != NOT_GIVEN ? mask : 0,
        .quota = o->transfer_quota,
    };
    int result = home != NULL ? sp_fs_posix_new(&t->fs, &posix) : SP_ENOMEM;
    if (result != 0)
        log_error("%s refused: %s: %s", t->log.who, t->root != NULL ? t->root : "/",
                  sp_strerror(result));
    free(home);
}

/* ---- the request ----------------------------------------------------------------------------- */

static void opened(void *data)
{
    transfer *t = data;

    (void)sp_request_answer(t->request, t->fs != NULL); /* SP_ECONN: the client is gone */
    sp_request_release(t->request);
    t->request = NULL;
    transfer_unref(t);
}

static transfer *transfer_new(const login *l, transfer_kind kind, const char *command)
{
    const char *name = kind == TRANSFER_SFTP ? "sftp" : "scp";
    option_problem problem = {""};
    transfer *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->references = 1;
    t->program = l->program;
    t->options = options_ref(l->options);
    t->kind = kind;
    t->flags =
        (sftp_flags){.umask = NOT_GIVEN, .facility = SFTP_FLAG_ABSENT, .level = SFTP_FLAG_ABSENT};
    t->log.who = text_format("%s %s from %s port %u", name, l->program->account->name, l->peer,
                             (unsigned)l->peer_port);
    bool good = t->log.who != NULL;
    if (good && kind == TRANSFER_SFTP && !sftp_flags_parse(&t->flags, command, &problem)) {
        log_error("%s refused: internal-sftp: %s", t->log.who, problem.text);
        good = false;
    }
    if (!good) {
        transfer_unref(t);
        return NULL;
    }
    t->log.facility = t->flags.facility;
    t->log.level = t->flags.level != SFTP_FLAG_ABSENT ? log_choice_level((log_choice)t->flags.level)
                                                      : options_log_level(t->options);
    return t;
}

sp_answer transfer_prepare(sp_channel *channel, sp_request *request, login *l, transfer_kind kind,
                           const char *command)
{
    transfer *t = sp_channel_data(channel) == NULL ? transfer_new(l, kind, command) : NULL;

    if (t == NULL)
        return SP_REJECT;
    t->request = request;
    t->references++;
    if (sp_server_work(t->program->server, open_files, opened, t) != 0) {
        t->references--;
        transfer_unref(t);
        return SP_REJECT;
    }
    sp_channel_set_data(channel, t);
    return SP_LATER;
}

/* ---- the session ----------------------------------------------------------------------------- */

static void performed(sp_channel *channel, const sp_sftp_event *event, void *data)
{
    const transfer *t = data;

    (void)channel;
    transfer_log_event(&t->log, event);
}

static void transferred(sp_channel *channel, const sp_sftp_transfer *transferred_file, void *data)
{
    const transfer *t = data;

    (void)channel;
    transfer_log_closed(&t->log, transferred_file);
}

static void closed(sp_channel *channel, uint32_t status, void *data)
{
    transfer *t = data;

    (void)channel;
    transfer_log_line(&t->log, SP_LOG_INFO, "session closed, status %u", (unsigned)status);
    transfer_unref(t);
}

static int serve(transfer *t, sp_channel *channel)
{
    const sp_sftp_options sftp = {
        SP_SFTP_OPTIONS_INIT,        .transferred = transferred, .closed = closed, .data = t,
        .refused = t->flags.refused, .performed = performed,
    };
    const sp_scp_options scp = {
        SP_SCP_OPTIONS_INIT, .transferred = transferred, .closed = closed,
        .data = t,           .performed = performed,
    };

    return t->kind == TRANSFER_SFTP ? sp_channel_serve_sftp(channel, t->fs, &sftp)
                                    : sp_channel_serve_scp(channel, t->fs, &scp);
}

bool transfer_serve(transfer *t, sp_channel *channel)
{
    if (t->fs == NULL)
        return false;
    transfer_log_line(&t->log, SP_LOG_INFO, "session opened%s%s", t->root != NULL ? ", root " : "",
                      t->root != NULL ? t->root : "");
    t->references++; /* until `closed`, which may come before serve returns */
    int result = serve(t, channel);
    if (result != 0) {
        t->references--;
        log_error("%s can't be served: %s", t->log.who, sp_strerror(result));
    }
    return result == 0;
}
