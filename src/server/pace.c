/* When a connection's reading pauses: pace.h says why. Pure arithmetic on times and amounts. */
#include "server/pace.h"

#define BLOCK ((uint32_t)16 * 1024 * 1024) /* measured at once: long enough for a clock of ms */
#define BULK_MS 128                        /* a block that took longer is no bulk transfer */
#define BULK_READS (BLOCK / (16 * 1024))   /* nor is one that came in more pieces */
#define AIM ((uint32_t)192 * 1024)         /* what a pause shall gather */
#define MEAGRE_MAX 24 /* so many pauses of a block (85) may bring less than half: chance */
#define BLOCKS_MAX 64 /* with pauses; then the speed without them is measured anew */
#define DELAY_MAX 127

static void set_pausing(sps_pace *pace, bool pausing)
{
    pace->pausing = pausing;
    pace->paused = false;
    pace->blocks = 0;
}

static void give_up(sps_pace *pace, bool paid)
{
    if (paid)
        pace->delay = 0;
    else if (pace->delay < DELAY_MAX)
        pace->delay = (uint8_t)(pace->delay * 2 + 1);
    set_pausing(pace, false);
}

/* At the speed without pauses. */
static uint16_t time_of_aim(uint32_t block_ms)
{
    return (uint16_t)((block_ms + 1) * 1000 / (BLOCK / AIM));
}

/* Too long for a block with pauses: an eighth more than without, and what such a clock may miss.
 * In the first the kernel's buffer still grows. */
static bool slower(const sps_pace *pace, uint64_t took)
{
    uint32_t more = pace->blocks == 1 ? pace->plain_ms / 3 : pace->plain_ms / 8;
    return took > (uint64_t)pace->plain_ms + more + 2;
}

static void end_block(sps_pace *pace, uint64_t now)
{
    uint64_t took = now - pace->since;
    bool bulk = took <= BULK_MS && pace->reads <= BULK_READS;

    pace->since = now;
    pace->bytes = 0;
    pace->reads = 0;
    pace->meagre = 0;
    if (pace->blocks < UINT8_MAX)
        pace->blocks++;
    if (!pace->pausing) {
        pace->plain_ms = (uint16_t)(bulk ? took : 0);
        pace->pause_us = time_of_aim(pace->plain_ms);
        if (bulk && pace->blocks > pace->delay + 1) /* a transfer's first block is slow */
            set_pausing(pace, true);
    } else if (slower(pace, took)) {
        give_up(pace, false);
    } else if (pace->blocks >= BLOCKS_MAX) {
        give_up(pace, true);
    }
}

uint32_t sps_pace_read(sps_pace *pace, uint64_t now, size_t bytes, bool emptied)
{
    if (pace->bytes == 0)
        pace->since = now;
    pace->bytes += (uint32_t)bytes;
    pace->reads++;
    pace->gathered += (uint32_t)bytes;
    if (pace->bytes >= BLOCK)
        end_block(pace, now);
    if (!pace->pausing || !emptied)
        return 0;
    if (pace->paused && pace->gathered < AIM / 2 && ++pace->meagre > MEAGRE_MAX) {
        give_up(pace, pace->blocks > 1);
        return 0;
    }
    pace->gathered = 0;
    pace->paused = true;
    return pace->pause_us;
}
