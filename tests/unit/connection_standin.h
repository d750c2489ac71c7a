/* A stand-in for the transport: it records what the connection room sends, can be told to take no
 * bulk data, and counts or fails allocations. The tests of src/connection (and its fuzzer) define
 * the spt_ functions by including this, so the real ones are not drawn from the library. */
#ifndef CONNECTION_STANDIN_H
#define CONNECTION_STANDIN_H

#include "connection/connection_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sent {
    struct sent *next;
    size_t length;
    uint8_t bytes[];
} sent;

struct spt_transport {
    uint64_t now;
    sp_config config;
    spb_pool *pool;
    const char *peer_version;
    const char *rsa_signature;
    spb_buffer writer;
    bool can_send;
    size_t data_left; /* bulk messages until can_send ends by itself */
    bool failed;
    int error;
    uint32_t code;
    char text[256];
    bool record;
    sent *first, *last;
    size_t bulk_bytes;
};

/* ---- the allocator ---- */
static size_t live_blocks, live_bytes;
static long fail_after = -1; /* allocations until one fails; -1: none */

static void *count_realloc(void *ctx, void *old, size_t size)
{
    (void)ctx;
    size_t *head = old == NULL ? NULL : (size_t *)old - 2;
    if (fail_after == 0)
        return NULL;
    if (fail_after > 0)
        fail_after--;
    size_t before = head == NULL ? 0 : *head;
    size_t *block = realloc(head, size + 2 * sizeof(size_t));
    if (block == NULL)
        abort();
    *block = size;
    live_blocks += old == NULL;
    live_bytes += size - before;
    return block + 2;
}

static void *count_alloc(void *ctx, size_t size)
{
    return count_realloc(ctx, NULL, size);
}

static void count_free(void *ctx, void *old)
{
    (void)ctx;
    if (old == NULL)
        return;
    size_t *head = (size_t *)old - 2;
    live_blocks--;
    live_bytes -= *head;
    free(head);
}

/* ---- the transport ---- */
const sp_config *spt_config(const spt_transport *t)
{
    return &t->config;
}
const spb_env *spt_env(const spt_transport *t)
{
    return &t->config.env;
}
spb_pool *spt_pool(const spt_transport *t)
{
    return t->pool;
}
uint64_t spt_now(const spt_transport *t)
{
    return t->now;
}
const char *spt_peer_version(const spt_transport *t)
{
    return t->peer_version;
}
const char *spt_rsa_signature(const spt_transport *t)
{
    return t->rsa_signature;
}
spb_span spt_session_id(const spt_transport *t)
{
    (void)t;
    static const uint8_t id[32] = {1, 2, 3};
    return (spb_span){id, sizeof id};
}

static void record_sent(spt_transport *t, const uint8_t *a, size_t a_length, const uint8_t *b,
                        size_t b_length)
{
    if (!t->record)
        return;
    sent *m = malloc(sizeof *m + a_length + b_length);
    if (m == NULL)
        abort();
    m->next = NULL;
    m->length = a_length + b_length;
    memcpy(m->bytes, a, a_length);
    if (b_length > 0)
        memcpy(m->bytes + a_length, b, b_length);
    if (t->last == NULL)
        t->first = m;
    else
        t->last->next = m;
    t->last = m;
}

spb_buffer *spt_begin(spt_transport *t, uint8_t message)
{
    spb_buffer_clear(&t->writer);
    spw_u8(&t->writer, message);
    return &t->writer;
}

int spt_fail(spt_transport *t, int error, uint32_t code, const char *format, ...)
{
    if (t->failed)
        return error;
    va_list ap;
    va_start(ap, format);
    vsnprintf(t->text, sizeof t->text, format, ap);
    va_end(ap);
    t->failed = true;
    t->error = error;
    t->code = code;
    return error;
}

int spt_end(spt_transport *t)
{
    if (!spw_ok(&t->writer))
        return spt_fail(t, SP_ENOMEM, 11, "out of memory");
    if (t->failed)
        return SP_ECONN;
    record_sent(t, t->writer.data, t->writer.length, NULL, 0);
    return 0;
}

