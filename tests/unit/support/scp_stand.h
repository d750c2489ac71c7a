/* scp's far end without a channel: bytes are put in, bytes are taken out. */
#ifndef SCP_STAND_H
#define SCP_STAND_H

#include "scp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static spb_env env;
static spl_loop *loop;
static spp_server *server;
static int moves; /* late answers that came */

static inline void stand_moved(void *owner)
{
    (void)owner;
    moves++;
}

static inline void stand_begin_with(sp_fs *fs, const char *command, const sp_scp_options *options)
{
    if (env.allocator.alloc == NULL)
        spb_env_init(&env, NULL);
    moves = 0;
    assert_int_equal(spl_loop_new(&loop, &env, NULL), 0);
    assert_int_equal(
        spp_server_new(&server, fs, loop, NULL, "somebody", command, options, stand_moved, NULL),
        0);
    spp_run(server);
}

/* Takes the reference to the file system. */
static inline void stand_begin(sp_fs *fs, const char *command, const sp_scp_options *options)
{
    stand_begin_with(fs, command, options);
    sp_fs_unref(fs);
}

static inline void stand_end(void)
{
    assert_true(server->ended);
    spp_server_free(server);
    spl_loop_free(loop);
}

static inline void send_bytes(const void *bytes, size_t length)
{
    spp_receive(server, bytes, length);
}

static inline void send_text(const char *text)
{
    send_bytes(text, strlen(text));
}

static inline void send_ok(void)
{
    send_bytes("", 1);
}

/* All that comes out now, up to `size` bytes. */
static inline size_t take_bytes(void *buffer, size_t size)
{
    size_t taken = 0;
    spb_span out;
    while (taken < size && (out = spp_output(server)).length != 0) {
        size_t part = out.length < size - taken ? out.length : size - taken;
        memcpy((char *)buffer + taken, out.data, part);
        spp_consumed(server, part);
        taken += part;
        spp_run(server);
    }
    return taken;
}

/* Exactly these bytes come out now. */
static inline void expect_bytes(const void *bytes, size_t length)
{
    char got[4096];
    size_t n = take_bytes(got, sizeof got);
    if (n != length || memcmp(got, bytes, n) != 0)
        print_error("got: %.*s\nwanted: %.*s\n", (int)n, got, (int)length, (const char *)bytes);
    assert_int_equal(n, length);
    assert_memory_equal(got, bytes, length);
}

static inline void expect_text(const char *text)
{
    expect_bytes(text, strlen(text));
}

static inline void expect_ok(void)
{
    expect_bytes("", 1);
}

#endif
