/* From a packet to a request of the file system, and from its answer to a reply. */
#include "sftp/server.h"

#include <string.h>

#define CHARGE_BASE ((size_t)512)          /* of any request and its reply */
#define CHARGE_LISTING ((size_t)64 * 1024) /* of a reply with names, about */
#define ENTRIES 100u                       /* in one reply, at most */
#define ENTRY_MAX (SPF_LONGNAME_MAX + SP_FS_NAME_MAX + 64)
/* Data of one request, as clients are told: the largest that fits a buffer of the pool. More is
 * taken, up to the largest packet. */
#define ADVISED ((size_t)252 * 1024)
#define OFFSET_MAX ((uint64_t)INT64_MAX)

/* ---- life ---- */

void spf_request_free(spf_request *request)
{
    spf_block_unref(request->server, request->packet);
    spf_block_unref(request->server, request->block);
    spd_drop(&request->base);
}

static void answered(spd_request *base);

spf_request *spf_request_new(spf_server *server, sp_fs_op op, size_t behind)
{
    spf_request *request = spb_calloc(server->env, 1, sizeof *request + behind);
    if (request == NULL)
        return NULL;
    spd_request_init(&request->base, server->session, op);
    request->base.answered = answered;
    request->server = server;
    request->charge = CHARGE_BASE;
    request->count = 1;
    return request;
}

static void count(spf_server *server, spf_request *request)
{
    server->count++;
    server->bytes += request->charge;
}

/* ---- the answer ---- */

static void closed(spf_request *request)
{
    spf_server *server = request->server;
    spf_file *file = request->file;
    spf_file_closed(server, file, request->base.answer.status, !request->silent);
    request->file = NULL;
    spf_file_free(server, file);
}

/* The file, or what was to become one. */
static void opened(spf_request *request)
{
    spf_file *file = request->file;
    if (request->base.answer.form == SPD_HANDLE) {
        file->open = true;
        file->handle = request->base.answer.u.handle;
        spf_put_handle(&request->server->scratch, request->id, file->id);
        return;
    }
    request->file = NULL;
    spf_file_free(request->server, file);
    spf_put_answer(&request->server->scratch, request->id, &request->base.answer, 0);
}

static void begun(spf_request *request)
{
    if (request->base.answer.status == SP_FS_OK)
        return;
    request->server->refused = true;
    spf_break(request->server, 1);
}

static void data(spf_request *request)
{
    const spd_answer *a = &request->base.answer;
    spf_note_data(request);
    if (a->form != SPD_DATA) {
        spf_put_answer(&request->server->scratch, request->id, a, 0);
        return;
    }
    spf_read_done(request, a->u.length);
    request->file->bytes_read += a->u.length;
}

static void complete(spf_request *request)
{
    const spd_answer *a = &request->base.answer;
    spb_buffer *scratch = &request->server->scratch;
    spf_tell(request->server, request);
    switch (request->base.q.op) {
    case SP_FS_OP_BEGIN:
        begun(request);
        break;
    case SP_FS_OP_OPEN:
    case SP_FS_OP_OPENDIR:
        opened(request);
        break;
    case SP_FS_OP_READ:
        data(request);
        break;
    case SP_FS_OP_CLOSE:
    case SP_FS_OP_CLOSEDIR:
        closed(request);
        spf_put_answer(scratch, request->id, a, 0);
        break;
    case SP_FS_OP_WRITE:
        if (a->status == SP_FS_OK)
            request->file->bytes_written += request->base.q.length;
        spf_note_data(request);
        spf_put_answer(scratch, request->id, a, 0);
        break;
    case SP_FS_OP_FSTAT:
        spf_note_size(request);
        spf_put_answer(scratch, request->id, a, 0);
        break;
    case SP_FS_OP_READDIR:
        if (a->form == SPD_NAMES)
            request->file->listed += a->u.names.count;
        spf_put_answer(scratch, request->id, a, time(NULL));
        break;
    default:
        spf_put_answer(scratch, request->id, a, time(NULL));
        break;
    }
    if (scratch->length > 4 + request->server->options.max_packet) {
        spb_buffer_clear(scratch);
        spf_put_status(scratch, request->id, SP_FS_FAILURE, NULL);
    }
    spf_reply(request);
}

