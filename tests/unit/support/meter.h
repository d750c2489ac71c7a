/* An allocator that counts what is live, and fails from the n-th request on, or just that one. Any
 * thread may use it. */
#ifndef METER_H
#define METER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct meter {
    atomic_long until; /* this many more succeed; negative: all do */
    atomic_long live;
    bool once; /* only one fails */
    atomic_bool failed;
} meter;

static inline bool refuse(meter *m)
{
    if (m->until < 0 || m->until-- != 0)
        return false;
    m->until = m->once ? -1 : 0;
    m->failed = true;
    return true;
}

static inline void *meter_alloc(void *ctx, size_t size)
{
    meter *m = ctx;
    void *ptr = refuse(m) ? NULL : malloc(size);
    m->live += ptr != NULL;
    return ptr;
}

static inline void *meter_realloc(void *ctx, void *ptr, size_t size)
{
    meter *m = ctx;
    void *moved = refuse(m) ? NULL : realloc(ptr, size);
    m->live += moved != NULL && ptr == NULL;
    return moved;
}

static inline void meter_free(void *ctx, void *ptr)
{
    ((meter *)ctx)->live -= ptr != NULL;
    free(ptr);
}

#endif
