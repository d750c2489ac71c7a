/* Memory and the shared environment of one server's objects: allocator, log, random source, and the
 * pool of large buffers. No SSH. Every room gets an `spb_env *` and allocates through it. */
#ifndef SPB_MEM_H
#define SPB_MEM_H

#include <sallyport/protocol.h>

typedef struct spb_env {
    sp_allocator allocator; /* always complete */
    sp_random random;       /* fill NULL: libcrypto's (see src/crypto/random.h) */
    sp_log_fn log;
    void *log_ctx;
    sp_log_level log_level;
} spb_env;

/* Fills what is zero with defaults. */
void spb_env_init(spb_env *env, const sp_allocator *allocator);

void *spb_alloc(const spb_env *env, size_t size);                /* NULL when out of memory */
void *spb_calloc(const spb_env *env, size_t count, size_t size); /* zeroed; checks the product */
void *spb_realloc(const spb_env *env, void *ptr, size_t size);
void spb_free(const spb_env *env, void *ptr); /* NULL is fine */
/* Memory on a page's boundary, for the buffers that the kernel copies to and from: its copies cost
 * up to three times as much where source and target lie a few bytes apart within a page, as they do
 * for a large malloc (AMD's `rep movs`). */
#define SPB_PAGE ((size_t)4096)
void *spb_alloc_pages(const spb_env *env, size_t size); /* ends with spb_free_pages */
void spb_free_pages(const spb_env *env, void *ptr);     /* NULL is fine */
void *spb_memdup(const spb_env *env, const void *data, size_t size);
char *spb_strdup(const spb_env *env, const char *text);
char *spb_strndup(const spb_env *env, const void *text, size_t length); /* adds a NUL */

/* Wipes memory in a way that the compiler keeps. */
void sp_zero(void *ptr, size_t size);
/* Wipes, then frees. */
void spb_free_secret(const spb_env *env, void *ptr, size_t size);

/* Same bytes? Takes a time that depends on `size` alone. */
bool spb_equal_secret(const void *a, const void *b, size_t size);

__attribute__((format(printf, 3, 4))) void spb_log(const spb_env *env, sp_log_level level,
                                                   const char *format, ...);

/* Copies peer bytes into `out` for a log or an error text: control characters and bytes that are
 * not printable ASCII become '?', cut to fit, always NUL-terminated. */
void spb_printable(char *out, size_t size, const void *bytes, size_t length);

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool spb_utf8_valid(const void *bytes, size_t length);

/* ---- pool of buffers (one per loop, one thread) ---------------------------------------------- */
#define SPB_POOL_BUFFER ((size_t)256 * 1024) /* for the kernel, on a page */
#define SPB_POOL_CHUNK ((size_t)33 * 1024)   /* a piece of a queue: a full packet */
typedef struct sp_pool spb_pool;
spb_pool *spb_pool_new(const spb_env *env);
void spb_pool_free(spb_pool *pool);     /* all buffers must be back */
uint8_t *spb_pool_take(spb_pool *pool); /* SPB_POOL_BUFFER bytes, or NULL */
void spb_pool_give(spb_pool *pool, uint8_t *buffer);
void *spb_pool_take_chunk(spb_pool *pool); /* SPB_POOL_CHUNK bytes, or NULL */
void spb_pool_give_chunk(spb_pool *pool, void *chunk);

#endif
