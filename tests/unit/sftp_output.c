/* src/sftp/output.c, block.c: replies in blocks, packets in pieces, with and without the loop's
 * pool; reads that wait for room. */
#include "support/sftp_stand.h"

#define RW (SP_FS_READ | SP_FS_WRITE | SP_FS_CREATE)

static spb_pool *pool;
static uint8_t pattern[600 * 1024];

static void begin(bool pooled)
{
    stand_begin(sp_fs_memory_new(NULL), NULL);
    pool = pooled ? spb_pool_new(&env) : NULL;
    server->pool = pool;
    send_init();
    expect_version();
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
}

static void finish(void)
{
    spf_end_of_input(server);
    assert_true(spf_ended(server));
    assert_null(server->filling);
    assert_int_equal(server->memory, 0);
    assert_int_equal(server->count, 0);
    assert_int_equal(server->bytes, 0);
    assert_int_equal(server->reading, 0);
    assert_int_equal(server->ready, 0);
    stand_end();
    spb_pool_free(pool);
}

/* A WRITE of the pattern, put in by pieces of `piece` bytes. */
static void put(uint32_t id, handle h, uint64_t offset, size_t length, size_t piece)
{
    packet p = begin_packet(SPF_WRITE, id);
    spw_string(&p.b, h.id, sizeof h.id);
    spw_u64(&p.b, offset);
    spw_string(&p.b, pattern + offset, length);
    spw_string_end(&p.b, p.mark);
    assert_true(spw_ok(&p.b));
    for (size_t at = 0; at < p.b.length; at += piece) {
        size_t n = p.b.length - at < piece ? p.b.length - at : piece;
        spf_take(server, p.b.data + at, n);
    }
    spf_run(server);
    spb_buffer_free(&p.b);
}

static void expect_pattern(uint32_t id, uint64_t offset, size_t length)
{
    answer a = take();
    assert_int_equal(a.type, SPF_DATA);
    assert_int_equal(a.id, id);
    spb_span data = spr_string(&a.r);
    assert_true(spr_done(&a.r));
    assert_int_equal(data.length, length);
    assert_memory_equal(data.data, pattern + offset, length);
}

/* Small ones in the first block, ones that fill chunks and large blocks, and ones beyond. */
static void all_sizes(void **state)
{
    static const size_t sizes[] = {1, 100, 4000, 5000, 32768, 33000, 60000, 200000, 258048, 262000};
    static const size_t pieces[] = {1000, 32768, 1 << 20};
    for (size_t i = 0; i < 3; i++) {
        begin(*state != NULL);
        handle h = opened("/f", RW);
        for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            put(s, h, s, sizes[s], pieces[i]);
            expect_status(s, SP_FS_OK);
            send_read(100 + s, h, s, (uint32_t)sizes[s]);
            expect_pattern(100 + s, s, sizes[s]);
        }
        finish();
    }
}

/* What came together is answered in one piece, in order; what is sent of it makes no room early. */
static void replies_lie_together(void **state)
{
    begin(*state != NULL);
    handle h = opened("/f", RW);
    put(1, h, 0, 100000, 32768);
    expect_status(1, SP_FS_OK);
    packet p = begin_packet(SPF_STAT, 2);
    spw_cstring(&p.b, "/f");
    spw_string_end(&p.b, p.mark);
    spf_take(server, p.b.data, p.b.length);
    spf_take(server, p.b.data, p.b.length);
    spb_buffer_free(&p.b);
    no_answer(); /* not before spf_run */
    for (uint32_t i = 0; i < 3; i++)
        send_read(10 + i, h, 30000 * i, 30000);
    size_t stat = 4 + 5 + 4 + 8 + 8 + 4 + 8; /* size, owners, permissions, times */
    spb_span out = spf_output(server);
    assert_int_equal(spb_get_u32(out.data) + 4, stat);
    assert_int_equal(out.length, 2 * stat); /* what comes next is in a larger block */
    assert_int_equal(server->count, 5);
    assert_int_equal(take().id, 2);
    assert_int_equal(take().id, 2);
    assert_int_equal(spf_output(server).length, 3 * (SPF_DATA_HEADER + 30000));
    for (uint32_t i = 0; i < 3; i++)
        expect_pattern(10 + i, 30000 * i, 30000);
    no_answer();
    finish();
}

/* Reads that were asked for cost nothing before there is room for what they read. */
static void reads_wait_for_room(void **state)
{
    begin(*state != NULL);
    handle h = opened("/f", RW);
    for (uint32_t i = 0; i < 4; i++) {
        put(i, h, 100000 * i, 100000, 32768);
        expect_status(i, SP_FS_OK);
    }
    for (uint32_t i = 0; i < 100; i++)
        send_read(i, h, 4000 * i, 4000 + (i % 2) * 50000);
    assert_int_equal(server->count, 100);
    assert_true(server->ready < 256 * 1024 && server->ready == server->reading);
    assert_true(spf_wants_input(server));
    for (uint32_t i = 0; i < 100; i++) {
        size_t length = 4000 + (i % 2) * 50000;
        size_t left = 400000 - 4000 * i;
        assert_true(server->ready < 256 * 1024);
        expect_pattern(i, 4000 * i, length < left ? length : left);
    }
    finish();
}

/* A read that ends early gives its room back; one that fails is answered in its place. */
static void short_reads(void **state)
{
    begin(*state != NULL);
    handle h = opened("/f", RW);
    put(1, h, 0, 10, 32768);
    expect_status(1, SP_FS_OK);
    for (uint32_t i = 0; i < 50; i++) {
        send_read(2 * i, h, 0, 100000);
        send_read(2 * i + 1, h, 10, 100000);
    }
    for (uint32_t i = 0; i < 50; i++) {
        expect_pattern(2 * i, 0, 10);
        expect_status(2 * i + 1, SP_FS_EOF);
    }
    finish();
}

/* The client leaves while replies wait, a part of one is sent, and a packet is half there. */
static void lost_in_between(void **state)
{
    for (int way = 0; way < 3; way++) {
        begin(*state != NULL);
        handle h = opened("/f", RW);
        put(1, h, 0, 200000, 32768);
        expect_status(1, SP_FS_OK);
        for (uint32_t i = 0; i < 20; i++)
            send_read(i, h, 0, 50000);
        if (way > 0)
            spf_consumed(server, 12345);
        if (way > 1) {
            static const uint8_t head[] = {0, 1, 0, 0, SPF_WRITE, 0, 0};
            spf_receive(server, head, sizeof head);
            spf_receive(server, pattern, 50000);
        }
        spf_lost(server);
        no_answer();
        assert_true(spf_ended(server));
        finish();
    }
}

static void idle_holds_nothing(void **state)
{
    begin(*state != NULL);
    send_path(SPF_STAT, 1, "/");
    assert_non_null(server->filling);
    assert_int_equal(take().type, SPF_ATTRS);
    assert_null(server->filling);
    assert_null(server->packet);
    assert_true(server->scratch.capacity <= SPF_SCRATCH_KEPT);
    finish();
}

#define BOTH(test)                                                                                 \
    {#test, test, NULL, NULL, NULL},                                                               \
    {                                                                                              \
#test " (pool)", test, NULL, NULL, (void *)pattern                                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(all_sizes),   BOTH(replies_lie_together), BOTH(reads_wait_for_room),
        BOTH(short_reads), BOTH(lost_in_between),      BOTH(idle_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
