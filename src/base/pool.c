/* The pool of buffers of one loop: borrowed while bytes move, so that idle connections hold none. A
 * bounded number of free ones is kept: memory that goes back to the system between two bursts has
 * to be cleared and mapped again by the kernel for the next. */
#include "base/mem.h"

#define LARGE_KEPT 8
#define CHUNKS_KEPT 24

struct sp_pool {
    spb_env env;
    size_t large_count;
    size_t chunk_count;
    uint8_t *large[LARGE_KEPT];
    uint8_t *chunks[CHUNKS_KEPT];
};

spb_pool *spb_pool_new(const spb_env *env)
{
    spb_pool *pool = spb_calloc(env, 1, sizeof *pool);
    if (pool != NULL)
        pool->env = *env;
    return pool;
}

void spb_pool_free(spb_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->large_count > 0)
        spb_free_pages(&pool->env, pool->large[--pool->large_count]);
    while (pool->chunk_count > 0)
        spb_free(&pool->env, pool->chunks[--pool->chunk_count]);
    spb_free(&pool->env, pool);
}

uint8_t *spb_pool_take(spb_pool *pool)
{
    if (pool->large_count > 0)
        return pool->large[--pool->large_count];
    return spb_alloc_pages(&pool->env, SPB_POOL_BUFFER);
}

void spb_pool_give(spb_pool *pool, uint8_t *buffer)
{
    if (buffer == NULL)
        return;
    if (pool->large_count < LARGE_KEPT)
        pool->large[pool->large_count++] = buffer;
    else
        spb_free_pages(&pool->env, buffer);
}

void *spb_pool_take_chunk(spb_pool *pool)
{
    if (pool->chunk_count > 0)
        return pool->chunks[--pool->chunk_count];
    return spb_alloc(&pool->env, SPB_POOL_CHUNK);
}

void spb_pool_give_chunk(spb_pool *pool, void *chunk)
{
    if (chunk == NULL)
        return;
    if (pool->chunk_count < CHUNKS_KEPT)
        pool->chunks[pool->chunk_count++] = chunk;
    else
        spb_free(&pool->env, chunk);
}