/* An answer that came later. */
static void answered(spd_request *base)
{
    spf_request *request = SPB_CONTAINER(base, spf_request, base);
    spf_server *server = request->server;
    complete(request);
    server->moved(server->owner);
}

static bool begin_read(spf_request *request)
{
    sp_fs_request *q = &request->base.q;
    q->length = spf_read_length(request);
    q->buffer = spf_read_room(request, (size_t)q->length);
    if (q->buffer != NULL)
        return true;
    request->base.answer.status = SP_FS_FAILURE;
    complete(request);
    return false;
}

void spf_start(spf_request *request)
{
    request->started = true;
    if (request->base.q.op == SP_FS_OP_READDIR)
        request->base.q.offset = request->file->listed; /* those before it have ended */
    if (request->base.q.op == SP_FS_OP_READ && !begin_read(request))
        return;
    if (request->server->refused) {
        request->base.answer.status = SP_FS_PERMISSION_DENIED;
        complete(request);
        return;
    }
    if (spd_run(&request->base))
        complete(request);
}

/* ---- requests ---- */

static void add(spf_request *request)
{
    spb_list_append(&request->server->requests, &request->link);
    count(request->server, request);
}

bool spf_add_begin(spf_server *server)
{
    spf_request *request = spf_request_new(server, SP_FS_OP_BEGIN, 0);
    if (request == NULL)
        return false;
    request->silent = true;
    add(request);
    return true;
}

void spf_add_size(spf_file *file)
{
    spf_request *request = spf_request_new(file->closer->server, SP_FS_OP_FSTAT, 0);
    if (request == NULL)
        return; /* then it is not known */
    request->file = file;
    request->base.q.handle = file->handle;
    request->silent = true;
    add(request);
}

void spf_add_close(spf_file *file, uint32_t id, bool silent)
{
    spf_request *request = file->closer;
    file->closer = NULL;
    request->base.q.handle = file->handle;
    request->id = id;
    request->silent = silent;
    add(request);
}

/* ---- answers of the server's own ---- */

/* One whose reply is to be written next. */
static spf_request *own(spf_server *server, uint32_t id)
{
    spf_request *request = spf_request_new(server, 0, 0);
    if (request == NULL)
        return NULL;
    request->id = id;
    count(server, request);
    return request;
}

static bool answer_status(spf_server *server, uint32_t id, sp_fs_status status, const char *text)
{
    spf_request *request = own(server, id);
    if (request == NULL)
        return false;
    spf_put_status(&server->scratch, id, status, text);
    spf_reply(request);
    return true;
}

static bool answer_version(spf_server *server)
{
    spf_request *request = own(server, 0);
    if (request == NULL)
        return false;
    spf_put_version(&server->scratch, server->session->fs, server->options.refused);
    spf_reply(request);
    return true;
}

static bool answer_limits(spf_server *server, uint32_t id)
{
    const sp_sftp_options *o = &server->options;
    size_t most = o->max_packet - SPF_PACKET_OVERHEAD;
    if (most > ADVISED)
        most = ADVISED;
    const spf_limits limits = {
        .packet = o->max_packet,
        .read = most,
        .write = most,
        .handles = o->max_handles,
    };
    spf_request *request = own(server, id);
    if (request == NULL)
        return false;
    spf_put_limits(&server->scratch, id, &limits);
    spf_reply(request);
    return true;
}

/* A read of nothing is not asked. */
static bool answer_nothing(spf_server *server, uint32_t id)
{
    uint8_t header[SPF_DATA_HEADER];
    spf_request *request = own(server, id);
    if (request == NULL)
        return false;
    spf_data_header(header, id, 0);
    spw_bytes(&server->scratch, header, sizeof header);
    spf_reply(request);
    return true;
}

/* ---- requests of the client ---- */

static bool has_handle(sp_fs_op op)
{
    switch (op) {
    case SP_FS_OP_CLOSE:
    case SP_FS_OP_READ:
    case SP_FS_OP_WRITE:
    case SP_FS_OP_FSTAT:
    case SP_FS_OP_FSETSTAT:
    case SP_FS_OP_FSYNC:
    case SP_FS_OP_READDIR:
    case SP_FS_OP_FSTATVFS:
    case SP_FS_OP_COPY_DATA:
        return true;
    default:
        return false;
    }
}

