/* A stand-in for the transport under the authentication service: it records what is sent, has a
 * clock that is set by hand, and an allocator that counts, fails on demand and looks whether freed
 * memory still holds a secret. Includes the service's sources: a test has them to itself. */
#ifndef AUTH_STAND_H
#define AUTH_STAND_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_internal.h"
#include "transport/messages.h"

#define STAND_RECORDS 4096
#define STAND_HOST_KEY "the host key of the first exchange"
#define STAND_SECRET "c0rrect-horse" /* never in memory that was given back */

typedef struct stand_record {
    uint8_t message;
    uint8_t *bytes;
    size_t length;
} stand_record;

struct spt_transport {
    struct sp_config config;
    spa_trust trust;
    uint64_t now;
    int64_t wall; /* seconds since 1970 */
    uint8_t session[32];
    uint8_t message;
    spb_buffer out;
    stand_record records[STAND_RECORDS];
    size_t record_count;
    size_t read; /* records that the test has looked at */
    int error;   /* of the first spt_fail */
    uint32_t code;
    char text[128];
    unsigned authenticated;
    char log[2048];

    size_t live;    /* blocks not given back */
    long countdown; /* allocations until one fails; negative: never */
    bool leaked_secret;
};
typedef struct spt_transport stand;

/* ---- allocator ---- */

typedef struct stand_block {
    size_t size;
    size_t padding;
} stand_block;

static void *stand_alloc(void *ctx, size_t size)
{
    stand *s = ctx;

    if (s->countdown == 0)
        return NULL;
    if (s->countdown > 0)
        s->countdown--;
    stand_block *b = malloc(sizeof *b + size);
    if (b == NULL)
        return NULL;
    b->size = size;
    memset(b + 1, 0xa5, size); /* it is looked through when it is freed */
    s->live++;
    return b + 1;
}

static void stand_free(void *ctx, void *ptr)
{
    stand *s = ctx;

    if (ptr == NULL)
        return;
    stand_block *b = (stand_block *)ptr - 1;
    if (memmem(ptr, b->size, STAND_SECRET, strlen(STAND_SECRET)) != NULL)
        s->leaked_secret = true;
    s->live--;
    free(b);
}

static void *stand_realloc(void *ctx, void *ptr, size_t size)
{
    void *fresh = stand_alloc(ctx, size);

    if (fresh == NULL || ptr == NULL)
        return fresh;
    size_t old = ((stand_block *)ptr - 1)->size;
    memcpy(fresh, ptr, old < size ? old : size);
    stand_free(ctx, ptr);
    return fresh;
}

static void stand_log(void *ctx, sp_log_level level, const char *line)
{
    stand *s = ctx;
    size_t used = strlen(s->log);

    (void)level;
    if (used + strlen(line) + 2 < sizeof s->log)
        snprintf(s->log + used, sizeof s->log - used, "%s\n", line);
}

/* All algorithms that there are. */
static void stand_enable(stand *s)
{
    spb_span rest = {(const uint8_t *)sp_default_algorithms("sig"),
                     strlen(sp_default_algorithms("sig"))};
    spb_span name;

    for (size_t i = 0; spb_name_next(&rest, &name); i++)
        if (i >= SPT_LIST_MAX || !spt_user_algorithm_find(name, &s->config.user_algorithms[i]))
            abort();
    s->config.ca_signature_list = (char *)(uintptr_t)sp_default_algorithms("ca-sig");
}

static int64_t stand_wall(void *ctx)
{
    return ((stand *)ctx)->wall;
}

static stand *stand_new(void)
{
    stand *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->countdown = -1;
    s->now = 1000;
    sp_allocator allocator = {s, stand_alloc, stand_realloc, stand_free};
    spb_env_init(&s->config.env, &allocator);
    s->config.env.log = stand_log;
    s->config.env.log_ctx = s;
    s->config.env.log_level = SP_LOG_DEBUG;
    s->config.options.max_auth_attempts = 6;
    s->config.options.wall_clock = stand_wall;
    s->config.options.wall_clock_ctx = s;
    s->wall = 1000000000;
    stand_enable(s);
    for (size_t i = 0; i < sizeof s->session; i++)
        s->session[i] = (uint8_t)(i + 1);
    return s;
}

static void stand_free_all(stand *s)
{
    spb_buffer_free(&s->out);
    for (size_t i = 0; i < s->record_count; i++)
        free(s->records[i].bytes);
    free(s);
}

/* ---- what transport.h declares ---- */

const sp_config *spt_config(const spt_transport *t)
{
    return &t->config;
}

const sp_limits *spt_limits(const spt_transport *t)
{
    static sp_limits limits;

    limits.max_auth_attempts = t->config.options.max_auth_attempts;
    return &limits;
}

const spb_env *spt_env(const spt_transport *t)
{
    return &t->config.env;
}

uint64_t spt_now(const spt_transport *t)
{
    return t->now;
}

spb_span spt_session_id(const spt_transport *t)
{
    return (spb_span){t->session, sizeof t->session};
}

spb_span spt_first_host_key(const spt_transport *t)
{
    (void)t;
    return spb_span_of(STAND_HOST_KEY);
}

int spt_send_user_ext_info(spt_transport *t, const char *list)
{
    spw_cstring(spt_begin(t, SSH_MSG_EXT_INFO), list);
    return spt_end(t);
}

spb_buffer *spt_begin(spt_transport *t, uint8_t message)
{
    t->message = message;
    spb_buffer_free(&t->out);
    spb_buffer_init(&t->out, &t->config.env, 65536);
    return &t->out;
}

int spt_fail(spt_transport *t, int error, uint32_t code, const char *format, ...)
{
    if (t->error == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(t->text, sizeof t->text, format, args);
        va_end(args);
        t->error = error;
        t->code = code;
    }
    return error;
}

int spt_end(spt_transport *t)
{
    if (t->error != 0)
        return t->error;
    if (!spw_ok(&t->out))
        return spt_fail(t, SP_ENOMEM, SP_DISCONNECT_BY_APPLICATION, "Out of memory");
    if (t->record_count == STAND_RECORDS)
        abort();
    stand_record *r = &t->records[t->record_count++];
    r->message = t->message;
    r->length = t->out.length;
    r->bytes = malloc(r->length + 1);
    if (r->bytes == NULL)
        abort();
    if (r->length > 0)
        memcpy(r->bytes, t->out.data, r->length);
    spb_buffer_free(&t->out);
    return 0;
}

bool spt_failed(const spt_transport *t)
{
    return t->error != 0;
}

int spt_authenticated(spt_transport *t)
{
    t->authenticated++;
    return 0;
}

/* ---- the service itself ---- */
#include "auth/auth.c"
#include "auth/authorize.c"
#include "auth/method_kbdint.c"
#include "auth/method_none.c"
#include "auth/method_password.c"
#include "auth/method_publickey.c"
#include "auth/reply.c"
#include "auth/request.c"
#include "auth/saslprep.c"

#endif
