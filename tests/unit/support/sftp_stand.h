/* An SFTP server without a channel: packets are put in, replies are taken out. */
#ifndef SFTP_STAND_H
#define SFTP_STAND_H

#include "sftp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static spl_loop *loop;
static spf_server *server;
static int moves; /* late answers that came */

/* For cmocka_run_group_tests. */
static inline int stand_set_up(void **state)
{
    (void)state;
    spb_env_init(&env, NULL);
    return 0;
}

static inline void stand_moved(void *owner)
{
    (void)owner;
    moves++;
}

static inline void stand_begin_with(sp_fs *fs, const sp_sftp_options *options)
{
    if (env.allocator.alloc == NULL)
        spb_env_init(&env, NULL);
    moves = 0;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    assert_int_equal(
        spf_server_new(&server, fs, loop, NULL, "somebody", options, stand_moved, NULL), 0);
    spf_run(server);
}

/* Takes the reference to the file system. */
static inline void stand_begin(sp_fs *fs, const sp_sftp_options *options)
{
    stand_begin_with(fs, options);
    sp_fs_unref(fs);
}

static inline void stand_end(void)
{
    spf_server_free(server);
    spl_loop_free(loop);
}

/* ---- packets ---- */

typedef struct packet {
    spb_buffer b;
    size_t mark;
} packet;

static inline packet begin_packet(uint8_t type, uint32_t id)
{
    packet p;
    if (env.allocator.alloc == NULL)
        spb_env_init(&env, NULL);
    spb_buffer_init(&p.b, &env, 1 << 20);
    p.mark = spw_string_begin(&p.b);
    spw_u8(&p.b, type);
    spw_u32(&p.b, id);
    return p;
}

static inline void send_packet(packet *p)
{
    spw_string_end(&p->b, p->mark);
    assert_true(spw_ok(&p->b));
    spf_receive(server, p->b.data, p->b.length);
    spb_buffer_free(&p->b);
}

static inline void send_init(void)
{
    packet p = begin_packet(SPF_INIT, 3);
    send_packet(&p);
}

static inline void send_path(uint8_t type, uint32_t id, const char *path)
{
    packet p = begin_packet(type, id);
    spw_cstring(&p.b, path);
    send_packet(&p);
}

static inline void send_open(uint32_t id, const char *path, uint32_t flags)
{
    packet p = begin_packet(SPF_OPEN, id);
    spw_cstring(&p.b, path);
    spw_u32(&p.b, flags);
    spw_u32(&p.b, 0);
    send_packet(&p);
}

typedef struct handle {
    uint8_t id[SPF_HANDLE_SIZE];
} handle;

static inline void send_handle(uint8_t type, uint32_t id, handle h)
{
    packet p = begin_packet(type, id);
    spw_string(&p.b, h.id, sizeof h.id);
    send_packet(&p);
}

static inline void send_read(uint32_t id, handle h, uint64_t offset, uint32_t length)
{
    packet p = begin_packet(SPF_READ, id);
    spw_string(&p.b, h.id, sizeof h.id);
    spw_u64(&p.b, offset);
    spw_u32(&p.b, length);
    send_packet(&p);
}

static inline void send_write(uint32_t id, handle h, uint64_t offset, const char *text)
{
    packet p = begin_packet(SPF_WRITE, id);
    spw_string(&p.b, h.id, sizeof h.id);
    spw_u64(&p.b, offset);
    spw_cstring(&p.b, text);
    send_packet(&p);
}

static inline packet begin_extended(uint32_t id, const char *name)
{
    packet p = begin_packet(SPF_EXTENDED, id);
    spw_cstring(&p.b, name);
    return p;
}

/* ---- replies ---- */

typedef struct answer {
    uint8_t type;
    uint32_t id;
    uint8_t *bytes; /* lent until the next take */
    spb_reader r;
} answer;

/* The next reply, of those that are there in one piece; type 0: there is none. */
static inline answer take(void)
{
    static uint8_t kept[1 << 20];
    answer a = {0};
    spb_span out = spf_output(server);
    if (out.length == 0)
        return a;
    assert_true(out.length > 4);
    size_t length = 4 + (size_t)spb_get_u32(out.data);
    assert_true(length <= out.length && length <= sizeof kept);
    memcpy(kept, out.data, length);
    spf_consumed(server, length);
    spf_run(server);
    a.bytes = kept;
    spr_init(&a.r, kept + 4, length - 4);
    a.type = spr_u8(&a.r);
    a.id = spr_u32(&a.r);
    return a;
}

static inline void no_answer(void)
{
    assert_int_equal(spf_output(server).length, 0);
}

static inline void expect_status(uint32_t id, sp_fs_status status)
{
    answer a = take();
    assert_int_equal(a.type, SPF_STATUS);
    assert_int_equal(a.id, id);
    assert_int_equal(spr_u32(&a.r), status);
    (void)spr_string(&a.r);
    (void)spr_string(&a.r);
    assert_true(spr_done(&a.r));
}

static inline void expect_text(uint32_t id, sp_fs_status status, const char *text)
{
    answer a = take();
    assert_int_equal(a.type, SPF_STATUS);
    assert_int_equal(a.id, id);
    assert_int_equal(spr_u32(&a.r), status);
    assert_true(spb_span_is(spr_string(&a.r), text));
}

static inline handle expect_handle(uint32_t id)
{
    handle h;
    answer a = take();
    assert_int_equal(a.type, SPF_HANDLE);
    assert_int_equal(a.id, id);
    spb_span s = spr_string(&a.r);
    assert_true(spr_done(&a.r));
    assert_int_equal(s.length, sizeof h.id);
    memcpy(h.id, s.data, sizeof h.id);
    return h;
}

static inline void expect_data(uint32_t id, const char *text)
{
    answer a = take();
    assert_int_equal(a.type, SPF_DATA);
    assert_int_equal(a.id, id);
    assert_true(spb_span_is(spr_string(&a.r), text));
    assert_true(spr_done(&a.r));
}

static inline void expect_name(uint32_t id, const char *path)
{
    answer a = take();
    assert_int_equal(a.type, SPF_NAME);
    assert_int_equal(a.id, id);
    assert_int_equal(spr_u32(&a.r), 1);
    assert_true(spb_span_is(spr_string(&a.r), path));
    assert_true(spb_span_is(spr_string(&a.r), path));
    assert_int_equal(spr_u32(&a.r), 0);
    assert_true(spr_done(&a.r));
}

static inline void expect_version(void)
{
    answer a = take();
    assert_int_equal(a.type, SPF_VERSION_REPLY);
    assert_int_equal(a.id, 3);
}

static inline handle opened(const char *path, uint32_t flags)
{
    send_open(1, path, flags);
    return expect_handle(1);
}

#endif