static bool in_bounds(uint64_t offset, uint64_t length)
{
    return offset <= OFFSET_MAX && length <= OFFSET_MAX - offset;
}

/* May the handles be used for this? What only looks may use any. */
static bool fits(const spf_message *m, const spf_file *file, const spf_file *to)
{
    switch (m->op) {
    case SP_FS_OP_READDIR:
        return file->directory;
    case SP_FS_OP_READ:
        return !file->directory && (file->flags & SP_FS_READ) != 0;
    case SP_FS_OP_WRITE:
        return !file->directory && (file->flags & SP_FS_WRITE) != 0;
    case SP_FS_OP_COPY_DATA:
        return !file->directory && !to->directory && (file->flags & SP_FS_READ) != 0 &&
               (to->flags & SP_FS_WRITE) != 0;
    default:
        return true;
    }
}

/* Whatever can be told without the file system: SP_FS_OK, or why not. */
static sp_fs_status check(const spf_server *server, const spf_message *m, const spf_file *file,
                          const spf_file *to)
{
    const sp_fs *fs = server->session->fs;
    const sp_fs_request q = {.op = m->op, .flags = m->flags};
    if (m->op != SP_FS_OP_CLOSE && !spd_can(fs, m->op))
        return SP_FS_OP_UNSUPPORTED;
    if ((server->options.refused & spf_refusal_bit(m->op, m->flags)) != 0)
        return SP_FS_PERMISSION_DENIED;
    if ((server->options.read_only || fs->options.read_only) && spf_changes(&q))
        return SP_FS_PERMISSION_DENIED;
    if (has_handle(m->op) && (file == NULL || (m->op == SP_FS_OP_COPY_DATA && to == NULL)))
        return SP_FS_FAILURE;
    if (!fits(m, file, to))
        return SP_FS_FAILURE;
    if (!in_bounds(m->offset, m->length))
        return m->op == SP_FS_OP_READ ? SP_FS_EOF : SP_FS_FAILURE;
    return in_bounds(m->to_offset, m->length) ? SP_FS_OK : SP_FS_FAILURE;
}

/* ---- filling a request in ---- */

static uint32_t *put_ids(uint32_t *at, spb_span ids)
{
    spb_reader r;
    spr_init(&r, ids.data, ids.length);
    while (spr_left(&r) != 0)
        *at++ = spr_u32(&r);
    return at;
}

static char *put_path(char *at, spb_span path)
{
    if (path.length != 0)
        memcpy(at, path.data, path.length);
    at[path.length] = '\0';
    return at + path.length + 1;
}

static void fill(spf_request *request, const spf_message *m)
{
    sp_fs_request *q = &request->base.q;
    uint32_t *numbers = (uint32_t *)(void *)(request + 1);
    uint32_t *groups = put_ids(numbers, m->uids);
    char *at = (char *)put_ids(groups, m->gids);
    if (m->op == SP_FS_OP_USERS_GROUPS) {
        q->uids = numbers;
        q->uid_count = m->uids.length / 4;
        q->gids = groups;
        q->gid_count = m->gids.length / 4;
    }
    if (m->has_path) {
        q->path = at;
        at = put_path(at, m->path);
    }
    if (m->has_to) {
        q->to = at;
        (void)put_path(at, m->to);
    }
    q->offset = m->offset;
    q->to_offset = m->to_offset;
    q->length = m->length;
    q->flags = m->flags;
    q->attr = m->attr;
    request->id = m->id;
}

size_t spf_read_length(const spf_request *request)
{
    uint64_t max = request->server->options.max_packet - SPF_PACKET_OVERHEAD;
    uint64_t length = request->base.q.length;
    return (size_t)(length < max ? length : max);
}

/* The packet becomes the request's. */
static void prepare_write(spf_request *request, const spf_message *m)
{
    spf_server *server = request->server;
    request->packet = server->packet;
    server->packet = NULL;
    request->base.q.bytes = m->bytes.data;
    request->charge += request->packet->capacity;
}

