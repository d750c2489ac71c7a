/* Fuzzer: an scp command (the first line) and what its client then says, in pieces, over a small
 * file system in memory. Whatever comes, the session ends with its input, or when the client is
 * gone, and output is bounded. */
#include "scp/server.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void moved(void *owner)
{
    (void)owner;
    abort(); /* nothing comes later */
}

static void take_output(spp_server *server)
{
    spb_span out;
    size_t taken = 0;
    while ((out = spp_output(server)).length != 0 && taken < 1 << 20) {
        spp_consumed(server, out.length);
        taken += out.length;
        spp_run(server);
    }
    check(server->out.length <= SPP_OUTPUT_MAX);
}

static void serve(sp_fs *fs, spl_loop *loop, const char *command, const uint8_t *data, size_t size)
{
    const sp_scp_options options = {SP_SCP_OPTIONS_INIT, .max_depth = 5, .max_matches = 20};
    size_t piece = size == 0 ? 1 : (size_t)(data[0] & 0x7f) * 5 + 1;
    bool late = size != 0 && (data[0] & 0x80) != 0;
    spp_server *server;
    if (spp_server_new(&server, fs, loop, NULL, "fuzzer", command, &options, moved, NULL) != 0)
        return;
    spp_run(server);
    for (size_t at = 0; at < size; at += piece) {
        spp_receive(server, data + at, size - at < piece ? size - at : piece);
        if (!late)
            take_output(server);
    }
    spp_end_of_input(server);
    take_output(server);
    if (!server->ended)
        spp_lost(server);
    check(server->ended);
    spp_server_free(server);
}

/* A tree to fetch from: what a sink makes of good lines. */
static void fill(sp_fs *fs, spl_loop *loop)
{
    static const uint8_t tree[] = "D0755 0 d\nC0644 4 f\ntext\0D0700 0 e\nC0600 0 g\n\0E\nE\n"
                                  "C0644 1 a.txt\nx\0C0644 1 b[1].txt\ny\0";
    serve(fs, loop, "scp -rt /", tree, sizeof tree - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static spl_loop *loop;
    const sp_fs_memory_options memory = {SP_FS_MEMORY_OPTIONS_INIT, .max_bytes = 100000,
                                         .max_nodes = 30};
    char command[512];
    const uint8_t *end = memchr(data, '\n', size);
    size_t length = end == NULL ? size : (size_t)(end - data);
    if (length >= sizeof command)
        return 0;
    memcpy(command, data, length);
    command[length] = '\0';
    if (loop == NULL) {
        spb_env env;
        spb_env_init(&env, NULL);
        check(spl_loop_new(&loop, &env, NULL) == 0);
    }
    sp_fs *fs = sp_fs_memory_new(&memory);
    check(fs != NULL);
    fill(fs, loop);
    if (end != NULL)
        serve(fs, loop, command, end + 1, size - length - 1);
    else
        serve(fs, loop, command, data, 0);
    sp_fs_unref(fs);
    return 0;
}
