/* The SFTP server's own life: input into packets, requests in their order, output, the end. */
#include "sftp/server.h"

#include <string.h>

#define HANDLES 1024u
#define HANDLES_MAX 16384u
#define REQUESTS 128u
#define REQUESTS_MAX 4096u /* each is compared with those before it */
#define BYTES ((size_t)4 * 1024 * 1024)
#define PACKET ((size_t)256 * 1024 + 1024)
#define PACKET_LEAST ((size_t)34000)
#define PACKET_MOST ((size_t)512 * 1024)
#define AT_ONCE ((size_t)32 * 1024 + 512) /* memory for a packet before its bytes have come */
#define READY_MAX ((size_t)128 * 1024)    /* read and not written: more is read when it is */
#define HELD_MAX ((size_t)2 * 1024 * 1024)
#define REPLY_MAX ((size_t)1024 * 1024)

/* ---- life ---- */

static int read_options(sp_sftp_options *o, const sp_sftp_options *given)
{
    memset(o, 0, sizeof *o);
    if (given != NULL) {
        if (given->size < sizeof given->size)
            return SP_EINVAL;
        memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    }
    o->max_handles = o->max_handles != 0 ? o->max_handles : HANDLES;
    o->max_requests = o->max_requests != 0 ? o->max_requests : REQUESTS;
    o->max_bytes = o->max_bytes != 0 ? o->max_bytes : BYTES;
    o->max_packet = o->max_packet != 0 ? o->max_packet : PACKET;
    bool good = o->max_handles <= HANDLES_MAX && o->max_requests <= REQUESTS_MAX &&
                o->max_packet >= PACKET_LEAST && o->max_packet <= PACKET_MOST;
    return good ? 0 : SP_EINVAL;
}

int spf_server_new(spf_server **out, sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                   const char *username, const sp_sftp_options *given, void (*moved)(void *owner),
                   void *owner)
{
    sp_sftp_options options;
    *out = NULL;
    if (fs == NULL || read_options(&options, given) != 0)
        return SP_EINVAL;
    sp_fs_session *session = spd_session_new(fs, loop, conn, username);
    if (session == NULL)
        return SP_ENOMEM;
    const spb_env *env = spd_session_env(session);
    spf_server *server = spb_calloc(env, 1, sizeof *server);
    if (server == NULL) {
        spd_session_end(session, false);
        return SP_ENOMEM;
    }
    server->queue = spl_queue_ref(session->queue);
    server->env = env;
    server->loop = loop;
    server->session = session;
    server->options = options;
    server->moved = moved;
    server->owner = owner;
    spb_buffer_init(&server->held, env, HELD_MAX);
    spb_buffer_init(&server->scratch, env, REPLY_MAX);
    spb_list_init(&server->requests);
    spb_list_init(&server->replies);
    if (!spf_add_begin(server)) {
        spf_server_free(server);
        return SP_ENOMEM;
    }
    *out = server;
    return 0;
}

void spf_server_free(spf_server *server)
{
    spl_queue *queue = server->queue;
    spf_forget_all(server, &server->requests);
    spf_forget_all(server, &server->replies);
    if (server->session != NULL)
        spd_session_end(server->session, false);
    spf_block_unref(server, server->packet);
    spb_buffer_free(&server->held);
    spb_buffer_free(&server->scratch);
    spb_free(server->env, server);
    spl_queue_unref(queue);
}

/* ---- input ---- */

static bool has_room(const spf_server *server)
{
    return server->phase == SPF_SERVING && !server->broken &&
           server->count < server->options.max_requests &&
           server->bytes < server->options.max_bytes;
}

bool spf_wants_input(const spf_server *server)
{
    return !server->over && server->held.length == 0 && has_room(server);
}

static void drop_input(spf_server *server)
{
    server->over = true;
    spb_buffer_free(&server->held);
    spf_block_unref(server, server->packet);
    server->packet = NULL;
    server->head_length = 0;
}

void spf_break(spf_server *server, uint32_t status)
{
    if (server->broken)
        return;
    server->broken = true;
    server->status = status;
    drop_input(server);
}

/* Room for more of the packet that is coming: little at first, all of it when that little came. */
static bool make_room(spf_server *server, size_t whole)
{
    spf_block *old = server->packet;
    if (old != NULL && old->used < old->capacity)
        return true;
    spf_block *block =
        spf_block_new(server, old == NULL && whole > AT_ONCE ? AT_ONCE : whole, SPF_PACKET_LEAD);
    if (block == NULL)
        return false;
    if (old != NULL) {
        memcpy(block->bytes, old->bytes, old->used);
        block->used = old->used;
    }
    spf_block_unref(server, old);
    server->packet = block;
    return true;
}

static void packet_complete(spf_server *server, spb_span packet)
{
    server->head_length = 0;
    if (!spf_take_packet(server, packet))
        spf_break(server, 255);
    spf_block_unref(server, server->packet); /* but for a WRITE, which has taken it */
    server->packet = NULL;
}