static void prepare(spf_request *request, const spf_message *m)
{
    switch (m->op) {
    case SP_FS_OP_WRITE:
        prepare_write(request, m);
        break;
    case SP_FS_OP_READDIR:
        request->base.q.length = request->server->options.max_packet / ENTRY_MAX;
        if (request->base.q.length > ENTRIES)
            request->base.q.length = ENTRIES;
        request->charge += CHARGE_LISTING;
        break;
    default:
        request->charge += m->path.length + m->to.length + 4 * (m->uids.length + m->gids.length);
        break;
    }
}

/* Opening without a word about how is reading (OpenSSH does so). */
static void complete_flags(spf_message *m)
{
    if (m->op == SP_FS_OP_OPEN && (m->flags & (SP_FS_READ | SP_FS_WRITE)) == 0)
        m->flags |= SP_FS_READ;
}

static bool make_request(spf_server *server, const spf_message *m, spf_file *file, spf_file *to)
{
    static const char too_many[] = "Too many open handles";
    bool opens = m->op == SP_FS_OP_OPEN || m->op == SP_FS_OP_OPENDIR;
    bool limit = false;
    if (opens) {
        file = spf_file_new(server, m, &limit);
        if (limit) {
            spf_tell_refused(server, m, NULL, NULL, SP_FS_FAILURE, too_many);
            return answer_status(server, m->id, SP_FS_FAILURE, too_many);
        }
        if (file == NULL)
            return false;
    }
    size_t behind = m->uids.length + m->gids.length + m->path.length + m->to.length + 2;
    spf_request *request = spf_request_new(server, m->op, behind);
    if (request == NULL) {
        if (opens)
            spf_file_free(server, file);
        return false;
    }
    fill(request, m);
    request->file = file;
    request->to_file = to;
    if (!opens && file != NULL)
        request->base.q.handle = file->handle;
    if (to != NULL)
        request->base.q.to_handle = to->handle;
    prepare(request, m);
    add(request);
    return true;
}

bool spf_has_draft_links(const char *client_version)
{
    static const char *const clients[] = {"SSH-2.0-AsyncSSH_", "SSH-2.0-libssh_",
                                          "SSH-2.0-WinSCP_"};
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        if (client_version != NULL && strncmp(client_version, clients[i], strlen(clients[i])) == 0)
            return true;
    return false;
}

/* What the wire has otherwise than operations are asked. */
static void adapt(const spf_server *server, spf_message *m)
{
    complete_flags(m);
    if (m->op == SP_FS_OP_SYMLINK && server->draft_links) {
        spb_span link = m->to;
        m->to = m->path;
        m->path = link;
    }
}

static bool ask(spf_server *server, spf_message *m)
{
    adapt(server, m);
    bool handles = has_handle(m->op);
    spf_file *file = handles ? spf_file_find(server, m->handle) : NULL;
    spf_file *to = m->op == SP_FS_OP_COPY_DATA ? spf_file_find(server, m->to_handle) : NULL;
    sp_fs_status status = check(server, m, file, to);
    if (status != SP_FS_OK) {
        spf_tell_refused(server, m, file, to, status, NULL);
        return answer_status(server, m->id, status, NULL);
    }
    if (m->op == SP_FS_OP_READ && m->length == 0)
        return answer_nothing(server, m->id);
    if (m->op == SP_FS_OP_CLOSE) {
        if (spf_wants_size(server, file))
            spf_add_size(file);
        spf_add_close(file, m->id, false);
        return true;
    }
    return make_request(server, m, file, to);
}

bool spf_take_packet(spf_server *server, spb_span packet)
{
    spf_message m;
    spf_verdict verdict = spf_parse(packet, &m);
    if ((verdict == SPF_IS_INIT) == server->initialized)
        return false; /* INIT comes first, and once */
    switch (verdict) {
    case SPF_IS_INIT:
        server->initialized = true;
        return answer_version(server);
    case SPF_BAD:
        return answer_status(server, m.id, SP_FS_BAD_MESSAGE, NULL);
    case SPF_UNKNOWN:
        return answer_status(server, m.id, SP_FS_OP_UNSUPPORTED, NULL);
    case SPF_IS_LIMITS:
        if ((server->options.refused & SP_SFTP_OP_LIMITS) != 0)
            return answer_status(server, m.id, SP_FS_PERMISSION_DENIED, NULL);
        return answer_limits(server, m.id);
    case SPF_IS_REQUEST:
        return ask(server, &m);
    case SPF_MALFORMED:
        break;
    }
    return false;
}
