/* Memory through the application's allocator, wiping, constant-time comparison, and the log. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LINE_MAX 1024

static void *default_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *default_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return realloc(ptr, size);
}

static void default_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

void spb_env_init(spb_env *env, const sp_allocator *allocator)
{
    memset(env, 0, sizeof *env);
    if (allocator != NULL && allocator->alloc != NULL && allocator->realloc != NULL &&
        allocator->free != NULL)
        env->allocator = *allocator;
    else
        env->allocator = (sp_allocator){NULL, default_alloc, default_realloc, default_free};
}

void *spb_alloc(const spb_env *env, size_t size)
{
    return env->allocator.alloc(env->allocator.ctx, size);
}

void *spb_calloc(const spb_env *env, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *ptr = spb_alloc(env, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

void *spb_realloc(const spb_env *env, void *ptr, size_t size)
{
    return env->allocator.realloc(env->allocator.ctx, ptr, size);
}

void spb_free(const spb_env *env, void *ptr)
{
    if (ptr != NULL)
        env->allocator.free(env->allocator.ctx, ptr);
}

void *spb_alloc_pages(const spb_env *env, size_t size)
{
    if (size > SIZE_MAX - SPB_PAGE - sizeof(void *))
        return NULL;
    uint8_t *whole = spb_alloc(env, size + SPB_PAGE + sizeof(void *));
    if (whole == NULL)
        return NULL;
    /* What is to be freed stands right before the page. */
    uint8_t *pages = whole + sizeof whole;
    pages += -(uintptr_t)pages & (SPB_PAGE - 1);
    memcpy(pages - sizeof whole, &whole, sizeof whole);
    return pages;
}

void spb_free_pages(const spb_env *env, void *ptr)
{
    void *whole;
    if (ptr == NULL)
        return;
    memcpy(&whole, (uint8_t *)ptr - sizeof whole, sizeof whole);
    spb_free(env, whole);
}

void *spb_memdup(const spb_env *env, const void *data, size_t size)
{
    void *copy = spb_alloc(env, size == 0 ? 1 : size);
    if (copy != NULL && size != 0)
        memcpy(copy, data, size);
    return copy;
}

char *spb_strdup(const spb_env *env, const char *text)
{
    return spb_memdup(env, text, strlen(text) + 1);
}

char *spb_strndup(const spb_env *env, const void *text, size_t length)
{
    char *copy = spb_alloc(env, length + 1);
    if (copy == NULL)
        return NULL;
    if (length != 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void sp_zero(void *ptr, size_t size)
{
    if (ptr == NULL || size == 0)
        return;
    memset(ptr, 0, size);
    /* Keeps the compiler from seeing the memset as dead. */
    __asm__ __volatile__("" : : "r"(ptr) : "memory");
}

void spb_free_secret(const spb_env *env, void *ptr, size_t size)
{
    sp_zero(ptr, size);
    spb_free(env, ptr);
}

bool spb_equal_secret(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < size; i++)
        difference = (uint8_t)(difference | (x[i] ^ y[i]));
    return difference == 0;
}

void spb_log(const spb_env *env, sp_log_level level, const char *format, ...)
{
    if (env->log == NULL || level > env->log_level || level == SP_LOG_QUIET)
        return;
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    env->log(env->log_ctx, level, line);
}

void spb_printable(char *out, size_t size, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    size_t n = 0;

    if (size == 0)
        return;
    for (; n < length && n + 1 < size; n++)
        out[n] = (p[n] >= 0x20 && p[n] < 0x7f) ? (char)p[n] : '?';
    out[n] = '\0';
}

/* Length of the well-formed sequence at `p`, 0 if there is none (RFC 3629 4). */
static size_t utf8_step(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t length;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        length = 3;
        if (p[0] == 0xe0)
            low = 0xa0;
        if (p[0] == 0xed)
            high = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        if (p[0] == 0xf0)
            low = 0x90;
        if (p[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return length;
}

bool spb_utf8_valid(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;

    while (length > 0) {
        size_t step = utf8_step(p, length);
        if (step == 0)
            return false;
        p += step;
        length -= step;
    }
    return true;
}
