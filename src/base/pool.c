/* The pool of large buffers of one loop: borrowed while bytes move, so that idle connections hold
 * none. A bounded number of free ones is kept. */
#include "base/mem.h"

struct sp_pool {
    spb_env env;
    size_t keep;
    size_t free_count;
    uint8_t *free_list[];
};

spb_pool *spb_pool_new(const spb_env *env, size_t keep)
{
    spb_pool *pool = spb_calloc(env, 1, sizeof *pool + keep * sizeof pool->free_list[0]);
    if (pool == NULL)
        return NULL;
    pool->env = *env;
    pool->keep = keep;
    return pool;
}

void spb_pool_free(spb_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->free_count; i++)
        spb_free(&pool->env, pool->free_list[i]);
    spb_free(&pool->env, pool);
}

uint8_t *spb_pool_take(spb_pool *pool)
{
    if (pool->free_count > 0)
        return pool->free_list[--pool->free_count];
    return spb_alloc(&pool->env, SPB_POOL_BUFFER);
}

void spb_pool_give(spb_pool *pool, uint8_t *buffer)
{
    if (buffer == NULL)
        return;
    if (pool->free_count < pool->keep)
        pool->free_list[pool->free_count++] = buffer;
    else
        spb_free(&pool->env, buffer);
}