bool spt_can_send_data(const spt_transport *t)
{
    return t->can_send && t->data_left > 0 && !t->failed;
}

int spt_send_data(spt_transport *t, const uint8_t *head, size_t head_length, const uint8_t *data,
                  size_t length)
{
    if (!spt_can_send_data(t) || length == 0 || length > SPN_SEND_MAX)
        abort();
    t->data_left--;
    t->bulk_bytes += length;
    record_sent(t, head, head_length, data, length);
    return 0;
}

bool spt_failed(const spt_transport *t)
{
    return t->failed;
}

/* ---- one connection on it ---- */
typedef struct world {
    spt_transport t;
    spn_connection *c;
    sp_event event;
    uint8_t *packet;
    uint32_t peer_numbers;
} world;

static inline void world_init(world *w)
{
    memset(w, 0, sizeof *w);
    sp_allocator allocator = {NULL, count_alloc, count_realloc, count_free};
    spb_env_init(&w->t.config.env, &allocator);
    w->t.pool = spb_pool_new(&w->t.config.env);
    sp_protocol_options *o = &w->t.config.options;
    o->window_size = 65536;
    o->window_max = 1024 * 1024;
    o->window_budget = 4 * 1024 * 1024;
    o->packet_size = 32768;
    o->write_buffer_high = 10000;
    o->write_buffer_low = 2500;
    o->max_channels = 16;
    o->max_sessions = 8;
    spb_buffer_init(&w->t.writer, &w->t.config.env, 100000);
    w->t.can_send = true;
    w->t.data_left = SIZE_MAX;
    w->t.record = true;
}

static inline void world_forget_sent(world *w)
{
    while (w->t.first != NULL) {
        sent *m = w->t.first;
        w->t.first = m->next;
        free(m);
    }
    w->t.last = NULL;
}

static inline void world_end(world *w)
{
    spn_free(w->c);
    spb_pool_free(w->t.pool);
    spb_buffer_free(&w->t.writer);
    world_forget_sent(w);
    free(w->packet);
    memset(w, 0, sizeof *w);
}

/* Fields: 'u' uint32, 'b' bool, 's' C string, 'd' pointer and size_t as a string, 'r' the same
 * without a length. */
static inline void put_fields(spb_buffer *b, const char *fields, va_list ap)
{
    for (; *fields != '\0'; fields++) {
        const void *data;
        switch (*fields) {
        case 'u':
            spw_u32(b, va_arg(ap, uint32_t));
            break;
        case 'b':
            spw_bool(b, va_arg(ap, int) != 0);
            break;
        case 's':
            spw_cstring(b, va_arg(ap, const char *));
            break;
        case 'd':
            data = va_arg(ap, const void *);
            spw_string(b, data, va_arg(ap, size_t));
            break;
        case 'r':
            data = va_arg(ap, const void *);
            spw_bytes(b, data, va_arg(ap, size_t));
            break;
        default:
            abort();
        }
    }
}

/* Gives a message to the connection; the bytes stand in a block of just their size. */
static inline int give_bytes(world *w, uint8_t message, const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    if (copy == NULL)
        abort();
    if (length > 0)
        memcpy(copy, bytes, length);
    spb_reader r;
    spr_init(&r, copy, length);
    memset(&w->event, 0, sizeof w->event);
    int result = spn_message(w->c, message, &r, &w->event);
    free(w->packet);
    w->packet = copy;
    return result;
}

static inline int give(world *w, uint8_t message, const char *fields, ...)
{
    static const spb_env plain = {
        .allocator = {NULL, count_alloc, count_realloc, count_free},
    };
    long keep = fail_after;
    fail_after = -1;
    spb_buffer b;
    va_list ap;
    spb_buffer_init(&b, &plain, 1 << 20);
    va_start(ap, fields);
    put_fields(&b, fields, ap);
    va_end(ap);
    fail_after = keep;
    int result = give_bytes(w, message, b.data, b.length);
    spb_buffer_free(&b);
    return result;
}

/* What a login without restrictions may do. */
static inline void permit_all(world *w)
{
    spk_permissions *all = spk_permissions_all();
    spn_permit(w->c, all, true);
    spk_permissions_unref(all);
}

#endif
