/* Reading and writing open files, with few trips to the thread pool.
 *
 * A read is tried at once, on the loop's thread, of what the kernel has in memory (preadv2(2) with
 * RWF_NOWAIT): that neither waits nor needs a buffer of our own that could become old. What is not
 * in memory is read on the pool; when a file is read in order, the kernel is asked there to go on
 * ahead, so that the reads that follow find it. File systems that are nothing but memory (tmpfs)
 * know no RWF_NOWAIT: theirs is read and written at once.
 *
 * Everything else waits in the file's list for its job: one job at a time for each file, which does
 * all that had gathered, in order. So the pool's threads don't wait for each other at the file's
 * lock, writes to the end keep their order, and the faster the client, the fewer the trips. A job
 * puts writes that follow each other into one call.
 *
 * Thread: the loop's, but for `job`. The list is bounded by the session, which lets only so many
 * requests be open. */
#include "fs/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define AHEAD ((uint64_t)1024 * 1024)
#define GATHER 16 /* writes in one call */

/* ---- on the thread pool ---- */

static int read_all(spd_px_handle *handle, const sp_fs_request *request, size_t *done)
{
    uint8_t *buffer = request->buffer;
    while (*done < request->length) {
        ssize_t n = pread(handle->fd, buffer + *done, (size_t)request->length - *done,
                          (off_t)(request->offset + *done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return *done > 0 ? 0 : errno;
        if (n == 0)
            break;
        *done += (size_t)n;
    }
    uint64_t end = request->offset + *done;
    if (*done == request->length && request->offset <= handle->ahead &&
        end + AHEAD / 2 > handle->ahead) {
        (void)posix_fadvise(handle->fd, (off_t)end, (off_t)AHEAD, POSIX_FADV_WILLNEED);
        handle->ahead = end + AHEAD;
    }
    return 0;
}

static int write_vector(spd_px_handle *handle, struct iovec *vector, int count, off_t offset)
{
    while (count > 0) {
        ssize_t n = pwritev(handle->fd, vector, count, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? EIO : errno;
        offset += n;
        size_t left = (size_t)n;
        for (; count > 0 && left >= vector->iov_len; vector++, count--)
            left -= vector->iov_len;
        if (count > 0) {
            vector->iov_base = (uint8_t *)vector->iov_base + left;
            vector->iov_len -= left;
        }
    }
    return 0;
}

/* The writes from `first` on that follow each other, as one. How many they are. */
static size_t write_some(spd_px_handle *handle, size_t first)
{
    sp_fs_request *const *items = handle->running.items;
    struct iovec vector[GATHER];
    uint64_t offset = items[first]->offset, end = offset;
    size_t count = 0;
    while (count < GATHER && first + count < handle->running.count) {
        const sp_fs_request *request = items[first + count];
        if (request->op != SP_FS_OP_WRITE || request->offset != end)
            break;
        vector[count].iov_base = (void *)(uintptr_t)request->bytes;
        vector[count].iov_len = (size_t)request->length;
        end += request->length;
        count++;
    }
    /* Whoever is behind the first that fails would not know which part of it is written. */
    int result = spd_px_spend(handle->fs, end - offset);
    if (result == 0 && (result = write_vector(handle, vector, (int)count, (off_t)offset)) != 0)
        spd_px_give_back(handle->fs, end - offset);
    if (result != 0 && count > 1)
        return 0;
    for (size_t i = 0; i < count; i++)
        handle->results[first + i] = result;
    return count;
}

static int write_one(spd_px_handle *handle, const sp_fs_request *request)
{
    struct iovec vector = {(void *)(uintptr_t)request->bytes, (size_t)request->length};
    int result = spd_px_spend(handle->fs, request->length);
    if (result == 0 && (result = write_vector(handle, &vector, 1, (off_t)request->offset)) != 0)
        spd_px_give_back(handle->fs, request->length);
    return result;
}

static void job(void *data)
{
    spd_px_handle *handle = data;
    size_t alone = 0; /* up to here no writes are joined: together they failed */
    for (size_t i = 0; i < handle->running.count;) {
        const sp_fs_request *request = handle->running.items[i];
        size_t taken = 1;
        handle->done[i] = 0;
        if (request->op == SP_FS_OP_READ)
            handle->results[i] = read_all(handle, request, &handle->done[i]);
        else if (i < alone || (handle->flags & SP_FS_APPEND) != 0)
            handle->results[i] = write_one(handle, request);
        else
            taken = write_some(handle, i);
        if (taken == 0)
            alone = i + GATHER;
        i += taken;
    }
}

/* ---- the file's list ---- */

static bool push(const spb_env *env, spd_px_list *list, sp_fs_request *request)
{
    if (list->count == list->capacity) {
        size_t more = list->capacity == 0 ? 16 : 2 * list->capacity;
        void *items = spb_realloc(env, list->items, more * sizeof(sp_fs_request *));
        if (items == NULL)
            return false;
        list->items = items;
        list->capacity = more;
    }
    list->items[list->count++] = request;
    return true;
}

/* Room for the results of all that waits. */
static bool make_room(const spb_env *env, spd_px_handle *handle)
{
    size_t count = handle->waiting.capacity;
    if (handle->room >= count)
        return true;
    int *results = spb_realloc(env, handle->results, count * sizeof *results);
    if (results == NULL)
        return false;
    handle->results = results;
    size_t *done = spb_realloc(env, handle->done, count * sizeof *done);
    if (done == NULL)
        return false;
    handle->done = done;
    handle->room = count;
    return true;
}

static void answer(sp_fs_request *request, int result, size_t done)
{
    sp_answer answer = spd_px_result(request, result);
    if (result == 0 && request->op == SP_FS_OP_READ)
        answer = sp_answered(sp_fs_data(request, done));
    spd_worked(spd_request_of(request), answer);
}

static void job_done(void *data);

static bool start(spd_px_handle *handle, spl_loop *loop)
{
    const spd_px_list none = handle->running;
    if (!make_room(&handle->fs->env, handle))
        return false;
    handle->running = handle->waiting;
    handle->waiting = none;
    handle->working = spl_work(loop, job, job_done, handle) == 0;
    if (!handle->working) {
        handle->waiting = handle->running;
        handle->running = none;
    }
    return handle->working;
}

/* The file may be closed when its last request is answered: what is needed is taken before. */
static void job_done(void *data)
{
    spd_px_handle *handle = data;
    spl_loop *loop = handle->running.items[0]->session->loop;
    const spb_env env = handle->fs->env;
    spd_px_list done = handle->running;
    int *results = handle->results;
    size_t *lengths = handle->done;
    handle->running = (spd_px_list){0};
    handle->results = NULL;
    handle->done = NULL;
    handle->room = 0;
    handle->working = false;
    spd_px_list lost = {0};
    if (handle->waiting.count > 0 && !start(handle, loop)) {
        lost = handle->waiting;
        handle->waiting = (spd_px_list){0};
    }
    for (size_t i = 0; i < done.count; i++)
        answer(done.items[i], results[i], lengths[i]);
    for (size_t i = 0; i < lost.count; i++)
        answer(lost.items[i], ENOMEM, 0);
    spb_free(&env, done.items);
    spb_free(&env, lost.items);
    spb_free(&env, results);
    spb_free(&env, lengths);
}

static sp_answer wait_for_job(sp_fs_request *request)
{
    spd_px_handle *handle = request->handle;
    if (!push(&handle->fs->env, &handle->waiting, request))
        return spd_px_result(request, ENOMEM);
    if (!handle->working && !start(handle, request->session->loop)) {
        handle->waiting.count--;
        return spd_px_result(request, ENOMEM);
    }
    spd_will_work(spd_request_of(request));
    return SP_LATER;
}

void spd_px_free_lists(spd_px_handle *handle)
{
    const spb_env *env = &handle->fs->env;
    spb_free(env, handle->waiting.items);
    spb_free(env, handle->running.items);
    spb_free(env, handle->results);
    spb_free(env, handle->done);
}

/* ---- the operations ---- */

/* Reads what is in memory. False: it has to be read elsewhere. */
static bool read_now(spd_px_handle *handle, sp_fs_request *request, sp_answer *result)
{
    struct iovec vector = {request->buffer, (size_t)request->length};
    bool in_memory = handle->speed == SPD_PX_MEMORY;
    struct stat status;
    if (handle->no_nowait || handle->working)
        return false;
    ssize_t n = preadv2(handle->fd, &vector, 1, (off_t)request->offset, in_memory ? 0 : RWF_NOWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            handle->no_nowait = true; /* the job tells what is wrong, if something is */
        return false;
    }
    /* Fewer: the file's end, or the end of what is in memory. None: the former. */
    if (n > 0 && (size_t)n < request->length && !in_memory &&
        (fstat(handle->fd, &status) != 0 ||
         request->offset + (uint64_t)n < (uint64_t)status.st_size))
        return false;
    *result = sp_answered(sp_fs_data(request, (size_t)n));
    return true;
}

static int check(const sp_fs_request *request, uint32_t flag)
{
    const spd_px_handle *handle = request->handle;
    if (handle->listing != NULL)
        return EISDIR;
    if ((handle->flags & flag) == 0)
        return EACCES;
    return request->length > SSIZE_MAX || request->offset > INT64_MAX - request->length ? EFBIG : 0;
}

sp_answer spd_px_read(sp_fs_request *request)
{
    sp_answer result;
    int error = check(request, SP_FS_READ);
    if (error != 0)
        return spd_px_result(request, error);
    return read_now(request->handle, request, &result) ? result : wait_for_job(request);
}

sp_answer spd_px_write(sp_fs_request *request)
{
    int error = check(request, SP_FS_WRITE);
    if (error == 0 && request->length == 0)
        return SP_ACCEPT;
    if (error != 0)
        return spd_px_result(request, error);
    spd_px_handle *handle = request->handle;
    return handle->speed == SPD_PX_MEMORY && !handle->working
               ? spd_px_result(request, write_one(handle, request))
               : wait_for_job(request);
}
