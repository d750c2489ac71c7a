/* src/server/pace.c: when a bulk transfer's reading pauses, by peers that are only arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/pace.h"

#define MIB ((uint64_t)1024 * 1024)
#define PIECE ((uint32_t)48 * 1024) /* what is there at a wake-up without pauses */
#define BUFFER ((uint32_t)256 * 1024)

/* A peer sends `rate` bytes in a microsecond, at most `window` of them before they are read. */
typedef struct peer {
    sps_pace pace;
    uint64_t now_us;
    uint64_t received;
    uint32_t rate;
    uint32_t window;
    uint32_t piece;
    unsigned pauses;
    unsigned reads;
} peer;

static void read_bytes(peer *p, uint32_t there)
{
    uint32_t pause = 0;
    do {
        uint32_t n = there < BUFFER ? there : BUFFER;
        there -= n;
        p->received += n;
        p->reads++;
        pause = sps_pace_read(&p->pace, p->now_us / 1000, n, n < BUFFER);
    } while (there > 0);
    if (pause == 0) {
        p->now_us += p->piece / p->rate;
        return;
    }
    p->pauses++;
    p->now_us += pause;
}

static void transfer(peer *p, uint64_t bytes)
{
    uint64_t end = p->received + bytes;
    uint64_t seen = p->now_us;
    uint32_t there = p->piece;
    while (p->received < end) {
        read_bytes(p, there);
        uint64_t came = (p->now_us - seen) * p->rate;
        seen = p->now_us;
        there = came < p->window ? (uint32_t)came : p->window;
    }
}

static void few_bytes_are_never_delayed(void **state)
{
    (void)state;
    peer typing = {.rate = 1, .window = UINT32_MAX, .piece = 100};
    transfer(&typing, 4 * MIB);
    assert_int_equal(typing.pauses, 0);
    peer slow = {.rate = 50, .window = UINT32_MAX, .piece = PIECE}; /* 50 MB/s */
    transfer(&slow, 200 * MIB);
    assert_int_equal(slow.pauses, 0);
}

static void a_bulk_transfer_is_read_in_larger_portions(void **state)
{
    (void)state;
    peer fast = {.rate = 500, .window = 4 * MIB, .piece = PIECE};
    transfer(&fast, 32 * MIB); /* the first two blocks are only measured */
    assert_int_equal(fast.pauses, 0);
    uint64_t before_us = fast.now_us;
    unsigned before = fast.reads;
    transfer(&fast, 32 * MIB);
    assert_true(fast.pauses > 100);
    assert_true((fast.reads - before) * 3 < before);
    assert_true(fast.now_us - before_us <= before_us + before_us / 8);
    /* And still after long; its plain speed is measured anew from time to time. */
    unsigned pauses = fast.pauses;
    transfer(&fast, 2048 * MIB);
    assert_true(fast.pauses - pauses > 6000);
}

static void a_peer_that_waits_is_not_made_to_wait(void **state)
{
    (void)state;
    /* 64 KiB, then it waits for an answer: no pause pays. */
    peer waits = {.rate = 500, .window = 64 * 1024, .piece = 48 * 1024};
    uint64_t plain_us = 2048 * MIB / 500;
    transfer(&waits, 2048 * MIB);
    assert_true(waits.pauses > 0);
    assert_true(waits.now_us < plain_us + plain_us / 50); /* 2 in 100 */
    assert_true(waits.pace.delay >= 31);
}

static void pauses_that_make_it_slower_end(void **state)
{
    (void)state;
    /* Enough for a pause to look well, but the sender stood still in a part of it. */
    peer narrow = {.rate = 500, .window = 128 * 1024, .piece = 48 * 1024};
    uint64_t plain_us = 2048 * MIB / 500;
    transfer(&narrow, 2048 * MIB);
    assert_true(narrow.pauses > 0);
    assert_true(narrow.now_us < plain_us + plain_us / 20); /* 5 in 100 */
}

static void the_end_of_a_transfer_is_no_failure(void **state)
{
    (void)state;
    peer fast = {.rate = 500, .window = 4 * MIB, .piece = PIECE};
    transfer(&fast, 200 * MIB);
    assert_true(fast.pauses > 0);
    fast.pauses = 0;
    for (int i = 0; i < 100; i++) { /* typing on the same connection */
        fast.now_us += 100000;
        fast.pauses += sps_pace_read(&fast.pace, fast.now_us / 1000, 100, true) != 0;
    }
    assert_true(fast.pauses <= 24);
    assert_int_equal(fast.pace.delay, 0);
    fast.pauses = 0;
    transfer(&fast, 200 * MIB);
    assert_true(fast.pauses > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bytes_are_never_delayed),
        cmocka_unit_test(a_bulk_transfer_is_read_in_larger_portions),
        cmocka_unit_test(a_peer_that_waits_is_not_made_to_wait),
        cmocka_unit_test(pauses_that_make_it_slower_end),
        cmocka_unit_test(the_end_of_a_transfer_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
