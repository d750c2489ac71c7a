/* Fuzzer: an SFTP client's bytes, in pieces, to the server over a small file system in memory. The
 * random source gives zeros, so a handle is its place and twelve zeros. What comes back must be
 * whole packets, one for each request at most; in the end everything must be closed. */
#include "sftp/server.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool no_random(void *ctx, void *buffer, size_t length)
{
    (void)ctx;
    memset(buffer, 0, length);
    return true;
}

static void moved(void *owner)
{
    (void)owner;
    abort(); /* nothing comes later */
}

static void take_output(spf_server *server)
{
    spb_span out;
    while ((out = spf_output(server)).length != 0) {
        for (size_t at = 0, whole; at < out.length; at += whole) {
            check(out.length - at >= 9);
            whole = 4 + (size_t)spb_get_u32(out.data + at);
            check(whole >= 9 && whole <= out.length - at);
            check(whole <= server->options.max_packet + 4);
        }
        spf_consumed(server, out.length);
        spf_run(server);
    }
}

/* The first byte: how large the pieces are, and whether output is taken only at the end. */
static void feed(spf_server *server, const uint8_t *data, size_t size)
{
    size_t piece = size == 0 ? 1 : (size_t)(data[0] & 0x7f) * 7 + 1;
    bool late = size != 0 && (data[0] & 0x80) != 0;
    for (size_t at = size == 0 ? 0 : 1; at < size; at += piece) {
        spf_receive(server, data + at, size - at < piece ? size - at : piece);
        check(server->count <= server->options.max_requests);
        if (!late)
            take_output(server);
    }
    spf_end_of_input(server);
    take_output(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static spl_loop *loop;
    static spb_pool *pool;
    const sp_fs_memory_options memory = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 100000,
                                         .max_nodes = 20};
    const sp_sftp_options options = {SP_SFTP_OPTIONS_INIT, .max_handles = 4, .max_requests = 5,
                                     .max_bytes = 200000, .max_packet = 34000};
    spf_server *server;
    if (loop == NULL) {
        spb_env env;
        spb_env_init(&env, NULL);
        env.random.fill = no_random;
        check(spl_loop_new(&loop, &env, NULL) == 0);
        pool = spb_pool_new(&env);
        check(pool != NULL);
    }
    sp_fs *fs = sp_fs_memory_new(&memory);
    check(fs != NULL);
    check(spf_server_new(&server, fs, loop, NULL, "fuzzer", &options, moved, NULL) == 0);
    server->pool = pool;
    spf_run(server);
    feed(server, data, size);
    check(spf_ended(server) && server->count == 0 && server->bytes == 0 && server->memory == 0);
    spf_server_free(server);
    sp_fs_unref(fs);
    return 0;
}
