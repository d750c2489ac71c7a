/* The counted table of operations, and sessions that use it: see fs.h. */
#include "fs/fs.h"

#include <string.h>

/* ---- the table ---- */

/* Copies what both versions of a struct know. */
static bool copy_sized(void *to, size_t to_size, const void *from)
{
    size_t size;
    memcpy(&size, from, sizeof size); /* the first member of every such struct */
    if (size < sizeof size)
        return false;
    memcpy(to, from, size < to_size ? size : to_size);
    memcpy(to, &to_size, sizeof to_size);
    return true;
}

sp_fs *sp_fs_new(const sp_fs_handlers *handlers, void *data, const sp_fs_options *options)
{
    spb_env env;
    spb_env_init(&env, NULL);
    sp_fs *fs = spb_calloc(&env, 1, sizeof *fs);
    if (fs == NULL)
        return NULL;
    if (!copy_sized(&fs->handlers, sizeof fs->handlers, handlers) ||
        (options != NULL && !copy_sized(&fs->options, sizeof fs->options, options))) {
        spb_free(&env, fs);
        return NULL;
    }
    if (fs->options.below != NULL && fs->options.blocking) {
        spb_free(&env, fs);
        return NULL;
    }
    if (fs->options.below != NULL) {
        sp_fs_ref(fs->options.below);
        fs->options.read_only |= fs->options.below->options.read_only;
    }
    fs->env = env;
    fs->data = data;
    atomic_init(&fs->refs, 1);
    return fs;
}

sp_fs *sp_fs_ref(sp_fs *fs)
{
    atomic_fetch_add_explicit(&fs->refs, 1, memory_order_relaxed);
    return fs;
}

void sp_fs_unref(sp_fs *fs)
{
    if (fs == NULL || atomic_fetch_sub_explicit(&fs->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (fs->options.released != NULL)
        fs->options.released(fs->data);
    sp_fs_unref(fs->options.below); /* as deep as they are stacked */
    spb_env env = fs->env;
    spb_free(&env, fs);
}

void *sp_fs_data_of(const sp_fs *fs)
{
    return fs->data;
}

/* ---- sessions ---- */

sp_fs_session *spd_session_new(sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                               const char *username)
{
    spl_queue *queue = spl_loop_queue(loop);
    const spb_env *env = spl_queue_env(queue);
    sp_fs_session *session = spb_calloc(env, 1, sizeof *session);
    char *name = spb_strdup(env, username);
    if (session == NULL || name == NULL) {
        spb_free(env, session);
        spb_free(env, name);
        return NULL;
    }
    session->fs = sp_fs_ref(fs);
    session->loop = loop;
    session->queue = spl_queue_ref(queue);
    session->conn = conn;
    session->username = name;
    atomic_init(&session->refs, 1);
    atomic_init(&session->data, NULL);
    atomic_init(&session->gone, false);
    return session;
}

void spd_session_unref(sp_fs_session *session)
{
    if (atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    spl_queue *queue = session->queue;
    sp_fs_unref(session->fs);
    spb_free(spl_queue_env(queue), session->username);
    spb_free(spl_queue_env(queue), session);
    spl_queue_unref(queue);
}

void spd_session_end(sp_fs_session *session, bool begun)
{
    sp_fs *top = session->fs;
    for (unsigned i = 0; begun && i < session->begun; i++) {
        if (session->fs->handlers.end != NULL)
            session->fs->handlers.end(session);
        session->fs = i + 1 < session->begun ? session->fs->options.below : session->fs;
    }
    session->fs = top;
    spd_session_unref(session);
}

const spb_env *spd_session_env(const sp_fs_session *session)
{
    return spl_queue_env(session->queue);
}

sp_fs *sp_fs_session_fs(const sp_fs_session *session)
{
    return session->fs;
}

void *sp_fs_session_data(const sp_fs_session *session)
{
    return atomic_load(&session->data);
}

void sp_fs_session_set_data(sp_fs_session *session, void *data)
{
    atomic_store(&session->data, data);
}

const char *sp_fs_session_username(const sp_fs_session *session)
{
    return session->username;
}

bool sp_fs_session_gone(const sp_fs_session *session)
{
    return atomic_load(&session->gone);
}

struct sp_conn *sp_fs_session_conn(const sp_fs_session *session)
{
    return session->conn;
}
