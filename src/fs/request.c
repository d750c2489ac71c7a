/* Requests to a file system: one answer, from any thread, and exactly one look at it by the loop.
 * fs.h states the rules. */
#include "fs/fs.h"

/* ---- which function ---- */

static sp_fs_handler handler_of(const sp_fs *fs, sp_fs_op op)
{
    const sp_fs_handlers *h = &fs->handlers;
    switch (op) {
    case SP_FS_OP_BEGIN:
        return h->begin;
    case SP_FS_OP_REALPATH:
        return h->realpath;
    case SP_FS_OP_EXPAND_PATH:
        return h->expand_path;
    case SP_FS_OP_STAT:
        return h->stat;
    case SP_FS_OP_LSTAT:
        return h->lstat;
    case SP_FS_OP_SETSTAT:
        return h->setstat;
    case SP_FS_OP_LSETSTAT:
        return h->lsetstat;
    case SP_FS_OP_OPEN:
        return h->open;
    case SP_FS_OP_CLOSE:
        return h->close;
    case SP_FS_OP_READ:
        return h->read;
    case SP_FS_OP_WRITE:
        return h->write;
    case SP_FS_OP_FSTAT:
        return h->fstat;
    case SP_FS_OP_FSETSTAT:
        return h->fsetstat;
    case SP_FS_OP_FSYNC:
        return h->fsync;
    case SP_FS_OP_OPENDIR:
        return h->opendir;
    case SP_FS_OP_READDIR:
        return h->readdir;
    case SP_FS_OP_CLOSEDIR:
        return h->closedir != NULL ? h->closedir : h->close;
    case SP_FS_OP_REMOVE:
        return h->remove;
    case SP_FS_OP_MKDIR:
        return h->mkdir;
    case SP_FS_OP_RMDIR:
        return h->rmdir;
    case SP_FS_OP_RENAME:
        return h->rename;
    case SP_FS_OP_READLINK:
        return h->readlink;
    case SP_FS_OP_SYMLINK:
        return h->symlink;
    case SP_FS_OP_LINK:
        return h->link;
    case SP_FS_OP_STATVFS:
        return h->statvfs;
    case SP_FS_OP_FSTATVFS:
        return h->fstatvfs;
    case SP_FS_OP_COPY_DATA:
        return h->copy_data;
    case SP_FS_OP_HOME_DIRECTORY:
        return h->home_directory;
    case SP_FS_OP_USERS_GROUPS:
        return h->users_groups_by_id;
    }
    return NULL;
}

bool spd_can(const sp_fs *fs, sp_fs_op op)
{
    return handler_of(fs, op) != NULL;
}

/* ---- life ---- */

void spd_request_init(spd_request *request, sp_fs_session *session, sp_fs_op op)
{
    request->q.op = op;
    request->q.session = session;
    request->q.fs_data = session->fs->data;
    request->env = spd_session_env(session);
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    atomic_init(&request->refs, 1);
    atomic_init(&request->state, SPD_OPEN);
    atomic_init(&request->in_handler, false);
    atomic_init(&request->on_its_way, false);
}

static void clear_answer(spd_request *request)
{
    spd_answer *answer = &request->answer;
    spb_free(request->env, answer->text);
    if (answer->form == SPD_NAMES)
        spb_free(request->env, answer->u.names.entries);
    if (answer->form == SPD_OWNERS)
        spb_free(request->env, answer->u.owners.names);
}

void spd_drop(spd_request *request)
{
    if (atomic_fetch_sub_explicit(&request->refs, 1, memory_order_acq_rel) != 1)
        return;
    clear_answer(request);
    sp_fs_session *session = request->q.session;
    spb_free(request->env, request);
    spd_session_unref(session);
}

/* On the loop's thread: the answer is there. It may come here twice, by the queue and by the
 * operation's return. */
static void apply(spd_request *request)
{
    if (request->applied)
        return;
    request->applied = true;
    request->answered(request);
}

static void posted(spl_post *post)
{
    spd_request *request = SPB_CONTAINER(post, spd_request, post);
    apply(request);
    spd_drop(request);
}

/* ---- any thread ---- */

int spd_claim(spd_request *request)
{
    int open = SPD_OPEN;
    return atomic_compare_exchange_strong(&request->state, &open, SPD_CLAIMED) ? 0 : SP_EALREADY;
}

/* A queue does not close before its requests were answered: a server waits for them. */
static void post_once(spd_request *request)
{
    if (atomic_exchange(&request->on_its_way, true))
        return;
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    request->post.run = posted;
    if (spl_queue_post(request->q.session->queue, &request->post) != 0)
        spd_drop(request);
}

int spd_publish(spd_request *request)
{
    /* From here on the loop's thread may apply it, and the return may drop it. */
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    atomic_store(&request->state, SPD_ANSWERED);
    if (!atomic_load(&request->in_handler))
        post_once(request);
    spd_drop(request);
    return 0;
}

int spd_answer_status(spd_request *request, sp_fs_status status, char *text)
{
    int result = spd_claim(request);
    if (result != 0) {
        spb_free(request->env, text);
        return result;
    }
    request->answer.form = SPD_STATUS;
    request->answer.status = status;
    request->answer.text = text;
    return spd_publish(request);
}

void sp_fs_release(sp_fs_request *q)
{
    if (q == NULL)
        return;
    spd_request *request = spd_request_of(q);
    (void)spd_answer_status(request, SP_FS_FAILURE, NULL);
    spd_drop(request);
}