/* Takes bytes of the packet that is coming, at least one. Returns how many. */
static size_t take_bytes(spf_server *server, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (server->head_length < sizeof server->head && taken < length)
        server->head[server->head_length++] = bytes[taken++];
    if (server->head_length < sizeof server->head)
        return taken;
    size_t whole = spb_get_u32(server->head);
    if (whole == 0 || whole > server->options.max_packet) {
        spf_break(server, 255);
        return length;
    }
    if (taken == length)
        return taken;
    /* All of it is here, and nothing needs it for longer. */
    if (server->packet == NULL && length - taken >= whole && bytes[taken] != SPF_WRITE) {
        packet_complete(server, (spb_span){bytes + taken, whole});
        return taken + whole;
    }
    if (!make_room(server, whole)) {
        spf_break(server, 255);
        return length;
    }
    spf_block *packet = server->packet;
    size_t part = whole - packet->used;
    if (part > length - taken)
        part = length - taken;
    if (part > packet->capacity - packet->used)
        part = packet->capacity - packet->used;
    memcpy(packet->bytes + packet->used, bytes + taken, part);
    packet->used += part;
    if (packet->used == whole)
        packet_complete(server, (spb_span){packet->bytes, whole});
    return taken + part;
}

/* Keeps what there is no room for. */
static void hold(spf_server *server, const uint8_t *bytes, size_t length)
{
    spw_bytes(&server->held, bytes, length);
    if (!spw_ok(&server->held))
        spf_break(server, 255);
}

static bool take_held(spf_server *server)
{
    size_t length = server->held.length;
    size_t taken = 0;
    while (taken < length && has_room(server) && server->held.length != 0)
        taken += take_bytes(server, server->held.data + taken, length - taken);
    if (server->held.length == 0)
        return taken != 0;
    if (taken == length)
        spb_buffer_free(&server->held);
    else
        spb_buffer_consume(&server->held, taken);
    return taken != 0;
}

/* ---- running ---- */

static bool free_to_start(const spf_server *server, const spf_request *request)
{
    for (const spb_link *at = server->requests.next; at != &request->link; at = at->next)
        if (spf_must_wait(SPB_CONTAINER(at, spf_request, link), request))
            return false;
    return true;
}

/* May more be read now? What was read waits for the channel; the more of it, the less is in the
 * processor's caches when it is sealed. */
static bool may_read(const spf_server *server, const spf_request *request)
{
    return server->reading == 0 ||
           (server->ready < READY_MAX &&
            server->bytes + spf_read_length(request) <= server->options.max_bytes &&
            server->memory <= server->options.max_bytes + SPB_POOL_BUFFER);
}

/* Starts what may start. True: something was. Each start may change the list. */
static bool start_requests(spf_server *server)
{
    bool any = false;
    for (spb_link *at = server->requests.next; at != &server->requests;) {
        spf_request *request = SPB_CONTAINER(at, spf_request, link);
        at = at->next;
        if (request->started || !free_to_start(server, request))
            continue;
        if (request->base.q.op == SP_FS_OP_READ && !may_read(server, request))
            break; /* and what is behind it waits, too */
        spf_start(request);
        any = true;
    }
    return any;
}

/* The steps of the end, once no request is open. */
static void end(spf_server *server)
{
    spf_file *file;
    size_t place = 0;
    if (!server->over || server->held.length != 0 || !spb_list_empty(&server->requests))
        return;
    if (server->phase == SPF_SERVING)
        server->phase = SPF_CLOSING;
    if (server->phase != SPF_CLOSING)
        return;
    while ((file = spf_file_next(server, &place)) != NULL)
        spf_add_close(file, 0, true);
    while (start_requests(server))
        ;
    if (!spb_list_empty(&server->requests))
        return;
    server->phase = SPF_ENDED;
    spf_block_unref(server, server->packet); /* one that will not be complete */
    server->packet = NULL;
    spf_files_free(server);
    spd_session_end(server->session, true);
    server->session = NULL;
}

void spf_run(spf_server *server)
{
    if (server->running || server->phase == SPF_ENDED)
        return;
    server->running = true;
    bool more = true;
    while (more) {
        more = take_held(server);
        more = start_requests(server) || more;
    }
    end(server);
    server->running = false;
}

void spf_take(spf_server *server, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (server->held.length == 0 && taken < length && !server->over) {
        if (!has_room(server)) {
            spf_run(server);
            if (!has_room(server))
                break;
        }
        taken += take_bytes(server, bytes + taken, length - taken);
    }
    if (taken < length && !server->over)
        hold(server, bytes + taken, length - taken);
}

void spf_receive(spf_server *server, const uint8_t *bytes, size_t length)
{
    spf_take(server, bytes, length);
    spf_run(server);
}

void spf_end_of_input(spf_server *server)
{
    server->over = true;
    spf_run(server);
}

void spf_lost(spf_server *server)
{
    server->lost = true;
    if (server->phase != SPF_ENDED) {
        server->session->conn = NULL;
        atomic_store(&server->session->gone, true);
    }
    drop_input(server);
    spf_forget_all(server, &server->replies);
    spf_run(server);
}

bool spf_ended(const spf_server *server)
{
    return server->phase == SPF_ENDED;
}
