/* What stands behind <sallyport/fs.h>: the counted table, sessions, and requests with the way of an
 * answer back to whoever asked. The SFTP server asks; it knows the client, this room does not.
 *
 * Threads. A request is made, run and freed on its session's loop thread. Its answer may be given
 * on any: it is claimed by one compare-and-swap on `state`, written by the thread that won, and
 * published by SPD_ANSWERED. Then it goes to the loop through the queue, unless the operation (or
 * work for it on the thread pool) has not returned yet: then it is found when that returns.
 * `in_handler` and `state` decide which of the two it is; both are sequentially consistent, so at
 * least one side sees the other.
 *
 * References: one of the asker's, one of the operation's (kept by SP_LATER until the release), one
 * of the post's. */
#ifndef SPD_FS_H
#define SPD_FS_H

#include "base/wire.h"
#include "loop/loop.h"

#include <sallyport/fs.h>
#include <stdatomic.h>

struct sp_fs {
    spb_env env; /* for itself; sessions have their server's */
    atomic_uint refs;
    sp_fs_handlers handlers;
    sp_fs_options options;
    void *data;
};

/* Counted, because requests that an application has not released yet point to it. */
struct sp_fs_session {
    atomic_uint refs;
    sp_fs *fs;
    spl_loop *loop;
    spl_queue *queue;
    struct sp_conn *conn; /* the loop's thread; NULL when gone */
    unsigned begun;       /* how many began, from `fs` down */
    char *username;
    _Atomic(void *) data;
    atomic_bool gone;
};

/* Makes a session for the user, with references to the rest. NULL: out of memory. */
sp_fs_session *spd_session_new(sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                               const char *username);
/* Calls `end` of those that began, if `begun`. No request may be open. */
void spd_session_end(sp_fs_session *session, bool begun);
void spd_session_unref(sp_fs_session *session); /* Thread: any */
const spb_env *spd_session_env(const sp_fs_session *session);
/* Is there a function for it, and at the end of all passing too? */
bool spd_can(const sp_fs *fs, sp_fs_op op);

/* ---- answers, as those who ask see them ---- */
typedef enum spd_form {
    SPD_STATUS = 0,
    SPD_HANDLE,
    SPD_DATA,
    SPD_ATTRIBUTES,
    SPD_NAMES,
    SPD_NAME,
    SPD_SPACE,
    SPD_OWNERS,
} spd_form;

typedef struct spd_answer {
    spd_form form;
    sp_fs_status status; /* SPD_STATUS, and SP_FS_OK else */
    char *text;          /* of a failure, or NULL; of SPD_NAME */
    union {
        void *handle;
        size_t length;
        sp_fs_attr attr;
        sp_fs_volume volume;
        struct {
            sp_fs_entry *entries; /* one block with their strings */
            size_t count;
        } names;
        struct {
            char **names; /* one block: users, then groups; never NULL inside */
            size_t users;
            size_t groups;
        } owners;
    } u;
} spd_answer;

#define SPD_PATH_MAX ((size_t)32 * 1024) /* of sp_fs_name */
#define SPD_TEXT_MAX ((size_t)256)       /* of sp_fs_failed; longer ones are cut */
#define SPD_OWNER_MAX ((size_t)256)      /* of one name of sp_fs_owners */

typedef enum spd_state {
    SPD_OPEN = 0,
    SPD_CLAIMED, /* somebody is writing the answer */
    SPD_ANSWERED,
} spd_state;

typedef struct spd_request spd_request;
struct spd_request {
    sp_fs_request q; /* the first: what operations see */
    spl_post post;
    const spb_env *env; /* the queue's */
    const sp_fs *at;    /* whose operation runs: the session's, or one below */
    atomic_uint refs;
    atomic_int state;
    atomic_bool in_handler;
    atomic_bool on_its_way; /* it was posted */
    bool working;           /* the loop's thread: its operation has called sp_fs_work */
    bool applied;           /* the loop's thread: the answer was looked at */
    spd_answer answer;
    /* The answer is there; once, on the loop's thread. Set by the asker. */
    void (*answered)(spd_request *request);
};

/* Starts a request in memory that begins with it and is zero; `spd_drop` frees that memory. The
 * members of `q` but for session and fs_data are the caller's to fill. */
void spd_request_init(spd_request *request, sp_fs_session *session, sp_fs_op op);
/* Calls the operation. True: answered, and `answered` will not be called; false: it will. A request
 * that has no function is answered. */
bool spd_run(spd_request *request);
/* For an operation that does its own work on the thread pool: within its handler, which then
 * returns SP_LATER without keeping the request by other means. */
void spd_will_work(spd_request *request);
/* The end of that work: its answer, by the rules of operations, is looked at now. The loop's
 * thread. Not within the handler. */
void spd_worked(spd_request *request, sp_answer answer);
/* The asker has done with it. */
void spd_drop(spd_request *request);
/* OpenSSH's words. */
const char *spd_status_text(sp_fs_status status);

/* ---- request.c: for answers.c ---- */
/* 0: the caller has won and must write the answer, then publish it. */
int spd_claim(spd_request *request);
int spd_publish(spd_request *request);
/* Publishes a status. `text` was allocated for the request, or is NULL. */
int spd_answer_status(spd_request *request, sp_fs_status status, char *text);

static inline spd_request *spd_request_of(const sp_fs_request *q)
{
    return (spd_request *)(uintptr_t)q;
}

#endif