/* ---- running ---- */

/* Does the operation answer with nothing but success? */
static bool plain(sp_fs_op op)
{
    switch (op) {
    case SP_FS_OP_REALPATH:
    case SP_FS_OP_EXPAND_PATH:
    case SP_FS_OP_STAT:
    case SP_FS_OP_LSTAT:
    case SP_FS_OP_OPEN:
    case SP_FS_OP_READ:
    case SP_FS_OP_FSTAT:
    case SP_FS_OP_OPENDIR:
    case SP_FS_OP_READDIR:
    case SP_FS_OP_READLINK:
    case SP_FS_OP_STATVFS:
    case SP_FS_OP_FSTATVFS:
    case SP_FS_OP_HOME_DIRECTORY:
    case SP_FS_OP_USERS_GROUPS:
        return false;
    default:
        return true;
    }
}

int sp_fs_done(sp_fs_request *q)
{
    return plain(q->op) ? spd_answer_status(spd_request_of(q), SP_FS_OK, NULL) : SP_EINVAL;
}

/* On the loop's thread: the operation, or work for it, has returned this. True: answered. */
static bool returned(spd_request *request, sp_answer answer)
{
    atomic_store(&request->in_handler, false);
    if (answer != SP_LATER && spd_claim(request) == 0) {
        bool done = answer == SP_ACCEPT && plain(request->q.op);
        if (answer == SP_ANSWERED || (answer == SP_ACCEPT && !done))
            spb_log(request->env, SP_LOG_ERROR,
                    "a file system's operation %d returned without its answer: refused",
                    (int)request->q.op);
        request->answer.form = SPD_STATUS;
        request->answer.status = done ? SP_FS_OK : SP_FS_FAILURE;
        atomic_store(&request->state, SPD_ANSWERED);
    }
    bool answered = atomic_load(&request->state) == SPD_ANSWERED;
    if (answer != SP_LATER)
        spd_drop(request);
    return answered;
}

typedef struct fs_work {
    spd_request *request;
    sp_answer (*work)(sp_fs_request *request, void *data);
    sp_fs_handler handler; /* in place of `work` */
    void *data;
    sp_answer result;
} fs_work;

static void work_run(void *data)
{
    fs_work *work = data;
    sp_fs_request *q = &work->request->q;
    work->result = work->handler != NULL ? work->handler(q) : work->work(q, work->data);
}

void spd_will_work(spd_request *request)
{
    request->working = true;
}

void spd_worked(spd_request *request, sp_answer answer)
{
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    if (returned(request, answer))
        apply(request);
    spd_drop(request);
}

/* Back on the loop's thread. */
static void work_done(void *data)
{
    fs_work *work = data;
    spd_request *request = work->request;
    sp_answer result = work->result;
    spb_free(request->env, work);
    spd_worked(request, result);
}

static bool start_work(const fs_work *what)
{
    spd_request *request = what->request;
    fs_work *work = spb_memdup(request->env, what, sizeof *work);
    if (work == NULL)
        return false;
    /* Answers that come before it has returned are found in work_done. */
    bool was = atomic_exchange(&request->in_handler, true);
    if (spl_work(request->q.session->loop, work_run, work_done, work) == 0)
        return true;
    spb_free(request->env, work);
    atomic_store(&request->in_handler, was);
    if (!was && atomic_load(&request->state) == SPD_ANSWERED)
        post_once(request); /* whoever answered meanwhile has left it to us */
    return false;
}

static bool closes(const spd_request *request)
{
    return request->q.op == SP_FS_OP_CLOSE || request->q.op == SP_FS_OP_CLOSEDIR;
}

sp_answer sp_fs_work(sp_fs_request *q, sp_answer (*work)(sp_fs_request *request, void *data),
                     void *data)
{
    spd_request *request = spd_request_of(q);
    bool in_handler = atomic_load(&request->in_handler);
    const fs_work what = {.request = request, .work = work, .data = data};
    if (in_handler && q->session->fs->options.blocking)
        return work(q, data); /* it is on the thread pool already */
    if (!request->working && start_work(&what)) {
        request->working = in_handler;
        return SP_LATER;
    }
    /* What is open must be closed: for want of memory here, though it may block. */
    if (in_handler && !request->working && closes(request))
        return work(q, data);
    /* Within its operation, the return value refuses and ends the hold. */
    if (!in_handler)
        sp_fs_release(q);
    return SP_REJECT;
}

bool spd_run(spd_request *request)
{
    const sp_fs *fs = request->q.session->fs;
    sp_fs_handler handler = handler_of(fs, request->q.op);
    if (handler == NULL) {
        request->applied = true;
        request->answer.form = SPD_STATUS;
        bool needless = request->q.op == SP_FS_OP_BEGIN || request->q.op == SP_FS_OP_CLOSE ||
                        request->q.op == SP_FS_OP_CLOSEDIR;
        request->answer.status = needless ? SP_FS_OK : SP_FS_OP_UNSUPPORTED;
        return true;
    }
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    atomic_store(&request->in_handler, true);
    const fs_work what = {.request = request, .handler = handler};
    if (fs->options.blocking && start_work(&what))
        return false;
    bool here = !fs->options.blocking || closes(request); /* as in sp_fs_work */
    sp_answer answer = here ? handler(&request->q) : SP_REJECT;
    if (request->working)
        return false; /* work_done does what follows */
    request->applied = returned(request, answer);
    return request->applied;
}
