/* Memory for packets: blocks that several replies share, and that written bytes lie in until the
 * file system has them. The large ones are borrowed from the loop's pool. */
#include "sftp/server.h"

/* What fits neither of the pool's sizes well is allocated. */
#define CHUNK_ROOM (SPB_POOL_CHUNK - sizeof(spf_block))

static spf_block *make(spf_server *server, spf_block_kind kind, size_t lead, size_t capacity)
{
    void *memory = kind == SPF_BLOCK_LARGE   ? spb_pool_take(server->pool)
                   : kind == SPF_BLOCK_CHUNK ? spb_pool_take_chunk(server->pool)
                                             : spb_alloc(server->env, lead + capacity);
    spf_block *block = memory;
    if (block == NULL)
        return NULL;
    *block = (spf_block){.refs = 1, .kind = kind, .capacity = capacity};
    block->bytes = (uint8_t *)memory + lead;
    server->memory += capacity;
    return block;
}

spf_block *spf_block_new(spf_server *server, size_t size, size_t lead)
{
    bool pooled = server->pool != NULL;
    if (pooled && size > CHUNK_ROOM / 2 && size <= CHUNK_ROOM)
        return make(server, SPF_BLOCK_CHUNK, sizeof(spf_block), CHUNK_ROOM);
    if (pooled && size > SPB_POOL_BUFFER / 2 && size <= SPB_POOL_BUFFER - lead)
        return make(server, SPF_BLOCK_LARGE, lead, SPB_POOL_BUFFER - lead);
    return make(server, SPF_BLOCK_OWN, sizeof(spf_block), size);
}

spf_block *spf_block_ref(spf_block *block)
{
    block->refs++;
    return block;
}

void spf_block_unref(spf_server *server, spf_block *block)
{
    if (block == NULL || --block->refs > 0)
        return;
    server->memory -= block->capacity;
    if (block->kind == SPF_BLOCK_LARGE)
        spb_pool_give(server->pool, (uint8_t *)block);
    else if (block->kind == SPF_BLOCK_CHUNK)
        spb_pool_give_chunk(server->pool, block);
    else
        spb_free(server->env, block);
}
