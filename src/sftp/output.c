/* Replies on their way out. They lie behind each other in blocks, so that the channel gets many of
 * them, or much of one, in one piece, and seals it where it lies. A read has its room in the block
 * before its bytes are there; nothing is copied to make a reply of them. */
#include "sftp/server.h"

#include <string.h>

#define FIRST ((size_t)4096 - sizeof(spf_block)) /* for a few small replies */
#define FULL (SPB_POOL_BUFFER - SPF_REPLY_LEAD)

/* ---- room ---- */

/* The block is used from its start again, or given back, if nothing lies in it any more. */
static void settle(spf_server *server)
{
    spf_block *block = server->filling;
    if (block == NULL || block->refs > 1)
        return;
    block->used = 0;
    if (!spb_list_empty(&server->requests) || !spb_list_empty(&server->replies))
        return;
    server->filling = NULL;
    spf_block_unref(server, block);
}

static bool reserve(spf_request *request, size_t size)
{
    spf_server *server = request->server;
    spf_block *block = server->filling;
    if (block == NULL || block->capacity - block->used < size) {
        size_t wanted = block == NULL && size <= FIRST / 4 ? FIRST : FULL;
        block = spf_block_new(server, wanted < size ? size : wanted, SPF_REPLY_LEAD);
        if (block == NULL)
            return false;
        spf_block_unref(server, server->filling);
        server->filling = block;
    }
    request->block = spf_block_ref(block);
    request->at = block->used;
    request->room = size;
    block->used += size;
    return true;
}

/* So much of the room is used. The rest is free again if nothing lies behind it. */
static void use(spf_request *request, size_t length)
{
    spf_block *block = request->block;
    request->length = length;
    if (block->used == request->at + request->room)
        block->used = request->at + length;
}

static void leave(spf_request *request)
{
    if (request->block == NULL)
        return;
    use(request, 0);
    spf_block_unref(request->server, request->block);
    request->block = NULL;
}

uint8_t *spf_read_room(spf_request *request, size_t length)
{
    if (!reserve(request, SPF_DATA_HEADER + length))
        return NULL;
    request->charge += length;
    request->server->bytes += length;
    request->server->reading += length;
    request->reading = length;
    return request->block->bytes + request->at + SPF_DATA_HEADER;
}

void spf_read_done(spf_request *request, size_t length)
{
    spf_data_header(request->block->bytes + request->at, request->id, (uint32_t)length);
    use(request, SPF_DATA_HEADER + length);
    request->ready = length;
    request->server->ready += length;
}

/* ---- replies ---- */

/* Nothing of it is left to be written. */
static void forget(spf_request *request)
{
    spf_server *server = request->server;
    server->count -= request->count;
    server->bytes -= request->charge;
    server->reading -= request->reading;
    server->ready -= request->ready;
    leave(request);
    spf_request_free(request);
}

/* Lies right behind the last reply and becomes a part of it? */
static bool join(spf_server *server, spf_request *request)
{
    if (spb_list_empty(&server->replies))
        return false;
    spf_request *last = SPB_CONTAINER(server->replies.prev, spf_request, link);
    if (last->block != request->block || last->at + last->length != request->at)
        return false;
    last->length += request->length;
    last->count += request->count;
    last->charge += request->charge;
    last->reading += request->reading;
    last->ready += request->ready;
    spf_block_unref(server, request->block);
    request->block = NULL;
    spf_request_free(request);
    return true;
}

/* What was put together in `scratch`. */
static bool copy_scratch(spf_request *request)
{
    spb_buffer *scratch = &request->server->scratch;
    size_t length = scratch->length;
    bool done = spw_ok(scratch);
    if (done && length != 0) {
        leave(request); /* room for data that did not come */
        done = reserve(request, length);
        if (done) {
            memcpy(request->block->bytes + request->at, scratch->data, length);
            use(request, length);
        }
    }
    if (scratch->capacity > SPF_SCRATCH_KEPT)
        spb_buffer_free(scratch);
    else
        spb_buffer_clear(scratch);
    return done;
}

void spf_reply(spf_request *request)
{
    spf_server *server = request->server;
    spb_list_remove(&request->link);
    spf_block_unref(server, request->packet);
    request->packet = NULL;
    bool done = copy_scratch(request);
    if (!done)
        spf_break(server, 255);
    if (request->silent || server->lost || !done)
        forget(request);
    else if (!join(server, request))
        spb_list_append(&server->replies, &request->link);
    settle(server);
}

void spf_forget_all(spf_server *server, spb_link *list)
{
    while (!spb_list_empty(list)) {
        spf_request *request = SPB_CONTAINER(list->next, spf_request, link);
        spb_list_remove(&request->link);
        forget(request);
    }
    settle(server);
}

/* ---- written ---- */

spb_span spf_output(const spf_server *server)
{
    if (spb_list_empty(&server->replies))
        return (spb_span){NULL, 0};
    const spf_request *request = SPB_CONTAINER(server->replies.next, spf_request, link);
    return (spb_span){request->block->bytes + request->at, request->length};
}

void spf_consumed(spf_server *server, size_t length)
{
    spf_request *request = SPB_CONTAINER(server->replies.next, spf_request, link);
    request->at += length;
    request->length -= length;
    if (request->length > 0)
        return;
    spb_list_remove(&request->link);
    request->room = 0;
    forget(request);
    settle(server);
}
